"""A teardown's rule, case by case."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from fleetsweep.model.container import SECOND, UNREADABLE, Container
from fleetsweep.model.decision import Reason, Verdict
from fleetsweep.model.intent import OpenIntent, SettledAs
from fleetsweep.model.run_scope import Baseline, Resource, ResourceKind, RunScope
from fleetsweep.policy.reconcile import settle
from fleetsweep.policy.rules import Policy, decide, findings, needs_inspection, resources_of_run
from tests.generators.strategies import NOW
from tests.policy.test_reconcile import look

ID = "a" * 64
KEY = "fleetsweep.run"
TAKEN = NOW - 100 * SECOND
LABEL = RunScope(("fleetsweep.run", "7"))
BASELINE = RunScope(None, Baseline("docker E (this machine)", TAKEN, ("b" * 64,)))
WAITS = (timedelta(seconds=-1), timedelta(seconds=60))
BOTH = RunScope(LABEL.label, BASELINE.baseline)


def container(**changes: object) -> Container:
    made = Container(ID, "ws-1", "molecule-local/x:1", "sha256:0", "running", TAKEN + SECOND, {}, inspected=True)
    return replace(made, **changes)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("scope", "changes", "reason"),
    [
        (LABEL, {"labels": {KEY: "7"}}, Reason.RUN),
        (LABEL, {"labels": {KEY: "7"}, "name": "db", "image": "postgres"}, Reason.RUN),
        (LABEL, {"labels": {KEY: "8"}}, Reason.OTHER_RUN),
        (LABEL, {"labels": {KEY: ""}}, Reason.OTHER_RUN),
        (LABEL, {}, Reason.OTHER_RUN),
        (LABEL, {"labels": {KEY: "8"}, "name": "db", "image": "postgres"}, Reason.UNMATCHED),
        (LABEL, {"labels": {KEY: "7", "fleetsweep.keep": "1"}}, Reason.PROTECTED),
        (LABEL, {"labels": {KEY: "7", "io.kubernetes.pod.name": "x"}}, Reason.RUN),
        (LABEL, {"labels": None}, Reason.PROTECTED),
        (LABEL, {"labels": {KEY: "7"}, "created_ns": UNREADABLE}, Reason.UNKNOWN_AGE),
        (LABEL, {"labels": {KEY: "7"}, "inspected": False}, Reason.UNKNOWN_AGE),
        (BASELINE, {}, Reason.RUN),
        (BASELINE, {"id": "b" * 64}, Reason.BASELINE),
        (BASELINE, {"created_ns": TAKEN}, Reason.BASELINE),
        (BASELINE, {"created_ns": TAKEN + SECOND - 1}, Reason.BASELINE),
        (BASELINE, {"created_ns": TAKEN + SECOND}, Reason.RUN),
        (BASELINE, {"state": "hibernating"}, Reason.UNREADABLE),
        (BASELINE, {"trouble": "x"}, Reason.UNREADABLE),
        (LABEL, {"labels": {KEY: "8"}, "trouble": "x"}, Reason.OTHER_RUN),
        (LABEL, {"labels": None, "trouble": "x", "name": "db", "image": "postgres"}, Reason.UNREADABLE),
        (BASELINE, {"created_ns": NOW + 5 * SECOND}, Reason.UNKNOWN_AGE),
        (BASELINE, {"name": "db", "image": "postgres"}, Reason.UNMATCHED),
        (BASELINE, {"labels": {"com.docker.swarm.task": "x"}}, Reason.MANAGED),
        (BOTH, {"labels": {KEY: "7"}}, Reason.RUN),
        (BOTH, {"labels": {KEY: "7"}, "id": "b" * 64}, Reason.BASELINE),
        (BOTH, {"labels": {KEY: "8"}}, Reason.OTHER_RUN),
        (BOTH, {}, Reason.RUN),
        (BOTH, {"labels": {KEY: "7"}, "name": "db", "image": "postgres"}, Reason.RUN),
    ],
)
def test_the_first_reason_decides(scope: RunScope, changes: dict[str, object], reason: Reason) -> None:
    decision = decide(container(**changes), Policy(run=scope), NOW)
    assert decision.reason is reason
    assert (decision.verdict is Verdict.REMOVE) == (reason is Reason.RUN)
    assert bool(decision.labels_digest) == (reason is Reason.RUN)


def findings_of(scope: RunScope, **changes: object) -> list[tuple[str, str, Reason | None]]:
    """The findings, except for those of the first rules, which every command has."""
    found = findings(container(**changes), Policy(run=scope), NOW)
    return [(finding.rule, finding.saw, finding.reason) for finding in found][4:]


def test_each_rule_of_a_run_reports_what_it_found() -> None:
    created = ("creation time", "created 99 s ago", None)
    read = ("reading", "the state 'running' is known", None)
    free = ("dependents", "no kept container depends on it", None)
    made = ("otherwise", "this run made it", Reason.RUN)
    assert findings_of(LABEL, labels={KEY: "7"}) == [
        ("run label", "fleetsweep.run='7'", None),
        read,
        created,
        ("inspection", "inspected", None),
        free,
        made,
    ]
    assert findings_of(BOTH, inspected=False) == [
        ("run label", "no label fleetsweep.run", None),
        ("baseline", "not in the baseline", None),
        read,
        created,
        ("inspection", "not inspected", Reason.UNKNOWN_AGE),
        ("created after the baseline", "1 s after it", None),
        free,
        made,
    ]
    assert findings_of(BASELINE, id="b" * 64)[0] == ("baseline", "in the baseline", Reason.BASELINE)


@pytest.mark.parametrize(("labels", "words"), [({KEY: "7"}, "; of this run by its label"), ({KEY: "8"}, ""), ({}, "")])
def test_the_first_rule_reports_whether_the_container_is_of_this_run(labels: dict[str, str], words: str) -> None:
    first = next(findings(container(labels=labels), Policy(run=LABEL), NOW))
    assert first.saw == f"matched by name, image (one of them is enough){words}"


def test_what_is_held_outlives_its_run() -> None:
    held = Policy(run=LABEL, held={ID: "held by ann"})
    assert decide(container(labels={KEY: "7"}), held, NOW).reason is Reason.HELD
    assert not needs_inspection(container(labels={KEY: "7"}, inspected=False), held, NOW)


def test_labels_that_can_not_be_read_are_no_runs() -> None:
    assert findings_of(LABEL, labels=None)[0] == ("run label", "no label fleetsweep.run", Reason.OTHER_RUN)


@pytest.mark.parametrize(
    ("since_ns", "saw", "reason"),
    [
        (-3 * SECOND, "3 s before it", Reason.BASELINE),
        (-1, "1 s before it", Reason.BASELINE),
        (0, "0 s after it", Reason.BASELINE),
        (SECOND - 1, "0 s after it", Reason.BASELINE),
        (SECOND, "1 s after it", None),
        (3 * SECOND, "3 s after it", None),
    ],
)
def test_only_what_was_created_after_the_baseline_is_the_runs(since_ns: int, saw: str, reason: Reason | None) -> None:
    assert findings_of(BASELINE, created_ns=TAKEN + since_ns)[4] == ("created after the baseline", saw, reason)


@pytest.mark.parametrize(
    ("scope", "changes", "needed"),
    [
        (LABEL, {"labels": {KEY: "7"}, "name": "db", "image": "postgres"}, True),
        (LABEL, {"labels": {KEY: "7"}, "inspected": True}, False),
        (BASELINE, {}, True),
        (BASELINE, {"name": "db", "image": "0123456789ab"}, True),
        (BASELINE, {"id": "b" * 64}, False),
        (BASELINE, {"name": "db", "image": "postgres"}, False),
        (BASELINE, {"created_ns": UNREADABLE}, False),
        (BASELINE, {"labels": {"fleetsweep.keep": "1"}}, False),
    ],
)
def test_what_the_list_can_settle_is_not_inspected(scope: RunScope, changes: dict[str, object], needed: bool) -> None:
    listed = container(**{"inspected": False, **changes})
    assert needs_inspection(listed, Policy(run=scope), NOW) is needed


def test_of_volumes_and_networks_only_this_runs_unprotected_ones_go() -> None:
    def volume(labels: dict[str, str] | None) -> Resource:
        return Resource(ResourceKind.VOLUME, "v", "v", "", labels)

    mine = volume({KEY: "7"})
    others = [volume({KEY: "8"}), volume({}), volume(None), volume({KEY: "7", "fleetsweep.keep": "1"})]
    assert resources_of_run([mine, *others], Policy(run=LABEL), NOW) == (mine,)
    until = datetime.fromtimestamp(NOW / SECOND, UTC)
    kept = [volume({KEY: "7", "fleetsweep.keep": f"until:{until + wait:%Y-%m-%dT%H:%M:%SZ}"}) for wait in WAITS]
    assert resources_of_run(kept, Policy(run=LABEL), NOW) == (kept[0],)
    assert resources_of_run([mine, *others], Policy(run=BASELINE), NOW) == ()
    assert resources_of_run([mine, *others], Policy(), NOW) == ()


def test_an_open_intent_on_a_volume_is_settled_as_unknown_since_no_container_list_shows_it() -> None:
    seen = look("box")
    intent = OpenIntent(1, "run", "box", seen.host.endpoint, "volume:data", "data", 0)
    ((found,),) = settle([intent], [seen]).values()
    assert (found.outcome, found.final) == (SettledAs.UNKNOWN, True)

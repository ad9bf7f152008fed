"""What a rule reports it saw, and how a container that could not be inspected is judged."""

from __future__ import annotations

from dataclasses import replace

import pytest

from fleetsweep.model.container import SECOND, Container
from fleetsweep.model.decision import Reason
from fleetsweep.model.run_scope import RunScope
from fleetsweep.policy.rules import Policy, decide, findings, may_match
from tests.policy.test_rules import NOW, container

RUN = Policy(run=RunScope(("run", "7")))


def saw(rule: str, judged: Container, policy: Policy | None = None) -> str:
    return next(finding.saw for finding in findings(judged, policy or Policy(), NOW) if finding.rule == rule)


def test_a_container_that_could_not_be_inspected_has_no_labels_to_report() -> None:
    hidden = container(trouble="HTTP 500", labels=None)
    assert saw("protection", hidden) == "could not be inspected"
    assert saw("protection", container(labels=None)) == "labels unreadable"
    assert decide(hidden, Policy(), NOW).reason is Reason.UNREADABLE


def test_a_start_in_the_seconds_before_the_creation_is_aged_by_the_creation() -> None:
    created = NOW - 4 * 3600 * SECOND
    assert saw("start time", container(created_ns=created, started_ns=created - SECOND)) == (
        "started as it was created: aged by creation"
    )
    assert saw("start time", container(created_ns=created, started_ns=created)) == "started 14400 s ago"


@pytest.mark.parametrize("length", [39, 40, 41, 90])
def test_a_state_that_no_engine_has_is_quoted_up_to_40_characters(length: int) -> None:
    odd = container(state="x" * length)
    assert saw("reading", odd) == f"the state {'x' * min(length, 40)!r} is unknown"


def test_an_infra_container_is_managed_whatever_matches_it() -> None:
    infra = container(managed_by="it holds pod p together", labels={"run": "7"})
    assert decide(infra, RUN, NOW).reason is Reason.MANAGED
    assert decide(infra, Policy(labels=("run=7",)), NOW).reason is Reason.MANAGED


def test_what_lives_on_a_runs_container_spares_it() -> None:
    mine = container(labels={"run": "7"})
    spared = decide(mine, RUN, NOW, "ws-2 lives in it")
    assert (spared.reason, spared.detail) == (Reason.IN_USE, "ws-2 lives in it")


def test_hidden_labels_may_be_this_runs_only_where_a_run_has_a_label() -> None:
    foreign = container(name="db", image="postgres", trouble="HTTP 500", labels=None)
    assert may_match(foreign, RUN)
    assert not may_match(foreign, Policy())
    assert not may_match(replace(foreign, labels={}), RUN)


def test_the_age_of_a_container_counts_from_zero() -> None:
    young = container(created_ns=NOW, started_ns=NOW)
    assert decide(young, Policy(), NOW).age_s == 0


OWNED = {"fleetsweep.owner": "team-a", "ci.run": "7", "other": "x"}


@pytest.mark.parametrize(
    ("policy", "kept"),
    [
        (Policy(), {"fleetsweep.owner": "team-a"}),
        (Policy(attributes=("other", "absent")), {"other": "x"}),
        (Policy(run=RunScope(("ci.run", "7"))), {"fleetsweep.owner": "team-a", "ci.run": "7"}),
        (Policy(attributes=(), run=RunScope(("ci.run", "7"))), {"ci.run": "7"}),
    ],
)
def test_what_is_removed_is_remembered_with_its_labels_of_origin(policy: Policy, kept: dict[str, str]) -> None:
    assert decide(container(labels=OWNED), policy, NOW).attributes == kept


def test_of_what_is_kept_no_labels_are_remembered() -> None:
    young = container(labels=OWNED, created_ns=NOW, started_ns=NOW)
    assert decide(young, Policy(), NOW).attributes == {}

"""Which containers are orphans."""

from __future__ import annotations

from dataclasses import replace

import pytest

from fleetsweep.guards import Percent, plan_fleet
from fleetsweep.model import (
    SECOND,
    UNREADABLE,
    Container,
    Engine,
    FleetPlan,
    GuardName,
    Host,
    HostPlan,
    Reason,
    Survey,
    Verdict,
)
from fleetsweep.policy import Match, Policy, decide, findings, image_forms, needs_inspection

NOW = 1_800_000_000 * SECOND
HOUR = 3600 * SECOND


def container(**fields: object) -> Container:
    base = Container(
        id="a" * 64,
        name="ws-1",
        image="molecule-local/workspace-template-x:1",
        image_id="sha256:" + "b" * 64,
        state="running",
        created_ns=NOW - 48 * HOUR,
        labels={},
        started_ns=NOW - 48 * HOUR,
        restarts=0,
        inspected=True,
    )
    return replace(base, **fields)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({}, Reason.STALE),
        ({"started_ns": None, "state": "created"}, Reason.STALE),
        ({"started_ns": None, "state": "exited"}, Reason.UNKNOWN_AGE),
        ({"started_ns": None, "state": ""}, Reason.UNKNOWN_AGE),
        ({"started_ns": NOW - HOUR}, Reason.YOUNG),
        ({"started_ns": NOW - 2 * HOUR}, Reason.YOUNG),
        ({"started_ns": NOW - 2 * HOUR - SECOND}, Reason.STALE),
        ({"started_ns": UNREADABLE}, Reason.UNKNOWN_AGE),
        ({"started_ns": NOW + HOUR}, Reason.UNKNOWN_AGE),
        ({"started_ns": NOW - 72 * HOUR}, Reason.UNKNOWN_AGE),
        ({"created_ns": UNREADABLE}, Reason.UNKNOWN_AGE),
        ({"created_ns": NOW + HOUR}, Reason.UNKNOWN_AGE),
        ({"created_ns": 86400 * SECOND, "started_ns": 86400 * SECOND}, Reason.UNKNOWN_AGE),
        ({"inspected": False}, Reason.UNKNOWN_AGE),
        ({"name": "pg", "image": "postgres:16"}, Reason.UNMATCHED),
        ({"labels": None}, Reason.PROTECTED),
        ({"labels": {"fleetsweep.keep": ""}}, Reason.PROTECTED),
        ({"labels": {"fleetsweep.keep": "until:2099-01-01T00:00Z"}}, Reason.PROTECTED),
        ({"labels": {"fleetsweep.keep": "until:someday"}}, Reason.PROTECTED),
        ({"labels": {"fleetsweep.keep": "until:2020-01-01T00:00Z"}}, Reason.STALE),
        ({"labels": {"fleetsweep.keep": "False"}}, Reason.STALE),
        ({"labels": {"io.kubernetes.pod.uid": "1"}}, Reason.MANAGED),
    ],
)
def test_each_rule_has_its_say(fields: dict[str, object], reason: Reason) -> None:
    decision = decide(container(**fields), Policy(), NOW)
    assert decision.reason is reason
    assert (decision.verdict is Verdict.REMOVE) == (reason is Reason.STALE)


def test_a_restarted_container_goes_once_its_lifetime_is_over() -> None:
    policy = Policy(max_lifetime_s=24 * 3600)
    assert decide(container(started_ns=NOW - HOUR), policy, NOW).reason is Reason.LIFETIME


def test_an_image_whose_tag_moved_on_is_inspected() -> None:
    listed = container(name="job", image="sha256:" + "b" * 64, inspected=False)
    assert needs_inspection(listed, Policy(), NOW)
    assert not needs_inspection(replace(listed, created_ns=NOW - HOUR), Policy(), NOW)
    assert not needs_inspection(replace(listed, image="postgres:16"), Policy(), NOW)


def test_all_wants_one_of_each_kind_given() -> None:
    policy = Policy(labels=("team=ci",), match=Match.ALL)
    assert decide(container(), policy, NOW).reason is Reason.UNMATCHED
    assert decide(container(labels={"team": "ci"}), policy, NOW).reason is Reason.STALE


def test_an_image_is_known_by_its_familiar_form_too() -> None:
    assert "molecule-local/x" in image_forms("localhost/molecule-local/x:latest")
    assert "redis" in image_forms("docker.io/library/redis:7@sha256:" + "0" * 64)
    assert "host:5000/a" in image_forms("host:5000/a:1")


def survey(name: str, items: list[Container], skew_s: float = 0.0) -> Survey:
    return Survey(Host(name, "127.0.0.1"), Engine("docker", "", "1.41", "local"), NOW, skew_s, tuple(items), 0.1)


def many(count: int, first: int = 0) -> list[Container]:
    return [container(id=f"{first + number:064x}") for number in range(count)]


def planned(*surveys: Survey, policy: Policy | None = None, fleet_cap: int | Percent | None = None) -> FleetPlan:
    return plan_fleet(surveys, {item.host.name: policy or Policy() for item in surveys}, fleet_cap)


def guarded_by(plan: FleetPlan) -> GuardName | None:
    (host,) = plan.hosts
    assert isinstance(host, HostPlan)
    return host.guard.name if host.guard else None


@pytest.mark.parametrize(("cap", "guarded"), [(3, False), (2, True), (0, True), (None, False)])
def test_one_candidate_over_the_cap_guards_the_host(cap: int | None, guarded: bool) -> None:
    assert (guarded_by(planned(survey("a", many(3)), policy=Policy(cap=cap))) is GuardName.CAP) == guarded


@pytest.mark.parametrize(("skew_s", "guarded"), [(299.0, False), (-301.0, True), (301.0, True), (float("nan"), True)])
def test_a_clock_too_far_off_guards_the_host(skew_s: float, guarded: bool) -> None:
    assert (guarded_by(planned(survey("a", many(1), skew_s))) is GuardName.SKEW) == guarded


@pytest.mark.parametrize(("cap", "guarded"), [(4, False), (3, True), (Percent(100), False), (Percent(99), True)])
def test_over_the_fleet_cap_the_whole_fleet_is_guarded(cap: int | Percent, guarded: bool) -> None:
    plan = planned(survey("a", many(2)), survey("b", many(2, 5)), fleet_cap=cap)
    assert (plan.guard is not None) == guarded


STALE_LEAK = (
    ("selectors", "matched by name, image (one of them is enough)", None),
    ("protection", "no label fleetsweep.keep", None),
    ("orchestrator", "no orchestrator's label", None),
    ("creation time", "created 172800 s ago", None),
    ("creation age", "172800 s against a max age of 7200 s", None),
    ("start time", "started 172800 s ago", None),
    ("max age", "172800 s against 7200 s", Reason.STALE),
    ("max lifetime", "off", None),
    ("otherwise", "no rule asked for its removal", Reason.YOUNG),
)
Line = tuple[str, str, Reason | None]


def test_each_rule_says_what_it_saw() -> None:
    assert told(container(), Policy()) == STALE_LEAK


UNKNOWN_START = "unreadable, before creation, in the future, or none in a state that has one"


@pytest.mark.parametrize(
    ("fields", "policy", "lines"),
    [
        (
            {"name": "pg", "image": "postgres:16"},
            Policy(),
            [("selectors", "matched by nothing (one of them is enough)", Reason.UNMATCHED)],
        ),
        (
            {},
            Policy(labels=("ci",), match=Match.ALL),
            [("selectors", "matched by name, image (each kind given must match)", Reason.UNMATCHED)],
        ),
        (
            {"labels": {"ci": "1"}},
            Policy(labels=("ci",), match=Match.ALL),
            [("selectors", "matched by name, image, label (each kind given must match)", None)],
        ),
        ({"labels": None}, Policy(), [("protection", "labels unreadable", Reason.PROTECTED)]),
        (
            {"labels": {"fleetsweep.keep": "it's"}},
            Policy(),
            [("protection", 'fleetsweep.keep="it\'s"', Reason.PROTECTED)],
        ),
        ({"labels": {"stay": ""}}, Policy(keep_label="stay"), [("protection", "stay=''", Reason.PROTECTED)]),
        ({"labels": {"fleetsweep.keep": "no"}}, Policy(), [("protection", "fleetsweep.keep='no'", None)]),
        (
            {"labels": {"io.kubernetes.x": ""}},
            Policy(),
            [("orchestrator", "owned by an orchestrator", Reason.MANAGED)],
        ),
        (
            {"labels": {"io.kubernetes.x": ""}},
            Policy(labels=("io.kubernetes.x",)),
            [
                ("selectors", "matched by name, image, label (one of them is enough)", None),
                ("orchestrator", "owned by an orchestrator", None),
            ],
        ),
        (
            {"created_ns": UNREADABLE},
            Policy(max_lifetime_s=9000),
            [
                ("creation time", "unreadable, before 2013 or in the future", Reason.UNKNOWN_AGE),
                ("creation age", "unknown against a max age of 7200 s", None),
                ("start time", UNKNOWN_START, Reason.UNKNOWN_AGE),
                ("max age", "unknown against 7200 s", None),
                ("max lifetime", "unknown against 9000 s", None),
            ],
        ),
        (
            {"created_ns": NOW - HOUR, "started_ns": NOW - HOUR},
            Policy(),
            [
                ("creation time", "created 3600 s ago", None),
                ("creation age", "3600 s against a max age of 7200 s", Reason.YOUNG),
                ("start time", "started 3600 s ago", None),
                ("max age", "3600 s against 7200 s", None),
            ],
        ),
        ({"inspected": False}, Policy(), [("start time", "not inspected", Reason.UNKNOWN_AGE)]),
        (
            {"started_ns": UNREADABLE},
            Policy(),
            [("start time", UNKNOWN_START, Reason.UNKNOWN_AGE), ("max age", "unknown against 7200 s", None)],
        ),
        (
            {"started_ns": None, "state": "created"},
            Policy(),
            [("start time", "never started: aged by creation", None)],
        ),
        (
            {"started_ns": NOW - HOUR},
            Policy(max_lifetime_s=86400),
            [
                ("start time", "started 3600 s ago", None),
                ("max age", "3600 s against 7200 s", None),
                ("max lifetime", "172800 s against 86400 s", Reason.LIFETIME),
            ],
        ),
        ({}, Policy(max_lifetime_s=172800), [("max lifetime", "172800 s against 172800 s", None)]),
        ({}, Policy(max_lifetime_s=172799), [("max lifetime", "172800 s against 172799 s", Reason.LIFETIME)]),
        (
            {},
            Policy(max_age_s=172800),
            [
                ("creation age", "172800 s against a max age of 172800 s", Reason.YOUNG),
                ("max age", "172800 s against 172800 s", None),
            ],
        ),
    ],
)
def test_a_rule_that_sees_something_else_says_so(fields: dict[str, object], policy: Policy, lines: list[Line]) -> None:
    changed = {line[0]: line for line in lines}
    assert told(container(**fields), policy) == tuple(changed.get(line[0], line) for line in STALE_LEAK)


def told(item: Container, policy: Policy) -> tuple[Line, ...]:
    return tuple((finding.rule, finding.saw, finding.reason) for finding in findings(item, policy, NOW))

"""Which containers are orphans."""

from __future__ import annotations

import time
from dataclasses import replace

import pytest

from fleetsweep.model.container import SECOND, UNREADABLE, Container
from fleetsweep.model.decision import AgeFrom, Decision, FleetPlan, GuardName, HostPlan, Reason, Selector, Verdict
from fleetsweep.model.host import Host
from fleetsweep.model.survey import Engine, Survey
from fleetsweep.policy.guards import Percent, plan_fleet
from fleetsweep.policy.image_names import image_forms
from fleetsweep.policy.orchestrators import managed_by
from fleetsweep.policy.rules import (
    EARLIEST_NS,
    Match,
    Policy,
    age_of,
    decide,
    findings,
    is_protected,
    labels_digest,
    needs_inspection,
    selectors_matching,
)
from fleetsweep.policy.until import parse_until

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
        ({"started_ns": None, "state": "dead"}, Reason.STALE),
        ({"started_ns": None, "state": "configured"}, Reason.STALE),
        ({"started_ns": None, "state": "stopped"}, Reason.UNKNOWN_AGE),
        ({"state": ""}, Reason.UNREADABLE),
        ({"state": "unknown"}, Reason.UNREADABLE),
        ({"state": "hibernating"}, Reason.UNREADABLE),
        ({"state": "stopping"}, Reason.STALE),
        ({"trouble": "its inspect was answered HTTP 500"}, Reason.UNREADABLE),
        ({"trouble": "x", "name": "pg", "image": "postgres:16"}, Reason.UNMATCHED),
        ({"trouble": "x", "name": "pg", "image": "sha256:" + "b" * 64}, Reason.UNREADABLE),
        ({"trouble": "x", "name": "", "image": "postgres:16"}, Reason.UNREADABLE),
        ({"trouble": "x", "labels": None}, Reason.UNREADABLE),
        ({"trouble": "x", "labels": {"fleetsweep.keep": ""}}, Reason.PROTECTED),
        ({"started_ns": NOW - HOUR}, Reason.YOUNG),
        ({"started_ns": NOW - 2 * HOUR}, Reason.YOUNG),
        ({"started_ns": NOW - 2 * HOUR - SECOND}, Reason.STALE),
        ({"started_ns": UNREADABLE}, Reason.UNKNOWN_AGE),
        ({"started_ns": NOW + HOUR}, Reason.UNKNOWN_AGE),
        ({"started_ns": NOW - 72 * HOUR}, Reason.UNKNOWN_AGE),
        ({"started_ns": NOW - 48 * HOUR - 10 * SECOND}, Reason.STALE),
        ({"started_ns": NOW - 48 * HOUR - 10 * SECOND - 1}, Reason.UNKNOWN_AGE),
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
        ({"labels": {"com.hashicorp.nomad.alloc_id": "1"}}, Reason.MANAGED),
        ({"labels": {"com.amazonaws.ecs.task-arn": "1"}}, Reason.MANAGED),
        ({"labels": {"PODMAN_SYSTEMD_UNIT": "ws-1.service"}}, Reason.MANAGED),
        ({"managed_by": "the infra container of pod ws: podman pod rm ws"}, Reason.MANAGED),
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
    ("hold", "not held", None),
    ("orchestrator", "no orchestrator's label", None),
    ("reading", "the state 'running' is known", None),
    ("creation time", "created 172800 s ago", None),
    ("creation age", "172800 s against a max age of 7200 s", None),
    ("start time", "started 172800 s ago", None),
    ("dependents", "no kept container depends on it", None),
    ("max age", "172800 s against 7200 s", Reason.STALE),
    ("max lifetime", "off", None),
    ("otherwise", "no rule asked for its removal", Reason.YOUNG),
)
Line = tuple[str, str, Reason | None]


def test_each_rule_reports_what_it_found() -> None:
    assert findings_of(container(), Policy()) == STALE_LEAK


UNKNOWN_START = "unreadable, before creation, in the future, or none in a state that has one"


@pytest.mark.parametrize(
    ("fields", "policy", "lines"),
    [
        (
            {"name": "pg", "image": "postgres:16"},
            Policy(),
            [("selectors", "matched by nothing (one of them is enough)", Reason.UNMATCHED)],
        ),
        ({}, Policy(held={"a" * 64: "held by ann"}), [("hold", "held by ann", Reason.HELD)]),
        ({}, Policy(held={"b" * 64: "held by ann"}), []),
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
            [("orchestrator", "owned by an orchestrator, by its label io.kubernetes.x", Reason.MANAGED)],
        ),
        (
            {"labels": {"io.kubernetes.x": ""}},
            Policy(labels=("io.kubernetes.x",)),
            [
                ("selectors", "matched by name, image, label (one of them is enough)", None),
                ("orchestrator", "owned by an orchestrator, by its label io.kubernetes.x", None),
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
            [
                ("reading", "the state 'created' is known", None),
                ("start time", "never started: aged by creation", None),
            ],
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
def test_a_rule_reports_another_finding_for_another_container(
    fields: dict[str, object], policy: Policy, lines: list[Line]
) -> None:
    changed = {line[0]: line for line in lines}
    assert findings_of(container(**fields), policy) == tuple(changed.get(line[0], line) for line in STALE_LEAK)


def findings_of(item: Container, policy: Policy) -> tuple[Line, ...]:
    return tuple((finding.rule, finding.saw, finding.reason) for finding in findings(item, policy, NOW))


def test_a_decision_carries_all_that_led_to_it() -> None:
    leak = container(started_ns=NOW - 3 * HOUR)
    both = (Selector.NAME, Selector.IMAGE)
    assert decide(leak, Policy(), NOW) == Decision(
        leak, Verdict.REMOVE, Reason.STALE, both, 3 * 3600, AgeFrom.STARTED, labels_digest(leak)
    )
    young = container(started_ns=NOW - HOUR)
    assert decide(young, Policy(), NOW) == Decision(young, Verdict.KEEP, Reason.YOUNG, both, 3600, AgeFrom.STARTED, "")


def test_the_digest_of_labels_is_the_same_in_every_release() -> None:
    # A saved plan holds it: another way to make it would turn every container of the plan into a changed one.
    item = container(labels={"b": "2", "a": "é"})
    assert labels_digest(item) == "b33b6e980fb3b8c4ae4a6f32441eedc0879515aa427659b351f12b356922689f"
    assert (
        labels_digest(replace(item, labels=None)) == "da72f2bdf0127a089ffb0d29b58689e08aa4eef1543e3b7496ad789ba99052a0"
    )


UNTIL = 1_800_000_000


@pytest.mark.parametrize("zone", ["UTC", "Asia/Kolkata"])
@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2027-01-15T08:00:00Z", UNTIL),
        (" 2027-01-15T08:00:00 ", UNTIL),
        ("2027-01-15T10:00:00+02:00", UNTIL),
        ("2027-01-15 08:00", UNTIL),
        ("2027-01-15t08z", UNTIL),
        ("20270115T080000", UNTIL),
        ("20270115T0800Z", UNTIL),
        ("2027-01-15T08:00:00.5", UNTIL + 0.5),
        ("2027-01-15", UNTIL + 16 * 3600),
        ("20270115", UNTIL + 16 * 3600),
        ("2027-01-15T22:00+14:00", UNTIL),
        ("2013-01-01", 1_356_998_400 + 86_400),
        ("2012-12-31", None),
        ("2012-12-30", None),
        ("9999-12-31T23:59:59-14:00", 253_402_300_799 + 14 * 3600),
        ("9999-12-31", None),
        ("0001-01-01T00:00+14:00", None),
        ("2027-01-15T08:00+14:15", None),
        ("2027-01-15T08:00-99:59", None),
        ("2027-01-15T08:00+02:07", None),
        ("1781061500000", None),
        ("1781061500", None),
        ("178106", None),
        ("2027-W03-5", None),
        ("2027-015", None),
        ("2027-02-30", None),
        ("2027-01-15Z", None),
        ("2027-01-15T", None),
        ("2027-01-15T08:00 UTC", None),
        ("\u0662\u0660\u0662\u0667-01-15", None),
        ("", None),
        ("tomorrow", None),
    ],
)
def test_the_end_of_a_hold_is_read_in_utc_wherever_the_controller_is(
    text: str, expected: float | None, zone: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TZ", zone)
    time.tzset()
    try:
        assert parse_until(text) == (None if expected is None else expected * SECOND)
    finally:
        monkeypatch.undo()
        time.tzset()


@pytest.mark.parametrize(
    ("value", "protected"),
    [
        (None, False),
        ("", True),
        ("yes", True),
        ("0", False),
        (" False ", False),
        ("NO", False),
        ("off", False),
        ("until", True),
        ("until:", True),
        (" UNTIL: 2027-01-15T08:00:00Z ", False),
        ("until:2027-01-15T08:00:01Z", True),
        ("until:2027-01-15T07:59:59Z", False),
        ("till:2027-01-15T07:59:59Z", True),
    ],
)
def test_every_value_of_the_keep_label_protects_but_a_false_or_an_ended_one(value: str | None, protected: bool) -> None:
    labels = {} if value is None else {"stay": value}
    assert is_protected(container(labels=labels), Policy(keep_label="stay"), NOW) is protected
    assert is_protected(container(labels={"x": "1", **labels}), Policy(keep_label="stay"), NOW) is protected


@pytest.mark.parametrize(
    ("key", "managed"),
    [("com.docker.swarm.service.id", True), ("io.kubernetes.pod.name", True), ("com.docker.compose.project", False)],
)
def test_swarm_and_kubernetes_own_what_they_label(key: str, managed: bool) -> None:
    assert bool(managed_by(container(labels={"a": "b", key: ""}))) is managed
    assert managed_by(container(labels=None)) == ""


@pytest.mark.parametrize(
    ("selector", "matches"),
    [
        ("ci", True),
        ("ci=a=b", True),
        ("ci=a", False),
        ("ci=", False),
        ("team", False),
        ("team=ci", False),
        ("none=", True),
    ],
)
def test_a_label_selector_is_a_key_or_a_key_with_its_value(selector: str, matches: bool) -> None:
    item = container(labels={"ci": "a=b", "none": ""})
    policy = Policy(names=(), images=(), labels=("absent", selector))
    assert (selectors_matching(item, policy) == (Selector.LABEL,)) is matches
    assert selectors_matching(replace(item, labels=None), policy) == ()


def test_names_are_searched_and_images_are_globbed_with_case() -> None:
    policy = Policy(names=("no", "s-1"), images=("no", "*/workspace-template-?"), labels=())
    assert selectors_matching(container(), policy) == (Selector.NAME, Selector.IMAGE)
    assert selectors_matching(container(name="WS-1", image="X/WORKSPACE-TEMPLATE-X"), policy) == ()


@pytest.mark.parametrize(
    ("match", "enough"),
    [(Match.ANY, {"n", "i", "l", "ni", "nl", "il", "nil"}), (Match.ALL, {"nil"})],
)
def test_any_kind_or_each_kind_given_is_enough(match: Match, enough: set[str]) -> None:
    for kinds in ("", "n", "i", "l", "ni", "nl", "il", "nil"):
        item = container(
            name="ws" if "n" in kinds else "x",
            image="ours/x" if "i" in kinds else "x",
            labels={"ci": ""} if "l" in kinds else {},
        )
        policy = Policy(names=("ws",), images=("ours/*",), labels=("ci",), match=match)
        assert (decide(item, policy, NOW).reason is Reason.STALE) == (kinds in enough)


def test_a_kind_with_no_pattern_is_not_asked_for() -> None:
    nothing = Policy(names=(), images=(), labels=(), match=Match.ALL)
    for policy in (
        replace(nothing, names=("ws",)),
        replace(nothing, images=("molecule-local/*",)),
        replace(nothing, labels=("ci",)),
    ):
        assert decide(container(labels={"ci": ""}), policy, NOW).reason is Reason.STALE
        assert decide(container(name="", image="", labels={}), policy, NOW).reason is Reason.UNMATCHED


@pytest.mark.parametrize(
    ("reference", "forms"),
    [
        ("redis", ("redis",)),
        ("redis:7", ("redis:7", "redis")),
        ("a/b/c:1@sha256:0", ("a/b/c:1@sha256:0", "a/b/c")),
        ("host:5000/a", ("host:5000/a",)),
        ("docker.io/library/redis:7", ("docker.io/library/redis:7", "docker.io/library/redis", "redis:7", "redis")),
        ("docker.io/a/b", ("docker.io/a/b", "a/b")),
        (
            "localhost/docker.io/a:1",
            ("localhost/docker.io/a:1", "localhost/docker.io/a", "docker.io/a:1", "docker.io/a"),
        ),
        ("", ("",)),
    ],
)
def test_an_image_reference_has_these_spellings(reference: str, forms: tuple[str, ...]) -> None:
    assert image_forms(reference) == forms


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({}, (172800, AgeFrom.STARTED)),
        ({"inspected": False}, (172800, AgeFrom.CREATED)),
        ({"inspected": False, "started_ns": NOW}, (172800, AgeFrom.CREATED)),
        ({"started_ns": None, "state": "created"}, (172800, AgeFrom.CREATED)),
        ({"started_ns": None, "state": "initialized"}, (172800, AgeFrom.CREATED)),
        ({"started_ns": None, "state": "dead"}, (172800, AgeFrom.CREATED)),
        ({"started_ns": None, "state": "exited"}, (None, None)),
        # The engine's clock is rounded down, and so may be what it was created by: a second's grace, no more.
        ({"started_ns": NOW + SECOND}, (0, AgeFrom.STARTED)),
        ({"started_ns": NOW + SECOND + 1}, (None, None)),
        # A start a little before the creation is a clock that was stepped: the later of the two counts.
        ({"started_ns": NOW - 48 * HOUR - 1}, (172800, AgeFrom.STARTED)),
        ({"started_ns": NOW - 48 * HOUR - SECOND}, (172800, AgeFrom.CREATED)),
        ({"started_ns": NOW - 48 * HOUR - 10 * SECOND}, (172800, AgeFrom.CREATED)),
        ({"started_ns": NOW - 48 * HOUR - 10 * SECOND - 1}, (None, None)),
        ({"started_ns": NOW - SECOND + 1}, (0, AgeFrom.STARTED)),
        ({"created_ns": EARLIEST_NS, "started_ns": EARLIEST_NS}, ((NOW - EARLIEST_NS) // SECOND, AgeFrom.STARTED)),
        ({"created_ns": EARLIEST_NS - 1, "started_ns": EARLIEST_NS}, (None, None)),
        ({"created_ns": NOW + SECOND, "inspected": False}, (0, AgeFrom.CREATED)),
        ({"created_ns": NOW + SECOND + 1, "inspected": False}, (None, None)),
    ],
)
def test_an_age_is_exact_to_the_second_and_unknown_beyond_the_clocks_grain(
    fields: dict[str, object], expected: tuple[int | None, AgeFrom | None]
) -> None:
    assert age_of(container(**fields), NOW) == expected


@pytest.mark.parametrize(
    ("fields", "needed"),
    [
        ({}, True),
        ({"inspected": True}, False),
        ({"created_ns": UNREADABLE}, False),
        ({"created_ns": NOW - 2 * HOUR}, False),
        ({"created_ns": NOW - 2 * HOUR - SECOND}, True),
        ({"labels": {"fleetsweep.keep": ""}}, False),
        ({"name": "x", "image": "x"}, False),
        ({"name": "x", "image": "0123456789ab"}, True),
        ({"name": "x", "image": "0123456789a"}, False),
        ({"name": "x", "image": "sha256:" + "0" * 64}, True),
        ({"name": "x", "image": "sha256:" + "0" * 65}, False),
        ({"name": "x", "image": "a/0123456789ab"}, False),
    ],
)
def test_only_what_the_list_cannot_settle_is_inspected(fields: dict[str, object], needed: bool) -> None:
    listed = container(**{"inspected": False, **fields})
    assert needs_inspection(listed, Policy(), NOW) is needed
    named = needs_inspection(listed, Policy(images=()), NOW)
    assert named is (needed and listed.name == "ws-1")


def test_a_hidden_image_may_be_the_kind_that_is_missing() -> None:
    policy = Policy(match=Match.ALL)
    hidden = container(image="sha256:" + "0" * 64, inspected=False)
    assert needs_inspection(hidden, policy, NOW)
    assert not needs_inspection(replace(hidden, name="x"), policy, NOW)
    assert not needs_inspection(replace(hidden, image="x"), policy, NOW)


def test_the_defaults_are_those_of_the_manual() -> None:
    assert Policy() == Policy(
        names=("^ws-",),
        images=("molecule-local/*",),
        labels=(),
        match=Match.ANY,
        max_age_s=7200,
        job_timeout_s=1800,
        max_lifetime_s=None,
        cap=100,
        max_skew_s=300,
        keep_label="fleetsweep.keep",
        engine_id=None,
    )


# Names that a pattern never ends on

ENDLESS = "ws-" + "-" * 100_000


@pytest.mark.parametrize("match", [Match.ANY, Match.ALL])
def test_a_name_on_which_a_pattern_does_not_end_keeps_its_container_unreadable(match: Match) -> None:
    policy = Policy(names=("^ws-.*-.*-tmp$",), images=("molecule-local/*",), match=match)
    endless = container(name=ENDLESS, image="molecule-local/x" if match is Match.ALL else "postgres:16")
    decision = decide(endless, policy, NOW)
    assert (decision.verdict, decision.reason) == (Verdict.KEEP, Reason.UNREADABLE)
    assert "100003 characters" in decision.detail
    other = decide(container(name="ws-a-b-tmp", image="molecule-local/x"), policy, NOW)
    assert other.reason is Reason.STALE


def test_a_name_that_is_not_known_does_not_matter_where_an_image_must_match_too_and_does_not() -> None:
    policy = Policy(names=("^ws-.*-.*-tmp$",), images=("molecule-local/*",), match=Match.ALL)
    assert decide(container(name=ENDLESS, image="postgres:16"), policy, NOW).reason is Reason.UNMATCHED

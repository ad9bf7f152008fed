"""A plan on disk: it comes back as it was, or not at all."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fleetsweep.errors import FaultKind, Phase, UsageError
from fleetsweep.model.container import SECOND
from fleetsweep.model.decision import FleetPlan, HostPlan
from fleetsweep.model.host import Host
from fleetsweep.model.policy_flags import Flags
from fleetsweep.model.survey import FailedSurvey, Fault, Status
from fleetsweep.policy.guards import Percent, plan_fleet
from fleetsweep.policy.rules import Policy, labels_digest
from fleetsweep.store.plan_file import (
    SavedPlan,
    cap_object,
    check_policies,
    check_target,
    dump,
    load,
    policy_object,
    save,
    summarize,
)
from tests.policy.test_rules import NOW, container, many, survey
from tests.report.hostile import texts

LABELS = {"token": "s3cret"}
SURVEYS = (
    survey("a", [*many(3), container(id="e" * 64, labels=LABELS), container(id="f" * 64, name="ws-2", started_ns=NOW)]),
    survey(
        "b",
        [
            container(id="0" * 63 + "1", trouble="HTTP 500: busy"),
            container(id="0" * 63 + "2", name="ws-owner"),
            container(id="0" * 63 + "3", started_ns=NOW, lives_on=("0" * 63 + "2",)),
            container(id="0" * 63 + "4", managed_by="it holds pod ws together"),
        ],
    ),
    survey("c", many(200, first=1000)),
)
LOST = FailedSurvey(
    Host("d", "127.0.0.1"), Fault(Status.UNREACHABLE, Phase.CONNECT, FaultKind.TIMEOUT, "no answer", "look"), 10.0
)
HOSTS = {item.host.name: item.host for item in (*SURVEYS, LOST)}


def saved(**fields: object) -> SavedPlan:
    policies = {name: Policy() for name in HOSTS}
    made = SavedPlan(
        plan=plan_fleet((*SURVEYS, LOST), policies, Percent(50)),
        run_id="run",
        created_ns=NOW,
        flags=Flags(names=("^ws-",), cap="100"),
        fleet_cap=cap_object(Percent(50)),
        policies={name: policy_object(policy) for name, policy in policies.items()},
    )
    return replace(made, **fields)  # type: ignore[arg-type]


def read(path: Path, *, age_s: float = 1, ttl_s: float = 3600, hosts: dict[str, Host] | None = None) -> SavedPlan:
    return load(path, now_ns=NOW + int(age_s * SECOND), ttl_s=ttl_s, hosts=HOSTS if hosts is None else hosts)


def without_labels(plan: FleetPlan) -> FleetPlan:
    return FleetPlan(
        tuple(
            item
            if isinstance(item, FailedSurvey)
            else replace(
                item,
                decisions=tuple(replace(d, container=replace(d.container, labels=None)) for d in item.decisions),
            )
            for item in plan.hosts
        ),
        plan.guard,
    )


def test_a_plan_comes_back_as_it_was_but_for_its_labels(tmp_path: Path) -> None:
    path = tmp_path / "plan.json"
    save(saved(), path)
    back = read(path)
    *surveyed, lost = back.plan.hosts
    assert tuple(surveyed) == without_labels(saved().plan).hosts[:-1]
    assert back.plan.guard == saved().plan.guard
    assert isinstance(lost, FailedSurvey)
    assert lost.fault == replace(LOST.fault, message="when the plan was made: no answer")
    assert (back.flags, back.fleet_cap, back.policies) == (saved().flags, "50%", saved().policies)


def test_a_plan_has_no_labels_and_is_readable_by_its_owner_alone(tmp_path: Path) -> None:
    path = tmp_path / "plan.json"
    save(saved(), path)
    assert path.stat().st_mode & 0o777 == 0o600
    assert not any(word in path.read_text() for word in ("s3cret", "token"))
    assert labels_digest(container(id="e" * 64, labels=LABELS)) in path.read_text()


def test_the_journal_gets_the_decisions_to_remove_and_counts_of_the_others() -> None:
    made = saved()
    whole = json.loads(summarize(replace(made, plan=replace(made.plan, guard=None))))
    assert made.plan.guard is not None
    first, second, guarded = whole["hosts"]
    assert second == {"host": "b", "others": {"unreadable": 1, "in-use": 1, "young": 1, "managed": 1}}
    assert [each["name"] for each in first["decisions"]] == [
        each.container.name
        for each in made.plan.hosts[0].candidates  # type: ignore[union-attr]
    ]
    assert {each["verdict"] for each in first["decisions"]} == {"remove"}
    assert sum(first["others"].values()) + len(first["decisions"]) == len(made.plan.hosts[0].decisions)  # type: ignore[union-attr]
    assert whole["policies"][first["policy"]] == made.policies["a"]
    # More than its cap: nothing goes there.
    assert guarded == {"host": "c", "others": {"stale": 200}}
    # Nor anywhere, where the fleet's guard has tripped.
    assert [list(host) for host in json.loads(summarize(made))["hosts"]] == [["host", "others"]] * 3


def test_a_plan_replaces_a_plan_and_no_other_file(tmp_path: Path) -> None:
    path = tmp_path / "plan.json"
    save(saved(), path)
    save(saved(run_id="next"), path)
    assert read(path).run_id == "next"
    other = tmp_path / "notes.json"
    other.write_text('{"schema": "fleetsweep.report/1"}')
    link = tmp_path / "link"
    link.symlink_to(path)
    for target in (other, link, tmp_path, tmp_path / "absent" / "plan.json"):
        with pytest.raises(UsageError):
            check_target(target)
    assert sorted(item.name for item in tmp_path.iterdir()) == ["link", "notes.json", "plan.json"]


def as_document(edit: Callable[[dict[str, object]], object]) -> Callable[[str], str]:
    def apply(text: str) -> str:
        document = json.loads(text)
        edit(document)
        return json.dumps(document)

    return apply


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (lambda text: text[:-40], "damaged"),
        (lambda text: text.replace('"ws-1"', '"ws-2"', 1), "changed after it was made"),
        (as_document(lambda made: made.pop("digest")), "changed after it was made"),
        (as_document(lambda made: made.update(created_ns=NOW + 1)), "changed after it was made"),
        (as_document(lambda made: made.update(schema="fleetsweep.plan/1")), "schema"),
        (as_document(lambda made: made.update(schema="fleetsweep.report/1")), "not a plan"),
        (lambda _: "[]", "not a plan"),
        (lambda _: "", "damaged"),
        (lambda _: "[" * 100_000, "damaged"),
    ],
)
def test_a_plan_that_was_changed_is_refused(tmp_path: Path, spoil: Callable[[str], str], words: str) -> None:
    path = tmp_path / "plan.json"
    path.write_text(spoil(dump(saved())))
    path.chmod(0o600)
    with pytest.raises(UsageError, match=words):
        read(path)


@pytest.mark.parametrize(
    "edit",
    [
        lambda item: item.update(id="../images/x"),
        lambda item: item.update(id=7),
        lambda item: item.update(created_ns="1"),
        lambda item: item.update(verdict="destroy"),
        lambda item: item.update(labels_digest="x"),
        lambda item: item.pop("started_ns"),
        lambda item: item.update(id=saved().plan.hosts[0].decisions[1].container.id),  # type: ignore[union-attr]
    ],
)
def test_a_digest_does_not_make_a_malformed_plan_good(
    tmp_path: Path, edit: Callable[[dict[str, object]], object]
) -> None:
    path = tmp_path / "plan.json"
    document = json.loads(dump(saved()))
    decisions = document["hosts"][0]["decisions"]
    edit(decisions[0])
    document.pop("digest")
    from fleetsweep.store.artifact import _digest

    path.write_text(json.dumps({**document, "digest": _digest(document)}))
    path.chmod(0o600)
    with pytest.raises(UsageError, match="damaged"):
        read(path)


def test_a_plan_expires(tmp_path: Path) -> None:
    path = tmp_path / "plan.json"
    save(saved(), path)
    assert read(path, age_s=3600).run_id == "run"
    with pytest.raises(UsageError, match="1 h 1 s old, more than 1 h"):
        read(path, age_s=3601)
    with pytest.raises(UsageError, match="future"):
        read(path, age_s=-301)


def test_a_plan_that_others_can_change_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "plan.json"
    save(saved(), path)
    path.chmod(0o620)
    with pytest.raises(UsageError, match="chmod 600"):
        read(path)


def test_a_plan_determines_what_to_remove_and_never_where_to_connect(tmp_path: Path) -> None:
    path = tmp_path / "plan.json"
    save(saved(), path)
    with pytest.raises(UsageError, match="includes d,"):
        read(path, hosts={name: host for name, host in HOSTS.items() if name != "d"})
    with pytest.raises(UsageError, match=r"now it is at ssh 192\.0\.2\.1"):
        read(path, hosts={**HOSTS, "a": Host("a", "192.0.2.1")})


def test_a_plan_is_valid_only_with_the_policies_it_was_made_with() -> None:
    same = {name: Policy() for name in HOSTS}
    check_policies(saved(), same, Percent(50))
    with pytest.raises(UsageError, match=r"for b it was made with cap 100, now it is 7"):
        check_policies(saved(), {**same, "b": Policy(cap=7)}, Percent(50))
    with pytest.raises(UsageError, match="fleet cap"):
        check_policies(saved(), same, Percent(51))


@settings(max_examples=50)
@given(texts, texts, st.floats())
def test_any_text_from_a_box_can_be_saved_and_read(
    tmp_path_factory: pytest.TempPathFactory, name: str, image: str, skew_s: float
) -> None:
    path = tmp_path_factory.mktemp("plan") / "plan.json"
    name, image = json.loads(json.dumps(["ws-" + name, image]))  # as JSON brings them
    odd = survey("a", [container(name=name, image=image)], skew_s)
    save(saved(plan=plan_fleet([odd], {"a": Policy(max_skew_s=10**9)})), path)
    (back,) = read(path).plan.hosts
    assert isinstance(back, HostPlan)
    assert back.candidates[0].container == container(name=name, image=image, labels=None)

"""Which containers are candidates, even if an engine describes them wrongly."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from fleetsweep.engine.decode import parse_timestamp
from fleetsweep.errors import EngineError
from fleetsweep.model.container import SECOND, UNREADABLE, Container
from fleetsweep.model.decision import Reason, Selector, Verdict
from fleetsweep.policy.image_names import image_forms
from fleetsweep.policy.orchestrators import managed_by
from fleetsweep.policy.rules import (
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
from tests.generators.strategies import (
    AGES,
    ANY_POLICY,
    EVERY_MALFORMED,
    HOUR_S,
    KEEP,
    LABEL_MAPS,
    MALFORMED,
    NOW,
    NOW_S,
    STATES,
    Damage,
    Truth,
    boxes,
    contradictions,
    full_id,
    honest,
    leaks,
    look,
    stamp,
    truths,
    with_label,
)

ANY_TRUTH = st.one_of(leaks(), truths())
TIMES = st.one_of(st.just(UNREADABLE), AGES.map(lambda age: NOW - age * SECOND), st.integers(-NOW, 3 * NOW))
ANY_CONTAINER = st.builds(
    Container,
    id=st.just(full_id(0)),
    name=st.sampled_from(["ws-1", "pg", ""]),
    image=st.sampled_from(["molecule-local/x:1", "postgres:16", "sha256:" + "b" * 64, "b" * 12, ""]),
    image_id=st.just("i"),
    state=st.sampled_from(["running", "exited", "created", "dead", ""]),
    created_ns=TIMES,
    labels=st.one_of(st.none(), LABEL_MAPS),
    started_ns=st.one_of(st.none(), TIMES),
    restarts=st.none(),
    inspected=st.booleans(),
)
"""Containers, including ones that no honest engine would describe."""


def is_candidate(container: Container, policy: Policy) -> bool:
    return decide(container, policy, NOW).verdict is Verdict.REMOVE


def candidates(box: list[Truth], policy: Policy) -> set[str]:
    """The ids that an honest engine's survey makes candidates."""
    return {container.id for container in honest(box, policy) if is_candidate(container, policy)}


def only(truth: Truth, policy: Policy) -> Container:
    (container,) = honest([truth], policy)
    return container


@given(boxes(), ANY_POLICY, st.integers(0, 10**6))
def test_a_higher_max_age_never_adds_a_candidate(box: list[Truth], policy: Policy, more_s: int) -> None:
    assert candidates(box, replace(policy, max_age_s=policy.max_age_s + more_s)) <= candidates(box, policy)


@given(boxes(), ANY_POLICY, st.integers(1, 10**6), st.one_of(st.none(), st.integers(0, 10**6)))
def test_a_longer_lifetime_or_none_at_all_never_adds_a_candidate(
    box: list[Truth], policy: Policy, lifetime_s: int, more_s: int | None
) -> None:
    longer = None if more_s is None else lifetime_s + more_s
    assert candidates(box, replace(policy, max_lifetime_s=longer)) <= candidates(
        box, replace(policy, max_lifetime_s=lifetime_s)
    )


@given(boxes(), ANY_POLICY, st.data())
def test_fewer_patterns_never_add_a_candidate_where_one_is_enough(
    box: list[Truth], policy: Policy, data: st.DataObject
) -> None:
    policy = replace(policy, match=Match.ANY)
    fewer = replace(
        policy,
        names=tuple(data.draw(st.lists(st.sampled_from(policy.names)))) if policy.names else (),
        images=policy.images[1:],
        labels=policy.labels[:1],
    )
    assert candidates(box, fewer) <= candidates(box, policy)


@given(boxes(), ANY_POLICY)
def test_asking_for_every_kind_of_selector_never_adds_a_candidate(box: list[Truth], policy: Policy) -> None:
    assert candidates(box, replace(policy, match=Match.ALL)) <= candidates(box, replace(policy, match=Match.ANY))


@given(boxes())
def test_no_selector_at_all_makes_no_candidate(box: list[Truth]) -> None:
    for match in Match:
        assert candidates(box, Policy(names=(), images=(), labels=(), match=match)) == set()


PROTECTING = st.sampled_from(["", "1", "yes", "true", "until:2099-01-01T00:00Z", "until:", "until:soon", "0 0", "nope"])


@given(truths(), ANY_POLICY, PROTECTING)
def test_a_keep_label_protects_from_every_policy(truth: Truth, policy: Policy, value: str) -> None:
    kept = only(with_label(truth, policy.keep_label, value), replace(policy, max_lifetime_s=1))
    assert is_protected(kept, policy, NOW)
    assert not is_candidate(kept, policy)


@given(boxes(), ANY_POLICY, st.sampled_from(["io.kubernetes.pod.name", "com.docker.swarm.service.id"]))
def test_an_orchestrators_label_never_adds_a_candidate(box: list[Truth], policy: Policy, key: str) -> None:
    owned = [with_label(truth, key, "x") for truth in box]
    assert candidates(owned, policy) <= candidates(box, policy)
    assert not {
        container.id
        for container in honest(owned, policy)
        if is_candidate(container, policy) and Selector.LABEL not in selectors_matching(container, policy)
    }


@given(truths(), ANY_POLICY, st.integers(-(10**8), 10**8), st.integers(0, 10**8))
def test_a_hold_that_ends_later_never_adds_a_candidate(truth: Truth, policy: Policy, until_s: int, more_s: int) -> None:
    shorter, longer = (
        only(with_label(truth, policy.keep_label, f"until:{stamp(-end)}"), policy)
        for end in (until_s, until_s + more_s)
    )
    if is_candidate(longer, policy):
        assert is_candidate(shorter, policy)
    assert is_protected(shorter, policy, NOW) == (until_s > 0)


def _damaged(box: list[Truth], victim: int, damage: Damage, policy: Policy) -> list[Container]:
    listing = [truth.listed() for truth in box]
    inspects = {truth.id: truth.inspected() for truth in box}
    if damage.inspect:
        inspects[box[victim].id] = damage.apply(inspects[box[victim].id])
    else:
        listing[victim] = damage.apply(listing[victim])
    return look(listing, inspects, policy)


@settings(max_examples=150)
@given(boxes(), ANY_POLICY, st.data())
def test_a_missing_malformed_or_contradictory_field_never_makes_a_candidate(
    box: list[Truth], policy: Policy, data: st.DataObject
) -> None:
    assume(box)
    victim = data.draw(st.integers(0, len(box) - 1))
    damage = data.draw(st.one_of(MALFORMED, contradictions(box[victim])))
    decided = {container.id: decide(container, policy, NOW) for container in honest(box, policy)}
    try:
        damaged = {container.id: decide(container, policy, NOW) for container in _damaged(box, victim, damage, policy)}
    except EngineError:
        return  # an answer that can't be what the API promises: the host has no plan at all
    assert set(damaged) == set(decided)
    for container_id, decision in damaged.items():
        if container_id == box[victim].id:
            assert decision.verdict is Verdict.KEEP or decided[container_id].verdict is Verdict.REMOVE
        else:
            assert decision == decided[container_id], "one container's field is no other's"


@pytest.mark.parametrize("state", [*STATES, "removing", "configured", "stopped", ""])
def test_no_malformed_value_of_any_field_makes_a_candidate_of_what_started_lately(state: str) -> None:
    lately = Truth(full_id(0), state=state, started_age=HOUR_S)
    for damage in EVERY_MALFORMED:
        try:
            found = _damaged([lately], 0, damage, Policy())
        except EngineError:
            continue
        assert not any(is_candidate(container, Policy()) for container in found), damage


@given(leaks(), st.data())
def test_a_contradiction_keeps_even_the_plainest_leak(truth: Truth, data: st.DataObject) -> None:
    damage = data.draw(contradictions(truth))
    (container,) = _damaged([truth], 0, damage, Policy())
    decision = decide(container, Policy(), NOW)
    assert decision.reason in {Reason.UNKNOWN_AGE, Reason.PROTECTED, Reason.YOUNG}


@given(st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=3)),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(st.sampled_from(["Id", "Names", "Created", "Labels", "State"]), inner, max_size=5),
    ),
    max_leaves=8,
))  # fmt: skip
def test_junk_in_place_of_a_list_yields_no_candidate(junk: object) -> None:
    for answer in (junk, [junk], [leak_entry(), junk]):
        try:
            found = look(answer, {}, Policy())
        except EngineError:
            continue
        assert found == [], "an empty list is a list"


def leak_entry() -> dict[str, object]:
    return Truth(full_id(1)).listed()


@given(ANY_CONTAINER, ANY_POLICY)
def test_what_is_removed_is_matched_unprotected_inspected_and_old(container: Container, policy: Policy) -> None:
    decision = decide(container, policy, NOW)
    if decision.verdict is Verdict.KEEP:
        assert decision.labels_digest == ""
        return
    created_s = (NOW - container.created_ns) // SECOND
    assert decision.matched_by
    assert container.inspected
    assert not is_protected(container, policy, NOW)
    assert not managed_by(container) or Selector.LABEL in decision.matched_by
    assert decision.age_s is not None
    assert 2013 - 1970 < container.created_ns / SECOND / 86_400 / 365.25 < 2030 - 1970
    assert created_s > policy.max_age_s
    assert decision.labels_digest == labels_digest(container)
    if decision.reason is Reason.STALE:
        assert decision.age_s > policy.max_age_s
    else:
        assert decision.reason is Reason.LIFETIME
        assert policy.max_lifetime_s is not None
        assert created_s > policy.max_lifetime_s


@given(ANY_CONTAINER, ANY_POLICY)
def test_an_unreadable_field_never_makes_a_candidate_of_what_was_read(container: Container, policy: Policy) -> None:
    kept = [
        replace(container, labels=None),
        replace(container, created_ns=UNREADABLE),
        replace(container, started_ns=UNREADABLE, inspected=True),
        replace(container, inspected=False),
    ]
    assert not any(is_candidate(other, policy) for other in kept)


@given(boxes(), ANY_POLICY, st.data())
def test_holds_only_ever_take_candidates_away_and_those_that_are_held(
    box: list[Truth], policy: Policy, data: st.DataObject
) -> None:
    held = data.draw(st.sets(st.sampled_from([truth.id for truth in box]))) if box else set()
    holding = replace(policy, held=dict.fromkeys(held, "held"))
    before = {container.id for container in honest(box, policy) if is_candidate(container, policy)}
    after = {container.id for container in honest(box, holding) if is_candidate(container, holding)}
    assert after == before - held


@given(ANY_CONTAINER, ANY_POLICY)
def test_the_telling_of_the_rules_ends_in_the_verdict(container: Container, policy: Policy) -> None:
    decided = list(findings(container, policy, NOW))
    assert decide(container, policy, NOW).reason is next(finding.reason for finding in decided if finding.reason)
    assert [finding.rule for finding in decided] == [
        "selectors",
        "protection",
        "hold",
        "orchestrator",
        "reading",
        "creation time",
        "creation age",
        "start time",
        "dependents",
        "max age",
        "max lifetime",
        "otherwise",
    ]


@given(truths(), ANY_POLICY)
def test_what_is_not_inspected_would_be_kept_after_an_inspection_too(truth: Truth, policy: Policy) -> None:
    (listed,) = look([truth.listed()], {}, replace(policy, names=(), images=(), labels=()))
    if not needs_inspection(listed, policy, NOW):
        (inspected,) = honest([truth], policy, at_all=True)
        assert not is_candidate(inspected, policy)
        assert not is_candidate(listed, policy)
    (looked_at,) = honest([truth], policy)
    assert not needs_inspection(looked_at, policy, NOW)


@given(boxes(), ANY_POLICY, st.data())
def test_decisions_do_not_depend_on_the_order_of_containers_or_labels(
    box: list[Truth], policy: Policy, data: st.DataObject
) -> None:
    turned = [
        replace(truth, labels=dict(reversed(list(truth.labels.items())))) for truth in data.draw(st.permutations(box))
    ]
    straight = {container.id: decide(container, policy, NOW) for container in honest(box, policy)}
    shuffled = {container.id: decide(container, policy, NOW) for container in honest(turned, policy)}
    assert straight == shuffled


@given(boxes(), ANY_POLICY, st.data())
def test_decisions_do_not_depend_on_the_order_of_patterns(
    box: list[Truth], policy: Policy, data: st.DataObject
) -> None:
    turned = replace(
        policy,
        names=tuple(data.draw(st.permutations(policy.names))),
        images=tuple(data.draw(st.permutations(policy.images))),
        labels=tuple(data.draw(st.permutations(policy.labels))),
    )
    assert [decide(container, policy, NOW) for container in honest(box, policy)] == [
        decide(container, turned, NOW) for container in honest(box, turned)
    ]


@given(ANY_TRUTH, ANY_POLICY, st.integers(-10 * 365 * 86_400, 10**9))
def test_only_the_engines_own_clock_counts_not_what_year_it_shows(truth: Truth, policy: Policy, shift_s: int) -> None:
    assume(policy.keep_label not in truth.labels)
    assume(NOW_S + shift_s - truth.created_age > 1_400_000_000)
    container = only(truth, policy)
    moved = replace(
        container,
        created_ns=container.created_ns + shift_s * SECOND,
        started_ns=container.started_ns and container.started_ns + shift_s * SECOND,
    )
    before, after = decide(container, policy, NOW), decide(moved, policy, NOW + shift_s * SECOND)
    assert (after.verdict, after.reason, after.age_s) == (before.verdict, before.reason, before.age_s)


@given(
    st.integers(0, 10**9),
    st.integers(-14 * 4, 14 * 4).map(lambda quarters: quarters * 15),
    st.text("0123456789", max_size=9),
)
@example(0, 120, "999999999")
@example(0, -60 * 5 - 30, "")
def test_a_time_is_the_same_instant_in_every_offset_and_to_the_nanosecond(
    age_s: int, offset: int, fraction: str
) -> None:
    decided = parse_timestamp(stamp(age_s, offset, fraction))
    assert decided == NOW - age_s * SECOND + (int(fraction.ljust(9, "0")) if fraction else 0)


@given(st.integers(0, 10**8), st.integers(0, SECOND - 1))
def test_an_age_is_rounded_down_to_whole_seconds(age_s: int, rest_ns: int) -> None:
    started = NOW - age_s * SECOND - rest_ns
    container = replace(honest([Truth(full_id(0), created_age=10**8 + 1)], Policy())[0], started_ns=started)
    assert age_of(container, NOW)[0] == age_s


@given(
    st.dictionaries(st.text(max_size=3), st.text(max_size=3)), st.dictionaries(st.text(max_size=3), st.text(max_size=3))
)
def test_a_digest_of_labels_tells_maps_apart_and_containers_too(one: dict[str, str], two: dict[str, str]) -> None:
    base = only(Truth(full_id(0)), Policy())
    digests = {labels_digest(replace(base, labels=labels)) for labels in (one, two)}
    assert (len(digests) == 1) == (one == two)
    assert labels_digest(replace(base, labels=one)) != labels_digest(replace(base, labels=one, id=full_id(1)))
    assert labels_digest(replace(base, labels=None)) not in digests


PARTS = st.text("abcz09", min_size=1, max_size=5)
REPOSITORIES = st.lists(PARTS, min_size=1, max_size=3).map("/".join)


@given(
    REPOSITORIES,
    st.sampled_from(["", "docker.io/", "localhost/", "docker.io/library/", "host:5000/"]),
    st.one_of(st.just(""), PARTS.map(lambda tag: f":{tag}")),
    st.sampled_from(["", "@sha256:" + "0" * 64]),
)
def test_a_repository_is_found_under_every_spelling_of_its_reference(
    repository: str, registry: str, tag: str, digest: str
) -> None:
    reference = registry + repository + tag + digest
    forms = image_forms(reference)
    assert forms[0] == reference
    assert registry + repository in forms
    if registry != "host:5000/":
        assert repository in forms
        assert repository + tag + digest in forms
    assert all(repository.rpartition("/")[2] in form for form in forms)


@given(truths(), st.sampled_from([HOUR_S, 2 * HOUR_S]))
def test_a_keep_label_of_another_name_protects_nothing(truth: Truth, max_age_s: int) -> None:
    plain = replace(truth, labels={key: value for key, value in truth.labels.items() if key != KEEP})
    policy = Policy(max_age_s=max_age_s)
    assert candidates([with_label(plain, "fleetsweep.kept", "yes")], policy) == candidates([plain], policy)

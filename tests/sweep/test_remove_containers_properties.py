"""What is removed, whatever others do meanwhile and however engine, journal and clock fail."""

from __future__ import annotations

from dataclasses import dataclass, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleetsweep.model.container import SECOND, Container
from fleetsweep.model.decision import Decision, HostPlan, Reason, Verdict
from fleetsweep.model.outcome import Outcome, Removal
from fleetsweep.policy.guards import Percent
from fleetsweep.policy.rules import Policy, decide, labels_digest
from fleetsweep.sweep.remove_containers import ContainerRemover, Rule, what_changed
from tests.generators.engines import (
    MAKES_ANOTHER_CASE,
    NEWCOMERS,
    PLAIN,
    QUICK,
    TWISTS,
    Change,
    MemoryEngine,
    Reply,
    SignalHandler,
    Ticks,
    Twist,
)
from tests.generators.flow import Box, Swept, plan, sweep
from tests.generators.strategies import ANY_POLICY, HOUR_S, KEEP, NOW, Truth, boxes, full_id, honest, leaks, with_label

AT_REST = {Outcome.REMOVED, Outcome.GONE}


@dataclass(frozen=True, slots=True)
class Story:
    """A fleet, and everything that goes wrong with it during one sweep."""

    boxes: tuple[Box, ...]
    twists: dict[str, Twist]
    fleet_cap: int | Percent | None
    writes: int | None
    ticks: int | None
    stoppers: dict[str, SignalHandler]

    def sweep(self) -> dict[str, Swept]:
        return sweep(self.boxes, self.fleet_cap, writes=self.writes, ticks=self.ticks, stoppers=self.stoppers)


def shielded(number: int) -> st.SearchStrategy[Truth]:
    """A leak with a label that some policies heed."""
    return st.builds(with_label, leaks(number), st.sampled_from([KEEP, "ci", "io.kubernetes.x"]), st.just("x"))


@st.composite
def stories(draw: st.DrawFn, twisted: bool = True, trouble: bool = True) -> Story:
    """One host or two under different policies.

    ``twisted`` containers meet their own fates; ``trouble`` is a full disk, a stop, a deadline, a list that is lost.
    """
    fleet, twists, stoppers = [], {}, {}
    for number in range(draw(st.integers(1, 2))):
        name = f"runner-{number}"
        box = draw(boxes(1000 * number, 6, lambda it: st.one_of(leaks(it), leaks(it), shielded(it))))
        if twisted:
            twists.update({truth.id: draw(TWISTS) for truth in box})
        stoppers[name] = SignalHandler(draw(st.one_of(st.none(), st.integers(0, 6))) if trouble else None)
        engine = MemoryEngine(box, twists, stopper=stoppers[name])
        engine.list_gets_lost = trouble and draw(st.booleans())
        policy = draw(st.one_of(st.just(Policy()), st.just(Policy(cap=4)), ANY_POLICY))
        fleet.append(Box(name, policy, engine, draw(st.sampled_from([0.0] * 4 + [301.0, float("nan")]))))
    return Story(
        tuple(fleet),
        twists,
        draw(st.one_of(st.none(), st.none(), st.integers(0, 15), st.sampled_from([Percent(50), Percent(100)]))),
        draw(st.one_of(st.none(), st.integers(0, 20))) if trouble else None,
        draw(st.one_of(st.none(), st.integers(0, 60))) if trouble else None,
        stoppers,
    )


def same(decision: Decision, found: Container | None) -> bool:
    """Whether a second look found just what was planned: the start counts where the verdict rests on it."""
    planned = decision.container
    return (
        found is not None
        and (planned.id, planned.name, planned.image, planned.created_ns, planned.labels)
        == (found.id, found.name, found.image, found.created_ns, found.labels)
        and (planned.started_ns == found.started_ns or decision.reason is not Reason.STALE)
    )


@given(stories())
def test_only_what_was_planned_and_is_still_the_same_is_asked_to_go(story: Story) -> None:
    swept = story.sweep()
    for box in story.boxes:
        asked = set(box.engine.trace.ids("DELETE"))
        if box.name not in swept:
            assert box.engine.trace.events == []
            continue
        planned = {decision.container.id: decision for decision in swept[box.name].plan.candidates}
        assert set(box.engine.trace.ids("inspect")) <= set(planned)
        assert asked <= set(planned)
        for container_id in asked:
            assert same(planned[container_id], box.engine.looked_at[container_id])
            change = story.twists[container_id].before_look
            assert change not in MAKES_ANOTHER_CASE or (
                change is Change.RESTARTED and planned[container_id].reason is not Reason.STALE
            )


@given(stories())
def test_no_more_than_the_cap_is_asked_to_go_on_a_host_nor_in_the_fleet(story: Story) -> None:
    story.sweep()
    asked = [len(box.engine.trace.ids("DELETE")) for box in story.boxes]
    for box, count in zip(story.boxes, asked, strict=True):
        assert box.policy.cap is None or count <= box.policy.cap
    assert not isinstance(story.fleet_cap, int) or sum(asked) <= story.fleet_cap


@given(stories())
def test_a_guarded_host_gets_no_request_and_a_guarded_fleet_none_at_all(story: Story) -> None:
    guarded = plan(story.boxes, story.fleet_cap)
    story.sweep()
    for box, item in zip(story.boxes, guarded.hosts, strict=True):
        assert isinstance(item, HostPlan)
        if guarded.guard is not None or item.guard is not None:
            assert box.engine.trace.events == []


@given(stories())
def test_every_request_had_an_intent_before_it_and_every_intent_has_one_outcome(story: Story) -> None:
    for name, host in story.sweep().items():
        (engine,) = (box.engine for box in story.boxes if box.name == name)
        intents, asked = host.log.intents, engine.trace.ids("DELETE")
        assert len(set(intents)) == len(intents)
        assert len(set(asked)) == len(asked), "no request is sent twice"
        for container_id in asked:
            events = engine.trace.events
            assert events.index(("intent", container_id)) < events.index(("DELETE", container_id))
        assert sorted(removal.container_id for removal in host.removals) == sorted(intents)
        counts = host.totals
        outcomes_counted = (counts.removed, counts.gone, counts.changed, counts.failed_removals, counts.unknown)
        assert sum(outcomes_counted) == len(intents)
        outcomes = {removal.container_id: removal.outcome for removal in host.removals}
        assert all(outcomes[intents[intent]] is outcome for intent, outcome in host.log.outcomes.items())
        assert story.writes is not None or len(host.log.outcomes) == len(intents)
        assert story.writes is None or len(intents) + len(host.log.outcomes) <= story.writes


LEFT_ALONE = {Outcome.CHANGED, Outcome.FAILED}


@given(stories())
def test_nothing_is_called_removed_or_gone_that_is_there_or_was_not_looked_for(story: Story) -> None:
    for name, host in story.sweep().items():
        (engine,) = (box.engine for box in story.boxes if box.name == name)
        for removal in host.removals:
            if removal.outcome in AT_REST:
                assert removal.container_id not in engine.present
                assert not engine.list_gets_lost
                assert removal.error is None
            else:
                assert removal.error
            if removal.outcome is Outcome.REMOVED:
                assert removal.container_id in engine.trace.ids("DELETE")
            if removal.container_id not in engine.trace.ids("DELETE") and removal.outcome is not Outcome.UNKNOWN:
                reply = story.twists[removal.container_id]
                assert removal.outcome in LEFT_ALONE | {Outcome.GONE}, reply


@given(stories())
def test_newcomers_of_the_same_name_and_all_that_was_not_planned_live(story: Story) -> None:
    was = {box.name: set(box.engine.present) for box in story.boxes}
    swept = story.sweep()
    for box in story.boxes:
        planned = (
            {decision.container.id for decision in swept[box.name].plan.candidates} if box.name in swept else set()
        )
        assert was[box.name] - planned <= set(box.engine.present)
        assert all(int(container_id, 16) < NEWCOMERS for _, container_id in box.engine.trace.events)
        replaced = [
            container_id
            for container_id in box.engine.looked_at
            if story.twists[container_id].before_look is Change.REPLACED
        ]
        for container_id in replaced:
            assert f"{NEWCOMERS + int(container_id, 16):064x}" in box.engine.present


@given(stories())
def test_after_a_stop_each_thread_ends_what_it_began_and_begins_nothing(story: Story) -> None:
    story.sweep()
    for box in story.boxes:
        after, events = story.stoppers[box.name].after, box.engine.trace.events
        if after == 0:
            assert events == []
        elif after is not None and len(box.engine.trace.ids("DELETE")) >= after:
            stop = [index for index, (what, _) in enumerate(events) if what == "DELETE"][after - 1]
            begun = [container_id for what, container_id in events[stop:] if what == "intent"]
            assert len(begun) < QUICK.at_once, "a thread may have been past its last look at the flag"


@pytest.mark.parametrize("after", [0, 1, 3])
def test_a_long_queue_is_left_alone_once_a_stop_was_asked_for(after: int) -> None:
    stopper = SignalHandler(after)
    engine = MemoryEngine([Truth(full_id(number)) for number in range(30)], stopper=stopper)
    sweep([Box("a", Policy(), engine)], stoppers={"a": stopper})
    begun = len(engine.trace.ids("intent"))
    assert begun == 0 if after == 0 else after <= begun < after + QUICK.at_once
    assert len(engine.present) == 30 - begun


@given(stories(twisted=False, trouble=False))
def test_a_second_sweep_with_nothing_new_removes_nothing(story: Story) -> None:
    first = story.sweep()
    for host in first.values():
        assert {removal.outcome for removal in host.removals} == {Outcome.REMOVED}
        assert host.totals.removed == len(host.plan.candidates)
    for box in story.boxes:
        box.engine.trace.events.clear()
    assert story.sweep() == {}
    assert all(box.engine.trace.events == [] for box in story.boxes)


@given(stories(trouble=False))
def test_a_second_sweep_takes_up_only_what_the_first_did_not_bring_to_rest(story: Story) -> None:
    first = story.sweep()
    again = [replace(box, engine=MemoryEngine(box.engine.present.values())) for box in story.boxes]
    second = sweep(again, story.fleet_cap)
    for name, host in second.items():
        if name in first:
            open_ones = {it.container_id for it in first[name].removals if it.outcome not in AT_REST}
            assert {removal.container_id for removal in host.removals} <= open_ones


def one(truth: Truth, twist: Twist = PLAIN, policy: Policy | None = None) -> tuple[MemoryEngine, Removal]:
    """Sweep a box that holds one leak."""
    engine = MemoryEngine([truth], {truth.id: twist})
    (host,) = sweep([Box("a", policy or Policy(), engine)]).values()
    (removal,) = host.removals
    return engine, removal


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (Change.RESTARTED, "its start time changed after the plan was made"),
        (Change.RENAMED, "its name changed after the plan was made"),
        (Change.RELABELLED, "its labels changed after the plan was made"),
        (Change.PROTECTED, "its labels changed after the plan was made"),
        (Change.RETAGGED, "its image changed after the plan was made"),
        (Change.GARBLED, "its labels changed after the plan was made"),
    ],
)
@given(truth=leaks())
def test_a_restarted_renamed_or_relabelled_container_is_changed_and_kept(
    change: Change, message: str, truth: Truth
) -> None:
    engine, removal = one(truth, Twist(before_look=change))
    assert (removal.outcome, removal.error) == (Outcome.CHANGED, message)
    assert truth.id in engine.present
    assert engine.trace.ids("DELETE") == []


@given(leaks().filter(lambda truth: truth.state in {"exited", "dead", "created"}))
def test_a_container_started_between_inspection_and_request_is_changed_and_kept(truth: Truth) -> None:
    engine, removal = one(truth, Twist(before_request=Change.RESTARTED))
    assert (removal.outcome, removal.error) == (Outcome.CHANGED, "its start time changed after the plan was made")
    assert truth.id in engine.present


@pytest.mark.parametrize(
    ("twist", "outcome"),
    [
        (Twist(before_look=Change.REMOVED), Outcome.GONE),
        (Twist(before_look=Change.REPLACED), Outcome.GONE),
        (Twist(before_request=Change.REMOVED), Outcome.GONE),
        (Twist(before_look=Change.UNINSPECTABLE), Outcome.FAILED),
        (Twist(before_look=Change.INSPECT_HANGS), Outcome.FAILED),
        (Twist(reply=Reply.DONE), Outcome.REMOVED),
        (Twist(reply=Reply.STAYS), Outcome.FAILED),
        (Twist(reply=Reply.CLAIMS_GONE), Outcome.FAILED),
        (Twist(reply=Reply.BEING_REMOVED), Outcome.GONE),
        (Twist(reply=Reply.BEING_REMOVED_FOR_EVER), Outcome.UNKNOWN),
        (Twist(reply=Reply.REFUSED), Outcome.FAILED),
        (Twist(reply=Reply.KILLED_ONLY), Outcome.FAILED),
        (Twist(reply=Reply.LOST), Outcome.UNKNOWN),
        (Twist(reply=Reply.LOST_BUT_DONE), Outcome.UNKNOWN),
        (Twist(reply=Reply.GARBLED_BUT_DONE), Outcome.GONE),
        (Twist(reply=Reply.NEVER_SENT), Outcome.FAILED),
        (Twist(reply=Reply.HANGS), Outcome.UNKNOWN),
        (Twist(reply=Reply.HANGS_BUT_DONE), Outcome.UNKNOWN),
    ],
    ids=str,
)
def test_each_twist_has_its_outcome_and_changes_no_other_containers(twist: Twist, outcome: Outcome) -> None:
    box = [Truth(full_id(number)) for number in range(9)]
    engine = MemoryEngine(box, {full_id(4): twist})
    (host,) = sweep([Box("a", Policy(), engine)]).values()
    outcomes = {removal.container_id: removal.outcome for removal in host.removals}
    assert outcomes.pop(full_id(4)) is outcome
    assert list(outcomes.values()) == [Outcome.REMOVED] * 8


@given(
    st.lists(TWISTS, min_size=2, max_size=8), st.integers(0, 7), st.sampled_from([Reply.HANGS, Reply.HANGS_BUT_DONE])
)
def test_one_removal_that_hangs_leaves_the_others_outcomes_as_they_are_without_it(
    twists: list[Twist], which: int, reply: Reply
) -> None:
    box = [Truth(full_id(number)) for number in range(len(twists))]
    by_id = {truth.id: twist for truth, twist in zip(box, twists, strict=True)}
    hung = box[which % len(box)].id

    def outcomes(of: dict[str, Twist], among: list[Truth]) -> dict[str, Outcome]:
        (host,) = sweep([Box("a", Policy(), MemoryEngine(among, of))]).values()
        return {removal.container_id: removal.outcome for removal in host.removals}

    found = outcomes({**by_id, hung: Twist(reply=reply)}, box)
    assert found.pop(hung) is Outcome.UNKNOWN
    assert found == outcomes(by_id, [truth for truth in box if truth.id != hung])


@given(
    st.lists(st.tuples(st.integers(0, 6), st.integers(0, 6)), max_size=9),
    st.lists(TWISTS, min_size=7, max_size=7),
    st.integers(2, 7),
)
def test_a_namespace_owner_goes_after_its_dependents_or_stays(
    edges: list[tuple[int, int]], twists: list[Twist], count: int
) -> None:
    box = [
        Truth(full_id(number), lives_on=tuple(sorted({full_id(owner) for one, owner in edges if one == number})))
        for number in range(count)
    ]
    engine = MemoryEngine(box, {full_id(number): twist for number, twist in enumerate(twists)})
    (host,) = sweep([Box("a", Policy(), engine)]).values()
    outcomes = {removal.container_id: removal.outcome for removal in host.removals}
    assert set(outcomes) == {truth.id for truth in box}, "also those that live on each other have their outcome"
    asked = engine.trace.ids("DELETE")
    for truth in box:
        for owner in set(truth.lives_on) & set(outcomes) - {truth.id}:
            if owner in asked:
                assert truth.id not in engine.present
                if truth.id in asked:
                    assert asked.index(truth.id) < asked.index(owner)
            elif outcomes[truth.id] not in AT_REST:
                assert outcomes[owner] is Outcome.CHANGED


@given(boxes(max_size=5), ANY_POLICY)
def test_a_container_kept_by_the_plan_gets_no_request_however_late(box: list[Truth], policy: Policy) -> None:
    for container in honest(box, policy, at_all=True):
        kept = decide(container, policy, NOW)
        if kept.verdict is Verdict.REMOVE:
            assert what_changed(kept, container, Rule(policy, NOW)) is None
            continue
        # Even a plan that was tampered with: the rule is asked again, by the plan's own clock.
        forged = replace(kept, verdict=Verdict.REMOVE, labels_digest=labels_digest(container))
        for decision in (kept, forged):
            engine = MemoryEngine(box)
            removal = ContainerRemover(engine, Rule(policy, NOW), pace=QUICK, clock=Ticks()).remove(decision)
            assert removal is not None
            assert removal.outcome is Outcome.CHANGED
            assert engine.trace.ids("DELETE") == []


def test_containers_are_judged_by_the_plans_clock_not_a_later_one() -> None:
    almost = Truth(full_id(0), created_age=2 * HOUR_S, started_age=2 * HOUR_S)
    (container,) = honest([almost], Policy(), at_all=True)
    assert decide(container, Policy(), NOW).verdict is Verdict.KEEP
    later = decide(container, Policy(), NOW + HOUR_S * SECOND)
    assert what_changed(later, container, Rule(Policy(), NOW)) == "it is young now"


@given(boxes(max_size=6, each=leaks), st.integers(0, 14))
def test_a_journal_that_breaks_lets_nothing_new_begin_and_hides_no_outcome(box: list[Truth], writes: int) -> None:
    engine = MemoryEngine(box)
    swept = sweep([Box("a", Policy(), engine)], writes=writes)
    for host in swept.values():
        assert len(host.removals) == len(host.log.intents) <= writes
        gone = {removal.container_id for removal in host.removals if removal.outcome is Outcome.REMOVED}
        assert gone == {truth.id for truth in box} - set(engine.present)

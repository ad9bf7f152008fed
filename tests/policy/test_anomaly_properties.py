"""The guard ``anomaly`` only ever takes hosts out of what is removed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from fleetsweep.model.decision import FleetPlan, GuardName
from fleetsweep.policy.anomaly import FLOOR, anomaly_guard
from fleetsweep.policy.guards import Percent, plan_fleet
from fleetsweep.policy.rules import Policy
from fleetsweep.sweep.phases import actionable
from tests.policy.test_rules import many, survey

CAPS: st.SearchStrategy[int | Percent | None] = st.one_of(st.none(), st.integers(0, 60), st.floats(0, 100).map(Percent))
COUNTS = st.lists(st.integers(0, 30), max_size=25)


def removed(plan: FleetPlan) -> set[str]:
    return {f"{item.host.name}/{each.container.id}" for item in actionable(plan) for each in item.candidates}


@given(
    st.lists(st.tuples(st.sampled_from([0, 1, 11, 30]), COUNTS, st.booleans()), min_size=1, max_size=4),
    CAPS,
    st.sampled_from([None, 5, 100]),
)
def test_with_it_never_more_is_removed_than_without_it(
    hosts: list[tuple[int, list[int], bool]], fleet_cap: int | Percent | None, cap: int | None
) -> None:
    surveys = [survey(f"h{number}", many(count)) for number, (count, _, _) in enumerate(hosts)]
    surveys = [replace(item, engine=replace(item.engine, host_key=f"key of {item.host.name}")) for item in surveys]
    history: Mapping[str, list[int]] = {f"h{number}": counts for number, (_, counts, _) in enumerate(hosts)}
    guarded = {f"h{number}": Policy(cap=cap, anomaly=wanted) for number, (_, _, wanted) in enumerate(hosts)}
    plain = {name: Policy(cap=cap) for name in guarded}
    without = plan_fleet(surveys, plain, fleet_cap, history)
    with_it = plan_fleet(surveys, guarded, fleet_cap, history)
    assert removed(with_it) <= removed(without)
    assert with_it.guard == without.guard
    lost = {name.partition("/")[0] for name in removed(without) - removed(with_it)}
    for item in with_it.hosts:
        tripped = getattr(item, "guard", None)
        assert (tripped is not None and tripped.name is GuardName.ANOMALY) or item.host.name not in lost


@given(COUNTS, st.integers(0, 10**6), st.integers(0, 10**6))
def test_what_trips_it_trips_it_with_more_too_and_the_floor_never_does(
    history: list[int], found: int, more: int
) -> None:
    if anomaly_guard(found, history) is not None:
        assert anomaly_guard(found + more, history) is not None
        assert found > min(history) + FLOOR

"""Sums of past leaks: by hand on a small history, and against a plain count on any history."""

from __future__ import annotations

import statistics
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleetsweep.model.journal import PastRemoval
from fleetsweep.model.leak_history import LeakHistory, Look, PastLeak
from fleetsweep.policy.leak_stats import (
    MIN_RUNS,
    By,
    Grouping,
    LeakGroup,
    Per,
    Span,
    percentile,
    period_name,
    periods_of,
    start_of,
    sum_leaks,
)

SECOND = 10**9
HOUR = 3600 * SECOND
DAY = 24 * HOUR
START = 20_000 * DAY
"""2024-10-04, a Friday."""


def leak(
    host: str, stale_h: float, seen_h: float, ended_h: float | None, image: str = "redis", **labels: str
) -> PastLeak:
    at = [START + int(hours * HOUR) for hours in (stale_h, seen_h)]
    ended_ns = None if ended_h is None else START + int(ended_h * HOUR)
    return PastLeak(
        host, f"{host}{stale_h}{image}", "ws", image, "stale", labels, 0, at[0], at[1], at[1], 1, 0, ended_ns,
        None if ended_h is None else "removed",
    )  # fmt: skip


def removal(host: str, at_h: float, image: str | None = "redis") -> PastRemoval:
    return PastRemoval(host, "x", "ws", START + int(at_h * HOUR), "removed", None, None, None, image=image)


def history(*leaks: PastLeak, days: int = 3, **more: object) -> LeakHistory:
    """A history of hourly runs on a, and on b in its first hour."""
    looks = [Look(n, START + n * HOUR, "a") for n in range(24 * days)] + [Look(0, START, "b")]
    made = LeakHistory(
        START,
        START + days * DAY,
        leaks,
        looks=tuple(looks),
        hosts=("a", "b", "c"),
        last_looks={"a": 1, "b": 1},
        groups={"a": ("all", "big"), "b": ("all",)},
        first_run_ns=START - DAY,
    )
    return replace(made, **more)  # type: ignore[arg-type]


def sums(made: LeakHistory, by: By = By.HOST, per: Per | None = None, label: str = "") -> dict[str | None, LeakGroup]:
    return {group.key: group for group in sum_leaks(made, Grouping(by, label), per, made.until_ns)}


def test_orphan_time_is_from_going_stale_to_going_or_to_now() -> None:
    made = history(leak("a", 1, 2, 5), leak("a", 10, 11, None), removals=(removal("a", 5),))
    total = sums(made)["a"].total
    assert (total.leaks, total.removals, total.still_there) == (2, 1, 1)
    assert total.orphan_s == (4 + 62) * 3600
    assert (total.median_s, total.p95_s) == (33 * 3600, 62 * 3600)


def test_a_leak_from_before_the_span_counts_its_time_there_but_not_as_a_new_leak() -> None:
    total = sums(history(leak("a", -10, -9, 5)))["a"].total
    assert (total.leaks, total.orphan_s, total.median_s) == (0, 5 * 3600, 15 * 3600)
    assert sums(history(leak("a", -10, -9, -5)))["a"].total.median_s is None


def test_the_days_add_up_and_a_day_without_a_run_is_unknown() -> None:
    looks = tuple(Look(n, START + n * HOUR, "a") for n in range(24 * 3) if not 24 <= n < 48)
    made = history(leak("a", 20, 21, 52), removals=(removal("a", 52),), looks=looks)
    group = sums(made, By.FLEET, Per.DAY)[""]
    assert [(day.runs, day.known, day.leaks, day.removals) for day in group.periods] == [
        (24, True, 1, 0),
        (0, False, 0, 0),
        (24, True, 0, 1),
    ]
    assert [day.orphan_s / 3600 for day in group.periods] == [4, 24, 4]
    assert [day.still_there for day in group.periods] == [1, 1, 0]
    assert [day.median_s for day in group.periods] == [4 * 3600, 28 * 3600, 32 * 3600]


def test_a_host_that_no_run_looked_at_is_unknown_and_comes_last() -> None:
    found = sums(history(leak("b", 0, 0, 1)))
    assert [(key, group.total.known) for key, group in found.items()] == [("b", True), ("a", True), ("c", False)]
    assert found["a"].total.median_s is None


def test_what_leaks_for_the_first_time_comes_first_if_there_is_an_earlier_time() -> None:
    made = history(
        leak("a", 1, 1, 2, "old"), leak("a", 1, 1, 2, "old"), leak("a", 5, 5, 6, "new"), leak("a", -30, -29, -28, "old")
    )
    assert [(key, group.new) for key, group in sums(made, By.IMAGE).items()] == [("new", True), ("old", False)]
    assert {group.new for group in sums(replace(made, first_run_ns=START), By.IMAGE).values()} == {None}


def test_a_rate_needs_enough_runs() -> None:
    few = history(leak("a", 1, 1, 2), looks=tuple(Look(n, START + n, "a") for n in range(MIN_RUNS - 1)))
    assert sums(few)["a"].total.leaks_per_run is None
    enough = replace(few, looks=(*few.looks, Look(MIN_RUNS, START + 1, "a")))
    assert sums(enough)["a"].total.leaks_per_run == 1 / MIN_RUNS


def test_groups_overlap_and_a_label_or_image_may_be_missing() -> None:
    made = history(
        leak("a", 1, 1, 2, owner="ann"), leak("b", 1, 1, 2), leak("c", 1, 1, 2), removals=(removal("a", 2, None),)
    )
    assert {key: group.total.leaks for key, group in sums(made, By.GROUP).items()} == {"all": 2, "big": 1, None: 1}
    assert sums(made, By.GROUP)["big"].total.runs == 72
    assert not sums(made, By.GROUP)[None].total.known
    assert {key: group.total.leaks for key, group in sums(made, By.LABEL, label="owner").items()} == {"ann": 1, None: 2}
    assert {key: group.total.removals for key, group in sums(made, By.IMAGE).items()} == {"redis": 0, None: 1}


def test_without_a_run_the_fleet_is_unknown() -> None:
    (group,) = sum_leaks(LeakHistory(START, START + DAY), Grouping(By.FLEET), Per.DAY, START + DAY)
    assert not group.total.known
    assert [each.known for each in group.periods] == [False]
    assert sum_leaks(LeakHistory(START, START + DAY), Grouping(By.IMAGE), None, START) == ()


def test_periods_are_days_and_weeks_by_utc() -> None:
    span = Span(START + 5 * HOUR, START + 4 * DAY + 1)
    days, weeks = periods_of(span, Per.DAY), periods_of(span, Per.WEEK)
    assert [period_name(day, Per.DAY) for day in days] == [f"2024-10-0{n}" for n in (4, 5, 6, 7, 8)]
    assert [period_name(week, Per.WEEK) for week in weeks] == ["2024-W40", "2024-W41"]
    assert start_of(span.since_ns, Per.DAY) == START
    assert periods_of(span, None) == ()


@pytest.mark.parametrize(("share", "found"), [(0.0, 1), (0.5, 3), (0.95, 5), (1.0, 5)])
def test_a_percentile_is_one_of_the_values(share: float, found: float) -> None:
    assert percentile([1, 2, 3, 4, 5], share) == found
    assert percentile([], share) is None


hours = st.floats(-48, 96)
leaks = st.builds(
    leak, st.sampled_from("ab"), hours, hours, st.one_of(st.none(), hours), st.sampled_from(["redis", "postgres"])
)


@given(st.lists(leaks, max_size=8), st.sampled_from([By.FLEET, By.IMAGE, By.HOST]), st.sampled_from(Per))
def test_the_sums_are_those_of_a_plain_count(made: list[PastLeak], by: By, per: Per) -> None:
    whole = history(*made)
    now_ns = whole.until_ns

    def key(each: PastLeak) -> str:
        return {By.FLEET: "", By.IMAGE: each.image, By.HOST: each.host}[by]

    for group in sum_leaks(whole, Grouping(by), per, now_ns):
        mine = [each for each in made if key(each) == group.key]
        for found in (group.total, *group.periods):
            since, until = found.span.since_ns, found.span.until_ns
            there = [
                (each, end)
                for each in mine
                for end in [now_ns if each.ended_ns is None else each.ended_ns]
                if end >= max(since, whole.since_ns)
                and min(each.stale_since_ns, each.first_seen_ns) < min(until, now_ns)
            ]
            assert found.leaks == sum(since <= each.first_seen_ns < until for each, _ in there)
            stale = [max(0, min(end, until) - each.stale_since_ns) / SECOND for each, end in there]
            assert found.median_s == (pytest.approx(statistics.median(stale)) if stale else None)
            inside = sum(max(0, min(end, until) - max(each.stale_since_ns, since)) for each, end in there)
            assert found.orphan_s == pytest.approx(inside / SECOND)

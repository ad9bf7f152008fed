"""How many candidates are far above a host's own history."""

from __future__ import annotations

import pytest

from fleetsweep.policy.anomaly import FLOOR, RUNS, anomaly_guard


@pytest.mark.parametrize(
    ("history", "limit"),
    [
        ([0] * 20, 10),
        ([3, 4, 3, 5, 3, 4, 3, 4, 3, 4], 13),
        ([20, 40, 30, 25, 35, 30, 20, 40, 30, 30], 60),  # the median 30 and six times a deviation of 5
        ([0, 40] * 10, 140),
    ],
)
def test_a_count_trips_above_the_median_and_six_deviations_or_the_floor(history: list[int], limit: int) -> None:
    assert anomaly_guard(limit, history) is None
    guard = anomaly_guard(limit + 1, history)
    assert guard is not None
    assert (guard.name, guard.limit, guard.found) == ("anomaly", limit, limit + 1)


def test_fewer_than_ten_runs_are_no_history() -> None:
    assert anomaly_guard(10**6, [0] * (RUNS - 1)) is None
    assert anomaly_guard(FLOOR + 1, [0] * RUNS) is not None


def test_an_anomaly_does_not_become_normal_by_waiting() -> None:
    assert anomaly_guard(60, [1] * RUNS + [60] * 90) is not None
    slowly = [count for step in range(10) for count in [step * 8] * 10]
    assert anomaly_guard(75, slowly) is None

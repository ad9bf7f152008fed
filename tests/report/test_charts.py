"""Charts: bars in proportion, and gaps for days without data."""

from __future__ import annotations

import pytest

from fleetsweep.report.html.charts import HEIGHT, WIDTH, bar_chart, date

DAYS = range(20_000, 20_004)


def test_bars_are_in_proportion_and_inside_the_picture() -> None:
    chart = bar_chart("stale", "Stale", DAYS, [0, 5, 10, 10])
    assert chart.bars[0].height == 0
    assert chart.bars[2].height == pytest.approx(2 * chart.bars[1].height, abs=0.2)
    assert [mark.text for mark in chart.levels] == ["0", "5", "10"]
    assert all(bar.x >= 0 and bar.x + bar.width <= WIDTH and bar.y + bar.height <= HEIGHT for bar in chart.bars)


def test_a_day_without_data_is_a_gap_and_not_a_zero() -> None:
    chart = bar_chart("stale", "Stale", DAYS, [0, None, 3, None])
    assert [bar.known for bar in chart.bars] == [True, False, True, False]
    assert [bar.title for bar in chart.bars][:2] == [f"{date(20_000)}: 0", f"{date(20_001)}: no data"]
    assert chart.summary == f"Between 0 and 3, the most on {date(20_002)}; 3 on {date(20_002)}. No data on 2 of 4 days."
    assert bar_chart("stale", "Stale", DAYS, [None] * 4).summary == "No data on any of 4 days."


@pytest.mark.parametrize(
    ("value", "levels"), [(0, ["0", "1", "2"]), (3, ["0", "2", "4"]), (1_001, ["0", "1000", "2000"])]
)
def test_the_axis_ends_at_a_round_number(value: int, levels: list[str]) -> None:
    assert [mark.text for mark in bar_chart("a", "A", [20_000], [value]).levels] == levels


def test_durations_have_an_axis_of_durations() -> None:
    chart = bar_chart("oldest", "Oldest", DAYS, [60, 3_600, 90_000, None], seconds=True)
    assert [mark.text for mark in chart.levels] == ["0s", "1d", "2d"]
    assert "Between 1m and 1d1h" in chart.summary
    assert bar_chart("oldest", "Oldest", [20_000], [10**9], seconds=True).bars[0].height <= HEIGHT

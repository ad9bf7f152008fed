"""The heat map: each cell tells its state by its text alone."""

from __future__ import annotations

from fleetsweep.model.overview import HostDay
from fleetsweep.report.html.heat_map import MOST_ROWS, heat_map
from tests.report.overviews import DAY, QUIET, fleet


def texts(cells: dict[int, HostDay]) -> list[str]:
    (row,) = heat_map(fleet("runner-1", cells={"runner-1": cells})).rows
    return [str(text) for _, text in row.cells]


def test_clean_stale_and_unknown_days_differ_in_their_text() -> None:
    unknown = "–<i>no data</i>"  # noqa: RUF001
    assert texts({DAY: QUIET, DAY - 1: HostDay("ok", 3, 9_000, 0)}) == [unknown, "3", "0"]
    assert texts({DAY: HostDay("ok", None, None, 0)}) == [unknown] * 3


def test_a_letter_is_the_worst_status_and_the_number_what_was_seen_all_the_same() -> None:
    days = {DAY - 2: HostDay("unreachable", None, None, 0), DAY - 1: HostDay("guarded", 21, 9_000, 4)}
    assert texts({**days, DAY: HostDay("failed", 0, None, 0)}) == [
        "U<i>: unreachable</i>",
        "G<i>: guarded</i> 21",
        "F<i>: failed</i> 0",
    ]


def test_hosts_with_trouble_come_first_and_quiet_ones_are_folded_and_counted() -> None:
    names = [f"runner-{number:04}" for number in range(MOST_ROWS + 20)]
    cells = {name: {DAY: QUIET} for name in names}
    cells[names[-1]] = {DAY: HostDay("unreachable", None, None, 0)}
    cells[names[-2]] = {DAY: HostDay("ok", 7, 9_000, 0)}
    made = heat_map(fleet(*names, cells=cells))
    assert [str(row.host) for row in made.rows[:2]] == [f"<bdi>{names[-1]}</bdi>", f"<bdi>{names[-2]}</bdi>"]
    assert len(made.rows) == MOST_ROWS
    assert made.more == "… and 20 more hosts, of which 20 had no stale container and no failure."


def test_a_month_is_shown_where_it_begins() -> None:
    assert [day.new_month for day in heat_map(fleet()).days] == [True, False, False]
    assert [day.iso for day in heat_map(fleet()).days] == ["2026-06-13", "2026-06-14", "2026-06-15"]

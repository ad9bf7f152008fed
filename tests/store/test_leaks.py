"""The journal's leaks: one row a container from the first run that saw it stale until it is gone, counted once."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from fleetsweep.model.leak import Leak, LeaksSeen
from fleetsweep.model.report import FleetReport
from fleetsweep.store.journal import Journal, leaks
from tests.store.test_writer import on_disk


def leak(number: int, stale_since_ns: int = 5) -> Leak:
    return Leak(f"{number:064x}", f"ws-{number}", "molecule-local/x", "stale", {"k": "v"}, 1, stale_since_ns)


def seen(*found: Leak, gone: dict[str, str] | None = None, kept: Sequence[Leak] = ()) -> LeaksSeen:
    return LeaksSeen(found, gone or {}, frozenset(each.container_id for each in kept), complete=True)


def run(state: Path, run_id: str, at_ns: int, what: LeaksSeen, *, command: str = "audit", looked: bool = True) -> None:
    with Journal(state, run_id, command) as journal:
        journal.finish(FleetReport(run_id, command, False, 0, at_ns, 0, ()), looked=looked, leaks={"a": what})


def rows(state: Path, columns: str = "name, first_seen_ns, last_seen_ns, runs, sweeps, ended_ns, ended_as") -> object:
    return on_disk(state, f"SELECT {columns} FROM leak ORDER BY container_id")  # noqa: S608 - columns of a test


def test_a_leak_is_one_row_from_the_first_run_that_saw_it_until_it_is_gone(tmp_path: Path) -> None:
    state = tmp_path / "state"
    run(state, "1", 10, seen(leak(1), leak(2), leak(3)))
    run(state, "2", 20, seen(leak(1, 4), leak(3), kept=[leak(2)]), command="sweep")
    assert rows(state) == [
        ("ws-1", 10, 20, 2, 1, None, None),
        ("ws-2", 10, 10, 1, 0, 20, "kept"),
        ("ws-3", 10, 20, 2, 1, None, None),
    ]
    assert rows(state, "stale_since_ns") == [(4,), (5,), (5,)]
    run(state, "3", 30, seen(leak(1), gone={leak(1).container_id: "removed"}), command="sweep")
    assert rows(state, "ended_ns, ended_as, sweeps") == [(30, "removed", 1), (20, "kept", 0), (30, "gone", 1)]
    assert on_disk(state, "SELECT name, host, value FROM counter WHERE name = 'leaks'") == [("leaks", "a", 3)]


def test_a_leak_that_comes_back_is_open_again_and_not_counted_twice(tmp_path: Path) -> None:
    state = tmp_path / "state"
    run(state, "1", 10, seen(leak(1)))
    run(state, "2", 20, seen())
    assert rows(state, "ended_as") == [("gone",)]
    run(state, "3", 30, seen(leak(1)))
    assert rows(state) == [("ws-1", 10, 30, 2, 0, None, None)]
    assert on_disk(state, "SELECT value FROM counter WHERE name = 'leaks'") == [(1,)]


def test_a_run_of_a_saved_plan_ends_what_it_removed_and_nothing_else(tmp_path: Path) -> None:
    state = tmp_path / "state"
    run(state, "1", 10, seen(leak(1), leak(2)))
    run(state, "2", 20, seen(gone={leak(1).container_id: "removed"}), command="sweep", looked=False)
    assert rows(state, "ended_as") == [("removed",), (None,)]


def test_a_box_that_invents_containers_fills_neither_a_run_nor_the_journal(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(leaks, "LEAKS_A_RUN", 3)
    monkeypatch.setattr(leaks, "LEAKS_A_HOST", 4)
    state = tmp_path / "state"
    for number in range(3):
        run(state, str(number), 10 * (number + 1), seen(*(leak(10 * number + each) for each in range(5))))
    assert rows(state, "container_id, ended_as") == [
        (leak(10).container_id, None),
        *((leak(20 + each).container_id, None) for each in range(3)),
    ]


def test_long_names_and_images_are_cut(tmp_path: Path) -> None:
    state = tmp_path / "state"
    long = Leak("0" * 64, "n" * 9000, "i" * 9000, "stale", {}, 1, 1)
    run(state, "1", 10, seen(long))
    assert rows(state, "length(name), length(image)") == [(leaks.NAME_LIMIT, leaks.IMAGE_LIMIT)]

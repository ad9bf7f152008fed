"""Holds in the journal: placed, replaced, ended and released."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from fleetsweep.errors import UsageError
from fleetsweep.model.hold import Hold
from fleetsweep.store.journal import holds, place_hold, release_hold
from fleetsweep.store.journal.database import journal_file

HOLD = Hold("e" * 64, "a", "ws-1", "debugging", "ann", since_ns=10, until_ns=100)
LATER = replace(HOLD, container_id="f" * 64, until_ns=200)


@pytest.fixture
def state(tmp_path: Path) -> Path:
    return tmp_path / "state"


def test_a_hold_comes_back_until_it_ends_and_the_next_to_end_comes_first(state: Path) -> None:
    place_hold(state, LATER)
    place_hold(state, HOLD)
    assert holds(state, 99) == (HOLD, LATER)
    assert holds(state, 100) == (LATER,)
    assert holds(state, 200) == ()


def test_a_second_hold_of_a_container_replaces_the_first(state: Path) -> None:
    place_hold(state, HOLD)
    longer = replace(HOLD, until_ns=300, reason="still debugging")
    place_hold(state, longer)
    assert holds(state, 0) == (longer,)


def test_a_released_hold_is_gone_and_releasing_it_again_is_no_error(state: Path) -> None:
    place_hold(state, HOLD)
    place_hold(state, LATER)
    for _ in range(2):
        release_hold(state, HOLD.container_id)
        assert holds(state, 0) == (LATER,)


def test_without_a_journal_there_is_no_hold_and_none_is_made(state: Path) -> None:
    assert holds(state, 0) == ()
    assert not state.exists()


def test_a_journal_that_cannot_be_read_is_an_error_and_not_the_absence_of_holds(state: Path) -> None:
    place_hold(state, HOLD)
    journal_file(state).write_bytes(b"junk " * 1000)
    with pytest.raises(UsageError, match="file is not a database"):
        holds(state, 0)

"""``fleetsweep hold``."""

from __future__ import annotations

import pytest

from fleetsweep.errors import UsageError
from fleetsweep.exit_codes import OK
from tests.cli.conftest import Command
from tests.lab.scripted_engine import ScriptedEngine
from tests.lab.workdir import deletes


def test_a_held_container_outlives_a_sweep_until_it_is_released(
    command: Command, local: list[str], engine: ScriptedEngine, capsys: pytest.CaptureFixture[str]
) -> None:
    state = local[3:]
    assert command("hold", *local, "ws-stale", "-m", "debugging", "--for", "2h") == OK
    assert command("sweep", *local, "--yes") == OK
    assert deletes(engine) == []
    capsys.readouterr()
    assert command("hold", "--list", *state) == OK
    assert "debugging" in capsys.readouterr().out
    assert command("hold", "--release", "ws-stale", *state) == OK
    assert command("sweep", *local, "--yes") == OK
    assert deletes(engine) == ["a" * 64]


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ((), "which container"),
        (("ws-stale",), "why"),
        (("ws-stale", "-m", " "), "why"),
        (("ws-stale", "-m", "x", "--for", "31d"), "at most 30 days"),
        (("ws-stale", "--list"), "leave CONTAINER and --release out"),
        (("ws-stale", "--release"), "no held container"),
    ],
)
def test_a_hold_needs_a_container_a_reason_and_an_end(
    command: Command, local: list[str], engine: ScriptedEngine, words: tuple[str, ...], expected: str
) -> None:
    with pytest.raises(UsageError, match=expected):
        command("hold", *local, *words)
    assert engine.requests == []

"""``doctor --learn-keys``: what is refused before a host is contacted. tests/system/test_learn_keys.py has the rest."""

from __future__ import annotations

import pytest

from fleetsweep.errors import UsageError
from tests.cli.conftest import Command
from tests.lab.scripted_engine import ScriptedEngine


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--learn-keys"], "there is no terminal to ask on: give --yes"),
        (["--yes"], "--yes is for --learn-keys"),
        (["--learn-keys", "--yes", "--host-key", "accept-new"], "leave one out"),
    ],
)
def test_it_is_refused_before_a_host_is_contacted(
    command: Command, local: list[str], engine: ScriptedEngine, words: list[str], message: str
) -> None:
    with pytest.raises(UsageError, match=message):
        command("doctor", *local, *words)
    assert engine.requests == []


def test_where_no_key_is_unknown_nothing_is_asked(
    command: Command, local: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert command("doctor", *local, "--learn-keys", "--yes", "--quiet") == 0
    assert capsys.readouterr().err == ""

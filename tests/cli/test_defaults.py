"""Where a command looks without options."""

from __future__ import annotations

from pathlib import Path

import pytest

from fleetsweep.cli.defaults import inventory_sources, named_sources, state_directory
from fleetsweep.errors import UsageError


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("FLEETSWEEP_INVENTORY", raising=False)


@pytest.mark.parametrize("text", ["a,,b", ",a", "a, ,b"])
def test_an_empty_source_in_the_environment_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="empty source"):
        inventory_sources(text)


def test_an_inventory_is_given_or_in_the_environment_or_beside(monkeypatch: pytest.MonkeyPatch) -> None:
    assert named_sources(()) == ()
    Path("inventory").write_text("a\n")
    assert named_sources(()) == ("inventory",)
    monkeypatch.setenv("FLEETSWEEP_INVENTORY", "one,two,")
    assert named_sources(()) == ("one,two,",)
    assert named_sources(("fleet.ini",)) == ("fleet.ini",)


def test_the_state_directory_is_the_given_or_the_platforms(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", "/somewhere")
    assert state_directory(None) == Path("/somewhere/fleetsweep")
    assert state_directory("here") == Path("here")

"""Where a command looks without options."""

from __future__ import annotations

from pathlib import Path

import pytest

from fleetsweep.cli.defaults import inventory_sources, is_for_examples, named_sources, state_directory
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


@pytest.mark.parametrize(
    ("address", "reserved"),
    [
        *(
            (text, True)
            for text in ("example.com", "runner-1.Example.COM", "a.example.org.", "box.example", "192.0.2.7")
        ),
        *((text, True) for text in ("198.51.100.1", "203.0.113.255", "2001:DB8::1")),
        *((text, False) for text in ("example.com.my.org", "myexample.com", "examples.net", "192.0.20.1", "runner-1")),
        *((text, False) for text in ("10.0.0.1", "::1", "example.co", "")),
    ],
)
def test_an_address_for_examples_is_recognized(address: str, reserved: bool) -> None:
    assert is_for_examples(address) is reserved

"""What the tests of the command line share: a clean environment, a scripted engine, and commands run in-process."""

from __future__ import annotations

import os
import signal
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from fleetsweep.cli import cli
from tests.lab.scripted_engine import ScriptedContainer, ScriptedEngine
from tests.lab.workdir import Workdir

Command = Callable[..., int]


@pytest.fixture(autouse=True)
def clean_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A directory without an inventory, no variable that gives a setting, and the signal handlers as before."""
    for name in [*os.environ]:
        if name.startswith(("FLEETSWEEP_", "ANSIBLE_", "WS_", "SAFETY_", "DRY_RUN")):
            monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.fixture
def workdir() -> Iterator[Workdir]:
    with tempfile.TemporaryDirectory(prefix="fs-") as directory:
        yield Workdir(Path(directory))


@pytest.fixture
def engine() -> ScriptedEngine:
    """An engine with one stale container and one that no selector matches."""
    return ScriptedEngine(
        [ScriptedContainer("a" * 64, "ws-stale"), ScriptedContainer("b" * 64, "postgres", image="postgres:16")]
    )


@pytest.fixture
def local(workdir: Workdir, engine: ScriptedEngine) -> Iterator[list[str]]:
    """The options for the engine, which listens."""
    with engine.serve(workdir.socket) as url:
        yield workdir.local(url)


@pytest.fixture
def command() -> Command:
    """Runs a command in this process and returns its exit code."""

    def call(*words: str) -> int:
        code = cli.main(list(words), prog_name="fleetsweep", standalone_mode=False)
        assert isinstance(code, int)
        return code

    return call

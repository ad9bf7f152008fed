"""What all tests share: the lab, and the command line run as an operator would."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.lab import Lab

Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(scope="session")
def session_lab() -> Iterator[Lab]:
    """Three boxes for the whole session. A machine that can't run them fails: it doesn't skip."""
    with Lab(3) as lab:
        yield lab


@pytest.fixture
def lab(session_lab: Lab) -> Iterator[Lab]:
    """The session's boxes, empty again afterwards."""
    yield session_lab
    for box in session_lab.boxes:
        box.clear()


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """Runs fleetsweep with no terminal and no input, in a directory with no inventory."""

    def call(*words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "fleetsweep", *words],
            check=False,
            capture_output=True,
            text=True,
            stdin=subprocess.DEVNULL,
            timeout=90,
            cwd=tmp_path,
        )

    return call

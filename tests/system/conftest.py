"""Fixtures of the system tests."""

from __future__ import annotations

import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.lab import Box, Lab
from tests.lab.process import wait_for
from tests.lab.request_gate import Gate
from tests.lab.workdir import Workdir


@pytest.fixture
def workdir() -> Iterator[Workdir]:
    """A working directory for one test."""
    with tempfile.TemporaryDirectory(prefix="fs-") as directory:
        yield Workdir(Path(directory))


@pytest.fixture
def gate() -> Iterator[Gate]:
    """A shut gate, opened after the test."""
    shut = Gate()
    yield shut
    shut.release()


@pytest.fixture
def no_thread_is_left() -> Iterator[None]:
    """Fail a test whose surveys leak a thread."""
    before = threading.active_count()
    yield
    wait_for(lambda: threading.active_count() <= before, "the threads of a survey ending")


@pytest.fixture
def box(lab: Lab) -> Box:
    """The first of the lab's boxes."""
    return lab.box("runner-1")


@pytest.fixture
def other(box: Box) -> Iterator[Path]:
    """A path on the box for something that is not an engine."""
    path = box.directory / "other.sock"
    yield path
    if path.is_dir():
        path.rmdir()
    else:
        path.unlink(missing_ok=True)

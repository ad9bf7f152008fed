"""What the tests of whole runs share."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.lab.gate import Gate
from tests.lab.place import Place


@pytest.fixture
def place() -> Iterator[Place]:
    """A place of the test's own."""
    with tempfile.TemporaryDirectory(prefix="fs-") as directory:
        yield Place(Path(directory))


@pytest.fixture
def gate() -> Iterator[Gate]:
    """A shut gate; whatever it still holds afterwards is let go."""
    shut = Gate()
    yield shut
    shut.release()

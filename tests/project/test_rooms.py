"""The size of the house: few rooms, and no room and no file that has outgrown one idea.

Which room may import which is import-linter's to say: see pyproject.toml.
"""

from __future__ import annotations

from pathlib import Path

import fleetsweep

ROOT = Path(fleetsweep.__file__).parent
MOST_ROOMS = 16
MOST_LINES = 420


def test_there_are_few_rooms() -> None:
    rooms = {path.name for path in ROOT.iterdir()} - {"__init__.py", "__pycache__", "py.typed"}
    assert len(rooms) <= MOST_ROOMS, sorted(rooms)


def test_no_file_has_outgrown_one_idea() -> None:
    long = [str(path) for path in ROOT.rglob("*.py") if len(path.read_text().splitlines()) > MOST_LINES]
    assert long == []

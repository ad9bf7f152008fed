"""Running ``fleetsweep schedule`` and reading what it writes."""

from __future__ import annotations

import re
from pathlib import Path

from tests.conftest import Run
from tests.lab import systemd


def written(run: Run, directory: Path, *words: str) -> dict[str, str]:
    done = run("schedule", *words, "--write", str(directory))
    assert done.returncode == 0, done.stderr
    return {path.name: path.read_text() for path in directory.iterdir()}


def command(unit: str) -> list[str]:
    (line,) = re.findall(r"^ExecStart=(.*)$", unit, re.MULTILINE)
    return systemd.words(line)

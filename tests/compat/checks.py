"""One cell of the table: a check that holds, that failed, or that does not apply."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import docker.errors

HELD: Final = "held"


class NotApplicableError(Exception):
    """The check has no subject here; the message says why."""


class FailedCheckError(Exception):
    """The check failed; the message says how."""


@dataclass(frozen=True, slots=True)
class Cell:
    """What one check came to, as the table prints it."""

    text: str

    @property
    def failed(self) -> bool:
        """Whether the check failed."""
        return self.text.startswith("failed: ")


def cell_of(check: Callable[[], None]) -> Cell:
    """Return the cell of a check that is made now. A check that can't be made has failed."""
    try:
        check()
    except NotApplicableError as error:
        return Cell(f"n/a: {error}")
    except FailedCheckError as error:
        return Cell(f"failed: {_line(error)}")
    except subprocess.CalledProcessError as error:
        return Cell(f"failed: {_line(error)}: {_line(error.output or '')}")
    except (RuntimeError, OSError, LookupError, ValueError, docker.errors.DockerException) as error:
        return Cell(f"failed: {type(error).__name__}: {_line(error)}")
    return Cell(HELD)


def _line(found: object) -> str:
    """Return a text on one line that a table's cell can hold."""
    return " ".join(str(found).split()).replace("|", "/")[:300]


def expect(found: object, wanted: object, what: str) -> None:
    """Raise FailedCheckError unless ``found`` is what is ``wanted``."""
    if found != wanted:
        raise FailedCheckError(f"{what} is {found!r}, not {wanted!r}")


Report = dict[str, Any]
"""A report of fleetsweep as it is parsed: JSON."""


def fleetsweep(command: str, *words: str) -> tuple[int, Report]:
    """Run a command that reports as JSON, and return its exit code and report. Raises FailedCheckError."""
    with tempfile.TemporaryDirectory(prefix="fsc-") as directory:
        state = ["--state-dir", str(Path(directory) / "state")]
        done = subprocess.run(
            [sys.executable, "-m", "fleetsweep", command, *words, *state, "--format", "json"],
            check=False,
            capture_output=True,
            text=True,
            stdin=subprocess.DEVNULL,
            cwd=directory,
            env={**_environment(), "PYTHONPATH": str(Path(__file__).parents[2])},
            timeout=120,
        )
    if not done.stdout:
        raise FailedCheckError(f"fleetsweep {command} exits with {done.returncode}: {done.stderr}")
    report: Report = json.loads(done.stdout)
    return done.returncode, report


def _environment() -> dict[str, str]:
    import os

    return {
        name: value for name, value in os.environ.items() if not name.startswith(("FLEETSWEEP_", "GITHUB_", "GITEA_"))
    }

"""Test with the oldest releases that pyproject.toml allows: ``python -m tests.floors``.

An untested floor is a guess: click 8.1.7 was allowed, but fleetsweep did not even start with it.
"""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
import venv
from collections.abc import Mapping
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[1]
HOME: Final = ROOT / ".floors"
EXTRAS: Final = ("notify", "metrics", "dask")
TOOLS: Final = ("pytest", "pytest-timeout", "pytest-xdist", "hypothesis", "jsonschema")

ROOMS: Final = ("cli", "engine", "model", "notify", "policy", "report", "runtime", "schedule", "ssh", "store", "sweep")
TESTS: Final = (
    *(f"tests/{room}" for room in ROOMS),
    "tests/inventory/test_samples.py",
    # Whole commands: an engine, a real sshd, a metrics file, notifications.
    *("tests/system/test_explain.py", "tests/system/test_host_keys.py"),
    *("tests/system/test_metrics.py", "tests/system/test_notifications.py"),
)


def floors() -> dict[str, str]:
    """Return the lowest allowed release of each direct dependency, by normalized name. Raises ValueError."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = (line for extra in EXTRAS for line in project["optional-dependencies"][extra])
    found: dict[str, str] = {}
    for line in (*project["dependencies"], *extras):
        match = re.fullmatch(r"([A-Za-z0-9_.-]+)>=([0-9.]+)(?:,<[0-9.]+)?", line)
        if match is None:
            raise ValueError(f"{line!r} names no floor")
        found[normalized(match[1])] = match[2]
    return found


def pins() -> dict[str, str]:
    """Return the releases pinned for everyday tests, by normalized name."""
    lines = (ROOT / "constraints.txt").read_text().split()
    return {normalized(name): version for name, _, version in (line.partition("==") for line in lines)}


def normalized(name: str) -> str:
    """Return a normalized name: https://peps.python.org/pep-0503/."""
    return re.sub(r"[-_.]+", "-", name).lower()


def install(wanted: Mapping[str, str]) -> str:
    """Create an environment with exactly those releases, and all others as pinned. Return its Python."""
    venv.create(HOME, clear=True, with_pip=True)
    python = str(HOME / "bin" / "python")
    constraints = HOME / "constraints.txt"
    constraints.write_text("".join(f"{name}=={version}\n" for name, version in {**pins(), **wanted}.items()))
    pip = [python, "-m", "pip", "install", "-q", "--disable-pip-version-check", "-c", str(constraints)]
    subprocess.run([*pip, "-e", f"{ROOT}[{','.join(EXTRAS)}]", *TOOLS], check=True)
    return python


def main() -> int:
    """Install the floors, run commands and tests on them, and return the exit code."""
    wanted = floors()
    print("floors:", ", ".join(f"{name} {version}" for name, version in wanted.items()), flush=True)
    python = install(wanted)
    sample = ["-i", "inventory/small.ini"]
    for words in (["--help"], ["hosts", *sample], ["schedule", "cron", *sample]):
        subprocess.run([python, "-m", "fleetsweep", *words], check=True, cwd=ROOT, stdout=subprocess.DEVNULL)
    tests = [python, "-m", "pytest", "-q", "-n", "2", "-p", "no:cacheprovider", "-m", "not lab", *TESTS]
    return subprocess.run(tests, check=False, cwd=ROOT).returncode


if __name__ == "__main__":
    sys.exit(main())

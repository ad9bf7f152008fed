"""``make compat-python``: the built wheel, with the oldest and the newest dependencies, on each Python it supports.

The tests run from an unpacked source archive without the package in it, so they import the wheel that is installed.
``python -m tests.pythons TEST ...`` runs those tests alone.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
import time
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

from release.dist import build, source_date
from tests.floors import EXTRAS, ROOT, TESTS, TOOLS, floors, pins

NEWEST: Final = "newest"
LOWEST: Final = "lowest"
TOOLS_TOO: Final = (*TOOLS, "jsonschema", "ansible-core")


def versions() -> list[str]:
    """Return the Pythons that pyproject.toml names, such as 3.11."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    return re.findall(r"Python :: (3\.\d+)", "\n".join(project["classifiers"]))


def find_python(version: str) -> str | None:
    """Return a Python of that version: on PATH, or one that pyenv or uv installed."""
    found = [shutil.which(f"python{version}"), *map(str, Path.home().glob(f".pyenv/versions/{version}.*/bin/python3"))]
    found += map(str, Path.home().glob(f".local/share/uv/python/cpython-{version}.*/bin/python3"))
    return next((python for python in found if python and _is(python, version)), None)


def _is(python: str, version: str) -> bool:
    code = "import sys, ensurepip; print('%d.%d' % sys.version_info[:2])"
    done = subprocess.run([python, "-c", code], check=False, capture_output=True, text=True)
    return done.stdout.strip() == version


def install(python: str, home: Path, wheel: Path, constraints: Mapping[str, str]) -> str:
    """Install the wheel with its extras, and what its tests need. Return the environment's Python."""
    subprocess.run([python, "-m", "venv", str(home)], check=True)
    inside = str(home / "bin" / "python")
    file = home / "constraints.txt"
    file.write_text("".join(f"{name}=={version}\n" for name, version in constraints.items()))
    words = ["-m", "pip", "install", "-q", "--disable-pip-version-check", "-c", str(file)]
    wanted = [f"{wheel}[{','.join(EXTRAS)}]", *TOOLS_TOO]
    subprocess.run([inside, *words, *wanted], check=True, stderr=subprocess.DEVNULL)
    return inside


def tests_alone(archive: Path, directory: Path) -> Path:
    """Unpack the source archive without the package. Return the directory to test in."""
    with tarfile.open(archive) as opened:
        opened.extractall(directory, filter="data")
    root = directory / archive.name.removesuffix(".tar.gz")
    shutil.rmtree(root / "fleetsweep")
    return root


def run_tests(python: str, root: Path) -> tuple[int, str]:
    """Run the tests on an installed wheel. Return the exit code, and pytest's last line."""
    where = "import fleetsweep, sys; sys.exit(not fleetsweep.__file__.startswith(sys.prefix))"
    subprocess.run([python, "-c", where], check=True, cwd=root)
    words = [python, "-m", "pytest", "-q", "-n", "2", "-p", "no:cacheprovider", "-m", "not lab", "--timeout=600"]
    # Properties of pure code take most of the time, and show nothing of a dependency.
    words += ["--ignore-glob=*_properties.py", *(sys.argv[1:] or TESTS)]
    environment = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run(words, check=False, cwd=root, stdout=subprocess.PIPE, text=True, env=environment)
    if done.returncode:
        print(done.stdout[-6000:], flush=True)
    return done.returncode, done.stdout.strip().rpartition("\n")[2]


def dependencies() -> Iterator[tuple[str, dict[str, str]]]:
    """Yield the two sets of dependencies: the oldest that are allowed, and the newest that there are."""
    yield LOWEST, {**pins(), **floors()}
    yield NEWEST, {}


def main() -> int:
    """Try each Python with each set of dependencies, and return the exit code."""
    failed = 0
    with tempfile.TemporaryDirectory(prefix="fleetsweep-pythons-") as name:
        directory = Path(name)
        build(ROOT, directory / "dist", source_date(ROOT, os.environ))
        (wheel,) = (directory / "dist").glob("*.whl")
        (archive,) = (directory / "dist").glob("*.tar.gz")
        root = tests_alone(archive, directory)
        for version in versions():
            python = find_python(version)
            if python is None:
                print(
                    f"{version}: not tried: it is not installed (apt, pyenv, or uv python install {version})",
                    flush=True,
                )
                failed += 1
                continue
            for kind, constraints in dependencies():
                started = time.monotonic()
                inside = install(python, directory / f"{version}-{kind}", wheel, constraints)
                code, line = run_tests(inside, root)
                failed += code != 0
                print(f"{version}, {kind} dependencies: {line} ({time.monotonic() - started:.0f} s in all)", flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())

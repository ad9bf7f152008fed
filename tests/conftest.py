"""Fixtures of all tests: the lab, and a runner of the command line."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, settings

from tests.lab import Lab

# Effort of the property tests. "everyday" takes seconds on a small, busy machine. "mutate" is for mutation runs, which
# repeat the same tests hundreds of times: fewer examples, the same every time, and no shrinking, as one failure is
# enough.
settings.register_profile("everyday", deadline=None, max_examples=50, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile(
    "mutate",
    settings.get_profile("everyday"),
    max_examples=25,
    derandomize=True,
    database=None,
    phases=[Phase.explicit, Phase.generate],
)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "everyday"))

# These change what a run prints or sends; a test that needs one sets it. pytest-xdist sets COLUMNS, and so does
# readline, for child processes alone: it is not in os.environ.
for _name in (
    *("GITHUB_ACTIONS", "GITEA_ACTIONS", "FLEETSWEEP_NOTIFY", "FLEETSWEEP_METRICS", "FLEETSWEEP_PUSH_GATEWAY"),
    *("FLEETSWEEP_SCHEDULE_NAME", "COLUMNS", "NO_COLOR", "CI"),
):
    os.environ.pop(_name, None)
    os.unsetenv(_name)

# nohup ignores SIGHUP, and child processes would inherit that.
signal.signal(signal.SIGHUP, signal.SIG_DFL)
# A shell's background job ignores SIGINT.
signal.signal(signal.SIGINT, signal.default_int_handler)

Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(scope="session")
def session_lab() -> Iterator[Lab]:
    """Three boxes for the whole session. Tests fail, not skip, on a machine that can't run them."""
    with Lab(3) as lab:
        yield lab


@pytest.fixture
def lab(session_lab: Lab) -> Iterator[Lab]:
    """The session's boxes, emptied afterwards."""
    yield session_lab
    for box in session_lab.boxes:
        box.clear()


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """A function that runs fleetsweep without a terminal and input, in a directory without an inventory."""

    def call(*words: str, environ: Mapping[str, str] | None = None) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "fleetsweep", *words],
            check=False,
            capture_output=True,
            text=True,
            stdin=subprocess.DEVNULL,
            timeout=90,
            cwd=tmp_path,
            env={**os.environ, **(environ or {})},
        )

    return call

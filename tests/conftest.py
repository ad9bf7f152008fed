"""What all tests share: the lab, and the command line run as an operator would."""

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

# How hard the properties look. "everyday" keeps them within seconds on a small, busy machine. "mutate" is for mutation
# runs, which ask the same tests hundreds of times: fewer examples, the same every time, and no shrinking, since the
# first failure is enough.
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

# In a CI job a run also tells the CI; the tests of that say so themselves.
for _name in ("GITHUB_ACTIONS", "GITEA_ACTIONS", "FLEETSWEEP_NOTIFY", "FLEETSWEEP_METRICS", "FLEETSWEEP_PUSH_GATEWAY"):
    os.environ.pop(_name, None)

# Under nohup it is ignored, and so it would be in every command that a test starts.
signal.signal(signal.SIGHUP, signal.SIG_DFL)
# In a shell's background job it is this one.
signal.signal(signal.SIGINT, signal.default_int_handler)

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

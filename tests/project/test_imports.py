"""What is loaded for what: imports are half of a short run's time."""

from __future__ import annotations

import subprocess
import sys

import pytest

from fleetsweep.cli import SUMMARIES

HEAVY = (
    "fabric",
    "paramiko",
    "docker",
    "requests",
    "sqlite3",
    "rich",
    "tabulate",
    "yaml",
    "apprise",
    "prometheus_client",
)


def loaded(code: str) -> set[str]:
    """Which of the heavy ones a fresh interpreter has loaded after running the code."""
    tell = f"import sys; print(*(name for name in {HEAVY!r} if name in sys.modules))"
    done = subprocess.run([sys.executable, "-c", f"{code}\n{tell}"], check=True, capture_output=True, text=True)
    return set(done.stdout.split())


def test_the_help_loads_no_library_but_click_and_no_more_of_the_program_than_it_prints() -> None:
    ours = "print(*(name for name in sys.modules if name.startswith('fleetsweep.')))"
    found = loaded(f"import sys, fleetsweep.__main__\n{ours}")
    assert found == {f"fleetsweep.{room}" for room in ("__main__", "cli", "cli.help_text", "exit_codes")}


def test_the_help_of_no_command_loads_what_a_run_needs() -> None:
    imports = "\n".join(f"import fleetsweep.cli.commands.{name}" for name in SUMMARIES)
    assert loaded(imports) == set()


@pytest.mark.parametrize("before", ["", "import docker", "import paramiko"])
def test_a_run_on_this_machine_loads_no_ssh_client_of_its_own(before: str) -> None:
    assert loaded(f"{before}\nimport fleetsweep.sweep.phases") - loaded(before) <= {"docker", "requests"}


def test_what_the_docker_sdk_was_kept_from_can_still_be_imported() -> None:
    assert "paramiko" in loaded("import fleetsweep.engine\nimport docker.transport.sshconn")

"""The options of commands that remove."""

from __future__ import annotations

import pytest
from click.testing import CliRunner

from fleetsweep.cli import cli
from fleetsweep.cli.removal_options import EvidenceOptions, LockOptions, PlanOptions, ScopeOptions, SweepOptions


def test_a_sweep_asks_and_removes_no_volume_unless_told_to() -> None:
    assert SweepOptions() == SweepOptions(yes=False, volumes=False)
    assert ScopeOptions() == ScopeOptions(baseline=None, run_label=None, volumes=False, networks=False)


def test_the_times_are_in_seconds() -> None:
    assert (PlanOptions().plan_ttl, LockOptions().lock_wait) == (3600.0, 600.0)


def test_no_log_is_kept_by_default() -> None:
    assert EvidenceOptions() == EvidenceOptions(logs=0, require_evidence=False)


@pytest.mark.parametrize(
    "words",
    [
        ["teardown", "--local", "--run-label", "run=1", "--run-label", "run=2"],
        ["teardown", "--local", "--baseline", "/a", "--baseline", "/b"],
        ["sweep", "--plan", "/a", "--plan", "/b"],
    ],
)
def test_what_decides_about_removal_has_one_value(words: list[str]) -> None:
    done = CliRunner().invoke(cli, words)
    assert done.exit_code == 2
    assert f"Invalid value for '{words[-2]}': it is given 2 times: give one value" in done.output

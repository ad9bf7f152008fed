"""The options of commands that remove."""

from __future__ import annotations

from fleetsweep.cli.removal_options import EvidenceOptions, LockOptions, PlanOptions, ScopeOptions, SweepOptions


def test_a_sweep_asks_and_removes_no_volume_unless_told_to() -> None:
    assert SweepOptions() == SweepOptions(yes=False, volumes=False)
    assert ScopeOptions() == ScopeOptions(baseline=None, run_label=None, volumes=False, networks=False)


def test_the_times_are_in_seconds() -> None:
    assert (PlanOptions().plan_ttl, LockOptions().lock_wait) == (3600.0, 600.0)


def test_no_log_is_kept_by_default() -> None:
    assert EvidenceOptions() == EvidenceOptions(logs=0, require_evidence=False)

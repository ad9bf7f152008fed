"""The configuration of a run, made from its options."""

from __future__ import annotations

from pathlib import Path

import pytest

from fleetsweep.cli.config import build, choose, connect_config, report_output, resolve_all
from fleetsweep.cli.options import ConnectOptions, OutputOptions, TargetOptions
from fleetsweep.cli.removal_options import PlanOptions
from fleetsweep.console import Output
from fleetsweep.errors import PolicyError, UsageError
from fleetsweep.model.host import Host
from fleetsweep.model.policy_flags import Flags
from fleetsweep.runtime.capacity import hosts_at_once
from fleetsweep.ssh import Trust

LOCAL = TargetOptions(local=True)


def test_a_run_removes_nothing_unless_its_command_says_so(tmp_path: Path) -> None:
    chosen = choose(LOCAL, Flags(cap="7", dry_run=True))
    config = build("audit", chosen, LOCAL, ConnectOptions(), tmp_path, Output())
    (host,) = config.hosts
    assert (config.remove, config.policies[host.name].cap) == (False, 7)
    # A saved plan repeats the flags: whether it was made in a dry run is none of them.
    assert config.flags == Flags(cap="7")


def test_the_guard_of_unexpected_hosts_trips_before_the_run(tmp_path: Path) -> None:
    targets = TargetOptions(local=True, expect=(2, 3))
    config = build("audit", choose(targets, Flags()), targets, ConnectOptions(), tmp_path, Output())
    assert config.unexpected is not None
    assert "1 host is selected" in config.unexpected.message


def test_a_setting_that_cannot_be_is_refused_for_the_whole_run() -> None:
    with pytest.raises(PolicyError, match=r"--max-age"):
        resolve_all([Host("a", "a")], Flags(max_age="7"), {})
    with pytest.raises(PolicyError, match="FLEETSWEEP_FLEET_CAP"):
        resolve_all([Host("a", "a")], Flags(), {"FLEETSWEEP_FLEET_CAP": "x"})


def test_a_plan_that_is_missing_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"plan\.json"):
        choose(LOCAL, Flags(), PlanOptions(plan=str(tmp_path / "plan.json")))


def test_connections_are_no_more_than_this_machine_can_hold() -> None:
    assert connect_config(ConnectOptions(forks=4096)).limits.forks == min(4096, hosts_at_once())
    assert connect_config(ConnectOptions(forks=1, timeout=3.0, host_key="strict")).ssh.host_key is Trust.STRICT


def test_a_report_goes_to_stdout_unless_a_file_is_named() -> None:
    assert report_output(OutputOptions(output="")).path is None
    assert report_output(OutputOptions(output="a"), "plan").save_plan == Path("plan")

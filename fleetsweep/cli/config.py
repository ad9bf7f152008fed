"""What a run is asked to do, worked out from the options before anybody is contacted."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from fleetsweep.cli.targets import (
    Selection,
    output,
    parse_expect,
    policy_flags,
    reach,
    select_hosts,
    state_dir,
    telling,
)
from fleetsweep.console import Output, count
from fleetsweep.exit_codes import GUARD, OK
from fleetsweep.model.decision import Guard
from fleetsweep.model.host import Host
from fleetsweep.model.run_scope import ResourceKind
from fleetsweep.notify.dispatch import NotifyConfig
from fleetsweep.policy.guards import Percent, expect_guard
from fleetsweep.policy.rules import Policy
from fleetsweep.policy.settings import Flags, resolve, resolve_fleet_cap

if TYPE_CHECKING:
    from fleetsweep.store.plan_file import SavedPlan
    from fleetsweep.sweep.phases import ConnectConfig


@dataclass(frozen=True, slots=True)
class RunConfig:
    """What a run is asked to do. ``remove`` says whether the flow goes on past the guards.

    ``unexpected`` is the guard that trips where another number of hosts was expected. ``saved`` is a plan to carry
    out in place of a new look.
    """

    command: str
    hosts: tuple[Host, ...]
    policies: Mapping[str, Policy]
    flags: Flags
    fleet_cap: int | Percent | None
    reach: ConnectConfig
    output: Output
    state_dir: Path
    telling: NotifyConfig = field(default_factory=NotifyConfig)
    unexpected: Guard | None = None
    remove: bool = False
    dry_run: bool = False
    yes: bool = False
    volumes: bool = False
    lock_wait_s: float = 0.0
    saved: SavedPlan | None = None
    resource_kinds: tuple[ResourceKind, ...] = ()
    max_silence_s: float | None = None


def selection(options: dict[str, object]) -> Selection:
    """The hosts that the options mean. Raises UsageError: nobody was contacted yet."""
    from fleetsweep.report import printable

    chosen = select_hosts(options)
    for warning in chosen.warnings:
        click.echo(f"Warning: {printable(warning)}", err=True)
    return chosen


def summary(chosen: Selection) -> str:
    """``3 hosts: runner-[01-03]; not selected, 2: arm-[1-2]``."""
    from fleetsweep.inventory import fold
    from fleetsweep.report import printable

    text = f"{count(len(chosen.hosts), 'host')}: {fold([host.name for host in chosen.hosts])}"
    others = f"; not selected, {len(chosen.others)}: {fold(chosen.others)}" if chosen.others else ""
    return printable(text + others, limit=1000)


def _unexpected(selected: Sequence[Host], options: dict[str, object]) -> Guard | None:
    from fleetsweep.inventory import fold

    expected = parse_expect(str(options["expect"])) if options["expect"] is not None else None
    return expect_guard(len(selected), expected, fold([host.name for host in selected]))


def check_expected(selected: Sequence[Host], options: dict[str, object]) -> int:
    """Return GUARD, having printed why, where --expect asks for another number of hosts; else OK."""
    from fleetsweep.report import printable

    guard = _unexpected(selected, options)
    if guard is None:
        return OK
    click.echo(printable(guard.message, limit=1000), err=True)
    return GUARD


def resolve_all(
    hosts: Sequence[Host], flags: Flags, environ: Mapping[str, str]
) -> tuple[Mapping[str, Policy], int | Percent | None]:
    """Each host's policy, by its name, and the fleet's cap. Raises UsageError for what no run would accept.

    ``environ`` should be a plain dict: os.environ decodes at every look, and each of thousands of hosts takes many.
    """
    return {host.name: resolve(flags, environ, host) for host in hosts}, resolve_fleet_cap(flags, environ)


def list_hosts(options: dict[str, object]) -> int:
    """Print the selected hosts as Ansible's --list-hosts does; return the exit code. Raises UsageError."""
    from fleetsweep.report.hosts import list_hosts as render

    selected, _, _ = _select(options)
    click.echo(render(selected), nl=False)
    return check_expected(selected, options)


def _select(options: dict[str, object]) -> tuple[tuple[Host, ...], Flags, SavedPlan | None]:
    """Return the hosts, policy flags and saved plan that the options name. Raises UsageError."""
    selected = selection(options).hosts
    flags = policy_flags(options)
    saved: SavedPlan | None = None
    if options.get("plan"):
        from fleetsweep.store.plan_file import load

        path, ttl_s = Path(str(options["plan"])), float(str(options["plan_ttl"]))
        saved = load(path, now_ns=time.time_ns(), ttl_s=ttl_s, hosts={host.name: host for host in selected})
        selected = tuple(item.host for item in saved.plan.hosts)
        if replace(flags, dry_run=False) == Flags():
            flags = saved.flags
    return selected, flags, saved


def build(command: str, options: dict[str, object]) -> RunConfig:
    """Return what the options ask for. Raises UsageError; no host is contacted."""
    selected, flags, saved = _select(options)
    environ = dict(os.environ)
    policies, fleet_cap = resolve_all(selected, flags, environ)
    if saved is not None:
        from fleetsweep.store.plan_file import check_policies

        check_policies(saved, policies, fleet_cap)
    return RunConfig(
        command=command,
        hosts=selected,
        policies=policies,
        flags=replace(flags, dry_run=False),
        fleet_cap=fleet_cap,
        reach=reach(options),
        output=output(options),
        state_dir=state_dir(options),
        telling=telling(options),
        unexpected=_unexpected(selected, options),
        saved=saved,
    )

"""The configuration of a run, made from its options before any host is contacted."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from fleetsweep.cli.options import ConnectOptions, OutputOptions, RerunOptions, TargetOptions
from fleetsweep.cli.spread_options import SpreadOptions
from fleetsweep.cli.targets import select, unexpected
from fleetsweep.console import Output
from fleetsweep.errors import UsageError
from fleetsweep.model.decision import Guard
from fleetsweep.model.host import Host
from fleetsweep.model.policy_flags import Flags
from fleetsweep.notify.dispatch import NotifyConfig
from fleetsweep.policy.guards import Percent
from fleetsweep.policy.rules import Policy
from fleetsweep.policy.settings import resolve, resolve_fleet_cap
from fleetsweep.runtime.capacity import hosts_at_once

if TYPE_CHECKING:
    from fleetsweep.cli.removal_options import PlanOptions
    from fleetsweep.cli.rerun import PastHosts
    from fleetsweep.engine.tls import EngineTls
    from fleetsweep.model.run_scope import ResourceKind
    from fleetsweep.store.plan_file import SavedPlan
    from fleetsweep.sweep.evidence import EvidenceRule
    from fleetsweep.sweep.phases import ConnectConfig
    from fleetsweep.sweep.spread import Spread


@dataclass(frozen=True, slots=True)
class RunConfig:
    """What a run does, and to which hosts. ``remove`` says whether it goes on past the guards.

    ``unexpected`` is the guard that trips where another number of hosts was expected. ``saved`` is a plan to carry
    out in place of a new survey. ``flags`` are the policy flags that a saved plan repeats.
    """

    command: str
    hosts: tuple[Host, ...]
    policies: Mapping[str, Policy]
    flags: Flags
    fleet_cap: int | Percent | None
    connect: ConnectConfig
    output: Output
    state_dir: Path
    notify: NotifyConfig = field(default_factory=NotifyConfig)
    unexpected: Guard | None = None
    remove: bool = False
    dry_run: bool = False
    yes: bool = False
    volumes: bool = False
    lock_wait_s: float = 0.0
    saved: SavedPlan | None = None
    resource_kinds: tuple[ResourceKind, ...] = ()
    max_silence_s: float | None = None
    evidence: EvidenceRule | None = None


@dataclass(frozen=True, slots=True)
class Chosen:
    """The hosts of a run and its policy flags, by its options or by the saved plan that it carries out."""

    hosts: tuple[Host, ...]
    flags: Flags
    saved: SavedPlan | None = None


def rerun_hosts(options: RerunOptions, state_dir: Path) -> PastHosts | None:
    """Return the hosts that ``--rerun`` names; None without it. Raises UsageError where there is no such host."""
    if options.rerun is None:
        return None
    from fleetsweep.cli.rerun import past_hosts

    return past_hosts(*options.rerun, state_dir)


def choose(
    targets: TargetOptions, flags: Flags, plan: PlanOptions | None = None, past: PastHosts | None = None
) -> Chosen:
    """Return the hosts and policy flags of a run. Raises UsageError.

    ``past`` narrows the hosts to its own. So does a saved plan; its flags count where none is given.
    """
    flags = replace(flags, dry_run=False)
    hosts = select(targets).hosts
    if past is not None:
        hosts = past.among(hosts)
    if plan is None or not plan.plan:
        return Chosen(hosts, flags)
    from fleetsweep.store.plan_file import load

    by_name = {host.name: host for host in hosts}
    saved = load(Path(plan.plan), now_ns=time.time_ns(), ttl_s=plan.plan_ttl, hosts=by_name)
    return Chosen(tuple(item.host for item in saved.plan.hosts), saved.flags if flags == Flags() else flags, saved)


def build(
    command: str,
    chosen: Chosen,
    targets: TargetOptions,
    connect: ConnectOptions,
    state_dir: Path,
    output: Output,
    notify: NotifyConfig | None = None,
    spread: SpreadOptions | None = None,
) -> RunConfig:
    """Return the configuration of a run that removes nothing. Raises UsageError for a setting that can't be."""
    policies, fleet_cap = resolve_all(chosen.hosts, chosen.flags, dict(os.environ))
    if chosen.saved is not None:
        from fleetsweep.store.plan_file import check_policies

        check_policies(chosen.saved, policies, fleet_cap)
    return RunConfig(
        command=command,
        hosts=chosen.hosts,
        policies=policies,
        flags=chosen.flags,
        fleet_cap=fleet_cap,
        connect=connect_config(connect, _spread(spread, chosen.hosts)),
        output=output,
        state_dir=state_dir,
        notify=notify or NotifyConfig(),
        unexpected=unexpected(chosen.hosts, targets.expect),
        saved=chosen.saved,
    )


def resolve_all(
    hosts: Sequence[Host], flags: Flags, environ: Mapping[str, str]
) -> tuple[Mapping[str, Policy], int | Percent | None]:
    """Return each host's policy, by its name, and the fleet's cap. Raises UsageError for what no run would accept.

    ``environ`` should be a plain dict: os.environ decodes at every look-up, and thousands of hosts make many.
    """
    return {host.name: resolve(flags, environ, host) for host in hosts}, resolve_fleet_cap(flags, environ)


def connect_config(connect: ConnectOptions, spread: Spread | None = None) -> ConnectConfig:
    """Return how hosts are reached. Raises UsageError for a file of TLS that can't be used."""
    from fleetsweep.ssh import SshOptions, Trust
    from fleetsweep.sweep.phases import ConnectConfig
    from fleetsweep.sweep.workers import Limits

    return ConnectConfig(
        SshOptions(
            user=connect.user,
            key_file=connect.private_key,
            timeout_s=connect.timeout,
            ssh_config=connect.ssh_config,
            known_hosts=connect.known_hosts or None,
            host_key=Trust(connect.host_key) if connect.host_key else None,
        ),
        Limits(
            min(connect.forks or 256, hosts_at_once()),
            connect.host_timeout,
            connect.run_timeout,
            spread=spread is not None,
        ),
        engine_tls=_engine_tls(connect),
        spread=spread,
    )


def _spread(options: SpreadOptions | None, hosts: Sequence[Host]) -> Spread | None:
    """Return how the work on the hosts is spread, None for threads alone. Raises UsageError."""
    if options is None or options == SpreadOptions():
        return None
    from fleetsweep.sweep.scheduler import Scheduler
    from fleetsweep.sweep.spread import AUTO, Spread
    from fleetsweep.sweep.zones import check_hosts

    tls = (options.scheduler_tls_ca, options.scheduler_tls_cert, options.scheduler_tls_key)
    if options.scheduler is None:
        if tls != (None, None, None):
            raise UsageError("--scheduler-tls-ca, -cert and -key are for a --scheduler")
        return Spread(AUTO if options.processes == "auto" else int(options.processes or 1))
    if options.processes is not None:
        raise UsageError("--processes and --scheduler exclude each other: start more workers in the zones")
    check_hosts(hosts)
    return Spread(scheduler=Scheduler.parse(options.scheduler, tls))


def _engine_tls(connect: ConnectOptions) -> EngineTls | None:
    files = (connect.engine_tls_ca, connect.engine_tls_cert, connect.engine_tls_key)
    if files == (None, None, None):
        return None
    # Imported late: it loads OpenSSL.
    from fleetsweep.engine.tls import EngineTls

    return EngineTls.load(*files)


def report_output(options: OutputOptions, save_plan: str | None = None) -> Output:
    """Return where the report and the plan go."""
    return Output(
        style=options.style,
        path=Path(options.output) if options.output else None,
        verbose=options.verbose,
        quiet=options.quiet,
        fail_on_stale=options.fail_on_stale,
        save_plan=Path(save_plan) if save_plan else None,
    )

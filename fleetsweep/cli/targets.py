"""Which hosts the target options select."""

from __future__ import annotations

import os
import socket
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import click

from fleetsweep.cli.defaults import SAMPLES, is_for_examples, named_sources
from fleetsweep.cli.options import TargetOptions
from fleetsweep.console import count
from fleetsweep.errors import UsageError
from fleetsweep.exit_codes import GUARD, OK
from fleetsweep.model.decision import Guard
from fleetsweep.model.host import Connection, Host


@dataclass(frozen=True, slots=True)
class Selection:
    """The selected hosts, the names of the inventory's other hosts, and warnings from reading it."""

    hosts: tuple[Host, ...]
    others: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()


def select(targets: TargetOptions) -> Selection:
    """Return the hosts that the options select and print the inventory's warnings. Raises UsageError."""
    from fleetsweep.report import printable

    selection = find_hosts(targets)
    for warning in selection.warnings:
        click.echo(f"Warning: {printable(warning)}", err=True)
    return selection


def find_hosts(targets: TargetOptions) -> Selection:
    """Return the hosts that the options select; at least one. Raises UsageError."""
    if targets.hosts and targets.limit:
        raise UsageError("--host and --limit exclude each other: --host means exactly one host")
    if targets.local:
        if targets.inventory or targets.hosts or targets.limit:
            raise UsageError("--local is this machine alone: leave out --inventory, --host and --limit")
        local = Host(socket.gethostname() or "localhost", "localhost", connection=Connection.LOCAL)
        if targets.engine is not None:
            return Selection((replace(local, engine=targets.engine),))
        return Selection((local,), warnings=_ignored_docker_host(local))
    from fleetsweep.inventory import ad_hoc, load

    sources = named_sources(targets.inventory)
    if sources:
        inventory = load(sources, cwd=Path.cwd(), engine=targets.engine)
        hosts = inventory.named(targets.hosts) if targets.hosts else inventory.select(targets.limit)
        chosen = {host.name for host in hosts}
        if not (targets.inventory or os.environ.get("FLEETSWEEP_INVENTORY", "").strip()):
            _refuse_samples(hosts)
        others = tuple(name for name in inventory.names if name not in chosen)
        return Selection(hosts, others, inventory.warnings)
    if targets.limit:
        raise UsageError("--limit picks from an inventory, and there is none: give -i FILE")
    if not targets.hosts:
        samples = f" (./inventory holds samples: delete {SAMPLES} once its hosts are yours)" if SAMPLES.exists() else ""
        unread = f"\n{unread_settings()}".rstrip()
        raise UsageError(f"no inventory: give -i FILE, --host [user@]address, or --local{samples}{unread}")
    return Selection(ad_hoc(targets.hosts, engine=targets.engine).hosts())


def _refuse_samples(hosts: Sequence[Host]) -> None:
    """Raise UsageError if hosts of ``./inventory``, which no option names, have addresses that are for examples."""
    from fleetsweep.inventory import fold

    found = [host.name for host in hosts if is_for_examples(host.address)]
    if found:
        raise UsageError(
            f"./inventory holds samples: the addresses of {fold(found)} are reserved for examples (RFC 2606, 5737). "
            "Enter your hosts, or name it with -i inventory"
        )


def unread_settings() -> str:
    """Return the settings of Ansible's configuration in this directory, which is not read; empty without one."""
    from fleetsweep.inventory import AnsibleConfig
    from fleetsweep.report import render_unread

    return render_unread(AnsibleConfig(Path.cwd(), os.environ).unread())


def _ignored_docker_host(local: Host) -> tuple[str, ...]:
    """Return a warning if DOCKER_HOST names another engine than the default one, which is used."""
    if not os.environ.get("DOCKER_HOST"):
        return ()
    from fleetsweep.engine.endpoint import ignored_docker_host, parse_endpoint

    hint = ignored_docker_host(parse_endpoint(local.engine), os.environ)
    return (f"{hint}; this run uses {local.engine}",) if hint else ()


def summary(selection: Selection) -> str:
    """Return ``3 hosts: runner-[01-03]; not selected, 2: arm-[1-2]``."""
    from fleetsweep.inventory import fold
    from fleetsweep.report import printable

    text = f"{count(len(selection.hosts), 'host')}: {fold([host.name for host in selection.hosts])}"
    others = f"; not selected, {len(selection.others)}: {fold(selection.others)}" if selection.others else ""
    return printable(text + others, limit=1000)


def unexpected(hosts: Sequence[Host], expected: tuple[int, int] | None) -> Guard | None:
    """Return the guard that trips where ``expected``, the least and the most hosts, are not selected."""
    from fleetsweep.inventory import fold
    from fleetsweep.policy.guards import expect_guard

    return expect_guard(len(hosts), expected, fold([host.name for host in hosts]))


def check_expected(hosts: Sequence[Host], expected: tuple[int, int] | None) -> int:
    """Return GUARD, having printed why, where another number of hosts is selected than expected; else OK."""
    from fleetsweep.report import printable

    guard = unexpected(hosts, expected)
    if guard is None:
        return OK
    click.echo(printable(guard.message, limit=1000), err=True)
    return GUARD


def list_hosts(hosts: Sequence[Host], expected: tuple[int, int] | None) -> int:
    """Print the hosts as Ansible's --list-hosts does; return the exit code."""
    from fleetsweep.report.hosts import list_hosts as render

    click.echo(render(hosts), nl=False)
    return check_expected(hosts, expected)

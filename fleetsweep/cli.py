"""The commands: parse, wire, print, exit code. No decisions."""

from __future__ import annotations

import io
import json
import os
import secrets
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from types import FrameType
from typing import NoReturn

import click

from fleetsweep import __version__
from fleetsweep.errors import FleetsweepError, UsageError
from fleetsweep.guards import plan_fleet
from fleetsweep.model import (
    FleetReport,
    Guard,
    GuardName,
    Host,
    HostPlan,
    HostReport,
    Status,
)
from fleetsweep.options import (
    output_options,
    parse_expect,
    policy_flags,
    policy_options,
    reach,
    run_options,
    select_hosts,
    state_dir,
    target_options,
)
from fleetsweep.settings import resolve, resolve_dry_run, resolve_fleet_cap

EPILOG = """\b
Examples:
  fleetsweep audit -i inventory.yml             look at the fleet
  fleetsweep sweep -i inventory.yml --dry-run   what a sweep would remove
  fleetsweep sweep -i inventory.yml -l 'ci*'    look, ask, remove, prove it
  fleetsweep audit --host admin@runner-1:2222   one box, no inventory
  fleetsweep audit --local                      this machine

\b
Exit codes: 0 all is well; 2 usage, nothing was contacted; 3 a host was unreachable or its answer
unusable; 4 a guard tripped; 5 a removal failed or is unknown; 6 stale containers were found
(--fail-on-stale); 130, 143, 129 stopped by a signal; 1 a bug.
"""


class Stopper:
    """Turns the first SIGINT, SIGTERM or SIGHUP into a request to stop, and the second into an end at once."""

    def __init__(self, stopped: threading.Event) -> None:
        self._stopped = stopped
        self.signal: int | None = None
        self.asking = False

    def install(self) -> None:
        """Take over the three signals. SIGHUP stays ignored where nohup ignores it."""
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            if number != signal.SIGHUP or signal.getsignal(number) is not signal.SIG_IGN:
                signal.signal(number, self._on_signal)

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        if self.signal is not None:
            os._exit(128 + number)
        self.signal = number
        self._stopped.set()
        if self.asking:
            raise KeyboardInterrupt


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110}, epilog=EPILOG)
@click.version_option(__version__, prog_name="fleetsweep")
def cli() -> None:
    """Sweep leaked CI containers from a fleet of Docker boxes, over SSH.

    Reads an Ansible inventory, reaches each box's Docker socket through its sshd, decides which containers are
    orphans, refuses to act where the picture looks wrong, removes them, and proves that they are gone.
    """


@cli.command()
@target_options
@click.option("--format", "style", type=click.Choice(["table", "json"]), default="table", help="[default: table]")
@click.option("-v", "--verbose", is_flag=True, help="Also show the variables.")
def hosts(style: str, verbose: bool, **options: object) -> None:
    """Which hosts these options select, with their variables. Contacts nobody."""
    selected = select_hosts(options)
    if style == "json":
        listed = [
            {
                "name": host.name,
                "address": host.address,
                "port": host.port or 22,
                "user": host.user,
                "connection": host.connection.value,
                "groups": list(host.groups),
                "vars": dict(host.variables),
            }
            for host in selected
        ]
        click.echo(json.dumps(listed, indent=2, default=str))
        return
    from tabulate import tabulate

    from fleetsweep.report import printable

    rows = [
        (
            printable(host.name),
            printable(host.address),
            str(host.port or 22),
            printable(host.user or "-"),
            host.connection.value,
            printable(",".join(host.groups) or "-"),
            *([printable(json.dumps(dict(host.variables), default=str), limit=400)] if verbose else []),
        )
        for host in selected
    ]
    headers = ["HOST", "ADDRESS", "PORT", "USER", "CONNECTION", "GROUPS", *(["VARIABLES"] if verbose else [])]
    click.echo(tabulate(rows, headers=headers, tablefmt="plain", disable_numparse=True))


@cli.command()
@target_options
@run_options
@policy_options
@output_options
def audit(**options: object) -> None:
    """Look at the fleet, remove nothing: sends only GET."""
    _run("audit", options, remove=False, dry_run=False, volumes=False)


@cli.command()
@target_options
@run_options
@policy_options
@output_options
@click.option("-C", "--check", "--dry-run", "dry_run", is_flag=True, help="Decide, but remove nothing. [$DRY_RUN]")
@click.option("-y", "--yes", is_flag=True, help="Remove without asking.")
@click.option("--volumes", is_flag=True, help="Also remove the containers' anonymous volumes.")
def sweep(dry_run: bool, yes: bool, volumes: bool, **options: object) -> None:
    """Look, ask, remove, and prove it."""
    options["dry_run"] = dry_run
    dry = resolve_dry_run(policy_flags(options), os.environ)
    if not dry and not yes and not (sys.stdin and sys.stdin.isatty() and sys.stderr.isatty()):
        raise UsageError("there is no terminal to ask on: give --yes to remove, or --dry-run to look")
    options["yes"] = yes
    _run("sweep", options, remove=not dry, dry_run=dry, volumes=volumes)


def _run(command: str, options: dict[str, object], *, remove: bool, dry_run: bool, volumes: bool) -> None:
    """A run of the one-way flow, as far as the command goes."""
    selected = select_hosts(options)
    flags = policy_flags(options)
    policies = {host.name: resolve(flags, os.environ, host) for host in selected}
    fleet_cap = resolve_fleet_cap(flags, os.environ)
    run_id = datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ-") + secrets.token_hex(3)
    started_ns = time.time_ns()

    def finish(rows: Sequence[HostReport], guard: Guard | None, stopped_by: int | None = None) -> NoReturn:
        from fleetsweep.report import exit_code

        code = exit_code(rows, guard, fail_on_stale=bool(options["fail_on_stale"]), stopped_by=stopped_by)
        done = FleetReport(run_id, command, dry_run, started_ns, time.time_ns(), code, tuple(rows), guard)
        _print_report(done, options)
        _exit(code)

    guard = _expect_guard(options, len(selected))
    if guard is not None:
        finish([HostReport(host, Status.GUARDED, guard=guard) for host in selected], guard)

    from fleetsweep import sweep as phases
    from fleetsweep.journal import Journal

    way = reach(options)
    stopper = Stopper(way.stopped)
    stopper.install()
    quiet = bool(options["quiet"])
    applied: dict[str, phases.Applied] = {}
    with ExitStack() as stack:
        # Opened first: a state directory that can't be used must be told before anyone is contacted.
        journal = stack.enter_context(Journal(state_dir(options), run_id, command)) if remove else None
        with _progress("Surveying", len(selected), quiet) as advance:
            surveys = phases.survey(selected, policies, way, advance)
        plan = plan_fleet(surveys, policies, fleet_cap)
        todo = phases.actionable(plan)
        if journal and todo and not way.stopped.is_set() and (options.get("yes") or _confirmed(todo, stopper)):
            with _progress("Removing", len(todo), quiet) as advance:
                applied = phases.apply(todo, policies, way, journal.for_host, volumes=volumes, on_done=advance)
    finish(phases.host_reports(plan, applied), plan.guard, stopper.signal)


def _expect_guard(options: dict[str, object], found: int) -> Guard | None:
    wanted = parse_expect(str(options["expect"])) if options["expect"] is not None else None
    if wanted is None or wanted[0] <= found <= wanted[1]:
        return None
    message = f"{found} hosts are selected, {options['expect']} were expected: nobody was contacted"
    return Guard(GuardName.EXPECT, message, limit=str(options["expect"]), found=found)


def _confirmed(todo: Sequence[HostPlan], stopper: Stopper) -> bool:
    """Show the plan and ask. Only y or yes is a yes; the end of input is a no."""
    from fleetsweep.report import printable

    for item in todo:
        for decision in item.candidates:
            name = printable(decision.container.name or decision.container.id[:12])
            click.echo(f"{printable(item.host.name)}: remove {name} ({decision.reason})", err=True)
    containers = sum(len(item.candidates) for item in todo)
    stopper.asking = True
    try:
        click.echo(f"Remove {containers} containers on {len(todo)} hosts? [y/N] ", nl=False, err=True)
        answer = sys.stdin.readline()
    except KeyboardInterrupt:
        answer = ""
        click.echo(err=True)
    finally:
        stopper.asking = False
    if answer.strip().lower() in {"y", "yes"}:
        return True
    click.echo("Nothing was removed.", err=True)
    return False


@contextmanager
def _progress(what: str, total: int, quiet: bool) -> Iterator[Callable[[Host], None]]:
    """A bar on stderr where that is a terminal."""
    if quiet or not sys.stderr.isatty():
        yield lambda host: None
        return
    from rich.console import Console
    from rich.progress import Progress

    with Progress(console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(what, total=total)
        yield lambda host: bar.advance(task)


def _print_report(done: FleetReport, options: dict[str, object]) -> None:
    from fleetsweep.report import render

    output = options["output"]
    color = output is None and sys.stdout.isatty() and "NO_COLOR" not in os.environ
    text = render(done, str(options["style"]), verbose=bool(options["verbose"]), color=color)
    if output is None:
        click.echo(text, nl=False)
        return
    path = Path(str(output))
    half = path.with_name(path.name + ".part")
    try:
        half.write_text(text, encoding="utf-8")
        half.replace(path)
    except OSError as error:
        click.echo(text, nl=False)
        click.echo(f"{path}: {error.strerror}: the report is on stdout instead", err=True)


def _exit(code: int) -> NoReturn:
    """Leave without waiting for a thread that is stuck in a dead connection."""
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    sys.stderr.flush()
    os._exit(code)


def main() -> None:
    """Run the command line; exit as the table of exit codes says."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        # A terminal that can't show a box's letters must not cost the report.
        sys.stdout.reconfigure(errors="backslashreplace")
    try:
        cli(standalone_mode=False)
    except click.ClickException as error:
        error.show()
        sys.exit(2)
    except (click.Abort, KeyboardInterrupt):
        sys.exit(130)
    except UsageError as error:
        click.echo(f"Error: {error}", err=True)
        sys.exit(2)
    except BrokenPipeError:
        os._exit(3)
    except FleetsweepError as error:
        click.echo(f"Error: {error}", err=True)
        sys.exit(3)

"""``fleetsweep doctor``: show how far each host can be reached, phase by phase, with the remedy."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

from fleetsweep.cli.command import command, only, option
from fleetsweep.cli.options import ConnectOptions, FormatOptions, ListOptions, StateOptions, TargetOptions
from fleetsweep.cli.params import FILE
from fleetsweep.model.policy_flags import Flags

if TYPE_CHECKING:
    from fleetsweep.cli.config import RunConfig
    from fleetsweep.model.checkup import Checkup

EPILOG = """\b
Examples:
  fleetsweep doctor -i inventory.yml            the whole fleet
  fleetsweep doctor -i inventory.yml --host runner-2 -v
  fleetsweep doctor --host admin@runner-1:2222  before it is in an inventory
  fleetsweep doctor -i inventory.yml --learn-keys
                                                first contact: ask about keys
"""

NO_TERMINAL: Final = "there is no terminal to ask on: give --yes to save the host keys without comparing them"
ACCEPTS: Final = "--host-key accept-new saves keys without asking, --learn-keys asks: leave one out"
UNKNOWN_KEYS: Final = "for unknown host keys: add --learn-keys to compare and save them all at once"
GET_ONLY: Final = "doctor sends only GET: whether DELETE is allowed, by a proxy too, shows at the first removal"


@dataclass(frozen=True, slots=True)
class DoctorOptions:
    """Where the result is printed, and how much of it."""

    output: str | None = field(
        default=None,
        metadata=option("Output", "-o", "--output", type=FILE, help="Write the result to this file, not to stdout."),
    )
    verbose: bool = field(
        default=False,
        metadata=option("Output", "-v", "--verbose", help="Also show whole keys and each engine's id."),
    )
    quiet: bool = field(default=False, metadata=option("Output", "-q", "--quiet", help="Print no progress."))


@dataclass(frozen=True, slots=True)
class LearnOptions:
    """Whether unknown host keys are saved, and whether without asking."""

    learn_keys: bool = field(
        default=False,
        metadata=option(
            "Connection",
            "--learn-keys",
            help="Show the keys of unknown hosts, ask, and save them in known_hosts. Never a changed or revoked key.",
        ),
    )
    yes: bool = field(
        default=False,
        metadata=option("Connection", "-y", "--yes", help="With --learn-keys: save the keys without asking."),
    )


@command(epilog=EPILOG)
def doctor(
    targets: TargetOptions,
    listing: ListOptions,
    connect: ConnectOptions,
    state: StateOptions,
    flags: Annotated[Flags, only("max_skew")],
    style: FormatOptions,
    options: DoctorOptions,
    learn: LearnOptions,
) -> int:
    """Check each phase of reaching each host, with the remedy.

    Connects as every survey and sweep does: resolve, connect, host key, log-in, tunnel, engine, clock. Sends only GET
    requests. Prints one row per host with what was seen at each phase, then a command for each host that was not
    reached.
    """
    import click

    from fleetsweep.cli.config import build, choose
    from fleetsweep.cli.confirm import can_ask
    from fleetsweep.cli.defaults import state_directory
    from fleetsweep.cli.targets import list_hosts, unread_settings
    from fleetsweep.console import Output
    from fleetsweep.errors import UsageError

    if learn.yes and not learn.learn_keys:
        raise UsageError("--yes is for --learn-keys: doctor asks nothing else")
    if learn.learn_keys and connect.host_key == "accept-new":
        raise UsageError(ACCEPTS)
    chosen = choose(targets, flags)
    if listing.list_hosts:
        return list_hosts(chosen.hosts, targets.expect)
    path = Path(options.output) if options.output else None
    output = Output(style.style, path, verbose=options.verbose, quiet=options.quiet)
    if learn.learn_keys and not learn.yes and not can_ask():
        raise UsageError(NO_TERMINAL)
    if not targets.local and not options.quiet:
        click.echo(unread_settings(), nl=False, err=True)
    return _check(build("doctor", chosen, targets, connect, state_directory(state.state_dir), output), learn)


def _check(config: RunConfig, learn: LearnOptions) -> int:
    """Check the hosts, print the result and return the exit code."""
    from fleetsweep.cli.learn_keys import learn_keys
    from fleetsweep.cli.signals import SignalHandler
    from fleetsweep.console import columns, deliver, note
    from fleetsweep.errors import FaultKind
    from fleetsweep.model.checkup import Checkup
    from fleetsweep.model.report import HostReport
    from fleetsweep.model.survey import Status
    from fleetsweep.report import exit_code, render_checkups

    signals = SignalHandler(config.connect.stopped)
    if config.unexpected is not None:
        checkups = tuple(Checkup(host, Status.GUARDED, {}, guard=config.unexpected) for host in config.hosts)
    else:
        signals.install()
        checkups = learn_keys(config, _look, signals, yes=learn.yes) if learn.learn_keys else _look(config)
    rows = [HostReport(each.host, each.status, fault=each.fault, guard=each.guard) for each in checkups]
    code = exit_code(rows, config.unexpected, fail_on_stale=False, stopped_by=signals.signal)
    text = render_checkups(
        checkups, code, config.output.style, verbose=config.output.verbose, width=columns(config.output)
    )
    if any(each.status is Status.OK for each in checkups):
        note(GET_ONLY, config.output)
    unknown = [each for each in checkups if each.fault is not None and each.fault.kind is FaultKind.UNKNOWN]
    if unknown and not learn.learn_keys:
        note(UNKNOWN_KEYS, config.output)
    return deliver(text, config.output, code)


def _look(config: RunConfig) -> tuple[Checkup, ...]:
    """Examine the hosts once."""
    from fleetsweep.cli.progress import progress
    from fleetsweep.sweep.checkup import examine
    from fleetsweep.sweep.phases import open_bastions

    identify = config.output.verbose or config.output.style == "json"
    with (
        open_bastions(config.hosts, config.connect) as connect,
        progress("Checking", config.hosts, config.output) as advance,
    ):
        return examine(config.hosts, config.policies, connect, advance, identify=identify)

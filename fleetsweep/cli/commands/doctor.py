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

EPILOG = """\b
Examples:
  fleetsweep doctor -i inventory.yml            the whole fleet
  fleetsweep doctor -i inventory.yml --host runner-2 -v
  fleetsweep doctor --host admin@runner-1:2222  before it is in an inventory
"""

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


@command(epilog=EPILOG)
def doctor(
    targets: TargetOptions,
    listing: ListOptions,
    connect: ConnectOptions,
    state: StateOptions,
    flags: Annotated[Flags, only("max_skew")],
    style: FormatOptions,
    options: DoctorOptions,
) -> int:
    """Check each phase of reaching each host, with the remedy.

    Connects as every survey and sweep does: resolve, connect, host key, log-in, tunnel, engine, clock. Sends only GET
    requests. Prints one row per host with what was seen at each phase, then a command for each host that was not
    reached.
    """
    from fleetsweep.cli.config import build, choose, state_directory
    from fleetsweep.cli.targets import list_hosts
    from fleetsweep.console import Output

    chosen = choose(targets, flags)
    if listing.list_hosts:
        return list_hosts(chosen.hosts, targets.expect)
    path = Path(options.output) if options.output else None
    output = Output(style.style, path, verbose=options.verbose, quiet=options.quiet)
    return _check(build("doctor", chosen, targets, connect, state_directory(state.state_dir), output))


def _check(config: RunConfig) -> int:
    """Check the hosts, print the result and return the exit code."""
    from fleetsweep.cli.signals import SignalHandler
    from fleetsweep.console import deliver, note, progress
    from fleetsweep.model.report import Checkup, HostReport
    from fleetsweep.model.survey import Status
    from fleetsweep.report import exit_code, render_checkups
    from fleetsweep.sweep.checkup import examine
    from fleetsweep.sweep.phases import open_bastions

    signals = SignalHandler(config.connect.stopped)
    if config.unexpected is not None:
        checkups = tuple(Checkup(host, Status.GUARDED, {}, guard=config.unexpected) for host in config.hosts)
    else:
        signals.install()
        identify = config.output.verbose or config.output.style == "json"
        with (
            open_bastions(config.hosts, config.connect) as connect,
            progress("Checking", len(config.hosts), config.output) as advance,
        ):
            checkups = examine(config.hosts, config.policies, connect, advance, identify=identify)
    rows = [HostReport(each.host, each.status, fault=each.fault, guard=each.guard) for each in checkups]
    code = exit_code(rows, config.unexpected, fail_on_stale=False, stopped_by=signals.signal)
    text = render_checkups(checkups, code, config.output.style, verbose=config.output.verbose)
    if any(each.status is Status.OK for each in checkups):
        note(GET_ONLY, config.output)
    return deliver(text, config.output, code)

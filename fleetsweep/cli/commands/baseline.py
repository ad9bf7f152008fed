"""``fleetsweep baseline``: survey the hosts and write down what is there before a job."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

from fleetsweep.cli.command import command, option
from fleetsweep.cli.options import SELECTORS, ConnectOptions, ListOptions, StateOptions, TargetOptions
from fleetsweep.cli.params import FILE
from fleetsweep.model.policy_flags import Flags

if TYPE_CHECKING:
    from fleetsweep.cli.config import RunConfig

EPILOG = """\b
Examples:
  fleetsweep baseline --local --save before.json
                                        before the job creates anything
  fleetsweep baseline --host runner-2 --save before.json
  fleetsweep teardown --local --baseline before.json
                                        after the job, whatever happened
"""

CLOCK_GRAIN_S: Final = 1.0
"""Seconds: engines and the baseline write their times in whole seconds."""


@dataclass(frozen=True, slots=True)
class BaselineOptions:
    """Where the baseline is written, and whether progress is shown."""

    save: str = field(
        default="",
        metadata=option(
            "Output", "--save", type=FILE, required=True, help="Write the baseline to this file. Required."
        ),
    )
    quiet: bool = field(
        default=False, metadata=option("Output", "-q", "--quiet", help="Print no progress and no notes.")
    )


@command(epilog=EPILOG)
def baseline(
    targets: TargetOptions,
    listing: ListOptions,
    connect: ConnectOptions,
    state: StateOptions,
    flags: Annotated[Flags, SELECTORS],
    options: BaselineOptions,
) -> int:
    """Save what is there before a job.

    Writes each engine's id, its clock and the ids of the containers that the selectors match. Sends only GET requests.
    If one host can't be surveyed, nothing is written: an incomplete baseline would let a teardown remove containers
    that were there before.
    """
    from fleetsweep.cli.config import build, choose
    from fleetsweep.cli.defaults import state_directory
    from fleetsweep.cli.targets import list_hosts
    from fleetsweep.console import Output

    chosen = choose(targets, flags)
    if listing.list_hosts:
        return list_hosts(chosen.hosts, targets.expect)
    output = Output(quiet=options.quiet)
    config = build("baseline", chosen, targets, connect, state_directory(state.state_dir), output)
    return _save_baseline(config, Path(options.save))


def _save_baseline(config: RunConfig, path: Path) -> int:
    """Survey the hosts and write the baseline; return the exit code.

    Writes nothing and returns INCOMPLETE where a host could not be surveyed. Raises UsageError before any host is
    contacted.
    """
    import time

    import click

    from fleetsweep.cli.run import survey_hosts
    from fleetsweep.cli.signals import SignalHandler
    from fleetsweep.errors import UsageError
    from fleetsweep.exit_codes import GUARD, INCOMPLETE, OK, SIGNAL
    from fleetsweep.model.survey import FailedSurvey, Survey
    from fleetsweep.report import printable
    from fleetsweep.store import baseline_file

    baseline_file.check_target(path)
    if config.unexpected is not None:
        click.echo(printable(config.unexpected.message, limit=1000), err=True)
        return GUARD
    signals = SignalHandler(config.connect.stopped)
    signals.install()
    surveys = survey_hosts(config)
    surveyed = time.monotonic()
    failed = [survey for survey in surveys if isinstance(survey, FailedSurvey)]
    for survey in failed:
        message = f"{survey.host.name}: {survey.fault.message}; {survey.fault.remedy}".removesuffix("; ")
        click.echo(printable(message, limit=1000), err=True)
    if signals.signal is not None or failed:
        click.echo(f"{path}: no baseline was written", err=True)
        return SIGNAL + signals.signal if signals.signal is not None else INCOMPLETE
    taken = {
        survey.host.name: baseline_file.take(survey, config.policies[survey.host.name])
        for survey in surveys
        if isinstance(survey, Survey)
    }
    try:
        baseline_file.save(taken, path, now_ns=time.time_ns())
    except (OSError, UsageError) as error:
        why = error if isinstance(error, UsageError) else f"--save: {path}: {error.strerror}"
        click.echo(f"no baseline was written: {why}", err=True)
        return INCOMPLETE
    # What the job creates must have a later second than the baseline, or a teardown could not tell them apart.
    config.connect.stopped.wait(max(0.0, surveyed + CLOCK_GRAIN_S - time.monotonic()))
    if not config.output.quiet:
        ids = sum(len(each.ids) for each in taken.values())
        click.echo(f"fleetsweep: {path}: {ids} containers on {len(taken)} hosts were there before", err=True)
    return OK

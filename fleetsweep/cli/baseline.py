"""Taking a baseline: look at the hosts, and write down what is there."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Final

import click

from fleetsweep.cli.config import RunConfig
from fleetsweep.cli.signals import SignalHandler
from fleetsweep.console import progress
from fleetsweep.errors import UsageError
from fleetsweep.exit_codes import GUARD, INCOMPLETE, OK, SIGNAL
from fleetsweep.model.survey import FailedSurvey, Survey
from fleetsweep.store import baseline_file as baseline
from fleetsweep.sweep.phases import open_bastions, survey

SECOND_S: Final = 1.0


def execute(config: RunConfig, path: Path) -> int:
    """Take and write the baselines; return the exit code.

    Writes nothing and returns INCOMPLETE where a host could not be surveyed.
    Raises UsageError before any host is contacted.
    """
    from fleetsweep.report import printable

    baseline.check_target(path)
    if config.unexpected is not None:
        click.echo(printable(config.unexpected.message, limit=1000), err=True)
        return GUARD
    stopper = SignalHandler(config.reach.stopped)
    stopper.install()
    with (
        open_bastions(config.hosts, config.reach) as reach,
        progress("Surveying", len(config.hosts), config.output) as advance,
    ):
        found = survey(config.hosts, config.policies, reach, advance)
    looked = time.monotonic()
    for item in found:
        if isinstance(item, FailedSurvey):
            told = f"{item.host.name}: {item.fault.message}; {item.fault.remedy}".removesuffix("; ")
            click.echo(printable(told, limit=1000), err=True)
    if stopper.signal is not None or any(isinstance(item, FailedSurvey) for item in found):
        click.echo(f"{path}: no baseline was written", err=True)
        return SIGNAL + stopper.signal if stopper.signal is not None else INCOMPLETE
    taken = {
        item.host.name: baseline.take(item, config.policies[item.host.name])
        for item in found
        if isinstance(item, Survey)
    }
    try:
        baseline.save(taken, path, now_ns=time.time_ns())
    except (OSError, UsageError) as error:
        why = error if isinstance(error, UsageError) else f"--save: {path}: {error.strerror}"
        click.echo(f"no baseline was written: {why}", err=True)
        return INCOMPLETE
    # The baseline's time is a whole second: what is made once this returns must be in another one.
    config.reach.stopped.wait(max(0.0, looked + SECOND_S - time.monotonic()))
    if not config.output.quiet:
        ids = sum(len(each.ids) for each in taken.values())
        click.echo(f"fleetsweep: {path}: {ids} containers on {len(taken)} hosts were there before", err=True)
    return OK

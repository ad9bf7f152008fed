"""Taking a baseline: look at the hosts, and write down what is there."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Final, NoReturn

import click

from fleetsweep.cli.config import RunConfig
from fleetsweep.cli.signals import SignalHandler
from fleetsweep.console import leave, progress
from fleetsweep.errors import UsageError
from fleetsweep.model.survey import FailedSurvey, Survey
from fleetsweep.store import baseline_file as baseline
from fleetsweep.sweep.phases import reaching, survey

SECOND_S: Final = 1.0


def execute(request: RunConfig, path: Path) -> NoReturn:
    """Take and write the baselines, and exit: 3 where a host could not be looked at, and then nothing is written.

    Raises UsageError as long as nobody was contacted.
    """
    from fleetsweep.report import printable

    baseline.check_target(path)
    if request.unexpected is not None:
        click.echo(printable(request.unexpected.message, limit=1000), err=True)
        leave(4)
    stopper = SignalHandler(request.reach.stopped)
    stopper.install()
    with (
        reaching(request.hosts, request.reach) as reach,
        progress("Surveying", len(request.hosts), request.output) as advance,
    ):
        found = survey(request.hosts, request.policies, reach, advance)
    looked = time.monotonic()
    for item in found:
        if isinstance(item, FailedSurvey):
            told = f"{item.host.name}: {item.fault.message}; {item.fault.remedy}".removesuffix("; ")
            click.echo(printable(told, limit=1000), err=True)
    if stopper.signal is not None or any(isinstance(item, FailedSurvey) for item in found):
        click.echo(f"{path}: no baseline was written", err=True)
        leave(128 + stopper.signal if stopper.signal is not None else 3)
    taken = {
        item.host.name: baseline.take(item, request.policies[item.host.name])
        for item in found
        if isinstance(item, Survey)
    }
    try:
        baseline.save(taken, path, now_ns=time.time_ns())
    except (OSError, UsageError) as error:
        why = error if isinstance(error, UsageError) else f"--save: {path}: {error.strerror}"
        click.echo(f"no baseline was written: {why}", err=True)
        leave(3)
    # The baseline's time is a whole second: what is made once this returns must be in another one.
    request.reach.stopped.wait(max(0.0, looked + SECOND_S - time.monotonic()))
    if not request.output.quiet:
        ids = sum(len(each.ids) for each in taken.values())
        click.echo(f"fleetsweep: {path}: {ids} containers on {len(taken)} hosts were there before", err=True)
    leave(0)

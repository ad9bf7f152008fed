"""The one container that a command names, wherever it is."""

from __future__ import annotations

from dataclasses import dataclass

import click

from fleetsweep.cli.config import RunConfig
from fleetsweep.cli.run import survey_and_plan
from fleetsweep.errors import UsageError
from fleetsweep.exit_codes import INCOMPLETE, USAGE
from fleetsweep.model.container import Container
from fleetsweep.model.decision import FleetPlan
from fleetsweep.model.host import Host
from fleetsweep.model.survey import FailedSurvey


@dataclass(frozen=True, slots=True)
class Found:
    """The container that was meant. Unless ``complete``, a host that could not be surveyed may have another."""

    host: Host
    container: Container
    plan: FleetPlan
    complete: bool


def find_container(config: RunConfig, text: str) -> Found | int:
    """Survey the hosts for the one container that ``text`` means; return the exit code if it means none or several.

    Raises UsageError where another number of hosts is selected than expected.
    """
    from fleetsweep.policy.explain import matching
    from fleetsweep.report import printable

    if config.unexpected is not None:
        raise UsageError(f"--expect: {config.unexpected.message}")
    surveys, plan = survey_and_plan(config)
    failed = [item for item in surveys if isinstance(item, FailedSurvey)]
    for item in failed:
        click.echo(f"{printable(item.host.name)} could not be surveyed: {printable(item.fault.message)}", err=True)
    found = matching(surveys, text)
    if len(found) != 1:
        names = ", ".join(f"{printable(each.name)} on {printable(survey.host.name)}" for survey, each in found[:5])
        what = f"means {len(found)} containers ({names})" if found else "is the name or id of no container"
        click.echo(f"Error: {text!r} {what}: give the whole name or id, or one --host", err=True)
        return INCOMPLETE if failed and not found else USAGE
    ((survey, container),) = found
    return Found(survey.host, container, plan, not failed)

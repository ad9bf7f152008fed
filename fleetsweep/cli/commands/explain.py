"""``fleetsweep explain``: print each rule's verdict on one container."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated

import click

from fleetsweep.cli.command import command, option
from fleetsweep.cli.options import POLICY, ConnectOptions, FormatOptions, ListOptions, StateOptions, TargetOptions
from fleetsweep.model.policy_flags import Flags

EPILOG = """\b
Examples:
  fleetsweep explain -i inventory.yml ws-4711      on whichever host it is
  fleetsweep explain --host runner-2 3f9a          by the beginning of its id
  fleetsweep explain --local --max-age 6h ws-4711  with another limit
  fleetsweep explain --past ws-4711                why it was removed
"""


@dataclass(frozen=True, slots=True)
class PastOptions:
    """Whether the journal is read in place of the hosts."""

    past: bool = field(
        default=False,
        metadata=option(
            "Journal", "--past", help="What runs saw of it and did, from the journal alone; contacts no host."
        ),
    )


@command(click.Argument(["container"], required=False, metavar="CONTAINER"), epilog=EPILOG)
def explain(
    targets: TargetOptions,
    listing: ListOptions,
    connect: ConnectOptions,
    state: StateOptions,
    past: PastOptions,
    flags: Annotated[Flags, POLICY],
    style: FormatOptions,
    container: str | None,
) -> int:
    """Print each rule's verdict on one CONTAINER.

    CONTAINER is a name, an id, or the beginning of either if it is unique. Surveys the hosts, decides by the code of
    a sweep and prints what it would do; removes nothing. With --past, prints what past runs saw of it and why it went.
    """
    from fleetsweep.cli.config import build, choose
    from fleetsweep.cli.defaults import state_directory
    from fleetsweep.cli.find_container import find_container
    from fleetsweep.cli.run_journal import with_holds
    from fleetsweep.cli.targets import list_hosts
    from fleetsweep.console import Output, columns
    from fleetsweep.errors import UsageError
    from fleetsweep.exit_codes import INCOMPLETE, OK
    from fleetsweep.model.decision import HostPlan
    from fleetsweep.policy.explain import explain_container
    from fleetsweep.report import render_explanation

    if past.past:
        from fleetsweep.cli.explain_past import explain_past

        if container is None:
            raise UsageError("which container? give its name or id")
        return explain_past(state_directory(state.state_dir), container, targets, style.style)
    chosen = choose(targets, flags)
    if listing.list_hosts:
        return list_hosts(chosen.hosts, targets.expect)
    config = with_holds(build("explain", chosen, targets, connect, state_directory(state.state_dir), Output()))
    if container is None:
        raise UsageError("which container? give its name or id")
    found = find_container(config, container)
    if isinstance(found, int):
        return found
    host_plan = next(each for each in found.plan.hosts if isinstance(each, HostPlan) and each.host is found.host)
    explanation = explain_container(found.container, host_plan, config.policies[found.host.name], found.plan.guard)
    click.echo(render_explanation(explanation, style.style, columns()), nl=False)
    return OK if found.complete else INCOMPLETE

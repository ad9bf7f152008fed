"""``fleetsweep hosts``: print the selected hosts and how they are reached."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from typing import Annotated

from fleetsweep.cli.command import command, option
from fleetsweep.cli.options import POLICY, FormatOptions, TargetOptions
from fleetsweep.model.policy_flags import Flags

EPILOG = """\b
Examples:
  fleetsweep hosts -i inventory.yml                   every host
  fleetsweep hosts -i inventory.yml -l 'ci:!db' -v    with the source of each
                                                      variable and setting
  fleetsweep hosts -i inventory.yml --format json     for a program
"""


@dataclass(frozen=True, slots=True)
class HostsOptions:
    """How much is shown."""

    verbose: bool = field(
        default=False,
        metadata=option("Output", "-v", "--verbose", help="Also show each variable and setting with its source."),
    )


@command(epilog=EPILOG)
def hosts(targets: TargetOptions, flags: Annotated[Flags, POLICY], style: FormatOptions, options: HostsOptions) -> int:
    """Print the selected hosts and how they are reached.

    Contacts no host.
    """
    import click

    from fleetsweep.cli.config import resolve_all
    from fleetsweep.cli.targets import check_expected, select, summary, unread_settings
    from fleetsweep.console import columns
    from fleetsweep.policy.settings import sources
    from fleetsweep.report.hosts import render_hosts

    selection = select(targets)
    environ = dict(os.environ)
    # Resolved without -v, too: what an audit would refuse is refused here.
    policies, _ = resolve_all(selection.hosts, flags, environ)
    details = None
    if options.verbose:
        details = {host.name: (policies[host.name], sources(flags, environ, host)) for host in selection.hosts}
    click.echo(render_hosts(selection.hosts, style.style, details, columns()), nl=False)
    if options.verbose and not targets.local:
        click.echo(unread_settings(), nl=False, err=True)
    click.echo(summary(selection), err=True)
    return check_expected(selection.hosts, targets.expect)

"""``fleetsweep show``: show one past run."""

from __future__ import annotations

import click

from fleetsweep.cli.command import command
from fleetsweep.cli.completion import RUN
from fleetsweep.cli.options import FormatOptions, StateOptions

EPILOG = """\b
Examples:
  fleetsweep show                             the newest run
  fleetsweep show 20260615T07                 by the beginning of its id
  fleetsweep show 20260615T07 --format json   for a program
"""


@command(click.Argument(["run"], type=RUN, default="", metavar="[RUN]"), epilog=EPILOG)
def show(style: FormatOptions, state: StateOptions, run: str) -> int:
    """Show one past run: its hosts, its plan and its removals.

    [RUN] is the beginning of a run's id; without it the newest run is shown. Contacts no host.
    """
    from fleetsweep.cli.defaults import state_directory
    from fleetsweep.exit_codes import OK
    from fleetsweep.report import render_record
    from fleetsweep.store.journal import record

    click.echo(render_record(record(state_directory(state.state_dir), run), style.style), nl=False)
    return OK

"""``fleetsweep history``: list past runs."""

from __future__ import annotations

import click

from fleetsweep.cli.command import command
from fleetsweep.cli.options import FormatOptions, HistoryOptions, StateOptions

EPILOG = """\b
Examples:
  fleetsweep history                      the last twenty runs
  fleetsweep history --since 7d --failed  what went wrong this week
  fleetsweep history --host runner-2      when one host was reached, and what
                                          was found there
  sudo fleetsweep history --state-dir /var/lib/fleetsweep
                                          the timer's runs
"""


@command(epilog=EPILOG)
def history(options: HistoryOptions, style: FormatOptions, state: StateOptions) -> int:
    """List past runs, the newest first.

    Reads the journal of this machine and account, which keeps 90 days. Contacts no host.
    """
    import time

    from fleetsweep.cli.defaults import state_directory
    from fleetsweep.console import columns
    from fleetsweep.exit_codes import OK
    from fleetsweep.model.container import SECOND
    from fleetsweep.report import render_history
    from fleetsweep.store.journal import past_runs

    runs = past_runs(
        state_directory(state.state_dir),
        most=options.last,
        since_ns=0 if options.since is None else time.time_ns() - int(options.since * SECOND),
        hosts=options.hosts,
        failed=options.failed,
    )
    click.echo(render_history(runs, style.style, columns()), nl=False)
    if not runs:
        click.echo("No matching runs.", err=True)
    return OK

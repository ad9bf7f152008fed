"""``fleetsweep history``: list past runs, sum up past leaks, and delete old runs."""

from __future__ import annotations

from typing import Final

import click

from fleetsweep.cli.command import command
from fleetsweep.cli.history_options import HistoryOptions, LeakOptions, PruneOptions
from fleetsweep.cli.options import FormatOptions, StateOptions

EPILOG = """\b
Examples:
  fleetsweep history                      the last twenty runs
  fleetsweep history --since 7d --failed  what went wrong this week
  fleetsweep history --host runner-2      when one host was reached, and what
                                          was found there
  fleetsweep history --by image           which images leak, in 30 days
  fleetsweep history --per week --since 90d
                                          whether it is getting better
  fleetsweep history --by label:fleetsweep.owner --per day --since 7d
  sudo fleetsweep history --state-dir /var/lib/fleetsweep
                                          the timer's runs
  fleetsweep history prune --keep 90d     delete older runs
"""

ROWS: Final = 20
"""The rows that are printed unless --last is given."""


@command(click.Argument(["action"], required=False, type=click.Choice(["prune"]), metavar="[prune]"), epilog=EPILOG)
def history(
    options: HistoryOptions,
    leaks: LeakOptions,
    pruning: PruneOptions,
    style: FormatOptions,
    state: StateOptions,
    action: str | None,
) -> int:
    """List past runs, the newest first.

    Reads the journal of this machine and account, which keeps 90 days. With --by or --per, sums up the leaks that runs
    saw. With [prune], deletes the runs and leaks that ended before --keep, but nothing that is open or held. Contacts
    no host.
    """
    import time

    from fleetsweep.cli import past_leaks
    from fleetsweep.cli.defaults import state_directory
    from fleetsweep.console import columns
    from fleetsweep.errors import UsageError
    from fleetsweep.exit_codes import OK
    from fleetsweep.model.container import SECOND
    from fleetsweep.report import render_history
    from fleetsweep.store.journal import journal_size, past_runs

    directory = state_directory(state.state_dir)
    if action is not None or pruning.keep is not None:
        if action is None or pruning.keep is None:
            raise UsageError("give both prune and --keep: fleetsweep history prune --keep 90d")
        if options != HistoryOptions() or leaks != LeakOptions():
            raise UsageError("history prune takes no other option than --keep, --format and --state-dir")
        return past_leaks.prune_journal(directory, pruning.keep, style.style)
    if leaks != LeakOptions():
        return past_leaks.print_leaks(directory, options, leaks, style.style)
    runs = past_runs(
        directory,
        most=options.last or ROWS,
        since_ns=0 if options.since is None else time.time_ns() - int(options.since * SECOND),
        hosts=options.hosts,
        failed=options.failed,
    )
    size = journal_size(directory) if options.verbose else None
    click.echo(render_history(runs, style.style, columns(), size), nl=False)
    if not runs:
        click.echo("No matching runs.", err=True)
    return OK

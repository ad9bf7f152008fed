"""``fleetsweep show``: show one past run, or what is known of one container that runs removed."""

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
  fleetsweep show ws-4711                     why a container was removed, its
                                              details and the end of its log
"""


@command(click.Argument(["what"], type=RUN, default="", metavar="[RUN|CONTAINER]"), epilog=EPILOG)
def show(style: FormatOptions, state: StateOptions, what: str) -> int:
    """Show one past run, or one container that runs removed.

    [RUN|CONTAINER] is the beginning of a run's id, or a container's name or id, or at least four characters of its
    beginning. Of a run, the hosts and the removals are shown, and as JSON its whole report; of a container, why it
    was removed and what was kept of it, without secrets. Without an argument the newest run is shown. Contacts no
    host.
    """
    from fleetsweep.cli.defaults import state_directory
    from fleetsweep.cli.past_report import past_report
    from fleetsweep.console import columns
    from fleetsweep.exit_codes import OK
    from fleetsweep.report import render_record
    from fleetsweep.report.evidence import render_evidence
    from fleetsweep.store.journal import NoRunError, past_evidence, record

    directory = state_directory(state.state_dir)
    try:
        found = record(directory, what)
    except NoRunError:
        if not what:
            raise
        text = render_evidence(past_evidence(directory, what), style.style)
    else:
        report = past_report(directory, found.run) if style.style == "json" else None
        text = render_record(found, style.style, columns(), report)
    click.echo(text, nl=False)
    return OK

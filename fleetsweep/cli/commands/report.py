"""``fleetsweep report``: the journal as one HTML page."""

from __future__ import annotations

from dataclasses import dataclass, field

import click

from fleetsweep.cli.command import command, option
from fleetsweep.cli.options import HOUR_S, StateOptions
from fleetsweep.cli.params import FILE, Duration

EPILOG = """\b
Examples:
  fleetsweep report --html fleet.html             the last 30 days
  fleetsweep report --html - --since 7d           to stdout
  sudo fleetsweep report --html /var/www/fleet.html \\
      --state-dir /var/lib/fleetsweep             the timer's runs

The page is one file without a script, and a browser sends no request for it.
It has names of hosts, containers and images: serve it only to those who may
read the journal.
"""


@dataclass(frozen=True, slots=True)
class ReportOptions:
    """Where the page goes, and how far back it looks, in seconds."""

    html: str = field(
        default="",
        metadata=option("Output", "--html", type=FILE, required=True, help="Write the page to this file; - is stdout."),
    )
    since: float = field(
        default=30 * 24 * HOUR_S,
        metadata=option(
            "Runs", "--since", type=Duration(), help="Days to show, such as 7d; at most 92. [default: 30d]"
        ),
    )


@command(epilog=EPILOG)
def report(options: ReportOptions, state: StateOptions) -> int:
    """Write the fleet's state and history as an HTML page.

    On top is what must be acted on now; then each host on each day, top leakers, what changed over time, removals and
    refusals, hosts not seen, and the last run. Reads the journal of this machine and account. Contacts no host.
    """
    import time
    from pathlib import Path

    from fleetsweep import __version__
    from fleetsweep.cli.defaults import state_directory
    from fleetsweep.console import say_wrapped
    from fleetsweep.exit_codes import INCOMPLETE, OK
    from fleetsweep.model.container import SECOND
    from fleetsweep.report.html import render_page
    from fleetsweep.runtime import files
    from fleetsweep.store.journal import overview

    now_ns = time.time_ns()
    found = overview(state_directory(state.state_dir), now_ns - int(options.since * SECOND), now_ns)
    page = render_page(found, version=__version__)
    if options.html == "-":
        click.echo(page, nl=False)
        return OK
    try:
        files.write(Path(files.expanded(options.html)), page)
    except OSError as error:
        say_wrapped(f"--html: {options.html}: {error.strerror}: no page was written")
        return INCOMPLETE
    return OK

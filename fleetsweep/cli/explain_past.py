"""``explain --past``: what the journal has of one container. No host is contacted."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import Final

import click

from fleetsweep.cli.options import TargetOptions
from fleetsweep.console import columns, columns_of, say, say_wrapped
from fleetsweep.errors import UsageError
from fleetsweep.exit_codes import OK, USAGE

MATCHES: Final = 20
"""The most matches of an ambiguous name that are listed."""


def explain_past(state_dir: Path, text: str, targets: TargetOptions, style: str) -> int:
    """Print what is recorded of the one container that ``text`` means; return the exit code. Raises UsageError."""
    from fleetsweep.report.past_container import match_lines, render_past_container
    from fleetsweep.store.journal import holds, past_containers

    if targets.inventory or targets.limit or targets.local:
        raise UsageError(
            "--past reads the journal alone: leave out --inventory, --limit and --local; --host narrows it"
        )
    found = past_containers(state_dir, text, targets.hosts)
    if not found:
        where = f"on {', '.join(targets.hosts)} " if targets.hosts else ""
        raise UsageError(
            f"{text!r} is the beginning of no name or id {where}in the journal in {state_dir}: "
            "no run saw such a container stale, or removed it"
        )
    if len(found) > 1:
        say_wrapped(f"Error: {text!r} means {len(found)} containers: give the id of one, or a --host")
        say("\n".join(match_lines(found[:MATCHES], columns_of(sys.stderr))))
        if len(found) > MATCHES:
            say(f"and {len(found) - MATCHES} more")
        return USAGE
    (container,) = found
    hold = next((each for each in holds(state_dir, time.time_ns()) if each.container_id == container.id), None)
    click.echo(render_past_container(container, hold, style, columns()), nl=False)
    return OK

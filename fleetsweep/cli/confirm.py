"""The question before a removal."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from fleetsweep.console import count, say

if TYPE_CHECKING:
    from fleetsweep.cli.signals import SignalHandler
    from fleetsweep.model.decision import HostPlan


def confirmed(todo: Sequence[HostPlan], signals: SignalHandler, *, verbose: bool) -> bool:
    """Show the plan, ask, and return whether the answer is y or yes. The end of input is a no."""
    from fleetsweep.report import confirmation

    containers = sum(len(item.candidates) for item in todo)
    signals.asking = True
    try:
        click.echo(confirmation(todo, verbose=verbose), nl=False, err=True)
        where = count(len(todo), "host")
        click.echo(f"Remove {count(containers, 'container')} on {where}? [y/N] ", nl=False, err=True)
        answer = sys.stdin.readline()
    except (KeyboardInterrupt, OSError):
        # OSError: the terminal hung up.
        answer = ""
        say("")
    finally:
        signals.asking = False
    if answer.strip().lower() in {"y", "yes"}:
        return True
    say("Nothing was removed.")
    return False

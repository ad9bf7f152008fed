"""The question before a removal, and before host keys are saved."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from fleetsweep.console import columns_of, count, say

if TYPE_CHECKING:
    from fleetsweep.cli.signals import SignalHandler
    from fleetsweep.model.decision import HostPlan


def confirmed(todo: Sequence[HostPlan], signals: SignalHandler, *, verbose: bool) -> bool:
    """Show the plan, ask, and return whether the answer is y or yes. The end of input is a no."""
    from fleetsweep.report import confirmation

    containers = sum(len(item.candidates) for item in todo)
    where = count(len(todo), "host")
    resources = sum(len(item.resources) for item in todo)
    more = f" and {resources} volumes and networks" if resources else ""
    question = f"Remove {count(containers, 'container')}{more} on {where}? [y/N] "
    before = confirmation(todo, verbose=verbose, width=columns_of(sys.stderr))
    if answered_yes(question, signals, before=before):
        return True
    say("Nothing was removed.")
    return False


def answered_yes(question: str, signals: SignalHandler, *, before: str = "") -> bool:
    """Print ``before``, ask the question, and return whether the answer is y or yes. The end of input is a no."""
    signals.asking = True
    try:
        click.echo(before, nl=False, err=True)
        click.echo(question, nl=False, err=True)
        answer = sys.stdin.readline()
    except (KeyboardInterrupt, OSError):
        # OSError: the terminal hung up.
        answer = ""
        say("")
    finally:
        signals.asking = False
    return answer.strip().lower() in {"y", "yes"}


def can_ask() -> bool:
    """Return whether there is a terminal to ask on."""
    return bool(sys.stdin and sys.stdin.isatty() and sys.stderr.isatty())

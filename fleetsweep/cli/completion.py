"""Option values that a shell completes: hosts and groups of the inventory, and the ids of past runs.

A completion prints nothing on an error, ends within two seconds, and starts no program: the Tab key in a directory of
someone else's must not run an inventory script there.
"""

from __future__ import annotations

import re
import signal
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import FrameType
from typing import Final

import click
from click.shell_completion import CompletionItem

LIMIT_S: Final = 2.0
"""Seconds for a completion."""

MOST_RUNS: Final = 50
"""The newest runs are completed."""

_PLAIN: Final = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.@%+:-]*", re.ASCII)
"""A shell inserts a completed word unquoted, so other names are not offered."""

Words = Callable[[click.Context, str], Iterable[CompletionItem]]
"""Returns the completions of a word that was begun."""


class CompletedText(click.ParamType[str]):
    """A text that a shell completes."""

    name = "text"

    def __init__(self, words: Words) -> None:
        self.words = words

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Return the text itself."""
        return str(value)

    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
        """Return the completions; none after an error or at the end of the time."""
        with suppress(Exception), _time_limit():
            return list(self.words(ctx, incomplete))
        return []


@contextmanager
def _time_limit() -> Iterator[None]:
    """Raise TimeoutError in the body after ``LIMIT_S``."""

    def expire(_number: int, _frame: FrameType | None) -> None:
        raise TimeoutError

    earlier = signal.signal(signal.SIGALRM, expire)
    signal.setitimer(signal.ITIMER_REAL, LIMIT_S)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, earlier)


def _hosts(ctx: click.Context, begun: str) -> Iterator[CompletionItem]:
    hosts, _ = _inventory(ctx)
    return _items("", hosts, begun)


def _limits(ctx: click.Context, begun: str) -> Iterator[CompletionItem]:
    """Complete the last of the patterns between commas, which may begin with ``!`` or ``&``."""
    last = re.split(r"[,!&]", begun)[-1]
    hosts, groups = _inventory(ctx)
    return _items(begun.removesuffix(last), (*groups, *hosts), last)


def _inventory(ctx: click.Context) -> tuple[tuple[str, ...], tuple[str, ...]]:
    from fleetsweep.cli.defaults import named_sources
    from fleetsweep.inventory import names_in

    return names_in(named_sources(ctx.params.get("inventory") or ()), cwd=Path.cwd())


def _items(before: str, names: Iterable[str], begun: str) -> Iterator[CompletionItem]:
    found = (name for name in names if name.startswith(begun) and _PLAIN.fullmatch(name))
    return (CompletionItem(before + name) for name in found)


def _runs(ctx: click.Context, begun: str) -> Iterator[CompletionItem]:
    from fleetsweep.cli.defaults import state_directory
    from fleetsweep.store.journal import past_runs

    runs = past_runs(state_directory(ctx.params.get("state_dir")), most=MOST_RUNS)
    return (CompletionItem(run.id, help=run.command) for run in runs if run.id.startswith(begun))


HOST: Final = CompletedText(_hosts)
LIMIT: Final = CompletedText(_limits)
RUN: Final = CompletedText(_runs)

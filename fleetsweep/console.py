"""What a command says to whoever runs it: its report, its progress, its words on stderr, and its last breath."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import click

from fleetsweep.exit_codes import INCOMPLETE
from fleetsweep.model.host import Host
from fleetsweep.runtime import files


@dataclass(frozen=True, slots=True)
class Output:
    """Where the report goes and how much it says. ``path`` None is stdout."""

    style: str = "table"
    path: Path | None = None
    verbose: bool = False
    quiet: bool = False
    fail_on_stale: bool = False
    save_plan: Path | None = None


def note(text: str, output: Output) -> None:
    """Tell a person something by the way, unless they asked for quiet."""
    if not output.quiet:
        say(f"fleetsweep: {text}")


def warn(text: str) -> None:
    """Tell what did not go as it should and does not end the run."""
    say(f"fleetsweep: warning: {text}")


def say(text: str) -> None:
    """Write a line to stderr. A terminal that hung up costs the words, never the run."""
    with suppress(OSError):
        click.echo(text, err=True)


def count(number: int, what: str) -> str:
    """``1 host``, ``2 hosts``."""
    return f"{number} {what}" + ("" if number == 1 else "s")


@contextmanager
def progress(what: str, total: int, output: Output) -> Iterator[Callable[[Host], None]]:
    """A bar on stderr where that is a terminal."""
    if output.quiet or not sys.stderr.isatty():
        yield lambda host: None
        return
    from rich.console import Console
    from rich.progress import Progress

    bar = Progress(console=Console(stderr=True), transient=True)
    task = bar.add_task(what, total=total)
    with suppress(OSError):
        bar.start()
    try:
        yield lambda host: bar.advance(task)
    finally:
        with suppress(OSError):
            bar.stop()


def deliver(text: str, output: Output, code: int) -> int:
    """Put a report where it belongs, and answer the exit code.

    A reader who had enough costs the rest of the text, no more.
    """
    if output.path is not None:
        try:
            # What was printed so far comes first where both go to the same place.
            sys.stdout.flush()
            files.write(output.path, text)
        except OSError as error:
            say(f"--output: {output.path}: {error.strerror}: the report is on stdout instead")
            code = code or INCOMPLETE
        else:
            return code
    try:
        sys.stdout.write(text)
        sys.stdout.flush()
    except BrokenPipeError:
        return code
    except OSError as error:
        say(f"the report can't be written: {error.strerror}")
        return code or INCOMPLETE
    return code

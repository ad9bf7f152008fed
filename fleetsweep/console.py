"""What a command prints: its report on stdout or in a file, notes and warnings on stderr."""

from __future__ import annotations

import os
import sys
import textwrap
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TextIO

import click

from fleetsweep.exit_codes import INCOMPLETE
from fleetsweep.runtime import files

LEAST_COLUMNS: Final = 40
"""Cells: on a narrower terminal, lines wrap."""
DEFAULT_COLUMNS: Final = 80
"""Cells of a terminal that does not report its width."""


@dataclass(frozen=True, slots=True)
class Output:
    """Where the report goes and how much it says. ``path`` None is stdout."""

    style: str = "table"
    path: Path | None = None
    verbose: bool = False
    quiet: bool = False
    fail_on_stale: bool = False
    save_plan: Path | None = None

    @property
    def streams(self) -> bool:
        """Whether rows are printed while the run goes on. A file is replaced as a whole, when the run has ended."""
        return self.style == "jsonl" and self.path is None


def columns(output: Output | None = None) -> int | None:
    """Return the width of the report's lines in cells; None for no limit, as in a file."""
    return None if output is not None and output.path is not None else columns_of(sys.stdout)


def columns_of(stream: TextIO) -> int | None:
    """Return a stream's width in cells, from COLUMNS or its terminal; None for a pipe or a file without COLUMNS."""
    given = os.environ.get("COLUMNS", "")
    if given.isascii() and given.isdigit() and len(given) < 6 and int(given):
        return max(LEAST_COLUMNS, int(given))
    if not stream.isatty():
        return None
    try:
        size = os.get_terminal_size(stream.fileno()).columns
    except (OSError, ValueError):
        size = 0
    # A serial line reports no size.
    return max(LEAST_COLUMNS, size or DEFAULT_COLUMNS)


def is_plain(stream: TextIO) -> bool:
    """Return whether a stream gets neither colours nor lines that are redrawn.

    That is so without a terminal, on one that obeys no escape sequences, where NO_COLOR asks for it, and in a CI job,
    whose log would show them. https://no-color.org
    """
    if not stream.isatty() or os.environ.get("NO_COLOR"):
        return True
    ci = os.environ.get("CI", "").lower() not in {"", "0", "false"}
    return ci or os.environ.get("TERM", "dumb").lower() in {"", "dumb", "unknown"}


def note(text: str, output: Output) -> None:
    """Print a note on stderr, unless --quiet was given."""
    if not output.quiet:
        say_wrapped(f"fleetsweep: {text}")


def warn(text: str) -> None:
    """Print a warning on stderr: something failed that does not end the run."""
    say_wrapped(f"fleetsweep: warning: {text}")


def say_wrapped(text: str) -> None:
    """Print a sentence on stderr in lines of the terminal's width, broken between words."""
    width = columns_of(sys.stderr)
    if width is not None and len(text) > width:
        text = textwrap.fill(
            text, width, subsequent_indent="  ", break_long_words=False, break_on_hyphens=False, tabsize=1
        )
    say(text)


def say(text: str) -> None:
    """Print a line on stderr. A terminal that hung up must not end the run."""
    with suppress(OSError):
        click.echo(text, err=True)


def count(number: int, what: str) -> str:
    """Return ``1 host`` or ``2 hosts``."""
    return f"{number} {what}" + ("" if number == 1 else "s")


def deliver(text: str, output: Output, code: int) -> int:
    """Print a report or write it to its file; return ``code``, or INCOMPLETE where that failed and ``code`` was OK.

    A reader that closes the pipe early is no failure.
    """
    if output.path is not None:
        try:
            # Earlier output comes first where both go to the same file.
            sys.stdout.flush()
            files.write(output.path, text)
        except OSError as error:
            say_wrapped(f"--output: {output.path}: {error.strerror}: the report is on stdout instead")
            code = code or INCOMPLETE
        else:
            return code
    try:
        sys.stdout.write(text)
        sys.stdout.flush()
    except OSError as error:
        return undelivered(error, code)
    return code


def undelivered(error: OSError, code: int) -> int:
    """Report that stdout can't be written, unless its reader closed the pipe early; return the exit code."""
    if isinstance(error, BrokenPipeError):
        return code
    say_wrapped(f"the report can't be written: {error.strerror}")
    return code or INCOMPLETE

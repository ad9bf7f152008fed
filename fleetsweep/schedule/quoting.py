"""How words are written where another program splits them: a unit, a crontab, a workflow. Pure."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable, Sequence
from typing import Final

from fleetsweep.errors import UsageError

_PLAIN: Final = re.compile(r"[A-Za-z0-9_@%+=:,./^~-]+", re.ASCII)
_ACCOUNT: Final = re.compile(r"[a-z_][a-z0-9_-]{0,30}\$?", re.ASCII)
CRON_LIMIT: Final = 998
"""Characters of a command that Vixie cron takes; it drops the whole file for one that is longer."""


def check_line(what: str, text: str) -> str:
    """The text, if it can stand on one line of any file. Raises UsageError.

    A line's end would begin another directive, and no quoting of units, crontabs or YAML is proof against every
    control character.
    """
    if not text.isprintable():
        raise UsageError(f"{what}: {text[:100]!r} has a character in it that can't be printed: no schedule can hold it")
    return text


def check_account(name: str) -> str:
    """The name, if it may be an account's. Raises UsageError: crontabs and units have no quotes there."""
    if not _ACCOUNT.fullmatch(name):
        raise UsageError(f"--user: {name[:100]!r} is not an account's name: lower case letters, digits, - and _")
    return name


def check_workflow(what: str, text: str) -> str:
    """The text, if a workflow's expressions leave it alone. Raises UsageError."""
    if "${{" in text:
        raise UsageError(f"{what}: {text[:100]!r} would be an expression of the workflow: leave out the ${{{{")
    return check_line(what, text)


def systemd_words(words: Sequence[str]) -> str:
    """A command for an Exec line. Its rules are not the shell's: see systemd.service(5), COMMAND LINES.

    In the program's path, the first word, a ``$`` means nothing.
    """
    return " ".join([systemd_path(words[0]), *map(systemd_word, words[1:])])


def systemd_word(word: str) -> str:
    """One word of an Exec line: ``%`` begins a specifier and ``$`` a variable, in quotes too."""
    return systemd_path(word).replace("$", "$$")


def systemd_path(path: str) -> str:
    """One word of a setting that takes paths: there ``$`` means nothing."""
    if not _PLAIN.fullmatch(path):
        path = '"' + path.replace("\\", "\\\\").replace('"', '\\"') + '"'
    return path.replace("%", "%%")


def shell_words(words: Iterable[str]) -> str:
    """Words of a POSIX shell's command line."""
    return shlex.join(words)


def cron_words(words: Iterable[str]) -> str:
    r"""Words of a crontab's command. Raises UsageError for more than cron takes.

    cron turns ``\%`` into ``%``, and some crons ``\\`` into ``\``, before a shell sees either: so no backslash may
    stand before another, nor before a percent sign, but the one that escapes it.
    """
    line = re.sub(r"\\(?=[\\%])", r"\\''", shlex.join(words)).replace("%", r"\%")
    if len(line) > CRON_LIMIT:
        raise UsageError(
            f"the command has {len(line)} characters, and cron takes {CRON_LIMIT}: "
            "put settings into the inventory, or take fleetsweep schedule systemd"
        )
    return line

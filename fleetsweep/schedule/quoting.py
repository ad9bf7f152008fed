"""Quoting words for programs that split command lines: systemd, cron and its shell, a workflow. Pure."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable, Sequence
from typing import Final

from fleetsweep.errors import UsageError

_PLAIN: Final = re.compile(r"[A-Za-z0-9_@%+=:,./^~-]+", re.ASCII)
_ACCOUNT: Final = re.compile(r"[a-z_][a-z0-9_-]{0,30}\$?", re.ASCII)
CRON_LIMIT: Final = 998
"""Characters of a command that Vixie cron takes; it ignores the whole file for a longer one."""


def check_line(what: str, text: str) -> str:
    """Return the text if it fits on one line of any file. Raises UsageError.

    A newline would start another directive, and no quoting in units, crontabs or YAML covers every control character.
    """
    if not text.isprintable():
        raise UsageError(f"{what}: {text[:100]!r} has an unprintable character, which no schedule can hold")
    return text


def check_account(name: str) -> str:
    """Return the name if it is a valid account name. Raises UsageError: crontabs and units can't quote it."""
    if not _ACCOUNT.fullmatch(name):
        raise UsageError(f"--user: {name[:100]!r} is not an account name: use lower case letters, digits, - and _")
    return name


def check_workflow(what: str, text: str) -> str:
    """Return the text if a workflow would not evaluate it. Raises UsageError."""
    if "${{" in text:
        raise UsageError(f"{what}: {text[:100]!r} is an expression that the workflow would evaluate: remove the ${{{{")
    return check_line(what, text)


def systemd_words(words: Sequence[str]) -> str:
    """Return a command for an Exec line. Its rules are not the shell's: see systemd.service(5), COMMAND LINES.

    In the first word, the program's path, ``$`` is an ordinary character.
    """
    return " ".join([systemd_path(words[0]), *map(systemd_word, words[1:])])


def systemd_word(word: str) -> str:
    """Return one word for an Exec line, where ``%`` begins a specifier and ``$`` a variable, even in quotes."""
    return systemd_path(word).replace("$", "$$")


def systemd_path(path: str) -> str:
    """Return one word for a setting that takes paths, where ``$`` is an ordinary character."""
    if not _PLAIN.fullmatch(path):
        path = '"' + path.replace("\\", "\\\\").replace('"', '\\"') + '"'
    return path.replace("%", "%%")


def shell_words(words: Iterable[str]) -> str:
    """Return words for a POSIX shell's command line."""
    return shlex.join(words)


def cron_words(words: Iterable[str]) -> str:
    r"""Return words for a crontab's command. Raises UsageError for a command longer than CRON_LIMIT.

    Before the shell sees the line, cron turns ``\%`` into ``%``, and some crons ``\\`` into ``\``. So no backslash may
    come before another, nor before a percent sign, except the one that escapes it.
    """
    line = re.sub(r"\\(?=[\\%])", r"\\''", shlex.join(words)).replace("%", r"\%")
    if len(line) > CRON_LIMIT:
        raise UsageError(
            f"the command has {len(line)} characters, cron takes at most {CRON_LIMIT}: "
            "move settings to the inventory, or use fleetsweep schedule systemd"
        )
    return line


def systemd_variable(name: str, value: str) -> str:
    """Return a line of a file for EnvironmentFile=, whose quotes are a shell's. See systemd.exec(5)."""
    escaped = re.sub(r'([\\"$`])', r"\\\1", value)
    return f'{name}="{escaped}"'


def cron_variable(name: str, value: str) -> str:
    """Return a line of a crontab that sets a variable. Raises UsageError for a value that cron would change."""
    if '"' in value or len(name) + len(value) > CRON_LIMIT - 10:
        raise UsageError(f"{name}: cron takes no double quotes, and at most {CRON_LIMIT - 10} characters")
    return f'{name}="{value}"'

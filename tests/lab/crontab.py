"""Parse a crontab as cron does."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Entry:
    """Schedule, user, and the command for the shell."""

    when: str
    user: str
    command: str


def entries(text: str, *, halves_backslashes: bool = False) -> list[Entry]:
    r"""Return the entries of a file in /etc/cron.d.

    ``\%`` is a percent sign; a bare one ends the command. Some crons also turn ``\\`` into one backslash.
    """
    found = []
    for line in text.splitlines():
        if line and not line.startswith("#"):
            *when, user, command = line.split(None, 6)
            found.append(Entry(" ".join(when), user, _command(command, halves_backslashes)))
    return found


def _command(text: str, halves_backslashes: bool) -> str:
    made, rest = "", text
    while rest:
        if rest[:2] == r"\%" or (halves_backslashes and rest[:2] == "\\\\"):
            made, rest = made + rest[1], rest[2:]
        elif rest[0] == "\\":
            made, rest = made + rest[:2], rest[2:]
        elif rest[0] == "%":
            break
        else:
            made, rest = made + rest[0], rest[1:]
    return made

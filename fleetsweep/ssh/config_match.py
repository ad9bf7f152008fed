"""``Match`` of ssh_config(5): its criteria, judged from left to right. The first that fails decides.

A criterion that is not known here is an error only where no other one fails: only there it decides.
"""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from fleetsweep.model.redact import program_of
from fleetsweep.runtime.children import Child
from fleetsweep.ssh.config_text import first_word, matches_list, split_first
from fleetsweep.ssh.config_tokens import expand_tokens

EXEC_TIMEOUT_S: Final = 5.0
"""Seconds that the command of a ``Match exec`` may take."""

_ALONE: Final = frozenset({"all", "canonical", "final"})
_KNOWN: Final = frozenset({"exec", "host", "localuser", "originalhost", "tagged", "user"})
_LATER: Final = frozenset({"command", "localnetwork", "sessiontype", "version"})
"""Criteria of newer OpenSSH with one argument, which are not judged here."""


@dataclass(frozen=True, slots=True)
class Criterion:
    """One criterion. ``known`` is whether it can be judged here."""

    kind: str
    negated: bool
    argument: str
    known: bool = True


@dataclass(frozen=True, slots=True)
class Subject:
    """What the criteria are compared with, and ``tokens`` for the command of an ``exec``."""

    host: str
    original: str
    user: str
    local_user: str
    tag: str
    final: bool
    tokens: Callable[[], Mapping[str, str]]


def parse_match(text: str) -> tuple[Criterion, ...]:
    """Return the criteria of a Match line. Raises ValueError."""
    found: list[Criterion] = []
    rest = text
    while rest:
        attribute, rest = _next(rest)
        if not attribute or attribute.startswith("#"):
            break
        negated = attribute.startswith("!")
        kind = attribute.removeprefix("!").lower()
        if kind in _ALONE:
            found.append(Criterion(kind, negated, ""))
            if kind != "all":
                continue
            if len(found) > 2 or (rest and not rest.startswith("#")):
                raise ValueError("'all' can't be combined with other criteria")
            break
        argument, rest = _next(rest)
        if kind not in _KNOWN and kind not in _LATER:
            # Whether it has an argument is not known, so neither is what follows.
            found.append(Criterion(kind, negated, argument, known=False))
            break
        if not argument or argument.startswith("#"):
            raise ValueError(f"{kind} has no argument")
        found.append(Criterion(kind, negated, argument, kind in _KNOWN))
    if not found:
        raise ValueError("a criterion is missing")
    return tuple(found)


def _next(text: str) -> tuple[str, str]:
    if text.startswith("'"):
        # OpenSSH 9.9 reads single quotes here; older versions do not, and refuse the line.
        word, position = first_word(text, 0)
        return word, text[position:].lstrip()
    split = split_first(text)
    if split is None:
        raise ValueError("a quote is not closed")
    return split


def judge(criteria: tuple[Criterion, ...], subject: Subject) -> bool:
    """Return whether all criteria match.

    Raises ValueError where one that is not known decides, and for a command that can't run or takes too long.
    """
    unknown: Criterion | None = None
    for criterion in criteria:
        if not criterion.known:
            unknown = unknown or criterion
        elif criterion.kind == "exec":
            if unknown is None and _succeeds(expand_tokens(criterion.argument, subject.tokens)) is criterion.negated:
                return False
        elif _judge_one(criterion, subject) is criterion.negated:
            return False
    if unknown is not None:
        raise ValueError(
            f"Match {unknown.kind} is not supported, and it decides for this host: use host, originalhost, user, "
            "localuser, tagged or exec"
        )
    return True


def _judge_one(criterion: Criterion, subject: Subject) -> bool:
    if criterion.kind == "all":
        return True
    if criterion.kind in {"canonical", "final"}:
        return subject.final
    compared = {
        "host": subject.host,
        "originalhost": subject.original,
        "user": subject.user,
        "localuser": subject.local_user,
        "tagged": subject.tag,
    }[criterion.kind]
    if criterion.kind in {"host", "originalhost"}:
        return matches_list(compared.lower(), criterion.argument.lower())
    return matches_list(compared, criterion.argument)


def _succeeds(command: str) -> bool:
    """Run a command without the operator's standard input. Return whether it succeeded. Raises ValueError."""
    devnull = subprocess.DEVNULL
    # Messages show the program alone: its arguments may hold a password.
    name = f"Match exec ({program_of(command)})".removesuffix(" ()")
    try:
        child = Child(["/bin/sh", "-c", command], stdin=devnull, stdout=devnull, stderr=devnull)
    except (OSError, ValueError) as error:
        raise ValueError(f"{name}: {error.strerror if isinstance(error, OSError) else error}") from error
    try:
        status = child.status(EXEC_TIMEOUT_S)
    finally:
        child.end()
    if status is None:
        raise ValueError(f"{name} did not end within {EXEC_TIMEOUT_S:g} s")
    return status == 0

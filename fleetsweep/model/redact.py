"""Keeping out of reports what a command's words may hold: a ProxyCommand often carries a password.

Pure: the environment is handed in.
"""

from __future__ import annotations

import base64
import re
import shlex
from collections.abc import Collection, Iterator, Mapping
from typing import Final
from urllib.parse import unquote

MASK: Final = "********"

_PROGRAM: Final = re.compile(r"[A-Za-z0-9_+.-]{1,40}", re.ASCII)
_OPTION: Final = re.compile(r"-[A-Za-z]", re.ASCII)
_JOINTS: Final = re.compile(r"[=:@/,;|&<>()'\"\s]+")
_VARIABLE: Final = re.compile(r"\$(?:\{(\w+)\}|(\w+))", re.ASCII)
_SHORT: Final = 4
"""Shorter pieces are masked as whole words alone: they stand inside too many others."""


def program_of(command: str) -> str:
    """The name of the program that a shell command starts; empty if that can't be told without showing more."""
    first = _words(command)[:1]
    name = first[0].rpartition("/")[2] if first else ""
    return name if _PROGRAM.fullmatch(name) else ""


def digest_of(command: str) -> str:
    """Words that stand for a command: another command has others.

    They are 32 bits, too few to tell a good password by trying.
    """
    import hashlib

    return f"a command of digest {hashlib.sha256(command.encode('utf-8', 'surrogateescape')).hexdigest()[:8]}"


def without_words(text: str, command: str, environ: Mapping[str, str], known: Collection[str] = ()) -> str:
    """``text`` with a mask for whatever stands in ``command``, too: its words, their parts and their values.

    Kept are the program's name and path, options of one letter, and the words in ``known``, such as the host's address.
    """
    program, words = program_of(command), _words(command)
    harmless = {program, *known}
    pieces = {piece for word in (words[1:] if program else words) for piece in _pieces(word, environ)}
    pieces = {piece for piece in pieces if piece not in harmless and not _OPTION.fullmatch(piece)}
    if not pieces:
        return text
    # The longest first: a part must not leave the rest of its word behind.
    patterns = [
        re.escape(piece) if len(piece) >= _SHORT else rf"(?<!\w){re.escape(piece)}(?!\w)"
        for piece in sorted(pieces, key=lambda piece: (-len(piece), piece))
    ]
    return re.sub("|".join(patterns), MASK, text)


def _words(command: str) -> list[str]:
    try:
        return shlex.split(command)
    except ValueError:
        return command.split()


def _pieces(word: str, environ: Mapping[str, str], depth: int = 0) -> Iterator[str]:
    """A word, and what a program may make of it before it prints it."""
    forms = {word, unquote(word), _VARIABLE.sub(lambda found: environ.get(found[1] or found[2], ""), word)}
    for form in forms:
        yield from _nonempty((form, *_JOINTS.split(form)))
        if re.match(r"-[A-Za-z].", form):
            # sshpass -pPASSWORD
            yield form[2:]
        user, separator, secret = (
            form.rpartition("@")[0].rpartition("/")[2].partition(":") if "@" in form else (form.partition(":"))
        )
        if separator:
            yield from _nonempty((secret, f"{user}:{secret}"))
            yield base64.b64encode(f"{user}:{secret}".encode("utf-8", "surrogateescape")).decode()
        if depth == 0 and any(blank in form for blank in " \t"):
            # sh -c 'a command of its own'
            for inner in _words(form):
                yield from _pieces(inner, environ, depth + 1)


def _nonempty(pieces: Collection[str]) -> Iterator[str]:
    return (piece for piece in pieces if piece.strip("-.%"))

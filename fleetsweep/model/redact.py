"""Redact the words of a command from reports: a ProxyCommand often contains a password.

Pure: the environment is passed in.
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
"""Pieces shorter than this are masked only as whole words, because they occur inside too many others."""


def program_of(command: str) -> str:
    """Return the name of the program that a shell command starts; empty if it could reveal more than a name."""
    first = _words(command)[:1]
    name = first[0].rpartition("/")[2] if first else ""
    return name if _PROGRAM.fullmatch(name) else ""


def digest_of(command: str) -> str:
    """Return a short text that identifies a command without revealing it.

    The digest has 32 bits, too few to find a good password by brute force.
    """
    import hashlib

    return f"a command of digest {hashlib.sha256(command.encode('utf-8', 'surrogateescape')).hexdigest()[:8]}"


def without_words(text: str, command: str, environ: Mapping[str, str], known: Collection[str] = ()) -> str:
    """Return ``text`` with every word of ``command`` masked, and the words' parts, decoded forms and values.

    The program's name and path, options of one letter, and the words in ``known``, such as the host's address, stay.
    """
    program, words = program_of(command), _words(command)
    harmless = {program, *known}
    pieces = {piece for word in (words[1:] if program else words) for piece in _pieces(word, environ)}
    pieces = {piece for piece in pieces if piece not in harmless and not _OPTION.fullmatch(piece)}
    if not pieces:
        return text
    # Longest first, so that masking a part does not leave the rest of its word behind.
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
    """Yield a word and the forms in which a program may print it: decoded, expanded, split, base64."""
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
            # sh -c 'another command'
            for inner in _words(form):
                yield from _pieces(inner, environ, depth + 1)


def _nonempty(pieces: Collection[str]) -> Iterator[str]:
    return (piece for piece in pieces if piece.strip("-.%"))

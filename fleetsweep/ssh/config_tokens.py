"""Tokens (``%h``) and environment variables (``${NAME}``) in the values of ssh_config(5)."""

from __future__ import annotations

import getpass
import hashlib
import os
import re
import socket
from collections.abc import Callable, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Final

Tokens = Callable[[], Mapping[str, str]]
"""Returns the values of a hop's tokens. Called only if a value has a token: most of thousands of hosts have none."""

_TOKEN: Final = re.compile(r"%(.?)", re.DOTALL)
_TOKEN_OR_VARIABLE: Final = re.compile(r"%(.?)|\$\{([^}]*)(\}?)", re.DOTALL)


def tokens_of(
    original: str, hostname: str, port: int, user: str, alias: str | None = None, jump: str = ""
) -> Mapping[str, str]:
    """Return the values of the tokens of ssh_config(5) for one host. ``jump`` is the host of its ProxyJump."""
    here = socket.gethostname()
    digest = hashlib.sha1(f"{here}{hostname}{port}{user}{jump}".encode(), usedforsecurity=False)
    return {
        "%": "%",
        "C": digest.hexdigest(),
        "d": str(Path("~").expanduser()),
        "h": hostname,
        "i": str(os.getuid()),
        "j": jump,
        "k": alias or original,
        "L": here.partition(".")[0],
        "l": here,
        "n": original,
        "p": str(port),
        "r": user,
        "u": local_user(),
    }


@lru_cache(maxsize=1)
def local_user() -> str:
    """Return the name of the account that runs this process, or its number if it has none."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return str(os.getuid())


def expand_tokens(value: str, tokens: Tokens) -> str:
    """Return a value with its tokens replaced. Raises ValueError, which names an unknown token."""
    if "%" not in value:
        return value
    known = tokens()
    return _TOKEN.sub(lambda found: _known(known, found[1]), value)


def expand_all(value: str, tokens: Tokens) -> str:
    """Return a value with its tokens and variables replaced. Raises ValueError, which names the one that can't be."""
    if "%" not in value and "${" not in value:
        return value
    known = tokens()

    def replaced(found: re.Match[str]) -> str:
        if found[2] is None:
            return _known(known, found[1])
        return _variable(found[2], closed=bool(found[3]))

    return _TOKEN_OR_VARIABLE.sub(replaced, value)


def _known(known: Mapping[str, str], letter: str) -> str:
    if letter not in known:
        raise ValueError(f"token %{letter} is not supported here")
    return known[letter]


def _variable(name: str, *, closed: bool) -> str:
    if not closed or not name:
        raise ValueError(f"${{{name} is not a variable: write ${{NAME}}")
    value = os.environ.get(name)
    if value is None:
        raise ValueError(f"the environment variable {name} is not set")
    return value

"""The files of ssh_config(5), read into lines: keywords, words, includes in place, and each line's file and number.

``config_lookup`` finds the settings of one host in them.
"""

from __future__ import annotations

import glob
import os
import re
import socket
import stat
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Final

from fleetsweep.errors import FaultKind, HostError, Phase
from fleetsweep.model.ssh_settings import ALIASES, SETTINGS, SshOption, Verdict
from fleetsweep.runtime.files import quoted
from fleetsweep.ssh.cache import single_flight
from fleetsweep.ssh.config_match import Criterion, parse_match
from fleetsweep.ssh.config_text import split_first, split_words
from fleetsweep.ssh.config_tokens import expand_all
from fleetsweep.ssh.regular_file import CONFIG_LIMIT, expanded, read_regular

MAX_INCLUDES: Final = 16
"""The depth of nested includes, as in OpenSSH."""

MAX_FILES: Final = 1_000
"""Files of one configuration. A file that is included twice counts twice."""

MAX_BYTES: Final = 16 << 20

_DEFAULT_FILES: Final = (("~/.ssh/config", "~/.ssh"), ("/etc/ssh/ssh_config", "/etc/ssh"))

_COMMANDS: Final = frozenset({"knownhostscommand", "localcommand", "proxycommand", "remotecommand"})
"""Settings whose value is the rest of the line, quotes and all."""

_SEVERAL: Final = frozenset(
    {"canonicaldomains", "canonicalizepermittedcnames", "globalknownhostsfile", "host", "include", "userknownhostsfile"}
)
"""Honoured settings with more than one value."""

_FLAG: Final = frozenset({"yes", "true", "no", "false"})
_CHOICES: Final = {
    "addressfamily": frozenset({"any", "inet", "inet6"}),
    "canonicalizefallbacklocal": _FLAG,
    "canonicalizehostname": _FLAG | {"always"},
    "identitiesonly": _FLAG,
    "stricthostkeychecking": _FLAG | {"ask", "off", "accept-new"},
}


@dataclass(frozen=True, slots=True, eq=False)
class Line:
    """One line: its keyword in lower case, its words, and the file and number. ``inner`` are an Include's lines."""

    key: str
    words: tuple[str, ...]
    where: str
    inner: tuple[tuple[Line, ...], ...] = ()
    criteria: tuple[Criterion, ...] = ()

    @property
    def value(self) -> str:
        """The first word."""
        return self.words[0]


def config_error(
    message: str, remedy: str = "correct the SSH configuration, or give another with --ssh-config"
) -> HostError:
    """Return the error for an unusable SSH configuration."""
    return HostError(Phase.RESOLVE, FaultKind.SSH_CONFIG, message, remedy)


def read_ssh_config(file: str | None) -> tuple[tuple[Line, ...], ...]:
    """Return the lines of ``file``, or of the user's and of the system's file: one tuple a file; none for ``none``.

    The files are read once a run. Raises HostError, phase resolve.
    """
    return _read_files(file, "" if file else os.path.expanduser("~"))  # noqa: PTH111 - called for every host


@single_flight
def _read_files(file: str | None, home: str) -> tuple[tuple[Line, ...], ...]:
    """Read the files once. ``home`` is part of the cache key: without ``file`` it decides which they are."""
    if file is not None:
        return () if file.lower() == "none" else (_read_lines(expanded(file), "~/.ssh", _ReadLimit()),)
    found = []
    for usual, base in _DEFAULT_FILES:
        path = expanded(usual)
        if path.exists():
            if base.startswith("~"):
                _check_owner(path)
            found.append(_read_lines(path, base, _ReadLimit()))
    return tuple(found)


@single_flight
def read_options(options: tuple[SshOption, ...]) -> tuple[Line, ...]:
    """Return the lines of ``-o`` options, which come before every file. Raises HostError, phase resolve."""
    lines = (parse_line(f"{option.name} {option.value}", option.where) for option in options)
    return tuple(line for line in lines if line is not None)


def _check_owner(path: Path) -> None:
    """Raise HostError for a file that another account may write, as ssh does: it decides which box is reached."""
    try:
        found = path.stat()
    except OSError:
        # Reading it reports the reason.
        return
    if stat.S_ISREG(found.st_mode) and (found.st_uid not in {0, os.getuid()} or found.st_mode & 0o022):
        raise config_error(
            f"{path} belongs to another account, or others may write to it", f"chmod go-w {quoted(path)}, or chown it"
        )


class _ReadLimit:
    """The files and bytes that may still be read for one configuration: nested includes multiply."""

    def __init__(self) -> None:
        self._files = MAX_FILES
        self._bytes = MAX_BYTES

    def read(self, path: Path) -> str:
        """Read one more file and return its text. Raises HostError."""
        try:
            content = read_regular(path, CONFIG_LIMIT)
        except FileNotFoundError:
            raise config_error(f"{path} does not exist", "check --ssh-config") from None
        except OSError as error:
            raise config_error(f"{path}: {error.strerror}", f"make {path} a readable file") from error
        self._files -= 1
        self._bytes -= len(content)
        if self._files < 0 or self._bytes < 0:
            raise config_error(f"{path}: more than {MAX_FILES} files, or {MAX_BYTES >> 20} MiB, are included")
        return content.decode("utf-8", "surrogateescape")


def _read_lines(path: Path, base: str, limit: _ReadLimit, depth: int = 0) -> tuple[Line, ...]:
    if depth > MAX_INCLUDES:
        raise config_error(f"{path} is included too deeply: does it include itself?")

    def include(pattern: str) -> Iterable[tuple[Line, ...]]:
        for included in _matching(pattern, base):
            _check_owner(included)
            yield _read_lines(included, base, limit, depth + 1)

    numbered = enumerate(limit.read(path).split("\n"), 1)
    lines = (parse_line(text, f"{path}:{number}", include) for number, text in numbered)
    return tuple(line for line in lines if line is not None)


def _no_include(pattern: str) -> Iterable[tuple[Line, ...]]:
    raise config_error(f"Include {pattern} is not possible here")


def parse_line(
    text: str, where: str, include: Callable[[str], Iterable[tuple[Line, ...]]] = _no_include
) -> Line | None:
    """Return a line of the configuration, or None for an empty one or a comment. Raises HostError."""
    text = text.strip(" \t\r\n\f")
    if not text or text.startswith("#"):
        return None
    split = split_first(text)
    if split is None or not split[1]:
        shown = text.split(None, 1)[0].partition("=")[0]
        raise config_error(f"{where}: {shown[:60]!r} is not a setting with a value")
    key, rest = split[0].lower(), split[1]
    key = ALIASES.get(key, key)
    try:
        words = tuple(split_words(rest))
        if key == "match":
            return Line(key, (rest,), where, criteria=parse_match(rest))
        if key in _COMMANDS:
            return Line(key, (rest.lstrip(" \t="),), where)
        if key == "proxyjump":
            return Line(key, (rest.partition("#")[0].lstrip(" \t=").rstrip(),), where)
        _check(key, words)
        if key == "include":
            found = [inner for word in words for inner in include(expand_variables(word))]
            return Line(key, words, where, tuple(found))
    except ValueError as error:
        raise config_error(f"{where}: {split[0][:60]}: {error}") from None
    return Line(key, words, where)


def expand_variables(word: str) -> str:
    """Return an Include's pattern with its variables replaced. Raises ValueError."""
    return expand_all(word, lambda: {"%": "%"})


def _check(key: str, words: tuple[str, ...]) -> None:
    """Raise ValueError unless an honoured setting can have these values. Others are not checked."""
    if not words:
        raise ValueError("a value is missing")
    setting = SETTINGS.get(key)
    if setting is None or setting.verdict is not Verdict.HONOURED:
        return
    if not all(words):
        raise ValueError("a value is empty")
    value = words[0]
    if len(words) > 1 and key not in _SEVERAL:
        raise ValueError(f"one value is expected, but {words[1][:60]!r} follows: put a value with spaces into quotes")
    if key in _CHOICES and value.lower() not in _CHOICES[key]:
        raise ValueError(f"{value!r} is none of {', '.join(sorted(_CHOICES[key]))}")
    if key == "port":
        port_of(value)
    if len(words) > 1 and "none" in map(str.lower, words) and key.endswith("knownhostsfile"):
        raise ValueError("none must be alone")
    if key in {"canonicalizemaxdots", "requiredrsasize"} and not re.fullmatch(r"[0-9]{1,9}", value):
        raise ValueError(f"{value!r} is not a number")
    if key == "user" and re.search(r"%|\$\{", value):
        raise ValueError(f"{value!r}: write the name without tokens, which only some versions of OpenSSH replace")


def port_of(text: str) -> int:
    """Return a port, given as a number or as a service's name. Raises ValueError."""
    if re.fullmatch(r"[0-9]{1,9}", text):
        port = int(text)
    else:
        try:
            port = socket.getservbyname(text, "tcp")
        except (OSError, UnicodeError):
            port = 0
    if not 0 < port < 65536:
        raise ValueError(f"{text!r} is not a port: write a number from 1 to 65535, or a service's name")
    return port


def _matching(pattern: str, base: str) -> list[Path]:
    """Return the files that an Include names, in order. ``**`` means the same as ``*``, as in glob(7)."""
    found = sorted(islice(glob.iglob(os.path.join(expanded(base), expanded(pattern))), MAX_FILES + 1))  # noqa: PTH118, PTH207
    return [path for path in map(Path, found) if path.exists() and not path.is_dir()]

"""The SSH configuration files, read for one user: paramiko's parser with the missing parts of ssh_config(5).

paramiko does not follow ``Include``, treats an unknown ``Match`` criterion as a match, and replaces tokens by the
file's values although the inventory may override them (with a DNS lookup for a name that is never used).
"""

from __future__ import annotations

import glob
import re
import shlex
import subprocess
from collections.abc import Iterator, Mapping
from itertools import islice
from pathlib import Path
from typing import Any, Final

import paramiko

from fleetsweep.errors import FaultKind, HostError, Phase
from fleetsweep.model.redact import program_of
from fleetsweep.runtime.children import Child
from fleetsweep.ssh.regular_file import CONFIG_LIMIT, expanded, read_regular

MAX_INCLUDES: Final = 16
"""The depth of nested includes, as in OpenSSH."""

MAX_FILES: Final = 1_000
"""Files of one configuration. A file that is included twice counts twice."""

MAX_BYTES: Final = 16 << 20

EXEC_TIMEOUT_S: Final = 5.0

_SETTING: Final = re.compile(r"(\w+)(?:\s*=\s*|\s+)(\S.*)")
_CRITERIA: Final = frozenset({"all", "canonical", "final", "exec", "host", "originalhost", "user", "localuser"})
_ALONE: Final = frozenset({"all", "canonical", "final"})

_DEFAULT_FILES: Final = (("~/.ssh/config", "~/.ssh"), ("/etc/ssh/ssh_config", "/etc/ssh"))


class SshConfig(paramiko.SSHConfig):
    """paramiko's configuration, with tokens left to the caller, which knows the final port and user.

    ``Match exec`` runs here with a timeout and without the operator's standard input, which paramiko would pass on.
    """

    TOKENS_BY_CONFIG_KEY = {  # noqa: RUF012 - the name and kind are paramiko's
        "hostname": ["%h"],
        "match-exec": paramiko.SSHConfig.TOKENS_BY_CONFIG_KEY["match-exec"],
    }

    def _does_match(
        self,
        match_list: list[Mapping[str, Any]],
        target_hostname: str,
        canonical: bool,
        final: bool,
        options: Mapping[str, Any],
    ) -> bool:
        """Whether a Match block applies. Its commands run last, and only if all its other criteria match."""
        rest = [criterion for criterion in match_list if criterion["type"] != "exec"]
        if rest and not super()._does_match(rest, target_hostname, canonical, final, options):  # type: ignore[misc]
            return False
        commands = [criterion for criterion in match_list if criterion["type"] == "exec"]
        return bool(match_list) and all(
            _succeeds(self._tokenize(options, target_hostname, "match-exec", criterion["param"]))  # type: ignore[attr-defined]
            is not criterion["negate"]
            for criterion in commands
        )


def _succeeds(command: str) -> bool:
    devnull = subprocess.DEVNULL
    # Messages show the program alone: its arguments may hold a password.
    name = f"Match exec ({program_of(command)})".removesuffix(" ()")
    try:
        child = Child(["/bin/sh", "-c", command], stdin=devnull, stdout=devnull, stderr=devnull)
    except (OSError, ValueError) as error:
        raise config_error(f"{name}: {error.strerror if isinstance(error, OSError) else error}") from error
    try:
        status = child.status(EXEC_TIMEOUT_S)
    finally:
        child.end()
    if status is None:
        raise config_error(f"{name} did not end within {EXEC_TIMEOUT_S:g} s")
    return status == 0


def read_ssh_config(file: str | None, user: str | None) -> SshConfig:
    """Return the configuration of ``file``, or of the user's and the system's file, for log-ins as ``user``.

    Raises HostError, phase resolve.
    """
    # The first value of a setting counts. Match user must see the final user.
    lines = [f'User "{user}"'] if user else []
    if file is not None:
        lines += _read_lines(expanded(file), "~/.ssh", _ReadLimit())
    else:
        for usual, base in _DEFAULT_FILES:
            path = expanded(usual)
            if path.exists():
                lines += ["Host *", *_read_lines(path, base, _ReadLimit())]
    config = SshConfig()
    try:
        config.parse(iter(lines))
    except (paramiko.SSHException, ValueError) as error:
        raise config_error(f"{file or 'the SSH configuration'}: {error}") from error
    return config


def config_error(
    message: str, remedy: str = "correct the SSH configuration, or give another with --ssh-config"
) -> HostError:
    """Return the error for an unusable SSH configuration."""
    return HostError(Phase.RESOLVE, FaultKind.SSH_CONFIG, message, remedy)


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
        return content.decode("utf-8", "replace")


def _read_lines(path: Path, base: str, limit: _ReadLimit, outer: str = "", depth: int = 0) -> Iterator[str]:
    """Yield the lines of a file with its includes in place. ``outer`` are the criteria of the including block."""
    if depth > MAX_INCLUDES:
        raise config_error(f"{path} is included too deeply: does it include itself?")
    text = limit.read(path)
    criteria = outer
    for number, raw in enumerate(text.split("\n"), 1):
        line = raw.strip()
        if not line or line.startswith("#"):
            continue
        where = f"{path}:{number}"
        found = _SETTING.fullmatch(line)
        if found is None:
            first = re.split(r"[\s=]", line, maxsplit=1)[0]
            raise config_error(f"{where}: {first[:60]!r} is not a setting with a value")
        key, value = found[1].lower(), _without_comment(found[1].lower(), found[2])
        if key in {"host", "match"}:
            own = _criteria(key, _split(value, where), where)
            criteria = " ".join(filter(None, (outer, own)))
            yield _header(criteria)
        elif key == "include":
            for pattern in _split(value, where):
                for included in _matching(pattern, base):
                    yield from _read_lines(included, base, limit, criteria, depth + 1)
                    # The next lines belong to the block with the Include again.
                    yield _header(criteria)
        else:
            yield f"{key} {value}"


def _without_comment(key: str, value: str) -> str:
    """Return a value without its trailing comment. A # in a command is no comment."""
    if key in {"proxycommand", "match"} or '"' in value:
        return value
    return re.split(r"\s+#", value, maxsplit=1)[0]


def _split(value: str, where: str) -> list[str]:
    try:
        return shlex.split(value)
    except ValueError as error:
        raise config_error(f"{where}: {error}") from error


def _criteria(key: str, words: list[str], where: str) -> str:
    """Return a block's condition in the syntax of Match; empty if it applies to every host."""
    if key == "host":
        return "" if words == ["*"] else f"originalhost {shlex.quote(','.join(words))}"
    kept = []
    rest = iter(words)
    for word in rest:
        criterion = word.lstrip("!").lower()
        if criterion not in _CRITERIA:
            raise config_error(f"{where}: Match {criterion} is not supported")
        if criterion == "all":
            continue
        kept.append(word.lower())
        if criterion not in _ALONE:
            kept.append(shlex.quote(next(rest, "")))
    return " ".join(kept)


def _header(criteria: str) -> str:
    return f"Match {criteria}" if criteria else "Host *"


def _matching(pattern: str, base: str) -> list[Path]:
    """Return the files that an Include names, in order. ``**`` means the same as ``*``, as in glob(7)."""
    found = sorted(islice(glob.iglob(str(expanded(base) / expanded(pattern))), MAX_FILES + 1))  # noqa: PTH207
    return [path for path in map(Path, found) if path.exists() and not path.is_dir()]

"""The SSH configuration files, read for one user: paramiko's reader, and what it lacks of ssh_config(5).

paramiko follows no ``Include``, takes a ``Match`` criterion that it doesn't know for one that holds, and fills
tokens in with what the file says where the inventory may say otherwise (and asks DNS for a name that nobody uses).
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

from fleetsweep.errors import HostError, Phase
from fleetsweep.model.redact import program_of
from fleetsweep.runtime.children import Child
from fleetsweep.ssh.regular_file import CONFIG_LIMIT, expanded, read_regular

MOST_INCLUDES: Final = 16
"""How deep files may include each other, as in OpenSSH."""

MOST_FILES: Final = 1_000
"""Files of one configuration, each inclusion counted."""

MOST_BYTES: Final = 16 << 20

EXEC_TIMEOUT_S: Final = 5.0

_SETTING: Final = re.compile(r"(\w+)(?:\s*=\s*|\s+)(\S.*)")
_CRITERIA: Final = frozenset({"all", "canonical", "final", "exec", "host", "originalhost", "user", "localuser"})
_ALONE: Final = frozenset({"all", "canonical", "final"})

_USUAL: Final = (("~/.ssh/config", "~/.ssh"), ("/etc/ssh/ssh_config", "/etc/ssh"))


class SshConfig(paramiko.SSHConfig):
    """paramiko's, but tokens are left to the caller, who knows the port and the user that will be used.

    ``Match exec`` is not left to paramiko either: its command would read what the operator types, without end.
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
        """Whether a Match block holds. Its commands run last, and only where all the rest holds."""
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
    nowhere = subprocess.DEVNULL
    # What it may say of itself is its program's name: it may hold a password, as a ProxyCommand may.
    name = f"Match exec ({program_of(command)})".removesuffix(" ()")
    try:
        child = Child(["/bin/sh", "-c", command], stdin=nowhere, stdout=nowhere, stderr=nowhere)
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
    """What ``file``, or the user's and the system's, say for log-ins as ``user``.

    Raises HostError, phase resolve.
    """
    # The first value that is found for a setting counts, and Match user must see the user that will be used.
    lines = [f'User "{user}"'] if user else []
    if file is not None:
        lines += _expanded(expanded(file), "~/.ssh", _Budget())
    else:
        for usual, base in _USUAL:
            path = expanded(usual)
            if path.exists():
                lines += ["Host *", *_expanded(path, base, _Budget())]
    config = SshConfig()
    try:
        config.parse(iter(lines))
    except (paramiko.SSHException, ValueError) as error:
        raise config_error(f"{file or 'the SSH configuration'}: {error}") from error
    return config


def config_error(
    message: str, remedy: str = "correct the SSH configuration, or give another with --ssh-config"
) -> HostError:
    """The SSH configuration can't be used."""
    return HostError(Phase.RESOLVE, "ssh-config", message, remedy)


class _Budget:
    """What may still be read of one configuration: files that include each other multiply."""

    def __init__(self) -> None:
        self._files = MOST_FILES
        self._bytes = MOST_BYTES

    def read(self, path: Path) -> str:
        """The text of one more file. Raises HostError."""
        try:
            content = read_regular(path, CONFIG_LIMIT)
        except FileNotFoundError:
            raise config_error(f"{path} is not there", "check --ssh-config") from None
        except OSError as error:
            raise config_error(f"{path}: {error.strerror}", f"make {path} a file that you may read") from error
        self._files -= 1
        self._bytes -= len(content)
        if self._files < 0 or self._bytes < 0:
            raise config_error(f"{path}: more than {MOST_FILES} files, or {MOST_BYTES >> 20} MiB, are included")
        return content.decode("utf-8", "replace")


def _expanded(path: Path, base: str, budget: _Budget, outer: str = "", depth: int = 0) -> Iterator[str]:
    """The lines of a file with those that it includes. ``outer`` are the criteria under which it is included."""
    if depth > MOST_INCLUDES:
        raise config_error(f"{path} is included too deep: does it include itself?")
    text = budget.read(path)
    criteria = outer
    for number, raw in enumerate(text.split("\n"), 1):
        line = raw.strip()
        if not line or line.startswith("#"):
            continue
        where = f"{path}:{number}"
        found = _SETTING.fullmatch(line)
        if found is None:
            first = re.split(r"[\s=]", line, maxsplit=1)[0]
            raise config_error(f"{where}: {first[:60]!r} is not a setting and its value")
        key, value = found[1].lower(), _without_comment(found[1].lower(), found[2])
        if key in {"host", "match"}:
            own = _criteria(key, _split(value, where), where)
            criteria = " ".join(filter(None, (outer, own)))
            yield _header(criteria)
        elif key == "include":
            for pattern in _split(value, where):
                for included in _matching(pattern, base):
                    yield from _expanded(included, base, budget, criteria, depth + 1)
                    # What follows belongs to the block in which the Include stood.
                    yield _header(criteria)
        else:
            yield f"{key} {value}"


def _without_comment(key: str, value: str) -> str:
    """A value without the comment behind it. A command's # is its own."""
    if key in {"proxycommand", "match"} or '"' in value:
        return value
    return re.split(r"\s+#", value, maxsplit=1)[0]


def _split(value: str, where: str) -> list[str]:
    try:
        return shlex.split(value)
    except ValueError as error:
        raise config_error(f"{where}: {error}") from error


def _criteria(key: str, words: list[str], where: str) -> str:
    """A block's condition in the words of Match; empty if it holds for every host."""
    if key == "host":
        return "" if words == ["*"] else f"originalhost {shlex.quote(','.join(words))}"
    kept = []
    rest = iter(words)
    for word in rest:
        criterion = word.lstrip("!").lower()
        if criterion not in _CRITERIA:
            raise config_error(f"{where}: Match {criterion} can't be judged here")
        if criterion == "all":
            continue
        kept.append(word.lower())
        if criterion not in _ALONE:
            kept.append(shlex.quote(next(rest, "")))
    return " ".join(kept)


def _header(criteria: str) -> str:
    return f"Match {criteria}" if criteria else "Host *"


def _matching(pattern: str, base: str) -> list[Path]:
    """The files that an Include names, in order. ``**`` is no more than ``*``, as in glob(7)."""
    found = sorted(islice(glob.iglob(str(expanded(base) / expanded(pattern))), MOST_FILES + 1))  # noqa: PTH207
    return [path for path in map(Path, found) if path.exists() and not path.is_dir()]

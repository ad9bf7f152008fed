"""Name the settings of Ansible's configuration that change which hosts there are, or how they are reached.

fleetsweep reads neither ansible.cfg nor ``ANSIBLE_…`` variables: what a run removes must not depend on the directory in
which it starts. An operator who copied the inventory alone has to know what is missing.
https://docs.ansible.com/ansible/latest/reference_appendices/config.html
"""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, NamedTuple

from fleetsweep.errors import InventoryError
from fleetsweep.inventory.files import Warnings, read_text
from fleetsweep.inventory.ssh_args import SshArgs
from fleetsweep.model.host import Connection, Host

_REMEDY: Final = "or remove the setting from Ansible's configuration"
DEFAULT_IGNORED: Final = frozenset(
    {".pyc", ".pyo", ".swp", ".bak", "~", ".rpm", ".md", ".txt", ".rst", ".orig", ".cfg", ".retry"}
)
"""The endings of files in a directory that are no inventories, in Ansible as here."""
_TRUE: Final = frozenset({"y", "yes", "on", "1", "true", "t"})


class _Setting(NamedTuple):
    """A setting of ansible.cfg, the variable that sets the same for a host, and whether a value changes a host."""

    key: str
    section: str
    environment: str
    variable: str = ""
    changes: Callable[[str, Host], bool] = lambda _, __: True


def _over_ssh(host: Host) -> bool:
    return host.connection is Connection.SSH


def _is_true(value: str) -> bool:
    return value.lower() in _TRUE


def _new_user(_: str, host: Host) -> bool:
    return _over_ssh(host) and host.user is None


def _new_port(_: str, host: Host) -> bool:
    return _over_ssh(host) and host.port is None


def _new_key(_: str, host: Host) -> bool:
    return _over_ssh(host) and host.key_file is None


def _new_connection(value: str, host: Host) -> bool:
    return value not in {"ssh", "smart", "paramiko"} and "ansible_connection" not in host.variables


def _new_ssh_args(variable: str) -> Callable[[str, Host], bool]:
    def changes(value: str, host: Host) -> bool:
        if variable in host.variables or not _over_ssh(host):
            return False
        args = SshArgs()
        try:
            args.read(value, variable, "")
        except InventoryError:
            return True
        return args != SshArgs()

    return changes


def _new_become(value: str, host: Host) -> bool:
    return _is_true(value) and "ansible_become" not in host.variables


def _unchecked(value: str, host: Host) -> bool:
    return _over_ssh(host) and not _is_true(value)


def _merges(value: str, _: Host) -> bool:
    return value == "merge"


SETTINGS: Final = (
    _Setting("remote_user", "defaults", "ANSIBLE_REMOTE_USER", "ansible_user", _new_user),
    _Setting("remote_port", "defaults", "ANSIBLE_REMOTE_PORT", "ansible_port", _new_port),
    _Setting("private_key_file", "defaults", "ANSIBLE_PRIVATE_KEY_FILE", "ansible_ssh_private_key_file", _new_key),
    _Setting("transport", "defaults", "ANSIBLE_TRANSPORT", "ansible_connection", _new_connection),
    *(
        _Setting(key, "ssh_connection", f"ANSIBLE_{key.upper()}", f"ansible_{key}", _new_ssh_args(f"ansible_{key}"))
        for key in ("ssh_args", "ssh_common_args", "ssh_extra_args")
    ),
    _Setting("become", "privilege_escalation", "ANSIBLE_BECOME", "ansible_become", _new_become),
    _Setting("host_key_checking", "defaults", "ANSIBLE_HOST_KEY_CHECKING", "", _unchecked),
    _Setting("host_key_checking", "ssh_connection", "ANSIBLE_SSH_HOST_KEY_CHECKING", "", _unchecked),
    _Setting("hash_behaviour", "defaults", "ANSIBLE_HASH_BEHAVIOUR", "", _merges),
    _Setting("precedence", "defaults", "ANSIBLE_PRECEDENCE"),
    _Setting("vars_plugins_enabled", "defaults", "ANSIBLE_VARS_ENABLED"),
    _Setting("yaml_valid_extensions", "defaults", "ANSIBLE_YAML_FILENAME_EXT"),
)
"""In the order in which a warning names them."""

DECIDING: Final = (
    _Setting("enable_plugins", "inventory", "ANSIBLE_INVENTORY_ENABLED"),
    _Setting("ignore_extensions", "inventory", "ANSIBLE_INVENTORY_IGNORE"),
    _Setting("inventory_ignore_extensions", "defaults", "ANSIBLE_INVENTORY_IGNORE"),
    _Setting("ignore_patterns", "inventory", "ANSIBLE_INVENTORY_IGNORE_REGEX"),
    _Setting("inventory_ignore_patterns", "defaults", "ANSIBLE_INVENTORY_IGNORE_REGEX"),
)
"""The settings that decide which sources are read, and so which hosts there are."""

_INVENTORY: Final = _Setting("inventory", "defaults", "ANSIBLE_INVENTORY")
_INSTEAD: Final[Mapping[str, str]] = {
    "inventory": "-i {}",
    "remote_user": "ansible_user={}, or --user {}",
    "private_key_file": "ansible_ssh_private_key_file={}, or --private-key {}",
    "host_key_checking": "nothing: host keys are always verified",
}
"""How a setting's value is written for fleetsweep. Those of other settings may hold secrets."""


@dataclass(slots=True)
class Reading:
    """What was read of an inventory: the directories, and the first source of each kind.

    A kind is the plugin of Ansible's that reads it; ``auto`` has also the name of the plugin that a source configures.
    """

    directories: list[str] = field(default_factory=list)
    kinds: dict[tuple[str, str], str] = field(default_factory=dict)

    def used(self, kind: str, source: str, plugin: str = "") -> None:
        """Note that a source was read as this kind."""
        self.kinds.setdefault((kind, plugin), source)


@dataclass(frozen=True, slots=True)
class Unread:
    """A setting that is not read: what sets it, its value if that is no secret, and what to write for fleetsweep."""

    where: str
    name: str
    value: str
    instead: str


class AnsibleConfig:
    """The settings of Ansible's configuration file and environment for a working directory."""

    def __init__(self, cwd: Path, environ: Mapping[str, str]) -> None:
        self._environ = environ
        self.path = config_file(cwd, environ)
        self._warnings = Warnings()
        self._file = _read(self.path, self._warnings) if self.path else {}

    def warnings(self, hosts: Sequence[Host]) -> tuple[str, ...]:
        """Return a warning about each source of settings that would change these hosts."""
        found = Warnings()
        for where, values in (
            (str(self.path), self._in_file(SETTINGS)),
            ("environment", self._in_environment(SETTINGS)),
        ):
            named: list[str] = []
            without: list[str] = []
            for name, setting, value in values:
                if value.strip() and any(setting.changes(value.strip(), host) for host in hosts):
                    (named if setting.variable else without).append(
                        f"{name} ({setting.variable})" if setting.variable else name
                    )
            parts = []
            if named:
                parts.append(f"set in the inventory what these hosts need of {', '.join(named)}")
            if without:
                parts.append(f"{', '.join(without)} have no effect" if without[1:] else f"{without[0]} has no effect")
            if parts:
                found.add(where, f"Ansible's configuration is not read: {'; '.join(parts)}")
        return (*self._warnings.all(), *found.all())

    def check(self, reading: Reading) -> None:
        """Raise InventoryError if a setting would have Ansible read other sources than were read."""
        for where, values in (
            (str(self.path), self._in_file(DECIDING)),
            ("environment", self._in_environment(DECIDING)),
        ):
            for name, setting, value in values:
                problem = _decides(setting.key, value, reading) if value.strip() else ""
                if problem:
                    raise InventoryError(where, f"{name} {problem}, {_REMEDY}")

    def unread(self) -> tuple[Unread, ...]:
        """Return the settings that matter here and are not read, whether or not they would change a host."""
        every = (_INVENTORY, *SETTINGS, *DECIDING)
        found: list[Unread] = []
        for where, values in ((str(self.path), self._in_file(every)), ("environment", self._in_environment(every))):
            for name, setting, value in values:
                if value.strip():
                    shown = value.strip() if setting.key in _INSTEAD else ""
                    usual = f"{setting.variable}=…" if setting.variable else "nothing: it has no effect"
                    found.append(Unread(where, name, shown, _INSTEAD.get(setting.key, usual).replace("{}", shown)))
        return tuple(found)

    def _in_file(self, settings: Sequence[_Setting]) -> Iterator[tuple[str, _Setting, str]]:
        for setting in settings:
            value = self._file.get(setting.section, {}).get(setting.key)
            if value is not None and setting.environment not in self._environ:
                yield setting.key, setting, value

    def _in_environment(self, settings: Sequence[_Setting]) -> Iterator[tuple[str, _Setting, str]]:
        for setting in {setting.environment: setting for setting in settings}.values():
            if setting.environment in self._environ:
                yield setting.environment, setting, self._environ[setting.environment]


def _decides(key: str, value: str, reading: Reading) -> str:
    """Return what a setting would change of what was read, and the first way out; empty if it changes nothing."""
    words = {word.strip() for word in value.replace("\n", ",").split(",")} - {""}
    if key != "enable_plugins":
        if not reading.directories or words == DEFAULT_IGNORED:
            return ""
        place = reading.directories[0]
        return f"decides which files of {place} are inventories, and is not read: name these files with -i"
    enabled = {word.removeprefix("ansible.builtin.") for word in words}
    for (kind, plugin), source in reading.kinds.items():
        if kind not in enabled and (not plugin or plugin.removeprefix("ansible.builtin.") not in enabled):
            return f"leaves out {kind}, as which {source} was read, and is not read: leave out that source with -i"
    return ""


def config_file(cwd: Path, environ: Mapping[str, str]) -> Path | None:
    """Return the configuration file that Ansible would read in this directory; None without one."""
    candidates = []
    given = environ.get("ANSIBLE_CONFIG")
    if given is not None:
        path = cwd / Path(os.path.expandvars(given)).expanduser()
        candidates.append(path / "ansible.cfg" if path.is_dir() else path)
    try:
        # Ansible ignores the file in a directory to which any user may write.
        if not cwd.stat().st_mode & stat.S_IWOTH:
            candidates.append(cwd / "ansible.cfg")
    except OSError:
        pass
    candidates += [Path(os.path.expanduser("~/.ansible.cfg")), Path("/etc/ansible/ansible.cfg")]  # noqa: PTH111
    return next((path for path in candidates if os.access(path, os.R_OK) and path.is_file()), None)


def _read(path: Path, warnings: Warnings) -> Mapping[str, Mapping[str, str]]:
    # Here and not above: most machines have no ansible.cfg.
    import configparser

    parser = configparser.RawConfigParser(inline_comment_prefixes=(";",))
    try:
        parser.read_string(read_text(path, Warnings()))
    except (configparser.Error, InventoryError):
        warnings.add(
            str(path), "Ansible's configuration is not read, and is not valid: check whether it sets users or keys"
        )
        return {}
    return {section: dict(parser.items(section)) for section in parser.sections()}

"""Turn a host's variables into a Host: Ansible's connection variables and fleetsweep's own, validated.

Where a setting has several names, the last one below that is set wins, as in Ansible. An unsupported value is never
ignored: the error names the variable, the host and the line that set it.
https://docs.ansible.com/ansible/latest/collections/ansible/builtin/ssh_connection.html
"""

from __future__ import annotations

import difflib
import re
import shlex
from collections.abc import Callable, Iterator, Mapping
from typing import Final, TypeVar

from fleetsweep.errors import InventoryError
from fleetsweep.inventory.limits import RenderTime
from fleetsweep.inventory.ssh_args import SshArgs, disabled_check, port_number, user_name
from fleetsweep.inventory.templates import Variables
from fleetsweep.model.host import Connection, Host
from fleetsweep.model.policy_flags import host_setting_names
from fleetsweep.model.zone import check_zone

T = TypeVar("T")

_HOST: Final = ("ansible_host", "ansible_ssh_host")
_PORT: Final = ("ansible_port", "ansible_ssh_port")
_USER: Final = ("ansible_user", "ansible_ssh_user")
_KEY: Final = ("ansible_private_key_file", "ansible_ssh_private_key_file")
_BECOME_USER: Final = ("ansible_become_user", "ansible_sudo_user")
_BECOME_EXE: Final = ("ansible_become_exe", "ansible_sudo_exe")
_BECOME_FLAGS: Final = ("ansible_become_flags", "ansible_sudo_flags")

_SSH: Final = frozenset({"ssh", "smart", "paramiko", "paramiko_ssh"})
_OURS: Final = ("ansible.builtin.", "ansible.legacy.")

SETTINGS: Final = (*host_setting_names(), "engine_id", "engine", "zone")
"""The settings: what may follow ``fleetsweep_`` in a variable's name."""

_NOT_PER_HOST: Final = {
    "fleet_cap": "it applies to the whole fleet: use --fleet-cap or FLEETSWEEP_FLEET_CAP",
    "dry_run": "it applies to the whole run: use --dry-run or DRY_RUN",
}

_UNUSED: Final = {
    "ansible_password": "fleetsweep logs in with keys only",
    "ansible_ssh_pass": "fleetsweep logs in with keys only",
    "ansible_ssh_password": "fleetsweep logs in with keys only",
    "ansible_become_password": "fleetsweep runs sudo -n, which never prompts",
    "ansible_become_pass": "fleetsweep runs sudo -n, which never prompts",
    "ansible_sudo_pass": "fleetsweep runs sudo -n, which never prompts",
    "ansible_host_key_checking": "fleetsweep always verifies host keys",
    "ansible_ssh_host_key_checking": "fleetsweep always verifies host keys",
}

_ADDRESS: Final = re.compile(
    r"[A-Za-z0-9_][A-Za-z0-9._-]*|\[?[0-9A-Fa-f:.]*:[0-9A-Fa-f:.]*(?:%[A-Za-z0-9._-]+)?\]?", re.ASCII
)
_ENGINE: Final = re.compile(
    r"unix:///[^\x00-\x1f\x7f]+|tcp://(?:\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9.-]+):(\d{1,5})", re.ASCII
)
_YES: Final = frozenset({"y", "yes", "on", "1", "true", "t"})
_NO: Final = frozenset({"n", "no", "off", "0", "false", "f"})


def to_host(
    name: str,
    variables: Mapping[str, object],
    origins: Mapping[str, str],
    groups: tuple[str, ...],
    where: str,
    default_engine: str,
    time: RenderTime | None = None,
) -> Host:
    """Return the host that these merged variables describe. Raises InventoryError.

    ``where`` is the file and line that named the host, ``default_engine`` the engine address if no variable sets one,
    ``time`` the time budget that the templates of all hosts share.
    """
    read = _Reader(name, Variables(name, variables, origins, groups, where, time))
    local = read.text(("ansible_connection",), _connection, "ssh") == "local"
    address = read.text(_HOST, _address, None)
    if address is None:
        address = name
        if not local and _ADDRESS.fullmatch(name) is None:
            raise InventoryError(where, f"the name {name!r} is not an address: set its ansible_host")
    args = SshArgs()
    if not local:
        _read_ssh(read, args)
    return Host(
        name=name,
        address=address.strip("[]"),
        port=args.port,
        user=args.user,
        key_file=args.key_file,
        connection=Connection.LOCAL if local else Connection.SSH,
        proxy_jump=args.proxy_jump,
        proxy_command=args.proxy_command,
        known_hosts=args.known_hosts,
        ssh_config=args.ssh_config,
        ssh_options=tuple(args.options),
        become=_become(read),
        engine=read.text(("fleetsweep_engine",), _engine, default_engine),
        groups=groups,
        zone=read.text(("fleetsweep_zone",), check_zone, None),
        variables={**variables, **_settings(read, variables)},
        origins=origins,
    )


def unused(variables: Mapping[str, object]) -> Iterator[tuple[str, str]]:
    """Yield the variables that Ansible would use to reach the host but fleetsweep ignores, each with the reason."""
    for variable, reason in _UNUSED.items():
        value = variables.get(variable)
        checking = variable.endswith("host_key_checking")
        if value is not None and value != "" and not (checking and str(value).lower() in _YES):
            yield variable, reason
    for variable in ("ansible_ssh_args", "ansible_ssh_common_args", "ansible_ssh_extra_args"):
        word = disabled_check(str(variables.get(variable) or ""))
        if word is not None:
            yield variable, f"StrictHostKeyChecking {word} is not obeyed: fleetsweep always verifies host keys"


def _read_ssh(read: _Reader, args: SshArgs) -> None:
    """Read ssh's options in the order in which Ansible passes them: the first value of an option wins."""
    read.refuse("ansible_ssh_executable", _plain_ssh)
    for variable in ("ansible_private_key", "ansible_ssh_private_key"):
        read.refuse(variable, _inline_key)
    read.args("ansible_ssh_args", args)
    port, user, key = read.port(_PORT), read.text(_USER, _user, None), read.text(_KEY, _path, None)
    args.port = args.port or port
    args.key_file = args.key_file or key
    args.user = args.user or user
    read.args("ansible_ssh_common_args", args)
    read.args("ansible_ssh_extra_args", args)


def _become(read: _Reader) -> bool:
    """Return whether to use sudo. Raises InventoryError unless it is plain sudo to root."""
    if not read.boolean("ansible_become"):
        return False
    read.text(("ansible_become_method",), _become_method, None)
    read.text(_BECOME_USER, _become_user, None)
    read.text(_BECOME_EXE, _become_exe, None)
    read.text(_BECOME_FLAGS, _become_flags, None)
    return True


def _settings(read: _Reader, variables: Mapping[str, object]) -> dict[str, object]:
    """Return the fleetsweep_* variables, rendered. ``policy.settings`` validates their values."""
    rendered = {}
    for variable in variables:
        if not variable.startswith("fleetsweep_"):
            continue
        setting = variable.removeprefix("fleetsweep_")
        if setting not in SETTINGS:
            near = difflib.get_close_matches(setting, SETTINGS, n=1, cutoff=0.0)[0]
            hint = _NOT_PER_HOST.get(setting, f"did you mean fleetsweep_{near}?")
            raise InventoryError(read.variables.origin(variable), f"{variable} of {read.host} is not a setting: {hint}")
        value = read.variables.get(variable)
        if variables[variable] is not None:
            rendered[variable] = value
    return rendered


class _Reader:
    """Reads one host's variables; every error names the host, the variable and its ``path:line``."""

    def __init__(self, host: str, variables: Variables) -> None:
        self.host = host
        self.variables = variables

    def error(self, variable: str, message: str) -> InventoryError:
        return InventoryError(self.variables.origin(variable), f"{variable} of {self.host}: {message}")

    def text(self, names: tuple[str, ...], check: Callable[[str], T], default: T) -> T:
        """Return the value of the last of ``names`` that is set, validated. Raises InventoryError."""
        found = default
        for variable in names:
            value = self.variables.get(variable)
            if value is None:
                continue
            if not isinstance(value, str | int) or isinstance(value, bool):
                raise self.error(variable, f"{_describe(value)} is not a string: quote it")
            if not str(value).isprintable():
                raise self.error(variable, f"{_describe(value)} contains a control character: write it on one line")
            try:
                found = check(str(value))
            except ValueError as error:
                raise self.error(variable, str(error)) from None
        return found

    def port(self, names: tuple[str, ...]) -> int | None:
        found = None
        for variable in names:
            value = self.variables.get(variable)
            if value is None:
                continue
            if isinstance(value, float) and value.is_integer():
                value = int(value)
            if not isinstance(value, str | int) or isinstance(value, bool):
                raise self.error(variable, f"{_describe(value)} is not a port: write a number from 1 to 65535")
            try:
                found = port_number(str(value))
            except ValueError as error:
                raise self.error(variable, str(error)) from None
        return found

    def boolean(self, variable: str) -> bool:
        value = self.variables.get(variable)
        word = str(value).strip().lower() if isinstance(value, str | int) else None
        if value is None or word in _NO:
            return False
        if word in _YES:
            return True
        raise self.error(variable, f"{_describe(value)} is neither true nor false")

    def args(self, variable: str, args: SshArgs) -> None:
        value = self.variables.get(variable)
        if value is None:
            return
        if not isinstance(value, str):
            raise self.error(variable, f"{_describe(value)} is not a string: quote ssh's options")
        args.read(value, f"{variable} of {self.host}", self.variables.origin(variable))

    def refuse(self, variable: str, check: Callable[[str], None]) -> None:
        value = self.variables.get(variable)
        if value is None:
            return
        try:
            check(str(value))
        except ValueError as error:
            raise self.error(variable, str(error)) from None


def _describe(value: object) -> str:
    return repr(value) if isinstance(value, str | int | float) else f"a {type(value).__name__}"


def _connection(text: str) -> str:
    kind = text
    for prefix in _OURS:
        kind = kind.removeprefix(prefix)
    if kind not in _SSH and kind != "local":
        raise ValueError(f"{text!r} is not supported: use ssh or local")
    return "local" if kind == "local" else "ssh"


def _address(text: str) -> str:
    if _ADDRESS.fullmatch(text) is not None:
        return text
    hint = "put the user into ansible_user" if "@" in text else "write a host name or an IP address"
    raise ValueError(f"{text!r} is not an address: {hint}")


def _user(text: str) -> str | None:
    return user_name(text) if text else None


def _path(text: str) -> str | None:
    if not text:
        return None
    if text.startswith("-") or "%" in text or "${" in text:
        raise ValueError(f"{text!r} is not a key file: write its full path, without %, ${{}} or a leading '-'")
    return text


def _engine(text: str) -> str:
    found = _ENGINE.fullmatch(text)
    if found is None or not 0 < int(found[1] or 1) < 65536:
        raise ValueError(f"{text!r} is not an engine address: write unix:///path/to.sock or tcp://127.0.0.1:2375")
    return text


def _become_method(text: str) -> None:
    if text and text.removeprefix(_OURS[0]).removeprefix(_OURS[1]) != "sudo":
        raise ValueError(f"{text!r} is not supported: fleetsweep supports only sudo")


def _become_user(text: str) -> None:
    if text not in {"", "root"}:
        raise ValueError(f"{text!r} is not supported: use sudo to root, or add the login user to the engine's group")


def _become_exe(text: str) -> None:
    if text not in {"", "sudo", "/usr/bin/sudo", "/bin/sudo"}:
        raise ValueError(f"{text!r} is not supported: fleetsweep runs sudo")


def _become_flags(text: str) -> None:
    try:
        words = shlex.split(text)
    except ValueError as error:
        raise ValueError(f"{error}: check the quotes") from None
    for word in words:
        if re.fullmatch(r"-[HSnE]+", word) is None:
            raise ValueError(
                f"{word!r} is not supported: fleetsweep runs sudo -n; of its flags only -H, -S, -n and -E may be set"
            )


def _plain_ssh(text: str) -> None:
    if text.rpartition("/")[2] not in {"", "ssh"}:
        raise ValueError(f"{text!r} is not supported: fleetsweep speaks SSH itself; use ansible_ssh_common_args")


def _inline_key(text: str) -> None:
    if text:
        raise ValueError("an inline key is not supported: keep it in a file or in the SSH agent")

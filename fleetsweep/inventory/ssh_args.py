"""Parse the ssh options of an inventory, such as ``ansible_ssh_common_args``, as OpenSSH does.

They are treated as the SSH configuration's settings, by the table in ``model.ssh_settings``: honoured, refused by name,
or passed over where they change neither the box, nor the key, nor the trust.
https://man.openbsd.org/ssh
"""

from __future__ import annotations

import re
import shlex
import socket
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from fleetsweep.errors import InventoryError
from fleetsweep.model.redact import without_words
from fleetsweep.model.ssh_settings import SETTINGS, SshOption, Verdict, find_setting, is_refused

_WITH_VALUE: Final = "BbcDEeFIiJLlmOoPpQRSWw"
"""OpenSSH's one-letter options that take a value; a value may be joined to its letter."""

_KEYWORDS: Final = {
    "B": "BindInterface",
    "D": "DynamicForward",
    "E": "LogLevel",
    "I": "PKCS11Provider",
    "L": "LocalForward",
    "P": "Tag",
    "R": "RemoteForward",
    "S": "ControlPath",
    "b": "BindAddress",
    "c": "Ciphers",
    "e": "EscapeChar",
    "i": "IdentityFile",
    "l": "User",
    "m": "MACs",
    "p": "Port",
    "w": "Tunnel",
}
"""The settings of the letters with a value."""

_FLAGS: Final = {
    "4": ("AddressFamily", "inet"),
    "6": ("AddressFamily", "inet6"),
    "A": ("ForwardAgent", "yes"),
    "C": ("Compression", "yes"),
    "K": ("GSSAPIAuthentication", "yes"),
    "M": ("ControlMaster", "yes"),
    "N": ("SessionType", "none"),
    "T": ("RequestTTY", "no"),
    "X": ("ForwardX11", "yes"),
    "Y": ("ForwardX11Trusted", "yes"),
    "a": ("ForwardAgent", "no"),
    "f": ("ForkAfterAuthentication", "yes"),
    "g": ("GatewayPorts", "yes"),
    "k": ("GSSAPIDelegateCredentials", "no"),
    "n": ("StdinNull", "yes"),
    "q": ("LogLevel", "QUIET"),
    "s": ("SessionType", "subsystem"),
    "t": ("RequestTTY", "yes"),
    "v": ("LogLevel", "DEBUG"),
    "x": ("ForwardX11", "no"),
    "y": ("SyslogFacility", "USER"),
}
"""The settings and values of the letters without a value."""

_NAMES: Final = frozenset(setting.name for setting in SETTINGS.values())
"""The words that a message may quote beside a ProxyCommand."""

_CHECKING: Final = frozenset({"yes", "true", "no", "false", "ask", "off", "accept-new"})
_NOT_CHECKED: Final = re.compile(r"stricthostkeychecking(?:\s*=\s*|\s+)[\"']?(no|off|false)\b", re.IGNORECASE)

_REMEDIES: Final = {
    "host": "name a configuration file with -F",
    "match": "name a configuration file with -F",
    "include": "name the file with -F",
    "-w": "to go through another box use -o ProxyJump= or -o ProxyCommand=",
}

_JUMP: Final = re.compile(
    r"(?:[A-Za-z0-9_%][A-Za-z0-9._+@%\\-]*@)?(?:\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9_%][A-Za-z0-9._%-]*)"
    r"(?::([A-Za-z0-9][A-Za-z0-9-]*))?",
    re.ASCII,
)


@dataclass(slots=True)
class SshArgs:
    """The options read so far: the first value of an option wins, as in ssh itself.

    ``proxy_jump`` and ``proxy_command`` may be the word ``none``, which overrides the SSH configuration. ``options``
    are the other honoured settings, in order.
    """

    port: int | None = None
    user: str | None = None
    key_file: str | None = None
    proxy_jump: str | None = None
    proxy_command: str | None = None
    known_hosts: str | None = None
    ssh_config: str | None = None
    options: list[SshOption] = field(default_factory=list)

    def read(self, text: str, variable: str, where: str) -> None:
        """Add the options in ``text``, the value of ``variable``. Raises InventoryError, which names the option.

        If there is a ProxyCommand, an error quotes no values: the command may hold a password, and without quotes it
        splits into many options.
        """
        try:
            self._read(text, variable, where)
        except InventoryError as error:
            if "command" not in text.lower():
                raise
            message = str(error).removeprefix(f"{where}: {variable}")
            raise InventoryError(where, f"{variable}{without_words(message, text, {}, _NAMES)}") from None

    def _read(self, text: str, variable: str, where: str) -> None:
        try:
            words = [word.strip() for word in shlex.split(text) if word.strip()]
        except ValueError as error:
            raise InventoryError(where, f"{variable}: {error}: check the quotes") from None
        if any(not character.isprintable() for word in words for character in word):
            raise InventoryError(where, f"{variable} contains a control character: write it on one line")
        for option, value in _options(words, variable, where):
            try:
                self._set(option, value, f"{where}: {variable}")
            except ValueError as error:
                raise InventoryError(where, f"{variable}: {error}") from None

    def _set(self, option: str, value: str, where: str) -> None:
        if option == "-F":
            # The only option of which ssh uses the last value.
            self.ssh_config = value
            return
        if option == "-J":
            self._set_proxy(option, value)
            return
        setting = find_setting(option)
        if setting is None or option.lower() in _REMEDIES:
            raise _unsupported(option, _REMEDIES.get(option.lower(), "remove it, or move it to the SSH configuration"))
        if is_refused(setting, value):
            raise _unsupported(setting.name, setting.remedy)
        if setting.verdict is Verdict.HONOURED:
            self._honour(setting.name, value, where)

    def _honour(self, option: str, value: str, where: str) -> None:
        match option:
            case "ProxyJump" | "ProxyCommand":
                self._set_proxy(option, value)
            case "Port":
                self.port = self.port or _port(_one_word(option, value))
            case "User":
                self.user = self.user or user_name(_one_word(option, value))
            case "UserKnownHostsFile" if _is_path(value):
                if not self._has(option):
                    self.known_hosts = self.known_hosts or _one_word(option, value)
            case "IdentityFile" if _is_path(value):
                self.key_file = self.key_file or _one_word(option, value)
            case _:
                if option == "StrictHostKeyChecking" and _one_word(option, value).lower() not in _CHECKING:
                    raise ValueError(f"{option} {value!r} is none of {', '.join(sorted(_CHECKING))}")
                if option != "UserKnownHostsFile" or self.known_hosts is None:
                    self.options.append(SshOption(option, value, where))

    def _has(self, name: str) -> bool:
        return any(option.name == name for option in self.options)

    def _set_proxy(self, option: str, value: str) -> None:
        if option == "-J" and (self.proxy_jump or self.proxy_command):
            raise ValueError("-J conflicts with another proxy option, as in ssh: write all hops in one list")
        jump = None if option == "ProxyCommand" else proxy_jump(value)
        # As in ssh, a ProxyCommand counts after ``ProxyJump none``.
        free = self.proxy_jump is None or (self.proxy_jump == "none" and jump is None)
        if free and self.proxy_command is None:
            self.proxy_jump = jump
            if jump is None:
                self.proxy_command = "none" if value.lower() == "none" else value


def _options(words: list[str], variable: str, where: str) -> Iterator[tuple[str, str]]:
    """Yield each option and its value: by OpenSSH's keyword, but ``-F``, ``-J`` and unknown ones by letter.

    Raises InventoryError.
    """
    rest = iter(words)
    for word in rest:
        if len(word) < 2 or word[0] != "-" or word == "--":
            raise InventoryError(where, f"{variable}: {word!r} is not an option: only options are allowed here")
        for position, letter in enumerate(word[1:], 2):
            if letter not in _WITH_VALUE:
                yield _FLAGS.get(letter, (f"-{letter}", ""))
                continue
            value = word[position:] or next(rest, None)
            if value is None:
                raise InventoryError(where, f"{variable}: -{letter} needs a value")
            yield _keyword(value, variable, where) if letter == "o" else (_KEYWORDS.get(letter, f"-{letter}"), value)
            break


def _keyword(text: str, variable: str, where: str) -> tuple[str, str]:
    found = re.fullmatch(r"\s*([A-Za-z0-9]+)(?:\s*=\s*|\s+)(.*?)\s*", text, re.ASCII)
    if found is None or not found[2]:
        raise InventoryError(where, f"{variable}: -o {text!r} is not an option: write -o Name=value")
    return found[1], found[2]


def _one_word(option: str, value: str) -> str:
    try:
        words = shlex.split(value)
    except ValueError as error:
        raise ValueError(f"{option} {value!r}: {error}") from None
    if len(words) != 1 or not words[0]:
        raise ValueError(f"{option} {value!r}: write one value")
    return words[0]


def _is_path(value: str) -> bool:
    """Return whether this is one file's name without tokens and variables, and not the word ``none``."""
    words = shlex.split(value)
    return len(words) == 1 and not re.search(r"%|\$\{", value) and words[0].lower() != "none"


def _unsupported(option: str, remedy: str) -> ValueError:
    return ValueError(f"{option} is not a supported option: {remedy}")


def disabled_check(text: str) -> str | None:
    """Return the word of a ``StrictHostKeyChecking`` that turns the check off, which is not obeyed; None without."""
    found = _NOT_CHECKED.search(text)
    return None if found is None else found[1]


def proxy_jump(text: str) -> str:
    """Return OpenSSH's list of hops, ``[user@]host[:port]`` joined by commas, or ``none``. Raises ValueError."""
    if text.lower() == "none":
        return "none"
    hops = [hop.strip().removeprefix("ssh://").removesuffix("/") for hop in text.split(",")]
    for hop in hops:
        found = _JUMP.fullmatch(hop)
        if found is None:
            raise ValueError(f"ProxyJump {text!r}: {hop!r} is not [user@]host[:port]")
        if found[1]:
            _port(found[1])
    return ",".join(hops)


def port_number(text: str) -> int:
    """Return a TCP port, from 1 to 65535. Raises ValueError."""
    found = re.fullmatch(r"\s*(\d{1,9})\s*", text, re.ASCII)
    if found is None or not 0 < int(found[1]) < 65536:
        raise ValueError(f"{text!r} is not a port: write a number from 1 to 65535")
    return int(found[1])


def _port(text: str) -> int:
    """Return a port that is given as a number or as a service's name, as in ssh. Raises ValueError."""
    if not text.isdigit():
        try:
            return socket.getservbyname(text, "tcp")
        except (OSError, UnicodeError):
            pass
    return port_number(text)


def user_name(text: str) -> str:
    """Return a login name that holds no shell metacharacters. Raises ValueError."""
    if re.fullmatch(r"[A-Za-z0-9_](?:[A-Za-z0-9._+@\\-]*[A-Za-z0-9._+@-])?", text, re.ASCII) is None:
        raise ValueError(f"{text!r} is not a user name: use letters, digits, '.', '_' and '-'")
    return text

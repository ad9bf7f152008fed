"""Parse the ssh options of an inventory, such as ``ansible_ssh_common_args``, as OpenSSH does.

Only options about a host's route, login and host key are supported. Any other is refused by name: ignoring one could
mean another route, or a less safe one, than the operator chose.
https://man.openbsd.org/ssh
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from fleetsweep.errors import InventoryError
from fleetsweep.model.redact import without_words

_WITH_VALUE: Final = "BbcDEeFIiJLlmOoPpQRSWw"
"""OpenSSH's one-letter options that take a value; a value may be joined to its letter."""

_KEYWORDS: Final = {
    "proxyjump": "ProxyJump",
    "proxycommand": "ProxyCommand",
    "userknownhostsfile": "UserKnownHostsFile",
    "identityfile": "IdentityFile",
    "port": "Port",
    "user": "User",
}
_LETTERS: Final = {"i": "IdentityFile", "p": "Port", "l": "User", "F": "-F", "J": "-J"}

TUNING: Final = frozenset({"controlmaster", "controlpath", "controlpersist", "compression", "-c"})
"""Options that tune how ssh shares connections, as in Ansible's default of ``ansible_ssh_args``: ignored there."""

_REMEDIES: Final = {
    "stricthostkeychecking": "fleetsweep always verifies host keys: add the box's key to known_hosts",
    "globalknownhostsfile": "name the file with -o UserKnownHostsFile=",
    "forwardagent": "fleetsweep never forwards an agent",
    "-a": "fleetsweep never forwards an agent",
    "connecttimeout": "use --timeout",
    "proxyusefdpass": "use -o ProxyJump=",
    "-w": "to go through another box use -o ProxyJump= or -o ProxyCommand=",
}

_JUMP: Final = re.compile(
    r"(?:[A-Za-z0-9_][A-Za-z0-9._+@\\-]*@)?(?:\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9_][A-Za-z0-9._-]*)(?::(\d{1,5}))?", re.ASCII
)


@dataclass(slots=True)
class SshArgs:
    """The options read so far: the first value of an option wins, as in ssh itself.

    ``proxy_jump`` and ``proxy_command`` may be the word ``none``, which overrides the SSH configuration.
    """

    port: int | None = None
    user: str | None = None
    key_file: str | None = None
    proxy_jump: str | None = None
    proxy_command: str | None = None
    known_hosts: str | None = None
    ssh_config: str | None = None

    def read(self, text: str, variable: str, where: str, *, ignored: frozenset[str] = frozenset()) -> None:
        """Add the options in ``text``, the value of ``variable``. Raises InventoryError, which names the option.

        Options whose lower-case names are in ``ignored`` are skipped. If there is a ProxyCommand, an error quotes no
        values: the command may hold a password, and without quotes it splits into many options.
        """
        try:
            self._read(text, variable, where, ignored)
        except InventoryError as error:
            if "command" not in text.lower():
                raise
            message = str(error).removeprefix(f"{where}: {variable}")
            raise InventoryError(where, f"{variable}{without_words(message, text, {})}") from None

    def _read(self, text: str, variable: str, where: str, ignored: frozenset[str]) -> None:
        try:
            words = [word.strip() for word in shlex.split(text) if word.strip()]
        except ValueError as error:
            raise InventoryError(where, f"{variable}: {error}: check the quotes") from None
        if any(not character.isprintable() for word in words for character in word):
            raise InventoryError(where, f"{variable} contains a control character: write it on one line")
        for option, value in _options(words, variable, where):
            if option.lower() in ignored and option != "-c":
                continue
            try:
                self._set(option, value)
            except ValueError as error:
                raise InventoryError(where, f"{variable}: {error}") from None

    def _set(self, option: str, value: str) -> None:
        match option:
            case "-J" | "ProxyJump" | "ProxyCommand":
                self._set_proxy(option, value)
            case "UserKnownHostsFile":
                self.known_hosts = self.known_hosts or _one_path(option, value)
            case "IdentityFile":
                self.key_file = self.key_file or _one_path(option, value)
            case "-F":
                # The only option of which ssh uses the last value.
                self.ssh_config = value
            case "Port":
                self.port = self.port or port_number(_one_word(option, value))
            case "User":
                self.user = self.user or user_name(_one_word(option, value))
            case _:
                remedy = _REMEDIES.get(option.lower(), "remove it, or move it to the SSH configuration")
                raise ValueError(f"{option} is not a supported option: {remedy}")

    def _set_proxy(self, option: str, value: str) -> None:
        if option == "-J" and (self.proxy_jump or self.proxy_command):
            raise ValueError("-J conflicts with another proxy option, as in ssh: write all hops in one list")
        jump = None if option == "ProxyCommand" else proxy_jump(value)
        if self.proxy_jump is None and self.proxy_command is None:
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
                yield f"-{letter}", ""
                continue
            value = word[position:] or next(rest, None)
            if value is None:
                raise InventoryError(where, f"{variable}: -{letter} needs a value")
            yield _keyword(value, variable, where) if letter == "o" else (_LETTERS.get(letter, f"-{letter}"), value)
            break


def _keyword(text: str, variable: str, where: str) -> tuple[str, str]:
    found = re.fullmatch(r"\s*([A-Za-z0-9]+)(?:\s*=\s*|\s+)(.*?)\s*", text, re.ASCII)
    if found is None or not found[2]:
        raise InventoryError(where, f"{variable}: -o {text!r} is not an option: write -o Name=value")
    return _KEYWORDS.get(found[1].lower(), found[1]), found[2]


def _one_word(option: str, value: str) -> str:
    try:
        words = shlex.split(value)
    except ValueError as error:
        raise ValueError(f"{option} {value!r}: {error}") from None
    if len(words) != 1 or not words[0]:
        raise ValueError(f"{option} {value!r}: write one value")
    return words[0]


def _one_path(option: str, value: str) -> str:
    path = _one_word(option, value)
    if "%" in path or "${" in path:
        raise ValueError(f"{option} {value!r}: write the full path, without % or ${{}}")
    return path


def proxy_jump(text: str) -> str:
    """Return OpenSSH's list of hops, ``[user@]host[:port]`` joined by commas, or ``none``. Raises ValueError."""
    if text.lower() == "none":
        return "none"
    hops = [hop.strip().removeprefix("ssh://").removesuffix("/") for hop in text.split(",")]
    for hop in hops:
        found = _JUMP.fullmatch(hop)
        if found is None or not 0 < int(found[1] or 22) < 65536:
            raise ValueError(f"ProxyJump {text!r}: {hop!r} is not [user@]host[:port]")
    return ",".join(hops)


def port_number(text: str) -> int:
    """Return a TCP port, from 1 to 65535. Raises ValueError."""
    found = re.fullmatch(r"\s*(\d{1,9})\s*", text, re.ASCII)
    if found is None or not 0 < int(found[1]) < 65536:
        raise ValueError(f"{text!r} is not a port: write a number from 1 to 65535")
    return int(found[1])


def user_name(text: str) -> str:
    """Return a login name that holds no shell metacharacters. Raises ValueError."""
    if re.fullmatch(r"[A-Za-z0-9_](?:[A-Za-z0-9._+@\\-]*[A-Za-z0-9._+@-])?", text, re.ASCII) is None:
        raise ValueError(f"{text!r} is not a user name: use letters, digits, '.', '_' and '-'")
    return text

"""The ssh options of an inventory: ``ansible_ssh_common_args`` and its like, read as OpenSSH reads them.

Only those that say where a host is and how its key is known are honoured. Every other one is refused by name: to pass
over one in silence could mean another way, or a less safe one, than the operator wrote down.
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

_SAME: Final = {
    "proxyjump": "ProxyJump",
    "proxycommand": "ProxyCommand",
    "userknownhostsfile": "UserKnownHostsFile",
    "identityfile": "IdentityFile",
    "port": "Port",
    "user": "User",
}
_LETTERS: Final = {"i": "IdentityFile", "p": "Port", "l": "User", "F": "-F", "J": "-J"}

TUNING: Final = frozenset({"controlmaster", "controlpath", "controlpersist", "compression", "-c"})
"""What Ansible's own default of ``ansible_ssh_args`` holds, or tunes: how the ssh program shares its connections."""

_REMEDIES: Final = {
    "stricthostkeychecking": "fleetsweep always verifies host keys: add the box's key to known_hosts",
    "globalknownhostsfile": "name the file with -o UserKnownHostsFile=",
    "forwardagent": "fleetsweep never forwards an agent",
    "-a": "fleetsweep never forwards an agent",
    "connecttimeout": "use --timeout",
    "proxyusefdpass": "use -o ProxyJump=",
    "-w": "a way through another box is -o ProxyJump= or -o ProxyCommand=",
}

_JUMP: Final = re.compile(
    r"(?:[A-Za-z0-9_][A-Za-z0-9._+@\\-]*@)?(?:\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9_][A-Za-z0-9._-]*)(?::(\d{1,5}))?", re.ASCII
)


@dataclass(slots=True)
class SshArgs:
    """What ssh's options said so far: the first to say a thing is heard, as in ssh itself.

    ``proxy_jump`` may be the word ``none``, which keeps the SSH configuration's own out; so may ``proxy_command``.
    """

    port: int | None = None
    user: str | None = None
    key_file: str | None = None
    proxy_jump: str | None = None
    proxy_command: str | None = None
    known_hosts: str | None = None
    ssh_config: str | None = None

    def read(self, text: str, variable: str, where: str, *, pass_over: frozenset[str] = frozenset()) -> None:
        """Add the options in ``text``, the value of ``variable``. Raises InventoryError, which names the option.

        Options whose lower-case names are in ``pass_over`` mean nothing here. With a ProxyCommand among them no
        value is quoted: it may hold a password, and one without its quotes falls into many options.
        """
        try:
            self._read(text, variable, where, pass_over)
        except InventoryError as error:
            if "command" not in text.lower():
                raise
            message = str(error).removeprefix(f"{where}: {variable}")
            raise InventoryError(where, f"{variable}{without_words(message, text, {})}") from None

    def _read(self, text: str, variable: str, where: str, pass_over: frozenset[str]) -> None:
        try:
            words = [word.strip() for word in shlex.split(text) if word.strip()]
        except ValueError as error:
            raise InventoryError(where, f"{variable}: {error}: check the quotes") from None
        if any(not character.isprintable() for word in words for character in word):
            raise InventoryError(where, f"{variable} holds a control character: write it on one line")
        for option, value in _options(words, variable, where):
            if option.lower() in pass_over and option != "-c":
                continue
            try:
                self._set(option, value)
            except ValueError as error:
                raise InventoryError(where, f"{variable}: {error}") from None

    def _set(self, option: str, value: str) -> None:
        match option:
            case "-J" | "ProxyJump" | "ProxyCommand":
                self._set_way(option, value)
            case "UserKnownHostsFile":
                self.known_hosts = self.known_hosts or _one_path(option, value)
            case "IdentityFile":
                self.key_file = self.key_file or _one_path(option, value)
            case "-F":
                # The only one of which ssh hears the last.
                self.ssh_config = value
            case "Port":
                self.port = self.port or port_number(_one_word(option, value))
            case "User":
                self.user = self.user or user_name(_one_word(option, value))
            case _:
                remedy = _REMEDIES.get(option.lower(), "take it out, or put it into the SSH configuration")
                raise ValueError(f"{option} is no option that fleetsweep can honour: {remedy}")

    def _set_way(self, option: str, value: str) -> None:
        if option == "-J" and (self.proxy_jump or self.proxy_command):
            raise ValueError("-J stands beside another way through: ssh refuses that; write the hops into one list")
        jump = None if option == "ProxyCommand" else proxy_jump(value)
        if self.proxy_jump is None and self.proxy_command is None:
            self.proxy_jump = jump
            if jump is None:
                self.proxy_command = "none" if value.lower() == "none" else value


def _options(words: list[str], variable: str, where: str) -> Iterator[tuple[str, str]]:
    """Each option and its value; ``-o`` options by OpenSSH's keyword, ``-F`` and ``-J`` and unknown ones by letter."""
    rest = iter(words)
    for word in rest:
        if len(word) < 2 or word[0] != "-" or word == "--":
            raise InventoryError(where, f"{variable}: {word!r} is no option: only options can stand here")
        for place, letter in enumerate(word[1:], 2):
            if letter not in _WITH_VALUE:
                yield f"-{letter}", ""
                continue
            value = word[place:] or next(rest, None)
            if value is None:
                raise InventoryError(where, f"{variable}: -{letter} lacks its value")
            yield _keyword(value, variable, where) if letter == "o" else (_LETTERS.get(letter, f"-{letter}"), value)
            break


def _keyword(text: str, variable: str, where: str) -> tuple[str, str]:
    found = re.fullmatch(r"\s*([A-Za-z0-9]+)(?:\s*=\s*|\s+)(.*?)\s*", text, re.ASCII)
    if found is None or not found[2]:
        raise InventoryError(where, f"{variable}: -o {text!r} is no option: write -o Name=value")
    return _SAME.get(found[1].lower(), found[1]), found[2]


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
        raise ValueError(f"{option} {value!r}: write the path out, without % or ${{}}")
    return path


def proxy_jump(text: str) -> str:
    """OpenSSH's list of hops, ``[user@]host[:port]`` with commas, or ``none``. Raises ValueError."""
    if text.lower() == "none":
        return "none"
    hops = [hop.strip().removeprefix("ssh://").removesuffix("/") for hop in text.split(",")]
    for hop in hops:
        found = _JUMP.fullmatch(hop)
        if found is None or not 0 < int(found[1] or 22) < 65536:
            raise ValueError(f"ProxyJump {text!r}: {hop!r} is not [user@]host[:port]")
    return ",".join(hops)


def port_number(text: str) -> int:
    """A TCP port. Raises ValueError."""
    found = re.fullmatch(r"\s*(\d{1,9})\s*", text, re.ASCII)
    if found is None or not 0 < int(found[1]) < 65536:
        raise ValueError(f"{text!r} is not a port: write a number from 1 to 65535")
    return int(found[1])


def user_name(text: str) -> str:
    """A name to log in with that no shell could take for more. Raises ValueError."""
    if re.fullmatch(r"[A-Za-z0-9_](?:[A-Za-z0-9._+@\\-]*[A-Za-z0-9._+@-])?", text, re.ASCII) is None:
        raise ValueError(f"{text!r} is not a user name: use letters, digits, '.', '_' and '-'")
    return text

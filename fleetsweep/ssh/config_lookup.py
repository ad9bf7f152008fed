"""The settings of one host in the SSH configuration, found as ssh(1) finds them: in one pass, or in two.

The second pass follows where a ``Match final`` or CanonicalizeHostname asks for it. The first value of a setting
counts.
"""

from __future__ import annotations

import socket
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

from fleetsweep.model.ssh_settings import SETTINGS, Verdict, find_setting, is_refused
from fleetsweep.ssh.canonical import CanonicalRules, canonical_name, numeric_address
from fleetsweep.ssh.config_match import Subject, judge
from fleetsweep.ssh.config_text import matches, matches_list
from fleetsweep.ssh.config_tokens import expand_tokens, local_user, tokens_of
from fleetsweep.ssh.ssh_config import Line, config_error, port_of

_LISTS: Final = frozenset({"identityfile", "certificatefile"})
_FAMILIES: Final = {"any": socket.AF_UNSPEC, "inet": socket.AF_INET, "inet6": socket.AF_INET6}
_YES: Final = frozenset({"yes", "true"})


@dataclass(slots=True)
class HostSettings:
    """The settings of one host. ``original`` is the name that was looked up, ``hostname`` the one to connect to."""

    original: str
    hostname: str = ""
    values: dict[str, Line] = field(default_factory=dict)
    lists: dict[str, list[Line]] = field(default_factory=dict)

    def text(self, key: str) -> str | None:
        """Return a setting's value, or None if it isn't set."""
        line = self.values.get(key)
        return None if line is None else line.words[0]

    def flag(self, key: str) -> bool:
        """Return whether a setting is ``yes``."""
        return (self.text(key) or "").lower() in _YES

    @property
    def alias(self) -> str | None:
        """HostKeyAlias, in lower case as in ssh."""
        text = self.text("hostkeyalias")
        return None if text is None else text.lower()

    @property
    def port(self) -> int:
        """The port: 22 if none is set."""
        text = self.text("port")
        return 22 if text is None else port_of(text)

    @property
    def user(self) -> str:
        """The user to log in as: the local one if none is set."""
        return self.text("user") or local_user()

    @property
    def family(self) -> int:
        """The address family: 0 for any."""
        return _FAMILIES[(self.text("addressfamily") or "any").lower()]

    @property
    def proxy_jump(self) -> str | None:
        """ProxyJump, if it comes before ProxyCommand. None also for ``none``."""
        return _unless_none(self.text("proxyjump"))

    @property
    def proxy_command(self) -> str | None:
        """ProxyCommand, if no ProxyJump comes before it. None also for ``none``."""
        return _unless_none(self.text("proxycommand"))

    def tokens(self) -> Mapping[str, str]:
        """Return the values of the tokens."""
        jump = (self.proxy_jump or "").rpartition(",")[2].rpartition("@")[2].partition(":")[0]
        host = self.hostname or self.original
        return tokens_of(self.original, host, self.port, self.user, self.alias, jump)


def _unless_none(value: str | None) -> str | None:
    return None if value is None or value.lower() == "none" else value


def look_up(original: str, first: Iterable[Line], files: tuple[tuple[Line, ...], ...]) -> HostSettings:
    """Return the settings for ``original``. The lines in ``first`` come before all files and apply to every host.

    Raises HostError, phase resolve.
    """
    found = _Lookup(original)
    for line in first:
        found.set(line)
    for lines in files:
        found.read(lines, active=True)
    settings = found.settings
    name = found.host.lower()
    address = numeric_address(name, settings.family)
    rules = _rules(settings)
    if address is not None:
        name = address
    else:
        # As in OpenSSH 9.2, any ProxyJump counts as a proxy here, also ``none``.
        direct = "proxyjump" not in settings.values and settings.proxy_command is None
        try:
            name = canonical_name(name, rules, direct=direct)
        except ValueError as error:
            raise config_error(f"{original}: {error}") from None
    settings.hostname = name
    if rules.enabled or found.wants_final:
        found.final = True
        for lines in files:
            found.read(lines, active=True)
    return settings


def _rules(settings: HostSettings) -> CanonicalRules:
    word = (settings.text("canonicalizehostname") or "no").lower()
    cnames = settings.values.get("canonicalizepermittedcnames")
    domains = settings.values.get("canonicaldomains")
    return CanonicalRules(
        enabled=word in {"yes", "true", "always"},
        always=word == "always",
        domains=() if domains is None else domains.words,
        max_dots=int(settings.text("canonicalizemaxdots") or 1),
        fallback_local=(settings.text("canonicalizefallbacklocal") or "yes").lower() in _YES,
        cnames=() if cnames is None else _cname_rules(cnames),
        family=settings.family,
    )


def _cname_rules(line: Line) -> tuple[tuple[str, str], ...]:
    if line.words == ("none",):
        return ()
    rules = []
    for word in line.words:
        source, colon, target = word.lower().partition(":")
        if not source or not colon or not target:
            raise config_error(f"{line.where}: CanonicalizePermittedCNAMEs: {word!r} is not SOURCE:TARGET")
        rules.append((source, target))
    return tuple(rules)


class _Lookup:
    """One host's settings while the lines are read."""

    def __init__(self, original: str) -> None:
        self.settings = HostSettings(original)
        self.final = False
        self.wants_final = False

    @property
    def host(self) -> str:
        """The name to connect to as far as it is known: Match host is compared with it."""
        if self.final:
            return self.settings.hostname
        line = self.settings.values.get("hostname")
        if line is None:
            return self.settings.original
        try:
            return expand_tokens(line.value, lambda: {"%": "%", "h": self.settings.original})
        except ValueError as error:
            raise config_error(f"{line.where}: HostName {line.value!r}: {error}") from None

    def read(self, lines: tuple[Line, ...], *, active: bool, never: bool = False) -> None:
        """Read the lines of one file. With ``never`` they belong to a block that doesn't apply."""
        for line in lines:
            if line.key == "host":
                active = not never and self._names_host(line)
            elif line.key == "match":
                active = self._matches(line, never=never)
            elif line.key == "include":
                for inner in line.inner:
                    self.read(inner, active=active, never=never or not active)
            elif line.key not in SETTINGS:
                self._check_unknown(line)
            elif active:
                self.set(line)

    def set(self, line: Line) -> None:
        """Set a setting if it has no value yet. Raises HostError for one that is refused."""
        key = line.key
        setting = SETTINGS[key]
        values = self.settings.values
        if setting.verdict is Verdict.HONOURED:
            if key in _LISTS:
                kept = self.settings.lists.setdefault(key, [])
                if all(line.words != other.words for other in kept):
                    kept.append(line)
            elif key == "proxyjump":
                if "proxycommand" not in values:
                    values.setdefault(key, line)
            elif key == "proxycommand":
                # As in ssh, a ProxyCommand counts after ``ProxyJump none``.
                if self.settings.proxy_jump is None:
                    values.setdefault(key, line)
            else:
                values.setdefault(key, line)
        elif setting.verdict is Verdict.REFUSED and key not in values:
            values[key] = line
            if is_refused(setting, line.value):
                raise config_error(f"{line.where}: {setting.name} is not supported", setting.remedy)

    def _names_host(self, line: Line) -> bool:
        name = self.settings.hostname if self.final else self.settings.original
        found = False
        for word in line.words:
            if word.startswith("!"):
                if matches(name, word[1:]):
                    return False
            elif matches(name, word):
                found = True
        return found

    def _matches(self, line: Line, *, never: bool) -> bool:
        if not self.final and any(criterion.kind == "final" for criterion in line.criteria):
            self.wants_final = True
        if never:
            return False
        settings = self.settings
        subject = Subject(
            self.host,
            settings.original,
            settings.user,
            local_user(),
            settings.text("tag") or "",
            self.final,
            self._tokens,
        )
        try:
            return judge(line.criteria, subject)
        except ValueError as error:
            raise config_error(f"{line.where}: {error}") from None

    def _tokens(self) -> Mapping[str, str]:
        settings = self.settings
        return tokens_of(settings.original, self.host, settings.port, settings.user, settings.alias)

    def _check_unknown(self, line: Line) -> None:
        ignored = self.settings.text("ignoreunknown")
        if find_setting(line.key) is not None or (ignored and matches_list(line.key, ignored.lower())):
            return
        raise config_error(
            f"{line.where}: {line.key[:60]!r} is not a setting of OpenSSH",
            "correct its name, or put IgnoreUnknown before it",
        )

"""The name of a host as OpenSSH rewrites it: numeric addresses in one form, and CanonicalizeHostname."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from fleetsweep.ssh.config_text import matches_list

RESOLVE_TIMEOUT_S: Final = 5.0
"""Seconds that the resolver may take for one name."""

Resolve = Callable[[str, int], str | None]
"""Returns the canonical name (CNAME) of a name in an address family, empty if it has none, or None if it is unknown."""


@dataclass(frozen=True, slots=True)
class CanonicalRules:
    """The settings. ``always`` rewrites names behind a proxy too. ``cnames`` are pairs of source and target pattern."""

    enabled: bool
    always: bool
    domains: tuple[str, ...]
    max_dots: int
    fallback_local: bool
    cnames: tuple[tuple[str, str], ...]
    family: int


def numeric_address(name: str, family: int = socket.AF_UNSPEC) -> str | None:
    """Return an IP address in its usual form, as ``::1`` for ``0:0:0:0:0:0:0:1``; None for a name."""
    if not name or (":" not in name and not name[0].isdigit()):
        return None
    if family != socket.AF_INET6 and _is_dotted(name):
        return name
    try:
        found = socket.getaddrinfo(name, None, family, socket.SOCK_STREAM, flags=socket.AI_NUMERICHOST)
        return str(socket.getnameinfo(found[0][4], socket.NI_NUMERICHOST | socket.NI_NUMERICSERV)[0])
    except (OSError, UnicodeError):
        return None


def _is_dotted(name: str) -> bool:
    """Whether this is an IPv4 address in its usual form: four decimal numbers without leading zeros."""
    try:
        return socket.inet_ntoa(socket.inet_pton(socket.AF_INET, name)) == name
    except (OSError, ValueError):
        return False


def resolve(name: str, family: int) -> str | None:
    """Return the canonical name. Raises ValueError if the resolver takes too long; it has no timeout of its own."""
    results: list[str | None] = []

    def look_up() -> None:
        try:
            found = socket.getaddrinfo(name, None, family, socket.SOCK_STREAM, flags=socket.AI_CANONNAME)
            results.append(found[0][3])
        except (OSError, UnicodeError):
            results.append(None)

    thread = threading.Thread(target=look_up, name="fleetsweep-canonical", daemon=True)
    thread.start()
    thread.join(RESOLVE_TIMEOUT_S)
    if not results:
        raise ValueError(f"CanonicalizeHostname: the resolver did not respond for {name} in {RESOLVE_TIMEOUT_S:g} s")
    return results[0]


def canonical_name(name: str, rules: CanonicalRules, *, direct: bool, resolve: Resolve = resolve) -> str:
    """Return the name after CanonicalizeHostname. Raises ValueError if CanonicalizeFallbackLocal forbids to go on."""
    if not rules.enabled or not (direct or rules.always) or _looks_numeric(name):
        return name
    if name.endswith("."):
        candidates = [name]
    elif name.count(".") > rules.max_dots:
        return name if not rules.cnames else _bare(name, rules, resolve)
    else:
        domains: list[str] = []
        for domain in rules.domains:
            if domain.lower() == "none":
                break
            domains.append(domain)
        candidates = [f"{name}.{domain}." for domain in domains]
    for candidate in candidates:
        target = resolve(candidate, rules.family)
        if target is not None:
            return _follow(candidate.removesuffix("."), target, rules)
    if not rules.fallback_local:
        raise ValueError(f"CanonicalizeHostname: {name} is in no domain of CanonicalDomains")
    return name if not rules.cnames else _bare(name, rules, resolve)


def _looks_numeric(name: str) -> bool:
    """Return whether OpenSSH takes this for an address, if perhaps one of another family or an unknown zone."""
    return ":" in name or "%" in name or set(name) <= set("0123456789.")


def _bare(name: str, rules: CanonicalRules, resolve: Resolve) -> str:
    """Return what CanonicalizePermittedCNAMEs makes of a name that no domain completes."""
    target = resolve(name, rules.family)
    return name if target is None else _follow(name, target, rules)


def _follow(name: str, target: str, rules: CanonicalRules) -> str:
    if target and target != name:
        for source, allowed in rules.cnames:
            if matches_list(name.lower(), source) and matches_list(target.lower(), allowed):
                return target
    return name

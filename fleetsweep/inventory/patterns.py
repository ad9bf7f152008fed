"""Evaluate ``--limit``: Ansible's pattern grammar, with every case that would fail open made an error. Pure.

Ansible only warns about a pattern that matches nothing, and takes an empty one to mean every host. In a tool that
deletes, either could remove containers from the wrong hosts.
https://docs.ansible.com/ansible/latest/inventory_guide/intro_patterns.html
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from fnmatch import translate
from typing import Final, NoReturn

from fleetsweep.errors import InventoryError
from fleetsweep.inventory.folding import fold
from fleetsweep.model.timed_regex import PatternTimeout, check, match_prefix

ReadLines = Callable[[str], Sequence[str]]

_NEAR: Final = 20_000
"""The most names among which the closest match is searched."""

_SUBSCRIPT: Final = re.compile(
    r"(?s)(?P<base>.+)\[(?:(?P<at>-?\d{1,9})|(?P<first>\d{1,9})(?P<sep>[:-])(?P<last>\d{0,9}))\]", re.ASCII
)
_RANGE: Final = re.compile(r"\[(?:[0-9]+:[0-9]+|[a-z]:[a-z])(?::[0-9]+)?\]", re.IGNORECASE | re.ASCII)
_HEX_RANGE: Final = re.compile(r"\[[0-9a-f]+:[0-9a-f]+(?::[0-9]+)?\]", re.IGNORECASE | re.ASCII)
_LABEL: Final = re.compile(r"[^\W_]|\w[\w-]*[^\W_]")
_IMPLICIT: Final = frozenset({"localhost", "127.0.0.1", "::1"})
"""The names of this machine, which Ansible knows without an inventory but has in no group."""
_BEFORE_IPV4: Final = frozenset({"::", "::ffff:", "0:0:0:0:0:0:", "0:0:0:0:0:ffff:"})


def select(
    limits: Sequence[str], hosts: Sequence[str], groups: Mapping[str, Sequence[str]], read_lines: ReadLines
) -> tuple[str, ...]:
    """Return the hosts that the limits select, in the order of ``hosts``; all without a limit. Raises InventoryError.

    ``hosts`` are in the order in which the sources first name them: a subscript on a glob counts in that order.
    ``groups`` maps each group, with ``all`` and ``ungrouped``, to its members in Ansible's order. ``read_lines``
    returns the lines of the file in a term ``@file``; it raises InventoryError.
    """
    chosen = set(matched(limits, hosts, groups, read_lines))
    return tuple(name for name in hosts if name in chosen)


def named(names: Sequence[str], hosts: Sequence[str]) -> tuple[str, ...]:
    """Return the hosts with exactly these names, in the order of ``hosts``. Raises InventoryError for another."""
    known = set(hosts)
    for name in names:
        if name not in known:
            raise InventoryError("--host", f"no host is named {_quoted(name)}{_nearest(name, hosts, ())}")
    return tuple(name for name in hosts if name in names)


def matched(
    limits: Sequence[str], hosts: Sequence[str], groups: Mapping[str, Sequence[str]], read_lines: ReadLines
) -> tuple[str, ...]:
    """Return the hosts of ``select`` in the order in which Ansible's patterns match them. Raises InventoryError."""
    if not hosts:
        raise InventoryError("inventory", "has no hosts: check -i/--inventory")
    fleet = _Fleet(hosts, groups)
    if not limits:
        return tuple(hosts)
    terms = [term for limit in limits for term in _terms(limit, read_lines)]
    unions = [term for term in terms if term[0] not in "&!"]
    chosen: dict[str, None] = {}
    for term in unions or ["all"]:
        chosen.update(dict.fromkeys([term] if term in fleet.names else fleet.matching(term, term)))
    # The terms that narrow apply last, wherever they are written: '!db,web' and 'web,!db' select the same hosts.
    for term in (term for term in terms if term[0] == "&"):
        also = set(fleet.matching(term[1:], term))
        _check_not_empty(term, chosen, [name for name in chosen if name in also])
        chosen = {name: None for name in chosen if name in also}
    for term in (term for term in terms if term[0] == "!"):
        before = tuple(chosen) if len(chosen) < 1000 else ()
        for name in fleet.matching(term[1:], term):
            chosen.pop(name, None)
        _check_not_empty(term, before, chosen)
    if not chosen:
        raise InventoryError(
            "--limit", f"{', '.join(map(_quoted, terms[:5]))}: no host is selected: see fleetsweep hosts"
        )
    return tuple(chosen)


def _check_not_empty(term: str, before: Iterable[str], left: Iterable[str]) -> None:
    if not any(True for _ in left):
        of = fold(tuple(before))
        verb = "excludes" if term[0] == "!" else "has no host in common with"
        raise InventoryError("--limit", f"{_quoted(term)} {verb} the whole selection" + (f": {of}" if of else ""))


def _terms(limit: str, read_lines: ReadLines) -> list[str]:
    """Return the terms of one limit, with the lines of its @files: at least one, none of them empty.

    Raises InventoryError.
    """
    terms: list[str] = []
    for term in _split(limit):
        if term[0] != "@":
            terms.append(term)
            continue
        # Ansible takes an empty file, such as the retry file of a run without failures, to mean every host.
        lines = [line.strip() for line in read_lines(term[1:])]
        if not any(lines):
            raise InventoryError("--limit", f"{_quoted(term)} contains no pattern: omit --limit to select all hosts")
        terms.extend(filter(None, lines))
    return terms


def _split(limit: str) -> list[str]:
    """Split on commas if there are any; else keep one host, IPv6 address or range; else split on colons and blanks."""
    if "," in limit:
        terms = [term.strip() for term in limit.split(",")]
    elif is_address(limit):
        terms = [limit.strip()]
    else:
        terms = _split_on_colons(limit)
    if not any(terms):
        raise InventoryError("--limit", "an empty pattern selects nothing: omit --limit to select all hosts")
    if not all(terms):
        raise InventoryError("--limit", f"{_quoted(limit)} has an empty term: is a variable in it unset?")
    return terms


def _split_on_colons(limit: str) -> list[str]:
    terms, rest = [""], limit.strip()
    blank = False
    while rest:
        character = rest[0]
        if character == "[" and "]" in rest:
            piece = rest[: rest.index("]") + 1]
        elif character in "[]":
            raise InventoryError("--limit", f"{_quoted(limit)} has an unmatched {character!r}")
        else:
            piece = character
        rest = rest[len(piece) :]
        if piece == ":":
            terms.append("")
        elif piece.isspace():
            blank = True
            continue
        else:
            if blank and terms[-1]:
                terms.append("")
            terms[-1] += piece
        blank = False
    return terms


def is_address(text: str) -> bool:
    """Return whether Ansible parses ``text`` as one host name or IP address, with or without ranges and a port."""
    text = text.removesuffix("\n")
    for form in (r"\[(.+)\]:[0-9]+", r"((?:[^:\[\]]|\[[^\]]*\])*):[0-9]+"):
        with_port = re.fullmatch(form, text)
        if with_port:
            text = with_port[1].removesuffix("\n")
    return _is_ipv6(_HEX_RANGE.sub("\0", text)) or all(map(_LABEL.fullmatch, _RANGE.sub("a", text).split(".")))


def _is_ipv6(text: str) -> bool:
    """Return whether ``text`` is an IPv6 address. It has a NUL in place of each range: a range is a whole group."""

    def parts(some: str, separator: str = ":") -> int:
        """Return the number of groups; 99 if one of them is invalid."""
        if not some:
            return 0
        groups = some.split(separator)
        return len(groups) if all(re.fullmatch("[0-9A-Fa-f]{1,4}|\0", group) for group in groups) else 99

    if "." in text:
        head, colon, tail = text.rpartition(":")
        return (head + colon).lower() in _BEFORE_IPV4 and parts(tail, ".") == 4
    left, gap, right = text.partition("::")
    if not gap:
        return parts(text) == 8
    return parts(left) <= 6 and parts(right) <= 6 and parts(left) + parts(right) <= 7


class _Fleet:
    """The host and group names that a term may match."""

    def __init__(self, hosts: Sequence[str], groups: Mapping[str, Sequence[str]]) -> None:
        self.names = dict.fromkeys(hosts)
        self._groups = groups

    def matching(self, pattern: str, term: str) -> Sequence[str]:
        """Return the hosts of a term without its ``&`` or ``!``, in Ansible's order. Raises InventoryError for none.

        A name may occur twice, through a group and by itself, and a subscript counts it twice: so does Ansible.
        """
        if not pattern or (pattern[0] in "&!@" and term != pattern):
            raise InventoryError("--limit", f"{_quoted(term)}: write one name, glob or ~regex after {term[0]!r}")
        subscript = None if pattern[0] == "~" else _SUBSCRIPT.fullmatch(pattern)
        base = subscript["base"] if subscript else pattern
        found = self._literal(base) if _is_literal(base) else self._by_pattern(base, term)
        if found is None:
            if term[0] == "!" and pattern in _IMPLICIT:
                # Playbooks exclude it by habit. This machine isn't in the inventory, so the selection is the same.
                return ()
            self._refuse(base, _quoted(term) if subscript is None else f"{_quoted(base)} of {_quoted(term)}")
        return found if subscript is None else _sliced(found, subscript, term)

    def _literal(self, name: str) -> Sequence[str] | None:
        members = self._groups.get(name)
        if members is None:
            return [name] if name in self.names else None
        # A name with a dot may also be a host of that name.
        return [*members, name] if "." in name and name in self.names else members

    def _by_pattern(self, pattern: str, term: str) -> Sequence[str] | None:
        matching = _compiled(pattern, term)
        groups = matching(tuple(self._groups))
        by_name = matching(tuple(self.names))
        if not groups and not by_name:
            return None
        if "all" in groups:
            others = set(by_name).union(*(self._groups[name] for name in groups if name != "all"))
            if not others.issuperset(self.names):
                # -l 'a*' was meant for arm-1, and would have selected the whole fleet.
                raise InventoryError(
                    "--limit",
                    f"{_quoted(term)} matches the group 'all', and so every host: write a longer prefix",
                )
        return [*(host for name in groups for host in self._groups[name]), *by_name]

    def _refuse(self, base: str, shown: str) -> NoReturn:
        hint = _hint(base) or _nearest(base, list(self.names), list(self._groups))
        raise InventoryError("--limit", f"{shown} matches no host and no group{hint}")


def _is_literal(pattern: str) -> bool:
    return pattern[0] != "~" and not any(special in pattern for special in "*?[")


def _compiled(pattern: str, term: str) -> Callable[[Sequence[str]], Sequence[str]]:
    """Return a function that filters names by the glob or regex. Raises InventoryError for an unsafe one."""
    if pattern[0] != "~":
        glob = re.compile(translate(pattern)).match
        return lambda names: [name for name in names if glob(name)]
    expression = pattern[1:]

    def matching(names: Sequence[str]) -> Sequence[str]:
        try:
            return match_prefix(expression, names)
        except PatternTimeout:
            raise InventoryError(
                "--limit", f"{_quoted(term)} takes too long on the inventory's names: simplify it"
            ) from None

    try:
        check(expression)
    except ValueError as error:
        raise InventoryError("--limit", f"{_quoted(term)} {error}") from None
    if matching([""]):
        raise InventoryError("--limit", f"{_quoted(term)} matches every name: write 'all' to select every host")
    return matching


def _sliced(found: Sequence[str], subscript: re.Match[str], term: str) -> Sequence[str]:
    """Apply a subscript: ``[0]``, ``[-1]``, ``[0:2]`` with both ends included, ``[2:]``.

    Raises InventoryError for one that is out of range.
    """
    at, first, last = (subscript[part] for part in ("at", "first", "last"))
    if subscript["sep"] == "-":
        raise InventoryError("--limit", f"{_quoted(term)}: write [{first}:{last}]")
    if at is not None:
        begin = int(at)
        chosen = found[begin : begin + 1 or None] if -len(found) <= begin else ()
    else:
        begin, end = int(first), int(last or len(found))
        if last and end < begin:
            raise InventoryError("--limit", f"{_quoted(term)} ends before it begins")
        chosen = found[begin : end + 1]
    if not chosen:
        size = "1 host" if len(found) == 1 else f"{len(found)} hosts"
        raise InventoryError("--limit", f"{_quoted(term)} is out of range: {_quoted(subscript['base'])} has {size}")
    return chosen


def _hint(base: str) -> str:
    if base in _IMPLICIT:
        return ": it is not in the inventory; use --local for this machine's own engine"
    if base[0] == "~":
        return ": a regex matches from the start of the name, and a comma ends it (as does a colon outside brackets)"
    if base[0] == "#":
        return ": a pattern file can't contain comments"
    if base[0] == "@" or "," in base:
        return ": each line of a pattern file is one pattern, without commas or @files"
    if re.search(r":\d+$", base):
        return ": a pattern can't contain a port"
    return ""


def _nearest(name: str, hosts: Sequence[str], groups: Sequence[str]) -> str:
    known = {other.casefold(): f"the group {other}" for other in groups} | {other.casefold(): other for other in hosts}
    # Comparing a hundred thousand names takes seconds.
    candidates = known if len(known) <= _NEAR else ()
    for near in difflib.get_close_matches(name[:255].casefold(), candidates, n=1, cutoff=0.75):
        return f": did you mean {known[near]}?"
    return f": the hosts are {fold(hosts)}" + (f" and the groups {fold(groups)}" if groups else "")


def _quoted(text: str) -> str:
    return repr(text if len(text) <= 100 else text[:99] + "…")

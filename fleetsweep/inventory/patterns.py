"""Which hosts a ``--limit`` means: Ansible's pattern grammar, with nothing in it that fails open. Pure.

Ansible warns of a pattern that matches nothing and goes on, and takes an empty one for every host. That is an
inconvenience to a tool that installs packages, and an accident to one that deletes: here each is an error.
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
"""Names among which the nearest is looked for."""

_SUBSCRIPT: Final = re.compile(
    r"(?s)(?P<base>.+)\[(?:(?P<at>-?\d{1,9})|(?P<first>\d{1,9})(?P<sep>[:-])(?P<last>\d{0,9}))\]", re.ASCII
)
_RANGE: Final = re.compile(r"\[(?:[0-9]+:[0-9]+|[a-z]:[a-z])(?::[0-9]+)?\]", re.IGNORECASE | re.ASCII)
_HEX_RANGE: Final = re.compile(r"\[[0-9a-f]+:[0-9a-f]+(?::[0-9]+)?\]", re.IGNORECASE | re.ASCII)
_LABEL: Final = re.compile(r"[^\W_]|\w[\w-]*[^\W_]")
_BEFORE_IPV4: Final = frozenset({"::", "::ffff:", "0:0:0:0:0:0:", "0:0:0:0:0:ffff:"})


def select(
    limits: Sequence[str], hosts: Sequence[str], groups: Mapping[str, Sequence[str]], read_lines: ReadLines
) -> tuple[str, ...]:
    """The hosts that the limits select, in the order of ``hosts``; all without a limit. Raises InventoryError.

    ``hosts`` stand in the order in which the sources first name them: a subscript on a glob counts in that order.
    ``groups`` holds each group's members in Ansible's order, ``all`` and ``ungrouped`` among them. ``read_lines``
    gives the lines of the file in a term ``@file``; it raises InventoryError.
    """
    chosen = set(matched(limits, hosts, groups, read_lines))
    return tuple(name for name in hosts if name in chosen)


def named(names: Sequence[str], hosts: Sequence[str]) -> tuple[str, ...]:
    """The hosts of exactly these names, in the order of ``hosts``. Raises InventoryError for one that isn't there."""
    known = set(hosts)
    for name in names:
        if name not in known:
            raise InventoryError("--host", f"no host is named {_quoted(name)}{_nearest(name, hosts, ())}")
    return tuple(name for name in hosts if name in names)


def matched(
    limits: Sequence[str], hosts: Sequence[str], groups: Mapping[str, Sequence[str]], read_lines: ReadLines
) -> tuple[str, ...]:
    """The same hosts as ``select``, in the order in which Ansible's patterns find them. Raises InventoryError."""
    if not hosts:
        raise InventoryError("inventory", "holds no host: check -i/--inventory")
    fleet = _Fleet(hosts, groups)
    if not limits:
        return tuple(hosts)
    terms = [term for limit in limits for term in _terms(limit, read_lines)]
    unions = [term for term in terms if term[0] not in "&!"]
    chosen: dict[str, None] = {}
    for term in unions or ["all"]:
        chosen.update(dict.fromkeys([term] if term in fleet.names else fleet.matching(term, term)))
    # Wherever they stand, the terms that narrow come last: so '!db,web' and 'web,!db' are the same hosts.
    for term in (term for term in terms if term[0] == "&"):
        also = set(fleet.matching(term[1:], term))
        _refuse_nothing(term, chosen, [name for name in chosen if name in also])
        chosen = {name: None for name in chosen if name in also}
    for term in (term for term in terms if term[0] == "!"):
        before = tuple(chosen) if len(chosen) < 1000 else ()
        for name in fleet.matching(term[1:], term):
            chosen.pop(name, None)
        _refuse_nothing(term, before, chosen)
    if not chosen:
        raise InventoryError("--limit", f"{', '.join(map(_quoted, terms[:5]))}: no host is in it: see fleetsweep hosts")
    return tuple(chosen)


def _refuse_nothing(term: str, before: Iterable[str], left: Iterable[str]) -> None:
    if not any(True for _ in left):
        of = fold(tuple(before))
        verb = "takes away" if term[0] == "!" else "shares no host with"
        raise InventoryError("--limit", f"{_quoted(term)} {verb} all that was selected" + (f": {of}" if of else ""))


def _terms(limit: str, read_lines: ReadLines) -> list[str]:
    """The terms of one limit, the lines of its files among them; never none, and never an empty one."""
    terms: list[str] = []
    for term in _split(limit):
        if term[0] != "@":
            terms.append(term)
            continue
        # Ansible reads an empty file, such as the retry file of a run that did not fail, as every host.
        lines = [line.strip() for line in read_lines(term[1:])]
        if not any(lines):
            raise InventoryError("--limit", f"{_quoted(term)} holds no pattern: leave --limit out to mean all hosts")
        terms.extend(filter(None, lines))
    return terms


def _split(limit: str) -> list[str]:
    """Split on commas if there is one; else it is one host, or IPv6 address, or range; else on colons and blanks."""
    if "," in limit:
        terms = [term.strip() for term in limit.split(",")]
    elif is_address(limit):
        terms = [limit.strip()]
    else:
        terms = _split_on_colons(limit)
    if not any(terms):
        raise InventoryError("--limit", "an empty pattern selects nothing: leave --limit out to mean all hosts")
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
            raise InventoryError("--limit", f"{_quoted(limit)} has a {character!r} without its partner")
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
    """Whether Ansible takes ``text`` for one host name, IPv4 or IPv6 address, with ranges and a port or without."""
    text = text.removesuffix("\n")
    for form in (r"\[(.+)\]:[0-9]+", r"((?:[^:\[\]]|\[[^\]]*\])*):[0-9]+"):
        with_port = re.fullmatch(form, text)
        if with_port:
            text = with_port[1].removesuffix("\n")
    return _is_ipv6(_HEX_RANGE.sub("\0", text)) or all(map(_LABEL.fullmatch, _RANGE.sub("a", text).split(".")))


def _is_ipv6(text: str) -> bool:
    """``text`` has a NUL in place of each range: a range is a whole group."""

    def parts(some: str, separator: str = ":") -> int:
        """How many groups there are; a lot if one of them is none."""
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
    """The names that a term may match."""

    def __init__(self, hosts: Sequence[str], groups: Mapping[str, Sequence[str]]) -> None:
        self.names = dict.fromkeys(hosts)
        self._groups = groups

    def matching(self, pattern: str, term: str) -> Sequence[str]:
        """The hosts of a term without its ``&`` or ``!``, as Ansible finds them. Raises InventoryError for none.

        A name may come twice, by a group and by itself, and a subscript counts it twice: so does Ansible.
        """
        if not pattern or (pattern[0] in "&!@" and term != pattern):
            raise InventoryError("--limit", f"{_quoted(term)}: after {term[0]!r} comes one name, glob or ~regex")
        subscript = None if pattern[0] == "~" else _SUBSCRIPT.fullmatch(pattern)
        base = subscript["base"] if subscript else pattern
        found = self._literal(base) if _is_literal(base) else self._by_pattern(base, term)
        if found is None:
            self._refuse(base, _quoted(term) if subscript is None else f"{_quoted(base)} of {_quoted(term)}")
        return found if subscript is None else _sliced(found, subscript, term)

    def _literal(self, name: str) -> Sequence[str] | None:
        members = self._groups.get(name)
        if members is None:
            return [name] if name in self.names else None
        # With a dot in it, it may be the host of that name besides.
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
                # -l 'a*' was meant for arm-1, and would be the whole fleet.
                raise InventoryError(
                    "--limit",
                    f"{_quoted(term)} matches the name of the group 'all', and so every host: write more of the name",
                )
        return [*(host for name in groups for host in self._groups[name]), *by_name]

    def _refuse(self, base: str, shown: str) -> NoReturn:
        hint = _hint(base) or _nearest(base, list(self.names), list(self._groups))
        raise InventoryError("--limit", f"{shown} matches no host and no group{hint}")


def _is_literal(pattern: str) -> bool:
    return pattern[0] != "~" and not any(special in pattern for special in "*?[")


def _compiled(pattern: str, term: str) -> Callable[[Sequence[str]], Sequence[str]]:
    """What picks those names that match from the names it is given."""
    if pattern[0] != "~":
        glob = re.compile(translate(pattern)).match
        return lambda names: [name for name in names if glob(name)]
    expression = pattern[1:]

    def matching(names: Sequence[str]) -> Sequence[str]:
        try:
            return match_prefix(expression, names)
        except PatternTimeout:
            raise InventoryError(
                "--limit", f"{_quoted(term)} takes too long on the inventory's names: write it more simply"
            ) from None

    try:
        check(expression)
    except ValueError as error:
        raise InventoryError("--limit", f"{_quoted(term)} {error}") from None
    if matching([""]):
        raise InventoryError("--limit", f"{_quoted(term)} matches any name at all: to mean every host, write 'all'")
    return matching


def _sliced(found: Sequence[str], subscript: re.Match[str], term: str) -> Sequence[str]:
    """``[0]``, ``[-1]``, ``[0:2]`` with the last one included, ``[2:]``. Raises InventoryError beyond the end."""
    at, first, last = (subscript[part] for part in ("at", "first", "last"))
    if subscript["sep"] == "-":
        raise InventoryError("--limit", f"{_quoted(term)}: write [{first}:{last}] for these places in the list")
    if at is not None:
        begin = int(at)
        chosen = found[begin : begin + 1 or None] if -len(found) <= begin else ()
    else:
        begin, end = int(first), int(last or len(found))
        if last and end < begin:
            raise InventoryError("--limit", f"{_quoted(term)} ends before it begins")
        chosen = found[begin : end + 1]
    if not chosen:
        held = "1 host" if len(found) == 1 else f"{len(found)} hosts"
        raise InventoryError("--limit", f"{_quoted(term)} is out of range: {_quoted(subscript['base'])} holds {held}")
    return chosen


def _hint(base: str) -> str:
    if base in {"localhost", "127.0.0.1", "::1"}:
        return ": no inventory file names it; to mean this machine's own engine, give --local"
    if base[0] == "~":
        return ": a regex begins where the name begins, and a comma ends it (as a colon does outside brackets)"
    if base[0] == "#":
        return ": a file of patterns has no comments"
    if base[0] == "@" or "," in base:
        return ": a line of a file is one pattern, without commas and other files"
    if re.search(r":\d+$", base):
        return ": a pattern has no port"
    return ""


def _nearest(name: str, hosts: Sequence[str], groups: Sequence[str]) -> str:
    known = {other.casefold(): f"the group {other}" for other in groups} | {other.casefold(): other for other in hosts}
    # To compare each of a hundred thousand names takes seconds.
    candidates = known if len(known) <= _NEAR else ()
    for near in difflib.get_close_matches(name[:255].casefold(), candidates, n=1, cutoff=0.75):
        return f": did you mean {known[near]}?"
    return f": there are {fold(hosts)}" + (f" and the groups {fold(groups)}" if groups else "")


def _quoted(text: str) -> str:
    return repr(text if len(text) <= 100 else text[:99] + "…")

"""Read INI inventories into the graph.

https://docs.ansible.com/ansible/latest/collections/ansible/builtin/ini_inventory.html
"""

from __future__ import annotations

import ast
import re
import shlex
import warnings
from collections.abc import Sequence
from typing import Final

from fleetsweep.errors import InventoryError
from fleetsweep.inventory.graph import UNGROUPED, Graph, Group
from fleetsweep.inventory.ranges import host_names

LITERAL_LIMIT: Final = 100_000
"""The longest value, in characters, that is parsed as a Python literal."""

_SECTION: Final = re.compile(r"\[([^:\]\s]+)(?::(\w+))?\]\s*(?:#.*)?")
_CHILD: Final = re.compile(r"([^:\]\s]+)\s*(?:#.*)?")
_SHELL: Final = re.compile(r"[\"'\\\x1f]")
# Most values: not a Python literal, so parsing is skipped.
_PLAIN_TEXT: Final = re.compile(r"(?!(?:True|False|None)\b)[A-Za-z_/~][A-Za-z0-9_./:@~-]*|\d+\.\d+\.\d+\.\d+", re.ASCII)
_PLAIN_NUMBER: Final = re.compile(r"0|[1-9][0-9]{0,15}", re.ASCII)


def read_ini(text: str, path: str, graph: Graph) -> None:
    """Add the contents of an INI inventory to the graph. Raises InventoryError."""
    reader = _Reader(graph)
    for number, raw in enumerate(text.splitlines(), 1):
        line = raw.strip()
        if line and line[0] not in "#;":
            reader.read(line, f"{path}:{number}")
    reader.finish()


class _Reader:
    """One pass over the lines. Groups may be named as children, or given variables, before they are declared."""

    def __init__(self, graph: Graph) -> None:
        self._graph = graph
        self._group = graph.groups[UNGROUPED]
        self._kind = "hosts"
        self._pending_children: dict[str, list[tuple[Group, str]]] = {}
        self._vars_only: dict[str, str] = {}

    def read(self, line: str, where: str) -> None:
        if line[0] == "[":
            header = _SECTION.fullmatch(line)
            if header is not None:
                self._open(header[1], header[2] or "hosts", where)
                return
            if line[-1] == "]":
                raise InventoryError(where, f"{line[:80]!r} is not a section: write [group] without spaces")
        if self._kind == "hosts":
            self._read_host(line, where)
        elif self._kind == "vars":
            key, separator, value = line.partition("=")
            if not separator:
                raise InventoryError(where, f"{line[:80]!r} is not a variable: write key=value")
            self._graph.set_variable(self._group.name, key.strip(), literal(value.strip(), where), where)
        else:
            self._read_child(line, where)

    def finish(self) -> None:
        """Raise InventoryError for a group that is referred to but not declared."""
        for name, parents in self._pending_children.items():
            parent, where = parents[-1]
            raise InventoryError(
                where, f"[{parent.name}:children] names {name}, which is not a group: declare [{name}]"
            )
        for name, where in self._vars_only.items():
            raise InventoryError(where, f"[{name}:vars] is for a group that is not declared: add [{name}]")

    def _open(self, name: str, kind: str, where: str) -> None:
        if kind not in {"hosts", "children", "vars"}:
            raise InventoryError(where, f"[{name}:{kind}] is not a section type: use [group], :vars or :children")
        known = name in self._graph.groups
        self._group, self._kind = self._graph.add_group(name, where), kind
        if kind == "vars":
            if not known and name not in self._pending_children:
                self._vars_only[name] = where
            return
        self._vars_only.pop(name, None)
        for parent, named_at in self._pending_children.pop(name, ()):
            self._graph.add_child(parent, self._group, named_at)

    def _read_child(self, line: str, where: str) -> None:
        found = _CHILD.fullmatch(line)
        if found is None:
            raise InventoryError(where, f"{line[:80]!r} is not a group name")
        child = self._graph.groups.get(found[1])
        if child is None:
            self._pending_children.setdefault(found[1], []).append((self._group, where))
        else:
            self._graph.add_child(self._group, child, where)

    def _read_host(self, line: str, where: str) -> None:
        pattern, *words = _words(line, where)
        names, port = host_names(pattern, where)
        pairs: list[tuple[str, object]] = []
        for word in words:
            key, separator, text = word.partition("=")
            if not separator:
                raise InventoryError(where, f"{word[:80]!r} is not a variable: write key=value")
            pairs.append((key, literal(text, where)))
        for name in names:
            self._graph.add_host(name, self._group, where, port)
            for key, value in pairs:
                self._graph.set_variable(name, key, value, where)


def _words(line: str, where: str) -> Sequence[str]:
    """Return a line's words, split as a shell would; ``#`` starts a comment, even within a word."""
    if line.isascii() and _SHELL.search(line) is None:
        return line.partition("#")[0].split()
    try:
        words = shlex.split(line, comments=True)
    except ValueError as error:
        raise InventoryError(where, f"{error}: check the quotes") from error
    if not words:
        raise InventoryError(where, f"{line[:80]!r} names no host")
    return words


def literal(text: str, where: str) -> object:
    """Return an INI value as Ansible types it: a Python literal if it parses as one, else the text.

    Raises InventoryError.
    """
    if _PLAIN_NUMBER.fullmatch(text):
        return int(text)
    if _PLAIN_TEXT.fullmatch(text) or len(text) > LITERAL_LIMIT:
        return text
    try:
        with warnings.catch_warnings():
            # Text that only resembles Python may cause a SyntaxWarning.
            warnings.simplefilter("ignore")
            return _to_data(ast.literal_eval(text))
    except (ValueError, SyntaxError):
        return text
    except (TypeError, MemoryError, RecursionError) as error:
        # Ansible rejects the whole source here, too.
        raise InventoryError(where, f"{text[:80]!r} can't be parsed as a value: quote it") from error


def _to_data(value: object) -> object:
    """Return the value without types that only Python has."""
    if isinstance(value, (str, bool, int, float)) or value is None:
        return value
    if isinstance(value, (list, tuple)):
        return [_to_data(item) for item in value]
    if isinstance(value, set):
        # A set has no order: sort it, so that runs agree.
        return [_to_data(item) for item in sorted(value, key=_sort_key)]
    if isinstance(value, dict):
        return {key: _to_data(item) for key, item in value.items()}
    if isinstance(value, bytes):
        return value.decode("utf-8", "surrogateescape")
    return "..." if value is ... else str(value)


def _sort_key(item: object) -> tuple[str, float, str]:
    number = float(item) if isinstance(item, (int, float)) and abs(item) < 2**53 else 0.0
    return ("" if isinstance(item, (int, float)) else type(item).__name__, number, repr(item))

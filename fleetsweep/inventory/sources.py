"""Reading inventory files: INI and YAML, as Ansible writes them, into groups, hosts and variables.

https://docs.ansible.com/ansible/latest/inventory_guide/intro_inventory.html
"""

from __future__ import annotations

import ast
import re
import shlex
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from fleetsweep.errors import InventoryError

RANGE_LIMIT: Final = 100_000
"""Hosts that one range may stand for: a typing error must not fill the memory."""

_NAME: Final = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.:@-]*", re.ASCII)
_RANGE: Final = re.compile(r"\[(\d+|[a-zA-Z]):(\d+|[a-zA-Z])(?::(\d+))?\]", re.ASCII)
_SECTION: Final = re.compile(r"\[([^\]:]+)(?::(vars|children))?\]\s*(?:[#;].*)?")


@dataclass(slots=True)
class Group:
    """A group's own hosts, child groups and variables."""

    hosts: dict[str, None] = field(default_factory=dict)
    children: dict[str, None] = field(default_factory=dict)
    variables: dict[str, object] = field(default_factory=dict)
    origins: dict[str, str] = field(default_factory=dict)

    def set(self, variables: dict[str, object], where: str) -> None:
        """Set variables, remembering where they stand."""
        self.variables.update(variables)
        self.origins.update(dict.fromkeys(variables, where))


@dataclass(slots=True)
class Groups:
    """What the sources said so far: groups and hosts in the order they were met.

    ``host_variables`` are those written at the hosts themselves; ``where`` is the file and line that named a host.
    """

    groups: dict[str, Group] = field(default_factory=dict)
    host_variables: dict[str, dict[str, object]] = field(default_factory=dict)
    host_origins: dict[str, dict[str, str]] = field(default_factory=dict)
    where: dict[str, str] = field(default_factory=dict)

    def group(self, name: str) -> Group:
        """The group of that name, made if it is new."""
        return self.groups.setdefault(name, Group())

    def add_host(self, group: str, name: str, variables: dict[str, object], where: str) -> None:
        """Put a host into a group. Raises InventoryError for a name that no host can have."""
        if _NAME.fullmatch(name) is None:
            raise InventoryError(where, f"{name[:80]!r} is not a host name: use letters, digits, '.', '_' and '-'")
        self.group(group).hosts[name] = None
        self.host_variables.setdefault(name, {}).update(variables)
        self.host_origins.setdefault(name, {}).update(dict.fromkeys(variables, where))
        self.where.setdefault(name, where)


def read_file(path: Path, found: Groups) -> None:
    """Add what one file holds. Raises InventoryError."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not UTF-8 text"
        raise InventoryError(str(path), f"{reason}: check -i/--inventory") from error
    if path.suffix in {".yml", ".yaml", ".json"}:
        _read_yaml(text, path, found)
    else:
        _read_ini(text, path, found)


def _read_ini(text: str, path: Path, found: Groups) -> None:
    section, kind = "ungrouped", ""
    for number, raw in enumerate(text.splitlines(), 1):
        where = f"{path}:{number}"
        line = raw.strip()
        if not line or line[0] in "#;":
            continue
        if line.startswith("["):
            header = _SECTION.fullmatch(line)
            # A host range may also begin with a bracket.
            if header is not None and not _RANGE.match(line):
                section, kind = header[1].strip(), header[2] or ""
                found.group(section)
                continue
        if kind == "vars":
            key, separator, value = line.partition("=")
            if not separator:
                raise InventoryError(where, f"{line!r} is not a variable: write key=value")
            found.group(section).set({key.strip(): literal(value.strip())}, where)
        elif kind == "children":
            found.group(section).children[line.split("#")[0].strip()] = None
            found.group(line.split("#")[0].strip())
        else:
            _read_host_line(line, section, where, found)


def _read_host_line(line: str, section: str, where: str, found: Groups) -> None:
    try:
        pattern, *words = shlex.split(line, comments=True)
    except ValueError as error:
        raise InventoryError(where, f"{error}: check the quotes") from error
    variables: dict[str, object] = {}
    for word in words:
        key, separator, value = word.partition("=")
        if not separator:
            raise InventoryError(where, f"{word!r} is not a variable: write key=value")
        variables[key] = literal(value)
    for name in expand(pattern, where):
        found.add_host(section, name, dict(variables), where)


def literal(text: str) -> object:
    """An INI value as Ansible types it: a Python literal where it is one, else the text."""
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError, MemoryError, RecursionError, TypeError):
        return text


def expand(pattern: str, where: str) -> list[str]:
    """The host names that ``runner-[01:20]`` stands for. Raises InventoryError."""
    found = _RANGE.search(pattern)
    if found is None:
        return [pattern]
    head, tail = pattern[: found.start()], expand(pattern[found.end() :], where)
    first, last, step = found[1], found[2], int(found[3] or 1)
    if first.isdigit() != last.isdigit() or step < 1:
        raise InventoryError(where, f"{found[0]} is not a range: write [1:9] or [a:f]")
    if first.isdigit():
        if (int(last) - int(first)) // step * len(tail) >= RANGE_LIMIT:
            raise InventoryError(where, f"{found[0]} stands for more than {RANGE_LIMIT} hosts")
        width = len(first) if first.startswith("0") else 0
        middles = [str(number).zfill(width) for number in range(int(first), int(last) + 1, step)]
    else:
        middles = [chr(code) for code in range(ord(first), ord(last) + 1, step)]
    if not middles:
        raise InventoryError(where, f"{found[0]} is an empty range")
    return [head + middle + rest for middle in middles for rest in tail]


def _read_yaml(text: str, path: Path, found: Groups) -> None:
    import yaml

    if re.search(r"(^|[\s\[{,:-])[&*][A-Za-z0-9]", text) and text.count("*") > 1000:
        raise InventoryError(str(path), "too many YAML aliases")
    try:
        data: object = yaml.load(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))  # noqa: S506 - both are safe
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        mark = getattr(error, "problem_mark", None)
        where = f"{path}:{mark.line + 1}" if mark else str(path)
        raise InventoryError(where, f"not usable YAML: {getattr(error, 'problem', None) or error}") from error
    if not isinstance(data, dict):
        raise InventoryError(str(path), "no groups at the top level: begin with 'all:'")
    for name, body in data.items():
        _read_group(str(name), body, path, found, depth=0)


def _read_group(name: str, body: object, path: Path, found: Groups, depth: int) -> None:
    where = f"{path}: group {name}"
    group = found.group(name)
    if depth > 50:
        raise InventoryError(where, "groups are nested too deeply")
    if body is None:
        return
    if not isinstance(body, dict):
        raise InventoryError(where, "a group holds hosts, vars and children")
    unknown = set(body) - {"hosts", "vars", "children"}
    if unknown:
        raise InventoryError(where, f"unknown key {sorted(map(str, unknown))[0]!r}: use hosts, vars and children")
    group.set(_mapping(body.get("vars"), f"{where}: vars"), where)
    for pattern, variables in _mapping(body.get("hosts"), f"{where}: hosts").items():
        for host in expand(pattern, where):
            found.add_host(name, host, _mapping(variables, f"{path}: host {host}"), f"{path}: host {host}")
    for child, child_body in _mapping(body.get("children"), f"{where}: children").items():
        group.children[child] = None
        _read_group(child, child_body, path, found, depth + 1)


def _mapping(value: object, where: str) -> dict[str, object]:
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise InventoryError(where, "is not a mapping")
    return {str(key): item for key, item in value.items()}

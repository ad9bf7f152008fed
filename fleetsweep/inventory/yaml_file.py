"""Read YAML inventories, and JSON of the same structure, into the graph.

https://docs.ansible.com/ansible/latest/collections/ansible/builtin/yaml_inventory.html
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from fleetsweep.errors import InventoryError
from fleetsweep.inventory.graph import Graph, Group
from fleetsweep.inventory.ranges import host_names
from fleetsweep.inventory.yaml_text import Document

_SECTIONS: Final = ("hosts", "vars", "children")


def read_yaml(document: Document, graph: Graph) -> None:
    """Add the contents of a YAML inventory to the graph. Raises InventoryError.

    A duplicate key that decides which hosts or groups there are is an error. One in variables is left to their use.
    """
    top = document.value
    if top is None:
        return
    if not isinstance(top, dict):
        raise InventoryError(document.path, "has no groups at the top level: start with 'all:'")
    document.refuse_duplicates(top)
    for name, body in top.items():
        _read_group(name, body, document, document.where(top, name), graph)


def _read_group(name: object, body: object, document: Document, where: str, graph: Graph) -> Group:
    group = graph.add_group(name, where)
    if body is None:
        return group
    if not isinstance(body, dict):
        raise InventoryError(where, f"group {group.name} is not a mapping: a group has hosts, vars and children")
    document.refuse_duplicates(body)
    for section, content in body.items():
        line = document.where(body, section)
        if section not in _SECTIONS:
            raise InventoryError(
                line, f"unknown key {str(section)[:80]!r} in {group.name}: use hosts, vars and children"
            )
        entries = _entries(content, f"{section} of {group.name}", line)
        if section == "vars":
            for key, value in entries.items():
                graph.set_variable(group.name, key, value, document.origin(entries, key))
            continue
        document.refuse_duplicates(content)
        if section == "children":
            for child, child_body in entries.items():
                at = document.where(entries, child) if entries is content else line
                graph.add_child(group, _read_group(child, child_body, document, at, graph), at)
        else:
            for pattern, variables in entries.items():
                at = document.where(entries, pattern) if entries is content else line
                _read_host(pattern, variables, group, at, document, graph)
    return group


def _read_host(pattern: object, body: object, group: Group, where: str, document: Document, graph: Graph) -> None:
    if not isinstance(pattern, str):
        raise InventoryError(where, f"{pattern!r} is not a host name: quote it")
    names, port = host_names(pattern, where)
    # Ansible takes any empty value as no variables.
    variables = body or {}
    if not isinstance(variables, dict):
        raise InventoryError(where, f"host {pattern} is not a mapping of variables: write key: value below it")
    for name in names:
        graph.add_host(name, group, where, port)
        for key, value in variables.items():
            graph.set_variable(name, key, value, document.origin(variables, key))


def _entries(content: object, what: str, where: str) -> Mapping[object, object]:
    """Return a section's mapping. A single name may be a plain string. Raises InventoryError."""
    if content is None:
        return {}
    if isinstance(content, str):
        return {content: None}
    if not isinstance(content, dict):
        hint = ": end each name with ':' instead of starting it with '-'" if isinstance(content, list) else ""
        raise InventoryError(where, f"{what} is not a mapping{hint}")
    return content

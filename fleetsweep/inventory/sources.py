"""Read the sources of ``-i``: files, directories, scripts and host lists, each with the reader for its format.

https://docs.ansible.com/ansible/latest/inventory_guide/intro_inventory.html#organizing-inventory-in-a-directory
"""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Final

from fleetsweep.errors import InventoryError
from fleetsweep.inventory.ansible_cfg import DEFAULT_IGNORED, Reading
from fleetsweep.inventory.dynamic import NotAProgramError, read_script
from fleetsweep.inventory.files import VAULT_HEADER, Warnings, read_text
from fleetsweep.inventory.graph import UNGROUPED, Graph
from fleetsweep.inventory.ini import read_ini
from fleetsweep.inventory.ranges import host_names
from fleetsweep.inventory.variable_files import VariableFiles
from fleetsweep.inventory.yaml_file import read_yaml
from fleetsweep.inventory.yaml_text import Document, NotYamlError, parse

if TYPE_CHECKING:
    from fleetsweep.inventory.plugins import Plugins

_IGNORED_SUFFIXES: Final = tuple(DEFAULT_IGNORED)
_IGNORED_NAMES: Final = frozenset({"group_vars", "host_vars", "vars_plugins"})
_YAML_SUFFIXES: Final = frozenset({".yml", ".yaml", ".json"})
_PLUGIN_SUFFIXES: Final = frozenset({".yml", ".yaml"})
_MISNAMED_PLUGIN: Final = "is the configuration of an Ansible inventory plugin: rename it to .yml"
_DEPTH_LIMIT: Final = 20
_FILE_LIMIT: Final = 10_000
# The first significant line of a file without a suffix, if it can only be meant as YAML.
_MEANT_AS_YAML: Final = re.compile(
    r"(?:[ \t]*(?:#[^\n]*)?\n)*(?:---|%YAML|[^\s\[#;=][^=\n]*:[ \t]*(?:#[^\n]*)?$)", re.MULTILINE
)


def read_sources(
    sources: Sequence[str],
    *,
    cwd: Path,
    warnings: Warnings,
    programs: bool = True,
    reading: Reading | None = None,
) -> Graph:
    """Read the sources, in order, into one sealed graph. Raises InventoryError.

    Without ``programs``, executable files and configurations of plugins are passed over. ``reading`` receives which
    directories and which kinds of sources were read.
    """
    graph = Graph()
    bases: dict[Path, None] = {}
    reading = Reading() if reading is None else reading
    reader = _Sources(graph, cwd, warnings, reading, programs=programs)
    for source in sources:
        path = cwd / Path(os.path.expandvars(source)).expanduser()
        if not source.strip() or "\0" in source:
            raise InventoryError("--inventory", "the path of an inventory is empty: check -i/--inventory")
        if not os.path.lexists(path) and "," in source:
            _read_list(source, graph)
            reading.used("host_list", source)
            reader.done.append(source)
            continue
        # Symbolic links are not resolved: variable files are read beside the link.
        path = Path(os.path.normpath(path))
        reader.read_source(path)
        bases[path if path.is_dir() else path.parent] = None
    # One reader a directory, even if it occurs twice, so that a file is read once.
    files = {base: VariableFiles(base, warnings) for base in (*bases, Path(os.path.normpath(cwd)))}
    graph.seal([*(files[base] for base in bases), files[Path(os.path.normpath(cwd))]])
    return graph


def _read_list(source: str, graph: Graph) -> None:
    ungrouped = graph.groups[UNGROUPED]
    for item in source.split(","):
        pattern = item.strip()
        if not pattern:
            continue
        where = "--inventory"
        if "[" in pattern and not pattern.startswith("["):
            raise InventoryError(where, f"{pattern[:80]!r}: a host list on the command line can't contain ranges")
        names, port = host_names(pattern, where)
        for name in names:
            if name not in graph.hosts:
                graph.add_host(name, ungrouped, where, port)


def _check_has_groups(document: Document) -> None:
    """Raise InventoryError for an INI file that parses as YAML: Ansible would find no hosts in it."""
    top = document.value
    if isinstance(top, dict) and top and not any(body is None or isinstance(body, dict) for body in top.values()):
        raise InventoryError(document.path, "parses as YAML without any group: if it is INI, rename it to .ini")


def _is_plugin(value: object) -> bool:
    return isinstance(value, dict) and isinstance(value.get("plugin"), str)


def _refuse_misnamed(text: str, path: Path) -> None:
    """Raise InventoryError if text that is no INI is YAML in a file whose suffix Ansible doesn't read as YAML."""
    try:
        document = parse(text, str(path))
    except InventoryError:
        return
    if not isinstance(document.value, dict):
        return
    if _is_plugin(document.value):
        raise InventoryError(str(path), _MISNAMED_PLUGIN)
    _check_not_output(document)
    if all(body is None or isinstance(body, dict) for body in document.value.values()):
        raise InventoryError(str(path), f"is YAML, which is not read from a {path.suffix} file: rename it to .yml")


def _check_not_output(document: Document) -> None:
    """Raise InventoryError for the saved output of ``ansible-inventory --list``, which Ansible can't read either."""
    top = document.value
    if isinstance(top, dict) and isinstance(top.get("_meta"), dict) and "hostvars" in top["_meta"]:
        raise InventoryError(
            document.path,
            "is the output of ansible-inventory --list or of an inventory script, not an inventory: give its source, or"
            " save it with ansible-inventory -i SOURCE --list --export --yaml --output hosts.yml",
        )


class _Sources:
    def __init__(self, graph: Graph, cwd: Path, warnings: Warnings, reading: Reading, *, programs: bool) -> None:
        self._programs = programs
        self._graph = graph
        self._reading = reading
        self._cwd = cwd
        self._warnings = warnings
        self._files = 0
        self.done: list[str] = []
        """The files and lists that were read so far, for plugins that need them."""

    @cached_property
    def _plugins(self) -> Plugins:
        from fleetsweep.inventory.plugins import Plugins

        return Plugins(self._cwd)

    def read_source(self, path: Path) -> None:
        """Read one source: a file, or a directory of files. Raises InventoryError."""
        self._files = 0
        self._read(path)

    def _read(self, path: Path, depth: int = 0) -> None:
        try:
            if path.is_dir():
                self._read_directory(path, depth)
                return
            if not path.exists():
                raise InventoryError(str(path), "does not exist: check -i/--inventory")
        except OSError as error:
            raise InventoryError(str(path), f"{error.strerror}: check -i/--inventory") from error
        self._files += 1
        if self._files > _FILE_LIMIT:
            raise InventoryError(str(path), f"there are more than {_FILE_LIMIT} inventory files")
        if not depth:
            self._warnings.writable(path.parent)
        if path.is_file() and os.access(path, os.X_OK):
            if not self._programs:
                return
            self._warnings.writable(path)
            try:
                read_script(path, self._graph, cwd=self._cwd, warnings=self._warnings)
            except NotAProgramError:
                # Like Ansible, read it as text then.
                pass
            else:
                self._reading.used("script", str(path))
                self.done.append(str(path))
                return
        self._read_file(path)
        self.done.append(str(path))

    def _read_directory(self, path: Path, depth: int) -> None:
        if depth > _DEPTH_LIMIT:
            raise InventoryError(str(path), f"directories are nested more than {_DEPTH_LIMIT} deep")
        self._warnings.writable(path)
        self._reading.directories.append(str(path))
        for entry in sorted(path.iterdir(), key=lambda entry: os.fsencode(entry.name)):
            name = entry.name
            if not name.startswith(".") and not name.endswith(_IGNORED_SUFFIXES) and name not in _IGNORED_NAMES:
                self._read(entry, depth + 1)
        if not depth and not self._files:
            raise InventoryError(str(path), "has no inventory files: hidden files, .bak, .cfg and the like are ignored")

    def _read_file(self, path: Path) -> None:
        text = read_text(path, self._warnings)
        if text.startswith(VAULT_HEADER):
            raise InventoryError(
                str(path), "is encrypted with Ansible Vault: decrypt it, or move the secrets to group_vars"
            )
        if path.suffix == ".toml":
            self._reading.used("toml", str(path))
            if self._programs:
                self._plugins.read(path, {}, self.done, self._graph)
            return
        document = self._as_yaml(text, path)
        if document is None:
            self._reading.used("ini", str(path))
            self._read_ini(text, path)
        elif isinstance(document.value, dict) and _is_plugin(document.value):
            if path.suffix not in _PLUGIN_SUFFIXES:
                raise InventoryError(str(path), _MISNAMED_PLUGIN)
            if document.duplicates.found:
                where, reason = document.duplicates.found[0]
                raise InventoryError(where, f"{reason}: remove one")
            self._reading.used("auto", str(path), str(document.value["plugin"]))
            if self._programs:
                self._plugins.read(path, document.value, self.done, self._graph)
        else:
            self._reading.used("yaml", str(path))
            if not path.suffix:
                _check_has_groups(document)
            _check_not_output(document)
            read_yaml(document, self._graph)
            self._warnings.duplicates(document)

    def _read_ini(self, text: str, path: Path) -> None:
        try:
            read_ini(text, str(path), self._graph)
        except InventoryError:
            if path.suffix:
                _refuse_misnamed(text, path)
            raise

    def _as_yaml(self, text: str, path: Path) -> Document | None:
        """Return the file's YAML document, or None if it is an INI file. A file without a suffix may be either."""
        if path.suffix in _YAML_SUFFIXES:
            return parse(text, str(path))
        if path.suffix or text.lstrip()[:1] == "[":
            return None
        try:
            document = parse(text, str(path))
        except NotYamlError:
            if _MEANT_AS_YAML.match(text):
                raise
            return None
        return document if isinstance(document.value, dict) else None

"""What Ansible itself sees in an inventory: one child process that answers many questions.

Importing Ansible takes most of a second and it warns as it pleases, so it lives in a process of its own, which reads a
question a line and answers a line. Nothing of Ansible's is imported by the tests' own process.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Self

# Ansible tells every host where it was found and what it is called; fleetsweep has fields for that.
MAGIC = frozenset(
    {
        "ansible_check_mode",
        "ansible_config_file",
        "ansible_diff_mode",
        "ansible_facts",
        "ansible_forks",
        "ansible_inventory_sources",
        "ansible_playbook_python",
        "ansible_verbosity",
        "ansible_version",
        "group_names",
        "groups",
        "inventory_dir",
        "inventory_file",
        "inventory_hostname",
        "inventory_hostname_short",
        "omit",
        "playbook_dir",
    }
)


@dataclass(frozen=True)
class Matched:
    """What one pattern selects: as ``--limit`` of all hosts, and in the order of a pattern's own evaluation."""

    limited: tuple[str, ...] | None
    matched: tuple[str, ...] | None
    error: str | None


@dataclass(frozen=True)
class Seen:
    """One inventory as Ansible sees it: ``hosts`` in its order, ``met`` as the sources name them.

    ``variables`` and ``group_variables`` are what ``typed`` makes of them.
    ``parsed`` is False where Ansible could make nothing of at least one source, ``error`` is what it raised.
    """

    hosts: tuple[str, ...]
    met: tuple[str, ...]
    groups: Mapping[str, tuple[str, ...]]
    group_names: Mapping[str, tuple[str, ...]]
    variables: Mapping[str, Mapping[str, object]]
    patterns: Mapping[str, Matched]
    warnings: tuple[str, ...]
    parsed: bool
    error: str | None


def typed(value: object) -> object:
    """A value with its types spelled out, so that 1, True, 1.0 and "1" differ after a way through JSON."""
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, (int, float)):
        return [_kind(value), repr(value + 0)]
    if isinstance(value, str):
        # A new plain string: Ansible's own carry tags.
        return str.__str__(value) if type(value) is str else "".join(value)
    return _typed_collection(value)


def _typed_collection(value: object) -> object:
    if isinstance(value, Mapping):
        return ["dict", [[typed(key), typed(item)] for key, item in value.items()]]
    if isinstance(value, (list, tuple)):
        return ["list", [typed(item) for item in value]]
    if isinstance(value, (set, frozenset)):
        return ["set", sorted((typed(item) for item in value), key=repr)]
    kind = "vault" if _kind(value) in {"EncryptedString", "VaultValue"} else _kind(value)
    return [kind, "" if kind == "vault" else str(value)]


def _kind(value: object) -> str:
    """The built-in type that a value is, whatever Ansible wraps it in."""
    for kind in type(value).__mro__:
        if kind.__module__ in {"builtins", "datetime"} and kind is not object:
            return kind.__name__
    return type(value).__name__


class Ansible:
    """The child. Close it, or use it as a context."""

    def __init__(self) -> None:
        self._home = tempfile.TemporaryDirectory(prefix="fleetsweep-ansible-")
        self._said = Path(self._home.name, "stderr")
        configuration = Path(self._home.name, "ansible.cfg")
        configuration.touch()
        kept = {key: value for key, value in os.environ.items() if not key.startswith("ANSIBLE_")}
        with self._said.open("w") as said:
            self._child = subprocess.Popen(
                [sys.executable, str(Path(__file__))],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=said,
                text=True,
                encoding="utf-8",
                env=kept | {"ANSIBLE_HOME": self._home.name, "ANSIBLE_CONFIG": str(configuration), "LC_ALL": "C.UTF-8"},
            )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End the child."""
        self._child.communicate()
        self._home.cleanup()

    def ask(self, sources: Sequence[str], *, cwd: Path, patterns: Sequence[str] = ()) -> Seen:
        """Ansible's answer for these ``-i`` sources, from this working directory."""
        assert self._child.stdin is not None
        assert self._child.stdout is not None
        question = {"sources": list(sources), "cwd": str(cwd), "patterns": list(patterns)}
        self._child.stdin.write(json.dumps(question) + "\n")
        self._child.stdin.flush()
        line = self._child.stdout.readline()
        if not line:
            self._child.wait(10)
            raise AssertionError(f"the child that asks Ansible has ended: {self._said.read_text()[-2000:]}")
        answer = json.loads(line)
        return Seen(
            hosts=tuple(answer["hosts"]),
            met=tuple(answer["met"]),
            groups={name: tuple(members) for name, members in answer["groups"].items()},
            group_names={name: tuple(groups) for name, groups in answer["group_names"].items()},
            variables=answer["variables"],
            patterns={
                pattern: Matched(
                    None if found["limited"] is None else tuple(found["limited"]),
                    None if found["matched"] is None else tuple(found["matched"]),
                    found["error"],
                )
                for pattern, found in answer["patterns"].items()
            },
            warnings=tuple(answer["warnings"]),
            parsed=answer["parsed"],
            error=answer["error"],
        )


def _answer(question: Mapping[str, object], warnings: list[str]) -> dict[str, object]:
    """Runs in the child."""
    from ansible.inventory.manager import InventoryManager
    from ansible.parsing.dataloader import DataLoader
    from ansible.plugins.loader import vars_loader
    from ansible.utils.path import unfrackpath
    from ansible.vars.manager import VariableManager

    sources, patterns = question["sources"], question["patterns"]
    assert isinstance(sources, list)
    assert isinstance(patterns, list)
    # Ansible remembers for its whole life which files there are; here every question has files of its own.
    remembered = type(vars_loader.get("host_group_vars")).get_vars.__globals__
    for memory in ("CANONICAL_PATHS", "FOUND", "NAK"):
        remembered[memory].clear()
    os.chdir(str(question["cwd"]))
    empty: dict[str, object] = {
        "hosts": [],
        "met": [],
        "groups": {},
        "group_names": {},
        "variables": {},
        "patterns": {},
    }
    warnings.clear()
    try:
        loader = DataLoader()
        # As its command line does with -i.
        paths = [source if "," in source else unfrackpath(source, follow=False) for source in sources]
        inventory = InventoryManager(loader=loader, sources=paths)
        manager = VariableManager(loader=loader, inventory=inventory)
        hosts = [host.name for host in inventory.get_hosts("all")]
        variables: dict[str, object] = {}
        names: dict[str, object] = {}
        for name in hosts:
            host = inventory.get_host(name)
            merged = manager.get_vars(host=host, include_hostvars=False, stage="all")
            names[name] = [str(group) for group in merged["group_names"]]
            variables[name] = {str(key): typed(value) for key, value in merged.items() if key not in MAGIC}
        groups = {name: [host.name for host in group.get_hosts()] for name, group in inventory.groups.items()}
        found = {pattern: _matches(inventory, pattern) for pattern in patterns}
    except Exception as error:
        return empty | {"warnings": list(warnings), "parsed": False, "error": f"{type(error).__name__}: {error}"}
    unparsed = any("Unable to parse" in text or "No inventory was parsed" in text for text in warnings)
    return {
        "hosts": hosts,
        "met": list(inventory.hosts),
        "groups": groups,
        "group_names": names,
        "variables": variables,
        "patterns": found,
        "warnings": list(warnings),
        "parsed": not unparsed,
        "error": None,
    }


def _matches(inventory: object, pattern: str) -> dict[str, object]:
    found: dict[str, object] = {"limited": None, "matched": None, "error": None}
    try:
        inventory.subset(pattern)  # type: ignore[attr-defined]
        found["limited"] = [str(host) for host in inventory.list_hosts("all")]  # type: ignore[attr-defined]
        inventory.subset(None)  # type: ignore[attr-defined]
        found["matched"] = [str(host) for host in inventory.list_hosts(pattern)]  # type: ignore[attr-defined]
    except Exception as error:
        found["error"] = f"{type(error).__name__}: {error}"
    finally:
        inventory.subset(None)  # type: ignore[attr-defined]
    return found


def _serve(questions: IO[str], answers: IO[str]) -> None:
    from ansible.plugins.loader import init_plugin_loader
    from ansible.utils.display import Display
    from ansible.vars.plugins import _prime_vars_loader

    warnings: list[str] = []

    def warned(_: object, msg: object = "", *__: object, **___: object) -> None:
        warnings.append(str(msg))

    for name in ("warning", "error", "error_as_warning", "deprecated"):
        setattr(Display, name, warned)
    init_plugin_loader()
    _prime_vars_loader()
    for line in questions:
        answers.write(json.dumps(_answer(json.loads(line), warnings)) + "\n")
        answers.flush()


if __name__ == "__main__":
    # Ansible writes to stdout as it likes: the answers take another way.
    with os.fdopen(os.dup(1), "w", encoding="utf-8") as replies:
        os.dup2(2, 1)
        _serve(sys.stdin, replies)

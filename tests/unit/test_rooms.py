"""Imports run one way only."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

import fleetsweep

ROOT = Path(fleetsweep.__file__).parent
PURE = {"model", "errors", "scope", "past", "states", "numerals", "redaction"}
MAY_IMPORT = {
    "scope": set[str](),
    "past": set[str](),
    "states": set[str](),
    "until": {"model"},
    "image_names": set[str](),
    "orchestrators": {"model"},
    "model": {"errors", "scope", "past", "redaction"},
    "errors": set[str](),
    "numerals": set[str](),
    "expressions": set[str](),
    "redaction": set[str](),
    "policy": PURE | {"expressions", "until", "orchestrators", "image_names"},
    "identity": PURE,
    "capacity": PURE,
    "retention": PURE,
    "dependents": {"model"},
    "guards": PURE | {"policy", "identity", "dependents"},
    "settings": PURE | {"policy", "guards", "expressions"},
    "report": PURE,
    "inventory": PURE | {"expressions", "children"},
    "deadline": set[str](),
    "files": set[str](),
    "ssh": PURE | {"deadline", "files", "capacity", "children"},
    "engine": PURE | {"deadline"},
    "refusal": PURE | {"engine"},
    "tunnel": PURE | {"deadline", "engine", "ssh", "refusal"},
    "fleet": PURE | {"deadline", "capacity"},
    "removal": PURE | {"policy"},
    "crew": PURE | {"policy", "removal", "capacity"},
    "newcomers": PURE,
    "resources": PURE | {"policy", "removal"},
    "state": PURE | {"files"},
    "journal": PURE | {"state"},
    "settlement": PURE | {"identity"},
    "silence": PURE,
    "listing": PURE | {"policy", "report", "inventory"},
    "explain": PURE | {"policy"},
    "notify": PURE | {"report"},
    "ci": PURE | {"report"},
    "metrics": PURE | {"report", "files"},
    "console": PURE | {"files", "children"},
    "stopper": {"children"},
    "children": set[str](),
    "telling": PURE | {"report", "notify", "ci", "metrics", "console", "files"},
    "examples": set[str](),
    "document": PURE | {"files"},
    "baseline": PURE | {"document", "policy", "identity"},
    "saved_plan": PURE | {"document"} | {"policy", "guards", "settings"},
    "schedule": PURE | {"policy", "settings", "files"},
    "given": PURE | {"capacity", "settings", "inventory", "engine", "fleet", "ssh", "sweep", "telling", "console"},
    "request": PURE
    | {"policy", "guards", "settings", "inventory", "given", "listing", "report", "telling", "console"}
    | {"saved_plan", "sweep"},
    "options": PURE | {"settings", "given", "telling"},
}
FOREIGN = {"fabric", "paramiko", "docker", "requests", "urllib3"}


def imports_of(path: Path) -> set[str]:
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module)
            found.update(f"{node.module}.{alias.name}" for alias in node.names)
    return found


FILES = sorted(ROOT.rglob("*.py"))


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_room_imports_only_what_it_may(path: Path) -> None:
    room = path.relative_to(ROOT).parts[0].removesuffix(".py")
    imported = imports_of(path)
    ours = {name.split(".")[1] for name in imported if name.startswith("fleetsweep.")} - {room, "__version__"}
    if room in MAY_IMPORT:
        assert ours <= MAY_IMPORT[room]
    else:
        assert room in {"cli", "commands", "run", "sweep", "doctor", "before", "__init__", "__main__"}
    foreign = {name.split(".")[0] for name in imported} & FOREIGN
    assert not foreign or room in {"ssh", "engine"}


def test_no_room_has_outgrown_one_idea() -> None:
    assert [str(path) for path in FILES if len(path.read_text().splitlines()) > 420] == []

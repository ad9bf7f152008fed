"""Build inventories on disk and read them."""

from __future__ import annotations

from pathlib import Path

from fleetsweep.inventory.files import Warnings
from fleetsweep.inventory.graph import Graph
from fleetsweep.inventory.sources import read_sources


def graph_of(root: Path, **texts: str) -> Graph:
    """Return the graph of the file ``hosts`` or ``hosts_yml``, written with the other files beside it."""
    for name, text in texts.items():
        path = root / name.replace("__", "/").replace("_yml", ".yml")
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
    source = root / ("hosts" if "hosts" in texts else "hosts.yml")
    return read_sources([str(source)], cwd=root, warnings=Warnings())


def origins(graph: Graph, root: Path, host: str) -> dict[str, str]:
    """Return the places that set a host's variables, relative to ``root``."""
    return {key: place.removeprefix(f"{root}/") for key, place in graph.variables_of(host)[1].items()}

"""Fuzz every inventory reader with arbitrary text: it may only raise InventoryError, and must end soon.

``make fuzz`` runs it; ``FUZZ_EXAMPLES`` is the number of examples a target.
"""

from __future__ import annotations

import os
import tempfile
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fleetsweep.errors import InventoryError
from fleetsweep.inventory.dynamic import read_output
from fleetsweep.inventory.files import Warnings
from fleetsweep.inventory.graph import Graph
from fleetsweep.inventory.ini import literal, read_ini
from fleetsweep.inventory.ranges import host_names
from fleetsweep.inventory.sources import read_sources
from fleetsweep.inventory.yaml_file import read_yaml
from fleetsweep.inventory.yaml_text import Document, parse, parse_json
from tests.inventory.corpus import CORPUS
from tests.inventory.strategies import PYTHONIC, YAMLISH, ini_texts, yaml_texts

FUZZ = settings(
    max_examples=int(os.environ.get("FUZZ_EXAMPLES", "5000")),
    deadline=timedelta(seconds=5),
    suppress_health_check=list(HealthCheck),
)
GRAMMAR = "[]{}():,&*!|>-?#%@`\"'\\ \t\n\r=~.<0123456789abxyzTFN\x00\x1f\x85\u2028\ufeff\U0001f600"
KNOWN = [text for case in CORPUS for text in case.files.values() if isinstance(text, str) and not text.startswith("#!")]


@st.composite
def texts(draw: st.DrawFn) -> str:
    """Random text, text of the grammars' characters, and inventories with a few cuts and insertions."""
    kind = draw(st.sampled_from(["any", "grammar", "known", "ini", "yaml"]))
    if kind == "any":
        return draw(st.text(max_size=200))
    if kind == "grammar":
        return draw(st.text(st.sampled_from(GRAMMAR), max_size=200))
    sources = {"known": st.sampled_from(KNOWN), "ini": ini_texts(), "yaml": yaml_texts()}
    text = draw(sources[kind])
    for _ in range(draw(st.integers(0, 4))):
        at = draw(st.integers(0, len(text)))
        cut = draw(st.integers(0, 8))
        text = text[:at] + draw(st.text(st.sampled_from(GRAMMAR), max_size=6)) + text[at + cut :]
    return text


def query_all(graph: Graph) -> None:
    """Seal a graph and run every query on it."""
    graph.seal()
    for group in graph.groups:
        graph.members(group)
    for host in graph.hosts:
        graph.groups_of(host)
        graph.variables_of(host)


@FUZZ
@given(text=texts())
def test_ini(text: str) -> None:
    graph = Graph()
    try:
        read_ini(text, "hosts", graph)
        query_all(graph)
    except InventoryError:
        pass


@FUZZ
@given(text=texts())
def test_yaml(text: str) -> None:
    graph = Graph()
    try:
        read_yaml(parse(text, "hosts.yml"), graph)
        query_all(graph)
    except InventoryError:
        pass


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8) | st.sampled_from(["a", "g", "all"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["hosts", "vars", "children", "_meta", "hostvars", "a", "g", "all", "__ansible_vault"])
            | st.text(max_size=4),
            inner,
            max_size=4,
        )
    ),
    max_leaves=20,
)


@FUZZ
@given(output=JSON, by_host=JSON)
def test_the_output_of_a_script(output: object, by_host: object) -> None:
    graph = Graph()
    try:
        read_output(Document(output, "inv"), graph, lambda _: Document(by_host, "inv"), Warnings())
        query_all(graph)
    except InventoryError:
        pass


@FUZZ
@given(text=texts())
def test_json(text: str) -> None:
    try:
        parse_json(text, "hosts.json")
    except InventoryError:
        pass


@FUZZ
@given(text=PYTHONIC | YAMLISH | texts())
def test_values_and_names(text: str) -> None:
    for reader in (literal, host_names):
        try:
            reader(text, "hosts:1")
        except InventoryError:
            pass


@FUZZ
@given(
    name=st.sampled_from(["hosts", "hosts.yml", "hosts.json", "hosts.ini", "group_vars/all", "host_vars/a.yml"]),
    content=st.binary(max_size=200) | texts().map(lambda text: text.encode("utf-8", "surrogatepass")),
)
def test_files(name: str, content: bytes) -> None:
    with tempfile.TemporaryDirectory() as root, pytest.MonkeyPatch.context() as patch:
        # A plugin's configuration must not start a program here.
        patch.setenv("PATH", root)
        path = Path(root, name)
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(content)
        source = Path(root, "main.ini") if "_vars" in name else path
        if source != path:
            source.write_text("a\n")
        try:
            graph = read_sources([str(source)], cwd=Path(root), warnings=Warnings())
            for host in graph.hosts:
                graph.variables_of(host)
        except InventoryError:
            pass

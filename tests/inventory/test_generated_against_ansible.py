"""Inventories that Hypothesis makes: Ansible and fleetsweep see the same."""

from __future__ import annotations

import tempfile
from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fleetsweep.errors import InventoryError
from fleetsweep.inventory.files import Warnings
from fleetsweep.inventory.sources import read_sources
from tests.inventory.ansible_process import Ansible, Seen, typed
from tests.inventory.comparison import assert_agreed
from tests.inventory.corpus import Case
from tests.inventory.strategies import PYTHONIC, YAMLISH, cases

# The child outlives the examples, and is the same for each.
SHARED = [HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.large_base_example]


@settings(suppress_health_check=SHARED, max_examples=60)
@given(case=cases())
def test_generated_inventories_read_as_ansible_reads_them(ansible: Ansible, case: Case) -> None:
    with tempfile.TemporaryDirectory() as root:
        sources, cwd = case.lay(Path(root))
        assert_agreed(ansible, sources, cwd)


def read_both(ansible: Ansible, name: str, text: str) -> tuple[Seen, dict[str, object] | None]:
    """Return the inventory as Ansible reads it, and host a's variables as fleetsweep does; None if it refuses."""
    with tempfile.TemporaryDirectory() as root:
        path = Path(root, name)
        path.write_text(text, encoding="utf-8")
        seen = ansible.read([str(path)], cwd=Path(root))
        try:
            graph = read_sources([str(path)], cwd=Path(root), warnings=Warnings())
        except InventoryError:
            return seen, None
        return seen, {key: typed(value) for key, value in graph.variables_of("a")[0].items()}


def unordered(value: object) -> object:
    """Without the order of lists: a set literal has none."""
    return sorted(map(unordered, value), key=repr) if isinstance(value, list) else value


@settings(suppress_health_check=SHARED, max_examples=60)
@given(values=st.lists(PYTHONIC, min_size=1, max_size=20))
def test_an_ini_value_of_any_look_is_typed_as_ansible_types_it(ansible: Ansible, values: list[str]) -> None:
    lines = "".join(f"v{number}={value}\n" for number, value in enumerate(values))
    seen, ours = read_both(ansible, "hosts.ini", f"[g]\na\n[g:vars]\n{lines}")
    assert (ours is not None) == seen.parsed
    if ours is not None:
        theirs = {key: unordered(value) for key, value in seen.variables["a"].items()}
        assert {key: unordered(value) for key, value in ours.items()} == theirs


@settings(suppress_health_check=SHARED, max_examples=60)
@given(value=YAMLISH)
def test_a_yaml_value_of_any_look_is_typed_as_ansible_types_it(ansible: Ansible, value: str) -> None:
    seen, ours = read_both(ansible, "hosts.yml", f"g:\n  hosts: {{a: }}\n  vars:\n    v: {value}\n")
    assert (ours is not None) == seen.parsed
    if ours is not None:
        assert ours == seen.variables["a"]

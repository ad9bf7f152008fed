"""Vaulted and unsafe values, and how values become JSON."""

from __future__ import annotations

from pathlib import Path

from fleetsweep.inventory.values import UnsafeText, VaultValue, jsonable, unsafe
from tests.inventory.build import graph_of


def test_a_vaulted_value_is_kept_and_not_shown(tmp_path: Path) -> None:
    graph = graph_of(tmp_path, hosts_yml="g: {hosts: {a: }, vars: {s: !vault secret, d: 2020-01-02, l: [!vault x]}}\n")
    variables = graph.variables_of("a")[0]
    assert variables["s"] == VaultValue("secret")
    assert "secret" not in repr(variables)
    assert jsonable(variables) == {
        "s": {"__ansible_vault": "secret"},
        "d": "2020-01-02",
        "l": [{"__ansible_vault": "x"}],
    }


def test_unsafe_marks_all_text_at_any_depth_except_keys() -> None:
    marked = unsafe({"k": ["{{ a }}", 1, {"l": "{{ b }}"}]})
    assert marked == {"k": ["{{ a }}", 1, {"l": "{{ b }}"}]}
    assert isinstance(marked, dict)
    texts = [marked["k"][0], marked["k"][2]["l"]]
    assert [type(text) for text in texts] == [UnsafeText, UnsafeText]
    assert not isinstance(next(iter(marked)), UnsafeText)


def test_a_key_that_json_lacks_becomes_text() -> None:
    assert jsonable({(1, 2): "a", 3: "b", None: "c"}) == {"(1, 2)": "a", 3: "b", None: "c"}

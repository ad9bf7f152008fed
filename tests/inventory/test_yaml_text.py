"""YAML and JSON texts: types, lines, and that nothing grows without bound."""

from __future__ import annotations

import pytest

from fleetsweep.errors import InventoryError
from fleetsweep.inventory import yaml_text
from fleetsweep.inventory.values import UnsafeText, VaultValue
from fleetsweep.inventory.yaml_text import NotYamlError, parse, parse_json

MERGES = "a: &a {" + ", ".join(f"k{n}: 1" for n in range(999)) + "}\n"
MERGES += "".join(f"b{n}: {{<<: *a}}\n" for n in range(3000))
BOMB = "a: &a [x, x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"{name}: &{name} [{', '.join([f'*{below}'] * 10)}]\n" for below, name in zip("abcdefgh", "bcdefghi", strict=True)
)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (BOMB, "hosts.yml:7: the file has more than 2000000 values"),
        (MERGES, "more than 2000000 values"),
        ("[" * 200_000, "nested more than 100"),
        ("- " * 200_000 + "x", "nested more than 100"),
        ("{a: " * 200_000, "nested more than 100"),
        ("? " * 200_000, "nested more than 100"),
        ('{"a": ' * 200_000 + "1" + "}" * 200_000, "nested"),
        ("{" * 5000, "nested"),
    ],
    ids=["aliases", "merges", "lists", "block-lists", "mappings", "keys", "json", "braces"],
)  # fmt: skip
def test_a_yaml_bomb_is_refused_in_bounded_memory(text: str, says: str) -> None:
    with pytest.raises(InventoryError, match=says):
        parse(text, "hosts.yml")


def test_a_file_of_more_values_than_any_fleet_has_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(yaml_text, "NODE_LIMIT", 1000)
    with pytest.raises(InventoryError, match=r"hosts.yml:1000: .*more than 1000 values"):
        parse("- x\n" * 5000, "hosts.yml")


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("yes", True),
        ("0777", 511),
        ("1e3", "1e3"),
        ("'1'", "1"),
        ("~", None),
        ("", None),
        ('{"a": 1e3}', {"a": 1000.0}),
    ],
)
def test_scalars_have_the_types_of_yaml_1_1_or_of_json(text: str, value: object) -> None:
    found = parse(text, "hosts.yml").value
    assert (type(found), found) == (type(value), value)


def test_each_key_has_its_line() -> None:
    document = parse("a: 1\nb:\n  c: 2\n", "hosts.yml")
    assert isinstance(document.value, dict)
    assert document.where(document.value, "b") == "hosts.yml:2"
    assert document.where(document.value["b"], "c") == "hosts.yml:3"
    assert document.where(document.value, "none") == "hosts.yml"


def test_ansibles_own_json_objects_are_vaulted_and_unsafe_values() -> None:
    found = parse_json('{"s": {"__ansible_vault": "x"}, "t": {"__ansible_unsafe": "{{ a }}"}}', "out")
    assert found == {"s": VaultValue("x"), "t": "{{ a }}"}
    assert isinstance(found, dict)
    assert isinstance(found["t"], UnsafeText)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: 1\na: 2\n", "hosts.yml:2: the key 'a' occurs twice in one mapping, first in line 1"),
        ('{"a": 1, "a": 2}', "the key 'a' occurs twice in one object"),
        ("a: *b\n", r"the alias \*b is undefined"),
        ("a: &a [*a]\n", r"the alias \*a is undefined, or refers to a value that contains it"),
        ("a: !!python/object:os.system x\n", "the tag .* is not supported in inventories"),
        ("--- 1\n--- 2\n", "there is a second YAML document"),
        ("a: 2020-13-40\n", "'2020-13-40' is not a timestamp: quote it"),
    ],
)
def test_what_could_be_read_in_two_ways_is_an_error(text: str, message: str) -> None:
    with pytest.raises(InventoryError, match=message):
        parse(text, "hosts.yml")


def test_text_that_is_no_yaml_has_an_error_of_its_own() -> None:
    with pytest.raises(NotYamlError, match=r"hosts:1: invalid YAML"):
        parse("a: b: c\n", "hosts")

"""YAML and JSON texts: types, lines, and that nothing grows without bound."""

from __future__ import annotations

import pytest

from fleetsweep.errors import InventoryError
from fleetsweep.inventory import yaml_text
from fleetsweep.inventory.values import AmbiguousOrigin, UnsafeText, VaultValue
from fleetsweep.inventory.yaml_text import NotYamlError, parse, parse_json

MERGES = "a: &a {" + ", ".join(f"k{n}: 1" for n in range(999)) + "}\n"
MERGES += "".join(f"b{n}: {{<<: *a}}\n" for n in range(3000))
BOMB = "a: &a [x, x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"{name}: &{name} [{', '.join([f'*{below}'] * 10)}]\n" for below, name in zip("abcdefgh", "bcdefghi", strict=True)
)


@pytest.mark.parametrize(
    ("text", "message"),
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
def test_a_yaml_bomb_is_refused_in_bounded_memory(text: str, message: str) -> None:
    with pytest.raises(InventoryError, match=message):
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
    found = parse_json('{"s": {"__ansible_vault": "x"}, "t": {"__ansible_unsafe": "{{ a }}"}}', "out").value
    assert found == {"s": VaultValue("x"), "t": "{{ a }}"}
    assert isinstance(found, dict)
    assert isinstance(found["t"], UnsafeText)


@pytest.mark.parametrize(
    ("text", "message"),
    [
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


@pytest.mark.parametrize(
    ("text", "twice", "places"),
    [
        ("v: 1\nv: 2\nw: 3\n", {"v"}, ["hosts.yml:2"]),
        ("v: {k: 1, k: 2}\nw: 3\n", {"v"}, ["hosts.yml:1"]),
        ("v:\n- w:\n  - {k: 1}\n  - {k: 1, l: 2, k: 3}\nw: 3\n", {"v"}, ["hosts.yml:4"]),
        ("v: &a {k: 1, k: 2}\nw: [*a]\nx: 1\n", {"v", "w"}, ["hosts.yml:1"]),
        ("v: &a {k: 1, k: 2, l: 1}\n<<: *a\n", {"v", "k"}, ["hosts.yml:1"]),
        ("v: {k: 1, k: 2}\nv: 1\n", {"v"}, ["hosts.yml:1", "hosts.yml:2"]),
        ("v: !unsafe {k: 1, k: 2}\nw: 1\n", {"v"}, ["hosts.yml:1"]),
        ("<<: !unsafe [{k: 1, k: 2, l: 1}]\nw: 1\n", {"k", "l"}, ["hosts.yml:1"]),
        ('{"v": [{"k": 1, "k": 2}], "w": {"k": 1}}', {"v"}, ["hosts.yml"]),
        ('{"v": {"k": 1, "k": 2}, "v": 1, "w": {}, "x": {}}', {"v"}, ["hosts.yml", "hosts.yml"]),
        ("v: {k: 1}\nw: {k: 2}\n", set(), []),
    ],
)
def test_a_duplicate_key_marks_each_variable_that_holds_it(text: str, twice: set[str], places: list[str]) -> None:
    document = parse(text, "hosts.yml")
    assert isinstance(document.value, dict)
    marked = {key for key in document.value if isinstance(document.origin(document.value, key), AmbiguousOrigin)}
    assert marked == twice
    assert [where for where, _ in document.duplicates.found] == places
    assert (document.duplicate_warning() is None) == (not places)


def test_of_a_duplicate_key_the_last_value_counts_and_the_lines_are_named() -> None:
    document = parse("a: 1\nb: 2\na: 3\n", "hosts.yml")
    assert document.value == {"a": 3, "b": 2}
    with pytest.raises(InventoryError, match=r"hosts\.yml:3: the key 'a' occurs twice in one mapping, first in line 1"):
        document.refuse_duplicates(document.value)


def test_one_warning_stands_for_all_duplicate_keys_of_a_file() -> None:
    assert parse("a: {k: 1, k: 2, k: 3}\n", "hosts.yml").duplicate_warning() == (
        "hosts.yml:1",
        "the key 'k' occurs twice in one mapping, first in line 1, and 1 more such keys in this file: "
        "the last value counts, as in Ansible",
    )


def test_text_that_is_no_yaml_has_an_error_of_its_own() -> None:
    with pytest.raises(NotYamlError, match=r"hosts:1: invalid YAML"):
        parse("a: b: c\n", "hosts")

"""The limit that leaves out hosts, and one error for all hosts that can't be used."""

from __future__ import annotations

import shlex
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleetsweep.errors import InventoryError
from fleetsweep.inventory import load
from fleetsweep.inventory.exclusion import LENGTH_LIMIT, exclusion, unusable_hosts
from fleetsweep.inventory.patterns import matched

GROUPS = {"win": ["w-1", "w-2"], "linux": ["a", "b1"], "mixed": ["a", "w-1"], "odd name": ["a", "b1"]}
HOSTS = ("a", "b1", "ci-01", "ci-02", "ci-03", "w-1", "w-2", "fe80::1")


def pattern_in(error: pytest.ExceptionInfo[InventoryError]) -> str:
    """Return the pattern that the error offers, as a shell reads it."""
    words = shlex.split(str(error.value).split("; add ")[1].split(" to leave ")[0])
    assert words[0] == "--limit"
    return words[1]


@pytest.mark.parametrize(
    ("unwanted", "pattern"),
    [
        (["a"], "!a"),
        (["w-1", "w-2"], "!win"),
        (["w-2", "a"], "!w-2,!a"),
        (["ci-01", "ci-02"], "!ci-01,!ci-02"),
        (["ci-01", "ci-02", "ci-03"], "!ci-*"),
        (["fe80::1"], "!fe80::1,!fe80::1"),
        ([f"{number}x" for number in range(LENGTH_LIMIT)], None),
    ],
)
def test_a_pattern_names_groups_and_globs_of_unwanted_hosts_alone(unwanted: list[str], pattern: str | None) -> None:
    assert exclusion(unwanted, HOSTS, GROUPS) == pattern


@given(unwanted=st.sets(st.sampled_from(HOSTS), min_size=1, max_size=len(HOSTS) - 1))
def test_a_pattern_leaves_out_exactly_the_unwanted_hosts(unwanted: set[str]) -> None:
    pattern = exclusion(sorted(unwanted), HOSTS, GROUPS)
    assert pattern is not None
    groups = {"all": HOSTS, "ungrouped": (), **GROUPS}
    assert set(matched([pattern], HOSTS, groups, lambda _: ())) == set(HOSTS) - unwanted


def test_hosts_with_the_same_cause_are_one_entry() -> None:
    errors = {f"win-{n}": InventoryError(f"hosts:{n}", f"ansible_port of win-{n}: is odd") for n in range(1, 41)}
    errors["b"] = InventoryError("hosts:50", "the name 'b' is odd")
    assert str(unusable_hosts(errors, 50, "!win,!b")) == (
        "inventory: 41 of 50 hosts can't be used: b, win-[1-40]; add --limit '!win,!b' to leave them out; "
        "hosts:1 and elsewhere: ansible_port of win-[1-40]: is odd; hosts:50: the name 'b' is odd"
    )


def test_many_causes_are_counted() -> None:
    errors = {f"h{n}": InventoryError("hosts:1", f"cause {n}") for n in range(20)}
    assert str(unusable_hosts(errors, 20, None)).endswith("; 14 other causes")


def test_one_host_keeps_its_own_error() -> None:
    error = InventoryError("hosts:1", "ansible_port of a: is odd")
    assert unusable_hosts({"a": error}, 1, None) is error
    assert str(unusable_hosts({"a": error}, 2, "!a")) == f"{error}; add --limit '!a' to leave it out"


FLEET = """\
runner-1
localhost-2 ansible_connection=local
[windows]
win-[01:40] ansible_connection=winrm
[switches]
sw-1 ansible_connection=network_cli
[eu]
runner-2
win-41 ansible_connection=winrm
c-1 ansible_connection=docker
"""


@pytest.mark.parametrize("limits", [[], ["eu"], ["all,!runner-1"], ["eu", "switches", "runner-1"]])
def test_the_offered_pattern_selects_the_hosts_that_can_be_used(tmp_path: Path, limits: list[str]) -> None:
    (tmp_path / "hosts").write_text(FLEET)
    inventory = load(["hosts"], cwd=tmp_path)
    with pytest.raises(InventoryError, match="can't be used") as caught:
        inventory.select(limits)
    left = [host.name for host in inventory.select([*limits, pattern_in(caught)])]
    assert left
    assert not [name for name in left if not name.startswith(("runner", "localhost-2"))]
    with pytest.raises(InventoryError, match="can't be used: c-1, win-41; /"):
        inventory.named(["c-1", "win-41"])


def test_no_pattern_is_offered_where_none_selects_the_others(tmp_path: Path) -> None:
    (tmp_path / "hosts").write_text("w ansible_connection=winrm\n[w]\nx\n")
    with pytest.raises(InventoryError, match=r"'winrm' is not supported: use ssh or local$"):
        load(["hosts"], cwd=tmp_path).select()
    (tmp_path / "hosts").write_text("a ansible_connection=winrm\nb ansible_connection=winrm\n")
    with pytest.raises(InventoryError, match="2 of 2 hosts can't be used: a, b; /"):
        load(["hosts"], cwd=tmp_path).select()

"""The errors of limits that select nothing, and the cost of limits."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from fleetsweep.errors import InventoryError
from fleetsweep.inventory.patterns import is_address, matched, named, select

HOSTS = ("gate", *(f"runner-{number:02}.example.com" for number in range(1, 42)), "arm-1", "arm-2")
GROUPS = {
    "all": HOSTS,
    "ungrouped": ("gate",),
    "runners": HOSTS[1:],
    "arm": ("arm-2", "arm-1"),
    "drained": (),
}


def no_file(path: str) -> Sequence[str]:
    raise InventoryError("--limit", f"@{path} is not there")


def pick(*limits: str) -> tuple[str, ...]:
    return select(limits, HOSTS, GROUPS, no_file)


def test_no_limit_is_every_host() -> None:
    assert pick() == HOSTS


def test_an_inventory_without_hosts_is_refused_whatever_the_limit() -> None:
    for limits in ((), ("all",), ("x",)):
        with pytest.raises(InventoryError, match="has no hosts"):
            select(limits, (), {"all": (), "ungrouped": ()}, no_file)


def test_hosts_come_in_inventory_order_and_a_place_in_a_group_by_the_groups_own() -> None:
    assert pick("arm:gate") == ("gate", "arm-1", "arm-2")
    assert matched(["arm:gate"], HOSTS, GROUPS, no_file) == ("arm-2", "arm-1", "gate")
    assert pick("arm[0]") == ("arm-2",)


def test_several_limits_are_one_with_their_terms() -> None:
    assert pick("arm", "!arm-1", "gate") == ("gate", "arm-2")
    assert pick("arm:gate", "&ungrouped") == ("gate",)


@pytest.mark.parametrize("limits", [("arm", ""), ("", "arm"), (",",), ("arm", " ")])
def test_one_empty_limit_among_others_is_refused(limits: tuple[str, ...]) -> None:
    with pytest.raises(InventoryError, match="an empty pattern selects nothing"):
        pick(*limits)


@pytest.mark.parametrize(
    ("limit", "message"),
    [
        ("runer", "'runer' matches no host and no group: did you mean the group runners?"),
        ("ARM", "'ARM' matches no host and no group: did you mean the group arm?"),
        ("all,!arm-3", "'!arm-3' matches no host and no group: did you mean arm-2?"),
        ("xyz", "the hosts are arm-[1-2], gate, runner-[01-41].example.com and the groups all, arm, drained, runners"),
        ("localhost", "it is not in the inventory; use --local for this machine's own engine"),
        ("xyz[0:1]", "'xyz' of 'xyz[0:1]' matches no host and no group"),
        ("~unner-01", "a regex matches from the start of the name"),
        ("arm-1:22", "a pattern can't contain a port"),
        ("drained", "'drained': no host is selected"),
        ("runners,!runner-*,!arm", "'!arm' excludes the whole selection: arm-[1-2]"),
        (
            "runners,&gate",
            "'&gate' has no host in common with the whole selection: arm-[1-2], runner-[01-41].example.com",
        ),
        ("arm[2]", "'arm[2]' is out of range: 'arm' has 2 hosts"),
        ("gate[1]", "'gate[1]' is out of range: 'gate' has 1 host"),
        ("arm[0-1]", "write [0:1]"),
        ("@nofile", "@nofile is not there"),
        ("!", "write one name, glob or ~regex after '!'"),
        ("~(", "'~(' is not a regular expression"),
        ("~(?i)^(x|)", "matches every name"),
    ],
)
def test_a_refusal_names_the_hosts_and_the_fix(limit: str, message: str) -> None:
    with pytest.raises(InventoryError) as caught:
        pick(limit)
    assert str(caught.value).startswith("--limit: ")
    assert message in str(caught.value)


def test_an_empty_group_can_be_taken_away_and_added() -> None:
    """The group of boxes under repair is empty on a good day."""
    assert pick("arm,!drained") == pick("arm,drained") == ("arm-1", "arm-2")


def test_a_glob_that_would_mean_every_host_by_the_name_all_is_refused() -> None:
    with pytest.raises(InventoryError, match="matches the group 'all'"):
        pick("a*")
    assert pick("ar*") == ("arm-1", "arm-2")
    assert pick("*") == HOSTS


def test_a_message_about_a_long_or_wild_limit_is_short_and_quoted() -> None:
    for limit in ("x" * 100_000, "\x1b[31mred\x07,\x00", "x," * 50_000 + "x", "~" + "(" * 5000, "[" * 5000, ":" * 5000):
        with pytest.raises(InventoryError) as caught:
            pick(limit)
        assert len(str(caught.value)) < 1500
        assert str(caught.value).isprintable()


def test_thousands_of_exact_terms_are_looked_up_not_searched() -> None:
    fleet = [f"box-{number}" for number in range(20_000)]
    groups = {"all": fleet, "ungrouped": fleet}
    limit = ",".join([*fleet[::2], *(f"!{name}" for name in fleet[:10_000])])
    assert select([limit], fleet, groups, no_file) == tuple(fleet[10_000::2])


ONE = """
    web web:22 web-[1:3] web-[a:c]:22 web-[1:3:2] [web]:22 _web web_1.x ümlaut 10.0.0.[1:5] fe80::1 ::1 :: [fe80::1]:22
    1:2:3:4:5:6:7:8 ::ffff:1.2.3.4 ::1.2.3.4 0:0:0:0:0:0:1.2.3.4 fe80::[1:f] FE80::A 1:: 1:2:3:4:5:6::
"""
SEVERAL = """
    web:x a:b a:b:c :22 web- -web _ a..b ~web web* web[0 1:2:3:4:5:6:7 1:2:3:4:5:6:7:: 1::2::3 1::1.2.3.4 12345::
    ::1:2:3:4:5:6:7 web-[1] [1:2 web:[1:2] ::[1:f]a a[1:f]::
"""


@pytest.mark.parametrize(
    ("text", "one"), [*((text, True) for text in ONE.split()), *((text, False) for text in ["", *SEVERAL.split()])]
)
def test_one_address_with_colons_is_reported_from_a_list(text: str, one: bool) -> None:
    assert is_address(text) is one


def test_hosts_by_name_are_exact_and_in_inventory_order() -> None:
    assert named(["arm-2", "gate", "gate"], HOSTS) == ("gate", "arm-2")


@pytest.mark.parametrize("name", ["arm", "arm-*", "all", "", "gate,arm-1", "Gate", "~gate", "gate "])
def test_a_name_is_no_pattern(name: str) -> None:
    with pytest.raises(InventoryError, match=r"--host: no host is named"):
        named([name], HOSTS)


def test_a_missed_name_offers_the_nearest_else_who_is_there() -> None:
    with pytest.raises(InventoryError, match=r"did you mean runner-40\.example\.com\?"):
        named(["runner-40.exmaple.com"], HOSTS)
    with pytest.raises(InventoryError, match=r"the hosts are arm-\[1-2\], gate, runner-\[01-41\]\.example\.com$"):
        named(["?"], HOSTS)

"""Host names with ranges and ports."""

from __future__ import annotations

import pytest

from fleetsweep.errors import InventoryError
from fleetsweep.inventory.ranges import check_name, expand, host_names


@pytest.mark.parametrize(
    "pattern", ["a[1:999999999]", "a[0:999]b[0:999]", "a[1:100000]b[1:2]", "a[1:9999999999999999999]"]
)
def test_a_range_of_more_hosts_than_any_fleet_has_is_refused(pattern: str) -> None:
    with pytest.raises(InventoryError, match=r"more than 100000 hosts|not a range"):
        expand(pattern, "hosts:1")


@pytest.mark.parametrize(
    ("pattern", "names", "port"),
    [
        ("a", ["a"], None),
        ("a:2222", ["a"], 2222),
        ("[::1]:22", ["::1"], 22),
        ("r-[08:11]", ["r-08", "r-09", "r-10", "r-11"], None),
        ("r[1:5:2]:22", ["r1", "r3", "r5"], 22),
        ("r[a:c]", ["ra", "rb", "rc"], None),
    ],
)
def test_a_pattern_expands_in_order_and_may_have_a_port(pattern: str, names: list[str], port: int | None) -> None:
    found = host_names(pattern, "hosts:1")
    assert (list(found[0]), found[1]) == (names, port)


def test_the_last_range_varies_fastest() -> None:
    assert expand("[1:2]-[a:b]", "hosts:1") == ["1-a", "1-b", "2-a", "2-b"]


@pytest.mark.parametrize(
    ("pattern", "message"),
    [
        ("a[1:", "has an unmatched bracket"),
        ("a[3:1]", "is an empty range"),
        ("a[01:100]", "both bounds need the same width"),
        ("a[1:x]", "is not a range"),
        ("a[1:9:0]", "is not a range"),
        ("a b:22", "is not a host with a port"),
    ],
)
def test_a_range_that_is_not_one_is_an_error(pattern: str, message: str) -> None:
    with pytest.raises(InventoryError, match=message):
        host_names(pattern, "hosts:1")


@pytest.mark.parametrize("name", ["-oProxyCommand=x", "a/b", "..", "a;b", "a\nb", "$(id)", ""])
def test_a_name_that_could_be_an_option_a_path_or_a_command_is_refused(name: str) -> None:
    with pytest.raises(InventoryError, match="is not a host name"):
        check_name(name, "hosts:1")

"""A limit selects the hosts that it selects in Ansible, or is refused for a reason in docs/inventory.md."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fleetsweep.errors import InventoryError
from fleetsweep.inventory import load
from fleetsweep.inventory.patterns import matched, select
from tests.inventory.ansible_process import Ansible, Seen
from tests.inventory.differences import named_in_docs
from tests.inventory.limit_cases import BRANCHES, CASES, EXERCISED, FILES, INVENTORIES

REASONS = {
    "empty-limit": "an empty pattern selects nothing",
    "empty-file": "contains no pattern",
    "empty-term": "has an empty term",
    "unmatched-term": "matches no host and no group|write one name",
    "nothing-selected": "the whole selection|no host is selected",
    "subscript-of-nothing": "is out of range",
    "backward-subscript": "ends before it begins",
    "dash-subscript": ": write \\[",
    "unbalanced-bracket": "has an unmatched",
    "matches-all": "matches the group 'all'",
    "matches-anything": "matches every name",
    "regex-warning": "is not a regular expression",
}
ASK_MORE = 60
"""Limits that one generated question holds: to ask costs more than to match."""


class Asked:
    """A directory of inventories and files of patterns, and the process that evaluates them."""

    def __init__(self, directory: Path, ansible: Ansible) -> None:
        self.directory = directory
        self._ansible = ansible
        for name, text in INVENTORIES.items():
            (directory / f"{name}.ini").write_text(text)
        (directory / "branches.ini").write_text(BRANCHES)
        for name, text in FILES.items():
            (directory / name).write_bytes(text.encode())

    def of(self, inventory: str, limits: Sequence[str]) -> Seen:
        return self._ansible.read([f"{inventory}.ini"], cwd=self.directory, patterns=limits)

    def lines(self, path: str) -> Sequence[str]:
        if path not in FILES:
            raise InventoryError("--limit", f"@{path} is not there")
        return (self.directory / path).read_text().split("\n")


@pytest.fixture(scope="module")
def asked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Asked]:
    with Ansible() as ansible:
        yield Asked(tmp_path_factory.mktemp("limits"), ansible)


@pytest.fixture(scope="module")
def by_inventory(asked: Asked) -> dict[str, Seen]:
    return {name: asked.of(name, [text for of, text, _ in CASES if of == name]) for name in INVENTORIES}


def ours(seen: Seen, limit: str, lines: Callable[[str], Sequence[str]]) -> tuple[str, ...] | InventoryError:
    try:
        return matched([limit], seen.met, seen.groups, lines)
    except InventoryError as error:
        return error


@pytest.mark.parametrize(("inventory", "limit", "difference"), CASES)
def test_a_limit_is_the_same_hosts_in_the_same_order_or_a_named_refusal(
    inventory: str, limit: str, difference: str | None, asked: Asked, by_inventory: dict[str, Seen]
) -> None:
    seen = by_inventory[inventory]
    theirs, mine = seen.patterns[limit], ours(seen, limit, asked.lines)
    if difference is not None:
        assert isinstance(mine, InventoryError)
        assert re.search(REASONS[difference], str(mine))
        assert theirs.error is None, "Ansible refuses it too, so it is no difference"
    elif theirs.error is not None:
        assert isinstance(mine, InventoryError)
    else:
        assert not isinstance(mine, InventoryError), mine
        assert set(mine) == set(theirs.limited or ())
        # The call of Ansible that gives the order reads no files.
        assert "@" in limit or mine == theirs.matched


@pytest.mark.parametrize("inventory", INVENTORIES)
def test_an_inventory_that_is_read_selects_the_same_in_ansibles_order(
    inventory: str, asked: Asked, by_inventory: dict[str, Seen]
) -> None:
    fleet = load([f"{inventory}.ini"], cwd=asked.directory)
    for limit, theirs in by_inventory[inventory].patterns.items():
        try:
            mine = tuple(host.name for host in fleet.select([limit]))
        except InventoryError:
            assert isinstance(ours(by_inventory[inventory], limit, asked.lines), InventoryError), limit
        else:
            assert mine == theirs.limited, limit


@pytest.mark.parametrize(
    ("difference", "everything"),
    [("empty-limit", True), ("empty-file", True), ("matches-anything", True), ("nothing-selected", False)],
)
def test_the_page_describes_ansible_correctly(difference: str, everything: bool, by_inventory: dict[str, Seen]) -> None:
    for inventory, limit, of in CASES:
        if of == difference and limit[:1] not in {"&", "c"}:
            assert by_inventory[inventory].patterns[limit].limited == (
                by_inventory[inventory].hosts if everything else ()
            )


def test_every_refusal_is_in_the_table_of_differences() -> None:
    assert set(REASONS) | {"several-limits", "group-order"} == EXERCISED
    assert named_in_docs() >= EXERCISED


def test_several_limits_are_the_terms_of_one_where_ansible_takes_the_last(asked: Asked) -> None:
    seen = asked.of("fleet", ["ci,!web-01,db", "db"])
    joined = select(["ci", "!web-01", "db"], seen.met, seen.groups, asked.lines)
    assert set(joined) == set(seen.patterns["ci,!web-01,db"].limited or ())
    assert set(joined) > set(seen.patterns["db"].limited or ())


def test_hosts_of_branching_groups_stand_in_the_order_of_naming_where_ansible_has_none(asked: Asked) -> None:
    fleet = load(["branches.ini"], cwd=asked.directory)
    seen = asked.of("branches", ["both", "both[0]"])
    assert seen.patterns["both"].limited is not None
    assert sorted(seen.patterns["both"].limited) == ["l", "r"]
    assert [host.name for host in fleet.select(["both[0]"])] == ["l"]
    assert seen.patterns["both[0]"].limited in {("l",), ("r",)}


NAMES = {
    "fleet": "all ungrouped gate ci db arm drained runners eu web-01 web-02 arm-1 10.1.0.2 spare db-2.example.com",
    "odd": "all web web-1 both x1 x2 box.example.com addresses late early zz e1 e2 fe80::1 ::1 all-in-one other",
    "turned": "all ungrouped a b h1 h2 h3",
}


def pieces(inventory: str) -> st.SearchStrategy[str]:
    """Terms made of the grammar's pieces, more of them right than wrong."""
    name = st.sampled_from(NAMES[inventory].split())
    cut = st.tuples(name, st.integers(0, 6)).map(lambda pair: pair[0][: pair[1]])
    glob = st.one_of(
        st.sampled_from(["*", "?", "[a-z]*", "*[0-9]", "*1", "[!a]*", "*e*", "*.*", "??", "[", "]", "[]*", "[^w]*"]),
        cut.map(lambda text: text + "*"),
        cut.map(lambda text: "*" + text[-2:]),
        cut.map(lambda text: text[:-1] + "?" + "*"),
    )
    regex = st.one_of(
        cut.map(lambda text: "~" + text),
        cut.map(lambda text: f"~{text}.*[12]"),
        st.sampled_from(["~.", "~.*1", "~[a-e]", "~(ci|db|h)", "~w|x", "~[^a]", "~\\w+-", "~(", "~.+\\d$", "~(?i)A"]),
    )
    place = st.integers(-4, 5).map(str)
    count = st.integers(0, 5).map(str)
    subscript = st.one_of(
        place.map(lambda at: f"[{at}]"),
        st.tuples(count, count | st.just("")).map(lambda ends: f"[{ends[0]}:{ends[1]}]"),
        st.sampled_from(["[]", "[x]", "[0-1]", "[1:2:3]", "[:2]"]),
    )
    base = name | name | name | glob | glob | regex | cut | st.sampled_from(["@two", "@narrow", "@blank", "@without"])
    prefix = st.sampled_from(["", "", "", "", "!", "!", "&", "&", "!!", "&!", "~"])
    tail = st.just("") | st.just("") | subscript
    return st.tuples(prefix, base, tail).map("".join)


def limits(inventory: str) -> st.SearchStrategy[str]:
    terms = st.lists(pieces(inventory), min_size=1, max_size=4)
    separator = st.sampled_from([",", ",", ",", ":", ":", ", ", " ", " : ", ",,"])
    return st.tuples(terms, separator).map(lambda made: made[1].join(made[0]))


@pytest.mark.parametrize("inventory", NAMES)
def test_a_limit_of_any_pieces_never_selects_what_ansible_does_not(inventory: str, asked: Asked) -> None:
    documented = named_in_docs()

    @settings(max_examples=25, suppress_health_check=[HealthCheck.too_slow, HealthCheck.large_base_example])
    @given(st.lists(limits(inventory), min_size=1, max_size=ASK_MORE, unique=True))
    def hold(texts: list[str]) -> None:
        seen = asked.of(inventory, texts)
        for text in texts:
            theirs, mine = seen.patterns[text], ours(seen, text, asked.lines)
            if not isinstance(mine, InventoryError):
                assert (set(mine), theirs.error) == (set(theirs.limited or ()), None), text
                assert "@" in text or mine == theirs.matched, text
            elif theirs.error is None:
                reasons = {name for name, reason in REASONS.items() if re.search(reason, str(mine))}
                assert reasons & documented, f"{text}: {mine}"
                # Of one term it can be seen that Ansible, too, found nothing.
                if reasons & {"unmatched-term", "nothing-selected"} and not re.search(r"[,:\s!&@]", text):
                    assert theirs.limited == (), text
                if "matches-anything" in reasons or ("matches-all" in reasons and "[" not in text):
                    assert re.search("[!&,:]", text) or len(theirs.limited or ()) == len(seen.hosts), text

    hold()

"""Commands whose options are fields of dataclasses."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated

import click
import pytest

from fleetsweep.cli.command import command, from_values, only, option
from fleetsweep.cli.params import Count

received: list[object] = []
refused: list[str] = []


@dataclass(frozen=True, slots=True)
class Fruit:
    names: tuple[str, ...] = field(default=(), metadata=option("Targets", "--name", help="A name. Repeatable."))
    ripe: bool = field(default=False, metadata=option("Guards", "-r", "--ripe", help="Only ripe ones."))
    most: int = field(default=7, metadata=option("Guards", "--most", type=Count(1), metavar="N", help="At most N."))
    kind: str | None = field(default=None, metadata=option("Output", "--kind", choices=("a", "b"), help="The kind."))
    tree: int | None = field(default=None, metadata=option("Output", "--tree", type=Count(1), once=True, help="Which."))


def on_refusal(made: click.Command, context: click.Context, words: list[str], error: click.BadParameter) -> None:
    refused.append(f"{made.name} {' '.join(words)}: {error.message}")


@command(click.Argument(["where"], required=False), epilog="", on_refusal=on_refusal)
def pick(fruit: Fruit, where: str | None) -> int:
    """Pick fruit."""
    received[:] = [fruit, where]
    return 4


@command(epilog="")
def count(fruit: Annotated[Fruit, only("ripe")]) -> int:
    """Count fruit."""
    received[:] = [fruit]
    return 0


def test_a_command_receives_its_groups_and_returns_its_code() -> None:
    words = ["--name", "x", "--name", "y", "-r", "--kind", "b", "here"]
    assert pick.main(words, standalone_mode=False) == 4
    assert received == [Fruit(("x", "y"), True, 7, "b"), "here"]


def test_what_is_not_given_has_the_fields_default() -> None:
    pick.main([], standalone_mode=False)
    assert received == [Fruit(), None]


def test_a_command_may_take_some_fields_of_a_group() -> None:
    count.main(["--ripe"], standalone_mode=False)
    assert received == [Fruit(ripe=True)]
    with pytest.raises(click.NoSuchOption):
        count.main(["--name", "x"], standalone_mode=False)


def test_help_has_sections_in_their_order_with_the_groups_options() -> None:
    text = pick.get_help(click.Context(pick))
    titles = [line for line in text.splitlines() if line.endswith(":") and not line.startswith(" ")]
    assert titles == ["Targets:", "Guards:", "Output:", "Help:"]
    guards = text[text.index("Guards:") : text.index("Output:")]
    assert "--ripe" in guards
    assert "--most N" in guards


def test_a_refused_value_is_handed_over_with_the_command_line() -> None:
    refused.clear()
    with pytest.raises(click.BadParameter):
        pick.main(["--name", "x", "--most", "0"], standalone_mode=False)
    assert refused == ["pick --name x --most 0: 0 is not 1 or more"]


def test_an_option_that_may_be_given_once_is_refused_with_another_value() -> None:
    pick.main(["--tree", "3"], standalone_mode=False)
    assert received == [Fruit(tree=3), None]
    pick.main(["--tree", "3", "--tree=3"], standalone_mode=False)
    assert received == [Fruit(tree=3), None]
    with pytest.raises(click.BadParameter, match="it is given 2 times: give one value"):
        pick.main(["--tree", "3", "--tree", "4"], standalone_mode=False)
    with pytest.raises(click.BadParameter, match="0 is not 1 or more"):
        pick.main(["--tree", "0"], standalone_mode=False)


def test_of_another_option_the_last_value_counts() -> None:
    pick.main(["--most", "3", "--most", "4"], standalone_mode=False)
    assert received == [Fruit(most=4), None]


def test_a_group_is_made_of_the_values_that_there_are() -> None:
    assert from_values(Fruit, {"names": ("x",), "most": None, "other": 1}) == Fruit(names=("x",))

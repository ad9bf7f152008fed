"""The policy's settings as flags: declared once, used everywhere."""

from __future__ import annotations

from dataclasses import fields

import click
import pytest

from fleetsweep.cli import SUMMARIES, cli
from fleetsweep.inventory.host_vars import SETTINGS
from fleetsweep.model.policy_flags import Flags, Group, flag_names, host_setting_names, option_name
from fleetsweep.policy.rules import Policy
from fleetsweep.policy.settings import described

NAMES = [each.name for each in fields(Flags)]


def options_of(command: str) -> set[str]:
    found = cli.get_command(click.Context(cli), command)
    assert found is not None
    return {name for parameter in found.params for name in parameter.opts}


def test_a_flag_is_named_by_its_long_option() -> None:
    assert [option_name(name) for name in ("max_age", "names", "dry_run", "engine_id")] == [
        "--max-age",
        "--name",
        "--dry-run",
        "--engine-id",
    ]


def test_every_flag_is_in_one_group() -> None:
    assert sorted(name for group in Group for name in flag_names(group)) == sorted(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_every_flag_is_an_option_of_sweep(name: str) -> None:
    assert option_name(name) in options_of("sweep")


@pytest.mark.parametrize("command", ["audit", "hosts", "explain", "schedule"])
def test_commands_that_judge_take_every_flag_that_judges(command: str) -> None:
    assert command in SUMMARIES
    judging = flag_names(Group.SELECTORS, Group.AGES, Group.GUARDS)
    assert {option_name(name) for name in judging} <= options_of(command)


def test_every_setting_of_a_host_may_be_an_inventory_variable_and_is_shown() -> None:
    assert set(host_setting_names()) <= set(SETTINGS)
    assert set(described(Policy())) == set(host_setting_names())

"""The option groups."""

from __future__ import annotations

from dataclasses import FrozenInstanceError, fields

import pytest

from fleetsweep.cli import evidence, history_options, options, removal_options, schedule_options, spread_options
from fleetsweep.cli.command import SECTIONS, command
from fleetsweep.cli.options import ConnectOptions, NotifyOptions, TargetOptions
from fleetsweep.model.policy_flags import Flags

MODULES = (evidence, history_options, options, removal_options, schedule_options, spread_options)
GROUPS = [
    Flags,
    *{group: None for module in MODULES for name, group in sorted(vars(module).items()) if name.endswith("Options")},
]
SECRET = "s3kr1t-t0ken"  # noqa: S105
received: list[ConnectOptions] = []


@command(epilog="")
def connect(connect: ConnectOptions) -> int:
    """Receive the options."""
    received[:] = [connect]
    return 0


@pytest.mark.parametrize("group", GROUPS, ids=lambda group: group.__name__)
def test_every_field_is_an_option_of_a_known_section_with_help(group: type[TargetOptions]) -> None:
    for each in fields(group):
        assert each.metadata["section"] in SECTIONS
        assert each.metadata["click"]["help"].endswith((".", "]"))


def test_a_group_is_frozen() -> None:
    with pytest.raises(FrozenInstanceError):
        TargetOptions().local = True  # type: ignore[misc] # what is tested


def test_the_options_defaults_are_the_fields() -> None:
    connect.main([], standalone_mode=False)
    assert received == [ConnectOptions()]
    connect.main(["--forks", "3", "--timeout", "1m", "--known-hosts", "a"], standalone_mode=False)
    assert received == [ConnectOptions(forks=3, timeout=60.0, known_hosts=("a",))]


def test_addresses_with_passwords_are_in_no_repr() -> None:
    assert SECRET not in repr(NotifyOptions(notify=(f"json://{SECRET}",), push_gateway=f"http://{SECRET}"))

"""The policy's settings as flags: each is declared here once, with its option and help text.

The command line, the inventory's variables, ``hosts -v`` and schedules take the settings from here; ``policy.settings``
resolves them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from enum import StrEnum
from typing import Final


class Group(StrEnum):
    """What a setting is about. A command takes the flags of whole groups."""

    SELECTORS = "selectors"
    AGES = "ages"
    GUARDS = "guards"
    RUN = "run"


_SECTIONS: Final = {
    Group.SELECTORS: "Which containers",
    Group.AGES: "Which containers",
    Group.GUARDS: "Guards",
    Group.RUN: "Removal",
}


def _option(group: Group, *names: str, help: str, **attributes: object) -> Mapping[str, object]:
    """Return the metadata of a flag's field, from which ``cli.command`` makes its option."""
    return {"group": group, "section": _SECTIONS[group], "names": names, "click": {"help": help, **attributes}}


@dataclass(frozen=True, slots=True)
class Flags:
    """The policy flags as typed; None, or empty for the repeatable ones, where not given."""

    names: tuple[str, ...] = field(
        default=(),
        metadata=_option(
            Group.SELECTORS,
            "--name",
            metavar="REGEX",
            help="Match containers by name. Repeatable. [default: ^ws-]",
        ),
    )
    images: tuple[str, ...] = field(
        default=(),
        metadata=_option(
            Group.SELECTORS,
            "--image",
            metavar="GLOB",
            help="Match containers by image. Repeatable. [default: molecule-local/*]",
        ),
    )
    labels: tuple[str, ...] = field(
        default=(),
        metadata=_option(
            Group.SELECTORS, "--label", metavar="KEY[=VALUE]", help="Match containers by label. Repeatable."
        ),
    )
    match: str | None = field(
        default=None,
        metadata=_option(
            Group.SELECTORS,
            "--match",
            choices=("any", "all"),
            help="Require a match of any kind of selector, or of all that are given. [default: any]",
        ),
    )
    max_age: str | None = field(
        default=None,
        metadata=_option(
            Group.AGES, "--max-age", metavar="DURATION", help="An older container is stale. [default: 2h]"
        ),
    )
    job_timeout: str | None = field(
        default=None,
        metadata=_option(
            Group.AGES,
            "--job-timeout",
            metavar="DURATION",
            help="The time limit of the longest job; must be below the max age. [default: 30m]",
        ),
    )
    max_lifetime: str | None = field(
        default=None,
        metadata=_option(
            Group.AGES,
            "--max-lifetime",
            metavar="DURATION",
            help="Limit the time since creation, however often a container restarts. [default: off]",
        ),
    )
    cap: str | None = field(
        default=None,
        metadata=_option(
            Group.GUARDS,
            "--cap",
            metavar="N",
            help="Refuse to remove from a host that has more candidates than N. [default: 100]",
        ),
    )
    fleet_cap: str | None = field(
        default=None,
        metadata=_option(
            Group.GUARDS,
            "--fleet-cap",
            metavar="N|N%",
            help="Refuse to remove anything if the fleet has more candidates than this. [default: off]",
        ),
    )
    max_skew: str | None = field(
        default=None,
        metadata=_option(
            Group.GUARDS,
            "--max-skew",
            metavar="DURATION",
            help="Refuse to remove from a host whose clock differs by more. [default: 5m]",
        ),
    )
    anomaly: bool = field(
        default=False,
        metadata=_option(
            Group.GUARDS,
            "--anomaly",
            help="Refuse to remove from a host that has far more candidates than in its past runs.",
        ),
    )
    keep_label: str | None = field(
        default=None,
        metadata=_option(
            Group.GUARDS,
            "--keep-label",
            metavar="KEY",
            help="Keep containers that carry this label. [default: fleetsweep.keep]",
        ),
    )
    dry_run: bool = field(
        default=False,
        metadata=_option(Group.RUN, "-C", "--check", "--dry-run", help="Decide, but remove nothing. [$DRY_RUN]"),
    )


def flag_names(*groups: Group) -> frozenset[str]:
    """Return the names of the flags in these groups."""
    return frozenset(each.name for each in fields(Flags) if each.metadata["group"] in groups)


def host_setting_names() -> tuple[str, ...]:
    """Return the names of the settings that a host's inventory variables may give: not those of a whole run."""
    return tuple(each.name for each in fields(Flags) if each.name not in {"fleet_cap", "dry_run"})


def option_name(name: str) -> str:
    """Return the long option of a flag or setting: ``--max-age`` for ``max_age``."""
    return _OPTION_NAMES.get(name) or "--" + name.replace("_", "-")


_OPTION_NAMES: Final = {each.name: each.metadata["names"][-1] for each in fields(Flags)}

"""The options that use past runs: lists of them, sums of leaks, deleting old runs, and running again."""

from __future__ import annotations

from dataclasses import dataclass, field

from fleetsweep.cli.command import option
from fleetsweep.cli.completion import HOST
from fleetsweep.cli.params import Count, Duration, LeakGrouping


@dataclass(frozen=True, slots=True)
class HistoryOptions:
    """Which past runs. ``since`` is in seconds before now."""

    last: int | None = field(
        default=None,
        metadata=option(
            "Runs", "-n", "--last", type=Count(1), metavar="N", help="At most N rows. [default: 20; --by as JSON: all]"
        ),
    )
    since: float | None = field(
        default=None,
        metadata=option(
            "Runs",
            "--since",
            type=Duration(),
            help="Runs that began within this time, such as 12h or 7d. [default: all; --by and --per: 30d]",
        ),
    )
    hosts: tuple[str, ...] = field(
        default=(),
        metadata=option(
            "Runs", "--host", type=HOST, metavar="NAME", help="Runs with this host; count it alone. Repeatable."
        ),
    )
    failed: bool = field(default=False, metadata=option("Runs", "--failed", help="Runs that did not exit with 0."))
    verbose: bool = field(
        default=False, metadata=option("Output", "-v", "--verbose", help="Also print the journal's size.")
    )


@dataclass(frozen=True, slots=True)
class LeakOptions:
    """How past leaks are summed up. ``by`` is what they are grouped by, and the key of a label."""

    by: tuple[str, str] | None = field(
        default=None,
        metadata=option(
            "Leaks",
            "--by",
            type=LeakGrouping(),
            metavar="image|label:KEY|host|group",
            help="Who leaks: leaked containers, removals and orphan-hours of each, the new ones first.",
        ),
    )
    per: str | None = field(
        default=None,
        metadata=option("Leaks", "--per", choices=("day", "week"), help="The same for each day or week, in UTC."),
    )


@dataclass(frozen=True, slots=True)
class PruneOptions:
    """How many seconds of runs are kept."""

    keep: float | None = field(
        default=None,
        metadata=option(
            "Journal",
            "--keep",
            type=Duration(),
            help="With prune: how long before the newest run is kept, such as 90d; 1d or more.",
        ),
    )

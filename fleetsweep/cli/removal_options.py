"""The options of commands that remove: a saved plan, the lock, the question, and a run's scope."""

from __future__ import annotations

from dataclasses import dataclass, field

from fleetsweep.cli.command import option
from fleetsweep.cli.options import HOUR_S
from fleetsweep.cli.params import FILE, Count, Duration, RunLabel


@dataclass(frozen=True, slots=True)
class PlanOptions:
    """The saved plan to carry out, and how many seconds old it may be."""

    plan: str | None = field(
        default=None,
        metadata=option(
            "Removal",
            "--plan",
            type=FILE,
            once=True,
            help="Carry out a saved plan, without a new survey: remove no other container.",
        ),
    )
    plan_ttl: float = field(
        default=HOUR_S,
        metadata=option("Removal", "--plan-ttl", type=Duration(), help="Refuse an older plan. [default: 1h]"),
    )


@dataclass(frozen=True, slots=True)
class LockOptions:
    """How many seconds to wait for another sweep."""

    lock_wait: float = field(
        default=600.0,
        metadata=option(
            "Removal", "--lock-wait", type=Duration(), help="Wait this long for another sweep to end. [default: 10m]"
        ),
    )


@dataclass(frozen=True, slots=True)
class SweepOptions:
    """What a sweep asks, and what it removes in addition to containers."""

    yes: bool = field(default=False, metadata=option("Removal", "-y", "--yes", help="Remove without asking."))
    volumes: bool = field(
        default=False,
        metadata=option("Removal", "--volumes", help="Also remove the containers' anonymous volumes."),
    )


@dataclass(frozen=True, slots=True)
class ScopeOptions:
    """Which run's containers a teardown removes, and what else of that run."""

    baseline: str | None = field(
        default=None,
        metadata=option(
            "Which containers",
            "--baseline",
            type=FILE,
            once=True,
            help="Remove what was created after this baseline was taken.",
        ),
    )
    run_label: tuple[str, str] | None = field(
        default=None,
        metadata=option(
            "Which containers",
            "--run-label",
            type=RunLabel(),
            once=True,
            metavar="KEY=VALUE",
            help="Remove what carries this label of the run.",
        ),
    )
    volumes: bool = field(
        default=False,
        metadata=option("Removal", "--volumes", help="Also remove the run's labelled volumes, and anonymous ones."),
    )
    networks: bool = field(
        default=False, metadata=option("Removal", "--networks", help="Also remove the run's labelled networks.")
    )


@dataclass(frozen=True, slots=True)
class EvidenceOptions:
    """What is kept of a container before it is removed, in addition to its inspect response."""

    logs: int = field(
        default=0,
        metadata=option(
            "Removal",
            "--logs",
            type=Count(0, 100_000),
            metavar="N",
            help="Keep the last N lines of each container's log, at most 64 KiB, with secrets masked. [default: 0]",
        ),
    )
    require_evidence: bool = field(
        default=False,
        metadata=option(
            "Removal",
            "--require-evidence",
            help="Don't remove a container whose details, or log with --logs, can't be kept.",
        ),
    )

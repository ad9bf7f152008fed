"""The options of ``schedule`` alone."""

from __future__ import annotations

from dataclasses import dataclass, field

from fleetsweep.cli.command import option
from fleetsweep.cli.options import HOUR_S
from fleetsweep.cli.params import DIR, Duration


@dataclass(frozen=True, slots=True)
class ScheduleOptions:
    """What is scheduled, how often in seconds, as which account, and where the files go."""

    job: str | None = field(
        default=None,
        metadata=option(
            "Schedule",
            "--job",
            choices=("audit", "sweep", "teardown"),
            help="The command to run. [default: sweep; gitea and github: sweep and teardown]",
        ),
    )
    every: float = field(
        default=HOUR_S,
        metadata=option(
            "Schedule", "--every", type=Duration(), help="How often it runs, such as 15m, 6h or 1d. [default: 1h]"
        ),
    )
    account: str = field(
        default="fleetsweep",
        metadata=option("Schedule", "--user", metavar="NAME", help="The account that runs it. [default: fleetsweep]"),
    )
    remote_user: str | None = field(
        default=None,
        metadata=option(
            "Schedule", "--remote-user", metavar="NAME", help="Log in to the boxes as this user: the run's --user."
        ),
    )
    install: str | None = field(
        default=None,
        metadata=option(
            "Schedule",
            "--install",
            metavar="COMMAND",
            help="How a workflow installs fleetsweep on a runner without it, such as 'pip install …'; for gitea and "
            "github. [default: pip install a wheel in /opt/fleetsweep]",
        ),
    )
    write: str | None = field(
        default=None,
        metadata=option("Schedule", "--write", type=DIR, help="Write the files to this directory, not to stdout."),
    )
    force: bool = field(
        default=False, metadata=option("Schedule", "--force", help="Replace existing files whose content differs.")
    )

"""The option groups: each a frozen dataclass whose fields declare their click options beside them.

The policy's flags are declared with the policy's settings, in ``policy.settings.Flags``.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from fleetsweep.cli.command import only, option
from fleetsweep.cli.completion import HOST, LIMIT
from fleetsweep.cli.params import DIR, FILE, Count, Duration, EngineUrl, HostCount, RunHosts, ScheduleName
from fleetsweep.model.policy_flags import Group, flag_names

HOUR_S: Final = 3600.0

_PRIVATE_KEY: Final = option("Connection", "--private-key", type=FILE, help="Offer this key and no other.")
_SSH_CONFIG: Final = option(
    "Connection", "--ssh-config", type=FILE, help="Read this SSH configuration instead of the usual ones."
)
_KNOWN_HOSTS: Final = option(
    "Connection", "--known-hosts", type=FILE, help="Read this known_hosts instead of the usual ones. Repeatable."
)
_TLS_CA: Final = option(
    "Connection", "--engine-tls-ca", type=FILE, help="Use TLS to engines at tcp:// addresses, and trust this PEM file."
)
_TLS_CERT: Final = option("Connection", "--engine-tls-cert", type=FILE, help="Present this certificate to them.")
_TLS_KEY: Final = option("Connection", "--engine-tls-key", type=FILE, help="The key of that certificate.")


@dataclass(frozen=True, slots=True)
class TargetOptions:
    """Which hosts."""

    inventory: tuple[str, ...] = field(
        default=(),
        metadata=option(
            "Targets",
            "-i",
            "--inventory",
            type=FILE,
            metavar="PATH",
            help="Ansible inventory: a file, script, directory, or 'host1,host2,'. Repeatable. "
            "[$FLEETSWEEP_INVENTORY; default: ./inventory]",
        ),
    )
    hosts: tuple[str, ...] = field(
        default=(),
        metadata=option(
            "Targets",
            "--host",
            type=HOST,
            metavar="NAME",
            help="One host by its exact name; without an inventory, [user@]address[:port]. Repeatable.",
        ),
    )
    limit: tuple[str, ...] = field(
        default=(),
        metadata=option(
            "Targets",
            "-l",
            "--limit",
            type=LIMIT,
            metavar="PATTERN",
            help="Select hosts as Ansible does: names, groups, globs, ~regex, group[0:2], @file; a,b and &c and !d. "
            "Repeatable.",
        ),
    )
    local: bool = field(
        default=False, metadata=option("Targets", "--local", help="This machine's engine, without SSH.")
    )
    engine: str | None = field(
        default=None,
        metadata=option(
            "Targets",
            "--engine",
            type=EngineUrl(),
            metavar="URL",
            help="The engine's address on the box, for --local and hosts without an inventory.",
        ),
    )
    expect: tuple[int, int] | None = field(
        default=None,
        metadata=option(
            "Targets",
            "--expect",
            type=HostCount(),
            metavar="N|MIN..MAX",
            help="Refuse to run unless this many hosts are selected.",
        ),
    )


@dataclass(frozen=True, slots=True)
class RerunOptions:
    """Which hosts of a past run. ``rerun`` is the run and the status of its hosts."""

    rerun: tuple[str, str] | None = field(
        default=None,
        metadata=option(
            "Targets",
            "--rerun",
            type=RunHosts(),
            metavar="RUN:STATUS",
            help="Of the selected hosts, those that were unreachable, failed or guarded in a past run: the beginning "
            "of its id, or last, then :unreachable, :failed or :guarded.",
        ),
    )


@dataclass(frozen=True, slots=True)
class ListOptions:
    """Whether to list the selected hosts and stop."""

    list_hosts: bool = field(
        default=False, metadata=option("Targets", "--list-hosts", help="Print the selected hosts and contact none.")
    )


@dataclass(frozen=True, slots=True)
class ConnectOptions:
    """How hosts are reached, and how long that may take, in seconds."""

    forks: int | None = field(
        default=None,
        metadata=option(
            "Connection",
            "-f",
            "--forks",
            type=Count(1, 4096),
            metavar="N",
            help="Connect to at most N hosts at once, up to 4096. [default: 256 or fewer]",
        ),
    )
    user: str | None = field(
        default=None, metadata=option("Connection", "-u", "--user", metavar="NAME", help="Log in as this user.")
    )
    private_key: str | None = field(default=None, metadata=_PRIVATE_KEY)
    timeout: float = field(
        default=10.0,
        metadata=option(
            "Connection", "-T", "--timeout", type=Duration(), help="Time to connect and log in. [default: 10s]"
        ),
    )
    host_timeout: float = field(
        default=120.0,
        metadata=option("Connection", "--host-timeout", type=Duration(), help="Time for one host. [default: 2m]"),
    )
    run_timeout: float = field(
        default=HOUR_S,
        metadata=option("Connection", "--run-timeout", type=Duration(), help="Time for the whole run. [default: 1h]"),
    )
    ssh_config: str | None = field(default=None, metadata=_SSH_CONFIG)
    known_hosts: tuple[str, ...] = field(default=(), metadata=_KNOWN_HOSTS)
    host_key: str | None = field(
        default=None,
        metadata=option(
            "Connection",
            "--host-key",
            choices=("strict", "accept-new"),
            help="Refuse the key of an unknown host, or accept and keep it. [default: ssh_config's, else strict]",
        ),
    )
    engine_tls_ca: str | None = field(default=None, metadata=_TLS_CA)
    engine_tls_cert: str | None = field(default=None, metadata=_TLS_CERT)
    engine_tls_key: str | None = field(default=None, metadata=_TLS_KEY)


@dataclass(frozen=True, slots=True)
class StateOptions:
    """Where the journal is."""

    state_dir: str | None = field(
        default=None,
        metadata=option(
            "Journal",
            "--state-dir",
            type=DIR,
            envvar="FLEETSWEEP_STATE_DIR",
            help="The directory of the journal. [$FLEETSWEEP_STATE_DIR]",
        ),
    )


@dataclass(frozen=True, slots=True)
class OutputOptions:
    """How the report is written."""

    style: str = field(
        default="table",
        metadata=option(
            "Output",
            "--format",
            choices=("table", "json", "jsonl", "csv", "markdown"),
            help="The format of the report; jsonl is printed host by host. [default: table]",
        ),
    )
    output: str | None = field(
        default=None,
        metadata=option("Output", "-o", "--output", type=FILE, help="Write the report to this file, not to stdout."),
    )
    verbose: bool = field(default=False, metadata=option("Output", "-v", "--verbose", help="Also list the containers."))
    quiet: bool = field(
        default=False, metadata=option("Output", "-q", "--quiet", help="Print no progress and no notes.")
    )
    fail_on_stale: bool = field(
        default=False,
        metadata=option("Output", "--fail-on-stale", help="Exit with 6 if stale containers were found."),
    )


@dataclass(frozen=True, slots=True)
class FormatOptions:
    """The format of what a command prints."""

    style: str = field(
        default="table",
        metadata=option("Output", "--format", choices=("table", "json"), help="The format. [default: table]"),
    )


@dataclass(frozen=True, slots=True)
class SavePlanOptions:
    """Whether the plan is kept."""

    save_plan: str | None = field(
        default=None,
        metadata=option("Output", "--save-plan", type=FILE, help="Write the plan to this file, for sweep --plan."),
    )


@dataclass(frozen=True, slots=True)
class NotifyOptions:
    """Where a run's result is sent. ``notify`` and ``push_gateway`` hold secrets, so no repr shows them."""

    notify: tuple[str, ...] = field(
        default=(),
        repr=False,
        metadata=option(
            "Notification",
            "--notify",
            metavar="URL",
            envvar="FLEETSWEEP_NOTIFY",
            help="Send a message to this Apprise URL unless the exit code is 0. Repeatable. [$FLEETSWEEP_NOTIFY]",
        ),
    )
    notify_always: bool = field(
        default=False,
        metadata=option("Notification", "--notify-always", help="Send a message for exit code 0, too."),
    )
    metrics: str | None = field(
        default=None,
        metadata=option(
            "Notification",
            "--metrics",
            type=FILE,
            envvar="FLEETSWEEP_METRICS",
            help="Write metrics for node-exporter to this file, named *.prom. [$FLEETSWEEP_METRICS]",
        ),
    )
    push_gateway: str | None = field(
        default=None,
        repr=False,
        metadata=option(
            "Notification",
            "--push-gateway",
            metavar="URL",
            envvar="FLEETSWEEP_PUSH_GATEWAY",
            help="Push the metrics to this Pushgateway. [$FLEETSWEEP_PUSH_GATEWAY]",
        ),
    )
    schedule_name: str = field(
        default="",
        metadata=option(
            "Notification",
            "--schedule-name",
            type=ScheduleName(),
            metavar="NAME",
            envvar="FLEETSWEEP_SCHEDULE_NAME",
            help="Label the metrics with it, where a command has several schedules. [$FLEETSWEEP_SCHEDULE_NAME]",
        ),
    )


SELECTORS: Final = only(*flag_names(Group.SELECTORS))
POLICY: Final = only(*flag_names(Group.SELECTORS, Group.AGES, Group.GUARDS))
POLICY_AND_DRY_RUN: Final = only(*flag_names(*Group))
SELECTORS_GUARDS_AND_DRY_RUN: Final = only(*flag_names(Group.SELECTORS, Group.GUARDS, Group.RUN))

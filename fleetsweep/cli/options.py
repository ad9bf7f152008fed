"""The options that commands share, and what they come to. No decisions."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Final, Literal, ParamSpec, TypeVar

import click
from click.shell_completion import CompletionItem

P = ParamSpec("P")
R = TypeVar("R")
Decorator = Callable[[Callable[P, R]], Callable[P, R]]


class Duration(click.ParamType[float]):
    """A duration such as 90s, 30m or 1h30m, in seconds; a bare number counts seconds."""

    name = "duration"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Whole seconds."""
        if isinstance(value, (int, float)):
            return float(value)
        from fleetsweep.model.numerals import whole
        from fleetsweep.policy.settings import parse_duration

        text = str(value)
        try:
            return float(parse_duration(text + "s" if whole(text) is not None else text))
        except ValueError as error:
            self.fail(str(error), param, ctx)


class Count(click.IntRange):
    """A count in ASCII digits: ``int``, which click calls, also takes ``1_0`` and other scripts' digits."""

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """The number."""
        from fleetsweep.model.numerals import whole

        number = value if isinstance(value, int) else whole(str(value))
        if number is None:
            self.fail(f"{value!r} is not a count", param, ctx)
        return super().convert(number, param, ctx)


class _PathName(click.ParamType[str]):
    """The name of a file or directory, as it was typed: whether it is there is not looked at. A shell completes it."""

    def __init__(self, kind: Literal["file", "dir"]) -> None:
        self.name = kind

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """The text itself."""
        return str(value)

    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
        """Whatever the shell finds."""
        return [CompletionItem(incomplete, type=self.name)]


FILE: Final = _PathName("file")
DIR: Final = _PathName("dir")


def _together(*options: Callable[[Callable[P, R]], Callable[P, R]]) -> Decorator[P, R]:
    def decorate(command: Callable[P, R]) -> Callable[P, R]:
        for option in reversed(options):
            command = option(command)
        return command

    return decorate


_PRIVATE_KEY = click.option("--private-key", type=FILE, help="Offer this key, and no other.")
_SSH_CONFIG = click.option("--ssh-config", type=FILE, help="Instead of the usual SSH configuration.")
_KNOWN_HOSTS = click.option("--known-hosts", multiple=True, type=FILE, help="Instead of the usual known_hosts.")


def state_dir_option(command: Callable[P, R]) -> Callable[P, R]:
    """Where the journal is."""
    return click.option("--state-dir", type=DIR, envvar="FLEETSWEEP_STATE_DIR", help="Where the journal is kept.")(
        command
    )


def form_option(command: Callable[P, R]) -> Callable[P, R]:
    """A table for a person, or JSON for a program."""
    return click.option(
        "--format", "style", type=click.Choice(["table", "json"]), default="table", help="[default: table]"
    )(command)


def target_options(command: Callable[P, R]) -> Callable[P, R]:
    """Which hosts."""
    return _together(
        click.option(
            "-i",
            "--inventory",
            multiple=True,
            type=FILE,
            metavar="PATH",
            help="Ansible inventory: file, script, directory, or 'host1,host2,'; repeatable. "
            "[$FLEETSWEEP_INVENTORY; default: ./inventory]",
        ),
        click.option(
            "--host",
            "hosts",
            multiple=True,
            metavar="NAME",
            help="One host by its exact name; without any inventory [user@]address[:port]. Repeatable.",
        ),
        click.option(
            "-l",
            "--limit",
            multiple=True,
            metavar="PATTERN",
            help="Ansible's patterns: names, groups, globs, ~regex, group[0:2], @file; a,b and &c and !d. Repeatable.",
        ),
        click.option("--local", is_flag=True, help="This machine's own engine, without SSH."),
        click.option("--engine", metavar="URL", help="The engine's address on the box, for --local and ad-hoc hosts."),
        click.option("--expect", metavar="N|MIN..MAX", help="Refuse unless that many hosts are selected."),
    )(command)


def list_hosts_option(command: Callable[P, R]) -> Callable[P, R]:
    """Only say which hosts."""
    return click.option("--list-hosts", is_flag=True, help="Print which hosts are selected; contact nobody.")(command)


def run_options(command: Callable[P, R]) -> Callable[P, R]:
    """How hosts are reached."""
    return _together(
        click.option(
            "-f", "--forks", type=Count(1, 4096), help="At most so many hosts at once. [default: 256 or fewer]"
        ),
        click.option("-u", "--user", metavar="NAME", help="Log in as this user."),
        _PRIVATE_KEY,
        click.option("-T", "--timeout", type=Duration(), default=10, help="To connect and log in. [default: 10s]"),
        click.option("--host-timeout", type=Duration(), default=120, help="For one host. [default: 2m]"),
        click.option("--run-timeout", type=Duration(), default=3600, help="For the whole run. [default: 1h]"),
        _SSH_CONFIG,
        _KNOWN_HOSTS,
        click.option(
            "--host-key",
            type=click.Choice(["strict", "accept-new"]),
            help="The key of an unknown host: refuse it, or keep it. [default: what ssh_config says, or strict]",
        ),
        state_dir_option,
    )(command)


def history_options(command: Callable[P, R]) -> Callable[P, R]:
    """Which runs."""
    return _together(
        click.option("-n", "--last", type=Count(1), default=20, help="At most so many. [default: 20]"),
        click.option(
            "--since", type=Duration(), metavar="DURATION", help="Those that began no longer ago, like 12h or 7d."
        ),
        click.option(
            "--host",
            "hosts",
            multiple=True,
            metavar="NAME",
            help="Those with this host; counts it alone. Repeatable.",
        ),
        click.option("--failed", is_flag=True, help="Those that did not end with exit code 0."),
        form_option,
        state_dir_option,
    )(command)


def hold_options(command: Callable[P, R]) -> Callable[P, R]:
    """For how long, and why."""
    return _together(
        click.option(
            "--for", "duration", type=Duration(), default="1d", help="How long, 30 days at the most. [default: 1d]"
        ),
        click.option("-m", "--reason", metavar="TEXT", help="Why: for whoever finds it in the way."),
        click.option("--list", is_flag=True, help="Show the holds there are; contact nobody."),
        click.option("--release", is_flag=True, help="End the hold of CONTAINER; contact nobody."),
    )(command)


def schedule_options(command: Callable[P, R]) -> Callable[P, R]:
    """What is scheduled, and where that goes."""
    return _together(
        click.option(
            "--job",
            type=click.Choice(["audit", "sweep", "teardown"]),
            help="What is run. [default: sweep; gitea and github: sweep and teardown]",
        ),
        click.option("--user", metavar="NAME", default="fleetsweep", help="The account of the unit. [fleetsweep]"),
        _PRIVATE_KEY,
        click.option("--run-timeout", type=Duration(), help="For a whole run. [default: 1h; gitea and github: 8m]"),
        _SSH_CONFIG,
        _KNOWN_HOSTS,
        state_dir_option,
        click.option(
            "--metrics", type=FILE, help="Write metrics there, for node-exporter (.prom); for systemd and cron."
        ),
        click.option("--write", type=DIR, help="Write the files into this directory instead of to stdout."),
        click.option("--force", is_flag=True, help="Replace files that are there and say something else."),
    )(command)


def policy_options(command: Callable[P, R]) -> Callable[P, R]:
    """Which containers are orphans."""
    return _together(
        selector_options,
        click.option("--max-age", metavar="DURATION", help="Older than this is stale. [default: 2h]"),
        click.option("--job-timeout", metavar="DURATION", help="The longest job; below max age. [default: 30m]"),
        click.option("--max-lifetime", metavar="DURATION", help="Since creation, however often restarted. [off]"),
        guard_options,
    )(command)


def output_options(command: Callable[P, R]) -> Callable[P, R]:
    """How the report is written."""
    return _together(
        click.option(
            "--format",
            "style",
            type=click.Choice(["table", "json", "jsonl", "csv", "markdown"]),
            default="table",
            help="The report's form. [default: table]",
        ),
        click.option("-o", "--output", type=FILE, help="Write the report there instead of to stdout."),
        click.option("-v", "--verbose", is_flag=True, help="Also list the containers."),
        click.option("-q", "--quiet", is_flag=True, help="No progress and no notes on stderr."),
        click.option("--fail-on-stale", is_flag=True, help="Exit 6 if stale containers were found."),
    )(command)


def save_plan_option(command: Callable[P, R]) -> Callable[P, R]:
    """Keep the plan for later."""
    return click.option("--save-plan", type=FILE, help="Write the plan there, for sweep --plan.")(command)


def removal_options(command: Callable[P, R]) -> Callable[P, R]:
    """How removals are made."""
    return _together(
        click.option("-C", "--check", "--dry-run", "dry_run", is_flag=True, help="Decide, remove nothing. [$DRY_RUN]"),
        click.option("--lock-wait", type=Duration(), default=600, help="For another sweep to end. [default: 10m]"),
    )(command)


def sweep_options(command: Callable[P, R]) -> Callable[P, R]:
    """What a sweep asks, takes along and carries out."""
    return _together(
        click.option("-y", "--yes", is_flag=True, help="Remove without asking."),
        click.option("--volumes", is_flag=True, help="Also remove the containers' anonymous volumes."),
        click.option("--plan", type=FILE, help="Carry out a saved plan: exactly its set, without a new look."),
        click.option("--plan-ttl", type=Duration(), default=3600, help="A plan may be this old. [default: 1h]"),
    )(command)


def scope_options(command: Callable[P, R]) -> Callable[P, R]:
    """Which run's containers."""
    return _together(
        click.option("--baseline", type=FILE, help="What was there before the job: what came since goes."),
        click.option("--run-label", metavar="KEY=VALUE", help="The label that this run's containers carry."),
        click.option("--volumes", is_flag=True, help="Also the run's labelled volumes, and anonymous ones."),
        click.option("--networks", is_flag=True, help="Also the run's labelled networks."),
    )(command)


def selector_options(command: Callable[P, R]) -> Callable[P, R]:
    """Which containers are ours to judge."""
    return _together(
        click.option("--name", "names", multiple=True, metavar="REGEX", help="Match by name. [default: ^ws-]"),
        click.option("--image", "images", multiple=True, metavar="GLOB", help="By image. [default: molecule-local/*]"),
        click.option("--label", "labels", multiple=True, metavar="KEY[=VALUE]", help="By label."),
        click.option("--match", type=click.Choice(["any", "all"]), help="One kind or each. [default: any]"),
    )(command)


def guard_options(command: Callable[P, R]) -> Callable[P, R]:
    """When to refuse, and what is protected."""
    return _together(
        click.option("--cap", metavar="N", help="More candidates on a host: nothing goes there. [default: 100]"),
        click.option("--fleet-cap", metavar="N|N%", help="More in the fleet: nothing goes anywhere. [off]"),
        click.option("--max-skew", metavar="DURATION", help="Clock difference that is tolerated. [default: 5m]"),
        click.option("--keep-label", metavar="KEY", help="This label protects. [default: fleetsweep.keep]"),
    )(command)


def telling_options(command: Callable[P, int]) -> Callable[P, int]:
    """Whom a run tells besides, also where it fails before it begins."""

    @wraps(command)
    def told(*args: P.args, **options: P.kwargs) -> int:
        from fleetsweep.cli.targets import telling
        from fleetsweep.notify.dispatch import notify_of_failure

        # Whoever asks for --list-hosts reads the result.
        if options.get("list_hosts"):
            return command(*args, **options)
        return notify_of_failure(telling(options), lambda: command(*args, **options))

    return _together(
        click.option(
            "--notify",
            multiple=True,
            metavar="URL",
            envvar="FLEETSWEEP_NOTIFY",
            help="Tell there of any exit code but 0: an Apprise URL. Repeatable. [$FLEETSWEEP_NOTIFY]",
        ),
        click.option("--notify-always", is_flag=True, help="Tell of exit code 0 too."),
        click.option(
            "--metrics",
            type=FILE,
            envvar="FLEETSWEEP_METRICS",
            help="Write metrics there, for node-exporter: its name ends in .prom. [$FLEETSWEEP_METRICS]",
        ),
        click.option(
            "--push-gateway",
            metavar="URL",
            envvar="FLEETSWEEP_PUSH_GATEWAY",
            help="Push the metrics to that Pushgateway. [$FLEETSWEEP_PUSH_GATEWAY]",
        ),
    )(told)

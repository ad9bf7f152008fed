"""The options that commands share, and what they come to. No decisions."""

from __future__ import annotations

import os
import re
import socket
from collections.abc import Callable, Mapping
from contextlib import nullcontext
from dataclasses import dataclass, replace
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, ParamSpec, TypeVar

import click

from fleetsweep.errors import UsageError
from fleetsweep.model import Connection, Host
from fleetsweep.settings import Flags, parse_duration
from fleetsweep.telling import Telling, loud

if TYPE_CHECKING:
    from fleetsweep.run import Output
    from fleetsweep.sweep import Reach

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
        text = str(value)
        try:
            return float(parse_duration(text + "s" if text.isdigit() else text))
        except ValueError as error:
            self.fail(str(error), param, ctx)


def _together(*options: Callable[[Callable[P, R]], Callable[P, R]]) -> Decorator[P, R]:
    def decorate(command: Callable[P, R]) -> Callable[P, R]:
        for option in reversed(options):
            command = option(command)
        return command

    return decorate


def target_options(command: Callable[P, R]) -> Callable[P, R]:
    """Which hosts."""
    return _together(
        click.option(
            "-i",
            "--inventory",
            multiple=True,
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
        click.option("-f", "--forks", type=click.IntRange(1, 4096), help="Hosts at once. [default: 256 or fewer]"),
        click.option("-u", "--user", metavar="NAME", help="Log in as this user."),
        click.option("--private-key", metavar="FILE", help="Offer this key, and no other."),
        click.option("-T", "--timeout", type=Duration(), default=10, help="To connect and log in. [default: 10s]"),
        click.option("--host-timeout", type=Duration(), default=120, help="For one host. [default: 2m]"),
        click.option("--run-timeout", type=Duration(), default=3600, help="For the whole run. [default: 1h]"),
        click.option("--ssh-config", metavar="FILE", help="Instead of the usual SSH configuration."),
        click.option("--known-hosts", multiple=True, metavar="FILE", help="Instead of the usual known_hosts."),
        click.option(
            "--host-key",
            type=click.Choice(["strict", "accept-new"]),
            help="The key of an unknown host: refuse it, or keep it. [default: what ssh_config says, or strict]",
        ),
        click.option("--state-dir", metavar="DIR", envvar="FLEETSWEEP_STATE_DIR", help="Where the journal is kept."),
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
        click.option("-o", "--output", metavar="FILE", help="Write the report there instead of to stdout."),
        click.option("-v", "--verbose", is_flag=True, help="Also list the containers."),
        click.option("-q", "--quiet", is_flag=True, help="No progress and no notes on stderr."),
        click.option("--fail-on-stale", is_flag=True, help="Exit 6 if stale containers were found."),
    )(command)


def save_plan_option(command: Callable[P, R]) -> Callable[P, R]:
    """Keep the plan for later."""
    return click.option("--save-plan", metavar="FILE", help="Write the plan there, for sweep --plan.")(command)


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
        click.option("--plan", metavar="FILE", help="Carry out a saved plan: exactly its set, without a new look."),
        click.option("--plan-ttl", type=Duration(), default=3600, help="A plan may be this old. [default: 1h]"),
    )(command)


def scope_options(command: Callable[P, R]) -> Callable[P, R]:
    """Which run's containers."""
    return _together(
        click.option("--baseline", metavar="FILE", help="What was there before the job: what came since goes."),
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


def telling_options(command: Callable[P, R]) -> Callable[P, R]:
    """Whom a run tells besides, also where it fails before it begins."""

    @wraps(command)
    def told(*args: P.args, **options: P.kwargs) -> R:
        # --list-hosts is asked by somebody who is there to read the answer.
        with nullcontext() if options.get("list_hosts") else loud(telling(options)):
            return command(*args, **options)

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
            metavar="FILE",
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


def telling(options: Mapping[str, object]) -> Telling:
    """Whom the run tells, by the telling options and by the CI's environment. Checks nothing."""
    metrics, gateway = (_text(options.get(key)) for key in ("metrics", "push_gateway"))
    ci = any(os.environ.get(name) == "true" for name in ("GITHUB_ACTIONS", "GITEA_ACTIONS"))
    summary = os.environ.get("GITHUB_STEP_SUMMARY") if ci else None
    context = click.get_current_context(silent=True)
    notify = options.get("notify")
    return Telling(
        command=(context.info_name if context else None) or "",
        notify=tuple(map(str, notify)) if isinstance(notify, tuple) else (),
        always=bool(options.get("notify_always")),
        metrics=Path(metrics) if metrics is not None else None,
        push_gateway=gateway,
        ci=ci,
        annotate_stdout=options.get("style") == "table" and not options.get("output"),
        summary=Path(summary) if summary else None,
        look=_as_typed(context, _LOOK) if context else (),
        chosen=_as_typed(context, {"hosts", "limit"}) if context else (),
        narrow=not options.get("hosts") and not options.get("local"),
    )


_LOOK = (
    {"inventory", "local", "engine", "user", "private_key", "timeout", "host_timeout", "run_timeout"}
    | {"ssh_config", "known_hosts", "host_key", "state_dir"}
    | set(Flags.__dataclass_fields__) - {"dry_run"}
)
"""The options that another look at the same hosts needs. Spelled out: none of an option that holds a secret."""


def _as_typed(context: click.Context, names: set[str]) -> tuple[str, ...]:
    """The words of a command line that give those of ``names`` that were given on this one."""
    words: list[str] = []
    for parameter in context.command.params:
        source = context.get_parameter_source(parameter.name or "")
        if parameter.name not in names or source is not click.core.ParameterSource.COMMANDLINE:
            continue
        value = context.params[parameter.name]
        if isinstance(value, bool):
            words.append(parameter.opts[0])
            continue
        for each in value if isinstance(value, tuple) else (value,):
            words += [parameter.opts[0], f"{each:g}s" if isinstance(each, float) else str(each)]
    return tuple(words)


def output(options: dict[str, object]) -> Output:
    """Where the report goes, by the output options."""
    from fleetsweep.run import Output

    path, save_plan = (_text(options.get(key)) for key in ("output", "save_plan"))
    return Output(
        style=str(options.get("style") or "table"),
        path=Path(path) if path else None,
        verbose=bool(options.get("verbose")),
        quiet=bool(options.get("quiet")),
        fail_on_stale=bool(options.get("fail_on_stale")),
        save_plan=Path(save_plan) if save_plan else None,
        telling=telling(options),
    )


@dataclass(frozen=True, slots=True)
class Selection:
    """The hosts that are meant, the names of the inventory's others, and what was odd in reading it."""

    hosts: tuple[Host, ...]
    others: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()


def select_hosts(options: dict[str, object]) -> Selection:
    """The hosts that the target options mean; never none. Raises UsageError."""
    from fleetsweep.inventory import ad_hoc, load

    given: dict[str, tuple[str, ...]] = {key: tuple(options[key]) for key in ("inventory", "hosts", "limit")}  # type: ignore[arg-type]
    engine = options["engine"]
    url = str(engine) if engine is not None else None
    if url is not None:
        from fleetsweep.engine.endpoint import parse_endpoint

        parse_endpoint(url)
    if given["hosts"] and given["limit"]:
        raise UsageError("--host and --limit exclude each other: --host means exactly one host")
    if options["local"]:
        if any(given.values()):
            raise UsageError("--local is this machine alone: leave out --inventory, --host and --limit")
        local = Host(socket.gethostname() or "localhost", "localhost", connection=Connection.LOCAL)
        return Selection((local if url is None else replace(local, engine=url),))
    sources = given["inventory"] or inventory_sources(os.environ.get("FLEETSWEEP_INVENTORY", ""))
    if not all(source.strip() for source in sources):
        raise UsageError("-i/--inventory is empty: is a variable in it unset?")
    if not sources and Path("inventory").exists():
        sources = ("inventory",)
    if sources:
        inventory = load(sources, cwd=Path.cwd(), engine=url)
        hosts = inventory.named(given["hosts"]) if given["hosts"] else inventory.select(given["limit"])
        chosen = {host.name for host in hosts}
        others = tuple(name for name in inventory.names if name not in chosen)
        return Selection(hosts, others, inventory.warnings)
    if given["limit"]:
        raise UsageError("--limit picks from an inventory, and there is none: give -i FILE")
    if not given["hosts"]:
        raise UsageError("no inventory: give -i FILE, --host [user@]address, or --local")
    return Selection(ad_hoc(given["hosts"], engine=url).hosts())


def inventory_sources(text: str) -> tuple[str, ...]:
    """The sources in $FLEETSWEEP_INVENTORY, between commas as in $ANSIBLE_INVENTORY; none if it is empty.

    With a comma at its end it is one list of hosts. Raises UsageError for an empty source.
    """
    if not text.strip():
        return ()
    if text.rstrip().endswith(","):
        return (text.strip(),)
    sources = tuple(source.strip() for source in text.split(","))
    if not all(sources):
        raise UsageError(f"FLEETSWEEP_INVENTORY: {text[:100]!r} has an empty source between its commas")
    return sources


def parse_run_label(text: str) -> tuple[str, str]:
    """The key and the value of ``KEY=VALUE``, neither empty. Raises UsageError."""
    key, separator, value = text.partition("=")
    if not separator or not key or not value or not text.isprintable() or "," in key:
        raise UsageError(
            f"--run-label: {text!r} is not KEY=VALUE: is a variable in it unset? An empty value would be every run's"
        )
    return key, value


def parse_expect(text: str | None) -> tuple[int, int] | None:
    """The least and the most hosts of ``N`` or ``MIN..MAX``. Raises UsageError."""
    if text is None:
        return None
    found = re.fullmatch(r"(\d{1,9})(?:\.\.(\d{1,9}))?", text)
    if found is None or int(found[2] or found[1]) < int(found[1]):
        raise UsageError(f"--expect: {text!r} is neither a count nor MIN..MAX")
    return int(found[1]), int(found[2] or found[1])


def policy_flags(options: dict[str, object]) -> Flags:
    """The policy flags as typed."""
    keys = Flags.__dataclass_fields__
    return Flags(**{key: options[key] for key in keys if key in options})  # type: ignore[arg-type]


def reach(options: dict[str, object]) -> Reach:
    """How hosts are reached, by the run options."""
    import resource

    from fleetsweep.fleet import Limits
    from fleetsweep.ssh import SshOptions, Trust
    from fleetsweep.sweep import Reach

    # Each host takes a socket, and a few files are open besides.
    room = max(1, (resource.getrlimit(resource.RLIMIT_NOFILE)[0] - 24) // 4)
    forks = min(int(str(options["forks"] or 256)), room)
    known_hosts: tuple[str, ...] = tuple(options["known_hosts"])  # type: ignore[arg-type]
    return Reach(
        SshOptions(
            user=_text(options["user"]),
            key_file=_text(options["private_key"]),
            timeout_s=float(str(options["timeout"])),
            ssh_config=_text(options["ssh_config"]),
            known_hosts=known_hosts or None,
            host_key=Trust(str(options["host_key"])) if options["host_key"] else None,
        ),
        Limits(forks, float(str(options["host_timeout"])), float(str(options["run_timeout"]))),
    )


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None


def state_dir(options: dict[str, object]) -> Path:
    """The state directory that is given, or the platform's."""
    given = _text(options["state_dir"])
    if given:
        return Path(given)
    import platformdirs

    return Path(platformdirs.user_state_dir("fleetsweep"))

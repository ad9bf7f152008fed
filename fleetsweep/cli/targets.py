"""What the options come to: hosts, how they are reached, where reports go. No decisions."""

from __future__ import annotations

import os
import re
import socket
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from fleetsweep.console import Output
from fleetsweep.errors import UsageError
from fleetsweep.model.host import Connection, Host
from fleetsweep.notify.dispatch import NotifyConfig, RerunCommand
from fleetsweep.policy.settings import Flags
from fleetsweep.runtime.capacity import hosts_at_once

if TYPE_CHECKING:
    from fleetsweep.sweep.phases import ConnectConfig


def output(options: dict[str, object]) -> Output:
    """Where the report goes, by the output options."""
    path, save_plan = (_text(options.get(key)) for key in ("output", "save_plan"))
    return Output(
        style=str(options.get("style") or "table"),
        path=Path(path) if path else None,
        verbose=bool(options.get("verbose")),
        quiet=bool(options.get("quiet")),
        fail_on_stale=bool(options.get("fail_on_stale")),
        save_plan=Path(save_plan) if save_plan else None,
    )


_SAMPLES: Final = Path("inventory/SAMPLES.md")
"""Where it is there, ``./inventory`` is taken only if it is named."""


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
    sources = named_sources(given["inventory"])
    if sources:
        inventory = load(sources, cwd=Path.cwd(), engine=url)
        hosts = inventory.named(given["hosts"]) if given["hosts"] else inventory.select(given["limit"])
        chosen = {host.name for host in hosts}
        others = tuple(name for name in inventory.names if name not in chosen)
        return Selection(hosts, others, inventory.warnings)
    if given["limit"]:
        raise UsageError("--limit picks from an inventory, and there is none: give -i FILE")
    if not given["hosts"]:
        samples = f" (./inventory holds samples: it has a {_SAMPLES.name})" if _SAMPLES.exists() else ""
        raise UsageError(f"no inventory: give -i FILE, --host [user@]address, or --local{samples}")
    return Selection(ad_hoc(given["hosts"], engine=url).hosts())


def named_sources(given: tuple[str, ...]) -> tuple[str, ...]:
    """The inventories: given, else the environment's, else ``./inventory``. Raises UsageError for an empty one.

    A directory of samples is nobody's fleet, though it may be named: in this project's checkout it is ``./inventory``.
    """
    sources = given or inventory_sources(os.environ.get("FLEETSWEEP_INVENTORY", ""))
    if not all(source.strip() for source in sources):
        raise UsageError("-i/--inventory is empty: is a variable in it unset?")
    return sources or (("inventory",) if Path("inventory").exists() and not _SAMPLES.exists() else ())


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
    """The key and the value of ``KEY=VALUE``, neither empty, no blanks around either. Raises UsageError."""
    key, separator, value = text.partition("=")
    if not separator or not key.strip() or not value.strip() or not text.isprintable() or "," in key:
        raise UsageError(
            f"--run-label: {text!r} is not KEY=VALUE: is a variable in it unset? An empty value would be every run's"
        )
    if key != key.strip() or value != value.strip():
        raise UsageError(f"--run-label: {text!r} has blanks around its key or value: take them out")
    return key, value


def parse_expect(text: str | None) -> tuple[int, int] | None:
    """The least and the most hosts of ``N`` or ``MIN..MAX``. Raises UsageError."""
    if text is None:
        return None
    found = re.fullmatch(r"([0-9]{1,9})(?:\.\.([0-9]{1,9}))?", text)
    if found is None or int(found[2] or found[1]) < int(found[1]):
        raise UsageError(f"--expect: {text!r} is neither a count nor MIN..MAX")
    return int(found[1]), int(found[2] or found[1])


def policy_flags(options: dict[str, object]) -> Flags:
    """The policy flags as typed."""
    keys = Flags.__dataclass_fields__
    return Flags(**{key: options[key] for key in keys if key in options})  # type: ignore[arg-type]


def reach(options: dict[str, object]) -> ConnectConfig:
    """How hosts are reached, by the run options."""
    from fleetsweep.ssh import SshOptions, Trust
    from fleetsweep.sweep.phases import ConnectConfig
    from fleetsweep.sweep.workers import Limits

    forks = min(int(str(options["forks"] or 256)), hosts_at_once())
    known_hosts: tuple[str, ...] = tuple(options["known_hosts"])  # type: ignore[arg-type]
    return ConnectConfig(
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


def telling(options: Mapping[str, object]) -> NotifyConfig:
    """Whom the run tells, by the telling options and by the CI's environment. Checks nothing."""
    metrics, gateway = (_text(options.get(key)) for key in ("metrics", "push_gateway"))
    ci = any(os.environ.get(name) == "true" for name in ("GITHUB_ACTIONS", "GITEA_ACTIONS"))
    summary = os.environ.get("GITHUB_STEP_SUMMARY") if ci else None
    context = click.get_current_context(silent=True)
    notify = options.get("notify")
    return NotifyConfig(
        command=(context.info_name if context else None) or "",
        notify=tuple(map(str, notify)) if isinstance(notify, tuple) else (),
        always=bool(options.get("notify_always")),
        metrics=Path(metrics) if metrics is not None else None,
        push_gateway=gateway,
        ci=ci,
        annotate_stdout=options.get("style") == "table" and not options.get("output"),
        summary=Path(summary) if summary else None,
        rerun=RerunCommand(
            look=_as_typed(context, _LOOK) if context else (),
            chosen=_as_typed(context, {"hosts", "limit"}) if context else (),
            narrow=not options.get("hosts") and not options.get("local"),
            show=_as_typed(context, {"state_dir"}) if context else (),
        ),
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

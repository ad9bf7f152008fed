"""Where a run's result is sent, by the notification options and the CI's environment."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from fleetsweep.cli.command import Command, from_values
from fleetsweep.cli.options import ListOptions, NotifyOptions, OutputOptions, TargetOptions
from fleetsweep.model.policy_flags import Group, flag_names

if TYPE_CHECKING:
    from fleetsweep.notify.dispatch import NotifyConfig

_SURVEY_OPTIONS: Final = (
    {"inventory", "local", "engine", "user", "private_key", "timeout", "host_timeout", "run_timeout"}
    | {"ssh_config", "known_hosts", "host_key", "state_dir", "engine_tls_ca", "engine_tls_cert", "engine_tls_key"}
    | flag_names(Group.SELECTORS, Group.AGES, Group.GUARDS)
)
"""The options that another survey of the same hosts needs. A list, so that no option that holds a secret is in it."""


def notify_config(
    notify: NotifyOptions, targets: TargetOptions, output: OutputOptions, context: click.Context | None = None
) -> NotifyConfig:
    """Return where the result of the command of ``context``, by default the running one, is sent. Checks nothing."""
    from fleetsweep.notify.dispatch import NotifyConfig, RerunCommand

    context = context or click.get_current_context(silent=True)
    ci = any(os.environ.get(name) == "true" for name in ("GITHUB_ACTIONS", "GITEA_ACTIONS"))
    summary = os.environ.get("GITHUB_STEP_SUMMARY") if ci else None
    return NotifyConfig(
        command=(context.info_name if context else None) or "",
        notify=notify.notify,
        always=notify.notify_always,
        metrics=Path(notify.metrics) if notify.metrics is not None else None,
        push_gateway=notify.push_gateway,
        schedule=notify.schedule_name,
        ci=ci,
        annotate_stdout=output.style == "table" and not output.output,
        summary=Path(summary) if summary else None,
        rerun=RerunCommand(
            look=_as_typed(context, _SURVEY_OPTIONS) if context else (),
            chosen=_as_typed(context, {"hosts", "limit"}) if context else (),
            narrow=not targets.hosts and not targets.local,
            show=_as_typed(context, {"state_dir"}) if context else (),
        ),
    )


def notify_refusal(command: Command, context: click.Context, words: list[str], error: click.BadParameter) -> None:
    """Notify of an option value that was refused while ``words`` were parsed.

    Raises UsageError for a channel that can't be used; returns where the command would only list hosts.
    """
    from fleetsweep.notify.dispatch import notify_of_failure

    lenient = click.Context(command, info_name=context.info_name, parent=context.parent, resilient_parsing=True)
    command.parse_args(lenient, words)
    values = lenient.params
    if from_values(ListOptions, values).list_hosts:
        return
    notify = from_values(NotifyOptions, values)
    config = notify_config(notify, from_values(TargetOptions, values), from_values(OutputOptions, values), lenient)

    def refuse() -> int:
        raise error

    notify_of_failure(config, refuse)


def _as_typed(context: click.Context, names: set[str] | frozenset[str]) -> tuple[str, ...]:
    """Return the words of a command line that give those of ``names`` that were given on this one."""
    words: list[str] = []
    for parameter in context.command.params:
        source = context.get_parameter_source(parameter.name or "")
        value = context.params.get(parameter.name or "")
        if parameter.name not in names or value is None or source is not click.core.ParameterSource.COMMANDLINE:
            continue
        if isinstance(value, bool):
            words.append(parameter.opts[0])
            continue
        for each in value if isinstance(value, tuple) else (value,):
            words += [parameter.opts[0], f"{each:g}s" if isinstance(each, float) else str(each)]
    return tuple(words)

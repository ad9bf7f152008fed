"""Rendering a schedule's files from the templates."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Final

from fleetsweep.schedule import quoting
from fleetsweep.schedule.plan import Job, Kind, Schedule

DIRECTORIES: Final[Mapping[Kind, str]] = {
    Kind.SYSTEMD: "/etc/systemd/system",
    Kind.CRON: "/etc/cron.d",
    Kind.GITEA: ".gitea/workflows",
    Kind.GITHUB: ".github/workflows",
}
"""Where each kind's files are installed."""


@dataclass(frozen=True, slots=True)
class File:
    """A file to write: its name, without a directory, and its text. ``secret``: only its owner may read it."""

    name: str
    text: str = field(repr=False)
    secret: bool = False


def render(schedule: Schedule, directory: str | None = None) -> tuple[File, ...]:
    """Return the schedule's files, for a directory or for the usual one.

    Raises UsageError for a value that the format can't hold.
    """
    directory = directory or DIRECTORIES[schedule.kind]
    return tuple(file for job in schedule.jobs for file in _files(schedule, job, directory))


def _files(schedule: Schedule, job: Job, directory: str) -> list[File]:
    secret, unit = bool(schedule.environment), schedule.unit(job)
    if schedule.kind is Kind.SYSTEMD:
        values = _unit(schedule, job, f"{directory}/{unit}.env")
        made = [File(f"{unit}.{suffix}", fill(f"systemd.{suffix}", values)) for suffix in ("service", "timer")]
        if secret:
            made.append(File(f"{unit}.env", fill("systemd.env", values), secret=True))
        return made
    if schedule.kind is Kind.CRON:
        command = quoting.cron_words(schedule.command(job))
        values = {
            "job": job.value,
            "unit": unit,
            "user": schedule.user,
            "command": command,
            "state_dir": quoting.shell_words([schedule.state_dir]),
            "when": schedule.every.cron,
            "environment": [quoting.cron_variable(*item) for item in schedule.environment.items()],
        }
        # Without a suffix: cron ignores files with a dot in their name.
        return [File(unit, fill("cron", values), secret)]
    template = "workflow-teardown.yml" if job is Job.TEARDOWN else "workflow.yml"
    return [File(f"{unit}.yml", fill(template, _workflow(schedule, job)))]


def _unit(schedule: Schedule, job: Job, environment_file: str) -> dict[str, object]:
    path = PurePosixPath(os.path.realpath(schedule.state_dir))
    state = PurePosixPath("/var/lib")
    secret = bool(schedule.environment)
    return {
        "job": job.value,
        "unit": schedule.unit(job),
        "user": schedule.user,
        "local": schedule.local,
        "command": quoting.systemd_words(schedule.command(job)),
        "timeout_s": schedule.run_timeout_s + schedule.lock_wait_s + 60,
        "every": schedule.every.words,
        "calendar": schedule.every.calendar,
        "environment_file": quoting.systemd_path(environment_file) if secret else "",
        "environment": [quoting.systemd_variable(*item) for item in schedule.environment.items()],
        "home": schedule.needs_home,
        "tmp": schedule.needs_tmp,
        "state_name": quoting.systemd_path(str(path.relative_to(state))) if state in path.parents else "",
        "state_dir": quoting.systemd_path(schedule.state_dir),
        "state_dir_word": quoting.shell_words([schedule.state_dir]),
        # The "-" of a path that may be missing goes before the path, inside the quotes.
        "writes": [quoting.systemd_path(f"-{path}") for path in schedule.writes],
    }


def _workflow(schedule: Schedule, job: Job) -> dict[str, object]:
    words = schedule.here if job is Job.TEARDOWN else schedule.command(job)
    for word in (*words, *schedule.guards):
        quoting.check_workflow(*word.partition("=")[::2])
    return {
        "job": job.value,
        "unit": schedule.unit(job),
        "name": schedule.name,
        "kind": schedule.kind.value,
        "directory": DIRECTORIES[schedule.kind],
        "install": schedule.install,
        "command": quoting.shell_words(words),
        "guards": quoting.shell_words(schedule.guards),
        "minutes": math.ceil((schedule.run_timeout_s + schedule.lock_wait_s) / 60) + 1,
        "when": schedule.every.cron,
        "every": schedule.every.words,
        "secrets": list(schedule.environment),
        "max_age_hours": schedule.max_age_hours,
        "cap": schedule.cap,
        "runs_on": "self-hosted" if schedule.kind is Kind.GITHUB else "ubuntu-latest",
    }


def fill(name: str, values: Mapping[str, object]) -> str:
    """Return a template of this room filled with values. Its name is without the suffix ``.j2``."""
    from jinja2 import Environment, PackageLoader, StrictUndefined

    # Not Jinja2's own delimiters: workflow expressions use {{ }}. No HTML escaping: values are quoted for their format.
    environment = Environment(  # noqa: S701
        loader=PackageLoader("fleetsweep.schedule"),
        undefined=StrictUndefined,
        variable_start_string="<<",
        variable_end_string=">>",
        block_start_string="<%",
        block_end_string="%>",
        comment_start_string="<#",
        comment_end_string="#>",
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    return environment.get_template(f"{name}.j2").render(values)

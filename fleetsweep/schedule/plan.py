"""What is to be scheduled, from options that were checked as a run checks them. No I/O but looking where paths lead."""

from __future__ import annotations

import math
import os
import pwd
import re
import shutil
import sys
from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Final

from fleetsweep import __version__
from fleetsweep.errors import UsageError
from fleetsweep.model.host import Connection, Host
from fleetsweep.model.policy_flags import Flags, Group, flag_names, option_name
from fleetsweep.policy.rules import Policy
from fleetsweep.schedule.account import Needs
from fleetsweep.schedule.every import HOUR_S, Every
from fleetsweep.schedule.quoting import check_account, check_line, check_workflow

STATE: Final = "/var/lib/fleetsweep"
LOCK_WAIT_S: Final = 60
"""Seconds that an hourly run waits for another one. It need not wait long: the next run starts within the hour."""

WORKFLOW_RUN_S: Final = 480
RUN_S: Final = 3600
_HOMES: Final = ("/home", "/root", "/run/user")
_TEMPORARY: Final = ("/tmp", "/var/tmp")  # noqa: S108 - directories that a unit can't read
_IN_ENVIRONMENT: Final = {"max_age", "cap"}
"""The settings that a workflow takes from its environment."""


class Kind(StrEnum):
    """What starts the job."""

    SYSTEMD = "systemd"
    CRON = "cron"
    GITEA = "gitea"
    GITHUB = "github"

    @property
    def is_workflow(self) -> bool:
        """Whether a CI server starts the job."""
        return self in {Kind.GITEA, Kind.GITHUB}


class Job(StrEnum):
    """The command to schedule."""

    AUDIT = "audit"
    SWEEP = "sweep"
    TEARDOWN = "teardown"


@dataclass(frozen=True, slots=True)
class Schedule:
    """The values for the templates.

    ``program`` starts fleetsweep; ``words`` are the arguments after the command's name, without those that a workflow
    sets in its environment. ``here`` are the arguments of a baseline and a teardown, which run on their job's machine;
    ``guards`` are a teardown's further arguments. ``max_age_hours`` and ``cap`` are a workflow's defaults, empty where
    the inventory sets them. ``paths`` are the absolute paths that a run reads or writes, ``writes`` the directories
    that it writes files to. ``environment`` has the secrets. ``needs`` is what the account needs on this machine.
    ``install`` is the command with which a workflow installs fleetsweep. ``name`` is the schedule's.
    """

    kind: Kind
    jobs: tuple[Job, ...]
    program: tuple[str, ...]
    words: tuple[str, ...]
    local: bool
    here: tuple[str, ...]
    guards: tuple[str, ...]
    state_dir: str
    user: str
    run_timeout_s: int
    max_age_hours: str
    cap: str
    paths: tuple[str, ...]
    every: Every
    lock_wait_s: int = LOCK_WAIT_S
    writes: tuple[str, ...] = ()
    environment: Mapping[str, str] = field(default_factory=dict, repr=False)
    needs: Needs = field(default_factory=lambda: Needs(()))
    install: str = ""
    name: str = ""

    def unit(self, job: Job) -> str:
        """Return the name of the job's files without a suffix."""
        return f"fleetsweep-{job}-{self.name}" if self.name and job is not Job.TEARDOWN else f"fleetsweep-{job}"

    def command(self, job: Job) -> tuple[str, ...]:
        """Return the whole command line of an audit or a sweep."""
        last = ("--fail-on-stale",) if job is Job.AUDIT else ("--yes", f"--lock-wait={self.lock_wait_s}s")
        return (*self.program, job.value, *self.words, *last)

    def needs_any(self, *directories: str) -> bool:
        """Return whether a run uses a path below one of these directories, symlinks resolved or not."""
        every = {path for name in self.paths for path in (name, os.path.realpath(name))}
        return any(Path(path).is_relative_to(directory) for path in every for directory in directories)

    @property
    def needs_home(self) -> bool:
        """Whether a run uses a path below a home directory."""
        return self.needs_any(*_HOMES)

    @property
    def needs_tmp(self) -> bool:
        """Whether a run uses a path below a directory for temporary files."""
        return self.needs_any(*_TEMPORARY)


@dataclass(frozen=True, slots=True)
class RunOptions:
    """The options of the scheduled run as they were given: paths may be relative, None means not given.

    ``expect`` is the least and the most hosts. ``more`` are words of further options, ``teardown`` those of a teardown.
    ``reads`` and ``writes`` are the files that they name. ``environment`` has the options that hold secrets, by their
    variables.
    """

    hosts: tuple[str, ...] = ()
    limit: tuple[str, ...] = ()
    local: bool = False
    engine: str | None = None
    expect: tuple[int, int] | None = None
    private_key: str | None = None
    ssh_config: str | None = None
    known_hosts: tuple[str, ...] = ()
    state_dir: str | None = None
    user: str = "fleetsweep"
    run_timeout_s: float | None = None
    metrics: str | None = None
    lock_wait_s: float | None = None
    every_s: float = HOUR_S
    more: tuple[str, ...] = ()
    teardown: tuple[str, ...] = ()
    reads: tuple[str, ...] = ()
    writes: tuple[str, ...] = ()
    environment: Mapping[str, str] = field(default_factory=dict, repr=False)
    install: str | None = None
    name: str = ""


def plan(
    kind: Kind,
    job: Job | None,
    options: RunOptions,
    flags: Flags,
    hosts: Sequence[Host],
    sources: Sequence[str],
    policy: Policy,
) -> Schedule:
    """What to write for these options. ``sources`` are the inventories that ``hosts`` come from, if any do.

    ``policy`` is one that ``flags`` resolve to; only what the flags give is taken from it. Raises UsageError.
    """
    if job is Job.TEARDOWN and not kind.is_workflow:
        raise UsageError(
            f"a teardown belongs to the job whose containers it removes, and {kind} starts none: "
            "see fleetsweep schedule gitea and fleetsweep schedule github"
        )
    metrics = _absolute(options.metrics)
    if metrics and kind.is_workflow:
        raise UsageError(
            f"--metrics: node-exporter reads files of its own machine, and {kind} runs it anywhere: "
            "set FLEETSWEEP_PUSH_GATEWAY in the workflow"
        )
    if options.install is not None and not kind.is_workflow:
        raise UsageError(f"--install: {kind} starts the fleetsweep that is installed here, and installs none")
    state_dir = _absolute(options.state_dir) or ("" if kind.is_workflow else STATE)
    every = Every.of_seconds(options.every_s)
    run_timeout_s = WORKFLOW_RUN_S if kind.is_workflow else None
    if every.seconds < (run_timeout_s or RUN_S):
        # A run ends before the next one starts.
        run_timeout_s = every.seconds
    if options.run_timeout_s is not None:
        run_timeout_s = math.ceil(options.run_timeout_s)
    inventories = tuple(map(_inventory, sources))
    files = {
        "private-key": _absolute(options.private_key),
        "ssh-config": _absolute(options.ssh_config),
    }
    known_hosts = tuple(_absolute(name) for name in options.known_hosts)
    engine = (f"--engine={options.engine}",) if options.engine is not None else ()
    state = (f"--state-dir={state_dir}",) if state_dir else ()
    user = check_account(options.user)
    words = (
        *(f"--inventory={name}" for name in inventories),
        *(f"--host={name}" for name in options.hosts),
        *(f"--limit={_limit(pattern)}" for pattern in options.limit),
        *(("--local",) if options.local else ()),
        *engine,
        *((_expect_word(*options.expect),) if options.expect is not None else ()),
        *(f"--{name}={path}" for name, path in files.items() if path),
        *(f"--known-hosts={path}" for path in known_hosts),
        *state,
        *((f"--run-timeout={run_timeout_s}s",) if run_timeout_s else ()),
        *((f"--metrics={metrics}",) if metrics else ()),
        *((f"--schedule-name={options.name}",) if options.name else ()),
        *options.more,
        *_policy_words(flags, set(flag_names(*Group)) - (_IN_ENVIRONMENT if kind.is_workflow else set())),
    )
    for word in (*words, *(f"{name}={value}" for name, value in options.environment.items())):
        check_line(*word.partition("=")[::2])
    program = ("fleetsweep",) if kind.is_workflow else running_program()
    over_ssh = [host for host in hosts if host.connection is Connection.SSH]
    key_files = () if files["private-key"] else tuple(host.key_file for host in over_ssh if host.key_file)
    max_age_hours, cap = _defaults(flags, policy, of_inventory=bool(inventories))
    read = (
        *(() if kind.is_workflow else (*program, sys.prefix, sys.base_prefix)),
        *inventories,
        *(path for path in files.values() if path),
        *known_hosts,
        *key_files,
        *(host.engine.removeprefix("unix://") for host in hosts if options.local),
        *options.reads,
        *options.writes,
        state_dir,
        metrics,
        _home(user),
    )
    written = [os.path.dirname(path) for path in (metrics, *options.writes) if path]  # noqa: PTH120
    both = (Job.SWEEP, Job.TEARDOWN) if kind.is_workflow else (Job.SWEEP,)
    return Schedule(
        kind=kind,
        jobs=both if job is None else (job,),
        program=program,
        words=words,
        local=options.local,
        here=("--local", *engine, *state, *_policy_words(flags, flag_names(Group.SELECTORS))),
        guards=(*_policy_words(flags, flag_names(Group.GUARDS) - _IN_ENVIRONMENT), *options.teardown),
        state_dir=state_dir,
        user=user,
        run_timeout_s=run_timeout_s or RUN_S,
        max_age_hours=max_age_hours,
        cap=cap,
        paths=tuple(path for path in read if path.startswith("/")),
        install=_install(options.install) if kind.is_workflow else "",
        name=options.name,
        every=every,
        lock_wait_s=LOCK_WAIT_S if options.lock_wait_s is None else math.ceil(options.lock_wait_s),
        writes=tuple(dict.fromkeys(written)),
        environment=options.environment,
        needs=Needs(
            program=program,
            reads=tuple(
                path
                for path in (*inventories, *files.values(), *known_hosts, *key_files, *options.reads)
                if path.startswith("/")
            ),
            writes=(*dict.fromkeys(written), *(() if in_var_lib(state_dir) else (state_dir,))),
            default_keys=not options.private_key and any(not host.key_file for host in over_ssh),
            default_known_hosts=not options.known_hosts and any(not host.known_hosts for host in over_ssh),
        ),
    )


def default_wheel() -> str:
    """Return the file from which a workflow installs fleetsweep unless ``--install`` names something else.

    It is a file of the runner. The name fleetsweep on a package index may belong to someone else.
    """
    return f"/opt/fleetsweep/fleetsweep-{__version__}-py3-none-any.whl"


def _install(command: str | None) -> str:
    """Return the command that installs fleetsweep. Raises UsageError for one that a workflow can't hold."""
    if command is None:
        return f"pip install --quiet {default_wheel()}"
    if not command.strip():
        raise UsageError("--install is empty: is a variable in it unset?")
    return check_workflow("--install", command.strip())


def in_var_lib(state_dir: str) -> bool:
    """Return whether systemd creates this directory for the account."""
    return Path("/var/lib") in Path(os.path.realpath(state_dir)).parents


def running_program() -> tuple[str, ...]:
    """Return the command that starts the running fleetsweep, by absolute paths. Raises UsageError.

    Symlinks are not resolved: an upgrade replaces their target.
    """
    started = Path(os.path.abspath(sys.argv[0]))  # noqa: PTH100 - Path.absolute leaves .. in it
    beside = shutil.which("fleetsweep", path=str(Path(sys.executable).parent))
    if started.name == "fleetsweep" and started.is_file() and os.access(started, os.X_OK):
        program: tuple[str, ...] = (str(started),)
    elif beside:
        program = (beside,)
    else:
        program = (sys.executable, "-m", "fleetsweep")
    return tuple(check_line("the program's own path", word) for word in program)


def _policy_words(flags: Flags, names: AbstractSet[str]) -> tuple[str, ...]:
    """Return the words that give those of these flags that are given, in the order of ``Flags``."""
    words: list[str] = []
    for name in Flags.__dataclass_fields__:
        value = getattr(flags, name)
        if name in names and name != "dry_run" and value is not None:
            if isinstance(value, bool):
                words += [option_name(name)] if value else []
                continue
            words += [f"{option_name(name)}={item}" for item in ((value,) if isinstance(value, str) else value)]
    return tuple(words)


def _defaults(flags: Flags, policy: Policy, *, of_inventory: bool) -> tuple[str, str]:
    """Return the hours and the cap that a workflow uses unless its repository sets variables.

    A workflow passes them by the environment, which overrides the inventory. So they are empty where no flag sets them
    and an inventory may.
    """
    hours = policy.max_age_s / 3600
    max_age = str(int(hours)) if hours.is_integer() else repr(hours)
    cap = "none" if policy.cap is None else str(policy.cap)
    return (
        max_age if flags.max_age is not None or not of_inventory else "",
        cap if flags.cap is not None or not of_inventory else "",
    )


def _inventory(source: str) -> str:
    """Return an inventory's absolute path; a list of hosts unchanged."""
    path = Path(os.path.expandvars(source)).expanduser()
    if "," in source and not os.path.lexists(path):
        return source
    return os.path.abspath(path)  # noqa: PTH100 - Path.absolute leaves .. in it


def _limit(pattern: str) -> str:
    if re.search(r"(?:^|[,:\s])@(?!/)", pattern):
        raise UsageError(f"--limit: {pattern[:100]!r} names a file: write its absolute path after the @")
    return pattern


def _absolute(name: str | None) -> str:
    """Return a file's absolute path; empty for none."""
    if not name:
        return ""
    return os.path.abspath(Path(name).expanduser())  # noqa: PTH100 - Path.absolute leaves .. in it


def _expect_word(least: int, most: int) -> str:
    return f"--expect={least}" if least == most else f"--expect={least}..{most}"


def _home(user: str) -> str:
    """Return the account's home, where SSH looks for its keys and known_hosts; empty if the account is not here."""
    try:
        return pwd.getpwnam(user).pw_dir
    except KeyError:
        return ""

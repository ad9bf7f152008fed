"""``fleetsweep schedule``: print or write the files that run fleetsweep by themselves."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import click

from fleetsweep.cli.command import command, only
from fleetsweep.cli.commands.audit import SilenceOptions
from fleetsweep.cli.evidence import AttributeOptions
from fleetsweep.cli.options import (
    POLICY,
    ConnectOptions,
    NotifyOptions,
    OutputOptions,
    SavePlanOptions,
    StateOptions,
    TargetOptions,
)
from fleetsweep.cli.removal_options import EvidenceOptions, LockOptions, SweepOptions
from fleetsweep.cli.schedule_options import ScheduleOptions
from fleetsweep.cli.spread_options import SpreadOptions, ZoneOptions
from fleetsweep.model.policy_flags import Flags

if TYPE_CHECKING:
    from fleetsweep.cli.given import Given
    from fleetsweep.schedule import Job, RunOptions, Schedule

EPILOG = """\b
Examples:
  fleetsweep schedule systemd -i inventory.yml
                                       a service and a timer, to read first
  fleetsweep schedule systemd -i inventory.yml --write /etc/systemd/system
  fleetsweep schedule systemd --local --job audit --every 1d
                                       fails if anything here is stale
  fleetsweep schedule cron -i inventory.yml --max-age 4h --write /etc/cron.d
  fleetsweep schedule gitea -i /etc/fleetsweep/inventory.yml \\
      --write .gitea/workflows
  fleetsweep schedule github --job teardown
                                       a job that removes its containers
  fleetsweep schedule github --install 'pip install -r /etc/fleetsweep.txt'
                                       how a runner without it installs it
  fleetsweep schedule dask-worker --zone north --scheduler 127.0.0.1
                                       a unit for a zone's workers
"""

WAYS_OUT: Final = "--force replaces it, and --schedule-name gives a second schedule files of its own"
NOT_SCHEDULED: Final = {
    "list_hosts": "a schedule runs the job",
    "rerun": "a schedule selects its hosts anew each time",
    "plan": "a saved plan is carried out once",
    "plan_ttl": "a saved plan is carried out once",
    "yes": "a scheduled sweep never asks",
    "dry_run": "schedule an audit",
    "user": "--remote-user: --user is the account that runs the job",
    "baseline": "a workflow's teardown takes its own",
    "run_label": "a workflow's teardown has its own",
    "networks": "a workflow's teardown removes them",
}
"""The options of the jobs that ``schedule`` has not, by their fields, and why."""

_NAMED: Final = frozenset(
    {field for group in (TargetOptions, StateOptions, ScheduleOptions, Flags) for field in group.__dataclass_fields__}
    | {
        "private_key",
        "ssh_config",
        "known_hosts",
        "run_timeout",
        "metrics",
        "lock_wait",
        "notify",
        "push_gateway",
        "schedule_name",
    }
)
"""The options that the plan of a schedule handles by name. It passes the others on as they are."""

_OF_TEARDOWN: Final = frozenset(
    {"lock_wait", "timeout", "host_timeout", "run_timeout", "engine_tls_ca", "engine_tls_cert", "engine_tls_key"}
    | {"notify_always", *OutputOptions.__dataclass_fields__}
)
"""The options that a workflow's teardown is given, too. It runs on its job's machine, without SSH."""

_SECRETS: Final = {"notify": "FLEETSWEEP_NOTIFY", "push_gateway": "FLEETSWEEP_PUSH_GATEWAY"}
_WRITTEN: Final = frozenset({"output", "save_plan"})


@command(
    click.Argument(["kind"], type=click.Choice(["systemd", "cron", "gitea", "github", "dask-worker"]), metavar="KIND"),
    epilog=EPILOG,
)
def schedule(
    targets: TargetOptions,
    options: ScheduleOptions,
    connect: Annotated[ConnectOptions, only(*set(ConnectOptions.__dataclass_fields__) - {"user"})],
    spread: SpreadOptions,
    state: StateOptions,
    flags: Annotated[Flags, POLICY],
    output: OutputOptions,
    save_plan: SavePlanOptions,
    silence: SilenceOptions,
    attributes: AttributeOptions,
    evidence: EvidenceOptions,
    removal: LockOptions,
    sweep: Annotated[SweepOptions, only("volumes")],
    notify: NotifyOptions,
    zone: ZoneOptions,
    kind: str,
) -> int:
    """Print units or workflows that run it every hour.

    KIND is systemd, cron, gitea (also Forgejo) or github; or dask-worker, for the workers of one zone. The files run it
    with the options given here, every path made absolute; what a run would refuse is refused now. Warns of what the
    account can't start, read or write. Contacts no host, and installs nothing without --write.
    """
    from fleetsweep.cli.config import resolve_all
    from fleetsweep.cli.defaults import named_sources
    from fleetsweep.cli.given import given
    from fleetsweep.cli.notifications import notify_config
    from fleetsweep.cli.targets import check_expected, select
    from fleetsweep.console import warn
    from fleetsweep.exit_codes import OK
    from fleetsweep.notify.dispatch import check_channels
    from fleetsweep.report import printable
    from fleetsweep.schedule import Job, Kind, RunOptions, account_problems, default_wheel, plan, render, write

    if kind == "dask-worker":
        return _print_zone_worker(options, spread, zone.zone)
    job = Job(options.job) if options.job else None
    check_channels(notify_config(notify, targets, output))
    words = tuple(given(click.get_current_context()))
    _check_options(job or Job.SWEEP, words)
    # A teardown removes from the machine that its job runs on.
    targets = replace(targets, local=targets.local or job is Job.TEARDOWN)
    hosts = select(targets).hosts
    sources = () if targets.local else named_sources(targets.inventory)
    if code := check_expected(hosts, targets.expect):
        return code
    # Without the environment: a unit does not have it, and a workflow has its own.
    policies, _ = resolve_all(hosts, flags, {})
    run_options = RunOptions(
        hosts=targets.hosts,
        limit=targets.limit,
        local=targets.local,
        engine=targets.engine,
        expect=targets.expect,
        private_key=connect.private_key,
        ssh_config=connect.ssh_config,
        known_hosts=connect.known_hosts,
        state_dir=state.state_dir,
        user=options.account,
        run_timeout_s=connect.run_timeout if _is_given(words, "run_timeout") else None,
        metrics=notify.metrics,
        lock_wait_s=removal.lock_wait if _is_given(words, "lock_wait") else None,
        every_s=options.every,
        install=options.install,
        name=notify.schedule_name,
    )
    run_options = _with_others(run_options, words, options, notify, accept_new=connect.host_key == "accept-new")
    planned = plan(Kind(kind), job, run_options, flags, hosts, sources, policies[hosts[0].name])
    if not planned.kind.is_workflow:
        for problem in account_problems(planned.user, planned.needs):
            warn(printable(problem))
    if Kind(kind).is_workflow and options.install is None:
        click.echo(
            f"Note: a runner without fleetsweep installs it from its file {default_wheel()}: put the wheel there, or "
            "name another source with --install 'pip install …'.",
            err=True,
        )
    if options.write is None:
        click.echo("\n".join(file.text for file in render(_redacted(planned))), nl=False)
    else:
        files = render(planned, str(Path(options.write).absolute()))
        for line in write(files, Path(options.write), force=options.force, ways_out=WAYS_OUT):
            click.echo(line)
    if planned.environment and planned.kind.is_workflow:
        warn(f"create these secrets in the repository, with the addresses: {', '.join(planned.environment)}")
    return OK


def _print_zone_worker(options: ScheduleOptions, spread: SpreadOptions, zone: str | None) -> int:
    from fleetsweep.console import warn
    from fleetsweep.errors import UsageError
    from fleetsweep.exit_codes import OK
    from fleetsweep.model.zone import check_zone
    from fleetsweep.report import printable
    from fleetsweep.schedule import ZoneWorker, account_problems, render_zone_worker, write
    from fleetsweep.sweep.scheduler import Scheduler

    if zone is None or spread.scheduler is None:
        raise UsageError("dask-worker: give --zone NAME and --scheduler ADDRESS")
    try:
        check_zone(zone)
    except ValueError as error:
        raise UsageError(f"--zone: {error}") from error
    files = (spread.scheduler_tls_ca, spread.scheduler_tls_cert, spread.scheduler_tls_key)
    scheduler = Scheduler.parse(spread.scheduler, files)
    ca, certificate, key = (str(Path(name).expanduser().absolute()) if name else "" for name in files)
    tls = (ca, certificate, key) if scheduler.tls is not None else None
    worker = ZoneWorker(zone, scheduler.url, options.account, tls)
    file = render_zone_worker(worker)
    for problem in account_problems(worker.user, worker.needs):
        warn(printable(problem))
    if options.write is None:
        click.echo(file.text, nl=False)
        return OK
    for line in write([file], Path(options.write), force=options.force):
        click.echo(line)
    return OK


def _is_given(words: Sequence[Given], name: str) -> bool:
    return any(word.parameter == name for word in words)


def _check_options(job: Job, words: Sequence[Given]) -> None:
    """Raise UsageError for an option that the job has not."""
    from fleetsweep.cli import cli
    from fleetsweep.errors import UsageError

    command = cli.get_command(click.Context(cli), job.value)
    known = {parameter.name for parameter in command.params} if command is not None else set()
    own = {*ScheduleOptions.__dataclass_fields__, *Flags.__dataclass_fields__}
    for word in words:
        if word.parameter not in known | own:
            raise UsageError(f"{word.flag}: fleetsweep {job} has no such option")


def _with_others(
    run: RunOptions, words: Sequence[Given], options: ScheduleOptions, notify: NotifyOptions, *, accept_new: bool
) -> RunOptions:
    """Return the run's options with those that are passed on as they are, and those that hold secrets."""
    others = [word for word in words if word.parameter not in _NAMED]
    if options.job == "audit":
        # It has this one in any case.
        others = [word for word in others if word.parameter != "fail_on_stale"]
    secrets = {"notify": " ".join(notify.notify), "push_gateway": notify.push_gateway or ""}
    # With accept-new, a run adds to known_hosts.
    saved_to = [word.absolute for word in words if word.parameter == "known_hosts"][:1] if accept_new else []
    return replace(
        run,
        more=(
            *((f"--user={options.remote_user}",) if options.remote_user else ()),
            *(word.word for word in others),
        ),
        teardown=tuple(word.word for word in words if word.parameter in _OF_TEARDOWN),
        reads=tuple(word.absolute for word in others if word.is_path and word.parameter not in _WRITTEN),
        writes=(*(word.absolute for word in others if word.parameter in _WRITTEN), *saved_to),
        environment={_SECRETS[name]: value for name, value in secrets.items() if value},
    )


def _redacted(planned: Schedule) -> Schedule:
    """Return the schedule as it is printed: with the scheme of each address alone."""
    from fleetsweep.notify.messages import scheme

    shown = {name: " ".join(map(scheme, value.split())) for name, value in planned.environment.items()}
    return replace(planned, environment=shown)

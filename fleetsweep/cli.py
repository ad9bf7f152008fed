"""The commands: parse, wire, print, exit code. No decisions."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import click

from fleetsweep import __version__
from fleetsweep.errors import UsageError
from fleetsweep.examples import (
    AUDIT_EPILOG,
    BASELINE_EPILOG,
    DOCTOR_EPILOG,
    EPILOG,
    EXPLAIN_EPILOG,
    HISTORY_EPILOG,
    HOSTS_EPILOG,
    SCHEDULE_EPILOG,
    SHOW_EPILOG,
    SWEEP_EPILOG,
    TEARDOWN_EPILOG,
)
from fleetsweep.given import named_sources, parse_run_label, policy_flags, state_dir
from fleetsweep.model import SECOND
from fleetsweep.options import (
    Duration,
    form_option,
    guard_options,
    history_options,
    list_hosts_option,
    output_options,
    policy_options,
    removal_options,
    run_options,
    save_plan_option,
    schedule_options,
    scope_options,
    selector_options,
    state_dir_option,
    sweep_options,
    target_options,
    telling_options,
)
from fleetsweep.request import build, exit_if_unexpected, resolve_all, selection, summary
from fleetsweep.run import execute, look
from fleetsweep.scope import Baseline, ResourceKind, RunScope
from fleetsweep.settings import resolve, resolve_dry_run, resolve_fleet_cap


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110}, epilog=EPILOG)
@click.version_option(__version__, prog_name="fleetsweep")
def cli() -> None:
    """Sweep leaked CI containers from a fleet of Docker boxes, over SSH.

    Reads an Ansible inventory, reaches each box's Docker socket through its sshd, decides which containers are
    orphans, refuses to act where the picture looks wrong, removes them, and proves that they are gone.
    """


@cli.command(epilog=HOSTS_EPILOG)
@target_options
@policy_options
@form_option
@click.option("-v", "--verbose", is_flag=True, help="Also show each variable and setting, and where it comes from.")
def hosts(style: str, verbose: bool, **options: object) -> None:
    """Which hosts these options select, and how they are reached. Contacts nobody."""
    from fleetsweep.listing import render_hosts
    from fleetsweep.settings import sources

    chosen = selection(options)
    flags, environ = policy_flags(options), dict(os.environ)
    # Resolved without -v too: what audit would refuse is refused here.
    policies, _ = resolve_all(chosen.hosts, flags, environ)
    details = None
    if verbose:
        details = {host.name: (policies[host.name], sources(flags, environ, host)) for host in chosen.hosts}
    click.echo(render_hosts(chosen.hosts, style, details), nl=False)
    click.echo(summary(chosen), err=True)
    exit_if_unexpected(chosen.hosts, options)


@cli.command(epilog=AUDIT_EPILOG)
@target_options
@list_hosts_option
@run_options
@policy_options
@output_options
@save_plan_option
@click.option(
    "--max-silence", type=Duration(), help="Name the hosts that no run has looked at for so long, by the journal."
)
@telling_options
def audit(**options: object) -> None:
    """Look at the fleet, remove nothing: sends only GET.

    Prints one row a host: what is there, what matches, what is stale, and which guard would stop a sweep.
    """
    silence = options["max_silence"]
    execute(replace(build("audit", options), max_silence_s=float(str(silence)) if silence is not None else None))


@cli.command(epilog=SWEEP_EPILOG)
@target_options
@list_hosts_option
@run_options
@policy_options
@output_options
@save_plan_option
@sweep_options
@removal_options
@telling_options
def sweep(**options: object) -> None:
    """Look, ask, remove, and prove it.

    Every host is looked at before anything goes anywhere. A container goes if a name, image or label pattern matches
    it and it is older than the max age by its engine's own clock. It stays if it is labelled to be kept, belongs to
    an orchestrator, or its age can't be known; a host stays as it is if it has more candidates than the cap, its clock
    is off, or it is another host's engine. Each removal is written to the journal before it is asked for, and counts
    once the engine no longer lists it.
    """
    dry_run = resolve_dry_run(policy_flags(options), os.environ)
    asks = not (dry_run or options["yes"] or options["list_hosts"])
    if asks and not (sys.stdin and sys.stdin.isatty() and sys.stderr.isatty()):
        raise UsageError("there is no terminal to ask on: give --yes to remove, or --dry-run to look")
    execute(
        replace(
            build("sweep", options),
            remove=not dry_run,
            dry_run=dry_run,
            yes=bool(options["yes"]),
            volumes=bool(options["volumes"]),
            lock_wait_s=float(str(options["lock_wait"])),
        )
    )


@cli.command(epilog=BASELINE_EPILOG)
@click.option("--save", metavar="FILE", required=True, help="Where to write it.")
@target_options
@list_hosts_option
@run_options
@selector_options
@click.option("-q", "--quiet", is_flag=True, help="No progress and no notes on stderr.")
def baseline(save: str, **options: object) -> None:
    """Remember what is there before a job.

    Writes each engine's id, its clock and the ids of the containers that the selectors match. Sends only GET. Where
    one host can't be looked at nothing is written: a baseline that lacks something would let it be removed.
    """
    from fleetsweep.before import execute as remember

    remember(build("baseline", options), Path(save))


@cli.command(epilog=TEARDOWN_EPILOG)
@scope_options
@target_options
@list_hosts_option
@run_options
@selector_options
@guard_options
@output_options
@removal_options
@telling_options
def teardown(**options: object) -> None:
    """Remove what a job left: by baseline or by run label.

    For the end of a job, so it asks nothing and no age protects. With --run-label goes what carries this very label,
    and nothing else. With --baseline goes what the selectors match, is not in the baseline and was created after it;
    with both, what carries another value of the label stays. Caps, protection, the journal and the proof are a
    sweep's. A baseline that is missing, damaged, over a day old or another engine's removes nothing: exit 2.
    """
    path, label = options["baseline"], options["run_label"]
    if path is None and label is None:
        raise UsageError("which run's containers? give --run-label KEY=VALUE, --baseline FILE, or both")
    kinds = [kind for kind in ResourceKind if options[f"{kind}s"]]
    if kinds and label is None:
        raise UsageError(f"--{kinds[0]}s: a baseline does not know them: give --run-label KEY=VALUE, too")
    run_label = parse_run_label(str(label)) if label is not None else None
    dry_run = resolve_dry_run(policy_flags(options), os.environ)
    asked = build("teardown", options)
    found: Mapping[str, Baseline] = {}
    if path is not None:
        from fleetsweep.baseline import load

        found = load(Path(str(path)), asked.hosts, now_ns=time.time_ns())
    if run_label is None and not asked.output.quiet:
        click.echo("fleetsweep: note: jobs that overlap on one box need --run-label: see docs/ci.md", err=True)
    execute(
        replace(
            asked,
            policies={
                name: replace(policy, run=RunScope(run_label, found.get(name)))
                for name, policy in asked.policies.items()
            },
            remove=not dry_run,
            dry_run=dry_run,
            yes=True,
            volumes=bool(options["volumes"]),
            lock_wait_s=float(str(options["lock_wait"])),
            resource_kinds=tuple(kinds),
        )
    )


@cli.command(epilog=EXPLAIN_EPILOG)
@click.argument("container", required=False, metavar="CONTAINER")
@target_options
@list_hosts_option
@run_options
@policy_options
@form_option
def explain(container: str | None, style: str, **options: object) -> None:
    """Every rule's verdict on one CONTAINER, and what a sweep would do about it.

    CONTAINER is a name, an id, or the beginning of either if no other container's begins so. Looks at the hosts as a
    sweep does and decides by the same code; removes nothing.
    """
    from fleetsweep.explain import explain_container, matching
    from fleetsweep.model import HostPlan, Lost
    from fleetsweep.report import printable, render_explanation

    asked = build("explain", options)
    if container is None:
        raise UsageError("which container? give its name or id")
    if asked.unexpected is not None:
        raise UsageError(f"--expect: {asked.unexpected.message}")
    surveys, plan = look(asked)
    lost = [item for item in surveys if isinstance(item, Lost)]
    for item in lost:
        click.echo(f"{printable(item.host.name)} could not be looked at: {printable(item.fault.message)}", err=True)
    found = matching(surveys, container)
    if len(found) != 1:
        names = ", ".join(f"{printable(each.name)} on {printable(survey.host.name)}" for survey, each in found[:5])
        what = f"means {len(found)} containers ({names})" if found else "is the name or id of no container"
        click.echo(f"Error: {container!r} {what}: give the whole name or id, or one --host", err=True)
        sys.exit(3 if lost and not found else 2)
    survey, item_found = found[0]
    host_plan = next(each for each in plan.hosts if isinstance(each, HostPlan) and each.host is survey.host)
    policy = asked.policies[survey.host.name]
    click.echo(render_explanation(explain_container(item_found, host_plan, policy, plan.guard), style), nl=False)
    sys.exit(3 if lost else 0)


@cli.command(epilog=DOCTOR_EPILOG)
@target_options
@list_hosts_option
@run_options
@click.option("--max-skew", metavar="DURATION", help="Clock difference that is tolerated. [default: 5m]")
@form_option
@click.option("-o", "--output", metavar="FILE", help="Write it there instead of to stdout.")
@click.option("-v", "--verbose", is_flag=True, help="Also show keys whole, and each engine's id.")
@click.option("-q", "--quiet", is_flag=True, help="No progress on stderr.")
def doctor(**options: object) -> None:
    """Check each phase of reaching each host, with the remedy.

    Goes the way that every look and sweep goes: resolve, connect, host key, log-in, tunnel, engine, clock. Sends only
    GET. Prints one row a host with what was seen at each phase, then a command for each host that was not reached.
    """
    from fleetsweep.doctor import execute as examine

    examine(build("doctor", options))


@cli.command(epilog=HISTORY_EPILOG)
@history_options
def history(
    last: int, since: float | None, hosts: tuple[str, ...], failed: bool, style: str, **options: object
) -> None:
    """Past runs, the newest first.

    By the journal of this machine and account: it forgets after 90 days. Contacts nobody.
    """
    from fleetsweep.history import past_runs
    from fleetsweep.report import render_history

    since_ns = 0 if since is None else time.time_ns() - int(since * SECOND)
    runs = past_runs(state_dir(options), most=last, since_ns=since_ns, hosts=hosts, failed=failed)
    click.echo(render_history(runs, style), nl=False)
    if not runs:
        click.echo("No run was like that.", err=True)


@cli.command(epilog=SHOW_EPILOG)
@click.argument("run", default="", metavar="[RUN]")
@form_option
@state_dir_option
def show(run: str, style: str, **options: object) -> None:
    """One past run: its hosts, what it meant to remove, and what came of it.

    [RUN] is the beginning of a run's id; without it the newest is shown. Contacts nobody.
    """
    from fleetsweep.history import record
    from fleetsweep.report import render_record

    click.echo(render_record(record(state_dir(options), run), style), nl=False)


@cli.command(epilog=SCHEDULE_EPILOG)
@click.argument("kind", type=click.Choice(["systemd", "cron", "gitea", "github"]), metavar="KIND")
@target_options
@schedule_options
@policy_options
def schedule(kind: str, **options: object) -> None:
    """Print the units or workflows that run it by themselves, every hour at minute 17.

    KIND is systemd, cron, gitea (Forgejo too) or github. The files are filled in with the options given here, each
    path made absolute; what a run would refuse is refused now. Contacts nobody, and installs nothing but with --write.
    """
    from fleetsweep.schedule import Job, Kind, plan, render, write

    job = Job(str(options["job"])) if options["job"] else None
    flags = policy_flags(options)
    # Nothing of the environment: a unit doesn't have it, and a workflow has its own.
    resolve_fleet_cap(flags, {})
    # A teardown is of the machine that its job runs on.
    local = job is Job.TEARDOWN or bool(options["local"])
    chosen = selection({**options, "local": local}).hosts
    sources = () if local else named_sources(tuple(options["inventory"]))  # type: ignore[arg-type]
    exit_if_unexpected(chosen, options)
    policies = [resolve(flags, {}, host) for host in chosen]
    files = render(plan(Kind(kind), job, options, flags, chosen, sources, policies[0]))
    if options["write"] is None:
        click.echo("\n".join(file.text for file in files), nl=False)
        return
    for line in write(files, Path(str(options["write"])), force=bool(options["force"])):
        click.echo(line)

"""What each command does with its options: wire, print, exit. No decisions; ``cli`` has what the options are."""

from __future__ import annotations

import getpass
import os
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import click

from fleetsweep.cli.config import RunConfig, build, check_expected, list_hosts, resolve_all, selection, summary
from fleetsweep.cli.run import execute, look, with_holds
from fleetsweep.cli.targets import named_sources, parse_run_label, policy_flags, state_dir
from fleetsweep.errors import UsageError
from fleetsweep.exit_codes import INCOMPLETE, OK, USAGE
from fleetsweep.model.container import SECOND, Container
from fleetsweep.model.decision import FleetPlan, HostPlan
from fleetsweep.model.host import Host
from fleetsweep.model.journal import Hold
from fleetsweep.model.run_scope import Baseline, ResourceKind, RunScope
from fleetsweep.model.survey import FailedSurvey
from fleetsweep.policy.settings import resolve_dry_run

Options = dict[str, object]
"""The options of a command line as click gives them, by their names."""

LONGEST_HOLD_S: Final = 30 * 86_400
"""So that what somebody forgot is swept all the same."""


def hosts(style: str, verbose: bool, options: Options) -> int:
    """Print the selected hosts; return GUARD where another number was expected."""
    from fleetsweep.policy.settings import sources
    from fleetsweep.report.hosts import render_hosts

    chosen = selection(options)
    flags, environ = policy_flags(options), dict(os.environ)
    # Resolved without -v too: what audit would refuse is refused here.
    policies, _ = resolve_all(chosen.hosts, flags, environ)
    details = None
    if verbose:
        details = {host.name: (policies[host.name], sources(flags, environ, host)) for host in chosen.hosts}
    click.echo(render_hosts(chosen.hosts, style, details), nl=False)
    click.echo(summary(chosen), err=True)
    return check_expected(chosen.hosts, options)


def audit(options: Options) -> int:
    """Look, report and return the exit code."""
    if options["list_hosts"]:
        return list_hosts(options)
    silence = options["max_silence"]
    return execute(replace(build("audit", options), max_silence_s=float(str(silence)) if silence is not None else None))


def sweep(options: Options) -> int:
    """Look, ask, remove, prove, report, and exit. Raises UsageError where there is nobody to ask."""
    dry_run = resolve_dry_run(policy_flags(options), os.environ)
    asks = not (dry_run or options["yes"] or options["list_hosts"])
    if asks and not (sys.stdin and sys.stdin.isatty() and sys.stderr.isatty()):
        raise UsageError("there is no terminal to ask on: give --yes to remove, or --dry-run to look")
    if options["list_hosts"]:
        return list_hosts(options)
    return execute(
        replace(
            build("sweep", options),
            remove=not dry_run,
            dry_run=dry_run,
            yes=bool(options["yes"]),
            volumes=bool(options["volumes"]),
            lock_wait_s=float(str(options["lock_wait"])),
        )
    )


def baseline(save: str, options: Options) -> int:
    """Write down what is there, and exit."""
    from fleetsweep.cli.baseline import execute as remember

    if options["list_hosts"]:
        return list_hosts(options)
    return remember(build("baseline", options), Path(save))


def teardown(options: Options) -> int:
    """Remove what one run left, report, and exit. Raises UsageError where no run is named."""
    path, label = options["baseline"], options["run_label"]
    if path is None and label is None:
        raise UsageError("which run's containers? give --run-label KEY=VALUE, --baseline FILE, or both")
    kinds = [kind for kind in ResourceKind if options[f"{kind}s"]]
    if kinds and label is None:
        raise UsageError(f"--{kinds[0]}s: a baseline does not know them: give --run-label KEY=VALUE, too")
    run_label = parse_run_label(str(label)) if label is not None else None
    dry_run = resolve_dry_run(policy_flags(options), os.environ)
    if options["list_hosts"]:
        return list_hosts(options)
    asked = build("teardown", options)
    found: Mapping[str, Baseline] = {}
    if path is not None:
        from fleetsweep.store.baseline_file import load

        found = load(Path(str(path)), asked.hosts, now_ns=time.time_ns())
    if run_label is None and not asked.output.quiet:
        click.echo("fleetsweep: note: jobs that overlap on one box need --run-label: see docs/ci.md", err=True)
    return execute(
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


def explain(container: str | None, style: str, options: Options) -> int:
    """Print the rules' verdict on the one container that is meant, and exit: 2 where that is none or several."""
    from fleetsweep.policy.explain import explain_container
    from fleetsweep.report import render_explanation

    if options["list_hosts"]:
        return list_hosts(options)
    asked = with_holds(build("explain", options))
    if container is None:
        raise UsageError("which container? give its name or id")
    found = _find(asked, container)
    if isinstance(found, int):
        return found
    host_plan = next(each for each in found.plan.hosts if isinstance(each, HostPlan) and each.host is found.host)
    told = explain_container(found.container, host_plan, asked.policies[found.host.name], found.plan.guard)
    click.echo(render_explanation(told, style), nl=False)
    return INCOMPLETE if found.lost else OK


@dataclass(frozen=True, slots=True)
class _Found:
    """The one container that was meant, and whether there may be another where no look was possible."""

    host: Host
    container: Container
    plan: FleetPlan
    lost: bool


def _find(asked: RunConfig, text: str) -> _Found | int:
    """Survey the hosts for the one container that ``text`` means; return the exit code if it means none or several."""
    from fleetsweep.policy.explain import matching
    from fleetsweep.report import printable

    if asked.unexpected is not None:
        raise UsageError(f"--expect: {asked.unexpected.message}")
    surveys, plan = look(asked)
    lost = [item for item in surveys if isinstance(item, FailedSurvey)]
    for item in lost:
        click.echo(f"{printable(item.host.name)} could not be looked at: {printable(item.fault.message)}", err=True)
    found = matching(surveys, text)
    if len(found) != 1:
        names = ", ".join(f"{printable(each.name)} on {printable(survey.host.name)}" for survey, each in found[:5])
        what = f"means {len(found)} containers ({names})" if found else "is the name or id of no container"
        click.echo(f"Error: {text!r} {what}: give the whole name or id, or one --host", err=True)
        return INCOMPLETE if lost and not found else USAGE
    ((survey, container),) = found
    return _Found(survey.host, container, plan, bool(lost))


def hold(container: str | None, style: str, options: Options) -> int:
    """Hold a container, or list or end holds. Raises UsageError where it is not said which, why or how long."""
    from fleetsweep.report import render_holds
    from fleetsweep.store.journal import holds

    directory, now_ns = state_dir(options), time.time_ns()
    if options["list"]:
        if container is not None or options["release"]:
            raise UsageError("--list shows all holds: leave CONTAINER and --release out")
        click.echo(render_holds(holds(directory, now_ns), style), nl=False)
        return OK
    if container is None:
        raise UsageError("which container? give its name or id, or --list")
    if options["release"]:
        _release(container, directory, now_ns)
        return OK
    return _hold(container, directory, now_ns, options)


def _release(text: str, directory: Path, now_ns: int) -> None:
    from fleetsweep.policy.explain import select
    from fleetsweep.report import printable
    from fleetsweep.store.journal import holds, release_hold

    found = select(holds(directory, now_ns), text, lambda hold: (hold.name, hold.container_id))
    if len(found) != 1:
        what = f"means {len(found)} holds" if found else "is the name or id of no container that is held"
        raise UsageError(f"{text!r} {what}: fleetsweep hold --list shows them")
    release_hold(directory, found[0].container_id)
    click.echo(f"{printable(found[0].name)} on {printable(found[0].host)} is no longer {printable(found[0].words)}")


def _hold(text: str, directory: Path, now_ns: int, options: Options) -> int:
    from fleetsweep.report import printable
    from fleetsweep.store.journal import place_hold
    from fleetsweep.store.state_dir import prepare_state_dir

    reason = str(options["reason"] or "").strip()
    if not reason:
        raise UsageError("why? give --reason: whoever finds it in the way will want to know")
    seconds = float(str(options["duration"]))
    if not 0 < seconds <= LONGEST_HOLD_S:
        raise UsageError(f"--for: a hold lasts {LONGEST_HOLD_S // 86400} days at the most, and can be placed again")
    prepare_state_dir(directory)
    if options["list_hosts"]:
        return list_hosts(options)
    found = _find(build("hold", options), text)
    if isinstance(found, int):
        return found
    placed = Hold(
        found.container.id,
        found.host.name,
        found.container.name,
        reason[:500],
        getpass.getuser(),
        now_ns,
        now_ns + int(seconds * SECOND),
    )
    place_hold(directory, placed)
    click.echo(f"{printable(placed.name)} on {printable(placed.host)} is {printable(placed.words)}")
    click.echo(
        f"This hold counts for runs with the state directory {printable(str(directory.absolute()))}. "
        "Other accounts and machines have a state directory of their own: hold it there too, or label the container.",
        err=True,
    )
    return INCOMPLETE if found.lost else OK


def doctor(options: Options) -> int:
    """Examine the hosts, print how far each was reached, and exit."""
    from fleetsweep.cli.doctor import execute as examine

    if options["list_hosts"]:
        return list_hosts(options)
    return examine(build("doctor", options))


def history(options: Options) -> int:
    """Print past runs. Raises UsageError where there is no journal."""
    from fleetsweep.report import render_history
    from fleetsweep.store.journal import past_runs

    since = options["since"]
    runs = past_runs(
        state_dir(options),
        most=int(str(options["last"])),
        since_ns=0 if since is None else time.time_ns() - int(float(str(since)) * SECOND),
        hosts=tuple(options["hosts"]),  # type: ignore[arg-type]
        failed=bool(options["failed"]),
    )
    click.echo(render_history(runs, str(options["style"])), nl=False)
    if not runs:
        click.echo("No run was like that.", err=True)
    return OK


def show(run: str, style: str, options: Options) -> int:
    """Print one past run. Raises UsageError where that is none or several."""
    from fleetsweep.report import render_record
    from fleetsweep.store.journal import record

    click.echo(render_record(record(state_dir(options), run), style), nl=False)
    return OK


def schedule(kind: str, options: Options) -> int:
    """Print the files, or write them."""
    from fleetsweep.schedule import Job, Kind, plan, render, write

    job = Job(str(options["job"])) if options["job"] else None
    if options["metrics"] is not None:
        from fleetsweep.notify.prometheus import check_file

        check_file(Path(str(options["metrics"])))
    flags = policy_flags(options)
    # A teardown is of the machine that its job runs on.
    local = job is Job.TEARDOWN or bool(options["local"])
    chosen = selection({**options, "local": local}).hosts
    sources = () if local else named_sources(tuple(options["inventory"]))  # type: ignore[arg-type]
    if code := check_expected(chosen, options):
        return code
    # Nothing of the environment: a unit doesn't have it, and a workflow has its own.
    policies, _ = resolve_all(chosen, flags, {})
    files = render(plan(Kind(kind), job, options, flags, chosen, sources, policies[chosen[0].name]))
    if options["write"] is None:
        click.echo("\n".join(file.text for file in files), nl=False)
        return OK
    for line in write(files, Path(str(options["write"])), force=bool(options["force"])):
        click.echo(line)
    return OK

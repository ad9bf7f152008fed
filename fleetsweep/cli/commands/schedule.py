"""``fleetsweep schedule``: print or write the files that run fleetsweep by themselves."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Annotated

import click

from fleetsweep.cli.command import command
from fleetsweep.cli.options import POLICY, ScheduleOptions, StateOptions, TargetOptions
from fleetsweep.model.policy_flags import Flags

EPILOG = """\b
Examples:
  fleetsweep schedule systemd -i inventory.yml
                                       a service and a timer, to read first
  fleetsweep schedule systemd -i inventory.yml --write /etc/systemd/system
  fleetsweep schedule systemd --local --job audit
                                       fails if anything here is stale
  fleetsweep schedule cron -i inventory.yml --max-age 4h --write /etc/cron.d
  fleetsweep schedule gitea -i /etc/fleetsweep/inventory.yml \\
      --write .gitea/workflows
  fleetsweep schedule github --job teardown
                                       a job that removes its containers
  fleetsweep schedule github --install 'pip install -r /etc/fleetsweep.txt'
                                       how a runner without it installs it
"""


@command(
    click.Argument(["kind"], type=click.Choice(["systemd", "cron", "gitea", "github"]), metavar="KIND"), epilog=EPILOG
)
def schedule(
    targets: TargetOptions,
    options: ScheduleOptions,
    state: StateOptions,
    flags: Annotated[Flags, POLICY],
    kind: str,
) -> int:
    """Print units or workflows that run it every hour.

    KIND is systemd, cron, gitea (also Forgejo) or github. The files run it at minute 17 with the options given here,
    every path made absolute; what a run would refuse is refused now. Contacts no host, and installs nothing without
    --write.
    """
    from fleetsweep.cli.config import resolve_all
    from fleetsweep.cli.targets import check_expected, named_sources, select
    from fleetsweep.exit_codes import OK
    from fleetsweep.schedule import Job, Kind, RunOptions, default_wheel, plan, render, write

    job = Job(options.job) if options.job else None
    if options.metrics is not None:
        from fleetsweep.notify.prometheus import check_file

        check_file(Path(options.metrics))
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
        private_key=options.private_key,
        ssh_config=options.ssh_config,
        known_hosts=options.known_hosts,
        state_dir=state.state_dir,
        user=options.user,
        run_timeout_s=options.run_timeout,
        metrics=options.metrics,
        install=options.install,
    )
    if Kind(kind).is_workflow and options.install is None:
        click.echo(
            f"Note: a runner without fleetsweep installs it from its file {default_wheel()}: put the wheel there, or "
            "name another source with --install 'pip install …'.",
            err=True,
        )
    files = render(plan(Kind(kind), job, run_options, flags, hosts, sources, policies[hosts[0].name]))
    if options.write is None:
        click.echo("\n".join(file.text for file in files), nl=False)
        return OK
    for line in write(files, Path(options.write), force=options.force):
        click.echo(line)
    return OK

"""The command line: the commands, their options, and what ``--help`` teaches.

What they do is in ``commands``, which is imported where one of them runs: the rest of the program takes longer to load
than a help text or a completion may.
"""

from __future__ import annotations

import click

from fleetsweep import __version__
from fleetsweep.cli.help_text import (
    AUDIT_EPILOG,
    BASELINE_EPILOG,
    DOCTOR_EPILOG,
    EPILOG,
    EXPLAIN_EPILOG,
    HISTORY_EPILOG,
    HOLD_EPILOG,
    HOSTS_EPILOG,
    SCHEDULE_EPILOG,
    SHOW_EPILOG,
    SWEEP_EPILOG,
    TEARDOWN_EPILOG,
)
from fleetsweep.cli.options import (
    FILE,
    Duration,
    form_option,
    guard_options,
    history_options,
    hold_options,
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
from fleetsweep.exit_codes import INCOMPLETE


class _Commands(click.Group):
    """A group that returns INCOMPLETE where its reader closed the pipe: click would exit with 1, the code of a bug."""

    def invoke(self, ctx: click.Context) -> object:
        """Return the command's exit code."""
        try:
            return super().invoke(ctx)
        except BrokenPipeError:
            return INCOMPLETE


@click.group(
    cls=_Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110}, epilog=EPILOG
)
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
def hosts(style: str, verbose: bool, **options: object) -> int:
    """Which hosts these options select, and how they are reached. Contacts nobody."""
    from fleetsweep.cli import commands

    return commands.hosts(style, verbose, options)


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
def audit(**options: object) -> int:
    """Look at the fleet, remove nothing: sends only GET.

    Prints one row a host: what is there, what matches, what is stale, and which guard would stop a sweep.
    """
    from fleetsweep.cli import commands

    return commands.audit(options)


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
def sweep(**options: object) -> int:
    """Look, ask, remove, and prove it.

    Every host is looked at before anything goes anywhere. A container goes if a name, image or label pattern matches
    it and it is older than the max age by its engine's own clock. It stays if it is labelled to be kept, belongs to
    an orchestrator, or its age can't be known; a host stays as it is if it has more candidates than the cap, its clock
    is off, or it is another host's engine. Each removal is written to the journal before it is asked for, and counts
    once the engine no longer lists it.
    """
    from fleetsweep.cli import commands

    return commands.sweep(options)


@cli.command(epilog=BASELINE_EPILOG)
@click.option("--save", type=FILE, required=True, help="Where to write it.")
@target_options
@list_hosts_option
@run_options
@selector_options
@click.option("-q", "--quiet", is_flag=True, help="No progress and no notes on stderr.")
def baseline(save: str, **options: object) -> int:
    """Remember what is there before a job.

    Writes each engine's id, its clock and the ids of the containers that the selectors match. Sends only GET. Where
    one host can't be looked at nothing is written: a baseline that lacks something would let it be removed.
    """
    from fleetsweep.cli import commands

    return commands.baseline(save, options)


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
def teardown(**options: object) -> int:
    """Remove what a job left: by baseline or by run label.

    For the end of a job, so it asks nothing and no age protects. With --run-label goes what carries this very label,
    and nothing else. With --baseline goes what the selectors match, is not in the baseline and was created after it;
    with both, what carries another value of the label stays. Caps, protection, the journal and the proof are a
    sweep's. A baseline that is missing, damaged, over a day old or another engine's removes nothing: exit 2.
    """
    from fleetsweep.cli import commands

    return commands.teardown(options)


@cli.command(epilog=EXPLAIN_EPILOG)
@click.argument("container", required=False, metavar="CONTAINER")
@target_options
@list_hosts_option
@run_options
@policy_options
@form_option
def explain(container: str | None, style: str, **options: object) -> int:
    """Every rule's verdict on one CONTAINER, and what a sweep would do about it.

    CONTAINER is a name, an id, or the beginning of either if no other container's begins so. Looks at the hosts as a
    sweep does and decides by the same code; removes nothing.
    """
    from fleetsweep.cli import commands

    return commands.explain(container, style, options)


@cli.command(epilog=DOCTOR_EPILOG)
@target_options
@list_hosts_option
@run_options
@click.option("--max-skew", metavar="DURATION", help="Clock difference that is tolerated. [default: 5m]")
@form_option
@click.option("-o", "--output", type=FILE, help="Write it there instead of to stdout.")
@click.option("-v", "--verbose", is_flag=True, help="Also show keys whole, and each engine's id.")
@click.option("-q", "--quiet", is_flag=True, help="No progress on stderr.")
def doctor(**options: object) -> int:
    """Check each phase of reaching each host, with the remedy.

    Goes the way that every look and sweep goes: resolve, connect, host key, log-in, tunnel, engine, clock. Sends only
    GET. Prints one row a host with what was seen at each phase, then a command for each host that was not reached.
    """
    from fleetsweep.cli import commands

    return commands.doctor(options)


@cli.command(epilog=HOLD_EPILOG)
@click.argument("container", required=False, metavar="[CONTAINER]")
@hold_options
@target_options
@list_hosts_option
@run_options
@form_option
def hold(container: str | None, style: str, **options: object) -> int:
    """Keep a container for a while, with a reason.

    [CONTAINER] is a name, an id, or the beginning of either if no other container's begins so. Looks at the hosts for
    it, and writes the hold into this account's journal: no sweep and no teardown with that journal removes the
    container until the hold ends. For good, label it fleetsweep.keep where it is made.
    """
    from fleetsweep.cli import commands

    return commands.hold(container, style, options)


@cli.command(epilog=HISTORY_EPILOG)
@history_options
def history(**options: object) -> int:
    """Past runs, the newest first.

    By the journal of this machine and account: it forgets after 90 days. Contacts nobody.
    """
    from fleetsweep.cli import commands

    return commands.history(options)


@cli.command(epilog=SHOW_EPILOG)
@click.argument("run", default="", metavar="[RUN]")
@form_option
@state_dir_option
def show(run: str, style: str, **options: object) -> int:
    """One past run: its hosts, what it meant to remove, and what came of it.

    [RUN] is the beginning of a run's id; without it the newest is shown. Contacts nobody.
    """
    from fleetsweep.cli import commands

    return commands.show(run, style, options)


@cli.command(epilog=SCHEDULE_EPILOG)
@click.argument("kind", type=click.Choice(["systemd", "cron", "gitea", "github"]), metavar="KIND")
@target_options
@schedule_options
@policy_options
def schedule(kind: str, **options: object) -> int:
    """Print the units or workflows that run it by themselves, every hour at minute 17.

    KIND is systemd, cron, gitea (Forgejo too) or github. The files are filled in with the options given here, each
    path made absolute; what a run would refuse is refused now. Contacts nobody, and installs nothing but with --write.
    """
    from fleetsweep.cli import commands

    return commands.schedule(kind, options)

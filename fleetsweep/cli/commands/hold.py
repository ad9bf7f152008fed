"""``fleetsweep hold``: keep a container for a while; list and end holds."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import click

from fleetsweep.cli.command import command, option
from fleetsweep.cli.options import ConnectOptions, FormatOptions, ListOptions, StateOptions, TargetOptions
from fleetsweep.cli.params import Duration

if TYPE_CHECKING:
    from pathlib import Path

    from fleetsweep.cli.config import RunConfig

EPILOG = """\b
Examples:
  fleetsweep hold -i inventory.yml ws-4711 -m "ann debugs job 812"
                                    for a day
  fleetsweep hold --host runner-2 3f9a --for 2h -m "core dump"
  sudo -u fleetsweep fleetsweep hold -i inventory.yml \\
      --state-dir /var/lib/fleetsweep ws-4711 -m "ann"
                                    in the journal of the timer's account
  fleetsweep hold --list            who holds what, until when, and why
  fleetsweep hold --release ws-4711
                                    end the hold
"""

LONGEST_HOLD_S: Final = 30 * 86_400
"""Seconds: a forgotten hold must end at some time."""


@dataclass(frozen=True, slots=True)
class HoldOptions:
    """For how many seconds a container is held, and why; or which holds to list or end."""

    duration: float = field(
        default=86_400.0,
        metadata=option("Hold", "--for", type=Duration(), help="How long, at most 30 days. [default: 1d]"),
    )
    reason: str | None = field(
        default=None,
        metadata=option("Hold", "-m", "--reason", metavar="TEXT", help="Why, for others who find the container."),
    )
    list: bool = field(default=False, metadata=option("Hold", "--list", help="List the holds; contact no host."))
    release: bool = field(
        default=False, metadata=option("Hold", "--release", help="End the hold of CONTAINER; contact no host.")
    )


@command(click.Argument(["container"], required=False, metavar="[CONTAINER]"), epilog=EPILOG)
def hold(
    hold_options: HoldOptions,
    targets: TargetOptions,
    listing: ListOptions,
    connect: ConnectOptions,
    state: StateOptions,
    style: FormatOptions,
    container: str | None,
) -> int:
    """Keep a container for a while, with a reason.

    [CONTAINER] is a name, an id, or the beginning of either if it is unique. Surveys the hosts for it and writes the
    hold to this account's journal: no sweep and no teardown that uses this journal removes the container until the
    hold ends. To keep it for good, create it with the label fleetsweep.keep.
    """
    import time

    from fleetsweep.cli.config import choose
    from fleetsweep.cli.defaults import state_directory
    from fleetsweep.cli.targets import list_hosts
    from fleetsweep.console import columns
    from fleetsweep.errors import UsageError
    from fleetsweep.exit_codes import OK
    from fleetsweep.model.policy_flags import Flags
    from fleetsweep.report import render_holds
    from fleetsweep.store.journal import holds
    from fleetsweep.store.state_dir import prepare_state_dir

    directory, now_ns = state_directory(state.state_dir), time.time_ns()
    if hold_options.list:
        if container is not None or hold_options.release:
            raise UsageError("--list shows all holds: leave CONTAINER and --release out")
        click.echo(render_holds(holds(directory, now_ns), style.style, columns()), nl=False)
        return OK
    if container is None:
        raise UsageError("which container? give its name or id, or --list")
    if hold_options.release:
        _release(container, directory, now_ns)
        return OK
    reason = (hold_options.reason or "").strip()
    if not reason:
        raise UsageError("why? give --reason, for others who find the container")
    if not 0 < hold_options.duration <= LONGEST_HOLD_S:
        raise UsageError(f"--for: a hold lasts at most {LONGEST_HOLD_S // 86400} days, and can be placed again")
    prepare_state_dir(directory)
    chosen = choose(targets, Flags())
    if listing.list_hosts:
        return list_hosts(chosen.hosts, targets.expect)
    from fleetsweep.cli.config import build
    from fleetsweep.console import Output

    config = build("hold", chosen, targets, connect, directory, Output())
    return _place(config, container, reason, now_ns, hold_options.duration)


def _release(text: str, directory: Path, now_ns: int) -> None:
    """End the one hold that ``text`` means. Raises UsageError where that is none or several."""
    from fleetsweep.errors import UsageError
    from fleetsweep.policy.explain import select
    from fleetsweep.report import printable
    from fleetsweep.store.journal import holds, release_hold

    found = select(holds(directory, now_ns), text, lambda hold: (hold.name, hold.container_id))
    if len(found) != 1:
        what = f"means {len(found)} holds" if found else "is the name or id of no held container"
        raise UsageError(f"{text!r} {what}: fleetsweep hold --list shows them")
    release_hold(directory, found[0].container_id)
    click.echo(f"{printable(found[0].name)} on {printable(found[0].host)} is no longer {printable(found[0].words)}")


def _place(config: RunConfig, text: str, reason: str, now_ns: int, duration_s: float) -> int:
    """Survey the hosts for the container that ``text`` means and hold it; return the exit code."""
    import getpass

    from fleetsweep.cli.find_container import find_container
    from fleetsweep.exit_codes import INCOMPLETE, OK
    from fleetsweep.model.container import SECOND
    from fleetsweep.model.hold import Hold
    from fleetsweep.report import printable
    from fleetsweep.store.journal import place_hold

    found = find_container(config, text)
    if isinstance(found, int):
        return found
    placed = Hold(
        found.container.id,
        found.host.name,
        found.container.name,
        reason[:500],
        getpass.getuser(),
        now_ns,
        now_ns + int(duration_s * SECOND),
    )
    place_hold(config.state_dir, placed)
    click.echo(f"{printable(placed.name)} on {printable(placed.host)} is {printable(placed.words)}")
    click.echo(
        f"This hold counts for runs with the state directory {printable(str(config.state_dir.absolute()))}. "
        "Other accounts and machines have a state directory of their own: hold it there too, or label the container.",
        err=True,
    )
    return OK if found.complete else INCOMPLETE

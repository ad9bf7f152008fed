"""``doctor --learn-keys``: examine the hosts, ask about their unknown keys, save these, and examine again."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from fleetsweep.cli.confirm import answered_yes
from fleetsweep.console import columns_of, count, say, warn
from fleetsweep.model.host_key import UnknownKey, keys_to_learn
from fleetsweep.ssh.options import Trust

if TYPE_CHECKING:
    from fleetsweep.cli.config import RunConfig
    from fleetsweep.cli.signals import SignalHandler
    from fleetsweep.model.checkup import Checkup

Look = Callable[["RunConfig"], tuple["Checkup", ...]]

_ROUNDS: Final = 10
"""The most rounds. Each may reach one bastion further than the one before."""


def learn_keys(config: RunConfig, look: Look, signals: SignalHandler, *, yes: bool) -> tuple[Checkup, ...]:
    """Return the checkups of ``look`` once no key is left to ask about, or the operator refuses one."""
    asked: set[UnknownKey] = set()
    for _ in range(_ROUNDS):
        found: list[UnknownKey] = []
        ssh = replace(config.connect.ssh, host_key=Trust.STRICT, on_unknown_key=found.append)
        checkups = look(replace(config, connect=replace(config.connect, ssh=ssh)))
        new = set(found) - asked
        asked |= new
        if not new or config.connect.stopped.is_set() or not _learn(new, signals, yes=yes):
            break
    return checkups


def _learn(found: set[UnknownKey], signals: SignalHandler, *, yes: bool) -> bool:
    """Show the keys, ask, and save. Return whether to examine the hosts again."""
    # Imported late: it loads the SSH client.
    from fleetsweep.report import printable, render_unknown_keys
    from fleetsweep.ssh.learned_keys import save_keys

    offered = keys_to_learn(found)
    say(render_unknown_keys(offered, columns_of(sys.stderr)).rstrip("\n"))
    if not offered.keys:
        return False
    what = count(len({key.name for key in offered.keys}), "key")
    files = printable(", ".join(sorted({key.save_to for key in offered.keys if key.save_to is not None})))
    if not yes and not answered_yes(f"Save {what} to {files}? [y/N] ", signals):
        say("No key was saved.")
        return False
    for problem in save_keys(offered.keys):
        warn(printable(problem))
    return True

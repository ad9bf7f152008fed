"""The progress display on stderr: how many hosts are done and, after a while, which ones are awaited."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Final

from fleetsweep.console import Output, is_plain
from fleetsweep.model.host import Host

NAMED_AFTER_S: Final = 3.0
"""Seconds after which the awaited hosts are named."""

MOST_NAMED: Final = 50
"""Hosts. While more are awaited, none is named: most of them wait for their turn."""

_NAMES_LIMIT: Final = 200

Clock = Callable[[], float]


class Awaited:
    """The hosts that are not done yet. As a string, the line that is shown: their number and, after a while, names."""

    def __init__(self, what: str, hosts: Sequence[Host], clock: Clock) -> None:
        self._what = what
        self._total = len(hosts)
        self._left = dict.fromkeys(host.name for host in hosts)
        self._clock = clock
        self._began = clock()

    def done(self, host: Host) -> None:
        """Note that a host is done."""
        self._left.pop(host.name, None)

    def __str__(self) -> str:
        left = [*self._left]
        line = f"{self._what} {self._total - len(left)}/{self._total}"
        if not 0 < len(left) <= MOST_NAMED or self._clock() - self._began < NAMED_AFTER_S:
            return line
        from fleetsweep.report.groups import folded

        return f"{line}, waiting for {folded(left, _NAMES_LIMIT)}"


@contextmanager
def progress(
    what: str, hosts: Sequence[Host], output: Output, clock: Clock = time.monotonic
) -> Iterator[Callable[[Host], None]]:
    """Show progress on stderr if that is a terminal that can; yield the function to call with each finished host."""
    # Rows on the same terminal show the progress themselves.
    if output.quiet or is_plain(sys.stderr) or (output.streams and sys.stdout.isatty()):
        yield lambda host: None
        return
    from rich.console import Console
    from rich.live import Live
    from rich.text import Text

    awaited = Awaited(what, hosts, clock)
    line = Live(
        get_renderable=lambda: Text(str(awaited), no_wrap=True, overflow="ellipsis"),
        console=Console(stderr=True),
        transient=True,
    )
    with suppress(OSError):
        line.start()
    try:
        yield awaited.done
    finally:
        with suppress(OSError):
            line.stop()

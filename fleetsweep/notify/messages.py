"""What people are told of a run, and the way to them: one Apprise URL each.

https://appriseit.com lists the services. Their URLs are passwords as a whole: no more of one than its scheme is shown.
"""

from __future__ import annotations

import logging
import re
import shlex
import socket
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from fleetsweep import exit_codes
from fleetsweep.errors import UsageError
from fleetsweep.model.report import FleetReport
from fleetsweep.model.survey import Status
from fleetsweep.report import fleet_totals, host_note, host_totals, printable
from fleetsweep.report.cells import NAME_LIMIT
from fleetsweep.report.problems import guard_line

if TYPE_CHECKING:
    from apprise import NotifyBase

MOST_HOSTS: Final = 20
"""Hosts that one message lists: it must fit a telephone, and most services cut at two thousand characters."""

MOST_NAMED: Final = 5
"""Hosts that the command to look names one by one."""

LINE_LIMIT: Final = 1_000


@dataclass(frozen=True, slots=True)
class Message:
    """Plain text, without a word that a box chose."""

    title: str
    body: str
    good: bool


def compose(report: FleetReport, look: str, show: Sequence[str] | None, failure: str = "") -> Message:
    """Say how a run ended, what happened to which host (the worst first), and the commands to look into it.

    ``look`` looks at the hosts again; ``show`` are the words with which ``fleetsweep show`` finds the run's journal,
    None where the run is in none.
    """
    dry = " (dry run)" if report.dry_run else ""
    title = f"fleetsweep {report.command}{dry}: exit {report.exit_code}, {exit_codes.meaning(report.exit_code)}"
    lines = [printable(failure, LINE_LIMIT)] if failure else []
    if report.guard:
        lines.append(f"fleet: {guard_line(report.guard)}")
    told = sorted(report.hosts, key=lambda host: (host.status is Status.OK, not host_note(host, host_totals(host))))
    for host in told[:MOST_HOSTS]:
        what = ", ".join(filter(None, (host.status.value, host_note(host, host_totals(host)))))
        lines.append(f"{printable(host.host.name, NAME_LIMIT)}: {what}")
    if len(told) > MOST_HOSTS:
        lines.append(f"and {len(told) - MOST_HOSTS} more")
    if report.hosts:
        totals = fleet_totals(report)
        counts = totals.counts
        lines.append(
            f"{totals.statuses[Status.OK]} of {totals.hosts} hosts ok; {counts.containers} containers, "
            f"{counts.matched} matched, {counts.stale} stale, {counts.removed} removed"
        )
    lines += ["", f"Look: {printable(look, LINE_LIMIT)}"]
    lines.append(f"Run {printable(report.run_id, NAME_LIMIT)} on {_here()}" if report.run_id else f"On {_here()}")
    if report.run_id and show is not None:
        lines.append(f"Show: {printable(shlex.join(['fleetsweep', 'show', report.run_id, *show]), LINE_LIMIT)}")
    return Message(title, "\n".join(lines).strip(), good=report.exit_code == exit_codes.OK)


def _here() -> str:
    return printable(socket.gethostname() or "localhost", NAME_LIMIT)


def look_again(report: FleetReport, look: Sequence[str], chosen: Sequence[str], *, narrow: bool) -> str:
    """Return the command that looks at the hosts with something amiss, or at all of the run's where they are many.

    ``look`` is the command up to the choice of hosts, ``chosen`` that choice as typed. Where ``narrow``, hosts may be
    named in its place.
    """
    amiss = [host.host.name for host in report.hosts if host.status is not Status.OK]
    if narrow and 0 < len(amiss) <= MOST_NAMED:
        chosen = [word for name in amiss for word in ("--host", name)]
    return shlex.join(["fleetsweep", "audit", *look, *chosen])


def check(urls: Sequence[str]) -> None:
    """Raises UsageError where Apprise can't read a URL. Contacts nobody.

    Where Apprise is missing nothing is known of a URL. That is told when something can't be sent: what watches a sweep
    must not keep it from running.
    """
    for number, url in enumerate(urls, 1):
        if not url.strip():
            raise UsageError("--notify is empty: is a variable in it unset?")
        if not missing() and _server(url) is None:
            raise UsageError(f"--notify: Apprise can't read number {number} of {len(urls)} ({scheme(url)})")


def readable(urls: Sequence[str]) -> tuple[str, ...]:
    """Return those of ``urls`` that Apprise can read; none of them where it is missing."""
    return () if missing() else tuple(url for url in urls if _server(url) is not None)


def send(url: str, message: Message) -> str:
    """Send it; answers why it was not sent, or nothing. Follows no redirect: the message is not for whom it names."""
    if problem := missing():
        return problem
    server = _server(url)
    if server is None:
        return "Apprise can't read the URL"
    from apprise import Apprise, NotifyFormat, NotifyType

    # Its words have the address in them.
    logging.getLogger("urllib3").propagate = False
    warnings.filterwarnings("ignore", message="Unverified HTTPS request")
    told = Apprise()
    told.add(server)
    sent = told.notify(
        body=message.body,
        title=message.title,
        notify_type=NotifyType.SUCCESS if message.good else NotifyType.FAILURE,
        body_format=NotifyFormat.TEXT,
    )
    return "" if sent else "the service refused it or can't be reached"


def scheme(url: str) -> str:
    """Return as much of a URL as may be shown."""
    found = re.match(r"\s*([A-Za-z][A-Za-z0-9+.-]{0,31})://", url)
    return f"{found[1].lower()}://…" if found else "without a scheme"


def missing() -> str:
    """What to do where Apprise is missing; nothing where it is there."""
    try:
        import apprise  # noqa: F401
    except ImportError:
        return "it needs Apprise: pip install 'fleetsweep[notify]'"
    return ""


def _server(url: str) -> NotifyBase | None:
    # Told what it can't read, it prints the URL.
    logging.getLogger("apprise").propagate = False
    logging.getLogger("apprise").addHandler(logging.NullHandler())
    from apprise import Apprise, AppriseAsset

    try:
        server = Apprise.instantiate(url.strip(), asset=AppriseAsset(http_redirects=False))
    except Exception:
        # A plugin that trips over a URL says so in words that quote it.
        return None
    if server is not None:
        # The URL may ask for redirects itself (redirect=yes): a message must not go on to whoever an answer names.
        server.redirects = False
    return server

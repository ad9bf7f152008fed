"""Messages to people about a run, sent through Apprise: one URL each.

https://appriseit.com lists the services. A whole URL is a secret: only its scheme is ever printed.
"""

from __future__ import annotations

import logging
import re
import shlex
import socket
import sys
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from fleetsweep import exit_codes
from fleetsweep.errors import UsageError
from fleetsweep.model.report import FleetReport, HostReport
from fleetsweep.model.survey import Status
from fleetsweep.report import fleet_totals, host_note, host_totals, printable
from fleetsweep.report.cells import NAME_LIMIT
from fleetsweep.report.escape import ELLIPSIS
from fleetsweep.report.groups import grouped, names
from fleetsweep.report.problems import guard_line, warning_lines
from fleetsweep.report.totals import remaining

if TYPE_CHECKING:
    from apprise import NotifyBase

    from fleetsweep.notify.dispatch import RerunCommand

REQUIREMENT: Final = "apprise>=1.11"
"""What the extra ``notify`` installs. The remedy names it, since an index may have another package fleetsweep."""

HOST_LIMIT: Final = 20
"""Lines of hosts in one message. It should fit a phone's screen, and most services cut it at 2,000 characters."""

RERUN_HOST_LIMIT: Final = 5
"""Hosts that the command to look again names one by one."""

LINE_LIMIT: Final = 1_000

NAMES_A_HOST: Final = 3
"""Stale containers that are named of one host; the others are counted."""

NAMES_LENGTH: Final = 600
"""Characters that the names of all hosts may take in one message. The counts stay."""

WARNING_LIMIT: Final = 5
"""Warnings in one message."""

# What services turn into links, mentions or markup is not in it. A dot before a letter may end a domain's name.
_UNSAFE: Final = re.compile(r"[^A-Za-z0-9_.-]|\.(?=[A-Za-z])")


@dataclass(frozen=True, slots=True)
class Message:
    """Plain text. Of a box it has container names only, escaped."""

    title: str
    body: str
    good: bool
    warns: bool = False


def compose(report: FleetReport, rerun: RerunCommand, failure: str = "") -> Message:
    """Return the message about a run: how it ended, its hosts (problems first), and the commands to look into it.

    ``failure`` is the error of a run that ended before it had hosts.
    """
    dry = " (dry run)" if report.dry_run else ""
    title = f"fleetsweep {report.command}{dry}: exit {report.exit_code}, {exit_codes.meaning(report.exit_code)}"
    if report.warnings:
        title += f"; {len(report.warnings)} warning{'' if len(report.warnings) == 1 else 's'}"
    lines = [printable(failure, LINE_LIMIT)] if failure else []
    if report.guard:
        lines.append(f"fleet: {guard_line(report.guard)}")
    hosts = sorted(report.hosts, key=lambda host: host.status is Status.OK)
    stale = _stale_by_host(hosts)
    hosts.sort(key=lambda host: (host.status is Status.OK, not _result(host, stale)))

    def result(host: HostReport) -> str:
        return ", ".join(filter(None, (host.status.value, _result(host, stale))))

    groups = grouped(hosts, result)
    lines += [f"{names([host.host for host in group])}: {result(group[0])}" for group in groups[:HOST_LIMIT]]
    if len(groups) > HOST_LIMIT:
        lines.append(f"and {sum(map(len, groups[HOST_LIMIT:]))} more")
    lines += [f"{owner}: warning: {text}" for owner, text in warning_lines(report, WARNING_LIMIT)]
    if report.hosts:
        totals = fleet_totals(report)
        counts = totals.counts
        lines.append(
            f"{totals.statuses[Status.OK]} of {totals.hosts} hosts ok; {counts.containers} containers, "
            f"{counts.matched} matched, {counts.stale} stale, {counts.removed} removed"
        )
    lines += ["", f"Look again: {printable(look_again(report, rerun), LINE_LIMIT)}"]
    lines.append(f"Run {printable(report.run_id, NAME_LIMIT)} on {_here()}" if report.run_id else f"On {_here()}")
    if report.run_id and rerun.show is not None:
        show = shlex.join(["fleetsweep", "show", report.run_id, *rerun.show])
        lines.append(f"Show the run: {printable(show, LINE_LIMIT)}")
    good = report.exit_code == exit_codes.OK
    return Message(title, "\n".join(lines).strip(), good=good, warns=bool(report.warnings))


def _result(host: HostReport, stale: Mapping[str, str]) -> str:
    """Return what is unusual about a host. Hosts with the same share a line."""
    return ", ".join(filter(None, (host_note(host, host_totals(host)), stale.get(host.host.name, ""))))


def _stale_by_host(hosts: Sequence[HostReport]) -> Mapping[str, str]:
    """Return how many stale containers each host still has and the first names, of as many hosts as have room."""
    found: dict[str, str] = {}
    room = NAMES_LENGTH
    for host in hosts:
        left = remaining(host)
        if left:
            shown = [_UNSAFE.sub(_escaped, printable(each.container.name, NAME_LIMIT)) for each in left[:NAMES_A_HOST]]
            more = f" and {len(left) - len(shown)} more" if len(left) > len(shown) else ""
            text = f" ({', '.join(shown)}{more})"
            room -= len(text)
            found[host.host.name] = f"{len(left)} stale" + (text if room >= 0 else "")
    return found


def _escaped(found: re.Match[str]) -> str:
    """Return a character as printable() would escape it; a backslash of its own escapes stays."""
    character = found[0]
    return character if character in {"\\", ELLIPSIS} else f"\\x{ord(character):02x}"


def _here() -> str:
    return printable(socket.gethostname() or "localhost", NAME_LIMIT)


def look_again(report: FleetReport, rerun: RerunCommand) -> str:
    """Return the command that audits the hosts that are not ok, or all of the run's if none or many are not ok."""
    chosen = rerun.chosen
    not_ok = [host.host.name for host in report.hosts if host.status is not Status.OK]
    if rerun.narrow and 0 < len(not_ok) <= RERUN_HOST_LIMIT:
        chosen = tuple(word for name in not_ok for word in ("--host", name))
    return shlex.join(["fleetsweep", "audit", *rerun.look, *chosen])


def check(urls: Sequence[str]) -> None:
    """Raise UsageError for a URL that Apprise can't parse. Sends nothing.

    Without Apprise no URL can be checked, and the failure to send is reported at the end of the run: monitoring must
    not prevent a sweep.
    """
    for number, url in enumerate(urls, 1):
        if not url.strip():
            raise UsageError("--notify is empty: is a variable in it not set?")
        if not missing() and _server(url) is None:
            raise UsageError(f"--notify: Apprise can't parse URL {number} of {len(urls)} ({scheme(url)})")


def readable(urls: Sequence[str]) -> tuple[str, ...]:
    """Return the URLs that Apprise can parse; none where Apprise is not installed."""
    return () if missing() else tuple(url for url in urls if _server(url) is not None)


def send(url: str, message: Message) -> str:
    """Send a message; return an error, or an empty string. Redirects are not followed: they leave the given service."""
    if problem := missing():
        return problem
    server = _server(url)
    if server is None:
        return "Apprise can't parse the URL"
    from apprise import Apprise, NotifyFormat, NotifyType

    # Their messages quote the URL.
    logging.getLogger("urllib3").propagate = False
    warnings.filterwarnings("ignore", message="Unverified HTTPS request")
    apprise = Apprise()
    apprise.add(server)
    sent = apprise.notify(
        body=message.body,
        title=message.title,
        notify_type=NotifyType.FAILURE
        if not message.good
        else NotifyType.WARNING
        if message.warns
        else NotifyType.SUCCESS,
        body_format=NotifyFormat.TEXT,
    )
    return "" if sent else "the service rejected it or is unreachable"


def scheme(url: str) -> str:
    """Return the part of a URL that may be printed."""
    found = re.match(r"\s*([A-Za-z][A-Za-z0-9+.-]{0,31})://", url)
    return f"{found[1].lower()}://…" if found else "without a scheme"


def missing() -> str:
    """Return how to install Apprise, or an empty string if it is installed."""
    try:
        import apprise  # noqa: F401
    except ImportError:
        return f"it needs Apprise: {shlex.quote(sys.executable)} -m pip install '{REQUIREMENT}'"
    return ""


def _server(url: str) -> NotifyBase | None:
    # Apprise logs a URL that it can't parse.
    logging.getLogger("apprise").propagate = False
    logging.getLogger("apprise").addHandler(logging.NullHandler())
    from apprise import Apprise, AppriseAsset

    try:
        server = Apprise.instantiate(url.strip(), asset=AppriseAsset(http_redirects=False))
    except Exception:
        # A plugin's exception may quote the URL.
        return None
    if server is not None:
        # A URL can turn redirects on (redirect=yes): a message must not leave the given service.
        server.redirects = False
    return server

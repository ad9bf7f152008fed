"""What must be acted on now, with the remedy: the top of the page."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from markupsafe import Markup

from fleetsweep import exit_codes
from fleetsweep.model.container import SECOND
from fleetsweep.model.overview import HostNow, LastRun, Overview
from fleetsweep.report.archive import decompress
from fleetsweep.report.cells import humanize
from fleetsweep.report.html.cells import (
    MOST_ROWS,
    Table,
    ago,
    box,
    code,
    count,
    cut,
    host_rows,
    image,
    message,
    more,
    number,
    short_id,
    when,
)

NOT_SEEN_NS: Final = 36 * 3_600 * SECOND
"""Nanoseconds since its last survey after which a host counts as not seen: a daily run, with half a day to spare."""

_LATE_RUNS: Final = 3
_LATE_NS: Final = 3_600 * SECOND
_NOT_REACHED: Final = frozenset({"unreachable", "failed", "interrupted"})


@dataclass(frozen=True, slots=True)
class Item:
    """One thing to act on. ``advice`` is the remedy."""

    name: str
    title: str
    advice: Markup
    table: Table | None = None


def items(fleet: Overview) -> tuple[Item, ...]:
    """Return what must be acted on, the most urgent first; empty if there is nothing."""
    return tuple(_items(fleet)) or tuple(_exit_code(fleet.last_run))


def not_seen(fleet: Overview) -> tuple[HostNow, ...]:
    """Return the hosts that no run has surveyed for NOT_SEEN_NS, the longest first; those never surveyed lead."""
    before_ns = fleet.period.now_ns - NOT_SEEN_NS
    silent = [host for host in fleet.hosts if (host.surveyed_ns or 0) < before_ns]
    return tuple(sorted(silent, key=lambda host: (host.surveyed_ns or 0, host.name)))


def not_reached(fleet: Overview) -> tuple[HostNow, ...]:
    """Return the hosts that the last run to select them could not survey."""
    return tuple(host for host in fleet.hosts if host.status in _NOT_REACHED)


def _items(fleet: Overview) -> Iterator[Item]:
    yield from _no_run(fleet)
    yield from _unreached(fleet)
    yield from _guarded(fleet)
    yield from _stale(fleet)
    yield from _silent(fleet)
    yield from _open(fleet)
    yield from _warned(fleet.last_run)


def _no_run(fleet: Overview) -> Iterator[Item]:
    now_ns, interval_ns, last = fleet.period.now_ns, fleet.period.interval_ns, fleet.last_run
    check = Markup("Check the timer or the job that starts the runs: {}").format(code("fleetsweep schedule"))
    if last is None or not fleet.hosts:
        yield Item("no-run", "No run that ended is recorded: nothing is known about the fleet", check)
    if last is None:
        return
    limit_ns = NOT_SEEN_NS if interval_ns is None else _LATE_RUNS * interval_ns + _LATE_NS
    if now_ns - last.finished_ns > limit_ns:
        usual = "" if interval_ns is None else f", and they usually start every {humanize(interval_ns // SECOND)}"
        title = f"The last run ended {ago(last.finished_ns, now_ns)}{usual}"
        yield Item("no-run", title, Markup("This page shows how the fleet was then. {}.").format(check))
    if fleet.unended is not None and now_ns - fleet.unended.started_ns > limit_ns:
        advice = Markup("It was killed, or still runs: {}.").format(code(f"fleetsweep show {fleet.unended.id}"))
        yield Item("unended", f"The run that began {ago(fleet.unended.started_ns, now_ns)} has not ended", advice)


def _unreached(fleet: Overview) -> Iterator[Item]:
    hosts = not_reached(fleet)
    if not hosts:
        return
    shown, rest = host_rows(
        sorted(hosts, key=lambda host: (host.surveyed_ns or 0, host.name)),
        lambda host: (host.status, message(host.error), when(host.surveyed_ns, "never"), when(host.asked_ns)),
    )
    table = Table(
        "Hosts that could not be surveyed",
        ("Host", "Status", "Error", "Last surveyed", "Tried"),
        shown,
        more=more(rest, "host"),
    )
    advice = Markup("{} prints the phase that fails and the remedy.").format(code("fleetsweep doctor --host NAME"))
    yield Item("unreached", f"{count(len(hosts), 'host')} could not be surveyed", advice, table)


def _guarded(fleet: Overview) -> Iterator[Item]:
    hosts = [host for host in fleet.hosts if host.guard or host.status == "guarded"]
    if not hosts:
        return
    shown, rest = host_rows(hosts, lambda host: (host.guard or "guarded", message(host.error), when(host.asked_ns)))
    table = Table("Hosts under a guard", ("Host", "Guard", "Why", "Run"), shown, more=more(rest, "host"))
    advice = Markup(
        "Nothing is removed there until the cause is gone. docs/safety.md lists the guards and their limits."
    )
    yield Item("guards", f"A guard stops {count(len(hosts), 'host')}", advice, table)


def _stale(fleet: Overview) -> Iterator[Item]:
    if not fleet.leaks:
        return
    now_ns = fleet.period.now_ns
    rows = [
        (
            box(leaks.host),
            number(leaks.count),
            humanize(max(0, now_ns - leaks.stale_since_ns) // SECOND),
            box(leaks.name),
            image(leaks.image),
            number(leaks.sweeps),
            when(leaks.seen_ns),
        )
        for leaks in sorted(fleet.leaks, key=lambda leaks: (leaks.stale_since_ns, leaks.host))
    ]
    shown, left = cut(rows, MOST_ROWS, "host")
    columns = ("Host", "Stale", "Stale for", "Oldest", "Its image", "Sweeps outlived", "Last seen")
    table = Table("Stale containers that were not removed", columns, shown, frozenset({1, 2, 5}), left)
    total = sum(leaks.count for leaks in fleet.leaks)
    advice = Markup("{} removes them; {} shows why one was not removed.").format(
        code("fleetsweep sweep"), code("fleetsweep explain NAME")
    )
    yield Item("stale", f"{count(total, 'stale container')} not removed", advice, table)


def _silent(fleet: Overview) -> Iterator[Item]:
    last_ns = fleet.last_run.started_ns if fleet.last_run else 0
    hosts = [host for host in not_seen(fleet) if host.status not in _NOT_REACHED and host.asked_ns < last_ns]
    if not hosts:
        return
    shown, rest = host_rows(hosts, lambda host: (when(host.surveyed_ns, "never"), when(host.asked_ns)))
    table = Table(
        "Hosts that no run selects any more", ("Host", "Last surveyed", "Last selected"), shown, more=more(rest, "host")
    )
    advice = Markup("If they still run jobs, the inventory or the limit of the runs lost them: {}.").format(
        code("fleetsweep hosts")
    )
    title = f"{count(len(hosts), 'host')} not seen for more than {humanize(NOT_SEEN_NS // SECOND)}"
    yield Item("silent", title, advice, table)


def _open(fleet: Overview) -> Iterator[Item]:
    if not fleet.open_intents:
        return
    rows = [
        (box(each.host), box(each.name), short_id(each.container_id), when(each.at_ns), box(each.run))
        for each in fleet.open_intents
    ]
    shown, left = cut(rows, MOST_ROWS, "removal")
    table = Table("Removals without a known outcome", ("Host", "Name", "Id", "Begun", "Run"), shown, more=left)
    title = f"{count(len(rows), 'removal')} without a known outcome"
    yield Item("open", title, Markup("The next run that reaches the host finds out what became of them."), table)


def _exit_code(last: LastRun | None) -> Iterator[Item]:
    if last is not None and last.exit_code != exit_codes.OK:
        title = f"The last run ended with exit code {last.exit_code}: {exit_codes.meaning(last.exit_code)}"
        yield Item("exit-code", title, Markup("{} shows it.").format(code(f"fleetsweep show {last.id}")))


def _warned(last: LastRun | None) -> Iterator[Item]:
    rows = [] if last is None or last.head is None else list(_warnings(last.head))
    if rows:
        shown, left = cut(rows, MOST_ROWS, "warning")
        table = Table("Warnings of the last run", ("Where", "What", "Remedy"), shown, more=left)
        yield Item("warnings", f"{count(len(rows), 'warning')} of the last run", Markup(""), table)


def _warnings(head: bytes) -> Iterator[Sequence[str]]:
    """Yield a row for each warning in the first part of a stored report. A report that can't be read has none."""
    try:
        found = decompress([head]).get("warnings")
    except (ValueError, json.JSONDecodeError):
        return
    for each in found if isinstance(found, list) else ():
        if isinstance(each, dict):
            host = each.get("host")
            where = "the fleet" if host is None else box(str(host))
            yield where, message(str(each.get("message", ""))), message(str(each.get("remedy", "")))

"""Pieces of the page: text from a box, times, and tables."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Final, TypeVar

from markupsafe import Markup

from fleetsweep.inventory.folding import LIMIT
from fleetsweep.model.container import SECOND
from fleetsweep.model.host import Host
from fleetsweep.model.overview import HostNow, RunRow
from fleetsweep.report.cells import IMAGE_LIMIT, NAME_LIMIT, SHORT_ID, humanize, iso_utc
from fleetsweep.report.escape import printable
from fleetsweep.report.groups import grouped, impersonal, recorded_host
from fleetsweep.report.problems import owner

UNKNOWN: Final = "–"  # noqa: RUF001 - an en dash
"""The cell of a value that is not known or does not apply."""

MOST_ROWS: Final = 50

MESSAGE_LIMIT: Final = 240
"""Characters that are shown of a message."""


@dataclass(frozen=True, slots=True)
class Table:
    """A table whose first column names its rows. ``numbers`` are the columns with numbers; ``more`` is a last line."""

    caption: str
    columns: Sequence[str]
    rows: Sequence[Sequence[str]]
    numbers: frozenset[int] = frozenset()
    more: str = ""


def box(text: str, limit: int = NAME_LIMIT) -> Markup:
    """Return text from a box, printable and isolated from the direction of the text around it."""
    return Markup("<bdi>{}</bdi>").format(printable(text, limit) if text.strip() else "(blank)")


def message(text: str | None) -> Markup:
    """Return an error's or a guard's message."""
    return Markup('<bdi class="message">{}</bdi>').format(printable(text, MESSAGE_LIMIT)) if text else Markup("")


def image(text: str | None) -> str:
    """Return an image reference."""
    return UNKNOWN if text is None else box(text, IMAGE_LIMIT)


def short_id(container_id: str) -> Markup:
    """Return the first digits of a container's id, or the whole id of a volume or network."""
    return Markup("<code>{}</code>").format(box(container_id if ":" in container_id else container_id[:SHORT_ID]))


def code(text: str) -> Markup:
    """Return a command of ours."""
    return Markup("<code>{}</code>").format(printable(text))


def when(time_ns: int | None, otherwise: str = UNKNOWN) -> Markup:
    """Return a time to the minute, in UTC."""
    if time_ns is None:
        return Markup("{}").format(otherwise)
    iso = iso_utc(time_ns)
    return Markup('<time datetime="{}">{}</time>').format(iso, iso[:16].replace("T", " "))


def ago(time_ns: int, now_ns: int) -> str:
    """Return how long ago a time is, to the minute."""
    seconds = max(0, now_ns - time_ns) // SECOND
    return f"{humanize(seconds // 60 * 60 if seconds >= 60 else seconds)} ago"


def number(value: int | None) -> str:
    """Return a count."""
    return UNKNOWN if value is None else str(value)


def count(value: int, what: str, plural: str = "") -> str:
    """Return ``1 host`` or ``2 hosts``."""
    return f"{value} {what if value == 1 else plural or what + 's'}"


Known = TypeVar("Known", bound=HostNow | RunRow)


def host_rows(
    hosts: Sequence[Known], row: Callable[[Known], tuple[str, ...]], most: int = MOST_ROWS
) -> tuple[list[tuple[str, ...]], int]:
    """Return at most ``most`` rows, each with its host's name before the cells of ``row``, and how many hosts are left.

    Of more hosts, those with the same fault and the same cells share a row. The time that a run took there is the
    first one's.
    """
    named = [(recorded_host(each.name, each.endpoint), each) for each in hosts]
    groups: list[list[tuple[Host, Known]]] = [[each] for each in named]
    if len(named) > most:
        groups = grouped(named, lambda each: row(_alike(*each)))
    rows = [(_owner(shown), *row(shown[0][1])) for shown in groups[:most]]
    return rows, sum(len(rest) for rest in groups[most:])


def _alike(host: Host, known: Known) -> Known:
    """Return what hosts that share a row have in common."""
    error = impersonal(known.error or "", host)
    if isinstance(known, RunRow):
        return replace(known, error=error, duration_s=0.0)
    return replace(known, error=error)


def _owner(group: Sequence[tuple[Host, HostNow | RunRow]]) -> Markup:
    if len(group) == 1:
        return box(group[0][0].name)
    return box(owner([host for host, _ in group], alike=len({known.error for _, known in group}) == 1), LIMIT)


def cut(rows: Sequence[Sequence[str]], most: int, what: str) -> tuple[Sequence[Sequence[str]], str]:
    """Return at most ``most`` rows, and a line about the others."""
    return rows[:most], more(len(rows) - most, what)


def more(rest: int, what: str) -> str:
    """Return a line about the rows that are not shown; an empty one for none."""
    return f"… and {count(rest, f'more {what}')}" if rest > 0 else ""

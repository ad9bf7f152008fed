"""Sums over many runs: leaks, removals and orphan time by image, label, host or group, and by period. Pure."""

from __future__ import annotations

import math
import statistics
from bisect import bisect_right
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Final

from fleetsweep.model.container import SECOND
from fleetsweep.model.leak_history import LeakHistory, PastLeak

MIN_RUNS: Final = 10
"""Runs below which no rate is given: one leak in two runs says little."""

FLEET: Final = ""
"""The key of By.FLEET."""

_DAY_NS: Final = 86_400 * SECOND


class By(StrEnum):
    """What the sums are grouped by."""

    FLEET = "fleet"
    IMAGE = "image"
    LABEL = "label"
    HOST = "host"
    GROUP = "group"


class Per(StrEnum):
    """The length of a period, in UTC."""

    DAY = "day"
    WEEK = "week"


@dataclass(frozen=True, slots=True)
class Grouping:
    """What the sums are grouped by. ``label`` is the key of By.LABEL."""

    by: By
    label: str = ""


@dataclass(frozen=True, slots=True)
class Span:
    """A time from ``since_ns`` up to ``until_ns``."""

    since_ns: int
    until_ns: int


@dataclass(frozen=True, slots=True)
class LeakSums:
    """The sums of one span.

    ``runs`` counts the runs that looked. Where none did, nothing is known and ``known`` is False. ``leaks`` were first
    seen in the span, ``still_there`` were not gone at its end. ``orphan_s`` are seconds between going stale and going,
    as far as they are in the span. ``median_s`` and ``p95_s`` are of whole such times, up to the span's end, of all
    leaks that were there in it; None without one.
    """

    span: Span
    runs: int
    leaks: int
    removals: int
    still_there: int
    orphan_s: float
    median_s: float | None
    p95_s: float | None

    @property
    def known(self) -> bool:
        """Whether a run looked."""
        return self.runs > 0

    @property
    def leaks_per_run(self) -> float | None:
        """Leaks divided by runs; None for fewer than MIN_RUNS runs."""
        return self.leaks / self.runs if self.runs >= MIN_RUNS else None


@dataclass(frozen=True, slots=True)
class LeakGroup:
    """The sums of one image, label value, host or group; ``key`` is None for containers without one.

    ``new`` is True if its first leak is in the span; None if the journal began no earlier.
    """

    key: str | None
    new: bool | None
    total: LeakSums
    periods: tuple[LeakSums, ...]


def periods_of(span: Span, per: Per | None) -> tuple[Span, ...]:
    """Return the days or weeks, by UTC, that a span touches, oldest first; none without ``per``."""
    if per is None:
        return ()
    found = []
    start_ns = start_of(span.since_ns, per)
    length_ns = _DAY_NS * (7 if per is Per.WEEK else 1)
    while start_ns < span.until_ns:
        found.append(Span(start_ns, start_ns + length_ns))
        start_ns += length_ns
    return tuple(found)


def start_of(at_ns: int, per: Per) -> int:
    """Return when the day or the week (from Monday) of a time began, by UTC."""
    day = datetime.fromtimestamp(at_ns // SECOND, UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    start = day - timedelta(days=day.weekday() if per is Per.WEEK else 0)
    return int(start.timestamp()) * SECOND


def period_name(span: Span, per: Per) -> str:
    """Return ``2026-06-15`` or, for a week, ``2026-W25``."""
    start = datetime.fromtimestamp(span.since_ns // SECOND, UTC)
    return f"{start:%G-W%V}" if per is Per.WEEK else f"{start:%Y-%m-%d}"


def percentile(values: Sequence[float], share: float) -> float | None:
    """Return the nearest-rank percentile of sorted values, the 95th for a ``share`` of 0.95; None without any."""
    return values[max(0, math.ceil(share * len(values)) - 1)] if values else None


def sum_leaks(history: LeakHistory, grouping: Grouping, per: Per | None, now_ns: int) -> tuple[LeakGroup, ...]:
    """Return the sums of each group: the new leakers first, then the most leaks, the longest orphan time, by name.

    Hosts that no run looked at, and groups of such hosts, come last. ``now_ns`` ends what is still there.
    """
    whole = Span(history.since_ns, history.until_ns)
    spans = (whole, *periods_of(whole, per))
    keys = _Keys(history, grouping)
    tallies = {key: [_Tally(span) for span in spans] for key in keys.known()}
    _count_leaks(history.leaks, keys, spans, tallies, now_ns)
    _count_removals(history, keys, spans, tallies)
    runs = _count_runs(history, keys, spans)
    older = {key for leak in history.leaks if leak.first_seen_ns < whole.since_ns for key in keys.of_leak(leak)}
    comparable = history.first_run_ns is not None and history.first_run_ns < whole.since_ns
    groups = []
    for key, found in tallies.items():
        looks = runs(key)
        total, *periods = (tally.sums(looks[at]) for at, tally in enumerate(found))
        new = total.leaks > 0 and key not in older if comparable else None
        groups.append(LeakGroup(key, new, total, tuple(periods)))
    return tuple(sorted(groups, key=_order))


def _order(group: LeakGroup) -> tuple[object, ...]:
    total = group.total
    return (not total.known, not group.new, -total.leaks, -total.orphan_s, group.key is None, group.key or "")


@dataclass(slots=True)
class _Tally:
    span: Span
    leaks: int = 0
    removals: int = 0
    still_there: int = 0
    orphan_ns: int = 0
    durations_s: list[float] = field(default_factory=list)

    def sums(self, runs: int) -> LeakSums:
        self.durations_s.sort()
        return LeakSums(
            self.span,
            runs,
            self.leaks,
            self.removals,
            self.still_there,
            self.orphan_ns / SECOND,
            statistics.median(self.durations_s) if self.durations_s else None,
            percentile(self.durations_s, 0.95),
        )


class _Keys:
    """Which groups a leak, a removal or a host belongs to."""

    def __init__(self, history: LeakHistory, grouping: Grouping) -> None:
        self._history = history
        self._grouping = grouping

    def of_leak(self, leak: PastLeak) -> tuple[str | None, ...]:
        """Return the groups of a leak."""
        return self.of(leak.host, leak.image, leak.attributes)

    def of(self, host: str, image: str | None, attributes: Mapping[str, str]) -> tuple[str | None, ...]:
        """Return the groups of a container."""
        if self._grouping.by is By.IMAGE:
            return (image,)
        if self._grouping.by is By.LABEL:
            return (attributes.get(self._grouping.label),)
        return self.of_host(host)

    def of_host(self, host: str) -> tuple[str | None, ...]:
        """Return the groups of a host; all hosts are one where the groups are not made of hosts."""
        if self._grouping.by is By.HOST:
            return (host,)
        if self._grouping.by is By.GROUP:
            return self._history.groups.get(host) or (None,)
        return (FLEET,)

    def looked_at(self, key: str | None) -> str | None:
        """Return the group of hosts that runs look at to know about ``key``: any host may have an image or a label."""
        return key if self._grouping.by in (By.HOST, By.GROUP) else FLEET

    def known(self) -> tuple[str | None, ...]:
        """Return the groups that are listed even without a leak."""
        if self._grouping.by in (By.IMAGE, By.LABEL):
            return ()
        listed = dict.fromkeys(key for host in self._history.hosts for key in self.of_host(host))
        return tuple(listed) or ((FLEET,) if self._grouping.by is By.FLEET else ())


def _count_leaks(
    leaks: Iterable[PastLeak],
    keys: _Keys,
    spans: Sequence[Span],
    tallies: dict[str | None, list[_Tally]],
    now_ns: int,
) -> None:
    starts = [span.since_ns for span in spans[1:]]
    for leak in leaks:
        end_ns = now_ns if leak.ended_ns is None else leak.ended_ns
        begin_ns = min(leak.stale_since_ns, leak.first_seen_ns)
        if end_ns < spans[0].since_ns or begin_ns >= spans[0].until_ns:
            continue
        touched = [0]
        for at in range(max(1, bisect_right(starts, begin_ns)), len(spans)):
            if spans[at].since_ns > end_ns:
                break
            touched.append(at)
        for key in keys.of_leak(leak):
            found = tallies.setdefault(key, [_Tally(span) for span in spans])
            for at in touched:
                _add(found[at], leak, end_ns)


def _add(tally: _Tally, leak: PastLeak, end_ns: int) -> None:
    span = tally.span
    until_ns = min(end_ns, span.until_ns)
    tally.leaks += span.since_ns <= leak.first_seen_ns < span.until_ns
    tally.still_there += leak.ended_ns is None or leak.ended_ns >= span.until_ns
    tally.orphan_ns += max(0, until_ns - max(leak.stale_since_ns, span.since_ns))
    tally.durations_s.append(max(0, until_ns - leak.stale_since_ns) / SECOND)


def _count_removals(
    history: LeakHistory, keys: _Keys, spans: Sequence[Span], tallies: dict[str | None, list[_Tally]]
) -> None:
    starts = [span.since_ns for span in spans[1:]]
    for removal in history.removals:
        for key in keys.of(removal.host, removal.image, removal.attributes):
            found = tallies.setdefault(key, [_Tally(span) for span in spans])
            found[0].removals += 1
            at = bisect_right(starts, removal.at_ns)
            if at:
                found[at].removals += 1


def _count_runs(history: LeakHistory, keys: _Keys, spans: Sequence[Span]) -> Callable[[str | None], Sequence[int]]:
    """Return a function that returns how many runs looked at a group's hosts, in each span."""
    starts = [span.since_ns for span in spans[1:]]
    found: dict[str | None, list[set[int]]] = {}
    for look in history.looks:
        at = bisect_right(starts, look.at_ns)
        for key in keys.of_host(look.host):
            runs = found.setdefault(key, [set() for _ in spans])
            runs[0].add(look.run)
            if at:
                runs[at].add(look.run)
    counts = {key: [len(each) for each in runs] for key, runs in found.items()}
    nothing = [0] * len(spans)
    return lambda key: counts.get(keys.looked_at(key), nothing)

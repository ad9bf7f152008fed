"""What a run reads from its journal and writes to it. An audit goes on without a journal; a removal does not."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING

from fleetsweep.console import warn
from fleetsweep.errors import FleetsweepError, UsageError
from fleetsweep.exit_codes import INCOMPLETE, worst
from fleetsweep.model.leak import LeaksSeen
from fleetsweep.model.report import FleetReport, HostReport
from fleetsweep.model.survey import Status
from fleetsweep.notify.dispatch import NotifyConfig

if TYPE_CHECKING:
    from fleetsweep.cli.config import RunConfig
    from fleetsweep.model.intent import OpenIntent
    from fleetsweep.store.journal import Journal

log = logging.getLogger(__name__)


def open_journal(config: RunConfig, run_id: str) -> Journal | None:
    """Return the run's journal, or None where an audit goes on without one. Raises UsageError."""
    from fleetsweep.store.journal import Journal

    try:
        return Journal(config.state_dir, run_id, config.command, dry_run=config.dry_run)
    except UsageError as error:
        # How long a host has been silent is known from the journal alone.
        if config.remove or config.max_silence_s is not None:
            raise
        warn(f"{error}: this run is not recorded")
        return None


def row_recorder(config: RunConfig, journal: Journal) -> Callable[[HostReport], None]:
    """Return a function that records a row while the run goes on. If that fails, ``finish`` reports it."""

    def record(row: HostReport) -> None:
        with suppress(FleetsweepError):
            journal.record_host(row, looked=config.saved is None)

    return record


def finish(config: RunConfig, journal: Journal | None, report: FleetReport) -> int:
    """Record how the run ended and return its exit code: a sweep that could not be recorded is incomplete."""
    if journal is None:
        return report.exit_code
    try:
        leaks, documents = _to_record(config, report)
        journal.finish(
            report,
            looked=config.saved is None,
            leaks=leaks,
            documents=documents,
            forget_before_ns=_forget_before_ns(config, journal, report),
        )
    except FleetsweepError as error:
        warn(f"{error}: this run is missing in the journal")
        return worst(report.exit_code, INCOMPLETE) if config.remove else report.exit_code
    return report.exit_code


def stale_counts(config: RunConfig) -> Mapping[str, Sequence[int]]:
    """Return how many candidates past runs found on each host that has the guard ``anomaly``.

    Raises UsageError where the journal can't be read and the run removes.
    """
    guarded = [name for name, policy in config.policies.items() if policy.anomaly]
    if not guarded:
        return {}
    from fleetsweep.store.journal import NoJournalError
    from fleetsweep.store.journal.past import stale_counts

    try:
        return stale_counts(config.state_dir, config.command, guarded)
    except NoJournalError:
        return {}
    except UsageError as error:
        if config.remove:
            raise UsageError(f"--anomaly: {error}") from error
        warn(f"{error}: anomalies are not looked for")
        return {}


def with_warnings(config: RunConfig, journal: Journal | None, report: FleetReport) -> FleetReport:
    """Return the report with its warnings. A journal that can't be read, or a bug, costs the warnings only."""
    if journal is None or config.command not in {"audit", "sweep"}:
        return report
    from fleetsweep.policy.warnings import fleet_warnings, lacks_match, still_stale
    from fleetsweep.store.journal.past import past_of_hosts

    rows, looked = report.hosts, config.saved is None
    guarded = [row.host.name for row in rows if row.guarded_by]
    if report.guard is not None:
        # What stops the whole fleet is in each host's row.
        guarded += [row.host.name for row in rows if not row.guarded_by][:1]
    try:
        past = past_of_hosts(
            journal,
            config.command,
            unmatched=[row.host.name for row in rows if looked and lacks_match(row)],
            stale=[row.host.name for row in rows if looked and still_stale(row)],
            guarded=guarded,
        )
        return replace(report, warnings=fleet_warnings(report, past, looked=looked))
    except FleetsweepError as error:
        warn(f"{error}: what has been of no use for many runs is not reported")
    except Exception:
        log.exception("a bug in the warnings")
    return report


def _to_record(config: RunConfig, report: FleetReport) -> tuple[Mapping[str, LeaksSeen], Sequence[bytes]]:
    """Return each host's leaks and the report's parts. A bug costs these, not the record of the run."""
    from fleetsweep.policy.leaks import leaks_of
    from fleetsweep.report.archive import compress

    try:
        seen = {row.host.name: leaks_of(row, config.policies[row.host.name]) for row in report.hosts}
        return {name: leaks for name, leaks in seen.items() if leaks is not None}, list(compress(report))
    except Exception:
        log.exception("a bug in the record of the run")
        return {}, ()


def _forget_before_ns(config: RunConfig, journal: Journal, report: FleetReport) -> int | None:
    """Return the time before which runs and holds are forgotten; None where this machine's clock may be wrong."""
    from fleetsweep.policy.retention import clock_is_sound
    from fleetsweep.store.journal import KEPT_NS

    if config.saved is not None:
        # The skews in its rows are from the survey that made the plan.
        return None
    skews = [row.plan.skew_s for row in report.hosts if row.plan is not None]
    if not clock_is_sound(skews, journal.previous_run_ns(), report.started_ns, report.finished_ns):
        return None
    return min(report.started_ns, report.finished_ns) - KEPT_NS


def with_holds(config: RunConfig) -> RunConfig:
    """Return the config with the present holds. Raises UsageError where they are unreadable and the run removes."""
    from fleetsweep.store.journal import holds

    try:
        held = {hold.container_id: hold.words for hold in holds(config.state_dir, time.time_ns())}
    except UsageError as error:
        if config.remove:
            raise
        warn(f"{error}: holds are not known")
        return config
    if not held:
        return config
    return replace(config, policies={name: replace(policy, held=held) for name, policy in config.policies.items()})


def with_past(config: RunConfig, journal: Journal | None, report: FleetReport) -> NotifyConfig:
    """Return where the run's result is sent, with what the journal has from before it of those that fail now."""
    notify = config.notify
    if journal is None:
        return notify.without_journal()
    try:
        if notify.exports:
            from fleetsweep.store.journal.totals import last_successes

            failing = [row.host.name for row in report.hosts if row.status is not Status.OK]
            notify = replace(notify, last_successes=last_successes(journal, config.command, failing))
        return replace(notify, news=_has_news(config, journal, report))
    except FleetsweepError as error:
        warn(f"{error}: the last successes of hosts that fail now are not known")
        return notify


def _has_news(config: RunConfig, journal: Journal, report: FleetReport) -> bool:
    """Whether the run has a warning that the last runs of this command did not have. Raises JournalError."""
    if not (config.notify.notify and report.warnings):
        return False
    from fleetsweep.report.archive import decompress
    from fleetsweep.store.journal.past import recent_heads

    old: set[object] = set()
    for head in recent_heads(journal, config.command):
        with suppress(ValueError, TypeError, KeyError):
            warnings = decompress([head])["warnings"]
            old |= {(each["kind"], each["host"]) for each in warnings} if isinstance(warnings, list) else set()
    return any((warning.kind.value, warning.host) not in old for warning in report.warnings)


def with_counters(config: RunConfig, journal: Journal | None, sent: NotifyConfig) -> NotifyConfig:
    """Return where the run's result is sent, with the journal's counters, this run included."""
    if journal is None or not sent.exports:
        return sent
    from fleetsweep.store.journal.totals import counters

    try:
        return replace(sent, counters=counters(journal, config.command))
    except FleetsweepError as error:
        warn(f"{error}: the counters are not known")
        return sent


def last_looks(config: RunConfig, journal: Journal | None) -> Mapping[str, int]:
    """Return when each host was last surveyed, in ns, if --max-silence asks for it. Raises UsageError."""
    if journal is None or config.max_silence_s is None:
        return {}
    try:
        return journal.last_looks()
    except FleetsweepError as error:
        raise UsageError(f"--max-silence: {error}") from error


def open_intents(config: RunConfig, journal: Journal | None, holder: str) -> Sequence[OpenIntent]:
    """Return the removals that earlier runs left open; none while another sweep works on them. Raises UsageError."""
    from fleetsweep.store.state_dir import try_sweep_lock

    if journal is None:
        return ()
    try:
        if config.remove:
            return journal.open_intents()
        with try_sweep_lock(config.state_dir, holder) as free:
            return journal.open_intents() if free else ()
    except FleetsweepError as error:
        if config.remove:
            raise UsageError(str(error)) from error
        return ()

"""A run as Prometheus metrics: gauges of this run, and counters of the journal.

Names and units follow https://prometheus.io/docs/practices/naming/. An unknown value is absent, never 0.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from fleetsweep import exit_codes
from fleetsweep.model.container import SECOND
from fleetsweep.model.journal import Counters, LastSuccesses
from fleetsweep.model.report import FleetReport, HostReport, WarningKind
from fleetsweep.model.survey import Status
from fleetsweep.report import host_totals, printable
from fleetsweep.report.totals import counted_plan, exit_code, remaining

if TYPE_CHECKING:
    from prometheus_client import CollectorRegistry
    from prometheus_client.metrics_core import CounterMetricFamily

HOST_SUCCESS: Final = "fleetsweep_host_last_success_timestamp_seconds"
RUN_SUCCESS: Final = "fleetsweep_run_last_success_timestamp_seconds"
NEVER_SEEN: Final = "fleetsweep_host_never_seen"

_PER_HOST: Final = {
    "fleetsweep_host_containers": "Containers that the host's engine listed; absent if the host was not surveyed.",
    "fleetsweep_host_matched_containers": "Containers that a name, image or label pattern matched.",
    "fleetsweep_host_stale_containers": "Containers due for removal, whether or not a guard stopped it.",
    "fleetsweep_host_remaining_stale_containers": "Stale containers that are still there after the run.",
    "fleetsweep_host_removed_containers": "Containers that this run removed and the engine no longer lists.",
    "fleetsweep_host_oldest_stale_age_seconds": "Age of the oldest stale container; absent if none is stale.",
    "fleetsweep_host_oldest_remaining_stale_age_seconds": "Age of the oldest stale container that is still there after "
    "the run; absent if none is.",
    "fleetsweep_host_clock_skew_seconds": "The engine's clock minus this machine's; positive if it is ahead.",
    "fleetsweep_host_duration_seconds": "Time that this host took in the last run, waiting included.",
    "fleetsweep_host_exit_code": "Exit code that this host alone would give the run.",
    HOST_SUCCESS: "When this host was last surveyed without an error or a guard; kept while it fails, so alert on its "
    "age.",
    NEVER_SEEN: "1 if no run has ever surveyed this host, else 0; absent if the journal could not be read.",
}
_PER_RUN: Final = {
    "fleetsweep_run_exit_code": "Exit code of the last run: 0 all is well, 3 incomplete, 4 a guard tripped, "
    "5 a removal failed, 6 stale containers were found, 2 usage, 1 a bug.",
    "fleetsweep_run_start_timestamp_seconds": "When the last run started.",
    "fleetsweep_run_end_timestamp_seconds": "When the last run ended; alert on its age to notice that runs stopped.",
    "fleetsweep_run_duration_seconds": "Time that the last run took from start to end.",
    RUN_SUCCESS: "When a run last ended with exit code 0; absent until one does.",
}

_RUN_COUNTERS: Final = {
    "runs": ("fleetsweep_runs_total", "Runs in the journal; those that were refused before they began are not in it."),
    "failed_runs": ("fleetsweep_failed_runs_total", "Runs that ended with another exit code than 0 and 6."),
}
_HOST_COUNTERS: Final = {
    "guards": ("fleetsweep_host_guards_total", "Runs in which a guard stopped this host."),
    "failures": ("fleetsweep_host_failures_total", "Runs that could not survey this host, or failed on it."),
    "leaks": ("fleetsweep_host_leaks_total", "Containers that were found stale, by all commands, each counted once."),
    "removals": ("fleetsweep_host_removals_total", "Containers that were removed from this host."),
}

EarlierSuccesses = dict[tuple[str, str, str], float]
"""The time of the last success, in seconds since the epoch, by metric, command and host (empty for a run's)."""


@dataclass(frozen=True, slots=True)
class Known:
    """What the journal knows; None where it could not be read."""

    successes: LastSuccesses | None = None
    counters: Counters | None = None


NOTHING_KNOWN: Final = Known()


def job_labels(command: str, schedule: str) -> dict[str, str]:
    """Return the labels of all metrics of a job. A schedule without a name has no label for it."""
    return {"command": command, **({"schedule": schedule} if schedule else {})}


def registry(
    report: FleetReport, earlier: EarlierSuccesses, known: Known = NOTHING_KNOWN, schedule: str = ""
) -> CollectorRegistry:
    """Return the run's metrics, and none of this process. ``earlier`` are the successes before this run."""
    from prometheus_client import CollectorRegistry, Gauge

    made = CollectorRegistry(auto_describe=False)
    command = report.command
    labels = job_labels(command, schedule)
    names, job = [*labels], [*labels.values()]
    status = Gauge(
        "fleetsweep_host_status",
        "1 for the status that this host had in the last run, 0 for the others.",
        [*names, "host", "status"],
        registry=made,
    )
    hosts = {name: Gauge(name, words, [*names, "host"], registry=made) for name, words in _PER_HOST.items()}
    for host in report.hosts:
        name = printable(host.host.name)
        for each in Status:
            status.labels(*job, name, each.value).set(each is host.status)
        for metric, value in _host_values(host, report, earlier.get((HOST_SUCCESS, command, name)), known.successes):
            hosts[metric].labels(*job, name).set(value)
    if not report.hosts:
        # The run ended before it knew its hosts. Their last success stays, so that alerts on its age work.
        for (metric, earlier_command, name), value in earlier.items():
            if metric == HOST_SUCCESS and earlier_command == command:
                hosts[metric].labels(*job, name).set(value)
    runs = {name: Gauge(name, words, names, registry=made) for name, words in _PER_RUN.items()}
    for metric, value in _run_values(report, earlier.get((RUN_SUCCESS, command, ""))):
        runs[metric].labels(*job).set(value)
    if known.counters is not None and report.hosts:
        made.register(_CounterCollector(report, known.counters, labels))
        if report.command in {"audit", "sweep"}:
            _add_warnings(report, made, labels)
    return made


def _add_warnings(report: FleetReport, made: CollectorRegistry, labels: Mapping[str, str]) -> None:
    from prometheus_client import Gauge

    warned = {(warning.host, warning.kind) for warning in report.warnings}
    words = "1 while this makes the runs useless, else 0."
    names, job = [*labels], [*labels.values()]
    fleet = Gauge("fleetsweep_fleet_warning", f"On the fleet: {words}", [*names, "kind"], registry=made)
    hosts = Gauge("fleetsweep_host_warning", f"On this host: {words}", [*names, "host", "kind"], registry=made)
    for kind in WarningKind:
        fleet.labels(*job, kind.value).set((None, kind) in warned)
        for host in report.hosts:
            name = host.host.name
            hosts.labels(*job, printable(name), kind.value).set((name, kind) in warned)


class _CounterCollector:
    """The journal's counters of a run's command. Where nothing happened it is 0, so that the first event counts."""

    def __init__(self, report: FleetReport, counters: Counters, labels: Mapping[str, str]) -> None:
        self._labels = labels
        self._hosts = {host.host.name: printable(host.host.name) for host in report.hosts}
        self._counters = counters

    def collect(self) -> Iterator[CounterMetricFamily]:
        """Yield each counter with its samples."""
        from prometheus_client.metrics_core import CounterMetricFamily

        for name, (metric, words) in _RUN_COUNTERS.items():
            run = CounterMetricFamily(metric, words, labels=[*self._labels])
            run.add_metric([*self._labels.values()], self._counters.runs.get(name, 0))
            yield run
        for name, (metric, words) in _HOST_COUNTERS.items():
            hosts = CounterMetricFamily(metric, words, labels=[*self._labels, "host"])
            counted = self._counters.hosts.get(name, {})
            for host, shown in self._hosts.items():
                hosts.add_metric([*self._labels.values(), shown], counted.get(host, 0))
            yield hosts


def _host_values(
    host: HostReport, report: FleetReport, last_success: float | None, journal: LastSuccesses | None
) -> list[tuple[str, float]]:
    found: list[tuple[str, float | None]] = [
        ("fleetsweep_host_duration_seconds", host.duration_s),
        ("fleetsweep_host_exit_code", exit_code([host], None, fail_on_stale=False, stopped_by=None)),
    ]
    if counted_plan(host) is not None:
        totals, left = host_totals(host), remaining(host)
        ages = [decision.age_s for decision in left if decision.age_s is not None]
        found += [
            ("fleetsweep_host_containers", totals.containers),
            ("fleetsweep_host_matched_containers", totals.matched),
            ("fleetsweep_host_stale_containers", totals.stale),
            ("fleetsweep_host_removed_containers", totals.removed),
            ("fleetsweep_host_oldest_stale_age_seconds", totals.oldest_s),
            ("fleetsweep_host_remaining_stale_containers", len(left)),
            ("fleetsweep_host_oldest_remaining_stale_age_seconds", max(ages, default=None)),
        ]
    if host.plan is not None:
        found.append(("fleetsweep_host_clock_skew_seconds", host.plan.skew_s))
    good = host.plan is not None and host.fault is None and host.guarded_by is None
    success = report.finished_ns / SECOND if good else last_success
    found.append((HOST_SUCCESS, success))
    if host.plan is not None or success is not None:
        found.append((NEVER_SEEN, 0))
    elif journal is not None:
        found.append((NEVER_SEEN, host.host.name not in journal.seen))
    return [(metric, value) for metric, value in found if value is not None]


def _run_values(report: FleetReport, last_success: float | None) -> list[tuple[str, float]]:
    success = report.finished_ns / SECOND if report.exit_code == exit_codes.OK else last_success
    found = [
        ("fleetsweep_run_exit_code", report.exit_code),
        ("fleetsweep_run_start_timestamp_seconds", report.started_ns / SECOND),
        ("fleetsweep_run_end_timestamp_seconds", report.finished_ns / SECOND),
        ("fleetsweep_run_duration_seconds", (report.finished_ns - report.started_ns) / SECOND),
        (RUN_SUCCESS, success),
    ]
    return [(metric, value) for metric, value in found if value is not None]

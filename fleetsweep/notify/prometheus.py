"""A run as Prometheus metrics: a file for node-exporter's textfile collector, or a push to a Pushgateway.

Names and units: https://prometheus.io/docs/practices/naming/. What is not known of a host is absent, never 0.
"""

from __future__ import annotations

import base64
import errno
import re
import socket
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final
from urllib.error import HTTPError, URLError
from urllib.parse import unquote, urlsplit
from urllib.request import HTTPRedirectHandler, Request, build_opener

from fleetsweep import exit_codes
from fleetsweep.errors import UsageError
from fleetsweep.model.container import SECOND
from fleetsweep.model.journal import LastSuccesses
from fleetsweep.model.report import FleetReport, HostReport
from fleetsweep.model.survey import Status
from fleetsweep.report import host_totals, printable
from fleetsweep.report.totals import counted_plan
from fleetsweep.runtime import files

if TYPE_CHECKING:
    from prometheus_client import CollectorRegistry

TIMEOUT_S: Final = 10.0
PREVIOUS_LIMIT: Final = 64 * 1024 * 1024
"""Bytes of the last run's file that are read."""

HOST_SUCCESS: Final = "fleetsweep_host_last_success_timestamp_seconds"
RUN_SUCCESS: Final = "fleetsweep_run_last_success_timestamp_seconds"

_PER_HOST: Final = {
    "fleetsweep_host_containers": "Containers that the host's engine listed; absent where it was not surveyed.",
    "fleetsweep_host_matched_containers": "Containers that a name, image or label pattern matched.",
    "fleetsweep_host_stale_containers": "Containers that were to be removed, whether or not a guard forbade it.",
    "fleetsweep_host_removed_containers": "Containers that this run removed and the engine no longer lists.",
    "fleetsweep_host_oldest_stale_age_seconds": "Age of the oldest stale container; absent where none is stale.",
    "fleetsweep_host_clock_skew_seconds": "The engine's clock less this machine's; positive where it is ahead.",
    "fleetsweep_host_duration_seconds": "What this host took, waiting included.",
    HOST_SUCCESS: "When this host was last surveyed without a fault; kept while it fails, so alert on its age.",
}
_PER_RUN: Final = {
    "fleetsweep_run_exit_code": "The run's exit code: 0 all is well, 3 a host was not reached, 4 a guard tripped, "
    "5 a removal failed, 6 stale containers were found, 2 usage, 1 a bug.",
    "fleetsweep_run_start_timestamp_seconds": "When the last run began.",
    "fleetsweep_run_end_timestamp_seconds": "When the last run ended; its age tells of runs that never come.",
    "fleetsweep_run_duration_seconds": "What the last run took from start to end.",
    RUN_SUCCESS: "When a run last ended with exit code 0; absent until one does.",
}

Remembered = dict[tuple[str, str, str], float]
"""The last successes by metric, command and host (empty for the run's)."""


_SHUT: Final = {errno.EACCES, errno.EPERM, errno.EROFS}


def _missing() -> str:
    """What to do where the library is missing; nothing where it is there."""
    try:
        import prometheus_client  # noqa: F401
    except ImportError:
        return "it needs prometheus-client: pip install 'fleetsweep[metrics]'"
    return ""


def check_file(path: Path) -> None:
    """Raises UsageError where node-exporter would never read ``path``.

    Whether it can be written is not asked: that may be otherwise when the run has ended, and is told then. What
    watches a sweep must not keep it from running.
    """
    if not path.name.endswith(".prom") or path.name == ".prom":
        raise UsageError(f"--metrics: {path}: node-exporter reads only files whose names end in .prom")


def check_gateway(url: str) -> None:
    """Raises UsageError, without a word of the URL, where it is none of a Pushgateway."""
    try:
        parts = urlsplit(url)
        sound = parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except ValueError:
        sound = False
    if not sound or re.search(r"[\s\x00-\x1f?#]", url):
        raise UsageError("--push-gateway is not an address such as http://push.example.com:9091 (none of it is shown)")


def registry(report: FleetReport, before: Remembered) -> CollectorRegistry:
    """Return the run's metrics alone: none of this process. ``before`` is what the last run's said."""
    from prometheus_client import CollectorRegistry, Gauge

    made = CollectorRegistry(auto_describe=False)
    command = report.command
    status = Gauge(
        "fleetsweep_host_status",
        "1 for the status that this host had in the last run, 0 for the others.",
        ["command", "host", "status"],
        registry=made,
    )
    hosts = {name: Gauge(name, words, ["command", "host"], registry=made) for name, words in _PER_HOST.items()}
    for host in report.hosts:
        name = printable(host.host.name)
        for each in Status:
            status.labels(command, name, each.value).set(each is host.status)
        for metric, value in _host_values(host, report, before.get((HOST_SUCCESS, command, name))):
            hosts[metric].labels(command, name).set(value)
    if not report.hosts:
        # The run ended before it knew its hosts: they have not been looked at since all the same.
        for (metric, of, name), value in before.items():
            if metric == HOST_SUCCESS and of == command:
                hosts[metric].labels(command, name).set(value)
    runs = {name: Gauge(name, words, ["command"], registry=made) for name, words in _PER_RUN.items()}
    for metric, value in _run_values(report, before.get((RUN_SUCCESS, command, ""))):
        runs[metric].labels(command).set(value)
    return made


def _host_values(host: HostReport, report: FleetReport, before: float | None) -> list[tuple[str, float]]:
    found: list[tuple[str, float | None]] = [("fleetsweep_host_duration_seconds", host.duration_s)]
    if counted_plan(host) is not None:
        totals = host_totals(host)
        found += [
            ("fleetsweep_host_containers", totals.containers),
            ("fleetsweep_host_matched_containers", totals.matched),
            ("fleetsweep_host_stale_containers", totals.stale),
            ("fleetsweep_host_removed_containers", totals.removed),
            ("fleetsweep_host_oldest_stale_age_seconds", totals.oldest_s),
        ]
    if host.plan is not None:
        found.append(("fleetsweep_host_clock_skew_seconds", host.plan.skew_s))
    surveyed = host.plan is not None and host.fault is None
    found.append((HOST_SUCCESS, report.finished_ns / SECOND if surveyed else before))
    return [(metric, value) for metric, value in found if value is not None]


def _run_values(report: FleetReport, before: float | None) -> list[tuple[str, float]]:
    success = report.finished_ns / SECOND if report.exit_code == exit_codes.OK else before
    found = [
        ("fleetsweep_run_exit_code", report.exit_code),
        ("fleetsweep_run_start_timestamp_seconds", report.started_ns / SECOND),
        ("fleetsweep_run_end_timestamp_seconds", report.finished_ns / SECOND),
        ("fleetsweep_run_duration_seconds", (report.finished_ns - report.started_ns) / SECOND),
        (RUN_SUCCESS, success),
    ]
    return [(metric, value) for metric, value in found if value is not None]


def remembered(path: Path) -> Remembered:
    """Return the last successes that the file of an earlier run tells; none where it can't be read."""
    from prometheus_client.parser import text_string_to_metric_families

    found: Remembered = {}
    try:
        with files.open_regular(path) as file:
            text = file.read(PREVIOUS_LIMIT).decode()
        for family in text_string_to_metric_families(text):
            if family.name in {HOST_SUCCESS, RUN_SUCCESS}:
                for sample in family.samples:
                    key = (family.name, sample.labels.get("command", ""), sample.labels.get("host", ""))
                    found[key] = float(sample.value)
    except Exception:
        # Anybody may have written there, and the parser promises no kind of error. The file is replaced whole.
        return {}
    return found


def _by_journal(report: FleetReport, before: LastSuccesses | None) -> Remembered:
    if before is None:
        return {}
    hosts = {(HOST_SUCCESS, report.command, printable(name)): ns / SECOND for name, ns in before.hosts.items()}
    return hosts | ({} if before.run_ns is None else {(RUN_SUCCESS, report.command, ""): before.run_ns / SECOND})


def write(report: FleetReport, path: Path) -> str:
    """Replace ``path`` by the run's metrics, at once and readable to all; answers why that failed, or nothing."""
    if problem := _missing():
        return problem
    from prometheus_client import generate_latest

    text = generate_latest(registry(report, remembered(path)))
    try:
        files.replace(path, text, mode=0o644)
    except OSError as error:
        what = error.strerror or type(error).__name__
        if error.errno in _SHUT:
            what += f": this account must be able to replace files in {path.parent}: see docs/alerts.md"
        return what
    return ""


class _NoRedirects(HTTPRedirectHandler):
    """Metrics and the password with them go where the operator said, and nowhere on from there."""

    def redirect_request(self, *args: object, **kwargs: object) -> None:
        """Refuse: the 3xx answer is then an error like any other."""


def push(report: FleetReport, gateway: str, file: Path | None, before: LastSuccesses | None) -> str:
    """Put the run's metrics to a Pushgateway; answers why that failed, or nothing.

    The group is this command on this machine. The last successes are those that ``file`` remembers, or ``before``.
    A run that ended before it knew its hosts, and remembers none, leaves what the group has of them.
    """
    if problem := _missing():
        return problem
    from prometheus_client import push_to_gateway, pushadd_to_gateway

    earlier = remembered(file) if file is not None else _by_journal(report, before)
    send = push_to_gateway if report.hosts or earlier else pushadd_to_gateway

    parts = urlsplit(gateway)
    host = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else parts.hostname
    address = f"{parts.scheme}://{host}" + (f":{parts.port}" if parts.port else "") + parts.path.rstrip("/")
    credentials = None
    if parts.username is not None:
        # urllib would take user:password for a part of the host's name.
        pair = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
        credentials = f"Basic {base64.b64encode(pair.encode()).decode()}"

    def put(
        url: str, method: str, timeout: float | None, headers: Sequence[tuple[str, str]], data: bytes
    ) -> Callable[[], None]:
        request = Request(url, data=data, headers=dict(headers), method=method)  # noqa: S310
        if credentials is not None:
            request.add_unredirected_header("Authorization", credentials)

        def go() -> None:
            with build_opener(_NoRedirects).open(request, timeout=timeout):
                pass

        return go

    grouping = {"command": report.command, "instance": socket.gethostname() or "localhost"}
    try:
        send(
            address,
            job="fleetsweep",
            registry=registry(report, earlier),
            grouping_key=grouping,
            timeout=TIMEOUT_S,
            handler=put,
        )
    except HTTPError as error:
        error.close()
        return f"it answered {error.code}" + (", and redirects are not followed" if 300 <= error.code < 400 else "")
    except URLError as error:
        return (isinstance(error.reason, OSError) and error.reason.strerror) or type(error.reason).__name__
    except OSError as error:
        return error.strerror or type(error).__name__
    return ""

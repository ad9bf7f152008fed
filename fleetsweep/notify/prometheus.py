"""A run's Prometheus metrics: a file for node-exporter's textfile collector, or a push to a Pushgateway.

Names and units follow https://prometheus.io/docs/practices/naming/. An unknown value is absent, never 0.
"""

from __future__ import annotations

import base64
import errno
import re
import shlex
import socket
import sys
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

REQUIREMENT: Final = "prometheus-client>=0.21"
"""What the extra ``metrics`` installs."""

TIMEOUT_S: Final = 10.0
"""Seconds for a push."""

PREVIOUS_LIMIT: Final = 64 * 1024 * 1024
"""Bytes read of the previous run's file."""

HOST_SUCCESS: Final = "fleetsweep_host_last_success_timestamp_seconds"
RUN_SUCCESS: Final = "fleetsweep_run_last_success_timestamp_seconds"

_PER_HOST: Final = {
    "fleetsweep_host_containers": "Containers that the host's engine listed; absent if the host was not surveyed.",
    "fleetsweep_host_matched_containers": "Containers that a name, image or label pattern matched.",
    "fleetsweep_host_stale_containers": "Containers due for removal, whether or not a guard stopped it.",
    "fleetsweep_host_removed_containers": "Containers that this run removed and the engine no longer lists.",
    "fleetsweep_host_oldest_stale_age_seconds": "Age of the oldest stale container; absent if none is stale.",
    "fleetsweep_host_clock_skew_seconds": "The engine's clock minus this machine's; positive if it is ahead.",
    "fleetsweep_host_duration_seconds": "Time that this host took in the last run, waiting included.",
    HOST_SUCCESS: "When this host was last surveyed without an error; kept while it fails, so alert on its age.",
}
_PER_RUN: Final = {
    "fleetsweep_run_exit_code": "Exit code of the last run: 0 all is well, 3 incomplete, 4 a guard tripped, "
    "5 a removal failed, 6 stale containers were found, 2 usage, 1 a bug.",
    "fleetsweep_run_start_timestamp_seconds": "When the last run started.",
    "fleetsweep_run_end_timestamp_seconds": "When the last run ended; alert on its age to notice that runs stopped.",
    "fleetsweep_run_duration_seconds": "Time that the last run took from start to end.",
    RUN_SUCCESS: "When a run last ended with exit code 0; absent until one does.",
}

EarlierSuccesses = dict[tuple[str, str, str], float]
"""The time of the last success, in seconds since the epoch, by metric, command and host (empty for a run's)."""

_NOT_PERMITTED: Final = {errno.EACCES, errno.EPERM, errno.EROFS}


def _missing() -> str:
    """Return how to install the library, or an empty string if it is installed."""
    try:
        import prometheus_client  # noqa: F401
    except ImportError:
        return f"it needs prometheus-client: {shlex.quote(sys.executable)} -m pip install '{REQUIREMENT}'"
    return ""


def check_file(path: Path) -> None:
    """Raise UsageError if node-exporter would never read ``path``.

    Whether it is writable is reported after the run: it may change until then, and monitoring must not prevent a sweep.
    """
    if not path.name.endswith(".prom") or path.name == ".prom":
        raise UsageError(f"--metrics: {path}: node-exporter reads only files whose names end in .prom")


def check_gateway(url: str) -> None:
    """Raise UsageError, which does not quote the URL, unless it can be a Pushgateway's."""
    try:
        parts = urlsplit(url)
        valid = parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except ValueError:
        valid = False
    if not valid or re.search(r"[\s\x00-\x1f?#]", url):
        raise UsageError("--push-gateway must be a URL such as http://push.example.com:9091 (yours may hold a secret)")


def registry(report: FleetReport, earlier: EarlierSuccesses) -> CollectorRegistry:
    """Return the run's metrics, and none of this process. ``earlier`` are the successes before this run."""
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
        for metric, value in _host_values(host, report, earlier.get((HOST_SUCCESS, command, name))):
            hosts[metric].labels(command, name).set(value)
    if not report.hosts:
        # The run ended before it knew its hosts. Their last success stays, so that alerts on its age work.
        for (metric, earlier_command, name), value in earlier.items():
            if metric == HOST_SUCCESS and earlier_command == command:
                hosts[metric].labels(command, name).set(value)
    runs = {name: Gauge(name, words, ["command"], registry=made) for name, words in _PER_RUN.items()}
    for metric, value in _run_values(report, earlier.get((RUN_SUCCESS, command, ""))):
        runs[metric].labels(command).set(value)
    return made


def _host_values(host: HostReport, report: FleetReport, last_success: float | None) -> list[tuple[str, float]]:
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
    found.append((HOST_SUCCESS, report.finished_ns / SECOND if surveyed else last_success))
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


def read_successes(path: Path) -> EarlierSuccesses:
    """Return the last successes in the file of an earlier run; none if it can't be read."""
    from prometheus_client.parser import text_string_to_metric_families

    found: EarlierSuccesses = {}
    try:
        with files.open_regular(path) as file:
            text = file.read(PREVIOUS_LIMIT).decode()
        for family in text_string_to_metric_families(text):
            if family.name in {HOST_SUCCESS, RUN_SUCCESS}:
                for sample in family.samples:
                    key = (family.name, sample.labels.get("command", ""), sample.labels.get("host", ""))
                    found[key] = float(sample.value)
    except Exception:
        # Another program may have written the file, and the parser documents no exceptions. It is replaced anyway.
        return {}
    return found


def _from_journal(report: FleetReport, journal: LastSuccesses | None) -> EarlierSuccesses:
    if journal is None:
        return {}
    hosts = {(HOST_SUCCESS, report.command, printable(name)): ns / SECOND for name, ns in journal.hosts.items()}
    return hosts | ({} if journal.run_ns is None else {(RUN_SUCCESS, report.command, ""): journal.run_ns / SECOND})


def write(report: FleetReport, path: Path) -> str:
    """Replace ``path`` atomically with the run's metrics, readable by all. Return an error, or an empty string."""
    if problem := _missing():
        return problem
    from prometheus_client import generate_latest

    text = generate_latest(registry(report, read_successes(path)))
    try:
        files.replace(path, text, mode=0o644)
    except OSError as error:
        what = error.strerror or type(error).__name__
        if error.errno in _NOT_PERMITTED:
            what += f": this account must be able to replace files in {path.parent}: see docs/alerts.md"
        return what
    return ""


class _NoRedirects(HTTPRedirectHandler):
    """Send metrics, and the password with them, to no other server than the configured one."""

    def redirect_request(self, *args: object, **kwargs: object) -> None:
        """Refuse, so that urllib raises HTTPError for the 3xx response."""


def push(report: FleetReport, gateway: str, file: Path | None, journal: LastSuccesses | None) -> str:
    """Push the run's metrics to a Pushgateway. Return an error, or an empty string.

    The group is this command on this machine. The last successes come from ``file`` if there is one, else from
    ``journal``. A run that ended before it knew its hosts, and knows of no earlier success, adds to the group instead
    of replacing it, so that the group keeps the hosts' metrics.
    """
    if problem := _missing():
        return problem
    from prometheus_client import push_to_gateway, pushadd_to_gateway

    earlier = read_successes(file) if file is not None else _from_journal(report, journal)
    send = push_to_gateway if report.hosts or earlier else pushadd_to_gateway

    parts = urlsplit(gateway)
    host = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else parts.hostname
    address = f"{parts.scheme}://{host}" + (f":{parts.port}" if parts.port else "") + parts.path.rstrip("/")
    credentials = None
    if parts.username is not None:
        # urllib would take user:password for part of the host name.
        pair = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
        credentials = f"Basic {base64.b64encode(pair.encode()).decode()}"

    def put(
        url: str, method: str, timeout: float | None, headers: Sequence[tuple[str, str]], data: bytes
    ) -> Callable[[], None]:
        request = Request(url, data=data, headers=dict(headers), method=method)  # noqa: S310
        if credentials is not None:
            request.add_unredirected_header("Authorization", credentials)

        def send_request() -> None:
            with build_opener(_NoRedirects).open(request, timeout=timeout):
                pass

        return send_request

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
        return f"it responded with {error.code}" + (
            ", and redirects are not followed" if 300 <= error.code < 400 else ""
        )
    except URLError as error:
        return (isinstance(error.reason, OSError) and error.reason.strerror) or type(error.reason).__name__
    except OSError as error:
        return error.strerror or type(error).__name__
    return ""

"""A run's Prometheus metrics as a file for node-exporter's textfile collector, or a push to a Pushgateway."""

from __future__ import annotations

import base64
import errno
import os
import re
import shlex
import socket
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final
from urllib.error import HTTPError, URLError
from urllib.parse import unquote, urlsplit
from urllib.request import HTTPRedirectHandler, Request, build_opener

from fleetsweep.errors import UsageError
from fleetsweep.model.container import SECOND
from fleetsweep.model.journal import LastSuccesses
from fleetsweep.model.report import FleetReport
from fleetsweep.notify.metrics import (
    HOST_SUCCESS,
    NOTHING_KNOWN,
    RUN_SUCCESS,
    EarlierSuccesses,
    Known,
    job_labels,
    registry,
)
from fleetsweep.report import printable
from fleetsweep.runtime import files

REQUIREMENT: Final = "prometheus-client>=0.21"
"""What the extra ``metrics`` installs."""

TIMEOUT_S: Final = 10.0
"""Seconds for a push."""

PREVIOUS_LIMIT: Final = 64 * 1024 * 1024
"""Bytes read of the previous run's file."""

_RUN_END: Final = "fleetsweep_run_end_timestamp_seconds"
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


def read_successes(path: Path, schedule: str = "") -> EarlierSuccesses:
    """Return the last successes in the file of an earlier run of this schedule; none if it can't be read.

    Those of a schedule without a name are taken too: it may have been given one since.
    """
    from prometheus_client.parser import text_string_to_metric_families

    found: EarlierSuccesses = {}
    try:
        with files.open_regular(path) as file:
            text = file.read(PREVIOUS_LIMIT).decode()
        for family in text_string_to_metric_families(text):
            if family.name in {HOST_SUCCESS, RUN_SUCCESS}:
                for sample in family.samples:
                    if sample.labels.get("schedule", "") not in {"", schedule}:
                        continue
                    key = (family.name, sample.labels.get("command", ""), sample.labels.get("host", ""))
                    found[key] = float(sample.value)
    except Exception:
        # Another program may have written the file, and the parser documents no exceptions. It is replaced anyway.
        return {}
    return found


def _from_journal(report: FleetReport, journal: LastSuccesses | None, schedule: str) -> EarlierSuccesses:
    if journal is None:
        return {}
    hosts = {(HOST_SUCCESS, report.command, printable(name)): ns / SECOND for name, ns in journal.hosts.items()}
    # The journal does not know schedules. A run that succeeded may have been another one's.
    known = journal.run_ns is not None and not schedule
    return hosts | ({(RUN_SUCCESS, report.command, ""): (journal.run_ns or 0) / SECOND} if known else {})


def _earlier(report: FleetReport, file: Path | None, known: Known, schedule: str) -> EarlierSuccesses:
    """Return the last successes that the file and the journal have: of each the later one."""
    found = read_successes(file, schedule) if file is not None else {}
    for key, value in _from_journal(report, known.successes, schedule).items():
        found[key] = max(value, found.get(key, value))
    return found


def same_series(path: Path, command: str, schedule: str) -> str:
    """Return another file beside ``path`` with metrics of the same job; empty if none has.

    node-exporter drops what a second file repeats, so that a failing schedule may look as good as the other one.
    """
    labels = ",".join(f'{name}="{text}"' for name, text in sorted(job_labels(command, schedule).items()))
    line = f"\n{_RUN_END}{{{labels}}} ".encode()
    for other in _others(path):
        try:
            with files.open_regular(other) as file:
                if line in file.read(PREVIOUS_LIMIT):
                    return str(other)
        except OSError:
            # Another program's, or gone since.
            continue
    return ""


def _others(path: Path) -> list[Path]:
    """Return up to 100 other files that node-exporter reads in the directory."""
    try:
        with os.scandir(path.parent) as entries:
            names = sorted(entry.name for entry in entries if entry.name.endswith(".prom"))
    except OSError:
        return []
    return [path.with_name(name) for name in names if name != path.name][:100]


def write(report: FleetReport, path: Path, known: Known = NOTHING_KNOWN, schedule: str = "") -> str:
    """Replace ``path`` atomically with the run's metrics, readable by all. Return an error, or an empty string."""
    if problem := _missing():
        return problem
    from prometheus_client import generate_latest

    text = generate_latest(registry(report, _earlier(report, path, known, schedule), known, schedule))
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


def push(report: FleetReport, gateway: str, file: Path | None, known: Known = NOTHING_KNOWN, schedule: str = "") -> str:
    """Push the run's metrics to a Pushgateway. Return an error, or an empty string.

    The group is this command on this machine, and this schedule if it has a name. The last successes come from
    ``file``, if there is one, and from the journal. A run that ended before it knew its hosts, and knows of no earlier
    success, adds to the group instead of replacing it, so that the group keeps the hosts' metrics.
    """
    if problem := _missing():
        return problem
    from prometheus_client import push_to_gateway, pushadd_to_gateway

    earlier = _earlier(report, file, known, schedule)
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

    grouping = {**job_labels(report.command, schedule), "instance": socket.gethostname() or "localhost"}
    try:
        send(
            address,
            job="fleetsweep",
            registry=registry(report, earlier, known, schedule),
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

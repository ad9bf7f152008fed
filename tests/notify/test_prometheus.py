"""Metrics: unknown values are absent, and the last success outlives failures."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from prometheus_client import generate_latest
from prometheus_client.parser import text_string_to_metric_families

from fleetsweep.errors import UsageError
from fleetsweep.model.outcome import Outcome
from fleetsweep.model.report import FleetReport
from fleetsweep.notify.prometheus import (
    HOST_SUCCESS,
    RUN_SUCCESS,
    EarlierSuccesses,
    check_file,
    check_gateway,
    read_successes,
    registry,
    write,
)
from tests.report.build import NOW_NS, candidates, lost, report, surveyed

SECRET = "s3kr1t-t0ken"  # noqa: S105
END_S = (NOW_NS + 12_300_000_000) / 10**9


def samples(made: FleetReport, earlier: EarlierSuccesses | None = None) -> dict[tuple[str, ...], float]:
    """Every sample by its metric and its labels' values, the command left out."""
    text = generate_latest(registry(made, earlier or {})).decode()
    return {
        (sample.name, *(value for label, value in sample.labels.items() if label != "command")): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def test_a_surveyed_host_has_its_counts_and_its_success() -> None:
    found = samples(report(surveyed("a", candidates("ws", 2), others=3, outcome=Outcome.REMOVED)))
    assert found["fleetsweep_host_containers", "a"] == 5
    assert found["fleetsweep_host_removed_containers", "a"] == 2
    assert found["fleetsweep_host_status", "a", "ok"] == 1
    assert found["fleetsweep_host_status", "a", "failed"] == 0
    assert found[HOST_SUCCESS, "a"] == found[RUN_SUCCESS,] == END_S


def test_a_host_that_was_not_surveyed_has_no_counts() -> None:
    found = samples(report(lost("a"), exit_code=3))
    assert {key[0] for key in found if key[1:2] == ("a",)} == {
        "fleetsweep_host_status",
        "fleetsweep_host_duration_seconds",
    }
    assert (RUN_SUCCESS,) not in found
    assert found["fleetsweep_run_exit_code",] == 3


def test_a_success_is_kept_while_its_host_fails_and_when_a_run_has_no_hosts() -> None:
    earlier = {(HOST_SUCCESS, "sweep", "a"): 5.0, (HOST_SUCCESS, "audit", "a"): 6.0, (RUN_SUCCESS, "sweep", ""): 7.0}
    for failed in (report(lost("a"), exit_code=3), report(exit_code=2)):
        found = samples(failed, earlier)
        assert (found[HOST_SUCCESS, "a"], found[RUN_SUCCESS,]) == (5.0, 7.0)


def test_a_file_remembers_the_successes_of_the_run_before(tmp_path: Path) -> None:
    path = tmp_path / "f.prom"
    assert write(report(surveyed("a")), path) == ""
    assert path.stat().st_mode & 0o777 == 0o644
    assert write(report(lost("a"), exit_code=3), path) == ""
    assert read_successes(path) == {(HOST_SUCCESS, "sweep", "a"): END_S, (RUN_SUCCESS, "sweep", ""): END_S}


@pytest.mark.parametrize("content", [None, b"", b"\xff\xfe", b"not metrics {"])
def test_a_file_that_cannot_be_read_remembers_nothing(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "f.prom"
    if content is not None:
        path.write_bytes(content)
    assert read_successes(path) == {}


def test_a_file_that_cannot_be_written_gives_the_reason(tmp_path: Path) -> None:
    assert write(report(), tmp_path / "absent" / "f.prom") == "No such file or directory"


@pytest.mark.parametrize("name", ["f.txt", ".prom", "prom"])
def test_a_file_that_node_exporter_ignores_is_refused(tmp_path: Path, name: str) -> None:
    check_file(tmp_path / "f.prom")
    with pytest.raises(UsageError, match=r"names end in \.prom"):
        check_file(tmp_path / name)


@pytest.mark.parametrize(
    "url", [SECRET, f"ftp://{SECRET}", "http://", f"http://{SECRET}:x", f"http://a/{SECRET}?b", f"http://{SECRET} c"]
)
def test_a_url_that_is_no_gateways_is_refused_without_being_quoted(url: str) -> None:
    check_gateway(f"https://user:{SECRET}@push.example.com:9091/base")
    with pytest.raises(UsageError) as caught:
        check_gateway(url)
    assert SECRET not in str(caught.value)


def test_metrics_that_last_beyond_a_number_are_still_written() -> None:
    found = samples(report(replace(surveyed("a", skew_s=float("inf")), duration_s=float("nan"))))
    assert found["fleetsweep_host_clock_skew_seconds", "a"] == float("inf")

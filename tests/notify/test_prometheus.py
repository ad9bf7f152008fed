"""The file of metrics: what a run keeps of the one before, and what is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from fleetsweep.errors import UsageError
from fleetsweep.model.journal import LastSuccesses
from fleetsweep.notify.metrics import HOST_SUCCESS, RUN_SUCCESS, Known
from fleetsweep.notify.prometheus import check_file, check_gateway, read_successes, same_series, write
from tests.report.build import NOW_NS, lost, report, surveyed

SECRET = "s3kr1t-t0ken"  # noqa: S105
END_S = (NOW_NS + 12_300_000_000) / 10**9


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


def test_the_later_success_of_the_file_and_the_journal_counts(tmp_path: Path) -> None:
    path = tmp_path / "f.prom"
    for seconds, expected in ((2, 2.0), (1, 2.0), (3, 3.0)):
        known = Known(LastSuccesses(None, {"a": seconds * 10**9}))
        assert write(report(lost("a"), exit_code=3), path, known) == ""
        assert read_successes(path) == {(HOST_SUCCESS, "sweep", "a"): expected}


def test_a_schedule_with_a_name_has_series_of_its_own_and_takes_no_others_success(tmp_path: Path) -> None:
    path = tmp_path / "f.prom"
    known = Known(LastSuccesses(2 * 10**9, {"a": 2 * 10**9}))
    write(report(surveyed("a")), path, schedule="west")
    assert write(report(lost("a"), exit_code=3), path, known, "east") == ""
    # The journal knows the success of a host, and not of which schedule the run was.
    assert read_successes(path, "east") == {(HOST_SUCCESS, "sweep", "a"): 2.0}
    assert read_successes(path) == {}
    lines = [line for line in path.read_text().splitlines() if not line.startswith("#")]
    assert lines
    assert all('command="sweep"' in line and 'schedule="east"' in line for line in lines)


def test_another_file_with_the_same_series_is_found_and_one_of_another_schedule_is_not(tmp_path: Path) -> None:
    first, second = tmp_path / "a.prom", tmp_path / "b.prom"
    write(report(surveyed("a")), first)
    (tmp_path / "c.prom").mkdir()
    (tmp_path / "d.txt").write_text(first.read_text())
    assert same_series(second, "sweep", "") == str(first)
    assert same_series(first, "sweep", "") == same_series(second, "audit", "") == ""
    assert same_series(second, "sweep", "east") == ""
    write(report(surveyed("a")), first, schedule="east")
    assert same_series(second, "sweep", "east") == str(first)
    assert same_series(second, "sweep", "") == same_series(tmp_path / "none" / "a.prom", "sweep", "") == ""

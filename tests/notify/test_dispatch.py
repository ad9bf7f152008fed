"""Notifications can't hold a run up, undo its exit code, or print a secret."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from fleetsweep.errors import UsageError
from fleetsweep.notify.dispatch import (
    NotifyConfig,
    RerunCommand,
    notify,
    notify_of_failure,
    redact,
    redact_urls,
    run_within,
)
from tests.report.build import fleet, report, surveyed

SECRET = "s3kr1t-t0ken"  # noqa: S105


def test_a_task_that_hangs_or_raises_is_left_behind_with_a_reason_that_quotes_nothing() -> None:
    never = threading.Event()

    def hang() -> str:
        never.wait()
        return ""

    def fail() -> str:
        raise RuntimeError(SECRET)

    try:
        assert run_within(0.2, [hang, lambda: "", fail, lambda: "no"]) == [
            "it took longer than 0.2 s",
            "",
            "RuntimeError",
            "no",
        ]
    finally:
        never.set()


def test_the_repr_of_a_config_has_no_secret() -> None:
    shown = repr(NotifyConfig("audit", (f"json://{SECRET}",), True, Path("a.prom"), f"http://{SECRET}"))
    assert SECRET not in shown
    assert "a.prom" in shown


def test_a_run_without_channels_keeps_its_exit_code(capsys: pytest.CaptureFixture[str]) -> None:
    assert notify(report(surveyed("a")), NotifyConfig()) == 0
    assert notify(fleet(), NotifyConfig()) == 4
    assert capsys.readouterr() == ("", "")


def test_a_channel_that_fails_turns_success_into_incomplete_and_leaves_every_other_code(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = NotifyConfig("sweep", metrics=tmp_path / "absent" / "f.prom")
    assert notify(report(surveyed("a")), config) == 3
    assert notify(fleet(), config) == 4
    warnings = capsys.readouterr().err.splitlines()
    assert len(warnings) == 2
    assert all("f.prom was not written: No such file or directory" in line for line in warnings)


def test_the_metrics_file_has_the_exit_code_of_the_failed_push(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "f.prom"
    config = NotifyConfig("sweep", metrics=file, push_gateway="http://127.0.0.1:1")
    assert notify(report(surveyed("a")), config) == 3
    assert 'fleetsweep_run_exit_code{command="sweep"} 3.0' in file.read_text()
    assert "--push-gateway: nothing was pushed" in capsys.readouterr().err


def test_annotations_go_to_the_stream_that_has_no_report(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    summary = tmp_path / "summary.md"
    notify(fleet(), NotifyConfig("sweep", ci=True, annotate_stdout=True, summary=summary))
    out, err = capsys.readouterr()
    assert out.startswith("::error title=fleetsweep sweep%3A runner-2::")
    assert err == ""
    assert summary.read_text().startswith("### fleetsweep sweep, ")
    notify(fleet(), NotifyConfig("sweep", ci=True))
    assert capsys.readouterr() == ("", out)


def test_a_run_in_no_journal_offers_to_show_none() -> None:
    config = NotifyConfig("audit", rerun=RerunCommand(look=("-i", "x"), show=("--state-dir", "s")))
    assert config.without_journal().rerun == RerunCommand(look=("-i", "x"), show=None)


def test_a_failure_before_the_first_host_is_notified_and_raised(tmp_path: Path) -> None:
    file = tmp_path / "f.prom"

    def command() -> int:
        raise UsageError("no such inventory")

    with pytest.raises(UsageError, match="no such inventory"):
        notify_of_failure(NotifyConfig("sweep", metrics=file), command)
    assert 'fleetsweep_run_exit_code{command="sweep"} 2.0' in file.read_text()


def test_a_channel_that_cannot_be_used_ends_the_run_and_the_others_are_notified(tmp_path: Path) -> None:
    file = tmp_path / "f.prom"
    config = NotifyConfig("sweep", metrics=file, push_gateway=f"ftp://{SECRET}")
    with pytest.raises(UsageError) as caught:
        notify_of_failure(config, lambda: 0)
    assert str(caught.value).startswith("--push-gateway must be a URL")
    assert SECRET not in str(caught.value)
    assert 'fleetsweep_run_exit_code{command="sweep"} 2.0' in file.read_text()


def test_a_secret_is_cut_to_its_scheme_and_other_text_stays() -> None:
    assert redact(f"json://{SECRET} at {SECRET}, json", [f"json://{SECRET}"]) == "json://… at …, json"
    assert redact("an a and a b", ["b"]) == "an a and a b"
    assert redact_urls(f"no option --x=https://{SECRET}/y ok") == "no option --x=https://… ok"

"""Where a run's result is sent."""

from __future__ import annotations

from pathlib import Path

import click
import pytest

from fleetsweep.cli.command import command, from_values
from fleetsweep.cli.notifications import notify_config, notify_refusal
from fleetsweep.cli.options import (
    ConnectOptions,
    ListOptions,
    NotifyOptions,
    OutputOptions,
    StateOptions,
    TargetOptions,
)
from fleetsweep.notify.dispatch import NotifyConfig

configs: list[NotifyConfig] = []


@command(epilog="", on_refusal=notify_refusal)
def audit(
    targets: TargetOptions,
    listing: ListOptions,
    connect: ConnectOptions,
    state: StateOptions,
    output: OutputOptions,
    notify: NotifyOptions,
) -> int:
    """Take the options."""
    configs[:] = [notify_config(notify, targets, output)]
    return 0


def config_of(*words: str) -> NotifyConfig:
    audit.main(list(words), prog_name="audit", standalone_mode=False)
    return configs[0]


def test_the_command_to_look_again_repeats_the_options_but_no_secret() -> None:
    words = ("--local", "--timeout", "90s", "--state-dir", "/s", "-l", "ci*", "--notify", "json://secret", "-v")
    config = config_of(*words)
    assert config.rerun.look == ("--local", "-T", "90s", "--state-dir", "/s")
    assert config.rerun.chosen == ("-l", "ci*")
    assert config.rerun.show == ("--state-dir", "/s")
    assert "secret" not in " ".join((*config.rerun.look, *config.rerun.chosen))


def test_annotations_go_to_stdout_unless_a_program_reads_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GITEA_ACTIONS", "true")
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", "summary.md")
    assert (config_of().ci, config_of().annotate_stdout, config_of().summary) == (True, True, Path("summary.md"))
    assert not config_of("--format", "json").annotate_stdout


def test_a_summary_is_written_in_a_ci_job_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", "summary.md")
    assert (config_of().ci, config_of().summary) == (False, None)


@pytest.mark.parametrize("words", [("--expect", "x"), ("--timeout", "7 apples"), ("--forks", "0")])
def test_a_refused_value_is_in_the_metrics(words: tuple[str, ...], tmp_path: Path) -> None:
    file = tmp_path / "fleetsweep.prom"
    with pytest.raises(click.BadParameter):
        audit.main(["--metrics", str(file), *words], prog_name="audit", standalone_mode=False)
    assert 'fleetsweep_run_exit_code{command="audit"} 2.0' in file.read_text()


def test_a_refused_value_of_a_list_of_hosts_is_not_notified(tmp_path: Path) -> None:
    file = tmp_path / "fleetsweep.prom"
    with pytest.raises(click.BadParameter):
        audit.main(["--metrics", str(file), "--list-hosts", "--expect", "x"], standalone_mode=False)
    assert not file.exists()


def test_options_are_read_where_a_value_was_refused() -> None:
    assert from_values(NotifyOptions, {"notify": None, "metrics": "a.prom"}) == NotifyOptions(metrics="a.prom")

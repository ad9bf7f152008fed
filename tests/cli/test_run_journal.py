"""What a run reads from its journal and writes to it."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from fleetsweep.cli.config import RunConfig, build, choose
from fleetsweep.cli.options import ConnectOptions, TargetOptions
from fleetsweep.cli.run_journal import finish, last_looks, open_intents, open_journal, with_holds, with_past
from fleetsweep.console import Output
from fleetsweep.errors import UsageError
from fleetsweep.exit_codes import OK
from fleetsweep.model.container import SECOND
from fleetsweep.model.hold import Hold
from fleetsweep.model.policy_flags import Flags
from fleetsweep.notify.dispatch import NotifyConfig, RerunCommand
from fleetsweep.store.journal import place_hold
from fleetsweep.store.state_dir import prepare_state_dir
from tests.report.build import report, surveyed

Config = Callable[..., RunConfig]


@pytest.fixture
def config(tmp_path: Path) -> RunConfig:
    targets = TargetOptions(local=True)
    state = tmp_path / "state"
    return build("audit", choose(targets, Flags()), targets, ConnectOptions(), state, Output())


@pytest.fixture
def broken(config: RunConfig, tmp_path: Path) -> RunConfig:
    """A config whose state directory is a file."""
    (tmp_path / "file").write_text("")
    return replace(config, state_dir=tmp_path / "file")


def test_an_audit_goes_on_without_a_journal(broken: RunConfig, capsys: pytest.CaptureFixture[str]) -> None:
    assert open_journal(broken, "run") is None
    assert "this run is not recorded" in capsys.readouterr().err


def test_a_removal_and_a_question_to_the_journal_need_one(broken: RunConfig) -> None:
    for needing in (replace(broken, remove=True), replace(broken, max_silence_s=60.0)):
        with pytest.raises(UsageError):
            open_journal(needing, "run")


def test_every_hosts_policy_has_the_holds(config: RunConfig) -> None:
    assert with_holds(config) is config
    prepare_state_dir(config.state_dir)
    now = time.time_ns()
    place_hold(config.state_dir, Hold("a" * 64, "h", "ws-1", "debugging", "ann", now, now + 60 * SECOND))
    (policy,) = with_holds(config).policies.values()
    assert set(policy.held) == {"a" * 64}
    assert "debugging" in policy.held["a" * 64]


def test_a_run_is_recorded_and_hosts_that_were_surveyed_are_known_afterwards(config: RunConfig) -> None:
    first = open_journal(config, "run-1")
    assert first is not None
    with first:
        assert finish(config, first, report(surveyed(config.hosts[0].name))) == OK
    silent = replace(config, max_silence_s=60.0)
    second = open_journal(silent, "run-2")
    assert second is not None
    with second:
        assert set(last_looks(silent, second)) == {config.hosts[0].name}
        assert last_looks(config, second) == {}
        assert list(open_intents(config, second, "test")) == []


def test_without_a_journal_no_command_to_show_the_run_is_sent(config: RunConfig) -> None:
    asked = replace(config, notify=NotifyConfig(rerun=RerunCommand(show=("--state-dir", "/s"))))
    assert with_past(asked, None, report()).rerun.show is None
    assert open_intents(asked, None, "test") == ()

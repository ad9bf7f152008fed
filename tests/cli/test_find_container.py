"""The one container that a command names."""

from __future__ import annotations

from pathlib import Path

import pytest

from fleetsweep.cli.config import RunConfig, build, choose
from fleetsweep.cli.find_container import Found, find_container
from fleetsweep.cli.options import ConnectOptions, TargetOptions
from fleetsweep.console import Output
from fleetsweep.errors import UsageError
from fleetsweep.exit_codes import INCOMPLETE, USAGE
from fleetsweep.model.policy_flags import Flags


def config_for(engine: str, state: Path, expect: tuple[int, int] | None = None) -> RunConfig:
    targets = TargetOptions(local=True, engine=engine, expect=expect)
    return build("explain", choose(targets, Flags()), targets, ConnectOptions(), state, Output())


def test_a_container_is_found_by_its_name_or_the_beginning_of_its_id(local: list[str], tmp_path: Path) -> None:
    for text in ("ws-stale", "aaaa"):
        found = find_container(config_for(local[2], tmp_path), text)
        assert isinstance(found, Found)
        assert (found.container.name, found.complete) == ("ws-stale", True)


def test_a_name_that_means_nothing_is_a_usage_error_once_every_host_was_surveyed(
    local: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert find_container(config_for(local[2], tmp_path), "nothing") == USAGE
    assert "is the name or id of no container" in capsys.readouterr().err


def test_on_a_host_that_could_not_be_surveyed_it_may_exist(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert find_container(config_for(f"unix://{tmp_path}/none.sock", tmp_path), "ws-stale") == INCOMPLETE
    assert "could not be surveyed" in capsys.readouterr().err


def test_another_number_of_hosts_than_expected_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="--expect"):
        find_container(config_for("unix:///none.sock", tmp_path, expect=(2, 2)), "ws-stale")

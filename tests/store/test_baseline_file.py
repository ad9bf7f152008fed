"""Baselines on disk: for the hosts they were taken of, and for one job."""

from __future__ import annotations

from pathlib import Path

import pytest

from fleetsweep.errors import UsageError
from fleetsweep.model.container import SECOND
from fleetsweep.model.host import Host
from fleetsweep.model.run_scope import CLOCK_TOLERANCE_S, LONGEST_JOB_S, Baseline
from fleetsweep.policy.rules import Policy
from fleetsweep.store import baseline_file
from tests.policy.test_rules import NOW, container, survey

HOSTS = [Host("a", "127.0.0.1"), Host("b", "127.0.0.1")]
TAKEN = {"a": Baseline("docker X", NOW, ("e" * 64, "f" * 64)), "b": Baseline("docker Y", NOW, ())}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    made = tmp_path / "baseline.json"
    baseline_file.save(TAKEN, made, now_ns=NOW)
    return made


def test_a_baseline_has_what_a_selector_matches_and_not_the_rest() -> None:
    matched, other = container(id="e" * 64, name="ws-1"), container(id="f" * 64, name="db", image="postgres:16")
    taken = baseline_file.take(survey("a", [matched, other]), Policy())
    assert taken.ids == ("e" * 64,)
    assert taken.taken_ns == NOW


def test_a_container_that_could_not_be_inspected_is_in_the_baseline() -> None:
    unknown = container(id="e" * 64, name="", image="", trouble="HTTP 500: busy")
    assert baseline_file.take(survey("a", [unknown]), Policy()).ids == ("e" * 64,)


def test_baselines_come_back_for_the_hosts_that_are_asked_for(path: Path) -> None:
    assert baseline_file.load(path, HOSTS, now_ns=NOW) == TAKEN
    assert baseline_file.load(path, HOSTS[:1], now_ns=NOW) == {"a": TAKEN["a"]}


def test_a_baseline_without_one_of_the_hosts_is_refused(path: Path) -> None:
    with pytest.raises(UsageError, match="does not have c: give the options it was made with"):
        baseline_file.load(path, [*HOSTS, Host("c", "127.0.0.1")], now_ns=NOW)


def test_a_baseline_is_for_one_day_and_a_little_clock_skew(path: Path) -> None:
    for age_s in (LONGEST_JOB_S, -CLOCK_TOLERANCE_S):
        assert baseline_file.load(path, HOSTS, now_ns=NOW + int(age_s * SECOND)) == TAKEN
    with pytest.raises(UsageError, match="it belongs to another job; nothing was removed"):
        baseline_file.load(path, HOSTS, now_ns=NOW + int((LONGEST_JOB_S + 1) * SECOND))
    with pytest.raises(UsageError, match="was taken in the future"):
        baseline_file.load(path, HOSTS, now_ns=NOW - int((CLOCK_TOLERANCE_S + 1) * SECOND))


def test_a_baseline_with_a_host_twice_is_damaged(path: Path) -> None:
    row = {"host": "a", "engine": "x", "taken_ns": NOW, "containers": []}
    baseline_file.KIND.save({"created_ns": NOW, "hosts": [row, row]}, path, "--save")
    with pytest.raises(UsageError, match="is damaged: duplicate host"):
        baseline_file.load(path, HOSTS[:1], now_ns=NOW)

"""How many processes a run starts, and what it does without any."""

from __future__ import annotations

import os
import threading

import pytest

from fleetsweep.errors import UsageError
from fleetsweep.sweep import processes
from fleetsweep.sweep.spread import AUTO, HOSTS_A_PROCESS, Spread, open_runner, process_count
from tests.lab.local_box import REACH

CORES = len(os.sched_getaffinity(0))


@pytest.mark.parametrize(
    ("asked", "hosts", "count"),
    [
        (4, 3, 3),
        (1, 3, 1),
        (4, 1000, 4),
        (AUTO, 2 * HOSTS_A_PROCESS - 1, 0),
        (AUTO, 100_000, CORES if CORES > 1 else 0),
    ],
)
def test_no_more_processes_than_hosts_and_none_for_a_few(asked: int, hosts: int, count: int) -> None:
    assert process_count(Spread(asked), hosts) == count


def test_without_processes_there_is_no_runner() -> None:
    with open_runner(Spread(AUTO), 1, REACH, threading.Event()) as runner:
        assert runner is None


def test_a_process_that_can_not_be_started_is_an_error_of_usage(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(processes, "_command", lambda: ["/nowhere/python"])
    with (
        pytest.raises(UsageError, match="--processes: a worker process can't be started: No such file"),
        open_runner(Spread(1), 1, REACH, threading.Event()),
    ):
        raise AssertionError

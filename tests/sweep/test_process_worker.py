"""The loop of a worker process: a thread a task, a reply to each, and its end with the pipe's."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection
from pathlib import Path

import pytest

from fleetsweep.policy.rules import Policy
from fleetsweep.sweep.frames import Ask, Reply, Signal, pipe_end, receive, send
from fleetsweep.sweep.host_worker import HostWorker
from fleetsweep.sweep.one_host import RemovalOptions
from fleetsweep.sweep.process_worker import serve
from fleetsweep.sweep.slices import RemovalResult, RemovalTask, SurveyResult, SurveyTask
from tests.lab.local_box import LOOK, REACH, SECONDS, local_box


@contextmanager
def serving(worker: HostWorker) -> Iterator[tuple[Connection, Connection]]:
    """Yield the controller's ends of the pipes of a worker in a thread."""
    (asks_in, asks_out), (replies_in, replies_out) = os.pipe(), os.pipe()
    with (
        pipe_end(asks_in, writes=False) as tasks,
        pipe_end(replies_out, writes=True) as results,
        pipe_end(replies_in, writes=False) as replies,
    ):
        thread = threading.Thread(target=serve, args=(worker, tasks, results))
        thread.start()
        with pipe_end(asks_out, writes=True) as asks:
            yield asks, replies
        thread.join(10)
        assert not thread.is_alive()


def test_a_task_is_replied_to_by_its_number_and_a_repeated_one_is_refused(tmp_path: Path) -> None:
    with local_box(tmp_path, 1) as box, HostWorker(REACH) as worker, serving(worker) as (asks, replies):
        send(asks, Ask(5, SurveyTask(box.host, Policy(), LOOK, SECONDS)))
        reply = receive(replies)
        assert isinstance(reply, Reply)
        assert isinstance(reply.result, SurveyResult)
        assert reply.number == 5
        ids = {decision.container.id: 1 for decision in box.plan.candidates}
        task = RemovalTask(box.plan, Policy(), time.monotonic() + SECONDS, ids, RemovalOptions())
        for number, expected in ((6, RemovalResult), (7, type(None))):
            send(asks, Ask(number, task))
            reply = receive(replies)
            assert isinstance(reply, Reply)
            assert isinstance(reply.result, expected)
        assert reply.refused == f"attempt {task.attempt} was carried out before"
        send(asks, Signal.STOP)
        worker.stopped.wait(10)
        assert worker.stopped.is_set()


def test_when_the_controller_is_gone_no_further_removal_starts() -> None:
    with HostWorker(REACH) as worker:
        with serving(worker):
            assert not worker.stopped.is_set()
        assert worker.stopped.is_set()


def test_a_task_that_gets_no_thread_is_given_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with local_box(tmp_path, 1) as box, HostWorker(REACH) as worker, serving(worker) as (asks, replies):

        def refuse(thread: threading.Thread) -> None:
            raise RuntimeError("can't start new thread")

        monkeypatch.setattr(threading.Thread, "start", refuse)
        send(asks, Ask(1, SurveyTask(box.host, Policy(), LOOK, SECONDS)))
        send(asks, Ask(2, RemovalTask(box.plan, Policy(), 0.0, {}, RemovalOptions())))
        assert receive(replies) == Reply(1, SurveyResult(None, None, no_room=True))
        assert receive(replies) == Reply(2, RemovalResult((), no_room=True))

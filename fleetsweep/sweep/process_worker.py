"""The program of a worker process: tasks come in on stdin, results go out on stdout. It ends with its controller."""

from __future__ import annotations

import os
import threading
from multiprocessing.connection import Connection

from fleetsweep.runtime.capacity import out_of_room
from fleetsweep.runtime.interpreter import tune
from fleetsweep.sweep.frames import Ask, Reply, Signal, pipe_end, receive, send
from fleetsweep.sweep.host_worker import HostWorker, RefusedAttempt
from fleetsweep.sweep.slices import Reach, RemovalResult, RemovalTask, SurveyResult


def main() -> None:
    """Work until the controller closes the pipe."""
    tune()
    tasks, results = pipe_end(os.dup(0), writes=False), pipe_end(os.dup(1), writes=True)
    # What a library prints must not get between the messages.
    os.dup2(2, 1)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    try:
        reach = receive(tasks)
        if not isinstance(reach, Reach):
            raise TypeError("the first message is how hosts are reached")
        serve(HostWorker(reach), tasks, results)
    except (EOFError, OSError):
        return


def serve(worker: HostWorker, tasks: Connection, results: Connection) -> None:
    """Carry out each task in a thread of its own, until the pipe ends. Then no further removal starts."""
    lock = threading.Lock()

    def reply(message: Reply) -> None:
        with lock:
            send(results, message)

    try:
        while True:
            message = receive(tasks)
            if message is Signal.STOP:
                worker.stopped.set()
            elif isinstance(message, Ask):
                thread = threading.Thread(
                    target=lambda ask=message: reply(_carry_out(worker, ask)), name="fleetsweep-host", daemon=True
                )
                try:
                    thread.start()
                except (RuntimeError, MemoryError) as error:
                    if not out_of_room(error):
                        raise
                    reply(Reply(message.number, _no_room(message)))
    except EOFError:
        worker.stopped.set()


def _carry_out(worker: HostWorker, ask: Ask) -> Reply:
    try:
        result = worker.apply(ask.task) if isinstance(ask.task, RemovalTask) else worker.survey(ask.task)
    except RefusedAttempt as error:
        return Reply(ask.number, None, str(error))
    return Reply(ask.number, result)


def _no_room(ask: Ask) -> SurveyResult | RemovalResult:
    if isinstance(ask.task, RemovalTask):
        return RemovalResult((), no_room=True)
    return SurveyResult(None, None, no_room=True)

"""A survey inspects many containers over several connections, and reads as if it had used one."""

from __future__ import annotations

import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import pytest

from fleetsweep.deadline import Deadline, Watchdog
from fleetsweep.engine import AT_ONCE, READ_ONLY, EngineClient
from fleetsweep.engine.adapter import Dial, Stream
from fleetsweep.engine.endpoint import local_dial, parse_endpoint
from fleetsweep.errors import HostError
from tests.lab.scripted import Answer, ScriptedContainer, ScriptedEngine

IDS = [f"{number:064x}" for number in range(100)]


def engine_of(ids: list[str]) -> ScriptedEngine:
    return ScriptedEngine([ScriptedContainer(container_id, age=timedelta(hours=3)) for container_id in ids])


@contextmanager
def client_of(engine: ScriptedEngine, dialled: list[Stream], connections: int = AT_ONCE) -> Iterator[EngineClient]:
    with tempfile.TemporaryDirectory(prefix="fs-") as directory, Watchdog() as watchdog:
        deadline = Deadline(20, watchdog)
        with (
            engine.serve(Path(directory) / "e.sock") as url,
            local_dial(parse_endpoint(url), deadline) as dial,
        ):
            counted = _counting(dial, dialled)
            client = EngineClient(counted, "local", deadline, READ_ONLY, connections)
            try:
                yield client
            finally:
                client.close()


def _counting(dial: Dial, dialled: list[Stream]) -> Dial:
    def counted() -> Stream:
        dialled.append(dial())
        return dialled[-1]

    return counted


def test_each_is_inspected_once_and_the_order_is_the_lists() -> None:
    engine = engine_of(IDS)
    dialled: list[Stream] = []
    with client_of(engine, dialled) as client:
        listing = client.survey(lambda container, _: container.id != IDS[7])
    assert [container.id for container in listing.containers] == IDS
    assert [container.id for container in listing.containers if not container.inspected] == [IDS[7]]
    asked = [path.split("/")[2] for _, path in engine.requests if path.startswith("/containers/" + "0" * 60)]
    assert sorted(asked) == sorted(set(IDS) - {IDS[7]})
    assert len(engine.requests) == 2 + 99
    assert 1 <= len(dialled) <= AT_ONCE


@pytest.mark.parametrize(("count", "connections"), [(3, AT_ONCE), (100, 1)])
def test_few_containers_or_one_connection_need_no_other_thread(count: int, connections: int) -> None:
    engine = engine_of(IDS[:count])
    threads: set[str] = set()
    dialled: list[Stream] = []
    with client_of(engine, dialled, connections) as client:
        inspect = client.inspect

        def watched(container_id: str) -> object:
            threads.add(threading.current_thread().name)
            return inspect(container_id)

        client.inspect = watched  # type: ignore[method-assign,assignment]
        assert len(client.survey(lambda *_: True).containers) == count
    assert threads == {threading.current_thread().name}
    assert len(dialled) == 1


def test_one_that_is_gone_by_then_is_left_out() -> None:
    engine = engine_of(IDS)
    engine.on(f"GET /containers/{IDS[50]}/json", lambda _: Answer(404, {"message": "No such container"}))
    with client_of(engine, []) as client:
        listing = client.survey(lambda *_: True)
    assert [container.id for container in listing.containers] == IDS[:50] + IDS[51:]


def test_one_answer_that_cannot_be_used_fails_the_survey() -> None:
    engine = engine_of(IDS)
    engine.on(f"GET /containers/{IDS[50]}/json", lambda _: Answer(500, {"message": "busy"}))
    with client_of(engine, []) as client, pytest.raises(HostError, match="busy"):
        client.survey(lambda *_: True)

"""A survey pipelines its inspects, sends each once, and adapts to engines that refuse that."""

from __future__ import annotations

import re
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import pytest

from fleetsweep.engine import MAY_REMOVE, READ_ONLY, inspections
from fleetsweep.engine.client import EngineClient, Listing
from fleetsweep.engine.endpoint import local_dial, parse_endpoint
from fleetsweep.engine.pool import PIPELINE_DEPTH, ConnectionPool, Dial, Stream
from fleetsweep.errors import FaultKind, HostError, LostAnswer, Phase
from fleetsweep.runtime.deadline import Deadline, Watchdog
from tests.lab.scripted_engine import Response, ScriptedContainer, ScriptedEngine

IDS = [f"{number:064x}" for number in range(100)]


def engine_of(ids: list[str]) -> ScriptedEngine:
    return ScriptedEngine([ScriptedContainer(container_id, age=timedelta(hours=3)) for container_id in ids])


class Sent:
    """A stream that records what is written to it."""

    def __init__(self, stream: Stream) -> None:
        self._stream = stream
        self.writes: list[bytes] = []
        self.settimeout = stream.settimeout
        self.recv = stream.recv
        self.close = stream.close

    def sendall(self, data: bytes) -> None:
        self.writes.append(data)
        self._stream.sendall(data)


@contextmanager
def dial_of(engine: ScriptedEngine, dialled: list[Sent]) -> Iterator[tuple[Dial, Deadline]]:
    with tempfile.TemporaryDirectory(prefix="fs-") as directory, Watchdog() as watchdog:
        deadline = Deadline(20, watchdog)
        with engine.serve(Path(directory) / "e.sock") as url, local_dial(parse_endpoint(url), deadline) as dial:

            def counted() -> Stream:
                dialled.append(Sent(dial()))
                return dialled[-1]

            yield counted, deadline


@contextmanager
def client_of(engine: ScriptedEngine, dialled: list[Sent] | None = None) -> Iterator[EngineClient]:
    with dial_of(engine, [] if dialled is None else dialled) as (dial, deadline):
        client = EngineClient(dial, "local", deadline, READ_ONLY)
        try:
            yield client
        finally:
            client.close()


def inspected(engine: ScriptedEngine) -> list[str]:
    return [path.split("/")[2] for _, path in engine.requests if re.match("/containers/[0-9a-f]", path)]


def test_each_container_is_inspected_once_over_one_stream_and_a_batch_in_one_write() -> None:
    engine = engine_of(IDS)
    dialled: list[Sent] = []
    with client_of(engine, dialled) as client:
        listing = client.survey(lambda container, _: container.id != IDS[7])
    assert [container.id for container in listing.containers] == IDS
    assert [container.id for container in listing.containers if not container.inspected] == [IDS[7]]
    assert inspected(engine) == [*IDS[:7], *IDS[8:], IDS[7]], "the other running container is inspected for its owners"
    assert len(engine.requests) == 1 + 100, "the list identifies the engine: no other request is needed"
    assert len(dialled) == 1
    assert len(dialled[0].writes) == 1 + -(-100 // PIPELINE_DEPTH)


def test_an_engine_that_closes_the_stream_after_each_response_gets_only_the_rest_again() -> None:
    engine = engine_of(IDS[:40])
    engine.closing = True
    dialled: list[Sent] = []
    with client_of(engine, dialled) as client:
        listing = client.survey(lambda *_: True)
    assert all(container.inspected for container in listing.containers)
    assert len(dialled) == 1 + 40


@pytest.mark.parametrize(
    ("api", "asked"), [("1.39", "/v1.39/containers/json"), ("1.24", "/v1.24/containers/json"), ("1.52", None)]
)
def test_an_engine_without_the_first_api_version_is_used_with_its_own(api: str, asked: str | None) -> None:
    engine = engine_of(IDS[:3])
    engine.api = api
    with client_of(engine) as client:
        assert len(client.survey(lambda *_: False).containers) == 3
    first = "/v1.40/containers/json"
    assert engine.targets == ([first] if asked is None else [first, "/_ping", asked])


@pytest.mark.parametrize(
    ("minimum", "newest", "used"),
    [("1.41", "1.45", "1.45"), ("1.44", "1.52", "1.51"), ("1.45", "1.60", "1.51"), ("1.51", "1.99", "1.51")],
)
def test_an_engine_with_a_newer_minimum_is_used_up_to_the_newest_tested(minimum: str, newest: str, used: str) -> None:
    engine = engine_of(IDS[:3])
    engine.api, engine.oldest_api = newest, minimum
    with client_of(engine) as client:
        assert client.engine.api == used
        assert len(client.survey(lambda *_: True).containers) == 3
    assert engine.targets[:2] == ["/v1.40/containers/json", f"/v{used}/containers/json"]
    assert len(engine.targets) == 2 + 3


def test_an_engine_whose_minimum_is_newer_than_tested_says_what_to_update() -> None:
    engine = engine_of(IDS[:3])
    engine.api, engine.oldest_api = "1.60", "1.52"
    with pytest.raises(HostError) as caught, client_of(engine):
        pass
    assert (caught.value.kind, caught.value.remedy) == ("api-version", "update fleetsweep")
    assert "accepts API 1.52 and newer" in caught.value.message


def test_a_list_that_does_not_identify_the_engine_is_followed_by_a_ping() -> None:
    engine = engine_of(IDS[:3])
    engine.nameless = "/containers/json"
    with client_of(engine) as client:
        assert client.engine.server == "Docker/20.10.24 (linux)"
        assert len(client.survey(lambda *_: False).containers) == 3
    assert [path for _, path in engine.requests] == ["/containers/json", "/_ping", "/containers/json"]


def test_a_second_list_is_a_new_one() -> None:
    engine = engine_of(IDS[:3])
    with client_of(engine) as client:
        client.list_containers()
        del engine.containers[IDS[0]]
        assert [container.id for container in client.list_containers().containers] == IDS[1:3]


def test_a_client_that_may_remove_also_begins_with_a_list_and_its_final_list_is_a_new_one() -> None:
    engine = engine_of(IDS[:3])
    with dial_of(engine, []) as (dial, deadline):
        client = EngineClient(dial, "local", deadline, MAY_REMOVE)
        assert engine.requests == [("GET", "/containers/json")]
        del engine.containers[IDS[0]]
        assert [container.id for container in client.final_list(within=10, fresh=False)] == IDS[1:3]
        client.close()


def test_a_pool_refuses_a_method_that_it_was_not_created_for_and_a_target_with_a_line_break() -> None:
    engine = engine_of(IDS[:3])
    with dial_of(engine, []) as (dial, deadline):
        pool = ConnectionPool(dial, deadline, READ_ONLY)
        with pytest.raises(PermissionError):
            pool.request("DELETE", f"/v1.40/containers/{IDS[0]}")
        for target in ("/a b", "/a\r\nX: y", "/ä", "/a\tb"):
            with pytest.raises(ValueError, match="target"):
                pool.request("GET", target)
        pool.close()
    assert engine.requests == []


def test_if_a_second_stream_is_refused_the_threads_share_the_first() -> None:
    engine = engine_of(IDS)
    dialled: list[Sent] = []
    with dial_of(engine, dialled) as (dial, deadline):

        def once() -> Stream:
            if dialled:
                raise HostError(Phase.TUNNEL, FaultKind.REFUSED, "no more sessions", "raise MaxSessions")
            return dial()

        pool = ConnectionPool(once, deadline, READ_ONLY, connections=4)
        pool.open()
        statuses: list[int] = []

        def send() -> None:
            statuses.extend(pool.request("GET", "/containers/json").status for _ in range(5))

        threads = [threading.Thread(target=send) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        pool.close()
    assert statuses == [200] * 20


def test_a_response_is_never_taken_for_that_of_another_request() -> None:
    """Pipelined requests that are not read in order are given up together with their stream."""
    engine = engine_of(IDS)
    dialled: list[Sent] = []
    with dial_of(engine, dialled) as (dial, deadline):
        pool = ConnectionPool(dial, deadline, MAY_REMOVE)
        targets = [f"/containers/{one}/json" for one in IDS[:3]]
        pool.pipeline(targets)
        assert IDS[1].encode() in pool.request("GET", targets[1]).body
        assert pool.request("DELETE", f"/containers/{IDS[5]}?force=True").status == 204
        pool.close()
    assert len(dialled) == 2


def test_no_more_requests_are_pipelined_than_a_stream_can_hold() -> None:
    engine = engine_of(IDS)
    with dial_of(engine, []) as (dial, deadline):
        pool = ConnectionPool(dial, deadline, READ_ONLY)
        with pytest.raises(ValueError, match="in flight"):
            pool.pipeline(["/_ping"] * (PIPELINE_DEPTH + 1))
        pool.close()
    assert engine.requests == []


def trouble_of(listing: Listing) -> dict[str, str]:
    return {container.id: container.trouble for container in listing.containers if container.trouble}


def test_a_container_that_is_gone_by_its_inspect_is_left_out() -> None:
    engine = engine_of(IDS)

    def vanish(_: re.Match[str]) -> Response:
        engine.containers.pop(IDS[50], None)
        return Response(404, {"message": "No such container"})

    engine.on(f"GET /containers/{IDS[50]}/json", vanish)
    with client_of(engine) as client:
        listing = client.survey(lambda *_: True)
    assert [container.id for container in listing.containers] == IDS[:50] + IDS[51:]
    assert trouble_of(listing) == {}


def test_a_container_that_is_unknown_and_still_listed_is_kept_as_unreadable() -> None:
    engine = engine_of(IDS)
    engine.on(f"GET /containers/{IDS[50]}/json", lambda _: Response(404, {"message": "No such container"}))
    with client_of(engine) as client:
        listing = client.survey(lambda *_: True)
    assert [container.id for container in listing.containers] == IDS
    assert list(trouble_of(listing)) == [IDS[50]]
    assert "still lists it" in listing.containers[50].trouble


@pytest.mark.parametrize(
    ("said", "words"),
    [
        (Response(500, {"message": "busy"}), "HTTP 500: busy"),
        (Response(403, {}), "HTTP 403"),
        (Response(200, []), "not about the requested"),
        (Response(200, {"Id": IDS[51]}), "not about the requested"),
        (Response(307, None, (("Location", "/"),)), "redirect"),
        (Response(206, {"Id": IDS[50]}), "status 206 instead of 200"),
        (Response(raw=b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{"), "ended before"),
        (Response(raw=b"no HTTP\r\n\r\n"), "ended before"),
    ],
    ids=["500", "403", "another kind", "another id", "redirect", "a part", "cut short", "not HTTP"],
)
def test_an_unusable_response_affects_that_container_alone(said: Response, words: str) -> None:
    engine = engine_of(IDS)
    engine.on(f"GET /containers/{IDS[50]}/json", lambda _: said)
    with client_of(engine) as client:
        listing = client.survey(lambda *_: True)
    assert [container.id for container in listing.containers if container.inspected] == IDS[:50] + IDS[51:]
    assert list(trouble_of(listing)) == [IDS[50]]
    assert words in listing.containers[50].trouble


@contextmanager
def hanging(engine: ScriptedEngine, ids: list[str]) -> Iterator[None]:
    """Inspects of these containers hang, as with a stopped shim, and so do later ones on the same stream."""
    over = threading.Event()

    def hang(_: re.Match[str]) -> Response:
        over.wait(60)
        return Response(503)

    for container_id in ids:
        engine.on(f"GET /containers/{container_id}/json", hang)
    try:
        yield
    finally:
        over.set()


@pytest.mark.parametrize("wedged", [[50], [0], [3, 20, 99], [10, 11, 12]])
def test_inspects_that_hang_affect_those_containers_alone(wedged: list[int], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inspections, "RESPONSE_TIMEOUT_S", 0.5)
    engine = engine_of(IDS)
    with hanging(engine, [IDS[number] for number in wedged]), client_of(engine) as client:
        listing = client.survey(lambda *_: True)
    assert [container.id for container in listing.containers] == IDS
    assert list(trouble_of(listing)) == [IDS[number] for number in wedged]
    assert all("did not arrive within" in words for words in trouble_of(listing).values())
    asked = inspected(engine)
    assert all(asked.count(IDS[number]) == 1 for number in wedged), "an inspect that hung is not repeated"


def test_an_engine_that_hangs_in_every_inspect_and_in_the_second_list_is_reported_itself() -> None:
    engine = engine_of(IDS[:3])
    over = threading.Event()
    listed: list[str] = []

    def once(found: re.Match[str]) -> Response | None:
        listed.append(found[0])
        return None if len(listed) == 1 else hang(found)

    def hang(_: re.Match[str]) -> Response:
        over.wait(60)
        return Response(503)

    engine.on("GET /containers/json", once)
    engine.on("GET /containers/[0-9a-f]+/json", hang)
    try:
        with client_of(engine) as client, pytest.raises(LostAnswer, match="list"):
            client.survey(lambda *_: True)
    finally:
        over.set()


def test_if_one_container_is_judged_the_running_ones_are_inspected_for_their_owners() -> None:
    engine = engine_of(IDS[:6])
    owner, network, process, stopped, wedged, plain = (engine.containers[one] for one in IDS[:6])
    network.host_config = {"NetworkMode": f"container:{owner.id}"}
    process.host_config = {"PidMode": f"container:{owner.name}", "IpcMode": f"container:{plain.id}"}
    stopped.host_config = {"IpcMode": f"container:{owner.id}"}
    stopped.state = "exited"
    owner.name = "ws-owner"
    process.host_config["PidMode"] = "container:ws-owner"
    engine.on(f"GET /containers/{wedged.id}/json", lambda _: Response(500, {"message": "busy"}))
    with client_of(engine) as client:
        listed_only = client.survey(lambda *_: False)
        judged = client.survey(lambda container, _: container.id == owner.id)
    assert [container.lives_on for container in listed_only.containers] == [(), (owner.id,), (), (), (), ()]
    assert [container.lives_on for container in judged.containers] == [
        (),
        (owner.id,),
        (plain.id, owner.id),
        (),
        (),
        (),
    ]
    assert [container.inspected for container in judged.containers] == [True, False, False, False, False, False]
    assert trouble_of(judged) == {}, "a container that is not judged may be unreadable"

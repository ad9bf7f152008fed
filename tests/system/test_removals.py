"""Removals that hang, wait or belong to others: each affects only itself, and removals are verified."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Callable
from datetime import timedelta

import pytest

from tests.conftest import Run
from tests.lab.request_gate import Gate
from tests.lab.scripted_engine import Response, ScriptedContainer, ScriptedEngine
from tests.lab.workdir import Workdir, deletes, leaks

WEDGED = "e" * 64
UNDER_WAY = Response(409, {"message": f"removal of container {WEDGED} is already in progress"})

Told = dict[str, tuple[str, str | None]]


def with_wedged(others: int, first: bool = True) -> ScriptedEngine:
    wedged = ScriptedContainer(WEDGED, "ws-wedged")
    return ScriptedEngine([wedged, *leaks(others)] if first else [*leaks(others), wedged])


def sweep(run: Run, engine: ScriptedEngine, workdir: Workdir, *words: str) -> tuple[int, dict[str, object], Told]:
    """Sweep one engine. Answers the exit code, the row, and each container's outcome and error."""
    with engine.serve(workdir.socket) as url:
        done = run(*workdir.sweep(url, *words))
    assert done.stdout, done.stderr
    assert "Traceback" not in done.stderr
    (row,) = json.loads(done.stdout)["hosts"]
    return done.returncode, row, {each["name"]: (each["outcome"], each["error"]) for each in row["decisions"]}


def test_one_removal_that_hangs_is_unknown_and_the_others_are_removed(run: Run, workdir: Workdir, gate: Gate) -> None:
    engine = with_wedged(6)
    engine.on(f"DELETE /containers/{WEDGED}", gate)
    code, row, told = sweep(run, engine, workdir)
    assert told.pop("ws-wedged") == ("unknown", "the response to a removal did not arrive within 13 s")
    assert set(told.values()) == {("removed", None)}
    assert (code, row["removed"], row["unknown"], row["status"]) == (5, 6, 1, "failed")
    assert len(deletes(engine)) == 7


def test_removals_that_hang_delay_no_other_even_with_every_worker_busy(run: Run, workdir: Workdir, gate: Gate) -> None:
    engine = ScriptedEngine(leaks(12))
    engine.on(r"DELETE /containers/0{63}[0-3]", gate)
    code, row, told = sweep(run, engine, workdir)
    assert [told.pop(f"ws-{number}")[0] for number in range(4)] == ["unknown"] * 4
    assert set(told.values()) == {("removed", None)}
    assert (code, row["removed"]) == (5, 8)


def test_a_look_that_hangs_before_its_request_leaves_that_container_alone(
    run: Run, workdir: Workdir, gate: Gate
) -> None:
    engine = with_wedged(6)
    looks: list[str] = []

    def second(found: re.Match[str]) -> Response | None:
        looks.append(found[0])
        return gate(found) if len(looks) > 1 else None

    engine.on(f"GET /containers/{WEDGED}/json", second)
    code, row, told = sweep(run, engine, workdir)
    error = "not removed: it could not be inspected again: an inspect response did not arrive within 5 s"
    assert told.pop("ws-wedged") == ("failed", error)
    assert set(told.values()) == {("removed", None)}
    assert (code, row["removed"]) == (5, 6)
    assert WEDGED not in deletes(engine)


def test_a_removal_by_another_that_does_not_end_is_unknown_for_it_alone(run: Run, workdir: Workdir) -> None:
    engine = with_wedged(6)
    engine.on(f"DELETE /containers/{WEDGED}", lambda _: UNDER_WAY)
    code, row, told = sweep(run, engine, workdir)
    assert told.pop("ws-wedged") == ("unknown", "another removal of it was still in progress")
    assert set(told.values()) == {("removed", None)}
    assert (code, row["removed"]) == (5, 6)
    assert deletes(engine).count(WEDGED) == 1


def after_the_removals(engine: ScriptedEngine, spoil: Callable[[int], Response | None]) -> None:
    """Answer the lists that follow a removal as ``spoil`` says, by their number."""
    asked: list[int] = []

    def answer(_: object) -> Response | None:
        if not deletes(engine):
            return None
        asked.append(1)
        return spoil(len(asked))

    engine.on("GET /containers/json", answer)


@pytest.mark.parametrize(
    "spoilt",
    [
        Response(raw=b""),
        Response(500, {"message": "try again"}),
        Response(raw=b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n[]"),
        Response(body={"not": "a list"}),
    ],
)
def test_a_final_list_that_breaks_is_asked_for_once_more(run: Run, workdir: Workdir, spoilt: Response) -> None:
    engine = ScriptedEngine(leaks(3))
    after_the_removals(engine, lambda number: spoilt if number == 1 else None)
    code, _, told = sweep(run, engine, workdir)
    assert (code, set(told.values())) == (0, {("removed", None)})


def test_a_final_list_that_cannot_be_had_proves_nothing(run: Run, workdir: Workdir) -> None:
    engine = ScriptedEngine(leaks(3))
    after_the_removals(engine, lambda _: Response(500, {"message": "never"}))
    code, row, told = sweep(run, engine, workdir)
    assert (code, set(told.values())) == (5, {("unknown", "the final list could not be read")})
    assert row["removed"] == 0


def test_the_final_list_has_time_that_removals_cannot_use_up(run: Run, workdir: Workdir, gate: Gate) -> None:
    engine = with_wedged(3)
    engine.on(f"DELETE /containers/{WEDGED}", gate)
    code, _, told = sweep(run, engine, workdir, "--host-timeout", "4s")
    assert told.pop("ws-wedged")[0] == "unknown"
    assert (code, set(told.values())) == (5, {("removed", None)})


# Podman


def podman(version: str, containers: list[ScriptedContainer], libpod: str = "") -> ScriptedEngine:
    engine = ScriptedEngine(containers)
    engine.server = f"Libpod/{version} (linux)"
    engine.libpod = libpod
    return engine


def test_where_podman_waits_for_each_container_as_many_go_at_once_as_the_time_needs(run: Run, workdir: Workdir) -> None:
    engine = podman("3.4.4", leaks(48))
    together = threading.Barrier(24)

    def wait(_: object) -> None:
        together.wait(20)

    engine.on("DELETE", wait)
    code, row, _ = sweep(run, engine, workdir, "--host-timeout", "60s")
    assert (code, row["removed"]) == (0, 48), "24 at once and then the others, or nobody goes"


def test_podmans_own_api_is_asked_not_to_wait(run: Run, workdir: Workdir) -> None:
    engine = podman("5.4.2", [*leaks(2), ScriptedContainer(WEDGED, "ws-exited", state="exited")], "5.4.2")

    def remove(found: re.Match[str]) -> Response:
        del engine.containers[found[1]]
        return Response(200, [{"Id": found[1]}])

    engine.on("DELETE /libpod/containers/([0-9a-f]{64})", remove)
    code, row, _ = sweep(run, engine, workdir)
    assert (code, row["removed"]) == (0, 3)
    asked = {target for target in engine.targets if "libpod" in target and not target.endswith("/json")}
    assert asked == {f"/v5.4.2/libpod/containers/{each.id}" for each in leaks(2)}


def stopping() -> list[ScriptedContainer]:
    return [ScriptedContainer(WEDGED, "ws-stopping", state="stopping", age=timedelta(days=2)), *leaks(1)]


@pytest.mark.parametrize(("version", "libpod"), [("4.4.0", ""), ("4.4.0", "4.4.0"), ("5.8.6", "")])
def test_what_podman_is_stopping_is_removed_with_force(run: Run, workdir: Workdir, version: str, libpod: str) -> None:
    engine = podman(version, stopping(), libpod)
    forced: list[str] = []

    def remove(found: re.Match[str]) -> Response:
        forced.append(found[1])
        engine.containers.pop(found[1], None)
        return Response(204)

    engine.on("DELETE /(?:libpod/)?containers/([0-9a-f]{64})", remove)
    code, _, told = sweep(run, engine, workdir)
    assert (code, told["ws-stopping"]) == (0, ("removed", None))


def test_an_older_podman_is_not_asked_to_remove_what_is_stopping(run: Run, workdir: Workdir) -> None:
    engine = podman("4.3.1", stopping())
    code, _, told = sweep(run, engine, workdir)
    outcome, error = told["ws-stopping"]
    assert (code, outcome, told["ws-0"]) == (5, "failed", ("removed", None))
    assert "still runs" in (error or "")
    assert WEDGED not in deletes(engine)

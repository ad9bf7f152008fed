"""Links that are slow, break off or change keys in mid-run: finished or reported, never counted as removed."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest

from tests.conftest import Run
from tests.lab.fleetsweep_process import intents
from tests.lab.scripted_engine import Response, ScriptedContainer, ScriptedEngine
from tests.lab.sshd_fleet import SshdFleet, open_sshd_fleet, sessions
from tests.lab.tcp_link import Link, slow
from tests.lab.workdir import deletes, leaks

pytestmark = pytest.mark.lab


@pytest.fixture
def fleet() -> Iterator[SshdFleet]:
    with open_sshd_fleet() as found:
        yield found


def fleetsweep(run: Run, fleet: SshdFleet, *words: str) -> tuple[int, dict[str, dict[str, Any]]]:
    done = run(*words, *fleet.options(), "--format", "json")
    assert done.stdout, done.stderr
    assert "Traceback" not in done.stderr
    return done.returncode, {row["host"]: row for row in json.loads(done.stdout)["hosts"]}


def outcomes(row: dict[str, Any]) -> list[str]:
    return [decision["outcome"] for decision in row["decisions"] if decision["verdict"] == "remove"]


def young(count: int) -> list[ScriptedContainer]:
    """So many that are not stale, with other ids than the leaks have."""
    numbers = range(100_000, 100_000 + count)
    return [ScriptedContainer(f"{number:064x}", age=timedelta(minutes=5)) for number in numbers]


def test_a_slow_link_that_loses_packets_is_swept_all_the_same(run: Run, fleet: SshdFleet) -> None:
    box, engine = fleet.sshd(), ScriptedEngine([*leaks(2), *young(50)])
    lossy = slow(400, 0.005, 25, 0.3)
    fleet.host("far", box, fleet.engine(engine), port=fleet.link(box, up=lossy, down=lossy).port)
    code, rows = fleetsweep(run, fleet, "sweep", "--yes", "-T", "40s")
    assert (code, rows["far"]["status"]) == (0, "ok")
    assert outcomes(rows["far"]) == ["removed", "removed"]


@pytest.mark.parametrize(("removed", "settled"), [(True, "gone"), (False, "still-there")])
def test_a_link_cut_during_a_removal_leaves_it_unknown_and_the_next_run_settles_it(
    run: Run, fleet: SshdFleet, removed: bool, settled: str
) -> None:
    box, engine = fleet.sshd(), ScriptedEngine(leaks(1))
    link = fleet.link(box)
    broken: list[int] = []

    def cut(_: object) -> Response | None:
        if not broken:
            broken.append(1)
            link.cut()
            return None if removed else Response(raw=b"")
        return None

    engine.on("DELETE", cut)
    fleet.host("bad", box, fleet.engine(engine), port=link.port)
    fleet.host("well", box, fleet.engine())
    code, rows = fleetsweep(run, fleet, "sweep", "--yes")
    assert (code, outcomes(rows["bad"])) == (5, ["unknown"])
    assert rows["bad"]["status"] == "failed"
    assert "the connection ended" in rows["bad"]["decisions"][0]["error"]
    assert rows["well"]["status"] == "ok"
    assert len(deletes(engine)) == 1
    assert [intent["outcome"] for intent in intents(fleet.directory / "state")] == ["unknown"]
    code, rows = fleetsweep(run, fleet, "audit")
    assert [item["outcome"] for item in rows["bad"]["settled"]] == [settled]
    assert (code, rows["bad"]["stale"]) == (0, 0 if removed else 1)


def test_a_session_that_is_killed_during_a_removal_leaves_it_unknown(run: Run, fleet: SshdFleet) -> None:
    box, engine = fleet.sshd(), ScriptedEngine(leaks(1))
    engine.on("DELETE", lambda _: kill(sessions(box)))
    fleet.host("bad", box, fleet.engine(engine))
    code, rows = fleetsweep(run, fleet, "sweep", "--yes")
    assert (code, outcomes(rows["bad"])) == (5, ["unknown"])


def kill(pids: list[int]) -> None:
    for pid in pids:
        os.kill(pid, signal.SIGKILL)


def test_a_session_that_is_killed_in_the_middle_of_a_list_gives_no_part_of_it(run: Run, fleet: SshdFleet) -> None:
    box = fleet.sshd()
    ended: list[int] = []

    def kill_in_body(link: Link, data: bytes, before: int) -> Iterator[bytes]:
        # All that comes before the list is smaller than this, and the list is larger.
        if before > 100_000 and not ended:
            ended.extend(sessions(box))
            kill(ended)
        yield data

    engine = ScriptedEngine([*leaks(2), *young(5_000)])
    fleet.host("bad", box, fleet.engine(engine), port=fleet.link(box, down=kill_in_body).port)
    fleet.host("well", fleet.sshd(), fleet.engine())
    code, rows = fleetsweep(run, fleet, "sweep", "--yes")
    assert ended
    assert (code, rows["bad"]["status"], rows["bad"]["error"]["phase"]) == (3, "failed", "engine")
    assert (rows["bad"]["error"]["kind"], rows["bad"]["containers"]) == ("lost", 0)
    assert rows["bad"]["error"]["remedy"]
    assert rows["well"]["status"] == "ok"
    assert deletes(engine) == []


def test_new_keys_every_64_kilobytes_lose_nothing(run: Run, fleet: SshdFleet) -> None:
    box = fleet.sshd("RekeyLimit 64K", "LogLevel DEBUG1")
    engine = ScriptedEngine([*leaks(60), *young(9_940)])
    fleet.host("busy", box, fleet.engine(engine))
    code, rows = fleetsweep(run, fleet, "sweep", "--yes")
    assert (code, rows["busy"]["status"], rows["busy"]["removed"]) == (0, "ok", 60)
    assert rows["busy"]["containers"] == 10_000
    assert box.sshd_log.count("SSH2_MSG_NEWKEYS received") > 10

"""How far each host is reached, and which guard would stop a sweep there."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from datetime import timedelta
from pathlib import Path

import pytest

from fleetsweep.errors import Phase
from fleetsweep.model.checkup import Checkup
from fleetsweep.model.decision import GuardName
from fleetsweep.model.host import Connection, Host
from fleetsweep.model.survey import Status
from fleetsweep.policy.rules import Policy
from fleetsweep.ssh import SshOptions
from fleetsweep.sweep.checkup import examine
from fleetsweep.sweep.phases import ConnectConfig
from fleetsweep.sweep.workers import Limits
from tests.lab.scripted_engine import ScriptedContainer, ScriptedEngine


class Boxes:
    """Local hosts, each with a scripted engine."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._serving = ExitStack()
        self.hosts: list[Host] = []
        self.policies: dict[str, Policy] = {}

    def add(self, engine: ScriptedEngine | None, policy: Policy | None = None) -> ScriptedEngine | None:
        name = f"box-{len(self.hosts)}"
        path = self._directory / f"{name}.sock"
        url = f"unix://{path}" if engine is None else self._serving.enter_context(engine.serve(path))
        self.hosts.append(Host(name, "localhost", connection=Connection.LOCAL, engine=url))
        self.policies[name] = policy or Policy()
        return engine

    def examine(self, *, identify: bool = False) -> tuple[Checkup, ...]:
        connect = ConnectConfig(SshOptions(), Limits(4, 20, 20))
        return examine(self.hosts, self.policies, connect, identify=identify)

    def close(self) -> None:
        self._serving.close()


@pytest.fixture
def boxes(tmp_path: Path) -> Iterator[Boxes]:
    found = Boxes(tmp_path)
    yield found
    found.close()


def test_a_healthy_host_is_ok_with_its_measurements_and_no_command(boxes: Boxes) -> None:
    boxes.add(ScriptedEngine([ScriptedContainer("1" * 64, "ws-1")]))
    (found,) = boxes.examine()
    assert (found.status, found.containers, found.command, found.guard) == (Status.OK, 1, "", None)
    assert found.seen[Phase.TUNNEL] == {"via": "local"}
    assert found.engine is not None
    assert found.engine.id is None
    assert found.round_trip_s is not None
    assert found.skew_s is not None


def test_nothing_but_get_is_sent(boxes: Boxes) -> None:
    engine = boxes.add(ScriptedEngine([ScriptedContainer("1" * 64, "ws-1")]))
    boxes.examine(identify=True)
    assert engine is not None
    assert {method for method, _ in engine.requests} == {"GET"}


def test_one_host_that_is_not_reached_leaves_the_others_ok_in_their_order(boxes: Boxes) -> None:
    boxes.add(None)
    boxes.add(ScriptedEngine([]))
    first, second = boxes.examine()
    assert (first.host.name, second.host.name) == ("box-0", "box-1")
    assert first.fault is not None
    assert first.engine is None
    assert first.status is first.fault.status is not Status.OK
    assert second.status is Status.OK


def test_the_id_is_asked_for_where_it_is_wanted_or_pinned(boxes: Boxes) -> None:
    boxes.add(ScriptedEngine([]), Policy(engine_id="ABCD:EFGH"))
    boxes.add(ScriptedEngine([]))
    assert [found.engine and found.engine.id for found in boxes.examine()] == ["ABCD:EFGH", None]
    assert [found.engine and found.engine.id for found in boxes.examine(identify=True)] == ["ABCD:EFGH"] * 2


def test_another_engine_than_the_pinned_one_is_guarded(boxes: Boxes) -> None:
    boxes.add(ScriptedEngine([]), Policy(engine_id="OTHER"))
    (found,) = boxes.examine()
    assert found.status is Status.GUARDED
    assert found.guard is not None
    assert found.guard.name is GuardName.IDENTITY


def test_a_skewed_clock_is_guarded_and_a_cap_is_not_checked(boxes: Boxes) -> None:
    boxes.add(ScriptedEngine([], offset=timedelta(hours=2)))
    old = [ScriptedContainer(f"{number:064x}", f"ws-{number}") for number in range(3)]
    boxes.add(ScriptedEngine(old), Policy(cap=0))
    skewed, many = boxes.examine()
    assert skewed.guard is not None
    assert skewed.guard.name is GuardName.SKEW
    assert (many.status, many.guard) == (Status.OK, None)

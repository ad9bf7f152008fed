"""A scripted engine on this machine, and the values that a worker gets for it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from fleetsweep.model.decision import HostPlan
from fleetsweep.model.host import Connection, Host
from fleetsweep.policy.guards import plan_host
from fleetsweep.policy.rules import Policy
from fleetsweep.ssh import SshOptions
from fleetsweep.sweep.host_worker import HostWorker
from fleetsweep.sweep.one_host import Look
from fleetsweep.sweep.slices import Reach, SurveyTask
from tests.lab.scripted_engine import ScriptedEngine
from tests.lab.workdir import leaks

REACH = Reach(SshOptions())
LOOK = Look(identify=True)
SECONDS = 20.0


@dataclass(frozen=True, slots=True)
class LocalBox:
    """An engine that is served, its host, and the host's plan."""

    engine: ScriptedEngine
    host: Host
    plan: HostPlan


def planned(host: Host) -> HostPlan:
    """Survey a host and return its plan."""
    with HostWorker(REACH) as worker:
        survey = worker.survey(SurveyTask(host, Policy(), LOOK, SECONDS)).survey
    assert survey is not None
    return plan_host(survey, Policy())


@contextmanager
def local_box(directory: Path, count: int, name: str = "here") -> Iterator[LocalBox]:
    """Serve an engine with so many leaks while the block runs."""
    engine = ScriptedEngine(leaks(count))
    with engine.serve(directory / f"{name}.sock") as url:
        host = Host(name, "localhost", connection=Connection.LOCAL, engine=url)
        yield LocalBox(engine, host, planned(host))

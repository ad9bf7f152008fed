"""Survey one box as one user, in the test's process."""

from __future__ import annotations

from fleetsweep.model.host import Host
from fleetsweep.model.survey import FailedSurvey, Fault, Survey
from fleetsweep.policy.rules import Policy
from fleetsweep.ssh import SshOptions
from fleetsweep.sweep.phases import ConnectConfig, open_bastions, survey
from fleetsweep.sweep.workers import Limits
from tests.lab.accounts import Account
from tests.lab.box import Box
from tests.lab.lab import Lab


def host(lab: Lab, box: Box, who: Account | None = None, *, engine: str | None = None, become: bool = False) -> Host:
    return Host(
        box.name,
        "127.0.0.1",
        port=box.port,
        user=who.name if who else "root",
        key_file=str(who.key if who else lab.client_key),
        known_hosts=str(lab.known_hosts),
        engine=engine or f"unix://{box.socket}",
        become=become,
    )


def survey_one(target: Host, seconds: float = 30) -> Survey | FailedSurvey:
    with open_bastions([target], ConnectConfig(SshOptions(), Limits(1, seconds, seconds))) as ready:
        (found,) = survey([target], {target.name: Policy()}, ready)
    return found


def via(target: Host) -> str:
    found = survey_one(target)
    assert isinstance(found, Survey), found.fault
    return found.engine.via


def fault(target: Host) -> Fault:
    found = survey_one(target)
    assert isinstance(found, FailedSurvey), found.engine
    assert found.fault.phase == "tunnel"
    return found.fault

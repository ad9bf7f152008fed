"""The work on one host: an engine that is another one by now has nothing removed from it."""

from __future__ import annotations

import threading
from pathlib import Path

from fleetsweep.errors import FleetsweepError
from fleetsweep.model.decision import Guard, GuardName
from fleetsweep.model.outcome import Outcome
from fleetsweep.model.survey import Fault
from fleetsweep.policy.rules import Policy
from fleetsweep.runtime.deadline import Deadline, Watchdog
from fleetsweep.ssh import SshOptions
from fleetsweep.sweep.connect import Connector
from fleetsweep.sweep.ledger import Ledger
from fleetsweep.sweep.one_host import RemovalOptions, apply_host, journal_fault
from tests.generators.engines import Log
from tests.lab.local_box import SECONDS, local_box
from tests.lab.workdir import deletes


def test_another_engine_than_the_planned_one_is_left_alone(tmp_path: Path) -> None:
    ledger, connector = Ledger(Log()), Connector(SshOptions(), None)
    with local_box(tmp_path, 1) as box, Watchdog() as watchdog:
        box.engine.id = "another"
        ended = apply_host(
            box.plan,
            Policy(),
            connector,
            ledger,
            Deadline(SECONDS, watchdog),
            RemovalOptions(),
            stopped=threading.Event(),
        )
        assert deletes(box.engine) == []
    assert isinstance(ended, Guard)
    assert ended.name is GuardName.IDENTITY
    assert not ledger.begun


def test_a_journal_that_can_not_be_written_has_its_remedy() -> None:
    assert journal_fault(FleetsweepError("disk full")).remedy.startswith("make the state directory writable")


def test_what_another_engine_does_not_have_is_not_gone(tmp_path: Path) -> None:
    """Behind a load balancer, the engine may be another one after the first removal."""
    log = Log()
    ledger, connector = Ledger(log), Connector(SshOptions(), None)
    with local_box(tmp_path, 6) as box, Watchdog() as watchdog:

        def replace_engine(_: object) -> None:
            box.engine.id = "another"
            box.engine.containers.clear()

        box.engine.on("^DELETE", replace_engine)
        ended = apply_host(
            box.plan,
            Policy(),
            connector,
            ledger,
            Deadline(SECONDS, watchdog),
            RemovalOptions(),
            stopped=threading.Event(),
        )
    assert isinstance(ended, Fault)
    assert ended.message == "another engine responds than before the first removal: another, not ABCD:EFGH"
    assert set(log.outcomes.values()) == {Outcome.UNKNOWN}

"""The seam: this process's threads do what a worker elsewhere does."""

from __future__ import annotations

import threading
from pathlib import Path

from fleetsweep.model.outcome import Outcome
from fleetsweep.policy.rules import Policy
from fleetsweep.runtime.deadline import Deadline, Watchdog
from fleetsweep.ssh import SshOptions
from fleetsweep.sweep.connect import Connector
from fleetsweep.sweep.ledger import Ledger
from fleetsweep.sweep.one_host import RemovalOptions
from fleetsweep.sweep.runner import Runner, ThreadRunner
from tests.generators.engines import Log
from tests.lab.local_box import LOOK, SECONDS, local_box


def test_a_thread_surveys_and_removes_itself(tmp_path: Path) -> None:
    runner: Runner = ThreadRunner(Connector(SshOptions(), None), threading.Event())
    with local_box(tmp_path, 2) as box, Watchdog() as watchdog:
        deadline = Deadline(SECONDS, watchdog)
        assert len(runner.survey(box.host, Policy(), LOOK, deadline).containers) == 2
        ledger = Ledger(Log())
        assert runner.apply(box.plan, Policy(), ledger, deadline, RemovalOptions()) is None
    assert [each.outcome for each in ledger.close()] == [Outcome.REMOVED] * 2

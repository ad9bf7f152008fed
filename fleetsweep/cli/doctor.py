"""The ``doctor`` command: print how far each host can be reached, phase by phase."""

from __future__ import annotations

from typing import NoReturn

from fleetsweep.cli.config import RunConfig
from fleetsweep.cli.signals import SignalHandler
from fleetsweep.console import deliver, leave, progress
from fleetsweep.model.report import Checkup, HostReport
from fleetsweep.model.survey import Status
from fleetsweep.sweep.checkup import examine
from fleetsweep.sweep.phases import reaching


def execute(request: RunConfig) -> NoReturn:
    """Examine, print, and exit as the table of exit codes says."""
    from fleetsweep.report import exit_code, render_checkups

    stopper = SignalHandler(request.reach.stopped)
    if request.unexpected is not None:
        found = tuple(Checkup(host, Status.GUARDED, {}, guard=request.unexpected) for host in request.hosts)
    else:
        stopper.install()
        identify = request.output.verbose or request.output.style == "json"
        with (
            reaching(request.hosts, request.reach) as reach,
            progress("Examining", len(request.hosts), request.output) as advance,
        ):
            found = examine(request.hosts, request.policies, reach, advance, identify=identify)
    rows = [HostReport(item.host, item.status, fault=item.fault, guard=item.guard) for item in found]
    code = exit_code(rows, request.unexpected, fail_on_stale=False, stopped_by=stopper.signal)
    text = render_checkups(found, code, request.output.style, verbose=request.output.verbose)
    leave(deliver(text, request.output, code))

"""The ``doctor`` command: print how far each host can be reached, phase by phase."""

from __future__ import annotations

from fleetsweep.cli.config import RunConfig
from fleetsweep.cli.signals import SignalHandler
from fleetsweep.console import deliver, progress
from fleetsweep.model.report import Checkup, HostReport
from fleetsweep.model.survey import Status
from fleetsweep.sweep.checkup import examine
from fleetsweep.sweep.phases import open_bastions


def execute(config: RunConfig) -> int:
    """Examine the hosts, print the result and return the exit code."""
    from fleetsweep.report import exit_code, render_checkups

    stopper = SignalHandler(config.reach.stopped)
    if config.unexpected is not None:
        found = tuple(Checkup(host, Status.GUARDED, {}, guard=config.unexpected) for host in config.hosts)
    else:
        stopper.install()
        identify = config.output.verbose or config.output.style == "json"
        with (
            open_bastions(config.hosts, config.reach) as reach,
            progress("Examining", len(config.hosts), config.output) as advance,
        ):
            found = examine(config.hosts, config.policies, reach, advance, identify=identify)
    rows = [HostReport(item.host, item.status, fault=item.fault, guard=item.guard) for item in found]
    code = exit_code(rows, config.unexpected, fail_on_stale=False, stopped_by=stopper.signal)
    text = render_checkups(found, code, config.output.style, verbose=config.output.verbose)
    return deliver(text, config.output, code)

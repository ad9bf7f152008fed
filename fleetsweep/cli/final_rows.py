"""The rows that no later step of a run changes. Each is handed on as soon as that is so."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from fleetsweep.model.decision import FleetPlan, HostPlan, is_actionable
from fleetsweep.model.report import HostReport
from fleetsweep.model.survey import FailedSurvey
from fleetsweep.policy.guards import FleetPlanner

if TYPE_CHECKING:
    from fleetsweep.model.intent import Settlement
    from fleetsweep.model.survey import Survey
    from fleetsweep.policy.reconcile import Concern
    from fleetsweep.sweep.phases import Applied

    Settled = Mapping[str, tuple[Settlement, ...]]

log = logging.getLogger(__name__)


class FinalRows:
    """The final rows so far, by host name. ``take`` are called with each; ``finish`` completes a row before that.

    The fleet's guard, a question that is declined and a signal change no row without candidates. ``removes`` is False
    for a run that removes nothing: it has no others.
    """

    def __init__(
        self,
        removes: bool,
        finish: Callable[[HostReport], HostReport],
        take: Sequence[Callable[[HostReport], None]] = (),
    ) -> None:
        self.rows: dict[str, HostReport] = {}
        self._removes = removes
        self._finish = finish
        self._take = take

    def planned(self, item: HostPlan | FailedSurvey, settled: Settled) -> None:
        """Note a plan that is final, with the intents that are settled on its host."""
        if item.host.name not in self.rows and not (self._removes and is_actionable(item)):
            self._add(item, None, settled)

    def all_planned(self, plan: FleetPlan, settled: Settled) -> None:
        """Note the plans of all hosts."""
        for item in plan.hosts:
            self.planned(item, settled)

    def applied(self, item: HostPlan, applied: Applied, settled: Settled) -> None:
        """Note what was done on a host."""
        self._add(item, applied, settled)

    def _add(self, item: HostPlan | FailedSurvey, applied: Applied | None, settled: Settled) -> None:
        """Hand a row on. A bug is logged: meanwhile other hosts are being worked on."""
        from fleetsweep.sweep.phases import host_report

        try:
            row = host_report(item, applied)
            row = self._finish(replace(row, settled=settled.get(item.host.name, ())))
            self.rows[row.host.name] = row
            for take in self._take:
                take(row)
        except Exception:
            log.exception("a bug in the row of %s", item.host.name)


class SurveyTaker:
    """Takes the surveys as they end: each is planned, and only those that may settle an intent are kept.

    ``concern`` is None where no intent is open.
    """

    def __init__(self, planner: FleetPlanner, concern: Concern | None, final: FinalRows) -> None:
        self._planner = planner
        self._concern = concern
        self._final = final
        self._kept: dict[int, Survey | FailedSurvey] = {}
        self._unsettled: set[str] = set()

    def __call__(self, position: int, found: Survey | FailedSurvey) -> None:
        """Take the result of the host at a position of the inventory."""
        if self._concern is not None and self._concern.of(found):
            self._kept[position] = found
            self._unsettled.add(found.host.name)
        for plan in self._planner.add(position, found):
            if plan.host.name not in self._unsettled:
                self._final.planned(plan, {})

    @property
    def kept(self) -> list[Survey | FailedSurvey]:
        """What ``settle`` needs, in inventory order."""
        return [self._kept[position] for position in sorted(self._kept)]

"""Who does the work on a host: this process's threads, or workers elsewhere. The phases see this seam alone."""

from __future__ import annotations

import threading
from typing import Protocol

from fleetsweep.model.decision import Guard, HostPlan
from fleetsweep.model.host import Host
from fleetsweep.model.survey import Fault, Survey
from fleetsweep.policy.rules import Policy
from fleetsweep.runtime.deadline import Deadline
from fleetsweep.sweep.connect import Connector
from fleetsweep.sweep.ledger import Ledger
from fleetsweep.sweep.one_host import Look, RemovalOptions, apply_host, survey_host


class Runner(Protocol):
    """Works on one host in the calling thread, until the host's deadline. Each method raises HostError or HostFault."""

    def survey(self, host: Host, policy: Policy, look: Look, deadline: Deadline, /) -> Survey:
        """Survey one host with nothing but GET."""

    def apply(
        self,
        plan: HostPlan,
        policy: Policy,
        ledger: Ledger,
        deadline: Deadline,
        options: RemovalOptions,
        /,
    ) -> Fault | Guard | None:
        """Remove one plan's candidates and verify it. The ledger has an intent before each request, and its outcome.

        Return the fault that ended it early, or the guard that tripped before anything was sent.
        """


class ThreadRunner:
    """Works in the calling thread, in this process."""

    def __init__(self, connector: Connector, stopped: threading.Event) -> None:
        self._connector = connector
        self._stopped = stopped

    def survey(self, host: Host, policy: Policy, look: Look, deadline: Deadline, /) -> Survey:
        """Survey one host. Raises HostError."""
        return survey_host(host, policy, look, self._connector, deadline)

    def apply(
        self,
        plan: HostPlan,
        policy: Policy,
        ledger: Ledger,
        deadline: Deadline,
        options: RemovalOptions,
        /,
    ) -> Fault | Guard | None:
        """Remove one plan's candidates: an intent is durable before its own request. Raises HostError."""
        return apply_host(
            plan,
            policy,
            self._connector,
            ledger,
            deadline,
            options,
            stopped=self._stopped,
        )

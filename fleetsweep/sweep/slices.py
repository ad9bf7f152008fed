"""What travels between the controller and a worker: frozen values that can be pickled, and no secret among them."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from fleetsweep.model.decision import Decision, Guard, HostPlan
from fleetsweep.model.host import Host
from fleetsweep.model.outcome import Removal
from fleetsweep.model.survey import Fault, Survey
from fleetsweep.policy.rules import Policy
from fleetsweep.ssh import SshOptions
from fleetsweep.sweep.one_host import Look, RemovalOptions

if TYPE_CHECKING:
    from fleetsweep.model.evidence import Evidence

TlsFiles = tuple[str | None, str | None, str | None]
"""The paths of the authority, the certificate and its key."""


@dataclass(frozen=True, slots=True)
class Reach:
    """How a worker reaches hosts. The paths in it are the worker's own."""

    ssh: SshOptions
    engine_tls: TlsFiles | None = None


@dataclass(frozen=True, slots=True)
class SurveyTask:
    """A host to survey within ``seconds``."""

    host: Host
    policy: Policy
    look: Look
    seconds: float


@dataclass(frozen=True, slots=True)
class RemovalTask:
    """A plan to carry out. Nothing is begun after ``until``, an instant of the worker's ``time.monotonic``.

    ``intents`` maps the id of each container, volume and network to its committed intent: nothing else is removed.
    ``attempt`` is unique to this task: a worker carries it out once.
    """

    plan: HostPlan
    policy: Policy
    until: float
    intents: Mapping[str, int]
    options: RemovalOptions
    attempt: str = field(default_factory=lambda: os.urandom(16).hex())


@dataclass(frozen=True, slots=True)
class SurveyResult:
    """A host's survey or fault. ``matched`` has the results of slow patterns. ``no_room``: it should be tried again."""

    survey: Survey | None
    fault: Fault | None
    matched: Mapping[tuple[tuple[str, ...], str], bool | None] = field(default_factory=dict)
    no_room: bool = False


@dataclass(frozen=True, slots=True)
class RemovalResult:
    """The outcome of each removal that was begun, and what ended the host early.

    ``evidence`` is by the container's id. ``no_room`` means that nothing was begun, and that it should be tried again.
    """

    removals: tuple[Removal, ...]
    ended: Fault | Guard | None = None
    no_room: bool = False
    evidence: Mapping[str, Evidence] = field(default_factory=dict)


def travelling(host: Host) -> Host:
    """Return a host without its inventory variables, which may hold secrets. What connecting needs are its fields."""
    return replace(host, groups=(), variables={}, origins={})


def travelling_plan(plan: HostPlan) -> HostPlan:
    """Return a plan without labels, which may hold secrets. Removing compares their digests, as with a saved plan."""
    return replace(plan, host=travelling(plan.host), decisions=tuple(map(_without_labels, plan.decisions)))


def _without_labels(decision: Decision) -> Decision:
    return replace(decision, container=replace(decision.container, labels=None))

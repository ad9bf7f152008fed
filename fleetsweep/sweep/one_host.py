"""What is done on one host: survey it, or remove from it and verify that. The caller gives the connection's way in."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from fleetsweep.engine import MAY_REMOVE, READ_ONLY
from fleetsweep.errors import FaultKind, FleetsweepError, HostError
from fleetsweep.model.container import Container
from fleetsweep.model.decision import Guard, HostPlan
from fleetsweep.model.host import Host
from fleetsweep.model.outcome import Outcome
from fleetsweep.model.survey import Fault, Status, Survey
from fleetsweep.policy.guards import engine_guard
from fleetsweep.policy.rules import Policy, needs_inspection
from fleetsweep.runtime.deadline import Deadline
from fleetsweep.sweep import workers
from fleetsweep.sweep.connect import Connector
from fleetsweep.sweep.ledger import Ledger

if TYPE_CHECKING:
    from fleetsweep.engine.client import EngineClient
    from fleetsweep.model.run_scope import ResourceKind
    from fleetsweep.sweep.evidence import EvidenceRule

MOST_STREAMS: Final = 64
"""The most connections to one engine while it removes."""

PROOF_S: Final = 10.0
"""Seconds that are reserved for the final list."""

PROOF_SHARE: Final = 0.2
"""The largest share of a host's time that is reserved for the final list."""


@dataclass(frozen=True, slots=True)
class Look:
    """What a survey asks an engine for: its id, and which kinds of resources that carry the run's label."""

    identify: bool = False
    kinds: tuple[ResourceKind, ...] = ()


@dataclass(frozen=True, slots=True)
class RemovalOptions:
    """What is done with each container that is removed.

    ``volumes`` removes its anonymous volumes with it. ``evidence`` is what is kept of it; None keeps nothing.
    """

    volumes: bool = False
    evidence: EvidenceRule | None = None


def survey_host(host: Host, policy: Policy, look: Look, connector: Connector, deadline: Deadline) -> Survey:
    """Survey one host with nothing but GET. Raises HostError."""

    def wanted(container: Container, now_ns: int) -> bool:
        return needs_inspection(container, policy, now_ns)

    scope = policy.run
    identified = policy.engine_id is not None or (scope is not None and scope.baseline is not None) or look.identify
    with connector.open(host, deadline, READ_ONLY, identify=identified) as client:
        engine = client.engine
        listing = client.survey(wanted)
        policy.matcher.look_at(policy.names, [container.name for container in listing.containers])
        label = "=".join(scope.label) if scope is not None and scope.label is not None else None
        resources = [found for kind in look.kinds if label for found in client.list_resources(kind, label)]
    return Survey(host, engine, listing.now_ns, listing.skew_s, listing.containers, 0.0, tuple(resources))


def apply_host(
    host_plan: HostPlan,
    policy: Policy,
    connector: Connector,
    ledger: Ledger,
    deadline: Deadline,
    options: RemovalOptions,
    *,
    stopped: threading.Event,
) -> Fault | Guard | None:
    """Remove one plan's candidates and verify it; the outcomes are in the ledger.

    Return the fault that ended it early, or the guard that tripped before anything was sent. Raises HostError.
    """
    # Imported late: an audit removes nothing.
    from fleetsweep.sweep.evidence import Keeper
    from fleetsweep.sweep.newcomers import in_use_now
    from fleetsweep.sweep.removal_workers import Work, dependents_among, remove_all
    from fleetsweep.sweep.remove_containers import ContainerRemover, Rule, pace_for, verify
    from fleetsweep.sweep.remove_resources import ResourceRemover

    candidates = host_plan.candidates
    # Connections open on demand: more than a few only where an engine waits or hangs.
    connections = max(1, min(MOST_STREAMS, len(candidates)))
    fault: Fault | None = None
    with connector.open(host_plan.host, deadline, MAY_REMOVE, connections, identify=True) as client:
        other = engine_guard(host_plan.host, host_plan.engine, client.engine, policy)
        if other is not None:
            return other
        reserve_s = min(PROOF_S, deadline.remaining() * PROOF_SHARE)
        client.reserve_time(reserve_s)
        clock = deadline.within(deadline.remaining() - reserve_s)
        # A plan from a file may claim a time in the future, which must not age any container.
        rule = Rule(policy, min(host_plan.now_ns, client.now_ns), options.volumes)
        pace = pace_for(candidates, clock.remaining(), waits=client.waits)
        listed = client.list_containers().containers
        work = Work(
            candidates,
            in_use_now(client, listed, host_plan, resolve=client.resolve_owners, look_s=pace.look_s)
            if candidates
            else {},
            dependents_among(candidates, client.resolve_owners(listed)),
        )
        keeper = None if options.evidence is None else Keeper(client, ledger, options.evidence)
        remover = ContainerRemover(client, rule, pace=pace, clock=clock, evidence=keeper)
        result = remove_all(remover, work, ledger, stopped=stopped)
        fault = _fault_from(result.error)
        proof: Sequence[Container] | None = ()
        doubt = "the final list could not be read"
        if result.unproven:
            try:
                proof = _final_list(client, deadline, fresh=result.doubt)
                # "No such container" is also what another engine responds.
                if any(removal.outcome is Outcome.GONE for removal in result.unproven):
                    doubt = "it is not known whether the same engine responds"
                    client.check_same_engine()
            except HostError as error:
                fault = fault or workers.as_fault(error)
                proof = None
        verify(result.unproven, proof, ledger, doubt=doubt)
        try:
            if fault is None:
                resources = ResourceRemover(client, rule, ledger, stopped=stopped, clock=clock)
                resources.remove_all(host_plan.resources)
        except FleetsweepError as error:
            fault = journal_fault(error)
    return fault


def journal_fault(error: FleetsweepError) -> Fault:
    """Return the fault of a host where removing stopped because the journal can't be written."""
    return Fault(
        Status.FAILED, None, FaultKind.JOURNAL, str(error), "make the state directory writable, then sweep again"
    )


def _fault_from(error: Exception | None) -> Fault | None:
    if error is None:
        return None
    return journal_fault(error) if isinstance(error, FleetsweepError) else Fault.of_bug(error)


def _final_list(client: EngineClient, deadline: Deadline, *, fresh: bool) -> Sequence[Container]:
    """Return the engine's final list. If the first response can't be used, ask once more over a new stream."""
    try:
        return client.final_list(within=deadline.remaining() / 2, fresh=fresh)
    except HostError:
        return client.final_list(within=deadline.remaining(), fresh=True)

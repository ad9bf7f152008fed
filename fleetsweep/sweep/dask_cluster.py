"""A Dask cluster as a backend: surveys are tasks in the zone of their host, removals calls on one Actor a zone."""

from __future__ import annotations

import logging
import secrets
import ssl
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from types import TracebackType
from typing import TYPE_CHECKING, Final, Protocol, TypeVar, cast

from fleetsweep.errors import FaultKind, Phase, UsageError
from fleetsweep.model.survey import Fault, Status
from fleetsweep.runtime.deadline import Deadline
from fleetsweep.sweep.dask_members import SILENT_S, Members, error_words
from fleetsweep.sweep.dask_worker import Greeting, RemovalActor, close_run, survey_slice
from fleetsweep.sweep.remote import WorkerLost
from fleetsweep.sweep.scheduler import TIMEOUT_S, Scheduler, check_listening, pinned_context
from fleetsweep.sweep.slices import Reach, RemovalResult, RemovalTask, SurveyResult, SurveyTask
from fleetsweep.sweep.workers import HostFault
from fleetsweep.sweep.zones import LAST_RESULT_S, RESOURCE, SliceQueue, Waiting, Zones

if TYPE_CHECKING:
    from distributed import Client, Security

log = logging.getLogger(__name__)

LOOK_S: Final = 0.5
"""Seconds between two looks at the cluster's workers, and between two signs of life for the Actors."""

POLL_S: Final = 0.03
"""Seconds between two looks for a slice's result."""

LEASE_S: Final = 6.0
"""Seconds without a sign of life from the controller after which an Actor removes nothing more."""

R_co = TypeVar("R_co", covariant=True)

Surveys = Sequence[Waiting[SurveyTask, SurveyResult]]
Removals = Sequence[Waiting[RemovalTask, RemovalResult]]


class Reply(Protocol[R_co]):
    """A result that is on its way."""

    def done(self) -> bool:
        """Return whether it has arrived."""

    def result(self, timeout: float) -> R_co:
        """Return it. Raises TimeoutError, and what the call raised."""


class ActorProxy(Protocol):
    """The methods of an Actor, called from here."""

    def begin(self) -> Reply[Greeting]:
        """See RemovalActor."""

    def renew(self) -> Reply[None]:
        """See RemovalActor."""

    def stop(self) -> Reply[None]:
        """See RemovalActor."""

    def close(self) -> Reply[None]:
        """See RemovalActor."""

    def apply(self, identity: str, tasks: Sequence[RemovalTask]) -> Reply[Sequence[RemovalResult | None]]:
        """See RemovalActor."""


@dataclass(slots=True)
class ZoneActor:
    """A zone's Actor. Its clock is ours plus ``ahead_s``; ``alive_at`` is when it last had a sign of life from us."""

    proxy: ActorProxy
    identity: str
    ahead_s: float
    alive_at: float
    lost: str = ""


class DaskBackend:
    """Hands the hosts of each zone to its workers. Leaving the context ends what this run has there."""

    def __init__(
        self,
        scheduler: Scheduler,
        reach: Reach,
        stopped: threading.Event,
        *,
        lease_s: float = LEASE_S,
        silent_s: float = SILENT_S,
    ) -> None:
        self._lease_s = lease_s
        self._silent_s = silent_s
        self._scheduler = scheduler
        self._reach = reach
        self._stopped = stopped
        self._run = secrets.token_hex(8)
        self._zones = Zones()
        self._lock = threading.Lock()
        self._making = threading.Lock()
        self._surveys: dict[str, SliceQueue[SurveyTask, SurveyResult]] = {}
        self._removals: dict[str, SliceQueue[RemovalTask, RemovalResult]] = {}
        self._actors: dict[str, ZoneActor] = {}
        self._closed = threading.Event()
        self.stop_passed_on = threading.Event()
        self._client: Client | None = None
        self._watchers = [
            threading.Thread(target=watch, name="fleetsweep-cluster", daemon=True)
            for watch in (self._watch_workers, self._renew_leases)
        ]

    def __enter__(self) -> DaskBackend:
        """Connect. Raises UsageError where no scheduler can be reached, or its certificate is not to be trusted."""
        security = _security(self._scheduler)
        check_listening(self._scheduler)
        from distributed import Client

        # What it has to report is in our rows.
        logging.getLogger("distributed").setLevel(logging.CRITICAL)
        try:
            self._client = Client(  # type: ignore[no-untyped-call]  # Dask's is
                self._scheduler.url,
                timeout=TIMEOUT_S,
                security=security,
                # An Actor finds its client by this.
                set_as_default=True,
                direct_to_workers=False,
                name=f"fleetsweep-{self._run}",
            )
        except (OSError, TimeoutError) as error:
            raise UsageError(f"--scheduler: {self._scheduler.url} can't be reached: {error}") from error
        for watcher in self._watchers:
            watcher.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._client is None:
            return
        self._closed.set()
        self._zones.close()
        for watcher in self._watchers:
            watcher.join(LOOK_S + 1)
        _within(2, self._end_run)
        self._await_leases()
        _within(2, self._client.close)

    def survey(self, task: SurveyTask, deadline: Deadline, /) -> SurveyResult:
        """Have one host surveyed. Raises HostFault and WorkerLost."""
        zone = _zone_of(task.host.zone)
        with self._lock:
            queue = self._surveys.get(zone)
            if queue is None:
                queue = self._surveys[zone] = SliceQueue(zone, self._zones, lambda some: self._send_surveys(zone, some))
        return queue.result(task, deadline)

    def apply(self, task: RemovalTask, deadline: Deadline, /) -> RemovalResult:
        """Have one plan carried out. Raises HostFault and WorkerLost."""
        zone = _zone_of(task.plan.host.zone)
        with self._lock:
            queue = self._removals.get(zone)
            if queue is None:
                queue = self._removals[zone] = SliceQueue(
                    zone, self._zones, lambda some: self._send_removals(zone, some)
                )
        return queue.result(task, deadline)

    def _send_surveys(self, zone: str, waiting: Surveys) -> None:
        client = self._connected()
        addresses = self._zones.addresses(zone)
        tasks = [replace(one.task, seconds=one.deadline.remaining()) for one in waiting]
        try:
            future = client.submit(
                survey_slice,
                self._run,
                self._reach,
                tasks,
                key=f"fleetsweep-survey-{secrets.token_hex(8)}",
                workers=addresses,
                allow_other_workers=False,
                resources={RESOURCE + zone: 1},
                retries=0,
                pure=False,
            )
            results = self._await(future, max(task.seconds for task in tasks) + LAST_RESULT_S)
            for one, result in zip(waiting, results, strict=True):
                one.future.set_result(result)
        except Exception as error:
            _lose(waiting, f"the worker in zone {zone} was lost: {error_words(error)}")

    def _send_removals(self, zone: str, waiting: Removals) -> None:
        try:
            actor = self._actor_of(zone)
        except Exception as error:
            for one in waiting:
                one.future.set_exception(HostFault(self._no_actor(zone, error)))
            return
        tasks = [replace(one.task, until=one.task.until + actor.ahead_s) for one in waiting]
        try:
            patience_s = max(one.deadline.remaining() for one in waiting) + LAST_RESULT_S
            results = self._await(actor.proxy.apply(actor.identity, tasks), patience_s)
            for one, result in zip(waiting, results, strict=True):
                if result is None:
                    one.future.set_exception(WorkerLost("the worker had this task before, and refused it"))
                else:
                    one.future.set_result(result)
        except Exception as error:
            actor.lost = f"the worker in zone {zone} was lost: {error_words(error)}"
            _lose(waiting, actor.lost)

    def _await(self, reply: Reply[R_co], patience_s: float) -> R_co:
        """Return a result. Raises TimeoutError, what the call raised, and WorkerLost once the scheduler is lost."""
        ends = time.monotonic() + patience_s
        # Not by results with a short timeout, one after the other: at a timeout Dask may cancel what it waits for.
        while not reply.done():
            if self._zones.lost is not None:
                raise WorkerLost(self._zones.lost.message)
            if time.monotonic() >= ends:
                raise TimeoutError("no result by the deadline")
            time.sleep(POLL_S)
        # Dask fetches the results of several workers at once: one that hangs holds up those of the others.
        return reply.result(timeout=max(TIMEOUT_S, ends - time.monotonic()))

    def _actor_of(self, zone: str) -> ZoneActor:
        """Return the zone's one Actor, made at the first call. Raises HostFault if it was lost: there is no second."""
        with self._making:
            actor = self._actors.get(zone)
            if actor is not None:
                if actor.lost:
                    raise HostFault(Fault(Status.FAILED, None, FaultKind.WORKER_LOST, actor.lost, "sweep again"))
                return actor
            client = self._connected()
            future = client.submit(
                RemovalActor,
                self._reach,
                self._lease_s,
                key=f"fleetsweep-removals-{secrets.token_hex(8)}",
                workers=self._zones.addresses(zone)[:1],
                allow_other_workers=False,
                actor=True,
                retries=0,
                pure=False,
            )
            proxy = cast(ActorProxy, future.result(TIMEOUT_S))
            greeting = proxy.begin().result(timeout=TIMEOUT_S)
            # It read its clock before now, so its deadlines come no later than ours.
            now = time.monotonic()
            actor = ZoneActor(proxy, greeting.identity, greeting.clock - now, now)
            with self._lock:
                self._actors[zone] = actor
            return actor

    def _no_actor(self, zone: str, error: Exception) -> Fault:
        if isinstance(error, HostFault):
            return error.fault
        message = f"no worker of zone {zone} takes removals: {error_words(error)}"
        return Fault(Status.UNREACHABLE, Phase.ZONE, FaultKind.NO_WORKER, message, "look at the worker's log")

    def _connected(self) -> Client:
        if self._client is None:
            raise RuntimeError("not connected")
        return self._client

    def _watch_workers(self) -> None:
        """See which workers there are, until the run or its connection to the scheduler ends."""
        client = self._connected()
        members, known = Members(client, silent_s=self._silent_s), False
        while not self._closed.wait(LOOK_S if known else LOOK_S / 5):
            # A client that connects again has lost its tasks and Actors.
            if client.status != "running":
                self._zones.lose(_scheduler_lost(self._scheduler))
                return
            try:
                found = members.look()
                self._zones.update(found)
                known = bool(found)
            except Exception:
                log.debug("the cluster's workers are not known", exc_info=True)

    def _renew_leases(self) -> None:
        """Give the Actors signs of life, and pass on that the run was stopped."""
        while not self._closed.is_set():
            self._each_actor(lambda actor: actor.renew())
            if self._stopped.is_set() and not self.stop_passed_on.is_set():
                self._each_actor(lambda actor: actor.stop())
                self.stop_passed_on.set()
            (self._closed if self.stop_passed_on.is_set() else self._stopped).wait(LOOK_S)

    def _each_actor(self, call: Callable[[ActorProxy], Reply[None]]) -> None:
        """Call each Actor. One that does not respond is not waited for: its lease ends."""
        with self._lock:
            actors = [actor for actor in self._actors.values() if not actor.lost]
        began = time.monotonic()
        replies: list[tuple[ZoneActor, Reply[None]]] = []
        for actor in actors:
            try:
                replies.append((actor, call(actor.proxy)))
            except Exception:
                log.debug("an Actor can't be called", exc_info=True)
        for actor, reply in replies:
            try:
                reply.result(timeout=max(0.01, began + self._lease_s / 4 - time.monotonic()))
                actor.alive_at = began
            except Exception:
                log.debug("an Actor did not respond", exc_info=True)

    def _end_run(self) -> None:
        for actor in self._actors.values():
            if not actor.lost:
                actor.proxy.close().result(timeout=1)
        # Not on all: one that hangs is not waited for.
        used = {address for zone in self._surveys for address in self._zones.addresses(zone)}
        self._connected().run(close_run, self._run, workers=list(used), on_error="ignore")

    def _await_leases(self) -> None:
        """Wait until no lost Actor starts another removal: the next run must not find it at work."""
        for actor in self._actors.values():
            if actor.lost:
                time.sleep(max(0.0, actor.alive_at + self._lease_s + LOOK_S - time.monotonic()))


def _zone_of(zone: str | None) -> str:
    if zone is None:
        raise HostFault(
            Fault(Status.UNREACHABLE, Phase.ZONE, FaultKind.NO_WORKER, "this host has no zone", "set fleetsweep_zone")
        )
    return zone


def _security(scheduler: Scheduler) -> Security | None:
    if scheduler.tls is None:
        return None
    context = pinned_context(scheduler)
    from distributed import Security

    class PinnedSecurity(Security):
        """TLS that trusts one certificate: Dask itself would trust every certificate of the authority, by any name."""

        def get_connection_args(self, role: str) -> dict[str, ssl.SSLContext | bool | None]:
            return {"ssl_context": context, "require_encryption": True, "extra_conn_args": None}

    return PinnedSecurity(require_encryption=True)  # type: ignore[no-untyped-call]  # Dask's is


def _scheduler_lost(scheduler: Scheduler) -> Fault:
    return Fault(
        Status.UNREACHABLE,
        Phase.ZONE,
        FaultKind.NO_WORKER,
        f"the connection to the scheduler at {scheduler.url} ended",
        "see why the scheduler ended, start it, then sweep again",
    )


def _lose(waiting: Surveys | Removals, message: str) -> None:
    for one in waiting:
        if not one.future.done():
            one.future.set_exception(WorkerLost(message))


def _within(seconds: float, work: Callable[[], object]) -> None:
    """Do some work in a thread, and go on without it after so many seconds, or when it fails."""

    def attempt() -> None:
        try:
            work()
        except Exception:
            log.debug("the cluster did not respond at the end of the run", exc_info=True)

    thread = threading.Thread(target=attempt, name="fleetsweep-closing", daemon=True)
    thread.start()
    thread.join(seconds)

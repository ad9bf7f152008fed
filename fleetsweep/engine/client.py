"""The client of one Docker or Podman engine: survey it, inspect containers, remove them.

The calls and their responses: Docker Engine API, https://docs.docker.com/reference/api/engine/.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from fleetsweep.engine.decode import (
    FULL_ID,
    may_share,
    parse_date,
    parse_engine_id,
    parse_infra,
    parse_inspect,
    parse_list,
    parse_network,
    parse_networks,
    parse_process,
    parse_volume,
    parse_volumes,
    resolve_owners,
)
from fleetsweep.engine.http11 import ONE_LIMIT, Response
from fleetsweep.engine.inspections import RESPONSE_TIMEOUT_S, Inspections
from fleetsweep.engine.pool import ConnectionPool, Dial, Overdue
from fleetsweep.engine.sdk import ApiClient, list_target, refusal
from fleetsweep.engine.strict_json import read_document
from fleetsweep.engine.translation import Translator
from fleetsweep.engine.versions import engine_of, libpod_of, minimum_api
from fleetsweep.errors import EngineError, FaultKind, HostError
from fleetsweep.model import states
from fleetsweep.model.container import SECOND, Container, Inspected
from fleetsweep.runtime.deadline import Deadline

if TYPE_CHECKING:
    from fleetsweep.model.run_scope import Resource, ResourceKind

FIRST_API: Final = "1.40"
"""The API version of the first list, sent before the engine's own version is known. Docker 19.03 and newer have it."""


# Without a version: both are sent before the engine's versions are known.
_PING: Final = "/_ping"
_INFO: Final = "/info"

ID_WAIT_S: Final = 5.0
"""Seconds for ``/info``. Docker responds within milliseconds, or not at all when it is deadlocked."""

LOG_LIMIT: Final = ONE_LIMIT
"""Bytes of a log response."""

_LIBPOD_LIST: Final = "/v4.0.0/libpod/containers/json?all=true"


@dataclass(frozen=True, slots=True)
class Listing:
    """The containers of one list, the engine's clock at that moment, and its difference from the controller's.

    ``now_ns`` is nanoseconds since the epoch; ``skew_s`` is engine time minus controller time.
    """

    containers: tuple[Container, ...]
    now_ns: int
    skew_s: float


class EngineClient:
    """A client of an engine whose kind and API version are known. Thread-safe when it has several connections.

    ``now_ns`` is the engine's clock when the client was made, in nanoseconds since the epoch. The first container list
    identifies the engine, and the first call of ``list_containers`` returns it: that saves a round trip. ``identify``
    pipelines ``/info`` with it for ``engine.id``, without another round trip.
    """

    def __init__(
        self,
        dial: Dial,
        via: str,
        deadline: Deadline,
        methods: frozenset[str],
        connections: int = 1,
        *,
        identify: bool = False,
    ) -> None:
        self._deadline = deadline
        self._translator = Translator(deadline)
        self._pool = ConnectionPool(dial, deadline, methods, connections)
        self._first: Listing | None = None
        self._bounded: ApiClient | None = None
        self._minimum = ""
        try:
            with self._translator.translated("the first response"):
                self._pool.open()
                if identify:
                    self._pool.pipeline([list_target(FIRST_API), _INFO])
            first = self._list_first()
            if first is None:
                first = self._ping()
            self.engine = engine_of(first, via, self._minimum)
            self._libpod = libpod_of(first)
            self.now_ns = parse_date(first.headers)
            self._api = ApiClient.over(self._pool, self.engine.api)
            if identify:
                self.engine = replace(self.engine, id=self.engine_id())
        except BaseException:
            self._pool.close()
            raise

    def close(self) -> None:
        """Close the connections to the engine."""
        self._pool.close()

    def _list_first(self) -> Response | None:
        """Return the response to a first list, or None if it does not identify the engine.

        An engine that accepts newer versions only refuses this list, and its refusal identifies it.
        """
        self._api = ApiClient.over(self._pool, FIRST_API)
        try:
            listing = self.list_containers()
        except HostError as error:
            from fleetsweep.engine.tls import tls_error

            if (of_tls := tls_error(error)) is not None:
                raise of_tls from error
            if error.kind is not FaultKind.REFUSED:
                raise
            self._minimum = minimum_api(error.message)
            return self._api.last if self._minimum and self._api.last is not None else None
        if self._api.last is None or "api-version" not in self._api.last.headers:
            return None
        self._first = listing
        return self._api.last

    def _ping(self) -> Response:
        with self._translator.translated("the response to /_ping"):
            response = self._pool.request("GET", _PING)
        if response.status in {401, 403, 405}:
            raise refusal(response, "GET", _PING)
        if response.status != 200:
            raise EngineError(
                FaultKind.NOT_AN_ENGINE,
                f"the response to /_ping has status {response.status}",
                "check which service listens at the engine's address",
                http_status=response.status,
            )
        return response

    def reserve_time(self, seconds: float) -> None:
        """Reserve the last ``seconds`` of the host's time for ``final_list``."""
        self._pool.reserve_time(seconds)

    def final_list(self, *, within: float, fresh: bool) -> tuple[Container, ...]:
        """Return every container from a new list; ``fresh`` uses a new connection. Raises HostError."""
        self._first = None
        return self._list(self._api.bounded(within, fresh=fresh)).containers

    def list_containers(self) -> Listing:
        """Return every container, running or not, with one request. Raises HostError."""
        first, self._first = self._first, None
        return first if first is not None else self._list(self._api)

    def _list(self, api: ApiClient) -> Listing:
        with self._translator.translated("the container list"):
            sent = time.time()
            entries = api.containers(all=True)
            received = time.time()
            if api.last is None:
                raise TypeError("the SDK sent no request")
            now_ns = parse_date(api.last.headers)
            # The Date header is rounded down to the second: on average it is half a second behind.
            skew_s = now_ns / SECOND + 0.5 - (sent + received) / 2
            return Listing(tuple(parse_list(entries)), now_ns, skew_s)

    def survey(self, needs_inspection: Callable[[Container, int], bool]) -> Listing:
        """Return the list, with every container inspected for which ``needs_inspection(container, now_ns)`` is true.

        A container that is gone by the time it is inspected is left out. One that can't be inspected has ``trouble``.
        If any is inspected, all other running ones are inspected in the same batches for their owners: the containers
        whose namespaces they share. Raises HostError.
        """
        listing = self.list_containers()
        judged = [listed.id for listed in listing.containers if needs_inspection(listed, listing.now_ns)]
        if not judged:
            return Listing(tuple(resolve_owners(listing.containers)), listing.now_ns, listing.skew_s)
        podman = self.engine.kind == "podman"
        inspections = Inspections(self, self._deadline.remaining)
        # For containers that don't run, the network mode in Docker's list is enough.
        inspections.run(
            judged,
            owners_of=[
                listed.id
                for listed in listing.containers
                if not listed.trouble and (podman or listed.state in states.STARTED)
            ],
        )
        pods = self._infra_containers() if podman else {}
        containers = [
            replace(each, managed_by=pods[each.id]) if each.id in pods else each
            for each in inspections.applied_to(listing.containers)
        ]
        return Listing(tuple(resolve_owners(containers)), listing.now_ns, listing.skew_s)

    def _infra_containers(self) -> dict[str, str]:
        """Return Podman's pod infra containers by id, with how to remove each; empty if the list is unusable."""
        try:
            with self._translator.translated("Podman's own container list"):
                response = self._pool.request("GET", _LIBPOD_LIST, within=RESPONSE_TIMEOUT_S)
                return parse_infra(read_document(response.body)) if response.status == 200 else {}
        except EngineError:
            # Podman itself refuses to remove these containers: only the hint is lost.
            return {}

    def pipeline_inspects(self, container_ids: Sequence[str], /) -> None:
        """Send these containers' inspect requests. They must be inspected next, in this order. Raises HostError."""
        for container_id in container_ids:
            _check_id(container_id)
        with self._translator.translated("an inspect response"):
            self._api.pipeline_inspects(container_ids)

    @staticmethod
    def resolve_owners(containers: Sequence[Container], /) -> list[Container]:
        """Return the same containers with full ids as owners: engines accept a name or a short id, too."""
        return resolve_owners(containers)

    def listed_ids(self, within: float, /) -> frozenset[str]:
        """Return the ids of all containers that the engine has now. Raises HostError."""
        return frozenset(container.id for container in self._list(self._api.bounded(within)).containers)

    def inspect(self, container_id: str, *, within: float | None = None) -> Container | None:
        """Return one container as it is now, or None if the engine has none with this id. Raises HostError.

        ``within`` limits the response to so many seconds; after that LostAnswer is raised.
        """
        look = self.look(container_id, within=within)
        return None if look is None else look.container

    def look(self, container_id: str, /, *, within: float | None = None) -> Inspected | None:
        """Return what ``inspect`` returns, with the engine's whole response. Raises HostError."""
        with self._translator.translated("an inspect response"):
            response = self._inspect_response(container_id, within)
            if response is None:
                return None
            document = read_document(response.body)
            container = parse_inspect(document, container_id)
            return Inspected(container, document if isinstance(document, dict) else {})

    def _inspect_response(self, container_id: str, within: float | None) -> Response | None:
        """Return the response to the SDK's inspect request, or None if the engine has no such container.

        It is read without the SDK, whose objects for each response cost more than the response.
        """
        _check_id(container_id)
        target = self._api.inspect_target(container_id)
        response = self._pool.request("GET", target, within=within)
        if response.status == 404:
            return None
        if response.failed:
            raise refusal(response, "GET", target)
        return response

    def log_tail(self, container_id: str, /, *, lines: int, within: float) -> bytes:
        """Return the last ``lines`` lines of a container's log, as the engine sends them. Raises HostError.

        https://docs.docker.com/reference/api/engine/version/v1.41/#tag/Container/operation/ContainerAttach has the
        format: frames of both streams, or plain text where the container has a terminal.
        """
        _check_id(container_id)
        target = self._api.inspect_target(container_id).removesuffix("json")
        with self._translator.translated("the log"):
            query = f"logs?stdout=1&stderr=1&timestamps=1&tail={lines}"
            response = self._pool.request("GET", target + query, within=within, limit=LOG_LIMIT)
            if response.failed:
                raise refusal(response)
            return bytes(response.body)

    def owners(self, container_id: str, *, within: float | None) -> tuple[str, ...]:
        """Return the ids or names of the containers whose namespaces it shares; none if it is gone. Raises HostError.

        Everything that runs beside a candidate is inspected, so a response without a shared namespace is not decoded.
        """
        with self._translator.translated("an inspect response"):
            response = self._inspect_response(container_id, within)
            if response is None or not may_share(response.body):
                return ()
            return parse_inspect(read_document(response.body), container_id).lives_on

    def list_resources(self, kind: ResourceKind, label: str) -> tuple[Resource, ...]:
        """Return the volumes or networks that the engine lists for a label ``key=value``. Raises HostError."""
        from fleetsweep.model.run_scope import ResourceKind

        with self._translator.translated(f"the {kind} list"):
            filters = {"label": label}
            if kind is ResourceKind.VOLUME:
                return parse_volumes(self._api.volumes(filters=filters))
            return parse_networks(self._api.networks(filters=filters))

    def inspect_resource(self, resource: Resource, *, within: float | None = None) -> Resource | None:
        """Return the resource as it is now, or None if the engine has none with this id. Raises HostError."""
        from fleetsweep.model.run_scope import ResourceKind

        try:
            with self._translator.translated(f"the response about a {resource.kind}"):
                if resource.kind is ResourceKind.VOLUME:
                    return parse_volume(self._api_within(within).inspect_volume(resource.ref))
                return parse_network(self._api_within(within).inspect_network(resource.ref))
        except EngineError as error:
            if error.http_status == 404:
                return None
            raise

    def remove_resource(self, resource: Resource, *, within: float | None = None) -> None:
        """Remove a resource with one request and without force: one in use stays. Raises as ``remove`` does."""
        from fleetsweep.model.run_scope import ResourceKind

        with self._translator.translated("the response to a removal"):
            if resource.kind is ResourceKind.VOLUME:
                self._api_within(within).remove_volume(resource.ref)
            else:
                self._api_within(within).remove_network(resource.ref)

    def engine_id(self) -> str | None:
        """Return the engine's id from ``/info``, or None if it has none, as behind a socket proxy. Raises HostError.

        Returns None on a timeout, too: an engine may hang in ``/info`` and serve all other requests.
        """
        with self._translator.translated("the response to /info"):
            try:
                response = self._pool.request("GET", _INFO, within=ID_WAIT_S)
            except Overdue:
                return None
            return parse_engine_id(read_document(response.body)) if response.status == 200 else None

    def check_same_engine(self) -> None:
        """Raise EngineError unless the engine that was identified at first still responds. Raises HostError."""
        if self.engine.lasting_id is not None and (found := self.engine_id()) != self.engine.id:
            raise EngineError(
                FaultKind.INVALID_ANSWER,
                f"another engine responds than before the first removal: {found or '(no id)'}, not {self.engine.id}",
                "check what the engine's address leads to",
            )

    def round_trip_s(self) -> float:
        """Return the duration of a ping over an open connection, in seconds. Raises HostError."""
        with self._translator.translated("the response to /_ping"):
            sent = time.monotonic()
            self._pool.request("GET", _PING)
            return time.monotonic() - sent

    def _api_within(self, within: float | None) -> ApiClient:
        if within is None:
            return self._api
        if self._bounded is None or self._bounded.within != within:
            self._bounded = self._api.bounded(within)
        return self._bounded

    @property
    def waits(self) -> bool:
        """Whether ``remove`` waits a running container's stop timeout before it is killed."""
        return self.engine.kind == "podman" and not self._libpod

    @property
    def forgets_what_is_stopping(self) -> bool:
        """Whether removing a container that is being stopped leaves its process running, as in Podman before 4.4."""
        if self.engine.kind != "podman":
            return False
        found = re.match(r"Libpod/(\d{1,4})\.(\d{1,4})", self.engine.server, re.ASCII)
        return found is None or (int(found[1]), int(found[2])) < (4, 4)

    def process_of(self, container_id: str, *, within: float | None = None) -> int | None:
        """Return the PID of a container's first process on the box, or None if it has none. Raises HostError."""
        with self._translator.translated("an inspect response"):
            response = self._inspect_response(container_id, within)
            return None if response is None else parse_process(read_document(response.body))

    def remove(self, container_id: str, *, force: bool, volumes: bool, within: float | None = None) -> None:
        """Remove one container with one request. The engine has confirmed the removal when this returns.

        ``force`` kills the container first; ``volumes`` removes its anonymous volumes, too. Raises EngineError with the
        HTTP status when the engine refused, LostAnswer when the outcome is unknown.
        """
        _check_id(container_id)
        with self._translator.translated("the response to a removal"):
            if force and self._libpod:
                # Docker's request makes Podman wait the stop timeout first, for some six containers at a time.
                self._api_within(within).kill_and_remove(container_id, self._libpod, volumes=volumes)
            else:
                self._api_within(within).remove_container(container_id, v=volumes, link=False, force=force)


def _check_id(container_id: str) -> None:
    if FULL_ID.fullmatch(container_id) is None:
        raise ValueError(f"{container_id!r} is not a full container id")

"""One Docker Engine over a stream: survey it, inspect, remove.

Calls and their answers: Docker Engine API, https://docs.docker.com/reference/api/engine/.
"""

from __future__ import annotations

import logging
import re
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from http.client import BadStatusLine, HTTPException, IncompleteRead
from typing import Final

import requests

from fleetsweep.engine.budget import SHARED
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
from fleetsweep.engine.http11 import Response
from fleetsweep.engine.looks import PATIENCE_S, Looks
from fleetsweep.engine.pool import ConnectionPool, Dial, Overdue
from fleetsweep.engine.sdk import ApiClient, docker, list_target, refusal
from fleetsweep.engine.strict_json import WORDS_LIMIT, TooMuch, Unusable, read_document
from fleetsweep.engine.versions import engine_of, libpod_of
from fleetsweep.errors import EngineError, HostError, LostAnswer, Phase
from fleetsweep.model import states
from fleetsweep.model.container import SECOND, Container
from fleetsweep.model.run_scope import Resource, ResourceKind
from fleetsweep.runtime.deadline import Deadline

FIRST_API: Final = "1.40"
"""The version of a list that is asked for before the engine told its own: most speak it (Docker 19.03 and newer)."""


# Without a version: both are asked before the engine told which versions it speaks.
_PING: Final = "/_ping"
_INFO: Final = "/info"

_STREAM_ERRORS: Final = (requests.RequestException, OSError, EOFError)
_MADE_OF_VALUES: Final = (ValueError, TypeError, AttributeError, LookupError, ArithmeticError)
"""What code raises that took a value for something else than it is: the SDK's, or ours."""

log = logging.getLogger(__name__)


ID_WAIT_S: Final = 5.0
"""Seconds. Docker takes milliseconds, or has locked itself out."""

_LIBPOD_LIST: Final = "/v4.0.0/libpod/containers/json?all=true"


@dataclass(frozen=True, slots=True)
class Listing:
    """The containers of one list, the engine's clock at that moment, and how far it is from ours.

    ``now_ns`` is nanoseconds since the epoch; ``skew_s`` is engine time minus controller time.
    """

    containers: tuple[Container, ...]
    now_ns: int
    skew_s: float


class EngineClient:
    """An engine that has said who it is. Threads may share it when it was given several connections.

    ``now_ns`` is its clock at that moment. The container list says who answers, and is kept for the first who asks for
    one: it saves a round trip. With ``identify`` the engine is asked for its id in the same write, so ``engine.id`` is
    known without a round trip more.
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
        self._exchange = ConnectionPool(dial, deadline, methods, connections)
        self._first: Listing | None = None
        self._bounded: ApiClient | None = None
        try:
            with self._translated("its first answer"):
                self._exchange.open()
                if identify:
                    self._exchange.pipeline([list_target(FIRST_API), _INFO])
            hello = self._list_first()
            if hello is None:
                hello = self._ping()
            self.engine = engine_of(hello, via)
            self._libpod = libpod_of(hello)
            self.now_ns = parse_date(hello.headers)
            self._api = ApiClient.over(self._exchange, self.engine.api)
            if identify:
                self.engine = replace(self.engine, id=self.engine_id())
        except BaseException:
            self._exchange.close()
            raise

    def close(self) -> None:
        """Close the connections to the engine."""
        self._exchange.close()

    def _list_first(self) -> Response | None:
        """The answer to a list; None where it must be asked for in another way, or does not say who answered."""
        self._api = ApiClient.over(self._exchange, FIRST_API)
        try:
            listing = self.list_containers()
        except EngineError as error:
            if error.kind != "refused":
                raise
            return None
        if self._api.last is None or "api-version" not in self._api.last.headers:
            return None
        self._first = listing
        return self._api.last

    def _ping(self) -> Response:
        with self._translated("the answer to /_ping"):
            answer = self._exchange.ask("GET", _PING)
        if answer.status != 200:
            raise EngineError(
                "not-an-engine",
                f"/_ping was answered with {answer.status}",
                "check which service answers at the engine's address",
                http_status=answer.status,
            )
        return answer

    def keep_back(self, seconds: float) -> None:
        """Leave that much of the host's time to ``final_list``: all else must be answered before."""
        self._exchange.keep_back(seconds)

    def final_list(self, *, within: float, fresh: bool) -> tuple[Container, ...]:
        """Every container, asked for now; ``fresh`` over a new stream. Raises HostError."""
        self._first = None
        return self._list(self._api.bounded(within, fresh=fresh)).containers

    def list_containers(self) -> Listing:
        """Every container, running or not, with one request. Raises HostError."""
        first, self._first = self._first, None
        return first if first is not None else self._list(self._api)

    def _list(self, api: ApiClient) -> Listing:
        with self._translated("the container list"):
            asked = time.time()
            answer = api.containers(all=True)
            answered = time.time()
            if api.last is None:
                raise TypeError("the SDK asked nothing")
            now_ns = parse_date(api.last.headers)
            # The header was rounded down to its second: on average it is half a second behind.
            skew_s = now_ns / SECOND + 0.5 - (asked + answered) / 2
            return Listing(tuple(parse_list(answer)), now_ns, skew_s)

    def survey(self, needs_inspection: Callable[[Container, int], bool]) -> Listing:
        """The list, with every container inspected for which ``needs_inspection(container, now_ns)`` holds.

        One that is gone by the time it is inspected is left out; one that can't be looked at has ``trouble``. Where any
        needs it, those that run are asked in the same write what they live on. Raises HostError.
        """
        listing = self.list_containers()
        judged = [listed.id for listed in listing.containers if needs_inspection(listed, listing.now_ns)]
        if not judged:
            return Listing(tuple(resolve_owners(listing.containers)), listing.now_ns, listing.skew_s)
        podman = self.engine.kind == "podman"
        looks = Looks(self, self._deadline.remaining)
        # What Docker's list tells of a network does for those that don't run.
        looks.at(
            judged,
            besides=[
                listed.id
                for listed in listing.containers
                if not listed.trouble and (podman or listed.state in states.STARTED)
            ],
        )
        pods = self._infra_containers() if podman else {}
        containers = [
            replace(each, managed_by=pods[each.id]) if each.id in pods else each
            for each in looks.seen(listing.containers)
        ]
        return Listing(tuple(resolve_owners(containers)), listing.now_ns, listing.skew_s)

    def _infra_containers(self) -> dict[str, str]:
        """By id, the Podman containers that hold a pod together, and in words how each goes, where that is told."""
        try:
            with self._translated("Podman's own container list"):
                answer = self._exchange.ask("GET", _LIBPOD_LIST, within=PATIENCE_S)
                return parse_infra(read_document(answer.body)) if answer.status == 200 else {}
        except EngineError:
            # Podman refuses to remove one of these: nothing is lost but the words.
            return {}

    def pipeline_inspects(self, container_ids: Sequence[str], /) -> None:
        """Send the requests of ``inspect`` for these, which come next and in this order. Raises HostError."""
        for container_id in container_ids:
            _check_id(container_id)
        with self._translated("an inspect answer"):
            self._api.pipeline_inspects(container_ids)

    @staticmethod
    def resolve_owners(containers: Sequence[Container], /) -> list[Container]:
        """The same containers, which live on ids: engines know one by its name, and by a short id, too."""
        return resolve_owners(containers)

    def listed_ids(self, within: float, /) -> frozenset[str]:
        """The ids of all containers that the engine has now. Raises HostError."""
        return frozenset(container.id for container in self._list(self._api.bounded(within)).containers)

    def inspect(self, container_id: str, *, within: float | None = None) -> Container | None:
        """One container as it is now; None if the engine has none of that id. Raises HostError.

        ``within`` bounds the answer, in seconds: one that takes longer is a LostAnswer.
        """
        _check_id(container_id)
        try:
            with self._translated("an inspect answer"):
                return parse_inspect(self._asking(within).inspect_container(container_id), container_id)
        except EngineError as error:
            if error.http_status == 404:
                return None
            raise

    def owners(self, container_id: str, *, within: float | None) -> tuple[str, ...]:
        """Whose namespaces a container shares: ids or names, none where it is gone. Raises HostError.

        This is asked of everything that runs beside a candidate, so what shares none is not even decoded.
        """
        _check_id(container_id)
        with self._translated("an inspect answer"):
            answer = self._exchange.ask("GET", self._api.inspect_target(container_id), within=within)
            if answer.status == 404:
                return ()
            if answer.refuses:
                raise refusal(answer)
            if not may_share(answer.body):
                return ()
            return parse_inspect(read_document(answer.body), container_id).lives_on

    def list_resources(self, kind: ResourceKind, label: str) -> tuple[Resource, ...]:
        """The volumes or networks with a label, ``key=value``: those that really have it. Raises HostError."""
        with self._translated(f"the {kind} list"):
            filters = {"label": label}
            if kind is ResourceKind.VOLUME:
                return parse_volumes(self._api.volumes(filters=filters))
            return parse_networks(self._api.networks(filters=filters))

    def inspect_resource(self, resource: Resource, *, within: float | None = None) -> Resource | None:
        """It as it is now; None if the engine has none of that id. Raises HostError."""
        try:
            with self._translated(f"the answer about a {resource.kind}"):
                if resource.kind is ResourceKind.VOLUME:
                    return parse_volume(self._asking(within).inspect_volume(resource.ref))
                return parse_network(self._asking(within).inspect_network(resource.ref))
        except EngineError as error:
            if error.http_status == 404:
                return None
            raise

    def remove_resource(self, resource: Resource, *, within: float | None = None) -> None:
        """Ask the engine to remove it, once and never by force: one in use stays. Raises as ``remove`` does."""
        with self._translated("the answer to a removal"):
            if resource.kind is ResourceKind.VOLUME:
                self._asking(within).remove_volume(resource.ref)
            else:
                self._asking(within).remove_network(resource.ref)

    def engine_id(self) -> str | None:
        """The engine's own id, from ``/info``; None if it tells none, as behind a socket proxy. Raises HostError.

        An engine may hang in this one question, and answer all others: it is known without an id then.
        """
        with self._translated("the answer to /info"):
            try:
                answer = self._exchange.ask("GET", _INFO, within=ID_WAIT_S)
            except Overdue:
                return None
            return parse_engine_id(read_document(answer.body)) if answer.status == 200 else None

    def round_trip_s(self) -> float:
        """Seconds that the smallest question takes over a connection that is open already. Raises HostError."""
        with self._translated("the answer to /_ping"):
            asked = time.monotonic()
            self._exchange.ask("GET", _PING)
            return time.monotonic() - asked

    def _asking(self, within: float | None) -> ApiClient:
        if within is None:
            return self._api
        if self._bounded is None or self._bounded.within != within:
            self._bounded = self._api.bounded(within)
        return self._bounded

    @property
    def waits(self) -> bool:
        """Whether ``remove`` gives a running container its stop time-out before it is killed."""
        return self.engine.kind == "podman" and not self._libpod

    @property
    def forgets_what_is_stopping(self) -> bool:
        """Whether a removal of what is being stopped leaves its process behind: Podman's did before 4.4."""
        if self.engine.kind != "podman":
            return False
        found = re.match(r"Libpod/(\d{1,4})\.(\d{1,4})", self.engine.server, re.ASCII)
        return found is None or (int(found[1]), int(found[2])) < (4, 4)

    def process_of(self, container_id: str, *, within: float | None = None) -> int | None:
        """The number of a container's first process on the box; None if the engine tells none. Raises HostError."""
        _check_id(container_id)
        with self._translated("an inspect answer"):
            return parse_process(self._asking(within).inspect_container(container_id))

    def remove(self, container_id: str, *, force: bool, volumes: bool, within: float | None = None) -> None:
        """Ask the engine to remove one container, once. It did when this returns.

        ``force`` kills it first; ``volumes`` takes its anonymous volumes along. Raises EngineError with the HTTP
        status when the engine refused, LostAnswer when it can't be known.
        """
        _check_id(container_id)
        with self._translated("the answer to a removal"):
            if force and self._libpod:
                # Docker's way to say it makes Podman wait the container's stop time-out, six or so of them at a time.
                self._asking(within).kill_and_remove(container_id, self._libpod, volumes=volumes)
            else:
                self._asking(within).remove_container(container_id, v=volumes, link=False, force=force)

    @contextmanager
    def _translated(self, what: str) -> Iterator[None]:
        """Turn every foreign exception of a request into one of ours, and count what its answer takes up."""
        hold = SHARED.begin(self._deadline.remaining)
        try:
            yield
        except HostError:
            raise
        except docker.errors.DockerException as error:
            raise EngineError("sdk", f"{what}: {_cut(error)}") from error
        except (BadStatusLine, IncompleteRead, *_STREAM_ERRORS) as error:
            raise self._lost(what, error) from error
        except HTTPException as error:
            # What the engine did is not known: of a removal this is no refusal.
            raise LostAnswer(
                Phase.ENGINE,
                "invalid-answer",
                f"{what} is not HTTP that can be read in one way: {_cut(error)}",
                "check which service answers at the engine's address",
            ) from error
        except TooMuch as error:
            raise EngineError("too-large", f"{what} {error}") from error
        except Unusable as error:
            raise EngineError("invalid-answer", f"{what} is not usable JSON: {error}") from error
        except MemoryError as error:
            raise EngineError("too-large", f"there is not enough memory for {what}") from error
        except _MADE_OF_VALUES as error:
            log.debug("%s can't be used", what, exc_info=True)
            raise EngineError("invalid-answer", f"{what} can't be used: {_cut(error)}") from error
        finally:
            hold.release()

    def _lost(self, what: str, error: BaseException) -> LostAnswer:
        if isinstance(error, Overdue):
            message = f"{what} did not come within {error.seconds:.0f} s"
            return LostAnswer(Phase.ENGINE, "timeout", message, "look at the load of the engine")
        # Every other timeout is the deadline's, also one that comes a hair before it.
        if self._deadline.expired or isinstance(error, TimeoutError):
            return LostAnswer(
                Phase.ENGINE,
                "timeout",
                f"{what} did not come within {self._deadline.seconds:.0f} s",
                "look at the load of the engine, or raise --host-timeout",
            )
        return LostAnswer(
            Phase.ENGINE,
            "lost",
            f"the connection ended before {what} was whole",
            "look at the engine's log on the box",
        )


def _cut(error: BaseException) -> str:
    """An error in words that are short, whatever it was made of."""
    return f"{type(error).__name__}: {error}"[:WORDS_LIMIT].encode(errors="replace").decode()


def _check_id(container_id: str) -> None:
    if FULL_ID.fullmatch(container_id) is None:
        raise ValueError(f"{container_id!r} is not a full container id")

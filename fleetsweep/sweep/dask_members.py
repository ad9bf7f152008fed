"""The workers of a Dask cluster that offer a zone: each is made ready before it gets a task, or is refused."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final, TypedDict

from fleetsweep.errors import FaultKind
from fleetsweep.sweep.dask_worker import stop_profiler
from fleetsweep.sweep.zones import RESOURCE, Member

if TYPE_CHECKING:
    from distributed import Client

log = logging.getLogger(__name__)

PACKAGE: Final = "fleetsweep"

SILENT_S: Final = 20.0
"""Seconds without a heartbeat after which a worker gets no more tasks. It sends one every 0.5 to 2 s."""

PATIENCE_S: Final = 1.0
"""Seconds for which a look waits for the responses of new workers. Later ones are in the next look."""


class WorkerInfo(TypedDict):
    """What a scheduler has of a worker. ``last_seen`` is the time of its last heartbeat."""

    name: str
    resources: Mapping[str, float]
    last_seen: float


@dataclass(slots=True)
class Heartbeat:
    """The last heartbeat of a worker by the scheduler's clock, and by ours when it was first seen."""

    last_seen: float
    at: float


class Members:
    """Looks at the cluster's workers again and again. Each new one is asked in a thread of its own: one may hang."""

    def __init__(self, client: Client, *, silent_s: float = SILENT_S) -> None:
        self._client = client
        self._silent_s = silent_s
        self._found: dict[str, Member] = {}
        self._asked: set[str] = set()
        self._heartbeats: dict[str, Heartbeat] = {}

    def look(self) -> dict[str, Member]:
        """Return the workers that offer a zone, by address, each with the reason if it can't be used."""
        workers: Mapping[str, WorkerInfo] = self._client.scheduler_info()["workers"]
        members = [
            Member(address, zones, f"worker {worker['name']} ({address}) has not responded", FaultKind.NO_WORKER)
            for address, worker in workers.items()
            if (zones := _zones(worker))
        ]
        self._asked &= workers.keys()
        for gone in self._found.keys() - workers.keys():
            del self._found[gone]
        asking = []
        for member in members:
            if member.address not in self._asked:
                self._asked.add(member.address)
                words = (str(workers[member.address]["name"]), member)
                asking.append(threading.Thread(target=self._ask, args=words, name="fleetsweep-member", daemon=True))
                asking[-1].start()
        ends = time.monotonic() + PATIENCE_S
        for thread in asking:
            thread.join(max(0.0, ends - time.monotonic()))
        now = {member.address: self._found.get(member.address, member) for member in members}
        return {address: self._if_silent(member, workers[address]) for address, member in now.items()}

    def _ask(self, name: str, member: Member) -> None:
        """Note whether a worker can be used. One that can't be asked is asked again at the next look."""
        from distributed.versions import get_versions

        workers = [member.address]
        try:
            ours = _versions(get_versions(packages=[PACKAGE]))
            response = self._client.run(get_versions, packages=[PACKAGE], workers=workers)
            refused = _refusal(name, member.address, ours, _versions(response[member.address]))
            if refused:
                log.warning("%s: it is not used", refused)
            else:
                self._client.run(stop_profiler, workers=workers)
            self._found[member.address] = Member(member.address, member.zones, refused)
        except Exception as error:
            log.debug("worker %s can't be made ready", member.address, exc_info=True)
            self._found[member.address] = replace(member, refused=f"{member.refused}: {error_words(error)}")
            self._asked.discard(member.address)

    def _if_silent(self, member: Member, worker: WorkerInfo) -> Member:
        """Return the member as refused if it sent no heartbeat for some time."""
        now = time.monotonic()
        beat = self._heartbeats.setdefault(member.address, Heartbeat(worker["last_seen"], now))
        if beat.last_seen != worker["last_seen"]:
            beat.last_seen, beat.at = worker["last_seen"], now
        if member.refused or now < beat.at + self._silent_s:
            return member
        silent = f"worker {worker['name']} ({member.address}) has not responded for {now - beat.at:.0f} s"
        return replace(member, refused=silent, kind=FaultKind.NO_WORKER)


def error_words(error: Exception) -> str:
    """Return the type of an error and the first line of its text."""
    text = str(error).strip().splitlines()
    return f"{type(error).__name__}{': ' + text[0][:200] if text and text[0] else ''}"


def _zones(worker: WorkerInfo) -> tuple[str, ...]:
    return tuple(name.removeprefix(RESOURCE) for name in worker["resources"] if name.startswith(RESOURCE))


def _versions(response: Mapping[str, Mapping[str, object]]) -> tuple[str, str]:
    packages = response["packages"]
    return str(packages.get(PACKAGE)), str(packages.get("python"))


def _refusal(name: str, address: str, ours: tuple[str, str], its: tuple[str, str]) -> str:
    if its == ours:
        return ""
    return (
        f"worker {name} ({address}) has {PACKAGE} {its[0]} on Python {its[1]}, "
        f"this is {PACKAGE} {ours[0]} on Python {ours[1]}"
    )

"""The workers of a Dask cluster that offer a zone: each is made ready before it gets a task, or is refused."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

from fleetsweep.sweep.dask_worker import stop_profiler
from fleetsweep.sweep.zones import RESOURCE, Member

if TYPE_CHECKING:
    from distributed import Client

log = logging.getLogger(__name__)

PACKAGE: Final = "fleetsweep"


def usable_members(client: Client, known: Mapping[str, Member]) -> dict[str, Member]:
    """Return the cluster's workers that offer a zone, by address, each with the reason if it can't be used.

    One that isn't among the ``known`` is asked for its versions and made ready. One that does not respond is left out.
    """
    from distributed.versions import get_versions

    workers = client.scheduler_info()["workers"]
    zones = {
        address: tuple(name.removeprefix(RESOURCE) for name in worker["resources"] if name.startswith(RESOURCE))
        for address, worker in workers.items()
    }
    found = {address: member for address, member in known.items() if address in zones}
    new = [address for address, offered in zones.items() if offered and address not in known]
    if not new:
        return found
    ours = _versions(get_versions(packages=[PACKAGE]))
    responses = client.run(get_versions, packages=[PACKAGE], workers=new, on_error="return")
    for address in new:
        response = responses.get(address)
        if not isinstance(response, dict):
            continue
        name = str(workers[address].get("name") or address)
        refused = _refusal(name, address, ours, _versions(response))
        if refused:
            log.warning("%s: it is not used", refused)
        found[address] = Member(address, zones[address], refused)
    usable = [address for address in new if address in found and not found[address].refused]
    ready = client.run(stop_profiler, workers=usable, on_error="return") if usable else {}
    for address in usable:
        if ready.get(address) is not True:
            log.debug("worker %s can't be made ready: %s", address, ready.get(address))
            del found[address]
    return found


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

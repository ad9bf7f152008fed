"""Hosts that wait for a worker of their zone."""

from __future__ import annotations

import threading
from collections.abc import Sequence

import pytest

from fleetsweep.errors import FaultKind, UsageError
from fleetsweep.model.host import Connection, Host
from fleetsweep.model.survey import Fault, Status
from fleetsweep.runtime.deadline import Deadline, Watchdog
from fleetsweep.sweep.workers import HostFault
from fleetsweep.sweep.zones import SLICE, Member, SliceQueue, Waiting, Zones, check_hosts

HERE = {"a": Member("tcp://a", ("north",)), "b": Member("tcp://b", ("south",), "worker b is too old")}


def double(some: Sequence[Waiting[int, int]]) -> None:
    for one in some:
        one.future.set_result(2 * one.task)


def test_hosts_are_handed_out_in_slices() -> None:
    zones, sizes = Zones(), []

    def send(some: Sequence[Waiting[int, int]]) -> None:
        sizes.append(len(some))
        double(some)

    queue: SliceQueue[int, int] = SliceQueue("north", zones, send)
    results: list[int] = []
    with Watchdog() as watchdog:
        deadline = Deadline(20, watchdog)
        threads = [
            threading.Thread(target=lambda number=number: results.append(queue.result(number, deadline)))
            for number in range(2 * SLICE)
        ]
        for thread in threads:
            thread.start()
        zones.update(HERE)
        for thread in threads:
            thread.join(20)
    zones.close()
    assert sorted(results) == [2 * number for number in range(2 * SLICE)]
    assert sum(sizes) == 2 * SLICE
    assert max(sizes) <= SLICE


@pytest.mark.parametrize(("zone", "kind"), [("east", FaultKind.NO_WORKER), ("south", FaultKind.VERSION)])
def test_a_host_waits_for_its_own_time_and_the_next_ones_do_not(zone: str, kind: FaultKind) -> None:
    zones = Zones()
    zones.update(HERE)
    queue: SliceQueue[int, int] = SliceQueue(zone, zones, double)
    with Watchdog() as watchdog:
        for seconds in (0.05, 3600):
            with pytest.raises(HostFault) as caught:
                queue.result(1, Deadline(seconds, watchdog))
            assert caught.value.fault.kind is kind
        zones.update({"c": Member("tcp://c", (zone,))})
        assert queue.result(1, Deadline(20, watchdog)) == 2
    zones.close()


def test_without_a_scheduler_no_host_waits() -> None:
    zones = Zones()
    queue: SliceQueue[int, int] = SliceQueue("north", zones, double)
    lost = Fault(Status.UNREACHABLE, None, FaultKind.NO_WORKER, "the scheduler ended")
    zones.lose(lost)
    with Watchdog() as watchdog, pytest.raises(HostFault, match="the scheduler ended"):
        queue.result(1, Deadline(3600, watchdog))
    zones.close()


@pytest.mark.parametrize(
    ("host", "words"),
    [
        (Host("a", "a"), "--scheduler: a: no fleetsweep_zone"),
        (Host("a", "a", zone="north", connection=Connection.LOCAL), "the worker's own machine"),
        (Host("a", "a", zone="north", proxy_command="nc -X %h"), "may hold a secret"),
    ],
)
def test_a_host_that_no_worker_may_reach_is_an_error_of_usage(host: Host, words: str) -> None:
    check_hosts([Host("b", "b", zone="north")])
    with pytest.raises(UsageError, match=words):
        check_hosts([Host("b", "b", zone="north"), host])

"""The workers of a Dask cluster in this process."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from distributed import Client, LocalCluster

from fleetsweep.sweep.dask_members import usable_members
from fleetsweep.sweep.zones import RESOURCE, Member


@pytest.fixture(scope="module")
def cluster() -> Iterator[LocalCluster]:
    """A cluster with one worker in the zone north."""
    with LocalCluster(  # type: ignore[no-untyped-call]  # Dask's is
        n_workers=1,
        threads_per_worker=1,
        processes=False,
        dashboard_address="127.0.0.1:0",
        resources={f"{RESOURCE}north": 1},
    ) as found:
        yield found


@pytest.fixture
def client(cluster: LocalCluster) -> Iterator[Client]:
    """A client of it."""
    with Client(cluster) as found:  # type: ignore[no-untyped-call]  # Dask's is
        yield found


def test_a_worker_that_may_be_used_is_not_profiled_any_more(cluster: LocalCluster, client: Client) -> None:
    (worker,) = cluster.workers.values()
    profilers = [worker.periodic_callbacks[name] for name in ("profile", "profile-cycle")]
    assert all(each.is_running() for each in profilers)
    found = usable_members(client, {})
    assert found == {worker.address: Member(worker.address, ("north",))}
    assert not any(each.is_running() for each in profilers)


def test_a_worker_that_is_known_is_not_asked_again(cluster: LocalCluster, client: Client) -> None:
    (worker,) = cluster.workers.values()
    known = {address: Member(address, ("north",), "too old") for address in (worker.address, "tcp://gone")}
    assert usable_members(client, known) == {worker.address: known[worker.address]}

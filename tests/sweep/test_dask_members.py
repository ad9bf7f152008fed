"""The workers of a Dask cluster in this process."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from distributed import Client, LocalCluster

from fleetsweep.errors import FaultKind
from fleetsweep.sweep.dask_members import Members
from fleetsweep.sweep.zones import RESOURCE, Member
from tests.lab.process import wait_for


@pytest.fixture
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
    assert Members(client).look() == {worker.address: Member(worker.address, ("north",))}
    assert not any(each.is_running() for each in profilers)


def test_a_worker_without_a_heartbeat_is_not_used_until_it_has_one(cluster: LocalCluster, client: Client) -> None:
    (worker,) = cluster.workers.values()
    members = Members(client, silent_s=1.2)
    usable = Member(worker.address, ("north",))
    assert members.look() == {worker.address: usable}
    heartbeat = worker.periodic_callbacks["heartbeat"]
    worker.loop.add_callback(heartbeat.stop)
    wait_for(lambda: members.look() != {worker.address: usable}, "the silence")
    member = members.look()[worker.address]
    assert member.kind is FaultKind.NO_WORKER
    assert member.refused.startswith(f"worker {worker.name} ({worker.address}) has not responded for 1 s")
    worker.loop.add_callback(heartbeat.start)
    wait_for(lambda: members.look() == {worker.address: usable}, "the heartbeat")


def test_a_worker_that_can_not_be_asked_has_the_reason_and_is_asked_again(
    cluster: LocalCluster, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(packages: list[str]) -> None:
        raise OSError("TLS certificate does not match\nand more")

    (worker,) = cluster.workers.values()
    members = Members(client)
    with monkeypatch.context() as patched:
        patched.setattr("distributed.versions.get_versions", broken)
        refused = members.look()[worker.address].refused
    assert refused.endswith(" has not responded: OSError: TLS certificate does not match")
    assert members.look() == {worker.address: Member(worker.address, ("north",))}

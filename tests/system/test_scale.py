"""A simulated fleet of 200 boxes, by each way to spread the work: the same rows, and no removal twice."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from tests.conftest import Run
from tests.lab.simulated_boxes import SimulatedBox, Trouble
from tests.lab.simulated_fleet import SimulatedFleet, simulated_fleet

pytestmark = pytest.mark.lab

BOXES = 200

STATUSES = {
    Trouble.NONE: "ok",
    Trouble.REFUSED: "unreachable",
    Trouble.ERROR: "failed",
    Trouble.GARBAGE: "failed",
    Trouble.SKEWED: "guarded",
}


@pytest.fixture(scope="module")
def fleet() -> Iterator[SimulatedFleet]:
    """A fleet with each kind of trouble in it."""
    with simulated_fleet(BOXES, seed=10) as found:
        assert {box.trouble for box in found.boxes} == set(Trouble)
        yield found


def expected(box: SimulatedBox) -> str:
    """Return the status of a box after a sweep."""
    if box.trouble is Trouble.BUSY:
        return "failed" if box.leaks else "ok"
    return STATUSES[box.trouble]


def test_a_sweep_finds_what_the_simulated_boxes_are(fleet: SimulatedFleet, run: Run) -> None:
    done = run("sweep", *fleet.options(), "--yes", "--format", "json")
    rows = json.loads(done.stdout)["hosts"]
    assert [(row["host"], row["status"]) for row in rows] == [(box.name, expected(box)) for box in fleet.boxes]
    leaks = {box.name: box.leaks for box in fleet.boxes if box.trouble is Trouble.NONE}
    assert {row["host"]: row["removed"] for row in rows if row["host"] in leaks} == leaks
    assert set(fleet.deletes().values()) == {1}

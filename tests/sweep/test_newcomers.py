"""A container that came to depend on a candidate after the plan keeps it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from fleetsweep.engine.decode import resolve_owners
from fleetsweep.errors import EngineError, FaultKind
from fleetsweep.model.container import SECOND, Container
from fleetsweep.model.decision import HostPlan
from fleetsweep.model.host import Host
from fleetsweep.model.survey import Engine
from fleetsweep.policy.rules import Policy, decide
from fleetsweep.sweep.newcomers import CLOCK_STEP_NS, in_use_now
from tests.policy.test_rules import NOW, many

CANDIDATE, OTHER = many(2)
NEW = Container("d" * 64, "job-9", "job:1", "", "running", NOW + 5 * SECOND, {})
OLD = replace(NEW, created_ns=NOW - CLOCK_STEP_NS - 1)


class Asked:
    """Returns each inspection from ``found``, or raises it if it is an error. Any other container is gone."""

    def __init__(self, **found: Container | EngineError) -> None:
        self.found = found
        self.asked: list[str] = []

    def inspect(self, container_id: str, /, *, within: float | None = None) -> Container | None:
        assert within == 5
        self.asked.append(container_id)
        found = self.found.get(container_id)
        if isinstance(found, EngineError):
            raise found
        return found


def look(engine: Asked, *listed: Container, candidates: tuple[Container, ...] = (CANDIDATE, OTHER)) -> dict[str, str]:
    decisions = tuple(decide(each, Policy(), NOW) for each in candidates)
    plan = HostPlan(Host("a", "a"), Engine("docker", "D", "1.41", "local"), NOW, 0.0, 0.0, 3, decisions)
    return in_use_now(engine, [*candidates, *listed], plan, resolve=resolve_owners, look_s=5)


def test_a_box_without_newcomers_costs_no_inspection() -> None:
    engine = Asked()
    assert look(engine, OLD) == {}
    assert engine.asked == []


@pytest.mark.parametrize("age", [NEW, OLD])
def test_a_container_listed_in_a_candidates_network_keeps_that_candidate_only(age: Container) -> None:
    user = replace(age, lives_on=(CANDIDATE.id,))
    assert look(Asked(), user) == {CANDIDATE.id: "it is in use by job-9 now"}


@pytest.mark.parametrize("created_ns", [NOW + 9 * SECOND, NOW, NOW - CLOCK_STEP_NS, 0])
def test_a_newcomer_is_inspected_for_what_the_list_does_not_show(created_ns: int) -> None:
    listed = replace(NEW, created_ns=created_ns, name="")
    engine = Asked(**{NEW.id: replace(listed, lives_on=("f" * 64, OTHER.id))})
    assert look(engine, listed) == {OTHER.id: f"it is in use by {NEW.id[:12]} now"}


def test_a_newcomer_may_name_a_candidate_by_its_name() -> None:
    engine = Asked(**{NEW.id: replace(NEW, lives_on=("ws-mine",))})
    named = replace(OTHER, name="ws-mine")
    assert look(engine, NEW, candidates=(CANDIDATE, named)) == {OTHER.id: "it is in use by job-9 now"}


def test_a_newcomer_that_is_gone_again_keeps_no_candidate() -> None:
    engine = Asked()
    assert look(engine, NEW) == {}
    assert engine.asked == [NEW.id]


def test_a_newcomer_that_can_not_be_inspected_keeps_every_running_candidate() -> None:
    engine = Asked(**{NEW.id: EngineError(FaultKind.REFUSED, "HTTP 500: busy")})
    exited = replace(OTHER, state="exited")
    decided = look(engine, NEW, candidates=(CANDIDATE, exited))
    assert decided == {CANDIDATE.id: "job-9 was created after the plan was made and may depend on it: HTTP 500: busy"}


def test_a_candidate_keeps_no_other_candidate() -> None:
    assert look(Asked(), candidates=(CANDIDATE, replace(OTHER, lives_on=(CANDIDATE.id,)))) == {}

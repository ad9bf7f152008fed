"""Inspecting many containers: an inspect that hangs or is refused does not affect the others."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from enum import Enum, auto

import pytest

from fleetsweep.engine.inspections import MAX_UNANSWERED, MIN_TIMEOUT_S, RESERVE_S, RESPONSE_TIMEOUT_S, Inspections
from fleetsweep.engine.pool import Overdue
from fleetsweep.errors import EngineError, FaultKind, LostAnswer, Phase
from fleetsweep.model.container import Container
from tests.policy.test_rules import container

IDS = [f"{number:064x}" for number in range(60)]


class Odd(Enum):
    """How an inspect fails."""

    HANGS = auto()
    REFUSED = auto()
    CUT_OFF = auto()
    CUT_OFF_ONCE = auto()
    UNKNOWN = auto()


class Clock:
    """An engine that responds at once, or never: then its clock advances by the whole timeout."""

    def __init__(self, odd: Mapping[str, Odd], seconds: float = 120, *, lists: bool = True) -> None:
        self.odd = dict(odd)
        self.left = seconds
        self.lists = lists
        self.waited: list[float] = []
        self.pipelined: list[str] = []

    def seconds_left(self) -> float:
        return self.left

    def pipeline_inspects(self, container_ids: Sequence[str], /) -> None:
        self.pipelined = list(container_ids)

    def inspect(self, container_id: str, *, within: float | None = None) -> Container | None:
        assert self.pipelined.pop(0) == container_id, "inspected in the order of the pipeline"
        match self.odd.get(container_id):
            case Odd.HANGS:
                wait = self.left if within is None else within
                self.left -= wait
                self.waited.append(wait)
                cause = TimeoutError() if within is None else Overdue(wait)
                raise LostAnswer(Phase.ENGINE, FaultKind.TIMEOUT, "it did not arrive") from cause
            case Odd.REFUSED:
                raise EngineError(FaultKind.REFUSED, "HTTP 500: busy", http_status=500)
            case Odd.CUT_OFF | Odd.CUT_OFF_ONCE as cut:
                if cut is Odd.CUT_OFF_ONCE:
                    del self.odd[container_id]
                raise LostAnswer(Phase.ENGINE, FaultKind.LOST, "the connection ended") from EOFError()
            case Odd.UNKNOWN:
                return None
        return container(id=container_id)

    def owners(self, container_id: str, *, within: float | None) -> tuple[str, ...]:
        found = self.inspect(container_id, within=within)
        return found.lives_on if found is not None else ()

    def listed_ids(self, within: float, /) -> Collection[str]:
        if not self.lists:
            raise LostAnswer(Phase.ENGINE, FaultKind.TIMEOUT, "the list did not arrive")
        return IDS


def inspected(engine: Clock, ids: Sequence[str] = IDS, owners_of: Sequence[str] = ()) -> Inspections:
    inspections = Inspections(engine, engine.seconds_left)
    inspections.run(ids, owners_of=owners_of)
    return inspections


@pytest.mark.parametrize("odd", [Odd.HANGS, Odd.REFUSED, Odd.CUT_OFF, Odd.UNKNOWN])
@pytest.mark.parametrize("hit", [[0], [59], [15, 16], list(range(3, 60, 7))])
def test_every_other_container_is_inspected(odd: Odd, hit: list[int]) -> None:
    inspections = inspected(Clock({IDS[number]: odd for number in hit}))
    assert sorted(inspections.trouble) == [IDS[number] for number in hit]
    assert sorted([*inspections.found, *inspections.trouble]) == IDS
    assert inspections.gone == set()


def test_a_stream_that_ends_once_is_retried() -> None:
    inspections = inspected(Clock(dict.fromkeys(IDS[::9], Odd.CUT_OFF_ONCE)))
    assert (sorted(inspections.found), inspections.trouble) == (IDS, {})


def test_each_inspect_that_hangs_halves_the_next_timeout() -> None:
    engine = Clock(dict.fromkeys(IDS[1:11], Odd.HANGS))
    inspected(engine)
    assert engine.waited == [RESPONSE_TIMEOUT_S, RESPONSE_TIMEOUT_S / 2, RESPONSE_TIMEOUT_S / 4, *[MIN_TIMEOUT_S] * 7]


def test_if_many_hang_the_results_so_far_are_kept_when_the_hosts_time_runs_out() -> None:
    engine = Clock(dict.fromkeys(IDS[5:40], Odd.HANGS), seconds=20)
    inspections = inspected(engine)
    assert sorted(inspections.found) == IDS[:5]
    assert set(inspections.trouble) == set(IDS[5:])
    assert "no time left" in inspections.trouble[IDS[59]]
    assert engine.left >= RESERVE_S


def test_an_engine_that_never_responds_is_reported_itself() -> None:
    engine = Clock(dict.fromkeys(IDS, Odd.HANGS))
    with pytest.raises(LostAnswer, match="it did not arrive"):
        inspected(engine)
    assert len(engine.waited) == MAX_UNANSWERED


def test_a_second_list_tells_a_hanging_container_from_a_hanging_engine() -> None:
    assert list(inspected(Clock({IDS[0]: Odd.HANGS}), IDS[:1]).trouble) == IDS[:1]
    with pytest.raises(LostAnswer, match="list"):
        inspected(Clock({IDS[0]: Odd.HANGS}, lists=False), IDS[:1])


def test_a_failed_inspect_for_owners_only_is_no_trouble() -> None:
    engine = Clock({IDS[1]: Odd.REFUSED, IDS[2]: Odd.HANGS, IDS[3]: Odd.UNKNOWN})
    inspections = inspected(engine, IDS[:1], IDS[:5])
    seen = inspections.applied_to([container(id=each, inspected=False) for each in IDS[:5]])
    assert [each.id for each in seen] == IDS[:5]
    assert [each.inspected for each in seen] == [True, False, False, False, False]
    assert {each.trouble for each in seen} == {""}

"""Looking at many containers: what a look that never ends, or is refused, costs the others."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from enum import Enum, auto

import pytest

from fleetsweep.engine.looks import LEAST_PATIENCE_S, MOST_SILENT, PATIENCE_S, RESERVE_S, Looks
from fleetsweep.engine.pool import Overdue
from fleetsweep.errors import EngineError, LostAnswer, Phase
from fleetsweep.model.container import Container
from tests.policy.test_rules import container

IDS = [f"{number:064x}" for number in range(60)]


class Odd(Enum):
    """What becomes of a look."""

    HANGS = auto()
    REFUSED = auto()
    CUT_OFF = auto()
    CUT_OFF_ONCE = auto()
    UNKNOWN = auto()


class Clock:
    """An engine whose answers take no time, but for those that never come: they take all that they may."""

    def __init__(self, odd: Mapping[str, Odd], seconds: float = 120, *, lists: bool = True) -> None:
        self.odd = dict(odd)
        self.left = seconds
        self.lists = lists
        self.waited: list[float] = []
        self.ahead: list[str] = []

    def seconds_left(self) -> float:
        return self.left

    def pipeline_inspects(self, container_ids: Sequence[str], /) -> None:
        self.ahead = list(container_ids)

    def inspect(self, container_id: str, *, within: float | None = None) -> Container | None:
        assert self.ahead.pop(0) == container_id, "asked in the order in which it was sent"
        match self.odd.get(container_id):
            case Odd.HANGS:
                wait = self.left if within is None else within
                self.left -= wait
                self.waited.append(wait)
                cause = TimeoutError() if within is None else Overdue(wait)
                raise LostAnswer(Phase.ENGINE, "timeout", "it did not come") from cause
            case Odd.REFUSED:
                raise EngineError("refused", "HTTP 500: busy", http_status=500)
            case Odd.CUT_OFF | Odd.CUT_OFF_ONCE as cut:
                if cut is Odd.CUT_OFF_ONCE:
                    del self.odd[container_id]
                raise LostAnswer(Phase.ENGINE, "lost", "the connection ended") from EOFError()
            case Odd.UNKNOWN:
                return None
        return container(id=container_id)

    def owners(self, container_id: str, *, within: float | None) -> tuple[str, ...]:
        found = self.inspect(container_id, within=within)
        return found.lives_on if found is not None else ()

    def listed_ids(self, within: float, /) -> Collection[str]:
        if not self.lists:
            raise LostAnswer(Phase.ENGINE, "timeout", "the list did not come")
        return IDS


def looked(engine: Clock, ids: Sequence[str] = IDS, besides: Sequence[str] = ()) -> Looks:
    looks = Looks(engine, engine.seconds_left)
    looks.at(ids, besides=besides)
    return looks


@pytest.mark.parametrize("odd", [Odd.HANGS, Odd.REFUSED, Odd.CUT_OFF, Odd.UNKNOWN])
@pytest.mark.parametrize("hit", [[0], [59], [15, 16], list(range(3, 60, 7))])
def test_every_other_container_is_read(odd: Odd, hit: list[int]) -> None:
    looks = looked(Clock({IDS[number]: odd for number in hit}))
    assert sorted(looks.trouble) == [IDS[number] for number in hit]
    assert sorted([*looks.found, *looks.trouble]) == IDS
    assert looks.gone == set()


def test_a_stream_that_ends_once_costs_nobody() -> None:
    looks = looked(Clock(dict.fromkeys(IDS[::9], Odd.CUT_OFF_ONCE)))
    assert (sorted(looks.found), looks.trouble) == (IDS, {})


def test_each_look_that_hangs_shortens_the_wait_for_the_next() -> None:
    engine = Clock(dict.fromkeys(IDS[1:11], Odd.HANGS))
    looked(engine)
    assert engine.waited == [PATIENCE_S, PATIENCE_S / 2, PATIENCE_S / 4, *[LEAST_PATIENCE_S] * 7]


def test_where_many_hang_the_hosts_time_ends_in_what_was_read_and_not_in_nothing() -> None:
    engine = Clock(dict.fromkeys(IDS[5:40], Odd.HANGS), seconds=20)
    looks = looked(engine)
    assert sorted(looks.found) == IDS[:5]
    assert set(looks.trouble) == set(IDS[5:])
    assert "no time left" in looks.trouble[IDS[59]]
    assert engine.left >= RESERVE_S


def test_an_engine_that_answers_nothing_at_all_is_at_fault_itself() -> None:
    engine = Clock(dict.fromkeys(IDS, Odd.HANGS))
    with pytest.raises(LostAnswer, match="it did not come"):
        looked(engine)
    assert len(engine.waited) == MOST_SILENT


def test_one_that_hangs_alone_is_told_from_its_engine_by_a_second_list() -> None:
    assert list(looked(Clock({IDS[0]: Odd.HANGS}), IDS[:1]).trouble) == IDS[:1]
    with pytest.raises(LostAnswer, match="list"):
        looked(Clock({IDS[0]: Odd.HANGS}, lists=False), IDS[:1])


def test_one_that_is_asked_only_for_what_it_lives_on_troubles_nobody() -> None:
    engine = Clock({IDS[1]: Odd.REFUSED, IDS[2]: Odd.HANGS, IDS[3]: Odd.UNKNOWN})
    looks = looked(engine, IDS[:1], IDS[:5])
    seen = looks.seen([container(id=each, inspected=False) for each in IDS[:5]])
    assert [each.id for each in seen] == IDS[:5]
    assert [each.inspected for each in seen] == [True, False, False, False, False]
    assert {each.trouble for each in seen} == {""}

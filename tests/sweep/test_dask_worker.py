"""What a Dask worker runs, without a cluster."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

from fleetsweep.model.outcome import Outcome
from fleetsweep.policy.rules import Policy
from fleetsweep.sweep.dask_worker import RemovalActor, close_run, survey_slice
from fleetsweep.sweep.one_host import RemovalOptions
from fleetsweep.sweep.slices import RemovalResult, RemovalTask, SurveyTask
from tests.lab.local_box import LOOK, REACH, SECONDS, LocalBox, local_box
from tests.lab.process import wait_for
from tests.lab.workdir import deletes


def removal(box: LocalBox) -> RemovalTask:
    ids = {decision.container.id: 1 for decision in box.plan.candidates}
    return RemovalTask(box.plan, Policy(), time.monotonic() + SECONDS, ids, RemovalOptions())


def outcomes(result: RemovalResult | None) -> list[Outcome]:
    assert result is not None
    return [each.outcome for each in result.removals]


def test_a_slice_has_a_result_for_each_host(tmp_path: Path) -> None:
    with local_box(tmp_path, 1, "a") as one, local_box(tmp_path, 2, "b") as other:
        tasks = [SurveyTask(box.host, Policy(), LOOK, SECONDS) for box in (one, other)]
        found = survey_slice("run", REACH, tasks)
        close_run("run")
    assert [len(each.survey.containers) for each in found if each.survey] == [1, 2]


def test_a_call_that_arrives_twice_or_at_another_actor_is_refused(tmp_path: Path) -> None:
    async def calls(box: LocalBox) -> None:
        actor = RemovalActor(REACH, 60)
        greeting = await actor.begin()
        task = removal(box)
        assert await actor.apply("another", [task]) == (None,)
        assert deletes(box.engine) == []
        first, again = await actor.apply(greeting.identity, [task, task])
        assert sorted([first is None, again is None]) == [False, True]
        assert outcomes(first or again) == [Outcome.REMOVED] * 2
        assert await actor.apply(greeting.identity, [task]) == (None,)
        await actor.close()

    with local_box(tmp_path, 2) as box:
        asyncio.run(calls(box))
        assert len(deletes(box.engine)) == 2


def test_without_a_sign_of_life_nothing_more_is_removed(tmp_path: Path) -> None:
    async def calls(box: LocalBox) -> None:
        actor = RemovalActor(REACH, 0.3)
        greeting = await actor.begin()
        await actor.renew()
        wait_for(actor._worker.stopped.is_set, "the end of the lease")
        assert outcomes((await actor.apply(greeting.identity, [removal(box)]))[0]) == []
        await actor.close()

    with local_box(tmp_path, 1) as box:
        asyncio.run(calls(box))
        assert deletes(box.engine) == []


def test_a_run_that_is_stopped_removes_nothing_more(tmp_path: Path) -> None:
    async def calls(box: LocalBox) -> None:
        actor = RemovalActor(REACH, 60)
        greeting = await actor.begin()
        await actor.stop()
        assert outcomes((await actor.apply(greeting.identity, [removal(box)]))[0]) == []
        await actor.close()

    with local_box(tmp_path, 1) as box:
        asyncio.run(calls(box))
        assert deletes(box.engine) == []

"""What travels to a worker: everything that connecting needs, and nothing that may be secret."""

from __future__ import annotations

import pickle
from dataclasses import replace

from fleetsweep.model.host import Host
from fleetsweep.model.survey import Engine, Survey
from fleetsweep.policy.guards import plan_host
from fleetsweep.policy.rules import Policy
from fleetsweep.sweep.one_host import Look, RemovalOptions
from fleetsweep.sweep.slices import RemovalTask, SurveyTask, travelling, travelling_plan
from tests.report.build import NOW_NS, container

SECRET = "hunter2"  # noqa: S105 - the secret of this test


def host() -> Host:
    return Host(
        "runner-1",
        "10.0.0.1",
        user="ci",
        groups=("runners",),
        variables={"vault_password": SECRET},
        origins={"vault_password": SECRET},
    )


def test_a_task_has_no_variable_and_no_label() -> None:
    found = replace(container("ws-1"), labels={"token": SECRET})
    survey = Survey(host(), Engine("docker", "Docker/1", "1.41", "local"), NOW_NS, 0.0, (found,), 0.0)
    plan = plan_host(survey, Policy())
    assert plan.candidates
    sent = travelling_plan(plan)
    tasks = (
        SurveyTask(travelling(host()), Policy(), Look(), 1.0),
        RemovalTask(sent, Policy(), 1.0, {found.id: 1}, RemovalOptions()),
    )
    assert all(SECRET.encode() not in pickle.dumps(task) for task in tasks)
    assert pickle.loads(pickle.dumps(tasks)) == tasks  # noqa: S301 - our own
    assert [each.labels_digest for each in sent.candidates] == [each.labels_digest for each in plan.candidates]


def test_each_task_to_remove_is_an_attempt_of_its_own() -> None:
    survey = Survey(host(), Engine("docker", "Docker/1", "1.41", "local"), NOW_NS, 0.0, (), 0.0)
    plan = plan_host(survey, Policy())
    one, other = (RemovalTask(plan, Policy(), 1.0, {}, RemovalOptions()) for _ in range(2))
    assert one.attempt != other.attempt

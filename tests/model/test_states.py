"""The states of a container."""

from __future__ import annotations

import pytest

from fleetsweep.model import states
from fleetsweep.model.decision import Reason
from fleetsweep.policy.rules import Policy, decide
from tests.policy.test_rules import NOW, container


def test_every_state_that_a_rule_relies_on_is_an_engines_own() -> None:
    assert states.KNOWN >= states.STARTED
    assert states.KNOWN >= states.MAY_NEVER_HAVE_STARTED


def test_a_state_with_processes_is_never_one_without_a_start() -> None:
    assert states.STARTED.isdisjoint(states.MAY_NEVER_HAVE_STARTED)


@pytest.mark.parametrize("state", ["", "unknown", "Running", "up", "running "])
def test_a_state_that_no_engine_documents_keeps_the_container(state: str) -> None:
    assert state not in states.KNOWN
    assert decide(container(state=state), Policy(), NOW).reason is Reason.UNREADABLE


@pytest.mark.parametrize("state", sorted(states.KNOWN))
def test_a_missing_start_time_is_accepted_only_where_the_state_allows_it(state: str) -> None:
    found = decide(container(state=state, started_ns=None), Policy(), NOW)
    accepted = state in states.MAY_NEVER_HAVE_STARTED
    assert found.reason is (Reason.STALE if accepted else Reason.UNKNOWN_AGE)

"""Containers are frozen values, whatever was read of them."""

from __future__ import annotations

from dataclasses import FrozenInstanceError, replace

import pytest

from fleetsweep.model.container import SECOND, UNREADABLE, Container
from fleetsweep.policy.rules import EARLIEST_NS, Policy, decide
from tests.policy.test_rules import NOW, container


def test_a_listed_container_has_nothing_that_takes_an_inspection() -> None:
    listed = Container("1" * 64, "ws-1", "x", "sha256:0", "running", 5 * SECOND, {})
    assert (listed.inspected, listed.started_ns, listed.restarts) == (False, None, None)
    assert (listed.lives_on, listed.managed_by, listed.trouble) == ((), "", "")


def test_a_container_can_not_be_changed_after_it_was_judged() -> None:
    with pytest.raises(FrozenInstanceError):
        container().name = "ws-2"  # type: ignore[misc]


def test_containers_are_equal_only_if_everything_that_was_read_is() -> None:
    assert container() == container()
    assert container() != replace(container(), labels={"a": "b"})


def test_the_unreadable_time_is_one_that_the_policy_rejects() -> None:
    assert UNREADABLE < EARLIEST_NS
    assert decide(container(created_ns=UNREADABLE), Policy(), NOW).age_s is None

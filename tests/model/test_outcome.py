"""The outcomes of removals."""

from __future__ import annotations

from fleetsweep.model.outcome import Outcome, Removal
from fleetsweep.model.run_scope import Resource, ResourceKind
from fleetsweep.sweep.remove_containers import ABSENT


def test_the_stored_words_of_an_outcome_are_stable() -> None:
    assert [str(word) for word in Outcome] == ["removed", "gone", "changed", "failed", "unknown"]


def test_only_what_was_removed_or_gone_counts_as_absent() -> None:
    assert {Outcome.REMOVED, Outcome.GONE} == ABSENT


def test_a_removal_has_no_error_unless_one_is_given() -> None:
    assert Removal("1" * 64, Outcome.REMOVED).error is None
    assert Removal("1" * 64, Outcome.REMOVED) != Removal("1" * 64, Outcome.REMOVED, "no")


def test_the_id_of_a_resource_can_not_be_a_containers() -> None:
    resource = Resource(ResourceKind.NETWORK, "1" * 64, "net", "", {})
    assert Removal(resource.id, Outcome.GONE).container_id == "network:" + "1" * 64

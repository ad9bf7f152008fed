"""Records of the journal."""

from __future__ import annotations

from fleetsweep.model.journal import LastSuccesses, PastRemoval


def test_a_removal_of_an_older_version_has_no_decision() -> None:
    removal = PastRemoval("a", "1" * 64, "ws-1", 0, "removed", None, None, None)
    assert (removal.image, removal.reason, removal.age_s, removal.matched_by, removal.attributes) == (
        None, None, None, (), {},
    )  # fmt: skip


def test_no_host_counts_as_seen_unless_a_run_saw_it() -> None:
    assert LastSuccesses(None, {}).seen == frozenset()

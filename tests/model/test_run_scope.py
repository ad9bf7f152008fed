"""What one run of a job created."""

from __future__ import annotations

from fleetsweep.model.run_scope import CLOCK_TOLERANCE_S, LONGEST_JOB_S, Baseline, Resource, ResourceKind, RunScope


def test_the_id_of_a_resource_names_its_kind_and_its_reference() -> None:
    assert Resource(ResourceKind.VOLUME, "data", "data", "", {}).id == "volume:data"
    assert Resource(ResourceKind.NETWORK, "data", "net", "", {}).id == "network:data"


def test_a_volume_that_was_created_again_is_another_one_of_the_same_id() -> None:
    first = Resource(ResourceKind.VOLUME, "data", "data", "2027-01-01", {})
    second = Resource(ResourceKind.VOLUME, "data", "data", "2027-01-02", {})
    assert first != second
    assert first.id == second.id


def test_labels_that_could_not_be_read_are_not_an_empty_map() -> None:
    assert Resource(ResourceKind.VOLUME, "a", "a", "", None) != Resource(ResourceKind.VOLUME, "a", "a", "", {})


def test_a_scope_is_a_label_or_a_baseline_or_both() -> None:
    baseline = Baseline("docker", 0, ("1" * 64,))
    assert len({RunScope(("run", "1")), RunScope(None, baseline), RunScope(("run", "1"), baseline)}) == 3


def test_the_tolerance_for_a_clock_is_far_below_the_longest_job() -> None:
    assert 0 < CLOCK_TOLERANCE_S * 100 < LONGEST_JOB_S

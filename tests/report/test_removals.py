"""A past removal as a row and as an object: the whole verdict, and nothing that harms a terminal."""

from __future__ import annotations

import json

from hypothesis import given

from fleetsweep.model.journal import PastRemoval
from fleetsweep.report.removals import label_lines, removal_lines, removal_object
from tests.report.build import NOW_NS, container_id
from tests.report.hostile import past_removals

REMOVAL = PastRemoval(
    "runner-1", container_id("x"), "db-0", NOW_NS, "removed", None, None, None,
    run="r", image="postgres:16", reason="stale", age_s=7500, age_from="started", matched_by=("name", "image"),
    attributes={"fleetsweep.owner": "ann"},
)  # fmt: skip


def test_a_removal_shows_its_image_age_reason_selectors_and_labels() -> None:
    head, row = removal_lines([REMOVAL])
    assert head.split() == ["HOST", "ID", "NAME", "IMAGE", "AGE", "REASON", "MATCHED", "ASKED", "OUTCOME", "DETAIL"]
    assert row.split()[2:7] == ["db-0", "postgres:16", "2h5m", "stale", "name,image"]
    assert label_lines([REMOVAL]) == [f"db-0 ({container_id('x')[:12]}): fleetsweep.owner=ann"]


def test_what_an_older_version_did_not_record_is_a_dash_in_rows_and_null_in_json() -> None:
    old = PastRemoval("a", "volume:data", "data", NOW_NS, None, None, None, None)
    assert removal_lines([old])[1].split() == ["a", "volume", "data", *"----", "2026-06-15T07:00:00Z", "unknown"]
    assert label_lines([old]) == []
    shown = removal_object(old)
    assert (shown["image"], shown["reason"], shown["age_s"], shown["matched_by"]) == (None, None, None, [])


@given(past_removals)
def test_hostile_names_images_and_labels_stay_on_their_lines(removal: PastRemoval) -> None:
    lines = [*removal_lines([removal]), *label_lines([removal])]
    assert len(lines) == 2 + bool(removal.attributes)
    assert all(line.isprintable() for line in lines)
    text = json.dumps(removal_object(removal), allow_nan=False)
    text.encode("utf-8")
    assert text.isascii()

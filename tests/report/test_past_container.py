"""What is printed of one container of the past."""

from __future__ import annotations

import json
from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from fleetsweep.model.container import SECOND
from fleetsweep.model.hold import Hold
from fleetsweep.model.journal import PastRemoval
from fleetsweep.model.leak_history import PastContainer, PastLeak
from fleetsweep.report.past_container import ATTEMPTS, became, match_lines, render_past_container
from tests.report.build import NOW_NS, container_id
from tests.report.hostile import past_leaks, past_removals, texts
from tests.report.test_removals import REMOVAL

HOUR_NS = 3600 * SECOND
LEAK = PastLeak(
    "runner-1", container_id("x"), "db-0", "postgres:16", "stale", {"fleetsweep.owner": "ann"}, NOW_NS - 5 * HOUR_NS,
    NOW_NS - 3 * HOUR_NS, NOW_NS - 2 * HOUR_NS, NOW_NS, 2, 1, NOW_NS, "removed", "first", "last",
)  # fmt: skip
WHOLE = PastContainer(LEAK.container_id, "db-0", (LEAK,), (REMOVAL,))


def test_it_shows_when_it_was_first_seen_by_which_runs_why_and_what_became_of_it() -> None:
    head, leak, removal, end = render_past_container(WHOLE, None, "table").split("\n\n")
    assert head == f"db-0 ({container_id('x')})"
    assert leak.splitlines() == [
        "stale on runner-1 since 2026-06-15T04:00:00Z",
        "  first seen 2026-06-15T05:00:00Z, by run first",
        "  last seen 2026-06-15T07:00:00Z, by run last",
        "  seen stale by 2 runs; 1 sweep did not remove it",
        "  image postgres:16, created 2026-06-15T02:00:00Z",
        "  reason stale",
        "  labels fleetsweep.owner=ann",
        "  removed 2026-06-15T07:00:00Z, stale for 3h",
    ]
    assert removal.splitlines()[1].split() == [
        "2026-06-15T07:00:00Z", "runner-1", "r", "2h5m", "stale", "name,image", "removed"
    ]  # fmt: skip
    assert end == "what became of it: removed 2026-06-15T07:00:00Z\n"


def test_what_became_of_it_is_only_what_a_run_saw() -> None:
    there = replace(LEAK, ended_ns=None, ended_as=None)
    assert became(replace(WHOLE, leaks=(there,))) == "still there when it was last seen, 2026-06-15T07:00:00Z"
    lost = replace(REMOVAL, outcome=None)
    assert became(PastContainer("x", "x", (), (lost,))) == "unknown: no run has looked since"
    settled = replace(lost, outcome="unknown", settled="gone", settled_run="later")
    assert became(PastContainer("x", "x", (), (settled,))) == "gone, as run later found"


def test_of_many_attempts_the_first_and_the_last_are_shown_and_json_has_all() -> None:
    many = replace(WHOLE, removals=tuple(replace(REMOVAL, run=f"run-{n}") for n in range(3 * ATTEMPTS)))
    text = render_past_container(many, None, "table")
    assert f"({ATTEMPTS} more between" in text
    assert ("run-0 " in text, "run-29" in text, "run-15" in text) == (True, True, False)
    assert len(json.loads(render_past_container(many, None, "json"))["removals"]) == 3 * ATTEMPTS


def test_a_container_that_only_an_older_version_removed_says_so() -> None:
    old = PastRemoval("a", container_id("y"), "ws", NOW_NS, "removed", None, None, None, run="r")
    assert "older version" in render_past_container(PastContainer(old.container_id, "ws", (), (old,)), None, "table")


@given(st.lists(past_leaks, max_size=2), st.lists(past_removals, min_size=1, max_size=2), texts)
def test_hostile_text_stays_on_its_line(leaks: list[PastLeak], removals: list[PastRemoval], text: str) -> None:
    made = PastContainer(text, text, tuple(leaks), tuple(removals))
    hold = Hold(text, text, text, text, text, 0, NOW_NS)
    shown = [*render_past_container(made, hold, "table").splitlines(), *match_lines([made, made])]
    assert all(line.isprintable() for line in shown)
    assert len(match_lines([made, made])) == 3
    assert json.loads(render_past_container(made, hold, "json"))["hosts"]

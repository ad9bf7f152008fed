"""The sums of past leaks as a table and as JSON: what no run looked at is never shown as clean."""

from __future__ import annotations

import json
from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from fleetsweep.model.leak_history import LeakHistory, Look, PastLeak
from fleetsweep.policy.leak_stats import By, Grouping, Per, sum_leaks
from fleetsweep.report.leaks_table import LeakReport, render_leaks
from tests.policy.test_leak_stats import DAY, HOUR, START, history, leak, removal
from tests.report.hostile import past_leaks, texts


def report(made: LeakHistory, by: By = By.HOST, per: Per | None = None, label: str = "") -> LeakReport:
    grouping = Grouping(by, label)
    return LeakReport(made, grouping, per, sum_leaks(made, grouping, per, made.until_ns))


def rows(made: LeakReport) -> list[list[str]]:
    return [line.split() for line in render_leaks(made, "table").splitlines() if line]


def test_a_host_that_never_answered_is_shown_as_no_data_and_a_clean_one_as_zero() -> None:
    found = rows(report(history(leak("a", 1, 1, 3), removals=(removal("a", 3),))))
    assert found[0] == ["HOST", "RUNS", "LEAKS", "REMOVED", "THERE", "HOURS", "MEDIAN", "P95", "PER", "RUN", "NOTE"]
    assert found[1] == ["a", "72", "1", "1", "0", "2.0", "2h", "2h", "0.01", "new"]
    assert found[2] == ["b", "1", "0", "0", "0", "0.0", "-", "-", "-"]
    assert found[3] == ["c", "0", *["-"] * 7, "no", "data:", "no", "run", "ever", "surveyed", "it"]


def test_a_day_without_a_run_has_dashes_in_the_table_and_null_in_json() -> None:
    made = report(
        history(leak("a", 1, 1, 30), looks=(Look(0, START, "a"), Look(1, START + 2 * DAY, "a"))), By.FLEET, Per.DAY
    )
    assert [row[2:5] for row in rows(made)[1:4]] == [
        ["2024-10-04", "1", "1"],
        ["2024-10-05", "0", "-"],
        ["2024-10-06", "1", "0"],
    ]
    shown = json.loads(render_leaks(made, "json"))
    assert [(day["period"], day["leaks"], day["orphan_hours"]) for day in shown["groups"][0]["periods"]] == [
        ("2024-10-04", 1, 23.0),
        ("2024-10-05", None, None),
        ("2024-10-06", 0, 0.0),
    ]


def test_a_removal_on_a_day_without_a_whole_run_is_shown_all_the_same() -> None:
    made = report(history(removals=(removal("a", 30),), looks=()), By.FLEET, Per.DAY)
    assert rows(made)[2][2:] == ["2024-10-05", "0", "-", "1", *["-"] * 5]


def test_hosts_that_no_run_surveyed_are_named_below_other_groups() -> None:
    text = render_leaks(report(history(leak("a", 1, 1, 3)), By.IMAGE), "table")
    assert "No data of 1 of 3 hosts, which no run surveyed in this time: c" in text
    shown = json.loads(render_leaks(report(history(), By.IMAGE), "json"))
    assert {each["host"]: each["last_surveyed_at"] for each in shown["hosts"]}["c"] is None
    assert (shown["schema"], shown["runs"], shown["groups"]) == ("fleetsweep.leaks/1", 72, [])


def test_a_journal_without_leaks_yet_and_a_label_that_is_not_kept_are_pointed_out() -> None:
    old = report(history(recorded=False))
    assert rows(old)[1] == ["a", "72", "-", "0", *["-"] * 5]
    assert "has no leaks yet" in render_leaks(old, "table")
    assert json.loads(render_leaks(old, "json"))["groups"][0]["leaks"] is None
    unknown = render_leaks(report(history(leak("a", 1, 1, 3)), By.LABEL, label="team"), "table")
    assert "No recorded leak has the label team" in unknown
    assert unknown.startswith("team ")


def test_groups_beyond_the_limit_are_counted() -> None:
    made = report(history(leak("a", 1, 1, 3)))
    text = render_leaks(replace(made, groups=made.groups[:1], omitted=2), "table")
    assert "2 more: -n shows more" in text
    assert "which no run surveyed in this time: c" in text


@given(st.lists(past_leaks, max_size=3), st.sampled_from(By), st.sampled_from([None, *Per]), texts)
def test_hostile_text_stays_in_its_row(leaks: list[PastLeak], by: By, per: Per | None, text: str) -> None:
    made = LeakHistory(
        START,
        START + 2 * DAY,
        tuple(leaks),
        looks=(Look(1, START + HOUR, text),),
        hosts=(text, "b"),
        groups={text: (text,)},
    )
    shown = report(made, by, per, text)
    lines = render_leaks(shown, "table").splitlines()
    assert all(line.isprintable() for line in lines)
    assert len([line for line in lines if line]) <= 4 + len(shown.groups) * (2 if per is Per.DAY else 1)
    whole = json.loads(render_leaks(shown, "json"))
    assert len(whole["groups"]) == len(shown.groups)

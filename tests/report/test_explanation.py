"""What ``fleetsweep explain`` prints, and the plan that a sweep shows before it asks."""

from __future__ import annotations

import json
from dataclasses import replace

from fleetsweep.model.decision import Finding, Guard, GuardName, Reason, Verdict
from fleetsweep.model.explanation import Explanation
from fleetsweep.model.host import Host
from fleetsweep.report.explanation import confirmation, render_explanation
from tests.report.build import candidates, container, decision, plan

FINDINGS = (
    Finding("selectors", "name matches", None),
    Finding("protection", "label \x1b[2J", Reason.PROTECTED),
    Finding("max age", "2d old", Reason.STALE),
)
KEPT = Explanation(Host("a", "a"), decision(container("ws-1"), Reason.PROTECTED), FINDINGS, None)
GUARD = Guard(GuardName.CAP, "3 candidates are more than the cap of 2", 2, 3)


def test_the_first_rule_with_a_reason_decides_and_later_reasons_are_in_parentheses() -> None:
    lines = render_explanation(KEPT, "table").splitlines()
    assert lines[0].startswith("ws-1 (")
    assert [line.split("  ")[-1].strip() for line in lines[3:6]] == ["-", "protected", "(stale)"]
    assert lines[-1] == "verdict: keep (protected)"
    assert "\x1b" not in "".join(lines)


def test_ages_are_shown_as_people_say_them_and_kept_in_seconds_in_json() -> None:
    findings = (
        Finding("creation time", "created 180268 s ago", None),
        Finding("hold", "held: wait 7200 s", None),
        Finding("max age", "172801 s against 172800 s", Reason.STALE),
    )
    made = replace(KEPT, findings=findings)
    shown = render_explanation(made, "table")
    assert "created 2 d 2 h ago" in shown
    assert "2 d 1 s against 2 d" in shown
    assert "held: wait 7200 s" in shown, "a person's own words"
    assert json.loads(render_explanation(made, "json"))["rules"][2]["saw"] == "172801 s against 172800 s"


def test_a_guard_is_named_only_where_it_stops_a_removal() -> None:
    removed = replace(KEPT, decision=decision(container("ws-1")), guard=GUARD)
    assert removed.decision.verdict is Verdict.REMOVE
    assert render_explanation(removed, "table").endswith(f"but guarded (cap): {GUARD.message}\n")
    assert "guarded" not in render_explanation(replace(KEPT, guard=GUARD), "table")


def test_json_has_every_rule_with_its_input_and_its_reason() -> None:
    made = json.loads(render_explanation(KEPT, "json"))
    assert made["rules"][1] == {"rule": "protection", "saw": "label \x1b[2J", "said": "protected"}
    assert (made["verdict"], made["reason"], made["guard"]) == ("keep", "protected", None)


def test_the_question_names_the_containers_and_then_counts_each_host() -> None:
    plans = [plan("a", candidates("ws", 2), others=3), plan("b", candidates("x", 1))]
    first, second = confirmation(plans, verbose=False).split("\n\n")
    assert [line.split()[:2] for line in first.splitlines()] == [
        ["HOST", "NAME"],
        ["a", "ws-0"],
        ["a", "ws-1"],
        ["b", "x-0"],
    ]
    assert second == "a: 2 of 5 containers, the oldest 2d old\nb: 1 of 1 containers, the oldest 2d old\n"


def test_the_question_names_ten_containers_of_many_and_folds_hosts_with_equal_counts() -> None:
    plans = [plan(f"runner-{number:02}", candidates(f"ws-{number}", 4), others=8) for number in range(1, 41)]
    first, second = confirmation(plans, verbose=False).split("\n\n")
    assert len(first.splitlines()) == 1 + 10 + 1
    assert first.endswith("... and 150 more (-v names each)")
    assert second == "runner-[01-40]: 4 of 12 containers each, the oldest 2d old\n"
    assert len(confirmation(plans, verbose=True).split("\n\n")[0].splitlines()) == 1 + 160


def test_the_counts_of_many_different_hosts_are_grouped_by_what_would_go() -> None:
    plans = [plan(f"r{number}", candidates(f"ws-{number}", 1 + number % 2), others=number) for number in range(30)]
    assert len(confirmation(plans, verbose=False).split("\n\n")[1].splitlines()) == 2

"""What is said of a run, and that saying it can't hold the run up."""

from __future__ import annotations

import threading
from dataclasses import replace
from pathlib import Path

import pytest

from fleetsweep.model.outcome import Outcome
from fleetsweep.model.survey import Status
from fleetsweep.notify.dispatch import NotifyConfig, within
from fleetsweep.notify.messages import MOST_HOSTS, compose, look_again
from tests.report.build import candidates, fleet, guarded, lost, report, surveyed

SECRET = "s3kr1t-t0ken"  # noqa: S105


def test_a_message_lists_the_worst_hosts_first_and_counts_the_rest() -> None:
    hosts = [surveyed(f"fine-{number}") for number in range(30)]
    made = report(*hosts, lost("down"), guarded("many", candidates("ws", 3)), exit_code=4)
    lines = compose(made, "fleetsweep audit", ()).body.splitlines()
    assert lines[:2] == ["down: unreachable, connect: timeout", "many: guarded, cap: 3, limit 2"]
    assert lines[MOST_HOSTS] == "and 12 more"
    assert lines[MOST_HOSTS + 1].startswith("30 of 32 hosts ok; 3 containers, 3 matched, 3 stale, 0 removed")


def test_no_word_that_a_box_chose_is_in_a_message() -> None:
    made = report(
        surveyed("a", candidates("@everyone", 2), outcome=Outcome.FAILED, error="@everyone"),
        lost("b", message="@everyone", remedy="@everyone"),
        lost("c", Status.FAILED, message="@everyone", bug=True),
    )
    assert "@" not in compose(made, "fleetsweep audit", ()).body


def test_a_message_says_how_to_see_the_run_again_if_it_is_in_a_journal() -> None:
    made = report(lost("a"), exit_code=3)
    assert compose(made, "", ("--state-dir", "/var/my state")).body.endswith(
        f"\nShow: fleetsweep show {made.run_id} --state-dir '/var/my state'"
    )
    assert "Show:" not in compose(made, "", None).body
    assert "Show:" not in compose(replace(made, run_id=""), "", ()).body


@pytest.mark.parametrize("code", [0, 1, 2, 3, 4, 5, 6, 129, 130, 143])
def test_a_title_has_the_command_the_code_and_what_it_means(code: int) -> None:
    title = compose(report(lost("a"), command="audit", dry_run=True, exit_code=code), "", None).title
    head, _, meaning = title.partition(", ")
    assert head == f"fleetsweep audit (dry run): exit {code}"
    assert meaning == f"stopped by signal {code - 128}" if code > 128 else meaning


def test_the_command_to_look_names_the_hosts_with_something_amiss() -> None:
    look, chosen = ("-i", "my inventory.yml", "--max-age", "3h"), ("-l", "ci*")
    again = look_again(fleet(), look, chosen, narrow=True)
    # Five of the seven, the most that are named.
    assert again.startswith("fleetsweep audit -i 'my inventory.yml' --max-age 3h --host runner-4 --host runner-5")
    few = report(surveyed("a"), lost("b"))
    assert look_again(few, look, chosen, narrow=True).endswith(" 3h --host b")
    assert look_again(few, look, chosen, narrow=False).endswith(" 3h -l 'ci*'")
    for many in (report(*(lost(f"h{number}") for number in range(9))), report(surveyed("a")), report()):
        assert look_again(many, look, chosen, narrow=True).endswith(" 3h -l 'ci*'")


def test_whoever_is_stuck_or_trips_is_left_behind_with_a_reason_that_quotes_nothing() -> None:
    never = threading.Event()

    def stuck() -> str:
        never.wait()
        return ""

    def trip() -> str:
        raise RuntimeError(SECRET)

    try:
        assert within(0.2, [stuck, lambda: "", trip, lambda: "no"]) == [
            "it took longer than 0.2 s",
            "",
            "RuntimeError",
            "no",
        ]
    finally:
        never.set()


def test_a_telling_shows_no_address() -> None:
    shown = repr(NotifyConfig("audit", (f"json://{SECRET}",), True, Path("a.prom"), f"http://{SECRET}"))
    assert SECRET not in shown
    assert "a.prom" in shown

"""The message about a run, and the commands in it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from fleetsweep.errors import UsageError
from fleetsweep.model.decision import Guard, GuardName
from fleetsweep.model.outcome import Outcome, Removal
from fleetsweep.model.report import FleetWarning, HostReport, WarningKind
from fleetsweep.model.survey import Status
from fleetsweep.notify.dispatch import RerunCommand
from fleetsweep.notify.messages import HOST_LIMIT, check, compose, look_again, readable, scheme
from tests.report.build import candidates, container, decision, fleet, guarded, lost, report, surveyed

SECRET = "s3kr1t-t0ken"  # noqa: S105
RERUN = RerunCommand()
UNRECORDED = RerunCommand(show=None)


def test_a_message_lists_the_worst_hosts_first_and_counts_the_rest() -> None:
    hosts = [surveyed(f"fine-{number}") for number in range(30)]
    made = report(*hosts, lost("down"), guarded("many", candidates("ws", 3)), exit_code=4)
    lines = compose(made, RERUN).body.splitlines()
    assert lines[:2] == [
        "down: unreachable, connect: timeout", "many: guarded, cap: 3, limit 2, 3 stale (ws-0, ws-1, ws-2)"
    ]  # fmt: skip
    assert lines[2] == "fine-[0-29]: ok"
    assert lines[3].startswith("30 of 32 hosts ok; 3 containers, 3 matched, 3 stale, 0 removed")
    different = [guarded(f"h{limit}", (), Guard(GuardName.CAP, "", limit, 99)) for limit in range(HOST_LIMIT + 5)]
    assert compose(report(*different), RERUN).body.splitlines()[HOST_LIMIT] == "and 5 more"


def test_a_host_has_the_count_and_the_first_names_of_what_is_still_stale() -> None:
    host = surveyed("a", candidates("ws", 13))
    assert host.plan is not None
    first, *others = (Removal(each.container.id, Outcome.REMOVED, None) for each in host.plan.candidates)
    assert _line_of(host) == "a: ok, 13 stale (ws-0, ws-1, ws-2 and 10 more)"
    assert _line_of(replace(host, removals=(first,))) == "a: ok, 12 stale (ws-1, ws-2, ws-3 and 9 more)"
    assert _line_of(replace(host, removals=tuple(others))) == "a: ok, 1 stale (ws-0)"
    assert _line_of(replace(host, removals=(first, *others))) == "a: ok"


def _line_of(host: HostReport) -> str:
    return compose(report(host), RERUN).body.splitlines()[0]


def test_a_name_is_no_link_no_mention_and_no_markup() -> None:
    names = ("<!channel>", "[x](//y)", "evil.example.com", "ws-1.2_b", "\x1b", "n" * 999)
    text = _line_of(surveyed("a", tuple(decision(container(name)) for name in names[:3])))
    shown = r"\x3c\x21channel\x3e, \x5bx\x5d\x28\x2f\x2fy\x29, evil\x2eexample\x2ecom"
    assert text == f"a: ok, 3 stale ({shown})"
    text = _line_of(surveyed("a", tuple(decision(container(name)) for name in names[3:])))
    assert text.startswith(r"a: ok, 3 stale (ws-1.2_b, \x1b, nnn")


def test_the_names_of_many_hosts_are_bounded() -> None:
    hosts = [surveyed(f"h{number}", candidates(f"ws-{number}-" + "n" * 60, 9)) for number in range(20)]
    body = compose(report(*hosts), RERUN).body
    assert "-19]: ok, 9 stale\n" in body
    assert len(body) < 2_000


def test_warnings_are_in_a_message() -> None:
    warnings = tuple(FleetWarning(WarningKind.NOT_REMOVED, "a", f"m{number}", 3, "r") for number in range(9))
    lines = compose(replace(report(surveyed("a")), warnings=warnings), RERUN).body.splitlines()
    assert lines[1:7] == [*(f"a: warning: m{number} -> r" for number in range(5)), lines[6]]
    assert lines[6].startswith("fleet: warning: ... and 4 more")
    assert compose(replace(report(surveyed("a")), warnings=warnings), RERUN).title.endswith("; 9 warnings")


def test_a_message_has_no_markup_of_a_box() -> None:
    made = report(
        surveyed("a", candidates("@everyone", 2), outcome=Outcome.FAILED, error="@everyone"),
        lost("b", message="@everyone", remedy="@everyone"),
        lost("c", Status.FAILED, message="@everyone", bug=True),
    )
    assert "@" not in compose(made, RERUN).body


def test_a_message_has_the_command_that_shows_the_run_if_it_is_in_a_journal() -> None:
    made = report(lost("a"), exit_code=3)
    assert compose(made, RerunCommand(show=("--state-dir", "/var/my state"))).body.endswith(
        f"\nShow the run: fleetsweep show {made.run_id} --state-dir '/var/my state'"
    )
    assert "Show the run:" not in compose(made, UNRECORDED).body
    assert "Show the run:" not in compose(replace(made, run_id=""), RERUN).body


def test_a_run_that_failed_before_it_had_hosts_gives_its_error() -> None:
    body = compose(replace(report(exit_code=2), run_id=""), RERUN, "no such inventory").body
    assert body.startswith("no such inventory\n\nLook again: fleetsweep audit\nOn ")


@pytest.mark.parametrize("code", [0, 1, 2, 3, 4, 5, 6, 129, 130, 143])
def test_a_title_has_the_command_the_code_and_its_meaning(code: int) -> None:
    title = compose(report(lost("a"), command="audit", dry_run=True, exit_code=code), UNRECORDED).title
    head, _, meaning = title.partition(", ")
    assert head == f"fleetsweep audit (dry run): exit {code}"
    assert meaning == f"stopped by signal {code - 128}" if code > 128 else meaning


def test_the_command_to_look_again_names_the_hosts_that_are_not_ok() -> None:
    rerun = RerunCommand(("-i", "my inventory.yml", "--max-age", "3h"), ("-l", "ci*"), narrow=True)
    again = look_again(fleet(), rerun)
    assert again == "fleetsweep audit -i 'my inventory.yml' --max-age 3h " + " ".join(
        f"--host runner-{number}" for number in (4, 5, 6, 7)
    )
    few = report(surveyed("a"), lost("b"))
    assert look_again(few, rerun).endswith(" 3h --host b")
    assert look_again(few, replace(rerun, narrow=False)).endswith(" 3h -l 'ci*'")
    for many in (report(*(lost(f"h{number}") for number in range(9))), report(surveyed("a")), report()):
        assert look_again(many, rerun).endswith(" 3h -l 'ci*'")


@pytest.mark.parametrize(
    ("url", "shown"),
    [(f"JSON://{SECRET}@host/x", "json://…"), (f" tgram://{SECRET}", "tgram://…"), (SECRET, "without a scheme")],
)
def test_only_the_scheme_of_a_url_is_printed(url: str, shown: str) -> None:
    assert scheme(url) == shown


@pytest.mark.filterwarnings("ignore:'imghdr' is deprecated:DeprecationWarning")  # an import of Apprise's
def test_a_url_that_apprise_cannot_parse_is_refused_by_its_number() -> None:
    good, bad = "json://127.0.0.1:1/x", f"nonsense://{SECRET}"
    check([good])
    assert readable([good, bad]) == (good,)
    with pytest.raises(UsageError, match=r"can't parse URL 2 of 2 \(nonsense://…\)$"):
        check([good, bad])
    with pytest.raises(UsageError, match="--notify is empty"):
        check([" "])

"""What ``fleetsweep doctor`` prints: how far each host was reached, and what to do."""

from __future__ import annotations

import json
from dataclasses import replace

from fleetsweep.errors import FaultKind, Phase
from fleetsweep.model.checkup import Checkup
from fleetsweep.model.decision import Guard, GuardName
from fleetsweep.model.host import Connection, Host
from fleetsweep.model.survey import Engine, Fault, Status
from fleetsweep.report.checkup import render_checkups

ENGINE = Engine("docker", "Docker/20.10.24 (linux)", "1.41", "streamlocal", "ABCD:EF")
SEEN = {
    Phase.RESOLVE: {"address": "192.0.2.1"},
    Phase.CONNECT: {"time": "3 ms"},
    Phase.AUTH: {"key": "SHA256:0123456789abcdef", "user": "ci"},
}
REACHED = Checkup(Host("a", "192.0.2.1"), Status.OK, SEEN, ENGINE, 7, 0.25, 0.0123)
FAULT = Fault(Status.UNREACHABLE, Phase.CONNECT, FaultKind.TIMEOUT, "no TCP connection\x1b[2J", "check the firewall")
LOST = Checkup(
    Host("b", "192.0.2.2"), Status.UNREACHABLE, {Phase.RESOLVE: {"address": "192.0.2.2"}}, fault=FAULT, command="ssh b"
)


def row(item: Checkup, *, verbose: bool = False) -> dict[str, str]:
    """One host's cells by their column."""
    head, line = render_checkups([item], 0, "table", verbose=verbose).splitlines()[:2]
    starts = [head.index(name) for name in head.split()] + [None]
    return {name: line[starts[i] : starts[i + 1]].strip() for i, name in enumerate(head.split())}


def test_a_reached_host_has_a_cell_for_each_phase_and_its_clock() -> None:
    cells = row(REACHED)
    assert cells["RESOLVE"] == "192.0.2.1"
    assert cells["AUTH"] == "SHA256:01234567… ci"
    assert cells["ENGINE"] == "docker 20.10.24 API 1.41"
    assert cells["CLOCK"] == "+0.2s, 12.3 ms"
    assert row(REACHED, verbose=True)["AUTH"] == "SHA256:0123456789abcdef ci"
    assert row(REACHED, verbose=True)["ENGINE"].endswith("ABCD:EF")


def test_the_columns_after_the_failed_phase_are_empty_and_the_remedy_is_below() -> None:
    cells = row(LOST)
    assert (cells["RESOLVE"], cells["CONNECT"]) == ("192.0.2.2", "failed: timeout")
    assert {cells[name] for name in list(cells)[3:]} == {"-"}
    assert render_checkups([REACHED, LOST], 3, "table").split("\n\n")[1] == (
        "b: unreachable (connect): no TCP connection\\x1b[2J\n  check the firewall\n  $ ssh b\n"
    )


def test_a_host_that_names_no_phase_failed_in_the_first_that_it_did_not_pass() -> None:
    given_up = Checkup(
        LOST.host, Status.UNREACHABLE, LOST.seen, fault=Fault(Status.UNREACHABLE, None, FaultKind.TIMEOUT, "gave up")
    )
    assert row(given_up)["CONNECT"] == "failed: timeout"


def test_a_guard_marks_the_column_that_it_is_about() -> None:
    guard = Guard(GuardName.SKEW, "the clock is off", 300, 900)
    text = render_checkups(
        [Checkup(REACHED.host, Status.GUARDED, SEEN, ENGINE, 7, 900.0, 0.0123, guard=guard)], 4, "table"
    )
    assert "+15m, 12.3 ms (guarded)" in text
    assert text.endswith("a: guarded (skew): the clock is off\n")


def test_a_local_engine_passes_the_phases_of_a_connection() -> None:
    cells = row(Checkup(Host("a", "a", connection=Connection.LOCAL), Status.OK, {}, ENGINE))
    assert (cells["RESOLVE"], cells["CONNECT"], cells["AUTH"]) == ("local", "local", "-")


def test_json_has_the_phases_that_were_passed_and_the_error() -> None:
    made = json.loads(render_checkups([REACHED, LOST], 3, "json"))
    assert (made["schema"], made["exit_code"]) == ("fleetsweep.doctor/1", 3)
    first, second = made["hosts"]
    assert list(first["phases"]) == ["resolve", "connect", "auth"]
    assert (first["containers"], first["clock_skew_s"], first["round_trip_s"]) == (7, 0.2, 0.0123)
    assert (second["error"]["phase"], second["command"], second["engine"]) == ("connect", "ssh b", None)


def fleet(count: int) -> list[Checkup]:
    """Hosts whose keys are unknown: their messages and commands differ in the port."""
    return [
        Checkup(
            Host(f"runner-{port}", "192.0.2.1", port=port),
            Status.UNREACHABLE,
            {Phase.RESOLVE: {"address": "192.0.2.1"}},
            fault=Fault(
                Status.UNREACHABLE, Phase.HOST_KEY, FaultKind.UNKNOWN, f"[192.0.2.1]:{port} is unknown", "compare it"
            ),
            command=f"ssh-keyscan -p {port} 192.0.2.1 | tee -a known_hosts",
        )
        for port in range(2201, 2201 + count)
    ]


def test_faults_that_differ_only_in_the_port_are_one_block_with_the_first_hosts_command() -> None:
    blocks = render_checkups([REACHED, *fleet(40)], 3, "table").split("\n\n")
    assert blocks[1:] == [
        "runner-[2201-2240] (shown: runner-2201): unreachable (host-key): [192.0.2.1]:2201 is unknown\n"
        "  compare it\n"
        "  $ ssh-keyscan -p 2201 192.0.2.1 | tee -a known_hosts\n"
    ]


def test_verbose_shows_each_hosts_own_keys_and_command() -> None:
    assert len(render_checkups(fleet(3), 3, "table", verbose=True).split("\n\n")) == 1 + 3


def test_on_a_terminal_a_host_has_two_lines() -> None:
    assert render_checkups([REACHED, LOST], 3, "table", width=80).split("\n\n")[0].splitlines() == [
        "HOST  STATUS       RESULT",
        "a     ok           docker 20.10.24, clock +0.2s",
        "    192.0.2.1, as SHA256:01234567… ci, 3 ms, API 1.41",
        "b     unreachable  failed at connect: timeout",
        "    192.0.2.2",
    ]


def test_many_hosts_with_one_result_share_a_line() -> None:
    lines = render_checkups([REACHED, *fleet(60)], 3, "table", width=80).split("\n\n")[0].splitlines()
    assert lines[1].startswith("a ")
    assert lines[-1] == "runner-[2201-2260]  unreachable  60 hosts, failed at host-key: unknown"
    assert len(render_checkups(fleet(60), 3, "table", verbose=True).split("\n\n")[0].splitlines()) == 61


def test_on_a_terminal_more_than_ten_hosts_share_lines_and_their_largest_offset_is_shown() -> None:
    hosts = [replace(REACHED, host=Host(f"r{number:02}", "192.0.2.1"), skew_s=-number / 10) for number in range(12)]
    assert render_checkups(hosts, 0, "table", width=80) == (
        "HOST      STATUS  RESULT\nr[00-11]  ok      12 hosts, docker 20.10.24, clocks within 1.1s\n"
    )
    assert len(render_checkups(hosts, 0, "table", width=80, verbose=True).splitlines()) == 1 + 2 * 12
    assert len(render_checkups(hosts, 0, "table").splitlines()) == 1 + 12


def test_a_command_that_is_wider_than_the_terminal_is_continued_with_backslashes() -> None:
    assert render_checkups(fleet(1), 3, "table", width=40).endswith(
        "  $ ssh-keyscan -p 2201 192.0.2.1 | \\\n    tee -a known_hosts\n"
    )

"""The doctor takes the same route as a survey, reports each phase, and names the command to run where it failed."""

from __future__ import annotations

import json
import re
import socket
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest

from tests.conftest import Run
from tests.lab.scripted_engine import Response, ScriptedEngine
from tests.lab.sshd_fleet import SshdFleet, open_sshd_fleet
from tests.lab.unresponsive import silent_port
from tests.lab.workdir import leaks

pytestmark = pytest.mark.lab

COLUMNS = ["HOST", "RESOLVE", "CONNECT", "HOST-KEY", "AUTH", "TUNNEL", "ENGINE", "CLOCK"]


@pytest.fixture
def fleet() -> Iterator[SshdFleet]:
    with open_sshd_fleet() as found:
        yield found


def examine(run: Run, fleet: SshdFleet, *words: str) -> tuple[int, dict[str, Any]]:
    done = run("doctor", *fleet.options(), "-T", "2s", "--host-timeout", "4s", "--format", "json", *words)
    assert done.stdout, done.stderr
    found = json.loads(done.stdout)
    assert (found["schema"], found["exit_code"]) == ("fleetsweep.doctor/1", done.returncode)
    return done.returncode, {row["host"]: row for row in found["hosts"]}


def table(run: Run, fleet: SshdFleet, *words: str) -> tuple[int, dict[str, dict[str, str]], str]:
    """The exit code, each host's cells by column, and what stands below the table."""
    done = run("doctor", *fleet.options(), "-T", "2s", "--host-timeout", "4s", *words)
    grid, _, below = done.stdout.partition("\n\n")
    head, *lines = grid.splitlines()
    assert head.split() == COLUMNS
    starts = [head.index(column) for column in COLUMNS]
    cells = {
        line.split()[0]: {
            column: line[at:end].strip() for column, at, end in zip(COLUMNS, starts, [*starts[1:], None], strict=True)
        }
        for line in lines
    }
    return done.returncode, cells, below


def test_a_box_that_is_well_shows_what_was_seen_at_each_phase(run: Run, fleet: SshdFleet) -> None:
    engine = ScriptedEngine(leaks(3))
    box = fleet.sshd()
    fleet.host("well", box, fleet.engine(engine))
    code, cells, below = table(run, fleet)
    assert (code, below) == (0, "")
    shown = cells["well"]
    assert shown["RESOLVE"] == "127.0.0.1"
    assert shown["CONNECT"].startswith("OpenSSH_")
    assert re.fullmatch(r"ssh-ed25519 SHA256:[A-Za-z0-9+/]{43}", shown["HOST-KEY"])
    assert shown["AUTH"].startswith("root ssh-ed25519 SHA256:")
    assert shown["TUNNEL"] == "streamlocal"
    assert shown["ENGINE"] == "docker 20.10.24 API 1.41"
    assert re.fullmatch(r"[+-]?\d+\.\ds, \d+\.\d ms", shown["CLOCK"])
    assert {method for method, _ in engine.requests} == {"GET"}
    assert not fleet.directory.joinpath("state").exists()


def test_what_get_cannot_find_out_is_said_once(run: Run, fleet: SshdFleet) -> None:
    box = fleet.sshd()
    fleet.host("well", box, fleet.engine())
    fleet.host("well-too", box, fleet.engine())
    assert run("doctor", *fleet.options()).stderr.count("whether DELETE is allowed") == 1
    assert "DELETE" not in run("doctor", *fleet.options(), "--quiet").stderr


def test_json_has_all_of_it_and_the_engines_id(run: Run, fleet: SshdFleet) -> None:
    engine = ScriptedEngine(leaks(3))
    engine.on("GET /info", lambda _: Response(body={"ID": "ENGINE:ID"}))
    fleet.host("well", fleet.sshd(), fleet.engine(engine))
    code, rows = examine(run, fleet)
    row = rows["well"]
    assert (code, row["status"], row["error"], row["guard"], row["command"]) == (0, "ok", None, None, None)
    assert list(row["phases"]) == ["resolve", "connect", "host-key", "auth", "tunnel"]
    assert row["phases"]["auth"]["user"] == "root"
    assert row["engine"]["id"] == "ENGINE:ID"
    assert row["containers"] == 3
    assert abs(row["clock_skew_s"]) < 60
    assert row["round_trip_s"] >= 0


def test_each_phase_that_fails_ends_its_row_and_has_a_command(run: Run, fleet: SshdFleet) -> None:
    box, strict, locked = (
        fleet.sshd(),
        fleet.sshd("AllowStreamLocalForwarding no", "ForceCommand /bin/false"),
        fleet.sshd("DenyUsers root"),
    )
    url = fleet.engine()
    silent_engine = ScriptedEngine([])
    silent_engine.on(".", lambda _: Response(500, {"message": "no"}))
    fleet.host("no-name", None, url, address="box.invalid")
    with socket.socket() as unused, silent_port() as silent:
        unused.bind(("127.0.0.1", 0))
        fleet.host("no-port", None, url, port=unused.getsockname()[1])
        fleet.host("no-speech", None, url, port=silent)
        fleet.host("new-key", None, url, port=box.port, address="localhost")
        fleet.host("denied", locked, url)
        fleet.host("no-socket", box, "unix:///nonexistent.sock")
        fleet.host("forbidden", strict, url)
        fleet.host("ill", box, fleet.engine(silent_engine))
        fleet.host("well", box, url)
        code, cells, below = table(run, fleet)
    failed = {
        name: next((column for column in COLUMNS if row[column].startswith("failed: ")), None)
        for name, row in cells.items()
    }
    assert failed == {
        "no-name": "RESOLVE",
        "no-port": "CONNECT",
        "no-speech": "CONNECT",
        "new-key": "HOST-KEY",
        "denied": "AUTH",
        "no-socket": "TUNNEL",
        "forbidden": "TUNNEL",
        "ill": "ENGINE",
        "well": None,
    }
    assert code == 3
    for name, column in failed.items():
        if column is not None:
            at = COLUMNS.index(column)
            assert [cells[name][later] for later in COLUMNS[at + 1 :]] == ["-"] * (len(COLUMNS) - at - 1)
            assert "-" not in [cells[name][earlier] for earlier in COLUMNS[:at]]
    blocks = dict(block.split(": ", 1) for block in below.strip().split("\n\n"))
    commands = {name: block.rpartition("\n  $ ")[2] for name, block in blocks.items()}
    assert commands["no-name"] == "getent ahosts box.invalid"
    assert commands["no-port"].startswith("timeout 5 bash -c ")
    assert commands["no-speech"].startswith("ssh ")
    assert commands["new-key"].startswith(f"ssh-keyscan -p {box.port} localhost | tee -a ")
    # Where this account has no ~/.ssh, it is made first.
    assert re.match(rf"(mkdir -p -m 700 \S+ && )?ssh-copy-id -i {fleet.key} -F ", commands["denied"])
    assert "ls -l /nonexistent.sock; id" in commands["no-socket"]
    assert "sshd -T" in commands["forbidden"]
    assert "docker -H " in commands["ill"]
    assert "well" not in commands


def test_guards_of_clock_and_identity_show_with_their_exit_code(run: Run, fleet: SshdFleet) -> None:
    box = fleet.sshd()
    shared = fleet.engine(ScriptedEngine(leaks(1)))
    fleet.host("first", box, shared)
    fleet.host("twin", box, shared)
    fleet.host("late", box, fleet.engine(ScriptedEngine([], offset=timedelta(days=-1))))
    code, cells, below = table(run, fleet)
    assert code == 4
    assert cells["twin"]["ENGINE"].endswith("(guarded)")
    assert cells["late"]["CLOCK"].endswith("(guarded)")
    assert "this is the same engine as first" in below
    assert "timedatectl" in below
    assert examine(run, fleet, "--max-skew", "2d", "-l", "late")[0] == 0


def test_more_candidates_than_the_cap_are_no_business_of_the_doctors(run: Run, fleet: SshdFleet) -> None:
    fleet.host("full", fleet.sshd(), fleet.engine(ScriptedEngine(leaks(150))))
    assert examine(run, fleet)[0] == 0


def test_what_a_box_says_cannot_write_to_the_terminal(run: Run, fleet: SshdFleet) -> None:
    engine = ScriptedEngine([])
    engine.on("containers/json", lambda _: Response(500, {"message": "\x1b]52;c;x\x07"}))
    box = fleet.sshd()
    fleet.host("evil", box, fleet.engine(engine))
    done = run("doctor", *fleet.options())
    assert "\x1b" not in done.stdout
    assert "\x07" not in done.stdout
    assert "\\x1b" in done.stdout


def test_an_unexpected_number_of_hosts_is_guarded_and_contacts_no_host(run: Run, fleet: SshdFleet) -> None:
    box = fleet.sshd()
    link = fleet.link(box)
    fleet.host("one", box, fleet.engine(), port=link.port)
    code, rows = examine(run, fleet, "--expect", "2")
    assert (code, rows["one"]["status"]) == (4, "guarded")
    assert link.accepted == 0


def test_this_machines_own_engine_needs_no_ssh(run: Run, fleet: SshdFleet) -> None:
    done = run("doctor", "--local", "--engine", fleet.engine())
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[1].split()[1:5] == ["local", "local", "-", "-"]
    absent = run("doctor", "--local", "--engine", "unix:///nonexistent.sock")
    assert absent.returncode == 3
    assert "\n  $ ls -l /nonexistent.sock; id\n" in absent.stdout

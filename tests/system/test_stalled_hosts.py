"""Hosts that stall in any phase of connecting: a row with the phase and the remedy, and no delay for others."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from fleetsweep.errors import HostError, Phase
from fleetsweep.runtime.deadline import Deadline, Watchdog
from fleetsweep.ssh import SshOptions
from fleetsweep.ssh.dial import dial
from fleetsweep.ssh.login import log_in, open_keys
from fleetsweep.ssh.route import find_route
from tests.lab.box import Box
from tests.lab.process import wait_for
from tests.lab.scripted_engine import Response, ScriptedContainer, ScriptedEngine
from tests.lab.ssh_boxes import SshBoxes, own_threads
from tests.lab.sshd_fleet import SshdFleet, open_sshd_fleet, sessions, stopped
from tests.lab.tcp_link import Link, Shape, cut_after, drip, hold_after, whole
from tests.lab.unresponsive import behind_firewall, full_port, silent_dns, silent_port

pytestmark = pytest.mark.lab

Row = dict[str, Any]
MID_KEX = 900
"""Bytes after the version line: some of the server's key exchange, and not all."""


@pytest.fixture
def fleet() -> Iterator[SshdFleet]:
    with open_sshd_fleet() as found:
        yield found


def audit(fleet: SshdFleet, *words: str, prefix: tuple[str, ...] = ()) -> tuple[int, dict[str, Row]]:
    """An audit with short deadlines, of the hosts on the ground."""
    deadlines = ["-T", "3s", "--host-timeout", "6s"]
    command = [*prefix, sys.executable, "-m", "fleetsweep", "audit", *fleet.options(), *deadlines, *words]
    done = subprocess.run(
        [*command, "--format", "json"],
        check=False,
        capture_output=True,
        text=True,
        timeout=60,
        stdin=subprocess.DEVNULL,
    )
    assert done.stdout, done.stderr
    assert "Traceback" not in done.stderr
    return done.returncode, {row["host"]: row for row in json.loads(done.stdout)["hosts"]}


def told(row: Row) -> tuple[str, str, str]:
    """A row's status, phase and kind; the remedy is there in any case."""
    assert row["error"]["remedy"]
    return row["status"], row["error"]["phase"], row["error"]["kind"]


def with_good_host(fleet: SshdFleet) -> None:
    """A host that is well, listed after the bad one."""
    fleet.host("well", fleet.sshd(), fleet.engine())


def version_length(box: Box) -> int:
    """Bytes in the line with which a box's sshd begins."""
    with socket.create_connection(("127.0.0.1", box.port)) as probe:
        return len(probe.makefile("rb").readline())


def test_a_port_that_a_firewall_drops(fleet: SshdFleet) -> None:
    fleet.host("bad", None, fleet.engine(), port=2299)
    code, rows = audit(fleet, prefix=tuple(behind_firewall(2299)))
    assert (code, told(rows["bad"])) == (3, ("unreachable", "connect", "timeout"))
    assert "firewall" in rows["bad"]["error"]["remedy"]


def test_a_port_that_does_not_answer_delays_no_other_host(fleet: SshdFleet) -> None:
    with full_port() as port:
        fleet.host("bad", None, fleet.engine(), port=port)
        with_good_host(fleet)
        code, rows = audit(fleet)
    assert (code, told(rows["bad"])) == (3, ("unreachable", "connect", "timeout"))
    assert rows["well"]["status"] == "ok"


def test_a_listener_that_never_speaks(fleet: SshdFleet) -> None:
    with silent_port() as port:
        fleet.host("bad", None, fleet.engine(), port=port)
        with_good_host(fleet)
        code, rows = audit(fleet)
    assert (code, told(rows["bad"])) == (3, ("unreachable", "connect", "timeout"))
    assert "version line" in rows["bad"]["error"]["message"]
    assert rows["well"]["status"] == "ok"


def endless(text: bytes) -> Shape:
    """In place of what the server says: that text, over and over."""

    def shape(link: Link, data: bytes, before: int) -> Iterator[bytes]:
        while not link.ended.is_set():
            yield text

    return shape


def once(text: bytes) -> Shape:
    """In place of what the server says: that text, then silence."""

    def shape(link: Link, data: bytes, before: int) -> Iterator[bytes]:
        yield text
        link.ended.wait()

    return shape


@pytest.mark.parametrize(
    ("down", "kind", "message"),
    [
        (lambda _: drip(0.4), "timeout", "version line"),
        (lambda _: once(b"SSH-2.0-OpenSSH_9.2p1"), "timeout", "version line"),
        (lambda _: once(b"welcome\r\nto this box\r\n"), "timeout", "version line"),
        (lambda _: endless(b"x" * 65536), "not-ssh", "without a version line"),
        (lambda _: endless(b"HTTP/1.1 400 Bad Request\r\n"), "not-ssh", "HTTP/1.1 400 Bad Request"),
        (lambda _: once(b"SSH-1.5-old\r\n"), "incompatible", "1.5"),
        (hold_after, "timeout", "key exchange"),
        (lambda version: hold_after(version + MID_KEX), "timeout", "key exchange"),
    ],
    ids=[
        "one byte at a time",
        "no line end",
        "greeting only",
        "endless line",
        "another service",
        "SSH 1",
        "version then silence",
        "mid key exchange",
    ],
)
def test_a_server_that_stalls_or_rambles_before_the_log_in(
    fleet: SshdFleet, down: Callable[[int], Shape], kind: str, message: str
) -> None:
    box = fleet.sshd()
    shape = down(version_length(box))
    fleet.host("bad", box, fleet.engine(), port=fleet.link(box, down=shape).port)
    with_good_host(fleet)
    code, rows = audit(fleet)
    assert (code, told(rows["bad"])) == (3, ("unreachable", "connect", kind))
    assert message in rows["bad"]["error"]["message"]
    assert rows["well"]["status"] == "ok"
    assert "Accepted" not in box.sshd_log


def test_a_reset_in_mid_key_exchange_is_retried_and_reported(fleet: SshdFleet) -> None:
    box = fleet.sshd()
    link = fleet.link(box, down=cut_after(version_length(box) + MID_KEX))
    fleet.host("bad", box, fleet.engine(), port=link.port)
    with_good_host(fleet)
    code, rows = audit(fleet)
    assert (code, told(rows["bad"])) == (3, ("unreachable", "connect", "hung-up"))
    assert link.accepted == 3
    assert rows["well"]["status"] == "ok"


def test_a_reset_that_does_not_come_twice_costs_nothing(fleet: SshdFleet) -> None:
    box = fleet.sshd()
    link = fleet.link(box)
    first = cut_after(version_length(box) + MID_KEX)

    def once_only(link: Link, data: bytes, before: int) -> Iterator[bytes]:
        yield from (first if link.accepted == 1 else whole)(link, data, before)

    link.down = once_only
    fleet.host("shaky", box, fleet.engine(), port=link.port)
    code, rows = audit(fleet)
    assert (code, rows["shaky"]["status"], link.accepted) == (0, "ok", 2)


def test_an_sshd_that_is_stopped_before_anyone_comes(fleet: SshdFleet) -> None:
    box = fleet.sshd()
    fleet.host("bad", box, fleet.engine())
    with_good_host(fleet)
    with stopped([int((box.directory / "sshd.pid").read_text())]):
        code, rows = audit(fleet)
    assert (code, told(rows["bad"])) == (3, ("unreachable", "connect", "timeout"))
    assert rows["well"]["status"] == "ok"


def test_an_sshd_that_is_stopped_after_the_log_in(fleet: SshdFleet) -> None:
    box = fleet.sshd()
    fleet.host("bad", box, fleet.engine(), port=fleet.link(box, up=stop_after_log_in(box)).port)
    with_good_host(fleet)
    code, rows = audit(fleet)
    assert (code, told(rows["bad"])) == (3, ("unreachable", "tunnel", "timeout"))
    assert rows["well"]["status"] == "ok"


def stop_after_log_in(box: Box) -> Shape:
    """Once the server has let somebody in, its sessions are stopped before the next byte gets there."""

    def shape(link: Link, data: bytes, before: int) -> Iterator[bytes]:
        if "Accepted publickey" in box.sshd_log:
            with stopped(sessions(box)):
                yield data
                link.ended.wait()
        yield data

    return shape


def test_a_log_in_that_takes_a_minute(fleet: SshdFleet) -> None:
    box = fleet.sshd(*SLEEPY)
    fleet.host("bad", box, fleet.engine())
    with_good_host(fleet)
    code, rows = audit(fleet)
    assert (code, told(rows["bad"])) == (3, ("unreachable", "auth", "timeout"))
    assert "root" in rows["bad"]["error"]["message"]
    assert rows["well"]["status"] == "ok"


FIRST_ANSWER = "/containers/json"
INSPECT = "/containers/b{64}/json"

SLEEPY = ("AuthorizedKeysFile none", "AuthorizedKeysCommand /bin/sleep 60", "AuthorizedKeysCommandUser root")


def test_a_name_server_that_never_answers(fleet: SshdFleet) -> None:
    fleet.host("bad", None, fleet.engine(), address="box.example.test")
    with_good_host(fleet)
    with silent_dns(fleet.directory) as prefix:
        code, rows = audit(fleet, prefix=tuple(prefix))
    assert (code, told(rows["bad"])) == (3, ("unreachable", "resolve", "timeout"))
    assert rows["well"]["status"] == "ok"


class AtTheLastMoment(Deadline):
    """Its alarm goes off when what it watched over has just ended: too late to be called off."""

    over = False

    @contextmanager
    def closing(self, close: Callable[[], None]) -> Iterator[None]:
        yield
        self.over = True
        close()

    @property
    def expired(self) -> bool:
        return self.over


def test_a_log_in_that_ends_as_its_time_is_up_is_too_late_and_no_connection_that_got_lost() -> None:
    with SshBoxes(1) as boxes, Watchdog() as watchdog:
        route = find_route(boxes.host(0), SshOptions(known_hosts=(str(boxes.known_hosts),)))
        deadline = AtTheLastMoment(10, watchdog)
        dialled = dial("127.0.0.1", boxes.boxes[0].port, deadline, 10)
        late_log_in = pytest.raises(HostError, match="the log-in as root did not end within 10 s")
        with open_keys(route.target) as keys, late_log_in as late:
            log_in(route.target, keys, dialled, deadline, 10)
        assert (late.value.phase, late.value.kind) == (Phase.AUTH, "timeout")
        wait_for(lambda: own_threads() == set(), "the connection's thread ending", 10)


def test_an_engine_that_never_answers_and_one_that_hangs_over_a_container(fleet: SshdFleet) -> None:
    box = fleet.sshd()
    fleet.host("bad", box, hanging_engine(fleet, FIRST_ANSWER))
    fleet.host("odd", box, hanging_engine(fleet, INSPECT))
    fleet.host("well", box, fleet.engine())
    code, rows = audit(fleet, "--host-timeout", "15s")
    assert code == 3
    assert told(rows["bad"]) == ("failed", "engine", "timeout")
    assert rows["well"]["status"] == "ok"
    # That container alone can't be looked at.
    assert rows["odd"]["status"] == "ok"
    assert [each["reason"] for each in rows["odd"]["decisions"]] == ["unreadable"]


def hanging_engine(fleet: SshdFleet, path: str) -> str:
    engine = ScriptedEngine([ScriptedContainer("b" * 64)])
    engine.on(
        path, lambda _: Response(raw=b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n[") if fleet.ended.wait() else None
    )
    return fleet.engine(engine)


def test_a_burst_on_an_sshd_that_takes_one_newcomer_at_a_time_ends_with_everyone_answered(fleet: SshdFleet) -> None:
    box = fleet.sshd("MaxStartups 1")
    link = fleet.link(box)
    for number in range(30):
        fleet.host(f"name-{number}", box, fleet.engine(), port=link.port)
    code, rows = audit(fleet, "-T", "30s", "--host-timeout", "40s")
    assert {name: row["status"] for name, row in rows.items() if row["status"] != "ok"} == {}
    assert code == 0
    # Some were turned away, and came back at leisure.
    assert 30 < link.accepted < 30 * 12


def test_two_hundred_hosts_of_which_twenty_hang_everywhere_leave_nothing_behind(fleet: SshdFleet) -> None:
    rows, report = survey_with_hangs(fleet, good=180, each=2)
    assert len(rows) == 200
    # The C library gives a name up in its own time, and nothing can end it sooner: its thread goes then.
    assert {what.split()[0:2][-1] for what in report["at_once"] if what.startswith("thread")} <= {"fleetsweep-resolve"}
    assert report["left"] == []
    # One container that can't be looked at costs its host nothing.
    assert {row["status"] for name, row in rows.items() if name.startswith(("well", "inspect"))} == {"ok"}
    expected = {
        "dns": "resolve",
        "dropped": "connect",
        "silent": "connect",
        "drip": "connect",
        "unended": "connect",
        "kex": "connect",
        "stopped": "tunnel",
        "sleepy": "auth",
        "engine": "engine",
    }
    assert {name.rpartition("-")[0]: row["phase"] for name, row in rows.items() if row["phase"]} == expected
    assert {name: row for name, row in rows.items() if row["phase"] and row["kind"] != "timeout"} == {}


def survey_with_hangs(
    fleet: SshdFleet, good: int, each: int, deadlines: tuple[str, str] = ("15", "18")
) -> tuple[dict[str, Row], dict[str, Any]]:
    """So many boxes that are well, and so many that hang at each step, surveyed in one process of its own."""
    box, sleepy = fleet.sshd(), fleet.sshd(*SLEEPY)
    well, mute, slow = fleet.engine(), hanging_engine(fleet, FIRST_ANSWER), hanging_engine(fleet, INSPECT)
    shapes = {"drip": drip(0.3), "unended": once(b"SSH-2.0-x"), "kex": hold_after(version_length(box) + MID_KEX)}
    links = {name: fleet.link(box, down=shape).port for name, shape in shapes.items()}
    with full_port() as full, silent_port() as silent, silent_dns(fleet.directory) as prefix:
        for number in range(good):
            fleet.host(f"well-{number}", box, well)
        for number in range(each):
            fleet.host(f"dns-{number}", None, well, address=f"box-{number}.example.test")
            fleet.host(f"dropped-{number}", None, well, port=full)
            fleet.host(f"silent-{number}", None, well, port=silent)
            for name, port in links.items():
                fleet.host(f"{name}-{number}", box, well, port=port)
            # One each: the whole sshd is stopped once it has let one in.
            stopping = fleet.sshd()
            fleet.host(
                f"stopped-{number}", stopping, well, port=fleet.link(stopping, up=stop_after_log_in(stopping)).port
            )
            fleet.host(f"sleepy-{number}", sleepy, well)
            fleet.host(f"engine-{number}", box, mute)
            fleet.host(f"inspect-{number}", box, slow)
        connect, host = deadlines
        words = [*fleet.options(), "--timeout", connect, "--host-timeout", host]
        command = [*prefix, sys.executable, "-m", "tests.lab.leak_check", *words]
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=100, check=False, cwd=Path(__file__).parents[2]
        )
    assert done.stdout, done.stderr
    assert "a bug while working" not in done.stderr, done.stderr
    report = json.loads(done.stdout)
    return report["rows"], report

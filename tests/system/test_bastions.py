"""Hosts behind bastions and ProxyCommands, all of them real sshds."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from fleetsweep.errors import Phase
from fleetsweep.model.host import Host
from tests.lab.box import Box
from tests.lab.process import wait_for
from tests.lab.ssh_boxes import Found, SshBoxes, logins, own_threads


@pytest.fixture(scope="module")
def all_boxes() -> Iterator[SshBoxes]:
    with SshBoxes(4) as started:
        yield started


@pytest.fixture
def boxes(all_boxes: SshBoxes) -> Iterator[SshBoxes]:
    for number in range(4):
        all_boxes.restart(number)
    all_boxes.trust_all()
    yield all_boxes
    wait_for(lambda: own_threads() == set(), "the threads ending", 10)


def jump(boxes: SshBoxes, *numbers: int, extra: str = "") -> str:
    """A configuration in which the bastions ``bastion-N`` are boxes."""
    blocks = [
        f"Host bastion-{number}\n HostName 127.0.0.1\n Port {boxes.boxes[number].port}\n User root\n"
        f" IdentityFile {boxes.key}\n"
        for number in numbers
    ]
    return str(boxes.configure(extra + "".join(blocks)))


def through(boxes: SshBoxes, number: int, *bastions: int, name: str = "") -> Host:
    return boxes.host(number, name, proxy_jump=",".join(f"bastion-{bastion}" for bastion in bastions))


def sessions(box: Box) -> list[int]:
    """The processes of a box's sshd that serve a connection."""
    pid = int((box.directory / "sshd.pid").read_text())
    listed = subprocess.run(["ps", "-o", "pid=", "--ppid", str(pid)], check=False, capture_output=True, text=True)
    return [int(word) for word in listed.stdout.split()]


def children() -> set[int]:
    """This process's own children that live or wait to be reaped."""
    listed = subprocess.run(
        ["ps", "-o", "pid=,comm=", "--ppid", str(os.getpid())], capture_output=True, text=True, check=True
    )
    return {int(line.split()[0]) for line in listed.stdout.splitlines() if line.split()[1] not in {"ps", "sshd"}}


def test_a_box_is_reached_through_one_bastion_and_through_two(boxes: SshBoxes) -> None:
    hosts = [
        through(boxes, 3, 0, name="one"),
        through(boxes, 3, 0, 1, name="two"),
        through(boxes, 3, 0, 1, 2, name="three"),
    ]
    found = boxes.survey(hosts, ssh_config=jump(boxes, 0, 1, 2))
    assert set(found.surveys) == {"one", "two", "three"}, found.faults
    assert [logins(box) for box in boxes.boxes] == [1, 1, 1, 3]


def test_many_hosts_behind_a_bastion_share_one_connection(boxes: SshBoxes) -> None:
    hosts = [through(boxes, 1 + number % 3, 0, name=f"h{number}") for number in range(30)]
    found = boxes.survey(hosts, ssh_config=jump(boxes, 0))
    assert len(found.surveys) == 30, found.faults
    assert logins(boxes.boxes[0]) == 1


def test_a_whole_sweep_logs_in_to_a_bastion_once_and_to_its_box_for_each_phase(boxes: SshBoxes) -> None:
    box = boxes.boxes[3]
    inventory = boxes.directory / "behind.ini"
    inventory.write_text(
        f"far ansible_host=127.0.0.1 ansible_port={box.port} ansible_user=root "
        f"ansible_ssh_private_key_file={boxes.key} "
        f"fleetsweep_engine=unix://{box.socket} ansible_ssh_common_args='-o ProxyJump=bastion-0'\n"
    )
    command = [sys.executable, "-m", "fleetsweep", "sweep", "--yes", "-i", str(inventory)]
    command += ["--ssh-config", jump(boxes, 0), "--known-hosts", str(boxes.known_hosts)]
    command += ["--state-dir", str(boxes.directory / "state"), "--format", "json"]
    done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr
    assert json.loads(done.stdout)["totals"]["removed"] == 1
    assert [logins(boxes.boxes[0]), logins(box)] == [1, 2]


def test_a_bastion_that_is_down_fails_the_hosts_behind_it_and_no_other(boxes: SshBoxes) -> None:
    boxes.boxes[0].stop_sshd()
    hosts = [through(boxes, 1, 0, name="a"), boxes.host(1, "straight"), through(boxes, 2, 0, name="b"), boxes.host(2)]
    found = boxes.survey(hosts, ssh_config=jump(boxes, 0))
    assert set(found.surveys) == {"straight", "b2"}
    for name in ("a", "b"):
        fault = found.fault(name)
        assert (fault.phase, fault.kind) == (Phase.CONNECT, "bastion")
        assert f"bastion 127.0.0.1 port {boxes.boxes[0].port}" in fault.message


def test_a_bastion_that_hangs_up_once_is_tried_again(boxes: SshBoxes) -> None:
    box = boxes.boxes[0]
    with socket.create_server(("127.0.0.1", 0)) as listener:
        taken = []

        def relay() -> None:
            for number in range(2):
                client, _ = listener.accept()
                taken.append(client)
                if number == 0:
                    client.close()
                    continue
                server = socket.create_connection(("127.0.0.1", box.port))
                for source, sink in ((client, server), (server, client)):
                    threading.Thread(target=pump, args=(source, sink), daemon=True).start()

        threading.Thread(target=relay, daemon=True).start()
        port = listener.getsockname()[1]
        config = boxes.configure(
            f"Host gate\n HostName 127.0.0.1\n Port {port}\n User root\n IdentityFile {boxes.key}\n"
            f" HostKeyAlias [127.0.0.1]:{box.port}\n"
        )
        hosts = [boxes.host(1 + number % 2, f"h{number}", proxy_jump="gate") for number in range(4)]
        found = boxes.survey(hosts, ssh_config=str(config))
    assert len(found.surveys) == 4, found.faults
    assert len(taken) == 2


def pump(source: socket.socket, sink: socket.socket) -> None:
    try:
        while data := source.recv(65536):
            sink.sendall(data)
    except OSError:
        pass
    for end in (source, sink):
        end.close()


def test_a_bastion_that_keeps_hanging_up_is_tried_twice_and_no_more(boxes: SshBoxes) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        taken = []

        def hang_up() -> None:
            while True:
                try:
                    client, _ = listener.accept()
                except OSError:
                    return
                taken.append(1)
                client.close()

        thread = threading.Thread(target=hang_up, daemon=True)
        thread.start()
        config = boxes.configure(
            f"Host gate\n HostName 127.0.0.1\n Port {listener.getsockname()[1]}\n IdentityFile {boxes.key}\n"
        )
        hosts = [boxes.host(1, f"h{number}", proxy_jump="gate") for number in range(20)]
        found = boxes.survey(hosts, ssh_config=str(config), forks=4, timeout_s=30.0)
        listener.shutdown(socket.SHUT_RDWR)
        thread.join(5)
    assert {found.fault(f"h{number}").kind for number in range(20)} == {"bastion"}
    assert len(taken) == 2


def test_a_bastion_that_is_silent_ends_with_the_deadline_for_all_behind_it(boxes: SshBoxes) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        config = boxes.configure(f"Host gate\n HostName 127.0.0.1\n Port {port}\n IdentityFile {boxes.key}\n")
        hosts = [boxes.host(1, f"h{number}", proxy_jump="gate") for number in range(3)] + [boxes.host(2)]
        found = boxes.survey(hosts, ssh_config=str(config), timeout_s=1.0)
    assert set(found.surveys) == {"b2"}
    for number in range(3):
        fault = found.fault(f"h{number}")
        assert (fault.phase, fault.kind) == (Phase.CONNECT, "bastion")
        assert str(port) in fault.message


def test_a_bastion_killed_in_mid_run_fails_the_hosts_behind_it_and_no_other(boxes: SshBoxes) -> None:
    gate = Held(boxes.boxes[1].socket)
    with gate.serve(boxes.directory / "held.sock") as url:
        hosts = [through(boxes, 1, 0, name="behind"), boxes.host(1, "straight", engine=url), boxes.host(2)]
        hosts[0] = boxes.host(1, "behind", proxy_jump="bastion-0", engine=url)
        found: list[Found] = []
        run = threading.Thread(target=lambda: found.append(boxes.survey(hosts, ssh_config=jump(boxes, 0))))
        run.start()
        wait_for(lambda: gate.waiting == 2, "both requests being held")
        for pid in sessions(boxes.boxes[0]):
            os.kill(pid, signal.SIGKILL)
        gate.release_when(lambda: not sessions(boxes.boxes[0]))
        run.join(30)
    assert set(found[0].surveys) == {"straight", "b2"}, found[0].faults
    fault = found[0].fault("behind")
    assert fault.kind == "lost"
    assert f"the connection to bastion 127.0.0.1 port {boxes.boxes[0].port} ended" in fault.message
    assert "check the bastion" in fault.remedy


def test_a_host_surveyed_after_its_bastions_connection_ended_opens_a_new_one(boxes: SshBoxes) -> None:
    gate = Held(boxes.boxes[1].socket)
    with gate.serve(boxes.directory / "again.sock") as url:
        hosts = [boxes.host(1, "first", proxy_jump="bastion-0", engine=url), through(boxes, 2, 0, name="second")]
        found: list[Found] = []
        run = threading.Thread(target=lambda: found.append(boxes.survey(hosts, ssh_config=jump(boxes, 0), forks=1)))
        run.start()
        wait_for(lambda: gate.waiting == 1, "the request being held")
        for pid in sessions(boxes.boxes[0]):
            os.kill(pid, signal.SIGKILL)
        gate.release_when(lambda: not sessions(boxes.boxes[0]))
        run.join(30)
    assert (set(found[0].surveys), set(found[0].faults)) == ({"second"}, {"first"})
    assert logins(boxes.boxes[0]) == 2


def test_a_bastion_that_stops_in_mid_run_delays_no_host_past_the_deadline(boxes: SshBoxes) -> None:
    gate = Held(boxes.boxes[1].socket)
    stopped: list[int] = []
    with gate.serve(boxes.directory / "stopped.sock") as url:
        hosts = [boxes.host(1, f"h{number}", proxy_jump="bastion-0", engine=url) for number in range(3)]
        found: list[Found] = []

        def survey_one() -> None:
            found.append(boxes.survey([*hosts, boxes.host(2)], ssh_config=jump(boxes, 0), host_timeout_s=3))

        run = threading.Thread(target=survey_one)
        run.start()
        try:
            wait_for(lambda: gate.waiting == 3, "the requests being held")
            stopped = sessions(boxes.boxes[0])
            for pid in stopped:
                os.kill(pid, signal.SIGSTOP)
            run.join(20)
            assert not run.is_alive()
        finally:
            for pid in stopped:
                os.kill(pid, signal.SIGCONT)
            gate.release_when(lambda: True)
    assert set(found[0].surveys) == {"b2"}
    for host in hosts:
        fault = found[0].fault(host.name)
        assert fault.kind == "timeout"
        assert fault.message.endswith(f"(behind bastion 127.0.0.1 port {boxes.boxes[0].port})")


@pytest.mark.skipif(not Path("/proc/net/if_inet6").exists(), reason="this machine has no IPv6")
def test_a_box_and_its_bastion_may_have_ipv6_addresses(boxes: SshBoxes) -> None:
    for number in (0, 1):
        boxes.restart(number, "ListenAddress ::1")
    known = [f"[::1]:{box.port} {box.known_hosts_line.split(' ', 1)[1]}" for box in boxes.boxes[:2]]
    boxes.known_hosts.write_text("".join(known))
    config = boxes.configure(f"IdentityFile {boxes.key}\nUser root\n")
    box = boxes.host(1, proxy_jump=f"root@[::1]:{boxes.boxes[0].port}")
    found = boxes.survey([replace(box, address="::1")], ssh_config=str(config))
    assert set(found.surveys) == {"b1"}, found.faults


class Held:
    """A Unix socket in front of an engine that holds every connection until it is released."""

    def __init__(self, target: Path) -> None:
        self.waiting = 0
        self._target = target
        self._released = threading.Event()

    def release_when(self, condition: Callable[[], bool]) -> None:
        wait_for(condition, "the condition for the release", 10)
        self._released.set()

    def serve(self, path: Path) -> HeldSocket:
        return HeldSocket(self, path)

    def carry(self, client: socket.socket) -> None:
        self.waiting += 1
        self._released.wait(30)
        server = socket.socket(socket.AF_UNIX)
        server.connect(str(self._target))
        threading.Thread(target=pump, args=(server, client), daemon=True).start()
        pump(client, server)


class HeldSocket:
    def __init__(self, held: Held, path: Path) -> None:
        self._held = held
        self._path = path
        self._listener = socket.socket(socket.AF_UNIX)

    def __enter__(self) -> str:
        self._listener.bind(str(self._path))
        self._listener.listen()
        threading.Thread(target=self._accept, daemon=True).start()
        return f"unix://{self._path}"

    def __exit__(self, *_: object) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._held.carry, args=(client,), daemon=True).start()


@pytest.mark.parametrize("known", ["unknown", "changed"])
def test_a_bastion_with_another_key_than_the_known_one_is_not_used(boxes: SshBoxes, known: str) -> None:
    other = boxes.boxes[1].known_hosts_line.split()[2]
    lines = [box.known_hosts_line for box in boxes.boxes[1:]]
    if known == "changed":
        lines.append(f"[127.0.0.1]:{boxes.boxes[0].port} ssh-ed25519 {other}\n")
    boxes.known_hosts.write_text("".join(lines))
    hosts = [through(boxes, 1, 0, name="a"), through(boxes, 2, 0, name="b"), boxes.host(1)]
    found = boxes.survey(hosts, ssh_config=jump(boxes, 0))
    assert set(found.surveys) == {"b1"}
    for name in ("a", "b"):
        fault = found.fault(name)
        assert (fault.phase, fault.kind) == (Phase.HOST_KEY, "bastion")
        assert "ssh-key" in fault.remedy
    assert "SHA256:" in found.fault("a").message
    assert "publickey" not in boxes.boxes[0].sshd_log


def test_a_box_behind_a_bastion_with_an_unknown_key_has_a_remedy_through_the_bastion(boxes: SshBoxes) -> None:
    boxes.known_hosts.write_text(boxes.boxes[0].known_hosts_line)
    found = boxes.survey([through(boxes, 1, 0)], ssh_config=jump(boxes, 0))
    fault = found.fault("b1")
    assert (fault.phase, fault.kind) == (Phase.HOST_KEY, "unknown")
    assert f"ssh://root@bastion-0:{boxes.boxes[0].port} 'ssh-keyscan -p {boxes.boxes[1].port} 1" in fault.remedy
    assert "publickey" not in boxes.boxes[1].sshd_log


def test_a_bastion_that_forbids_forwarding_is_reported_with_the_fix(boxes: SshBoxes) -> None:
    boxes.restart(0, "AllowTcpForwarding no")
    fault = boxes.survey([through(boxes, 1, 0)], ssh_config=jump(boxes, 0)).fault("b1")
    assert (fault.phase, fault.kind) == (Phase.CONNECT, "forbidden")
    assert "allowtcpforwarding" in fault.remedy


def test_a_box_that_its_bastion_cannot_reach_is_reported(boxes: SshBoxes) -> None:
    boxes.boxes[1].stop_sshd()
    found = boxes.survey([through(boxes, 1, 0), through(boxes, 2, 0)], ssh_config=jump(boxes, 0))
    fault = found.fault("b1")
    assert (fault.phase, fault.kind) == (Phase.CONNECT, "refused")
    assert f"ssh://root@bastion-0:{boxes.boxes[0].port} 'timeout 5 bash -c " in fault.remedy
    assert set(found.surveys) == {"b2"}


def test_a_bastion_that_refuses_the_key_is_asked_once(boxes: SshBoxes) -> None:
    boxes.restart(0, "PubkeyAuthentication no", "KbdInteractiveAuthentication yes")
    hosts = [through(boxes, 1, 0, name=f"h{number}") for number in range(5)]
    found = boxes.survey(hosts, ssh_config=jump(boxes, 0))
    assert {(found.fault(host.name).phase, found.fault(host.name).kind) for host in hosts} == {(Phase.AUTH, "bastion")}
    assert len(re.findall(r"Connection from .* port", boxes.boxes[0].sshd_log)) <= 2  # one is the wait for its start


def test_a_bastion_may_be_reached_by_a_proxy_command(boxes: SshBoxes) -> None:
    relay = _relay_command(boxes)
    config = jump(boxes, 0, extra=f"Host bastion-0\n ProxyCommand {relay}\n")
    before = children()
    hosts = [through(boxes, 1, 0, name="a"), through(boxes, 2, 0, name="b")]
    found = boxes.survey(hosts, ssh_config=config)
    assert set(found.surveys) == {"a", "b"}, found.faults
    assert logins(boxes.boxes[0]) == 1
    assert children() == before


# ProxyCommand


def _relay_command(boxes: SshBoxes) -> str:
    """OpenSSH's own client as a relay through box 3."""
    return (
        f"ssh -F none -i {boxes.key} -o UserKnownHostsFile={boxes.known_hosts} -p {boxes.boxes[3].port} "
        "-W %h:%p root@127.0.0.1"
    )


def test_a_box_is_reached_by_a_proxy_command_that_is_gone_afterwards(boxes: SshBoxes) -> None:
    before = children()
    found = boxes.survey([boxes.host(1, proxy_command=_relay_command(boxes))])
    assert set(found.surveys) == {"b1"}, found.faults
    assert children() == before
    assert logins(boxes.boxes[3]) == 1


def test_a_proxy_command_that_does_not_exist_is_reported_at_once(boxes: SshBoxes) -> None:
    fault = boxes.survey([boxes.host(1, proxy_command="/no/such/thing %h")]).fault("b1")
    assert (fault.phase, fault.kind) == (Phase.CONNECT, "proxy-command")
    assert "ended with status 127" in fault.message
    assert "/no/such/thing: not found" in fault.message
    assert "127.0.0.1" not in fault.remedy


def test_a_proxy_command_that_dies_is_reported_with_its_output_shortened(boxes: SshBoxes) -> None:
    # A megabyte on stderr, which is not read in time: it must not keep the command from ending.
    script = boxes.directory / "dies"
    script.write_text("#!/bin/sh\necho no way today >&2\nhead -c 1000000 /dev/zero | tr '\\0' x >&2\nexit 3\n")
    script.chmod(0o700)
    before = children()
    fault = boxes.survey([boxes.host(1, proxy_command=str(script))], timeout_s=3.0).fault("b1")
    assert fault.phase is Phase.CONNECT
    assert "ended with status 3: no way today" in fault.message
    assert len(fault.message) < 700
    assert children() == before


def test_a_proxy_command_that_hangs_ends_with_the_deadline_and_with_it_its_children(boxes: SshBoxes) -> None:
    script = boxes.directory / "hangs"
    marker = boxes.directory / "pids"
    script.write_text(
        f"#!/bin/sh\ntrap '' TERM\necho waiting >&2\nsleep 600 &\necho $$ $! > {marker}\nwait\nsleep 600\n"
    )
    script.chmod(0o700)
    before = children()
    fault = boxes.survey([boxes.host(1, proxy_command=str(script)), boxes.host(2)], timeout_s=1.0).fault("b1")
    assert (fault.phase, fault.kind) == (Phase.CONNECT, "timeout")
    assert "is still running: waiting" in fault.message
    assert children() == before
    pids = [int(word) for word in marker.read_text().split()]
    wait_for(lambda: not any(_runs(pid) for pid in pids), "the command and its child ending", 10)


def _runs(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False

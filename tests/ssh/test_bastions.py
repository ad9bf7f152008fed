"""Bastions: one shared connection each, one retry, and faults that name the bastion."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from fleetsweep.errors import FaultKind, HostError, Phase
from fleetsweep.model.host import Host
from fleetsweep.runtime.deadline import Deadline, Watchdog
from fleetsweep.ssh.bastions import ATTEMPTS, Bastions
from fleetsweep.ssh.connection import SshConnection, connect
from fleetsweep.ssh.options import SshOptions
from fleetsweep.ssh.route import find_route
from tests.ssh.sshd import Sshd, options_for, sshd


def options_through(directory: Path, bastion: Sshd, *boxes: Sshd) -> SshOptions:
    options = options_for(directory, bastion, *boxes)
    (directory / "config").write_text(f"IdentityFile {directory / 'key'}\nUser user\n")
    return options


def behind(bastion: Sshd, box: Sshd) -> Host:
    return Host("box", "127.0.0.1", port=box.port, proxy_jump=f"user@127.0.0.1:{bastion.port}")


def fault_of(host: Host, options: SshOptions, bastions: Bastions) -> HostError:
    with (
        Watchdog() as watchdog,
        pytest.raises(HostError) as caught,
        connect(host, options, Deadline(20, watchdog), bastions),
    ):
        pass
    return caught.value


def lose(bastion: Sshd, connection: SshConnection, deadline: Deadline) -> None:
    bastion.disconnect()
    connection.open_unix("/run/engine.sock", deadline)


def test_hosts_that_connect_at_once_share_one_connection_to_their_bastion(tmp_path: Path) -> None:
    with sshd() as bastion, sshd() as box, Watchdog() as watchdog, Bastions() as bastions:
        options = options_through(tmp_path, bastion, box)
        together, replies = threading.Barrier(4), []

        def visit() -> None:
            together.wait(20)
            deadline = Deadline(20, watchdog)
            with connect(behind(bastion, box), options, deadline, bastions) as connection:
                stream = connection.open_unix("/run/engine.sock", deadline)
                stream.sendall(b"ping")
                replies.append(stream.recv(4))

        threads = [threading.Thread(target=visit) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(30)
        assert replies == [b"ping"] * 4
        assert (len(bastion.transports), len(box.transports)) == (1, 4)


def test_a_bastions_keepalives_are_answered_while_no_host_uses_it(tmp_path: Path) -> None:
    with sshd() as bastion, sshd() as box, Watchdog() as watchdog, Bastions() as bastions:
        with connect(behind(bastion, box), options_through(tmp_path, bastion, box), Deadline(20, watchdog), bastions):
            pass
        # paramiko waits for an answer, or for the end of the connection.
        bastion.transports[0].global_request("keepalive@openssh.com", wait=True)
        assert bastion.transports[0].is_active()


def test_a_bastion_that_forbids_forwarding_is_named_with_what_to_check(tmp_path: Path) -> None:
    with sshd() as bastion, sshd() as box, Bastions() as bastions:
        bastion.channels.discard("direct-tcpip")
        fault = fault_of(behind(bastion, box), options_through(tmp_path, bastion, box), bastions)
    assert (fault.phase, fault.kind) == (Phase.CONNECT, "forbidden")
    assert f"bastion 127.0.0.1 port {bastion.port}" in fault.message
    assert "allowtcpforwarding" in fault.remedy


def test_a_box_that_refuses_its_bastion_is_at_fault_itself(tmp_path: Path) -> None:
    with sshd() as bastion, Bastions() as bastions:
        with sshd() as box:
            options = options_through(tmp_path, bastion, box)
        fault = fault_of(behind(bastion, box), options, bastions)
    assert (fault.phase, fault.kind) == (Phase.CONNECT, "refused")
    assert "check that the box is up" in fault.remedy


def test_a_bastion_with_an_unknown_host_key_fails_its_hosts_without_a_retry(tmp_path: Path) -> None:
    with sshd() as bastion, sshd() as box, Bastions() as bastions:
        options = options_through(tmp_path, box)
        host = behind(bastion, box)
        faults = [fault_of(host, options, bastions) for _ in range(2)]
        assert len(bastion.transports) == 1
    assert {(fault.phase, fault.kind) for fault in faults} == {(Phase.HOST_KEY, "bastion")}
    assert all(fault.message.startswith("bastion 127.0.0.1") for fault in faults)


def test_a_lost_bastion_is_connected_to_once_more_and_then_no_more(tmp_path: Path) -> None:
    with sshd() as bastion, sshd() as box, Watchdog() as watchdog, Bastions() as bastions:
        options, host = options_through(tmp_path, bastion, box), behind(bastion, box)
        for attempt in range(1, ATTEMPTS + 1):
            deadline = Deadline(20, watchdog)
            with pytest.raises(HostError) as lost, connect(host, options, deadline, bastions) as connection:
                lose(bastion, connection, deadline)
            assert len(bastion.transports) == attempt
            assert f"the connection to bastion 127.0.0.1 port {bastion.port} ended" in lost.value.message
        fault = fault_of(host, options, bastions)
        assert len(bastion.transports) == ATTEMPTS
    assert (fault.phase, fault.kind) == (Phase.CONNECT, "bastion")
    assert "check the bastion" in fault.remedy


def test_only_a_lost_host_behind_a_bastion_gets_it_as_a_cause(tmp_path: Path) -> None:
    with sshd() as bastion, sshd() as box, Bastions() as bastions:
        route = find_route(behind(bastion, box), options_through(tmp_path, bastion, box))
        lost = HostError(Phase.ENGINE, FaultKind.LOST, "the connection ended")
        bastions.add_cause(route, lost)
        denied = HostError(Phase.AUTH, FaultKind.DENIED, "no")
        bastions.add_cause(route, denied)
    assert str(lost) == f"the connection ended (behind bastion 127.0.0.1 port {bastion.port})"
    assert str(denied) == "no"

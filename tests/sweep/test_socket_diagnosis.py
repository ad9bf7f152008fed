"""The cause and the remedy if no route reaches an engine, and the command that examines its socket."""

from __future__ import annotations

import shlex
import socket
import subprocess
from pathlib import Path

import pytest

from fleetsweep.engine.endpoint import TcpEndpoint, parse_endpoint
from fleetsweep.errors import HostError, Phase
from fleetsweep.sweep.socket_diagnosis import FailedRoute, SocketProbe, no_route_error, parse_probe, probe_command

SOCK = "/var/run/docker.sock"
DENIED = FailedRoute("streamlocal", "administratively prohibited", forbidden=True)
REFUSED = FailedRoute("streamlocal", "connection refused")
PODMAN = ("/run/podman/podman.sock",)


def listing(mode: str = "srw-rw----", owner: str = "root", group: str = "docker", path: str = SOCK) -> str:
    return f"{mode} 1 {owner} {group} 0 Jan 1 00:00 {path}"


def diagnose(*failed: FailedRoute, probe: SocketProbe | None = None, become: bool = False) -> HostError:
    return no_route_error("ci", parse_endpoint(f"unix://{SOCK}"), failed or (DENIED,), probe, become=become)


@pytest.mark.parametrize(
    ("probe", "failed", "kind", "cause"),
    [
        (SocketProbe("ls: cannot access: No such file or directory", False, ()), DENIED, "absent", "no socket"),
        (SocketProbe("ls: cannot access: Permission denied", False, ()), DENIED, "denied", "may not examine"),
        (SocketProbe(listing("drwxr-xr-x"), True, ()), DENIED, "not-a-socket", "is a directory"),
        (SocketProbe(listing("-rw-r--r--"), True, ()), DENIED, "not-a-socket", "is not a socket (-rw-r--r--)"),
        (SocketProbe(listing(), False, ()), DENIED, "denied", "is root:docker srw-rw----, and ci may not use it"),
        (SocketProbe(listing(), True, ()), REFUSED, "refused", f"nothing listens on {SOCK}"),
        (SocketProbe(listing(), True, ()), DENIED, "forbidden", "sshd or the key's options forbid the stream"),
    ],
)
def test_the_probe_of_a_socket_decides_on_the_cause(
    probe: SocketProbe, failed: FailedRoute, kind: str, cause: str
) -> None:
    error = diagnose(failed, probe=probe)
    assert (error.phase, error.kind) == (Phase.TUNNEL, kind)
    assert cause in error.message
    assert f"streamlocal: {failed.message}" in error.message
    assert error.remedy


@pytest.mark.parametrize(
    ("failed", "kind"),
    [
        (DENIED, "forbidden"),
        (REFUSED, "refused"),
        (FailedRoute("dial-stdio", f"dial unix {SOCK}: connect: permission denied"), "denied"),
        (FailedRoute("sudo dial-stdio", "sudo: permission denied"), "forbidden"),
    ],
)
def test_without_a_probe_the_errors_of_the_routes_decide(failed: FailedRoute, kind: str) -> None:
    assert diagnose(failed).kind == kind


def test_a_forced_command_may_name_another_socket_than_the_inventory() -> None:
    found = diagnose(FailedRoute("dial-stdio", "dial unix /run/other.sock: connect: no such file or directory"))
    assert (found.kind, "there is no socket /run/other.sock" in found.message) == ("absent", True)


def test_another_socket_on_the_box_is_offered() -> None:
    found = diagnose(probe=SocketProbe("ls: No such file or directory", False, PODMAN))
    assert "but there is /run/podman/podman.sock" in found.message
    assert "set fleetsweep_engine to unix:///run/podman/podman.sock" in found.remedy


def test_access_is_granted_by_the_sockets_group_or_by_sudo() -> None:
    assert "usermod -aG docker ci" in diagnose(probe=SocketProbe(listing(), False, ())).remedy
    by_root = diagnose(probe=SocketProbe(listing(group="root"), False, ())).remedy
    assert "ci ALL=(root) NOPASSWD" in by_root
    assert "set ansible_become" in by_root
    by_sudo = diagnose(probe=SocketProbe(listing(), False, ()), become=True).remedy
    assert "NOPASSWD" in by_sudo
    assert "usermod" not in by_sudo


@pytest.mark.parametrize(("forbidden", "kind"), [(True, "forbidden"), (False, "refused")])
def test_a_tcp_engine_is_either_forbidden_by_sshd_or_does_not_listen(forbidden: bool, kind: str) -> None:
    endpoint = TcpEndpoint("127.0.0.1", 2375)
    found = no_route_error("ci", endpoint, [FailedRoute("direct-tcpip", "no", forbidden)], None, become=False)
    assert found.kind == kind
    assert "2375" in found.remedy


def probed(path: Path) -> SocketProbe | None:
    line = probe_command(str(path))
    return parse_probe(subprocess.run(shlex.split(line), capture_output=True, text=True, check=False).stdout)


def test_the_probe_runs_in_a_real_shell(tmp_path: Path) -> None:
    path = tmp_path / "it's an engine.sock"
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(path))
        found = probed(path)
    assert found is not None
    assert found.listing.startswith("s")
    assert found.writable
    assert str(path) not in found.others


def test_the_probe_reports_what_is_absent_and_follows_a_link(tmp_path: Path) -> None:
    absent = probed(tmp_path / "none")
    assert absent is not None
    assert "No such file" in absent.listing
    assert not absent.writable
    (tmp_path / "link").symlink_to("/dev/null")
    linked = probed(tmp_path / "link")
    assert linked is not None
    assert linked.listing.startswith("c")


@pytest.mark.parametrize("text", ["", "Welcome!\n", "fleetsweep-look\nsrw-rw---- 1 root", "fleetsweep-end"])
def test_a_probe_that_was_not_run_to_its_end_is_none(text: str) -> None:
    assert parse_probe(text) is None


def test_a_greeting_before_the_probe_is_ignored() -> None:
    found = parse_probe("Welcome!\nfleetsweep-look\nsrw\nwritable\nother /a\nother b\nfleetsweep-end\n")
    assert found == SocketProbe("srw", True, ("/a",))


@pytest.mark.parametrize(
    ("value", "shown"),
    [("unix:///run/user/1000/docker.sock", True), (f"unix://{SOCK}", False), ("", False), ("rm -rf /", False)],
)
def test_an_ignored_docker_host_of_the_boxs_user_is_named(value: str, shown: bool, tmp_path: Path) -> None:
    command = probe_command(str(tmp_path / "none"))
    environment = {"PATH": "/usr/bin:/bin", "DOCKER_HOST": value}
    done = subprocess.run(["sh", "-c", command], env=environment, capture_output=True, text=True, check=True)
    probe = parse_probe(done.stdout)
    assert probe is not None
    assert probe.docker_host == value
    hint = f"ci's DOCKER_HOST there is not read: set fleetsweep_engine to {value}"
    assert (hint in diagnose(probe=probe).remedy) == shown

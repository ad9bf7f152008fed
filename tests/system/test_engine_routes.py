"""Every route to an engine, on real sshds, with real users of few rights."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import pytest

from fleetsweep.model.survey import FailedSurvey, Survey
from fleetsweep.runtime.deadline import Deadline, Watchdog
from fleetsweep.ssh import SshOptions
from fleetsweep.ssh.bastions import Bastions
from fleetsweep.ssh.connection import connect
from tests.conftest import Run
from tests.lab import Box, Lab, Spec
from tests.lab.accounts import Account, account, as_sudo_finds_it, may_sudo, sshd_with
from tests.lab.box import NEVER, WORKSPACE
from tests.lab.certificates import Authority
from tests.lab.podman import Podman
from tests.lab.process import wait_for
from tests.lab.single_host_survey import fault, host, survey_one, via

pytestmark = [pytest.mark.lab, pytest.mark.usefixtures("no_thread_is_left")]

DAYS = timedelta(days=2)
NO_STREAMLOCAL = "AllowStreamLocalForwarding no"
ONE_SOCKET = 'restrict,port-forwarding,permitopen="[{socket}]:*"'
ONE_COMMAND = 'restrict,command="docker -H unix://{socket} system dial-stdio"'
PODMANS_COMMAND = 'restrict,command="env CONTAINER_HOST=unix://{socket} podman system dial-stdio"'


def stdio(box: Box, docker: str = "docker") -> str:
    return f"{docker} -H unix://{box.socket} system dial-stdio"


def options(lab: Lab, box: Box, who: Account) -> list[str]:
    """The command line's options for one box as one user."""
    return [
        *("--host", f"{who.name}@127.0.0.1:{box.port}", "--engine", f"unix://{box.socket}"),
        *("--private-key", str(who.key), "--known-hosts", str(lab.known_hosts)),
        *("--state-dir", str(lab.state), "--format", "json"),
    ]


def stale(count: int) -> list[Spec]:
    return [Spec(f"ws-{number}", age=DAYS) for number in range(count)]


def test_where_sshd_forbids_streamlocal_a_command_carries_the_sweep(lab: Lab, box: Box, run: Run) -> None:
    box.seed(stale(12))
    with account(box, group_of_socket=True) as who, sshd_with(box, NO_STREAMLOCAL):
        # A restart of dockerd gives the socket back to its own group: the containers are seeded before.
        done = run("sweep", *options(lab, box, who), "--yes")
        wait_for(lambda: who.processes() == [], "the sessions' processes ending")
    assert done.returncode == 0, done.stdout
    assert done.stderr.count("FAILED") == 0
    report = json.loads(done.stdout)
    assert report["hosts"][0]["engine"]["via"] == "dial-stdio"
    assert report["totals"]["removed"] == 12
    assert box.names() == set()


@pytest.mark.parametrize("sessions", [1, 2])
def test_a_server_that_grants_few_sessions_is_swept_over_those(lab: Lab, box: Box, run: Run, sessions: int) -> None:
    box.seed([Spec(f"ws-{number}", state=NEVER, age=DAYS) for number in range(32)])
    with account(box, group_of_socket=True) as who, sshd_with(box, NO_STREAMLOCAL, f"MaxSessions {sessions}"):
        done = run("sweep", *options(lab, box, who), "--yes")
    assert done.returncode == 0, done.stdout
    assert json.loads(done.stdout)["totals"]["removed"] == 32
    assert "no more sessions" in box.sshd_log


def test_a_user_in_the_sockets_group_needs_no_more_than_port_forwarding(lab: Lab, box: Box) -> None:
    with account(box, key_options="restrict,port-forwarding", group_of_socket=True, shell="/usr/sbin/nologin") as who:
        assert via(host(lab, box, who)) == "streamlocal"


def test_a_forwarding_key_can_be_kept_to_one_socket(lab: Lab, box: Box, other: Path) -> None:
    """OpenSSH matches a socket's path as if it were a host's name."""
    with account(
        box, key_options=ONE_SOCKET.format(socket=box.socket), group_of_socket=True, shell="/usr/sbin/nologin"
    ) as who:
        assert via(host(lab, box, who)) == "streamlocal"
        assert fault(host(lab, box, who, engine=f"tcp://127.0.0.1:{box.port}")).kind == "forbidden"
        # The same engine by another path is another socket to sshd.
        other.symlink_to(box.socket)
        assert fault(host(lab, box, who, engine=f"unix://{other}")).kind == "forbidden"


@pytest.mark.parametrize(("opens", "expected"), [("none", "dial-stdio"), ("[{socket}]:*", "streamlocal")])
def test_permit_open_holds_for_sockets_too(lab: Lab, box: Box, opens: str, expected: str) -> None:
    with account(box, group_of_socket=True) as who, sshd_with(box, f"PermitOpen {opens.format(socket=box.socket)}"):
        assert via(host(lab, box, who)) == expected


def test_a_key_that_may_run_one_command_is_enough(lab: Lab, box: Box) -> None:
    with account(box, key_options=ONE_COMMAND.format(socket=box.socket), group_of_socket=True) as who:
        assert via(host(lab, box, who)) == "dial-stdio"
        wait_for(lambda: who.processes() == [], "the session's process ending")


def test_a_restricted_key_without_either_still_runs_the_command(lab: Lab, box: Box) -> None:
    with account(box, key_options="restrict", group_of_socket=True) as who:
        assert via(host(lab, box, who)) == "dial-stdio"


@pytest.mark.parametrize("sessions", [1, 10])
def test_a_user_who_may_only_sudo_one_command_is_enough(lab: Lab, box: Box, sessions: int) -> None:
    command = stdio(box, as_sudo_finds_it("docker")).split()
    with account(box) as who, may_sudo(who.name, command), sshd_with(box, f"MaxSessions {sessions}"):
        assert via(host(lab, box, who, become=True)) == "sudo dial-stdio"
        wait_for(lambda: who.processes() == [], "the session's processes ending")


@contextmanager
def published(box: Box, *tls: str) -> Iterator[int]:
    """The box's engine on a TCP port of its loopback as well."""
    box.stop_dockerd()
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    box.dockerd_options = [f"--host=tcp://127.0.0.1:{port}", *(tls or ["--tls=false"])]
    box.start_dockerd()
    try:
        yield port
    finally:
        box.stop_dockerd()
        box.dockerd_options = []
        box.start_dockerd()


def test_an_engine_on_the_boxs_loopback_is_reached_through_sshd(lab: Lab, box: Box) -> None:
    with published(box) as port:
        target = host(lab, box, engine=f"tcp://127.0.0.1:{port}")
        assert via(target) == "direct-tcpip"
        with sshd_with(box, "AllowTcpForwarding no"):
            assert via(target) == "dial-stdio"
    told = fault(target)
    assert told.kind == "refused"
    assert f"nothing listens on 127.0.0.1 port {port}" in told.message


def test_a_port_that_speaks_tls_is_named(lab: Lab, box: Box) -> None:
    with speaking_tls(box) as (port, _):
        found = survey_one(host(lab, box, engine=f"tcp://127.0.0.1:{port}"))
    assert isinstance(found, FailedSurvey)
    assert (found.fault.kind, "speaks TLS" in found.fault.message) == ("tls", True)


@contextmanager
def speaking_tls(box: Box) -> Iterator[tuple[int, Authority]]:
    """The box's engine on a TCP port of its loopback over TLS; it asks for a certificate of the authority."""
    directory = box.directory / "tls"
    directory.mkdir(exist_ok=True)
    authority = Authority.make(directory)
    certificate, key = authority.sign("server", address="127.0.0.1")
    words = ["--tlsverify", f"--tlscacert={authority.certificate}", f"--tlscert={certificate}", f"--tlskey={key}"]
    with published(box, *words) as port:
        yield port, authority


def test_an_engine_is_swept_over_tls_through_sshd_by_each_route(lab: Lab, box: Box, run: Run) -> None:
    with speaking_tls(box) as (port, authority):
        certificate, key = authority.sign("client")
        words = [
            *lab.options(),
            "--host",
            "runner-1",
            "--format",
            "json",
            "--engine-tls-ca",
            str(authority.certificate),
        ]
        inventory = lab.directory / "tls.yml"
        inventory.write_text(lab.inventory.read_text().replace(f"unix://{box.socket}", f"tcp://127.0.0.1:{port}"))
        words[words.index("-i") + 1] = str(inventory)
        (refused,) = json.loads(run("audit", *words).stdout)["hosts"]
        assert refused["error"]["kind"] == "tls"
        assert "--engine-tls-cert" in refused["error"]["remedy"]
        words += ["--engine-tls-cert", str(certificate), "--engine-tls-key", str(key)]
        words += ["--max-age", "2s", "--job-timeout", "1s"]
        for route, lines in (("direct-tcpip", []), ("dial-stdio", ["AllowTcpForwarding no"])):
            with box.api() as api:
                apart = api.create_host_config(network_mode="none")
                sleep = ["/bin/sleep", "1000000"]
                api.start(api.create_container(WORKSPACE, sleep, name="ws-1", host_config=apart)["Id"])
            with sshd_with(box, *lines):
                wait_for(lambda: json.loads(run("audit", *words).stdout)["totals"]["stale"] == 1, "ws-1 aging")
                done = run("sweep", *words, "--yes")
            (row,) = json.loads(done.stdout)["hosts"]
            assert (done.returncode, row["engine"]["via"], box.names()) == (0, route, set()), done.stdout


def test_podmans_containers_are_swept_over_its_own_socket(lab: Lab, box: Box, run: Run) -> None:
    with Podman(box.directory / "p") as podman:
        podman.import_image("molecule-local/workspace-template-x:1")
        podman.import_image("postgres:16")
        podman.create("leak", "localhost/molecule-local/workspace-template-x:1")
        podman.create("database", "localhost/postgres:16")
        words = [*lab.options(), "--host", "runner-1", "--max-age", "2s", "--job-timeout", "1s", "--format", "json"]
        inventory = lab.directory / "podman.yml"
        inventory.write_text(lab.inventory.read_text().replace(f"unix://{box.socket}", f"unix://{podman.socket}"))
        words += ["-i", str(inventory)]
        del words[0:2]
        wait_for(lambda: json.loads(run("audit", *words).stdout)["totals"]["stale"] == 1, "the leak growing old")
        done = run("sweep", *words, "--yes")
        assert done.returncode == 0, done.stdout + done.stderr
        assert podman.names() == {"database"}
    (row,) = json.loads(done.stdout)["hosts"]
    assert (row["engine"]["kind"], row["engine"]["via"]) == ("podman", "streamlocal")
    (decision,) = row["decisions"]
    assert decision["image"] == "localhost/molecule-local/workspace-template-x:1"
    assert (decision["matched_by"], decision["outcome"]) == (["image"], "removed")


def test_where_only_podman_runs_its_socket_is_reached_by_its_own_command_too(lab: Lab, box: Box) -> None:
    forced = PODMANS_COMMAND.format(socket=box.directory / "p" / "podman.sock")
    with Podman(box.directory / "p") as podman, account(box, key_options=forced) as who:
        podman.socket.chmod(0o666)
        podman.directory.chmod(0o755)
        found = survey_one(host(lab, box, who, engine=f"unix://{podman.socket}"))
        wait_for(lambda: who.processes() == [], "the session's process ending")
    assert isinstance(found, Survey), found.fault
    assert (found.engine.kind, found.engine.via) == ("podman", "dial-stdio")


def test_a_command_that_still_waits_for_its_engine_is_hung_up_on(lab: Lab, box: Box) -> None:
    """The docker CLI waits for ever for an engine that has stopped, and would stay on the box for as long."""
    silent = box.directory / "silent.sock"
    with account(box, key_options="restrict") as who, socket.socket(socket.AF_UNIX) as engine:
        engine.bind(str(silent))
        silent.chmod(0o666)
        engine.listen()
        engine.settimeout(10)
        with Watchdog() as watchdog, Bastions() as bastions:
            deadline = Deadline(30, watchdog)
            target = host(lab, box, who)
            with connect(target, SshOptions(), deadline, bastions) as link:
                stream = link.open_command(f"docker -H unix://{silent} system dial-stdio", deadline)
                wait_for(lambda: any("dial-stdio" in line for line in who.processes()), "the command running")
                accepted, _ = engine.accept()
                with accepted:
                    stream.close()
                    wait_for(lambda: not any("dial-stdio" in line for line in who.processes()), "the command ending")
    silent.unlink()


def test_the_keys_that_the_page_recommends_are_those_that_are_tested() -> None:
    page = (Path(__file__).parents[2] / "docs" / "ssh.md").read_text()
    for recipe, path in (
        (ONE_SOCKET, "/var/run/docker.sock"),
        (ONE_COMMAND, "/var/run/docker.sock"),
        (PODMANS_COMMAND, "/run/podman/podman.sock"),
    ):
        assert f"{recipe.format(socket=path)} ssh-ed25519 AAAA…" in page

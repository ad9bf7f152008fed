"""The gate as docs/ssh.md installs it: its commands, its unit, its key and its inventory line, on a real box."""

from __future__ import annotations

import itertools
import json
import os
import re
import shutil
import subprocess
from collections.abc import Callable, Iterator, Mapping
from configparser import ConfigParser
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import docker
import docker.errors
import pytest
import requests

from fleetsweep.schedule import Proxy
from fleetsweep.schedule.gate import REFUSAL
from tests.conftest import Run
from tests.lab import Box, Lab, Spec
from tests.lab.accounts import account, edit, sshd_with
from tests.lab.box import NEVER, WORKSPACE, image_archive
from tests.lab.gate import can_connect, running, without_root
from tests.lab.lab import TEST_PACKAGES
from tests.lab.podman import Podman
from tests.lab.process import Daemon, wait_for
from tests.lab.single_host_survey import host, via

pytestmark = pytest.mark.lab

PAGE = (Path(__file__).parents[2] / "docs" / "ssh.md").read_text()
SECTION = PAGE.partition("\n## A gate on the box\n")[2].partition("\n## ")[0]
ACCOUNT = PAGE.partition("\n## An account with as little as possible\n")[2].partition("\n**1. ")[0]
DAYS = timedelta(days=2)
_SERIAL = itertools.count()


def blocks(text: str) -> list[str]:
    """Return the indented blocks of a part of the page, without their indentation."""
    found = re.findall(r"(?:^    .*\n|^\n(?=    ))+", text, re.MULTILINE)
    return [re.sub(r"^    ", "", block, flags=re.MULTILINE).strip() + "\n" for block in found]


def block(start: str) -> str:
    """Return the one block of the section that starts so."""
    (found,) = [each for each in blocks(SECTION) if each.startswith(start)]
    return found


def unit() -> ConfigParser:
    """Return the unit of the page."""
    parser = ConfigParser(interpolation=None)
    parser.optionxform = str  # type: ignore[assignment, method-assign]  # as configparser's documentation has it
    parser.read_string(block("[Unit]"))
    return parser


@dataclass(frozen=True, slots=True)
class Installed:
    """A gate on a box, as the page installs it, and the key of the account that reaches it."""

    address: Path
    sweeper: str
    keeper: str
    key: Path
    words: Mapping[str, str]

    def adapted(self, text: str) -> str:
        """Return a text of the page with this box's paths, accounts and key."""
        for word, own in self.words.items():
            text = text.replace(word, own)
        return text


@contextmanager
def installed(lab: Lab, box: Box, run: Run, proxy: Proxy, engine: Path, *options: str) -> Iterator[Installed]:
    """Follow the page. ``engine`` is the socket in place of /var/run/docker.sock; its group stands for docker's."""
    serial = f"{os.getpid()}x{next(_SERIAL)}"
    sweeper, keeper = f"fsg{serial}", f"fsk{serial}"
    directory = box.directory / f"g{serial}"
    key = box.directory / f"key-{sweeper}"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(key)], check=True)
    done = Installed(
        directory / "run" / "docker.sock",
        sweeper,
        keeper,
        key,
        {
            "-G docker ": f"-G {engine.group()} ",
            "/etc/fleetsweep": str(directory / "etc"),
            "/run/fleetsweep": str(directory / "run"),
            "fleetsweep-gate": keeper,
            "sweeper": sweeper,
            "ssh-ed25519 AAAA…": key.with_name(f"{key.name}.pub").read_text().strip(),
        },
    )
    with ExitStack() as undo:
        for parent in (box.directory, box.directory.parent):
            undo.callback(parent.chmod, parent.stat().st_mode & 0o7777)
            parent.chmod(0o711)
        directory.mkdir(mode=0o711)
        undo.callback(shutil.rmtree, directory)
        undo.callback(_remove, sweeper, keeper)
        (commands,) = blocks(ACCOUNT)[-1:]
        shell(done.adapted(commands))
        shell(done.adapted("\n".join(line for line in block("apt-get").splitlines() if line.startswith(("use", "mk")))))
        shell(done.adapted(block("echo ")))
        config = directory / "etc" / ("gate.cfg" if proxy is Proxy.HAPROXY else "gate.conf")
        command = block("fleetsweep gate haproxy").replace("haproxy", proxy).split()[1:3]
        config.write_text(
            run(
                *command,
                *("--engine-socket", str(engine), "--socket", str(done.address), "--group", sweeper, *options),
            ).stdout
        )
        with service(done, proxy), ssh_settings(box, done):
            yield done


def _remove(*accounts: str) -> None:
    for name in accounts:
        subprocess.run(["userdel", "-r", name], check=False, capture_output=True)


def shell(script: str) -> None:
    """Run commands of the page as root. The user database may be locked by another test."""
    for line in script.strip().splitlines():
        edit(["bash", "-ec", line])


@contextmanager
def service(gate: Installed, proxy: Proxy) -> Iterator[Daemon]:
    """Run the unit's command as its settings have it."""
    settings = unit()["Service"]
    line = settings["ExecStart"] if proxy is Proxy.HAPROXY else block("ExecStart=").partition("=")[2].strip()
    user, group = gate.adapted(settings["User"]), gate.adapted(settings["Group"])
    groups = gate.words[f"-G {settings['SupplementaryGroups']} "].split()[1]
    directory = gate.address.parent
    assert gate.adapted(f"/run/{settings['RuntimeDirectory']}") == str(directory)
    directory.mkdir()
    directory.chmod(int(settings["RuntimeDirectoryMode"], 8))
    shutil.chown(directory, user, group)
    words = without_root(user, group, groups, gate.adapted(line).split())
    with running(words, gate.address, directory.with_name("log")) as daemon:
        yield daemon


@contextmanager
def ssh_settings(box: Box, gate: Installed) -> Iterator[None]:
    """The lines of the page for sshd_config, and the account's own authorized_keys."""
    lines = gate.adapted(block("Match User")).splitlines()
    with sshd_with(box, *lines, "AuthorizedKeysFile .ssh/authorized_keys", "Match all"):
        yield


def inventory(lab: Lab, box: Box, gate: Installed, directory: Path) -> list[str]:
    """Return the options for an inventory of this box that has the line of the page."""
    path = directory / "inventory.yml"
    settings = {"ansible_host": "127.0.0.1", "ansible_port": box.port, "ansible_user": gate.sweeper}
    lines = [f"{key}: {value}" for key, value in {**settings, "ansible_ssh_private_key_file": gate.key}.items()]
    lines.append(gate.adapted(block("fleetsweep_engine:")).strip())
    path.write_text("all:\n  hosts:\n    runner-1:\n" + "".join(f"      {line}\n" for line in lines))
    known = ["--known-hosts", str(lab.known_hosts), "--state-dir", str(directory / "state")]
    return ["-i", str(path), *known, "--format", "json"]


@pytest.fixture
def own(tmp_path: Path) -> Path:
    path = tmp_path / "own"
    path.mkdir()
    return path


@pytest.mark.parametrize("proxy", Proxy)
def test_an_audit_and_a_sweep_work_through_the_gate(lab: Lab, box: Box, run: Run, own: Path, proxy: Proxy) -> None:
    box.seed([*(Spec(f"ws-{number}", age=DAYS) for number in range(6)), Spec("ws-never", state=NEVER, age=DAYS)])
    box.seed([Spec("postgres", "postgres:16"), Spec("ws-young")])
    with installed(lab, box, run, proxy, box.socket) as gate:
        words = inventory(lab, box, gate, own)
        audit = run("audit", *words)
        assert audit.returncode == 0, audit.stdout + audit.stderr
        sweep = run("sweep", *words, "--yes")
        assert sweep.returncode == 0, sweep.stdout + sweep.stderr
    row = json.loads(audit.stdout)["hosts"][0]
    assert (row["engine"]["via"], row["engine"]["kind"]) == ("streamlocal", "docker")
    assert json.loads(audit.stdout)["totals"]["stale"] == 7
    assert json.loads(sweep.stdout)["totals"]["removed"] == 7
    assert box.names() == {"postgres", "ws-young"}


@pytest.mark.parametrize("proxy", Proxy)
def test_a_teardown_removes_volumes_and_networks_where_they_are_allowed(
    lab: Lab, box: Box, run: Run, own: Path, proxy: Proxy
) -> None:
    labels = {"fleetsweep.run": "7"}
    with box.api() as api:
        api.create_volume("job-7", labels=labels)
    box.seed([Spec("job", labels=labels)])
    with installed(lab, box, run, proxy, box.socket, "--allow-resources") as gate:
        words = [*inventory(lab, box, gate, own), "--run-label", "fleetsweep.run=7", "--volumes", "--networks"]
        done = run("teardown", *words)
    assert done.returncode == 0, done.stdout + done.stderr
    with box.api() as api:
        assert not api.volumes()["Volumes"]
    assert box.names() == set()


@contextmanager
def stolen(
    box: Box, lab: Lab, gate: Installed, directory: Path, target: Path | None = None
) -> Iterator[docker.APIClient]:
    """A Docker client of the holder of the key, over a stream that the real ssh(1) forwards."""
    local = directory / "stolen.sock"
    log = directory / "ssh.log"
    daemon = Daemon([*ssh(box, lab, gate), "-N", "-L", f"{local}:{target or gate.address}"], log)
    try:
        wait_for(local.exists, "ssh forwarding the socket")
        with docker.APIClient(base_url=f"unix://{local}", version="1.41", timeout=30) as client:
            yield client
    finally:
        daemon.stop()


def ssh(box: Box, lab: Lab, gate: Installed) -> list[str]:
    settings = ["-F", "none", "-o", "BatchMode=yes", "-o", f"UserKnownHostsFile={lab.known_hosts}"]
    settings += ["-o", "IdentitiesOnly=yes", "-o", "ExitOnForwardFailure=yes", "-i", str(gate.key)]
    return ["ssh", *settings, "-p", str(box.port), f"{gate.sweeper}@127.0.0.1"]


@pytest.mark.parametrize("proxy", Proxy)
def test_the_holder_of_the_key_can_create_execute_pull_and_read_nothing(
    lab: Lab, box: Box, run: Run, own: Path, proxy: Proxy
) -> None:
    ids = box.seed([Spec("ws-1"), Spec("ws-2", state=NEVER)])
    with installed(lab, box, run, proxy, box.socket) as gate, stolen(box, lab, gate, own) as client:
        assert client.ping()
        assert {each["Id"] for each in client.containers(all=True)} == set(ids.values())
        one, created = ids["ws-1"], ids["ws-2"]
        refused: dict[str, Callable[[], object]] = {
            "create": lambda: client.create_container(WORKSPACE, ["/bin/sh"]),
            "exec": lambda: client.exec_create(one, ["/bin/sh"]),
            "start": lambda: client.start(created),
            "archive": lambda: client.get_archive(one, "/bin/busybox"),
            "put archive": lambda: client.put_archive(one, "/", image_archive("x")),
            "pull": lambda: client.pull("alpine"),
            "import": lambda: client.import_image_from_data(image_archive("x"), repository="x"),
            "images": client.images,
            "image": lambda: client.remove_image(WORKSPACE, force=True),
            "logs": lambda: client.logs(one),
            "commit": lambda: client.commit(one, "x"),
            "export": lambda: next(iter(client.export(one))),
            "kill": lambda: client.kill(one),
            "attach": lambda: client.attach_socket(one),
            "volume": lambda: client.create_volume("x"),
            "volumes": client.volumes,
            "short id": lambda: client.remove_container(one[:12], force=True),
            "name": lambda: client.remove_container("ws-1", force=True),
        }
        for what, call in refused.items():
            with pytest.raises(docker.errors.APIError, match=REFUSAL) as error:
                call()
            assert error.value.status_code == 403, what
        client.remove_container(one, force=True)
        assert box.names() == {"ws-2"}
    with box.api() as api:
        assert WORKSPACE in {tag for image in api.images() for tag in image["RepoTags"] or ()}


@pytest.mark.parametrize("proxy", Proxy)
def test_the_key_opens_nothing_else_and_no_other_account_reaches_the_gate(
    lab: Lab, box: Box, run: Run, own: Path, proxy: Proxy
) -> None:
    with installed(lab, box, run, proxy, box.socket) as gate:
        assert can_connect(gate.sweeper, gate.address)
        assert not can_connect(gate.sweeper, box.socket)
        assert not can_connect("nobody", gate.address)
        words = ssh(box, lab, gate)
        for forward in (["-R", "0:127.0.0.1:1"], ["-R", f"{own}/r.sock:{own}/l.sock"]):
            done = subprocess.run([*words, "-N", *forward], check=False, capture_output=True, text=True, timeout=30)
            assert "remote port forwarding failed" in done.stderr
        for command in ([*words[:-1], "-W", f"127.0.0.1:{box.port}", words[-1]], [*words, "id"]):
            done = subprocess.run(
                command, check=False, capture_output=True, text=True, timeout=30, stdin=subprocess.DEVNULL
            )
            assert done.returncode != 0
            assert "prohibited" in done.stderr or "not available" in done.stdout
        with stolen(box, lab, gate, own, box.socket) as client, pytest.raises(requests.exceptions.ConnectionError):
            client.ping()
        assert f"connect to path {box.socket}, but the request was denied" in box.sshd_log


@pytest.mark.parametrize("proxy", Proxy)
def test_podmans_own_api_is_swept_through_the_gate(lab: Lab, box: Box, run: Run, own: Path, proxy: Proxy) -> None:
    with Podman(box.directory / "p") as podman:
        podman.import_image("molecule-local/workspace-template-x:1")
        podman.run("leak", "localhost/molecule-local/workspace-template-x:1")
        shutil.chown(podman.socket, group="docker")
        podman.socket.chmod(0o660)
        podman.directory.chmod(0o711)
        with installed(lab, box, run, proxy, podman.socket, "--podman") as gate:
            words = [*inventory(lab, box, gate, own), "--max-age", "2s", "--job-timeout", "1s"]
            wait_for(lambda: json.loads(run("audit", *words).stdout)["totals"]["stale"] == 1, "the leak growing old")
            done = run("sweep", *words, "--yes")
            assert done.returncode == 0, done.stdout + done.stderr
        assert podman.names() == set()


def test_an_sshd_without_tcp_forwarding_opens_no_socket_either(lab: Lab, box: Box) -> None:
    with account(box, group_of_socket=True) as who, sshd_with(box, "AllowTcpForwarding no"):
        assert via(host(lab, box, who)) == "dial-stdio"


def test_the_unit_is_one_that_systemd_reads(tmp_path: Path) -> None:
    path = tmp_path / "fleetsweep-gate.service"
    path.write_text(block("[Unit]"))
    done = subprocess.run(["systemd-analyze", "verify", str(path)], check=False, capture_output=True, text=True)
    assert [line for line in (done.stdout + done.stderr).splitlines() if "fleetsweep-gate" in line] == []


def test_the_page_installs_packages_that_the_tests_have() -> None:
    (package,) = re.findall(r"^apt-get install -y (\S+)$", block("apt-get"), re.MULTILINE)
    (other,) = re.findall(r"For nginx, install `(\S+)`", SECTION)
    assert {package, other} <= set(TEST_PACKAGES)

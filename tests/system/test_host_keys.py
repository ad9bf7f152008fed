"""Host keys against real sshds: what is refused before login, and what accept-new writes."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from fleetsweep.errors import Phase
from fleetsweep.model.survey import Fault
from fleetsweep.ssh import SshOptions, Trust
from fleetsweep.ssh.diagnosis import command_for
from tests.lab.box import Box
from tests.lab.process import wait_for
from tests.lab.ssh_boxes import SshBoxes, make_key, own_threads


@pytest.fixture(scope="module")
def all_boxes() -> Iterator[SshBoxes]:
    with SshBoxes(3) as started:
        yield started


@pytest.fixture
def boxes(all_boxes: SshBoxes) -> Iterator[SshBoxes]:
    for number in range(3):
        all_boxes.restart(number)
    all_boxes.known_hosts.unlink(missing_ok=True)
    all_boxes.trust_all()
    yield all_boxes
    wait_for(lambda: own_threads() == set(), "the threads ending", 10)


def key_of(box: Box, name: str = "host_key") -> str:
    return " ".join((box.directory / f"{name}.pub").read_text().split()[:2])


def fingerprint(path: Path) -> str:
    done = subprocess.run(["ssh-keygen", "-lf", str(path)], check=True, capture_output=True, text=True)
    return done.stdout.split()[1]


def spelled(box: Box) -> str:
    return f"[127.0.0.1]:{box.port}"


def fault(boxes: SshBoxes, known_hosts: str, **ssh: Any) -> Fault:  # noqa: ANN401
    """Why box 0 is lost under such a known_hosts. Nobody was asked to log in."""
    boxes.known_hosts.write_text(known_hosts)
    before = len(boxes.boxes[0].sshd_log)
    found = boxes.survey([boxes.host(0), boxes.host(1)], **ssh)
    told = found.fault("b0")
    assert told.phase is Phase.HOST_KEY
    assert "publickey" not in boxes.boxes[0].sshd_log[before:]
    return told


def swept(boxes: SshBoxes, known_hosts: str | bytes, **ssh: Any) -> None:  # noqa: ANN401
    """Box 0 is reached under such a known_hosts."""
    boxes.known_hosts.write_bytes(known_hosts if isinstance(known_hosts, bytes) else known_hosts.encode())
    found = boxes.survey([boxes.host(0)], **ssh)
    assert set(found.surveys) == {"b0"}, found.faults


def test_an_unknown_key_is_refused_before_anybody_logs_in(boxes: SshBoxes) -> None:
    box = boxes.boxes[0]
    told = fault(boxes, "")
    assert told.kind == "unknown"
    assert fingerprint(box.directory / "host_key.pub") in told.message
    assert told.remedy.endswith(f"ssh-keyscan -p {box.port} 127.0.0.1 >> {boxes.known_hosts}")


@pytest.mark.parametrize("trust", [Trust.STRICT, Trust.ACCEPT_NEW])
def test_a_changed_key_is_refused_with_both_fingerprints_whatever_is_asked_for(boxes: SshBoxes, trust: Trust) -> None:
    box = boxes.boxes[0]
    text = f"{spelled(box)} {key_of(boxes.boxes[1])}\n{boxes.boxes[1].known_hosts_line}"
    told = fault(boxes, text, host_key=trust)
    assert told.kind == "changed"
    assert fingerprint(box.directory / "host_key.pub") in told.message
    assert fingerprint(boxes.boxes[1].directory / "host_key.pub") in told.message
    assert f"{boxes.known_hosts}:1" in told.message
    assert f"ssh-keygen -R '{spelled(box)}' -f {boxes.known_hosts}" in told.remedy
    assert boxes.known_hosts.read_text() == text


@pytest.mark.parametrize("home", ["home", "home with a 'quote'"])
@pytest.mark.parametrize("known_hosts", ["~/.ssh/known_hosts", "~/no such/known hosts"])
def test_the_remedies_can_be_pasted_where_the_file_is_named_by_a_tilde(
    boxes: SshBoxes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, home: str, known_hosts: str
) -> None:
    """Nor is the directory there: the account is new."""
    (tmp_path / home).mkdir()
    monkeypatch.setenv("HOME", str(tmp_path / home))
    asked = SshOptions(known_hosts=(known_hosts,), ssh_config=str(boxes.ssh_config))
    host = boxes.host(0)
    for spoil in ("", f"{spelled(boxes.boxes[0])} {key_of(boxes.boxes[1])}\n"):
        file = Path(known_hosts).expanduser()
        for by_doctor in (True, False):
            if file.exists() or spoil:
                file.write_text(spoil)
            told = boxes.survey([host], known_hosts=(known_hosts,)).fault("b0")
            commands = re.split("[,;] then(?: add its new key)?: ", told.remedy)
            commands[0] = commands[0].removeprefix("if the box was rebuilt: ")
            if by_doctor:
                commands = [command_for(host, asked, told, None), *commands[1:] * bool(spoil)]
            for command in commands:
                if command != "compare the key on the box":
                    subprocess.run(["/bin/sh", "-c", command], check=True, capture_output=True, cwd=tmp_path)
            assert set(boxes.survey([host], known_hosts=(known_hosts,)).surveys) == {"b0"}, commands
    assert {path.name for path in tmp_path.iterdir()} == {home}


def test_the_remedy_for_a_changed_key_takes_it_out_of_the_file_that_has_it(boxes: SshBoxes, tmp_path: Path) -> None:
    second = tmp_path / "second"
    second.write_text(f"{spelled(boxes.boxes[0])} {key_of(boxes.boxes[1])}\n")
    boxes.known_hosts.write_text("")
    files = (str(boxes.known_hosts), str(second))
    told = boxes.survey([boxes.host(0)], known_hosts=files).fault("b0")
    remove, add = told.remedy.removeprefix("if the box was rebuilt: ").split("; then add its new key: ")
    for command in (remove, add):
        subprocess.run(["/bin/sh", "-c", command], check=True, capture_output=True)
    assert set(boxes.survey([boxes.host(0)], known_hosts=files).surveys) == {"b0"}


def test_the_remedy_for_a_changed_key_mends_it(boxes: SshBoxes) -> None:
    box = boxes.boxes[0]
    told = fault(boxes, f"{spelled(box)} {key_of(boxes.boxes[1])}\n")
    remove, add = told.remedy.removeprefix("if the box was rebuilt: ").split("; then add its new key: ")
    for command in (remove, add):
        subprocess.run(["/bin/sh", "-c", command], check=True, capture_output=True)
    assert set(boxes.survey([boxes.host(0)]).surveys) == {"b0"}


@pytest.mark.parametrize("trust", [Trust.STRICT, Trust.ACCEPT_NEW])
def test_a_revoked_key_is_refused_even_where_it_is_known(boxes: SshBoxes, trust: Trust) -> None:
    box = boxes.boxes[0]
    told = fault(boxes, f"{box.known_hosts_line}@revoked * {key_of(box)}\n", host_key=trust)
    assert told.kind == "revoked"
    assert f"{boxes.known_hosts}:2" in told.message


def hashed(name: str) -> str:
    salt = os.urandom(20)
    digest = hmac.new(salt, name.encode(), hashlib.sha1).digest()
    return f"|1|{base64.b64encode(salt).decode()}|{base64.b64encode(digest).decode()}"


@pytest.mark.parametrize(
    "pattern",
    ["[127.0.0.1]:{port}", "[127.0.0.*]:{port}", "[127.0.0.?]:*", "*", "other,[127.0.0.1]:{port}", "127.0.0.1", "HASH"],
)
def test_every_way_to_write_a_host_down_is_understood(boxes: SshBoxes, pattern: str) -> None:
    box = boxes.boxes[0]
    written = hashed(spelled(box)) if pattern == "HASH" else pattern.format(port=box.port)
    swept(boxes, f"{written} {key_of(box)}\n")


def test_junk_never_voids_a_file(boxes: SshBoxes) -> None:
    box = boxes.boxes[0]
    junk = [
        b"\0\0\0\0",
        b"\xff\xfe bad utf-8 \x80",
        spelled(box).encode() + b" ssh-ed25519 !!!not base64!!!",
        spelled(box).encode() + b" ssh-ed25519 AAAA",
        spelled(box).encode() + b"\0 ssh-ed25519",
        b"@odd " + spelled(box).encode() + b" " + key_of(box).encode(),
        b"|1|only-half ssh-ed25519 AAAA",
        spelled(box).encode() + b" 2048 65537 1234567890",
        b"x" * 1_000_000,
        spelled(box).encode() + b" ssh-ed25519 " + b"A" * 1_000_000,
        b"  # " + spelled(box).encode(),
        b"\t",
    ]
    swept(boxes, b"\n".join([*junk, box.known_hosts_line.rstrip().encode() + b"  a comment\r"]))


def test_of_two_keys_of_one_type_either_is_the_hosts(boxes: SshBoxes) -> None:
    box, other = boxes.boxes[0], boxes.boxes[1]
    swept(boxes, f"{spelled(box)} {key_of(other)}\n{spelled(box)} {key_of(box)}\n")


def test_a_server_with_several_keys_is_asked_for_one_that_is_known(boxes: SshBoxes) -> None:
    box = boxes.boxes[0]
    for kind in ("rsa", "ecdsa"):
        path = box.directory / f"host_{kind}"
        if not path.exists():
            make_key(path, kind=kind)
    boxes.restart(0, *(f"HostKey {box.directory}/host_{kind}" for kind in ("rsa", "ecdsa")))
    for kind in ("rsa", "ecdsa"):
        swept(boxes, f"{spelled(box)} {key_of(box, f'host_{kind}')}\n")
        swept(boxes, f"127.0.0.1 {key_of(box, f'host_{kind}')}\n")


def test_a_host_key_alias_is_what_known_hosts_is_asked_for(boxes: SshBoxes) -> None:
    box = boxes.boxes[0]
    config = str(boxes.configure("HostKeyAlias runner-seven\n"))
    swept(boxes, f"runner-seven {key_of(box)}\n", ssh_config=config)
    assert "sed 's|^[^# ]*|runner-seven|'" in fault(boxes, box.known_hosts_line, ssh_config=config).remedy


def test_a_known_hosts_that_cannot_be_read_is_reported(boxes: SshBoxes) -> None:
    told = boxes.survey([boxes.host(0)], known_hosts=(str(boxes.directory),)).fault("b0")
    assert (told.phase, told.kind) == (Phase.HOST_KEY, "known-hosts")


# accept-new


def test_accept_new_writes_one_line_for_each_new_host_and_each_only_once(boxes: SshBoxes) -> None:
    boxes.known_hosts.write_text("# mine\n")
    hosts = [boxes.host(number % 3, f"h{number}") for number in range(30)]
    for _ in range(2):
        found = boxes.survey(hosts, host_key=Trust.ACCEPT_NEW)
        assert len(found.surveys) == 30, found.faults
        first, *lines = boxes.known_hosts.read_text().splitlines(keepends=True)
        assert first == "# mine\n"
        assert sorted(lines) == sorted(box.known_hosts_line for box in boxes.boxes)
    # What was written is what a strict run asks for.
    assert len(boxes.survey(hosts).surveys) == 30


def test_two_controllers_at_once_write_each_line_once(boxes: SshBoxes) -> None:
    boxes.known_hosts.unlink()
    inventory = boxes.directory / "inventory.yml"
    hosts = {
        f"h{number}": {
            "ansible_host": "127.0.0.1",
            "ansible_port": box.port,
            "ansible_user": "root",
            "ansible_ssh_private_key_file": str(boxes.key),
            "fleetsweep_engine": f"unix://{box.socket}",
        }
        for number, box in enumerate(boxes.boxes * 4)
    }
    inventory.write_text(json.dumps({"all": {"hosts": hosts}}))
    command = [sys.executable, "-m", "fleetsweep", "audit", "-i", str(inventory), "--host-key", "accept-new"]
    command += ["--known-hosts", str(boxes.known_hosts), "--ssh-config", str(boxes.ssh_config), "-q"]
    command += ["--state-dir", str(boxes.directory / "state")]
    running = [subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) for _ in range(3)]
    said = [process.communicate(timeout=60)[0] for process in running]
    # Twelve names for three engines: the other nine are guarded, so 4.
    assert [process.returncode for process in running] == [4, 4, 4], said
    assert sorted(boxes.known_hosts.read_text().splitlines(keepends=True)) == sorted(
        box.known_hosts_line for box in boxes.boxes
    )


def test_a_last_line_without_its_end_stays_a_line_of_its_own(boxes: SshBoxes) -> None:
    box = boxes.boxes[0]
    boxes.known_hosts.write_text("other ssh-ed25519 AAAA")
    assert set(boxes.survey([boxes.host(0)], host_key=Trust.ACCEPT_NEW).surveys) == {"b0"}
    assert boxes.known_hosts.read_text() == f"other ssh-ed25519 AAAA\n{box.known_hosts_line}"


def test_a_directory_that_is_not_there_is_made_for_its_owner_alone(boxes: SshBoxes) -> None:
    file = boxes.directory / "home" / ".ssh" / "known_hosts"
    found = boxes.survey([boxes.host(0)], host_key=Trust.ACCEPT_NEW, known_hosts=(str(file),))
    assert set(found.surveys) == {"b0"}
    assert file.read_text() == boxes.boxes[0].known_hosts_line
    assert (file.stat().st_mode & 0o777, file.parent.stat().st_mode & 0o777) == (0o600, 0o700)


def test_a_key_that_cannot_be_kept_is_not_accepted(boxes: SshBoxes) -> None:
    # Root may write what is marked as read-only: /proc has a file that nobody can.
    told = boxes.survey(
        [boxes.host(0)], host_key=Trust.ACCEPT_NEW, known_hosts=("/proc/version", str(boxes.known_hosts))
    )
    assert set(told.surveys) == {"b0"}
    refused = boxes.survey([boxes.host(0)], host_key=Trust.ACCEPT_NEW, known_hosts=("/proc/version",)).fault("b0")
    assert (refused.phase, refused.kind) == (Phase.HOST_KEY, "known-hosts")
    assert "can't be saved" in refused.message
    assert "/proc/version" in refused.remedy


def test_the_configuration_may_ask_for_accept_new_and_a_flag_takes_it_back(boxes: SshBoxes) -> None:
    config = str(boxes.configure("StrictHostKeyChecking accept-new\n"))
    assert fault(boxes, "", ssh_config=config, host_key=Trust.STRICT).kind == "unknown"
    swept(boxes, "", ssh_config=config)
    assert boxes.known_hosts.read_text() == boxes.boxes[0].known_hosts_line


# Files that one host names


def test_a_pipe_for_one_hosts_known_hosts_costs_that_host_alone(boxes: SshBoxes) -> None:
    pipe = boxes.directory / "pipe"
    os.mkfifo(pipe)
    try:
        hosts = [boxes.host(0, "odd", known_hosts=str(pipe)), *(boxes.host(number) for number in range(3))]
        # None of its own for the others: what one host names goes before the flag's.
        config = boxes.configure(f"UserKnownHostsFile {boxes.known_hosts}\n")
        found = boxes.survey(hosts, known_hosts=None, ssh_config=str(config))
    finally:
        pipe.unlink()
    assert set(found.surveys) == {"b0", "b1", "b2"}
    odd = found.fault("odd")
    assert (odd.phase, odd.kind) == (Phase.HOST_KEY, "known-hosts")
    assert f"{pipe}: is not a regular file" in odd.message

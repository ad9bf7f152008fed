"""Servers with few algorithms, unusual greetings and unusual rules for the log-in, all of them real sshds."""

from __future__ import annotations

import contextlib
import re
import socket
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_private_key

from fleetsweep.errors import Phase
from tests.lab.process import wait_for
from tests.lab.ssh_agents import ssh_agent
from tests.lab.ssh_boxes import SshBoxes, logins, make_key, own_threads


@pytest.fixture(scope="module")
def all_boxes() -> Iterator[SshBoxes]:
    with SshBoxes(1) as started:
        yield started


@pytest.fixture
def boxes(all_boxes: SshBoxes, monkeypatch: pytest.MonkeyPatch) -> Iterator[SshBoxes]:
    monkeypatch.delenv("SSH_AUTH_SOCK", raising=False)
    all_boxes.restart(0)
    all_boxes.trust_all()
    public = all_boxes.key.with_name("id.pub")
    before = public.read_text()
    yield all_boxes
    public.write_text(before)
    wait_for(lambda: own_threads() == set(), "the threads ending", 10)


def ssh_version() -> tuple[int, int]:
    shown = subprocess.run(["ssh", "-V"], check=True, capture_output=True, text=True).stderr
    found = re.search(r"OpenSSH_(\d+)\.(\d+)", shown)
    assert found is not None
    return int(found[1]), int(found[2])


def public_line(key: Path) -> str:
    """Return the line of authorized_keys for a private key."""
    loaded = load_pem_private_key(key.read_bytes(), None)
    return loaded.public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode()


def authorize(boxes: SshBoxes, *lines: str) -> None:
    """Authorize these keys alone."""
    boxes.key.with_name("id.pub").write_text("".join(lines))


def ssh_logs_in(boxes: SshBoxes, *words: str, port: int | None = None) -> bool:
    """Return whether ssh(1) logs in to box 0."""
    box = boxes.boxes[0]
    options = ["-F", "none", "-o", "BatchMode=yes", "-o", "IdentityAgent=none", "-o", "IdentitiesOnly=yes"]
    options += ["-o", f"UserKnownHostsFile={boxes.known_hosts}", "-o", f"HostKeyAlias=[127.0.0.1]:{box.port}"]
    command = ["ssh", *options, *(words or ["-i", str(boxes.key)]), "-p", str(port or box.port), "root@127.0.0.1"]
    return subprocess.run([*command, "true"], check=False, capture_output=True, timeout=30).returncode == 0


# Algorithms


@pytest.mark.parametrize(
    "lines",
    [
        ["KexAlgorithms curve25519-sha256"],
        ["KexAlgorithms curve25519-sha256@libssh.org"],
        ["MACs umac-128-etm@openssh.com", "Ciphers aes128-ctr,aes256-gcm@openssh.com"],
        ["Ciphers chacha20-poly1305@openssh.com,aes256-gcm@openssh.com"],
    ],
)
def test_a_server_with_a_common_algorithm_is_reached(boxes: SshBoxes, lines: list[str]) -> None:
    boxes.restart(0, *lines)
    found = boxes.survey([boxes.host(0)])
    assert set(found.surveys) == {"b0"}, found.faults
    assert ssh_logs_in(boxes)


@pytest.mark.parametrize(
    ("lines", "message", "remedy"),
    [
        (
            ["KexAlgorithms sntrup761x25519-sha512@openssh.com"],
            "no key exchange algorithm in common: the box offers sntrup761x25519-sha512@openssh.com; fleetsweep has ",
            "KexAlgorithms curve25519-sha256@libssh.org",
        ),
        (
            ["Ciphers chacha20-poly1305@openssh.com"],
            "no cipher algorithm in common: the box offers chacha20-poly1305@openssh.com; fleetsweep has ",
            "Ciphers aes256-gcm@openssh.com",
        ),
        (
            ["MACs umac-128-etm@openssh.com,umac-64@openssh.com", "Ciphers aes128-ctr"],
            "no MAC algorithm in common: the box offers umac-128-etm@openssh.com, umac-64@openssh.com; fleetsweep has ",
            "MACs hmac-sha2-256-etm@openssh.com",
        ),
    ],
)
def test_what_fleetsweep_lacks_is_reported_as_its_own_lack(
    boxes: SshBoxes, lines: list[str], message: str, remedy: str
) -> None:
    boxes.restart(0, *lines)
    fault = boxes.survey([boxes.host(0)]).fault("b0")
    assert (fault.phase, fault.kind) == (Phase.CONNECT, "incompatible")
    assert message in fault.message
    assert fault.remedy == f"fleetsweep lacks what the box offers; add to that list in its sshd_config: {remedy}"
    assert ssh_logs_in(boxes)


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        (
            ["KexAlgorithms diffie-hellman-group1-sha1,diffie-hellman-group14-sha1"],
            "no key exchange algorithm in common: the box offers diffie-hellman-group1-sha1, "
            "diffie-hellman-group14-sha1; fleetsweep has ",
        ),
        (
            ["HostKey {rsa}", "HostKeyAlgorithms ssh-rsa"],
            "no host key algorithm in common: the box offers ssh-rsa; fleetsweep has ",
        ),
    ],
)
def test_a_server_with_sha1_only_is_refused_with_both_lists(boxes: SshBoxes, lines: list[str], message: str) -> None:
    rsa = boxes.directory / "host_rsa"
    if not rsa.exists():
        make_key(rsa, kind="rsa")
    boxes.restart(0, *(line.format(rsa=rsa) for line in lines))
    fault = boxes.survey([boxes.host(0)]).fault("b0")
    assert (fault.phase, fault.kind) == (Phase.CONNECT, "incompatible")
    assert message in fault.message
    assert fault.remedy == "update sshd on the box: it offers only algorithms that are no longer safe"
    assert not ssh_logs_in(boxes)


def test_a_host_key_that_the_configuration_forbids_is_reported_as_such(boxes: SshBoxes) -> None:
    config = str(boxes.configure("HostKeyAlgorithms rsa-sha2-512\n"))
    fault = boxes.survey([boxes.host(0)], ssh_config=config).fault("b0")
    assert (fault.phase, fault.kind) == (Phase.CONNECT, "incompatible")
    assert "the box offers ssh-ed25519; fleetsweep may use rsa-sha2-512" in fault.message
    assert fault.remedy == "the box has ssh-ed25519: allow one in HostKeyAlgorithms of the SSH configuration"
    assert not ssh_logs_in(boxes, "-i", str(boxes.key), "-o", "HostKeyAlgorithms=rsa-sha2-512")


# Greetings


@contextmanager
def greeting(boxes: SshBoxes, text: bytes) -> Iterator[int]:
    """Send ``text`` before what box 0's sshd sends. Yields the port."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def pump(source: socket.socket, sink: socket.socket) -> None:
            with contextlib.suppress(OSError):
                while data := source.recv(65536):
                    sink.sendall(data)
            with contextlib.suppress(OSError):
                sink.shutdown(socket.SHUT_WR)

        def serve() -> None:
            while True:
                try:
                    client, _ = listener.accept()
                except OSError:
                    return
                with client, socket.create_connection(("127.0.0.1", boxes.boxes[0].port)) as server:
                    try:
                        client.sendall(text)
                    except OSError:
                        continue
                    up = threading.Thread(target=pump, args=(client, server), daemon=True)
                    up.start()
                    pump(server, client)
                    up.join(10)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        try:
            yield int(listener.getsockname()[1])
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            thread.join(10)


@pytest.mark.parametrize(
    "text",
    [b"welcome\r\n" * 500, b"\xa1Hola, se\xf1or!\r\n", b"\r\n", b"no carriage return\n" * 101, b"x" * 8000 + b"\r\n"],
    ids=["500 lines", "Latin 1", "an empty line", "101 lines", "a long line"],
)
def test_a_greeting_of_any_lines_is_skipped(boxes: SshBoxes, text: bytes) -> None:
    config = str(boxes.configure(f"HostKeyAlias [127.0.0.1]:{boxes.boxes[0].port}\n"))
    with greeting(boxes, text) as port:
        found = boxes.survey([boxes.host(0, port=port)], ssh_config=config)
        assert set(found.surveys) == {"b0"}, found.faults
        assert ssh_logs_in(boxes, port=port)


def test_a_greeting_without_end_is_bounded(boxes: SshBoxes) -> None:
    with greeting(boxes, b"welcome\r\n" * 10_000) as port:
        fault = boxes.survey([boxes.host(0, port=port)]).fault("b0")
        assert not ssh_logs_in(boxes, port=port)
    assert (fault.phase, fault.kind) == (Phase.CONNECT, "not-ssh")


# Rules for the log-in


def test_a_server_that_accepts_rsa_keys_with_sha1_only_is_reported(boxes: SshBoxes, tmp_path: Path) -> None:
    key = make_key(tmp_path / "rsa", kind="rsa")
    authorize(boxes, key.with_name("rsa.pub").read_text())
    boxes.restart(0, "PubkeyAcceptedAlgorithms ssh-rsa")
    fault = boxes.survey([boxes.host(0, key_file=str(key))]).fault("b0")
    assert (fault.phase, fault.kind) == (Phase.AUTH, "denied")


def test_a_server_that_requires_more_than_a_key_is_reported(boxes: SshBoxes) -> None:
    boxes.restart(0, "KbdInteractiveAuthentication yes", "AuthenticationMethods publickey,keyboard-interactive")
    fault = boxes.survey([boxes.host(0)]).fault("b0")
    assert (fault.phase, fault.kind) == (Phase.AUTH, "denied")
    assert "keyboard-interactive" in fault.message
    assert "AuthenticationMethods" in fault.remedy


def test_a_server_that_accepts_no_keys_is_reported(boxes: SshBoxes) -> None:
    boxes.restart(0, "PubkeyAuthentication no", "KbdInteractiveAuthentication yes")
    fault = boxes.survey([boxes.host(0)]).fault("b0")
    assert (fault.phase, fault.kind) == (Phase.AUTH, "denied")
    assert "accepts no keys" in fault.message


def test_two_keys_after_each_other_log_in(boxes: SshBoxes, tmp_path: Path) -> None:
    keys = [make_key(tmp_path / name) for name in ("one", "two")]
    other = make_key(tmp_path / "other", kind="ecdsa")
    authorize(boxes, *(key.with_name(f"{key.name}.pub").read_text() for key in keys))
    required = "AuthenticationMethods publickey,publickey"
    boxes.restart(0, required)
    names = [keys[0], other, keys[1]]
    config = str(boxes.configure("".join(f"IdentityFile {name}\n" for name in names)))
    found = boxes.survey([boxes.host(0, key_file=None)], ssh_config=config)
    assert set(found.surveys) == {"b0"}, found.faults
    log = boxes.boxes[0].sshd_log
    assert (log.count("Partial publickey"), log.count("Failed publickey"), logins(boxes.boxes[0])) == (1, 1, 1)
    assert ssh_logs_in(boxes, *(word for name in names for word in ("-i", str(name))))
    with ssh_agent(tmp_path / "agent", *names) as address, pytest.MonkeyPatch.context() as patch:
        patch.setenv("SSH_AUTH_SOCK", address)
        assert set(boxes.survey([boxes.host(0, key_file=None)]).surveys) == {"b0"}


def test_one_key_with_and_without_its_certificate_does_not_count_as_two(boxes: SshBoxes, tmp_path: Path) -> None:
    key, authority = make_key(tmp_path / "key"), make_key(tmp_path / "authority")
    authorize(boxes, key.with_name("key.pub").read_text())
    subprocess.run(["ssh-keygen", "-q", "-s", str(authority), "-I", "me", "-n", "root", f"{key}.pub"], check=True)
    boxes.restart(0, "AuthenticationMethods publickey,publickey", f"TrustedUserCAKeys {authority}.pub")
    fault = boxes.survey([boxes.host(0, key_file=str(key))]).fault("b0")
    assert (fault.phase, fault.kind) == (Phase.AUTH, "denied")
    assert "accepted the key ssh-ed25519-cert-v01@openssh.com SHA256:" in fault.message
    assert "also requires another one" in fault.message
    assert "one IdentityFile line each" in fault.remedy
    assert not ssh_logs_in(boxes, "-i", str(key))


# Formats of keys


@pytest.mark.parametrize(
    ("options", "text", "ssh_since"),
    [
        ("-algorithm RSA -pkeyopt rsa_keygen_bits:2048", "", (0, 0)),
        ("-algorithm EC -pkeyopt ec_paramgen_curve:P-256", "", (0, 0)),
        ("-algorithm EC -pkeyopt ec_paramgen_curve:P-521", "Bag Attributes\n    localKeyID: 54 69\n", (0, 0)),
        ("-algorithm ED25519", "", (9, 6)),
        ("-algorithm ED25519", "the runners' key\r\n\r\n", (9, 6)),
    ],
)
def test_a_key_of_openssls_is_used(
    boxes: SshBoxes, tmp_path: Path, options: str, text: str, ssh_since: tuple[int, int]
) -> None:
    key = tmp_path / "key"
    made = subprocess.run(["openssl", "genpkey", *options.split()], check=True, capture_output=True, text=True).stdout
    key.write_text(text + made)
    key.chmod(0o600)
    authorize(boxes, f"{public_line(key)}\n")
    found = boxes.survey([boxes.host(0, key_file=str(key))])
    assert set(found.surveys) == {"b0"}, found.faults
    if ssh_version() >= ssh_since:
        assert ssh_logs_in(boxes, "-i", str(key))


@pytest.mark.parametrize("kind", ["rsa", "ecdsa", "ed25519"])
@pytest.mark.parametrize("form", ["RFC4716", "PEM", "PKCS8"])
def test_text_before_a_key_is_skipped(boxes: SshBoxes, tmp_path: Path, kind: str, form: str) -> None:
    key = make_key(tmp_path / "key", "-m", form, kind=kind)
    authorize(boxes, key.with_name("key.pub").read_text())
    key.write_text("Made by: the operators\nKey-Of: runners\n\n" + key.read_text() + "and text after it\n")
    found = boxes.survey([boxes.host(0, key_file=str(key))])
    assert set(found.surveys) == {"b0"}, found.faults
    # ssh skips text in PEM files alone.
    key.with_name("key.pub").unlink()
    assert ssh_logs_in(boxes, "-i", str(key)) is ("OPENSSH" not in key.read_text())


def test_an_encrypted_key_of_openssls_is_reported_with_the_remedy(boxes: SshBoxes, tmp_path: Path) -> None:
    key = tmp_path / "key"
    words = ["openssl", "genpkey", "-algorithm", "ED25519", "-aes-256-cbc", "-pass", "pass:secret", "-out", str(key)]
    subprocess.run(words, check=True, capture_output=True)
    fault = boxes.survey([boxes.host(0, key_file=str(key))]).fault("b0")
    assert (fault.kind, fault.message, fault.remedy) == ("key-file", f"key file {key} is encrypted", f"ssh-add {key}")

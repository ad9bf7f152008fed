"""Which keys a real sshd is offered, and which problems are reported before it is contacted."""

from __future__ import annotations

import os
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from fleetsweep.errors import Phase
from fleetsweep.model.survey import Fault
from tests.lab.process import wait_for
from tests.lab.ssh_agents import TokenAgent, ssh_agent
from tests.lab.ssh_boxes import SshBoxes, logins, make_key, own_threads, tries


@pytest.fixture(scope="module")
def all_boxes() -> Iterator[SshBoxes]:
    with SshBoxes(2) as started:
        yield started


@pytest.fixture
def boxes(all_boxes: SshBoxes, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[SshBoxes]:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("SSH_AUTH_SOCK", raising=False)
    (tmp_path / ".ssh").mkdir()
    for number in range(2):
        all_boxes.restart(number)
    all_boxes.trust_all()
    public = all_boxes.key.with_name("id.pub")
    before = public.read_text()
    yield all_boxes
    public.write_text(before)
    wait_for(lambda: own_threads() == set(), "the threads ending", 10)


@pytest.fixture(scope="module")
def many(all_boxes: SshBoxes) -> list[Path]:
    """Twenty keys that no box accepts."""
    return [make_key(all_boxes.directory / f"other{number}") for number in range(20)]


def authorize(boxes: SshBoxes, *lines: str) -> None:
    """Authorize these keys alone."""
    boxes.key.with_name("id.pub").write_text("".join(lines))


def use_agent(monkeypatch: pytest.MonkeyPatch, address: str) -> None:
    monkeypatch.setenv("SSH_AUTH_SOCK", address)


def swept(boxes: SshBoxes, key_file: Path | None) -> None:
    found = boxes.survey([boxes.host(0, key_file=str(key_file) if key_file else None)])
    assert set(found.surveys) == {"b0"}, found.faults


def fault_before_any_connection(boxes: SshBoxes, key_file: Path | None, ssh_config: str = "") -> Fault:
    """Return the fault of box 0: nothing connected to its port, and box 1 was surveyed."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        lost = boxes.host(0, key_file=str(key_file) if key_file else None, port=port, user="somebody")
        found = boxes.survey([lost, boxes.host(1)], ssh_config=ssh_config or str(boxes.ssh_config))
        listener.setblocking(False)
        with pytest.raises(BlockingIOError):
            listener.accept()
    assert set(found.surveys) == {"b1"}
    fault = found.fault("b0")
    assert fault.phase is Phase.AUTH
    return fault


def test_with_twenty_keys_in_the_agent_only_the_configured_one_is_offered(
    boxes: SshBoxes, many: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    with ssh_agent(boxes.directory / "a1", *many) as address:
        use_agent(monkeypatch, address)
        swept(boxes, boxes.key)
    assert tries(boxes.boxes[0]) == 1


def test_a_configured_key_that_is_refused_is_not_followed_by_another(
    boxes: SshBoxes, many: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    with ssh_agent(boxes.directory / "a2", boxes.key) as address:
        use_agent(monkeypatch, address)
        fault = boxes.survey([boxes.host(0, key_file=str(many[0]))]).fault("b0")
    assert (fault.phase, fault.kind) == (Phase.AUTH, "denied")
    assert str(many[0]) in fault.message
    listed = subprocess.run(["ssh-keygen", "-lf", f"{many[0]}.pub"], check=True, capture_output=True, text=True)
    assert listed.stdout.split()[1] in fault.message
    assert (tries(boxes.boxes[0]), logins(boxes.boxes[0])) == (1, 0)


def test_several_configured_keys_are_offered_in_their_order(boxes: SshBoxes, many: list[Path]) -> None:
    files = [boxes.directory / "none", many[0], many[1], boxes.key, many[2]]
    config = str(boxes.configure("".join(f"IdentityFile {file}\n" for file in files)))
    found = boxes.survey([boxes.host(0, key_file=None)], ssh_config=config)
    assert set(found.surveys) == {"b0"}, found.faults
    assert (tries(boxes.boxes[0]), logins(boxes.boxes[0])) == (3, 1)


def test_without_a_configured_key_the_agents_is_offered(boxes: SshBoxes, monkeypatch: pytest.MonkeyPatch) -> None:
    with ssh_agent(boxes.directory / "a3", boxes.key) as address:
        use_agent(monkeypatch, address)
        swept(boxes, None)


def test_too_many_keys_of_an_agent_are_reported_with_the_fix(
    boxes: SshBoxes, many: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    with ssh_agent(boxes.directory / "a4", *many, boxes.key) as address:
        use_agent(monkeypatch, address)
        fault = boxes.survey([boxes.host(0, key_file=None)]).fault("b0")
    assert (fault.phase, fault.kind) == (Phase.AUTH, "denied")
    assert "MaxAuthTries" in fault.message
    assert "--private-key" in fault.remedy


@pytest.mark.parametrize("kind", ["rsa", "ecdsa", "ed25519"])
def test_without_an_agent_the_default_files_are_offered(boxes: SshBoxes, kind: str) -> None:
    key = make_key(Path(os.environ["HOME"]) / ".ssh" / f"id_{kind}", kind=kind)
    authorize(boxes, key.with_name(f"{key.name}.pub").read_text())
    swept(boxes, None)
    assert tries(boxes.boxes[0]) == 1


def test_having_no_key_is_reported_before_any_connection(boxes: SshBoxes) -> None:
    make_key(Path(os.environ["HOME"]) / ".ssh" / "id_ed25519", phrase="secret")
    fault = fault_before_any_connection(boxes, None)
    assert fault.kind == "no-key"
    assert "SSH_AUTH_SOCK is not set" in fault.message
    assert "id_ed25519 is encrypted" in fault.message


def test_an_agent_that_does_not_respond_is_abandoned(
    boxes: SshBoxes, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("fleetsweep.ssh.identities.AGENT_TIMEOUT_S", 0.5)
    with socket.socket(socket.AF_UNIX) as silent:
        silent.bind(str(tmp_path / "s"))
        silent.listen()
        use_agent(monkeypatch, str(tmp_path / "s"))
        fault = fault_before_any_connection(boxes, None)
    assert (fault.kind, "does not respond" in fault.message) == ("no-key", True)


# Key files


@pytest.mark.parametrize(
    ("content", "what", "remedy"),
    [
        (None, "does not exist", "check the name"),
        (b"", "is empty", "name another"),
        (b"PuTTY-User-Key-File-3: ssh-ed25519\nEncryption: none\n", "is a PuTTY key", "puttygen"),
        (b"-----BEGIN OPENSSH PRIVATE KEY-----\nAAAA\n-----END OPENSSH PRIVATE KEY-----\n", "not a usable", "name the"),
        (b"\0\xff" * 100, "not a usable", "name the private key"),
    ],
)
def test_a_key_file_without_a_key_is_reported_before_any_connection(
    boxes: SshBoxes, tmp_path: Path, content: bytes | None, what: str, remedy: str
) -> None:
    key = tmp_path / "key"
    if content is not None:
        key.write_bytes(content)
        key.chmod(0o600)
    fault = fault_before_any_connection(boxes, key)
    assert fault.kind == "key-file"
    assert f"{key} " in fault.message
    assert what in fault.message
    assert remedy in fault.remedy


def test_a_directory_or_a_pipe_in_place_of_a_key_is_reported_without_waiting(boxes: SshBoxes, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path, tmp_path / "pipe"):
        fault = fault_before_any_connection(boxes, path)
        assert (fault.kind, "is not a file" in fault.message) == ("key-file", True)


def test_a_public_key_in_place_of_the_private_one_is_reported(boxes: SshBoxes) -> None:
    fault = fault_before_any_connection(boxes, boxes.key.with_name("id.pub"))
    assert (fault.kind, "is a public key" in fault.message) == ("key-file", True)


@pytest.mark.parametrize("form", ["OPENSSH", "PEM"])
def test_an_encrypted_key_is_reported_and_is_used_once_the_agent_has_it(
    boxes: SshBoxes, many: list[Path], monkeypatch: pytest.MonkeyPatch, tmp_path: Path, form: str
) -> None:
    key = make_key(tmp_path / "locked", *(("-m", "PEM") if form == "PEM" else ()), kind="rsa", phrase="secret")
    fault = fault_before_any_connection(boxes, key)
    assert (fault.kind, fault.remedy) == ("key-file", f"ssh-add {key}")
    assert "is encrypted" in fault.message
    # ssh-add would ask for the pass phrase; the agent gets an unlocked copy.
    unlocked = tmp_path / "unlocked"
    unlocked.write_bytes(key.read_bytes())
    unlocked.chmod(0o600)
    subprocess.run(["ssh-keygen", "-q", "-p", "-P", "secret", "-N", "", "-f", str(unlocked)], check=True)
    authorize(boxes, key.with_name("locked.pub").read_text())
    with ssh_agent(tmp_path / "a", *many[:5], unlocked) as address:
        use_agent(monkeypatch, address)
        swept(boxes, key)
    assert tries(boxes.boxes[0]) == 1


def test_a_public_key_file_selects_the_agents_key_that_is_offered(
    boxes: SshBoxes, many: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    with ssh_agent(boxes.directory / "a5", *many, boxes.key) as address:
        use_agent(monkeypatch, address)
        swept(boxes, boxes.key.with_name("id.pub"))
    assert tries(boxes.boxes[0]) == 1


def test_a_security_keys_signature_is_taken_from_the_agent(
    boxes: SshBoxes, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    token = TokenAgent()
    authorize(boxes, token.public_line)
    (tmp_path / "id_sk.pub").write_text(token.public_line)
    with token.serve(tmp_path / "a") as address:
        use_agent(monkeypatch, address)
        swept(boxes, None)
        swept(boxes, tmp_path / "id_sk.pub")
    assert token.signed == 2


# Certificates


@pytest.fixture
def certified(boxes: SshBoxes, tmp_path: Path) -> Path:
    """A key that is not authorized, with a certificate of an authority that box 0 trusts."""
    authority = make_key(tmp_path / "ca")
    key = make_key(tmp_path / "mine")
    sign = ["ssh-keygen", "-q", "-s", str(authority), "-I", "me", "-n", "root", "-V", "+1h", f"{key}.pub"]
    subprocess.run(sign, check=True)
    boxes.restart(0, f"TrustedUserCAKeys {authority}.pub")
    return key


def test_the_certificate_beside_a_key_is_offered(boxes: SshBoxes, certified: Path) -> None:
    swept(boxes, certified)
    assert "ED25519-CERT" in boxes.boxes[0].sshd_log
    assert tries(boxes.boxes[0]) == 1


def test_a_certificate_in_the_agent_is_offered(
    boxes: SshBoxes, certified: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    with ssh_agent(tmp_path / "a", certified) as address:
        use_agent(monkeypatch, address)
        swept(boxes, None)
    assert "ED25519-CERT" in boxes.boxes[0].sshd_log


def test_the_plain_key_is_offered_after_a_refused_certificate(boxes: SshBoxes, certified: Path) -> None:
    boxes.restart(0)
    authorize(boxes, certified.with_name("mine.pub").read_text())
    swept(boxes, certified)
    assert (tries(boxes.boxes[0]), logins(boxes.boxes[0])) == (2, 1)


@pytest.fixture
def apart(certified: Path) -> Path:
    """The certificate of that key, no longer beside it."""
    return certified.with_name("mine-cert.pub").rename(certified.with_name("elsewhere.pub"))


def swept_as(boxes: SshBoxes, text: str, key_file: Path | None = None) -> None:
    """Survey box 0 with this SSH configuration."""
    host = boxes.host(0, key_file=str(key_file) if key_file else None)
    found = boxes.survey([host], ssh_config=str(boxes.configure(text)))
    assert set(found.surveys) == {"b0"}, found.faults


@pytest.mark.parametrize("named_by", ["ssh_config", "inventory"])
def test_a_configured_certificate_is_offered_with_its_key(
    boxes: SshBoxes, certified: Path, apart: Path, named_by: str
) -> None:
    if named_by == "ssh_config":
        swept_as(boxes, f"IdentityFile {certified}\nCertificateFile {apart}\n")
    else:
        swept_as(boxes, f"CertificateFile {apart}\n", certified)
    assert "ED25519-CERT" in boxes.boxes[0].sshd_log
    assert tries(boxes.boxes[0]) == 1


def test_a_configured_certificate_is_offered_with_the_agents_key_too(
    boxes: SshBoxes, certified: Path, apart: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    with ssh_agent(tmp_path / "a", certified) as address:
        use_agent(monkeypatch, address)
        swept_as(boxes, f"CertificateFile {apart}\n")
    assert "ED25519-CERT" in boxes.boxes[0].sshd_log


def test_a_configured_certificate_that_is_found_anyway_is_offered_once(
    boxes: SshBoxes, certified: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    named = f"CertificateFile {certified}-cert.pub\n"
    boxes.restart(0)
    authorize(boxes, certified.with_name("mine.pub").read_text())
    swept_as(boxes, f"IdentityFile {certified}\n{named}")
    assert (tries(boxes.boxes[0]), logins(boxes.boxes[0])) == (2, 1)
    with ssh_agent(tmp_path / "a", certified) as address:
        use_agent(monkeypatch, address)
        boxes.restart(0)
        swept_as(boxes, "")
        alone = tries(boxes.boxes[0])
        boxes.restart(0)
        swept_as(boxes, named)
    assert tries(boxes.boxes[0]) == alone <= 2


def test_a_certificate_of_another_key_or_none_at_all_leaves_the_keys_as_they_are(
    boxes: SshBoxes, certified: Path, apart: Path
) -> None:
    for file in (apart, apart.with_name("nowhere")):
        boxes.restart(0)
        swept_as(boxes, f"IdentityFile {boxes.key}\nCertificateFile {file}\n")
        assert (tries(boxes.boxes[0]), logins(boxes.boxes[0])) == (1, 1)
        assert "ED25519-CERT" not in boxes.boxes[0].sshd_log


@pytest.mark.parametrize("text", ["", "junk", "the public key"])
def test_a_file_that_is_not_a_certificate_is_reported_before_any_connection(
    boxes: SshBoxes, tmp_path: Path, text: str
) -> None:
    file = tmp_path / "cert.pub"
    file.write_text(boxes.key.with_name("id.pub").read_text() if text == "the public key" else text)
    config = boxes.configure(f"Match user somebody\nCertificateFile {file}\n")
    fault = fault_before_any_connection(boxes, boxes.key, ssh_config=str(config))
    assert (fault.kind, fault.message) == ("key-file", f"key file {file} is not a certificate")


# The agent that the configuration names


@pytest.mark.parametrize("spelled", ["~/a\\ b", '"~/a b"', "'%d/a b'", "$MY_AGENT", "${MY_AGENT}", "SSH_AUTH_SOCK"])
def test_the_configured_agent_is_used(
    boxes: SshBoxes, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, spelled: str
) -> None:
    with ssh_agent(tmp_path / "a b", boxes.key) as address:
        monkeypatch.setenv("SSH_AUTH_SOCK", address if spelled == "SSH_AUTH_SOCK" else str(tmp_path / "another"))
        monkeypatch.setenv("MY_AGENT", address)
        swept_as(boxes, f"IdentityAgent {spelled}\n")


@pytest.mark.parametrize(
    ("spelled", "why"),
    [
        ("none", "IdentityAgent is none"),
        ("$NOT_THERE", "NOT_THERE is not set"),
        ("/nowhere", "/nowhere does not respond"),
    ],
)
def test_a_missing_configured_agent_is_reported_and_the_environments_is_not_used(
    boxes: SshBoxes, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, spelled: str, why: str
) -> None:
    with ssh_agent(tmp_path / "a", boxes.key) as address:
        use_agent(monkeypatch, address)
        config = boxes.configure(f"Match user somebody\nIdentityAgent {spelled}\n")
        fault = fault_before_any_connection(boxes, None, ssh_config=str(config))
    assert (fault.kind, why in fault.message) == ("no-key", True)


# Agent forwarding


def test_agent_forwarding_is_never_requested(boxes: SshBoxes, monkeypatch: pytest.MonkeyPatch) -> None:
    boxes.restart(0, "AllowAgentForwarding yes", "LogLevel DEBUG3")
    config = str(boxes.configure("ForwardAgent yes\n"))
    with ssh_agent(boxes.directory / "a6", boxes.key) as address:
        use_agent(monkeypatch, address)
        found = boxes.survey([boxes.host(0, key_file=None)], ssh_config=config)
    assert set(found.surveys) == {"b0"}, found.faults
    assert "auth-agent" not in boxes.boxes[0].sshd_log

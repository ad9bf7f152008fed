"""Host certificates on real sshds, each judged by ssh(1) too."""

from __future__ import annotations

import base64
import contextlib
import re
import socket
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import paramiko
import pytest

from fleetsweep.errors import Phase
from fleetsweep.model.survey import Fault
from fleetsweep.ssh.diagnosis import command_for
from fleetsweep.ssh.options import SshOptions, Trust
from tests.lab.box import Box
from tests.lab.process import wait_for
from tests.lab.ssh_boxes import SshBoxes, make_key, own_threads, tries

NAME = "127.0.0.1"


@pytest.fixture(scope="module")
def all_boxes() -> Iterator[SshBoxes]:
    with SshBoxes(2) as started:
        for kind, words in (("ed25519", []), ("ecdsa", ["-b", "384"]), ("rsa", ["-b", "2048"])):
            make_key(started.directory / f"ca_{kind}", *words, kind=kind)
        yield started


@pytest.fixture
def boxes(all_boxes: SshBoxes) -> Iterator[SshBoxes]:
    yield all_boxes
    wait_for(lambda: own_threads() == set(), "the threads ending", 10)


def key_of(public: Path) -> str:
    return " ".join(public.read_text().split()[:2])


def ca_line(boxes: SshBoxes, patterns: str = "*", ca: str = "ed25519", marker: str = "@cert-authority") -> str:
    return f"{marker} {patterns} {key_of(boxes.directory / f'ca_{ca}.pub')}\n"


def sign(boxes: SshBoxes, public: Path, *words: str, ca: str = "ed25519", principals: str = NAME) -> Path:
    """Sign a host key and return its certificate. ``words`` are options of ssh-keygen."""
    named = ["-n", principals] if principals else []
    host = [] if "-user" in words else ["-h"]
    rest = [word for word in words if word != "-user"]
    command = ["ssh-keygen", "-q", "-s", str(boxes.directory / f"ca_{ca}"), "-I", "box", *host, *named, *rest]
    subprocess.run([*command, str(public)], check=True, capture_output=True)
    return public.with_name(f"{public.stem}-cert.pub")


def certify(boxes: SshBoxes, number: int, *words: str, ca: str = "ed25519", principals: str = NAME) -> Box:
    """Restart a box with a certificate for its ed25519 host key."""
    public = boxes.boxes[number].directory / "host_key.pub"
    return boxes.restart(number, f"HostCertificate {sign(boxes, public, *words, ca=ca, principals=principals)}")


def ssh_verdict(boxes: SshBoxes, port: int, *words: str) -> tuple[bool, str]:
    """Return whether ssh(1) logs in with the same files, and its messages."""
    options = [
        *("-F", "none", "-i", str(boxes.key), "-o", f"UserKnownHostsFile={boxes.known_hosts}"),
        *("-o", "GlobalKnownHostsFile=none", "-o", "BatchMode=yes", "-o", "IdentityAgent=none", *words),
        *("-o", "StrictHostKeyChecking=yes", "-o", "UpdateHostKeys=no"),
    ]
    command = ["ssh", *options, "-p", str(port), f"root@{NAME}", "true"]
    done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=30)
    return done.returncode == 0, done.stderr


def ssh_version() -> tuple[int, int]:
    shown = subprocess.run(["ssh", "-V"], check=True, capture_output=True, text=True).stderr
    found = re.search(r"OpenSSH_(\d+)\.(\d+)", shown)
    assert found is not None
    return int(found[1]), int(found[2])


def accepted(boxes: SshBoxes, known_hosts: str, ssh_config: str = "") -> str:
    """Return the host key of box 0's engine, which fleetsweep and ssh both accept with ``known_hosts``."""
    boxes.known_hosts.write_text(known_hosts)
    config = boxes.configure(ssh_config)
    found = boxes.survey([boxes.host(0)], ssh_config=str(config))
    assert set(found.surveys) == {"b0"}, found.faults
    taken, messages = ssh_verdict(boxes, boxes.boxes[0].port, *(["-F", str(config)] if ssh_config else []))
    assert taken, messages
    return str(found.surveys["b0"].engine.host_key)


def refused(boxes: SshBoxes, known_hosts: str, *, also_by_ssh: bool = True, trust: Trust = Trust.STRICT) -> Fault:
    """Return the fault of box 0, which ssh refuses too. No key is offered to it."""
    boxes.known_hosts.write_text(known_hosts)
    box = boxes.boxes[0]
    fault = boxes.survey([boxes.host(0)], host_key=trust).fault("b0")
    assert fault.phase is Phase.HOST_KEY
    assert (tries(box), boxes.known_hosts.read_text()) == (0, known_hosts)
    taken, messages = ssh_verdict(boxes, box.port)
    assert taken is not also_by_ssh, messages
    return fault


# Accepted


@pytest.mark.parametrize("ca", ["ed25519", "ecdsa", "rsa"])
def test_a_host_is_trusted_by_its_authority_whatever_that_keys_type(boxes: SshBoxes, ca: str) -> None:
    box = certify(boxes, 0, ca=ca)
    host_key = accepted(boxes, ca_line(boxes, ca=ca))
    fingerprint = subprocess.run(
        ["ssh-keygen", "-lf", str(box.directory / "host_key.pub")], check=True, capture_output=True, text=True
    ).stdout.split()[1]
    # The identity of an engine is the key, not the certificate: that may be renewed.
    assert host_key == f"ssh-ed25519 {fingerprint}"


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        ("ecdsa", ["-b", "256"]),
        ("ecdsa", ["-b", "384"]),
        ("ecdsa", ["-b", "521"]),
        ("rsa", ["-b", "2048"]),
    ],
)
def test_every_type_of_certified_key_is_verified(boxes: SshBoxes, kind: str, words: list[str]) -> None:
    key = boxes.boxes[0].directory / f"host_{kind}_{words[1]}"
    make_key(key, *words, kind=kind)
    certificate = sign(boxes, key.with_name(f"{key.name}.pub"))
    boxes.restart(0, f"HostKey {key}", f"HostCertificate {certificate}")
    assert accepted(boxes, ca_line(boxes)).startswith("ssh-rsa " if kind == "rsa" else f"ecdsa-sha2-nistp{words[1]} ")


@pytest.mark.parametrize("algorithm", ["rsa-sha2-256", "rsa-sha2-512"])
@pytest.mark.parametrize("patterns", ["*", "[127.0.0.1]:{port}", "127.0.0.1", "10.0.0.1,127.0.*"])
def test_the_line_matches_as_any_line_of_known_hosts_does(boxes: SshBoxes, algorithm: str, patterns: str) -> None:
    box = certify(boxes, 0, "-t", algorithm, "-V", "-1d:+1d", ca="rsa", principals=f"elsewhere,{NAME}")
    accepted(boxes, ca_line(boxes, patterns.format(port=box.port), ca="rsa"))


def test_an_alias_is_the_name_in_the_certificate(boxes: SshBoxes) -> None:
    certify(boxes, 0, principals="runner-7")
    accepted(boxes, ca_line(boxes, "runner-*"), "HostKeyAlias Runner-7\n")


def test_a_server_without_a_certificate_is_judged_by_its_plain_key(boxes: SshBoxes) -> None:
    box = boxes.restart(0)
    accepted(boxes, ca_line(boxes) + box.known_hosts_line)
    boxes.restart(0)
    fault = refused(boxes, ca_line(boxes))
    assert fault.kind == "unknown"
    assert f"no host certificate, for which {boxes.known_hosts}:1 has an authority" in fault.message
    # accept-new saves its plain key, as ssh would.
    found = boxes.survey([boxes.host(0)], host_key=Trust.ACCEPT_NEW)
    assert set(found.surveys) == {"b0"}, found.faults
    assert boxes.known_hosts.read_text() == ca_line(boxes) + box.known_hosts_line
    boxes.known_hosts.write_text(ca_line(boxes))
    assert ssh_verdict(boxes, box.port, "-o", "StrictHostKeyChecking=accept-new")[0]


def test_a_certificate_is_enough_for_a_changed_key_and_a_known_key_for_an_expired_certificate(boxes: SshBoxes) -> None:
    box = certify(boxes, 0)
    other = key_of(boxes.directory / "ca_ed25519.pub")
    accepted(boxes, ca_line(boxes) + f"[127.0.0.1]:{box.port} {other}\n")
    box = certify(boxes, 0, "-V", "-2d:-1d")
    accepted(boxes, ca_line(boxes) + box.known_hosts_line)


# Refused


REFUSED: list[tuple[str, list[str], str, str]] = [
    ("expired", ["-V", "-2d:-1d"], NAME, "a host certificate expired since 2"),
    ("not yet valid", ["-V", "+1d:+2d"], NAME, "a host certificate not valid before 2"),
    ("another host", [], "elsewhere,127.0.0.2", "for elsewhere, 127.0.0.2 and not for 127.0.0.1"),
    ("a pattern", [], "127.*", "for 127.* and not for 127.0.0.1"),
    ("for users", ["-user"], NAME, "for users and not for hosts"),
    ("critical option", ["-O", "critical:strange@example.com=x"], NAME, "critical option strange@example.com"),
]


@pytest.mark.parametrize(
    ("words", "principals", "reason"), [row[1:] for row in REFUSED], ids=[row[0] for row in REFUSED]
)
@pytest.mark.parametrize("trust", [Trust.STRICT, Trust.ACCEPT_NEW])
def test_an_invalid_certificate_is_refused_with_its_reason(
    boxes: SshBoxes, words: list[str], principals: str, reason: str, trust: Trust
) -> None:
    certify(boxes, 0, *words, principals=principals)
    # Since 10.3 a principal may have wildcards.
    taken = principals == "127.*" and ssh_version() >= (10, 3)
    fault = refused(boxes, ca_line(boxes), also_by_ssh=not taken, trust=trust)
    assert fault.kind == "certificate"
    assert reason in fault.message
    assert "sign the host key again" in fault.remedy


def test_the_command_that_doctor_prints_shows_the_certificate(boxes: SshBoxes) -> None:
    certify(boxes, 0, "-V", "19990101:20000101")
    fault = refused(boxes, ca_line(boxes))
    options = SshOptions(ssh_config=str(boxes.ssh_config), known_hosts=(str(boxes.known_hosts),))
    command = command_for(boxes.host(0), options, fault, None)
    shown = subprocess.run(["/bin/sh", "-c", command], check=True, capture_output=True, text=True, timeout=30).stdout
    assert "Valid: from 1999-01-01T00:00:00 to 2000-01-01T00:00:00" in shown


def test_a_certificate_for_any_host_is_refused_as_by_openssh_10_3(boxes: SshBoxes) -> None:
    certify(boxes, 0, principals="")
    fault = refused(boxes, ca_line(boxes), also_by_ssh=ssh_version() >= (10, 3))
    assert "without a list of host names and not for 127.0.0.1" in fault.message
    assert fault.remedy == "sign the host key again with -n 127.0.0.1"


def test_accept_new_saves_no_key_with_an_invalid_certificate_as_ssh_would(boxes: SshBoxes) -> None:
    box = certify(boxes, 0, "-V", "-2d:-1d")
    refused(boxes, ca_line(boxes), trust=Trust.ACCEPT_NEW)
    assert ssh_verdict(boxes, box.port, "-o", "StrictHostKeyChecking=accept-new")[0]
    assert key_of(box.directory / "host_key.pub") in boxes.known_hosts.read_text()


def test_each_difference_from_ssh_is_in_the_manual() -> None:
    text = Path("docs/ssh.md").read_text().partition("### Host certificates")[2].partition("\n## ")[0]
    rows = [row.split(" | ")[0].removeprefix("| ") for row in text.splitlines() if row.startswith("| ")]
    assert rows[2:] == [
        "without names",
        "a name with wildcards",
        "invalid, of a new host, with `accept-new`",
        "of an authority on a security key (`sk-…`)",
    ]


def test_an_unknown_authority_is_refused_with_its_fingerprint(boxes: SshBoxes) -> None:
    certify(boxes, 0, ca="ecdsa")
    fault = refused(boxes, ca_line(boxes))
    assert "of the authority ecdsa-sha2-nistp384 SHA256:" in fault.message
    assert "@cert-authority" in fault.remedy
    # An authority for other hosts is none for this one.
    assert "of the authority" not in refused(boxes, ca_line(boxes, "*.example.com", ca="ecdsa")).message


def test_a_signature_with_sha1_is_refused(boxes: SshBoxes) -> None:
    certify(boxes, 0, "-t", "ssh-rsa", ca="rsa")
    assert "signed with SHA-1" in refused(boxes, ca_line(boxes, ca="rsa")).message


def test_a_revoked_authority_or_key_is_refused_even_if_the_plain_key_is_known(boxes: SshBoxes) -> None:
    box = certify(boxes, 0)
    known = ca_line(boxes) + box.known_hosts_line
    fault = refused(boxes, known + ca_line(boxes, marker="@revoked"))
    assert fault.kind == "revoked"
    assert f"{boxes.known_hosts}:3 revokes" in fault.message
    assert "of the authority ssh-ed25519 SHA256:" in fault.message
    fault = refused(boxes, known + f"@revoked * {key_of(box.directory / 'host_key.pub')}\n")
    assert fault.kind == "revoked"
    # Without a trusted authority, too: ssh asks for certificates everywhere.
    assert refused(boxes, box.known_hosts_line + ca_line(boxes, marker="@revoked")).kind == "revoked"


@pytest.mark.parametrize("form", ["list", "KRL of the authority", "KRL of the serial number"])
def test_revoked_host_keys_with_an_authority_or_a_certificate_refuse_a_known_plain_key(
    boxes: SshBoxes, tmp_path: Path, form: str
) -> None:
    box = certify(boxes, 0, "-z", "7")
    revoked, authority = tmp_path / "revoked", boxes.directory / "ca_ed25519.pub"
    if form == "list":
        revoked.write_text(authority.read_text())
    elif form == "KRL of the authority":
        subprocess.run(["ssh-keygen", "-q", "-k", "-f", str(revoked), str(authority)], check=True)
    else:
        (tmp_path / "spec").write_text("serial: 7\n")
        command = ["ssh-keygen", "-q", "-k", "-f", str(revoked), "-s", str(authority), str(tmp_path / "spec")]
        subprocess.run(command, check=True)
    for known in (box.known_hosts_line, ca_line(boxes)):
        boxes.known_hosts.write_text(known)
        config = str(boxes.configure(f"RevokedHostKeys {revoked}\n"))
        fault = boxes.survey([boxes.host(0)], ssh_config=config).fault("b0")
        assert (fault.phase, fault.kind, tries(box)) == (Phase.HOST_KEY, "revoked", 0)
        assert not ssh_verdict(boxes, box.port, "-o", f"RevokedHostKeys={revoked}")[0]


# Servers that no sshd would be


class _Presented(paramiko.Ed25519Key):
    """A server's key that is presented as other bytes, under a certificate's name."""

    presented = b""

    def get_name(self) -> str:
        return "ssh-ed25519-cert-v01@openssh.com"

    def asbytes(self) -> bytes:
        return self.presented


@contextmanager
def server_with(key: Path, presented: bytes) -> Iterator[int]:
    """Serve one handshake after the other with a key and whatever it presents. Yields the port."""
    host_key = _Presented(filename=str(key))
    host_key.presented = presented
    transports: list[paramiko.Transport] = []
    with socket.create_server((NAME, 0)) as listener:

        def serve() -> None:
            while True:
                try:
                    stream, _ = listener.accept()
                except OSError:
                    return
                transport = paramiko.Transport(stream)
                transports.append(transport)
                transport.add_server_key(host_key)
                with contextlib.suppress(paramiko.SSHException, EOFError, OSError):
                    transport.start_server(server=paramiko.ServerInterface())

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        try:
            yield int(listener.getsockname()[1])
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            thread.join(10)
            for transport in transports:
                transport.close()
                transport.join(10)


def blob_of(public: Path) -> bytes:
    return base64.b64decode(public.read_text().split()[1])


def string(value: bytes) -> bytes:
    return len(value).to_bytes(4, "big") + value


@pytest.mark.parametrize(
    ("case", "kind", "reason"),
    [
        ("sound", "unknown", "no host certificate"),
        ("changed bit", "certificate", "whose signature is not its authority's"),
        ("other principals", "certificate", "whose signature is not its authority's"),
        ("cut short", "certificate", "that can't be read"),
        ("another's", "unproved", "did not prove that it has its host key"),
        ("plain key", "unproved", "did not prove that it has its host key"),
        ("nothing", "unproved", "did not prove that it has its host key"),
    ],
)
def test_a_forged_or_stolen_certificate_is_refused_even_if_the_plain_key_is_known(
    boxes: SshBoxes, tmp_path: Path, case: str, kind: str, reason: str
) -> None:
    mine, another = make_key(tmp_path / "mine"), make_key(tmp_path / "another")
    blob = blob_of(sign(boxes, mine.with_name("mine.pub")))
    stolen = blob_of(sign(boxes, another.with_name("another.pub")))
    presented = {
        "sound": blob,
        "changed bit": blob[:-1] + bytes([blob[-1] ^ 1]),
        "other principals": blob.replace(string(NAME.encode()), string(b"127.0.0.2")),
        "cut short": blob[:-1],
        "another's": stolen,
        "plain key": blob_of(mine.with_name("mine.pub")),
        "nothing": b"",
    }[case]
    known = f"* {key_of(mine.with_name('mine.pub'))}\n* {key_of(another.with_name('another.pub'))}\n"
    boxes.known_hosts.write_text(ca_line(boxes) + known)
    with server_with(mine, presented) as port:
        fault = boxes.survey([boxes.host(0, port=port)]).fault("b0")
        taken, messages = ssh_verdict(boxes, port)
    if case == "sound":
        # The control: only the log-in fails.
        assert (fault.phase, taken) == (Phase.AUTH, False)
        assert "Permission denied" in messages
        return
    assert (fault.phase, fault.kind) == (Phase.HOST_KEY, kind)
    assert reason in fault.message
    assert not taken
    assert "Permission denied" not in messages


# Bastions


def test_a_bastion_is_trusted_by_its_authority_too(boxes: SshBoxes) -> None:
    bastion, _ = certify(boxes, 0), certify(boxes, 1)
    boxes.known_hosts.write_text(ca_line(boxes))
    config = str(
        boxes.configure(f"Host gate\n HostName {NAME}\n Port {bastion.port}\n User root\n IdentityFile {boxes.key}\n")
    )
    hosts = [boxes.host(1, proxy_jump="gate")]
    found = boxes.survey(hosts, ssh_config=config)
    assert set(found.surveys) == {"b1"}, found.faults
    bastion = certify(boxes, 0, "-V", "-2d:-1d")
    fault = boxes.survey(hosts, ssh_config=config).fault("b1")
    assert (fault.phase, fault.kind) == (Phase.HOST_KEY, "bastion")
    assert "a host certificate expired since" in fault.message
    assert tries(bastion) == 0
    # And a box behind a bastion that is well.
    certify(boxes, 0), certify(boxes, 1, principals="elsewhere")
    fault = boxes.survey(hosts, ssh_config=config).fault("b1")
    assert (fault.phase, fault.kind) == (Phase.HOST_KEY, "certificate")
    assert tries(boxes.boxes[1]) == 0

"""The checks of a host certificate, on certificates that ssh-keygen signs."""

from __future__ import annotations

import base64
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleetsweep.ssh.host_certificates import Problem, find_problem
from fleetsweep.ssh.known_hosts import Entry
from fleetsweep.ssh.public_keys import key_type


def blob_of(public: Path) -> bytes:
    return base64.b64decode(public.read_text().split()[1])


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with the keys of two authorities, and with a host key."""
    directory = tmp_path_factory.mktemp("keys")
    for name, words in (("ca", ["ed25519"]), ("rsa", ["rsa", "-b", "2048"]), ("host", ["ed25519"])):
        command = ["ssh-keygen", "-q", "-N", "", "-f", str(directory / name), "-t", *words]
        subprocess.run(command, check=True)
    return directory


def entry(keys: Path, name: str, marker: str = "@cert-authority") -> Entry:
    blob = blob_of(keys / f"{name}.pub")
    return Entry(marker, ("*",), key_type(blob).decode(), blob, "known:1")


def certificate(keys: Path, *words: str, ca: str = "ca") -> bytes:
    command = ["ssh-keygen", "-q", "-s", str(keys / ca), "-I", "box", *words, str(keys / "host.pub")]
    subprocess.run(command, check=True)
    return blob_of(keys / "host-cert.pub")


def problem(keys: Path, blob: bytes, *revoked: str, ca: str = "ca") -> Problem | None:
    revocations = [entry(keys, name, "@revoked") for name in revoked]
    return find_problem(blob, "box", [entry(keys, ca)], revocations)


def test_a_certificate_of_a_trusted_authority_has_no_problem(keys: Path) -> None:
    assert problem(keys, certificate(keys, "-h", "-n", "other,box")) is None
    assert problem(keys, certificate(keys, "-h", "-n", "box", "-V", "always:forever")) is None
    assert problem(keys, certificate(keys, "-h", "-n", "box", "-t", "rsa-sha2-256", ca="rsa"), ca="rsa") is None


@pytest.mark.parametrize(
    ("words", "what"),
    [
        (("-n", "box"), "for users"),
        (("-h", "-n", "Box"), "for Box and not for box"),
        (("-h",), "without a list of host names"),
        (("-h", "-n", "box", "-V", "19990101:20000101"), "expired since 2000-01-01"),
        (("-h", "-n", "box", "-V", "+1w:forever"), "not valid before 2"),
        (("-h", "-n", "box", "-O", "critical:a@b"), "critical option a@b"),
    ],
)
def test_an_invalid_certificate_leaves_the_plain_key_to_known_hosts(
    keys: Path, words: tuple[str, ...], what: str
) -> None:
    found = problem(keys, certificate(keys, *words))
    assert found is not None
    assert what in found.what
    assert (found.final, found.revoked, bool(found.remedy)) == (False, False, True)


def test_an_unknown_authority_and_sha1_are_refused(keys: Path) -> None:
    unknown = problem(keys, certificate(keys, "-h", "-n", "box"), ca="rsa")
    weak = problem(keys, certificate(keys, "-h", "-n", "box", "-t", "ssh-rsa", ca="rsa"), ca="rsa")
    assert unknown is not None
    assert weak is not None
    assert "no @cert-authority line" in unknown.what
    assert weak.what == "signed with SHA-1"


@pytest.mark.parametrize("name", ["ca", "host"])
def test_a_revoked_authority_or_host_key_is_final(keys: Path, name: str) -> None:
    found = problem(keys, certificate(keys, "-h", "-n", "box"), name)
    assert found is not None
    assert (found.final, found.revoked) == (True, True)
    assert "which known:1 revokes" in found.what


def test_an_authority_on_a_security_key_counts_as_none(keys: Path) -> None:
    plain, token = (len(name).to_bytes(4, "big") + name for name in (b"ssh-ed25519", b"sk-ssh-ed25519@openssh.com"))
    blob = certificate(keys, "-h", "-n", "box")
    nested = blob.index(plain)
    authority_length = int.from_bytes(blob[nested - 4 : nested], "big") + len(token) - len(plain)
    found = problem(
        keys, blob[: nested - 4] + authority_length.to_bytes(4, "big") + token + blob[nested + len(plain) :]
    )
    assert found is not None
    assert (found.what, found.final) == ("signed by a security key, which is not supported", False)


@given(st.data())
def test_no_change_of_a_certificate_is_accepted(keys: Path, data: st.DataObject) -> None:
    blob = SIGNED.get(keys) or SIGNED.setdefault(keys, certificate(keys, "-h", "-n", "box"))
    place = data.draw(st.integers(0, len(blob) - 1))
    byte = data.draw(st.integers(0, 255).filter(lambda value: value != blob[place]))
    assert problem(keys, blob[:place] + bytes([byte]) + blob[place + 1 :]) is not None
    assert problem(keys, blob[:place]) is not None
    assert problem(keys, blob[:place] + bytes([byte]) + blob[place:]) is not None


SIGNED: dict[Path, bytes] = {}

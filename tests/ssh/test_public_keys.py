"""Public keys as bytes, compared with those that ssh-keygen writes."""

from __future__ import annotations

import base64
import subprocess
from pathlib import Path

import pytest

from fleetsweep.ssh.public_keys import certificate_signature, key_type, parse_line, plain_key, public_half


def keygen(*words: str) -> None:
    subprocess.run(["ssh-keygen", "-q", *words], check=True)


def blob_of(line: str) -> bytes:
    return base64.b64decode(line.split()[1])


def test_a_line_is_parsed_with_and_without_a_comment(tmp_path: Path) -> None:
    keygen("-t", "ed25519", "-N", "", "-C", "a comment", "-f", str(tmp_path / "key"))
    line = (tmp_path / "key.pub").read_text()
    assert parse_line(line.encode()) == blob_of(line)
    assert parse_line(" ".join(line.split()[:2]).encode()) == blob_of(line)


@pytest.mark.parametrize("line", [b"", b"ssh-ed25519", b"ssh-ed25519 %%%", b"ssh-rsa AAAAC3NzaC1lZDI1NTE5", b"\0 \0"])
def test_any_other_line_is_no_key(line: bytes) -> None:
    assert parse_line(line) is None


@pytest.mark.parametrize("words", [("ed25519",), ("ecdsa", "-b", "384"), ("rsa", "-b", "2048")])
def test_the_plain_key_of_a_certificate_is_that_of_its_key(tmp_path: Path, words: tuple[str, ...]) -> None:
    key = tmp_path / "key"
    keygen("-t", *words, "-N", "", "-f", str(key))
    keygen("-s", str(key), "-I", "id", "-n", "user", f"{key}.pub")
    plain = blob_of((tmp_path / "key.pub").read_text())
    certificate = blob_of((tmp_path / "key-cert.pub").read_text())
    assert certificate != plain
    assert plain_key(certificate) == plain_key(plain) == plain
    authority, signature = certificate_signature(certificate)
    assert authority == plain
    assert signature == (b"rsa-sha2-512" if words[0] == "rsa" else key_type(plain))


def test_the_public_half_of_an_encrypted_key_is_inside_it_or_beside_it(tmp_path: Path) -> None:
    keygen("-t", "ed25519", "-N", "secret", "-f", str(tmp_path / "new"))
    keygen("-m", "PEM", "-t", "ecdsa", "-N", "secret", "-f", str(tmp_path / "old"))
    public = {name: blob_of((tmp_path / f"{name}.pub").read_text()) for name in ("new", "old")}
    (tmp_path / "new.pub").unlink()
    for name in ("new", "old"):
        assert public_half(tmp_path / name, (tmp_path / name).read_bytes()) == public[name]
    (tmp_path / "old.pub").unlink()
    assert public_half(tmp_path / "old", (tmp_path / "old").read_bytes()) is None

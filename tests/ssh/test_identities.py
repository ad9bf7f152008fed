"""The keys to offer: key files, certificates, permissions, and the agent's part."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import paramiko
import pytest

from fleetsweep.errors import HostError
from fleetsweep.ssh.identities import KeyFileError, Keyring, load_private_keys, parse_private_key
from fleetsweep.ssh.regular_file import CONFIG_LIMIT
from tests.ssh.sshd import USER_KEY
from tests.ssh.unblocked import error_of


@pytest.fixture
def key(tmp_path: Path) -> Path:
    path = tmp_path / "a key"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(path)], check=True)
    return path


@pytest.fixture
def fifo(tmp_path: Path) -> Path:
    path = tmp_path / "fifo"
    os.mkfifo(path)
    return path


def test_a_pipe_or_a_huge_file_as_certificate_or_public_key_does_not_block(
    tmp_path: Path, key: Path, fifo: Path
) -> None:
    error = error_of(lambda: Keyring((str(key),), certificate=str(fifo)).close())
    assert isinstance(error, KeyFileError)
    assert str(fifo) in error.message
    with key.open("ab") as file:
        file.truncate(CONFIG_LIMIT + 1)
    with pytest.raises(KeyFileError, match="larger than 1 MiB"):
        load_private_keys(str(key))
    encrypted = tmp_path / "encrypted"
    subprocess.run(["ssh-keygen", "-q", "-m", "PEM", "-t", "rsa", "-N", "secret", "-f", str(encrypted)], check=True)
    (tmp_path / "encrypted.pub").unlink()
    os.mkfifo(tmp_path / "encrypted.pub")
    assert isinstance(error_of(lambda: load_private_keys(str(encrypted))), KeyFileError)


@pytest.mark.parametrize("mode", [0o600, 0o400, 0o700, 0o640, 0o604, 0o644, 0o601, 0o620])
def test_a_key_that_others_can_access_is_refused_where_openssh_refuses_it(key: Path, mode: int) -> None:
    key.chmod(mode)
    # ssh-keygen -y checks a private key as ssh does.
    ssh = subprocess.run(["ssh-keygen", "-y", "-f", str(key)], capture_output=True, text=True, check=False)
    if ssh.returncode == 0:
        assert load_private_keys(str(key))
        return
    assert "UNPROTECTED" in ssh.stderr
    with pytest.raises(KeyFileError) as caught:
        load_private_keys(str(key))
    assert f"mode {mode:04o}" in caught.value.message
    assert caught.value.public is not None, "an agent that has the key may still sign with it"
    subprocess.run(["/bin/sh", "-c", caught.value.remedy], check=True)
    assert load_private_keys(str(key))


def test_another_accounts_key_is_used_as_openssh_uses_it(key: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root may give files away")
    os.chown(key, 65534, 65534)
    key.chmod(0o644)
    assert subprocess.run(["ssh-keygen", "-y", "-f", str(key)], capture_output=True, check=False).returncode == 0
    assert load_private_keys(str(key))


def test_a_default_key_that_others_can_access_is_skipped_with_the_reason(
    tmp_path: Path, key: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("SSH_AUTH_SOCK", raising=False)
    (tmp_path / ".ssh").mkdir()
    shutil.copy(key, tmp_path / ".ssh" / "id_ed25519")
    (tmp_path / ".ssh" / "id_ed25519").chmod(0o644)
    with pytest.raises(HostError) as caught:
        Keyring(())
    assert caught.value.kind == "no-key"
    assert "is accessible to other users (mode 0644)" in caught.value.message


def test_configured_keys_are_the_only_ones_and_a_missing_one_is_no_error_if_another_is_usable(tmp_path: Path) -> None:
    USER_KEY.write_private_key_file(str(tmp_path / "one"))
    with Keyring((str(tmp_path / "none"), str(tmp_path / "one"))) as keyring:
        assert [key.asbytes() for key in keyring.keys] == [USER_KEY.asbytes()]
    with pytest.raises(KeyFileError, match="does not exist") as caught:
        Keyring((str(tmp_path / "none"),))
    assert not caught.value.there


def test_a_certificate_is_offered_before_its_plain_key(tmp_path: Path, key: Path) -> None:
    subprocess.run(["ssh-keygen", "-q", "-s", str(key), "-I", "id", "-n", "user", f"{key}.pub"], check=True)
    with_certificate, plain = load_private_keys(str(key))
    assert (with_certificate.public_blob is not None, plain.public_blob) == (True, None)
    certificate = key.with_name(f"{key.name}-cert.pub").rename(tmp_path / "moved")
    with Keyring((str(key),), certificate=str(certificate)) as keyring:
        assert [each.public_blob is not None for each in keyring.keys] == [True, False]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"\n", "is empty"),
        (b"PuTTY-User-Key-File-3: ssh-ed25519\n", "is a PuTTY key"),
        (f"{USER_KEY.get_name()} {USER_KEY.get_base64()}\n".encode(), "is a public key"),
        (b"something else\n", "is not a usable private key"),
    ],
)
def test_a_file_that_is_no_private_key_is_named_for_what_it_is(tmp_path: Path, content: bytes, message: str) -> None:
    (tmp_path / "file").write_bytes(content)
    with pytest.raises(KeyFileError, match=message) as caught:
        load_private_keys(str(tmp_path / "file"))
    assert caught.value.remedy


@pytest.mark.parametrize("algorithm", ["RSA", "ED25519", "EC -pkeyopt ec_paramgen_curve:P-384"])
def test_a_pkcs8_key_with_text_before_it_is_parsed(algorithm: str) -> None:
    words = ["openssl", "genpkey", "-algorithm", *algorithm.split()]
    made = subprocess.run(words, check=True, capture_output=True).stdout
    parameters = b"-----BEGIN EC PARAMETERS-----\nBggqhkjOPQMBBw==\n-----END EC PARAMETERS-----\n"
    key = parse_private_key(b"Subject: a key\r\n\r\n" + parameters + made.replace(b"\n", b"\r\n") + b"after it")
    public = paramiko.PKey.from_type_string(key.get_name(), key.asbytes())
    signed = key.sign_ssh_data(b"data", "rsa-sha2-512" if algorithm == "RSA" else None)
    assert public.verify_ssh_sig(b"data", paramiko.Message(signed.asbytes()))


def test_a_key_on_another_curve_or_of_another_type_is_reported(tmp_path: Path) -> None:
    for algorithm in ("EC -pkeyopt ec_paramgen_curve:secp256k1", "ED448"):
        words = ["openssl", "genpkey", "-algorithm", *algorithm.split()]
        made = subprocess.run(words, check=True, capture_output=True).stdout
        path = tmp_path / algorithm.partition(" ")[0]
        path.touch(0o600)
        path.write_bytes(made)
        with pytest.raises(KeyFileError, match="is not an RSA, ECDSA or Ed25519 key"):
            load_private_keys(str(path))

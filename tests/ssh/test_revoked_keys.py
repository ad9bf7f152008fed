"""RevokedHostKeys: lists and KRLs, against ssh-keygen."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import paramiko
import pytest

from fleetsweep.errors import HostError, Phase
from fleetsweep.ssh.revoked_keys import check_not_revoked

REVOKED = paramiko.ECDSAKey.generate()
OTHER = paramiko.ECDSAKey.generate()

needs_keygen = pytest.mark.skipif(shutil.which("ssh-keygen") is None, reason="needs ssh-keygen")


def line(key: paramiko.PKey) -> str:
    return f"{key.get_name()} {key.get_base64()} comment\n"


def check(file: Path, key: paramiko.PKey, authority: paramiko.PKey | None = None) -> None:
    check_not_revoked(str(file), key.get_name(), key.asbytes(), authority.asbytes() if authority else None)


def fault(file: Path, key: paramiko.PKey, authority: paramiko.PKey | None = None) -> HostError:
    with pytest.raises(HostError) as caught:
        check(file, key, authority)
    assert caught.value.phase is Phase.HOST_KEY
    assert caught.value.remedy
    return caught.value


def test_a_listed_key_is_revoked_also_as_an_authority(tmp_path: Path) -> None:
    file = tmp_path / "revoked"
    file.write_text(f"# old keys\n\n  {line(REVOKED)}")
    assert fault(file, REVOKED).kind == "revoked"
    assert fault(file, OTHER, REVOKED).kind == "revoked"
    check(file, OTHER)


@pytest.mark.parametrize("text", ["nonsense\n", "ssh-ed25519\n", "ssh-ed25519 AAAA\n", "SSHKRL\n\0broken"])
def test_a_file_that_can_not_be_understood_refuses_every_key(tmp_path: Path, text: str) -> None:
    file = tmp_path / "revoked"
    file.write_text(line(REVOKED) + text if not text.startswith("SSHKRL") else text)
    assert fault(file, OTHER).kind == "known-hosts"


def test_a_missing_file_and_a_pipe_refuse_every_key(tmp_path: Path) -> None:
    assert "No such file" in fault(tmp_path / "none", OTHER).message
    assert "Is a directory" in fault(tmp_path, OTHER).message


@needs_keygen
def test_a_krl_is_read_by_ssh_keygen(tmp_path: Path) -> None:
    (tmp_path / "key.pub").write_text(line(REVOKED))
    file = tmp_path / "krl"
    subprocess.run(["ssh-keygen", "-k", "-f", file, tmp_path / "key.pub"], check=True, capture_output=True)
    assert fault(file, REVOKED).kind == "revoked"
    check(file, OTHER)


def test_a_krl_without_ssh_keygen_refuses_every_key(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "krl"
    file.write_bytes(b"SSHKRL\n\0" + bytes(40))
    monkeypatch.setenv("PATH", str(tmp_path))
    assert "install the OpenSSH client" in fault(file, OTHER).message

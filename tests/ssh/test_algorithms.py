"""Lists of algorithms, against ssh -G, and the keys that they leave."""

from __future__ import annotations

import shutil
import subprocess

import paramiko
import pytest

from fleetsweep.errors import HostError
from fleetsweep.ssh.algorithms import SIGNATURES, is_short_rsa, select, signature_algorithms, usable_keys

RSA = paramiko.RSAKey.generate(1024)
EC = paramiko.ECDSAKey.generate()


def defaults(setting: str, *options: str) -> tuple[str, ...]:
    words = [word for option in options for word in ("-o", option)]
    done = subprocess.run(["ssh", "-G", "-F", "/dev/null", *words, "x"], capture_output=True, text=True, check=True)
    lines = dict(line.split(" ", 1) for line in done.stdout.splitlines() if " " in line)
    return tuple(lines[setting.lower()].split(","))


@pytest.mark.skipif(shutil.which("ssh") is None, reason="needs the OpenSSH client")
@pytest.mark.parametrize("setting", ["HostKeyAlgorithms", "PubkeyAcceptedAlgorithms"])
@pytest.mark.parametrize(
    "spec",
    [
        "ssh-ed25519",
        "rsa-sha2-256,ssh-ed25519",
        "-ssh-ed25519*",
        "-*rsa*,*dsa*",
        "^rsa-sha2-512",
        "^*nistp521*,ssh-ed25519",
        "+rsa-sha2-256",
        "*cert*",
        "ssh-*,rsa-*",
    ],
)
def test_a_list_leaves_what_ssh_leaves(setting: str, spec: str) -> None:
    usual = defaults(setting)
    assert set(select(spec, usual)) == set(defaults(setting, f"{setting}={spec}")) & set(usual)
    if "*" not in spec or spec.startswith("-"):
        assert select(spec, usual) == tuple(name for name in defaults(setting, f"{setting}={spec}") if name in usual)


def test_keys_are_left_out_by_type_and_size() -> None:
    assert usable_keys((RSA, EC), None, 1024) == (RSA, EC)
    assert usable_keys((RSA, EC), None, 2048) == (EC,)
    assert usable_keys((RSA, EC), "rsa-sha2-512", 1024) == (RSA,)
    assert usable_keys((RSA, EC), "-rsa*", 1024) == (EC,)
    assert not is_short_rsa(EC, 4096)


def test_no_key_left_is_an_error_that_names_the_settings() -> None:
    with pytest.raises(HostError, match="PubkeyAcceptedAlgorithms ssh-ed25519 and RequiredRSASize 1024 forbid ssh-rsa"):
        usable_keys((RSA,), "ssh-ed25519", 1024)
    assert usable_keys((), "ssh-ed25519", 1024) == ()


def test_signatures_are_those_of_keys_or_of_certificates() -> None:
    assert signature_algorithms(None) == SIGNATURES
    assert signature_algorithms("rsa-sha2-256") == ("rsa-sha2-256",)
    assert signature_algorithms("rsa-sha2-512-cert-v01@openssh.com") == ("rsa-sha2-512",)

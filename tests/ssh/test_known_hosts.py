"""The known_hosts parser, and the status of a presented key."""

from __future__ import annotations

import base64
import hashlib
import hmac
from pathlib import Path

import paramiko
import pytest

from fleetsweep.ssh.host_keys import read_known_hosts
from fleetsweep.ssh.known_hosts import KeyStatus, KnownHosts, parse

TYPE = "ssh-ed25519"


def blob(seed: str) -> bytes:
    name = TYPE.encode()
    return len(name).to_bytes(4, "big") + name + seed.encode()


def line(patterns: str, seed: str, marker: str = "") -> str:
    return f"{marker} {patterns} {TYPE} {base64.b64encode(blob(seed)).decode()}".strip()


def hashed(name: str) -> str:
    digest = hmac.new(b"salt", name.encode(), hashlib.sha1).digest()
    return f"|1|{base64.b64encode(b'salt').decode()}|{base64.b64encode(digest).decode()}"


def status(text: str, name: str = "box", port: int = 22, seed: str = "good") -> KeyStatus:
    return KnownHosts(parse(text, "file")).status_of(name, port, TYPE, blob(seed))[0]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (line("box", "good"), KeyStatus.KNOWN),
        (line("other,BOX", "good"), KeyStatus.KNOWN),
        (line("b*,!bo?", "good"), KeyStatus.UNKNOWN),
        (line("b?x", "good"), KeyStatus.KNOWN),
        (line(hashed("box"), "good"), KeyStatus.KNOWN),
        (line("box", "bad"), KeyStatus.CHANGED),
        (line("box", "bad") + "\n" + line("box", "good"), KeyStatus.KNOWN),
        ("junk\n@odd x y z\nbox ssh-ed25519 %%%\n\n# c\n" + line("box", "good"), KeyStatus.KNOWN),
        (line("box", "good") + "\n" + line("*", "good", "@revoked"), KeyStatus.REVOKED),
        (line("*", "good", "@cert-authority"), KeyStatus.UNKNOWN),
        ("", KeyStatus.UNKNOWN),
    ],
)
def test_a_keys_status_follows_from_the_lines(text: str, expected: KeyStatus) -> None:
    assert status(text) is expected


def test_another_port_is_another_host_unless_the_plain_name_has_the_same_key() -> None:
    assert status(line("[box]:2222", "good"), port=2222) is KeyStatus.KNOWN
    assert status(line("box", "good"), port=2222) is KeyStatus.KNOWN
    assert status(line("box", "bad"), port=2222) is KeyStatus.UNKNOWN
    assert status(line("[box]:2222", "bad") + "\n" + line("box", "good"), port=2222) is KeyStatus.CHANGED


def test_a_file_that_was_appended_to_or_edited_is_read_again(tmp_path: Path) -> None:
    file = tmp_path / "known_hosts"

    def status_now(text: str) -> tuple[KeyStatus, str]:
        file.write_text(text)
        found, entries = read_known_hosts((str(file),)).status_of("box", 22, TYPE, blob("good"))
        return found, entries[0].where if entries else ""

    assert status_now("# one\n") == (KeyStatus.UNKNOWN, "")
    assert status_now("# one\n" + line("box", "good")) == (KeyStatus.KNOWN, f"{file}:2")
    assert status_now("# one\n" + line("box", "good") + "\n") == (KeyStatus.KNOWN, f"{file}:2")
    assert status_now("# two\n# one\n" + line("box", "bad") + "\n" + line("box", "good")) == (
        KeyStatus.KNOWN,
        f"{file}:4",
    )
    assert status_now(line("box", "good") + "\n" + line("*", "good", "@revoked")) == (KeyStatus.REVOKED, f"{file}:2")
    file.unlink()
    assert read_known_hosts((str(file),)).status_of("box", 22, TYPE, blob("good"))[0] is KeyStatus.UNKNOWN


def test_authorities_and_revocations_match_with_and_without_the_port() -> None:
    text = "\n".join(
        [line("[box]:2222", "a", "@cert-authority"), line("b*", "b", "@cert-authority"), line("other", "c")]
    )
    known = KnownHosts(parse(text + "\n" + line("*", "d", "@revoked"), "file"))
    assert [entry.key for entry in known.authorities("box", 2222)] == [blob("a"), blob("b")]
    assert [entry.key for entry in known.authorities("box", 22)] == [blob("b")]
    assert [entry.key for entry in known.revocations("box", 2222)] == [blob("d")]
    assert known.authorities("other", 22) == ()


@pytest.mark.parametrize("listed", ["::1", "[::1]:22", "0:0:0:0:0:0:0:1", "[0:0::1]:22"])
@pytest.mark.parametrize("name", ["::1", "0:0:0:0:0:0:0:1"])
def test_addresses_are_compared_as_numbers(listed: str, name: str) -> None:
    key = paramiko.ECDSAKey.generate()
    entries = parse(f"{listed} {key.get_name()} {key.get_base64()}\n", "known")
    assert KnownHosts(entries).status_of(name, 22, key.get_name(), key.asbytes())[0] is KeyStatus.KNOWN
    assert KnownHosts(entries).key_types(name, 22) == (key.get_name(),)
    revoked = parse(f"@revoked {listed} {key.get_name()} {key.get_base64()}\n", "known")
    assert KnownHosts(revoked).status_of(name, 22, key.get_name(), key.asbytes())[0] is KeyStatus.REVOKED


def test_an_address_with_another_port_is_another_entry() -> None:
    key = paramiko.ECDSAKey.generate()
    entries = parse(f"[0:0::1]:2222 {key.get_name()} {key.get_base64()}\n", "known")
    assert KnownHosts(entries).status_of("::1", 2222, key.get_name(), key.asbytes())[0] is KeyStatus.KNOWN
    assert KnownHosts(entries).status_of("::1", 22, key.get_name(), key.asbytes())[0] is KeyStatus.UNKNOWN

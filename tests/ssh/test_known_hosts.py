"""known_hosts, read line by line."""

from __future__ import annotations

import base64
import hashlib
import hmac
from pathlib import Path

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


def standing(text: str, name: str = "box", port: int = 22, seed: str = "good") -> KeyStatus:
    return KnownHosts(parse(text, "file")).stand(name, port, TYPE, blob(seed))[0]


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
def test_a_key_stands_as_the_lines_say(text: str, expected: KeyStatus) -> None:
    assert standing(text) is expected


def test_another_port_is_another_host_unless_the_plain_name_has_the_very_key() -> None:
    assert standing(line("[box]:2222", "good"), port=2222) is KeyStatus.KNOWN
    assert standing(line("box", "good"), port=2222) is KeyStatus.KNOWN
    assert standing(line("box", "bad"), port=2222) is KeyStatus.UNKNOWN
    assert standing(line("[box]:2222", "bad") + "\n" + line("box", "good"), port=2222) is KeyStatus.CHANGED


def test_a_file_that_only_grew_and_one_that_was_edited_are_both_read_as_they_are_now(tmp_path: Path) -> None:
    file = tmp_path / "known_hosts"

    def standing_now(text: str) -> tuple[KeyStatus, str]:
        file.write_text(text)
        found, entries = read_known_hosts((str(file),)).stand("box", 22, TYPE, blob("good"))
        return found, entries[0].where if entries else ""

    assert standing_now("# one\n") == (KeyStatus.UNKNOWN, "")
    assert standing_now("# one\n" + line("box", "good")) == (KeyStatus.KNOWN, f"{file}:2")
    assert standing_now("# one\n" + line("box", "good") + "\n") == (KeyStatus.KNOWN, f"{file}:2")
    assert standing_now("# two\n# one\n" + line("box", "bad") + "\n" + line("box", "good")) == (
        KeyStatus.KNOWN,
        f"{file}:4",
    )
    assert standing_now(line("box", "good") + "\n" + line("*", "good", "@revoked")) == (KeyStatus.REVOKED, f"{file}:2")
    file.unlink()
    assert read_known_hosts((str(file),)).stand("box", 22, TYPE, blob("good"))[0] is KeyStatus.UNKNOWN

"""What ``doctor --learn-keys`` shows before it asks."""

from __future__ import annotations

from fleetsweep.model.host_key import KeysToLearn, UnknownKey
from fleetsweep.report.unknown_keys import SHOW_KEYS, render_unknown_keys


def key(host: str, name: str, fingerprint: str, key_type: str = "ssh-ed25519") -> UnknownKey:
    return UnknownKey(host, name, key_type, fingerprint.encode(), fingerprint, ("/known",), "/known")


def test_machines_with_one_key_are_folded_and_the_shared_key_is_pointed_out() -> None:
    keys = [key(f"runner-{number}", f"192.0.2.{number}", "SHA256:shared") for number in (1, 2, 3)]
    own = key("", "[bastion]:2222", "SHA256:b", "ecdsa-sha2-nistp256")
    lines = render_unknown_keys(KeysToLearn((own, *keys), ())).splitlines()
    assert lines[2:4] == ["SHA256:b ECDSA   bastion [bastion]:2222", "SHA256:shared ED25519 runner-[1-3]"]
    assert lines[4].startswith("SHA256:shared is on 3 machines")
    assert max(map(len, lines)) <= 80


def test_two_names_of_one_machine_share_no_key() -> None:
    text = render_unknown_keys(KeysToLearn((key("a", "box", "SHA256:x"), key("b", "box", "SHA256:x")), ()))
    assert "SHA256:x ED25519 a, b\n" in text
    assert "machines" not in text


def test_what_is_not_offered_has_its_reason_and_cannot_write_to_the_terminal() -> None:
    text = render_unknown_keys(KeysToLearn((), (("lb\x1b[2J", "presented different keys: a, b"),)))
    assert text == "lb\\x1b[2J: not offered: presented different keys: a, b\n"


def test_lines_are_wrapped_and_the_command_to_compare_can_still_be_pasted() -> None:
    keys = [key(f"runner-{number}", f"192.0.2.{number}", "SHA256:" + "x" * 43) for number in range(1, 40, 2)]
    lines = render_unknown_keys(KeysToLearn(tuple(keys), (("a", "presented different keys: " + "a b " * 20),)), 60)
    assert max(map(len, lines.splitlines())) <= 60
    assert f"  {SHOW_KEYS}\n" in lines.replace("\\\n    ", "")
    assert f"  {SHOW_KEYS}\n" not in lines

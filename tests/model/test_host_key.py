"""Which unknown host keys may be saved."""

from __future__ import annotations

from dataclasses import replace

from fleetsweep.model.host_key import UnknownKey, keys_to_learn

KEY = UnknownKey("a", "192.0.2.1", "ssh-ed25519", b"key", "SHA256:one", ("/known",), "/known")
BASTION = replace(KEY, host="", name="bastion", fingerprint="SHA256:two")


def test_bastions_come_first_and_what_was_found_twice_is_there_once() -> None:
    twin = replace(KEY, host="b")
    assert keys_to_learn([twin, KEY, BASTION, KEY]).keys == (BASTION, KEY, twin)


def test_a_machine_that_presents_two_keys_is_refused() -> None:
    found = keys_to_learn([KEY, replace(KEY, fingerprint="SHA256:other", key=b"other"), BASTION])
    assert found.keys == (BASTION,)
    assert found.refused == (("192.0.2.1", "presented different keys: SHA256:one, SHA256:other"),)


def test_a_key_needs_a_file_by_its_absolute_path() -> None:
    for target in (None, "known"):
        found = keys_to_learn([replace(KEY, save_to=target)])
        assert found.keys == ()
        assert "--known-hosts" in found.refused[0][1]

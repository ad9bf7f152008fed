"""Which unknown host keys may be saved."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

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


FOUND = st.lists(
    st.builds(
        lambda host, name, key, target: replace(
            KEY, host=host, name=name, key=key.encode(), fingerprint=f"SHA256:{key}", save_to=target
        ),
        *(st.sampled_from(values) for values in (["", "a", "b"], ["x", "y", "z"], ["1", "2"])),
        st.sampled_from(["/known", None, "known"]),
    )
)


@given(FOUND)
def test_no_machine_is_offered_two_keys_or_one_that_cannot_be_saved_and_none_is_lost(found: list[UnknownKey]) -> None:
    sorted_out = keys_to_learn(found)
    offered = {key.name: key.fingerprint for key in sorted_out.keys}
    assert all(offered[key.name] == key.fingerprint and key.save_to == "/known" for key in sorted_out.keys)
    refused = {name for name, _ in sorted_out.refused}
    assert refused.isdisjoint(offered)
    assert refused | offered.keys() == {key.name for key in found}

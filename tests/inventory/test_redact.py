"""What looks like a secret is not shown."""

from __future__ import annotations

import pytest

from fleetsweep.inventory.redact import MASK, masked


@pytest.mark.parametrize(
    "name",
    ["ansible_password", "ansible_ssh_pass", "ansible_become_pass", "ansible_sudo_pass", "DB_PASSWORD", "token",
     "github-token", "vault_secret_id", "ansible_ssh_private_key", "aws_secret_access_key", "api_key", "apikey",
     "ansible_private_key_passphrase"],
)  # fmt: skip
def test_a_value_whose_name_suggests_a_secret_is_masked(name: str) -> None:
    assert masked({name: "hunter2"}) == {name: MASK}
    assert masked({name: 12345}) == {name: MASK}
    assert masked({"db": {name: ["hunter2"]}}) == {"db": {name: [MASK]}}


@pytest.mark.parametrize(
    "name", ["ansible_ssh_private_key_file", "passenger_count", "compass", "keep_label", "tokenizer", "ansible_user"]
)
def test_any_other_value_is_shown_as_it_is(name: str) -> None:
    assert masked({name: "x"}) == {name: "x"}


def test_what_is_empty_or_a_switch_is_no_secret() -> None:
    assert masked({"password": "", "token": None, "secret": True}) == {"password": "", "token": None, "secret": True}

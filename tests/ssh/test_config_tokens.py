"""Tokens and environment variables in values."""

from __future__ import annotations

import hashlib
import os
import socket

import pytest

from fleetsweep.ssh.config_tokens import expand_all, expand_tokens, local_user, tokens_of

TOKENS = tokens_of("box", "10.0.0.7", 2222, "ci", "alias", "gate")


def test_every_token_of_a_file_setting_has_a_value() -> None:
    here = socket.gethostname()
    digest = hashlib.sha1(f"{here}10.0.0.72222cigate".encode(), usedforsecurity=False).hexdigest()
    text = expand_all("%h %n %p %r %k %j %i %u %L %l %C %%", lambda: TOKENS)
    assert text == (
        f"10.0.0.7 box 2222 ci alias gate {os.getuid()} {local_user()} {here.partition('.')[0]} {here} {digest} %"
    )


def test_variables_are_replaced_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KEYS", "/k/${HOME}%h")
    monkeypatch.setenv("EMPTY", "")
    assert expand_all("${KEYS}/%n${EMPTY}", lambda: TOKENS) == "/k/${HOME}%h/box"
    assert expand_all("$KEYS", lambda: TOKENS) == "$KEYS"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("${NO_SUCH}/x", "NO_SUCH is not set"),
        ("${}", "is not a variable"),
        ("${OPEN", "is not a variable"),
        ("%Z", "token %Z"),
        ("a%", "token %"),
    ],
)
def test_what_has_no_value_is_an_error(text: str, message: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NO_SUCH", raising=False)
    with pytest.raises(ValueError, match=message):
        expand_all(text, lambda: TOKENS)


def test_a_command_keeps_its_variables_for_the_shell() -> None:
    assert expand_tokens("x ${HOME} %h", lambda: TOKENS) == "x ${HOME} 10.0.0.7"

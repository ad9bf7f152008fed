"""Secrets are masked in values, documents and log lines, in each usual encoding, and in bounded time."""

from __future__ import annotations

import base64
import json
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleetsweep.model.redact import MASK
from fleetsweep.model.secrets import (
    ITEMS_LIMIT,
    STRING_LIMIT,
    known_secrets,
    names_secret,
    redact_document,
    redact_text,
    redacted,
)

values = st.text(st.characters(min_codepoint=33, max_codepoint=0x2FF, exclude_characters="\"'"), min_size=12)


@pytest.mark.parametrize(
    "name", ["PASSWORD", "db_password", "ci.token", "GITHUB_TOKEN", "api-key", "x_secret_y", "PGPASSWORD"]
)
def test_a_name_suggests_a_secret(name: str) -> None:
    assert names_secret(name)


@pytest.mark.parametrize("name", ["HOME", "compass", "tokens_used", "org.opencontainers.image.source", "monkey"])
def test_other_names_do_not(name: str) -> None:
    assert not names_secret(name)


@pytest.mark.parametrize(
    "line",
    [
        "password=CANARY",
        "DB_PASSWORD: 'CANARY'",
        '{"client_secret": "CANARY", "user": "x"}',
        "the token is CANARY",
        "Authorization: Bearer CANARY",
        "authorization: CANARY",
        "https://user:CANARY@example.com/",
        "curl -H 'PRIVATE-TOKEN: CANARY'",
        "-----BEGIN RSA PRIVATE KEY-----\nCANARY\n-----END RSA PRIVATE KEY-----",
        "-----BEGIN PRIVATE KEY-----\nCANARY",
        "ghp_0123456789CANARY",
        "pwd: CANARY",
        "CANARY\n-----END RSA PRIVATE KEY-----",
        "Cookie: theme=dark; session=CANARY",
        "app --password \\\n  CANARY",
        "curl -u ann:CANARY https://example.com",
        "curl --user=ann:CANARY",
        "sshpass -p CANARY ssh box",
        "redis-cli -h db -a CANARY",
        "mysql -u root -pCANARY db",
        "https://user:a/CANARY@example.com/",
    ],
)
def test_a_line_that_names_a_secret_loses_it(line: str) -> None:
    text = redact_text(line.replace("CANARY", "c4n4ryZq8v"))
    assert "c4n4ry" not in text
    assert MASK in text


@pytest.mark.parametrize(
    "line",
    ["compass=north", "GET /v1/x 200", "3f9a01bc started in 2 s", "https://example.com/a@b", "http://box:8080/a@b"],
)
def test_an_ordinary_line_stays(line: str) -> None:
    assert redact_text(line) == line


@given(values, st.sampled_from(["TOKEN", "PATH", "any_name"]), st.text(max_size=20), st.text(max_size=20))
def test_no_value_of_the_environment_is_in_a_log_or_document(value: str, name: str, before: str, after: str) -> None:
    document = {"Config": {"Env": [f"{name}={value}"], "Cmd": ["run", value]}}
    known = known_secrets(document)
    forms = (value, quote(value, safe=""), base64.b64encode(value.encode()).decode().rstrip("="))
    for form in forms:
        text = redact_text(f"{before}{form}{after}", known)
        assert form not in text.replace(before, "").replace(after, "") or form in before or form in after
    assert redact_document(document)["Config"]["Env"] == [f"{name}={MASK}"]  # type: ignore[index]


def test_a_document_keeps_what_is_harmless() -> None:
    document = {
        "Id": "a",
        "State": {"Status": "running", "Pid": 3, "OOMKilled": False, "Error": None},
        "Config": {
            "Env": ["A=b", "noequals", 7],
            "Labels": {"ci.token": "x", "team": "a"},
            "Cmd": ["tool", "--password", "hunter", "--token=abc", "-v", "--secret"],
        },
        "HostConfig": {"LogConfig": {"Config": {"splunk-token": "x"}}},
    }
    assert redact_document(document) == {
        "Id": "a",
        "State": {"Status": "running", "Pid": 3, "OOMKilled": False, "Error": None},
        "Config": {
            "Env": [f"A={MASK}", MASK, MASK],
            "Labels": {"ci.token": MASK, "team": "a"},
            "Cmd": ["tool", "--password", MASK, f"--token={MASK}", "-v", "--secret"],
        },
        "HostConfig": {"LogConfig": {"Config": {"splunk-token": MASK}}},
    }


def test_a_hostile_document_is_bounded() -> None:
    deep: object = "x"
    for _ in range(200):
        deep = {"a": deep}
    found = redact_document(
        {"deep": deep, "long": "y" * 10**6, "many": list(range(10**5)), "wide": dict.fromkeys("abc")}
    )
    assert len(json.dumps(found)) < STRING_LIMIT + 10 * ITEMS_LIMIT


def test_lines_of_a_value_are_known_one_by_one() -> None:
    known = known_secrets({"Config": {"Env": ["KEY=first line 1\nsecond line 2"], "Labels": {"ci.secret": "abcd"}}})
    assert {"first line 1", "second line 2", "abcd"} <= known


@pytest.mark.parametrize("document", [{}, {"Config": None}, {"Config": {"Env": [], "Labels": []}}])
def test_a_document_of_another_shape_has_none(document: dict[str, object]) -> None:
    assert known_secrets(document) == frozenset()
    assert redact_document(document) == document


def test_a_value_under_a_secrets_name_is_masked_and_an_empty_one_stays() -> None:
    assert (redacted("x_token", "abc"), redacted("x_token", ""), redacted("x", "a")) == (MASK, "", "a")


@pytest.mark.parametrize(
    "part",
    [
        {"Config": {"Env": "CANARY"}},
        {"Config": {"Env": {"HOME": "CANARY"}}},
        {"X": {"auth": {"value": "CANARY"}}},
        {"Args": ["curl", "-u", "ann:CANARY"]},
        {"Args": ["/usr/bin/sshpass", "-p", "CANARY", "ssh"]},
        {"Args": ["mysql", "-pCANARY"]},
        {"X": "x" * (STRING_LIMIT - 24) + "https://ann:CANARY-and-more@example.com"},
    ],
)
def test_a_secret_in_an_odd_place_of_a_document_is_masked(part: dict[str, object]) -> None:
    assert "CANARY" not in json.dumps(redact_document(part))


@pytest.mark.parametrize("piece", ["://a:", "mysql ", "redis-cli ", " -u a:", "-----END ", "-----BEGIN ", "cookie:"])
def test_repeated_beginnings_of_secrets_take_no_quadratic_time(piece: str) -> None:
    # With backtracking over the whole text, one of these took minutes.
    assert redact_text(piece * 20_000)

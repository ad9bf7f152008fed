"""What ``fleetsweep hosts`` prints: no secret, and no character that a terminal obeys."""

from __future__ import annotations

import json
from collections import defaultdict

import pytest

from fleetsweep.model.host import Connection, Host
from fleetsweep.policy.rules import Policy
from fleetsweep.report.hosts import list_hosts, plain, render_hosts

SECRET = "s3kr1t-t0ken"  # noqa: S105
HOST = Host(
    "runner-1",
    "192.0.2.1",
    user="ci",
    groups=("ci", "linux"),
    variables={"ansible_password": SECRET, "region": "eu"},
    origins={"region": "group_vars/ci.yml"},
)
LOCAL = Host("1e5", "localhost", connection=Connection.LOCAL)


def test_a_host_is_one_row_with_its_way_and_its_groups() -> None:
    head, first, second = render_hosts([HOST, LOCAL], "table").splitlines()
    assert head.split() == ["HOST", "ADDRESS", "PORT", "USER", "CONNECTION", "ENGINE", "GROUPS"]
    assert first.split()[:4] == ["runner-1", "192.0.2.1", "22", "ci"]
    assert first.endswith("ci,linux")
    assert second.split()[0] == "1e5", "a name is no number"


@pytest.mark.parametrize("style", ["table", "json"])
def test_a_secret_is_masked_in_every_style(style: str) -> None:
    sources: defaultdict[str, str] = defaultdict(lambda: "default")
    text = render_hosts([HOST], style, {"runner-1": (Policy(), sources)})
    assert SECRET not in text
    assert "eu" in text
    assert "group_vars/ci.yml" in text


def test_each_setting_has_its_flag_its_value_and_its_source() -> None:
    sources = defaultdict(lambda: "default", max_age="--max-age")
    policy = Policy(max_age_s=86_400 + 60, cap=None)
    lines = render_hosts([HOST], "table", {"runner-1": (policy, sources)}).splitlines()
    rows = [line.split() for line in lines[lines.index("  settings") + 1 :]]
    assert ["max-age", "86460s", "--max-age"] in rows
    assert ["cap", "none", "default"] in rows


def test_names_are_listed_as_ansible_does() -> None:
    assert list_hosts([HOST, Host("a\nb", "c")]) == "  hosts (2):\n    runner-1\n    a\\x0ab\n"


def test_json_is_one_host_a_line() -> None:
    text = render_hosts([HOST, LOCAL], "json")
    assert [item["name"] for item in json.loads(text)] == ["runner-1", "1e5"]
    assert len(text.splitlines()) == 4


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (True, True),
        (1.5, 1.5),
        (float("inf"), "inf"),
        (10**5000, "too large a number"),
        ({1: (2, {3})}, {"1": [2, [3]]}),
        ("\ud800", "\\ud800"),
    ],
    ids=["bool", "float", "infinity", "long", "nested", "surrogate"],
)
def test_a_value_keeps_the_type_that_json_has(value: object, shown: object) -> None:
    assert plain(value) == shown

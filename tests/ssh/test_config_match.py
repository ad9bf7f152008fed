"""The criteria of Match."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from fleetsweep.ssh.config_match import Subject, judge, parse_match


def no_tokens() -> Mapping[str, str]:
    return {"%": "%"}


SUBJECT = Subject("Box.Example", "box", "ci", "root", "", False, no_tokens)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("all", True),
        ("!all", False),
        ("host=*.example", True),
        ("host *.example originalhost=box user ci,x localuser root", True),
        ('host "*.EXAMPLE"', True),
        ("!host other", True),
        ("user CI", False),
        ("canonical", False),
        ("!final", True),
        ("canonical all", False),
        ("tagged x", False),
        ("!tagged x", True),
        ("host *.example # the end", True),
        ("exec 'exit 0'", True),
        ('exec "exit 1"', False),
        # What fails first decides, and what is not known doesn't.
        ("host other localnetwork 10.0.0.0/8", False),
        ("localnetwork 10.0.0.0/8 host other", False),
        ("user x nosuch a b c", False),
    ],
)
def test_criteria_are_judged_from_left_to_right(text: str, expected: bool) -> None:
    assert judge(parse_match(text), SUBJECT) is expected


@pytest.mark.parametrize("text", ["localnetwork 10.0.0.0/8", "host *.example version 10*", "nosuch x", "!command y"])
def test_an_unknown_criterion_that_decides_is_an_error(text: str) -> None:
    with pytest.raises(ValueError, match="is not supported, and it decides"):
        judge(parse_match(text), SUBJECT)


def test_the_final_pass_and_a_tag_count() -> None:
    assert judge(parse_match("final"), replace(SUBJECT, final=True))
    assert judge(parse_match("canonical"), replace(SUBJECT, final=True))
    assert judge(parse_match("tagged x,y"), replace(SUBJECT, tag="y"))


def test_a_command_runs_only_if_all_before_it_matches(tmp_path: Path) -> None:
    ran = tmp_path / "ran"
    assert not judge(parse_match(f'host other exec "touch {ran}"'), SUBJECT)
    with pytest.raises(ValueError, match="localnetwork"):
        judge(parse_match(f'localnetwork 10.0.0.0/8 exec "touch {ran}"'), SUBJECT)
    assert not ran.exists()


@pytest.mark.parametrize("text", ["", "host", "host # x", "all host x", "host a user b all", 'exec "x'])
def test_an_incomplete_line_is_an_error(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        parse_match(text)

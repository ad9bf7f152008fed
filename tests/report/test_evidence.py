"""What ``fleetsweep show CONTAINER`` prints, and that no text from a box is more than text."""

from __future__ import annotations

import json

import pytest

from fleetsweep.model.evidence import LogLine, PastEvidence
from fleetsweep.model.journal import PastRemoval
from fleetsweep.report.evidence import render_evidence
from tests.report.hostile import NASTY

REMOVAL = PastRemoval(
    run="20260615T070000Z-1",
    host="runner-1",
    container_id="a" * 64,
    name="ws-1",
    at_ns=1_781_506_800 * 10**9,
    outcome="removed",
    error=None,
    settled=None,
    settled_run=None,
    image="molecule-local/x:1",
    reason="stale",
    age_s=172_800,
    age_from="started",
    matched_by=("name", "image"),
    attributes={"fleetsweep.owner": "team-a"},
)
FOUND = PastEvidence(
    REMOVAL,
    command="sweep",
    inspect={"Id": "a"},
    logs=(LogLine("stdout", "hello"), LogLine("stderr", "oh")),
    missing="",
)


def test_it_has_why_the_details_and_the_log() -> None:
    lines = render_evidence(FOUND, "table").splitlines()
    assert lines[:2] == [
        "ws-1 (aaaaaaaaaaaa) on runner-1: removed",
        "requested by sweep 20260615T070000Z-1 at 2026-06-15T07:00:00Z",
    ]
    assert lines[2].startswith("reason: stale, 2d")
    assert lines[2].endswith("since it was started, matched by name, image")
    assert lines[3:] == [
        "image: molecule-local/x:1",
        "fleetsweep.owner: team-a",
        "",
        "inspect:",
        "{",
        '  "Id": "a"',
        "}",
        "",
        "log, the last 2 lines:",
        "stdout: hello",
        "stderr: oh",
    ]


def test_json_has_the_same() -> None:
    found = json.loads(render_evidence(FOUND, "json"))
    assert (found["schema"], found["id"], found["age_s"]) == ("fleetsweep.evidence/1", "a" * 64, 172_800)
    assert (found["inspect"], found["log"][0], found["missing"]) == (
        {"Id": "a"},
        {"stream": "stdout", "text": "hello"},
        None,
    )


def test_what_is_missing_is_named() -> None:
    removal = PastRemoval("h", "a" * 64, "n", 0, None, None, "gone", None, "r")
    text = render_evidence(PastEvidence(removal, "sweep", None, (), "lost"), "table")
    assert text.splitlines()[0] == "n (aaaaaaaaaaaa) on h: gone"
    assert text.endswith("log: empty\n\nevidence: lost\n")


@pytest.mark.parametrize("text", NASTY)
@pytest.mark.parametrize("style", ["table", "json"])
def test_text_from_a_box_is_escaped(text: str, style: str) -> None:
    removal = PastRemoval(text, text, text, 0, text, text, text, text, text, text, text, 1, text, (text,), {text: text})
    found = PastEvidence(removal, text, {text: [text]}, (LogLine(text, text),), text)
    shown = render_evidence(found, style)
    assert all(character == "\n" or character.isprintable() for character in shown)

"""Explaining one container: the rules in order, and the same verdict as the audit."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest

from tests.conftest import Run
from tests.lab import Lab, Spec
from tests.lab.scripted_engine import ScriptedContainer, ScriptedEngine
from tests.lab.workdir import Workdir, leaks

DAYS = timedelta(days=2)

SPECS = [
    Spec("ws-stale", age=DAYS),
    Spec("ws-stale-too", age=DAYS),
    Spec("ws-kept", age=DAYS, labels={"fleetsweep.keep": "true"}),
    Spec("ws-young", age=timedelta(minutes=10), created_age=DAYS),
    Spec("ws-managed", age=DAYS, labels={"com.docker.swarm.task.id": "1"}),
    Spec("postgres", image="postgres:16", age=DAYS),
]
VERDICTS = {
    "ws-stale": ("remove", "stale"),
    "ws-stale-too": ("remove", "stale"),
    "ws-kept": ("keep", "protected"),
    "ws-young": ("keep", "young"),
    "ws-managed": ("keep", "managed"),
    "postgres": ("keep", "unmatched"),
}


@dataclass(frozen=True, slots=True)
class Seeded:
    """A box with one container of each kind: their ids by name, and what the audit said of them."""

    ids: dict[str, str]
    audited: dict[str, tuple[str, str]]


@pytest.fixture(scope="module")
def seeded(session_lab: Lab) -> Iterator[Seeded]:
    """Seeded once: explaining changes nothing."""
    import subprocess
    import sys

    box = session_lab.box("runner-1")
    ids = box.seed(SPECS)
    session_lab.box("runner-2").seed([Spec("ws-elsewhere")])
    command = [sys.executable, "-m", "fleetsweep", "audit", *session_lab.options(), "--format", "json"]
    done = subprocess.run(command, check=True, capture_output=True, text=True, timeout=60)
    decided = [item for row in json.loads(done.stdout)["hosts"] for item in row["decisions"]]
    yield Seeded(ids, {item["name"]: (item["verdict"], item["reason"]) for item in decided})
    for each in session_lab.boxes:
        each.clear()


def explain(lab: Lab, run: Run, *words: str) -> dict[str, Any]:
    done = run("explain", *words, *lab.options(), "--format", "json")
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


@pytest.mark.lab
@pytest.mark.parametrize("name", VERDICTS)
def test_the_verdict_is_the_audits(session_lab: Lab, seeded: Seeded, run: Run, name: str) -> None:
    told = explain(session_lab, run, name)
    assert (told["host"], told["id"], told["name"]) == ("runner-1", seeded.ids[name], name)
    assert (told["verdict"], told["reason"]) == VERDICTS[name]
    # What matches no selector is counted by the audit, not listed.
    assert seeded.audited.get(name, ("keep", "unmatched")) == VERDICTS[name]
    # The first rule that has a say is the one that decides.
    assert next(rule["said"] for rule in told["rules"] if rule["said"]) == told["reason"]
    assert all(rule["rule"] and rule["saw"] for rule in told["rules"])


@pytest.mark.lab
def test_an_id_and_a_prefix_that_means_one_alone_will_do(session_lab: Lab, seeded: Seeded, run: Run) -> None:
    wanted = seeded.ids["ws-kept"]
    for word in (wanted, unique_prefix(wanted, seeded), "ws-k"):
        assert explain(session_lab, run, word)["id"] == wanted
    # A whole name wins over another one that it begins.
    assert explain(session_lab, run, "ws-stale")["id"] == seeded.ids["ws-stale"]


def unique_prefix(wanted: str, seeded: Seeded) -> str:
    others = [container_id for container_id in seeded.ids.values() if container_id != wanted]
    return next(
        wanted[:length] for length in range(8, 64) if not any(other.startswith(wanted[:length]) for other in others)
    )


@pytest.mark.lab
@pytest.mark.parametrize("word", ["ws-stal", "nobody", "", "ws-stale "])
def test_no_container_or_more_than_one_is_an_error(session_lab: Lab, seeded: Seeded, run: Run, word: str) -> None:
    done = run("explain", word, *session_lab.options())
    assert done.returncode == 2, done.stdout
    assert done.stdout == ""
    assert "Traceback" not in done.stderr
    if word == "ws-stal":
        assert "ws-stale-too" in done.stderr


@pytest.mark.lab
def test_the_text_has_each_rule_in_order_and_the_verdict_last(session_lab: Lab, seeded: Seeded, run: Run) -> None:
    told = explain(session_lab, run, "ws-young")
    done = run("explain", "ws-young", *session_lab.options())
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    places = [next(at for at, line in enumerate(lines) if line.startswith(rule["rule"])) for rule in told["rules"]]
    assert places == sorted(set(places))
    assert "keep" in lines[-1]
    assert "young" in lines[-1]


@pytest.mark.lab
def test_the_policy_options_count(session_lab: Lab, seeded: Seeded, run: Run) -> None:
    assert explain(session_lab, run, "ws-stale", "--max-age", "3d")["reason"] == "young"
    assert explain(session_lab, run, "postgres", "--image", "postgres*")["reason"] == "stale"


def test_explaining_sends_nothing_but_get_and_reports_the_guard(workdir: Workdir, run: Run) -> None:
    engine = ScriptedEngine(leaks(3))
    with engine.serve(workdir.socket) as url:
        done = run("explain", "ws-1", *workdir.local(url), "--cap", "2")
    assert done.returncode == 0, done.stderr
    assert {method for method, _ in engine.requests} == {"GET"}
    assert "remove" in done.stdout
    assert "cap" in done.stdout.splitlines()[-1]


def test_what_a_box_says_cannot_speak_to_the_terminal(workdir: Workdir, run: Run) -> None:
    evil = "ws-\x1b]52;c;aGk=\x07\r\n\x1b[2J"
    engine = ScriptedEngine([ScriptedContainer("a" * 64, evil, labels={"\x1b[31m": "\x1b[0m"})])
    with engine.serve(workdir.socket) as url:
        done = run("explain", "a" * 64, *workdir.local(url))
        none = run("explain", "\x1b[2J", *workdir.local(url))
        many = run("explain", "ws-", *workdir.local(url))
    assert done.returncode == 0, done.stderr
    for said in (done.stdout, none.stderr, many.stderr, many.stdout):
        assert "\x1b" not in said
        assert "\x07" not in said

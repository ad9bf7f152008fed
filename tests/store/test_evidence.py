"""Reading the evidence of a container: by name or id, of the run that has it, and what is missing."""

from __future__ import annotations

import re
import sqlite3
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

import fleetsweep.store
from fleetsweep.errors import UsageError
from fleetsweep.model.container import Container
from fleetsweep.model.evidence import Evidence, LogLine, pack
from fleetsweep.model.host import Host
from fleetsweep.model.outcome import Outcome, Removal
from fleetsweep.policy.rules import Policy, decide
from fleetsweep.store.journal import Journal, past_evidence
from fleetsweep.store.journal.evidence import NOT_KEPT
from fleetsweep.store.journal.migrations import MIGRATIONS
from tests.policy.test_rules import NOW, container

INSPECT = {"Id": "x", "Config": {"Env": ["A=********"]}}
LOG = [LogLine("stdout", "hello")]


def item(number: int, name: str) -> Container:
    return container(id=f"{number:x}" * 64, name=name, labels={"fleetsweep.owner": "team-a"})


def sweep(state: Path, run_id: str, what: Container, *evidence: Evidence, host: str = "a") -> None:
    with Journal(state, run_id, "sweep") as journal:
        log = journal.for_host(Host(host, "127.0.0.1"), "", [decide(what, Policy(), NOW)])
        intent = log.intend(what)
        for each in evidence:
            log.keep(intent, each)
        log.conclude(intent, Removal(what.id, Outcome.REMOVED))


@pytest.mark.parametrize("by", ["ws-one", "1" * 64, "1111", "ws-o"])
def test_a_container_is_found_by_its_name_its_id_or_their_beginning(tmp_path: Path, by: str) -> None:
    state = tmp_path / "state"
    sweep(state, "r1", item(1, "ws-one"), Evidence(pack(INSPECT), pack(LOG)))
    sweep(state, "r2", item(2, "other"))
    found = past_evidence(state, by)
    removal = found.removal
    assert (removal.run, removal.name, removal.outcome, removal.reason) == ("r1", "ws-one", "removed", "stale")
    assert (removal.matched_by, removal.attributes) == (("name", "image"), {"fleetsweep.owner": "team-a"})
    assert (found.inspect, found.logs, found.missing) == (INSPECT, tuple(LOG), "")


def test_of_several_runs_the_newest_with_evidence_counts(tmp_path: Path) -> None:
    state = tmp_path / "state"
    for run_id, evidence in (
        ("r1", (Evidence(pack({"n": 1}), None),)),
        ("r2", (Evidence(pack({"n": 2}), None),)),
        ("r3", ()),
    ):
        sweep(state, run_id, item(1, "ws-one"), *evidence)
    assert past_evidence(state, "ws-one").inspect == {"n": 2}


def test_a_whole_name_counts_before_the_beginning_of_another(tmp_path: Path) -> None:
    state = tmp_path / "state"
    sweep(state, "r1", item(1, "ws-one"))
    sweep(state, "r2", item(2, "ws-one-more"))
    assert past_evidence(state, "ws-one").removal.run == "r1"


@pytest.mark.parametrize("by", ["ws-o", "ws-one"])
def test_several_containers_are_listed(tmp_path: Path, by: str) -> None:
    state = tmp_path / "state"
    sweep(state, "r1", item(1, "ws-one"))
    sweep(state, "r2", item(2, "ws-one"), host="b")
    with pytest.raises(UsageError, match=r"means several containers: 2{12} \(ws-one on b\), 1{12} \(ws-one on a\)"):
        past_evidence(state, by)


@pytest.mark.parametrize("by", ["zz", "ws-x", "111"])
def test_what_no_run_removed_is_not_found(tmp_path: Path, by: str) -> None:
    state = tmp_path / "state"
    sweep(state, "r1", item(1, "ws-one"))
    with pytest.raises(UsageError, match="no container that a run tried to remove"):
        past_evidence(state, by)


@pytest.mark.parametrize(
    ("evidence", "missing"),
    [
        ((), NOT_KEPT),
        ((Evidence(None, None, "the log: lost"),), "the log: lost"),
        ((Evidence(b"junk", None),), "what the journal has can't be read"),
    ],
)
def test_missing_evidence_is_named(tmp_path: Path, evidence: tuple[Evidence, ...], missing: str) -> None:
    state = tmp_path / "state"
    sweep(state, "r1", item(1, "ws-one"), *evidence)
    found = past_evidence(state, "ws-one")
    assert (found.inspect, found.logs) == (None, None)
    assert found.missing.startswith(missing)


def test_a_volume_has_no_reason(tmp_path: Path) -> None:
    state = tmp_path / "state"
    volume = replace(item(1, "data"), id="volume:data")
    with Journal(state, "r1", "teardown") as journal:
        journal.for_host(Host("a", "127.0.0.1")).intend(volume)
    found = past_evidence(state, "data").removal
    assert (found.reason, found.image, found.matched_by, found.attributes) == (None, None, (), {})


def test_a_journal_of_an_older_release_has_none_yet(tmp_path: Path) -> None:
    state = tmp_path / "state"
    state.mkdir(mode=0o700)
    with closing(sqlite3.connect(state / "journal.db", isolation_level=None)) as database:
        for script in MIGRATIONS[:2]:
            database.executescript(script)
        database.execute("PRAGMA user_version = 2")
    with pytest.raises(UsageError, match="the next run migrates it"):
        past_evidence(state, "ws-one")


def test_no_query_of_the_journal_numbers_its_values() -> None:
    # Deprecated since Python 3.12 where the values have no names, and an error in 3.14.
    files = Path(fleetsweep.store.__file__).parent.rglob("*.py")
    assert [path.name for path in files if re.search(r"\?[0-9]", path.read_text())] == []

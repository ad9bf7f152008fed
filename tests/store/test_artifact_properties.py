"""Plans and baselines that were edited and given the right digest: read as written, or refused with a message."""

from __future__ import annotations

import copy
import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from fleetsweep.errors import UsageError
from fleetsweep.model.decision import HostPlan
from fleetsweep.model.report import FleetReport
from fleetsweep.model.run_scope import Baseline
from fleetsweep.model.survey import FailedSurvey
from fleetsweep.policy.guards import guard_fleet
from fleetsweep.policy.rules import Policy
from fleetsweep.policy.settings import resolve
from fleetsweep.report import exit_code, render
from fleetsweep.store import baseline_file as baseline
from fleetsweep.store import plan_file as saved_plan
from fleetsweep.store.artifact import _digest
from fleetsweep.sweep.phases import host_reports
from tests.policy.test_rules import NOW
from tests.store.test_plan_file import HOSTS, read, saved

PLAN = json.loads(saved_plan.dump(saved()))
Place = tuple[str | int, ...]

junk = st.one_of(
    st.sampled_from(
        [float("nan"), float("inf"), float("-inf"), 1e308, -1e18, 10**4000, -(10**30), 2**63, -(2**63), 0, -1, True]
    ),
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    st.lists(st.none() | st.text(max_size=2), max_size=2),
    st.dictionaries(st.text(max_size=3), st.none() | st.integers(), max_size=2),
    st.just("\ud800"),
)


def places(value: object, here: Place = ()) -> Iterator[Place]:
    """The path of each value of a document."""
    inside = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, part in inside:
        yield (*here, key)
        yield from places(part, (*here, key))


def edited(document: object, place: Place, value: object) -> dict[str, object]:
    """The document with another value there, and the digest that fits it."""
    whole = copy.deepcopy(document)
    assert isinstance(whole, dict)
    del whole["digest"]
    part = whole
    for key in place[:-1]:
        part = part[key]
    part[place[-1]] = value
    return {**whole, "digest": _digest(whole)}


def undigested(text: str) -> object:
    document = json.loads(text)
    del document["digest"]
    return document


def written(document: object, directory: Path) -> Path:
    path = directory / "document.json"
    path.write_text(json.dumps(document))
    path.chmod(0o600)
    return path


PLAN_PLACES = list(places({key: value for key, value in PLAN.items() if key != "digest"}))


@settings(max_examples=200)
@given(st.sampled_from(PLAN_PLACES), junk)
@example(("hosts", 0, "duration_s"), float("nan"))
@example(("hosts", 0, "now_ns"), 10**4000)
@example(("hosts", 0, "containers"), -5)
@example(("flags", "cap"), 7)
@example(("flags", "names"), "^ws-")
@example(("flags", "names"), [None])
@example(("fleet_cap",), True)
def test_an_edited_plan_is_refused_or_read_as_written(
    tmp_path_factory: pytest.TempPathFactory, place: Place, value: object
) -> None:
    directory = tmp_path_factory.mktemp("plan")
    try:
        found = read(written(edited(PLAN, place, value), directory))
    except UsageError:
        return
    # What was read can be written, and read again as the same.
    saved_plan.save(found, directory / "again.json")
    again = saved_plan.dump(read(directory / "again.json"))
    assert undigested(again.replace("when the plan was made: " * 2, "when the plan was made: ")) == (
        undigested(saved_plan.dump(found))
    )
    # It can be guarded, shown in every form, and remembered.
    policies = {name: Policy() for name in HOSTS}
    plan = guard_fleet(found.plan.hosts, policies, None)
    rows = host_reports(plan, {}, {})
    code = exit_code(rows, plan.guard, fail_on_stale=False, stopped_by=None)
    for style in ("table", "json", "jsonl", "csv", "markdown"):
        render(FleetReport("run", "sweep", False, NOW, NOW, code, tuple(rows), plan.guard), style, verbose=True)
    with closing(sqlite3.connect(":memory:")) as database:
        for row in plan.hosts:
            numbers = (
                (row.duration_s,) if isinstance(row, FailedSurvey) else (row.duration_s, row.containers, row.now_ns)
            )
            assert database.execute(f"SELECT {', '.join('?' * len(numbers))}", numbers).fetchone() == numbers
    with suppress(UsageError):
        saved_plan.check_policies(found, policies, None)
        resolve(found.flags, {}, HOSTS["a"])
    assert all(isinstance(row, (HostPlan, FailedSurvey)) for row in plan.hosts)


HOSTS_BEFORE = {"a": Baseline("docker X at unix:///s, key", NOW, ("e" * 64, "f" * 64)), "b": Baseline("y", NOW, ())}


@pytest.fixture(scope="module")
def before(tmp_path_factory: pytest.TempPathFactory) -> object:
    path = tmp_path_factory.mktemp("made") / "baseline.json"
    baseline.save(HOSTS_BEFORE, path, now_ns=NOW)
    return json.loads(path.read_text())


@settings(max_examples=200)
@given(st.data(), junk)
def test_an_edited_baseline_is_refused_or_read_as_written(
    tmp_path_factory: pytest.TempPathFactory, before: dict[str, object], data: st.DataObject, value: object
) -> None:
    directory = tmp_path_factory.mktemp("baseline")
    place = data.draw(st.sampled_from(list(places({key: part for key, part in before.items() if key != "digest"}))))
    hosts = [HOSTS[name] for name in ("a", "b")]
    try:
        found = baseline.load(written(edited(before, place, value), directory), hosts, now_ns=NOW)
    except UsageError:
        return
    baseline.save(found, directory / "again.json", now_ns=NOW)
    assert baseline.load(directory / "again.json", hosts, now_ns=NOW) == found


@pytest.mark.parametrize("text", ["NaN", "Infinity", "-Infinity", "1e999", "9" * 30, "9" * 5000, "-" + "9" * 19])
def test_a_number_that_is_not_finite_or_too_large_is_refused(tmp_path: Path, text: str) -> None:
    whole = json.dumps(PLAN).replace('"duration_s": 10.0', f'"duration_s": {text}')
    assert text in whole
    path = tmp_path / "plan.json"
    path.write_text(whole)
    path.chmod(0o600)
    with pytest.raises(UsageError, match="is damaged"):
        read(path)

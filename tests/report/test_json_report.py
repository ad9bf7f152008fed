"""The JSON report: keys that programs depend on, and numbers that JSON has."""

from __future__ import annotations

import json
from dataclasses import replace

from fleetsweep.model.decision import Guard, GuardName
from fleetsweep.model.outcome import Outcome
from fleetsweep.model.report import FleetWarning, WarningKind
from fleetsweep.report import render
from tests.report.build import candidates, container_id, fleet, lost, report, surveyed

COUNTS = ["containers", "matched", "stale", "removed", "gone", "changed", "failed_removals", "unknown"]


EXAMPLE = report(surveyed("runner-1", candidates("ws", 1, age_s=172_801), others=1, outcome=Outcome.REMOVED))


def test_json_has_the_promised_keys_in_their_order() -> None:
    made = json.loads(render(fleet(), "json"))
    assert list(made) == [
        *("schema", "run_id", "command", "dry_run", "started_at", "finished_at", "exit_code", "guard"),
        *("totals", "warnings", "hosts"),
    ]
    assert list(made["totals"]) == [
        *("hosts", "ok", "unreachable", "guarded", "failed", "interrupted", *COUNTS),
    ]
    for host in made["hosts"]:
        assert list(host) == [
            *("host", "status", "error", "guard", "engine", "clock_skew_s", "duration_s"),
            *(*COUNTS, "oldest_s", "decisions", "settled", "resources", "silent_since"),
        ]


def test_json_is_indented_as_a_whole() -> None:
    for made in (fleet(), report()):
        text = render(made, "json")
        assert text == json.dumps(json.loads(text), indent=2) + "\n"


def test_json_has_all_of_a_removal() -> None:
    assert json.loads(render(EXAMPLE, "json")) == {
        "schema": "fleetsweep.report/1",
        "run_id": "20260615T070000Z-1a2b",
        "command": "sweep",
        "dry_run": False,
        "started_at": "2026-06-15T07:00:00Z",
        "finished_at": "2026-06-15T07:00:12Z",
        "exit_code": 0,
        "guard": None,
        "totals": {
            "hosts": 1,
            "ok": 1,
            "unreachable": 0,
            "guarded": 0,
            "failed": 0,
            "interrupted": 0,
            "containers": 2,
            "matched": 1,
            "stale": 1,
            "removed": 1,
            "gone": 0,
            "changed": 0,
            "failed_removals": 0,
            "unknown": 0,
        },
        "warnings": [],
        "hosts": [
            {
                "host": "runner-1",
                "status": "ok",
                "error": None,
                "guard": None,
                "engine": {
                    "kind": "docker",
                    "server": "Docker/20.10.24 (linux)",
                    "api": "1.41",
                    "via": "streamlocal",
                    "id": None,
                    "host_key": None,
                },
                "clock_skew_s": 0.2,
                "duration_s": 0.41,
                "containers": 2,
                "matched": 1,
                "stale": 1,
                "removed": 1,
                "gone": 0,
                "changed": 0,
                "failed_removals": 0,
                "unknown": 0,
                "oldest_s": 172_801,
                "decisions": [
                    {
                        "id": container_id("ws-0"),
                        "name": "ws-0",
                        "image": "molecule-local/workspace-template-a:latest",
                        "state": "running",
                        "verdict": "remove",
                        "reason": "stale",
                        "matched_by": ["name", "image"],
                        "age_s": 172_801,
                        "age_from": "started",
                        "outcome": "removed",
                        "error": None,
                        "restarts": 0,
                        "created_age_s": 172_801,
                        "attributes": {},
                    }
                ],
                "settled": [],
                "resources": [],
                "silent_since": None,
            }
        ],
    }


def test_json_has_the_error_of_a_host_that_was_not_surveyed() -> None:
    host = json.loads(render(report(lost("a")), "json"))["hosts"][0]
    assert host["error"] == {
        "phase": "connect",
        "kind": "timeout",
        "message": "no TCP connection to box port 22 within 10 s",
        "remedy": "check that the box is up",
    }
    assert (host["engine"], host["clock_skew_s"], host["oldest_s"]) == (None, None, None)
    assert all(host[count] == 0 for count in COUNTS)
    assert host["decisions"] == []


def test_json_gives_both_numbers_of_a_guard() -> None:
    made = json.loads(render(fleet(), "json"))
    assert made["hosts"][4]["guard"] == {
        "name": "cap",
        "message": "3 candidates are more than the cap of 2",
        "limit": 2,
        "found": 3,
    }
    guard = Guard(GuardName.FLEET_CAP, "too many", "5%", 15)
    assert json.loads(render(report(guard=guard), "json"))["guard"] == {
        "name": "fleet-cap",
        "message": "too many",
        "limit": "5%",
        "found": 15,
    }


def test_json_rounds_its_numbers_and_has_no_minus_zero() -> None:
    made = report(surveyed("a", skew_s=-0.04, duration_s=0.123456))
    text = render(made, "json")
    assert '"clock_skew_s": 0.0,' in text
    assert '"duration_s": 0.123,' in text


def test_json_has_null_for_nan_and_infinity() -> None:
    made = report(surveyed("a", skew_s=float("nan"), duration_s=float("inf")))
    host = json.loads(render(made, "json"))["hosts"][0]
    assert (host["clock_skew_s"], host["duration_s"]) == (None, None)


def test_a_creation_date_that_makes_no_sense_has_no_age() -> None:
    host = surveyed("a", candidates("ws", 1))
    assert host.plan is not None
    (made,) = host.plan.decisions
    for created_ns in (0, -1, host.plan.now_ns + 1):
        odd = replace(made, container=replace(made.container, created_ns=created_ns))
        plan = replace(host.plan, decisions=(odd,))
        shown = json.loads(render(report(replace(host, plan=plan)), "json"))
        assert shown["hosts"][0]["decisions"][0]["created_age_s"] is None


def test_json_has_each_warning_of_a_host_and_of_the_fleet() -> None:
    made = replace(
        fleet(), warnings=tuple(FleetWarning(WarningKind.NOT_REMOVED, host, "m", 3, "r") for host in (None, "a"))
    )
    warnings = json.loads(render(made, "json"))["warnings"]
    assert warnings == [
        {"kind": "not-removed", "host": host, "message": "m", "runs": 3, "remedy": "r"} for host in (None, "a")
    ]
    assert json.loads(render(made, "jsonl").splitlines()[-1])["warnings"] == warnings

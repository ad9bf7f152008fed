"""What is asked of each engine, by whole commands against containers that run in it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from fleetsweep.engine.versions import NEWEST_API
from tests.compat.checks import FailedCheckError, NotApplicableError, Report, expect, fleetsweep
from tests.compat.engines import AnyEngine, Podman
from tests.lab.process import wait_for

TEMPLATE: Final = "molecule-local/workspace-template-x:latest"
OTHER: Final = "postgres:16"

_AGES: Final = ("--max-age", "2s", "--job-timeout", "1s")
_RUN: Final = "fleetsweep.run=7-1"


def _audit(engine: AnyEngine) -> Report:
    code, report = fleetsweep("audit", "--local", "--engine", engine.url, *_AGES)
    expect(code, 0, "the audit's exit code")
    return report


def _await_stale(engine: AnyEngine, count: int) -> Report:
    """Audit until so many containers are old enough, and return that audit's report."""
    reports: list[Report] = []

    def old() -> bool:
        reports.append(_audit(engine))
        return bool(reports[-1]["totals"]["stale"] == count)

    try:
        wait_for(old, f"{count} stale containers")
    except RuntimeError as error:
        raise FailedCheckError(f"{error}: the audit finds {_verdicts(reports[-1])}") from error
    return reports[-1]


def _sweep(engine: AnyEngine, *, code: int = 0) -> dict[str, Any]:
    """Sweep once and return each decision by the container's name."""
    found, report = fleetsweep("sweep", "--local", "--engine", engine.url, *_AGES, "--yes")
    decisions = {each["name"]: each for each in report["hosts"][0]["decisions"]}
    expect(found, code, f"the sweep's exit code, with {_verdicts(report)},")
    return decisions


def _verdicts(report: Report) -> dict[str, str]:
    (row,) = report["hosts"]
    if row["error"]:
        return {"error": row["error"]["message"]}
    return {each["name"]: f"{each['reason']} {each['outcome'] or ''}".strip() for each in row["decisions"]}


def _removed(engine: AnyEngine, decisions: dict[str, Any], name: str) -> None:
    decision = decisions[name]
    expect((decision["outcome"], decision["error"]), ("removed", None), f"the outcome of {name}")
    if name in engine.states():
        raise FailedCheckError(f"the engine still has {name}")


def audit(engine: AnyEngine) -> None:
    """An audit finds what is stale, tells it from what is not, and removes nothing."""
    engine.run("ws-old", TEMPLATE)
    engine.run("database", OTHER)
    (row,) = _await_stale(engine, 1)["hosts"]
    expect(row["engine"]["kind"], engine.kind.lower(), "the engine's kind")
    newest = tuple(map(int, engine.api_versions()[1].split(".")))
    expect(row["engine"]["api"], "{}.{}".format(*min(newest, NEWEST_API)), "the API version that is used")
    expect(row["containers"], 2, "the number of containers")
    expect(engine.states(), {"ws-old": "running", "database": "running"}, "what the engine has")


def sweep(engine: AnyEngine) -> None:
    """A sweep removes what runs too long, and leaves the others running."""
    for name in ("ws-1", "ws-2"):
        engine.run(name, TEMPLATE)
    engine.run("database", OTHER)
    _await_stale(engine, 2)
    decisions = _sweep(engine)
    for name in ("ws-1", "ws-2"):
        _removed(engine, decisions, name)
    expect(engine.states(), {"database": "running"}, "what the engine has")


def teardown(engine: AnyEngine) -> None:
    """A job removes what carries its label, volumes and networks too, and nothing of another job."""
    key, _, value = _RUN.partition("=")
    engine.run("mine", OTHER, fleetsweep_run=value)
    engine.run("theirs", OTHER, fleetsweep_run="8-1")
    with engine.api() as api:
        api.create_volume("data-mine", labels={key: value})
        api.create_volume("data-theirs", labels={key: "8-1"})
        api.create_network("net-mine", driver="bridge", internal=True, labels={key: value})
        api.create_network("net-theirs", driver="bridge", internal=True, labels={key: "8-1"})
    scope = ["--run-label", _RUN, "--volumes", "--networks"]
    code, report = fleetsweep("teardown", "--local", "--engine", engine.url, *scope)
    expect(code, 0, f"the teardown's exit code, with {_verdicts(report)},")
    expect(engine.states(), {"theirs": "running"}, "what the engine has")
    expect(engine.volumes(), {"data-theirs"}, "its volumes")
    expect(engine.networks(), {"net-theirs"}, "its own networks")


def moved_tag(engine: AnyEngine) -> None:
    """A container is matched by the name of its image after that name has moved to a newer image."""
    moving = "molecule-local/moving:1"
    engine.import_image(moving, "old")
    engine.run("job-7", moving)
    engine.import_image(moving, "new")
    _await_stale(engine, 1)
    decisions = _sweep(engine)
    expect(decisions["job-7"]["matched_by"], ["image"], "what job-7 is matched by")
    _removed(engine, decisions, "job-7")


def never_started(engine: AnyEngine) -> None:
    """A container that was made and never started is as old as its creation."""
    engine.create("ws-made", TEMPLATE)
    _await_stale(engine, 1)
    decisions = _sweep(engine)
    expect(decisions["ws-made"]["state"], "created", "its state")
    _removed(engine, decisions, "ws-made")


def paused(engine: AnyEngine) -> None:
    """A paused container is removed."""
    engine.run("ws-paused", TEMPLATE)
    engine.pause("ws-paused")
    _await_stale(engine, 1)
    decisions = _sweep(engine)
    expect(decisions["ws-paused"]["state"], "paused", "its state")
    _removed(engine, decisions, "ws-paused")


def stopping(engine: AnyEngine) -> None:
    """A container that is being stopped is removed; an engine that would forget it is not asked, with what to do."""
    if not isinstance(engine, Podman):
        raise NotApplicableError("Docker has no such state")
    engine.run("ws-stopping", TEMPLATE)
    engine.begin_stop("ws-stopping")
    _await_stale(engine, 1)
    if engine.version >= (4, 4):
        _removed(engine, _sweep(engine), "ws-stopping")
        return
    decision = _sweep(engine, code=5)["ws-stopping"]
    expect(decision["outcome"], "failed", "the outcome")
    if "kill -9" not in str(decision["error"]):
        raise FailedCheckError(f"no remedy: {decision['error']}")
    expect(engine.states(), {"ws-stopping": "stopping"}, "what the engine has")
    engine.end_process("ws-stopping")
    wait_for(lambda: engine.states()["ws-stopping"] == "exited", "Podman seeing that it ended")
    _removed(engine, _sweep(engine), "ws-stopping")


CHECKS: Final[Mapping[str, Callable[[AnyEngine], None]]] = {
    "audit": audit,
    "sweep": sweep,
    "teardown": teardown,
    "moved tag": moved_tag,
    "never started": never_started,
    "paused": paused,
    "`stopping`": stopping,
}

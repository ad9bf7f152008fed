"""``--format json``: the whole report as one object. Its keys are stable: new ones are added, none is renamed."""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, Final

from fleetsweep.model.decision import Decision, Guard, HostPlan
from fleetsweep.model.outcome import Removal
from fleetsweep.model.report import FleetReport, FleetWarning, HostReport, Silence
from fleetsweep.model.survey import Engine, Fault
from fleetsweep.report.cells import created_age_s, iso_utc, removals_by_id, resource_removal
from fleetsweep.report.escape import well_formed
from fleetsweep.report.totals import counted_plan, fleet_totals, host_totals

if TYPE_CHECKING:
    from fleetsweep.model.intent import Settlement
    from fleetsweep.model.run_scope import Resource

SCHEMA: Final = "fleetsweep.report/1"

JsonObject = dict[str, object]


def render_json(report: FleetReport, *, verbose: bool = False, color: bool = False, width: int | None = None) -> str:
    """Return the report as one indented JSON object. The options change nothing.

    Pure ASCII: control and bidirectional characters are escaped, so that ``cat`` on a report is safe.
    """
    head = _indented(head_object(report)).removesuffix("\n}")
    # Host by host: the objects of ten thousand take more memory than all else in a run.
    hosts = ",".join("\n    " + _indented(host_object(host)).replace("\n", "\n    ") for host in report.hosts)
    closing = "\n  " if hosts else ""
    return f'{head},\n  "hosts": [{hosts}{closing}]\n}}\n'


def _indented(value: JsonObject) -> str:
    return json.dumps(value, indent=2, ensure_ascii=True, allow_nan=False)


def head_object(report: FleetReport) -> JsonObject:
    """Return the keys that describe the whole run."""
    totals = fleet_totals(report)
    return {
        "schema": SCHEMA,
        "run_id": well_formed(report.run_id),
        "command": well_formed(report.command),
        "dry_run": report.dry_run,
        "started_at": iso_utc(report.started_ns),
        "finished_at": iso_utc(report.finished_ns),
        "exit_code": report.exit_code,
        "guard": guard_object(report.guard),
        "totals": {
            "hosts": totals.hosts,
            **{status.value: count for status, count in totals.statuses.items()},
            "containers": totals.counts.containers,
            "matched": totals.counts.matched,
            "stale": totals.counts.stale,
            "removed": totals.counts.removed,
            "gone": totals.counts.gone,
            "changed": totals.counts.changed,
            "failed_removals": totals.counts.failed_removals,
            "unknown": totals.counts.unknown,
        },
        "warnings": [_warning(warning) for warning in report.warnings],
    }


def host_object(host: HostReport) -> JsonObject:
    """Return one host, with every container that a selector matched.

    For a host that was not surveyed the counts are 0, and ``engine``, ``clock_skew_s`` and ``oldest_s`` are null.
    """
    plan = counted_plan(host)
    totals = host_totals(host)
    removals = removals_by_id(host)
    return {
        "host": well_formed(host.host.name),
        "status": host.status.value,
        "error": fault_object(host.fault),
        "guard": guard_object(host.guarded_by),
        "engine": engine_object(host.plan.engine) if host.plan else None,
        "clock_skew_s": rounded(host.plan.skew_s, 1) if host.plan else None,
        "duration_s": rounded(host.duration_s, 3),
        "containers": totals.containers,
        "matched": totals.matched,
        "stale": totals.stale,
        "removed": totals.removed,
        "gone": totals.gone,
        "changed": totals.changed,
        "failed_removals": totals.failed_removals,
        "unknown": totals.unknown,
        "oldest_s": totals.oldest_s,
        "decisions": [_decision(d, plan, removals.get(d.container.id)) for d in plan.decisions] if plan else [],
        "settled": [_settlement(settlement) for settlement in host.settled],
        "resources": [_resource(found, host) for found in host.plan.resources] if host.plan else [],
        "silent_since": _silent_since(host.silence),
    }


def _warning(warning: FleetWarning) -> JsonObject:
    return {
        "kind": warning.kind.value,
        "host": None if warning.host is None else well_formed(warning.host),
        "message": well_formed(warning.message),
        "runs": warning.runs,
        "remedy": well_formed(warning.remedy),
    }


def _decision(decision: Decision, plan: HostPlan, removal: Removal | None) -> JsonObject:
    container = decision.container
    return {
        "id": well_formed(container.id),
        "name": well_formed(container.name),
        "image": well_formed(container.image),
        "state": well_formed(container.state),
        "verdict": decision.verdict.value,
        "reason": decision.reason.value,
        "matched_by": [selector.value for selector in decision.matched_by],
        "age_s": decision.age_s,
        "age_from": decision.age_from.value if decision.age_from else None,
        "outcome": removal.outcome.value if removal else None,
        # The removal's error, or else the details of the reason.
        "error": well_formed(removal.error)
        if removal and removal.error is not None
        else well_formed(decision.detail) or None,
        # An old container that keeps restarting is young by its start time.
        "restarts": container.restarts,
        "created_age_s": created_age_s(decision, plan),
        "attributes": {well_formed(key): well_formed(value) for key, value in decision.attributes.items()},
    }


def _silent_since(silence: Silence | None) -> str | None:
    if silence is None:
        return None
    return "ever" if silence.since_ns is None else iso_utc(silence.since_ns)


def _resource(resource: Resource, host: HostReport) -> JsonObject:
    removal = resource_removal(host, resource)
    return {
        "kind": resource.kind.value,
        "id": well_formed(resource.ref),
        "name": well_formed(resource.name),
        "outcome": removal.outcome.value if removal else None,
        "error": well_formed(removal.error) if removal and removal.error is not None else None,
    }


def _settlement(settlement: Settlement) -> JsonObject:
    intent = settlement.intent
    return {
        "run_id": well_formed(intent.run_id),
        "id": well_formed(intent.container_id),
        "name": well_formed(intent.name),
        "outcome": settlement.outcome.value,
    }


def engine_object(engine: Engine) -> JsonObject:
    """Return the engine's kind, version and identity, and how it was reached."""
    return {
        "kind": well_formed(engine.kind),
        "server": well_formed(engine.server),
        "api": well_formed(engine.api),
        "via": well_formed(engine.via),
        "id": _value(engine.id),
        "host_key": _value(engine.host_key),
    }


def fault_object(fault: Fault | None) -> JsonObject | None:
    """Return the error of a host that could not be surveyed."""
    if fault is None:
        return None
    return {
        "phase": fault.phase.value if fault.phase else None,
        "kind": well_formed(fault.kind),
        "message": well_formed(fault.message),
        "remedy": well_formed(fault.remedy),
    }


def guard_object(guard: Guard | None) -> JsonObject | None:
    """Return the guard that tripped."""
    if guard is None:
        return None
    return {
        "name": guard.name.value,
        "message": well_formed(guard.message),
        "limit": _value(guard.limit),
        "found": _value(guard.found),
    }


def _value(value: float | str | None) -> float | str | None:
    if isinstance(value, float):
        return rounded(value, 3)
    return well_formed(value) if isinstance(value, str) else value


def rounded(value: float, digits: int) -> float | None:
    """Return a rounded number; None for NaN and infinity, which JSON does not have."""
    return round(value, digits) + 0.0 if math.isfinite(value) else None  # + 0.0: there is no minus zero

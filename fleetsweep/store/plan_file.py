"""Saved plans: written by an audit, carried out by a later sweep.

The document holds no labels, environment or secrets. Labels, which must not have changed since, are stored as a digest.
"""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Final

from fleetsweep.errors import FaultKind, Phase, UsageError
from fleetsweep.model.container import SECOND, Container
from fleetsweep.model.decision import (
    AgeFrom,
    Decision,
    FleetPlan,
    Guard,
    GuardName,
    HostPlan,
    Reason,
    Selector,
    Verdict,
)
from fleetsweep.model.durations import compared
from fleetsweep.model.host import Host
from fleetsweep.model.policy_flags import Flags
from fleetsweep.model.survey import Engine, FailedSurvey, Fault, Status
from fleetsweep.policy.guards import Percent
from fleetsweep.policy.rules import Policy
from fleetsweep.store.artifact import (
    JsonObject,
    Kind,
    as_bool,
    as_count,
    as_float,
    as_full_id,
    as_int,
    as_list,
    as_object,
    as_optional_str,
    as_scalar,
    as_str,
)

SUMMARY: Final = "fleetsweep.plan-summary/1"
"""The schema of the summary that the journal keeps of a plan."""

KIND: Final = Kind("plan", 2, "--plan", "make one with fleetsweep audit --save-plan")

CLOCK_TOLERANCE_NS: Final = 5 * 60 * SECOND
"""Nanoseconds that a plan may be from the future: controllers' clocks differ a little."""


@dataclass(frozen=True, slots=True)
class SavedPlan:
    """A plan, the policy flags as typed, and each host's resolved policy as JSON values.

    ``created_ns`` is nanoseconds since the epoch, by the clock of the controller that made the plan.
    """

    plan: FleetPlan
    run_id: str
    created_ns: int
    flags: Flags
    fleet_cap: int | str | None
    policies: Mapping[str, JsonObject]


def dump(saved: SavedPlan) -> str:
    """Return the document as JSON, with its digest as the last key."""
    return KIND.dump(_body(saved))


def _body(saved: SavedPlan) -> JsonObject:
    return {
        "run_id": saved.run_id,
        "created_ns": saved.created_ns,
        "flags": asdict(saved.flags),
        "fleet_cap": saved.fleet_cap,
        "guard": _guard_object(saved.plan.guard),
        "hosts": [_host_object(item, saved.policies.get(item.host.name, {})) for item in saved.plan.hosts],
    }


def policy_object(policy: Policy) -> JsonObject:
    """Return a policy as JSON values, equal for equal policies.

    Holds and ``attributes`` are left out: they may change after the plan was made.
    """
    settings = asdict(replace(policy, held={}))
    del settings["held"], settings["matcher"], settings["attributes"]
    value: JsonObject = json.loads(json.dumps(settings))
    return value


def cap_object(fleet_cap: int | Percent | None) -> int | str | None:
    """Return a fleet cap as a JSON value."""
    return str(fleet_cap) if isinstance(fleet_cap, Percent) else fleet_cap


def check_target(path: Path) -> None:
    """Raise UsageError unless a plan may be written to ``path``: a new file, or one that holds a plan."""
    KIND.check_target(path, "--save-plan")


def save(saved: SavedPlan, path: Path) -> None:
    """Write the plan, mode 0600, whole or not at all. Raises OSError, and UsageError as ``check_target``."""
    KIND.save(_body(saved), path, "--save-plan")


def load(path: Path, *, now_ns: int, ttl_s: float, hosts: Mapping[str, Host]) -> SavedPlan:
    """Read a plan. ``hosts`` are the inventory's, by name: a plan determines what to remove, never where to connect.

    Raises UsageError where the plan can't be read, was changed after it was written, is older than ``ttl_s`` seconds,
    or names a host that is not in ``hosts`` or has another endpoint now.
    """
    where = f"plan {path}"
    document = KIND.load(path)
    created_ns = document.get("created_ns")
    if not isinstance(created_ns, int) or isinstance(created_ns, bool) or created_ns > now_ns + CLOCK_TOLERANCE_NS:
        raise UsageError(f"{where} was made in the future: check this machine's clock, or make a new plan")
    age_s = (now_ns - created_ns) // SECOND
    if age_s > ttl_s:
        age, most = compared(age_s, ttl_s)
        raise UsageError(f"{where} is {age} old, more than {most}: make a new one, or raise --plan-ttl")
    try:
        return _saved_plan(document, created_ns, where, hosts)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise KIND.damaged(path, f"{type(error).__name__} {error}") from error


def summarize(saved: SavedPlan) -> str:
    """Return a plan for the journal, as JSON: the decision on each container to remove, the others counted by reason.

    A box may list thousands of kept containers, every hour. Where a guard tripped nothing is removed: all are counted.
    Hosts without a match and hosts that were not surveyed are left out: the journal has a row for every host.
    """
    policies: dict[str, int] = {}
    hosts = [
        _summary(item, saved, policies)
        for item in saved.plan.hosts
        if isinstance(item, HostPlan) and (item.decisions or item.resources)
    ]
    body = _body(replace(saved, plan=FleetPlan((), saved.plan.guard)))
    whole = {"schema": SUMMARY, **body, "policies": [json.loads(policy) for policy in policies], "hosts": hosts}
    return json.dumps(whole, separators=(",", ":"))


def _summary(item: HostPlan, saved: SavedPlan, policies: dict[str, int]) -> JsonObject:
    """Return one host of a summary. ``policies`` numbers the policies, each as JSON: most hosts have the same one."""
    unguarded = item.guard is None and saved.plan.guard is None
    to_remove = item.candidates if unguarded else ()
    counts = Counter(decision.reason.value for decision in item.decisions)
    counts.subtract(decision.reason.value for decision in to_remove)
    others = {reason: number for reason, number in sorted(counts.items()) if number}
    if not to_remove and not (unguarded and item.resources):
        return {"host": item.host.name, "others": others}
    policy = json.dumps(saved.policies.get(item.host.name, {}), sort_keys=True)
    whole = _host_object(replace(item, decisions=to_remove), {})
    return {
        **{key: whole[key] for key in ("host", "endpoint", "engine", "now_ns", "skew_s", "containers", "decisions")},
        "policy": policies.setdefault(policy, len(policies)),
        "resources": [resource.id for resource in item.resources],
        "others": others,
    }


def _host_object(item: HostPlan | FailedSurvey, policy: JsonObject) -> JsonObject:
    head: JsonObject = {"host": item.host.name, "endpoint": item.host.endpoint, "policy": policy}
    if isinstance(item, FailedSurvey):
        return {**head, "fault": asdict(item.fault), "duration_s": item.duration_s}
    return {
        **head,
        "engine": asdict(item.engine),
        "now_ns": item.now_ns,
        "skew_s": item.skew_s if math.isfinite(item.skew_s) else None,
        "duration_s": item.duration_s,
        "containers": item.containers,
        "guard": _guard_object(item.guard),
        "decisions": [_decision_object(decision) for decision in item.decisions],
    }


def _decision_object(decision: Decision) -> JsonObject:
    container = decision.container
    return {
        **{name: getattr(container, name) for name in _CONTAINER_FIELDS},
        "lives_on": list(container.lives_on),
        "verdict": decision.verdict,
        "reason": decision.reason,
        "matched_by": list(decision.matched_by),
        "age_s": decision.age_s,
        "age_from": decision.age_from,
        "labels_digest": decision.labels_digest,
        "detail": decision.detail,
        "attributes": dict(decision.attributes),
    }


_CONTAINER_FIELDS: Final = tuple(field.name for field in fields(Container) if field.name != "labels")


def _guard_object(guard: Guard | None) -> JsonObject | None:
    if guard is None:
        return None
    found = guard.found
    # The skew of an engine whose clock can't be read is NaN, which JSON does not have.
    return {**asdict(guard), "found": found if not isinstance(found, float) or math.isfinite(found) else str(found)}


def _saved_plan(document: JsonObject, created_ns: int, where: str, hosts: Mapping[str, Host]) -> SavedPlan:
    rows = [as_object(row) for row in as_list(document["hosts"])]
    names = [as_str(row["host"]) for row in rows]
    if len(set(names)) != len(names):
        raise ValueError("duplicate host")
    for name, row in zip(names, rows, strict=True):
        if name not in hosts:
            raise UsageError(f"{where} includes {name}, which these options don't select: give those of its audit")
        if hosts[name].endpoint != row["endpoint"]:
            raise UsageError(f"{where} was made when {name} was at {row['endpoint']}, now it is at "
                             f"{hosts[name].endpoint}: make a new one")  # fmt: skip
    fleet_cap = document["fleet_cap"]
    return SavedPlan(
        plan=FleetPlan(
            tuple(_host_plan(row, hosts[name]) for name, row in zip(names, rows, strict=True)),
            _guard(document["guard"]),
        ),
        run_id=as_str(document["run_id"]),
        created_ns=created_ns,
        flags=_flags(as_object(document["flags"])),
        fleet_cap=fleet_cap if fleet_cap is None or isinstance(fleet_cap, str) else as_int(fleet_cap),
        policies={name: as_object(row["policy"]) for name, row in zip(names, rows, strict=True)},
    )


def _flags(item: JsonObject) -> Flags:
    """Return the flags as they were typed. Raises TypeError and ValueError."""
    default = asdict(Flags())
    if item.keys() != default.keys():
        raise ValueError("the flags are not those of this version")
    made: dict[str, object] = {}
    for name, value in item.items():
        if isinstance(default[name], tuple):
            made[name] = tuple(as_str(word) for word in as_list(value))
        elif isinstance(default[name], bool):
            made[name] = as_bool(value)
        else:
            made[name] = as_optional_str(value)
    return Flags(**made)  # type: ignore[arg-type]  # each has the type of its default


def _decisions(row: JsonObject) -> tuple[Decision, ...]:
    made = tuple(_decision(as_object(item)) for item in as_list(row["decisions"]))
    if len({decision.container.id for decision in made}) != len(made):
        raise ValueError("duplicate container")
    return made


def _host_plan(row: JsonObject, host: Host) -> HostPlan | FailedSurvey:
    if "fault" in row:
        fault = as_object(row["fault"])
        phase = fault["phase"]
        made = Fault(
            Status(as_str(fault["status"])),
            None if phase is None else Phase(as_str(phase)),
            FaultKind(as_str(fault["kind"])),
            f"when the plan was made: {as_str(fault['message'])}",
            as_str(fault["remedy"]),
        )
        return FailedSurvey(host, made, as_float(row["duration_s"]))
    engine = as_object(row["engine"])
    return HostPlan(
        host=host,
        engine=Engine(
            kind=as_str(engine["kind"]),
            server=as_str(engine["server"]),
            api=as_str(engine["api"]),
            via=as_str(engine["via"]),
            id=as_optional_str(engine["id"]),
            host_key=as_optional_str(engine["host_key"]),
        ),
        now_ns=as_int(row["now_ns"]),
        # An unknown skew exceeds any limit.
        skew_s=math.nan if row["skew_s"] is None else as_float(row["skew_s"]),
        duration_s=as_float(row["duration_s"]),
        containers=as_count(row["containers"]),
        decisions=_decisions(row),
        guard=_guard(row["guard"]),
    )


def _decision(item: JsonObject) -> Decision:
    started, restarts, age = item["started_ns"], item["restarts"], item["age_s"]
    age_from = item["age_from"]
    digest = as_str(item["labels_digest"])
    container = Container(
        id=as_full_id(item["id"]),
        name=as_str(item["name"]),
        image=as_str(item["image"]),
        image_id=as_str(item["image_id"]),
        state=as_str(item["state"]),
        created_ns=as_int(item["created_ns"]),
        labels=None,
        started_ns=None if started is None else as_int(started),
        restarts=None if restarts is None else as_int(restarts),
        inspected=as_bool(item["inspected"]),
        trouble=as_str(item["trouble"]),
        lives_on=tuple(as_full_id(each) for each in as_list(item["lives_on"])),
        managed_by=as_str(item["managed_by"]),
    )
    return Decision(
        container,
        Verdict(as_str(item["verdict"])),
        Reason(as_str(item["reason"])),
        tuple(Selector(as_str(word)) for word in as_list(item["matched_by"])),
        None if age is None else as_int(age),
        None if age_from is None else AgeFrom(as_str(age_from)),
        digest and as_full_id(digest),
        as_str(item["detail"]),
        # Plans of earlier releases have none.
        {key: as_str(value) for key, value in as_object(item.get("attributes", {})).items()},
    )


def _guard(value: object) -> Guard | None:
    if value is None:
        return None
    item = as_object(value)
    limit, found = (None if part is None else as_scalar(part) for part in (item["limit"], item["found"]))
    return Guard(GuardName(as_str(item["name"])), as_str(item["message"]), limit, found)


def check_policies(saved: SavedPlan, policies: Mapping[str, Policy], fleet_cap: int | Percent | None) -> None:
    """Raise UsageError unless the plan was made with the policies of this run: the operator approved it under those."""
    remedy = "give the flags of its audit, or make a new plan"
    if cap_object(fleet_cap) != saved.fleet_cap:
        raise UsageError(f"--plan: it was made with fleet cap {saved.fleet_cap}, now it is {fleet_cap}: {remedy}")
    for name, then in saved.policies.items():
        now = policy_object(policies[name])
        for setting in sorted(now.keys() | then.keys()):
            if now.get(setting) != then.get(setting):
                raise UsageError(
                    f"--plan: for {name} it was made with {setting} {then.get(setting)!r}, "
                    f"now it is {now.get(setting)!r}: {remedy}"
                )

"""A plan on disk: written by a look at the fleet, carried out by a later sweep.

The document holds no label, no environment and no secret: what must not have changed since is there as a digest.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
import secrets
import stat
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Final

from fleetsweep.errors import Phase, UsageError
from fleetsweep.guards import Percent
from fleetsweep.model import (
    SECOND,
    AgeFrom,
    Container,
    Decision,
    Engine,
    Fault,
    FleetPlan,
    Guard,
    GuardName,
    Host,
    HostPlan,
    Lost,
    Reason,
    Selector,
    Status,
    Verdict,
)
from fleetsweep.policy import Policy
from fleetsweep.settings import Flags

SCHEMA: Final = "fleetsweep.plan/1"
SIZE_LIMIT: Final = 512 * 1024 * 1024
"""Bytes. A plan of 100 containers on each of 5,000 hosts is half of it."""

CLOCK_TOLERANCE_NS: Final = 5 * 60 * SECOND
"""How far in the future a plan may have been made: controllers' clocks differ a little."""

_FULL_DIGEST: Final = 64

JsonObject = dict[str, object]


@dataclass(frozen=True, slots=True)
class SavedPlan:
    """A plan and what it was made under: the policy flags as typed, and each host's resolved policy as JSON values.

    ``created_ns`` is nanoseconds since the epoch by the clock of the controller that made it.
    """

    plan: FleetPlan
    run_id: str
    created_ns: int
    flags: Flags
    fleet_cap: int | str | None
    policies: Mapping[str, JsonObject]


def dump(saved: SavedPlan) -> str:
    """The document, with its digest as the last key."""
    body: JsonObject = {
        "schema": SCHEMA,
        "run_id": saved.run_id,
        "created_ns": saved.created_ns,
        "flags": asdict(saved.flags),
        "fleet_cap": saved.fleet_cap,
        "guard": _guard_object(saved.plan.guard),
        "hosts": [_host_object(item, saved.policies.get(item.host.name, {})) for item in saved.plan.hosts],
    }
    return json.dumps({**body, "digest": _digest(body)}, indent=1, ensure_ascii=True, allow_nan=False) + "\n"


def policy_object(policy: Policy) -> JsonObject:
    """A policy as JSON values, equal for equal policies."""
    value: JsonObject = json.loads(json.dumps(asdict(policy)))
    return value


def cap_object(fleet_cap: int | Percent | None) -> int | str | None:
    """A fleet cap as a JSON value."""
    return str(fleet_cap) if isinstance(fleet_cap, Percent) else fleet_cap


def check_target(path: Path) -> None:
    """Raise UsageError unless a plan may be written to ``path``: a new file, or one that holds a plan."""
    if not path.parent.is_dir():
        raise UsageError(f"--save-plan: {path.parent} is not a directory")
    if not path.exists() and not path.is_symlink():
        return
    try:
        holds_plan = path.is_file() and not path.is_symlink() and _schema_of(path) is not None
    except OSError as error:
        raise UsageError(f"--save-plan: {path}: {error.strerror}") from error
    if not holds_plan:
        raise UsageError(f"--save-plan: {path} is there and is not a plan: name another file")


def _schema_of(path: Path) -> str | None:
    """The plan schema that a file begins with; None if it is no plan of any version."""
    with path.open("rb") as file:
        head = file.read(200)
    prefix = b'{\n "schema": "fleetsweep.plan/'
    return head[len(prefix) :].partition(b'"')[0].decode("ascii", "replace") if head.startswith(prefix) else None


def save(saved: SavedPlan, path: Path) -> None:
    """Write the plan, mode 0600, whole or not at all. Raises OSError, or UsageError as ``check_target`` does."""
    check_target(path)
    half = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        with os.fdopen(os.open(half, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="ascii") as file:
            file.write(dump(saved))
            file.flush()
            os.fsync(file.fileno())
        half.replace(path)
    finally:
        half.unlink(missing_ok=True)


def load(path: Path, *, now_ns: int, ttl_s: float, hosts: Mapping[str, Host]) -> SavedPlan:
    """Read a plan back. ``hosts`` are the inventory's, by name: a plan says what to remove, never where to connect.

    Raises UsageError when the plan can't be read, was changed after it was written, is older than ``ttl_s`` seconds,
    or names a host that is not among ``hosts`` or has moved since.
    """
    where = f"plan {path}"
    document = _parse(_read(path, where), where)
    created_ns = document.get("created_ns")
    if not isinstance(created_ns, int) or created_ns > now_ns + CLOCK_TOLERANCE_NS:
        raise UsageError(f"{where} was made in the future: check this machine's clock, or make a new plan")
    age_s = (now_ns - created_ns) // SECOND
    if age_s > ttl_s:
        raise UsageError(f"{where} is {age_s} s old, more than {ttl_s:g} s: make a new one, or raise --plan-ttl")
    try:
        return _saved_plan(document, created_ns, where, hosts)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise _damaged(where, f"{type(error).__name__} {error}") from error


def _read(path: Path, where: str) -> bytes:
    try:
        # A pipe would be waited for, and a device has no end.
        with open(os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC), "rb") as file:  # noqa: PTH123
            found = os.fstat(file.fileno())
            if not stat.S_ISREG(found.st_mode):
                raise UsageError(f"{where} is not a file: check --plan")
            text = file.read(SIZE_LIMIT + 1)
    except OSError as error:
        raise UsageError(f"{where}: {error.strerror}: check --plan") from error
    if found.st_uid not in {os.geteuid(), 0} or stat.S_IMODE(found.st_mode) & 0o022:
        raise UsageError(f"{where} can be changed by others: make a new one, or look at it and chmod 600 {path}")
    if len(text) > SIZE_LIMIT:
        raise UsageError(f"{where} is larger than {SIZE_LIMIT // 2**20} MiB")
    return text


def _parse(text: bytes, where: str) -> JsonObject:
    try:
        document = json.loads(text, object_pairs_hook=_each_key_once)
    except (ValueError, RecursionError) as error:
        raise _damaged(where, "it is not whole JSON") from error
    if not isinstance(document, dict) or not str(document.get("schema", "")).startswith("fleetsweep.plan/"):
        raise UsageError(f"{where} is not a plan: make one with fleetsweep audit --save-plan")
    if document["schema"] != SCHEMA:
        raise UsageError(f"{where} has schema {document['schema']!r}, this version reads {SCHEMA}: make a new one")
    if document.pop("digest", None) != _digest(document):
        raise _damaged(where, "its content does not fit its digest, so it was changed after it was made")
    return document


def _each_key_once(pairs: list[tuple[str, object]]) -> JsonObject:
    """One JSON object. Of a key that stands twice, each reader would believe another value."""
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a key stands there twice")
    return found


def _damaged(where: str, what: str) -> UsageError:
    return UsageError(f"{where} is damaged: {what}: make a new one with fleetsweep audit --save-plan")


def _digest(body: Mapping[str, object]) -> str:
    canonical = json.dumps(body, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return "sha256:" + hashlib.sha256(canonical.encode("ascii")).hexdigest()


def _host_object(item: HostPlan | Lost, policy: JsonObject) -> JsonObject:
    head: JsonObject = {"host": item.host.name, "endpoint": item.host.endpoint, "policy": policy}
    if isinstance(item, Lost):
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
        "verdict": decision.verdict,
        "reason": decision.reason,
        "matched_by": list(decision.matched_by),
        "age_s": decision.age_s,
        "age_from": decision.age_from,
        "labels_digest": decision.labels_digest,
    }


_CONTAINER_FIELDS: Final = tuple(field.name for field in fields(Container) if field.name != "labels")


def _guard_object(guard: Guard | None) -> JsonObject | None:
    if guard is None:
        return None
    found = guard.found
    # JSON has no number for the skew of an engine whose clock can't be told.
    return {**asdict(guard), "found": found if not isinstance(found, float) or math.isfinite(found) else str(found)}


def _saved_plan(document: JsonObject, created_ns: int, where: str, hosts: Mapping[str, Host]) -> SavedPlan:
    rows = [_object(row) for row in _list(document["hosts"])]
    names = [_text(row["host"]) for row in rows]
    if len(set(names)) != len(names):
        raise ValueError("a host stands there twice")
    for name, row in zip(names, rows, strict=True):
        if name not in hosts:
            raise UsageError(f"{where} is for {name} too, which these options don't select: give those of its audit")
        if hosts[name].endpoint != row["endpoint"]:
            raise UsageError(f"{where} was made when {name} was at {row['endpoint']}, now it is at "
                             f"{hosts[name].endpoint}: make a new one")  # fmt: skip
    flags = {
        key: tuple(value) if isinstance(value, list) else value for key, value in _object(document["flags"]).items()
    }
    fleet_cap = document["fleet_cap"]
    return SavedPlan(
        plan=FleetPlan(
            tuple(_host_plan(row, hosts[name]) for name, row in zip(names, rows, strict=True)),
            _guard(document["guard"]),
        ),
        run_id=_text(document["run_id"]),
        created_ns=created_ns,
        flags=Flags(**flags),  # type: ignore[arg-type]
        fleet_cap=fleet_cap if isinstance(fleet_cap, int) or fleet_cap is None else _text(fleet_cap),
        policies={name: _object(row["policy"]) for name, row in zip(names, rows, strict=True)},
    )


def _decisions(row: JsonObject) -> tuple[Decision, ...]:
    made = tuple(_decision(_object(item)) for item in _list(row["decisions"]))
    if len({decision.container.id for decision in made}) != len(made):
        raise ValueError("a container stands there twice")
    return made


def _host_plan(row: JsonObject, host: Host) -> HostPlan | Lost:
    if "fault" in row:
        fault = _object(row["fault"])
        phase = fault["phase"]
        made = Fault(
            Status(_text(fault["status"])),
            None if phase is None else Phase(_text(phase)),
            _text(fault["kind"]),
            f"when the plan was made: {_text(fault['message'])}",
            _text(fault["remedy"]),
        )
        return Lost(host, made, _number(row["duration_s"]))
    engine = _object(row["engine"])
    return HostPlan(
        host=host,
        engine=Engine(
            kind=_text(engine["kind"]),
            server=_text(engine["server"]),
            api=_text(engine["api"]),
            via=_text(engine["via"]),
            id=_optional_text(engine["id"]),
        ),
        now_ns=_whole(row["now_ns"]),
        # An unknown skew is over any limit.
        skew_s=math.nan if row["skew_s"] is None else _number(row["skew_s"]),
        duration_s=_number(row["duration_s"]),
        containers=_whole(row["containers"]),
        decisions=_decisions(row),
        guard=_guard(row["guard"]),
    )


def _decision(item: JsonObject) -> Decision:
    started, restarts, age = item["started_ns"], item["restarts"], item["age_s"]
    age_from = item["age_from"]
    digest = _text(item["labels_digest"])
    container = Container(
        id=_hex(item["id"]),
        name=_text(item["name"]),
        image=_text(item["image"]),
        image_id=_text(item["image_id"]),
        state=_text(item["state"]),
        created_ns=_whole(item["created_ns"]),
        labels=None,
        started_ns=None if started is None else _whole(started),
        restarts=None if restarts is None else _whole(restarts),
        inspected=item["inspected"] is True,
    )
    return Decision(
        container,
        Verdict(_text(item["verdict"])),
        Reason(_text(item["reason"])),
        tuple(Selector(_text(word)) for word in _list(item["matched_by"])),
        None if age is None else _whole(age),
        None if age_from is None else AgeFrom(_text(age_from)),
        digest and _hex(digest),
    )


def _guard(value: object) -> Guard | None:
    if value is None:
        return None
    item = _object(value)
    limit, found = (None if part is None else _scalar(part) for part in (item["limit"], item["found"]))
    return Guard(GuardName(_text(item["name"])), _text(item["message"]), limit, found)


def _object(value: object) -> JsonObject:
    if not isinstance(value, dict):
        raise TypeError("not an object")
    return value


def _list(value: object) -> list[object]:
    if not isinstance(value, list):
        raise TypeError("not a list")
    return value


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError("not a text")
    return value


def _optional_text(value: object) -> str | None:
    return None if value is None else _text(value)


def _whole(value: object) -> int:
    if not isinstance(value, int) or isinstance(value, bool):
        raise TypeError("not a whole number")
    return value


def _number(value: object) -> float:
    return value if isinstance(value, float) else float(_whole(value))


def _scalar(value: object) -> int | float | str:
    return value if isinstance(value, (str, float)) else _whole(value)


def _hex(value: object) -> str:
    text = _text(value)
    if len(text) != _FULL_DIGEST or not set(text) <= set("0123456789abcdef"):
        raise ValueError("not 64 hex digits")
    return text


def check_policies(saved: SavedPlan, policies: Mapping[str, Policy], fleet_cap: int | Percent | None) -> None:
    """Raise UsageError unless the plan was made by the very rules that hold now: they are the operator's yes."""
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

"""What the engines had before a job: written by ``baseline``, held against them by ``teardown``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from fleetsweep.document import JsonObject, Kind, as_full_id, as_list, as_object, as_optional_text, as_text, as_whole
from fleetsweep.errors import UsageError
from fleetsweep.model import SECOND, Host, Survey
from fleetsweep.policy import Policy, may_match
from fleetsweep.scope import Baseline

KIND: Final = Kind("baseline", 1, "--baseline", "make one with fleetsweep baseline --save, before the job")

LONGEST_S: Final = 86_400
"""Seconds. No job is that long: an older baseline is another job's that was left lying."""

CLOCK_TOLERANCE_NS: Final = 5 * 60 * SECOND
"""How far in the future a baseline may have been taken: the clocks of a controller and an engine differ a little."""


def take(survey: Survey, policy: Policy) -> Baseline:
    """What ``policy`` matches, or may match, in a survey. Pure."""
    engine = survey.engine
    ids = sorted(container.id for container in survey.containers if may_match(container, policy))
    return Baseline(engine.kind, lasting_id(survey), survey.now_ns, tuple(ids))


def lasting_id(survey: Survey) -> str | None:
    """The engine's own id; None where it is made up at each call, as Podman's is."""
    return survey.engine.id if survey.engine.kind == "docker" else None


def save(baselines: Mapping[str, Baseline], path: Path, *, now_ns: int) -> None:
    """Write the baselines by host name, whole or not at all. Raises OSError, or UsageError."""
    hosts: list[JsonObject] = [
        {
            "host": name,
            "engine": {"kind": found.engine_kind, "id": found.engine_id},
            "taken_ns": found.taken_ns,
            "containers": list(found.ids),
        }
        for name, found in baselines.items()
    ]
    KIND.save({"created_ns": now_ns, "hosts": list(hosts)}, path, "--save")


def check_target(path: Path) -> None:
    """Raise UsageError unless a baseline may be written to ``path``."""
    KIND.check_target(path, "--save")


def load(path: Path, hosts: Sequence[Host], *, now_ns: int) -> dict[str, Baseline]:
    """Read the baselines of ``hosts`` back, by host name.

    Raises UsageError when the file can't be read, was changed after it was written, is more than a day old by this
    machine's clock, or lacks one of the hosts.
    """
    document = KIND.load(path)
    try:
        created_ns = as_whole(document["created_ns"])
        rows = [as_object(row) for row in as_list(document["hosts"])]
        found = {as_text(row["host"]): _baseline(row) for row in rows}
    except (KeyError, TypeError, ValueError) as error:
        raise KIND.damaged(path, f"{type(error).__name__} {error}") from error
    if len(found) != len(rows):
        raise KIND.damaged(path, "a host stands there twice")
    _check_age(f"baseline {path}", created_ns, now_ns)
    for host in hosts:
        if host.name not in found:
            raise UsageError(f"baseline {path} has nothing of {host.name}: give the options it was made with")
    return {host.name: found[host.name] for host in hosts}


def _baseline(row: JsonObject) -> Baseline:
    engine = as_object(row["engine"])
    return Baseline(
        as_text(engine["kind"]),
        as_optional_text(engine["id"]),
        as_whole(row["taken_ns"]),
        tuple(as_full_id(each) for each in as_list(row["containers"])),
    )


def _check_age(what: str, taken_ns: int, now_ns: int) -> None:
    if taken_ns > now_ns + CLOCK_TOLERANCE_NS:
        raise UsageError(f"{what} was taken in the future: check the clocks; nothing was removed")
    age_s = (now_ns - taken_ns) // SECOND
    if age_s > LONGEST_S:
        raise UsageError(f"{what} is {age_s} s old, more than a day: it is another job's; nothing was removed")


def check_engine(found: Baseline, survey: Survey) -> None:
    """Raise UsageError unless a survey is of the very engine that a baseline was taken of, and by the same clock."""
    name = survey.host.name
    kind, own_id = survey.engine.kind, lasting_id(survey)
    if (kind, own_id) != (found.engine_kind, found.engine_id):
        raise UsageError(
            f"the baseline of {name} was taken of another engine ({found.engine_kind} {found.engine_id or ''}), "
            f"this one is {kind} {own_id or ''}: nothing was removed"
        )
    _check_age(f"the baseline of {name}, by its engine's clock,", found.taken_ns, survey.now_ns)

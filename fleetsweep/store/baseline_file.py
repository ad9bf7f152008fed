"""Baselines on disk: which containers each engine had before a job. Written by ``baseline``, read by ``teardown``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from fleetsweep.errors import UsageError
from fleetsweep.model.container import SECOND
from fleetsweep.model.durations import in_words
from fleetsweep.model.host import Host
from fleetsweep.model.run_scope import CLOCK_TOLERANCE_S, LONGEST_JOB_S, Baseline
from fleetsweep.model.survey import Survey
from fleetsweep.policy.identity import identity_of
from fleetsweep.policy.rules import Policy, may_match
from fleetsweep.store.artifact import JsonObject, Kind, as_full_id, as_int, as_list, as_object, as_str

KIND: Final = Kind("baseline", 2, "--baseline", "make one with fleetsweep baseline --save, before the job")


def take(survey: Survey, policy: Policy) -> Baseline:
    """Return the baseline of a survey: the ids that ``policy`` matches, or may match. Pure."""
    ids = sorted(container.id for container in survey.containers if may_match(container, policy))
    return Baseline(identity_of(survey.host, survey.engine), survey.now_ns, tuple(ids))


def save(baselines: Mapping[str, Baseline], path: Path, *, now_ns: int) -> None:
    """Write the baselines by host name, whole or not at all. Raises OSError and UsageError."""
    hosts: list[JsonObject] = [
        {
            "host": name,
            "engine": found.identity,
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
    """Read the baselines of ``hosts``, by host name.

    Raises UsageError where the file can't be read, was changed after it was written, is more than a day old by this
    machine's clock, or lacks one of the hosts.
    """
    document = KIND.load(path)
    try:
        created_ns = as_int(document["created_ns"])
        rows = [as_object(row) for row in as_list(document["hosts"])]
        found = {as_str(row["host"]): _baseline(row) for row in rows}
    except (KeyError, TypeError, ValueError) as error:
        raise KIND.damaged(path, f"{type(error).__name__} {error}") from error
    if len(found) != len(rows):
        raise KIND.damaged(path, "duplicate host")
    _check_age(path, created_ns, now_ns)
    for host in hosts:
        if host.name not in found:
            raise UsageError(f"baseline {path} does not have {host.name}: give the options it was made with")
    return {host.name: found[host.name] for host in hosts}


def _baseline(row: JsonObject) -> Baseline:
    return Baseline(
        as_str(row["engine"]),
        as_int(row["taken_ns"]),
        tuple(as_full_id(each) for each in as_list(row["containers"])),
    )


def _check_age(path: Path, created_ns: int, now_ns: int) -> None:
    """Raise UsageError for another job's baseline, by this machine's clock. A guard checks by each engine's clock."""
    age_s = (now_ns - created_ns) // SECOND
    if age_s < -CLOCK_TOLERANCE_S:
        raise UsageError(f"baseline {path} was taken in the future: check the clocks; nothing was removed")
    if age_s > LONGEST_JOB_S:
        raise UsageError(
            f"baseline {path} is {in_words(age_s, 4)} old, more than a day: it belongs to another job; "
            "nothing was removed"
        )

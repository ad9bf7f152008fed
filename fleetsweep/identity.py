"""Who answered: the verified host key and the engine's own id, not the words of an inventory. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from fleetsweep.model import (
    Connection,
    Engine,
    Guard,
    GuardName,
    Host,
    Lost,
    Survey,
)
from fleetsweep.past import OpenIntent


def identity_of(host: Host, engine: Engine) -> str:
    """The engine that answered for a host, in words that are equal only for the same engine on the same machine.

    An engine without a lasting id (Podman makes one up at each call, a socket proxy may forbid the question) is known
    by its address on the box. The host key is None on the controller itself.
    """
    return f"{engine.kind} {engine.lasting_id or host.engine} ({engine.host_key or 'no host key: this machine'})"


def to_identify(hosts: Sequence[Host], open_intents: Sequence[OpenIntent]) -> frozenset[Host]:
    """The hosts whose engines must tell their ids even where nothing is to be removed.

    They are those that earlier intents were for, and several on this machine: no host key tells these apart.
    """
    concerned = {word for intent in open_intents for word in (intent.host, intent.endpoint)}
    here = [host for host in hosts if host.connection is Connection.LOCAL]
    named = [host for host in hosts if host.name in concerned or host.endpoint in concerned]
    return frozenset([*named, *(here if len(here) > 1 else [])])


def other_engine(host: Host, expected: str, found: Engine, made: str) -> Guard | None:
    """The guard of a host where another engine answers than the one that ``made`` (such as "the plan") is about."""
    answered = identity_of(host, found)
    if answered == expected:
        return None
    return Guard(
        GuardName.IDENTITY,
        f"another engine answers than {made} was made of: nothing is removed here. "
        f"Expected {expected}, found {answered}",
        limit=expected,
        found=answered,
    )


def twins(surveys: Sequence[Survey | Lost]) -> dict[int, str]:
    """The surveys (by position) of an engine that an earlier host has already shown, with that host's name.

    Only what is behind the same verified host key is compared: else a box could list another's containers, or claim its
    id, and have it left alone. Two Docker ids decide; where one is not known, a container in both lists does.
    """
    found: dict[int, str] = {}
    by_key: dict[str | None, list[tuple[str, str | None, frozenset[str]]]] = {}
    for position, survey in enumerate(surveys):
        if isinstance(survey, Lost):
            continue
        own_id, ids = survey.engine.lasting_id, frozenset(container.id for container in survey.containers)
        seen = by_key.setdefault(survey.engine.host_key, [])
        for name, other_id, other_ids in seen:
            both_known = own_id is not None and other_id is not None
            if own_id == other_id if both_known else not ids.isdisjoint(other_ids):
                found[position] = name
                break
        seen.append((survey.host.name, own_id, ids))
    return found

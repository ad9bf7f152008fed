"""Who answered: the verified host key and the engine's own id, not the words of an inventory. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from fleetsweep.model.decision import Guard, GuardName
from fleetsweep.model.host import Connection, Host
from fleetsweep.model.journal import OpenIntent
from fleetsweep.model.survey import Engine, FailedSurvey, Survey


def identity_of(host: Host, engine: Engine) -> str:
    """The engine that answered for a host, in words that are equal only for the same engine on the same machine.

    Some engines tell no lasting id: Podman makes one up at each call, and a socket proxy may forbid the question. These
    are known by their box's host key and their address on the box. On the controller itself there is no host key.
    """
    return f"{engine.kind} {engine.lasting_id or '(no id)'} at {host.engine}, {engine.host_key or 'this machine'}"


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


def twins(surveys: Sequence[Survey | FailedSurvey]) -> dict[int, str]:
    """The surveys (by position) of an engine that an earlier host has already shown, with that host's name.

    One engine under two names lists the same containers behind the same verified host key. Behind another key a box
    could list another's containers to have it left alone, so that proves nothing. Two different Docker ids disprove it.
    """
    found: dict[int, str] = {}
    listed_by: dict[str | None, dict[str, list[Survey]]] = {}
    for position, survey in enumerate(surveys):
        if isinstance(survey, FailedSurvey):
            continue
        earlier = listed_by.setdefault(survey.engine.host_key, {})
        for container in survey.containers:
            others = earlier.setdefault(container.id, [])
            first = next((other for other in others if _may_be_one(survey.engine, other.engine)), None)
            if first is not None:
                found.setdefault(position, first.host.name)
            others.append(survey)
    return found


def _may_be_one(engine: Engine, other: Engine) -> bool:
    return engine.lasting_id is None or other.lasting_id is None or engine.lasting_id == other.lasting_id

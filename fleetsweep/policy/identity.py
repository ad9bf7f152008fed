"""The identity of an engine: its verified host key and its own id, not what an inventory claims. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from fleetsweep.model.decision import Guard, GuardName
from fleetsweep.model.host import Connection, Host
from fleetsweep.model.survey import Engine, FailedSurvey, Survey

if TYPE_CHECKING:
    from fleetsweep.model.intent import OpenIntent


def identity_of(host: Host, engine: Engine) -> str:
    """Return a text that is equal only for the same engine on the same machine.

    Some engines have no lasting id: Podman makes one up at each call, and a socket proxy may forbid the request. They
    are identified by their box's host key and their address on the box. The controller itself has no host key.
    """
    return f"{engine.kind} {engine.lasting_id or '(no id)'} at {host.engine}, {engine.host_key or 'this machine'}"


def to_identify(hosts: Sequence[Host], open_intents: Sequence[OpenIntent]) -> frozenset[Host]:
    """Return the hosts whose engines must be asked for their ids even if nothing is to be removed.

    They are the hosts of open intents, and hosts on this machine if there are several: no host key distinguishes them.
    """
    concerned = {word for intent in open_intents for word in (intent.host, intent.endpoint)}
    here = [host for host in hosts if host.connection is Connection.LOCAL]
    named = [host for host in hosts if host.name in concerned or host.endpoint in concerned]
    return frozenset([*named, *(here if len(here) > 1 else [])])


def other_engine(host: Host, expected: str, found: Engine, made: str) -> Guard | None:
    """Return a guard if ``found`` is not the ``expected`` engine; else None.

    ``made`` names what was made from the expected one, such as "the plan".
    """
    actual = identity_of(host, found)
    if actual == expected:
        return None
    return Guard(
        GuardName.IDENTITY,
        f"another engine responds than {made} was made from: nothing is removed here. "
        f"Expected {expected}, found {actual}",
        limit=expected,
        found=actual,
    )


def twins(surveys: Sequence[Survey | FailedSurvey]) -> dict[int, str]:
    """Return the positions of surveys of an engine that an earlier survey already covers, with that host's name.

    One engine under two names lists the same containers behind the same verified host key. The same list behind a
    different key proves nothing: a box could copy another's list to have that box left alone. Two different Docker ids
    disprove it.
    """
    found: dict[int, str] = {}
    listed_by: dict[str | None, dict[str, list[Survey]]] = {}
    for position, survey in enumerate(surveys):
        if isinstance(survey, FailedSurvey):
            continue
        earlier = listed_by.setdefault(survey.engine.host_key, {})
        for container in survey.containers:
            others = earlier.setdefault(container.id, [])
            first = next((other for other in others if _may_be_same(survey.engine, other.engine)), None)
            if first is not None:
                found.setdefault(position, first.host.name)
            others.append(survey)
    return found


def _may_be_same(engine: Engine, other: Engine) -> bool:
    return engine.lasting_id is None or other.lasting_id is None or engine.lasting_id == other.lasting_id

"""The identity of an engine: its verified host key and its own id, not what an inventory claims. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from fleetsweep.model.decision import Guard, GuardName
from fleetsweep.model.host import Connection, Host
from fleetsweep.model.survey import Engine, Survey

if TYPE_CHECKING:
    from fleetsweep.model.intent import OpenIntent

_ID_BYTES: Final = 32


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


class Listed:
    """What one engine listed. ``ids`` has 32 bytes for each of its containers."""

    __slots__ = ("engine", "host", "ids")

    def __init__(self, survey: Survey) -> None:
        self.host = survey.host.name
        self.engine = survey.engine
        self.ids = bytes.fromhex("".join(container.id for container in survey.containers))


class Twins:
    """Finds the hosts whose engine an earlier host already covers. It is given the hosts in inventory order.

    One engine under two names lists the same containers behind the same verified host key. The same list behind a
    different key proves nothing: a box could copy another's list to have that box left alone. Two different Docker ids
    disprove it.
    """

    def __init__(self) -> None:
        self._only: dict[str | None, Listed] = {}
        self._by_key: dict[str | None, dict[bytes, tuple[Listed, ...]]] = {}

    def add(self, listed: Listed) -> str | None:
        """Return the name of an earlier host with the same engine, None if there is none."""
        key = listed.engine.host_key
        if key not in self._by_key:
            # Most keys are one host's: an index of its containers would take more memory than all that is kept of it.
            first = self._only.setdefault(key, listed)
            if first is listed:
                return None
            self._by_key[key] = {}
            self._compare(first)
        return self._compare(listed)

    def _compare(self, listed: Listed) -> str | None:
        earlier, alone = self._by_key[listed.engine.host_key], (listed,)
        found: str | None = None
        for start in range(0, len(listed.ids), _ID_BYTES):
            one = listed.ids[start : start + _ID_BYTES]
            others = earlier.get(one, ())
            if found is None:
                found = next((other.host for other in others if _may_be_same(listed.engine, other.engine)), None)
            earlier[one] = (*others, listed) if others else alone
        return found


def _may_be_same(engine: Engine, other: Engine) -> bool:
    return engine.lasting_id is None or other.lasting_id is None or engine.lasting_id == other.lasting_id

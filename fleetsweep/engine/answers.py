"""Reading what an engine answered. Pure: JSON values in, nouns out, and nothing is taken on trust.

An answer that can't be what the API promises raises EngineError: no partial list is ever used. A single field
that can't be read becomes the value that keeps its container: no name, no image, unreadable labels, an
unreadable time.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Final

from fleetsweep import states
from fleetsweep.errors import EngineError
from fleetsweep.model import SECOND, UNREADABLE, Container
from fleetsweep.scope import Resource, ResourceKind

# The Docker SDK puts ids into URLs as they are: anything else could name another resource.
FULL_ID: Final = re.compile(r"[0-9a-f]{64}")

# As Docker has it (RestrictedNamePattern), and for the same reason.
_VOLUME_NAME: Final = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9_.-]{0,254}")

MOST_ID: Final = 200
"""Characters of an engine's id: Docker's has 59 or 36."""

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_TIMESTAMP: Final = re.compile(
    r"(\d{4})-(\d\d)-(\d\d)T(\d\d):(\d\d):(\d\d)(?:\.(\d{1,9}))?(?:Z|([+-])(\d\d):(\d\d))", re.ASCII
)


def parse_list(answer: object) -> list[Container]:
    """The containers of ``GET /containers/json?all=1``. Raises EngineError."""
    if not isinstance(answer, list):
        raise _invalid("the container list is not a list")
    containers = [_listed(item) for item in answer]
    if len({container.id for container in containers}) != len(containers):
        raise _invalid("the container list names one id twice")
    return containers


def _listed(item: object) -> Container:
    if not isinstance(item, dict):
        raise _invalid("the container list holds something that is not a container")
    names = item.get("Names")
    created = item.get("Created")
    return Container(
        id=_full_id(item.get("Id")),
        name=_own_name(names if isinstance(names, list) else []),
        image=_text(item.get("Image")),
        image_id=_text(item.get("ImageID")),
        state=_text(item.get("State")).lower(),
        created_ns=created * SECOND if isinstance(created, int) and not isinstance(created, bool) else UNREADABLE,
        labels=_labels(item.get("Labels")),
    )


def parse_inspect(answer: object, container_id: str) -> Container:
    """The container of ``GET /containers/{id}/json``. Raises EngineError, also when it is another container."""
    if not isinstance(answer, dict) or answer.get("Id") != container_id:
        raise _invalid("an inspect answer is not about the container that was asked for")
    state = _mapping(answer.get("State"))
    config = _mapping(answer.get("Config"))
    status = _text(state.get("Status")).lower()
    started_ns = parse_started(state.get("StartedAt"))
    if started_ns is None and status in states.STARTED:
        started_ns = UNREADABLE
    restarts = answer.get("RestartCount")
    return Container(
        id=container_id,
        name=_own_name([answer.get("Name")]),
        image=_text(config.get("Image")),
        image_id=_text(answer.get("Image")),
        state=status,
        created_ns=parse_timestamp(answer.get("Created")),
        labels=_labels(config.get("Labels")),
        started_ns=started_ns,
        restarts=restarts if isinstance(restarts, int) and not isinstance(restarts, bool) else None,
        inspected=True,
    )


def parse_engine_id(answer: object) -> str | None:
    """The engine's id of ``GET /info``; None where there is none that can be compared."""
    found = _mapping(answer).get("ID")
    return found if isinstance(found, str) and 0 < len(found) <= MOST_ID and found.isprintable() else None


def parse_volumes(answer: object) -> tuple[Resource, ...]:
    """The volumes of ``GET /volumes``. Raises EngineError."""
    found = _mapping(answer).get("Volumes")
    # An engine without any says null.
    if not isinstance(answer, dict) or not isinstance(found, list | None):
        raise _invalid("the volume list is not a list")
    return tuple(parse_volume(item) for item in found or ())


def parse_volume(item: object) -> Resource:
    """One volume. Raises EngineError for a name that could name something else in a URL."""
    name = _mapping(item).get("Name")
    if not isinstance(name, str) or _VOLUME_NAME.fullmatch(name) is None:
        raise _invalid(f"{str(name)[:80]!r} is not a volume's name")
    created = _text(_mapping(item).get("CreatedAt"))
    return Resource(ResourceKind.VOLUME, name, name, created, _labels(_mapping(item).get("Labels")))


def parse_networks(answer: object) -> tuple[Resource, ...]:
    """The networks of ``GET /networks``. Raises EngineError."""
    if not isinstance(answer, list):
        raise _invalid("the network list is not a list")
    return tuple(parse_network(item) for item in answer)


def parse_network(item: object) -> Resource:
    """One network. Raises EngineError."""
    found = _mapping(item)
    network_id = _full_id(found.get("Id"))
    labels = _labels(found.get("Labels"))
    return Resource(ResourceKind.NETWORK, network_id, _text(found.get("Name")), _text(found.get("Created")), labels)


def merge(listed: Container, inspected: Container) -> Container:
    """The inspected container, made unreadable where the list told another story of what can't change."""
    created_ns, labels = inspected.created_ns, inspected.labels
    if abs(listed.created_ns - created_ns) >= 2 * SECOND:
        created_ns = UNREADABLE
    if listed.labels != labels:
        labels = None
    lives_on = tuple(dict.fromkeys((*listed.lives_on, *inspected.lives_on)))
    trouble = listed.trouble or inspected.trouble
    return replace(inspected, created_ns=created_ns, labels=labels, lives_on=lives_on, trouble=trouble)


def parse_timestamp(value: object) -> int:
    """Nanoseconds since the epoch of an RFC 3339 time; UNREADABLE if it is missing or malformed."""
    found = _TIMESTAMP.fullmatch(value) if isinstance(value, str) else None
    if found is None:
        return UNREADABLE
    *calendar, fraction, sign, hours, minutes = found.groups()
    try:
        when = datetime(*(int(part) for part in calendar), tzinfo=UTC)  # type: ignore[misc,arg-type]
    except ValueError:
        return UNREADABLE
    offset_s = (int(hours) * 3600 + int(minutes) * 60) * (-1 if sign == "-" else 1) if sign else 0
    seconds = (when - _EPOCH) // timedelta(seconds=1) - offset_s
    return seconds * SECOND + int((fraction or "0").ljust(9, "0"))


def parse_started(value: object) -> int | None:
    """As parse_timestamp, but None for Docker's zero time, which means that the container never started."""
    return None if value == "0001-01-01T00:00:00Z" else parse_timestamp(value)


def parse_date(headers: Mapping[str, str]) -> int:
    """The engine's own clock: the ``Date`` header, in nanoseconds since the epoch. Raises EngineError."""
    try:
        when = parsedate_to_datetime(headers.get("date", ""))
        return int(when.replace(tzinfo=when.tzinfo or UTC).timestamp()) * SECOND
    except (ValueError, TypeError, OverflowError):
        raise _invalid("the answer has no readable Date header, so no age can be told") from None


def _own_name(names: list[object]) -> str:
    """The name with a single slash: the others are aliases that links gave."""
    for name in names:
        if isinstance(name, str) and name.startswith("/") and "/" not in name[1:]:
            return name[1:]
    return ""


def _full_id(value: object) -> str:
    if not isinstance(value, str) or FULL_ID.fullmatch(value) is None:
        raise _invalid(f"{str(value)[:80]!r} is not a container id")
    return value


def _labels(value: object) -> dict[str, str] | None:
    if not isinstance(value, dict):
        return None
    if not all(isinstance(key, str) and isinstance(text, str) for key, text in value.items()):
        return None
    return dict(value)


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


def _mapping(value: object) -> dict[str, object]:
    return value if isinstance(value, dict) else {}


def _invalid(message: str) -> EngineError:
    return EngineError("invalid-answer", message, "check which service answers at the engine's address")

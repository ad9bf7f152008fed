"""Decode an engine's JSON values into the model's types. Pure, and every value is checked.

A response that breaks the API's promises raises EngineError, so a partial list is never used. A single unreadable
field becomes the value that protects its container: no name, no image, unreadable labels, an unreadable time.
"""

from __future__ import annotations

import re
import shlex
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final, TypeVar

from fleetsweep.engine.strict_json import Entries
from fleetsweep.errors import EngineError, FaultKind
from fleetsweep.model import states
from fleetsweep.model.container import SECOND, UNREADABLE, Container

if TYPE_CHECKING:
    from fleetsweep.model.run_scope import Resource

Labelled = TypeVar("Labelled", Container, "Resource")

# The Docker SDK puts ids into URLs unescaped: any other string could address another resource.
FULL_ID: Final = re.compile(r"[0-9a-f]{64}")

# Docker's RestrictedNamePattern, for the same reason.
_VOLUME_NAME: Final = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9_.-]{0,254}")

MAX_ID: Final = 200
"""Characters of an engine's id: Docker's has 59 or 36."""

MAX_ENTRIES: Final = 50_000
"""Containers, volumes or networks in one list."""

_WEIGHT: Final = 1024
_LABEL_WEIGHT: Final = 250

NAME_LIMIT: Final = 1024
"""Characters. Engines set no limit. The longest names in use, by Kubernetes, have about 400."""

TEXT_LIMIT: Final = 1024
"""Characters of an image reference, a state or a time. Registries accept references of up to about 500."""

MAX_LABELS: Final = 1000
KEY_LIMIT: Final = 4096
VALUE_LIMIT: Final = 256 * 1024
"""Characters of a label's value. Buildpacks store about 100 KB of JSON in one."""

_SHOWN_OF_A_NAME: Final = 200
_MOST: Final = 2**63 - 1
"""The largest integer of the journal and of the report's readers. In nanoseconds it is the year 2262."""

_SHARED: Final = "container:"

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_TIMESTAMP: Final = re.compile(
    r"(\d{4})-(\d\d)-(\d\d)T(\d\d):(\d\d):(\d\d)(?:\.(\d{1,9}))?(?:Z|([+-])(\d\d):(\d\d))", re.ASCII
)
_DATE: Final = re.compile(r"([A-Z][a-z]{2}), (\d\d) ([A-Z][a-z]{2}) (\d{4}) (\d\d):(\d\d):(\d\d) GMT", re.ASCII)
_DAYS: Final = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_MONTHS: Final = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_WIDEST_OFFSET_M: Final = 14 * 60


def parse_list(value: object) -> list[Container]:
    """Return the containers of ``GET /containers/json?all=1``. Raises EngineError."""
    if not isinstance(value, list | Entries):
        raise _invalid("the container list is not a list")
    containers = _parsed(value, "containers", _listed)
    if len({container.id for container in containers}) != len(containers):
        raise _invalid("the container list has one id twice")
    return containers


def _listed(item: object) -> Container:
    if not isinstance(item, dict):
        raise _invalid("the container list has an entry that is not an object")
    names = item.get("Names")
    created = item.get("Created")
    name, trouble = _own_name(names if isinstance(names, list) else [])
    return Container(
        id=_full_id(item.get("Id")),
        name=name,
        image=_text(item.get("Image")),
        image_id=_text(item.get("ImageID")),
        state=_text(item.get("State")).lower(),
        created_ns=_instant(created) if isinstance(created, int) and not isinstance(created, bool) else UNREADABLE,
        labels=_labels(item.get("Labels")),
        trouble=trouble,
        lives_on=_owners(item.get("HostConfig")),
    )


def parse_inspect(value: object, container_id: str) -> Container:
    """Return the container of ``GET /containers/{id}/json``. Raises EngineError, also for another container's id."""
    if not isinstance(value, dict) or value.get("Id") != container_id:
        raise _invalid("an inspect response is not about the requested container")
    state = _mapping(value.get("State"))
    config = _mapping(value.get("Config"))
    status = _text(state.get("Status")).lower()
    started_ns = parse_started(state.get("StartedAt"))
    if started_ns is None and status in states.STARTED:
        started_ns = UNREADABLE
    restarts = value.get("RestartCount")
    name, trouble = _own_name([value.get("Name")])
    return Container(
        id=container_id,
        name=name,
        image=_text(config.get("Image")),
        image_id=_text(value.get("Image")),
        state=status,
        created_ns=parse_timestamp(value.get("Created")),
        labels=_labels(config.get("Labels")),
        started_ns=started_ns,
        restarts=_count(restarts),
        inspected=True,
        trouble=trouble,
        lives_on=_owners(value.get("HostConfig")),
    )


def parse_process(value: object) -> int | None:
    """Return the PID in an inspect response, or None if it has none."""
    found = _mapping(_mapping(value).get("State")).get("Pid")
    return found if type(found) is int and 0 < found < 2**31 else None


def parse_engine_id(value: object) -> str | None:
    """Return the engine's id of ``GET /info``, or None if it has no usable one."""
    found = _mapping(value).get("ID")
    return found if isinstance(found, str) and 0 < len(found) <= MAX_ID and found.isprintable() else None


def parse_volumes(value: object) -> tuple[Resource, ...]:
    """Return the volumes of ``GET /volumes``. Raises EngineError."""
    found = _mapping(value).get("Volumes", "")
    # An engine without volumes sends null.
    if not isinstance(found, list | None):
        raise _invalid("the volume list is not a list")
    return _distinct([parse_volume(item) for item in _bounded(found or [], "volumes")])


def parse_volume(item: object) -> Resource:
    """Return one volume. Raises EngineError for a name that could address another resource in a URL."""
    from fleetsweep.model.run_scope import Resource, ResourceKind

    name = _mapping(item).get("Name")
    if not isinstance(name, str) or _VOLUME_NAME.fullmatch(name) is None:
        raise _invalid(f"{str(name)[:80]!r} is not a volume name")
    created = _text(_mapping(item).get("CreatedAt"))
    return Resource(ResourceKind.VOLUME, name, name, created, _labels(_mapping(item).get("Labels")))


def parse_networks(value: object) -> tuple[Resource, ...]:
    """Return the networks of ``GET /networks``. Raises EngineError."""
    if not isinstance(value, list | Entries):
        raise _invalid("the network list is not a list")
    return _distinct(_parsed(value, "networks", parse_network))


def _distinct(resources: list[Resource]) -> tuple[Resource, ...]:
    """Return the resources. Raises EngineError if two are the same: each is removed once."""
    if len({resource.ref for resource in resources}) != len(resources):
        raise _invalid("the list has one volume or network twice")
    return tuple(resources)


def parse_network(item: object) -> Resource:
    """Return one network. Raises EngineError."""
    from fleetsweep.model.run_scope import Resource, ResourceKind

    found = _mapping(item)
    network_id = _full_id(found.get("Id"))
    labels = _labels(found.get("Labels"))
    name, _ = _bounded_name(_string(found.get("Name")))
    return Resource(ResourceKind.NETWORK, network_id, name, _text(found.get("Created")), labels)


def _bounded(entries: list[object] | Entries, what: str) -> Iterator[object]:
    for count, entry in enumerate(entries):
        if count >= MAX_ENTRIES:
            raise EngineError(FaultKind.TOO_LARGE, f"the engine lists more than {MAX_ENTRIES} {what}")
        yield entry


def _parsed(entries: list[object] | Entries, what: str, parse: Callable[[object], Labelled]) -> list[Labelled]:
    """Return the parsed entries of a list, each charged to the memory budget. Raises EngineError."""
    found = []
    for item in _bounded(entries, what):
        each = parse(item)
        found.append(each)
        if isinstance(entries, Entries):
            entries.charge(_weight(each.labels))
    return found


def _weight(labels: Mapping[str, str] | None) -> int:
    """Return the bytes of memory that one entry keeps: up to four a character."""
    size = _WEIGHT
    for key, text in (labels or {}).items():
        size += _LABEL_WEIGHT
        size += len(key) + len(text) if key.isascii() and text.isascii() else 4 * (len(key) + len(text))
    return size


def _owners(host_config: object) -> tuple[str, ...]:
    """Return the containers whose namespaces one shares: ids, or names as the user wrote them."""
    # NetworkMode, IpcMode and PidMode; Podman also shares others, such as UTSMode and UsernsMode.
    modes = [mode for key, mode in _mapping(host_config).items() if key.endswith("Mode")]
    shared = [mode for mode in modes if isinstance(mode, str) and mode.startswith(_SHARED)]
    owners = (_text(mode.removeprefix(_SHARED)) for mode in shared)
    return tuple(dict.fromkeys(owner for owner in owners if owner))


def resolve_owners(containers: Sequence[Container]) -> list[Container]:
    """Return the same containers with ``lives_on`` as full ids of listed ones: engines accept names and short ids."""
    if not any(container.lives_on for container in containers):
        return list(containers)
    ids = {container.id for container in containers}

    def known(word: str) -> tuple[str, ...]:
        if word in ids:
            return (word,)
        named = [each.id for each in containers if word and each.name == word.removeprefix("/")]
        return tuple(named or [each.id for each in containers if word and each.id.startswith(word)])

    return [
        replace(each, lives_on=tuple(dict.fromkeys(owner for word in each.lives_on for owner in known(word))))
        if each.lives_on
        else each
        for each in containers
    ]


def may_share(inspect_body: bytes | bytearray) -> bool:
    """Whether an inspect response may have a shared namespace, without decoding it."""
    # An escape sequence could hide the word.
    return _SHARED.encode() in inspect_body or b"\\u00" in inspect_body


def merge_owners(container: Container, owners: Sequence[str]) -> Container:
    """Return the listed container with the owners that an inspection found."""
    if not owners:
        return container
    return replace(container, lives_on=tuple(dict.fromkeys((*container.lives_on, *owners))))


def parse_infra(value: object) -> dict[str, str]:
    """Return the pod infra containers of ``GET /libpod/containers/json`` by id, with how to remove each."""
    infra = [item for item in value if _mapping(item).get("IsInfra") is True] if isinstance(value, list) else []
    pods = {_text(item.get("Id")): _text(item.get("PodName"))[:80] for item in infra}
    return {
        infra_id: f"it is the infra container of pod {pod}: podman pod rm {shlex.quote(pod)}"
        for infra_id, pod in pods.items()
    }


def merge(listed: Container, inspected: Container) -> Container:
    """Return the inspected container, with fields that never change made unreadable where the list differs."""
    created_ns, labels = inspected.created_ns, inspected.labels
    if abs(listed.created_ns - created_ns) >= 2 * SECOND:
        created_ns = UNREADABLE
    if listed.labels != labels:
        labels = None
    lives_on = tuple(dict.fromkeys((*listed.lives_on, *inspected.lives_on)))
    trouble = listed.trouble or inspected.trouble
    same = (inspected.created_ns, inspected.labels, inspected.lives_on, inspected.trouble)
    if (created_ns, labels, lives_on, trouble) == same:
        return inspected
    return replace(inspected, created_ns=created_ns, labels=labels, lives_on=lives_on, trouble=trouble)


def parse_timestamp(value: object) -> int:
    """Return an RFC 3339 time in nanoseconds since the epoch; UNREADABLE if it is missing or malformed."""
    found = _TIMESTAMP.fullmatch(value) if isinstance(value, str) else None
    if found is None:
        return UNREADABLE
    *calendar, fraction, sign, hours, minutes = found.groups()
    try:
        when = datetime(*(int(part) for part in calendar), tzinfo=UTC)  # type: ignore[misc,arg-type]
    except ValueError:
        return UNREADABLE
    offset_m = int(hours) * 60 + int(minutes) if sign else 0
    # No other offset is in use. An offset of +99:59 would make a container four days older than it is.
    if offset_m > _WIDEST_OFFSET_M or offset_m % 15 or int(minutes or 0) > 45:
        return UNREADABLE
    seconds = (when - _EPOCH) // timedelta(seconds=1) - offset_m * 60 * (-1 if sign == "-" else 1)
    return _instant(seconds, int((fraction or "0").ljust(9, "0")))


def parse_started(value: object) -> int | None:
    """Return a start time as ``parse_timestamp`` does, or None for Docker's zero time: it never started."""
    return None if value == "0001-01-01T00:00:00Z" else parse_timestamp(value)


def parse_date(headers: Mapping[str, str]) -> int:
    """Return the engine's clock from the ``Date`` header, in nanoseconds since the epoch. Raises EngineError.

    Only the fixed format is accepted (RFC 9110, 5.6.7), and its weekday must match the date.
    """
    found = _DATE.fullmatch(headers.get("date", ""))
    if found is not None and found[3] in _MONTHS:
        month = _MONTHS.index(found[3]) + 1
        try:
            when = datetime(int(found[4]), month, *(int(found[part]) for part in (2, 5, 6, 7)), tzinfo=UTC)  # type: ignore[misc,arg-type]
        except ValueError:
            when = _EPOCH
        now_ns = _instant((when - _EPOCH) // timedelta(seconds=1))
        if now_ns != UNREADABLE and _DAYS[when.weekday()] == found[1]:
            return now_ns
    raise _invalid("the response has no readable Date header, so container ages are unknown")


def _instant(seconds: int, nanoseconds: int = 0) -> int:
    """Return nanoseconds since the epoch; UNREADABLE if they do not fit into 64 bits."""
    instant = seconds * SECOND + nanoseconds
    return instant if -_MOST <= instant <= _MOST else UNREADABLE


def _count(value: object) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= _MOST else None


def _own_name(names: list[object]) -> tuple[str, str]:
    """Return the name with a single slash, and what is wrong with it. Names with more slashes are link aliases."""
    own = {name[1:] for name in names if isinstance(name, str) and name.startswith("/") and "/" not in name[1:]}
    if len(own) > 1:
        return "", f"the engine lists it with {len(own)} names"
    return _bounded_name(own.pop()) if own else ("", "")


def _bounded_name(name: str) -> tuple[str, str]:
    """Return a name that patterns can match, or an empty one and the reason."""
    if len(name) > NAME_LIMIT:
        # Not truncated: a part of the name could match a pattern that the whole does not.
        return "", f"its name has {len(name)} characters, more than {NAME_LIMIT}: {_unicode(name[:_SHOWN_OF_A_NAME])}…"
    return (name, "") if _is_unicode(name) else ("", f"its name is not Unicode text: {_unicode(name)}")


def _full_id(value: object) -> str:
    if not isinstance(value, str) or FULL_ID.fullmatch(value) is None:
        raise _invalid(f"{str(value)[:80]!r} is not a container id")
    return value


def _labels(value: object) -> dict[str, str] | None:
    if not isinstance(value, dict) or len(value) > MAX_LABELS:
        return None
    for key, text in value.items():
        if not isinstance(key, str) or not isinstance(text, str) or len(key) > KEY_LIMIT or len(text) > VALUE_LIMIT:
            return None
        if not (_is_unicode(key) and _is_unicode(text)):
            return None
    return {sys.intern(key): text for key, text in value.items()}


def _string(value: object) -> str:
    return value if isinstance(value, str) else ""


def _text(value: object) -> str:
    """Return a text that can be stored and printed, or an empty one. Equal texts of all hosts are one object."""
    if not isinstance(value, str) or len(value) > TEXT_LIMIT:
        return ""
    return sys.intern(value) if value.isascii() or _is_unicode(value) else ""


def _is_unicode(text: str) -> bool:
    """Whether a text has no lone surrogate, which JSON can express and UTF-8 can't."""
    return text.isascii() or _unicode(text) == text


def _unicode(text: str) -> str:
    return text.encode(errors="replace").decode()


def _mapping(value: object) -> dict[str, object]:
    return value if isinstance(value, dict) else {}


def _invalid(message: str) -> EngineError:
    return EngineError(FaultKind.INVALID_ANSWER, message, "check which service listens at the engine's address")

"""Reading what an engine answered. Pure: JSON values in, nouns out, and nothing is taken on trust.

An answer that can't be what the API promises raises EngineError: no partial list is ever used. A single field
that can't be read becomes the value that keeps its container: no name, no image, unreadable labels, an
unreadable time.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Final, TypeVar

from fleetsweep.engine.strict_json import Entries
from fleetsweep.errors import EngineError
from fleetsweep.model import states
from fleetsweep.model.container import SECOND, UNREADABLE, Container
from fleetsweep.model.run_scope import Resource, ResourceKind

Labelled = TypeVar("Labelled", Container, Resource)

# The Docker SDK puts ids into URLs as they are: anything else could name another resource.
FULL_ID: Final = re.compile(r"[0-9a-f]{64}")

# As Docker has it (RestrictedNamePattern), and for the same reason.
_VOLUME_NAME: Final = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9_.-]{0,254}")

MOST_ID: Final = 200
"""Characters of an engine's id: Docker's has 59 or 36."""

MOST_ENTRIES: Final = 50_000
"""Containers, volumes or networks in one list."""

_WEIGHT: Final = 1024
_LABEL_WEIGHT: Final = 250

NAME_LIMIT: Final = 1024
"""Characters. Daemons set no limit, but the longest names in use (Kubernetes') have some 400."""

TEXT_LIMIT: Final = 1024
"""Characters of an image reference, a state or a time. The longest reference a registry takes has some 500."""

MOST_LABELS: Final = 1000
KEY_LIMIT: Final = 4096
VALUE_LIMIT: Final = 256 * 1024
"""Characters of a label's value. Buildpacks write some 100 KB of JSON into one."""

_SHOWN_OF_A_NAME: Final = 200
_MOST: Final = 2**63 - 1
"""What the journal and every reader of the report hold in an integer. In nanoseconds it is the year 2262."""

_SHARED: Final = "container:"

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_TIMESTAMP: Final = re.compile(
    r"(\d{4})-(\d\d)-(\d\d)T(\d\d):(\d\d):(\d\d)(?:\.(\d{1,9}))?(?:Z|([+-])(\d\d):(\d\d))", re.ASCII
)
_DATE: Final = re.compile(r"([A-Z][a-z]{2}), (\d\d) ([A-Z][a-z]{2}) (\d{4}) (\d\d):(\d\d):(\d\d) GMT", re.ASCII)
_DAYS: Final = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_MONTHS: Final = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_WIDEST_OFFSET_M: Final = 14 * 60


def parse_list(answer: object) -> list[Container]:
    """The containers of ``GET /containers/json?all=1``. Raises EngineError."""
    if not isinstance(answer, list | Entries):
        raise _invalid("the container list is not a list")
    containers = _parsed(answer, "containers", _listed)
    if len({container.id for container in containers}) != len(containers):
        raise _invalid("the container list names one id twice")
    return containers


def _listed(item: object) -> Container:
    if not isinstance(item, dict):
        raise _invalid("the container list holds something that is not a container")
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
    name, trouble = _own_name([answer.get("Name")])
    return Container(
        id=container_id,
        name=name,
        image=_text(config.get("Image")),
        image_id=_text(answer.get("Image")),
        state=status,
        created_ns=parse_timestamp(answer.get("Created")),
        labels=_labels(config.get("Labels")),
        started_ns=started_ns,
        restarts=_count(restarts),
        inspected=True,
        trouble=trouble,
        lives_on=_owners(answer.get("HostConfig")),
    )


def parse_process(answer: object) -> int | None:
    """The number of the first process, of an inspect answer; None where none is told."""
    found = _mapping(_mapping(answer).get("State")).get("Pid")
    return found if type(found) is int and 0 < found < 2**31 else None


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
    return tuple(parse_volume(item) for item in _bounded(found or [], "volumes"))


def parse_volume(item: object) -> Resource:
    """One volume. Raises EngineError for a name that could name something else in a URL."""
    name = _mapping(item).get("Name")
    if not isinstance(name, str) or _VOLUME_NAME.fullmatch(name) is None:
        raise _invalid(f"{str(name)[:80]!r} is not a volume's name")
    created = _text(_mapping(item).get("CreatedAt"))
    return Resource(ResourceKind.VOLUME, name, name, created, _labels(_mapping(item).get("Labels")))


def parse_networks(answer: object) -> tuple[Resource, ...]:
    """The networks of ``GET /networks``. Raises EngineError."""
    if not isinstance(answer, list | Entries):
        raise _invalid("the network list is not a list")
    return tuple(_parsed(answer, "networks", parse_network))


def parse_network(item: object) -> Resource:
    """One network. Raises EngineError."""
    found = _mapping(item)
    network_id = _full_id(found.get("Id"))
    labels = _labels(found.get("Labels"))
    name, _ = _bounded_name(_string(found.get("Name")))
    return Resource(ResourceKind.NETWORK, network_id, name, _text(found.get("Created")), labels)


def _bounded(entries: list[object] | Entries, what: str) -> Iterator[object]:
    for count, entry in enumerate(entries):
        if count >= MOST_ENTRIES:
            raise EngineError("too-large", f"the engine lists more than {MOST_ENTRIES} {what}")
        yield entry


def _parsed(answer: list[object] | Entries, what: str, parse: Callable[[object], Labelled]) -> list[Labelled]:
    """The entries of a list, each charged to its budget as it is kept. Raises EngineError."""
    found = []
    for item in _bounded(answer, what):
        each = parse(item)
        found.append(each)
        if isinstance(answer, Entries):
            answer.keep(_weight(each.labels))
    return found


def _weight(labels: Mapping[str, str] | None) -> int:
    """Bytes of memory that are kept of one entry: four for a character of any alphabet."""
    kept = _WEIGHT
    for key, text in (labels or {}).items():
        kept += _LABEL_WEIGHT
        kept += len(key) + len(text) if key.isascii() and text.isascii() else 4 * (len(key) + len(text))
    return kept


def _owners(host_config: object) -> tuple[str, ...]:
    """Whose namespaces a container shares: ids, or names as somebody may have written them."""
    found = _mapping(host_config)
    modes = (found.get("NetworkMode"), found.get("IpcMode"), found.get("PidMode"))
    shared = [mode for mode in modes if isinstance(mode, str) and mode.startswith(_SHARED)]
    return tuple(dict.fromkeys(_text(mode).removeprefix(_SHARED) for mode in shared if _text(mode)))


def resolve_owners(containers: Sequence[Container]) -> list[Container]:
    """The same containers, which live on the ids of others of them: engines know one by its name, and by a short id."""
    if not any(container.lives_on for container in containers):
        return list(containers)
    ids = {container.id for container in containers}

    def known(word: str) -> tuple[str, ...]:
        if word in ids:
            return (word,)
        named = [each.id for each in containers if word and each.name == word.removeprefix("/")]
        return tuple(named or [each.id for each in containers if len(word) >= 12 and each.id.startswith(word)])

    return [
        replace(each, lives_on=tuple(dict.fromkeys(owner for word in each.lives_on for owner in known(word))))
        if each.lives_on
        else each
        for each in containers
    ]


def may_share(inspect_answer: bytes | bytearray) -> bool:
    """Whether an inspect answer may tell of a shared namespace, without decoding it."""
    # An escaped letter could spell the word otherwise.
    return _SHARED.encode() in inspect_answer or b"\\u00" in inspect_answer


def merge_owners(container: Container, owners: Sequence[str]) -> Container:
    """The container as it was listed, with what a look told of whose namespaces it shares."""
    if not owners:
        return container
    return replace(container, lives_on=tuple(dict.fromkeys((*container.lives_on, *owners))))


def parse_infra(answer: object) -> dict[str, str]:
    """Of ``GET /libpod/containers/json``, by id: those that hold a pod together, and in words how they go."""
    infra = [item for item in answer if _mapping(item).get("IsInfra") is True] if isinstance(answer, list) else []
    pods = {_text(item.get("Id")): _text(item.get("PodName"))[:80] for item in infra}
    return {
        infra_id: f"it holds pod {pod} together: podman pod rm {shlex.quote(pod)}" for infra_id, pod in pods.items()
    }


def merge(listed: Container, inspected: Container) -> Container:
    """The inspected container, made unreadable where the list told another story of what can't change."""
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
    """Nanoseconds since the epoch of an RFC 3339 time; UNREADABLE if it is missing or malformed."""
    found = _TIMESTAMP.fullmatch(value) if isinstance(value, str) else None
    if found is None:
        return UNREADABLE
    *calendar, fraction, sign, hours, minutes = found.groups()
    try:
        when = datetime(*(int(part) for part in calendar), tzinfo=UTC)  # type: ignore[misc,arg-type]
    except ValueError:
        return UNREADABLE
    offset_m = int(hours) * 60 + int(minutes) if sign else 0
    # No place on earth has another offset. Believed, +99:59 makes a container four days older than it is.
    if offset_m > _WIDEST_OFFSET_M or offset_m % 15 or int(minutes or 0) > 45:
        return UNREADABLE
    seconds = (when - _EPOCH) // timedelta(seconds=1) - offset_m * 60 * (-1 if sign == "-" else 1)
    return _instant(seconds, int((fraction or "0").ljust(9, "0")))


def parse_started(value: object) -> int | None:
    """As parse_timestamp, but None for Docker's zero time, which means that the container never started."""
    return None if value == "0001-01-01T00:00:00Z" else parse_timestamp(value)


def parse_date(headers: Mapping[str, str]) -> int:
    """The engine's own clock: the ``Date`` header, in nanoseconds since the epoch. Raises EngineError.

    Only the fixed form is read (RFC 9110, 5.6.7), and its weekday must be the date's.
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
    raise _invalid("the answer has no readable Date header, so no age can be told")


def _instant(seconds: int, nanoseconds: int = 0) -> int:
    """Nanoseconds since the epoch; UNREADABLE if they are more than 64 bits hold."""
    instant = seconds * SECOND + nanoseconds
    return instant if -_MOST <= instant <= _MOST else UNREADABLE


def _count(value: object) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= _MOST else None


def _own_name(names: list[object]) -> tuple[str, str]:
    """The name with a single slash, and what is wrong with it: the others are aliases that links gave."""
    for name in names:
        if isinstance(name, str) and name.startswith("/") and "/" not in name[1:]:
            return _bounded_name(name[1:])
    return "", ""


def _bounded_name(name: str) -> tuple[str, str]:
    """A name that patterns can be tried on, and why there is none; nothing where there is."""
    if len(name) > NAME_LIMIT:
        # None at all: a part of it would match what the whole does not.
        return "", f"its name has {len(name)} characters, more than {NAME_LIMIT}: {_unicode(name[:_SHOWN_OF_A_NAME])}…"
    return (name, "") if _is_unicode(name) else ("", f"its name is not Unicode text: {_unicode(name)}")


def _full_id(value: object) -> str:
    if not isinstance(value, str) or FULL_ID.fullmatch(value) is None:
        raise _invalid(f"{str(value)[:80]!r} is not a container id")
    return value


def _labels(value: object) -> dict[str, str] | None:
    if not isinstance(value, dict) or len(value) > MOST_LABELS:
        return None
    for key, text in value.items():
        if not isinstance(key, str) or not isinstance(text, str) or len(key) > KEY_LIMIT or len(text) > VALUE_LIMIT:
            return None
        if not (_is_unicode(key) and _is_unicode(text)):
            return None
    return dict(value)


def _string(value: object) -> str:
    return value if isinstance(value, str) else ""


def _text(value: object) -> str:
    """A text that can be stored and printed; empty where it is not."""
    if not isinstance(value, str) or len(value) > TEXT_LIMIT:
        return ""
    return value if value.isascii() or _is_unicode(value) else ""


def _is_unicode(text: str) -> bool:
    """Whether no half of a surrogate pair is in it: JSON can spell one, and nothing can store it."""
    return text.isascii() or _unicode(text) == text


def _unicode(text: str) -> str:
    return text.encode(errors="replace").decode()


def _mapping(value: object) -> dict[str, object]:
    return value if isinstance(value, dict) else {}


def _invalid(message: str) -> EngineError:
    return EngineError("invalid-answer", message, "check which service answers at the engine's address")

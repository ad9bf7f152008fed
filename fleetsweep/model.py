"""The nouns: frozen values that one phase hands to the next. No I/O, no clock."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final, Protocol

from fleetsweep.errors import Phase
from fleetsweep.past import Settlement
from fleetsweep.redaction import digest_of
from fleetsweep.scope import Resource

SECOND: Final = 1_000_000_000

UNREADABLE: Final = 0
"""Stands for a timestamp that was missing or malformed: the policy refuses it like every date before 2013."""


Tell = Callable[[Phase, Mapping[str, str]], None]
"""Is told what was seen at each phase of reaching a host, as soon as the phase is passed."""


def tell_nobody(phase: Phase, seen: Mapping[str, str]) -> None:
    """For whoever only wants the host reached."""


class Connection(StrEnum):
    """How a host is reached, named as Ansible names it."""

    SSH = "ssh"
    LOCAL = "local"


@dataclass(frozen=True, slots=True)
class Host:
    """One runner box as the inventory describes it.

    Fields that are None were left to the SSH configuration. ``proxy_jump`` is OpenSSH's list
    (``user@bastion:22,inner``); ``proxy_command`` its command template. ``known_hosts`` and ``ssh_config``
    are files that replace the usual ones for this host. ``engine`` is the engine's address as seen from the
    box; ``become`` says that only sudo may talk to it. ``variables`` are the merged inventory variables, ``origins``
    the file (and line, where there is one) that gave each of them.
    """

    name: str
    address: str
    port: int | None = None
    user: str | None = None
    key_file: str | None = None
    connection: Connection = Connection.SSH
    proxy_jump: str | None = None
    proxy_command: str | None = None
    known_hosts: str | None = None
    ssh_config: str | None = None
    become: bool = False
    engine: str = "unix:///var/run/docker.sock"
    groups: tuple[str, ...] = ()
    variables: Mapping[str, object] = field(default_factory=dict, hash=False)
    origins: Mapping[str, str] = field(default_factory=dict, hash=False)

    @property
    def endpoint(self) -> str:
        """Where this host's engine is, in words that stay the same as long as it is the same place."""
        if self.connection is Connection.LOCAL:
            return f"local {self.engine}"
        # It is stored and printed, and a command may hold a password.
        by_way_of = self.proxy_jump or (self.proxy_command and digest_of(self.proxy_command))
        return f"ssh {self.address}:{self.port or 22} {self.engine}" + (f" through {by_way_of}" if by_way_of else "")


@dataclass(frozen=True, slots=True)
class Container:
    """What an engine said of one container.

    ``id`` is 64 hex digits, ``name`` has no leading slash. ``image`` is the reference as the engine last
    told it: from the list it may be a bare id, from inspect it is the reference the container was created
    with. Timestamps are nanoseconds since the Unix epoch; ``started_ns`` is None for a container that never
    started, and only means something where ``inspected``. ``labels`` is None where the engine's label map
    could not be read. ``restarts`` is None until inspected. ``trouble`` is what was said where it could not be
    looked at, or what of it could not be read. ``lives_on`` has the ids of containers whose namespaces it shares, as
    far as the engine told. ``managed_by`` says in words who owns it where no label does: the pod of an infra container.
    """

    id: str
    name: str
    image: str
    image_id: str
    state: str
    created_ns: int
    labels: Mapping[str, str] | None
    started_ns: int | None = None
    restarts: int | None = None
    inspected: bool = False
    trouble: str = ""
    lives_on: tuple[str, ...] = ()
    managed_by: str = ""


class Target(Protocol):
    """A container, a volume or a network, as the journal knows it."""

    @property
    def id(self) -> str:
        """Its id, which no other has."""

    @property
    def name(self) -> str:
        """What an operator calls it."""


@dataclass(frozen=True, slots=True)
class Engine:
    """Which engine answered: ``kind`` is docker or podman, ``via`` the way it was reached.

    ``id`` is the engine's own identity from ``/info``, None when it was not asked for, or not told. ``host_key`` is the
    type and fingerprint of the verified SSH host key of the box; None where no SSH was needed.
    """

    kind: str
    server: str
    api: str
    via: str
    id: str | None = None
    host_key: str | None = None

    @property
    def lasting_id(self) -> str | None:
        """The engine's own id; None where it has none that lasts. Podman makes one up at each call."""
        return self.id if self.kind == "docker" else None


@dataclass(frozen=True, slots=True)
class Survey:
    """One engine's containers, and the clock they are judged by.

    ``now_ns`` is the engine's own clock (the ``Date`` header of its list, so rounded down to a second).
    ``skew_s`` is engine time minus controller time. ``duration_s`` is what the survey took.
    """

    host: Host
    engine: Engine
    now_ns: int
    skew_s: float
    containers: tuple[Container, ...]
    duration_s: float
    resources: tuple[Resource, ...] = ()


class Status(StrEnum):
    """What became of one host."""

    OK = "ok"
    UNREACHABLE = "unreachable"
    GUARDED = "guarded"
    FAILED = "failed"
    INTERRUPTED = "interrupted"


@dataclass(frozen=True, slots=True)
class Fault:
    """Why a host has no survey, or no complete sweep. ``bug`` marks a fault of fleetsweep's own."""

    status: Status
    phase: Phase | None
    kind: str
    message: str
    remedy: str = ""
    bug: bool = False

    @classmethod
    def of_bug(cls, error: Exception) -> Fault:
        """The fault of a host whose work ended in a bug of fleetsweep's own."""
        message = f"{type(error).__name__}: {error}"
        remedy = "this is a bug in fleetsweep: please report the traceback above"
        return cls(Status.FAILED, None, "bug", message, remedy, bug=True)


@dataclass(frozen=True, slots=True)
class Lost:
    """A host that could not be surveyed."""

    host: Host
    fault: Fault
    duration_s: float


class Verdict(StrEnum):
    """Whether a container is to go."""

    REMOVE = "remove"
    KEEP = "keep"


class Reason(StrEnum):
    """Why a container is to go or to stay."""

    STALE = "stale"
    LIFETIME = "lifetime"
    YOUNG = "young"
    UNMATCHED = "unmatched"
    PROTECTED = "protected"
    HELD = "held"
    UNKNOWN_AGE = "unknown-age"
    UNREADABLE = "unreadable"
    MANAGED = "managed"
    IN_USE = "in-use"
    RUN = "run"
    BASELINE = "baseline"
    OTHER_RUN = "other-run"


class Selector(StrEnum):
    """The three kinds of pattern that make a container ours to judge."""

    NAME = "name"
    IMAGE = "image"
    LABEL = "label"


class AgeFrom(StrEnum):
    """The timestamp that an age was measured from."""

    STARTED = "started"
    CREATED = "created"


@dataclass(frozen=True, slots=True)
class Decision:
    """The rule's verdict on one container. ``age_s`` is whole seconds, rounded down; None if unknown.

    ``labels_digest`` stands for the labels of a container that is to go: labels hold secrets, so a saved plan holds
    this in their place. ``detail`` says in words what ``in-use``, ``unreadable`` or ``managed`` rests on.
    """

    container: Container
    verdict: Verdict
    reason: Reason
    matched_by: tuple[Selector, ...] = ()
    age_s: int | None = None
    age_from: AgeFrom | None = None
    labels_digest: str = ""
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Finding:
    """What one rule saw in a container, and the reason it gave; None where it had no objection and no claim."""

    rule: str
    saw: str
    reason: Reason | None


@dataclass(frozen=True, slots=True)
class Explanation:
    """Why one container would go or stay: every rule's finding, the verdict, and the guard in its way, if one is."""

    host: Host
    decision: Decision
    findings: tuple[Finding, ...]
    guard: Guard | None


class GuardName(StrEnum):
    """Which guard refused to act."""

    CAP = "cap"
    FLEET_CAP = "fleet-cap"
    SKEW = "skew"
    IDENTITY = "identity"
    EXPECT = "expect"


@dataclass(frozen=True, slots=True)
class Guard:
    """A guard that tripped: nothing is removed where it stands."""

    name: GuardName
    message: str
    limit: int | float | str | None = None
    found: int | float | str | None = None


@dataclass(frozen=True, slots=True)
class HostPlan:
    """What would be done on one host, and why not, if a guard tripped.

    ``now_ns``, ``skew_s`` and ``duration_s`` are its survey's; ``containers`` counts all that the engine listed.
    ``decisions`` are those on containers that a selector matched, ``resources`` what is to go besides.
    """

    host: Host
    engine: Engine
    now_ns: int
    skew_s: float
    duration_s: float
    containers: int
    decisions: tuple[Decision, ...]
    guard: Guard | None = None
    resources: tuple[Resource, ...] = ()

    @property
    def candidates(self) -> tuple[Decision, ...]:
        """The decisions to remove, whatever the guard says."""
        return tuple(d for d in self.decisions if d.verdict is Verdict.REMOVE)


@dataclass(frozen=True, slots=True)
class FleetPlan:
    """Every selected host once, in inventory order. ``guard`` stops the whole fleet."""

    hosts: tuple[HostPlan | Lost, ...]
    guard: Guard | None = None


class Outcome(StrEnum):
    """What became of one planned removal."""

    REMOVED = "removed"
    GONE = "gone"
    CHANGED = "changed"
    FAILED = "failed"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Removal:
    """The outcome of one intent. ``container_id`` is ``Resource.id`` where a volume or network was to go."""

    container_id: str
    outcome: Outcome
    error: str | None = None


@dataclass(frozen=True, slots=True)
class Silence:
    """A host was looked at last at ``since_ns``, or never as far as the journal goes: longer ago than ``limit_s``."""

    since_ns: int | None
    limit_s: float


@dataclass(frozen=True, slots=True)
class HostReport:
    """One row: a host's plan or fault, and what was done about it. ``settled`` are earlier runs' open intents.

    ``removals`` are of containers, ``resources`` of volumes and networks.
    """

    host: Host
    status: Status
    plan: HostPlan | None = None
    fault: Fault | None = None
    guard: Guard | None = None
    removals: tuple[Removal, ...] = ()
    duration_s: float = 0.0
    settled: tuple[Settlement, ...] = ()
    resources: tuple[Removal, ...] = ()
    silence: Silence | None = None

    @property
    def guarded_by(self) -> Guard | None:
        """The guard that stops this one host, if any."""
        return self.guard or (self.plan.guard if self.plan else None)


@dataclass(frozen=True, slots=True)
class Checkup:
    """How far one host was reached, what was seen at each phase, and what to run where it went wrong.

    ``seen`` has the phases that were passed. ``engine``, ``skew_s`` (engine time minus controller time) and
    ``round_trip_s`` are None where the engine was not reached.
    """

    host: Host
    status: Status
    seen: Mapping[Phase, Mapping[str, str]]
    engine: Engine | None = None
    containers: int | None = None
    skew_s: float | None = None
    round_trip_s: float | None = None
    fault: Fault | None = None
    guard: Guard | None = None
    command: str = ""
    duration_s: float = 0.0


@dataclass(frozen=True, slots=True)
class FleetReport:
    """A whole run, as it is printed and stored. Times are nanoseconds since the Unix epoch."""

    run_id: str
    command: str
    dry_run: bool
    started_ns: int
    finished_ns: int
    exit_code: int
    hosts: tuple[HostReport, ...]
    guard: Guard | None = None

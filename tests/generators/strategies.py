"""Generated boxes: their true containers, how engines describe these, and the policies that judge them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta, timezone

from hypothesis import strategies as st

from fleetsweep.engine.decode import merge, parse_inspect, parse_list
from fleetsweep.model import states
from fleetsweep.model.container import SECOND, Container
from fleetsweep.policy.rules import Match, Policy, needs_inspection

NOW_S = 1_800_000_000
NOW = NOW_S * SECOND
HOUR_S = 3600

Json = dict[str, object]

NAMES = ("ws-1", "ws-2", "job-7", "pg", "prod-ws-", "WS-1")
IMAGES = (
    "molecule-local/workspace-template-a:1",
    "molecule-local/workspace-template-a",
    "localhost/molecule-local/x:latest",
    "docker.io/library/redis:7",
    "postgres:16",
    "host:5000/molecule-local/x@sha256:" + "0" * 64,
)
STATES = ("running", "exited", "paused", "restarting", "dead")
KEEP = "fleetsweep.keep"
LABELS: dict[str, tuple[str, ...]] = {
    KEEP: ("", "yes", "0", "False", "until:2099-01-01T00:00Z", "until:2020-01-01", "until:soon"),
    "other.keep": ("yes", "no"),
    "team": ("ci", "ops"),
    "ci": ("", "1"),
    "io.kubernetes.pod.uid": ("1",),
    "com.docker.swarm.task": ("1",),
}


@dataclass(frozen=True, slots=True)
class Truth:
    """A container as it really is. Ages are seconds before NOW; ``started_age`` None is one that never started.

    ``lives_on`` are the ids of the containers whose namespaces it shares.
    ``moved`` means that its image's tag has moved on to a newer image, so that the list shows a bare id.
    """

    id: str
    name: str = "ws-1"
    image: str = "molecule-local/workspace-template-a:1"
    moved: bool = False
    state: str = "running"
    created_age: int = 48 * HOUR_S
    started_age: int | None = 48 * HOUR_S
    labels: Mapping[str, str] = field(default_factory=dict)
    lives_on: tuple[str, ...] = ()

    def listed(self) -> Json:
        """Its entry in the engine's list."""
        return {
            "Id": self.id,
            "Names": ["/other/alias", f"/{self.name}"],
            "Image": "sha256:" + "b" * 64 if self.moved else self.image,
            "ImageID": "sha256:" + "b" * 64,
            "Created": NOW_S - self.created_age,
            "State": self.state,
            "Labels": dict(self.labels),
            "HostConfig": {"NetworkMode": self._modes()["NetworkMode"]},
        }

    def inspected(self) -> Json:
        """The engine's answer to an inspect."""
        return {
            "Id": self.id,
            "Name": f"/{self.name}",
            "Created": stamp(self.created_age),
            "Image": "sha256:" + "b" * 64,
            "RestartCount": 0,
            "State": {
                "Status": self.state,
                "StartedAt": "0001-01-01T00:00:00Z" if self.started_age is None else stamp(self.started_age),
            },
            "Config": {"Image": self.image, "Labels": dict(self.labels)},
            "HostConfig": self._modes(),
        }

    def _modes(self) -> dict[str, str]:
        """At most two others are lived on: one by its network, one by its processes."""
        network, process = (*(f"container:{owner}" for owner in self.lives_on), "none", "")[:2]
        return {"NetworkMode": network, "IpcMode": "private", "PidMode": process}


def stamp(age_s: int, offset_minutes: int = 0, fraction: str = "") -> str:
    """RFC 3339 for a time ``age_s`` seconds before NOW."""
    zone = UTC if offset_minutes == 0 else timezone(timedelta(minutes=offset_minutes))
    when = datetime.fromtimestamp(NOW_S - age_s, zone).isoformat()
    head, tail = when[:19], when[19:]
    return head + (f".{fraction}" if fraction else "") + ("Z" if tail == "+00:00" else tail)


# Around each limit that a generated policy may have, and far from all of them.
AGES = st.one_of(
    st.integers(-2, 3),
    st.sampled_from([HOUR_S, 2 * HOUR_S, 24 * HOUR_S]).flatmap(lambda age: st.integers(age - 2, age + 2)),
    st.integers(0, 30 * 24 * HOUR_S),
)

LABEL_MAPS: st.SearchStrategy[dict[str, str]] = st.lists(
    st.sampled_from([(key, value) for key, values in LABELS.items() for value in values]), max_size=3
).map(dict)


def full_id(number: int) -> str:
    """An id as engines make them."""
    return f"{number:064x}"


@st.composite
def truths(draw: st.DrawFn, number: int = 0, ages: st.SearchStrategy[int] = AGES) -> Truth:
    """Any container at all."""
    created_age = draw(ages)
    state = draw(st.sampled_from([*STATES, "created"]))
    started_age = (
        None if state == "created" else draw(st.one_of(st.just(created_age), st.integers(-1, created_age + 2)))
    )
    return Truth(
        full_id(number),
        draw(st.sampled_from(NAMES)),
        draw(st.sampled_from(IMAGES)),
        draw(st.booleans()),
        state,
        created_age,
        started_age,
        draw(LABEL_MAPS),
    )


# One draw each: a fleet has many.
_LEAKS = tuple(
    Truth(full_id(0), moved=moved, state=state, created_age=age, started_age=None if state == "created" else age)
    for state in [*STATES, "created"]
    for moved in (False, True)
    for age in (3 * HOUR_S, 47 * HOUR_S, 30 * 24 * HOUR_S)
)


def leaks(number: int = 0) -> st.SearchStrategy[Truth]:
    """A container that is to go by the default policy."""
    return st.sampled_from(_LEAKS).map(lambda leak: replace(leak, id=full_id(number)))


@st.composite
def boxes(
    draw: st.DrawFn, first: int = 0, max_size: int = 3, each: Callable[[int], st.SearchStrategy[Truth]] | None = None
) -> list[Truth]:
    """The containers of one box, leaks and others, with ids from ``first`` on."""
    count = draw(st.integers(0, max_size))
    kind = each or (lambda number: st.one_of(leaks(number), truths(number)))
    return [draw(kind(first + number)) for number in range(count)]


def _selector(values: tuple[str, ...]) -> st.SearchStrategy[tuple[str, ...]]:
    return st.lists(st.sampled_from(values), max_size=2, unique=True).map(tuple)


POLICIES: st.SearchStrategy[Policy] = st.builds(
    Policy,
    names=_selector(("^ws-", "-", "job|pg", "(?i)^ws-1$", "^(?!prod).")),
    images=_selector(("molecule-local/*", "*", "redis", "[!p]*", "host:5000/*/?", "postgres:16")),
    labels=_selector(("team=ci", "ci", "team", "ci=", "io.kubernetes.pod.uid")),
    match=st.sampled_from(Match),
    max_age_s=st.one_of(st.sampled_from([HOUR_S, 2 * HOUR_S, 24 * HOUR_S]), st.integers(1, 10**6)),
    max_lifetime_s=st.one_of(st.none(), st.sampled_from([2 * HOUR_S, 24 * HOUR_S]), st.integers(1, 10**7)),
    cap=st.one_of(st.none(), st.integers(0, 6)),
    keep_label=st.sampled_from([KEEP, "other.keep"]),
)
ANY_POLICY = st.one_of(st.just(Policy()), POLICIES)


def look(
    listing: object, inspects: Mapping[str, object], policy: Policy, now_ns: int = NOW, *, at_all: bool = False
) -> list[Container]:
    """What a survey makes of an engine's raw answers; with ``at_all`` every container is inspected.

    Raises EngineError.
    """
    found = []
    for listed in parse_list(listing):
        if at_all or needs_inspection(listed, policy, now_ns):
            found.append(merge(listed, parse_inspect(inspects.get(listed.id), listed.id)))
        else:
            found.append(listed)
    return found


def honest(box: list[Truth], policy: Policy, *, at_all: bool = False) -> list[Container]:
    """The containers that a survey finds on an honest engine."""
    return look(
        [truth.listed() for truth in box], {truth.id: truth.inspected() for truth in box}, policy, at_all=at_all
    )


@dataclass(frozen=True, slots=True)
class Damage:
    """One field of one response that is missing, malformed, or contradicts another field."""

    inspect: bool
    path: tuple[str, ...]
    value: object = None
    missing: bool = False

    def apply(self, answer: Json) -> Json:
        """A damaged copy."""
        copy: Json = {key: dict(value) if isinstance(value, dict) else value for key, value in answer.items()}
        target = copy
        for key in self.path[:-1]:
            inner = target[key]
            assert isinstance(inner, dict)
            target = inner
        if self.missing:
            target.pop(self.path[-1], None)
        else:
            target[self.path[-1]] = self.value
        return copy


NOT_TEXT: tuple[object, ...] = (None, 0, -1, 10**30, True, False, 1.5, float("nan"), [], ["/ws-1"], {}, {"a": 1})
NOT_A_TIME: tuple[object, ...] = (
    *NOT_TEXT, "", "now", "1800000000", "2020-13-01T00:00:00Z", "2020-02-30T00:00:00Z", "2020-01-01T00:00:00",
    "2020-01-01 00:00:00Z", "٢٠٢٠-01-01T00:00:00Z", "2020-01-01T24:61:00Z", "1970-01-01T00:00:00Z",
    "9999-12-31T23:59:59Z", "0001-01-01T00:00:00.5Z ", "2012-12-31T23:59:59Z", "2020-01-01T00:00:00.1234567890Z",
)  # fmt: skip
NOT_SECONDS: tuple[object, ...] = (
    None,
    0,
    -1,
    10**30,
    True,
    False,
    1.5,
    float("nan"),
    "",
    str(NOW_S),
    [],
    {},
    NOW_S + 10**6,
    86_400,
)
NOT_LABELS: tuple[object, ...] = (
    None,
    0,
    True,
    "",
    "team=ci",
    [],
    ["team"],
    {"team": 1},
    {"team": None},
    {"ci": {}},
    {"": 1},
)
NOT_NAMES: tuple[object, ...] = (
    None,
    0,
    True,
    "",
    "/ws-1",
    {},
    [],
    [None],
    [7],
    ["ws-1"],
    ["/a/ws-1"],
    ["//ws-1"],
    [[]],
)

_JUNK: tuple[tuple[bool, tuple[str, ...], tuple[object, ...]], ...] = (
    (False, ("Id",), (*NOT_TEXT, "", "abc", "A" * 64, "../images/x", "0" * 63 + "\n")),
    (False, ("Names",), NOT_NAMES),
    (False, ("Image",), (*NOT_TEXT, "")),
    (False, ("ImageID",), NOT_TEXT),
    (False, ("State",), NOT_TEXT),
    (False, ("Created",), NOT_SECONDS),
    (False, ("Labels",), NOT_LABELS),
    (True, ("Id",), (*NOT_TEXT, "", full_id(999))),
    (True, ("Name",), (*NOT_TEXT, "", "ws-1", "/a/ws-1")),
    (True, ("Created",), NOT_A_TIME),
    (True, ("Image",), NOT_TEXT),
    (True, ("RestartCount",), NOT_TEXT),
    (True, ("State",), (None, 0, True, "running", [], {})),
    (True, ("State", "Status"), NOT_TEXT),
    (True, ("State", "StartedAt"), NOT_A_TIME),
    (True, ("Config",), (None, 0, True, "", [], {})),
    (True, ("Config", "Image"), (*NOT_TEXT, "")),
    (True, ("Config", "Labels"), NOT_LABELS),
)
EVERY_MALFORMED = tuple(
    damage
    for inspect, path, values in _JUNK
    for damage in (Damage(inspect, path, missing=True), *(Damage(inspect, path, value) for value in values))
)
MALFORMED = st.sampled_from(EVERY_MALFORMED)


def contradictions(truth: Truth) -> st.SearchStrategy[Damage]:
    """A well-formed value in one response that contradicts the others about ``truth``."""
    other_labels = LABEL_MAPS.filter(lambda labels: labels != truth.labels)
    far = st.integers(3, 10**8).flatmap(lambda off: st.sampled_from([off, -off]))
    before_creation = st.integers(11, 10**8).map(lambda more: stamp(truth.created_age + more))
    options = [
        far.map(lambda off: Damage(True, ("Created",), stamp(truth.created_age + off))),
        far.map(lambda off: Damage(False, ("Created",), NOW_S - truth.created_age + off)),
        other_labels.map(lambda labels: Damage(True, ("Config", "Labels"), labels)),
        other_labels.map(lambda labels: Damage(False, ("Labels",), labels)),
        before_creation.map(lambda when: Damage(True, ("State", "StartedAt"), when)),
    ]
    if truth.state not in states.MAY_NEVER_HAVE_STARTED:
        options.append(st.just(Damage(True, ("State", "StartedAt"), "0001-01-01T00:00:00Z")))
    return st.one_of(options)


def with_label(truth: Truth, key: str, value: str) -> Truth:
    """The same container with one label more."""
    return replace(truth, labels={**truth.labels, key: value})

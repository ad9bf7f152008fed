"""The rule that decides which containers are orphans. Pure: reads no clock, file or environment."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Final

from fleetsweep.model import states
from fleetsweep.model.container import SECOND, Container
from fleetsweep.model.decision import NO_ATTRIBUTES, AgeFrom, Decision, Finding, Reason, Selector, Verdict
from fleetsweep.model.timed_regex import Matcher
from fleetsweep.policy.attributes import ATTRIBUTES, attributes_of
from fleetsweep.policy.image_names import image_matches
from fleetsweep.policy.orchestrators import managed_by
from fleetsweep.policy.until import parse_until

if TYPE_CHECKING:
    from fleetsweep.model.run_scope import Resource, RunScope

EARLIEST_NS: Final = int(datetime(2013, 1, 1, tzinfo=UTC).timestamp()) * SECOND
"""Docker's first release. An older timestamp comes from a dead clock battery or a parser's zero."""

CLOCK_GRAIN_NS: Final = SECOND
"""The engine's clock is rounded down to a second, so a recent event seems up to this far in the future."""

START_GRAIN_NS: Final = 10 * SECOND
"""How far a start may precede the creation: clocks step back, and engines take both times separately."""

_OPAQUE_IMAGE: Final = re.compile(r"(sha256:)?[0-9a-f]{12,64}")
_REASONS_TO_REMOVE: Final = frozenset({Reason.STALE, Reason.LIFETIME, Reason.RUN})
_MATCHED: Final[dict[tuple[Selector, ...], tuple[Selector, ...]]] = {}
_REASONS_WITH_DETAIL: Final = frozenset({Reason.UNREADABLE, Reason.MANAGED, Reason.IN_USE})
_FALSE_WORDS: Final = frozenset({"0", "false", "no", "off"})


class Match(StrEnum):
    """How many kinds of selector must match."""

    ANY = "any"
    ALL = "all"


@dataclass(frozen=True, slots=True)
class Policy:
    """The resolved rule for one host.

    ``names`` are regular expressions searched for in the name, ``images`` shell globs on the image
    reference, ``labels`` are ``key`` or ``key=value``. Durations are whole seconds. ``max_lifetime_s``
    None is off; ``cap`` None is no cap, and 0 removes nothing. With ``run``, ages don't count. ``held`` maps the ids
    of held containers to who holds them, until when and why. ``matcher`` searches for ``names``; each host has its own,
    so that no host uses up another's time limit. ``attributes`` are the label keys that reports keep.
    """

    names: tuple[str, ...] = ("^ws-",)
    images: tuple[str, ...] = ("molecule-local/*",)
    labels: tuple[str, ...] = ()
    match: Match = Match.ANY
    max_age_s: int = 2 * 3600
    job_timeout_s: int = 30 * 60
    max_lifetime_s: int | None = None
    cap: int | None = 100
    max_skew_s: int = 5 * 60
    anomaly: bool = False
    keep_label: str = "fleetsweep.keep"
    engine_id: str | None = None
    run: RunScope | None = None
    held: Mapping[str, str] = field(default_factory=dict)
    attributes: tuple[str, ...] = field(default=ATTRIBUTES, compare=False)
    matcher: Matcher = field(default_factory=Matcher, compare=False, repr=False)


def decide(container: Container, policy: Policy, now_ns: int, in_use: str = "") -> Decision:
    """Return the decision on one container: the first finding with a reason decides.

    ``now_ns`` is the engine's own clock, in nanoseconds since the epoch. A container that was listed but not inspected
    is never removed: it is ``young`` by its creation time, or its age is unknown. ``in_use`` names the kept container
    that depends on this one.
    """
    matched_by = selectors_matching(container, policy)
    reason, saw = next((r, saw) for _, saw, r in findings(container, policy, now_ns, in_use, matched_by) if r)
    age_s, age_from = age_of(container, now_ns)
    verdict = Verdict.REMOVE if reason in _REASONS_TO_REMOVE else Verdict.KEEP
    return Decision(
        container,
        verdict,
        reason,
        matched_by,
        age_s,
        age_from,
        labels_digest(container) if verdict is Verdict.REMOVE else "",
        saw if reason in _REASONS_WITH_DETAIL else "",
        attributes_of(container.labels, _attribute_keys(policy)) if verdict is Verdict.REMOVE else NO_ATTRIBUTES,
    )


def _attribute_keys(policy: Policy) -> tuple[str, ...]:
    label = policy.run.label if policy.run is not None else None
    return policy.attributes if label is None else (*policy.attributes, label[0])


def labels_digest(container: Container) -> str:
    """Return a SHA-256 of the container's id and labels. The id salts it, so one table of digests can't cover two."""
    labels = None if container.labels is None else sorted(container.labels.items())
    return hashlib.sha256(json.dumps([container.id, labels]).encode()).hexdigest()


def findings(
    container: Container,
    policy: Policy,
    now_ns: int,
    in_use: str = "",
    matched_by: tuple[Selector, ...] | None = None,
) -> Iterator[Finding]:
    """Yield the finding of every rule, in order. The first one with a reason decides; the last one always has one.

    ``in_use`` is as in ``decide``. ``matched_by`` is computed if it is not given.
    """
    if matched_by is None:
        matched_by = selectors_matching(container, policy)
    wanted = "one of them is enough" if policy.match is Match.ANY else "each kind given must match"
    ours = policy.run is not None and is_of_run(container.labels, policy.run)
    known = ours or Selector.NAME in matched_by
    unknown_name = not known and policy.matcher.any(policy.names, container.name) is None
    yield _finding(
        "selectors",
        f"matched by {', '.join(matched_by) or 'nothing'} ({wanted})" + ("; of this run by its label" if ours else ""),
        Reason.UNMATCHED,
        # What can't be read of a container might match.
        not (
            ours
            or _enough(matched_by, policy)
            or ((unknown_name or container.trouble) and may_match(container, policy))
        ),
    )
    keep_value = None if container.labels is None else container.labels.get(policy.keep_label)
    yield _finding(
        "protection",
        "could not be inspected"
        if _hides_labels(container)
        else "labels unreadable"
        if container.labels is None
        else f"{policy.keep_label}={keep_value!r}"
        if keep_value is not None
        else f"no label {policy.keep_label}",
        Reason.PROTECTED,
        is_protected(container, policy, now_ns) and not _hides_labels(container),
    )
    yield _finding("hold", policy.held.get(container.id, "not held"), Reason.HELD, container.id in policy.held)
    manager = managed_by(container)
    yield _finding(
        "orchestrator",
        manager or "no orchestrator's label",
        Reason.MANAGED,
        # An infra container is removed only with its pod, even on a direct match.
        bool(container.managed_by) or (bool(manager) and not ours and Selector.LABEL not in matched_by),
    )
    if policy.run is not None:
        yield from _run_findings(container, policy.run, now_ns, in_use, unknown_name=unknown_name)
        return
    yield _reading(container, unknown_name=unknown_name)
    created_s = _age_s(container.created_ns, now_ns)
    yield _creation_time(created_s)
    yield _finding(
        "creation age",
        f"{_seconds(created_s)} against a max age of {policy.max_age_s} s",
        Reason.YOUNG,
        created_s is not None and created_s <= policy.max_age_s,
    )
    age_s, age_from = age_of(container, now_ns)
    yield _finding(
        "start time",
        "not inspected"
        if not container.inspected
        else "unreadable, before creation, in the future, or none in a state that has one"
        if age_s is None
        else "never started: aged by creation"
        if container.started_ns is None
        else "started as it was created: aged by creation"
        if age_from is AgeFrom.CREATED
        else f"started {age_s} s ago",
        Reason.UNKNOWN_AGE,
        age_s is None or not container.inspected,
    )
    yield _dependents(in_use)
    yield _finding(
        "max age",
        f"{_seconds(age_s)} against {policy.max_age_s} s",
        Reason.STALE,
        age_s is not None and age_s > policy.max_age_s,
    )
    lifetime_s = policy.max_lifetime_s
    yield _finding(
        "max lifetime",
        "off" if lifetime_s is None else f"{_seconds(created_s)} against {lifetime_s} s",
        Reason.LIFETIME,
        lifetime_s is not None and created_s is not None and created_s > lifetime_s,
    )
    yield Finding("otherwise", "no rule asked for its removal", Reason.YOUNG)


def _run_findings(
    container: Container, run: RunScope, now_ns: int, in_use: str, *, unknown_name: bool
) -> Iterator[Finding]:
    """Yield the findings of a teardown's own rules, after those that every command shares."""
    if run.label is not None:
        key, value = run.label
        theirs = None if container.labels is None else container.labels.get(key)
        # With a baseline, a container without the label is judged by the baseline alone.
        yield _finding(
            "run label",
            f"no label {key}" if theirs is None else f"{key}={theirs!r}",
            Reason.OTHER_RUN,
            theirs != value and (theirs is not None or run.baseline is None) and not _hides_labels(container),
        )
    if run.baseline is not None:
        yield _finding(
            "baseline",
            "in the baseline" if container.id in run.baseline.ids else "not in the baseline",
            Reason.BASELINE,
            container.id in run.baseline.ids,
        )
    yield _reading(container, unknown_name=unknown_name)
    yield _creation_time(_age_s(container.created_ns, now_ns))
    # The list has whole seconds only, and a bare id for an image whose tag has moved on.
    yield _finding(
        "inspection",
        "inspected" if container.inspected else "not inspected",
        Reason.UNKNOWN_AGE,
        not container.inspected,
    )
    if run.baseline is not None:
        since_s = (container.created_ns - run.baseline.taken_ns) // SECOND
        yield _finding(
            "created after the baseline",
            f"{abs(since_s)} s {'after' if since_s >= 0 else 'before'} it",
            Reason.BASELINE,
            # A baseline's time is a whole second: a container created within it may be older than the baseline, unless
            # it carries this run's label.
            container.created_ns < run.baseline.taken_ns + (1 if is_of_run(container.labels, run) else SECOND),
        )
    yield _dependents(in_use)
    yield Finding("otherwise", "this run made it", Reason.RUN)


def _finding(rule: str, saw: str, reason: Reason, applies: bool) -> Finding:
    return Finding(rule, saw, reason if applies else None)


def _reading(container: Container, *, unknown_name: bool) -> Finding:
    known = container.state in states.KNOWN
    saw = container.trouble or (
        f"matching its name of {len(container.name)} characters took too long"
        if unknown_name
        else f"the state {container.state!r} is known"
        if known
        else f"the state {container.state[:40]!r} is unknown"
    )
    return _finding("reading", saw, Reason.UNREADABLE, bool(container.trouble) or unknown_name or not known)


def _dependents(in_use: str) -> Finding:
    return _finding("dependents", in_use or "no kept container depends on it", Reason.IN_USE, bool(in_use))


def _creation_time(created_s: int | None) -> Finding:
    return _finding(
        "creation time",
        "unreadable, before 2013 or in the future" if created_s is None else f"created {created_s} s ago",
        Reason.UNKNOWN_AGE,
        created_s is None,
    )


def _seconds(age_s: int | None) -> str:
    return "unknown" if age_s is None else f"{age_s} s"


def needs_inspection(container: Container, policy: Policy, now_ns: int) -> bool:
    """Whether the list alone is not enough to decide on this container.

    The list has no start time, and shows a bare id for an image whose tag has moved on. An old leak looks just like
    that, so it counts as a possible match.
    """
    if container.inspected or container.trouble or container.id in policy.held:
        return False
    if is_protected(container, policy, now_ns):
        return False
    created_s = _age_s(container.created_ns, now_ns)
    if created_s is None or (policy.run is None and created_s <= policy.max_age_s):
        return False
    if policy.run is not None:
        if policy.run.baseline is not None and container.id in policy.run.baseline.ids:
            return False
        if is_of_run(container.labels, policy.run):
            return True
    return may_match(container, policy)


def may_match(container: Container, policy: Policy) -> bool:
    """Whether the selectors match, or could match because the image, the name or the labels are not known for sure."""
    certain = selectors_matching(container, policy)
    hidden = {Selector.IMAGE} if policy.images and _OPAQUE_IMAGE.fullmatch(container.image) else set()
    if policy.matcher.any(policy.names, container.name) is None:
        hidden.add(Selector.NAME)
    if container.trouble:
        if _hides_labels(container) and policy.run is not None and policy.run.label is not None:
            return True
        unseen = (
            (Selector.NAME, policy.names, not container.name),
            (Selector.IMAGE, policy.images, not container.image),
            (Selector.LABEL, policy.labels, _hides_labels(container)),
        )
        hidden.update(selector for selector, patterns, missing in unseen if patterns and missing)
    return _enough({*certain, *hidden}, policy)


def _hides_labels(container: Container) -> bool:
    return bool(container.trouble) and container.labels is None


def age_of(container: Container, now_ns: int) -> tuple[int | None, AgeFrom | None]:
    """Return whole seconds since the start, or since creation if it never started; None if the age is unknown."""
    created_s = _age_s(container.created_ns, now_ns)
    if created_s is None:
        return None, None
    if not container.inspected:
        return created_s, AgeFrom.CREATED
    if container.started_ns is None:
        return (created_s, AgeFrom.CREATED) if container.state in states.MAY_NEVER_HAVE_STARTED else (None, None)
    started_s = _age_s(container.started_ns, now_ns)
    if started_s is None or container.started_ns + START_GRAIN_NS < container.created_ns:
        return None, None
    # Some engines record the start a little before the creation. The later time gives the lower age.
    return (started_s, AgeFrom.STARTED) if started_s <= created_s else (created_s, AgeFrom.CREATED)


def _age_s(timestamp_ns: int, now_ns: int) -> int | None:
    if timestamp_ns < EARLIEST_NS or timestamp_ns > now_ns + CLOCK_GRAIN_NS:
        return None
    return max(0, now_ns - timestamp_ns) // SECOND


def is_protected(container: Container, policy: Policy, now_ns: int) -> bool:
    """Whether the keep label, or an unreadable label map, forbids removal.

    Any value but a false one protects. ``until:<ISO 8601 time>`` protects until then, and for ever if the time can't
    be parsed.
    """
    return _labels_protect(container.labels, policy.keep_label, now_ns)


def _labels_protect(labels: Mapping[str, str] | None, keep_label: str, now_ns: int) -> bool:
    if labels is None:
        return True
    value = labels.get(keep_label)
    if value is None:
        return False
    kind, separator, when = value.strip().partition(":")
    if separator and kind.lower() == "until":
        until_ns = parse_until(when)
        return until_ns is None or now_ns < until_ns
    return value.strip().lower() not in _FALSE_WORDS


def is_of_run(labels: Mapping[str, str] | None, run: RunScope) -> bool:
    """Whether the run's label is among ``labels``."""
    return run.label is not None and labels is not None and labels.get(run.label[0]) == run.label[1]


def resources_of_run(resources: Iterable[Resource], policy: Policy, now_ns: int) -> tuple[Resource, ...]:
    """Return the volumes and networks that carry the run's label and are not protected."""
    run = policy.run
    if run is None:
        return ()
    return tuple(
        found
        for found in resources
        if is_of_run(found.labels, run) and not _labels_protect(found.labels, policy.keep_label, now_ns)
    )


def selectors_matching(container: Container, policy: Policy) -> tuple[Selector, ...]:
    """Return the kinds of selector that match, in the order name, image, label. Equal results are one object."""
    found = []
    if policy.matcher.any(policy.names, container.name):
        found.append(Selector.NAME)
    if policy.images and image_matches(container.image, policy.images):
        found.append(Selector.IMAGE)
    if any(_has_label(container.labels, selector) for selector in policy.labels):
        found.append(Selector.LABEL)
    return _MATCHED.setdefault(kinds := tuple(found), kinds)


def _has_label(labels: Mapping[str, str] | None, selector: str) -> bool:
    key, separator, value = selector.partition("=")
    if labels is None or key not in labels:
        return False
    return not separator or labels[key] == value


def _enough(matched: Iterable[Selector], policy: Policy) -> bool:
    found = set(matched)
    if policy.match is Match.ANY:
        return bool(found)
    given = {
        selector
        for selector, patterns in (
            (Selector.NAME, policy.names),
            (Selector.IMAGE, policy.images),
            (Selector.LABEL, policy.labels),
        )
        if patterns
    }
    return bool(given) and given <= found

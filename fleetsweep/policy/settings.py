"""Resolve a policy's settings from flag, environment, the host's inventory variable, or default, in that order.

Pure: the environment and the variables are passed in. Every error names the setting and its source.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from typing import Final, NamedTuple, TypeVar

from fleetsweep.errors import PolicyError
from fleetsweep.model.durations import compared
from fleetsweep.model.host import Host
from fleetsweep.model.numerals import decimal, whole
from fleetsweep.model.policy_flags import Flags, option_name
from fleetsweep.model.timed_regex import PatternTimeout, check, matches_empty
from fleetsweep.policy.guards import Percent
from fleetsweep.policy.rules import Match, Policy

T = TypeVar("T")

_DEFAULTS: Final = Policy()
_DURATION: Final = re.compile(r"(?:(\d+)d)?(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s)?", re.ASCII)
_OFF_WORDS: Final = frozenset({"none", "off"})
_ON_WORDS: Final = ("1", "true", "yes", "on")
_NO_WORDS: Final = ("0", "false", "no", "off")


class _RawValue(NamedTuple):
    """One setting's unparsed value and its source. ``text`` marks sources that have no other type than text."""

    value: object
    source: str
    text: bool


def resolve(flags: Flags, environ: Mapping[str, str], host: Host) -> Policy:
    """Return one host's policy. Raises PolicyError."""
    look = _Lookup(flags, environ, host)
    names, images, labels = look.selectors()
    policy = Policy(
        names=names,
        images=images,
        labels=labels,
        match=look.setting("match", _match, _DEFAULTS.match),
        max_age_s=look.setting("max_age", parse_duration_setting, _DEFAULTS.max_age_s),
        job_timeout_s=look.setting("job_timeout", parse_duration_setting, _DEFAULTS.job_timeout_s),
        max_lifetime_s=look.setting("max_lifetime", _optional_duration, _DEFAULTS.max_lifetime_s),
        cap=look.setting("cap", _cap, _DEFAULTS.cap),
        max_skew_s=look.setting("max_skew", parse_duration_setting, _DEFAULTS.max_skew_s),
        anomaly=look.setting("anomaly", _switch, _DEFAULTS.anomaly),
        keep_label=look.setting("keep_label", _label_key, _DEFAULTS.keep_label),
        engine_id=look.engine_id(),
    )
    if policy.max_age_s <= policy.job_timeout_s:
        age, job = compared(policy.max_age_s, policy.job_timeout_s)
        raise PolicyError(
            "max_age",
            look.source_of("max_age"),
            f"max age ({age}) must be greater than the longest job ({job}, --job-timeout): "
            "a running job's container would count as stale",
        )
    if policy.max_lifetime_s is not None and policy.max_lifetime_s <= policy.max_age_s:
        lifetime, age = compared(policy.max_lifetime_s, policy.max_age_s)
        raise PolicyError(
            "max_lifetime",
            look.source_of("max_lifetime"),
            f"max lifetime ({lifetime}) must be greater than max age ({age})",
        )
    return policy


def described(policy: Policy) -> Mapping[str, str]:
    """Return each setting of ``resolve`` as its flag or variable takes it, by its name."""
    settings = {
        "names": " ".join(policy.names),
        "images": " ".join(policy.images),
        "labels": " ".join(policy.labels),
        "match": policy.match.value,
        "max_age": format_duration(policy.max_age_s),
        "job_timeout": format_duration(policy.job_timeout_s),
        "max_lifetime": "off" if policy.max_lifetime_s is None else format_duration(policy.max_lifetime_s),
        "cap": "none" if policy.cap is None else str(policy.cap),
        "max_skew": format_duration(policy.max_skew_s),
        "anomaly": "on" if policy.anomaly else "off",
        "keep_label": policy.keep_label,
    }
    return settings if policy.engine_id is None else settings | {"engine_id": policy.engine_id}


def sources(flags: Flags, environ: Mapping[str, str], host: Host) -> Mapping[str, str]:
    """Return the source of each setting of ``resolve``, by its name in Policy. All three selectors have one source."""
    look = _Lookup(flags, environ, host)
    found = dict.fromkeys(("names", "images", "labels"), look.source_of_selectors())
    for name in described(_DEFAULTS).keys() - found.keys():
        given = look.given(name)
        found[name] = given.source if given else "default"
    found["engine_id"] = host.origins.get("fleetsweep_engine_id", "default")
    return found


def resolve_fleet_cap(flags: Flags, environ: Mapping[str, str]) -> int | Percent | None:
    """Return the cap for the whole fleet: a count, a share of the containers surveyed, or None. Raises PolicyError."""
    given = _from_flag_or_env(flags, environ, "fleet_cap")
    if given is None:
        return None
    text = str(given.value).strip()
    if text.endswith("%"):
        share = decimal(text[:-1])
        if share is None or share > 100:
            raise PolicyError("fleet_cap", given.source, f"{text!r} is not a share from 0% to 100%")
        return Percent(share)
    return _cap("fleet_cap", given)


def resolve_dry_run(flags: Flags, environ: Mapping[str, str]) -> bool:
    """Whether this is a dry run. Raises PolicyError for an unknown value of DRY_RUN: it must not count as false."""
    if flags.dry_run:
        return True
    word = environ.get("DRY_RUN", "")
    return bool(word.strip()) and _switch("dry_run", _RawValue(word, "environment DRY_RUN", text=True))


def parse_duration(text: str) -> int:
    """Return the whole seconds of ``90s``, ``30m``, ``2h``, ``3d`` or ``1h30m``. Raises ValueError."""
    found = _DURATION.fullmatch(text.strip())
    if not text.strip() or found is None:
        hint = ": give a unit, such as 30m or 2h" if whole(text) is not None else ", such as 90s, 30m, 2h or 1h30m"
        raise ValueError(f"{text!r} is not a duration{hint}")
    days, hours, minutes, seconds = (int(part or 0) for part in found.groups())
    total = days * 86400 + hours * 3600 + minutes * 60 + seconds
    if not 0 < total < 100 * 366 * 86400:
        raise ValueError(f"{text!r} is not a duration between one second and a hundred years")
    return total


def format_duration(seconds: int) -> str:
    """Return an exact duration as ``parse_duration`` reads it: ``1h30m``, ``45s``; in seconds if that is shorter."""
    if seconds >= 86400 or (seconds >= 3600 and seconds % 60):
        return f"{seconds}s"
    parts = ((seconds // 3600, "h"), (seconds % 3600 // 60, "m"), (seconds % 60, "s"))
    return "".join(f"{number}{unit}" for number, unit in parts if number) or "0s"


class _Lookup:
    """Finds a setting at the first level that gives it: flag, environment, inventory variable."""

    def __init__(self, flags: Flags, environ: Mapping[str, str], host: Host) -> None:
        self._flags = flags
        self._environ = environ
        self._host = host

    def setting(self, name: str, parse: Callable[[str, _RawValue], T], default: T) -> T:
        given = self.given(name)
        return default if given is None else parse(name, given)

    def source_of(self, name: str) -> str:
        given = self.given(name)
        return given.source if given else f"the default of {option_name(name)}"

    def source_of_selectors(self) -> str:
        kinds = ("names", "images", "labels")
        for level in (self._flag_level, self._env_level, self._host_level):
            given = [value.source for value in map(level, kinds) if value is not None]
            if given:
                return ", ".join(given)
        return "default"

    def selectors(self) -> tuple[tuple[str, ...], tuple[str, ...], tuple[str, ...]]:
        """Return names, images and labels. They are one setting: the first level that gives any gives all three."""
        kinds = ("names", "images", "labels")
        for level in (self._flag_level, self._env_level, self._host_level):
            given = {kind: level(kind) for kind in kinds}
            if any(value is not None for value in given.values()):
                names, images, labels = (_patterns(kind, given[kind]) for kind in kinds)
                if not (names or images or labels):
                    kind, source = next((kind, value.source) for kind, value in given.items() if value is not None)
                    raise PolicyError(kind, source, "no selector at all: give a name, image or label pattern")
                return names, images, labels
        return _DEFAULTS.names, _DEFAULTS.images, _DEFAULTS.labels

    def engine_id(self) -> str | None:
        value = self._host.variables.get("fleetsweep_engine_id")
        if value is None or (isinstance(value, str) and value):
            return value
        raise PolicyError("engine_id", f"fleetsweep_engine_id of {self._host.name}", f"{value!r} is not an engine id")

    def given(self, name: str) -> _RawValue | None:
        return _from_flag_or_env(self._flags, self._environ, name) or self._host_level(name)

    def _flag_level(self, name: str) -> _RawValue | None:
        return _from_flags(self._flags, name)

    def _env_level(self, name: str) -> _RawValue | None:
        return _from_env(self._environ, name)

    def _host_level(self, name: str) -> _RawValue | None:
        variable = f"fleetsweep_{name}"
        if variable not in self._host.variables:
            return None
        origin = self._host.origins.get(variable)
        source = f"inventory variable {variable} of {self._host.name}" + (f" ({origin})" if origin else "")
        return _RawValue(self._host.variables[variable], source, text=False)


@cache
def environment_variable(name: str) -> str:
    """Return the environment variable of a setting: ``FLEETSWEEP_MAX_AGE`` for ``max_age``."""
    return "FLEETSWEEP_" + option_name(name).removeprefix("--").replace("-", "_").upper()


def _from_flag_or_env(flags: Flags, environ: Mapping[str, str], name: str) -> _RawValue | None:
    return _from_flags(flags, name) or _from_env(environ, name)


def _from_flags(flags: Flags, name: str) -> _RawValue | None:
    value = getattr(flags, name)
    if value is None or value == () or value is False:
        return None
    return _RawValue(value, option_name(name), text=True)


def _from_env(environ: Mapping[str, str], name: str) -> _RawValue | None:
    """Return the value in the environment; an empty variable counts as unset.

    Raises PolicyError if the two names of one setting disagree.
    """
    modern = environment_variable(name)
    given = []
    if environ.get(modern, "").strip():
        value: object = environ[modern]
        if name in {"names", "images", "labels"}:
            value = tuple(environ[modern].split())
        given.append(_RawValue(value, f"environment {modern}", text=True))
    if name == "max_age" and environ.get("WS_MAX_AGE_HOURS", "").strip():
        given.append(_RawValue(_hours(environ["WS_MAX_AGE_HOURS"]), "environment WS_MAX_AGE_HOURS", text=True))
    if name == "cap" and environ.get("SAFETY_CAP", "").strip():
        given.append(_RawValue(environ["SAFETY_CAP"], "environment SAFETY_CAP", text=True))
    if len(given) == 2:
        parse = parse_duration_setting if name == "max_age" else _cap
        if parse(name, given[0]) != parse(name, given[1]):
            raise PolicyError(
                name,
                given[0].source,
                f"disagrees with {given[1].source.removeprefix('environment ')}: set one of them",
            )
    return given[0] if given else None


def _hours(text: str) -> str:
    hours = decimal(text)
    if hours is None or not 0 < hours < 100 * 366 * 24:
        raise PolicyError("max_age", "environment WS_MAX_AGE_HOURS", f"{text!r} is not a number of hours above 0")
    return f"{round(hours * 3600)}s"


def _patterns(kind: str, given: _RawValue | None) -> tuple[str, ...]:
    if given is None:
        return ()
    value = (given.value,) if isinstance(given.value, str) else given.value
    if not isinstance(value, Sequence) or not all(isinstance(item, str) for item in value):
        raise PolicyError(kind, given.source, f"{given.value!r} is not a pattern or a list of patterns")
    for pattern in value:
        if not pattern.strip():
            raise PolicyError(kind, given.source, "an empty pattern would match everything")
        if kind == "names":
            _check_regex(kind, given, pattern)
        if kind == "labels" and not pattern.partition("=")[0].strip():
            raise PolicyError(kind, given.source, f"{pattern!r} has no label key")
    return tuple(value)


def _check_regex(kind: str, given: _RawValue, pattern: str) -> None:
    try:
        check(pattern)
        matches_any = matches_empty(pattern)
    except ValueError as error:
        raise PolicyError(kind, given.source, f"{pattern[:200]!r} {error}") from None
    except PatternTimeout:
        raise PolicyError(
            kind, given.source, f"{pattern[:200]!r} takes too long even on an empty text: simplify it"
        ) from None
    if matches_any:
        raise PolicyError(
            kind, given.source, f"{pattern!r} matches any name at all: to mean every container, write '.'"
        )


def _match(name: str, given: _RawValue) -> Match:
    try:
        return Match(str(given.value))
    except ValueError:
        raise PolicyError(name, given.source, f"{given.value!r} is neither 'any' nor 'all'") from None


def parse_duration_setting(name: str, given: _RawValue) -> int:
    """Return the whole seconds of a setting's value. Raises PolicyError."""
    if not isinstance(given.value, str):
        raise PolicyError(name, given.source, f"{given.value!r} is not a duration: write text such as 30m or 2h")
    try:
        return parse_duration(given.value)
    except ValueError as error:
        raise PolicyError(name, given.source, str(error)) from None


def _optional_duration(name: str, given: _RawValue) -> int | None:
    if isinstance(given.value, str) and given.value.strip().lower() in _OFF_WORDS:
        return None
    return parse_duration_setting(name, given)


def _cap(name: str, given: _RawValue) -> int | None:
    value = given.value
    if isinstance(value, str) and value.strip().lower() == "none":
        return None
    if given.text and isinstance(value, str):
        value = whole(value)
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 10**9:
        return value
    raise PolicyError(name, given.source, f"{given.value!r} is not a count of 0 or more, nor the word none")


def _switch(name: str, given: _RawValue) -> bool:
    word = given.value.strip().lower() if isinstance(given.value, str) else given.value
    if word is True or word in _ON_WORDS:
        return True
    if word is False or word in _NO_WORDS:
        return False
    raise PolicyError(name, given.source, f"{word!r} is neither 1/true/yes/on nor 0/false/no/off")


def _label_key(name: str, given: _RawValue) -> str:
    if isinstance(given.value, str) and given.value.strip() and "=" not in given.value:
        return given.value.strip()
    raise PolicyError(name, given.source, f"{given.value!r} is not a label key")

"""Where settings come from, and that no value of a wrong type or form becomes a policy."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import fields

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from fleetsweep.errors import PolicyError
from fleetsweep.model.host import Host
from fleetsweep.model.policy_flags import Flags
from fleetsweep.policy.guards import Percent
from fleetsweep.policy.rules import Match, Policy
from fleetsweep.policy.settings import parse_duration, resolve, resolve_dry_run, resolve_fleet_cap

DURATIONS = st.integers(2 * 3600, 10**6)
CAPS = st.one_of(st.just("none"), st.integers(0, 10**6))
WORDS = st.from_regex(r"[a-z][a-z.]{0,8}", fullmatch=True)


def host(**variables: object) -> Host:
    return Host("runner-1", "127.0.0.1", variables={f"fleetsweep_{key}": value for key, value in variables.items()})


def flags_of(given: Mapping[str, object]) -> Flags:
    return Flags(**given)  # type: ignore[arg-type]


Resolved = tuple[Policy, int | Percent | None]


def resolved(flags: Flags, environ: Mapping[str, str]) -> Resolved | PolicyError:
    try:
        return resolve(flags, environ, host()), resolve_fleet_cap(flags, environ)
    except PolicyError as error:
        return error


def seconds(value: object) -> str:
    return f"{value}s"


SCALARS: dict[str, tuple[str, st.SearchStrategy[object], Callable[[object], object], Callable[[Policy], object]]] = {
    "max_age": ("MAX_AGE", DURATIONS, seconds, lambda policy: policy.max_age_s),
    "max_skew": ("MAX_SKEW", DURATIONS, seconds, lambda policy: policy.max_skew_s),
    "max_lifetime": ("MAX_LIFETIME", st.integers(10**7, 10**8), seconds, lambda policy: policy.max_lifetime_s),
    "job_timeout": ("JOB_TIMEOUT", st.integers(1, 7199), seconds, lambda policy: policy.job_timeout_s),
    "cap": ("CAP", CAPS, lambda cap: cap, lambda policy: "none" if policy.cap is None else policy.cap),
    "match": ("MATCH", st.sampled_from(["any", "all"]), lambda word: word, lambda policy: str(policy.match)),
    "anomaly": ("ANOMALY", st.booleans(), lambda on: "on" if on else "off", lambda policy: policy.anomaly),
    "keep_label": ("KEEP_LABEL", WORDS, lambda word: word, lambda policy: policy.keep_label),
}
"""Setting: its name in the environment, its values, how a value is written, where the policy holds it."""


@pytest.mark.parametrize("name", SCALARS)
@given(data=st.data())
def test_flag_beats_environment_beats_inventory_variable_beats_default(name: str, data: st.DataObject) -> None:
    variable, values, write, read = SCALARS[name]
    flag, environment, inventory = (data.draw(st.one_of(st.none(), values)) for _ in range(3))
    flags = Flags() if flag is None else flags_of({name: str(write(flag))})
    environ = {} if environment is None else {f"FLEETSWEEP_{variable}": str(write(environment))}
    variables = {} if inventory is None else {name: write(inventory)}
    expected = next((it for it in (flag, environment, inventory) if it is not None), read(Policy()))
    policy = resolve(flags, environ, host(**variables))
    assert read(policy) == expected
    others = [other for other in SCALARS if other != name]
    assert [SCALARS[other][3](policy) for other in others] == [SCALARS[other][3](Policy()) for other in others]


KINDS = ("names", "images", "labels")
LEVEL = st.fixed_dictionaries({}, optional={kind: st.lists(WORDS, min_size=1, max_size=2) for kind in KINDS})


@given(LEVEL, LEVEL, LEVEL)
def test_the_first_level_that_names_a_selector_gives_all_three(
    flag: dict[str, list[str]], environment: dict[str, list[str]], inventory: dict[str, list[str]]
) -> None:
    flags = flags_of({kind: tuple(words) for kind, words in flag.items()})
    environ = {f"FLEETSWEEP_{kind.upper().removesuffix('S')}": " ".join(words) for kind, words in environment.items()}
    policy = resolve(flags, environ, host(**inventory))
    level = flag or environment or inventory
    expected = tuple(tuple(level.get(kind, ())) for kind in KINDS) if level else (Policy().names, Policy().images, ())
    assert (policy.names, policy.images, policy.labels) == expected


@given(CAPS, CAPS, st.integers(2, 1000), st.integers(2, 1000))
def test_the_two_names_of_a_setting_agree_or_are_refused(one: object, two: object, hours: int, others: int) -> None:
    environ = {"SAFETY_CAP": str(one), "FLEETSWEEP_CAP": str(two)}
    if one == two:
        assert resolve(Flags(), environ, host()) == resolve(Flags(cap=str(one)), {}, host())
    else:
        with pytest.raises(PolicyError, match="SAFETY_CAP: set one of them"):
            resolve(Flags(), environ, host())
    ages = {"WS_MAX_AGE_HOURS": str(hours), "FLEETSWEEP_MAX_AGE": f"{others}h"}
    if hours == others:
        assert resolve(Flags(), ages, host()).max_age_s == hours * 3600
    else:
        with pytest.raises(PolicyError, match="WS_MAX_AGE_HOURS: set one of them"):
            resolve(Flags(), ages, host())


JUNK: st.SearchStrategy[object] = st.one_of(
    st.none(),
    st.booleans(),
    st.floats(),
    st.integers(max_value=-1),
    st.integers(min_value=10**9),
    st.lists(st.integers(), min_size=1, max_size=2),
    st.dictionaries(st.text(max_size=2), st.integers(), max_size=2),
    st.binary(max_size=3),
    st.sampled_from(["", " ", "\t", "-1", "1e3", "\u0665", "0x10", "5m5", "h", "=x", "a=b", "everything", "*any*"]),
)
WRONG_TYPE: dict[str, st.SearchStrategy[object]] = {
    **{name: st.one_of(JUNK, st.integers(0, 9)) for name in ("max_age", "max_skew", "max_lifetime", "job_timeout")},
    "cap": st.one_of(JUNK, st.integers(0, 9).map(str)),
    "match": JUNK,
    "anomaly": JUNK.filter(lambda value: not isinstance(value, bool)),
    "keep_label": JUNK.filter(lambda value: not (isinstance(value, str) and re.fullmatch(r"[^=]*[^=\s][^=]*", value))),
    **{kind: JUNK.filter(lambda value: not isinstance(value, str) or not value.strip()) for kind in KINDS},
    "engine_id": JUNK.filter(lambda value: value is not None and (not isinstance(value, str) or not value)),
}


@pytest.mark.parametrize("name", WRONG_TYPE)
@given(data=st.data())
def test_an_inventory_variable_of_the_wrong_type_is_an_error_that_names_it_and_its_host(
    name: str, data: st.DataObject
) -> None:
    value = data.draw(WRONG_TYPE[name])
    with pytest.raises(PolicyError) as caught:
        resolve(Flags(), {}, host(**{name: value}))
    assert caught.value.setting == name
    assert f"fleetsweep_{name} of runner-1" in caught.value.source
    assert str(caught.value).startswith(caught.value.source)


TEXTS = st.one_of(
    st.text("0123456789dhms.%-+ eE_nan", min_size=1, max_size=6),
    st.text("ws-*?.[](){}|\\^$+,=#1290 :!PsiLauAx<>-", min_size=1, max_size=8),
    st.text(min_size=1, max_size=8),
)


@given(st.dictionaries(st.sampled_from([field.name for field in fields(Flags) if field.name != "dry_run"]), TEXTS))
@example({"names": "a{4294967295}"})
@example({"names": "a{99999999999999999999}"})
@example({"names": "(" * 5000 + "a" + ")" * 5000})
@example({"names": "[[a]"})
@example({"names": "(?#"})
@example({"max_age": "9" * 5000 + "s"})
@example({"cap": "9" * 5000})
@example({"fleet_cap": "9" * 5000})
@example({"fleet_cap": "9" * 5000 + "%"})
def test_any_text_in_any_flag_is_a_policy_that_holds_or_an_error_that_names_a_flag(texts: dict[str, str]) -> None:
    flags = flags_of({name: (text,) if name in KINDS else text for name, text in texts.items()})
    found = resolved(flags, {})
    if isinstance(found, PolicyError):
        assert found.setting in texts or found.setting == "max_age"
        assert found.source.startswith("--") or found.source == "the default of --max-age"
    else:
        assert_sane(*found)


VARIABLES = [
    *(f"FLEETSWEEP_{name}" for name in ("NAME", "IMAGE", "LABEL", "FLEET_CAP")),
    *(f"FLEETSWEEP_{row[0]}" for row in SCALARS.values()),
    "SAFETY_CAP",
    "WS_MAX_AGE_HOURS",
]


@given(st.dictionaries(st.sampled_from(VARIABLES), TEXTS))
@example({"WS_MAX_AGE_HOURS": "inf"})
@example({"WS_MAX_AGE_HOURS": "1e-9"})
@example({"WS_MAX_AGE_HOURS": "0.25"})
@example({"WS_MAX_AGE_HOURS": "9" * 5000})
@example({"SAFETY_CAP": "1", "FLEETSWEEP_CAP": "x"})
def test_any_text_in_the_environment_is_a_policy_that_holds_or_an_error_that_names_it(environ: dict[str, str]) -> None:
    found = resolved(Flags(), environ)
    if isinstance(found, PolicyError):
        assert found.source.removeprefix("environment ") in {*environ, "the default of --max-age"}
    else:
        assert_sane(*found)


def assert_sane(policy: Policy, fleet_cap: int | Percent | None) -> None:
    """No policy that got through means everything, or a running job's container."""
    assert policy.names or policy.images or policy.labels
    for pattern in policy.names:
        assert re.search(pattern, "") is None
    assert all(glob.strip() for glob in policy.images)
    assert all(selector.partition("=")[0].strip() for selector in policy.labels)
    assert 0 < policy.job_timeout_s < policy.max_age_s
    assert policy.max_lifetime_s is None or policy.max_lifetime_s > policy.max_age_s
    assert policy.cap is None or policy.cap >= 0
    assert policy.max_skew_s > 0
    assert policy.keep_label.strip()
    assert policy.match in Match
    assert fleet_cap is None or (fleet_cap.value if isinstance(fleet_cap, Percent) else fleet_cap) >= 0


@given(st.text(max_size=5))
def test_a_word_for_dry_run_is_known_or_refused_and_the_flag_wins(word: str) -> None:
    assert resolve_dry_run(Flags(dry_run=True), {"DRY_RUN": word}) is True
    assume(word.strip().lower() not in {"", "0", "no", "off", "1", "yes", "on", "true", "false"})
    with pytest.raises(PolicyError, match="environment DRY_RUN: "):
        resolve_dry_run(Flags(), {"DRY_RUN": word})


@given(st.integers(0, 99), st.integers(0, 99), st.integers(0, 99), st.integers(0, 99))
def test_a_duration_is_the_sum_of_its_parts(days: int, hours: int, minutes: int, rest: int) -> None:
    total = days * 86_400 + hours * 3600 + minutes * 60 + rest
    assume(total > 0)
    assert parse_duration(f"{days}d{hours}h{minutes}m{rest}s") == total
    parts = ((days, "d"), (hours, "h"), (minutes, "m"), (rest, "s"))
    assert parse_duration("".join(f"{count}{unit}" for count, unit in parts if count)) == total

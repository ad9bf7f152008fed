"""Where settings come from, and what they can't be."""

from __future__ import annotations

import pytest

from fleetsweep.errors import PolicyError
from fleetsweep.model.host import Host
from fleetsweep.model.policy_flags import Flags
from fleetsweep.policy.guards import Percent
from fleetsweep.policy.rules import Policy
from fleetsweep.policy.settings import parse_duration, resolve, resolve_dry_run, resolve_fleet_cap


def host(**variables: object) -> Host:
    return Host("runner-1", "127.0.0.1", variables={f"fleetsweep_{key}": value for key, value in variables.items()})


def test_nothing_given_is_the_default_policy() -> None:
    assert resolve(Flags(), {}, host()) == Policy()


def test_flag_beats_environment_beats_inventory_variable() -> None:
    environ = {"FLEETSWEEP_CAP": "7"}
    assert resolve(Flags(cap="5"), environ, host(cap=9)).cap == 5
    assert resolve(Flags(), environ, host(cap=9)).cap == 7
    assert resolve(Flags(), {}, host(cap=9)).cap == 9


def test_naming_one_selector_replaces_all_three_from_below() -> None:
    policy = resolve(Flags(labels=("ci",)), {"FLEETSWEEP_NAME": "^job-"}, host(images=["x/*"]))
    assert (policy.names, policy.images, policy.labels) == ((), (), ("ci",))


def test_older_environment_variables_keep_their_meaning() -> None:
    policy = resolve(Flags(), {"WS_MAX_AGE_HOURS": "3", "SAFETY_CAP": "50"}, host())
    assert (policy.max_age_s, policy.cap) == (3 * 3600, 50)


@pytest.mark.parametrize(
    ("flags", "environ", "variables"),
    [
        (Flags(max_age="2"), {}, {}),
        (Flags(max_age="0s"), {}, {}),
        (Flags(max_age="30m"), {}, {}),
        (Flags(max_lifetime="1h"), {}, {}),
        (Flags(cap="-1"), {}, {}),
        (Flags(names=("",)), {}, {}),
        (Flags(names=("(",)), {}, {}),
        (Flags(names=(".*",)), {}, {}),
        (Flags(labels=("=x",)), {}, {}),
        (Flags(), {"WS_MAX_AGE_HOURS": "nan"}, {}),
        (Flags(), {"WS_MAX_AGE_HOURS": "2", "FLEETSWEEP_MAX_AGE": "3h"}, {}),
        (Flags(), {"SAFETY_CAP": "1e3"}, {}),
        (Flags(), {}, {"cap": None}),
        (Flags(), {}, {"cap": "5"}),
        (Flags(), {}, {"cap": True}),
        (Flags(), {}, {"cap": float("nan")}),
        (Flags(), {}, {"max_age": 3}),
        (Flags(), {}, {"max_age": True}),
        (Flags(), {}, {"names": []}),
        (Flags(), {}, {"names": {"a": 1}}),
        (Flags(), {}, {"match": "some"}),
    ],
)
def test_a_value_that_cannot_be_is_refused(flags: Flags, environ: dict[str, str], variables: dict[str, object]) -> None:
    with pytest.raises(PolicyError):
        resolve(flags, environ, host(**variables))


def test_a_refusal_names_the_host_and_the_variable() -> None:
    with pytest.raises(PolicyError, match=r"fleetsweep_cap of runner-1"):
        resolve(Flags(), {}, host(cap="5"))


def test_no_cap_is_a_word_and_zero_is_none_at_all() -> None:
    assert resolve(Flags(cap="none"), {}, host()).cap is None
    assert resolve(Flags(cap="0"), {}, host()).cap == 0


@pytest.mark.parametrize(("word", "dry"), [("1", True), ("TRUE", True), ("", False), ("off", False)])
def test_dry_run_reads_its_words(word: str, dry: bool) -> None:
    assert resolve_dry_run(Flags(), {"DRY_RUN": word}) is dry


def test_an_unknown_word_for_dry_run_is_never_a_no() -> None:
    with pytest.raises(PolicyError):
        resolve_dry_run(Flags(), {"DRY_RUN": "ture"})


def test_a_fleet_cap_is_a_count_or_a_share() -> None:
    assert resolve_fleet_cap(Flags(fleet_cap="12%"), {}) == Percent(12)
    assert resolve_fleet_cap(Flags(fleet_cap="12"), {}) == 12
    with pytest.raises(PolicyError):
        resolve_fleet_cap(Flags(fleet_cap="120%"), {})


@pytest.mark.parametrize(("text", "seconds"), [("90s", 90), ("1h30m", 5400), ("3d", 259200)])
def test_durations_carry_units(text: str, seconds: int) -> None:
    assert parse_duration(text) == seconds


@pytest.mark.parametrize(
    "written", ["1_0", "\u0663", "\uff11\uff12", "1\u0660", "+3", "1e1", "0x10", "\u00b2", "inf", "1 0"]
)
def test_a_number_in_other_digits_than_a_reader_expects_is_refused_everywhere(written: str) -> None:
    environs = [{"WS_MAX_AGE_HOURS": written}, {"SAFETY_CAP": written}, {"FLEETSWEEP_MAX_AGE": f"{written}h"}]
    for environ in environs:
        with pytest.raises(PolicyError):
            resolve(Flags(), environ, host())
    for text in (written, f"{written}%"):
        with pytest.raises(PolicyError):
            resolve_fleet_cap(Flags(fleet_cap=text), {})

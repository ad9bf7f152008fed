"""Times in an engine's responses: one format each, and only time zones that exist."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleetsweep.engine.decode import (
    NAME_LIMIT,
    parse_date,
    parse_inspect,
    parse_list,
    parse_networks,
    parse_timestamp,
    parse_volumes,
    resolve_owners,
)
from fleetsweep.errors import EngineError
from fleetsweep.model.container import SECOND, UNREADABLE

ID = "a" * 64


@given(st.integers(0, 99), st.integers(0, 99), st.sampled_from("+-"))
def test_an_offset_of_no_time_zone_is_unreadable(hours: int, minutes: int, sign: str) -> None:
    parsed = parse_timestamp(f"2026-06-15T07:00:00{sign}{hours:02}:{minutes:02}")
    real = hours * 60 + minutes <= 14 * 60 and minutes in {0, 15, 30, 45}
    assert (parsed != UNREADABLE) is real


@given(st.integers(31_536_000, 7_258_118_400))
def test_a_date_in_the_fixed_format_is_parsed(second: int) -> None:
    when = datetime.fromtimestamp(second, UTC)
    text = when.strftime("%a, %d %b %Y %H:%M:%S GMT")
    assert parse_date({"date": text}) == second * SECOND
    other_day = (when + timedelta(days=1)).strftime("%a") + text[3:]
    for wrong in (other_day, f"{text}, {text}", text.lower(), text.replace("GMT", "UTC"), text[:-4], f" {text}"):
        with pytest.raises(EngineError, match="Date"):
            parse_date({"date": wrong})


@given(st.integers(-(10**30), 10**30))
def test_every_decoded_number_fits_into_64_bits(number: int) -> None:
    (listed,) = parse_list([{"Id": ID, "Created": number}])
    inspected = parse_inspect({"Id": ID, "RestartCount": number}, ID)
    assert -(2**63) < listed.created_ns < 2**63
    assert inspected.restarts is None or 0 <= inspected.restarts < 2**63


def test_a_container_with_two_names_of_its_own_is_unreadable() -> None:
    (listed,) = parse_list([{"Id": ID, "Names": ["/ws-1", "/db", "/ws-1/alias"]}])
    assert (listed.name, listed.trouble) == ("", "the engine lists it with 2 names")
    (listed,) = parse_list([{"Id": ID, "Names": ["/db/alias", "/ws-1", "/ws-1"]}])
    assert (listed.name, listed.trouble) == ("ws-1", "")


def test_the_longest_name_that_is_read_is_also_read_as_an_owner() -> None:
    name = "n" * NAME_LIMIT
    owner, other = (character * 64 for character in "bc")
    containers = parse_list(
        [{"Id": owner, "Names": [f"/{name}"]}, {"Id": other, "HostConfig": {"NetworkMode": f"container:{name}"}}]
    )
    assert resolve_owners(containers)[1].lives_on == (owner,)


@pytest.mark.parametrize("mode", ["NetworkMode", "IpcMode", "PidMode", "UTSMode", "UsernsMode", "CgroupnsMode"])
@pytest.mark.parametrize("word", ["b" * 64, "bbbb", "/owner", "owner"])
def test_an_owner_is_found_by_any_mode_and_any_beginning_of_its_id(mode: str, word: str) -> None:
    containers = parse_list(
        [{"Id": "b" * 64, "Names": ["/owner"]}, {"Id": ID, "HostConfig": {mode: f"container:{word}", "Mode": 7}}]
    )
    assert [each.lives_on for each in resolve_owners(containers)] == [(), ("b" * 64,)]


@pytest.mark.parametrize("volumes", [{}, [], None, {"Volumes": {}}, {"Volumes": [{"Name": "a"}, {"Name": "a"}]}])
def test_a_volume_list_of_another_shape_or_with_one_volume_twice_is_refused(volumes: object) -> None:
    with pytest.raises(EngineError, match=r"the volume list is not a list|one volume or network twice"):
        parse_volumes(volumes)
    assert parse_volumes({"Volumes": None}) == ()


def test_a_network_list_with_one_network_twice_is_refused() -> None:
    with pytest.raises(EngineError, match="one volume or network twice"):
        parse_networks([{"Id": ID, "Name": "a"}, {"Id": ID, "Name": "b"}])


@pytest.mark.parametrize("year", ["0000", "0001", "1600", "2263", "9999"])
def test_a_year_beyond_64_bits_of_nanoseconds_is_unreadable(year: str) -> None:
    assert parse_timestamp(f"{year}-01-01T00:00:00Z") == UNREADABLE

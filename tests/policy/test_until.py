"""The time in a keep label's value."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleetsweep.model.container import SECOND
from fleetsweep.policy.until import parse_until

DAY_NS = 86_400 * SECOND
NEW_YEAR = int(datetime(2027, 1, 1, tzinfo=UTC).timestamp()) * SECOND


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2027-01-01", NEW_YEAR + DAY_NS),
        ("20270101", NEW_YEAR + DAY_NS),
        (" 2027-01-01T00:00 ", NEW_YEAR),
        ("2027-01-01 00:00:01", NEW_YEAR + SECOND),
        ("2027-01-01t01:00z", NEW_YEAR + 3600 * SECOND),
        ("2027-01-01T01:00+01:00", NEW_YEAR),
        ("2027-01-01T00:00:00.5Z", NEW_YEAR + SECOND // 2),
    ],
)
def test_a_date_lasts_to_its_end_and_a_time_without_an_offset_is_utc(text: str, expected: int) -> None:
    assert parse_until(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "",
        "someday",
        "1798761600",
        "1798761600000",
        "2027-13-01",
        "2027-02-29",
        "2012-12-31T23:59:59Z",
        "9999-12-31",
        "2027-01-01T00:00+14:15",
        "2027-01-01T00:00+01:10",
        "2027-W01-1",
        "2027-01-01T",
        "٢٠٢٧-01-01",
    ],
)
def test_a_text_that_is_no_plausible_time_is_none(text: str) -> None:
    assert parse_until(text) is None


@given(
    st.integers(1_357_100_000, 4_000_000_000).map(lambda seconds: datetime.fromtimestamp(seconds, UTC)),
    st.integers(-56, 56),
)
def test_every_offset_of_whole_quarters_means_the_same_instant(instant: datetime, quarters: int) -> None:
    zone = timezone(timedelta(minutes=15 * quarters))
    assert parse_until(instant.astimezone(zone).isoformat()) == int(instant.timestamp()) * SECOND

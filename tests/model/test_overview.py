"""Records of what the page shows."""

from __future__ import annotations

from dataclasses import replace

from fleetsweep.model.overview import HostDay, Period


def test_a_period_has_its_first_and_its_last_day() -> None:
    assert list(Period(10, 12, 0, 0, 0, 0, None).days) == [10, 11, 12]


def test_a_day_is_quiet_only_if_the_host_was_surveyed_and_nothing_was_stale() -> None:
    quiet = HostDay("ok", 0, None, 0)
    assert quiet.is_quiet
    for other in (replace(quiet, stale=None), replace(quiet, stale=1), replace(quiet, status="unreachable")):
        assert not other.is_quiet

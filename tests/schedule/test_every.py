"""How often a job runs, by cron's and by systemd's calendar."""

from __future__ import annotations

import subprocess

import pytest

from fleetsweep.errors import UsageError
from fleetsweep.schedule.every import Every

CASES = [
    (300, "2,7,12,17,22,27,32,37,42,47,52,57 * * * *", "every 5 minutes", 24 * 12),
    (900, "2,17,32,47 * * * *", "every 15 minutes", 24 * 4),
    (3600, "17 * * * *", "every hour", 24),
    (6 * 3600, "17 */6 * * *", "every 6 hours", 4),
    (24 * 3600, "17 4 * * *", "every day", 1),
]


@pytest.mark.parametrize(("seconds", "cron", "words", "a_day"), CASES)
def test_an_interval_is_a_calendar(seconds: int, cron: str, words: str, a_day: int) -> None:
    every = Every.of_seconds(seconds)
    assert (every.cron, every.words, every.seconds) == (cron, words, seconds)
    done = subprocess.run(
        ["systemd-analyze", "calendar", every.calendar, f"--iterations={a_day + 1}", "--base-time=2026-03-02 00:00"],
        capture_output=True,
        text=True,
        check=True,
        env={"TZ": "UTC", "PATH": "/usr/bin:/bin"},
    ).stdout
    # The first elapse of the day, and the first of the next.
    elapses = [line.split()[-3:-1] for line in done.splitlines() if "elapse" in line or "Iter" in line]
    assert [day for day, _ in elapses].count("2026-03-02") == a_day
    assert [day for day, _ in elapses].count("2026-03-03") == 1


@pytest.mark.parametrize("seconds", [0, 60, 301, 420, 5400, 7 * 3600, 48 * 3600])
def test_one_that_does_not_divide_an_hour_or_a_day_is_refused(seconds: int) -> None:
    with pytest.raises(UsageError, match="--every: "):
        Every.of_seconds(seconds)

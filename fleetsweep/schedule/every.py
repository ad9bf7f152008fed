"""How often a job runs, as a calendar of cron and of systemd. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from fleetsweep.errors import UsageError

HOUR_S: Final = 3600
_MINUTE: Final = 17
"""Not a full hour, when everything else starts."""

_DAILY_HOUR: Final = 4
_MINUTES: Final = (5, 10, 15, 20, 30, 60)
_HOURS: Final = (1, 2, 3, 4, 6, 8, 12, 24)


@dataclass(frozen=True, slots=True)
class Every:
    """An interval that divides an hour or a day, in minutes."""

    minutes: int

    @classmethod
    def of_seconds(cls, seconds: float) -> Every:
        """Return the interval. Raises UsageError for one that no calendar repeats evenly."""
        minutes, rest = divmod(seconds, 60)
        if rest or (minutes not in _MINUTES and minutes not in {60 * hours for hours in _HOURS}):
            raise UsageError(
                "--every: a calendar repeats evenly every 5, 10, 15, 20 or 30 minutes, and every 1, 2, 3, 4, 6, 8, 12 "
                "or 24 hours: choose one of these, such as 15m, 6h or 1d"
            )
        return cls(int(minutes))

    @property
    def seconds(self) -> int:
        """The interval in seconds."""
        return self.minutes * 60

    @property
    def words(self) -> str:
        """The interval in words, such as ``every hour``."""
        if self.minutes < 60:
            return f"every {self.minutes} minutes"
        hours = self.minutes // 60
        return {1: "every hour", 24: "every day"}.get(hours, f"every {hours} hours")

    @property
    def cron(self) -> str:
        """The first five fields of a crontab's line."""
        hours = self.minutes // 60
        hour = {0: "*", 1: "*", 24: str(_DAILY_HOUR)}.get(hours, f"*/{hours}")
        return f"{self._minutes} {hour} * * *"

    @property
    def calendar(self) -> str:
        """The value of a timer's OnCalendar."""
        hours = self.minutes // 60
        hour = {0: "*", 1: "*", 24: f"{_DAILY_HOUR:02}"}.get(hours, f"0/{hours}")
        return f"{hour}:{self._minutes}"

    @property
    def _minutes(self) -> str:
        return ",".join(str(minute) for minute in range(_MINUTE % min(self.minutes, 60), 60, min(self.minutes, 60)))

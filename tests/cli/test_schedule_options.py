"""The options of ``schedule`` alone."""

from __future__ import annotations

from fleetsweep.cli.schedule_options import ScheduleOptions


def test_files_are_printed_and_replace_nothing_by_default() -> None:
    options = ScheduleOptions()
    assert (options.write, options.force, options.every) == (None, False, 3600.0)

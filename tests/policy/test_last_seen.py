"""Hosts that were not surveyed for too long."""

from __future__ import annotations

from dataclasses import replace

import pytest

from fleetsweep.model.container import SECOND
from fleetsweep.model.host import Host
from fleetsweep.model.report import HostReport, Silence
from fleetsweep.model.survey import Status
from fleetsweep.policy.last_seen import mark_silent
from tests.policy.test_rules import NOW
from tests.report.build import plan

FAILED = HostReport(Host("a", "a"), Status.UNREACHABLE)
LIMIT_S = 60.0


@pytest.mark.parametrize(
    ("last_ns", "silent"),
    [
        (None, True),
        (NOW, False),
        (NOW - 60 * SECOND, False),
        (NOW - 60 * SECOND - 1, True),
        (NOW + 1, True),
    ],
)
def test_a_host_is_silent_once_its_last_survey_is_older_than_the_limit(last_ns: int | None, silent: bool) -> None:
    row = mark_silent(FAILED, {} if last_ns is None else {"a": last_ns}, NOW, LIMIT_S)
    assert row.silence == (Silence(last_ns, LIMIT_S) if silent else None)


def test_a_host_that_was_surveyed_in_this_run_is_not_silent() -> None:
    surveyed = HostReport(Host("a", "a"), Status.OK, plan=plan("a"))
    assert mark_silent(surveyed, {}, NOW, LIMIT_S) == surveyed


def test_a_silent_row_keeps_all_else() -> None:
    marked = mark_silent(FAILED, {"b": NOW}, NOW, LIMIT_S)
    assert replace(marked, silence=None) == FAILED

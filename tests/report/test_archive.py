"""A run's report in the journal: the same JSON comes back, and a box's long list is cut."""

from __future__ import annotations

import json
import zlib

import pytest
from hypothesis import given

from fleetsweep.model.decision import Verdict
from fleetsweep.model.report import FleetReport
from fleetsweep.report import archive
from fleetsweep.report.archive import OMITTED, compress, decompress
from fleetsweep.report.json_report import render_json
from tests.report.hostile import reports


@given(reports)
def test_the_same_report_comes_back(report: FleetReport) -> None:
    assert decompress(compress(report)) == json.loads(render_json(report))


@given(reports)
def test_beyond_the_limit_only_decisions_to_keep_are_omitted_and_counted(report: FleetReport) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(archive, "KEPT_DECISIONS", 1)
        back = decompress(compress(report))
    whole = json.loads(render_json(report))
    for stored, host in zip(back["hosts"], whole["hosts"], strict=True):  # type: ignore[call-overload]
        removed = [each for each in host["decisions"] if each["verdict"] == Verdict.REMOVE]
        assert [each for each in stored["decisions"] if each["verdict"] == Verdict.REMOVE] == removed
        assert len(stored["decisions"]) + stored.get(OMITTED, 0) == len(host["decisions"])
        assert len(stored["decisions"]) <= max(1, len(removed) + 1)


@pytest.mark.parametrize("parts", [[b"no zlib"], [zlib.compress(b"[]")], [zlib.compress(b"{")]])
def test_a_damaged_part_is_a_value_error(parts: list[bytes]) -> None:
    with pytest.raises(ValueError, match=r"zlib|header|head|Expecting"):
        decompress(parts)

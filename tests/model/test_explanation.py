"""Why one container was judged as it was."""

from __future__ import annotations

from dataclasses import FrozenInstanceError

import pytest

from fleetsweep.model.explanation import Explanation
from tests.report.build import candidates, surveyed


def test_an_explanation_can_not_be_changed() -> None:
    row = surveyed("a", candidates("ws", 1))
    assert row.plan is not None
    explanation = Explanation(row.host, row.plan.candidates[0], (), None)
    with pytest.raises(FrozenInstanceError):
        explanation.guard = None  # type: ignore[misc] # what is tested

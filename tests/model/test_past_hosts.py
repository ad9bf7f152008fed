"""What the journal has of a run's hosts from before it."""

from __future__ import annotations

from dataclasses import FrozenInstanceError

import pytest

from fleetsweep.model.past_hosts import OpenLeak, PastOfHosts


def test_the_past_can_not_be_changed() -> None:
    past = PastOfHosts({}, {"a": {"1" * 64: OpenLeak(2, 1)}}, {})
    with pytest.raises(FrozenInstanceError):
        past.leaks["a"]["1" * 64].runs = 3  # type: ignore[misc] # what is tested

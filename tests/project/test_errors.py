"""The exceptions that fleetsweep raises on purpose."""

from __future__ import annotations

import pytest

from fleetsweep import errors
from fleetsweep.errors import (
    EngineError,
    FaultKind,
    FleetsweepError,
    HostError,
    InventoryError,
    LostAnswer,
    Phase,
    PolicyError,
    UsageError,
)


def test_every_exception_is_in_the_tree_that_the_module_draws() -> None:
    classes = [each for each in vars(errors).values() if isinstance(each, type) and issubclass(each, Exception)]
    assert all(issubclass(each, FleetsweepError) for each in classes)
    assert errors.__doc__ is not None
    assert [each.__name__ for each in classes if each.__name__ not in errors.__doc__] == []


def test_an_inventory_error_starts_with_its_place() -> None:
    error = InventoryError("hosts.ini line 3", "no '='")
    assert (str(error), error.where) == ("hosts.ini line 3: no '='", "hosts.ini line 3")


@pytest.mark.parametrize(("source", "text"), [("--cap", "--cap: too high"), ("", "cap: too high")])
def test_a_policy_error_starts_with_its_source_or_else_its_setting(source: str, text: str) -> None:
    error = PolicyError("cap", source, "too high")
    assert (str(error), error.setting, error.source) == (text, "cap", source)


def test_an_error_of_one_host_is_never_a_usage_error() -> None:
    assert not issubclass(HostError, UsageError)
    assert issubclass(LostAnswer, HostError)


def test_an_engine_error_is_of_the_engine_phase_and_has_a_status_only_if_one_was_read() -> None:
    refused = EngineError(FaultKind.REFUSED, "HTTP 500", http_status=500)
    garbled = EngineError(FaultKind.INVALID_ANSWER, "no JSON")
    assert (refused.phase, refused.http_status, garbled.http_status) == (Phase.ENGINE, 500, None)
    assert (str(refused), refused.remedy) == ("HTTP 500", "")


def test_the_phases_of_the_report_are_stable() -> None:
    assert [str(phase) for phase in Phase] == ["resolve", "connect", "host-key", "auth", "tunnel", "engine", "zone"]

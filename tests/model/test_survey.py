"""The result of surveying a host."""

from __future__ import annotations

import pytest

from fleetsweep.errors import FaultKind, Phase
from fleetsweep.model.survey import Engine, Fault, Status, ignore_phase


@pytest.mark.parametrize(("kind", "engine_id", "lasting"), [("docker", "ID", "ID"), ("podman", "ID", None)])
def test_only_docker_has_a_lasting_id(kind: str, engine_id: str, lasting: str | None) -> None:
    assert Engine(kind, "x", "1.41", "local", engine_id).lasting_id == lasting


def test_an_engine_that_was_not_asked_has_no_lasting_id() -> None:
    assert Engine("docker", "x", "1.41", "local").lasting_id is None


def test_a_bugs_fault_names_the_exception_and_asks_for_a_report() -> None:
    fault = Fault.of_bug(ZeroDivisionError("by 0"))
    assert (fault.status, fault.phase, fault.kind) == (Status.FAILED, None, "bug")
    assert fault.message == "ZeroDivisionError: by 0"
    assert "report the traceback" in fault.remedy
    assert fault.bug


def test_any_other_fault_is_no_bug() -> None:
    assert not Fault(Status.UNREACHABLE, Phase.CONNECT, FaultKind.TIMEOUT, "no answer").bug


def test_the_status_words_of_the_report_are_stable() -> None:
    assert [str(word) for word in Status] == ["ok", "unreachable", "guarded", "failed", "interrupted"]


def test_a_phase_can_be_ignored() -> None:
    ignore_phase(Phase.AUTH, {"user": "ci"})

"""What is kept of a container before it is removed, and when it must stay because nothing can be kept."""

from __future__ import annotations

import struct
from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleetsweep.errors import EngineError, FaultKind, HostError, LostAnswer, Phase
from fleetsweep.model.container import Container, Inspected
from fleetsweep.model.evidence import Evidence, LogLine, unpack_document, unpack_log
from fleetsweep.model.outcome import Outcome
from fleetsweep.policy.rules import Policy
from fleetsweep.sweep import evidence
from fleetsweep.sweep.evidence import LINE_LIMIT, LOG_BYTES, EvidenceRule, Keeper, log_lines
from fleetsweep.sweep.ledger import Ledger
from fleetsweep.sweep.remove_containers import ContainerRemover, Pace, Rule
from tests.policy.test_rules import NOW, many
from tests.sweep.test_ledger import Log
from tests.sweep.test_removal_workers import Forever, decisions_of

LOST = LostAnswer(Phase.ENGINE, FaultKind.TIMEOUT, "the log did not arrive within 3 s", "check the load")
TOO_LARGE = EngineError(FaultKind.TOO_LARGE, "a response is larger than 4 MiB")
(CONTAINER,) = many(1)


def frame(stream: int, data: bytes) -> bytes:
    return struct.pack(">BxxxL", stream, len(data)) + data


@dataclass
class Box:
    """An engine with one container. ``logs`` are its responses in turn, each bytes or an error."""

    document: dict[str, object] = field(default_factory=lambda: {"Config": {"Env": ["TOKEN=abcdefgh"]}})
    logs: list[bytes | HostError] = field(default_factory=list)
    removed: list[str] = field(default_factory=list)
    asked: list[int] = field(default_factory=list)
    forgets_what_is_stopping: bool = False

    def look(self, container_id: str, /, *, within: float | None = None) -> Inspected | None:
        return Inspected(CONTAINER, self.document)

    def inspect(self, container_id: str, /, *, within: float | None = None) -> Container | None:
        raise AssertionError("the second look has the document")

    def process_of(self, container_id: str, /, *, within: float | None = None) -> int | None:
        return None

    def log_tail(self, container_id: str, /, *, lines: int, within: float) -> bytes:
        self.asked.append(lines)
        reply = self.logs.pop(0)
        if isinstance(reply, HostError):
            raise reply
        return reply

    def remove(self, container_id: str, /, *, force: bool, volumes: bool, within: float | None = None) -> None:
        self.removed.append(container_id)


def remove(box: Box, rule: EvidenceRule, log: Log | None = None) -> tuple[Outcome, str | None, Evidence | None]:
    """Remove the one container. Return its outcome, its error, and what was kept by then."""
    log = log or Log()
    ledger = Ledger(log)
    ledger.intend(CONTAINER)
    remover = ContainerRemover(
        box, Rule(Policy(), NOW), pace=Pace(), clock=Forever(), evidence=Keeper(box, ledger, rule)
    )
    removal = remover.remove(*decisions_of([CONTAINER]))
    assert removal is not None
    assert bool(box.removed) == (removal.outcome is Outcome.REMOVED)
    return removal.outcome, removal.error, log.evidence.get(0)


def test_the_inspect_response_is_kept_without_its_secrets() -> None:
    outcome, _, kept = remove(Box(), EvidenceRule())
    assert kept is not None
    assert kept.inspect is not None
    assert unpack_document(kept.inspect) == {"Config": {"Env": ["TOKEN=********"]}}
    assert (outcome, kept.logs, kept.error) == (Outcome.REMOVED, None, None)


def test_the_end_of_the_log_is_kept_without_the_environments_values() -> None:
    box = Box(logs=[frame(1, b"one\n") + frame(2, b"using abcdefgh\n") + frame(1, b"three\n")])
    _, _, kept = remove(box, EvidenceRule(log_lines=2))
    assert kept is not None
    assert kept.logs is not None
    assert unpack_log(kept.logs) == (LogLine("stderr", "using ********"), LogLine("stdout", "three"))


def test_a_log_that_is_too_large_is_asked_for_with_fewer_lines() -> None:
    box = Box(logs=[TOO_LARGE, frame(1, b"x\n")])
    _, _, kept = remove(box, EvidenceRule(log_lines=100))
    assert kept is not None
    assert (box.asked, kept.error, kept.logs is not None) == ([100, 6], None, True)


@pytest.mark.parametrize("reply", [LOST, TOO_LARGE])
def test_a_log_that_cant_be_had_stops_no_removal_and_is_named(reply: HostError) -> None:
    outcome, _, kept = remove(Box(logs=[reply] * 3), EvidenceRule(log_lines=16))
    assert kept is not None
    assert outcome is Outcome.REMOVED
    assert (kept.error, kept.inspect is not None) == (f"the log: {reply.message}", True)


def test_where_evidence_is_required_the_container_stays_without_it_and_the_journal_says_why() -> None:
    outcome, error, kept = remove(Box(logs=[LOST]), EvidenceRule(log_lines=5, required=True))
    assert kept is not None
    assert (outcome, kept.error) == (Outcome.FAILED, f"the log: {LOST.message}")
    assert error == f"not removed: no evidence could be kept: the log: {LOST.message}"


@pytest.mark.parametrize("required", [False, True])
def test_a_container_stays_if_the_journal_cant_be_written(required: bool) -> None:
    outcome, error, _ = remove(Box(), EvidenceRule(required=required), Log(writes=1))
    assert (outcome, error) == (Outcome.FAILED, "not removed: the evidence can't be recorded: disk full")


def test_a_bug_costs_the_evidence_and_not_the_removal(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(document: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(evidence, "redact_document", broken)
    outcome, _, kept = remove(Box(), EvidenceRule())
    assert kept is not None
    assert (outcome, kept.inspect, kept.error) == (Outcome.REMOVED, None, "a bug: ZeroDivisionError")


def test_a_document_too_large_to_keep_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(evidence, "PACKED_LIMIT", 10)
    _, _, kept = remove(Box(), EvidenceRule())
    assert kept is not None
    assert kept.inspect is None
    assert kept.error is not None
    assert "inspect response" in kept.error


def test_with_too_many_variables_to_mask_no_log_is_kept() -> None:
    box = Box({"Config": {"Env": [f"V{number}=value-{number}" for number in range(600)]}}, [b""])
    _, _, kept = remove(box, EvidenceRule(log_lines=5))
    assert kept is not None
    assert (kept.logs, box.asked) == (None, [])
    assert kept.error is not None
    assert "too many variables" in kept.error


# The engine's log


def test_a_terminals_log_has_no_frames() -> None:
    assert list(log_lines(b"a\r\nb", tty=True)) == [LogLine("tty", "a"), LogLine("tty", "b")]


def test_of_a_long_log_the_end_is_kept() -> None:
    lines = list(log_lines(frame(1, b"x" * LOG_BYTES) + frame(2, b"end\n"), tty=False))
    assert lines[-1] == LogLine("stderr", "end")
    assert sum(len(line.text) for line in lines) <= LOG_BYTES
    assert list(log_lines(frame(1, b"x" * (LOG_BYTES + 1)), tty=False)) == [
        LogLine("stdout", "[a line of more than 64 KiB is left out]")
    ]


def test_a_secret_is_masked_where_the_engine_splits_a_line_or_the_log_begins_within_it() -> None:
    stamp = b"2026-06-15T07:00:00.000000000Z "
    split = frame(1, stamp + b"x abcd") + frame(1, stamp + b"efgh y\n")
    cut = frame(1, b"abcdefgh " + b"x" * (LOG_BYTES - 4) + b"\nend\n")
    for data in (split, cut):
        _, _, kept = remove(Box(logs=[data]), EvidenceRule(log_lines=10))
        assert kept is not None
        assert kept.logs is not None
        text = "".join(line.text for line in unpack_log(kept.logs))
        assert "efgh" not in text
        assert text.endswith(("y", "end"))


def test_long_lines_are_cut() -> None:
    _, _, kept = remove(Box(logs=[frame(1, b"x" * 9000)]), EvidenceRule(log_lines=1))
    assert kept is not None
    assert kept.logs is not None
    assert unpack_log(kept.logs) == (LogLine("stdout", "x" * LINE_LIMIT),)


@given(st.binary(max_size=200), st.booleans())
def test_any_bytes_are_some_lines(data: bytes, tty: bool) -> None:
    assert all(line.stream and "\n" not in line.text for line in log_lines(data, tty=tty))


@given(
    st.lists(st.tuples(st.sampled_from([1, 2]), st.text(st.characters(codec="ascii", categories=["L"]), min_size=1)))
)
def test_each_frame_is_a_line_of_its_stream(pieces: list[tuple[int, str]]) -> None:
    data = b"".join(frame(stream, text.encode() + b"\n") for stream, text in pieces)
    names = {1: "stdout", 2: "stderr"}
    assert list(log_lines(data, tty=False)) == [LogLine(names[stream], text) for stream, text in pieces]

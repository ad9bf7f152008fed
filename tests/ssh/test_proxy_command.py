"""A ProxyCommand's process: its end, its error output, and what its errors may show."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from fleetsweep.errors import FaultKind, HostError, Phase
from fleetsweep.ssh.proxy_command import ERROR_SHOWN, ProxyCommand


@contextmanager
def running(command: str, known: tuple[str, ...] = ()) -> Iterator[tuple[ProxyCommand, socket.socket]]:
    ours, theirs = socket.socketpair()
    with ours:
        with theirs:
            started = ProxyCommand(command, theirs, known)
        ours.settimeout(20)
        try:
            yield started, ours
        finally:
            started.end()


def script(directory: Path, text: str) -> str:
    """Return a command whose output is not a word of it: those are redacted."""
    (directory / "script").write_text(text)
    return f"sh {directory / 'script'}"


def explained(command: str, kind: FaultKind = FaultKind.HUNG_UP, known: tuple[str, ...] = ()) -> HostError:
    with running(command, known) as (started, stream):
        if kind is FaultKind.HUNG_UP:
            while stream.recv(1024):
                pass
        return started.explain(HostError(Phase.CONNECT, kind, "it ended"))


def test_the_exit_status_and_the_error_output_are_added(tmp_path: Path) -> None:
    error = explained(script(tmp_path, "echo no route >&2; exit 7"))
    assert (error.phase, error.kind) == (Phase.CONNECT, "hung-up")
    assert error.message == "it ended; ProxyCommand (sh) ended with status 7: no route"


def test_a_command_that_is_still_running_and_one_that_was_killed_are_told_apart() -> None:
    assert "is still running" in explained("cat", kind=FaultKind.TIMEOUT).message
    assert "was ended by signal 9" in explained("sh -c 'kill -9 $$'").message


def test_a_command_that_can_not_run_is_a_fault_of_its_own() -> None:
    assert explained("no-such-program-here").kind == "proxy-command"


def test_a_secret_of_the_command_is_never_shown_and_a_known_word_may_be(tmp_path: Path) -> None:
    command = script(tmp_path, "echo $1 at $2 failed >&2") + " secret-word 10.0.0.7"
    message = explained(command, known=("10.0.0.7",)).message
    assert message.endswith("at 10.0.0.7 failed")
    assert "secret-word" not in message


def test_long_error_output_is_truncated() -> None:
    error = explained("sh -c 'i=0; while [ $i -lt 100 ]; do echo many words of it >&2; i=$((i+1)); done'")
    shown = error.message.partition(": ")[2]
    assert len(shown) == ERROR_SHOWN
    assert shown.endswith("…")


def test_ending_a_command_closes_its_stream_and_may_be_repeated() -> None:
    with running("cat") as (started, stream):
        started.end()
        assert stream.recv(1) == b""
        started.end()

"""A command on the box as a stream: its output, its errors and its end."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from fleetsweep.model.host import Host
from fleetsweep.runtime.deadline import Deadline, Watchdog
from fleetsweep.ssh.bastions import Bastions
from fleetsweep.ssh.connection import connect
from fleetsweep.ssh.exec_stream import ERROR_LIMIT, CommandStream
from tests.lab.process import wait_for
from tests.ssh.sshd import Output, options_for, sshd


@contextmanager
def running(output: Output, directory: Path) -> Iterator[tuple[CommandStream, Deadline]]:
    with sshd() as server, Watchdog() as watchdog, Bastions() as bastions:
        server.commands["command"] = output
        deadline = Deadline(20, watchdog)
        host = Host("box", "127.0.0.1", port=server.port)
        with connect(host, options_for(directory, server), deadline, bastions) as connection:
            yield connection.open_command("command", deadline), deadline


def ended(stream: CommandStream) -> None:
    wait_for(stream._channel.status_event.is_set, "the command's exit status")


def test_all_output_up_to_the_limit_is_read(tmp_path: Path) -> None:
    with running(Output(b"x" * 5000, waits=True), tmp_path) as (stream, deadline):
        assert stream.read_all(4096, deadline) == b"x" * 4096
    with running(Output(b"short", waits=True), tmp_path) as (stream, deadline):
        assert stream.read_all(4096, deadline) == b"short"


def test_the_error_output_includes_unread_standard_output(tmp_path: Path) -> None:
    with running(Output(b"not available\n", b"  denied \n\n", 1), tmp_path) as (stream, _):
        ended(stream)
        assert stream.error_output() == "denied; not available"


def test_standard_output_that_was_read_is_no_error_output(tmp_path: Path) -> None:
    with running(Output(b"data", b"denied\n", 1), tmp_path) as (stream, _):
        assert stream.recv(4) == b"data"
        ended(stream)
        assert stream.error_output() == "denied"


def test_a_silent_command_is_reported_by_its_exit_status(tmp_path: Path) -> None:
    with running(Output(status=3), tmp_path) as (stream, _):
        ended(stream)
        assert stream.error_output() == "it ended with exit status 3 and no message"


def test_the_error_output_has_a_limit(tmp_path: Path) -> None:
    with running(Output(err=b"e" * 3 * ERROR_LIMIT, status=1), tmp_path) as (stream, _):
        ended(stream)
        assert stream.error_output() == "e" * ERROR_LIMIT


def test_closing_ends_a_command_that_waits_for_input_and_may_be_repeated(tmp_path: Path) -> None:
    with running(Output(waits=True), tmp_path) as (stream, _):
        stream.close()
        stream.close()
        assert stream.closed
        with pytest.raises(OSError, match="closed"):
            stream.sendall(b"more")

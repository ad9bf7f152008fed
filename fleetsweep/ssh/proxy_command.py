"""A ProxyCommand: a process whose standard input and output carry an SSH connection."""

from __future__ import annotations

import os
import socket
from collections.abc import Collection
from typing import Final

from fleetsweep.errors import FaultKind, HostError, Phase
from fleetsweep.model.redact import program_of, without_words
from fleetsweep.runtime.children import Child

ERROR_SHOWN: Final = 300
"""Characters of a command's error output that a message shows."""

_READ_LIMIT: Final = 4096

EXIT_WAIT_S: Final = 1.0
"""Seconds to wait for a command's exit status after it closed the connection."""


class ProxyCommand:
    """One running command in its own process group. Raises HostError, phase connect, if it can't start."""

    def __init__(self, command: str, stream: socket.socket, known: Collection[str] = ()) -> None:
        """``known`` are words of the command that messages may show, such as the host's address."""
        self._command = command
        self._known = known
        self._stderr, theirs = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
        # Nothing reads this pipe while the command runs. Non-blocking, so that a full pipe does not stop the command.
        try:
            self._child = Child(
                ["/bin/sh", "-c", f"exec {command}"], stdin=stream.fileno(), stdout=stream.fileno(), stderr=theirs
            )
        except (OSError, ValueError) as error:
            os.close(self._stderr)
            raise HostError(
                Phase.CONNECT,
                FaultKind.PROXY_COMMAND,
                f"{self._name}: {error.strerror if isinstance(error, OSError) else error}",
                "try it in a shell",
            ) from error
        finally:
            os.close(theirs)

    def explain(self, error: HostError) -> HostError:
        """Return the connection's error with the command's exit status and error output added."""
        # A command that closed the connection has ended or is about to. Another one may still be running.
        status = self._child.status(EXIT_WAIT_S if error.kind is FaultKind.HUNG_UP else 0)
        output = self._error_output()
        if status is None:
            ended = "is still running"
        elif status < 0:
            ended = f"was ended by signal {-status}"
        else:
            ended = f"ended with status {status}"
        # 126 and 127 are the shell's own: it can't run the command, so a retry won't help.
        kind = FaultKind.PROXY_COMMAND if status in {126, 127} else error.kind
        return HostError(
            error.phase,
            kind,
            f"{error.message}; {self._name} {ended}{': ' + output if output else ''}",
            "try the ProxyCommand in a shell, with < /dev/null appended",
        )

    @property
    def _name(self) -> str:
        """The command's name in messages: its program alone, because its arguments may hold a password."""
        program = program_of(self._command)
        return f"ProxyCommand ({program})" if program else "ProxyCommand"

    def end(self) -> None:
        """End the command and its children."""
        self._child.end()
        if self._stderr >= 0:
            os.close(self._stderr)
            self._stderr = -1

    def _error_output(self) -> str:
        try:
            output = os.read(self._stderr, _READ_LIMIT).decode(errors="replace")
        except OSError:
            return ""
        if len(output) >= _READ_LIMIT:
            # A truncated word of the command would not be redacted.
            output = output.rsplit(None, 1)[0]
        # Some programs repeat their command line when they fail.
        text = " ".join(without_words(output, self._command, os.environ, self._known).split())
        return text if len(text) <= ERROR_SHOWN else text[: ERROR_SHOWN - 1] + "…"

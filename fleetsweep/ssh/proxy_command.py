"""A ProxyCommand: a process whose standard input and output carry the connection."""

from __future__ import annotations

import os
import socket
from collections.abc import Collection
from typing import Final

from fleetsweep.errors import HostError, Phase
from fleetsweep.model.redact import program_of, without_words
from fleetsweep.runtime.children import Child

COMPLAINT: Final = 300
"""So many characters of what a command said on stderr are shown."""

_MOST_READ: Final = 4096

PATIENCE_S: Final = 1.0
"""What a command gets to end, and to be heard, after it hung up."""


class ProxyCommand:
    """One running command, in a process group of its own. Raises HostError, phase connect, if it can't start."""

    def __init__(self, command: str, stream: socket.socket, known: Collection[str] = ()) -> None:
        """``known`` are words of the command that may be shown, such as the host's address."""
        self._command = command
        self._known = known
        self._stderr, theirs = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
        # Nobody reads while the command runs: it must not come to wait for that, so a full pipe loses the rest.
        try:
            self._child = Child(
                ["/bin/sh", "-c", f"exec {command}"], stdin=stream.fileno(), stdout=stream.fileno(), stderr=theirs
            )
        except (OSError, ValueError) as error:
            os.close(self._stderr)
            raise HostError(
                Phase.CONNECT,
                "proxy-command",
                f"{self._name}: {error.strerror if isinstance(error, OSError) else error}",
                "try it in a shell",
            ) from error
        finally:
            os.close(theirs)

    def explain(self, error: HostError) -> HostError:
        """An error of the connection that it carried, with how it ended and what it said."""
        # What hung up on us has ended, or will in a moment. What is silent may run on.
        status = self._child.status(PATIENCE_S if error.kind == "hung-up" else 0)
        said = self._said()
        if status is None:
            ended = "still runs"
        elif status < 0:
            ended = f"was ended by signal {-status}"
        else:
            ended = f"ended with status {status}"
        # 126 and 127 are the shell's: it can't run the command at all, and won't the next time.
        kind = "proxy-command" if status in {126, 127} else error.kind
        return HostError(
            error.phase,
            kind,
            f"{error.message}; {self._name} {ended}{': ' + said if said else ''}",
            "try the ProxyCommand in a shell, with < /dev/null behind it",
        )

    @property
    def _name(self) -> str:
        """What may be shown of the command: it may hold a password."""
        program = program_of(self._command)
        return f"ProxyCommand ({program})" if program else "ProxyCommand"

    def end(self) -> None:
        """End the command and its children."""
        self._child.end()
        if self._stderr >= 0:
            os.close(self._stderr)
            self._stderr = -1

    def _said(self) -> str:
        try:
            said = os.read(self._stderr, _MOST_READ).decode(errors="replace")
        except OSError:
            return ""
        if len(said) >= _MOST_READ:
            # Half a word would not be known for one of the command's.
            said = said.rsplit(None, 1)[0]
        # Some programs repeat their command line when they fail.
        words = " ".join(without_words(said, self._command, os.environ, self._known).split())
        return words if len(words) <= COMPLAINT else words[: COMPLAINT - 1] + "…"

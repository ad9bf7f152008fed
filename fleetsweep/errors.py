"""Every exception that fleetsweep raises on purpose.

::

    FleetsweepError
    ├── UsageError          exit 2: nothing was contacted, nothing is lost
    │   ├── InventoryError  an inventory file, line or variable
    │   └── PolicyError     a setting of the sweep, and where it came from
    └── HostError           one host's row; never another's
        ├── EngineError     the engine was reached and its answer can't be used
        └── LostAnswer      a request was sent and its fate is unknown

Adapters (``ssh``, ``engine``) turn each foreign exception into one of these, once. Anything else that
comes out of them is a bug, and is shown as one.
"""

from __future__ import annotations

from enum import StrEnum


class Phase(StrEnum):
    """How far the way to an engine was followed before it failed."""

    RESOLVE = "resolve"
    CONNECT = "connect"
    HOST_KEY = "host-key"
    AUTH = "auth"
    TUNNEL = "tunnel"
    ENGINE = "engine"


class FleetsweepError(Exception):
    """The root of what fleetsweep raises on purpose."""


class UsageError(FleetsweepError):
    """What the operator asked for can't be done as asked; no host was contacted."""


class InventoryError(UsageError):
    """An inventory can't be read as it stands.

    ``where`` names the file and line, host or variable.
    """

    def __init__(self, where: str, message: str) -> None:
        super().__init__(f"{where}: {message}")
        self.where = where


class PolicyError(UsageError):
    """A policy setting has a value that it can't have.

    ``setting`` is its name, ``source`` the flag, environment variable or host variable that gave it.
    """

    def __init__(self, setting: str, source: str, message: str) -> None:
        super().__init__(f"{source}: {message}" if source else f"{setting}: {message}")
        self.setting = setting
        self.source = source


class HostError(FleetsweepError):
    """One host could not be surveyed or swept.

    ``kind`` is a stable word for programs, ``message`` says what was seen, ``remedy`` what to do next.
    """

    def __init__(self, phase: Phase, kind: str, message: str, remedy: str = "") -> None:
        super().__init__(message)
        self.phase = phase
        self.kind = kind
        self.message = message
        self.remedy = remedy


class EngineError(HostError):
    """The engine answered with something that can't be used, or refused.

    ``http_status`` is the answer's status code, None when the answer itself was unusable.
    """

    def __init__(self, kind: str, message: str, remedy: str = "", *, http_status: int | None = None) -> None:
        super().__init__(Phase.ENGINE, kind, message, remedy)
        self.http_status = http_status


class LostAnswer(HostError):
    """The connection ended, or time ran out, before the engine's answer was whole."""

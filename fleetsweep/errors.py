"""Every exception that fleetsweep raises on purpose.

::

    FleetsweepError
    ├── UsageError          exit 2: no host was contacted
    │   ├── InventoryError  an inventory file, line or variable
    │   └── PolicyError     a policy setting and its source
    └── HostError           one host's row; never another's
        ├── EngineError     the engine was reached, but its response can't be used
        └── LostAnswer      a request was sent and its outcome is unknown

Adapters (``ssh``, ``engine``) translate each foreign exception into one of these, once. Any other exception
from them is a bug, and is reported as one.
"""

from __future__ import annotations

from enum import StrEnum


class Phase(StrEnum):
    """The step of reaching an engine that failed."""

    RESOLVE = "resolve"
    CONNECT = "connect"
    HOST_KEY = "host-key"
    AUTH = "auth"
    TUNNEL = "tunnel"
    ENGINE = "engine"
    ZONE = "zone"


class FaultKind(StrEnum):
    """The cause of a host's fault: a stable word for programs, in reports, saved plans and metrics."""

    ABSENT = "absent"
    API_VERSION = "api-version"
    BASTION = "bastion"
    BUG = "bug"
    CERTIFICATE = "certificate"
    CHANGED = "changed"
    DENIED = "denied"
    FORBIDDEN = "forbidden"
    HUNG_UP = "hung-up"
    INCOMPATIBLE = "incompatible"
    INVALID_ANSWER = "invalid-answer"
    JOURNAL = "journal"
    KEY_FILE = "key-file"
    KNOWN_HOSTS = "known-hosts"
    LOST = "lost"
    NETWORK = "network"
    NO_DNS = "no-dns"
    NO_KEY = "no-key"
    NO_ROOM = "no-room"
    NO_WORKER = "no-worker"
    NOT_A_SOCKET = "not-a-socket"
    NOT_AN_ENGINE = "not-an-engine"
    NOT_SSH = "not-ssh"
    PROXY_COMMAND = "proxy-command"
    PROXY_JUMP = "proxy-jump"
    REDIRECT = "redirect"
    REFUSED = "refused"
    REVOKED = "revoked"
    RUN_TIMEOUT = "run-timeout"
    SDK = "sdk"
    SSH_CONFIG = "ssh-config"
    STOPPED = "stopped"
    TIMEOUT = "timeout"
    TLS = "tls"
    TOO_LARGE = "too-large"
    UNKNOWN = "unknown"
    UNKNOWN_NAME = "unknown-name"
    UNPROVED = "unproved"
    VERSION = "version"
    WORKER_LOST = "worker-lost"


class FleetsweepError(Exception):
    """The base class of everything that fleetsweep raises on purpose."""


class UsageError(FleetsweepError):
    """The command, the inventory or a setting is not valid; no host was contacted."""


class InventoryError(UsageError):
    """An inventory can't be read. ``where`` names the file and line, the host or the variable."""

    def __init__(self, where: str, message: str) -> None:
        super().__init__(f"{where}: {message}")
        self.where = where


class PolicyError(UsageError):
    """A policy setting has an invalid value.

    ``setting`` is its name, ``source`` the flag, environment variable or host variable that it comes from.
    """

    def __init__(self, setting: str, source: str, message: str) -> None:
        super().__init__(f"{source}: {message}" if source else f"{setting}: {message}")
        self.setting = setting
        self.source = source


class HostError(FleetsweepError):
    """One host could not be surveyed or swept.

    ``kind`` is the cause for programs, ``message`` the cause for people, ``remedy`` what to do next.
    """

    def __init__(self, phase: Phase, kind: FaultKind, message: str, remedy: str = "") -> None:
        super().__init__(message)
        self.phase = phase
        self.kind = kind
        self.message = message
        self.remedy = remedy


class EngineError(HostError):
    """The engine refused a request, or its response can't be used.

    ``http_status`` is the status code; None if the response could not be parsed.
    """

    def __init__(self, kind: FaultKind, message: str, remedy: str = "", *, http_status: int | None = None) -> None:
        super().__init__(Phase.ENGINE, kind, message, remedy)
        self.http_status = http_status


class LostAnswer(HostError):
    """The connection ended, or time ran out, before the engine's response was complete."""

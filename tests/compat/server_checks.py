"""What is asked of each SSH server, by surveys of an engine behind it."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from fleetsweep.model.host import Host
from fleetsweep.model.survey import Survey
from tests.compat.checks import FailedCheckError, NotApplicableError, expect
from tests.compat.engines import AnyEngine
from tests.compat.servers import AnyServer, Dropbear, OpenSsh
from tests.lab.single_host_survey import survey_one

_HYBRID: Final = "mlkem768x25519-sha256"


def _host(server: AnyServer, port: int, engine: AnyEngine, known: str) -> Host:
    known_hosts = server.directory / "known_hosts"
    known_hosts.write_text(known)
    return Host(
        "box",
        "127.0.0.1",
        port=port,
        user="root",
        key_file=str(server.client_key),
        known_hosts=str(known_hosts),
        engine=engine.inner_url,
    )


def _survey(server: AnyServer, port: int, engine: AnyEngine, known: str | None = None) -> Survey:
    line = f"[127.0.0.1]:{port} {server.host_key_text()}\n" if known is None else known
    found = survey_one(_host(server, port, engine, line))
    if not isinstance(found, Survey):
        raise FailedCheckError(f"{found.fault.kind}: {found.fault.message}")
    return found


def log_in(server: AnyServer, engine: AnyEngine) -> None:
    """Log in by key, with the host's key known, by any route to the engine."""
    with server.serving() as port:
        found = _survey(server, port, engine)
    expect(found.engine.kind, engine.kind.lower(), "the engine's kind")


def streamlocal(server: AnyServer, engine: AnyEngine) -> None:
    """Reach the engine's socket by a stream-local channel."""
    with server.serving() as port:
        expect(_survey(server, port, engine).engine.via, "streamlocal", "the route")


def dial_stdio(server: AnyServer, engine: AnyEngine) -> None:
    """Reach the engine by ``docker system dial-stdio`` where the server forbids streams to sockets."""
    forbid = "-j" if isinstance(server, Dropbear) else "AllowStreamLocalForwarding no"
    with server.serving(forbid) as port:
        expect(_survey(server, port, engine).engine.via, "dial-stdio", "the route")


class _Agreed(logging.Handler):
    """Keeps what paramiko logs of the algorithms that it agreed on."""

    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self.exchange = ""

    def emit(self, record: logging.LogRecord) -> None:
        text = record.getMessage()
        if text.startswith("Kex: "):
            self.exchange = text.removeprefix("Kex: ")


@contextmanager
def _agreed() -> Iterator[_Agreed]:
    log, handler = logging.getLogger("paramiko"), _Agreed()
    level = log.level
    log.addHandler(handler)
    log.setLevel(logging.DEBUG)
    try:
        yield handler
    finally:
        log.removeHandler(handler)
        log.setLevel(level)


def post_quantum(server: AnyServer, engine: AnyEngine) -> None:
    """Agree on a key exchange that a quantum computer does not break; of OpenSSH, where it offers no other."""
    lines: list[str] = []
    if isinstance(server, OpenSsh):
        offered = server.root.output("/usr/sbin/sshd", "-T", "-f", _empty(server)).lower()
        if _HYBRID not in offered:
            raise NotApplicableError("it has sntrup761x25519 alone, which paramiko lacks")
        lines = [f"KexAlgorithms {_HYBRID}"]
    with server.serving(*lines) as port, _agreed() as agreed:
        _survey(server, port, engine)
    expect(agreed.exchange, _HYBRID, "the key exchange")


def _empty(server: AnyServer) -> str:
    (server.directory / "empty").write_text(f"HostKey {server.inside}/host_key\n")
    return f"{server.inside}/empty"


def host_certificate(server: AnyServer, engine: AnyEngine) -> None:
    """Trust a host by the authority that signed its key."""
    if not isinstance(server, OpenSsh):
        raise NotApplicableError("dropbear has no host certificates")
    authority = server.directory / "authority"
    line = server.certify(authority)
    public = " ".join(Path(f"{authority}.pub").read_text().split()[:2])
    with server.serving(line) as port:
        _survey(server, port, engine, known=f"@cert-authority [127.0.0.1]:{port} {public}\n")


CHECKS: Final[Mapping[str, Callable[[AnyServer, AnyEngine], None]]] = {
    "log-in": log_in,
    "streamlocal forwarding": streamlocal,
    "dial-stdio": dial_stdio,
    "post-quantum key exchange": post_quantum,
    "host certificate": host_certificate,
}

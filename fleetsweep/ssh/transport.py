"""paramiko's Transport with stream-local channels, and without paramiko's own timeouts.

paramiko limits each of its waits by a fixed time (15 s, 30 s, 2 s a line). Here the host's deadline shuts the socket,
which ends all of them. A fixed timeout that fires first would be reported as another fault.
"""

from __future__ import annotations

import struct
import threading
import time
from dataclasses import dataclass
from typing import ClassVar, Final

import paramiko
from cryptography.exceptions import UnsupportedAlgorithm
from paramiko.common import CONNECTION_FAILED_CODE, DEFAULT_MAX_PACKET_SIZE, DEFAULT_WINDOW_SIZE, cMSG_CHANNEL_OPEN

from fleetsweep.errors import FaultKind, HostError, Phase
from fleetsweep.ssh.algorithms import select
from fleetsweep.ssh.channel import StreamChannel
from fleetsweep.ssh.dial import Socket
from fleetsweep.ssh.message_loop import MessageLoop
from fleetsweep.ssh.packets import CHECK_S
from fleetsweep.ssh.public_keys import CERTIFICATE_SUFFIX, key_type, plain_key

_SHORTAGE: Final = 4
"""The code of SSH_OPEN_RESOURCE_SHORTAGE (RFC 4254, 5.1)."""


class HostKeyError(paramiko.SSHException):
    """The server did not prove that it has the private half of the host key that it presented."""


CURVE25519: Final = "curve25519-sha256"


@dataclass(frozen=True, slots=True)
class Mismatch:
    """A kind of algorithm, what the server offers of it, and what is known here.

    ``advice`` is its setting in sshd_config(5) with an algorithm that is known here and to every OpenSSH since 6.5.
    ``forbidden`` are those that would do if HostKeyAlgorithms allowed them.
    """

    kind: str
    advice: str
    theirs: tuple[str, ...]
    ours: tuple[str, ...]
    forbidden: tuple[str, ...] = ()


class StreamlocalTransport(MessageLoop):
    """A Transport with ``direct-streamlocal@openssh.com`` channels (OpenSSH's PROTOCOL, section 2.4).

    ``last_key`` is the key that was offered last, ``disconnect_message`` the text of the server's SSH_MSG_DISCONNECT.
    ``host_certificate`` is what the server presented if that was a certificate, still unchecked; the host key is then
    the key in it.
    """

    # GCM first: it authenticates packets in the cipher. For the other ciphers paramiko compares MACs in Python.
    _preferred_ciphers = tuple(
        sorted(paramiko.Transport._preferred_ciphers, key=lambda name: "gcm" not in name)  # type: ignore[attr-defined]
    )

    # RFC 8731's name of a method that paramiko knows by its older name alone.
    _preferred_kex = tuple(
        name
        for known in paramiko.Transport._preferred_kex  # type: ignore[attr-defined]
        for name in ((CURVE25519, known) if known == f"{CURVE25519}@libssh.org" else (known,))
    )
    _kex_info: ClassVar = {
        **paramiko.Transport._kex_info,  # type: ignore[attr-defined]
        CURVE25519: paramiko.Transport._kex_info.get(f"{CURVE25519}@libssh.org"),  # type: ignore[attr-defined]
    }

    # Seconds between checks for a closed connection. Our stream is shut then, so hundreds of threads can sleep longer.
    _active_check_timeout = CHECK_S

    def __init__(self, sock: Socket, **kwargs: object) -> None:
        super().__init__(sock, **kwargs)
        self.auth_timeout = None  # type: ignore[assignment]
        self.last_key: paramiko.PKey | None = None
        self.disconnect_message = ""
        self.host_certificate: bytes | None = None
        self._certificates_first = False
        self._host_keys_allowed: str | None = None
        self._offered: dict[str, list[str]] | None = None
        self._refusals: dict[int, paramiko.ChannelException] = {}

    @property
    def greeting(self) -> list[str]:
        """The lines that the server sent before its version line."""
        return self.packetizer.greeting

    def find_mismatch(self) -> Mismatch | None:
        """Return the first kind of algorithm of which the server offered none that is known here."""
        if self._offered is None:
            return None
        for kind, advice, keys, ours in (
            ("key exchange", "KexAlgorithms curve25519-sha256@libssh.org", ("kex_algo_list",), self.preferred_kex),
            ("host key", "HostKeyAlgorithms ssh-ed25519", ("server_key_algo_list",), self.preferred_keys),
            (
                "cipher",
                "Ciphers aes256-gcm@openssh.com",
                ("client_encrypt_algo_list", "server_encrypt_algo_list"),
                self.preferred_ciphers,
            ),
            (
                "MAC",
                "MACs hmac-sha2-256-etm@openssh.com",
                ("client_mac_algo_list", "server_mac_algo_list"),
                self.preferred_macs,
            ),
            ("compression", "Compression no", ("client_compress_algo_list", "server_compress_algo_list"), ("none",)),
        ):
            for key in keys:
                theirs = tuple(self._offered[key])
                if not set(theirs).intersection(ours):
                    known = self._known_host_keys() if kind == "host key" else ()
                    forbidden = tuple(name for name in known if name in theirs)
                    return Mismatch(kind, advice, theirs, tuple(ours), forbidden)
        return None

    def _really_parse_kex_init(self, m: paramiko.Message, ignore_first_byte: bool = False) -> dict[str, list[str]]:
        """Parse the server's algorithms and keep them. A cipher that authenticates needs no common MAC."""
        parsed: dict[str, list[str]] = super()._really_parse_kex_init(m, ignore_first_byte)  # type: ignore[misc]
        if ignore_first_byte:
            return parsed
        self._offered = parsed
        unused: dict[str, list[str]] = {}
        for way in ("client", "server"):
            ciphers, macs = parsed[f"{way}_encrypt_algo_list"], parsed[f"{way}_mac_algo_list"]
            agreed = next((name for name in self.preferred_ciphers if name in ciphers), "")
            if "gcm" in agreed:
                unused[f"{way}_mac_algo_list"] = [*macs, self.preferred_macs[0]]
        return {**parsed, **unused}

    def prefer_certificates(self) -> None:
        """Ask for a host certificate before any plain host key."""
        self._certificates_first = True

    @property
    def preferred_keys(self) -> tuple[str, ...]:
        """The host key algorithms to ask for. A certificate of any is last: some servers have nothing else."""
        names = self._known_host_keys()
        return names if self._host_keys_allowed is None else select(self._host_keys_allowed, names)

    def _known_host_keys(self) -> tuple[str, ...]:
        plain = self._filter_algorithm("keys")
        certificates = tuple(f"{name}{CERTIFICATE_SUFFIX}" for name in plain)
        return (*certificates, *plain) if self._certificates_first else (*plain, *certificates)

    def _verify_key(self, host_key: bytes, sig: bytes) -> None:
        """Verify the signature of a key exchange. Raises HostKeyError."""
        try:
            if (self.host_key_type or "").endswith(CERTIFICATE_SUFFIX):
                self._verify_certified_key(host_key, sig)
            else:
                super()._verify_key(host_key, sig)  # type: ignore[misc]
        except (paramiko.SSHException, ValueError, TypeError, AttributeError, UnsupportedAlgorithm) as error:
            raise HostKeyError(str(error) or type(error).__name__) from error

    def _verify_certified_key(self, certificate: bytes, sig: bytes) -> None:
        algorithm = (self.host_key_type or "").removesuffix(CERTIFICATE_SUFFIX)
        kind = "ssh-rsa" if algorithm.startswith("rsa-") else algorithm
        if key_type(certificate) != f"{kind}{CERTIFICATE_SUFFIX}".encode():
            raise paramiko.SSHException(f"the host key is not a {self.host_key_type}")
        key_class: type[paramiko.RSAKey | paramiko.ECDSAKey | paramiko.Ed25519Key]
        key_class = self._key_info[algorithm]  # type: ignore[attr-defined]
        key = key_class(paramiko.Message(plain_key(certificate)))
        if key_type(sig) != algorithm.encode() or not key.verify_ssh_sig(self.H or b"", paramiko.Message(sig)):
            raise paramiko.SSHException(f"Signature verification ({self.host_key_type}) failed.")
        self.host_key = key
        self.host_certificate = certificate

    def allow_host_keys(self, algorithms: str) -> None:
        """Ask only for what HostKeyAlgorithms allows. Raises HostError, phase connect, if that is nothing."""
        self._host_keys_allowed = algorithms
        if not self.preferred_keys:
            raise HostError(
                Phase.CONNECT,
                FaultKind.INCOMPATIBLE,
                f"HostKeyAlgorithms {algorithms} allows no algorithm that is known here",
                f"allow one of {', '.join(self._filter_algorithm('keys'))} in the SSH configuration",
            )

    def accept_signatures(self, algorithms: tuple[str, ...]) -> None:
        """Log in with these signature algorithms alone. paramiko has no public way to set them."""
        self._preferred_pubkeys = algorithms

    def start_client(self, event: threading.Event | None = None, timeout: float | None = None) -> None:
        """Do the handshake in this thread. Raises paramiko's error if it fails.

        ``timeout`` is not used: the deadline shuts the stream. With ``event`` this returns at once, as paramiko does.
        """
        self.active = True
        self.completion_event = done = event or threading.Event()
        if event is not None:
            self.read_in_thread()
            return
        self.wait_for(done)
        if not self.active:
            raise self.get_exception() or paramiko.SSHException("Negotiation failed.")

    def auth_publickey(self, username: str, key: paramiko.PKey, event: threading.Event | None = None) -> list[str]:
        """Authenticate as paramiko does, without its polling, and record the key."""
        self.last_key = key
        done = event or threading.Event()
        try:
            further = super().auth_publickey(username, key, done)
        except EOFError:
            self.read_the_rest()
            raise
        if event is not None or self.auth_handler is None:
            return further
        self.wait_for(done)
        accepted: list[str] = self.auth_handler.wait_for_response(done)
        return accepted

    def _log(self, level: int, msg: str | list[str], *args: object) -> None:
        """Skip disabled log levels before formatting: there are dozens of lines a connection."""
        if self.logger.isEnabledFor(level):
            super()._log(level, msg, *args)  # type: ignore[misc]

    def _filter_algorithm(self, type_: str) -> tuple[str, ...]:
        """Filter as paramiko does, but only if something is disabled: it is called 16 times a connection."""
        if self.disabled_algorithms:
            return tuple(super()._filter_algorithm(type_))  # type: ignore[misc]
        return tuple(getattr(self, f"_preferred_{type_}"))

    def _parse_disconnect(self, message: paramiko.Message) -> None:
        message.get_int()
        self.disconnect_message = message.get_string().decode("utf-8", "replace")

    def _parse_channel_open_failure(self, message: paramiko.Message) -> None:
        """Keep a refusal with its channel: paramiko has one place for all, and hosts share a bastion's transport."""
        number, reason = struct.unpack(">II", message.get_remainder()[:8].ljust(8, b"\0"))
        text = CONNECTION_FAILED_CODE.get(reason, "(unknown code)")
        self._refusals[number] = paramiko.ChannelException(reason, text)
        super()._parse_channel_open_failure(message)  # type: ignore[misc]

    def open_streamlocal(self, path: str, timeout: float) -> StreamChannel:
        """Open a stream to the Unix socket ``path`` on the server, without a shell or process on the box.

        Raises paramiko.ChannelException if the server refuses or this machine has no thread for it, TimeoutError if it
        does not respond within ``timeout`` seconds, and the connection's own error if that ended.
        """
        details = paramiko.Message()
        details.add_string(path)
        details.add_string("")
        details.add_int(0)
        return self._open("direct-streamlocal@openssh.com", details, timeout)

    def open_direct(self, host: str, port: int, timeout: float) -> StreamChannel:
        """Open a stream from the server to ``host`` and ``port``. Raises as ``open_streamlocal`` does."""
        details = paramiko.Message()
        details.add_string(host)
        details.add_int(port)
        # Where the stream comes from, which servers only log.
        details.add_string("127.0.0.1")
        details.add_int(0)
        return self._open("direct-tcpip", details, timeout)

    def _open(self, kind: str, details: paramiko.Message, timeout: float) -> StreamChannel:
        if len(self._channels):
            # What arrives for one stream must be known before it is used again, while another one's thread waits.
            try:
                self.read_in_thread()
            except RuntimeError as error:
                raise paramiko.ChannelException(_SHORTAGE, str(error)) from error
        opened = threading.Event()
        with self.lock:
            number: int = self._next_channel()  # type: ignore[attr-defined]
            channel = StreamChannel(number)
            self._channels.put(number, channel)
            self.channel_events[number] = opened
            self.channels_seen[number] = True
            channel._set_transport(self)  # type: ignore[attr-defined]
            channel._set_window(DEFAULT_WINDOW_SIZE, DEFAULT_MAX_PACKET_SIZE)  # type: ignore[attr-defined]
        request = paramiko.Message()
        request.add_byte(cMSG_CHANNEL_OPEN)
        request.add_string(kind)
        request.add_int(number)
        request.add_int(DEFAULT_WINDOW_SIZE)
        request.add_int(DEFAULT_MAX_PACKET_SIZE)
        request.add_bytes(details.asbytes())
        self._send_user_message(request)
        try:
            self.wait_for(opened, time.monotonic() + timeout)
        except TimeoutError:
            raise TimeoutError(f"no response to the channel request within {timeout:.0f} s") from None
        if not self.active:
            raise self.get_exception() or EOFError("the connection ended")
        registered: object = self._channels.get(number)
        if registered is not channel:
            raise self._refusals.pop(number, None) or paramiko.SSHException("the server refused the channel")
        return channel

"""The lower bound: connect and list, with no checks and no inspects. ``stock|ours KEY PORT THREADS SOCKET...``.

``stock`` is paramiko as it is, but for its lack of stream-local channels. ``ours`` is fleetsweep's transport, whose
messages the host's own thread reads.
"""

from __future__ import annotations

import json
import socket
import sys
from concurrent.futures import ThreadPoolExecutor

import paramiko
from paramiko.common import cMSG_CHANNEL_OPEN

from fleetsweep.ssh.transport import StreamlocalTransport

TIMEOUT_S = 60
KEY = paramiko.PKey.from_path(sys.argv[2])


class StockTransport(paramiko.Transport):
    """paramiko's transport, with the method for stream-local channels that it lacks."""

    def open_streamlocal(self, path: str, timeout: float) -> paramiko.Channel:
        """Open a stream as paramiko opens others. It sends no details of a kind that it does not know."""
        self._path = path
        return self.open_channel("direct-streamlocal@openssh.com", timeout=timeout)

    def _send_user_message(self, data: paramiko.Message) -> None:
        if data.asbytes()[:1] == cMSG_CHANNEL_OPEN:
            data.add_string(self._path)
            data.add_string("")
            data.add_int(0)
        super()._send_user_message(data)  # type: ignore[misc]


def listed(path: str) -> int:
    """Return how many containers one engine lists."""
    with socket.create_connection(("127.0.0.1", int(sys.argv[3]))) as sock:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        transport = StreamlocalTransport(sock) if sys.argv[1] == "ours" else StockTransport(sock)
        try:
            transport.start_client(timeout=TIMEOUT_S)
            transport.auth_publickey("root", KEY)
            channel = transport.open_streamlocal(path, TIMEOUT_S)
            channel.sendall(b"GET /containers/json?all=1 HTTP/1.1\r\nHost: d\r\nConnection: close\r\n\r\n")
            response = b""
            while b"\r\n\r\n" not in response or len(response.partition(b"\r\n\r\n")[2]) < _length(response):
                response += channel.recv(65536)
            return len(json.loads(response.partition(b"\r\n\r\n")[2]))
        finally:
            sock.shutdown(socket.SHUT_RDWR)
            transport.close()


def _length(response: bytes) -> int:
    return int(response.lower().partition(b"content-length:")[2].split(b"\r\n", 1)[0])


with ThreadPoolExecutor(int(sys.argv[4])) as pool:
    print("LISTED", sum(pool.map(listed, sys.argv[5:])))

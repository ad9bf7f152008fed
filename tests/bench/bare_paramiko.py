"""The lower bound: connect and list, with no checks and no inspects. ``stock|ours KEY PORT THREADS SOCKET...``.

``stock`` is paramiko as it is, but for its lack of stream-local channels. ``ours`` is fleetsweep's transport, which
wakes fewer threads.
"""

from __future__ import annotations

import json
import socket
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

import paramiko
from paramiko.common import DEFAULT_MAX_PACKET_SIZE, DEFAULT_WINDOW_SIZE, cMSG_CHANNEL_OPEN

from fleetsweep.ssh.transport import StreamlocalTransport

TIMEOUT_S = 60
KEY = paramiko.PKey.from_path(sys.argv[2])


def listed(path: str) -> int:
    """Return how many containers one engine lists."""
    with socket.create_connection(("127.0.0.1", int(sys.argv[3]))) as sock:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        transport = StreamlocalTransport(sock) if sys.argv[1] == "ours" else paramiko.Transport(sock)
        try:
            transport.start_client(timeout=TIMEOUT_S)
            transport.auth_publickey("root", KEY)
            channel = _opened(transport, path)
            channel.sendall(b"GET /containers/json?all=1 HTTP/1.1\r\nHost: d\r\nConnection: close\r\n\r\n")
            response = b""
            while b"\r\n\r\n" not in response or len(response.partition(b"\r\n\r\n")[2]) < _length(response):
                response += channel.recv(65536)
            return len(json.loads(response.partition(b"\r\n\r\n")[2]))
        finally:
            sock.shutdown(socket.SHUT_RDWR)
            transport.close()


def _opened(transport: paramiko.Transport, path: str) -> paramiko.Channel:
    """Open a stream-local channel, as ``paramiko.Transport.open_channel`` opens the kinds that it knows."""
    if isinstance(transport, StreamlocalTransport):
        return transport.open_streamlocal(path, TIMEOUT_S)
    number: int = transport._next_channel()  # type: ignore[attr-defined]
    channel, opened = paramiko.Channel(number), threading.Event()
    transport._channels.put(number, channel)  # type: ignore[attr-defined]
    transport.channel_events[number] = opened
    transport.channels_seen[number] = True
    channel._set_transport(transport)  # type: ignore[attr-defined]
    channel._set_window(DEFAULT_WINDOW_SIZE, DEFAULT_MAX_PACKET_SIZE)  # type: ignore[attr-defined]
    request = paramiko.Message()
    request.add_byte(cMSG_CHANNEL_OPEN)
    request.add_string("direct-streamlocal@openssh.com")
    for number_or_size in (number, DEFAULT_WINDOW_SIZE, DEFAULT_MAX_PACKET_SIZE):
        request.add_int(number_or_size)
    request.add_string(path)
    request.add_string("")
    request.add_int(0)
    transport._send_user_message(request)  # type: ignore[attr-defined]
    opened.wait(TIMEOUT_S)
    return channel


def _length(response: bytes) -> int:
    return int(response.lower().partition(b"content-length:")[2].split(b"\r\n", 1)[0])


with ThreadPoolExecutor(int(sys.argv[4])) as pool:
    print("LISTED", sum(pool.map(listed, sys.argv[5:])))

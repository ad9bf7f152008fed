"""The lower bound: paramiko connects and lists, with no checks and no inspects. ``KEY PORT THREADS SOCKET...``."""

from __future__ import annotations

import json
import socket
import sys
from concurrent.futures import ThreadPoolExecutor

import paramiko

from fleetsweep.ssh.transport import StreamlocalTransport

KEY = paramiko.PKey.from_path(sys.argv[1])


def listed(path: str) -> int:
    """Return how many containers one engine lists."""
    with socket.create_connection(("127.0.0.1", int(sys.argv[2]))) as sock:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        transport = StreamlocalTransport(sock)
        try:
            transport.start_client(timeout=60)
            transport.auth_publickey("root", KEY)
            channel = transport.open_streamlocal(path, 60)
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


with ThreadPoolExecutor(int(sys.argv[3])) as pool:
    print("LISTED", sum(pool.map(listed, sys.argv[4:])))

"""``python -m tests.bench.delay_proxy PORT SECONDS FILE``: a TCP proxy that delays every byte.

It delays both directions, and writes its own port into the file once it listens. It runs as a separate process, so
that it adds latency but no queueing.
"""

from __future__ import annotations

import asyncio
import contextlib
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.lab.process import Daemon, wait_for


@contextmanager
def delayed(port: int, seconds: float, directory: Path) -> Iterator[int]:
    """Yield a port that forwards to ``port`` with that one-way delay."""
    directory.mkdir()
    port_file = directory / "port"
    command = [sys.executable, "-m", "tests.bench.delay_proxy", str(port), str(seconds), str(port_file)]
    proxy = Daemon(command, directory / "log")
    try:
        wait_for(lambda: port_file.exists() and port_file.read_text() != "", "the proxy listening")
        yield int(port_file.read_text())
    finally:
        proxy.stop()


async def _carry(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, seconds: float) -> None:
    """Forward bytes in order, each ``seconds`` after it came; many may be in flight."""
    loop = asyncio.get_running_loop()
    with contextlib.suppress(OSError):
        while data := await reader.read(65536):
            loop.call_later(seconds, writer.write, data)
    loop.call_later(seconds, writer.close)


async def _serve(port: int, seconds: float, port_file: Path) -> None:
    async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        # The TCP handshake takes a round trip, too.
        await asyncio.sleep(2 * seconds)
        try:
            there, back = await asyncio.open_connection("127.0.0.1", port)
        except OSError:
            writer.close()
            return
        await asyncio.gather(_carry(reader, back, seconds), _carry(there, writer, seconds))

    server = await asyncio.start_server(accept, "127.0.0.1", 0, backlog=1024)
    port_file.write_text(str(server.sockets[0].getsockname()[1]))
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(_serve(int(sys.argv[1]), float(sys.argv[2]), Path(sys.argv[3])))

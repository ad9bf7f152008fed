"""``python -m tests.bench.delay_proxy PORT SECONDS FILE``: a TCP proxy that holds every byte back, in both directions.

It writes its own port into the file once it listens. A process of its own, so that it delays and does not queue.
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
    """A port that leads to ``port`` on this machine, from as far away as that."""
    directory.mkdir()
    told = directory / "port"
    command = [sys.executable, "-m", "tests.bench.delay_proxy", str(port), str(seconds), str(told)]
    proxy = Daemon(command, directory / "log")
    try:
        wait_for(lambda: told.exists() and told.read_text() != "", "the proxy listening")
        yield int(told.read_text())
    finally:
        proxy.stop()


async def _carry(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, seconds: float) -> None:
    """Bytes leave as long after they came, and in their order: many may be on the way."""
    loop = asyncio.get_running_loop()
    with contextlib.suppress(OSError):
        while data := await reader.read(65536):
            loop.call_later(seconds, writer.write, data)
    loop.call_later(seconds, writer.close)


async def _serve(port: int, seconds: float, told: Path) -> None:
    async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        # The handshake of TCP itself takes a round trip as well.
        await asyncio.sleep(2 * seconds)
        try:
            there, back = await asyncio.open_connection("127.0.0.1", port)
        except OSError:
            writer.close()
            return
        await asyncio.gather(_carry(reader, back, seconds), _carry(there, writer, seconds))

    server = await asyncio.start_server(accept, "127.0.0.1", 0, backlog=1024)
    told.write_text(str(server.sockets[0].getsockname()[1]))
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(_serve(int(sys.argv[1]), float(sys.argv[2]), Path(sys.argv[3])))

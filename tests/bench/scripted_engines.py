"""``python -m tests.bench.scripted_engines DIRECTORY N``: N engines in one process, each on the socket of its host.

One cheap process serves all of them, so that the measurement is of the tools and sshd.
"""

from __future__ import annotations

import asyncio
import json
import resource
import sys
from datetime import timedelta
from pathlib import Path

from tests.lab.scripted_engine import ScriptedContainer, ScriptedEngine

STALE, YOUNG, OTHER = 4, 4, 4
"""Containers on each engine: leaked ones, those of running jobs, and unrelated ones."""


def host_name(number: int) -> str:
    """Return the inventory name of an engine, numbered from 1."""
    return f"runner-{number:04d}"


def containers(number: int) -> list[ScriptedContainer]:
    """Return one engine's containers. Ids are unique, or two engines would count as one."""
    found = []
    for index in range(STALE + YOUNG + OTHER):
        leaked, ours = index < STALE, index < STALE + YOUNG
        found.append(
            ScriptedContainer(
                f"{number:032x}{index:032x}",
                f"ws-{number}-{index}" if ours else f"service-{index}",
                "molecule-local/workspace-template-x:1" if ours else "postgres:16",
                age=timedelta(days=3) if leaked or not ours else timedelta(minutes=10),
            )
        )
    return found


async def _serve(engine: ScriptedEngine, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while head := (await reader.readuntil(b"\r\n\r\n")).decode():
            method, target, _ = head.split(" ", 2)
            response = engine.answer(method, target)
            body = b"" if response.body is None else json.dumps(response.body).encode()
            date = engine.now().strftime("%a, %d %b %Y %H:%M:%S GMT")
            writer.write(
                f"HTTP/1.1 {response.status} .\r\nDate: {date}\r\nServer: Docker/20.10.24 (linux)\r\n"
                f"Api-Version: {engine.api}\r\nContent-Type: application/json\r\n"
                f"Content-Length: {len(body)}\r\n\r\n".encode()
                + body
            )
    except (asyncio.IncompleteReadError, ConnectionError):
        pass
    finally:
        writer.close()


async def _main(directory: Path, count: int) -> None:
    for number in range(1, count + 1):
        engine = ScriptedEngine(containers(number))

        async def answer(
            reader: asyncio.StreamReader, writer: asyncio.StreamWriter, engine: ScriptedEngine = engine
        ) -> None:
            await _serve(engine, reader, writer)

        await asyncio.start_unix_server(answer, directory / f"{host_name(number)}.sock")
    (directory / "ready").touch()
    await asyncio.Event().wait()


if __name__ == "__main__":
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 65536), hard))
    asyncio.run(_main(Path(sys.argv[1]), int(sys.argv[2])))

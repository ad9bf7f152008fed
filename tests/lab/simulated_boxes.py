"""Seeded boxes with the distributions of a real fleet: latency, leaks and faults.

``python -m tests.lab.simulated_boxes DIRECTORY SEED FIRST LAST`` serves the engines of these boxes, each on its own
Unix socket, in one process. Every request to remove is appended to ``DIRECTORY/deletes`` before its response.
"""

from __future__ import annotations

import asyncio
import json
import os
import random
import re
import resource
import sys
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from pathlib import Path
from typing import Final

from tests.lab.scripted_engine import Response, ScriptedContainer, ScriptedEngine

ZONES: Final = ("north", "south")


class Trouble(StrEnum):
    """What is wrong with a box, if anything."""

    NONE = "none"
    REFUSED = "refused"
    ERROR = "error"
    GARBAGE = "garbage"
    SKEWED = "skewed"
    BUSY = "busy"


SHARES: Final = {
    Trouble.NONE: 95,
    Trouble.REFUSED: 1,
    Trouble.ERROR: 1,
    Trouble.GARBAGE: 1,
    Trouble.SKEWED: 1,
    Trouble.BUSY: 1,
}
"""Of a hundred boxes. A refused one has no sshd, a busy one's engine refuses to remove."""

LEAKING: Final = 0.2
"""The share of boxes with leaked containers."""

DELAY_S: Final = 0.01
"""The median time of a response. It is distributed log-normally."""


@dataclass(frozen=True, slots=True)
class SimulatedBox:
    """One box: its number, from 0, and what its dice gave. ``delay_s`` is the time of each response, in seconds."""

    number: int
    trouble: Trouble
    leaks: int
    running: int
    others: int
    delay_s: float

    @property
    def name(self) -> str:
        """The name in the inventory."""
        return f"box-{self.number:05d}"

    @property
    def zone(self) -> str:
        """The zone in the inventory."""
        return ZONES[self.number % len(ZONES)]

    def socket(self, directory: Path) -> Path:
        """Return the path of its engine's socket."""
        return directory / f"{self.number}.sock"

    def engine(self, removal_s: float = 0.0) -> ScriptedEngine:
        """Return its engine, whose responses to a removal take ``removal_s`` more."""
        ages = [*[timedelta(days=3)] * self.leaks, *[timedelta(minutes=10)] * self.running]
        containers = [
            ScriptedContainer(f"{self.number:032x}{index:032x}", f"ws-{self.number}-{index}", age=age)
            for index, age in enumerate(ages)
        ]
        for index in range(len(ages), len(ages) + self.others):
            containers.append(ScriptedContainer(f"{self.number:032x}{index:032x}", f"service-{index}", "postgres:16"))
        engine = ScriptedEngine(containers)
        engine.id = f"ID:{self.number}"
        if self.trouble is Trouble.SKEWED:
            engine.offset = timedelta(hours=3)
        if self.trouble is Trouble.ERROR:
            engine.on("GET /containers/json", lambda _: Response(500, {"message": "no space left on device"}))
        if self.trouble is Trouble.GARBAGE:
            engine.on("GET /containers/json", lambda _: Response(200, {"hello": "box"}))
        if self.trouble is Trouble.BUSY:
            engine.on("^DELETE", lambda _: Response(500, {"message": "device or resource busy"}))
        return engine


def simulated_box(seed: int, number: int) -> SimulatedBox:
    """Return a box. It depends on the seed and its number alone."""
    dice = random.Random(f"{seed}/{number}")  # noqa: S311 - not a secret
    (trouble,) = dice.choices(list(SHARES), list(SHARES.values()))
    leaks = dice.randint(1, 4) if dice.random() < LEAKING else 0
    delay_s = min(0.5, dice.lognormvariate(0.0, 1.0) * DELAY_S)
    return SimulatedBox(number, trouble, leaks, dice.randint(0, 4), dice.randint(2, 8), delay_s)


Answer = Callable[[str, str], Response]


def logging_deletes(engine: ScriptedEngine, log: int) -> Answer:
    """Return the engine's ``answer``, which first appends the id of a container that is to be removed to a file."""

    def answer(method: str, target: str) -> Response:
        if method == "DELETE":
            found = re.search(r"/containers/([0-9a-f]{64})", target)
            os.write(log, f"{found[1] if found else target}\n".encode())
        return engine.answer(method, target)

    return answer


async def serve_stream(
    engine: ScriptedEngine,
    answer: Answer,
    delay_s: float,
    reader: asyncio.StreamReader,
    writer: asyncio.StreamWriter,
) -> None:
    """Respond to the requests of one connection, each after ``delay_s``."""
    try:
        while head := (await reader.readuntil(b"\r\n\r\n")).decode():
            method, target, _ = head.split(" ", 2)
            if delay_s:
                await asyncio.sleep(delay_s)
            response = answer(method, target)
            body = b"" if response.body is None else json.dumps(response.body).encode()
            date = engine.now().strftime("%a, %d %b %Y %H:%M:%S GMT")
            length = "" if response.status == 204 else f"Content-Length: {len(body)}\r\n"
            writer.write(
                f"HTTP/1.1 {response.status} .\r\nDate: {date}\r\nServer: {engine.server}\r\n"
                f"Api-Version: {engine.api}\r\nContent-Type: application/json\r\n{length}\r\n".encode()
                + body
            )
    except (asyncio.IncompleteReadError, ConnectionError):
        pass
    finally:
        writer.close()


async def _serve(directory: Path, seed: int, numbers: range) -> None:
    log = os.open(directory / "deletes", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    for number in numbers:
        box = simulated_box(seed, number)
        engine = box.engine()
        answer = logging_deletes(engine, log)

        async def respond(
            reader: asyncio.StreamReader,
            writer: asyncio.StreamWriter,
            engine: ScriptedEngine = engine,
            answer: Answer = answer,
            delay_s: float = box.delay_s,
        ) -> None:
            await serve_stream(engine, answer, delay_s, reader, writer)

        await asyncio.start_unix_server(respond, box.socket(directory))
    (directory / f"ready-{numbers.start}").touch()
    await asyncio.Event().wait()


if __name__ == "__main__":
    _hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (_hard, _hard))
    asyncio.run(_serve(Path(sys.argv[1]), int(sys.argv[2]), range(int(sys.argv[3]), int(sys.argv[4]))))

"""The peak memory of one response, measured in a process of its own: at most 256 MiB, whatever its shape."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

MIB = 2**20
SIZE = 63 * MIB

# Surveys an engine that repeats ``unit`` until its list has ``size`` bytes; prints the result and the memory growth.
CHILD = r"""
import json, resource, sys
from fleetsweep.runtime.deadline import Deadline, Watchdog
from fleetsweep.engine import READ_ONLY
from fleetsweep.engine.client import EngineClient
from fleetsweep.engine.strict_json import read_document
from fleetsweep.errors import HostError

unit, size, numbered = sys.stdin.read().rpartition("|")[0], int(sys.argv[1]), sys.argv[2] == "numbered"

BLOCK = 60_000

class Talker:
    def __init__(self):
        self.number, self.left = 0, size - 2
        self.out = bytearray(
            b"HTTP/1.1 200 OK\r\nDate: Sun, 06 Nov 2044 08:49:37 GMT\r\nApi-Version: 1.41\r\nServer: Docker\r\n"
            b"Transfer-Encoding: chunked\r\n\r\n1\r\n[\r\n"
        )
        one = unit.encode() + b","
        self.block = one * max(1, BLOCK // len(one))
    def settimeout(self, value): pass
    def sendall(self, data): pass
    def close(self): pass
    def recv(self, most):
        if not self.out and self.left is not None:
            block = self.block
            if numbered:
                self.number += 1
                block = unit.replace("NUMBER", f"{self.number:064x}").encode() + b","
            self.left -= len(block)
            if self.left < len(block):
                block = block[:-1] + b"]"
                self.left = None
            self.out += b"%x\r\n" % len(block) + block + b"\r\n" + (b"" if self.left else b"0\r\n\r\n")
        piece = bytes(self.out[:most])
        del self.out[:most]
        return piece

read_document(b"[]")
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
with Watchdog() as watchdog:
    client = None
    try:
        client = EngineClient(Talker, "local", Deadline(100, watchdog), READ_ONLY)
        result = str(len(client.list_containers().containers))
    except HostError as error:
        result = error.kind
print(json.dumps({"result": result, "grown_kib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before}))
"""


def survey(unit: str, size: int = SIZE) -> tuple[str, float]:
    """Return the number of containers or the error's kind, and the peak growth of the process in MiB."""
    words = [sys.executable, "-c", CHILD, str(size), "numbered" if "NUMBER" in unit else "as-it-is"]
    done = subprocess.run(words, input=unit + "|", check=True, capture_output=True, text=True, timeout=100)
    found = json.loads(done.stdout)
    return found["result"], found["grown_kib"] / 1024


def entry(**fields: object) -> dict[str, object]:
    return {"Id": "NUMBER", "Names": ["/ws-1"], "Image": "x", "Created": 1, "State": "running", "Labels": {}, **fields}


ORDINARY = entry(
    Labels={f"com.example.label-{number}": f"a value of some length, {number}" for number in range(20)},
    Mounts=[{"Type": "volume", "Name": "NUMBER", "Source": "/var/lib/docker/volumes/NUMBER/_data", "RW": True}] * 6,
    NetworkSettings={"Networks": {"bridge": {"NetworkID": "NUMBER", "IPPrefixLen": 16, "Links": None}}},
    Command="sleep " * 100,
)


def test_ten_thousand_ordinary_containers_of_three_to_four_kilobytes_are_listed_within_the_limit() -> None:
    text = json.dumps(ORDINARY)
    size = len(text.replace("NUMBER", "0" * 64))
    assert 3000 < size < 4096
    result, grown = survey(text, 10_000 * (size + 1) + 2)
    assert 9_900 < int(result) <= 10_000
    assert grown < 256


@pytest.mark.parametrize(
    "unit",
    [
        "{}",
        "[]",
        '""',
        "\U0001f600",
        json.dumps({"Id": "NUMBER"}),
        json.dumps(entry(Labels={f"{number:x}": "aa" for number in range(900)})),
        json.dumps(entry(Labels={f"{number:x}": "\u0101" for number in range(90)}), ensure_ascii=False),
        json.dumps(entry(Labels={"a": "\U0001f600" * 60_000}), ensure_ascii=False),
        json.dumps(entry(Ports=[{}] * 300_000)),
        json.dumps(entry(Ports=[[]] * 900_000)),
        json.dumps(entry(Names=["/" + "n" * 100_000])),
    ],
    ids=range(11),
)
def test_no_list_needs_more_memory_than_the_limit(unit: str) -> None:
    result, grown = survey(unit)
    assert result in {"invalid-answer", "too-large"} or int(result) > 200
    assert grown < 256

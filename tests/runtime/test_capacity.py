"""How many hosts fit into the resource limits of a process."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from fleetsweep.runtime.capacity import FILES_PER_HOST, RESERVED_FILES, out_of_room

ROOT = Path(__file__).parents[2]
CODE = """
from fleetsweep.errors import UsageError
from fleetsweep.runtime.capacity import hosts_at_once
try:
    print(hosts_at_once())
except UsageError as error:
    print(error)
"""


def under(limit: str) -> str:
    """The number of hosts, or the error, in a shell with this limit."""
    command = ["sh", "-c", f'ulimit {limit} && exec "$0" -c "$1"', sys.executable, CODE]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout.strip()


@pytest.mark.parametrize("hosts", [1, 2, 10])
def test_each_host_takes_a_few_descriptors(hosts: int) -> None:
    assert under(f"-S -n {RESERVED_FILES + hosts * FILES_PER_HOST}") == str(hosts)


def test_too_few_descriptors_still_allow_one_host() -> None:
    assert under(f"-S -n {RESERVED_FILES + 1}") == "1"


def test_a_small_address_space_allows_fewer_hosts_than_a_large_one() -> None:
    files = "-S -n 1024 && ulimit -S -s 8192 && ulimit"
    small, large = (int(under(f"{files} -v {megabytes * 1024}")) for megabytes in (1024, 2048))
    assert 0 < small < large < 250


def test_no_room_for_even_one_host_is_an_error_that_names_the_limit_to_raise() -> None:
    error = under("-v 200000")
    assert "no room for even one host" in error
    assert "ulimit -v " in error


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (MemoryError(), True),
        (RuntimeError("can't start new thread"), True),
        (RuntimeError("dictionary changed size"), False),
        (OSError("can't start new thread"), False),
    ],
)
def test_only_a_lack_of_threads_or_memory_is_a_lack_of_room(error: Exception, expected: bool) -> None:
    assert out_of_room(error) is expected

"""The single-flight cache: one call for each set of arguments, and no waiting for another's."""

from __future__ import annotations

import os
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from fleetsweep.ssh.cache import CACHE_SIZE, file_state, single_flight
from tests.ssh.unblocked import error_of


def test_threads_with_the_same_arguments_share_one_call() -> None:
    together, calls = threading.Barrier(8), []

    @single_flight
    def load(name: str) -> str:
        calls.append(name)
        return name.upper()

    def request(_: int) -> str:
        together.wait(20)
        return load("a")

    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(request, range(8))) == ["A"] * 8
    assert calls == ["a"]


def test_a_call_that_hangs_holds_up_no_call_with_other_arguments() -> None:
    release, begun, calls = threading.Event(), threading.Event(), []

    @single_flight
    def slow(name: str) -> str:
        calls.append(name)
        if name == "dead":
            begun.set()
            release.wait(20)
        return name

    threads = [threading.Thread(target=slow, args=("dead",)) for _ in range(4)]
    for thread in threads:
        thread.start()
    assert begun.wait(20)
    assert error_of(lambda: slow("well")) is None
    release.set()
    for thread in threads:
        thread.join(20)
    assert sorted(calls) == ["dead", "well"]


def test_an_error_is_not_cached() -> None:
    calls: list[str] = []

    @single_flight
    def load(name: str) -> str:
        calls.append(name)
        if len(calls) == 1:
            raise OSError(name)
        return name

    with pytest.raises(OSError, match="a"):
        load("a")
    assert load("a") == "a"
    assert calls == ["a", "a"]


def test_the_least_recently_used_result_is_dropped_first() -> None:
    calls: list[int] = []

    @single_flight
    def load(number: int) -> int:
        calls.append(number)
        return number

    for number in range(CACHE_SIZE):
        load(number)
    load(0)
    load(CACHE_SIZE)
    del calls[:]
    assert [load(0), load(CACHE_SIZE)] == [0, CACHE_SIZE]
    assert calls == []
    load(1)
    assert calls == [1]


def test_a_files_state_changes_with_its_content_and_with_its_replacement(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("one")
    first = file_state(file.stat())
    assert file_state(file.stat()) == first
    file.write_text("three")
    assert file_state(file.stat()) != first
    (tmp_path / "other").write_text("one")
    os.utime(tmp_path / "other", ns=(first[2], first[2]))
    (tmp_path / "other").replace(file)
    assert file_state(file.stat()) != first

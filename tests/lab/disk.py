"""File systems that a test may fill or freeze."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

PAGE = 4096


@contextmanager
def small_disk(path: Path, size: str = "64k") -> Iterator[Path]:
    """Mount a tmpfs of that size at ``path`` while the block runs."""
    path.mkdir(mode=0o700)
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size},mode=700", "tmpfs", str(path)], check=True)
    try:
        yield path
    finally:
        subprocess.run(["umount", "-l", str(path)], check=True)


@contextmanager
def frozen(path: Path) -> Iterator[Path]:
    """Make a directory read-only, even for root, while the block runs."""
    subprocess.run(["mount", "--bind", str(path), str(path)], check=True)
    try:
        subprocess.run(["mount", "-o", "remount,ro,bind", str(path)], check=True)
        yield path
    finally:
        subprocess.run(["umount", "-l", str(path)], check=True)


def fill(disk: Path, *, pages_left: int = 0) -> Path:
    """Fill a small disk with one file, except for ``pages_left`` pages. Return the file."""
    filler = disk / "filler"
    with filler.open("wb", buffering=0) as sink:
        while True:
            try:
                if sink.write(b"\0" * PAGE) < PAGE:
                    break
            except OSError:
                break
        sink.truncate(max(0, sink.tell() - sink.tell() % PAGE - pages_left * PAGE))
    return filler

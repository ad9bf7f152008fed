"""The archives: the same bytes each time, and everything in them."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

from release.dist import ROOT, checksums, source_date
from release.shared_files import shared_files

EPOCH = "1750000000"


def tracked() -> set[str]:
    """Return the files of the checkout, or of the unpacked archive that this is."""
    if not (ROOT / ".git").exists():
        pytest.skip("this is no checkout")
    done = subprocess.run(["git", "-C", str(ROOT), "ls-files"], check=True, capture_output=True, text=True)
    return set(done.stdout.split())


@pytest.fixture(scope="module")
def dist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return built(ROOT, tmp_path_factory.mktemp("first"), umask=0o022)


def built(root: Path, output: Path, *, umask: int) -> Path:
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-d", str(output)],
        check=True,
        capture_output=True,
        cwd=root,
        env={**os.environ, "SOURCE_DATE_EPOCH": EPOCH},
        umask=umask,
    )
    return output


def test_the_unpacked_archive_builds_the_same_bytes_under_another_umask(dist: Path, tmp_path: Path) -> None:
    (archive,) = dist.glob("*.tar.gz")
    with tarfile.open(archive) as opened:
        opened.extractall(tmp_path, filter="data")
    root = tmp_path / archive.name.removesuffix(".tar.gz")
    assert source_date(root, {}) == EPOCH
    assert checksums(built(root, tmp_path / "again", umask=0o077)) == checksums(dist)


def test_the_archive_has_every_file_of_the_checkout(dist: Path) -> None:
    (archive,) = dist.glob("*.tar.gz")
    with tarfile.open(archive) as opened:
        names = {name.partition("/")[2] for name in opened.getnames()}
    assert tracked() - names == set()


def test_the_wheel_has_the_program_the_manual_and_the_completion_files(dist: Path) -> None:
    (wheel,) = dist.glob("*.whl")
    with zipfile.ZipFile(wheel) as opened:
        names = set(opened.namelist())
    version = wheel.name.removesuffix("-py3-none-any.whl")
    assert {f"{version}.data/data/{path}" for path in shared_files()} <= names
    assert "fleetsweep/schedule/templates/cron.j2" in names
    assert {name.partition("/")[0] for name in names} == {"fleetsweep", f"{version}.data", f"{version}.dist-info"}


def test_the_environments_date_comes_first(tmp_path: Path) -> None:
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    os.utime(tmp_path / "pyproject.toml", (5, 5))
    assert source_date(tmp_path, {"SOURCE_DATE_EPOCH": "7"}) == "7"
    assert source_date(tmp_path, {}) == "5"

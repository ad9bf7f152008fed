"""``make dist``: the source archive, the wheel built from it, the wheel's bill of materials, and their checksums.

The same commit gives the same bytes: times come from SOURCE_DATE_EPOCH, and the tools are those of constraints.txt.
``make dist-check`` builds again from the unpacked archive, compares, and runs ``make check`` there.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
import venv
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from fleetsweep import __version__

ROOT: Final = Path(__file__).parents[1]
DIST: Final = ROOT / "dist"
CONSTRAINTS: Final = ROOT / "constraints.txt"
_NO_VERSION: Final = 'dynamic = ["version"]'


def source_date(root: Path, environ: Mapping[str, str]) -> str:
    """Return SOURCE_DATE_EPOCH: the environment's, else the commit's time, else that of an unpacked archive's files."""
    if given := environ.get("SOURCE_DATE_EPOCH"):
        return given
    log = ["git", "-C", str(root), "log", "-1", "--format=%ct"]
    try:
        done = subprocess.run(log, check=False, capture_output=True, text=True)
    except FileNotFoundError:
        done = None
    if done is not None and done.returncode == 0 and (root / ".git").exists():
        return done.stdout.strip()
    return str(int((root / "pyproject.toml").stat().st_mtime))


def build(root: Path, output: Path, epoch: str) -> None:
    """Build the source archive of ``root``, and from it the wheel, with the tools that are installed here."""
    command = [sys.executable, "-m", "build", "--no-isolation", "--outdir", str(output), str(root)]
    subprocess.run(command, check=True, env={**os.environ, "SOURCE_DATE_EPOCH": epoch}, stdout=subprocess.DEVNULL)


def bill_of_materials(wheel: Path, output: Path, epoch: str) -> None:
    """Write what a plain install of the wheel brings, as CycloneDX: each package with its version and licence."""
    with tempfile.TemporaryDirectory(prefix="fleetsweep-sbom-") as directory:
        home = Path(directory) / "environment"
        venv.create(home, with_pip=True)
        pip = [str(home / "bin" / "python"), "-m", "pip", "--disable-pip-version-check", "-q"]
        subprocess.run([*pip, "install", "-c", str(CONSTRAINTS), str(wheel)], check=True, stderr=subprocess.DEVNULL)
        subprocess.run(
            [*pip, "uninstall", "-y", "fleetsweep", "pip", "setuptools"], check=True, stderr=subprocess.DEVNULL
        )
        # The generator names the main component as this file does, which must have a version in it.
        project = Path(directory) / "pyproject.toml"
        project.write_text((ROOT / "pyproject.toml").read_text().replace(_NO_VERSION, f'version = "{__version__}"', 1))
        words = ["environment", "--output-reproducible", "--short-PURLs", "--pyproject", str(project)]
        program = str(Path(sys.executable).with_name("cyclonedx-py"))
        environment = {**os.environ, "SOURCE_DATE_EPOCH": epoch}
        subprocess.run([program, *words, "-o", str(output), str(home)], check=True, env=environment)


def checksums(directory: Path) -> dict[str, str]:
    """Return the SHA-256 of each file, by its name."""
    files = sorted(path for path in directory.iterdir() if path.name != "SHA256SUMS")
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def make(root: Path, output: Path, epoch: str) -> dict[str, str]:
    """Make everything in an empty directory, and return the checksums."""
    shutil.rmtree(output, ignore_errors=True)
    output.mkdir()
    build(root, output, epoch)
    (wheel,) = output.glob("*.whl")
    bill_of_materials(wheel, output / f"{wheel.name.removesuffix('-py3-none-any.whl')}.cdx.json", epoch)
    sums = checksums(output)
    (output / "SHA256SUMS").write_text("".join(f"{digest}  {name}\n" for name, digest in sums.items()))
    return sums


def check(first: Mapping[str, str]) -> int:
    """Build again from the unpacked archive, compare, and run ``make check`` there. Return the exit code."""
    with tempfile.TemporaryDirectory(prefix="fleetsweep-dist-") as directory:
        (archive,) = DIST.glob("*.tar.gz")
        with tarfile.open(archive) as opened:
            opened.extractall(directory, filter="data")
        root = Path(directory) / archive.name.removesuffix(".tar.gz")
        os.umask(0o077)
        second = make(root, Path(directory) / "again", source_date(root, {}))
        if second != first:
            print(f"the archive builds something else:\n{first}\n{second}", file=sys.stderr)
            return 1
        print("built twice, with the same checksums", flush=True)
        return subprocess.run(["make", "-C", str(root), "check"], check=False).returncode


def main() -> int:
    """Fill dist/, print the checksums, and return the exit code."""
    sums = make(ROOT, DIST, source_date(ROOT, os.environ))
    print((DIST / "SHA256SUMS").read_text(), end="", flush=True)
    return check(sums) if "--check" in sys.argv[1:] else 0


if __name__ == "__main__":
    sys.exit(main())

"""docs/engines.md: its tables are those of ``make compat``, and nothing is requested that it does not name."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from fleetsweep.engine.client import FIRST_API
from fleetsweep.engine.versions import NEWEST_API, OLDEST_API
from tests.compat import engine_checks, server_checks
from tests.compat.__main__ import table
from tests.compat.checks import HELD, Cell, FailedCheckError, NotApplicableError, cell_of
from tests.conftest import Run
from tests.lab.scripted_engine import ScriptedEngine
from tests.lab.workdir import Workdir, leaks

PAGE = (Path(__file__).parents[2] / "docs" / "engines.md").read_text()
TABLES = re.search(r"<!-- compat -->\n(.*?)<!-- end compat -->", PAGE, re.DOTALL)
GENERATIONS = ("Docker 20.10", "Docker 26.1", "Docker 28.5", "Podman 4.3", "Podman 5.4", "Podman 5.8")
SERVERS = ("OpenSSH 9.2", "OpenSSH 10.0", "OpenSSH 10.6", "dropbear 20")


def rows() -> dict[str, list[str]]:
    assert TABLES is not None
    found = [line.strip("|").split("|") for line in TABLES[1].splitlines() if line.startswith("|")]
    return {name.strip(): [cell.strip() for cell in cells] for name, *cells in found}


def test_the_tables_have_every_check_and_generation_and_nothing_failed() -> None:
    tested = rows()
    assert tested["engine"] == list(engine_checks.CHECKS)
    assert tested["SSH server"] == list(server_checks.CHECKS)
    for wanted in (*GENERATIONS, *SERVERS, "Docker 28.5.2, containerd's", "Docker 28.5.2, minimum API 1.45"):
        assert any(name.startswith(wanted) for name in tested), wanted
    cells = [cell for name, row in tested.items() if name not in {"engine", "SSH server", "---"} for cell in row]
    assert {cell for cell in cells if cell != HELD and not cell.startswith("n/a: ")} == set()


def test_the_newest_api_version_that_is_used_is_the_newest_tested() -> None:
    tested = [tuple(map(int, found)) for found in re.findall(r"\(API [\d.]+ to (\d+)\.(\d+)\)", PAGE)]
    assert max(tested) == NEWEST_API
    for version in (FIRST_API, "{}.{}".format(*NEWEST_API), "{}.{}".format(*OLDEST_API)):
        assert re.search(rf"\b{re.escape(version)}\b", PAGE.partition("## Which API version")[2])


@pytest.fixture
def workdir() -> Iterator[Workdir]:
    with tempfile.TemporaryDirectory(prefix="fs-", dir="/tmp") as directory:
        yield Workdir(Path(directory))


@pytest.mark.parametrize("libpod", ["", "4.3.1"])
def test_every_request_is_in_the_table(workdir: Workdir, run: Run, libpod: str) -> None:
    named = {tuple(found) for found in re.findall(r"`(GET|DELETE) (/\S+?)`", PAGE)}
    engine = ScriptedEngine(leaks(2))
    if libpod:
        engine.libpod, engine.server = libpod, f"Libpod/{libpod} (linux)"
    with engine.serve(workdir.socket) as url:
        for command in ("audit", "doctor"):
            assert run(command, "--local", "--engine", url, "--format", "json").returncode == 0
        run(*workdir.sweep(url))
        run("teardown", *workdir.local(url), "--run-label", "a=b", "--volumes", "--networks")
    requests = {(method, re.sub(r"[0-9a-f]{64}", "ID", path)) for method, path in engine.requests}
    assert requests <= named
    assert ("DELETE", "/libpod/containers/ID" if libpod else "/containers/ID") in requests


def test_a_cell_is_held_failed_or_not_applicable() -> None:
    def failing(error: Exception) -> Cell:
        def check() -> None:
            raise error

        return cell_of(check)

    assert cell_of(lambda: None) == Cell(HELD)
    assert failing(NotApplicableError("no such state")) == Cell("n/a: no such state")
    for error in (FailedCheckError("a | b\nc"), OSError("a / b c")):
        assert failing(error).failed
        assert failing(error).text.endswith("a / b c")
    assert (
        table("engine", ["audit"], [("Docker 1", (Cell(HELD),))])
        == "| engine | audit |\n| --- | --- |\n| Docker 1 | held |"
    )

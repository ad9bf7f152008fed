"""In a CI job: annotations for the runner, and a summary on the job's page."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.conftest import Run
from tests.lab.scripted_engine import Response, ScriptedContainer, ScriptedEngine
from tests.lab.workdir import Workdir, leaks

SUMMARY = "summary.md"


@pytest.fixture(params=["GITHUB_ACTIONS", "GITEA_ACTIONS"])
def ci(request: pytest.FixtureRequest, tmp_path: Path) -> dict[str, str]:
    """The environment of a job's step."""
    (tmp_path / SUMMARY).write_text("earlier\n")
    return {request.param: "true", "GITHUB_STEP_SUMMARY": str(tmp_path / SUMMARY)}


def errors(text: str) -> list[str]:
    return [line for line in text.splitlines() if line.startswith("::error ")]


def test_a_failed_removal_is_annotated_after_the_table_and_summed_up(
    run: Run, workdir: Workdir, ci: dict[str, str], tmp_path: Path
) -> None:
    engine = ScriptedEngine(leaks(2))
    engine.on("DELETE", lambda _: Response(500, {"message": "100% busy\n::add-mask::x\r::warning::y"}))
    with engine.serve(workdir.socket) as address:
        done = run("sweep", *workdir.local(address), "--yes", environ=ci)
    assert done.returncode == 5
    found = errors(done.stdout)
    # The host's own line, and one for each container.
    assert [line.partition("::ws-")[1] for line in found] == ["", "::ws-", "::ws-"]
    assert done.stdout.splitlines()[-3:] == found
    assert all("title=fleetsweep sweep%3A " in line and "was not removed: " in line for line in found[1:])
    assert "100%25 busy" in found[1]
    assert not any(
        line.lstrip().startswith("::") for line in (done.stdout + done.stderr).splitlines() if line not in found
    )
    summary = (tmp_path / SUMMARY).read_text()
    assert summary.startswith("earlier\n### fleetsweep sweep, ")
    assert "::add-mask" in summary
    assert not any(line.startswith("::") for line in summary.splitlines())


def test_a_report_for_a_program_is_left_whole(run: Run, workdir: Workdir, ci: dict[str, str]) -> None:
    with ScriptedEngine(leaks(2)).serve(workdir.socket) as address:
        done = run("audit", *workdir.local(address), "--cap", "1", "--format", "json", environ=ci)
        to_file = run("audit", *workdir.local(address), "--cap", "1", "-o", "report.txt", environ=ci)
    assert done.returncode == to_file.returncode == 4
    assert json.loads(done.stdout)["exit_code"] == 4
    assert to_file.stdout == ""
    for each in (done, to_file):
        assert ["guarded (cap)" in line for line in errors(each.stderr)] == [True]


def test_a_good_run_has_a_summary_and_no_annotation(
    run: Run, workdir: Workdir, ci: dict[str, str], tmp_path: Path
) -> None:
    with ScriptedEngine([ScriptedContainer("a" * 64, name="postgres", image="postgres")]).serve(
        workdir.socket
    ) as address:
        done = run("audit", *workdir.local(address), environ=ci)
    assert done.returncode == 0
    assert errors(done.stdout + done.stderr) == []
    assert "exit code 0" in (tmp_path / SUMMARY).read_text()


def test_a_usage_error_is_annotated_too(run: Run, ci: dict[str, str], tmp_path: Path) -> None:
    done = run("audit", "-i", "nowhere.yml", environ=ci)
    assert done.returncode == 2
    (line,) = errors(done.stdout)
    assert "nowhere.yml" in line
    assert "nowhere.yml" in (tmp_path / SUMMARY).read_text()


def test_a_summary_that_cannot_be_written_costs_a_warning(
    run: Run, workdir: Workdir, ci: dict[str, str], tmp_path: Path
) -> None:
    summary = tmp_path / "missing" / "summary"
    with ScriptedEngine([]).serve(workdir.socket) as address:
        done = run("audit", *workdir.local(address), environ={**ci, "GITHUB_STEP_SUMMARY": str(summary)})
    assert done.returncode == 0
    told = f"its summary can't be written: GITHUB_STEP_SUMMARY: {summary}: No such file"
    assert f"warning: the CI job's output is incomplete: {told}" in done.stderr


def test_elsewhere_nothing_is_annotated(run: Run, workdir: Workdir) -> None:
    with ScriptedEngine(leaks(2)).serve(workdir.socket) as address:
        done = run("audit", *workdir.local(address), "--cap", "1", environ={"GITHUB_ACTIONS": "false"})
    assert done.returncode == 4
    assert errors(done.stdout + done.stderr) == []

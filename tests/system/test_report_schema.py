"""What a run prints as JSON holds the schema that the wheel has."""

from __future__ import annotations

from tests.conftest import Run
from tests.lab.scripted_engine import Response, ScriptedEngine
from tests.lab.workdir import Workdir, leaks
from tests.report.schema import errors


def test_a_run_with_failed_removals_holds_the_schema(workdir: Workdir, run: Run) -> None:
    engine = ScriptedEngine(leaks(2))
    engine.on("DELETE", lambda _: Response(500, {"message": "busy"}))
    with engine.serve(workdir.socket) as url:
        done = run(*workdir.sweep(url))
    assert done.returncode == 5, done.stderr
    assert errors(done.stdout) == []
    assert errors(done.stdout.replace('"verdict"', '"verdikt"')) != []

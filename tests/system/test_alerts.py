"""What docs/alerts has for operators: rules that promtool tests, and a dashboard whose queries return something."""

from __future__ import annotations

import json
import re
import subprocess
from functools import partial
from pathlib import Path

import pytest
import yaml

from fleetsweep.model.journal import Counters, LastSuccesses
from fleetsweep.notify import metrics
from tests.conftest import Run
from tests.lab.http_receiver import receiving
from tests.lab.process import wait_for
from tests.lab.prometheus import prometheus
from tests.lab.scripted_engine import Response, ScriptedContainer, ScriptedEngine
from tests.lab.workdir import Workdir, leaks
from tests.report.build import fleet

DOCS = Path(__file__).parents[2] / "docs"
RULES = DOCS / "alerts" / "fleetsweep.rules.yml"
TESTS = DOCS / "alerts" / "fleetsweep.rules.test.yml"
DASHBOARD = DOCS / "alerts" / "grafana-dashboard.json"


def names() -> set[str]:
    """Every metric that a run can have."""
    known = metrics.Known(LastSuccesses(None, {}), Counters({}, {}))
    families = metrics.registry(fleet(), {}, known).collect()
    return {family.name + ("_total" if family.type == "counter" else "") for family in families}


def test_each_rule_passes_its_tests_and_the_page_shows_the_file() -> None:
    done = subprocess.run(["promtool", "test", "rules", str(TESTS)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    alerts = {rule["alert"] for rule in yaml.safe_load(RULES.read_text())["groups"][0]["rules"]}
    tested = [
        each["alertname"] for test in yaml.safe_load(TESTS.read_text())["tests"] for each in test["alert_rule_test"]
    ]
    assert alerts == set(tested)
    assert f"```yaml\n{RULES.read_text()}```" in (DOCS / "alerts.md").read_text()


def test_the_page_names_every_metric_and_rules_and_dashboard_no_other() -> None:
    assert set(re.findall(r"fleetsweep_[a-z_]+", (DOCS / "alerts.md").read_text())) == names()
    for file in (RULES, TESTS, DASHBOARD):
        assert set(re.findall(r"fleetsweep_[a-z_]+", file.read_text())) <= names()


@pytest.mark.lab
def test_every_query_of_the_dashboard_returns_something_on_a_real_prometheus(
    workdir: Workdir, run: Run, tmp_path: Path
) -> None:
    files = tmp_path / "files"
    files.mkdir()
    with ScriptedEngine(leaks(2)).serve(workdir.socket) as address:
        for command in (["audit"], ["sweep", "--yes", "--cap", "1"]):
            file = files / f"{command[0]}.prom"
            assert run(*command, *workdir.local(address), "--metrics", str(file)).returncode in {0, 4}
    board = json.loads(DASHBOARD.read_text())
    queries = {target["expr"] for panel in board["panels"] for target in panel["targets"]}
    assert len(queries) > 15
    with prometheus(tmp_path, files, RULES) as server:
        for query in sorted(queries):
            filled = query.replace("$command", ".*").replace("$__range", "1h")
            assert "$" not in filled
            wait_for(partial(server.has, filled), f"a sample of {filled}")
        assert server.get("label/command/values?match[]=fleetsweep_run_exit_code") == ["audit", "sweep"]
        (group,) = server.get("rules")["groups"]  # type: ignore[index]
        assert len(group["rules"]) == 8


def test_a_new_warning_is_a_message_once_though_the_run_succeeds(workdir: Workdir, run: Run) -> None:
    engine = ScriptedEngine([ScriptedContainer("a" * 64, "ws-1")])
    with engine.serve(workdir.socket) as address, receiving() as chat:
        words = ["audit", *workdir.local(address), "--notify", f"json://{chat.authority}", "--name", "^ws-"]
        assert run(*words).returncode == 0
        engine.containers.clear()
        engine.containers.update({letter * 64: ScriptedContainer(letter * 64, f"job-{letter}") for letter in "bc"})
        codes = [run(*words).returncode for _ in range(3)]
    assert codes == [0, 0, 0]
    (message,) = chat.received
    sent = json.loads(message.body)
    assert sent["type"] == "warning"
    assert "warning: no container here has matched for 2 runs" in sent["message"]


def test_counters_go_on_and_never_seen_is_1_until_a_host_responds(workdir: Workdir, run: Run) -> None:
    file = workdir.directory / "f.prom"
    engine = ScriptedEngine(leaks(2))
    broken = [True, False, False]
    engine.on("GET /containers/json", lambda _: Response(500, {"message": "no"}) if broken[0] else None)
    found = []
    with engine.serve(workdir.socket) as address:
        while broken:
            run("audit", *workdir.local(address), "--metrics", str(file))
            found.append(dict(re.findall(r"^fleetsweep_(\w+)\{.*?\} ([\d.]+)$", file.read_text(), re.MULTILINE)))
            broken.pop(0)
    picked = ["host_never_seen", "runs_total", "failed_runs_total", "host_failures_total", "host_leaks_total"]
    assert [[int(float(each[name])) for name in picked] for each in found] == [
        [1, 1, 1, 1, 0], [0, 2, 1, 1, 2], [0, 3, 1, 1, 2]
    ]  # fmt: skip

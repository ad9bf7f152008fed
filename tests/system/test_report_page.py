"""The HTML page in a real browser: its numbers are SQL's, it asks for nothing, and no text from a box does anything."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from fleetsweep.errors import FaultKind, Phase
from fleetsweep.model.container import SECOND
from fleetsweep.model.host import Host
from fleetsweep.model.outcome import Outcome, Removal
from fleetsweep.model.report import FleetReport, HostReport
from fleetsweep.model.survey import Fault, Status
from fleetsweep.policy.leaks import leaks_of
from fleetsweep.policy.rules import Policy
from fleetsweep.store.journal import Journal
from tests.browser.chromium import Page, chromium
from tests.conftest import Run
from tests.generators.journal import Shape, Stories, write_journal
from tests.lab.scripted_engine import ScriptedContainer, ScriptedEngine
from tests.lab.workdir import Workdir, leaks
from tests.report.build import NOW_NS, candidates, surveyed
from tests.report.hostile import NASTY

DAY_NS = 86_400 * SECOND
DAY = "date(started_ns / 1000000000, 'unixepoch')"
PHONE = 390
SECRET = "hunter2-s3cret"  # noqa: S105

ROWS = """
Object.fromEntries([...document.querySelectorAll('table')].map(table => [table.caption.textContent,
    [...table.tBodies[0].rows].map(row => [...row.cells].map(cell => cell.textContent))]))
"""

Tables = dict[str, list[list[str]]]


@pytest.fixture(scope="module")
def page() -> Iterator[Page]:
    """A page in a browser."""
    with chromium() as browser:
        yield browser.page()


def tables(page: Page) -> Tables:
    """The texts of every cell of each table, by its caption."""
    found = page.evaluate(ROWS)
    assert isinstance(found, dict)
    return found


def check_harmless(page: Page, file: Path) -> None:
    """The page asks for nothing, logs nothing, fits a phone, and axe-core finds no fault in light and in dark."""
    page.open(file)
    assert page.requests == [file.as_uri()]
    page.prefer("dark")
    assert page.axe("color-contrast") == []
    page.prefer("light")
    assert page.axe() == []
    page.resize(PHONE, mobile=True)
    assert page.evaluate("document.documentElement.scrollWidth") == PHONE
    page.resize(1200)
    assert page.evaluate("document.documentElement.scrollWidth") == 1200
    assert page.console == []


def test_the_numbers_are_those_of_the_journal(page: Page, run: Run, tmp_path: Path) -> None:
    state, file = tmp_path / "state", tmp_path / "fleet.html"
    write_journal(state, Shape(runs_a_day=1, end_ns=time.time_ns() - 600 * SECOND))
    done = run("report", "--html", str(file), "--state-dir", str(state))
    assert done.returncode == 0, done.stderr
    assert file.stat().st_size <= 300_000
    page.open(file)
    shown = tables(page)
    with closing(sqlite3.connect(state / "journal.db")) as database:

        def rows(query: str) -> list[tuple[object, ...]]:
            return database.execute(query).fetchall()

        heat = shown["Worst status and most stale containers of each host on each day, the worst hosts first"]
        days = page.evaluate("[...document.querySelectorAll('.heat time')].map(each => each.dateTime)")
        assert isinstance(days, list)
        cells = {(row[0], day): cell for row in heat for day, cell in zip(days, row[1:], strict=True)}
        expected = dict.fromkeys(cells, "–no data")  # noqa: RUF001
        letters = {"unreachable": "U: unreachable", "failed": "F: failed", "guarded": "G: guarded"}
        for name, day, status, surveyed, stale in rows(
            f"SELECT name, {DAY}, status, surveyed, stale FROM run JOIN host ON run = id"  # noqa: S608
        ):
            count = str(stale) if surveyed else ""
            expected[str(name), str(day)] = f"{letters[str(status)]} {count}".strip() if status != "ok" else count
        assert cells == expected
        assert {row[0]: row[1] for row in shown["Removals by outcome"]} == {
            str(outcome): str(count)
            for outcome, count in rows("SELECT coalesce(settled, outcome, 'open'), count(*) FROM intent GROUP BY 1")
        }
        by_image = rows(
            "SELECT image, count(*), sum(ended_ns IS NULL), count(DISTINCT host) FROM leak GROUP BY 1 ORDER BY 2 DESC"
        )
        assert [row[:4] for row in shown["By image"]] == [[str(value) for value in row] for row in by_image]
        of_days = {row[0]: row for row in shown["Day by day, the newest first"]}
        for day, runs, found in rows(
            f"SELECT {DAY}, count(DISTINCT id), sum(CASE WHEN surveyed THEN stale END) "  # noqa: S608
            "FROM run LEFT JOIN host ON run = id GROUP BY 1"
        ):
            assert [of_days[str(day)][1], of_days[str(day)][4]] == [
                str(runs),
                "no data" if found is None else str(found),
            ]
        last = rows(
            "SELECT name, status, surveyed, containers, matched, stale FROM host WHERE run = "
            "(SELECT id FROM run WHERE exit_code IS NOT NULL ORDER BY started_ns DESC LIMIT 1)"
        )
        assert {row[0]: row[1:5] for row in shown["Hosts of the last run"]} == {
            name: [status, *(map(str, counts) if known else ["–"] * 3)]  # noqa: RUF001
            for name, status, known, *counts in last
        }


def test_each_state_can_be_read_by_everyone(page: Page, run: Run, tmp_path: Path) -> None:
    state, file = tmp_path / "state", tmp_path / "fleet.html"
    stories = Stories(
        down=3, down_days=range(2, 3), capped=5, capped_days=range(3, 9), stuck=6, without_runs=range(1, 3)
    )
    write_journal(state, Shape(hosts=8, days=9, runs_a_day=3, end_ns=time.time_ns() - 600 * SECOND), stories)
    assert run("report", "--html", str(file), "--state-dir", str(state)).returncode == 0
    check_harmless(page, file)
    found = page.evaluate("[...new Set([...document.querySelectorAll('.heat td')].map(each => each.className))]")
    assert isinstance(found, list)
    assert {"n", "c", "s1", "s2", "u", "g"} <= set(found)


def test_a_script_that_got_into_the_page_would_not_run(page: Page, run: Run, workdir: Workdir) -> None:
    file = workdir.directory / "fleet.html"
    with ScriptedEngine(leaks(1)).serve(workdir.socket) as url:
        run("audit", *workdir.local(url))
    assert run("report", "--html", str(file), "--state-dir", str(workdir.state)).returncode == 0
    page.open(file)
    page.evaluate(
        "const script = document.createElement('script'), image = document.createElement('img');"
        "script.textContent = 'window.ran = 1'; image.src = 'http://127.0.0.1:9/x.png';"
        "document.body.append(script, image)"
    )
    assert page.evaluate("window.ran") is None
    assert len(page.console) >= 2
    assert all("Content Security Policy" in line or "ContentSecurityPolicy" in line for line in page.console)


def test_text_from_a_box_runs_nowhere_and_breaks_no_layout(page: Page, run: Run, tmp_path: Path) -> None:
    state, file = tmp_path / "state", tmp_path / "fleet.html"
    texts = [
        "<script>window.ran = 1</script>",
        '"><img src=x onerror="window.ran = 1"><svg/onload=window.ran=1>',
        "</title></style></table><h1>all is well</h1>",
        "javascript:window.ran=1 {{ 7 * 7 }} {% raw %}",
        "\u05e9\u05dc\u05d5\u05dd \u202egpj.exe\u2066",
        "Z\u0351\u0343\u036f" * 60,
        "x" * 1_000_000,
        *NASTY[::4],
    ]
    _record(state, texts)
    done = run("report", "--html", str(file), "--state-dir", str(state))
    assert done.returncode == 0, done.stderr
    assert file.stat().st_size <= 300_000
    check_harmless(page, file)
    assert page.evaluate("window.ran") is None
    assert page.evaluate("document.querySelectorAll('script, img, svg[onload]').length") == 0
    assert page.evaluate("[...document.querySelectorAll('h1')].length") == 1
    assert "<script>window.ran = 1</script>" in {row[0] for row in tables(page)["The newest removals"]}


def _record(state: Path, texts: list[str]) -> None:
    """Record a run over hosts whose names, containers, labels and errors are these texts."""
    rows: list[HostReport] = []
    with Journal(state, "hostile", "sweep") as journal:
        for number, text in enumerate(texts):
            name = f"{text[:2_000]} {number}"
            fault = Fault(Status.UNREACHABLE, Phase.CONNECT, FaultKind.TIMEOUT, text, text)
            rows.append(HostReport(Host(f"lost {name}", "lost"), Status.UNREACHABLE, fault=fault))
            (decision,) = candidates(text, 1)
            container = replace(decision.container, name=text, image=text, labels={})
            decision = replace(decision, container=container, attributes={"fleetsweep.owner": text})
            log = journal.for_host(Host(name, "box"), "", [decision])
            log.conclude(log.intend(container), Removal(container.id, Outcome.FAILED, text))
            rows.append(surveyed(name, (decision,), outcome=Outcome.FAILED, error=text))
        seen = {row.host.name: found for row in rows if (found := leaks_of(row, Policy())) is not None}
        report = FleetReport("hostile", "sweep", False, NOW_NS, time.time_ns(), 5, tuple(rows))
        journal.finish(report, looked=True, leaks=seen)


def test_the_page_and_the_metrics_agree_and_no_secret_is_in_either(page: Page, run: Run, workdir: Workdir) -> None:
    file, metrics = workdir.directory / "fleet.html", workdir.directory / "fleet.prom"
    labels = {"fleetsweep.owner": f"https://ann:{SECRET}@example.com/x", "db.password": SECRET}
    attributes = [word for label in labels for word in ("--attribute", label)]
    stale = [replace(each, labels=labels) for each in leaks(3)]
    engine = ScriptedEngine([*stale, ScriptedContainer("f" * 64, "postgres", image="postgres:16")])
    with engine.serve(workdir.socket) as url:
        done = run("sweep", *workdir.local(url), "--yes", "--metrics", str(metrics), *attributes)
    assert done.returncode == 0, done.stderr
    assert run("report", "--html", str(file), "--state-dir", str(workdir.state)).returncode == 0
    page.open(file)
    ((name, status, *counts, _, _, _),) = tables(page)["Hosts of the last run"]
    values = {
        sample.name.removeprefix("fleetsweep_host_"): sample.value
        for family in text_string_to_metric_families(metrics.read_text())
        for sample in family.samples
        if sample.labels.get("host") == name
    }
    assert status == "ok"
    assert counts == [
        f"{values[f'{each}_containers' if each else 'containers']:.0f}" for each in ("", "matched", "stale", "removed")
    ]
    for text in (file.read_text(), metrics.read_text()):
        assert SECRET not in text
    assert "fleetsweep.owner=https://********@example.com/x" in file.read_text()

"""What every renderer prints fits the terminal, whatever a box or an inventory is called."""

from __future__ import annotations

import re
from collections import defaultdict

from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from fleetsweep.model.checkup import Checkup
from fleetsweep.model.decision import Finding
from fleetsweep.model.explanation import Explanation
from fleetsweep.model.hold import Hold
from fleetsweep.model.host import Host
from fleetsweep.model.journal import PastHost, PastRemoval, PastRun, Record
from fleetsweep.model.report import FleetReport
from fleetsweep.policy.rules import Policy
from fleetsweep.report import (
    confirmation,
    render,
    render_checkups,
    render_explanation,
    render_history,
    render_holds,
    render_record,
)
from fleetsweep.report.fit import cell_width
from fleetsweep.report.hosts import render_hosts
from tests.report.build import NOW_NS
from tests.report.hostile import reports, texts

many = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
widths = st.sampled_from([40, 60, 80, 120])
names = st.one_of(texts, st.text(alphabet="界한あ🎉e\u0301שלם-.01", max_size=90))
counts = st.integers(0, 10**7)


def widest(text: str) -> int:
    """The cells of the longest line. A command is not counted: it is broken between its words only."""
    text = re.sub(r"^  \$ .*(?:\\\n.*)*", "", text, flags=re.MULTILINE)
    return max(map(cell_width, text.split("\n")))


@many
@given(reports, names, widths, st.booleans())
def test_a_run_and_its_question_fit(made: FleetReport, name: str, width: int, verbose: bool) -> None:
    assert widest(render(made, "table", verbose=verbose, width=width)) <= width
    plans = [host.plan for host in made.hosts if host.plan is not None]
    if plans:
        assert widest(confirmation(plans, verbose=verbose, width=width)) <= width
    decisions = [decision for plan in plans for decision in plan.decisions]
    for decision in decisions[:1]:
        findings = (Finding("max age", name, None), Finding("creation time", name, decision.reason))
        explanation = Explanation(Host(name, name), decision, findings, made.guard)
        assert widest(render_explanation(explanation, "table", width)) <= width


@many
@given(reports, names, widths, st.booleans())
def test_a_checkup_fits(made: FleetReport, command: str, width: int, verbose: bool) -> None:
    checkups = [
        Checkup(
            host.host,
            host.status,
            {},
            engine=host.plan.engine if host.plan else None,
            skew_s=1.0,
            round_trip_s=0.1,
            fault=host.fault,
            guard=host.guard,
            command=command,
        )
        for host in made.hosts
    ]
    assert widest(render_checkups(checkups, 0, "table", verbose=verbose, width=width)) <= width
    assert widest(render_checkups(checkups * 60, 0, "table", verbose=verbose, width=width)) <= width


@many
@given(names, counts, widths)
def test_the_journals_tables_fit(name: str, count: int, width: int) -> None:
    run = PastRun(name, name, False, NOW_NS, NOW_NS + count, 3, count, count, count, count, count)
    hosts = (PastHost(name, name, count, count, count, count, 1.0, 2.0, name),) * 2
    removal = PastRemoval(name, name, name, NOW_NS, name, name, "gone", name)
    hold = Hold(name, name, name, name, name, NOW_NS, NOW_NS)
    assert widest(render_history([run], "table", width)) <= width
    assert widest(render_record(Record(run, hosts, (removal,)), "table", width)) <= width
    assert widest(render_holds([hold], "table", width)) <= width


@many
@given(names, names, widths)
@example("\u0300", "\x1b[2J" * 8, 40)
def test_the_hosts_fit_with_each_variable_and_setting(name: str, value: str, width: int) -> None:
    host = Host(name, value, user=value, groups=(name, value), variables={name: value}, origins={name: value})
    details = {name: (Policy(), defaultdict[str, str](lambda: value))}
    assert widest(render_hosts([host], "table", None, width)) <= width
    assert widest(render_hosts([host], "table", details, width)) <= width


def test_a_row_stays_one_line_at_each_width() -> None:
    hosts = [Host(f"runner-{number:03}.eu-west-1.ci.example.internal", "192.0.2.1") for number in range(200)]
    for width in (60, 80, 120):
        assert len(render_hosts(hosts, "table", None, width).splitlines()) <= 202

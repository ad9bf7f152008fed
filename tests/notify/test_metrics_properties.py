"""Metrics parse, whatever text comes from a box."""

from __future__ import annotations

from hypothesis import HealthCheck, given, settings
from prometheus_client import generate_latest
from prometheus_client.parser import text_string_to_metric_families

from fleetsweep.model.journal import Counters, LastSuccesses
from fleetsweep.model.report import FleetReport
from fleetsweep.notify import metrics
from fleetsweep.report import printable
from tests.report.hostile import reports

KNOWN = metrics.Known(LastSuccesses(None, {}), Counters({"runs": 1}, {}))

many = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])


@many
@given(reports)
def test_metrics_parse_back_with_every_host(made: FleetReport) -> None:
    text = generate_latest(metrics.registry(made, {}, KNOWN)).decode()
    families = list(text_string_to_metric_families(text))
    named = {sample.labels["host"] for family in families for sample in family.samples if "host" in sample.labels}
    assert named == {printable(host.host.name) for host in made.hosts}
    assert {sample.labels["command"] for family in families for sample in family.samples} == {made.command}

"""What a box says stays inside what people, a CI's runner and Prometheus are told of it."""

from __future__ import annotations

import re

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from prometheus_client import generate_latest
from prometheus_client.parser import text_string_to_metric_families

from fleetsweep.model.outcome import Outcome
from fleetsweep.model.report import FleetReport
from fleetsweep.model.survey import Status
from fleetsweep.notify import ci
from fleetsweep.notify import messages as notify
from fleetsweep.notify import prometheus as metrics
from fleetsweep.notify.dispatch import masked, without_addresses
from fleetsweep.report import printable
from fleetsweep.report.cells import NAME_LIMIT
from tests.report.hostile import reports, texts

many = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])


def command(line: str) -> tuple[str, dict[str, str], str] | None:
    """A line as a runner reads it: the command, its properties, its words. None if it is no command."""
    text = line.lstrip()
    found = re.match(r"::([^\s:]*)(?: (.*?))?::(.*)$", text, re.DOTALL)
    if found is None:
        return None
    pairs = (pair.split("=", 1) for pair in (found[2] or "").split(",") if "=" in pair)
    return found[1], {key: _plain(value) for key, value in pairs}, _plain(found[3])


def _plain(text: str) -> str:
    for escaped, plain in (("%0D", "\r"), ("%0A", "\n"), ("%3A", ":"), ("%2C", ","), ("%25", "%")):
        text = text.replace(escaped, plain)
    return text


@many
@given(reports, texts)
def test_each_annotation_is_one_error_of_ours_whatever_a_box_said(made: FleetReport, failure: str) -> None:
    lines = ci.errors(made, failure)
    assert len(lines) <= ci.MOST + 1
    for line in lines:
        # A runner splits at more than line feeds.
        assert line.splitlines() == [line]
        assert line.isprintable()
        read = command(line)
        assert read is not None
        assert read[0] == "error"
        assert read[1].keys() == {"title"}
        assert read[1]["title"].startswith(f"fleetsweep {made.command}")


@many
@given(reports)
def test_every_host_that_is_not_ok_and_every_removal_that_failed_is_annotated(made: FleetReport) -> None:
    lines = ci.errors(made)
    if len(lines) > ci.MOST:
        return
    read = [command(line) for line in lines]
    titles = [item[1]["title"] for item in read if item]
    for host in made.hosts:
        failed = [item for item in host.removals if item.outcome in {Outcome.FAILED, Outcome.UNKNOWN}]
        wanted = len(failed) + (host.status is not Status.OK or host.guard is not None)
        named = titles.count(f"fleetsweep {made.command}: {printable(host.host.name, NAME_LIMIT)}")
        assert named >= min(wanted, 1)
        same = [other for other in made.hosts if other.host.name == host.host.name]
        if len(same) == 1:
            assert named >= wanted


@many
@given(reports, texts)
def test_no_line_of_a_summary_commands_the_runner(made: FleetReport, failure: str) -> None:
    for text in (ci.summary(made), ci.summary(made, failure)):
        assert not any(line.lstrip().startswith("::") for line in text.splitlines())
        assert text.replace("\n", "").isprintable()


@many
@given(reports, texts, texts)
def test_a_message_is_short_plain_text(made: FleetReport, look: str, failure: str) -> None:
    message = notify.compose(made, look, (look,), failure)
    assert message.title.isprintable()
    assert message.body.replace("\n", "").isprintable()
    assert len(message.body.splitlines()) <= notify.MOST_HOSTS + 9
    assert message.good == (made.exit_code == 0)


@many
@given(reports)
def test_metrics_parse_back_with_every_host(made: FleetReport) -> None:
    text = generate_latest(metrics.registry(made, {})).decode()
    families = list(text_string_to_metric_families(text))
    named = {sample.labels["host"] for family in families for sample in family.samples if "host" in sample.labels}
    assert named == {printable(host.host.name) for host in made.hosts}
    assert {sample.labels["command"] for family in families for sample in family.samples} == {made.command}


@given(
    st.from_regex(r"[a-z][a-z0-9]{1,8}://[A-Za-z0-9!$&*+=_.~:@/-]{6,40}", fullmatch=True),
    st.text(alphabet="ab \n'\"", max_size=10),
)
def test_an_address_is_cut_to_its_scheme_wherever_it_stands(url: str, around: str) -> None:
    scheme, _, rest = url.partition("://")
    for text in (f"{around}{url}{around}", f"{around}{rest}{around}", f"{around}{url!r}"):
        # A host may be called as a scheme is.
        assert rest not in masked(text, [url]).replace(scheme, "")
    assert rest not in without_addresses(f"{around} {url} {around}").replace(scheme, "")

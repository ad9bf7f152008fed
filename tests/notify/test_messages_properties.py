"""A message is short plain text, whatever text comes from a box."""

from __future__ import annotations

from hypothesis import HealthCheck, given, settings

from fleetsweep.model.report import FleetReport
from fleetsweep.notify import messages
from fleetsweep.notify.dispatch import RerunCommand
from tests.report.hostile import reports, texts

many = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])


@many
@given(reports, texts, texts)
def test_a_message_is_short_plain_text(made: FleetReport, look: str, failure: str) -> None:
    message = messages.compose(made, RerunCommand((look,), (look,), False, (look,)), failure)
    assert message.title.isprintable()
    assert message.body.replace("\n", "").isprintable()
    assert len(message.body.splitlines()) <= messages.HOST_LIMIT + 9
    assert message.good == (made.exit_code == 0)

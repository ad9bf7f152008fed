"""The records of leaks over many runs."""

from __future__ import annotations

from dataclasses import replace

from fleetsweep.model.leak_history import PastContainer
from tests.report.test_past_container import LEAK
from tests.report.test_removals import REMOVAL


def test_a_container_names_each_host_once_and_when_it_was_last_heard_of() -> None:
    other = replace(LEAK, host="alias", last_seen_ns=LEAK.last_seen_ns + 1)
    found = PastContainer(LEAK.container_id, "db-0", (LEAK, other), (REMOVAL,))
    assert found.hosts == ("runner-1", "alias")
    assert found.last_ns == LEAK.last_seen_ns + 1
    assert replace(found, leaks=()).last_ns == REMOVAL.at_ns

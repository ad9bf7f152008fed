"""Which container is meant, and why it would go or stay."""

from __future__ import annotations

import json

from fleetsweep.model.container import Container
from fleetsweep.model.decision import HostPlan
from fleetsweep.policy.explain import explain_container, matching
from fleetsweep.policy.guards import plan_fleet
from fleetsweep.policy.rules import Policy
from fleetsweep.report import render_explanation
from tests.policy.test_rules import NOW, container, many, survey

ONE = container(id="ab" * 32, name="ws-1")
OTHER = container(id="ac" * 32, name="ws-10")
FLEET = [survey("a", [ONE]), survey("b", [OTHER])]


def found(text: str) -> list[str]:
    return [each.name for _, each in matching(FLEET, text)]


def test_an_exact_name_or_id_wins_over_a_prefix() -> None:
    assert found("ws-1") == ["ws-1"]
    assert found("ab" * 32) == ["ws-1"]
    assert found("ws-") == ["ws-1", "ws-10"]
    assert found("ac") == ["ws-10"]
    assert found("a") == ["ws-1", "ws-10"]
    assert found("s-1") == found("") == []


def test_an_engine_under_two_names_has_each_container_once() -> None:
    assert [host.host.name for host, _ in matching([survey("a", [ONE]), survey("b", [ONE])], "ws-1")] == ["a"]


def explained(item: Container, style: str, policy: Policy | None = None) -> str:
    policy = policy or Policy()
    plan = plan_fleet([survey("a", [item, *many(1)])], {"a": policy})
    (host,) = plan.hosts
    assert isinstance(host, HostPlan)
    return render_explanation(explain_container(item, host, policy, plan.guard), style)


def test_the_first_reason_decides_and_later_ones_are_shown_in_brackets() -> None:
    text = explained(container(labels={"fleetsweep.keep": "yes"}), "table")
    reasons = {line.split("  ")[0]: line.split("  ")[-1].strip() for line in text.splitlines() if "  " in line}
    assert reasons["selectors"] == "-"
    assert reasons["protection"] == "protected"
    assert reasons["max age"] == "(stale)"
    assert text.endswith("verdict: keep (protected)\n")


def test_the_guard_that_stops_a_removal_is_shown() -> None:
    text = explained(ONE, "table", Policy(cap=1))
    assert text.splitlines()[-2:] == [
        "verdict: remove (stale)",
        "but guarded (cap): 2 candidates are more than the cap of 1: nothing is removed here",
    ]
    assert json.loads(explained(ONE, "json", Policy(cap=1)))["guard"]["name"] == "cap"


def test_the_json_has_every_rule_and_the_verdict() -> None:
    made = json.loads(explained(container(started_ns=NOW), "json"))
    assert (made["schema"], made["verdict"], made["reason"]) == ("fleetsweep.explanation/1", "keep", "young")
    assert [rule["rule"] for rule in made["rules"]][:2] == ["selectors", "protection"]
    assert made["rules"][-1]["said"] == "young"


def test_a_name_cannot_write_on_the_terminal() -> None:
    assert "\x1b" not in explained(container(name="ws-\x1b[2J"), "table")


def test_a_container_kept_for_a_dependent_names_it() -> None:
    owner = container(id="c" * 64, name="ws-owner")
    young = container(id="d" * 64, name="ws-young", created_ns=NOW - 1, started_ns=NOW - 1, lives_on=(owner.id,))
    (host,) = plan_fleet([survey("a", [owner, young])], {"a": Policy()}).hosts
    assert isinstance(host, HostPlan)
    text = render_explanation(explain_container(owner, host, Policy(), None), "table")
    assert "ws-young (dddddddddddd) lives in its network, IPC or process namespace" in text
    assert "verdict: keep (in-use)" in text

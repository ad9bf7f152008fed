"""Containers that an orchestrator manages."""

from __future__ import annotations

import pytest

from fleetsweep.policy.orchestrators import LABELS, managed_by
from tests.policy.test_rules import container


@pytest.mark.parametrize("prefix", LABELS)
def test_each_orchestrators_label_is_recognized(prefix: str) -> None:
    assert managed_by(container(labels={prefix: "x"})) == f"owned by an orchestrator, by its label {prefix}"


@pytest.mark.parametrize("key", ["", "swarm", "my.com.docker.swarm.", "com.docker.compose.project", "io.kubernetes"])
def test_other_labels_are_no_orchestrators(key: str) -> None:
    assert managed_by(container(labels={key: "io.kubernetes."})) == ""


def test_without_readable_labels_nothing_is_recognized() -> None:
    assert managed_by(container(labels=None)) == ""


def test_the_engines_own_description_comes_first() -> None:
    found = container(labels={"io.kubernetes.x": ""}, managed_by="the infra container of pod p")
    assert managed_by(found) == "the infra container of pod p"


def test_the_first_label_in_order_is_named_and_a_long_one_is_cut() -> None:
    labels = {"io.kubernetes.b": "", "io.kubernetes.a" + "x" * 100: ""}
    assert managed_by(container(labels=labels)).endswith(" io.kubernetes.a" + "x" * 65)

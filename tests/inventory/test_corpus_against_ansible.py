"""fleetsweep sees in an inventory what Ansible sees: hosts, their order, groups, variables and types."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.inventory.ansible_process import Ansible
from tests.inventory.comparison import assert_agreed
from tests.inventory.corpus import CORPUS, Case


def test_the_corpus_has_one_inventory_for_each_rule() -> None:
    rules = [(case.rule, case.sources) for case in CORPUS]
    assert len(set(rules)) == len(rules) >= 60


@pytest.mark.parametrize("case", CORPUS, ids=lambda case: f"{case.sources[0]}-{case.rule}".replace(" ", "-"))
def test_an_inventory_reads_as_ansible_reads_it(ansible: Ansible, tmp_path: Path, case: Case) -> None:
    sources, cwd = case.lay(tmp_path)
    assert_agreed(ansible, sources, cwd)

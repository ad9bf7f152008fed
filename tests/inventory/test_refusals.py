"""Sources that are refused: the error names the file, and each difference from Ansible is documented."""

from __future__ import annotations

from pathlib import Path

import pytest

from fleetsweep.errors import InventoryError
from fleetsweep.inventory.files import Warnings
from fleetsweep.inventory.sources import read_sources
from tests.inventory.ansible_process import Ansible
from tests.inventory.differences import named_in_docs
from tests.inventory.refusals import BOTH, DIFFERENT, Refusal


def name_of(refusal: Refusal) -> str:
    return f"{refusal.case.sources[0]}-{refusal.case.rule}".replace(" ", "-")


def read(refusal: Refusal, root: Path) -> None:
    """Read the sources and the variables of every host."""
    sources, cwd = refusal.case.lay(root)
    graph = read_sources(sources, cwd=cwd, warnings=Warnings())
    for host in graph.hosts:
        graph.variables_of(host)


@pytest.mark.parametrize("refusal", [*BOTH, *DIFFERENT], ids=name_of)
def test_an_unusable_source_is_an_error_that_names_the_place(tmp_path: Path, refusal: Refusal) -> None:
    with pytest.raises(InventoryError, match=refusal.message):
        read(refusal, tmp_path)


@pytest.mark.parametrize("refusal", BOTH, ids=name_of)
def test_a_source_refused_without_a_difference_is_refused_by_ansible_too(
    ansible: Ansible, tmp_path: Path, refusal: Refusal
) -> None:
    sources, cwd = refusal.case.lay(tmp_path)
    seen = ansible.read(sources, cwd=cwd)
    assert seen.error is not None or not seen.parsed


@pytest.mark.parametrize("refusal", DIFFERENT, ids=name_of)
def test_ansible_reads_a_source_that_shows_a_difference(ansible: Ansible, tmp_path: Path, refusal: Refusal) -> None:
    sources, cwd = refusal.case.lay(tmp_path)
    seen = ansible.read(sources, cwd=cwd)
    assert (seen.error, seen.parsed) == (None, True)


def test_every_difference_is_in_the_table_of_differences() -> None:
    assert {refusal.difference for refusal in DIFFERENT} <= named_in_docs()

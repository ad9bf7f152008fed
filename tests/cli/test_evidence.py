"""The options about what a run keeps of the containers that it finds and removes."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from fleetsweep.cli.config import Chosen, RunConfig, build
from fleetsweep.cli.evidence import AttributeOptions, with_attributes, with_evidence
from fleetsweep.cli.options import ConnectOptions, TargetOptions
from fleetsweep.cli.removal_options import EvidenceOptions
from fleetsweep.console import Output
from fleetsweep.errors import UsageError
from fleetsweep.model.host import Host
from fleetsweep.model.policy_flags import Flags
from fleetsweep.policy.attributes import ATTRIBUTES
from fleetsweep.sweep.evidence import EvidenceRule
from fleetsweep.sweep.spread import Spread


@pytest.fixture
def config(tmp_path: Path) -> RunConfig:
    chosen = Chosen((Host("a", "127.0.0.1"),), Flags())
    return build("sweep", chosen, TargetOptions(), ConnectOptions(), tmp_path, Output())


@pytest.mark.parametrize(("given", "kept"), [((), ATTRIBUTES), (("team",), ("team",))])
def test_the_labels_that_are_named_replace_the_default_ones(
    config: RunConfig, given: tuple[str, ...], kept: tuple[str, ...]
) -> None:
    assert with_attributes(config, AttributeOptions(given)).policies["a"].attributes == kept


def test_evidence_is_required_only_where_the_journal_is_in_the_same_process(config: RunConfig) -> None:
    spread = replace(config, connect=replace(config.connect, spread=Spread(2)))
    assert with_evidence(spread, EvidenceOptions(5)).evidence == EvidenceRule(5)
    with pytest.raises(UsageError, match="--require-evidence"):
        with_evidence(spread, EvidenceOptions(5, True))


def test_a_run_that_removes_keeps_the_inspect_response_and_what_else_is_asked_for(config: RunConfig) -> None:
    assert config.evidence is None
    assert with_evidence(config, EvidenceOptions()).evidence == EvidenceRule(0, required=False)
    assert with_evidence(config, EvidenceOptions(20, True)).evidence == EvidenceRule(20, required=True)

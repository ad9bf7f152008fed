"""The options about what a run keeps of the containers that it finds and removes."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from fleetsweep.cli.command import option

if TYPE_CHECKING:
    from fleetsweep.cli.config import RunConfig
    from fleetsweep.cli.removal_options import EvidenceOptions


@dataclass(frozen=True, slots=True)
class AttributeOptions:
    """Which labels reports keep of a container to remove; empty for the default ones."""

    attributes: tuple[str, ...] = field(
        default=(),
        metadata=option(
            "Output",
            "--attribute",
            metavar="KEY",
            envvar="FLEETSWEEP_ATTRIBUTE",
            help="Keep this label of each stale container in the report and journal, to see where it came from. "
            "Repeatable. [$FLEETSWEEP_ATTRIBUTE; default: org.opencontainers.image.source, "
            "com.docker.compose.project, fleetsweep.owner]",
        ),
    )


def with_attributes(config: RunConfig, options: AttributeOptions) -> RunConfig:
    """Return the config with the label keys that reports keep."""
    if not options.attributes:
        return config
    policies = {name: replace(policy, attributes=options.attributes) for name, policy in config.policies.items()}
    return replace(config, policies=policies)


def with_evidence(config: RunConfig, options: EvidenceOptions) -> RunConfig:
    """Return the config of a run that removes, with what it keeps of each container. Raises UsageError."""
    from fleetsweep.errors import UsageError
    from fleetsweep.sweep.evidence import EvidenceRule

    if options.require_evidence and config.connect.spread is not None:
        raise UsageError("--require-evidence: the journal is not where the removals are: leave out --processes")
    return replace(config, evidence=EvidenceRule(options.logs, options.require_evidence))

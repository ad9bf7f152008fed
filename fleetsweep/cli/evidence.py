"""The options about what a run keeps of the containers that it finds and removes."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from fleetsweep.cli.command import option
from fleetsweep.cli.params import Count

if TYPE_CHECKING:
    from fleetsweep.cli.config import RunConfig


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


@dataclass(frozen=True, slots=True)
class EvidenceOptions:
    """What is kept of a container before it is removed, in addition to its inspect response."""

    logs: int = field(
        default=0,
        metadata=option(
            "Removal",
            "--logs",
            type=Count(0, 100_000),
            metavar="N",
            help="Keep the last N lines of each container's log, at most 64 KiB, with secrets masked. [default: 0]",
        ),
    )
    require_evidence: bool = field(
        default=False,
        metadata=option(
            "Removal",
            "--require-evidence",
            help="Don't remove a container whose details, or log with --logs, can't be kept.",
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

"""``fleetsweep teardown``: remove what one job left, by its baseline or its run label."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from fleetsweep.cli.command import command, option
from fleetsweep.cli.evidence import AttributeOptions, with_attributes, with_evidence
from fleetsweep.cli.notifications import notify_config, notify_refusal
from fleetsweep.cli.options import (
    SELECTORS_GUARDS_AND_DRY_RUN,
    ConnectOptions,
    ListOptions,
    NotifyOptions,
    OutputOptions,
    StateOptions,
    TargetOptions,
)
from fleetsweep.cli.removal_options import EvidenceOptions, LockOptions, ScopeOptions
from fleetsweep.model.policy_flags import Flags

if TYPE_CHECKING:
    from fleetsweep.model.run_scope import Baseline, ResourceKind

EPILOG = """\b
Examples:
  fleetsweep teardown --local --run-label fleetsweep.run=$RUN
        what carries this run's label
  fleetsweep teardown --local --run-label fleetsweep.run=$RUN \\
        --volumes --networks
        with its labelled volumes and networks
  fleetsweep teardown --local --baseline before.json
        what was created since the baseline: needs no label, but no other job
        may share the box
  fleetsweep teardown --local --baseline before.json \\
        --run-label fleetsweep.run=$RUN
        both: what carries another run's label stays
"""


@dataclass(frozen=True, slots=True)
class YesOptions:
    """The confirmation that a sweep takes."""

    yes: bool = field(
        default=False, metadata=option("Removal", "-y", "--yes", help="Accepted as by sweep: a teardown never asks.")
    )


@command(epilog=EPILOG, on_refusal=notify_refusal)
def teardown(
    targets: TargetOptions,
    listing: ListOptions,
    connect: ConnectOptions,
    state: StateOptions,
    scope: ScopeOptions,
    flags: Annotated[Flags, SELECTORS_GUARDS_AND_DRY_RUN],
    removal: LockOptions,
    _: YesOptions,
    output: OutputOptions,
    attributes: AttributeOptions,
    evidence: EvidenceOptions,
    notify: NotifyOptions,
) -> int:
    """Remove what a job left: by baseline or by run label.

    For the end of a job: it does not ask, and no age protects a container. --run-label removes what carries this very
    label and nothing else. --baseline removes what the selectors match, is not in the baseline and was created after
    it; with both, what carries another value of the label stays. Caps, protection, the journal and the verification
    are those of a sweep. A baseline that is missing, damaged, over a day old or another engine's removes nothing and
    exits with 2.
    """
    import click

    from fleetsweep.cli.config import build, choose, report_output
    from fleetsweep.cli.defaults import state_directory
    from fleetsweep.cli.run import execute
    from fleetsweep.cli.targets import list_hosts
    from fleetsweep.model.run_scope import RunScope
    from fleetsweep.notify.dispatch import notify_of_failure
    from fleetsweep.policy.settings import resolve_dry_run

    if listing.list_hosts:
        _resource_kinds(scope)
        resolve_dry_run(flags, os.environ)
        return list_hosts(choose(targets, flags).hosts, targets.expect)
    sent = notify_config(notify, targets, output)

    def run() -> int:
        kinds = _resource_kinds(scope)
        dry_run = resolve_dry_run(flags, os.environ)
        directory = state_directory(state.state_dir)
        config = build("teardown", choose(targets, flags), targets, connect, directory, report_output(output), sent)
        baselines: Mapping[str, Baseline] = {}
        if scope.baseline is not None:
            from fleetsweep.store.baseline_file import load

            baselines = load(Path(scope.baseline), config.hosts, now_ns=time.time_ns())
        if scope.run_label is None and not output.quiet:
            click.echo("fleetsweep: note: jobs that overlap on one box need --run-label: see docs/ci.md", err=True)
        policies = {
            name: replace(policy, run=RunScope(scope.run_label, baselines.get(name)))
            for name, policy in config.policies.items()
        }
        return execute(
            replace(
                with_evidence(with_attributes(replace(config, policies=policies), attributes), evidence),
                remove=not dry_run,
                dry_run=dry_run,
                yes=True,
                volumes=scope.volumes,
                lock_wait_s=removal.lock_wait,
                resource_kinds=kinds,
            )
        )

    return notify_of_failure(sent, run)


def _resource_kinds(scope: ScopeOptions) -> tuple[ResourceKind, ...]:
    """Return which resources are removed in addition to containers. Raises UsageError where no run is named."""
    from fleetsweep.errors import UsageError
    from fleetsweep.model.run_scope import ResourceKind

    if scope.baseline is None and scope.run_label is None:
        raise UsageError("which run's containers? give --run-label KEY=VALUE, --baseline FILE, or both")
    wanted = {ResourceKind.VOLUME: scope.volumes, ResourceKind.NETWORK: scope.networks}
    kinds = tuple(kind for kind in ResourceKind if wanted[kind])
    if kinds and scope.run_label is None:
        raise UsageError(f"--{kinds[0]}s: a baseline does not list them: give --run-label KEY=VALUE, too")
    return kinds

"""``fleetsweep sweep``: survey, ask, remove and verify."""

from __future__ import annotations

import os
from dataclasses import replace
from typing import Annotated

from fleetsweep.cli.command import command
from fleetsweep.cli.evidence import AttributeOptions, with_attributes, with_evidence
from fleetsweep.cli.notifications import notify_config, notify_refusal
from fleetsweep.cli.options import (
    POLICY_AND_DRY_RUN,
    ConnectOptions,
    ListOptions,
    NotifyOptions,
    OutputOptions,
    RerunOptions,
    SavePlanOptions,
    StateOptions,
    TargetOptions,
)
from fleetsweep.cli.removal_options import EvidenceOptions, LockOptions, PlanOptions, SweepOptions
from fleetsweep.cli.spread_options import SpreadOptions
from fleetsweep.model.policy_flags import Flags

EPILOG = """\b
Examples:
  fleetsweep sweep -i inventory.yml --dry-run   what a sweep would remove
  fleetsweep sweep -i inventory.yml             survey, show the plan, ask
  fleetsweep sweep -i inventory.yml --yes       without asking, for a timer
  fleetsweep sweep -i inventory.yml --plan plan.json --yes
                                      what a saved plan says, or less
  fleetsweep sweep --local --max-age 4h --cap 20
                                      this machine, with other limits

Each setting is read from its option, else from the environment (FLEETSWEEP_MAX_AGE, WS_MAX_AGE_HOURS, SAFETY_CAP,
DRY_RUN and so on), else from the host's inventory variable (fleetsweep_max_age and so on).
"""


@command(epilog=EPILOG, on_refusal=notify_refusal)
def sweep(
    targets: TargetOptions,
    rerun: RerunOptions,
    listing: ListOptions,
    connect: ConnectOptions,
    spread: SpreadOptions,
    state: StateOptions,
    flags: Annotated[Flags, POLICY_AND_DRY_RUN],
    sweep_options: SweepOptions,
    plan: PlanOptions,
    removal: LockOptions,
    output: OutputOptions,
    save_plan: SavePlanOptions,
    attributes: AttributeOptions,
    evidence: EvidenceOptions,
    notify: NotifyOptions,
) -> int:
    """Survey, ask, remove, and verify the removal.

    Every host is surveyed before anything is removed. A container is removed if a name, image or label pattern matches
    it and it is older than the max age by its engine's own clock. It stays if it is labelled to be kept, is held,
    belongs to an orchestrator, or its age is unknown. A host is left alone if it has more candidates than the cap, if
    its clock is off, or if it is another host's engine. Each removal is written to the journal before it is requested,
    and counts once the engine no longer lists the container.
    """
    from fleetsweep.cli.config import build, choose, report_output, rerun_hosts
    from fleetsweep.cli.confirm import can_ask
    from fleetsweep.cli.defaults import state_directory
    from fleetsweep.cli.run import execute
    from fleetsweep.cli.targets import list_hosts
    from fleetsweep.errors import UsageError
    from fleetsweep.notify.dispatch import notify_of_failure
    from fleetsweep.policy.settings import resolve_dry_run

    if listing.list_hosts:
        resolve_dry_run(flags, os.environ)
        past = rerun_hosts(rerun, state_directory(state.state_dir))
        return list_hosts(choose(targets, flags, plan, past=past).hosts, targets.expect)
    sent = notify_config(notify, targets, output)

    def run() -> int:
        dry_run = resolve_dry_run(flags, os.environ)
        if not (dry_run or sweep_options.yes or can_ask()):
            raise UsageError("there is no terminal to ask on: give --yes to remove, or --dry-run to look")
        report = report_output(output, save_plan.save_plan)
        directory = state_directory(state.state_dir)
        chosen = choose(targets, flags, plan, rerun_hosts(rerun, directory))
        config = build("sweep", chosen, targets, connect, directory, report, sent, spread)
        return execute(
            replace(
                with_evidence(with_attributes(config, attributes), evidence),
                remove=not dry_run,
                dry_run=dry_run,
                yes=sweep_options.yes,
                volumes=sweep_options.volumes,
                lock_wait_s=removal.lock_wait,
            )
        )

    return notify_of_failure(sent, run)

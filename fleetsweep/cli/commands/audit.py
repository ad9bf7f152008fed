"""``fleetsweep audit``: survey the hosts and report, removing nothing."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Annotated

from fleetsweep.cli.command import command, option
from fleetsweep.cli.evidence import AttributeOptions, with_attributes
from fleetsweep.cli.notifications import notify_config, notify_refusal
from fleetsweep.cli.options import (
    POLICY,
    ConnectOptions,
    ListOptions,
    NotifyOptions,
    OutputOptions,
    RerunOptions,
    SavePlanOptions,
    StateOptions,
    TargetOptions,
)
from fleetsweep.cli.params import Duration
from fleetsweep.cli.spread_options import SpreadOptions
from fleetsweep.model.policy_flags import Flags

EPILOG = """\b
Examples:
  fleetsweep audit -i inventory.yml -l runners    one group
  fleetsweep audit -i inventory.yml -v            with the matched containers
  fleetsweep audit -i inventory.yml --fail-on-stale
                                      exit with 6 if anything is stale
  fleetsweep audit -i inventory.yml --max-silence 26h
                                      name the hosts not seen for so long
  fleetsweep audit -i inventory.yml --format json for a program
  fleetsweep audit -i inventory.yml --save-plan plan.json
"""


@dataclass(frozen=True, slots=True)
class SilenceOptions:
    """After how many seconds without a survey a host is named."""

    max_silence: float | None = field(
        default=None,
        metadata=option(
            "Output",
            "--max-silence",
            type=Duration(),
            help="Name the hosts that no run has surveyed for this long, by the journal.",
        ),
    )


@command(epilog=EPILOG, on_refusal=notify_refusal)
def audit(
    targets: TargetOptions,
    rerun: RerunOptions,
    listing: ListOptions,
    connect: ConnectOptions,
    spread: SpreadOptions,
    state: StateOptions,
    flags: Annotated[Flags, POLICY],
    output: OutputOptions,
    save_plan: SavePlanOptions,
    silence: SilenceOptions,
    attributes: AttributeOptions,
    notify: NotifyOptions,
) -> int:
    """Survey the fleet and report; send only GET requests.

    Prints one row per host: what is there, what matches, what is stale, and which guard would stop a sweep.
    """
    from fleetsweep.cli.config import build, choose, report_output, rerun_hosts
    from fleetsweep.cli.defaults import state_directory
    from fleetsweep.cli.run import execute
    from fleetsweep.cli.targets import list_hosts
    from fleetsweep.notify.dispatch import notify_of_failure

    if listing.list_hosts:
        past = rerun_hosts(rerun, state_directory(state.state_dir))
        return list_hosts(choose(targets, flags, past=past).hosts, targets.expect)
    sent = notify_config(notify, targets, output)

    def run() -> int:
        report = report_output(output, save_plan.save_plan)
        directory = state_directory(state.state_dir)
        chosen = choose(targets, flags, past=rerun_hosts(rerun, directory))
        config = build("audit", chosen, targets, connect, directory, report, sent, spread)
        return execute(replace(with_attributes(config, attributes), max_silence_s=silence.max_silence))

    return notify_of_failure(sent, run)

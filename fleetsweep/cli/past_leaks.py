"""What ``history`` does apart from listing runs: sum up past leaks, and delete old runs."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Final

import click

from fleetsweep.cli.history_options import HistoryOptions, LeakOptions
from fleetsweep.console import columns
from fleetsweep.errors import UsageError
from fleetsweep.exit_codes import OK
from fleetsweep.model.container import SECOND

ROWS: Final = 20
"""The groups that a table has unless --last is given."""

DAY_S: Final = 86_400
SINCE_S: Final = 30 * DAY_S
"""Seconds that are summed up unless --since is given."""


def print_leaks(state_dir: Path, options: HistoryOptions, leaks: LeakOptions, style: str) -> int:
    """Print the sums of past leaks; return the exit code. Raises UsageError."""
    from fleetsweep.policy.leak_stats import By, Grouping, Per, start_of, sum_leaks
    from fleetsweep.report.leaks_table import LeakReport, render_leaks
    from fleetsweep.store.journal import journal_size, leak_history

    if options.failed:
        raise UsageError("--failed selects runs, and --by and --per sum up the leaks of all runs: leave one out")
    now_ns = time.time_ns()
    since_ns = max(0, now_ns - int((SINCE_S if options.since is None else options.since) * SECOND))
    per = Per(leaks.per) if leaks.per else None
    if per is not None:
        # So that the first period is a whole one.
        since_ns = start_of(since_ns, per)
    kind, label = leaks.by or (By.FLEET, "")
    grouping = Grouping(By(kind), label)
    history = leak_history(state_dir, since_ns, now_ns, options.hosts)
    groups = sum_leaks(history, grouping, per, now_ns)
    size = journal_size(state_dir) if options.verbose else None
    most = options.last or (len(groups) if style == "json" else ROWS)
    report = LeakReport(history, grouping, per, groups[:most], max(0, len(groups) - most), size)
    click.echo(render_leaks(report, style, columns()), nl=False)
    if not groups:
        click.echo(
            "No run was recorded in this time." if not history.looks else "No leak was recorded in this time.", err=True
        )
    return OK


def prune_journal(state_dir: Path, keep_s: float, style: str) -> int:
    """Delete what is older than ``keep_s`` seconds, print what went, and return the exit code. Raises UsageError."""
    from fleetsweep.report.journal_size import render_pruned
    from fleetsweep.store.journal import prune

    if keep_s < DAY_S:
        raise UsageError("--keep: keep at least 1d: a run that is still going must stay")
    holder = f"history prune (process {os.getpid()})"
    pruned = prune(state_dir, int(keep_s * SECOND), time.time_ns(), holder)
    click.echo(render_pruned(pruned, style), nl=False)
    return OK

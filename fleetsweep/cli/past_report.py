"""The report that a past run printed, from the journal."""

from __future__ import annotations

from pathlib import Path

from fleetsweep.console import warn
from fleetsweep.model.journal import PastRun
from fleetsweep.report.json_report import JsonObject


def past_report(state_dir: Path, run: PastRun) -> JsonObject | None:
    """Return a run's report, as ``--format json`` printed it; None, after a warning, where it is not kept."""
    from fleetsweep.report import printable
    from fleetsweep.report.archive import decompress
    from fleetsweep.store.journal import report_parts

    parts = report_parts(state_dir, run.id)
    name = f"run {printable(run.id)}"
    if not parts:
        missing = (
            "did not end, so it has no report"
            if run.exit_code is None
            else "has no report in the journal: it is past the size that is kept, or an older version ran"
        )
        warn(f'{name} {missing}: "report" is null')
        return None
    try:
        return decompress(parts)
    except ValueError as error:
        warn(f'{name}: its report in the journal is damaged ({printable(str(error))}): "report" is null')
        return None

"""A ``jsonl`` report on stdout, printed row by row while the run goes on."""

from __future__ import annotations

import logging
import sys
import threading
from collections.abc import Sequence
from contextlib import suppress
from queue import Empty, SimpleQueue
from types import TracebackType
from typing import Final

from fleetsweep.cli.print_report import fallback
from fleetsweep.console import Output, deliver, undelivered
from fleetsweep.exit_codes import BUG, worst
from fleetsweep.model.report import FleetReport, HostReport

log = logging.getLogger(__name__)

ROWS_AT_ONCE: Final = 100
"""The most rows that are written at once."""


class RowPrinter:
    """Prints rows in a thread of its own, so that a reader that does not read can't hold up the run.

    After an error nothing more is printed, and ``finish`` reports it. Leaving the context prints what is queued.
    """

    def __init__(self) -> None:
        self._waiting: SimpleQueue[HostReport | None] = SimpleQueue()
        self._printed: set[str] = set()
        self._error: OSError | None = None
        self._bug = False
        self._thread = threading.Thread(target=self._print_all, name="fleetsweep-rows", daemon=True)

    def __enter__(self) -> RowPrinter:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._stop()

    def print(self, row: HostReport) -> None:
        """Queue a row that no later step changes."""
        self._waiting.put(row)

    def finish(self, report: FleetReport, output: Output) -> int:
        """Print the rows that were not final before the end, then the line of the run. Return the exit code."""
        from fleetsweep.report.jsonl import head_line, lines

        self._stop()
        if self._error is not None:
            return undelivered(self._error, report.exit_code)
        left = [row for row in report.hosts if row.host.name not in self._printed]
        if not self._bug:
            try:
                return deliver(lines(left) + head_line(report), output, report.exit_code)
            except Exception:
                log.exception("a bug in the report")
        return deliver(fallback(left), output, worst(report.exit_code, BUG))

    def _stop(self) -> None:
        """Wait until what is queued is printed. To be called again is no error."""
        self._waiting.put(None)
        self._thread.join()

    def _print_all(self) -> None:
        """Print the rows as they come, until the end mark None."""
        ended = False
        while not ended:
            batch = [self._waiting.get()]
            with suppress(Empty):
                while len(batch) < ROWS_AT_ONCE:
                    batch.append(self._waiting.get_nowait())
            ended = None in batch
            if self._error is None and not self._bug:
                self._print([row for row in batch if row is not None])

    def _print(self, rows: Sequence[HostReport]) -> None:
        from fleetsweep.report.jsonl import lines

        try:
            sys.stdout.write(lines(rows))
            sys.stdout.flush()
            self._printed.update(row.host.name for row in rows)
        except OSError as error:
            self._error = error
        except Exception:
            log.exception("a bug in the report")
            self._bug = True

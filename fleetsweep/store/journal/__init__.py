"""The journal: runs, an intent before and an outcome after each removal, and holds, in an SQLite database."""

from __future__ import annotations

from fleetsweep.store.journal.database import KEPT_NS, JournalError, NoJournalError, NoRunError
from fleetsweep.store.journal.evidence import past_evidence
from fleetsweep.store.journal.holds import holds, place_hold, release_hold
from fleetsweep.store.journal.leak_queries import leak_history, past_containers
from fleetsweep.store.journal.prune import journal_size, prune
from fleetsweep.store.journal.queries import past_runs, record
from fleetsweep.store.journal.removals import report_parts
from fleetsweep.store.journal.report_queries import overview
from fleetsweep.store.journal.writer import HostJournal, Journal

__all__ = [
    "KEPT_NS",
    "HostJournal",
    "Journal",
    "JournalError",
    "NoJournalError",
    "NoRunError",
    "holds",
    "journal_size",
    "leak_history",
    "overview",
    "past_containers",
    "past_evidence",
    "past_runs",
    "place_hold",
    "prune",
    "record",
    "release_hold",
    "report_parts",
]

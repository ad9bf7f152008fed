"""The journal: runs, an intent before and an outcome after each removal, and holds, in an SQLite database."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

from fleetsweep.runtime.lazy import lazy_names
from fleetsweep.store.journal.database import KEPT_NS, JournalError, NoJournalError, NoRunError
from fleetsweep.store.journal.holds import holds, place_hold, release_hold
from fleetsweep.store.journal.writer import HostJournal, Journal

if TYPE_CHECKING:
    from fleetsweep.store.journal.evidence import past_evidence
    from fleetsweep.store.journal.leak_queries import leak_history, past_containers
    from fleetsweep.store.journal.pruning import journal_size, prune
    from fleetsweep.store.journal.queries import past_runs, record
    from fleetsweep.store.journal.removals import report_parts
    from fleetsweep.store.journal.report_queries import overview

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

_MODULES: Final[Mapping[str, str]] = {
    "journal_size": "pruning",
    "leak_history": "leak_queries",
    "overview": "report_queries",
    "past_containers": "leak_queries",
    "past_evidence": "evidence",
    "past_runs": "queries",
    "prune": "pruning",
    "record": "queries",
    "report_parts": "removals",
}

__getattr__ = lazy_names(__name__, _MODULES)

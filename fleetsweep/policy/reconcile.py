"""Reconcile the intents that earlier runs left open with this run's surveys. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from fleetsweep.model.intent import OpenIntent, SettledAs, Settlement
from fleetsweep.model.survey import FailedSurvey, Survey
from fleetsweep.policy.identity import identity_of


class Concern:
    """Which hosts' surveys ``settle`` needs: those that it may attribute one of the open intents to."""

    def __init__(self, open_intents: Sequence[OpenIntent]) -> None:
        self._hosts = frozenset(intent.host for intent in open_intents)
        self._identities = frozenset(intent.identity for intent in open_intents)

    def of(self, found: Survey | FailedSurvey) -> bool:
        """Whether an intent names this host or, as far as it was surveyed, its engine."""
        if found.host.name in self._hosts:
            return True
        return (
            bool(self._identities)
            and isinstance(found, Survey)
            and identity_of(found.host, found.engine) in self._identities
        )


def settle(
    open_intents: Sequence[OpenIntent], surveys: Sequence[Survey | FailedSurvey]
) -> Mapping[str, tuple[Settlement, ...]]:
    """Return the outcome of each open intent that concerns a surveyed host, by the name of that host.

    Only the engine that the removal was planned on can settle it, whatever name or address it has now. If another
    engine responds for the host, or none, the intent stays open. The outcome is unknown for volumes and networks,
    which are not in the list of containers, and for an intent that does not record its engine.
    """
    by_identity: dict[str, Survey] = {}
    for item in surveys:
        if isinstance(item, Survey):
            by_identity.setdefault(identity_of(item.host, item.engine), item)
    listed = {identity: {one.id for one in item.containers} for identity, item in by_identity.items()}
    selected = {item.host.name: item for item in surveys}
    settled: dict[str, list[Settlement]] = {}
    for intent in open_intents:
        if intent.identity in by_identity:
            where = by_identity[intent.identity].host
            found = Settlement(intent, _outcome(intent.container_id, listed[intent.identity]))
        elif intent.host in selected:
            item = selected[intent.host]
            never = not intent.identity and isinstance(item, Survey)
            where, found = item.host, Settlement(intent, SettledAs.UNKNOWN, final=never)
        else:
            continue
        settled.setdefault(where.name, []).append(found)
    return {name: tuple(found) for name, found in settled.items()}


def _outcome(target_id: str, listed: set[str]) -> SettledAs:
    if ":" in target_id:
        return SettledAs.UNKNOWN
    return SettledAs.STILL_THERE if target_id in listed else SettledAs.GONE

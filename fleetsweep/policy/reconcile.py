"""Settling what earlier runs left open: pure, from this run's surveys."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from fleetsweep.model.journal import OpenIntent, SettledAs, Settlement
from fleetsweep.model.survey import FailedSurvey, Survey
from fleetsweep.policy.identity import identity_of


def settle(
    open_intents: Sequence[OpenIntent], surveys: Sequence[Survey | FailedSurvey]
) -> Mapping[str, tuple[Settlement, ...]]:
    """What became of each open intent that concerns a surveyed host, by the name of that host.

    Only the engine that the removal was planned on can tell, whatever name or address leads to it now. Where another
    one answers for the host, or none, the intent stays open. Volumes and networks are not on the list of containers, so
    nothing can be told of theirs; neither of an intent that does not say which engine it was planned on.
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
            found = Settlement(intent, _seen(intent.container_id, listed[intent.identity]))
        elif intent.host in selected:
            item = selected[intent.host]
            never = not intent.identity and isinstance(item, Survey)
            where, found = item.host, Settlement(intent, SettledAs.UNKNOWN, final=never)
        else:
            continue
        settled.setdefault(where.name, []).append(found)
    return {name: tuple(found) for name, found in settled.items()}


def _seen(target_id: str, listed: set[str]) -> SettledAs:
    if ":" in target_id:
        return SettledAs.UNKNOWN
    return SettledAs.STILL_THERE if target_id in listed else SettledAs.GONE

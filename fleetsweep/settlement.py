"""Settling what earlier runs left open: pure, from this run's surveys."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from fleetsweep.model import Lost, OpenIntent, SettledAs, Settlement, Survey


def settle(
    open_intents: Sequence[OpenIntent], surveys: Sequence[Survey | Lost]
) -> Mapping[str, tuple[Settlement, ...]]:
    """What became of each open intent that concerns a surveyed host, by the name of that host.

    A container's id is its own on every engine, so wherever it is listed it is still there. It is gone only when
    the very place where it was is looked at and does not list it: a host name that leads to another place now
    proves nothing. Volumes and networks are not on that list, so of theirs nothing can be told.
    """
    holders = {container.id: item for item in surveys if isinstance(item, Survey) for container in item.containers}
    looked_at = {item.host.endpoint: item for item in surveys if isinstance(item, Survey)}
    selected = {item.host.name: item for item in surveys}
    settled: dict[str, list[Settlement]] = {}
    for intent in open_intents:
        if intent.container_id in holders:
            where, found = holders[intent.container_id].host, Settlement(intent, SettledAs.STILL_THERE)
        elif intent.endpoint in looked_at:
            listed = ":" not in intent.container_id
            what = SettledAs.GONE if listed else SettledAs.UNKNOWN
            where, found = looked_at[intent.endpoint].host, Settlement(intent, what)
        elif intent.host in selected:
            # A host that was looked at elsewhere has moved and will never tell; one that was not may do so next time.
            item = selected[intent.host]
            where, found = item.host, Settlement(intent, SettledAs.UNKNOWN, final=isinstance(item, Survey))
        else:
            continue
        settled.setdefault(where.name, []).append(found)
    return {name: tuple(found) for name, found in settled.items()}

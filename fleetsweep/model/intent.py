"""Removals whose outcome an earlier run did not learn, and what a later run found of them."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


@dataclass(frozen=True, slots=True)
class OpenIntent:
    """A removal that an earlier run intended without learning its outcome, for example because it was killed.

    ``endpoint`` is ``Host.endpoint`` as it was then; ``at_ns`` the controller's clock. ``identity`` is
    ``identity_of`` the engine that it was planned on; empty if an older version recorded the intent.
    """

    number: int
    run_id: str
    host: str
    endpoint: str
    container_id: str
    name: str
    at_ns: int
    identity: str = ""


class SettledAs(StrEnum):
    """What a later survey found of an open intent's container."""

    GONE = "gone"
    STILL_THERE = "still-there"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Settlement:
    """An open intent and what this run found of it. ``final`` is False if its engine could not be surveyed."""

    intent: OpenIntent
    outcome: SettledAs
    final: bool = True

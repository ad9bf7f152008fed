"""The states of a container, by the engines' own names, and what follows from each. Pure.

Docker: https://docs.docker.com/reference/api/engine/ (``State.Status``). Podman: ``libpod/define/containerstate.go``.
"""

from __future__ import annotations

from typing import Final

DOCKER: Final = frozenset({"created", "running", "paused", "restarting", "removing", "exited", "dead"})

PODMAN: Final = frozenset(
    {"configured", "created", "initialized", "running", "stopping", "stopped", "paused", "exited", "removing"}
)
"""Podman's own ``unknown`` is left out: such a container is kept."""

KNOWN: Final = DOCKER | PODMAN
"""A container in any other state is kept, because the effect of removing it is not known."""

STARTED: Final = frozenset({"running", "paused", "restarting", "stopping"})
"""States in which the container has processes, and so a start time."""

MAY_NEVER_HAVE_STARTED: Final = frozenset({"created", "configured", "initialized", "dead"})
"""States in which a zero start time is valid, so that the age runs from creation. A failed removal leaves ``dead``.

In any other state a zero start time is an error: accepting it would age a restarted container by its creation.
"""

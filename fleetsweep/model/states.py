"""The states of a container, by the engines' own names, and what follows from each. Pure.

Docker: https://docs.docker.com/reference/api/engine/ (``State.Status``). Podman: ``libpod/define/containerstate.go``.
"""

from __future__ import annotations

from typing import Final

DOCKER: Final = frozenset({"created", "running", "paused", "restarting", "removing", "exited", "dead"})

PODMAN: Final = frozenset(
    {"configured", "created", "initialized", "running", "stopping", "stopped", "paused", "exited", "removing"}
)
"""Without its ``unknown``, by which Podman says that it does not know either."""

KNOWN: Final = DOCKER | PODMAN
"""A container in any other state is kept: nobody knows what removing it would do."""

STARTED: Final = frozenset({"running", "paused", "restarting", "stopping"})
"""Its processes are there, so it has a start time."""

MAY_NEVER_HAVE_STARTED: Final = frozenset({"created", "configured", "initialized", "dead"})
"""Here a zero start time is believed, and the creation gives the age. ``dead`` is what a failed removal leaves.

In any other state it is a field gone wrong: believed, it would age what was restarted by its creation.
"""

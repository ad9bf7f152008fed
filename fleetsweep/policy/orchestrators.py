"""Whose a container is that somebody else looks after: an orchestrator would only start another in its place. Pure."""

from __future__ import annotations

from typing import Final

from fleetsweep.model.container import Container

LABELS: Final = (
    "com.docker.swarm.",
    "io.kubernetes.",
    "com.hashicorp.nomad.",
    "com.amazonaws.ecs.",
    "PODMAN_SYSTEMD_UNIT",  # systemd: quadlet, podman generate systemd, podman-compose
    "io.rancher.container.",
    "io.balena.supervised",
    "net.azure-devices.edge.",
)
"""How the keys of the labels begin that orchestrators put on their containers."""


def managed_by(container: Container) -> str:
    """Who looks after the container, in words; empty where nobody does."""
    if container.managed_by:
        return container.managed_by
    label = next((key for key in sorted(container.labels or ()) if key.startswith(LABELS)), None)
    return f"owned by an orchestrator, by its label {label[:80]}" if label is not None else ""

"""Recognize containers that an orchestrator manages: it would only start another one in their place. Pure."""

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
"""Prefixes of the label keys that orchestrators put on their containers."""


def managed_by(container: Container) -> str:
    """Return a description of what manages the container; empty if nothing does."""
    if container.managed_by:
        return container.managed_by
    label = next((key for key in sorted(container.labels or ()) if key.startswith(LABELS)), None)
    return f"owned by an orchestrator, by its label {label[:80]}" if label is not None else ""

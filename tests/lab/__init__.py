"""A fleet of runner boxes on this machine: each a private dockerd and a private sshd."""

from tests.lab.box import Box, Spec
from tests.lab.lab import Lab, LabUnavailable, missing

__all__ = ["Box", "Lab", "LabUnavailable", "Spec", "missing"]

"""An inventory to schedule a run for."""

from __future__ import annotations

from pathlib import Path

import pytest


@pytest.fixture
def inventory(tmp_path: Path) -> Path:
    path = tmp_path / "inventory.ini"
    path.write_text("runner-1\nrunner-2 ansible_ssh_private_key_file=/etc/fleetsweep/key\n")
    return path

"""The options for every SSH connection."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import FrozenInstanceError

import pytest

from fleetsweep.ssh.options import SshOptions, Trust


def test_the_defaults_leave_every_choice_to_the_ssh_configuration() -> None:
    options = SshOptions()
    assert (options.user, options.key_file, options.ssh_config, options.known_hosts, options.host_key) == (None,) * 5
    assert options.timeout_s == 10.0


def test_options_are_frozen() -> None:
    with pytest.raises(FrozenInstanceError):
        SshOptions().user = "root"  # type: ignore[misc]


def test_no_value_of_trust_accepts_a_changed_key() -> None:
    assert {trust.value for trust in Trust} == {"strict", "accept-new"}


def test_the_options_load_no_ssh_client() -> None:
    code = "import fleetsweep.ssh, sys; print([name for name in ('paramiko', 'fabric') if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert done.stdout == "[]\n"

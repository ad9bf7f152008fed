"""The SSH libraries are loaded without asyncio, unittest.mock and a second YAML parser, and work all the same."""

from __future__ import annotations

import subprocess
import sys


def test_the_ssh_client_loads_neither_asyncio_nor_mocks_and_both_can_be_imported_later() -> None:
    code = """
import sys
import fleetsweep.ssh.bastions
assert not {"asyncio", "unittest.mock", "invoke.vendor.yaml"} & set(sys.modules)
import invoke, invoke.vendor.yaml, unittest.mock
assert unittest.mock.MagicMock
assert invoke.MockContext(run=invoke.Result("mocked")).run("x").stdout == "mocked"
"""
    subprocess.run([sys.executable, "-c", code], check=True)

"""One process of Ansible for all tests of a worker."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.inventory.ansible_process import Ansible


@pytest.fixture(scope="session")
def ansible() -> Iterator[Ansible]:
    """Return the process that reads inventories with Ansible."""
    with Ansible() as child:
        yield child

"""One child that asks Ansible, for all the tests of a worker."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.inventory.ansible_process import Ansible


@pytest.fixture(scope="session")
def ansible() -> Iterator[Ansible]:
    """Ansible itself."""
    with Ansible() as child:
        yield child

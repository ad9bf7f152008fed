"""Which labels are kept to show where a container came from, and what is masked in them."""

from __future__ import annotations

import pytest

from fleetsweep.model.redact import MASK
from fleetsweep.policy.attributes import ATTRIBUTES, VALUE_LIMIT, attributes_of


def test_only_the_named_labels_are_kept_in_the_order_of_the_names() -> None:
    labels = {"fleetsweep.owner": "team-a", "other": "x", "org.opencontainers.image.source": "https://example.com/r"}
    assert list(attributes_of(labels, ATTRIBUTES).items()) == [
        ("org.opencontainers.image.source", "https://example.com/r"),
        ("fleetsweep.owner", "team-a"),
    ]


@pytest.mark.parametrize("labels", [None, {}])
def test_a_container_without_readable_labels_has_none(labels: dict[str, str] | None) -> None:
    assert attributes_of(labels, ATTRIBUTES) == {}


def test_secrets_are_masked_and_long_values_cut() -> None:
    labels = {
        "ci.token": "abc",
        "registry_password": "abc",
        "source": "https://user:abc@example.com/repo?x=1",
        "long": "x" * 9000,
    }
    assert attributes_of(labels, labels) == {
        "ci.token": MASK,
        "registry_password": MASK,
        "source": f"https://{MASK}@example.com/repo?x=1",
        "long": "x" * VALUE_LIMIT,
    }

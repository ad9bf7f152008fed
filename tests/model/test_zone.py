"""The names of zones."""

from __future__ import annotations

import pytest

from fleetsweep.model.zone import check_zone


@pytest.mark.parametrize("name", ["north", "a", "9", "DC_1-b", "x" * 63])
def test_a_plain_word_is_a_zone(name: str) -> None:
    assert check_zone(name) == name


@pytest.mark.parametrize("name", ["", "a b", "a=1", "a,b", "-a", "a.b", "a\n", "x" * 64, "ä", "a/b"])
def test_what_a_resource_or_a_unit_can_not_hold_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="is not a zone"):
        check_zone(name)

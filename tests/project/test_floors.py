"""What pyproject.toml says of its dependencies. ``make floors`` tries the oldest of them."""

from __future__ import annotations

from fleetsweep.notify import messages, prometheus
from tests.floors import floors, pins


def version(text: str) -> tuple[int, ...]:
    return tuple(int(part) for part in text.split(".") if part.isdigit())


def test_every_dependency_has_a_floor_and_is_pinned_no_lower_than_it() -> None:
    pinned = pins()
    assert {name for name, floor in floors().items() if version(pinned[name]) < version(floor)} == set()


def test_click_is_one_whose_types_can_be_parametrized() -> None:
    assert version(floors()["click"]) >= (8, 4)


def test_the_extras_are_what_the_remedies_name() -> None:
    wanted = [messages.REQUIREMENT, prometheus.REQUIREMENT]
    assert wanted == [f"{name}>={floors()[name]}" for name in ("apprise", "prometheus-client")]

"""The size and time limits of templates."""

from __future__ import annotations

import pytest

from fleetsweep.inventory.limits import SIZE_LIMIT, Lazy, RenderTime, bounded, tick


@pytest.mark.parametrize(
    "value",
    ["x" * (SIZE_LIMIT + 1), [0] * SIZE_LIMIT, {"k": "x" * SIZE_LIMIT}, 10 ** (4 * SIZE_LIMIT)],
    ids=["text", "list", "mapping", "number"],
)
def test_a_value_beyond_the_limit_is_an_error(value: object) -> None:
    with pytest.raises(ValueError, match="made more than 65536 characters and items"):
        bounded(value)


def test_a_part_that_occurs_twice_counts_twice() -> None:
    part = "x" * (SIZE_LIMIT // 2)
    assert bounded([part]) == [part]
    with pytest.raises(ValueError, match="made more than"):
        bounded([part, part])


def test_the_content_of_a_lazy_container_counts_only_when_it_is_taken_out() -> None:
    class Everything(Lazy, list[str]):
        pass

    value = Everything(["x" * (SIZE_LIMIT + 1)])
    assert bounded(value) is value


def test_without_a_budget_a_step_is_free() -> None:
    tick()


def test_a_spent_budget_ends_the_next_step_and_names_its_templates() -> None:
    budget = RenderTime(-1.0, "the templates of a")
    with budget, pytest.raises(ValueError, match=r"the templates of a took more than -1 s"):
        tick()
    tick()


def test_the_outer_budget_ends_a_step_of_an_inner_one() -> None:
    everyone = RenderTime(-1.0, "the templates of all hosts")
    with RenderTime(60.0, "the templates of a", everyone), pytest.raises(ValueError, match="of all hosts took more"):
        tick()

"""A fixed sample of decisions, printed: the same bytes in every environment. Run as ``python -m``."""

from __future__ import annotations

from itertools import product

from fleetsweep.model.host import Host
from fleetsweep.model.policy_flags import Flags
from fleetsweep.policy.guards import plan_fleet
from fleetsweep.policy.rules import Policy
from fleetsweep.policy.settings import resolve
from tests.generators.flow import survey_of
from tests.generators.strategies import HOUR_S, IMAGES, KEEP, LABELS, NAMES, Truth, full_id, honest

HOLDS = ("", "OFF", "İ", "until:2027-01-15T08:00:00", "until:2027-01-15T08:00:01", "until:2027-01-15T09:00+01:00")
AGES = (HOUR_S, 2 * HOUR_S, 2 * HOUR_S + 1, 72 * HOUR_S)


def sample() -> list[Truth]:
    """Containers of every name, image, age and hold, and of every label."""
    combinations = product(NAMES, IMAGES, AGES, (None, *HOLDS))
    box = [
        Truth(
            full_id(number),
            name,
            image,
            moved=number % 2 == 0,
            created_age=age,
            started_age=age,
            labels={} if hold is None else {KEEP: hold, "i": str(number)},
        )
        for number, (name, image, age, hold) in enumerate(combinations)
    ]
    pairs = [{key: value} for key, values in LABELS.items() for value in values]
    return [*box, *(Truth(full_id(10**6 + number), labels=labels) for number, labels in enumerate(pairs))]


def main() -> None:
    """Print every decision under a few policies."""
    flags = Flags(names=("(?i)^ws-[0-9]",), images=("[!p]*/x", "HOST*"), labels=("team=ci",), max_lifetime="3d")
    for policy in (Policy(), resolve(flags, {}, Host("a", "a"))):
        plan = plan_fleet([survey_of("a", honest(sample(), policy))], {"a": policy})
        for host in plan.hosts:
            print(host)


if __name__ == "__main__":
    main()

"""What ``fleetsweep explain`` prints, and the plan that a sweep shows before it asks."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import Final

from fleetsweep.model.decision import Finding, HostPlan, Verdict
from fleetsweep.model.durations import compared
from fleetsweep.model.explanation import Explanation
from fleetsweep.report.cells import IMAGE_LIMIT, NAME_LIMIT, NOTHING, SHORT_ID, humanize
from fleetsweep.report.escape import printable, well_formed
from fleetsweep.report.fit import Column, name_column, number_column, table, text_column, wrap
from fleetsweep.report.groups import grouped, names
from fleetsweep.report.problems import guard_line

SCHEMA: Final = "fleetsweep.explanation/1"

_RULES_OF_AGE: Final = frozenset(
    {"creation time", "creation age", "start time", "max age", "max lifetime", "created after the baseline"}
)
_SECONDS: Final = re.compile(r"\b([0-9]+) s\b")
_COLUMNS: Final = (Column("RULE"), text_column("SAW"), Column("SAID"))
_CANDIDATE_COLUMNS: Final = (
    name_column("HOST"),
    name_column("NAME"),
    Column("ID", rank=2),
    name_column("IMAGE", rank=1),
    number_column("AGE"),
    Column("REASON"),
)
_INDENT: Final = "    "

FIRST: Final = 10
"""Containers that the question before a removal names."""


def render_explanation(explanation: Explanation, format: str, width: int | None = None) -> str:
    """Return each rule's input and finding in order, then the verdict; ``format`` is table or json."""
    return _as_json(explanation) if format == "json" else _as_table(explanation, width)


def _as_table(explanation: Explanation, width: int | None) -> str:
    decision = explanation.decision
    container = decision.container
    decided = False
    rows = []
    for finding in explanation.findings:
        reason = finding.reason.value if finding.reason else NOTHING
        # The first rule with a reason decides; the reasons of later ones are shown in parentheses.
        rows.append([finding.rule, printable(_saw(finding)), f"({reason})" if decided and finding.reason else reason])
        decided = decided or finding.reason is not None
    head = (
        f"{printable(container.name, NAME_LIMIT)} ({printable(container.id[:SHORT_ID])}) on "
        f"{printable(explanation.host.name, NAME_LIMIT)}: {printable(container.state)}, "
        f"image {printable(container.image, IMAGE_LIMIT)}"
    )
    verdict = f"verdict: {decision.verdict.value} ({decision.reason.value})"
    guard = [f"but {guard_line(explanation.guard)}"] if explanation.guard else []
    removes = decision.verdict is Verdict.REMOVE
    last = [line for text in (verdict, *(guard if removes else [])) for line in wrap(text, width, _INDENT)]
    return "\n".join([*wrap(head, width, _INDENT), "", *table(_COLUMNS, rows, width), "", *last]) + "\n"


def _saw(finding: Finding) -> str:
    """Return what a rule saw, with its seconds as people say them. Only what the rules of age see has no box's text."""
    if finding.rule not in _RULES_OF_AGE:
        return finding.saw
    words = iter(compared(*map(int, _SECONDS.findall(finding.saw))))
    return _SECONDS.sub(lambda _: next(words), finding.saw)


def _as_json(explanation: Explanation) -> str:
    decision = explanation.decision
    container = decision.container
    guard = explanation.guard
    return (
        json.dumps(
            {
                "schema": SCHEMA,
                "host": well_formed(explanation.host.name),
                "id": well_formed(container.id),
                "name": well_formed(container.name),
                "image": well_formed(container.image),
                "state": well_formed(container.state),
                "rules": [
                    {
                        "rule": finding.rule,
                        "saw": well_formed(finding.saw),
                        "said": finding.reason.value if finding.reason else None,
                    }
                    for finding in explanation.findings
                ],
                "verdict": decision.verdict.value,
                "reason": decision.reason.value,
                "guard": {"name": guard.name.value, "message": well_formed(guard.message)} if guard else None,
            },
            indent=2,
        )
        + "\n"
    )


def confirmation(plans: Sequence[HostPlan], *, verbose: bool, width: int | None = None) -> str:
    """Return what would be removed: the first containers, with ``verbose`` all of them, then each host's counts."""
    rows = [
        [
            printable(plan.host.name, NAME_LIMIT),
            printable(decision.container.name, NAME_LIMIT),
            printable(decision.container.id[:SHORT_ID]),
            printable(decision.container.image, IMAGE_LIMIT),
            humanize(decision.age_s),
            decision.reason.value,
        ]
        for plan in plans
        for decision in plan.candidates
    ]
    shown = rows if verbose else rows[:FIRST]
    lines = table(_CANDIDATE_COLUMNS, shown, width) if shown else []
    if len(shown) < len(rows):
        lines.append(f"... and {len(rows) - len(shown)} more (-v names each)")
    groups = grouped(plans, _counts)
    if len(groups) > FIRST:
        groups = grouped(plans, lambda plan: (len(plan.candidates), len(plan.resources)))
    counts = [piece for group in groups for piece in wrap(_counts_line(group), width, _INDENT)]
    return "\n".join([*lines, *([""] if lines else []), *counts]) + "\n"


def _counts(plan: HostPlan) -> tuple[int, int, int, str]:
    return len(plan.candidates), plan.containers, len(plan.resources), _oldest([plan])


def _oldest(plans: Sequence[HostPlan]) -> str:
    return humanize(max((d.age_s for plan in plans for d in plan.candidates if d.age_s is not None), default=None))


def _counts_line(plans: Sequence[HostPlan]) -> str:
    """Return the counts of hosts that have the same number of candidates."""
    first = plans[0]
    of = f" of {first.containers}" if len({plan.containers for plan in plans}) == 1 else ""
    each = " each" if len(plans) > 1 else ""
    resources = f", {len(first.resources)} volumes and networks" if first.resources else ""
    return (
        f"{names([plan.host for plan in plans])}: {len(first.candidates)}{of} containers{each}{resources}, "
        f"the oldest {_oldest(plans)} old"
    )

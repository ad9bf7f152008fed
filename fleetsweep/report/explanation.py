"""What ``fleetsweep explain`` prints, and the plan that a sweep shows before it asks."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Final

from fleetsweep.model.decision import Explanation, HostPlan, Verdict
from fleetsweep.report.cells import IMAGE_LIMIT, NAME_LIMIT, NOTHING, SHORT_ID, humanize
from fleetsweep.report.escape import printable, well_formed
from fleetsweep.report.problems import guard_line
from fleetsweep.report.table import grid

SCHEMA: Final = "fleetsweep.explanation/1"


def render_explanation(explanation: Explanation, format: str) -> str:
    """Return each rule's input and finding in order, then the verdict; ``format`` is table or json."""
    return _as_json(explanation) if format == "json" else _as_table(explanation)


def _as_table(explanation: Explanation) -> str:
    decision = explanation.decision
    container = decision.container
    decided = False
    rows = []
    for finding in explanation.findings:
        reason = finding.reason.value if finding.reason else NOTHING
        # The first rule with a reason decides; the reasons of later ones are shown in parentheses.
        rows.append([finding.rule, printable(finding.saw), f"({reason})" if decided and finding.reason else reason])
        decided = decided or finding.reason is not None
    head = (
        f"{printable(container.name, NAME_LIMIT)} ({printable(container.id[:SHORT_ID])}) on "
        f"{printable(explanation.host.name, NAME_LIMIT)}: {printable(container.state)}, "
        f"image {printable(container.image, IMAGE_LIMIT)}"
    )
    table = grid(("RULE", "SAW", "SAID"), rows, ("left", "left", "left"))
    verdict = f"verdict: {decision.verdict.value} ({decision.reason.value})"
    guard = [f"but {guard_line(explanation.guard)}"] if explanation.guard else []
    removes = decision.verdict is Verdict.REMOVE
    return "\n".join([head, "", *table, "", verdict, *(guard if removes else [])]) + "\n"


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


def confirmation(plans: Sequence[HostPlan], *, verbose: bool) -> str:
    """Return one line for each host that has candidates, with ``verbose`` also one for each candidate."""
    lines = []
    for plan in plans:
        oldest = humanize(max((d.age_s for d in plan.candidates if d.age_s is not None), default=None))
        name = printable(plan.host.name, NAME_LIMIT)
        lines.append(f"{name}: {len(plan.candidates)} of {plan.containers} containers, the oldest {oldest} old")
        if verbose:
            lines += [
                f"  {printable(d.container.name, NAME_LIMIT)} ({printable(d.container.id[:SHORT_ID])}), "
                f"{printable(d.container.image, IMAGE_LIMIT)}, {humanize(d.age_s)} old, {d.reason.value}"
                for d in plan.candidates
            ]
    return "\n".join(lines) + "\n"

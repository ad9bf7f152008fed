"""``make demo``: audit and sweep a fleet that is built for it and torn down again."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence

from tests.lab import Box, Lab, missing
from tests.lab.incident import seed, survivors
from tests.lab.scripted_fleet import ScriptedBox, ScriptedFleet

AnyFleet = Lab | ScriptedFleet


def _show(lab: AnyFleet, *words: str) -> dict[str, int]:
    """Run one command, print it, and return its totals."""
    print(f"\n$ fleetsweep {' '.join([*words, *lab.options()])}", flush=True)
    report = lab.directory / "report.json"
    command = [sys.executable, "-m", "fleetsweep", *words, *lab.options()]
    subprocess.run(command, check=True)
    if words[-1] == "--yes":
        # A second sweep would find nothing: the engines show what this one removed.
        return {}
    subprocess.run([*command, "--format", "json", "-o", str(report)], check=True)
    totals: dict[str, int] = json.loads(report.read_text())["totals"]
    return totals


def _fleet(*, scripted: bool) -> AnyFleet:
    lacking = ["--scripted to be left out"] if scripted else missing()
    if lacking:
        print("No real daemons: using scripted engines behind in-process SSH servers.")
        print(f"The real ones need {', '.join(lacking)}.", flush=True)
        return ScriptedFleet(3)
    print("Building three runner boxes, each a dockerd and an sshd of its own...", flush=True)
    return Lab(3)


def main() -> None:
    """Run the demo; exit with 1 if a check fails."""
    lab = _fleet(scripted="--scripted" in sys.argv[1:])
    with lab:
        boxes: Sequence[Box | ScriptedBox] = lab.boxes
        seed(boxes)
        before = [box.names() for box in boxes]
        checks = {
            "the first audit shows 27 stale": _show(lab, "audit")["stale"] == 27,
            "the dry run removes nothing": _show(lab, "sweep", "--dry-run")["removed"] == 0
            and [box.names() for box in boxes] == before,
        }
        _show(lab, "sweep", "--yes")
        left = [box.names() for box in boxes]
        gone = sum(len(old - new) for old, new in zip(before, left, strict=True))
        checks["the sweep removes 27"] = gone == 27
        checks["the last audit shows none"] = _show(lab, "audit")["stale"] == 0
        checks["in-flight, sidecar and protected containers still run"] = all(
            survivors(number) == box.running() for number, box in enumerate(boxes)
        )
    print()
    for sentence, held in checks.items():
        print(f"{'ok' if held else 'FAILED'}: {sentence}")
    sys.exit(0 if all(checks.values()) else 1)


if __name__ == "__main__":
    main()

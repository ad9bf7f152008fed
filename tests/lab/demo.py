"""``make demo``: the main job, on a fleet that is built here and taken down again."""

from __future__ import annotations

import json
import subprocess
import sys

from tests.lab import Lab, LabUnavailable
from tests.lab.incident import seed, survivors


def _show(lab: Lab, *words: str) -> dict[str, int]:
    """Run one command as an operator would, show it, and answer its totals."""
    print(f"\n$ fleetsweep {' '.join([*words, *lab.options()])}", flush=True)
    report = lab.directory / "report.json"
    command = [sys.executable, "-m", "fleetsweep", *words, *lab.options()]
    subprocess.run(command, check=True)
    if words[-1] == "--yes":
        # Sweeping again would find nothing: what this one did is read from the engines.
        return {}
    subprocess.run([*command, "--format", "json", "-o", str(report)], check=True)
    totals: dict[str, int] = json.loads(report.read_text())["totals"]
    return totals


def main() -> None:
    """Tell the story; exit 1 if it ends otherwise than it should."""
    try:
        lab = Lab(3)
    except LabUnavailable as error:
        sys.exit(f"make demo: {error}")
    print("Building three runner boxes, each a dockerd and an sshd of its own...", flush=True)
    with lab:
        seed(lab.boxes)
        before = [box.names() for box in lab.boxes]
        checks = {
            "the first audit shows 27 stale": _show(lab, "audit")["stale"] == 27,
            "the dry run removes nothing": _show(lab, "sweep", "--dry-run")["removed"] == 0
            and [box.names() for box in lab.boxes] == before,
        }
        _show(lab, "sweep", "--yes")
        left = [box.names() for box in lab.boxes]
        gone = sum(len(old - new) for old, new in zip(before, left, strict=True))
        checks["the sweep removes 27"] = gone == 27
        checks["the last audit shows none"] = _show(lab, "audit")["stale"] == 0
        checks["in-flight, sidecar and protected containers still run"] = all(
            survivors(number) == box.running() for number, box in enumerate(lab.boxes)
        )
    print()
    for sentence, held in checks.items():
        print(f"{'ok' if held else 'NOT SO'}: {sentence}")
    sys.exit(0 if all(checks.values()) else 1)


if __name__ == "__main__":
    main()

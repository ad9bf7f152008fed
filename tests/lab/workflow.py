"""Run a workflow file as a CI runner does: its environment, and each step in order in its own bash."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

_EXPRESSION = re.compile(r"\$\{\{ (.*?) \}\}")


def read(path: Path) -> dict[str, Any]:
    """Return the workflow. YAML 1.1 reads its key ``on`` as true; that is undone."""
    found: dict[Any, Any] = yaml.safe_load(path.read_text())
    return {"on" if key is True else key: value for key, value in found.items()}


def steps(workflow: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the steps of its only job."""
    (job,) = workflow["jobs"].values()
    found: list[dict[str, Any]] = job["steps"]
    return found


@dataclass
class Runner:
    """A runner whose temporary directory is ``directory``; ``known`` are the values for expressions.

    ``path`` is its initial PATH, ``environment`` its other variables.
    """

    directory: Path
    known: Mapping[str, str] = field(default_factory=dict)
    path: str = "/usr/bin:/bin"
    environment: Mapping[str, str] = field(default_factory=dict)
    done: list[tuple[str, subprocess.CompletedProcess[str]]] = field(default_factory=list)

    def carry_out(self, workflow: Mapping[str, Any]) -> list[int]:
        """Run the steps, those with ``if: always()`` even after a failure. Return the exit codes."""
        files = {name: self.directory / name.lower() for name in ("GITHUB_ENV", "GITHUB_PATH")}
        for file in files.values():
            file.touch()
        given = {name: self.value(str(text)) for name, text in workflow.get("env", {}).items()}
        failed = False
        codes = []
        for step in steps(workflow):
            if failed and step.get("if") != "always()":
                continue
            added = dict(line.split("=", 1) for line in files["GITHUB_ENV"].read_text().splitlines())
            path = [*reversed(files["GITHUB_PATH"].read_text().split()), self.path]
            finished = subprocess.run(
                ["bash", "-euo", "pipefail", "-c", step["run"]],
                check=False,
                capture_output=True,
                text=True,
                stdin=subprocess.DEVNULL,
                timeout=90,
                cwd=self.directory,
                env={
                    "HOME": str(self.directory),
                    "RUNNER_TEMP": str(self.directory),
                    "GITHUB_RUN_ID": "4711",
                    "GITHUB_RUN_ATTEMPT": "2",
                    **{name: str(file) for name, file in files.items()},
                    **self.environment,
                    "PATH": ":".join(path),
                    **given,
                    **added,
                },
            )
            self.done.append((step["name"], finished))
            failed = failed or finished.returncode != 0
            codes.append(finished.returncode)
        return codes

    def value(self, text: str) -> str:
        """Return the text with expressions evaluated: ``a``, or ``a || 'b'``; an unknown name is empty."""
        return _EXPRESSION.sub(lambda found: self._evaluate(found[1]), text)

    def _evaluate(self, expression: str) -> str:
        for part in expression.split(" || "):
            if re.fullmatch(r"'[^']*'", part):
                return part[1:-1]
            assert re.fullmatch(r"(?:vars|github\.event\.inputs)\.\w+", part), expression
            if self.known.get(part):
                return self.known[part]
        return ""

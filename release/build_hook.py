"""Hatchling's hook: put the manual pages and the completion files into the wheel, where systems look for them."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from hatchling.builders.config import BuilderConfig
from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class SharedFiles(BuildHookInterface[BuilderConfig]):
    """Makes the files for one build, in a temporary directory."""

    PLUGIN_NAME = "custom"
    _made: tempfile.TemporaryDirectory[str] | None = None

    def initialize(self, version: str, build_data: dict[str, dict[str, str]]) -> None:
        """Make the files and name them to the builder; an editable install gets none."""
        if version == "editable":
            return
        # What is built is imported, not what may be installed.
        sys.path.insert(0, self.root)
        from release.shared_files import shared_files

        self._made = tempfile.TemporaryDirectory(prefix="fleetsweep-build-")
        for number, (target, text) in enumerate(sorted(shared_files().items())):
            source = Path(self._made.name, str(number))
            source.write_text(text, encoding="utf-8")
            build_data["shared_data"][str(source)] = target

    def finalize(self, version: str, build_data: dict[str, dict[str, str]], artifact_path: str) -> None:
        """Remove the temporary directory."""
        if self._made is not None:
            self._made.cleanup()

"""How the work is spread, as options."""

from __future__ import annotations

import pytest

from tests.conftest import Run


@pytest.mark.parametrize("word", ["0", "257", "-1", "Auto", ""])
def test_a_number_of_processes_is_a_count_or_auto(run: Run, word: str) -> None:
    done = run("audit", "--local", f"--processes={word}")
    assert done.returncode == 2
    assert "Invalid value for '--processes'" in done.stderr

"""The files that a wheel installs below share/."""

from __future__ import annotations

import pytest

from release.shared_files import completion, shared_files


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_a_shells_file_defines_its_completion(shell: str) -> None:
    text = completion(shell)
    assert f"_FLEETSWEEP_COMPLETE={shell}_complete" in text
    assert text in shared_files().values()


def test_a_shell_that_is_not_known_is_refused() -> None:
    with pytest.raises(ValueError, match="csh"):
        completion("csh")

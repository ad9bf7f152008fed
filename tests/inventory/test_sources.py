"""Sources of an inventory: directories, links, and relative paths."""

from __future__ import annotations

from pathlib import Path

import pytest

from fleetsweep.errors import InventoryError
from fleetsweep.inventory import load


def test_a_directory_that_holds_itself_is_refused(tmp_path: Path) -> None:
    (tmp_path / "d").mkdir()
    (tmp_path / "d" / "again").symlink_to(tmp_path / "d")
    with pytest.raises(InventoryError, match="nested more than 20 deep"):
        load([str(tmp_path / "d")], cwd=tmp_path)


def test_a_link_is_read_beside_its_own_variables(tmp_path: Path) -> None:
    for place in ("real", "other"):
        (tmp_path / place / "group_vars").mkdir(parents=True)
        (tmp_path / place / "group_vars" / "all.yml").write_text(f"place: {place}\n")
    (tmp_path / "real" / "hosts").write_text("a\n")
    (tmp_path / "other" / "hosts").symlink_to(tmp_path / "real" / "hosts")
    (host,) = load([str(tmp_path / "other" / "hosts")], cwd=Path("/")).hosts()
    assert host.variables["place"] == "other"


def test_a_source_may_be_relative_to_home_or_a_variable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "hosts").write_text("a\n")
    monkeypatch.setenv("HOME", str(tmp_path))
    for source in ("~/hosts", "$HOME/hosts", "hosts", str(tmp_path / "x" / ".." / "hosts")):
        assert load([source], cwd=tmp_path).names == ("a",)
    with pytest.raises(InventoryError, match="the path of an inventory is empty"):
        load([""], cwd=tmp_path)

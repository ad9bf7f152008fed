"""Reading one inventory file: refused files, and warnings about permissions."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from fleetsweep.errors import InventoryError
from fleetsweep.inventory import files, load
from fleetsweep.inventory.files import Warnings, read_text
from tests.inventory.build import graph_of


def test_a_byte_order_mark_is_no_part_of_a_name(tmp_path: Path) -> None:
    assert list(graph_of(tmp_path, hosts="\ufeffa\n").hosts) == ["a"]


def test_a_file_that_is_too_large_or_no_file_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(InventoryError, match="pipe: is not a regular file"):
        load([str(tmp_path / "pipe")], cwd=tmp_path)
    monkeypatch.setattr(files, "SIZE_LIMIT", 100)
    (tmp_path / "hosts").write_text("a\n" * 100)
    with pytest.raises(InventoryError, match="hosts: is larger than"):
        load([str(tmp_path / "hosts")], cwd=tmp_path)


def test_a_world_writable_path_is_a_warning(tmp_path: Path) -> None:
    (tmp_path / "group_vars").mkdir()
    (tmp_path / "group_vars" / "all.yml").write_text("v: 1\n")
    (tmp_path / "hosts").write_text("a\n")
    for path in ("hosts", "group_vars/all.yml", "group_vars", "."):
        (tmp_path / path).chmod(0o777 if (tmp_path / path).is_dir() else 0o666)
    inventory = load([str(tmp_path / "hosts")], cwd=Path("/"))
    inventory.hosts()
    expected = [tmp_path, tmp_path / "hosts", tmp_path / "group_vars", tmp_path / "group_vars" / "all.yml"]
    assert list(inventory.warnings) == [f"{path}: is world-writable: chmod o-w" for path in expected]


def test_an_inventory_that_only_its_owner_may_write_is_no_warning(tmp_path: Path) -> None:
    graph_of(tmp_path, hosts="a\n", group_vars__all_yml="v: 1\n")
    inventory = load([str(tmp_path / "hosts")], cwd=tmp_path)
    inventory.hosts()
    assert inventory.warnings == ()


def test_a_file_that_is_not_utf_8_names_the_line(tmp_path: Path) -> None:
    (tmp_path / "hosts").write_bytes(b"a\nb v=\xff\n")
    with pytest.raises(InventoryError, match="hosts:2: is not UTF-8 text"):
        read_text(tmp_path / "hosts", Warnings())


def test_a_missing_file_is_an_error_that_names_it(tmp_path: Path) -> None:
    with pytest.raises(InventoryError, match="none: No such file or directory: check that you may read it"):
        read_text(tmp_path / "none", Warnings())


def test_a_warning_is_kept_once() -> None:
    warnings = Warnings()
    for _ in range(2):
        warnings.add("hosts", "is odd")
    warnings.add("more", "is odd")
    assert warnings.all() == ("hosts: is odd", "more: is odd")


def test_encrypted_files_are_one_warning() -> None:
    warnings = Warnings()
    warnings.encrypted(Path("group_vars/all/vault.yml"))
    assert warnings.all() == ("group_vars/all/vault.yml: is encrypted with Ansible Vault: its variables are ignored",)
    for number in range(1, 7):
        warnings.encrypted(Path(f"v{number}"))
        warnings.encrypted(Path(f"v{number}"))
    assert warnings.all() == (
        "7 files are encrypted with Ansible Vault: their variables are ignored: "
        "group_vars/all/vault.yml, v1, v2, v3, v4 and 2 more",
    )

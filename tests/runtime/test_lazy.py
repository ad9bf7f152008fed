"""Names of a package that are imported when they are used first."""

from __future__ import annotations

import sys
from importlib import import_module
from pathlib import Path

import pytest

from fleetsweep.runtime.lazy import lazy_names


def test_a_name_is_imported_once_it_is_used_and_another_is_none_of_the_package(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "lazy_sample").mkdir()
    (tmp_path / "lazy_sample/__init__.py").touch()
    (tmp_path / "lazy_sample/part.py").write_text("def act(): return 'acted'\n")
    monkeypatch.syspath_prepend(tmp_path)
    package = import_module("lazy_sample")
    find = lazy_names("lazy_sample", {"act": "part"})
    assert "lazy_sample.part" not in sys.modules
    assert find("act")() == package.act() == "acted"  # type: ignore[operator]
    with pytest.raises(AttributeError, match="module 'lazy_sample' has no attribute 'other'"):
        find("other")


@pytest.mark.parametrize("package", ["fleetsweep.report", "fleetsweep.store.journal"])
def test_every_public_name_of_a_lazy_package_is_found_and_none_is_hidden_by_a_module(package: str) -> None:
    found = import_module(package)
    for name in found.__all__:
        assert type(getattr(found, name)) is not type(sys), name
    assert not set(found._MODULES) & {path.stem for path in Path(found.__path__[0]).iterdir()}

"""Each module has a test file of its name, in the tests of its room."""

from __future__ import annotations

from pathlib import Path

import pytest

import fleetsweep

ROOT = Path(fleetsweep.__file__).parent
TESTS = Path(__file__).parents[1]
MODULES = sorted(path.relative_to(ROOT) for path in ROOT.rglob("*.py") if path.name != "__init__.py")


def files_of(module: Path) -> list[Path]:
    """Return a module's test files: ``test_NAME.py`` or ``test_NAME_ASPECT.py`` below tests/ROOM.

    The modules beside the rooms are tested in tests/project. A command's file may also be ``test_commands_NAME.py``.
    """
    room = module.parts[0] if len(module.parts) > 1 else "project"
    stems = [f"test_{module.stem.strip('_')}"]
    if "commands" in module.parts:
        stems.append(f"test_commands_{module.stem}")
    return [path for stem in stems for form in ("", "_*") for path in (TESTS / room).rglob(f"{stem}{form}.py")]


@pytest.mark.parametrize("module", MODULES, ids=str)
def test_a_module_has_a_test_file_of_its_name(module: Path) -> None:
    assert files_of(module), f"write tests for {module}"


def test_only_a_file_of_the_room_and_the_name_counts() -> None:
    assert files_of(Path("inventory/mirror.py")) == []
    assert files_of(Path("inventory/in.py")) == []
    assert TESTS / "inventory" / "test_ini.py" in files_of(Path("inventory/ini.py"))
    assert TESTS / "store" / "test_writer.py" in files_of(Path("store/journal/writer.py"))

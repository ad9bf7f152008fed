"""Documents on disk: one kind, one schema, unchanged, and nobody else's to write."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from fleetsweep.errors import UsageError
from fleetsweep.store import artifact
from fleetsweep.store.artifact import Kind

NOTE = Kind("note", 2, "--note", "write a new one")


def test_a_document_comes_back_as_it_was_and_is_readable_by_its_owner_alone(tmp_path: Path) -> None:
    path = tmp_path / "note.json"
    NOTE.save({"text": "naïve", "numbers": [1, 2.5, None]}, path, "--save")
    assert NOTE.load(path) == {"schema": "fleetsweep.note/2", "text": "naïve", "numbers": [1, 2.5, None]}
    assert path.stat().st_mode & 0o777 == 0o600


def test_a_document_replaces_only_one_of_its_kind_of_any_version(tmp_path: Path) -> None:
    path = tmp_path / "note.json"
    Kind("note", 1, "", "").save({}, path, "--save")
    NOTE.save({}, path, "--save")
    Kind("other", 2, "", "").save({}, tmp_path / "other.json", "--save")
    for name in ("other.json", ".", "absent/note.json"):
        with pytest.raises(UsageError, match="--save: "):
            NOTE.save({}, tmp_path / name, "--save")


def test_another_kind_or_version_is_refused_with_what_to_do(tmp_path: Path) -> None:
    path = tmp_path / "note.json"
    Kind("note", 1, "", "").save({}, path, "--save")
    with pytest.raises(UsageError, match=r"has schema 'fleetsweep\.note/1', this version reads fleetsweep\.note/2"):
        NOTE.load(path)
    Kind("other", 2, "", "").save({}, tmp_path / "other.json", "--save")
    with pytest.raises(UsageError, match=r"other\.json is not a note: write a new one"):
        NOTE.load(tmp_path / "other.json")
    with pytest.raises(UsageError, match="No such file or directory: check --note"):
        NOTE.load(tmp_path / "absent.json")


def test_a_document_whose_digest_does_not_match_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "note.json"
    NOTE.save({"cap": 1}, path, "--save")
    path.write_text(path.read_text().replace('"cap": 1', '"cap": 100'))
    with pytest.raises(UsageError, match="its digest does not match"):
        NOTE.load(path)


def test_a_duplicate_key_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "note.json"
    NOTE.save({"cap": 1}, path, "--save")
    path.write_text(path.read_text().replace('"cap": 1', '"cap": 100, "cap": 1'))
    with pytest.raises(UsageError, match="duplicate key"):
        NOTE.load(path)


@pytest.mark.parametrize("mode", [0o620, 0o602])
def test_a_document_that_others_can_write_is_refused(tmp_path: Path, mode: int) -> None:
    path = tmp_path / "note.json"
    NOTE.save({}, path, "--save")
    path.chmod(mode)
    with pytest.raises(UsageError, match="can be changed by others: make a new one, or check it and chmod 600"):
        NOTE.load(path)


@pytest.mark.parametrize(
    ("check", "good", "bad"),
    [
        (artifact.as_object, {}, []),
        (artifact.as_list, [], {}),
        (artifact.as_str, "", 1),
        (artifact.as_optional_str, None, 1),
        (artifact.as_int, 0, True),
        (artifact.as_int, -1, 1.0),
        (artifact.as_bool, False, 0),
        (artifact.as_count, 0, -1),
        (artifact.as_float, 1.5, "1.5"),
        (artifact.as_float, 1, True),
        (artifact.as_scalar, "x", None),
        (artifact.as_full_id, "0a" * 32, "0A" * 32),
        (artifact.as_full_id, "f" * 64, "f" * 63),
    ],
)
def test_a_value_of_another_type_is_refused(check: object, good: object, bad: object) -> None:
    assert callable(check)
    assert check(json.loads(json.dumps(good))) == good
    with pytest.raises((TypeError, ValueError)):
        check(bad)

"""The spellings of an image reference, and the globs that match them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleetsweep.policy.image_names import image_forms, image_matches


@pytest.mark.parametrize(
    ("reference", "forms"),
    [
        ("x", ("x",)),
        ("x:1", ("x:1", "x")),
        ("docker.io/library/x:1", ("docker.io/library/x:1", "docker.io/library/x", "x:1", "x")),
        ("docker.io/a/x", ("docker.io/a/x", "a/x")),
        ("localhost/a/x:1", ("localhost/a/x:1", "localhost/a/x", "a/x:1", "a/x")),
        ("registry:5000/x:1", ("registry:5000/x:1", "registry:5000/x")),
        ("x@sha256:ab", ("x@sha256:ab", "x")),
        ("x:1@sha256:ab", ("x:1@sha256:ab", "x")),
    ],
)
def test_a_reference_has_its_written_and_its_familiar_form_each_with_and_without_a_tag(
    reference: str, forms: tuple[str, ...]
) -> None:
    assert image_forms(reference) == forms


@pytest.mark.parametrize(
    ("reference", "glob", "matches"),
    [
        ("localhost/molecule-local/x:1", "molecule-local/*", True),
        ("evil/molecule-local/x:1", "molecule-local/*", False),
        ("molecule-local/x:1", "molecule-local/x", True),
        ("molecule-local/x:1", "molecule-local/x:2", False),
        ("MOLECULE-LOCAL/x", "molecule-local/*", False),
        ("registry:5000/x", "registry", False),
    ],
)
def test_a_glob_matches_any_spelling_and_nothing_else(reference: str, glob: str, matches: bool) -> None:
    assert image_matches(reference, ("nothing", glob)) is matches


@given(st.text(alphabet="ax/:@.", max_size=12))
def test_every_reference_matches_itself_and_has_no_form_twice(reference: str) -> None:
    forms = image_forms(reference)
    assert forms[0] == reference
    assert len(set(forms)) == len(forms)
    assert image_matches(reference, (reference,))


def test_without_globs_nothing_matches() -> None:
    assert not image_matches("x", ())

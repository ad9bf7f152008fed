"""The spellings of an image reference. Pure."""

from __future__ import annotations

from fnmatch import fnmatchcase
from functools import lru_cache


@lru_cache(maxsize=1024)
def image_matches(reference: str, globs: tuple[str, ...]) -> bool:
    """Whether a spelling of an image reference matches one of the shell globs."""
    return any(fnmatchcase(form, glob) for glob in globs for form in image_forms(reference))


def image_forms(reference: str) -> tuple[str, ...]:
    """Return the spellings of one image reference that a pattern may match.

    They are the reference as written and its familiar form (without a registry prefix that Docker or Podman added),
    each with and without tag and digest.
    """
    familiar = reference
    for prefix in ("docker.io/library/", "docker.io/", "localhost/"):
        if reference.startswith(prefix):
            familiar = reference.removeprefix(prefix)
            break
    forms = [reference, _without_tag(reference), familiar, _without_tag(familiar)]
    return tuple(dict.fromkeys(forms))


def _without_tag(reference: str) -> str:
    repository = reference.partition("@")[0]
    head, slash, last = repository.rpartition("/")
    return head + slash + last.partition(":")[0]

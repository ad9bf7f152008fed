"""Evidence is packed for the journal and comes back the same; a damaged value is an error, not a crash."""

from __future__ import annotations

import zlib
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleetsweep.model.evidence import LogLine, pack, unpack_document, unpack_log

json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@given(
    st.dictionaries(st.text(), json_values, max_size=4), st.lists(st.builds(LogLine, st.text(), st.text()), max_size=4)
)
def test_what_is_packed_comes_back(document: dict[str, object], lines: list[LogLine]) -> None:
    assert unpack_document(pack(document)) == document
    assert unpack_log(pack(lines)) == tuple(lines)


@pytest.mark.parametrize("unpack", [unpack_document, unpack_log])
@pytest.mark.parametrize("data", [b"", b"junk", zlib.compress(b"3"), zlib.compress(b"[[1]]"), zlib.compress(b"{")])
def test_what_was_not_packed_is_a_value_error(unpack: Callable[[bytes], object], data: bytes) -> None:
    with pytest.raises(ValueError, match=r"."):
        unpack(data)

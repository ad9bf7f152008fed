"""JSON of any shape: what is read is what the standard library reads, and what is ambiguous or too much is refused."""

from __future__ import annotations

import json
import tracemalloc

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from fleetsweep.engine import strict_json as decode
from fleetsweep.engine.budget import Budget, Hold
from fleetsweep.engine.http11 import Response
from fleetsweep.engine.strict_json import Entries, TooMuch, Unusable, read_document, read_list, words_of

SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**63), 2**64 - 1),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(max_size=20),
    # Longer than what is looked at first, so that it is cut inside a letter.
    st.builds(lambda unit, times: unit * times, st.text(min_size=1, max_size=3), st.integers(2000, 6000)),
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=10,
)
BLANKS = st.text(" \t\r\n", max_size=3)


def hold() -> Hold:
    return Hold(Budget(), lambda: 60.0)


def spelled(value: object, *, ascii_only: bool) -> bytes:
    return json.dumps(value, ensure_ascii=ascii_only).encode(errors="surrogatepass")


@given(VALUES, st.booleans())
def test_a_document_is_read_as_the_standard_library_reads_it(value: object, ascii_only: bool) -> None:
    body = spelled(value, ascii_only=ascii_only)
    assert read_document(body) == json.loads(body)


@given(st.lists(VALUES, max_size=8), st.booleans(), BLANKS, BLANKS, BLANKS)
def test_a_list_read_entry_by_entry_is_the_list(
    values: list[object], ascii_only: bool, before: str, between: str, after: str
) -> None:
    entries = f"{between},{after}".encode().join(spelled(value, ascii_only=ascii_only) for value in values)
    body = before.encode() + b"[" + between.encode() + entries + after.encode() + b"]" + before.encode()
    assert list(Entries(body, hold())) == json.loads(body)


@given(st.lists(VALUES, min_size=1, max_size=4), st.data())
def test_a_list_that_is_cut_short_or_goes_on_is_never_taken_for_a_whole_one(
    values: list[object], data: st.DataObject
) -> None:
    body = spelled(values, ascii_only=False)
    cut = body[: data.draw(st.integers(0, len(body) - 1))]
    for broken in (cut, body + b"]", body + b"[]", body[:-1] + b",]"):
        with pytest.raises(Unusable):
            list(Entries(broken, hold()))
        with pytest.raises(Unusable):
            read_document(broken)


@given(st.one_of(st.binary(max_size=300), st.text('[]{}",:0123456789.eE-+ntf\\u', max_size=300).map(str.encode)))
def test_whatever_comes_is_a_value_or_a_refusal_and_both_readers_agree(noise: bytes) -> None:
    try:
        found = read_document(b"[" + noise + b"]")
    except Unusable:
        with pytest.raises(Unusable):
            list(Entries(b"[" + noise + b"]", hold()))
    else:
        assert list(Entries(b"[" + noise + b"]", hold())) == found


@given(
    st.dictionaries(st.text(max_size=5), SCALARS, min_size=1, max_size=5),
    st.data(),
    st.lists(st.booleans(), max_size=5),
)
def test_a_key_that_stands_twice_is_refused_at_any_depth(
    pairs: dict[str, object], data: st.DataObject, wrapped: list[bool]
) -> None:
    key = data.draw(st.sampled_from(sorted(pairs)))
    body = spelled(pairs, ascii_only=True)[:-1] + b", " + json.dumps(key).encode() + b": {}}"
    for in_list in wrapped:
        body = b"[1, " + body + b"]" if in_list else b'{"a": ' + body + b"}"
    with pytest.raises(Unusable, match="stands twice"):
        read_document(body)
    with pytest.raises(Unusable, match="stands twice"):
        list(Entries(b"[" + body + b"]", hold()))


@pytest.mark.parametrize(
    "text", ["NaN", "Infinity", "-Infinity", "1" * 21, "-" + "9" * 4000, "9" * 5000, "1." + "1" * 70, "[" * 10**5]
)
def test_a_number_without_bounds_and_a_depth_without_bounds_are_refused(text: str) -> None:
    for body in (text, f'{{"Created": {text}}}', f"[{text}]"):
        with pytest.raises(Unusable):
            read_document(body.encode())
        with pytest.raises(Unusable):
            list(Entries(b"[" + body.encode() + b"]", hold()))


UNITS = st.recursive(
    st.sampled_from(["0", "1000", "1e1", "null", '""', '"ab"', '"\u0101"', '"\U0001f600"', '"\\u0101"', "[]", "{}"]),
    lambda inner: st.one_of(
        st.lists(inner, min_size=1, max_size=3).map(lambda parts: "[" + ",".join(parts) + "]"),
        st.lists(inner, min_size=1, max_size=7).map(
            lambda parts: "{" + ",".join(f'"{number or ""}":{part}' for number, part in enumerate(parts)) + "}"
        ),
    ),
    max_leaves=12,
)


@given(UNITS, st.sampled_from(["list", "object"]))
def test_no_body_becomes_more_than_was_counted_before(unit: str, shape: str) -> None:
    times = 100_000 // len(unit)
    if shape == "list":
        body = ("[" + ",".join([unit] * times) + "]").encode()
    else:
        body = ("{" + ",".join(f'"{number:x}":{unit}' for number in range(times)) + "}").encode()
    counted = decode._affordable(body)
    tracemalloc.start()
    try:
        decode._DECODER.decode(body.decode())
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak <= counted
    assert peak <= decode._WORST * len(body) + decode._PLAIN


@pytest.mark.parametrize("unit", [b"{}", b"[]", b'{"":0}', b"[[[]]]", b'"\xc4\x81"'])
def test_a_document_that_would_become_too_much_is_refused_before_it_does(unit: bytes) -> None:
    body = b'{"Volumes": [' + b",".join([unit] * (4 * 2**20 // (len(unit) + 1))) + b"]}"
    tracemalloc.start()
    try:
        with pytest.raises(TooMuch, match="72 MiB"):
            read_document(body)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 3 * len(body)


def test_a_long_list_is_not_decoded_before_somebody_asks_for_its_entries() -> None:
    entries = read_list(b"[" + b"{}," * 10**6 + b"{}]")
    assert isinstance(entries, Entries)
    assert next(iter(entries)) == {}
    assert read_list(b"[{}]") == [{}]


@given(st.binary(max_size=2000), st.sampled_from(["", "text/html", "application/json"]), st.text(max_size=10))
@example(b"<", "text/html", "")
@example(b"", "", " ")
def test_what_an_engine_said_with_a_refusal_is_short_and_can_be_stored(body: bytes, kind: str, reason: str) -> None:
    told = words_of(Response(500, reason, {"content-type": kind}, body, False))
    assert 0 < len(told) <= decode.WORDS_LIMIT
    told.encode()

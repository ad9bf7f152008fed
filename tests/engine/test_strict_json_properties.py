"""JSON of any shape: decoded as the standard library does; ambiguous and oversized documents are refused."""

from __future__ import annotations

import json
import tracemalloc

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from fleetsweep.engine import strict_json as decode
from fleetsweep.engine.budget import Budget, Reservation
from fleetsweep.engine.http11 import Response
from fleetsweep.engine.strict_json import Entries, InvalidJson, JsonTooLarge, error_text, read_document, read_list

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


def reservation() -> Reservation:
    return Reservation(Budget(), lambda: 60.0)


def encoded(value: object, *, ascii_only: bool) -> bytes:
    return json.dumps(value, ensure_ascii=ascii_only).encode(errors="surrogatepass")


@given(VALUES, st.booleans())
def test_a_document_is_decoded_as_the_standard_library_decodes_it(value: object, ascii_only: bool) -> None:
    body = encoded(value, ascii_only=ascii_only)
    assert read_document(body) == json.loads(body)


@given(st.lists(VALUES, max_size=8), st.booleans(), BLANKS, BLANKS, BLANKS)
def test_a_list_decoded_entry_by_entry_is_the_whole_list(
    values: list[object], ascii_only: bool, before: str, between: str, after: str
) -> None:
    entries = f"{between},{after}".encode().join(encoded(value, ascii_only=ascii_only) for value in values)
    body = before.encode() + b"[" + between.encode() + entries + after.encode() + b"]" + before.encode()
    assert list(Entries(body, reservation())) == json.loads(body)


@given(st.lists(VALUES, min_size=1, max_size=4), st.data())
def test_a_truncated_list_or_one_with_trailing_data_is_refused(values: list[object], data: st.DataObject) -> None:
    body = encoded(values, ascii_only=False)
    cut = body[: data.draw(st.integers(0, len(body) - 1))]
    for broken in (cut, body + b"]", body + b"[]", body[:-1] + b",]"):
        with pytest.raises(InvalidJson):
            list(Entries(broken, reservation()))
        with pytest.raises(InvalidJson):
            read_document(broken)


@given(st.one_of(st.binary(max_size=300), st.text('[]{}",:0123456789.eE-+ntf\\u', max_size=300).map(str.encode)))
def test_any_bytes_are_a_value_or_an_error_and_both_decoders_agree(noise: bytes) -> None:
    try:
        found = read_document(b"[" + noise + b"]")
    except InvalidJson:
        with pytest.raises(InvalidJson):
            list(Entries(b"[" + noise + b"]", reservation()))
    else:
        assert list(Entries(b"[" + noise + b"]", reservation())) == found


@given(
    st.dictionaries(st.text(max_size=5), SCALARS, min_size=1, max_size=5),
    st.data(),
    st.lists(st.booleans(), max_size=5),
)
def test_a_duplicate_key_is_refused_at_any_depth(
    pairs: dict[str, object], data: st.DataObject, wrapped: list[bool]
) -> None:
    key = data.draw(st.sampled_from(sorted(pairs)))
    body = encoded(pairs, ascii_only=True)[:-1] + b", " + json.dumps(key).encode() + b": {}}"
    for in_list in wrapped:
        body = b"[1, " + body + b"]" if in_list else b'{"a": ' + body + b"}"
    with pytest.raises(InvalidJson, match="appears twice"):
        read_document(body)
    with pytest.raises(InvalidJson, match="appears twice"):
        list(Entries(b"[" + body + b"]", reservation()))


@pytest.mark.parametrize(
    "text", ["NaN", "Infinity", "-Infinity", "1" * 21, "-" + "9" * 4000, "9" * 5000, "1." + "1" * 70, "[" * 10**5]
)
def test_unbounded_numbers_and_unbounded_nesting_are_refused(text: str) -> None:
    for body in (text, f'{{"Created": {text}}}', f"[{text}]"):
        with pytest.raises(InvalidJson):
            read_document(body.encode())
        with pytest.raises(InvalidJson):
            list(Entries(b"[" + body.encode() + b"]", reservation()))


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
def test_no_body_needs_more_memory_than_was_estimated(unit: str, shape: str) -> None:
    times = 100_000 // len(unit)
    if shape == "list":
        body = ("[" + ",".join([unit] * times) + "]").encode()
    else:
        body = ("{" + ",".join(f'"{number:x}":{unit}' for number in range(times)) + "}").encode()
    estimated = decode._affordable(body)
    tracemalloc.start()
    try:
        decode._DECODER.decode(body.decode())
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak <= estimated
    assert peak <= decode._WORST * len(body) + decode._PLAIN


@pytest.mark.parametrize("unit", [b"{}", b"[]", b'{"":0}', b"[[[]]]", b'"\xc4\x81"'])
def test_a_document_that_needs_too_much_memory_is_refused_before_decoding(unit: bytes) -> None:
    body = b'{"Volumes": [' + b",".join([unit] * (4 * 2**20 // (len(unit) + 1))) + b"]}"
    tracemalloc.start()
    try:
        with pytest.raises(JsonTooLarge, match="72 MiB"):
            read_document(body)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 3 * len(body)


def test_a_long_list_is_decoded_only_when_its_entries_are_read() -> None:
    entries = read_list(b"[" + b"{}," * 10**6 + b"{}]")
    assert isinstance(entries, Entries)
    assert next(iter(entries)) == {}
    assert read_list(b"[{}]") == [{}]


@given(st.binary(max_size=2000), st.sampled_from(["", "text/html", "application/json"]), st.text(max_size=10))
@example(b"<", "text/html", "")
@example(b"", "", " ")
def test_an_error_text_is_short_and_can_be_stored(body: bytes, kind: str, reason: str) -> None:
    text = error_text(Response(500, reason, {"content-type": kind}, body, False))
    assert 0 < len(text) <= decode.TEXT_SHOWN
    text.encode()

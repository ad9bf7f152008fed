"""Responses of any shape: read as the standard library reads them, and ambiguous ones are refused."""

from __future__ import annotations

import io
from http.client import HTTPException, HTTPResponse
from typing import cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleetsweep.engine import http11 as reading
from fleetsweep.engine.http11 import Response, TooLarge, read_response

names = st.sampled_from(["Date", "Server", "Api-Version", "X-Y", "content-type"])
values = st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1, max_size=20)
bodies = st.binary(max_size=3000)


class OneFile:
    """The part of a socket that HTTPResponse needs."""

    def __init__(self, data: bytes) -> None:
        self._data = data

    def makefile(self, *_: str) -> io.BytesIO:
        return io.BytesIO(self._data)


def by_the_library(data: bytes) -> HTTPResponse:
    response = HTTPResponse(OneFile(data), method="GET")  # type: ignore[arg-type]
    response.begin()
    return response


def read(data: bytes) -> Response:
    return read_response(io.BufferedReader(cast(io.RawIOBase, io.BytesIO(data))), lambda: None)


@st.composite
def responses(draw: st.DrawFn) -> tuple[bytes, bytes]:
    """Build one response as an engine may send it, and its body."""
    status = draw(st.sampled_from([200, 204, 304, 400, 404, 409, 500]))
    body = b"" if status in {204, 304} else draw(bodies)
    head = f"HTTP/1.1 {status} Some reason\r\n".encode()
    for name in draw(st.lists(names, max_size=4, unique=True)):
        head += f"{name}: {draw(values)}\r\n".encode()
    if status in {204, 304}:
        return head + b"\r\n", body
    if draw(st.booleans()):
        return head + f"Content-Length: {len(body)}\r\n\r\n".encode() + body, body
    chunked = b""
    rest = body
    while rest:
        size = draw(st.integers(1, len(rest)))
        chunked += f"{size:x}{draw(st.sampled_from(['', ';ext=1', ' ']))}\r\n".encode() + rest[:size] + b"\r\n"
        rest = rest[size:]
    trailer = draw(st.sampled_from([b"", b"X-Trailer: 1\r\n"]))
    return head + b"Transfer-Encoding: chunked\r\n\r\n" + chunked + b"0\r\n" + trailer + b"\r\n", body


@given(responses())
def test_a_well_formed_response_is_read_as_the_standard_library_reads_it(made: tuple[bytes, bytes]) -> None:
    data, body = made
    found, expected = read(data), by_the_library(data)
    assert (found.status, found.reason, found.closes) == (expected.status, expected.reason, expected.will_close)
    assert found.body == expected.read() == body
    for name in ("date", "server", "api-version"):
        assert found.headers.get(name) == expected.headers.get(name)


@given(st.lists(responses(), min_size=1, max_size=5))
def test_responses_on_one_stream_are_read_one_by_one(made: list[tuple[bytes, bytes]]) -> None:
    source = io.BufferedReader(cast(io.RawIOBase, io.BytesIO(b"".join(data for data, _ in made))))
    assert [read_response(source, lambda: None).body for _ in made] == [body for _, body in made]


@given(responses(), st.data())
def test_a_truncated_response_is_never_taken_for_a_complete_one(made: tuple[bytes, bytes], data: st.DataObject) -> None:
    whole, _ = made
    with pytest.raises(HTTPException):
        read(whole[: data.draw(st.integers(0, len(whole) - 1))])


@given(st.binary(max_size=400), st.booleans())
def test_any_bytes_are_a_response_or_an_error(noise: bytes, headed: bool) -> None:
    try:
        read((b"HTTP/1.1 200 OK\r\n" if headed else b"") + noise)
    except HTTPException:
        return


@pytest.mark.parametrize(
    "head",
    [
        b"Content-Length: 3\r\nContent-Length: 3\r\n",
        b"Content-Length: 3\r\nTransfer-Encoding: chunked\r\n",
        b"Transfer-Encoding: gzip\r\n",
        b"Transfer-Encoding: gzip, chunked\r\n",
        b"Content-Length: -3\r\n",
        b"Content-Length: +3\r\n",
        b"Content-Length: 3, 3\r\n",
        "Content-Length: \u00b3\r\n".encode("iso-8859-1"),
        b"X: 1\r\n folded\r\n",
        b"no colon\r\n",
        b"space : 1\r\n",
        b"X: " + b"1" * reading.LINE_LIMIT + b"\r\n",
        b"X: 1\r\n" * (reading.MAX_HEADERS + 1),
    ],
)
def test_an_ambiguous_head_is_refused(head: bytes) -> None:
    with pytest.raises(HTTPException):
        read(b"HTTP/1.1 200 OK\r\n" + head + b"\r\n3\r\nabc\r\n0\r\n\r\n")


@pytest.mark.parametrize(
    "head", [b"Content-Length: 67108865\r\n\r\n", b"Transfer-Encoding: chunked\r\n\r\n4000001\r\n"]
)
def test_a_body_declared_too_large_is_not_read(head: bytes) -> None:
    with pytest.raises(TooLarge):
        read(b"HTTP/1.1 200 OK\r\n" + head)


def test_an_interim_response_is_skipped_and_a_body_without_a_length_ends_with_the_stream() -> None:
    found = read(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.0 200 OK\r\n\r\nrest")
    assert (found.status, found.body, found.closes) == (200, b"rest", True)


@pytest.mark.parametrize("status", [204, 304])
@pytest.mark.parametrize("head", [b"Content-Length: 5\r\n", b"Transfer-Encoding: chunked\r\n"])
def test_a_body_where_none_is_allowed_ends_the_stream(status: int, head: bytes) -> None:
    found = read(b"HTTP/1.1 %d Done\r\n" % status + head + b"\r\nhello")
    assert (found.status, found.body, found.closes) == (status, b"", True)


@given(responses(), st.integers(0, 3))
def test_without_body_matters_a_success_counts_wherever_its_body_breaks(
    made: tuple[bytes, bytes], missing: int
) -> None:
    whole, body = made
    head = whole.index(b"\r\n\r\n") + 4
    cut = whole[: max(head, len(whole) - missing)]
    source = io.BufferedReader(cast(io.RawIOBase, io.BytesIO(cut)))
    try:
        found = read_response(source, lambda: None, body_matters=False)
    except HTTPException:
        assert int(whole[9:12]) >= 300
    else:
        assert found.status == int(whole[9:12])
        assert len(found.body) <= len(body)


def test_only_the_beginning_of_an_error_body_is_read() -> None:
    found = read(b"HTTP/1.1 500 Oops\r\nContent-Length: 99999999999\r\n\r\n" + b"x" * 200_000)
    assert (found.status, len(found.body), found.closes) == (500, reading.ERROR_LIMIT, True)


def test_a_repeated_date_is_never_a_single_value_but_other_equal_headers_are() -> None:
    found = read(b"HTTP/1.1 204 OK\r\nDate: a\r\nDate: a\r\nServer: s\r\nServer: s\r\nX: 1\r\nX: 2\r\n\r\n")
    assert (found.headers["date"], found.headers["server"], found.headers["x"]) == ("a, a", "s", "1, 2")

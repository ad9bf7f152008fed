"""An engine with hostile responses fails alone; the other host is swept."""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.conftest import Run
from tests.lab.scripted_engine import Response, ScriptedContainer, ScriptedEngine
from tests.lab.workdir import Workdir, deletes, leaks

BAD = "bad"
GOOD = "good"
JSON_HEADERS = (("Content-Type", "application/json"),)

Rows = dict[str, dict[str, object]]


class Pair:
    """Two hosts in one inventory, each with a scripted engine and three leaks."""

    def __init__(self, workdir: Workdir, run: Run) -> None:
        others = [ScriptedContainer("f" * 63 + str(number), f"ws-{number}") for number in range(3)]
        self.engines = {BAD: ScriptedEngine(leaks(3)), GOOD: ScriptedEngine(others)}
        self.engines[GOOD].id = "ANOTHER"
        self._place = workdir
        self._run = run

    def sweep(self, *words: str) -> tuple[int, Rows]:
        """Sweep both. Answers the exit code and the rows by host."""
        with ExitStack() as serving:
            lines = []
            for name, engine in self.engines.items():
                url = serving.enter_context(engine.serve(self._place.directory / f"{name}.sock"))
                lines.append(f"{name} ansible_connection=local fleetsweep_engine={url}\n")
            inventory = self._place.directory / "inventory"
            inventory.write_text("".join(lines))
            state = ["--state-dir", str(self._place.state)]
            done = self._run("sweep", "-i", str(inventory), "--yes", "--format", "json", *state, *words)
        assert done.stdout, done.stderr
        assert "Traceback" not in done.stderr
        return done.returncode, {row["host"]: row for row in json.loads(done.stdout)["hosts"]}


@pytest.fixture
def pair(workdir: Workdir, run: Run) -> Pair:
    """Two hosts of which the first will be told to misbehave."""
    return Pair(workdir, run)


def outcomes(row: Mapping[str, object]) -> list[str | None]:
    return [decision["outcome"] for decision in row["decisions"]]  # type: ignore[attr-defined]


def error_of(row: Mapping[str, object]) -> dict[str, str]:
    found = row["error"]
    assert isinstance(found, dict)
    return found


def assert_only_the_bad_one_failed(pair: Pair, code: int, rows: Rows) -> None:
    assert code == 3
    assert (rows[BAD]["status"], error_of(rows[BAD])["phase"]) == ("failed", "engine")
    assert deletes(pair.engines[BAD]) == []
    assert (rows[GOOD]["status"], outcomes(rows[GOOD])) == ("ok", ["removed"] * 3)


def answer_of(status: int, body: bytes, *fields: str) -> Response:
    head = [f"HTTP/1.1 {status} Whatever", f"Content-Length: {len(body)}", *fields, "", ""]
    return Response(raw="\r\n".join(head).encode() + body)


NGINX = b"<html>\r\n<head><title>403 Forbidden</title></head>\r\n<body><h1>Not &amp; never</h1><hr></body></html>"


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b"[]", "HTTP 403: []"),
        (b"{}", "HTTP 403: {}"),
        (b"null", "HTTP 403: null"),
        (b"17", "HTTP 403: 17"),
        (b'{"error":"no"}', "HTTP 403: no"),
        (b'{"message":{"a":1}}', 'HTTP 403: {"message":{"a":1}}'),
        (b'{"message":null}', 'HTTP 403: {"message":null}'),
        (b'{"message":"\\ud800"}', "HTTP 403: ?"),
        (b'{"message":"cut', 'HTTP 403: {"message":"cut'),
        (b"\xff\xfe", "HTTP 403: \ufffd\ufffd"),
        (b"", "HTTP 403: Whatever"),
        (NGINX, "HTTP 403: 403 Forbidden Not & never"),
        (b"[" * 100_000, "HTTP 403: " + "[" * 299 + "\u2026"),
    ],
)
def test_a_list_refused_with_a_body_of_any_shape_is_that_hosts_error_in_its_words(
    pair: Pair, body: bytes, said: str
) -> None:
    pair.engines[BAD].on("GET /containers/json", lambda _: answer_of(403, body))
    code, rows = pair.sweep()
    assert_only_the_bad_one_failed(pair, code, rows)
    message = f"the proxy or authorization plugin before the engine forbids this GET ({said})"
    found = error_of(rows[BAD])
    assert found["kind"] == "refused"
    # A long body is cut, and with it the closing bracket.
    assert found["message"] == message or (found["message"].endswith("…)") and len(said) > 100)


@pytest.mark.parametrize("body", [b"{}", b"[]", b"null", b"7", b"<html>no</html>", b"", b"\xff", b'{"message":{}}'])
def test_a_removal_refused_with_a_body_of_any_shape_fails_alone(pair: Pair, body: bytes) -> None:
    second = f"{1:064x}"
    pair.engines[BAD].on(f"DELETE /containers/{second}", lambda _: answer_of(500, body))
    code, rows = pair.sweep()
    assert code == 5
    assert outcomes(rows[BAD]) == ["removed", "failed", "removed"]
    assert outcomes(rows[GOOD]) == ["removed"] * 3


def entry(number: int, **fields: object) -> dict[str, object]:
    return {
        "Id": f"{number:064x}",
        "Names": [f"/ws-{number}"],
        "Image": "x",
        "Created": 1_700_000_000,
        "State": "running",
        "Labels": {},
        **fields,
    }


KEPT_BUT_HIDDEN = json.dumps([entry(0, Labels={"fleetsweep.keep": "yes"})])[:-2] + ', "Labels": {}}]'


@pytest.mark.parametrize(
    "body",
    [
        json.dumps([entry(0)]).replace("1700000000", "9" * 4000),
        json.dumps([entry(0)]).replace("1700000000", "9" * 40_000),
        json.dumps([entry(0)]).replace("1700000000", "NaN"),
        json.dumps([entry(0)]).replace("1700000000", "-Infinity"),
        json.dumps([entry(0)]).replace("1700000000", "1e400"),
        json.dumps([entry(0)]).replace("1700000000", "1." + "0" * 10_000),
        json.dumps([entry(0)]).replace("1700000000", "[" * 50_000 + "]" * 50_000),
        KEPT_BUT_HIDDEN,
        json.dumps([entry(0)]) + "[]",
        json.dumps([entry(0)])[:-1],
        "[,]",
        "",
    ],
    ids=range(12),
)
def test_a_list_that_can_be_read_in_two_ways_or_has_no_bounds_fails_its_host_alone(pair: Pair, body: str) -> None:
    pair.engines[BAD].on("GET /containers/json", lambda _: answered(pair, body.encode()))
    code, rows = pair.sweep()
    assert_only_the_bad_one_failed(pair, code, rows)
    assert error_of(rows[BAD])["kind"] == "invalid-answer"


def answered(pair: Pair, body: bytes, date: str | None = None) -> Response:
    now = pair.engines[BAD].now().strftime("%a, %d %b %Y %H:%M:%S GMT")
    return answer_of(200, body, f"Date: {date or now}", "Api-Version: 1.41", "Server: Docker/20.10.24 (linux)")


@pytest.mark.parametrize("created", [2**63, -(2**63), 253_402_300_800, 10**19, -62_135_596_801, 1.5, True, "1", None])
def test_a_creation_time_that_no_calendar_has_keeps_its_container(pair: Pair, created: object) -> None:
    body = json.dumps([entry(0, Created=created)]).encode()
    pair.engines[BAD].on("GET /containers/json", lambda _: answered(pair, body))
    _, rows = pair.sweep()
    assert rows[BAD]["decisions"][0]["reason"] == "unknown-age"  # type: ignore[index]
    assert outcomes(rows[GOOD]) == ["removed"] * 3


def test_a_start_time_in_a_zone_that_no_place_has_keeps_its_container(pair: Pair) -> None:
    bad = pair.engines[BAD]
    told = bad._inspected(bad.containers[f"{0:064x}"])
    started = bad.now().strftime("%Y-%m-%dT%H:%M:%S+99:59")
    told["State"] = {"Status": "running", "StartedAt": started}
    bad.on(f"GET /containers/{0:064x}/json", lambda _: Response(body=told))
    _, rows = pair.sweep()
    assert rows[BAD]["decisions"][0]["reason"] == "unknown-age"  # type: ignore[index]
    assert f"{0:064x}" in bad.containers


@pytest.mark.parametrize(
    "date",
    [
        "Sunday, 06-Nov-94 08:49:37 GMT",
        "Sun Nov  6 08:49:37 1994",
        "Mon, 06 Nov 1994 08:49:37 GMT",
        "Sun, 06 Nov 1994 08:49:37 +0000",
        "Sun, 31 Feb 2027 08:49:37 GMT",
        "Sun, 06 Nov 1994 08:49:37 GMT\r\nDate: Sun, 06 Nov 1994 08:49:37 GMT",
        "06 Nov 1994 08:49:37 GMT",
    ],
)
def test_a_clock_that_is_not_in_the_one_form_or_sent_twice_is_not_read(pair: Pair, date: str) -> None:
    body = json.dumps([entry(0)]).encode()
    pair.engines[BAD].on("GET /containers/json", lambda _: answered(pair, body, date))
    code, rows = pair.sweep()
    assert_only_the_bad_one_failed(pair, code, rows)
    assert "Date" in error_of(rows[BAD])["message"]


@pytest.mark.parametrize("answer", [Response(204, {"Id": "x"}), Response(204, "x" * 40_000), Response(304, {})])
def test_what_comes_behind_a_removals_answer_ends_its_stream_and_takes_nothing_back(
    pair: Pair, answer: Response
) -> None:
    bad = pair.engines[BAD]

    def remove(found: object) -> Response:
        path = bad.requests[-1][1]
        bad.containers.pop(path.split("/")[2], None)
        return answer

    bad.on("DELETE", remove)
    code, rows = pair.sweep()
    assert code == 0
    assert set(outcomes(rows[BAD])) <= {"removed", "gone"}
    assert not bad.containers
    assert len(deletes(bad)) == 3
    assert outcomes(rows[GOOD]) == ["removed"] * 3


@pytest.mark.parametrize(
    "raw",
    [
        b"HTTP/1.1 204 No Content\r\n\r\nHTTP/1.1 500 Oops\r\nContent-Length: 2\r\n\r\n{}",
        b"HTTP/1.1 204 No Content\r\nContent-Length: 500\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\nhalf",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nno chunk",
        b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n[" + b"[" * 10,
    ],
)
def test_the_response_to_a_removal_counts_whatever_breaks_after_it(pair: Pair, raw: bytes) -> None:
    bad = pair.engines[BAD]

    def remove(_: object) -> Response:
        bad.containers.pop(bad.requests[-1][1].split("/")[2], None)
        return Response(raw=raw)

    bad.on("DELETE", remove)
    code, rows = pair.sweep()
    assert (code, outcomes(rows[BAD])) == (0, ["removed"] * 3)


def test_a_header_that_decides_and_is_sent_twice_is_not_read(pair: Pair) -> None:
    body = json.dumps([entry(0)]).encode()
    bad = pair.engines[BAD]
    twice = answer_of(
        200, body, f"Date: {bad.now().strftime('%a, %d %b %Y %H:%M:%S GMT')}", "Api-Version: 1.41", "Api-Version: 1.24"
    )
    bad.on("GET /containers/json", lambda _: twice)
    assert_only_the_bad_one_failed(pair, *pair.sweep())


def test_interim_answers_without_an_end_are_refused(pair: Pair, tmp_path: Path) -> None:
    interim = b"HTTP/1.1 100 Continue\r\n\r\n" * 100_000
    pair.engines[BAD].on("GET /containers/json", lambda _: Response(raw=interim))
    assert_only_the_bad_one_failed(pair, *pair.sweep())


def test_a_list_of_57_mib_of_nothing_is_refused_and_the_other_host_is_swept(pair: Pair) -> None:
    body = b"[" + b"{}," * 20_000_000 + b"{}]"
    pair.engines[BAD].on("GET /containers/json", lambda _: answered(pair, body))
    code, rows = pair.sweep()
    assert_only_the_bad_one_failed(pair, code, rows)
    assert error_of(rows[BAD])["kind"] == "invalid-answer"


@pytest.mark.parametrize("name", ["ws-" + "n" * 100_000, "ws-\ud800"])
def test_a_name_that_no_pattern_can_be_tried_on_keeps_its_container_alone(pair: Pair, name: str) -> None:
    bad = pair.engines[BAD]
    bad.containers[f"{1:064x}"].name = name
    _, rows = pair.sweep()
    found = {decision["id"]: decision for decision in rows[BAD]["decisions"]}  # type: ignore[attr-defined]
    assert [(one["reason"], one["outcome"]) for one in found.values()] == [
        ("stale", "removed"),
        ("unreadable", None),
        ("stale", "removed"),
    ]
    assert list(bad.containers) == [f"{1:064x}"]


@pytest.mark.parametrize(
    "labels",
    [
        {f"key-{number}": "" for number in range(1001)},
        {"k" * 5000: ""},
        {"key": "v" * 300_000},
        {"key": "\ud800"},
    ],
    ids=["many", "long key", "long value", "half a letter"],
)
def test_labels_without_bounds_protect(pair: Pair, labels: dict[str, str]) -> None:
    bad = pair.engines[BAD]
    bad.containers[f"{1:064x}"].labels = labels
    _, rows = pair.sweep()
    assert [decision["reason"] for decision in rows[BAD]["decisions"]] == ["stale", "protected", "stale"]  # type: ignore[attr-defined]
    assert list(bad.containers) == [f"{1:064x}"]

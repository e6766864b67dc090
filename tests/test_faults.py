"""Faults of the network: which pass, and that reading goes on after them, each row once."""

import asyncio
import errno
import functools
import http.client
import http.server
import itertools
import json
import ssl
import threading
import time
import urllib.error

import aiohttp
import huggingface_hub.errors
import pyarrow as pa
import pytest
import requests
from datasets import Dataset, load_dataset
from hypothesis import given
from hypothesis import strategies as st
from support import hub_server
from support.hub_server import empty_hub  # noqa: F401
from yarl import URL

from hf_procedural import faults
from hf_procedural.recycle import reading
from hf_procedural.rl import questions
from hf_procedural.text import documents, readers


@pytest.fixture(autouse=True)
def waits(monkeypatch):
    """How long was waited, in seconds; no time passes."""
    waited = []
    monkeypatch.setattr(time, "sleep", waited.append)
    return waited


class Response:
    def __init__(self, status):
        self.status_code, self.headers, self.request, self.text = status, {}, None, ""


def answered(status) -> list[Exception]:
    """An answer as the libraries tell of it."""
    info = aiohttp.RequestInfo(URL("http://here"), "GET", {}, URL("http://here"))
    return [
        huggingface_hub.errors.HfHubHTTPError("no", response=Response(status)),
        requests.HTTPError(response=Response(status)),
        aiohttp.ClientResponseError(info, (), status=status),
        urllib.error.HTTPError("http://here", status, "no", {}, None),
    ]


def because(error, cause):
    error.__cause__ = cause
    return error


PASSING = [
    *itertools.chain.from_iterable(map(answered, (408, 429, 500, 502, 503, 504))),
    ConnectionResetError(104, "reset"),
    ConnectionRefusedError(),
    BrokenPipeError(),
    TimeoutError(),
    asyncio.TimeoutError(),
    OSError(errno.ENETUNREACH, "unreachable"),
    ssl.SSLEOFError(),
    http.client.IncompleteRead(b""),
    http.client.RemoteDisconnected(),
    aiohttp.ServerDisconnectedError(),
    aiohttp.ServerTimeoutError(),
    aiohttp.ClientPayloadError(),
    requests.ConnectionError(),
    requests.ReadTimeout(),
    requests.exceptions.ChunkedEncodingError(),
    because(ValueError("cannot be read"), TimeoutError()),
    because(ConnectionError("Server Disconnected"), answered(503)[0]),
]
LASTING = [
    *itertools.chain.from_iterable(map(answered, (400, 401, 403, 404, 410, 416))),
    FileNotFoundError(),
    PermissionError(),
    ValueError("not valid JSON"),
    OSError("Truncated compressed stream"),
    OSError(errno.ENOSPC, "full"),
    EOFError(),
    pa.ArrowInvalid("not Parquet"),
    ssl.SSLCertVerificationError(),
    huggingface_hub.errors.OfflineModeIsEnabled("offline"),
    because(ConnectionError("Server Disconnected"), answered(403)[2]),
    because(
        huggingface_hub.errors.LocalEntryNotFoundError("x"), huggingface_hub.errors.OfflineModeIsEnabled("offline")
    ),
]


@pytest.mark.parametrize("error", PASSING, ids=repr)
def test_what_passes(error):
    assert faults.is_passing(error)


@pytest.mark.parametrize("error", LASTING, ids=repr)
def test_what_does_not(error):
    assert not faults.is_passing(error)


def failing(times: int, error: Exception):
    """A call that fails so often, and then gives how often it was called."""
    calls = itertools.count(1)

    def call():
        call.count = next(calls)
        if call.count <= times:
            raise error
        return call.count

    return call


def test_a_call_is_tried_again(waits, caplog):
    assert faults.tried_again(failing(2, TimeoutError())) == 3 and waits == [1, 3]
    assert "TimeoutError: ; attempt 2 of 3" in caplog.text and "attempt 3 of 3" in caplog.text
    call = failing(3, TimeoutError("slow"))
    with pytest.raises(TimeoutError, match="slow"):
        faults.tried_again(call)
    assert call.count == 3
    call = failing(3, KeyError("other"))
    with pytest.raises(KeyError):
        faults.tried_again(call)
    assert call.count == 1
    changed = answered(412)[0]
    assert faults.tried_again(failing(1, changed), also=[412]) == 2
    with pytest.raises(huggingface_hub.errors.HfHubHTTPError):
        faults.tried_again(failing(1, changed))


@given(st.lists(st.integers(0, 12), max_size=20))
def test_reading_goes_on_with_each_item_once(places):
    """Faults come at the items of `places`, one after the other, at whichever reading meets them."""
    left = list(places)

    def read(number):
        for item in range(number, 12):
            if item in left and left.count(item) <= 5:
                left.remove(item)
                raise ConnectionResetError
            yield item

    assert list(faults.reading_on(read, "here")) == list(range(12))


def test_faults_are_told_counted_and_limited(waits, caplog):
    def read(number, broken, error):
        for item in range(number, 10):
            if item >= broken:
                raise error
            yield item

    slow = functools.partial(read, broken=4, error=TimeoutError("slow\x1b[2J"))
    rows = faults.reading_on(slow, "c4 en train, shard 2 of 9")
    assert list(itertools.islice(rows, 4)) == [0, 1, 2, 3]
    with pytest.raises(TimeoutError):
        next(rows)
    assert waits == [1, 3, 10, *[30] * 15] and len(caplog.records) == 18
    first, *_, last = [record.getMessage() for record in caplog.records]
    start = "c4 en train, shard 2 of 9: TimeoutError: slow␛[2J; attempt"
    assert first == f"{start} 2 of 19, from row 5 on (fault 1 of it)"
    assert last == f"{start} 19 of 19, from row 5 on (fault 18 of it)"
    for lasting in (KeyError("other"), because(FileNotFoundError("gone"), answered(404)[0])):
        with pytest.raises(type(lasting)):
            list(faults.reading_on(functools.partial(read, broken=4, error=lasting), "here"))
    assert len(waits) == 18


# Streams of datasets, over HTTP


class Server(http.server.ThreadingHTTPServer):
    """Gives `files` by name, in ranges; what is in `rules` happens instead, one after the other."""

    def __init__(self):
        super().__init__(("127.0.0.1", 0), _Request)
        self.files, self.rules, self.lock = {}, [], threading.Lock()
        self.url = f"http://127.0.0.1:{self.server_port}"

    def handle_error(self, request, address):
        pass  # clients that have gone


class _Request(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def do_GET(self):
        with self.server.lock:
            name = self.path.strip("/")
            rule = self.server.rules.pop(0)[1] if self.server.rules and self.server.rules[0][0] == name else None
        content = self.server.files[name]
        if isinstance(rule, int):
            return self.send_error(rule)
        first, last = 0, len(content) - 1
        if "Range" in self.headers:
            first, last = (int(number) for number in self.headers["Range"].removeprefix("bytes=").split("-"))
            last = min(last, len(content) - 1)
        self.send_response(206 if "Range" in self.headers else 200)
        self.send_header("Accept-Ranges", "bytes")
        self.send_header("Content-Range", f"bytes {first}-{last}/{len(content)}")
        self.send_header("Content-Length", str(last + 1 - first))
        self.end_headers()
        if self.command == "GET":
            part = content[first : last + 1]
            self.wfile.write(part[: len(part) // 2] if rule == "cut" else part)
        if rule == "cut":
            self.close_connection = True
        return None

    do_HEAD = do_GET


@pytest.fixture
def server():
    with Server() as server:
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        yield server
        server.shutdown()


def texts_of(shard: int) -> list[str]:
    return [f"{shard} {number}" for number in range(300)]


def streamed(server, columns=("text",)):
    """A stream of three files, as `readers` reads it."""
    for shard in range(3):
        rows = (dict.fromkeys(columns, text) for text in texts_of(shard))
        server.files[f"{shard}.jsonl"] = "".join(json.dumps(row) + "\n" for row in rows).encode()
    files = [f"{server.url}/{name}" for name in server.files]
    return load_dataset("json", data_files=files, streaming=True)


ALL = [text for shard in range(3) for text in texts_of(shard)]


@pytest.mark.parametrize("times", [2, 45])
def test_answers_that_end_early_end_no_stream(times, server, monkeypatch, caplog):
    """Neither a few, which datasets waits out, nor more, in the middle of a pass."""
    monkeypatch.setattr(readers, "load_dataset", lambda *_, **__: streamed(server))
    texts = documents.open_documents("who/what")
    server.rules = [("1.jsonl", "cut")] * times
    assert list(texts) == ALL and not server.rules
    assert ("who/what train, shard 2 of 3: " in caplog.text) == (times > 20)
    server.rules = [("1.jsonl", "cut")] * times
    assert list(texts.read(0, 301)) == ALL[301:], "resumed"


READ_TWICE = """
from hf_procedural.text import documents
for _ in range(2):
    try:
        for text in documents.open_documents("alice/texts"):
            print(text)
    except ValueError as error:
        print(error)
"""


def test_a_shard_of_the_hub_that_fails_and_then_works_ends_no_stream(hub, tmp_path):
    """Though it fails for longer than the Hub's client waits. One that is gone ends it at once."""
    files = {}
    for shard in range(3):
        lines = (json.dumps({"text": text}) + "\n" for text in texts_of(shard))
        files[f"{shard}.jsonl"] = hub_server.File("".join(lines).encode())
    hub.repos["datasets", "alice/texts"] = hub_server.Repo("datasets", "alice/texts", False, "alice", files)
    environment = hub_server.environment(hub, tmp_path / "home")
    hub.fail("GET", "/1.jsonl", status=503, times=30)
    hub.before("GET", "/1.jsonl", lambda request: None)
    hub.fail("GET", "/1.jsonl", status=404, times=99)
    *read, error = hub_server.python(READ_TWICE, environment).splitlines()
    assert read == ALL + ALL[:300]
    assert error.startswith("alice/texts train cannot be read: Client error '404 Not Found' for url")
    assert hub.count("GET", "/1.jsonl", 503) == 30 and hub.count("GET", "/1.jsonl", 404) == 1


def test_opening_is_tried_again(monkeypatch, server, waits):
    stream = streamed(server)
    call = failing(2, ConnectionResetError())
    monkeypatch.setattr(readers, "load_dataset", lambda *_, **__: call() and stream)
    assert list(documents.open_documents("who/what")) == ALL and waits == [1, 3]


def test_questions_are_asked_for_again(monkeypatch, waits):
    rows = Dataset.from_dict({"context": ["a"], "continuation": ["b"]})
    call = failing(2, ConnectionResetError())
    monkeypatch.setattr(questions, "load_dataset", lambda _: call() and {"train": rows})
    assert questions.load_questions("who/what") is rows and waits == [1, 3]


def test_documents_to_rephrase_are_read_on(monkeypatch, tmp_path):
    """JSON Lines and parquet files of the Hub, whose rows keep their numbers."""
    (tmp_path / "a.jsonl").write_text("".join(json.dumps({"text": text}) + "\n" for text in ALL))
    lines, left = reading._lines, [5, 5, 77, 300]

    def breaking(file, offset=0):
        for number, line in enumerate(lines(file, offset)):
            if number in left:
                left.remove(number)
                raise ConnectionResetError
            yield line

    monkeypatch.setattr(reading, "_lines", breaking)
    shards = reading.plan([str(tmp_path / "a.jsonl")], 400)
    assert not left and [shard.count for shard in shards] == [400, 400, 100]
    left.extend([5, 5, 77, 300])
    read = [row["text"] for shard in shards for row in reading.read(shard, damaged=pytest.fail)]
    assert not left and read == ALL

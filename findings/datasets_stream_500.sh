#!/usr/bin/env bash
# datasets 5.2.0 with fsspec 2026.9.0: one passing answer of 500 or 429, to the question whether the next file of a
# stream is there, ends the stream. `FilesIterable` asks `xisfile`, whose fsspec takes any failure for a no; then
# `xisdir`, which cuts the scheme off the address, so that the error names an address without one:
#     NonHttpUrlClientError: 127.0.0.1:PORT/1.jsonl
# None of the 20 retries of datasets (STREAMING_OPEN_MAX_RETRIES, STREAMING_READ_MAX_RETRIES) comes into it, though a
# second request would have been answered. Expected: the retries that opening and reading have. Seen on 2026-11-29:
#     rows read before the end: 2 (file 0), error NonHttpUrlClientError: 127.0.0.1:PORT/1.jsonl
# Exits 0 while it is so.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q datasets==5.2.0 fsspec==2026.9.0 aiohttp==3.14.5
HF_HOME="$folder/home" "$folder/venv/bin/python" - <<'PYTHON'
import http.server
import threading

from datasets import load_dataset

FAILING = []  # names whose next request is answered with 500


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        name = self.path.strip("/")
        if name in FAILING:
            FAILING.remove(name)
            return self.send_error(500)
        body = b'{"text": "a"}\n{"text": "b"}\n'
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(body)

    do_HEAD = do_GET

    def log_message(self, *_):
        pass


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
threading.Thread(target=server.serve_forever, daemon=True).start()
files = [f"http://127.0.0.1:{server.server_port}/{number}.jsonl" for number in range(2)]
rows = load_dataset("json", data_files=files, split="train", streaming=True)
assert len(list(rows)) == 4  # without a fault
FAILING += ["1.jsonl"] * 2  # one HEAD and the GET by which fsspec asks again
read = 0
try:
    for _ in rows:
        read += 1
except Exception as error:
    print(f"rows read before the end: {read} (file 0), error {type(error).__name__}: {error}")
    assert read == 2 and type(error).__name__ == "NonHttpUrlClientError"
else:
    raise SystemExit(f"changed: {read} rows were read")
PYTHON

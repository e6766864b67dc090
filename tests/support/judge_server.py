"""A server on loopback that speaks as much of OpenAI's protocol as judges need, and misbehaves as it is told."""

import contextlib
import json
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@contextlib.contextmanager
def serve(answer, models=("judge",)):
    """Gives the URL. `answer(question, number)` gives a text, or a status, or a dict instead of OpenAI's, or raises.

    A number of seconds, float, is how long it keeps silent.
    """
    asked = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            self.reply({"object": "list", "data": [{"id": name, "object": "model"} for name in models]})

        def do_POST(self):
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            asked.append(body)
            said = answer(body["messages"][-1]["content"], len(asked))
            if isinstance(said, float):
                time.sleep(said)
                said = "too late"
            if isinstance(said, int):
                self.send_error(said)
            elif isinstance(said, str):
                message = {"role": "assistant", "content": said}
                choice = {"index": 0, "finish_reason": "stop", "message": message}
                self.reply(
                    {"id": "1", "object": "chat.completion", "created": 0, "model": "judge", "choices": [choice]}
                )
            else:
                self.reply(said)

        def reply(self, body):
            content = json.dumps(body).encode()
            with contextlib.suppress(BrokenPipeError, ConnectionResetError):
                self.send_response(200)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

        def log_message(self, *args):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.asked, server.daemon_threads, server.block_on_close = asked, True, False
    server.url = f"http://127.0.0.1:{server.server_port}/v1"
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()

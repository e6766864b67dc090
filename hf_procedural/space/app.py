"""Serves the page: on this machine, or as a Space of the Hub."""

import errno
import functools
import socket
from pathlib import Path

from ..terminal import tell
from .limits import Place
from .style import POLICY

_LOCAL = ("127.0.0.1", "localhost", "::1")


def serve(folder: str | None = None, host: str | None = None, port: int | None = None) -> None:
    """Serves the page until it is interrupted; the place is printed when it is there.

    Args:
        folder: below which runs, studies and tokenizers may be read; None: none at all, as strangers are shown it.
        host: whose address is listened at (default: gradio's, which GRADIO_SERVER_NAME names, as in a Space).
        port: default: gradio's, the first free one from 7860 on.

    Raises ValueError for a port that is taken, and for a host that is none of this machine.
    """
    app, workers = open_page(folder, host, port)
    tell(f"{app.local_url} shows it; Ctrl-C ends it", flush=True)
    try:
        app.block_thread()
    finally:
        workers.close()


def open_page(folder: str | None = None, host: str | None = None, port: int | None = None):
    """As `serve`, without waiting: the app, whose `local_url` is its place, and what is to be closed behind it."""
    if host or port:
        _check_free(host, port or 0)  # before all that takes seconds
    from starlette.middleware import Middleware

    from .page import look_of_page, page
    from .worker import Workers

    place = Place(folder and str(Path(folder).resolve()))
    workers = Workers(is_public=place.is_public or not is_local(host))
    workers.warm()
    app = page(workers, place)
    try:
        app.launch(
            server_name=f"[{host}]" if host and ":" in host else host,  # as the address is written
            server_port=port,
            prevent_thread_lock=True,
            ssr_mode=False,
            share=False,
            quiet=True,
            footer_links=[],
            max_file_size="1kb",  # nothing is uploaded
            app_kwargs={"middleware": [Middleware(_WithPolicy)]},
            **look_of_page(),
        )
    except OSError as error:
        workers.close()
        raise ValueError(f"no port is free: {error}") from error
    return app, workers


def _check_free(host: str | None, port: int) -> None:
    """Raises ValueError for a port that another program listens at, or that is not ours, and for a host that is not.

    Port 0 is whichever is free.
    """
    try:
        (family, *_, address), *_ = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        with socket.create_server(address, family=family):
            return
    except OSError as error:
        if error.errno in (errno.EADDRINUSE, errno.EACCES):
            raise ValueError(f"port {port} is not free ({error.strerror}): give another --port") from None
        why = error.strerror
    except UnicodeError:
        why = "no name"
    raise ValueError(f"host must be an address of this machine, got {host!r} ({why})")


def is_local(host: str | None) -> bool:
    """Whether only this machine reaches what listens at an address; None may be any (GRADIO_SERVER_NAME)."""
    return host in _LOCAL


class _WithPolicy:
    """Adds the page's policy to every answer, and that nobody is told where a link was followed."""

    def __init__(self, app):
        self.app = app

    async def __call__(self, scope, receive, send):
        if scope["type"] == "http":
            send = functools.partial(_send, send)
        await self.app(scope, receive, send)


async def _send(send, message):
    if message["type"] == "http.response.start":
        headers = [(b"content-security-policy", POLICY.encode()), (b"referrer-policy", b"no-referrer")]
        message = {**message, "headers": [*message["headers"], *headers]}
    await send(message)

"""OpenEnv servers and clients in processes of their own, on loopback.

They are forked from the tests' process, which has imported OpenEnv: that takes longer than all the rest.
"""

import contextlib
import multiprocessing
import socket
import time
import urllib.request
from collections.abc import Generator
from multiprocessing.process import BaseProcess

FORK = multiprocessing.get_context("fork")


@contextlib.contextmanager
def forked(target, *args) -> Generator[BaseProcess]:
    """A process that runs ``target(*args)``; it is killed at the end."""
    process = FORK.Process(target=target, args=args)
    process.start()
    try:
        yield process
    finally:
        process.kill()
        process.join()


@contextlib.contextmanager
def serve(*words) -> Generator[tuple[str, BaseProcess]]:
    """The address of ``python -m hf_procedural.environments.openenv *words``, and its process."""
    from hf_procedural.environments.openenv import main

    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    address = f"http://127.0.0.1:{port}"
    with forked(main, [*map(str, words), "--port", str(port)]) as process:
        while True:
            assert process.is_alive(), "the server ended"
            with contextlib.suppress(OSError), urllib.request.urlopen(f"{address}/health", timeout=5):
                break
            time.sleep(0.05)
        yield address, process

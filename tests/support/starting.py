"""Python processes for little: they begin with what others wrote imported, and are else as fresh ones.

One test in a hundred is about the start itself; it starts ``sys.executable``.
"""

import atexit
import functools
import json
import os
import socket
import subprocess
import sys
import tempfile
import threading
from pathlib import Path

import torch

from support import warm_server

_LOCK = threading.Lock()


@functools.cache
def _server() -> socket.socket:
    """Starts the server, which ends with this process; requests are sent to it here."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    environment = {key: value for key, value in os.environ.items() if key not in warm_server.SETTLED}
    environment |= {"HF_HOME": warm_server.HOME, "HF_ENDPOINT": warm_server.ENDPOINT}
    environment |= QUIET
    with theirs:
        theirs.set_inheritable(True)
        command = [sys.executable, warm_server.__file__, str(theirs.fileno())]
        server = subprocess.Popen(command, env=environment, pass_fds=[theirs.fileno()], stdin=subprocess.DEVNULL)
    atexit.register(server.wait)
    atexit.register(ours.close)  # first
    return ours


# What processes of tests have in their environment, because it is read when modules are imported
QUIET = {f"HF_HUB_DISABLE_{what}": "1" for what in ("XET", "TELEMETRY", "UPDATE_CHECK", "PROGRESS_BARS")}
QUIET |= {"HF_DATASETS_DISABLE_PROGRESS_BARS": "1", "HF_UPDATE_DOWNLOAD_COUNTS": "0"}


class Process:
    """``python *words``, begun; `pid` is its number.

    `signal_at`, a pattern and a signal, is sent as soon as there is a file of that pattern: see `warm_server`.
    """

    def __init__(self, words, cwd=None, env=None, signal_at: tuple[str, int] | None = None):
        self.words = list(map(str, words))
        self._streams = [tempfile.TemporaryFile("w+", encoding="utf-8") for _ in range(2)]  # noqa: SIM115
        request = {"words": self.words, "cwd": str(cwd or Path.cwd()), "signal_at": signal_at}
        request |= {"environment": QUIET | dict(os.environ if env is None else env)}
        ours, theirs = socket.socketpair()
        with _LOCK, theirs:
            numbers = [theirs.fileno(), *(stream.fileno() for stream in self._streams)]
            socket.send_fds(_server(), [json.dumps(request).encode()], numbers)
        self._answers = ours.makefile("r")
        ours.close()
        self.pid = int(self._answers.readline())
        self.returncode = None

    def wait(self) -> subprocess.CompletedProcess:
        """How it ended, and what it said."""
        with self._answers:
            self.returncode = int(self._answers.readline())
        said = []
        for stream in self._streams:
            stream.seek(0)
            said.append(stream.read())
            stream.close()
        return subprocess.CompletedProcess(self.words, self.returncode, *said)


def run(*words, check: bool = False, **options) -> subprocess.CompletedProcess:
    """How ``python *words`` ended, and what it said; `options` are those of `Process`."""
    done = Process(words, **options).wait()
    assert not check or done.returncode == 0, done.stdout + done.stderr
    return done


def run_two(*words, **options) -> list[subprocess.CompletedProcess]:
    """Two processes of one group, on CPUs, as ``accelerate launch --cpu --num_processes 2`` starts them."""
    store = torch.distributed.TCPStore("127.0.0.1", 0, is_master=True, wait_for_workers=False)
    group = {"WORLD_SIZE": "2", "LOCAL_WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(store.port)}
    group |= {"TORCHELASTIC_USE_AGENT_STORE": "True", "TORCHELASTIC_RESTART_COUNT": "0", "ACCELERATE_USE_CPU": "true"}
    environment = os.environ | group
    ranks = [{"RANK": str(rank), "LOCAL_RANK": str(rank)} for rank in range(2)]
    processes = [Process(words, env=environment | rank, **options) for rank in ranks]
    done = [process.wait() for process in processes]
    assert all(one.returncode == 0 for one in done), "\n".join(one.stdout + one.stderr for one in done)
    return done

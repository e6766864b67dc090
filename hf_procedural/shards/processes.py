"""Processes that end with the one that started them."""

import multiprocessing
import os
import signal
import threading


def end_with_parent() -> None:
    """Ends this process with the one that started it, even where that is killed: what is run again finds no rival.

    Ctrl-C, which a terminal sends to both, is left to that one.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)

    def wait():
        parent = multiprocessing.parent_process()
        assert parent is not None  # this process was started by it
        parent.join()
        os._exit(1)

    threading.Thread(target=wait, daemon=True).start()

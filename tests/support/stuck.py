"""Two workers of a pipeline that never end."""

import os
import threading
from pathlib import Path

from hf_procedural.shards.cluster import Local


def stuck(data, rank, world_size):
    Path(f"{rank}.pid").write_text(str(os.getpid()))
    threading.Event().wait()


def run():
    Local([stuck], tasks=2, workers=2, logging_dir="logs").run()

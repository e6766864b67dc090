"""What this machine has."""

from pathlib import Path

import psutil

_LIMITS = ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes")  # of a container, Slurm's among


def memory() -> int:
    """Bytes of memory that this process may use at most."""
    most = psutil.virtual_memory().total
    for file in map(Path, _LIMITS):
        limit = file.read_text().strip() if file.is_file() else ""
        if limit.isdigit():
            most = min(most, int(limit))
    return most

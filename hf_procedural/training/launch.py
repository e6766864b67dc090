"""Several processes on CPUs, as `accelerate launch --cpu --num_processes N` asks for.

accelerate 1.15 starts one process for that command and leaves the others to mpirun, without a word. This hands the
command to torch's launcher, which `accelerate launch` itself uses on GPUs; needed until accelerate does so on CPUs.
"""

import atexit
import contextlib
import ctypes
import datetime
import logging
import os
import shlex
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING

from .. import upstream
from ..errors import ALONE, COMMAND, program
from ..terminal import tell

if TYPE_CHECKING:
    from accelerate import PartialState

_VALIDATE = "accelerate.commands.launch:_validate_launch_command"
CPU_QUOTA = Path("/sys/fs/cgroup/cpu.max")  # microseconds, of so many; or max
_MPI = ("PMI_SIZE", "OMPI_COMM_WORLD_SIZE", "MV2_COMM_WORLD_SIZE")


_threads_remain = threading.Event()


def leave_group() -> None:
    """For the end of a process, which gloo, whose threads still run, now and then aborts inside its group."""
    torch = sys.modules.get("torch")
    if torch and torch.distributed.is_available() and torch.distributed.is_initialized():
        torch.distributed.destroy_process_group()


def expect_threads() -> None:
    """For the end of a run that went well: of several processes on CPUs, `end_beside_threads` is to end it.

    Once a model was wrapped into DistributedDataParallel, gloo's threads stay when the group is left (torch 2.13, see
    findings/ddp_keeps_gloo_threads.sh), and the interpreter would take itself down under them.
    """
    import torch.distributed as group

    if group.is_available() and group.is_initialized() and group.get_world_size() > 1 and "gloo" in group.get_backend():
        _threads_remain.set()


def end_beside_threads() -> None:
    """Ends a process that `expect_threads` was told of, as the last of what is registered with atexit."""
    if _threads_remain.is_set():
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(0)


def processes() -> "PartialState":
    """This process and the others of a recipe without a Trainer, which may have to wait long for the last one."""
    import torch
    from accelerate import PartialState

    atexit.register(leave_group)
    cpu = os.environ.get("ACCELERATE_USE_CPU", "").lower() == "true" or not torch.accelerator.is_available()
    return PartialState(cpu=cpu, timeout=datetime.timedelta(days=7))


def start_cpu_processes() -> None:
    """Replaces this process by torch's launcher where accelerate was asked for several CPU processes on one machine."""
    alone = "MASTER_ADDR" in os.environ and not any(name in os.environ for name in ("WORLD_SIZE", *_MPI))
    if not alone or os.environ.get("ACCELERATE_USE_CPU", "").lower() != "true":
        return
    words = _launch_words()
    if not words:
        return
    parser, validate = upstream.get("accelerate.commands.launch:launch_command_parser"), upstream.get(_VALIDATE)
    if parser is None or validate is None:
        upstream.tell(_VALIDATE, "it is not there")
        return
    with contextlib.redirect_stdout(None), contextlib.redirect_stderr(None):
        asked, *_ = validate(parser().parse_args(words))
    if asked.num_machines == 1:
        where = ["--nproc_per_node", str(asked.num_processes), "--master_port", os.environ["MASTER_PORT"]]
        os.execv(sys.executable, [sys.executable, "-m", __name__, *where, *sys.argv])


def use_all_cores() -> None:
    """Leaves torch, which is not imported yet, the threads that it has under python: one for each core.

    accelerate 1.15 sets OMP_NUM_THREADS to 1 for a single process, unless it is asked for --cpu and --num_processes 1,
    which makes training on a CPU one-threaded. What a user has set, there or for accelerate, stays.
    """
    is_alone = "ACCELERATE_MIXED_PRECISION" in os.environ and "WORLD_SIZE" not in os.environ
    if not is_alone or os.environ.get("OMP_NUM_THREADS") != "1":
        return
    import psutil

    with contextlib.suppress(psutil.Error):  # of a parent that does not tell
        is_asked = any("num_cpu_threads_per_process" in word.replace("-", "_") for word in _launch_words())
        if not is_asked and "OMP_NUM_THREADS" not in _parent().environ():
            os.environ["OMP_NUM_THREADS"] = str(_cores())


def keep_memory() -> None:
    """Lets this process keep the memory that a step frees for the next one, which spares a step a tenth of its time.

    glibc hands large pieces back to Linux at once, which fills each with zeros when it is asked for again. Elsewhere
    nothing happens. For the main of a script, since it is of the whole process.
    """
    with contextlib.suppress(OSError, AttributeError, TypeError):  # no glibc
        library = ctypes.CDLL(None)
        # M_MMAP_THRESHOLD, then M_TRIM_THRESHOLD; that alone, where an older glibc refuses the first, would cost time.
        all(library.mallopt(setting, 2**31 - 1) for setting in (-3, -1))


def _cores() -> int:
    """How many cores this process may use, of which a container may have been given a part."""
    import psutil

    cores = psutil.cpu_count(logical=False) or 1
    if hasattr(os, "sched_getaffinity"):
        cores = min(cores, len(os.sched_getaffinity(0)))
    with contextlib.suppress(OSError, ValueError):  # there is no file, or it says max
        quota, period = CPU_QUOTA.read_text().split()
        cores = min(cores, int(quota) // int(period))
    return max(1, cores)


def start_gpu_processes() -> None:
    """Replaces this process by a launcher's where hf-procedural left that out, and there is more than one GPU."""
    recipe = os.environ.pop(ALONE, None)
    if not recipe:
        return
    import torch

    if torch.accelerator.device_count() > 1:
        os.environ[ALONE] = ""
        os.execv(sys.executable, [sys.executable, "-m", "hf_procedural.cli", recipe, *sys.argv[1:]])


def _launch_words() -> list[str]:
    """The words behind `accelerate launch`, as hf-procedural tells them or the parent's command line; else none."""
    if COMMAND in os.environ:
        return [*shlex.split(os.environ[COMMAND])[2:], *sys.argv]
    command = _parent().cmdline()
    return command[command.index("launch") + 1 :] if "launch" in command else []


def _parent():
    """The process that started this one; this one where it is the first of a container."""
    import psutil

    return psutil.Process().parent() or psutil.Process()


@contextlib.contextmanager
def exit_codes():
    """Around a launcher: its processes have said what was wrong, so this one ends with their exit code alone.

    Of those that were killed, which say nothing, it tells the signal.
    """
    from torch.distributed.elastic.multiprocessing.api import SignalException
    from torch.distributed.elastic.multiprocessing.errors import ChildFailedError

    logging.disable(logging.ERROR)  # torch's launcher would tell the same at length
    try:
        yield
    except subprocess.CalledProcessError as error:
        code = error.returncode
    except ChildFailedError as error:
        code = error.get_first_failure()[1].exitcode
    except SignalException as error:
        code = -error.sigval
    else:
        return
    if code < 0 and -code != signal.SIGINT:
        tell(f"{program()}: error: a process was ended by {signal.Signals(-code).name}", error=True)
    sys.exit(code if code >= 0 else 128 - code)  # of a signal, as shells have it


def main() -> None:
    """torch's launcher, with the exit code of its processes and without a traceback."""
    from torch.distributed import run

    with exit_codes():
        run.main()


if __name__ == "__main__":
    main()

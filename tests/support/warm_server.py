"""A process that has imported what our recipes and commands lean on, but nothing of ours, and forks for each request.

`support.starting` starts it, and asks. Its own environment has placeholders where huggingface_hub and those above it
read theirs once, at import; each process that it forks puts its own values in their place.
"""

import atexit
import contextlib
import gc
import glob
import importlib
import json
import multiprocessing
import os
import runpy
import signal
import socket
import sys
import tempfile
import threading
import types
from pathlib import Path

HOME, ENDPOINT = "/nowhere/home-of-the-process", "http://hub-of-the-process"
MODULES = [
    "numba",
    "torch.utils.tensorboard",
    "datasets",
    "evaluate",
    "matplotlib.pyplot",
    "transformers.trainer",
    "transformers.hf_argparser",
    "transformers.models.bert.modeling_bert",
    "transformers.models.gpt2.modeling_gpt2",
    "transformers.models.llama.modeling_llama",
    "accelerate.commands.launch",
    "trl.trainer.grpo_trainer",
    "datatrove.executor.local",
    "lm_eval.evaluator",
    "bert_score",
    "openai",
]
SETTLED = {"HF_HOME", "HF_ENDPOINT", "HF_HUB_OFFLINE", "HF_TOKEN"}  # the last is read when it is needed
VERBOSITY = {
    "HF_HUB_VERBOSITY": "huggingface_hub.utils.logging",
    "TRANSFORMERS_VERBOSITY": "transformers.utils.logging",
    "DATASETS_VERBOSITY": "datasets.utils.logging",
}
SETTLED |= {"HF_DEBUG", *VERBOSITY}
SETTLED |= {f"HF_{name}_CACHE" for name in ("DATASETS", "MODULES", "METRICS")}  # of HF_HOME, as tests have them


def places() -> list[tuple[dict, str]]:
    """Where placeholders are: the variables of a module, or of a client of the Hub, and a name."""
    huggingface_hub = sys.modules["huggingface_hub"]
    kinds = types.ModuleType, huggingface_hub.HfApi, huggingface_hub.HfFileSystem
    owners = [owner for owner in gc.get_objects() if type(owner) in kinds and owner is not sys.modules[__name__]]
    held = []
    for variables in map(vars, owners):
        for name, value in [*variables.items()]:
            if issubclass(type(value), (str, Path)) and any(mark in str(value) for mark in (HOME, ENDPOINT)):
                held.append((variables, name))
    return held


def settle(environment: dict[str, str], held: list[tuple[dict, str]]) -> None:
    """Makes this process one that has been started with `environment`; `held` are the places of placeholders."""
    read_at_import = ("HF_", "TRANSFORMERS_", "DATASETS_", "HUGGING", "OMP_", "TOKENIZERS_")
    for name in environment.keys() - SETTLED:
        if name.startswith(read_at_import) and environment[name] != os.environ.get(name):
            raise SystemExit(f"{name} is read at import: start a fresh process")
    os.environ.clear()
    os.environ.update(environment)
    home = environment.get("HF_HOME", str(Path.home() / ".cache" / "huggingface"))
    endpoint = environment.get("HF_ENDPOINT", "https://huggingface.co")
    for variables, name in held:
        value = variables[name]
        variables[name] = type(value)(str(value).replace(HOME, home).replace(ENDPOINT, endpoint))
    for name, logging in VERBOSITY.items():
        if name in environment:
            sys.modules[logging].set_verbosity(getattr(sys.modules[logging], environment[name].upper()))
    sys.modules["huggingface_hub.constants"].HF_DEBUG = environment.get("HF_DEBUG") == "1"
    offline = environment.get("HF_HUB_OFFLINE", "0") == "1"
    sys.modules["huggingface_hub.constants"].HF_HUB_OFFLINE = offline
    sys.modules["datasets.config"].HF_HUB_OFFLINE = offline


def execute(words: list[str], path: list[str]) -> None:
    """Does what ``python *words`` does; `path` is where modules of others are."""
    own = os.environ.get("PYTHONPATH", "").split(os.pathsep)
    first = str(Path(words[0]).absolute().parent) if not words[0].startswith("-") else ""
    sys.path[:] = [first, *filter(None, own), *path]
    with contextlib.suppress(ImportError):
        sys.modules.pop("sitecustomize", None)
        importlib.import_module("sitecustomize")
    if words[0] == "-c":
        sys.argv = ["-c", *words[2:]]
        main = sys.modules["__main__"] = types.ModuleType("__main__")
        exec(compile(words[1], "<string>", "exec"), vars(main))
    elif words[0] == "-m":
        sys.argv = words[1:]
        runpy.run_module(words[1], run_name="__main__", alter_sys=True)
    else:
        sys.argv = words
        runpy.run_path(words[0], run_name="__main__")


def signal_at(pattern: str, number: int) -> None:
    """Sends a signal when this process, or one of its own, is about to touch a file and one of `pattern` is there.

    SIGKILL is for this process; any other is for all of its session, as from a terminal, and is sent once.
    """
    process, sent, busy = os.getpid(), f"{tempfile.mkdtemp()}/sent", False

    def send():
        if not glob.glob(pattern):
            return
        if number == signal.SIGKILL:
            os.kill(process, number)
        with contextlib.suppress(FileExistsError):
            os.close(os.open(sent, os.O_CREAT | os.O_EXCL))
            os.killpg(0, number)

    def hook(event, _):
        nonlocal busy
        if not busy and (event == "open" or event.startswith("os.")):
            busy = True  # what follows touches files too
            try:
                send()
            finally:
                busy = False

    sys.addaudithook(hook)


def exit_code(request: dict, held, path) -> int:
    """Runs what is requested; the code with which a process of its own would end."""
    try:
        os.chdir(request["cwd"])
        settle(request["environment"], held)
        if request["signal_at"]:
            signal_at(*request["signal_at"])
        fork = multiprocessing.get_context("fork")  # which is safe in a new process, and need not import all again
        multiprocessing.context._concrete_contexts.update(spawn=fork, forkserver=fork)
        execute(request["words"], path)
        return 0
    except SystemExit as exit_:
        if exit_.code is None or isinstance(exit_.code, int):
            return exit_.code or 0
        print(exit_.code, file=sys.stderr)
        return 1
    except BaseException:
        sys.excepthook(*sys.exc_info())
        return 1


def begin(request: dict, streams, held, path) -> None:
    """Ends this process, which is new, as what is requested ends."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    for number, stream in enumerate(streams, 1):
        os.dup2(stream, number)
        os.close(stream)
    if request["signal_at"]:
        os.setsid()
    code = exit_code(request, held, path)
    threading._shutdown()  # waits for its threads, as at the end of any process
    atexit._run_exitfuncs()
    with contextlib.suppress(BrokenPipeError):
        sys.stdout.flush()
        sys.stderr.flush()
    os._exit(code & 0xFF)


def watch(request: dict, answers: socket.socket, streams, held, path) -> None:
    """Starts a process; answers with its number, and with how it ended."""
    process = os.fork()
    if process == 0:
        answers.close()
        begin(request, streams, held, path)
    with contextlib.suppress(BrokenPipeError):  # nobody may want to know
        answers.sendall(f"{process}\n".encode())
        _, status = os.waitpid(process, 0)
        answers.sendall(f"{os.waitstatus_to_exitcode(status)}\n".encode())
    os._exit(0)


def serve(requests: socket.socket) -> None:
    for name in MODULES:
        with contextlib.suppress(ImportError):  # of an extra that is not installed
            importlib.import_module(name)
    held = places()
    own = os.environ.get("PYTHONPATH", "").split(os.pathsep)
    path = [folder for folder in sys.path[1:] if folder not in own]
    gc.freeze()
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    message, numbers, _, _ = socket.recv_fds(requests, 2**20, 3)
    while message:
        if os.fork() == 0:
            requests.close()
            watch(json.loads(message), socket.socket(fileno=numbers[0]), numbers[1:], held, path)
        for number in numbers:
            os.close(number)
        message, numbers, _, _ = socket.recv_fds(requests, 2**20, 3)
    with contextlib.suppress(ChildProcessError):  # none is left
        while True:
            os.wait()  # so that their time is counted as ours


if __name__ == "__main__":
    serve(socket.socket(fileno=int(sys.argv[1])))

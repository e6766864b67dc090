"""Processes that do what people ask for, one question at a time, and are ended where that takes too long.

So a parameter that makes a task endless, or a file that makes a library so, costs one process and nothing else. A
question is the name of one of `QUESTIONS` and plain JSON; so is the answer.
"""

import atexit
import contextlib
import dataclasses
import importlib
import json
import os
import queue
import signal
import subprocess
import sys
import tempfile
import threading
import traceback
from pathlib import Path

from .. import machine
from ..terminal import in_a_line, logger
from .limits import MEMORY, PASSING, SECONDS, SECONDS_PUBLIC

QUESTIONS = {  # the function of this package that answers
    "look": "rows.look",
    "moving": "rows.moving",
    "check": "answers.check",
    "reveal": "answers.reveal",
    "coded": "codings.coded",
    "run": "runs.look",
    "compare": "runs.compare",
}
QUICK = ("check", "reveal")  # which have a process of their own, so that no look holds them up
_TOKENS = ("HF_TOKEN", "HUGGING_FACE_HUB_TOKEN")


class Refused(ValueError):
    """What a process says of a question that it does not answer, in one line."""


class Overtaken(Refused):
    """What was ended for something newer that the same visitor asked."""


@dataclasses.dataclass(eq=False)
class _Turn:
    """A question, and the process that is answering it."""

    process: subprocess.Popen | None = None


class Workers:
    """Some processes, started when they are first needed.

    Args:
        number: how many questions are answered at a time, beside one of `QUICK`.
        is_public: whether strangers ask; then no token of the Hub is used, and time and memory are shorter.
    """

    def __init__(self, number: int = 2, is_public: bool = True):
        self.seconds = SECONDS_PUBLIC if is_public else SECONDS  # that an answer may take
        self.first = SECONDS  # and the first look at a task, or the first answer of another kind
        self.memory = min(MEMORY, machine.memory() // (number + 2)) if is_public else MEMORY  # that a process may take
        self._cache = tempfile.TemporaryDirectory(prefix="procedural-explorer-") if is_public else None
        self.environment = _environment(self._cache.name if self._cache else None)
        self._idle, self._idle_quick = _places(number), _places(1)
        self._started: set[subprocess.Popen] = set()
        self._compiled: set[str] = set()  # kinds of questions that were answered before
        self._newest: dict[object, _Turn] = {}  # by who asks
        self._lock = threading.Lock()  # of these
        atexit.register(self.close)

    def ask(self, question: str, *arguments, visitor: str | None = None):
        """The answer to one of `QUESTIONS`. Raises Refused, and Overtaken for what a `visitor` asked before."""
        idle = self._idle_quick if question in QUICK else self._idle
        asker, turn = visitor or object(), _Turn()
        with self._lock:
            older, self._newest[asker] = self._newest.get(asker), turn
            if older and older.process:
                older.process.kill()
        process = idle.get()
        try:
            if process is None or process.poll() is not None:
                self._end(process)
                process = self._start()
            begins = self._begins(asker, turn, process)
            answer = self._exchange(process, [question, *arguments], asker, turn) if begins else None
        except BaseException:
            process = self._end(process)
            raise
        finally:
            idle.put(process)
            with self._lock:
                if self._newest.get(asker) is turn:
                    del self._newest[asker]
        if answer is None:
            raise Overtaken("something newer was asked")
        if "refused" in answer:
            raise Refused(answer["refused"])
        return answer["answer"]

    def _begins(self, asker: object, turn: _Turn, process: subprocess.Popen) -> bool:
        """Notes what answers a question, which a newer one ends; False where that came while this waited."""
        with self._lock:
            is_newest = self._newest.get(asker) is turn
            if is_newest:
                turn.process = process
        return is_newest

    def _ends(self, asker: object, turn: _Turn) -> bool:
        """Whether the process was left in peace until its answer, from where on nobody ends it."""
        with self._lock:
            turn.process = None
            return self._newest.get(asker) is turn

    def warm(self) -> None:
        """Starts a process ahead of the first question, without waiting for it."""
        process = self._idle.get()
        self._idle.put(process or self._start())

    def close(self) -> None:
        """Ends all processes."""
        for process in list(self._started):
            self._end(process)
        if self._cache:
            self._cache.cleanup()

    def _start(self) -> subprocess.Popen:
        command = [sys.executable, "-m", __name__, str(self.memory)]
        process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=self.environment, text=True, encoding="utf-8"
        )
        self._started.add(process)
        return process

    def _end(self, process: subprocess.Popen | None) -> None:
        if process is not None:
            process.kill()
            process.communicate()
            self._started.discard(process)

    def _exchange(self, process: subprocess.Popen, question: list, asker: object, turn: _Turn) -> dict:
        assert process.stdin is not None and process.stdout is not None  # which are pipes
        kind = " ".join(map(str, question[:2])) if question[0] == "look" else question[0]
        seconds = self.seconds if kind in self._compiled else max(self.first, self.seconds)
        late = threading.Event()
        timer = threading.Timer(seconds, lambda: (late.set(), process.kill()))
        timer.start()
        try:
            process.stdin.write(json.dumps(question) + "\n")
            process.stdin.flush()
            line = process.stdout.readline()
        except OSError:
            line = ""
        finally:
            timer.cancel()
            timer.join()  # either it has ended the process by now, or it never will
            is_overtaken = not self._ends(asker, turn)
        answer = json.loads(line) if line else {}
        if late.is_set() or "answer" in answer:
            self._compiled.add(kind)
        if is_overtaken:
            raise Overtaken("something newer was asked")
        if late.is_set():
            raise Refused(f"that takes more than {seconds:g} s, and was stopped: take something smaller, or try again")
        if not answer:
            raise Refused("that takes more memory than there is here, or has ended the process: take something smaller")
        return answer


def _places(number: int) -> queue.LifoQueue:
    """Those of some processes, which are not started yet."""
    places: queue.LifoQueue[subprocess.Popen | None] = queue.LifoQueue()
    for _ in range(number):
        places.put(None)
    return places


def _environment(cache: str | None) -> dict[str, str]:
    """That of a process: ours, with the folders that Python looks in.

    Where strangers ask, who have a `cache` of their own, without tokens of the Hub.
    """
    paths = {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    quiet = {"HF_HUB_DISABLE_PROGRESS_BARS": "1", "TOKENIZERS_PARALLELISM": "false", "MPLBACKEND": "agg"}
    environment = os.environ | paths | quiet
    if cache is not None:
        Path(cache, PASSING).touch()
        environment |= {"HF_HUB_DISABLE_IMPLICIT_TOKEN": "1", "HF_HUB_CACHE": cache}
        environment = {name: value for name, value in environment.items() if name not in _TOKENS}
    return environment


def serve(questions, answers) -> None:
    """Answers questions of a text file, a line each, in lines of another one, until the first ends."""
    for line in questions:
        answers.write(json.dumps(_answer(*json.loads(line))) + "\n")
        answers.flush()


def _answer(question: str, *arguments) -> dict:
    module, _, function = QUESTIONS[question].partition(".")
    try:
        answerer = importlib.import_module(f".{module}", __package__)
        return {"answer": getattr(answerer, function)(*arguments)}
    except (ValueError, ImportError, OSError, RuntimeError) as error:
        return {"refused": in_a_line(error)[:600]}
    except MemoryError:
        return {"refused": "that takes more memory than there is here: take something smaller"}
    except Exception as error:  # a fault of ours, which ends no process and is in the log
        logger(__name__).error(traceback.format_exc())
        return {"refused": f"that went wrong: {type(error).__name__} {in_a_line(error)[:300]}"}


def _limit_memory(most: int) -> None:
    with contextlib.suppress(ImportError, ValueError, OSError):  # Windows has none
        import resource

        resource.setrlimit(resource.RLIMIT_AS, (most, most))


def main() -> None:
    """Serves the process that started this one; what libraries print goes to its log."""
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is left to the process that started this one
    _limit_memory(int(sys.argv[1]))
    importlib.import_module(".rows", __package__)  # ahead of the first question
    serve(sys.stdin, answers)


if __name__ == "__main__":
    main()

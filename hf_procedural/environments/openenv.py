"""OpenEnv: a task's questions behind a server, and the typed client for them.

    python -m hf_procedural.environments.openenv sort-16 --port 8000
    python -m hf_procedural.environments.openenv stack-16 --turns --split validation --seed 3

    with ProceduralEnv(base_url="http://localhost:8000").sync() as env:
        result = env.reset(split="test", row=12)
        while not result.done:
            result = env.step(ProceduralAction(reply=answer(result.observation.text)))
        print(env.state().reward)

A session is a WebSocket, and each has its own episode. Seed, split and row decide a question, so that an episode is
replayed by what `state` says of it. Without a row, ``reset()`` takes the next one that no session has had, and
``reset(seed=5)`` row 0 of that seed. The rewards of an episode's steps add up to what `Task.score` gives, or, of a
question in steps, to the share of those that are right. Over plain HTTP, where OpenEnv makes a new environment for each
request, ``POST /step`` takes the question with the reply: ``{"action": {"reply": "1 2"}, "split": "test", "row": 12}``.

Of OpenEnv 0.10 (https://github.com/huggingface/OpenEnv); a server needs ``pip install 'hf-procedural[openenv]'``.
"""

import functools
import itertools
import os
import socket
from typing import Any
from uuid import uuid4

from .. import __version__, accepted
from ..errors import Parser, user_errors
from ..files import load_yaml
from ..tasks import Task
from ..tasks import task as find_task
from ..tasks.splits import SHARES
from .episodes import LAST, Episode, Questions, check_rows

try:
    from fastapi import FastAPI, Request
    from fastapi.responses import JSONResponse
    from openenv.core import EnvClient
    from openenv.core.client_types import StepResult
    from openenv.core.env_server import Action, Environment, Observation, State, create_app
    from openenv.core.env_server.types import EnvironmentMetadata
    from pydantic import Field, ValidationError
except ImportError as error:
    lacking = ImportError(f"this environment needs OpenEnv: pip install 'hf-procedural[openenv]' ({error})")
    if __name__ == "__main__":
        with user_errors():
            raise lacking from error
    raise lacking from error

SESSIONS = 256  # at once, unless the server is told another number
LONGEST = 2**20  # characters of an episode's replies, which a session keeps
_MESSAGE = 2**26  # bytes; a longer one ends its session, so that a reply which is too long must fit in it to be refused
_SHOWN = 100  # tasks of a list of all
_MOST = 1_000  # tasks of a range


class ProceduralAction(Action):
    """What the model says."""

    reply: str = Field(max_length=LONGEST, description="The model's whole reply; the answer is found in it.")

    @classmethod
    def model_validate(cls, obj, **settings):
        """Pydantic's, with what is wrong in one line: of pydantic's own errors OpenEnv's clients are not told more."""
        try:
            return super().model_validate(obj, **settings)
        except ValidationError as error:
            wrong = (f"{'.'.join(map(str, each['loc'])) or 'it'}: {each['msg']}" for each in error.errors())
            raise ValueError(f"action: {'; '.join(wrong)}") from None


class ProceduralObservation(Observation):
    """What the model is told: the question, or the next step of it; nothing when the episode is done."""

    text: str = Field(default="", description="What to say to the model next.")
    turn: int = Field(default=0, description="Replies so far.")
    turns: int = Field(default=1, description="Replies that the episode has.")


class ProceduralState(State):
    """Where the episode is: the same task, seed, split, row and replies lead there again."""

    task: str = ""
    parameters: dict[str, Any] = {}
    strict: bool = False
    seed: int | None = None
    split: str | None = None
    row: int | None = None
    turn: int = 0
    turns: int = 0
    replies: list[str] = []
    reward: float = 0.0
    done: bool = False


class Supply:
    """The questions that all sessions of a server share: `usual`, and on demand those of other seeds and splits.

    The arguments are those of `Questions`.
    """

    def __init__(self, task: Task | str, seed: int = 0, split: str = "train", **settings):
        self.usual = Questions(task, seed, split, **settings)
        own = {name: settings[name] for name in ("template", "turns", "strict") if name in settings}
        self._others = functools.lru_cache(maxsize=8)(
            lambda seed, split: Questions(self.usual.task, seed, split, **own)
        )
        self._numbers = itertools.count()

    def of(self, seed: int | None = None, split: str | None = None) -> Questions:
        """The questions of a seed and a split. Raises ValueError for what is none."""
        wanted = self.usual.seed if seed is None else seed, self.usual.split if split is None else split
        check_rows(*wanted)
        return self.usual if wanted == (self.usual.seed, self.usual.split) else self._others(*wanted)

    def next_row(self) -> int:
        """The first row that nobody was given by this."""
        return next(self._numbers)


class ProceduralEnvironment(Environment[ProceduralAction, ProceduralObservation, ProceduralState]):
    """One session of a server."""

    SUPPORTS_CONCURRENT_SESSIONS = True

    def __init__(self, supply: Supply):
        super().__init__()
        self._supply = supply
        self._episode: Episode | None = None
        self._id: str | None = None

    def reset(
        self,
        seed: int | None = None,
        episode_id: str | None = None,
        *,
        split: str | None = None,
        row: int | None = None,
        index: int | None = None,
        **others,
    ) -> ProceduralObservation:
        """Begins the episode of a question: `row` of `seed` and `split`; `index` is OpenEnv's name of a row.

        Raises ValueError for what is no question, and for any other argument; the episode before goes on then.
        """
        if others:
            raise ValueError(
                f"reset takes seed, split, row (or index) and episode_id, got {', '.join(map(str, others))}"
            )
        if row is not None and index is not None:
            raise ValueError(f"row and index are two names of one number, got {row!r} and {index!r}")
        if episode_id is not None and not isinstance(episode_id, str):
            raise ValueError(f"episode_id must be text, got {episode_id!r}")
        questions = self._supply.of(seed, split)
        number = index if row is None else row
        if number is None:
            number = self._supply.next_row() if seed is None else 0
        self._episode = Episode(questions, number)
        self._id = episode_id or str(uuid4())
        return self._observed(None)

    def step(
        self,
        action: ProceduralAction,
        timeout_s: float | None = None,
        *,
        seed: int | None = None,
        split: str | None = None,
        row: int | None = None,
    ) -> ProceduralObservation:
        """Takes a reply; with `row`, to the question of this number, which is reset first.

        Raises ValueError before the first reset and after the last reply, for a seed or a split without a row, and
        where the replies of the episode would have more than `LONGEST` characters; the episode stays as it is then.
        """
        if row is not None:
            self.reset(seed, split=split, row=row)
        elif seed is not None or split is not None:
            raise ValueError("step takes seed and split together with row, the number of the question: add row")
        if self._episode is None:
            raise ValueError("step before reset: reset the environment first, which gives the question, or add its row")
        length = sum(map(len, self._episode.replies)) + len(action.reply)
        if length > LONGEST:
            raise ValueError(f"the replies of an episode must have at most {LONGEST:,} characters, got {length:,}")
        return self._observed(self._episode.step(action.reply))

    def _observed(self, reward: float | None) -> ProceduralObservation:
        episode = self._episode
        assert episode is not None
        questions = episode.questions
        where = {"task": questions.task.config_name, "seed": questions.seed, "split": questions.split}
        return ProceduralObservation(
            text=episode.observation,
            turn=len(episode.replies),
            turns=episode.turns,
            done=episode.done,
            reward=reward,
            metadata=where | {"row": episode.question.number} if reward is None else {},
        )

    @property
    def state(self) -> ProceduralState:
        if self._episode is None:
            return ProceduralState(task=self._supply.usual.task.config_name)
        return ProceduralState(episode_id=self._id, step_count=len(self._episode.replies), **self._episode.state())

    def get_metadata(self) -> EnvironmentMetadata:
        task = self._supply.usual.task
        return EnvironmentMetadata(name=task.config_name, description=task.summary, version=__version__)

    # OpenEnv's task provider

    def list_splits(self) -> list[str]:
        return list(SHARES)

    def num_tasks(self, split: str) -> int:
        """Rows of a split, which goes on as far as numbers do."""
        self._supply.of(split=split)
        return LAST + 1

    def get_task(self, split: str, index: int) -> dict:
        """A question. Raises IndexError for a number that is none."""
        questions = self._supply.of(split=split)
        if not 0 <= index <= LAST:
            raise IndexError(f"index must be in 0..{LAST}, got {index}")
        name = f"{questions.task.config_name}-{questions.seed}-{split}-{index}"
        return {"id": name, "split": split, "index": index, "prompt": questions[index].text}

    def list_tasks(self, split: str) -> list[dict]:
        """The first questions of a split, which has no end."""
        return self.get_task_range(split, 0, _SHOWN)

    def get_task_range(self, split: str, start: int | None = None, stop: int | None = None) -> list[dict]:
        """Questions, by the bounds of a slice. Raises ValueError for more than 1,000."""
        rows = range(*slice(start, stop).indices(LAST + 1))
        if len(rows) > _MOST:
            raise ValueError(f"a range must have at most {_MOST:,} tasks, got {len(rows):,}")
        return [self.get_task(split, index) for index in rows]


class ProceduralEnv(EnvClient[ProceduralAction, ProceduralObservation, ProceduralState]):
    """The client of a session; its arguments are those of openenv.core.EnvClient."""

    def _step_payload(self, action: ProceduralAction) -> dict:
        if not isinstance(action, ProceduralAction):
            raise ValueError(f"action must be ProceduralAction(reply=...), got {type(action).__name__}")
        return {"reply": action.reply}

    def _parse_result(self, payload: dict) -> StepResult[ProceduralObservation]:
        reward, done = payload.get("reward"), payload.get("done", False)
        observation = ProceduralObservation(**payload["observation"], reward=reward, done=done)
        return StepResult(observation, reward, done, payload.get("metadata"))

    def _parse_state(self, payload: dict) -> ProceduralState:
        return ProceduralState(**payload)


def app(
    task: Task | str,
    seed: int = 0,
    split: str = "train",
    max_concurrent_envs: int = SESSIONS,
    environment: type[ProceduralEnvironment] = ProceduralEnvironment,
    **settings,
) -> FastAPI:
    """The server's application: `settings` are those of `Questions`; `environment` is what a session has.

    Raises ValueError for what has no questions.
    """
    supply = Supply(task, seed, split, **settings)
    made = create_app(
        functools.partial(environment, supply),
        ProceduralAction,
        ProceduralObservation,
        env_name=supply.usual.task.config_name,
        max_concurrent_envs=max_concurrent_envs,
        state_cls=ProceduralState,
    )

    @made.exception_handler(ValueError)
    def refuse(request: Request, error: Exception):
        return JSONResponse({"detail": str(error)}, status_code=422)

    return made


def check_place(host: str, port: int) -> None:
    """Raises ValueError where nothing can be served, as another program does already."""
    try:
        with socket.create_server((host, port)):
            pass
    except OSError as error:
        raise ValueError(f"port {port} of {host}: {os.strerror(error.errno or 0)}; choose another --port") from error


def serve(made: FastAPI, host: str = "127.0.0.1", port: int = 8000) -> None:
    """Serves until it is interrupted."""
    import uvicorn

    uvicorn.run(made, host=host, port=port, ws_max_size=_MESSAGE, log_level="warning")


def main_of(made: FastAPI, words: list[str] | None = None) -> None:
    """The command of a package that has an application: serves it where the command line says."""
    parser = Parser(description="Serves a task's questions by OpenEnv.")
    _add_place(parser)
    args = parser.parse_args(words)
    with user_errors():
        check_place(args.host, args.port)
    serve(made, args.host, args.port)


def main(words: list[str] | None = None) -> None:
    parser = Parser("python -m hf_procedural.environments.openenv", description="Serves a task's questions by OpenEnv.")
    parser.add_argument("task", metavar="NAME", help="Task and size, such as sort-16, or a mixture of them.")
    parser.add_argument("--task_parameters", metavar="YAML", default="{}", help="Such as '{vocab_size: 100}'.")
    parser.add_argument("--turns", action="store_true", help="Ask in steps, of tasks that have them, such as stack-16.")
    parser.add_argument("--strict", action="store_true", help="Take the words of a reply as they stand.")
    parser.add_argument("--template", metavar="FILE", help="Of the text, with {prompt} (default: one of ours).")
    parser.add_argument("--split", choices=list(SHARES), default="train", help="Where reset names none (train).")
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="Where reset names none (default: 0).")
    _add_place(parser)
    parser.add_argument(
        "--max_concurrent_envs", type=int, default=SESSIONS, metavar="N", help=f"Sessions at once ({SESSIONS})."
    )
    parser.ranges["max_concurrent_envs"] = accepted.least(1, 2**20)
    args = parser.parse_args(words)
    with user_errors():
        check_place(args.host, args.port)
        parameters = load_yaml(args.task_parameters)
        if not isinstance(parameters, dict):
            raise ValueError(f"task_parameters must be such as '{{vocab_size: 100}}', got {args.task_parameters!r}")
        settings = {"turns": args.turns, "strict": args.strict, "template": args.template}
        task = find_task(args.task, **parameters)
        made = app(task, args.seed, args.split, args.max_concurrent_envs, **settings)
    serve(made, args.host, args.port)


def _add_place(parser: Parser) -> None:
    parser.add_argument("--host", default="127.0.0.1", help="0.0.0.0 is open to other machines (default: 127.0.0.1).")
    parser.add_argument("--port", type=int, default=8000, metavar="N", help="Default: 8000.")
    parser.ranges["port"] = accepted.least(1, 65_535)


if __name__ == "__main__":
    main()

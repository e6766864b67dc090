"""Any task that has answers as an evaluation of inspect-ai, by its own command:

    inspect eval hf_procedural/sort-16 --model openai/MODEL
    inspect eval hf_procedural/procedural -T task=sort-64+addition-8 -T rows=500 --model hf/ORG/MODEL
    inspect eval hf_procedural/procedural -T task=stack-8 -T turns=true --model openai/MODEL

A sample is a question of the test split by its number, its score the reward of an `Episode`, in [0, 1]: `Task.score`,
or the share of steps that are right. inspect-ai finds this module by our entry point; every size of every task has a
name of its own here.
"""

import json
from collections.abc import Callable

from .. import upstream
from ..tasks import list_tasks, task_class
from .episodes import Episode, Questions, questions_of

try:
    from inspect_ai import Task, task
    from inspect_ai.dataset import MemoryDataset, Sample
    from inspect_ai.model import ChatMessageAssistant, ChatMessageUser
    from inspect_ai.scorer import Score, accuracy, scorer, stderr
    from inspect_ai.solver import solver
except ImportError as error:
    raise ImportError(f"this needs inspect-ai: pip install 'hf-procedural[inspect]' ({error})") from error

_ONE_LINE = "inspect_ai._util.error:PrerequisiteError"


def evaluation(rows: int = 100, first: int = 0, template: str | None = None, **asked) -> Task:
    """The questions `first` to `first + rows` of a split, for inspect-ai; `asked` are the arguments of `Questions`.

    Raises what inspect-ai tells in one line, for what is wrong in them.
    """
    try:
        if type(rows) is not int or rows < 1:
            raise ValueError(f"rows must be at least 1, got {rows!r}")
        if type(first) is not int:
            raise ValueError(f"first must be a whole number, got {first!r}")
        key = json.dumps({"split": "test"} | asked)
        questions = questions_of(key, template)
        samples = [_sample(questions, number) for number in range(first, first + rows)]
    except (ValueError, TypeError) as error:
        raise (upstream.get(_ONE_LINE) or ValueError)(str(error)) from error
    return Task(
        dataset=MemoryDataset(samples, name=f"{questions.task.config_name} {questions.split}"),
        solver=each_turn(key),
        scorer=task_score(key),
        version=1,
    )


def _sample(questions: Questions, number: int) -> Sample:
    question = questions[number]
    which = {"row": number, "task": questions.task.config_name, "seed": questions.seed, "split": questions.split}
    metadata = {**which, "prompt_ids": question.prompt_ids}
    return Sample(question.text, target=questions.answer(question), id=number, metadata=metadata)


@solver
def each_turn(asked: str):
    """Replies to a question, one for each of its turns; `asked` is for `questions_of`."""

    async def solve(state, generate):
        episode = Episode(questions_of(asked), state.metadata["row"])
        while not state.completed:
            state = await generate(state)
            episode.step(state.output.completion)
            if episode.done:
                break
            state.messages.append(ChatMessageUser(content=episode.observation))
        return state

    return solve


@scorer(metrics=[accuracy(), stderr()])
def task_score(asked: str):
    """The reward of the replies: `Task.score`, or the share of steps that are right; `asked` is for `questions_of`."""

    async def score(state, target):
        episode = Episode(questions_of(asked), state.metadata["row"])
        replies = [message.text for message in state.messages if isinstance(message, ChatMessageAssistant)]
        for reply in replies[: episode.turns]:
            episode.step(reply)
        return Score(value=episode.reward, answer=replies[-1] if replies else "")

    return score


@task
def procedural(task: str = "sort-16", rows: int = 100, first: int = 0, **asked) -> Task:
    """A task or mixture by its name; `asked` are further arguments of `Questions`, and parameters of the task."""
    return evaluation(rows, first, task=task, **asked)


def _named(name: str) -> Callable:
    def of_that_name(rows: int = 100, first: int = 0, **asked) -> Task:
        return evaluation(rows, first, task=name, **asked)

    return task(name=name)(of_that_name)


NAMED = [_named(f"{name}-{size}") for name in list_tasks() for size in task_class(name).sizes]

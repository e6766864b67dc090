"""Questions of a task by number, as text, and episodes of one or more turns about them; knows no framework."""

import dataclasses
import functools
import json
from collections.abc import Callable
from typing import Any

import numpy as np

from .. import accepted
from ..data import blocks
from ..models.prompting import fill, read_template
from ..rl.prompts import filled, member_of, usual_template
from ..tasks import Task
from ..tasks import task as find_task
from ..tasks.mixture import Mixture
from ..tasks.shuffled import Shuffled
from ..tasks.splits import SHARES

LAST = 2**31 - 1  # number of a question
_SEED = accepted.least(0)
_OURS = ("self", "task", "seed", "split", "template", "turns", "strict")  # arguments of `Questions`


@dataclasses.dataclass(frozen=True)
class Question:
    """One question of a split.

    Args:
        number: of the row of ``load_dataset("procedural", ...)`` that it is.
        prompt_ids: the prompt's ids in the task.
        text: what a model that reads text is asked.
    """

    number: int
    prompt_ids: list[int]
    text: str


class Questions:
    r"""The questions of a split, which is endless: question i is row i of the data set, on every machine.

    Args:
        task: a task or a mixture, or its name, such as "sort-64".
        seed: of the rows.
        split: "train", "validation" or "test"; no prompt is in two of them.
        template: of the text, a file or the name of one of recipes/templates, with the places of `rl.prompts.filled`;
            None: rlvr.txt (of text rlvr_text.txt), which asks for a solved example's like, in a \boxed{}.
        turns: whether a question is asked in steps (`Task.turns`): stacks, automata, running products, flip-flops. The
            template is turns.txt then.
        strict: whether the words of an answer are taken as they stand, see `Task.score`.

    Raises ValueError for an unknown task, what is no seed or no split, a language (which has no questions), shuffled
    tokens (which have no answers), and `turns` of a task that has none.

    >>> questions = Questions("sort-4", vocab_size=10, seed=1)
    >>> questions.score(questions[3], "The answer is 4, 7, 7, 9.")
    0.0
    """

    def __init__(
        self,
        task: Task | str,
        seed: int = 0,
        split: str = "train",
        template: str | None = None,
        turns: bool = False,
        strict: bool = False,
        **parameters,
    ):
        check_rows(seed, split)
        self.task = task if isinstance(task, Task) else find_task(task, **parameters)
        self.seed = int(seed)
        self.split = split
        self.turns = turns
        self.strict = strict
        for member in getattr(self.task, "members", [self.task]):
            if isinstance(member, Shuffled):
                raise ValueError(f"{member.config_name}: shuffled rows have no answer; leave out shuffle_tokens")
            if member.is_language:
                raise ValueError(f"{member.config_name} is a language: it has no questions, for every token is one")
            if turns and member.turn is None:
                raise ValueError(f"{member.config_name}: its questions have no steps; leave out turns")
        blocks.check(self.task, split)
        self._template = read_template(template or ("turns" if turns else usual_template(self.task)), "prompt")
        self._block = functools.lru_cache(maxsize=8)(self._prompts)

    def __getitem__(self, number: int) -> Question:
        if type(number) is not int or not 0 <= number <= LAST:
            raise ValueError(f"row must be a whole number in 0..{LAST}, got {number!r}")
        block, row = divmod(number, blocks.block_rows(self.task))
        prompt = self._block(block)[row]
        return Question(number, prompt, self.steps(prompt)[0][0] if self.turns else self._text(prompt))

    def _prompts(self, number: int) -> list[list[int]]:
        """The prompts of a block."""
        asked, starts, _ = self.task.questions(*blocks.block(self.task, self.seed, self.split, number))
        return [ids[:start] for ids, start in zip(asked.tolist(), starts, strict=True)]

    def _text(self, prompt: list[int]) -> str:
        return filled(self._template, self.task, prompt)

    def score(self, question: Question, completion: str) -> float:
        """``task.score`` of the question's prompt and a completion, in [0, 1]."""
        return self._known(question, lambda: self.task.score(question.prompt_ids, completion, strict=self.strict))

    def answer(self, question: Question) -> str:
        """The task's own solution of a question, as text."""
        return self._known(question, lambda: self._solved(question.prompt_ids))

    def _solved(self, prompt: list[int]) -> str:
        member = member_of(self.task, prompt)
        own = self._ids_of(member, prompt)
        return member.text(member.solve(own))

    def _known(self, question: Question, tell: Callable[[], Any]) -> Any:
        """What `tell` gives; where it knows no such prompt, once more when the rows of its block are made.

        Of reasoning-gym, a process knows the prompts of the rows that it made last.
        """
        try:
            return tell()
        except (ValueError, KeyError):  # KeyError: of a mixture, where no member takes it
            self._prompts(question.number // blocks.block_rows(self.task))
            return tell()

    def _ids_of(self, member: Task, prompt: list[int]) -> list[int]:
        """A prompt in the ids of the member that it is of."""
        return [self.task.own_ids[member][id] for id in prompt] if isinstance(self.task, Mixture) else prompt

    def steps(self, prompt: list[int]) -> list[tuple[str, list[str]]]:
        """A question in steps: what is said in each, and the tokens of the right reply."""
        member = member_of(self.task, prompt)
        turns, vocabulary = member.turns(self._ids_of(member, prompt)), member.vocabulary
        steps = []
        for number, (shown, answer) in enumerate(turns, 1):
            said = f"Step {number} of {len(turns)}: {member.text(shown)}"
            steps.append((said, list(map(vocabulary.__getitem__, answer))))
        first = fill(self._template, summary=member.summary, turn=member.turn or "", prompt=steps[0][0])
        return [(first, steps[0][1]), *steps[1:]]

    def is_step(self, reply: str, answer: list[str]) -> bool:
        """Whether a reply is the right one to a step."""
        ids = self.task.read(reply, self.strict)
        return ids is not None and -1 not in ids and list(map(self.task.vocabulary.__getitem__, ids)) == answer


def check_rows(seed: Any, split: Any) -> None:
    """Raises ValueError for what is no seed or no split of rows."""
    if not isinstance(seed, int | np.integer) or isinstance(seed, bool) or seed < 0:
        raise ValueError(f"seed must be an integer >= 0, got {seed!r}")
    _SEED.check("seed", seed)
    if not isinstance(split, str) or split not in SHARES:
        raise ValueError(f"split must be one of {', '.join(SHARES)}, got {split!r}")


def arguments(task: str, settings: dict, parameters: dict) -> dict[str, Any]:
    """The arguments of `Questions`: the task's name, settings, and the task's parameters.

    Raises ValueError for a parameter named like a setting, which one of the two would have to give way to.
    """
    for name in parameters:
        if name in _OURS:
            raise ValueError(f"parameters are the task's own, which {name!r} is not: give it as {name}, beside them")
    return {"task": task, **settings, **parameters}


@functools.lru_cache(maxsize=16)
def questions_of(asked: str, template: str | None = None) -> Questions:
    """The questions of arguments as JSON, as a log or a row keeps them. Raises ValueError as `Questions` does.

    A template among them is left out: it decides no score, and names a file of the machine that the JSON came from.
    """
    return Questions(**json.loads(asked) | {"template": template})


class Episode:
    """A question and the replies to it: one, or, of a question in steps, one for each step."""

    def __init__(self, questions: Questions, number: int):
        self.questions = questions
        self.question = questions[number]
        self.replies: list[str] = []
        self._right = 0.0
        self._steps = questions.steps(self.question.prompt_ids) if questions.turns else [(self.question.text, [])]

    @classmethod
    def again(cls, questions: Questions, state: dict) -> "Episode":
        """The episode that a `state` tells of, of the same questions. Raises ValueError where they are other ones."""
        episode = cls(questions, state["row"])
        for reply in state["replies"]:
            episode.step(reply)
        differing = [name for name, value in episode.state().items() if json.loads(json.dumps(value)) != state[name]]
        if differing:
            raise ValueError(f"state is of other questions: {', '.join(differing)} differ")
        return episode

    @property
    def turns(self) -> int:
        """How many replies there are to be."""
        return len(self._steps)

    @property
    def reward(self) -> float:
        """Of all replies so far, in [0, 1]: `Task.score` of a single one, of steps the share that is right."""
        return self._right / self.turns

    @property
    def done(self) -> bool:
        """Whether there is nothing more to say."""
        return len(self.replies) == self.turns

    def answers(self) -> list[str]:
        """What is right in each turn, as text."""
        if self.questions.turns:
            return [" ".join(answer) for _, answer in self._steps]
        return [self.questions.answer(self.question)]

    @property
    def observation(self) -> str:
        """What is said to the model next; empty when the episode is done."""
        return "" if self.done else self._steps[len(self.replies)][0]

    def step(self, reply: str) -> float:
        """Takes a reply, and gives its part of the reward. Raises ValueError where the episode is done."""
        if self.done:
            raise ValueError(f"row {self.question.number}: the episode is over; reset it to begin another")
        if not isinstance(reply, str):
            raise ValueError(f"reply must be text, got {type(reply).__name__}")
        if self.questions.turns:
            right = float(self.questions.is_step(reply, self._steps[len(self.replies)][1]))
        else:
            right = self.questions.score(self.question, reply)
        self.replies.append(reply)
        self._right += right
        return right / self.turns

    def state(self) -> dict:
        """Where the episode is and how it came there, as JSON has it.

        The same task, seed, split and row, and the same replies, lead there again.
        """
        questions = self.questions
        return {
            "task": questions.task.config_name,
            "parameters": questions.task.parameters,
            "strict": questions.strict,
            "seed": questions.seed,
            "split": questions.split,
            "row": self.question.number,
            "turn": len(self.replies),
            "turns": self.turns,
            "replies": list(self.replies),
            "reward": self.reward,
            "done": self.done,
        }

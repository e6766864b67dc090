"""TRL's environments: questions in steps, where the model replies by calling a tool, and its GRPOTrainer on them.

TRL 1.16 (`environment_factory` of GRPOTrainer) makes an object for each completion, asks `reset` what is said first,
and offers its public methods to the model as tools; `get_reward` comes at the end. A completion is the whole
conversation; what the tool said in it does not count in the loss. TRL renders and reads calls by the chat template, so
that a model needs one that takes tools (`check_template`).
"""

import functools
from collections.abc import Iterator

import numpy as np

from ..rl.grpo import GRPO
from .episodes import Episode, Questions

try:
    from trl import chat_template_utils
except ImportError as error:
    raise ImportError(f"this environment needs TRL: pip install 'hf-procedural[rl]' ({error})") from error

TEMPLATE = "turns_tool"  # of the first step
OVER = "That was the last step."
REWARDS = {"graded": lambda share: share, "exact": lambda share: float(share == 1), "zero": lambda share: 0.0}


class StepsEnvironment:
    """One conversation about a question in steps.

    Args:
        questions: those of each split, in steps.
        reward: graded, the share of right steps; exact, 1 if all are right; zero, for a control.
    """

    def __init__(self, questions: dict[str, Questions], reward: str = "graded"):
        self._questions = questions
        self._reward = REWARDS[reward]
        self._episode: Episode | None = None

    def reset(self, split: str, row: int, **columns) -> str:
        self._episode = Episode(self._questions[split], row)
        return self._episode.observation

    def answer(self, reply: str) -> str:
        """Gives the reply to the current step, and gets the next one.

        Args:
            reply: The symbols of the reply, separated by single spaces.

        Returns:
            The next step.
        """
        self._under_way.step(reply)
        return self._under_way.observation or OVER

    def get_reward(self) -> float:
        return self._reward(self._share)

    @property
    def _under_way(self) -> Episode:
        assert self._episode is not None
        return self._episode

    @property
    def _share(self) -> float:
        """Of right steps."""
        return self._under_way.reward


class StepRows:
    """The rows of a split, without an end: an empty message, which what `reset` says is added to, split and number."""

    def __init__(self, questions: Questions):
        self.questions = questions

    def __iter__(self) -> Iterator[dict]:
        number = 0
        while True:
            yield self.row(number)
            number += 1

    def draw(self, generator: np.random.Generator, number: int) -> list[dict]:
        """So many rows behind each other, from a place that `generator` chooses."""
        first = int(generator.integers(2**30))
        return [self.row(first + place) for place in range(number)]

    def row(self, number: int) -> dict:
        return {"prompt": [{"role": "user", "content": ""}], "split": self.questions.split, "row": number}


class StepsGRPO(GRPO):
    """Our GRPO on questions in steps; `scores` are the shares of right steps."""

    def __init__(self, model, questions: dict[str, Questions], reward: str, args, **settings):
        self._make = functools.partial(StepsEnvironment, questions, reward)
        train = StepRows(questions["train"])
        super().__init__(model, [], args, questions=train, environment_factory=self._make, **settings)

    def _tokenize_prompts(self, prompts):
        self._batch_environments = [None] * len(prompts)  # there is one kind
        return super()._tokenize_prompts(prompts)

    def _verified(self, rows, verify):
        self.environments = [self._make() for _ in rows]
        self._lengths = self._batch_environments = [None] * len(rows)
        self._sync_tool_dicts = [{"answer": environment.answer} for environment in self.environments]
        self._async_tool_dicts = [{} for _ in rows]
        said = [environment.reset(**row) for environment, row in zip(self.environments, rows, strict=True)]
        self._generate([[{"role": "user", "content": text}] for text in said])
        self._metrics["eval"].clear()  # of lengths and calls, which are not what is evaluated
        return [environment._share for environment in self.environments]


def check_template(tokenizer, name: str) -> None:
    """Raises ValueError where TRL cannot offer a tool to a model, or cannot read its calls, by its chat template."""
    if not tokenizer.chat_template:
        raise ValueError(f"environment: {name} has no chat template, by which a tool is offered: take one that has")
    if not chat_template_utils.supports_tool_calling(tokenizer):
        raise ValueError(f"environment: the chat template of {name} takes no tools: take a model that calls them")
    try:
        if not (getattr(tokenizer, "response_template", None) or getattr(tokenizer, "response_schema", None)):
            chat_template_utils.add_response_schema(tokenizer)
        if not chat_template_utils.is_chat_template_prefix_preserving(tokenizer):
            chat_template_utils.get_training_chat_template(tokenizer)
    except ValueError as error:
        raise ValueError(f"environment: TRL cannot train with the chat template of {name}: {error}") from error


def longest_first_step(questions: Questions, tokenizer, number: int = 64) -> int:
    """Tokens of the first message with the tool, at most, of so many questions."""
    asked = [[{"role": "user", "content": questions[row].text}] for row in range(number)]
    tool = StepsEnvironment({}).answer
    ids = tokenizer.apply_chat_template(asked, tools=[tool], add_generation_prompt=True, return_dict=True)["input_ids"]
    return max(map(len, ids))

"""How a model of text is asked: how a text goes on, or by the template that it was trained with."""

import dataclasses
import itertools
from collections.abc import Callable, Iterable, Iterator
from typing import ClassVar

from ..diagnosis.models import Subject
from ..models import prompting
from ..models.build import positions_of
from ..rl import answer_reward, prefix_matching_reward, prompts
from ..rl.questions import load_questions
from ..runs.tables import short_paths
from ..tasks import Task
from ..tasks.answers import boxed
from ..tasks.base import NO_PROMPT
from ..text import math_archive
from ..text.documents import open_documents, train_and_validation_of_each
from ..text.sources import label, named, texts_of
from .asking import Question, Said

_PROMPT, _NEW = 32, 32  # tokens of a text that a model is shown, and that it goes on for
_REPLY = 256  # tokens of a reply at most, unless told
_DEFAULT = "pydoc"  # held-out text where a model says nothing of its own


class OfText:
    """How texts go on that training held out, to a model that reads text.

    Args:
        data: a data set of text, instead of the run's own.
    """

    goes_on = True

    def __init__(self, subject: Subject, recipe: dict, data: str | None = None, max_new_tokens: int | None = None):
        self._tokenizer = prompting.open_ended(subject.tokenizer)
        self._new = max_new_tokens or _NEW
        self._positions = positions_of(subject.model.config)
        self._recipe, self._data = recipe, data
        self._rows = recipe.get("sequence_length")
        self.name = data or (label_of(recipe) if recipe.get("dataset") else _DEFAULT)

        self.source = f"Held-out text of {short_paths(self.name)}, and how it goes on."

    @property
    def trained(self) -> str:
        if self._rows:
            return f"It was trained on rows of {self._rows:,} tokens of text."
        if self._positions is None:
            return "Nothing here says what lengths it was trained on."
        return f"It reads {self._positions:,} tokens at a time; nothing here says what lengths it was trained on."

    def held_out(self, number):
        chosen = []
        for text in self._documents():
            ids = self._ids(text[:20_000])
            size = min(_PROMPT, len(ids) // 2, self._room())
            if size >= 4:
                chosen.append(self._asked(ids[:size], tuple(ids[size : size + self._new])))
            if len(chosen) == number:
                break
        return chosen

    def _documents(self) -> Iterable[str]:
        if self._data is None and self._recipe.get("dataset"):
            return held_out_documents(self._recipe)
        _, validated = train_and_validation_of_each([self._data or _DEFAULT], skip_empty=True)
        return itertools.chain(*validated)

    def _room(self) -> int:
        """Tokens of a prompt at most."""
        room = self._positions and self._positions - self._new
        if room is not None and room < 1:
            raise ValueError(
                f"max_new_tokens must be below the {self._positions} tokens that this model reads at a time, "
                f"got {self._new}"
            )
        return room or 2**20

    def typed(self, text):
        ids = self._ids(text)
        if not ids:
            raise ValueError("the prompt is empty")
        warning = ""
        room = self._room()
        if len(ids) > room:
            warning = f"this prompt has {len(ids):,} tokens; the model sees the last {room:,} of them"
            ids = ids[-room:]
        elif self._rows and len(ids) + self._new > self._rows:
            warning = f"prompt and answer have {len(ids) + self._new:,} tokens; training had rows of {self._rows:,}"
        return self._asked(ids, (), warning)

    def _ids(self, text: str) -> list[int]:
        return self._tokenizer(text, verbose=False)["input_ids"]

    def _asked(self, ids: list[int], true_ids: tuple[int, ...], warning: str = "") -> Question:
        before = self._text(ids)

        def behind(more) -> str:
            whole = self._text([*ids, *more])  # as a token alone may lose the space before it
            return whole.removeprefix(before)

        def read(completion: list[int]) -> Said:
            return Said(behind(completion), None)

        right = behind(true_ids) if true_ids else None
        return Question(before, ids, self._new, read, right, warning=warning, true_ids=true_ids)

    def _text(self, ids) -> str:
        return self._tokenizer.decode(ids, skip_special_tokens=True)


def label_of(recipe: dict) -> str:
    """The text of a run, in words."""
    return " + ".join(map(label, texts_of(recipe["dataset"])))


def held_out_documents(recipe: dict) -> Iterator[str]:
    """The documents that a run of recipes/semantic.py validates with. Raises ValueError where they are not at hand."""
    keys = ("dataset_config", "train_split", "validation_split", "validation_dataset", "text_column", "limit")
    settings = {key: recipe[key] for key in keys if recipe.get(key)}
    try:
        _, validated = train_and_validation_of_each(texts_of(recipe["dataset"]), skip_empty=True, **settings)
    except (ValueError, OSError) as error:
        raise ValueError(
            f"{error} (the text that it was trained on; --data pydoc, or another text, will do)"
        ) from error
    return itertools.chain(*validated)


@dataclasses.dataclass
class OfTemplate:
    """Questions in words, by the template that a model was trained with, to a model that reads text.

    Args:
        rows: gives rows: the prompt as people read it, what the model is asked (as `prompting.as_prompt` gives it), the
            right answer (None: there is none), and what tells whether a reply is right (None: nothing).
        typed_row: the row of a text that someone typed.
        new_tokens: of a reply at most.
        in_box: whether what stands in a \\boxed{} is the answer.
        has_end: whether replies end; else they are as long as the right answer.
        settings: of a chat template.
    """

    subject: Subject
    source: str
    rows: Callable[[], Iterator[tuple]]
    typed_row: Callable[[str], tuple]
    new_tokens: int
    in_box: bool = True
    has_end: bool = True
    settings: dict = dataclasses.field(default_factory=dict)
    goes_on: ClassVar = False

    @property
    def _positions(self) -> int | None:
        return positions_of(self.subject.model.config)

    @property
    def trained(self) -> str:
        reads = f"; it reads {self._positions:,} tokens at a time" if self._positions is not None else ""
        return f"It was trained on prompts in words, by a template{reads}."

    def held_out(self, number):
        return [self._asked(*row) for row in itertools.islice(self.rows(), number)]

    def typed(self, text):
        return self._asked(*self.typed_row(text))

    def _asked(self, shown: str, prompt, right: str | None, judge: Callable[[str], bool] | None) -> Question:
        (ids,) = prompting.token_ids([prompt], self.subject.tokenizer, **self.settings)
        if self._positions is not None and len(ids) + self.new_tokens > self._positions:
            raise ValueError(
                f"the prompt has {len(ids):,} tokens in its template, and max_new_tokens is {self.new_tokens:,}: "
                f"together more than the {self._positions:,} that this model reads"
            )

        def read(completion: list[int]) -> Said:
            reply = self.subject.tokenizer.decode(completion, skip_special_tokens=True)
            if not self.has_end and right is not None:
                reply = reply[: len(right)]
            said = boxed(reply) if self.in_box else reply
            return Said(reply if said is None else said, None if judge is None else judge(reply))

        return Question(shown, ids, self.new_tokens, read, right)


def of_rlvr(subject: Subject, task: Task, recipe: dict, seed: int, max_new_tokens: int | None) -> OfTemplate:
    """How a run of recipes/rlvr.py is asked that began with a model of text."""
    name = recipe.get("template") if not recipe.get("environment") else None
    template = prompting.read_template(name or prompts.usual_template(task), "prompt")
    show = prompts.in_words(template, subject.tokenizer)
    verify = answer_reward(task, in_box=True)

    def row(prompt_ids: list[int]) -> tuple:
        member = prompts.member_of(task, prompt_ids)
        own = getattr(task, "own_ids", {}).get(member)
        asked = [own[id] for id in prompt_ids] if own else prompt_ids
        right = member.text(member.solve(asked))

        def judge(reply: str) -> bool:
            return verify(prompts=[""], completions=[reply], prompt_ids=[prompt_ids])[0] == 1

        return task.text(prompt_ids), show(task, prompt_ids), right, judge

    def typed(text: str) -> tuple:
        ids = [int(id) for id in task.ids(text)]
        prompt = ids[: len(task.words_of(text))]
        try:
            return row(task.closed(prompt))
        except NO_PROMPT as error:
            raise ValueError(f"{task.config_name}: no prompt of this task: {text!r}") from error

    def rows() -> Iterator[tuple]:
        return (row(each["prompt_ids"]) for each in prompts.TaskPrompts(task, seed, "validation", show))

    source = f"Validation prompts of {task.config_name}, never trained on."
    return OfTemplate(subject, source, rows, typed, max_new_tokens or _reply(recipe))


def _reply(recipe: dict) -> int:
    return min(recipe.get("max_completion_length") or _REPLY, _REPLY)


def of_rpt(subject: Subject, recipe: dict, max_new_tokens: int | None) -> OfTemplate:
    """How a run of recipes/rpt.py is asked."""
    template = prompting.read_template(recipe.get("template") or "rpt", "context")
    verify = prefix_matching_reward(subject.tokenizer)

    def asked(context: str):
        return prompting.as_prompt(prompting.fill(template, context=context), subject.tokenizer)

    def rows() -> Iterator[tuple]:
        for row in load_questions(recipe["questions"], "validation"):
            truth = {key: [row[key]] for key in ("context", "continuation")}

            def judge(reply: str, truth=truth) -> bool:
                return verify(prompts=[""], completions=[reply], **truth)[0] == 1

            yield row["context"], asked(row["context"]), row["continuation"], judge

    def typed(text: str) -> tuple:
        return text, asked(text), None, None

    source = f"Validation questions of {short_paths(recipe['questions'])}, never trained on."
    return OfTemplate(subject, source, rows, typed, max_new_tokens or _reply(recipe))


def of_rephraser(subject: Subject, recipe: dict, data: str | None, max_new_tokens: int | None) -> OfTemplate:
    """How a run of recipes/recycle_train.py is asked: a text to be written anew."""
    template = prompting.read_template(recipe.get("template") or "recycle", "text")
    settings = recipe.get("chat_template_kwargs") or {}
    system = "You are a helpful assistant."

    def row(text: str) -> tuple:
        return text, prompting.as_prompt(prompting.fill(template, text=text), subject.tokenizer, system), None, None

    def rows() -> Iterator[tuple]:
        dataset = data or recipe["dataset"]
        column = None if data else recipe.get("text_column")
        texts = open_documents(dataset, column=column, skip_empty=True)
        return (row(text[:1_000]) for text in texts)

    name = short_paths(data or label(recipe["dataset"]))
    source = f"Texts of {name}, and what it makes of them." + ("" if data else " It was trained on most of them.")
    new_tokens = max_new_tokens or _reply(recipe)
    return OfTemplate(subject, source, rows, row, new_tokens, in_box=False, settings=settings)


def of_maths(subject: Subject, recipe: dict, max_new_tokens: int | None) -> OfTemplate:
    """How a run on DeepMind-Math is asked: by characters."""
    (folder,) = named(recipe["dataset"])

    def row(question: str, answer: str | None) -> tuple:
        judge = None if answer is None else answer.__eq__
        return question, f"<bos>{question}<sep>", answer, judge

    def rows() -> Iterator[tuple]:
        problems = math_archive.validation_problems(folder.name, 1)
        return (row(question, answer) for _, question, answer in math_archive.flat(problems))

    def typed(text: str) -> tuple:
        return row(text, None)

    source = "Validation problems of DeepMind-Math, never trained on; its answers have no end of their own."
    new_tokens = max_new_tokens or _NEW
    return OfTemplate(subject, source, rows, typed, new_tokens, in_box=False, has_end=False)

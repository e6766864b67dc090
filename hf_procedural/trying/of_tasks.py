"""How a model of a task's tokens is asked: prompts, and of a language the beginnings of words."""

import functools
import re
from collections.abc import Iterator

import numpy as np

from ..data import blocks
from ..diagnosis.models import Subject
from ..diagnosis.rows import table_of
from ..errors import nearest
from ..models.build import positions_of
from ..tasks import IGNORE, Task
from ..tasks.base import NO_PROMPT, ids_of_words
from ..tasks.mixture import Mixture
from ..tasks.shuffled import Shuffled
from .asking import Question, Said

_ROWS = 8  # rows for each length, where lengths are taken one by one; else all between the least and the greatest
_MARK = re.compile(r"<(?!0x)\w+>")  # other than a byte, any of which a text may have


class OfTask:
    """Questions of a task or mixture to a model that reads its tokens.

    An answer has as many tokens as the right one: in the rows of most tasks nothing else says where it ends. Of a
    language the model draws how a word goes on, as greedy ends seldom make a word; any word is right. Of a mixture an
    answer is right that is right for a member which takes the prompt.

    Args:
        stages: the tasks whose training rows the model saw, where these are others, as in a curriculum.
        max_new_tokens: tokens of an answer at most; of a longer one so many are compared.
    """

    goes_on = False

    def __init__(self, subject: Subject, task: Task, seed: int, stages=(), max_new_tokens: int | None = None):
        if any(isinstance(member, Shuffled) for member in getattr(task, "members", [task])):
            raise ValueError(f"{task.config_name}: rows of shuffled tokens have no answer to compare with")
        table = table_of(task, subject)
        size = len(task.vocabulary)
        own = np.arange(size) if table is None else table.numpy()
        self._ids = {word: int(own[id]) for id, word in enumerate(task.vocabulary)}  # the model's
        self._words = {id: word for word, id in self._ids.items()}
        self._task, self._seed, self._most = task, seed, max_new_tokens
        self._stages = stages or [task]
        self._config = subject.model.config
        self.name = task.config_name
        self.source = f"Validation rows of {self.name}, never trained on."
        self._members: list[Task] = list(getattr(task, "members", [task]))

    @functools.cached_property
    def _lengths(self) -> list[set[int]]:
        """The lengths of prompts in training rows, for each member; of a language, of whole rows."""
        return [self._lengths_of(number) for number in range(len(self._members))]

    def _lengths_of(self, number: int) -> set[int]:
        lengths = set()
        for member, input_ids, labels in self._trained_rows(number):
            _, starts, stops = member.questions(input_ids, labels)
            lengths |= set((stops if member.is_language else starts).tolist())
        return lengths

    def _trained_rows(self, number: int) -> Iterator[tuple]:
        """A member at each stage, with rows of its training."""
        for stage in self._stages:
            member = list(getattr(stage, "members", [stage]))[number]
            yield member, *blocks.block(member, self._seed, "train", 0)

    @property
    def trained(self) -> str:
        sentences = []
        for member, lengths in zip(self._members, self._lengths, strict=True):
            what = "rows" if member.is_language else "prompts"
            words = f"{what} of {in_words(lengths)} tokens"
            sentences.append(f"{member.config_name}: {words}" if len(self._members) > 1 else words)
        return f"It was trained on {'; '.join(sentences)}."

    def held_out(self, number):
        rows = []
        for count in range(number):
            block, place = divmod(count, blocks.block_rows(self._task))
            input_ids, labels = blocks.block(self._task, self._seed, "validation", block)
            rows.append(self._of_row(input_ids[place], labels[place]))
        return rows

    def _of_row(self, input_ids, labels) -> Question:
        """The question of a row, ``[max_length]``."""
        member = self._task
        if isinstance(self._task, Mixture):
            number, input_ids, labels = self._task.readings(input_ids, labels)[0]
            member = self._members[number]
        prompt, answer = member.question(input_ids, labels)
        if member.is_language:
            word = prompt + answer
            return self._begun(member, [member.vocabulary[id] for id in word[: max(1, len(word) // 4)]], len(word))
        return self._asked([member.vocabulary[id] for id in prompt], member)

    def typed(self, text):
        words = self._task.words_of(text)
        if not words:
            raise ValueError("the prompt is empty")
        for word in words:
            if word not in self._ids:
                hint = nearest(word, self._ids) or f" (such as {' '.join(list(self._ids)[:4])})"
                raise ValueError(f"{word!r} is no token of {self.name}{hint}")
        languages = [member for member in self._members if member.is_language and _knows(member, words)]
        if languages and (len(self._members) == 1 or not self._takers(words)):
            (member, *_) = languages
            length = max(self._lengths[self._members.index(member)])
            if len(words) >= length:
                raise ValueError(f"the beginning has {len(words)} tokens, and {member.config_name}'s rows {length}")
            return self._begun(member, words, length)
        return self._asked(words)

    def _takers(self, words: list[str], own: Task | None = None) -> list[tuple[Task, list[int], list[int]]]:
        """The members that take a prompt, which it may close: the prompt and the right answer in their ids.

        Oracles take <pad> or a second <sep> as they take symbols; but for the `own` of a row, members do not.
        """
        takers = []
        for number, member in enumerate(self._members):
            if not member.is_language and _knows(member, words):
                ids = ids_of_words(member)
                prompt = member.closed([ids[word] for word in words])
                if member is not own and not self._has_known_marks(number, prompt):
                    continue
                try:
                    takers.append((member, prompt, [int(token) for token in member.solve(prompt)]))
                except NO_PROMPT:
                    continue
        return takers

    def _has_known_marks(self, number: int, prompt: list[int]) -> bool:
        """Whether each mark in a prompt, such as <sep>, stands where a training row has it: at the end, or before."""
        words = [self._members[number].vocabulary[id] for id in prompt]
        before, at_end = self._marks[number]
        return set(filter(_MARK.fullmatch, words[:-1])) <= before and set(filter(_MARK.fullmatch, words[-1:])) <= at_end

    @functools.cached_property
    def _marks(self) -> list[tuple[set[str], set[str]]]:
        """The words that stand in prompts of training rows before the end, and at it, for each member."""
        return [self._marks_of(number) for number in range(len(self._members))]

    def _marks_of(self, number: int) -> tuple[set[str], set[str]]:
        before, at_end = set(), set()
        for member, input_ids, labels in self._trained_rows(number):
            rows, starts, _ = member.questions(input_ids, labels)
            ends = starts[:, None] - 1
            places = np.arange(rows.shape[1])
            before |= {member.vocabulary[id] for id in np.unique(rows[places < ends])}
            at_end |= {member.vocabulary[id] for id in np.unique(rows[places == ends])}
        return before, at_end

    def _asked(self, words: list[str], own: Task | None = None) -> Question:
        """The question of a prompt; of a row, its `own` member gives the answer that is shown."""
        takers = sorted(self._takers(words, own), key=lambda taker: taker[0] is not own)
        if not takers:
            raise ValueError(f"{self.name}: no prompt of this task: {self._task.spell(words)!r}")
        member, prompt, answer = takers[0]
        begun = _begun(member, prompt, answer)  # what no training row has a label for, the model is given
        shown_takers = takers if own is None else takers[:1]
        longest = max(len(each) for _, _, each in shown_takers) - len(begun)
        size = max(1, min(longest, self._most or longest))
        self._check_room(len(prompt) + len(begun) + size)
        shown = [member.vocabulary[id] for id in prompt]
        rights = []
        for each, _, right in shown_takers:
            spelled = self._spelled([each.vocabulary[id] for id in right])
            if spelled not in rights:
                rights.append(spelled)

        def read(completion: list[int]) -> Said:
            said = [member.vocabulary[id] for id in begun] + [self._words.get(id, "<?>") for id in completion]
            said = _ended(said)
            is_right = any(_is_right(*taker, said, cut=size < longest) for taker in takers)
            return Said(self._spelled(said), is_right)

        given = [self._ids[word] for word in shown + [member.vocabulary[id] for id in begun]]
        warning = self._warning(member, len(prompt))
        return Question(self._spelled(shown), given, size, read, " or ".join(rights), warning=warning)

    def _begun(self, member: Task, words: list[str], length: int) -> Question:
        """The question how a word of a language goes on; all that make a word are right."""
        size = max(1, min(length - len(words), self._most or length))
        self._check_room(len(words) + size)
        own = ids_of_words(member)

        def read(completion: list[int]) -> Said:
            said = [self._words.get(id, "<?>") for id in completion]
            is_whole = len(words) + len(said) >= length or "<pad>" in said
            said = said[: said.index("<pad>")] if "<pad>" in said else said
            known = all(word in own for word in said)
            ids = [own[word] for word in words + said] if known else []
            return Said(self._spelled(said), bool(ids) and bool(member.accepts(ids)) if is_whole or not known else None)

        return Question(
            self._spelled(words),
            [self._ids[word] for word in words],
            size,
            read,
            f"(any word of {member.config_name})",
            is_sampled=True,
        )

    def _spelled(self, words: list[str]) -> str:
        return self._task.spell(words)

    def _warning(self, member: Task, length: int) -> str:
        lengths = self._lengths[self._members.index(member)]
        is_known = length in lengths
        if len(lengths) * _ROWS > blocks.block_rows(member):  # one that lies between may have been in no row of these
            is_known = min(lengths) <= length <= max(lengths)
        if is_known:
            return ""
        return f"this prompt has {length} tokens; training had prompts of {in_words(lengths)} alone, so expect nonsense"

    def _check_room(self, length: int) -> None:
        """Raises ValueError where a model has a table of positions that ends before so many tokens."""
        positions = positions_of(self._config)
        if positions is not None and length > positions and not hasattr(self._config, "rope_parameters"):
            lengths = "; ".join(in_words(lengths) for lengths in self._lengths)
            raise ValueError(
                f"prompt and answer have {length} tokens, and this model reads {positions}: it was trained on prompts "
                f"of {lengths}"
            )


def in_words(lengths: set[int]) -> str:
    """
    >>> in_words({17}), in_words({3, 4, 5, 6}), in_words({3, 5, 7, 9, 11}), in_words({3, 5})
    ('17', '3 to 6', '3, 5, 7 ... 11', '3, 5')
    """
    ordered = sorted(lengths)
    if len(ordered) < 4:
        return ", ".join(map(str, ordered))
    step = ordered[1] - ordered[0]
    is_even = ordered == list(range(ordered[0], ordered[-1] + 1, step))
    if is_even and step > 1:
        return f"{', '.join(map(str, ordered[:3]))} ... {ordered[-1]}"
    return f"{ordered[0]} to {ordered[-1]}"


def _knows(member: Task, words: list[str]) -> bool:
    return ids_of_words(member).keys() >= set(words)


def _begun(member: Task, prompt: list[int], answer: list[int]) -> list[int]:
    """The beginning of an answer that has no label in a row of the task."""
    if len(prompt) + len(answer) > member.max_length or member.apart:
        return []
    try:
        _, labels = member.example(prompt)
    except ValueError:  # of a row that has no room for it
        return []
    scored = labels[len(prompt) : len(prompt) + len(answer)] != IGNORE
    return answer[: int(scored.argmax())] if scored.any() else []


def _ended(words: list[str]) -> list[str]:
    """The words before the first <eos> or <pad>."""
    ends = [words.index(end) for end in ("<eos>", "<pad>") if end in words]
    return words[: min(ends, default=len(words))]


def _is_right(member: Task, prompt: list[int], answer: list[int], said: list[str], cut: bool) -> bool:
    own = ids_of_words(member)
    if not all(word in own for word in said):
        return False
    ids = [own[word] for word in said]
    if cut:  # of what is compared, all is right
        return ids == answer[: len(ids)]
    return member.score(prompt, ids[: max(len(answer), 1)]) == 1

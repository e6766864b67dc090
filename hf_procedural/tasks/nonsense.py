"""Nonsense summarisation: documents of random words, and what a summariser has to do with them.

The sub-tasks d1 to d21 of Krishna et al. 2021 (Does Pretraining for Summarization Require Knowledge Transfer?,
arXiv:2109.04953) and the three STEP tasks that they compare with, of Zou et al. 2020 (arXiv:2004.01853), over the same
documents. Texts and distributions are those of the reference code, acmi-lab/pretraining-with-nonsense at ec2698f:

    document     sentences of random words, each closed by the token ``.``
    sub-task     puts keywords such as __d8__bullet__ into the document, and asks for what they say
    composite    three different sub-tasks of the 16 used: all change the document, then all answer

Words are those of one joined text: the reference's lines are not told apart in a prompt. Word i is i in base 26, a = 0,
least significant letter first; an answer's word, such as ``the``, may be one of them. Ids, for all operations alike:
the words in that order, ``.``, the keywords of d3 to d21, the other words of answers, the numbers, <extra_id_0>,
<sep>, <eos>, <pad>.

Kept oddities: some answers begin with ``The`` and some with ``the``; check_keyword changes the document half of the
time; a quote may close behind the full stop, which a later sub-task of `composite` may then overwrite; every masked
token is an <extra_id_0> of its own. Deviations: tokens are words where STEP counts those of T5; documents of STEP are
not limited to 100 sentences, nor is one drawn again that ends more than 50 tokens late, as only longer sentences can;
settings for which the reference would run out of sentences or words are refused.
"""

import dataclasses
import functools
import itertools
from collections.abc import Iterator

import numpy as np

from ..errors import at_least
from .fields import choice, integer
from .layouts import Answered
from .registry import register

SUBTASKS = (
    "copy_first_sentence",
    "copy_last_sentence",
    "copy_keyword_one_sentence",
    "copy_keyword_multiple_sentences",
    "copy_keyword_multiple_sentences_shuffled",
    "copy_keyword_multiple_sentences_sorted",
    "copy_quoted",
    "copy_bulleted",
    "check_keyword",
    "classify_keyword",
    "replace_class_keyword",
    "majority_keyword",
    "topic_segregation",
    "threshold_number",
    "compare_numbers",
    "largest_number",
    "sum_of_numbers",
    "paraphrase_words",
    "join_clauses",
    "break_clauses",
    "truncate_sentence",
)  # sub-task d1 is the first
USED = tuple(number for number in range(1, 22) if number not in (1, 2, 9, 15, 17))  # in `composite`
STEP = ("sentence_reordering", "next_sentence_generation", "masked_document_generation")

_TENS = [f"keyword_{i}" for i in range(10)]
_CLASSES = [f"class_{c}_kw_{j}" for c, j in itertools.product(range(3), range(3))]
_NUMBERS = [str(number) for number in range(100)]
_JOINERS = [f"join_{i}" for i in range(5)]
_KEYWORDS = {  # of each sub-task, what it puts into documents
    **dict.fromkeys((3, 4, 5, 6, 10, 21), _TENS),
    7: ["begin_quote", "end_quote"],
    8: ["bullet"],
    9: ["keyword"],
    **dict.fromkeys((11, 13), _CLASSES),
    12: ["keyword_1", "keyword_2"],
    **dict.fromkeys((14, 15, 16, 17), _NUMBERS),
    18: [f"src_{i}" for i in range(20)],
    **dict.fromkeys((19, 20), _JOINERS),
}
_RESULTS = {  # and what only its answers have
    **dict.fromkeys((11, 13), [f"class_{c}" for c in range(3)]),
    18: [f"target_{i}_{j}" for i, j in itertools.product(range(20), range(3))],
}
_SENTENCES = {4: 3, 5: 3, 6: 3, 12: 5, 13: 5, 15: 2, 16: 4, 17: 4, 19: 3}  # that a document must have; else 1
_WORDS = {19: 2, 20: 2}  # that a sentence must have; else 1
_TEXTS = (  # fixed answers, and beginnings of answers, as nonsense_kernels counts them
    "the special word was not found .",
    "the special word was found .",
    "the keyword was positive .",
    "the keyword was negative .",
    "The keyword 1 occurred more number of times .",
    "The keyword 2 occurred more number of times .",
    "the number was below threshold .",
    "the number was above or equal to threshold .",
    "The first number is greater .",
    "The second number is greater .",
    "The largest number is",
    "The sum of numbers is",
    "The combined sentence is",
    "section",
)
_BEGIN, _END = "__d7__begin_quote__", "__d7__end_quote__"


@functools.lru_cache(maxsize=8)
def _vocabulary(size: int) -> tuple[str, ...]:
    letters = 1
    while 26**letters < size:
        letters += 1
    words = [_word(number, letters) for number in range(size)]
    marks = []
    for d in sorted(_KEYWORDS):
        marks += [f"__d{d}__{name}__" for name in (*_KEYWORDS[d], *_RESULTS.get(d, ()))]
    of_answers = [word for word in " ".join(_TEXTS).split() if not word.isdigit()]
    numbers = [str(number) for number in range(sum(range(96, 100)) + 1)]  # up to the greatest sum
    # A word of answers may be one of the random words too, and has one id: that where it first stands.
    tokens = [*words, ".", *marks, *of_answers, *numbers, "<extra_id_0>", "<sep>", "<eos>", "<pad>"]
    return tuple(dict.fromkeys(tokens))


def _word(number: int, letters: int) -> str:
    """A number in base 26, a = 0, least significant letter first."""
    return "".join(chr(ord("a") + number // 26**place % 26) for place in range(letters))


@functools.lru_cache(maxsize=8)
def _ids(size: int) -> dict[str, int]:
    return {word: index for index, word in enumerate(_vocabulary(size))}


@functools.lru_cache(maxsize=8)
def _tables(size: int):
    """For the kernels: the id of the first keyword and how many there are, of each sub-task; the texts' ids, then -1;
    the id of the number 0. int32 arrays, and an int."""
    ids = _ids(size)
    keywords = np.zeros((22, 2), np.int32)
    for d, names in _KEYWORDS.items():
        keywords[d] = ids[f"__d{d}__{names[0]}__"], len(names)
    texts = np.full((len(_TEXTS), 16), -1, np.int32)
    for row, text in zip(texts, _TEXTS, strict=True):
        words = text.split()
        row[: len(words)] = [ids[word] for word in words]
    return keywords, texts, ids["0"]


def sentences_of(words: list[str]) -> list[list[str]]:
    """The sentences of a text: each ends with its full stop, or the quote that closes behind it."""
    sentences = []
    begin = 0
    for end in range(1, len(words) + 1):
        word = words[end - 1]
        closes = word == "." and words[end : end + 1] != [_END]
        closes_behind_quote = word == _END and words[end - 2] == "."
        if closes or closes_behind_quote or end == len(words):
            sentences.append(words[begin:end])
            begin = end
    return sentences


def _readings(words: list[str]) -> Iterator[list[list[str]]]:
    """The sentences of a document: two ways where a keyword before a closing quote may have been the full stop."""
    yield sentences_of(words)
    if _END not in words[1:-1]:
        return
    end = words.index(_END)
    if words[end - 1].startswith("__"):
        yield sentences_of(words[: end + 1]) + sentences_of(words[end + 1 :])


def _answers(d: int, sentences: list[list[str]]) -> Iterator[list[str]]:
    """Every right answer of sub-task d to a document, in lines of words."""
    mark = f"__d{d}__"
    marked = []
    places = []  # of the first keyword in each of these
    for sentence in sentences:
        of_keywords = [place for place, word in enumerate(sentence) if word.startswith(mark)]
        if of_keywords:
            marked.append(sentence)
            places.append(of_keywords[0])
    keywords = [sentence[place] for sentence, place in zip(marked, places, strict=True)]
    names = [keyword.removeprefix(mark).removesuffix("__") for keyword in keywords]  # in document order
    lines = [" ".join(sentence) for sentence in marked]
    match d:
        case 1:
            yield [" ".join(sentences[0])]
        case 2:
            yield [" ".join(sentences[-1])]
        case 3 | 4:
            yield lines
        case 5:
            yield from map(list, itertools.permutations(lines))
        case 6:
            yield [line for _, line in sorted(zip(names, lines, strict=True))]
        case 7:
            quote = marked[0][places[0] + 1 : marked[0].index(_END)]
            if quote[-1] != ".":
                quote.append(".")
            yield [" ".join(quote)]
        case 8:
            yield [" ".join(marked[0][1:])]
        case 9:
            yield [f"the special word was {'' if marked else 'not '}found ."]
        case 10:
            yield [f"the keyword was {'positive' if int(names[0][-1]) < 5 else 'negative'} ."]
        case 11:
            yield [lines[0].replace(keywords[0], f"{mark}{names[0][:7]}__")]  # class_c of class_c_kw_j
        case 12:
            yield [f"The keyword {max('12', key=''.join(names).count)} occurred more number of times ."]
        case 13:
            sections = {f"class_{c}": [f"section {mark}class_{c}__"] for c in range(3)}
            for name, line in zip(names, lines, strict=True):
                sections[name[:7]].append(line)
            yield list(itertools.chain.from_iterable(sections.values()))
        case 14:
            yield [f"the number was {'above or equal to' if int(names[0]) >= 50 else 'below'} threshold ."]
        case 15:
            yield [f"The {'first' if int(names[0]) > int(names[1]) else 'second'} number is greater ."]
        case 16:
            yield [f"The largest number is {max(map(int, names))} ."]
        case 17:
            yield [f"The sum of numbers is {sum(map(int, names))} ."]
        case 18:
            target = f"{mark}{names[0].replace('src', 'target')}"
            for j in range(3):
                yield [lines[0].replace(keywords[0], f"{target}_{j}__")]
        case 19:
            clauses = []
            for sentence, place in zip(marked, places, strict=True):
                clauses += sentence[place:-1]
            yield [f"The combined sentence is {' '.join(clauses)} ."]
        case 20 if len(marked) == 1:  # not in the wrong reading of a document
            sentence = marked[0]
            first, second = (place for place, word in enumerate(sentence) if word.startswith(mark))
            without_second = [*sentence[:second], "."]
            without_first = [*sentence[:first], *sentence[second:-1], "."]
            yield [" ".join(without_second), " ".join(without_first)]
        case 21:
            yield [" ".join([*marked[0][: places[0]], "."])]


@register
@dataclasses.dataclass(frozen=True)
class Nonsense(Answered):
    """``document <sep> answer <eos>``, then <pad>; the loss counts on the answer and on <eos>.

    A document has `sentences` - 3 .. `sentences` + 3 sentences, at least one, and each of those `words` - 5 ..
    `words` + 5 words, at least one, then ``.``: lengths uniform, words independent and uniform. A sub-task draws the
    sentences that it marks, and in each of them one of the words that no sub-task has taken; see `nonsense_kernels`.
    The answers of copy_keyword_multiple_sentences_shuffled and paraphrase_words are random, as is the order of the
    three of `composite`: `solve` gives the first right one, for `composite` by the numbers of the sub-tasks, and
    `is_answer` takes any.

    STEP's documents end with the sentence that takes them above `required_tokens` tokens. Nobody can know what it
    answers with, so `is_answer` holds an answer to what can be known. sentence_reordering, the sentences shuffled, then
    in their order: any order of them (`solve`: sorted). next_sentence_generation, all but the last `next_tokens` of
    `required_tokens` tokens, then these: as many words and full stops that go on in sentences of the lengths above
    (`solve`: the longest sentences of the first word). masked_document_generation, where a span of min_span ..
    max_span tokens, uniform, at any place within `required_tokens`, has each token masked with probability 0.8, made
    a random word with 0.1 and kept with 0.1, then the document: as many words and full stops, and all that differ from
    the prompt, which the masked ones do, within a span of `max_span` (`solve`: the first word for each masked token).
    """

    name = "nonsense"
    headline = "operation"
    sizes = (*SUBTASKS, *STEP, "composite")
    summary = "summarise documents of random words by what their keywords ask for"
    paper = "Krishna et al. 2021, Does Pretraining for Summarization Require Knowledge Transfer?, arXiv:2109.04953"

    operation: str = choice("composite", sizes, "sub-task, three of them (composite), or STEP task")
    sentences: int = integer(10, 1, "sentences of a document, give or take 3 (not of STEP)", high=2**20)
    words: int = integer(10, 1, "words of a sentence, give or take 5", high=2**20)
    vocab_size: int = integer(5000, 2, "different words; keywords and the words of answers come on top", high=2**20)
    required_tokens: int | None = integer(
        None, 1, "STEP: tokens that a document exceeds; none: 512, or 768 for the next sentence", 2**20, optional=True
    )
    next_tokens: int = integer(256, 1, "next_sentence_generation: tokens of the answer")
    min_span: int = integer(100, 1, "masked_document_generation: tokens of the span, at least")
    max_span: int = integer(255, 1, "masked_document_generation: tokens of the span, at most")

    def __post_init__(self):
        super().__post_init__()
        needs = {}  # for each parameter, what it must be at least
        if self.operation == "composite":
            # A document may have 3 sentences less, a sentence 5 words less. 5 words: the other two sub-tasks may take
            # 3 of them before join_clauses needs one, which is not the last.
            needs = {"sentences": 5 + 3, "words": 5 + 5}
        elif self.operation in SUBTASKS:
            number = self._numbers[0]
            sentences, words = _SENTENCES.get(number, 1), _WORDS.get(number, 1)
            needs = {"sentences": sentences if sentences == 1 else sentences + 3}  # there is always one
            needs |= {"words": words if words == 1 else words + 5}
        elif self.operation == "next_sentence_generation":
            needs = {"required_tokens": self.next_tokens + 1}
        elif self.operation == "masked_document_generation":
            needs = {"max_span": self.min_span, "required_tokens": self.max_span}
        for name, need in needs.items():
            value = self._required if name == "required_tokens" else getattr(self, name)
            at_least(f"{self.config_name}: {name}", value, need)

    @property
    def _numbers(self) -> tuple[int, ...]:
        """The sub-tasks that a prompt may have."""
        return USED if self.operation == "composite" else (SUBTASKS.index(self.operation) + 1,)

    @property
    def _required(self) -> int:
        if self.required_tokens is not None:
            return self.required_tokens
        return 768 if self.operation == "next_sentence_generation" else 512

    @property
    def _longest(self) -> int:
        """The words of the longest sentence."""
        return self.words + 5

    @property
    def vocabulary(self) -> tuple[str, ...]:
        return _vocabulary(self.vocab_size)

    @property
    def sep_id(self) -> int:
        return len(self.vocabulary) - 3

    @property
    def eos_id(self) -> int:
        return len(self.vocabulary) - 2

    @property
    def pad_id(self) -> int:
        return len(self.vocabulary) - 1

    @property
    def max_length(self) -> int:
        sentence = self._longest + 1  # with its full stop
        ends = 2  # <sep> and <eos>
        if self.operation == "next_sentence_generation":
            return self._required + ends
        if self.operation in STEP:
            return 2 * (self._required + sentence) + ends
        answers = {  # of each sub-task, its longest answer
            **dict.fromkeys((1, 2, 3, 7, 8, 11, 18), sentence),
            **dict.fromkeys((4, 5, 6), 3 * sentence),
            9: len(_TEXTS[0].split()),
            10: len(_TEXTS[2].split()),
            12: len(_TEXTS[4].split()),
            13: 5 * sentence + 6,
            14: len(_TEXTS[7].split()),
            15: len(_TEXTS[9].split()),
            16: 6,
            17: 7,
            19: 3 * sentence + 2,
            20: 2 * sentence - 2,
            21: sentence - 1,
        }
        longest = sorted(answers[number] for number in self._numbers)[-3:]
        # In `composite`, where quotes and bullets are added to a document, the answers are shorter by more.
        inserted = {"copy_quoted": 2, "copy_bulleted": 1}.get(self.operation, 0)
        return (self.sentences + 3) * sentence + inserted + sum(longest) + ends

    def _words(self, prompt_ids) -> list[str]:
        vocabulary, sep_id = self.vocabulary, self.sep_id
        return [vocabulary[token] for token in prompt_ids if token != sep_id]

    def _right(self, prompt_ids) -> Iterator[list[int]]:
        """Every right answer to a prompt with keywords."""
        words = self._words(prompt_ids)
        ids = _ids(self.vocab_size)
        numbers = self._numbers
        if self.operation == "composite":  # the three that have a keyword in the document, such as __d8__bullet__
            numbers = sorted({int(word.split("__")[1][1:]) for word in words if word.startswith("__")})
        for sentences in _readings(words):
            for order in itertools.permutations(numbers):
                for answers in itertools.product(*(_answers(d, sentences) for d in order)):
                    text = " ".join(itertools.chain(*answers))
                    yield [ids[word] for word in text.split()]

    def solve(self, prompt_ids) -> list[int]:
        """The answer; where several are right, the first of them."""
        prompt = [int(token) for token in prompt_ids if token != self.sep_id]
        full_stop = self.vocab_size
        if self.operation == "sentence_reordering":
            return list(itertools.chain.from_iterable(sorted(self._cut(prompt))))
        if self.operation == "next_sentence_generation":
            begun = len(self._cut([*prompt, full_stop])[-1]) - 1  # words of the sentence to go on with
            places = [place % (self._longest + 1) for place in range(begun, begun + self.next_tokens)]
            return [full_stop if place == self._longest else 0 for place in places]
        if self.operation == "masked_document_generation":
            return [token if token <= full_stop else 0 for token in prompt]
        return next(self._right(prompt))

    def is_answer(self, prompt_ids, answer_ids) -> bool:
        """Whether an answer is one of the right ones; see the class for those of STEP."""
        prompt = [int(token) for token in prompt_ids if token != self.sep_id]
        answer = [int(token) for token in answer_ids]
        full_stop = self.vocab_size
        if self.operation not in STEP:
            return answer in self._right(prompt)
        if self.operation == "sentence_reordering":
            return sorted(self._cut(prompt)) == sorted(self._cut(answer))
        size = self.next_tokens if self.operation == "next_sentence_generation" else len(prompt)
        if len(answer) != size or not all(0 <= token <= full_stop for token in answer):
            return False
        if self.operation == "next_sentence_generation":
            lengths = [len(sentence) - 1 for sentence in self._cut([*prompt, *answer, full_stop])]
            shortest = max(1, self.words - 5)
            return min(lengths[:-1], default=shortest) >= shortest and max(lengths) <= self._longest
        changed = [place for place in range(size) if prompt[place] != answer[place]]
        return not changed or (changed[-1] < self._required and changed[-1] - changed[0] < self.max_span)

    def _cut(self, tokens: list[int]) -> list[list[int]]:
        """The sentences of a text without keywords."""
        ends = [place for place, token in enumerate(tokens, 1) if token == self.vocab_size or place == len(tokens)]
        return [tokens[begin:end] for begin, end in itertools.pairwise([0, *ends])]

    def write(self, rng, input_ids):
        from . import kernels, nonsense_kernels

        state = kernels.stream(rng)
        ends = (self.sep_id, self.eos_id)
        if self.operation in STEP:
            step = STEP.index(self.operation)
            sizes = (self._required, self.next_tokens, self.min_span, self.max_span)
            mask = self.sep_id - 1
            return nonsense_kernels.write_step(state, input_ids, step, self.words, self.vocab_size, sizes, mask, ends)
        keywords, texts, zero = _tables(self.vocab_size)
        numbers = np.array(self._numbers)
        sizes = (self.sentences, self.words, self.vocab_size)
        return nonsense_kernels.write(state, input_ids, numbers, sizes, keywords, texts, zero, ends)

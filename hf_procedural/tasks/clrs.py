"""CLRS-Text: the algorithms of a textbook, with the steps that they take, as text.

Markeeva et al. 2024 (The CLRS-Text Algorithmic Reasoning Language Benchmark, arXiv:2406.04229), after the generators of
the reference code, google-deepmind/clrs at bfd042f (dm-clrs), with numbers cut to three decimals as in its published
rows: 27 of its 30 algorithms (not the three of geometry). `CLRS.as_text` gives CLRS-Text's own text of a row, question
and answer, character for character, and `CLRS.encode` is the way back.

A token is a word, a sign or a number: 0.417 is one. Spaces are left out, as they follow from the tokens: one behind
a comma and a colon, around a bar, and between numbers. <newline> ends a line; <sep> is the newline that ends the
question, <eos> the two that end the answer.

Ours is that of equal numbers the first comes first where they are sorted; in the reference it is NumPy's unstable sort
that decides, otherwise on other processors. As there, `pos` and `adj` are not in the text.
"""

import dataclasses
import functools
import re

import numpy as np

from . import clrs_graphs_oracle, clrs_oracle
from .clrs_ids import EOS, LONGEST, PAD, SEP, SIGNS
from .fields import choice, flag, integer, parameter
from .layouts import Answered
from .registry import register

_TEN = (4, 5, 10, 11, 12, 15, 19, 23, 28, 31)
_BY_STEPS = {"binary_search": "low high", "find_maximum_subarray_kadane": "best_low best_high", "quickselect": "pivot"}
_BY_STEPS |= {"naive_string_matcher": "s", "kmp_matcher": "s"}
_IN_BRACKETS = ("binary_search", "find_maximum_subarray_kadane")


@dataclasses.dataclass(frozen=True)
class Algorithm:
    """What the text of an algorithm has: the names of its inputs and outputs, its published sizes to train on."""

    inputs: str
    outputs: str
    sizes: int  # of `_TEN`
    steps: str  # at most, of n items
    form: str = "list"  # of a step: list, matrix, number, pair, or list and number
    p: float | None = None  # of an edge


SEQUENCES = {  # in the order of clrs_sequences_kernels' codes
    "insertion_sort": Algorithm("key", "pred", 10, "n"),
    "bubble_sort": Algorithm("key", "pred", 3, "n * (n - 1) // 2 + 1"),
    "heapsort": Algorithm("key", "pred", 3, "(2 * n - 1) * n.bit_length() + n"),
    "quicksort": Algorithm("key", "pred", 3, "n * (n + 1) // 2"),
    "minimum": Algorithm("key", "min", 10, "n", "number"),
    "binary_search": Algorithm("key target", "return", 10, "n.bit_length() + 1", "pair"),
    "quickselect": Algorithm("key", "median", 10, "n * (n + 1) // 2", "number"),
    "find_maximum_subarray_kadane": Algorithm("key", "start end", 10, "n", "pair"),
    "activity_selector": Algorithm("s f", "selected", 10, "n + 1"),
    "task_scheduling": Algorithm("d w", "selected", 10, "n + 1"),
    "naive_string_matcher": Algorithm(
        "string key", "match", 10, "(n - 2 * max(n // 5, 1) + 1) * max(n // 5, 1)", "number"
    ),
    "kmp_matcher": Algorithm("string key", "match", 10, "2 * n", "number"),
    "lcs_length": Algorithm("string key", "b", 3, "n", "matrix"),
    "matrix_chain_order": Algorithm("p", "s", 3, "n + 1", "matrix"),
    "optimal_bst": Algorithm("p q", "root", 3, "n + 1", "matrix"),
}
GRAPHS = {  # in the order of clrs_graphs_kernels' codes
    "dfs": Algorithm("A", "pi", 8, "3 * n", p=0.5),
    "topological_sort": Algorithm("A", "topo topo_head", 8, "3 * n", "list and number", p=0.5),
    "articulation_points": Algorithm("A", "is_cut", 7, "(2 * n + 3) * n", p=0.2),
    "bridges": Algorithm("A", "is_bridge", 2, "(2 * n + 3) * n", "matrix", p=0.2),
    "strongly_connected_components": Algorithm("A", "scc_id", 6, "6 * n", p=0.5),
    "dag_shortest_paths": Algorithm("s A", "pi", 7, "4 * n", p=0.5),
    "bfs": Algorithm("s A", "pi", 10, "n + 1", p=0.5),
    "mst_kruskal": Algorithm("A", "in_mst", 3, "n * n * (n + 1)", "matrix", p=0.2),
    "mst_prim": Algorithm("s A", "pi", 9, "n + 1", p=0.5),
    "bellman_ford": Algorithm("s A", "pi", 10, "n + 1", p=0.5),
    "dijkstra": Algorithm("s A", "pi", 9, "n + 1", p=0.5),
    "floyd_warshall": Algorithm("A", "Pi", 3, "n", "matrix", p=0.5),
}
ALGORITHMS = SEQUENCES | GRAPHS
_ORACLES = {name: getattr(clrs_oracle if name in SEQUENCES else clrs_graphs_oracle, name) for name in ALGORITHMS}


def _names_of(algorithm: str, with_trace: bool) -> list[str]:
    """The names of what is asked for."""
    outputs = _BY_STEPS.get(algorithm) if with_trace else None
    return (outputs or ALGORITHMS[algorithm].outputs).split()


@functools.cache
def _vocabulary() -> tuple[str, ...]:
    numbers = [str(number) for number in range(-1, LONGEST + 1)]
    floats = [str(number / 1000) for number in range(1001)]
    negative = [f"-{number}" for number in floats]
    names = {}
    for algorithm, about in ALGORITHMS.items():
        words = [algorithm, *about.inputs.split(), *_names_of(algorithm, True), *_names_of(algorithm, False)]
        names |= dict.fromkeys(words)
    return (*SIGNS, *numbers, *floats, *negative, *names)


@functools.cache
def _ids() -> dict[str, int]:
    return {word: number for number, word in enumerate(_vocabulary())}


@functools.cache
def _values() -> np.ndarray:
    """The number that each token is, float64; 0 of other tokens."""
    values = np.zeros(len(_vocabulary()))
    for word, token in _ids().items():
        if re.fullmatch(r"-?\d+(\.\d+)?", word):
            values[token] = float(word)
    return values


def _is_sizes(value) -> bool:
    if isinstance(value, list | tuple):
        return bool(value) and all(map(_is_size, value))
    return _is_size(value)


def _is_size(value) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 4 <= value <= LONGEST


def _as_sizes(value):
    if isinstance(value, list | tuple):
        return tuple(value)
    return value if value is None else (value,)


def written(form: str, value, in_brackets: bool) -> list[str]:
    """A step or an output as words."""
    if form == "matrix":
        lines = [["[", *map(str, line), "]"] for line in value]
        return ["[", *lines[0], *(word for line in lines[1:] for word in [",", *line]), "]"]
    if form == "list":
        return ["[", *map(str, value), "]"]
    if form == "list and number":
        numbers, last = value
        return ["[", *map(str, numbers), "]", ",", str(last)]
    if form == "pair" and not isinstance(value, int):
        words = [str(value[0]), ",", str(value[1])]
        return ["(", *words, ")"] if in_brackets else words
    return [str(value)]


@register
@dataclasses.dataclass(frozen=True)
class CLRS(Answered):
    """``name : <newline> inputs , initial_trace : step <newline> trace | output : <sep> steps | output <eos>``.

    As CLRS-Text writes it: each input with its name, ``key : [ 0.417 0.72 ]``; the first step of the trace stands in
    the question, the last one is left out, and the output ends the answer. Without `trace` the question is
    ``name : <newline> inputs <newline> output :``, and the answer the output alone.

    Numbers are uniform on [0, 1), of ``find_maximum_subarray_kadane`` on (-1, 1); strings have 4 letters; the needle is
    a fifth of all, and is put into the text. An edge is there with probability `p`, in both directions that of a graph
    that is not directed with `p` squared, as in the reference: its sparse graphs (p = 0.2: ``articulation_points``,
    ``bridges``, ``mst_kruskal``) have hardly any. Rows of more than `max_tokens` tokens are drawn again: of the
    published sizes that are next to none.
    """

    name = "clrs"
    headline = "algorithm"
    sizes = tuple(ALGORITHMS)
    summary = "an algorithm of a textbook, step by step"
    paper = "Markeeva et al. 2024, The CLRS-Text Algorithmic Reasoning Language Benchmark, arXiv:2406.04229"
    sep_id, eos_id, pad_id = SEP, EOS, PAD

    algorithm: str = choice("insertion_sort", sizes, "which algorithm")
    lengths: tuple[int, ...] | None = parameter(
        None, _is_sizes, f"an integer in 4..{LONGEST}, or a list of such", "items of the input, each size as likely; "
        "null: the sizes that the paper trains on", optional=True, convert=_as_sizes,
    )  # fmt: skip
    trace: bool = flag(True, "show the steps")
    p: float | None = parameter(
        None, lambda value: isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= 1,
        "a number in 0..1", "probability of an edge; null: the reference's", optional=True,
    )  # fmt: skip
    max_tokens: int = integer(4096, 64, "tokens in a row, at most", high=2**17)

    def __post_init__(self):
        super().__post_init__()
        if self.p is not None:
            if self.algorithm in SEQUENCES:
                raise ValueError(
                    f"{self.name}: p must be null for {self.algorithm}, which is of no graph, got {self.p}"
                )
            object.__setattr__(self, "p", float(self.p))
        longest = max(self.items)
        least = self._tokens(longest, 3 if self.trace else 0)
        if least > self.max_tokens:
            raise ValueError(
                f"{self.name}: max_tokens must be at least {least} for {self.algorithm} of {longest} items, "
                f"got {self.max_tokens}"
            )

    @property
    def items(self) -> tuple[int, ...]:
        """How many items an input may have."""
        return _TEN[: ALGORITHMS[self.algorithm].sizes] if self.lengths is None else self.lengths

    @property
    def vocabulary(self) -> tuple[str, ...]:
        return _vocabulary()

    @functools.cached_property
    def max_length(self) -> int:
        return min(self.max_tokens, max(self._tokens(n, self._most_steps(n)) for n in self.items))

    def _most_steps(self, n: int) -> int:
        return eval(ALGORITHMS[self.algorithm].steps, {"n": n, "max": max})

    def _tokens(self, n: int, steps: int) -> int:
        """The tokens of a row whose trace has so many steps; without a trace, of its question and output."""
        about = ALGORITHMS[self.algorithm]
        width = n + (self.algorithm == "optimal_bst")
        step = {"list": width + 2, "matrix": width * (width + 3) + 1, "number": 1, "pair": 5}
        size = {**step, "list and number": n + 4}[about.form]
        inputs = {"A": n * (n + 3) + 1, "target": 1}
        if self.algorithm in GRAPHS:
            inputs["s"] = 1
        names = about.inputs.split()
        question = 3 + sum(2 + inputs.get(name, width + 2) for name in names) + len(names) - 1
        question += 1 + 2 * len(_names_of(self.algorithm, self.trace)) + 1  # a new line, the names, <sep>
        if not self.trace:
            return question + size + 1
        in_brackets = 2 * (self.algorithm in _IN_BRACKETS)
        return question + in_brackets + 2 + 3 + size + max(steps - 2, 0) * (size + 1) + 1 + size + 1

    # ------------------------------------------------------------ text

    def encode(self, question: str, answer: str = "") -> tuple[list[int], list[int]]:
        """The ids of a question of CLRS-Text, <sep> included, and of an answer, without <eos>."""
        words = re.findall(r"\n|[\[\](),:|]|[^\s\[\](),:|]+", question.removesuffix("\n"))
        words = ["<newline>" if word == "\n" else word for word in words]
        answer_words = re.findall(r"[\[\](),:|]|[^\s\[\](),:|]+", answer)
        ids = _ids()
        return [*(ids[word] for word in words), SEP], [ids[word] for word in answer_words]

    def as_text(self, input_ids) -> str:
        """CLRS-Text's text of a row, or of the beginning of one."""
        text = ""
        before = "<newline>"
        signs = {"<newline>": "\n", "<sep>": "\n", "<eos>": "\n\n", "|": " | ", ",": ", ", ":": ":"}
        for token in input_ids:
            word = self.vocabulary[token]
            if word == "<pad>":
                break
            is_apart = word not in signs and word not in ")]"
            if is_apart and before not in ("[", "(", ",", "|", "<newline>", "<sep>"):
                text += " "
            text += signs.get(word, word)
            before = word
        return text

    # ------------------------------------------------------------ oracle

    def inputs_of(self, prompt_ids) -> tuple[str, dict]:
        """The algorithm that a prompt asks for, and its inputs by name, as in the text. Raises ValueError without."""
        vocabulary = self.vocabulary
        words = [vocabulary[token] for token in prompt_ids]
        algorithm = words[0]
        if algorithm not in ALGORITHMS or words[1:3] != [":", "<newline>"] or words.count("<newline>") != 2:
            raise ValueError(f"{self.config_name}: a prompt has an algorithm, its inputs, and what is asked, in lines")
        inputs = {}
        rest = words[3 : words.index("<newline>", 3)]
        while rest:
            name, colon, *rest = rest
            if name == "initial_trace":
                break
            value, rest = _read(rest)
            if colon != ":" or (rest and rest[0] != ","):
                raise ValueError(f"{self.config_name}: inputs are a name, a colon and a value, with commas between")
            rest = rest[1:]
            inputs[name] = value
        return algorithm, inputs

    def solve(self, prompt_ids) -> list[int]:
        """The steps and the output of the algorithm that the prompt names, whichever this task draws."""
        prompt = [int(token) for token in prompt_ids]
        algorithm, inputs = self.inputs_of(prompt)
        vocabulary = self.vocabulary
        with_trace = "trace" in [vocabulary[token] for token in prompt[-9:]]
        question, answer = self.words(algorithm, inputs, with_trace)
        if [vocabulary[token] for token in prompt] != question:
            raise ValueError(f"{self.config_name}: the prompt is not that of its inputs")
        return [_ids()[word] for word in answer]

    def words(self, algorithm: str, inputs: dict, with_trace: bool) -> tuple[list[str], list[str]]:
        """The words of a question, <sep> included, and those of its answer, by the oracle."""
        steps, output = _ORACLES[algorithm](**inputs)
        form = ALGORITHMS[algorithm].form
        question = [algorithm, ":", "<newline>"]
        for name, value in inputs.items():
            kind = "number" if isinstance(value, str) else "matrix" if isinstance(value[0], list) else "list"
            question += [name, ":", *written(kind, value, False), ","]
        names = _names_of(algorithm, with_trace)
        asked = [word for name in names for word in [name, ","]][:-1]
        if not with_trace:
            return [*question[:-1], "<newline>", *asked, ":", "<sep>"], written(form, output, False)
        if algorithm in _IN_BRACKETS:
            asked = ["(", *asked, ")"]
            output = steps[-1]
        question += [
            "initial_trace",
            ":",
            *written(form, steps[0], True),
            "<newline>",
            "trace",
            "|",
            *asked,
            ":",
            "<sep>",
        ]
        shown = [word for step in steps[1:-1] for word in [*written(form, step, True), ","]][:-1]
        return question, [*shown, "|", *written(form, output, True)]

    def write(self, rng, input_ids):
        from . import clrs_graphs_kernels, clrs_sequences_kernels, kernels

        about = ALGORITHMS[self.algorithm]
        starts, stops = (np.zeros(len(input_ids), np.int32) for _ in range(2))
        sizes = np.array(self.items, np.int64)
        words = [self.algorithm, ":", "<newline>", *about.inputs.split()]
        asked = [word for name in _names_of(self.algorithm, self.trace) for word in [name, ","]][:-1]
        if self.trace and self.algorithm in _IN_BRACKETS:
            asked = ["(", *asked, ")"]
        room = 3 + self.max_tokens // {"list": 4, "matrix": 16, "number": 2, "pair": 6}.get(about.form, 4)
        most = min(max(map(self._most_steps, self.items)), room)
        arguments = [np.array([_ids()[word] for word in part], np.int32) for part in (words, asked)]
        arguments = [kernels.stream(rng), input_ids, starts, stops, sizes, *arguments, _values()]
        if self.algorithm in SEQUENCES:
            fits = clrs_sequences_kernels.rows_of(self._code)(*arguments, self.trace, most)
        else:
            p = about.p if self.p is None else self.p
            assert p is not None  # of a task of graphs
            marks = ["0.0", "1.0"] if self.algorithm == "strongly_connected_components" else ["0", "1"]
            marks = np.array([_ids()[mark] for mark in marks], np.int32)
            fits = clrs_graphs_kernels.rows_of(self._code)(*arguments, self.trace, most, float(p), marks)
        if not fits:
            raise ValueError(
                f"{self.config_name}: hardly any row has {self.max_tokens} tokens or less: raise max_tokens"
            )
        return starts, stops

    @property
    def _code(self) -> int:
        family = SEQUENCES if self.algorithm in SEQUENCES else GRAPHS
        return list(family).index(self.algorithm)


def _read(words: list[str]):
    """A number, a list or a matrix at the beginning of words, and the words behind it."""
    if words[:1] != ["["]:
        return words[0], words[1:]
    if words[1] != "[":
        end = words.index("]")
        return words[1:end], words[end + 1 :]
    lines = []
    rest = words
    while rest[0] in "[,":
        line, rest = _read(rest[1:])
        lines.append(line)
    return lines, rest[1:]

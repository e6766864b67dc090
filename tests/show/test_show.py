"""What `show` draws fits the console, tells all of a row, and explains itself; what `as_json` gives is the row."""

import collections
import dataclasses
import io
import json
import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.cells import cell_len
from rich.console import Console

import hf_procedural as hp
from hf_procedural.show.rows import as_json, show
from hf_procedural.tasks import task_class
from hf_procedural.tasks.mixture import Mixture

PUBLISHED = [f"{name}-{size}" for name in hp.list_tasks() for size in task_class(name).sizes]
LENGTHS = st.integers(1, 70)
SEEDS = st.integers(0, 2**32)


def drawn(task, *rows, width=80, **console) -> str:
    """What comes out for rows given as `input_ids` and `labels`."""
    file = io.StringIO()
    show(task, *rows, console=Console(file=file, width=width, **console))
    return file.getvalue()


def sample(task, n=1, seed=0):
    return task.sample(np.random.default_rng(seed), n)


def parts_of_first_row(text: str) -> dict[str, list[str]]:
    """The lines of row 1 without their labels, by label; lines without one go with the label above."""
    parts, label = collections.defaultdict(list), ""
    for line in text[text.index("\nrow 1 (") :].split("\n")[2:]:
        label = line[:8].strip() or label
        parts[label].append(line[8:])
    return parts


def words_of_first_row(text: str) -> dict[str, list[str]]:
    parts = parts_of_first_row(text)
    return {label: " ".join(lines).split() for label, lines in parts.items()}


# ---------------------------------------------------------------- every task


def check_drawing(task, width):
    input_ids, labels = sample(task, 4)
    text = drawn(task, input_ids, labels, width=width)
    assert max(map(cell_len, text.split("\n"))) <= width
    assert "\x1b" not in text and "\t" not in text
    assert not any(line.endswith(" ") for line in text.split("\n"))
    flat = " ".join(text.split())
    for part in (task, *getattr(task, "members", ())):
        assert part.summary in flat and part.config_name in flat
        if not isinstance(part, Mixture):
            assert all(f"{name}={value}" in flat for name, value in part.parameters.items())
    assert [f"row {number}" in text for number in range(1, 6)] == [True] * 4 + [False]
    for ids, row_labels in zip(input_ids, labels, strict=True):
        padding = ((ids == task.pad_id) & (row_labels == -100)).sum()
        assert f"({len(ids) - padding} tokens{f', then {padding} of padding' if padding else ''}; loss on " in flat


@pytest.mark.parametrize("width", [60, 80, 120])
def test_every_task_fits_the_console_in_plain_text(task, width):
    check_drawing(task, width)


@pytest.mark.parametrize("name", PUBLISHED)
def test_published_sizes_fit_the_console(name):
    check_drawing(hp.task(name), 80)


def test_a_terminal_has_colours_and_the_same_text(task):
    rows = sample(task, 2)
    coloured = drawn(task, *rows, force_terminal=True, color_system="truecolor")
    assert re.search(r"\x1b\[[\d;]*3[1-6]m", coloured)
    assert re.sub(r"\x1b\[[\d;]*m", "", coloured) == drawn(task, *rows)


def test_json_is_the_row(task):
    input_ids, labels = sample(task, 20)
    rows = as_json(task, input_ids, labels)
    assert json.loads(json.dumps(rows)) == rows
    assert [row["input_ids"] for row in rows] == input_ids.tolist()
    assert [row["labels"] for row in rows] == labels.tolist()
    for ids, row in zip(input_ids, rows, strict=True):
        assert row["tokens"] == [task.vocabulary[token] for token in ids]
        words = [token for token in row["tokens"] if token != "<pad>"]
        if any(label not in (-100, token) for label, token in zip(row["labels"], row["input_ids"], strict=True)):
            targets = [task.vocabulary[label] for label in row["labels"][len(row["prompt"]) :] if label != -100]
            assert (row["prompt"], row["answer"]) == (words[: len(row["prompt"])], targets)
        else:
            assert words == (row["text"].split() if "text" in row else row["prompt"] + row["answer"])


def test_json_of_a_prompt_and_an_answer_of_a_language_and_of_a_mixture():
    sort = hp.task("sort-3")
    rows = [column[None] for column in sort.example([7, 5, 6])]
    (row,) = as_json(sort, *rows)
    assert (row["task"], row["prompt"], row["answer"]) == ("sort-3", ["7", "5", "6", "<sep>"], ["5", "6", "7"])
    dyck = hp.task("dyck-2", length=4)
    (row,) = as_json(dyck, *(column[None] for column in dyck.example([0, 1, 3, 2])))
    assert (row["task"], row["text"]) == ("dyck-2", "(0 (1 )1 )0") and "prompt" not in row
    both = hp.task("sort-3+set-3+dyck-2", length=4, vocab_size=20)
    for row in as_json(both, *sample(both, 30)):
        assert row["task"] in ("sort-3", "set-3", "dyck-2", "sort-3 or set-3")
        assert ("text" in row) == (row["task"] == "dyck-2")


# ---------------------------------------------------------------- sequences


@pytest.mark.parametrize("name", ["sort", "reverse", "identity", "set", "union", "delete", "stack", "sorting"])
@settings(max_examples=20)
@given(length=LENGTHS, vocab_size=st.integers(3, 2000), width=st.integers(60, 120), seed=SEEDS)
def test_prompt_and_answer_of_a_sequence_can_be_read(name, length, vocab_size, width, seed):
    task = hp.task(name, length=max(length, 2), vocab_size=vocab_size)
    input_ids, labels = sample(task, seed=seed)
    words = words_of_first_row(drawn(task, input_ids, labels, width=width))
    symbols = [word.strip("*").replace("pop", "0") for label in words if label != "answer" for word in words[label]]
    prompt = list(map(int, symbols))
    assert prompt == task._symbols(task.prompt_of(input_ids[0], labels[0]))
    answer = task.solve(prompt)[: task.max_length - len(task.prompt_of(input_ids[0], labels[0]))]
    assert words["answer"] == (list(map(str, answer)) or ["(empty)"])
    marked = [int(word[:-1]) for word in words["prompt"] + words.get("and", []) if word.endswith("*")]
    assert marked == {
        "set": answer,
        "union": answer,
        "delete": [prompt[-1]] * (prompt[-1] in prompt[:-1]),
        "stack": task.solve(prompt)[::-1],
    }.get(name, [])


def test_positions_of_prompt_and_answer_are_in_line():
    task = hp.task("identity-64")
    for width in (60, 80, 120):
        parts = parts_of_first_row(drawn(task, *sample(task), width=width))
        assert parts["prompt"] == [line for line in parts["answer"] if line]
        assert len(parts["prompt"]) > 1


# ---------------------------------------------------------------- brackets


def check_brackets(name, k, length, width, seed, read):
    """`read` gives the words of a panel, its lines without their labels, by label."""
    task = hp.task(name, k=k, length=length)
    input_ids, labels = sample(task, seed=seed)
    text = drawn(task, input_ids, labels, width=width)
    words, left = [], 0
    for panel in text[text.index("\nrow 1 (") :].split("\n", 2)[2].split("\n\n"):
        lines = panel.rstrip("\n").split("\n")
        if lines[-1].startswith(" " * 8 + "... "):
            left = int(lines.pop().split()[1])
        words += read({int(line[:8]): line[8:] for line in lines if line[:8].strip().isdigit()})
    assert len(words) == length - left
    assert words == [task.vocabulary[token] for token in input_ids[0, : len(words)]]
    assert left < length // 2 or length > 100


def columns_of(lines, size):
    longest = max(map(len, lines.values()))
    for start in range(0, longest, size):
        yield {label: cell for label, line in lines.items() if (cell := line[start : start + size].strip(" -"))}


@pytest.mark.parametrize("k", [1, 4, 5, 64])
@settings(max_examples=15)
@given(length=st.integers(2, 500), width=st.integers(60, 120), seed=SEEDS)
def test_brackets_stand_at_their_depths(k, length, width, seed):
    size = 1 if k <= 4 else len(f"({k - 1}")
    shapes = {
        shape[side]: f"{'()'[side]}{kind}" for kind, shape in enumerate(["()", "[]", "{}", "<>"]) for side in (0, 1)
    }
    opened = []

    def read(lines):
        words = []
        for column in columns_of(lines, size):
            ((depth, shape),) = column.items()
            word = shapes[shape] if k <= 4 else shape
            if word[0] == "(":
                opened.append(word)
            assert depth == len(opened)
            assert word[0] == "(" or opened.pop()[1:] == word[1:]
            words.append(word)
        return words

    check_brackets("dyck", k, length, width, seed, read)


@pytest.mark.parametrize("k", [1, 4, 5, 64])
@settings(max_examples=15)
@given(length=st.integers(2, 500), width=st.integers(60, 120), seed=SEEDS)
def test_interleaving_kinds_stand_on_lines_of_their_own(k, length, width, seed):
    def read(lines):
        columns = [next(iter(column.items())) for column in columns_of(lines, 1)]
        return [f"{'()'[shape in ')]}>']}{kind}" for kind, shape in columns]

    check_brackets("dyck_shuffle", k, length, width, seed, read)


def test_interleaving_kinds_have_the_number_of_open_brackets_below():
    task = hp.task("dyck_shuffle-2", length=28, max_depth=12)
    word = [0, 1] * 6 + [2, 2, 3] + [0, 2, 3] * 4 + [3]
    parts = parts_of_first_row(drawn(task, *(column[None] for column in task.example(word))))
    columns = zip(*(f"{line:<28}" for line in parts["open"][:2]), strict=True)
    assert [int("".join(column)) for column in columns] == np.cumsum(np.where(np.array(word) < 2, 1, -1)).tolist()


@pytest.mark.parametrize("name", ["dyck", "dyck_shuffle"])
def test_a_kind_of_brackets_has_a_colour(name):
    text = drawn(hp.task(name, k=4, length=60), *sample(hp.task(name, k=4, length=60)), force_terminal=True)
    colours = {
        shape: set(re.findall(rf"\x1b\[(\d+)m[{re.escape(shape)}]+\x1b", text)) for shape in ("()", "[]", "{}", "<>")
    }
    assert all(len(found) == 1 for found in colours.values()) and len(set.union(*colours.values())) == 4


# ---------------------------------------------------------------- automata


@settings(max_examples=30)
@given(
    rule=st.integers(0, 255),
    ring=st.integers(3, 48),
    steps=st.integers(1, 39),
    width=st.integers(60, 120),
    encoding=st.sampled_from(["utf-8", "ascii"]),
    seed=SEEDS,
)
def test_blocks_are_the_cells(rule, ring, steps, width, encoding, seed):
    task = hp.task("eca", rule=rule, width=ring, steps=steps)
    input_ids, labels = sample(task, seed=seed)
    file = io.TextIOWrapper(io.BytesIO(), encoding=encoding)
    show(task, input_ids, labels, Console(file=file, width=width))
    file.seek(0)
    text = file.read()
    on, off = "█·" if encoding == "utf-8" else "#."
    *head, around, after = text[: text.index("\n\nrow 1 (")].split("\n")
    codes = [int(code, 2) for code in around.replace(on, "1").replace(off, "0").split()]
    assert sum(1 << code for code, cell in zip(codes, after.split(), strict=True) if cell == on) == rule
    states = text[text.index("\nrow 1 (") :].split("\n")[2:-1]
    assert [int(line[8:].split()[0]) for line in states] == list(range(steps + 1))
    assert [line[:8].strip() for line in states[:2]] == ["prompt", "answer"]
    for line, cells in zip(states, input_ids.reshape(steps + 1, ring + 1), strict=True):
        blocks = line[8 + len(str(steps)) + 2 :]
        size = len(blocks) // ring
        assert [blocks[at : at + size].strip() for at in range(0, len(blocks), size)] == [
            {0: off, 1: on * size}[cell] for cell in cells[:-1]
        ]


def test_what_is_too_much_is_told():
    task = hp.task("eca-110", width=200, steps=100)
    text = drawn(task, *sample(task))
    assert "... 61 more states" in text and "... 133 more cells in each state, to the right" in text
    assert "... 1688 more tokens" in drawn(hp.task("dyck-2"), *sample(hp.task("dyck-2")))
    assert re.search(r"\.\.\. \d+ more tokens", drawn(hp.task("sort-4000"), *sample(hp.task("sort-4000"))))


# ---------------------------------------------------------------- probes


@settings(max_examples=30)
@given(length=st.integers(1, 60), width=st.integers(60, 120), seed=SEEDS)
def test_the_marked_pair_has_the_answer(length, width, seed):
    task = hp.task("haystack", length=length)
    input_ids, labels = sample(task, seed=seed)
    parts = parts_of_first_row(drawn(task, input_ids, labels, width=width))
    pairs = re.findall(r"k(\d+): +(\d+)(\*?)", "\n".join(parts["prompt"]))
    (query,), (answer,) = (" ".join(parts[label]).split() for label in ("query", "answer"))
    assert [(key, value) for key, value, mark in pairs if mark] == [(query[1:], answer)]
    prompt = [word for key, value, _ in pairs for word in (f"k{key}", value)] + [query]
    assert prompt == [task.vocabulary[token] for token in task.prompt_of(input_ids[0], labels[0])]
    assert len({line.index(":") for line in parts["prompt"]}) == 1


@pytest.mark.parametrize("name", ["addition", "reversed_addition", "multiplication"])
@settings(max_examples=30)
@given(digits=st.integers(1, 30), score_all=st.booleans(), width=st.integers(60, 120), seed=SEEDS)
def test_sums_are_right_and_underlined_where_the_loss_counts(name, digits, score_all, width, seed):
    task = hp.task(name, digits=digits, min_digits=1, score_all=score_all)
    input_ids, labels = sample(task, seed=seed)
    parts = parts_of_first_row(drawn(task, input_ids, labels, width=width))
    fit = width - 8
    text, marks = ("".join(f"{line:<{fit}}" for line in parts["tokens"][side::2]) for side in (0, 1))
    a, operator, b, _, answer = text.split()[:5]
    order = -1 if name == "reversed_addition" else 1
    a, b, result = (int(number[::order]) for number in (a, b, answer))
    assert result == (a * b if operator == "*" else a + b)
    scored = "".join(char for char, mark in zip(text, marks, strict=False) if mark == "^")
    words = [task.vocabulary[label] for label in labels[0] if label != -100]
    assert scored == "".join(word.replace("a", "") if word[0] == "a" else word for word in words)
    if name == "reversed_addition":
        usual = "".join(f"{line:<{fit}}" for line in parts["reads"]).split()
        assert usual == [f"{a:0{len(usual[0])}}", "+", f"{b:0{len(usual[2])}}", "=", str(result)]


# ---------------------------------------------------------------- mixtures, shuffled rows, tasks of others


def test_rows_of_a_mixture_are_drawn_as_those_of_their_members():
    mixture = hp.task("set-4+addition-2+eca-30+dyck-2", vocab_size=9, length=8, width=12, steps=2)
    rows = sample(mixture, 30)
    names = re.findall(r"^row \d+: (\S+)", drawn(mixture, *rows), re.MULTILINE)
    assert len(names) == 30 and set(names) == {member.config_name for member in mixture.members}
    for name, ids, labels in zip(names, *rows, strict=True):
        member = next(member for member in mixture.members if member.config_name == name)
        own = [member.vocabulary.index(mixture.vocabulary[token]) for token in ids[: member.max_length]]
        own = np.array([own], np.int32)
        own_labels = np.where(labels[: member.max_length] == -100, -100, own)
        there, alone = (
            drawn(task, *row) for task, row in ((mixture, (ids[None], labels[None])), (member, (own, own_labels)))
        )
        assert re.split(r"\nrow 1.*\n", there)[1] == re.split(r"\nrow 1.*\n", alone)[1]


def test_a_row_that_two_members_have_names_both():
    mixture = hp.task("identity-4+sort-4")
    rows = [column[None] for column in hp.task("sort-4").example([1, 2, 3, 4])]
    assert "row 1: identity-4 or sort-4 (" in drawn(mixture, *rows)


def test_shuffled_rows_are_plain_tokens():
    task = hp.task("addition-3", shuffle_tokens=True)
    input_ids, labels = sample(task)
    line, under, *_ = parts_of_first_row(drawn(task, input_ids, labels, width=120))["tokens"]
    found = [(word[0], under[slice(*word.span())].strip()) for word in re.finditer(r"\S+", line)]
    words = [task.vocabulary[token] for token in input_ids[0]]
    assert found == [
        (word, "^" * len(word) * (label != -100)) for word, label in zip(words, labels[0].tolist(), strict=True)
    ]


@dataclasses.dataclass(frozen=True)
class Shout(hp.Task):
    name = "shout"
    headline = "length"
    summary = "the same in capitals"

    length: int = 3

    vocabulary = ("<pad>", "a", "b", "A", "B", "\n", "語" * 30)
    max_length = property(lambda self: 2 * self.length)

    def solve(self, prompt_ids):
        return [token + 2 for token in prompt_ids]


def test_a_task_of_somebody_else_needs_nothing_but_the_contract():
    task = Shout()
    text = drawn(task, *(column[None] for column in task.example([1, 2, 1])))
    assert (
        text
        == """\
shout-3
task    the same in capitals
with    length=3
read    ^ marks what the loss counts on

row 1 (6 tokens; loss on the whole answer)
prompt  a b a
answer  A B A
        ^ ^ ^
"""
    )
    odd = np.array([[5, 6, 6, 0, 0, 0]], np.int32)
    text = drawn(task, odd, np.full_like(odd, -100), width=40)
    assert max(map(cell_len, text.split("\n"))) <= 40 and "\\n" in text
    assert text.count("語") == 60 and "loss on nothing" in " ".join(text.split())

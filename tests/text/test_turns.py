"""Rows of tasks beside text: their labels go with their tokens, rows come in turn and go on where they were marked."""

import itertools
import json

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from hf_procedural.tasks import IGNORE
from hf_procedural.text import batches, tokenizers
from hf_procedural.text.documents import Documents
from hf_procedural.text.mixing import MixedRows
from hf_procedural.text.packing import PackedRows
from hf_procedural.text.readers import DataError
from hf_procedural.text.turns import PaddedRows, RowsInTurn, after, by_weights

pytestmark = pytest.mark.usefixtures("small_batches")

TEXTS = [f"{number} " + "any words, große ones " * (number % 7) for number in range(60)]
FIRST_ID = 1000  # of the tokens of tasks, which no text has


@pytest.fixture(scope="module")
def tokenizer():
    return tokenizers.train_tokenizer(TEXTS, 300)


class Counting:
    """Rows of a task: number n is n twice and then the answer n, of which only that has labels; `longest` tokens."""

    def __init__(self, longest=5, task=0):
        self.longest, self.task = longest, task

    def read(self, start):
        for number in itertools.count(start):
            size = 2 + number % (self.longest - 1)
            ids = np.full(size, FIRST_ID + 40 * self.task + number % 40, np.int32)
            labels = np.where(np.arange(size) < 2, IGNORE, ids)
            yield np.stack((ids, labels)).astype(np.int32)

    def __str__(self):
        return "counting"


def texts():
    return Documents(lambda column: ((text, "here", n) for n, text in enumerate(TEXTS, 1)), "text")


def read(rows, count):
    """int64 ``[count, 2, length]``."""
    return torch.stack(
        [torch.stack((row["input_ids"], row["labels"])) for row in itertools.islice(rows, count)]
    ).numpy()


@pytest.mark.parametrize("separator", batches.SEPARATORS)
def test_labels_go_with_their_tokens(separator, tokenizer):
    """What a mixture gives is text, all of it labelled, and whole rows of the task, labelled as these are."""
    rows = read(MixedRows([texts(), Counting()], [2, 1], tokenizer, 40, separator, seed=3), 60)
    ids, labels = rows.transpose(1, 0, 2).reshape(2, -1)
    is_task = ids >= FIRST_ID
    expected = np.concatenate(list(itertools.islice(Counting().read(0), 600)), axis=1)[:, : is_task.sum()]
    np.testing.assert_array_equal(np.stack((ids, labels))[:, is_task], expected)
    ends = ~is_task & (labels == IGNORE)
    assert set(ids[ends]) == ({tokenizer.eos_token_id} if separator != "none" else set())
    assert ends.any() == (separator != "none")
    is_text = ~is_task & ~ends
    np.testing.assert_array_equal(ids[is_text], labels[is_text])
    alone = read(PackedRows(texts(), tokenizer, 40, separator), 60)[:, 0].reshape(-1)
    np.testing.assert_array_equal(ids[is_text], alone[: is_text.sum()], "no token of the text is lost or doubled")
    assert (~is_text).mean() == pytest.approx(1 / 3, abs=0.05), "tokens with and without labels count alike"


def test_a_row_of_its_own_is_padded():
    found, third = read(PaddedRows(Counting(), 6, filler=7), 3), FIRST_ID + 2
    assert found[0].tolist() == [[FIRST_ID, FIRST_ID, 7, 7, 7, 7], [IGNORE] * 6]
    assert found[2].tolist() == [[third] * 4 + [7, 7], [IGNORE] * 2 + [third] * 2 + [IGNORE] * 2]
    with pytest.raises(DataError, match="^counting has a row of 4 tokens, and sequence_length is 3$"):
        read(PaddedRows(Counting(), 3, filler=7), 3)


def arranged(kind, tokenizer, length=12):
    """Rows as a run may have them: a function, since each iterates for itself."""
    text = PackedRows(texts(), tokenizer, length)
    padded = PaddedRows(Counting(), length, 0)
    front = MixedRows([Counting(task=1)], [1.0], tokenizer, length)
    both = RowsInTurn([text, padded], by_weights([3, 1], 5))
    mixed = MixedRows([texts(), Counting()], [3, 1], tokenizer, length, seed=5)
    return {
        "among": mixed,
        "rows among": both,
        "in front": RowsInTurn([front, text], after(7)),
        "in front of both": RowsInTurn([front, both], after(7)),
        "in front of a mixture": RowsInTurn([PaddedRows(Counting(), length, 0), mixed], after(7)),
    }[kind]


@pytest.mark.parametrize("kind", ["among", "rows among", "in front", "in front of both", "in front of a mixture"])
@settings(max_examples=6)
@given(data=st.data())
def test_rows_go_on_at_any_mark(kind, data, tokenizer):
    rows = arranged(kind, tokenizer)
    expected, marks = read(rows, 50), {0: rows.mark(0)}
    rows.start_at(0)
    for row, _ in enumerate(itertools.islice(iter(rows), 40), 1):
        if data.draw(st.booleans()):
            marks[row] = json.loads(json.dumps(rows.mark(row)))
    for row, mark in [*marks.items(), (30, None)]:
        start = data.draw(st.integers(row, 44))
        again = arranged(kind, tokenizer)
        again.start_at(start, mark)
        np.testing.assert_array_equal(read(again, 5), expected[start : start + 5])


def test_a_mark_of_a_task_is_the_number_of_its_row(tokenizer):
    rows = arranged("in front of a mixture", tokenizer)
    read(rows, 30)
    front, mixed = rows.mark(30)["kinds"]
    assert front == {"row": 7} and mixed["row"] == 23
    document, row = mixed["sources"]
    assert document["epoch"] == 0 and row["task_row"] > 3 and row.keys() == {"task_row", "tokens"}
    begun = []
    again = arranged("in front of a mixture", tokenizer)
    task = again.kinds[1].sources[1]
    task.read = lambda start, read=task.read: begun.append(start) or read(start)
    again.start_at(30, rows.mark(30))
    read(again, 1)
    assert begun == [row["task_row"]], "nothing is made again"
    with pytest.raises(ValueError, match="^row must be at least 30, got 29$"):
        rows.mark(29)


def test_shares_of_rows(tokenizer):
    found = read(arranged("rows among", tokenizer), 200)
    share = (found[:, 0, 0] >= FIRST_ID).cumsum() / np.arange(1, 201)
    assert share[20:] == pytest.approx(0.25, abs=0.05)
    front = read(arranged("in front", tokenizer), 30)[:, 0]
    assert ((front >= FIRST_ID).any(1) == (np.arange(30) < 7)).all()

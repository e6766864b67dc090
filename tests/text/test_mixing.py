"""Mixtures: shares in tokens, passes of whole documents, rows that go on where they were marked."""

import collections
import itertools
import json

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from hf_procedural.text import batches, documents, tokenizers
from hf_procedural.text.documents import Documents
from hf_procedural.text.mixing import MixedRows, draw, merged

pytestmark = pytest.mark.usefixtures("small_batches")

TEXTS = [f"{number} " + "any words, große ones " * (number % 7) for number in range(60)]


@pytest.fixture(scope="module")
def tokenizer():
    return tokenizers.train_tokenizer(TEXTS, 300)


def listed(texts, **options):
    """Documents of a list."""
    return Documents(lambda column: ((text, "here", n) for n, text in enumerate(texts, 1)), "text", **options)


def sources_of(*sizes, **options):
    """Documents that say of which source they are, and which."""
    return [
        listed([f"{'abc'[source]}{number}:" + "x " * (5 * number % 23) for number in range(size)], **options)
        for source, size in enumerate(sizes)
    ]


def read(rows, count):
    return torch.stack([row["labels"] for row in itertools.islice(iter(rows), count)]).numpy()


def texts_of(rows, tokenizer, count):
    """The whole documents in the first `count` rows."""
    return tokenizer.decode(read(rows, count).flatten().tolist()).split("<|endoftext|>")[:-1]


_SIZES = st.lists(st.integers(1, 9), min_size=2, max_size=3)
_WEIGHTS = st.lists(st.sampled_from([1, 2, 0.5, 7]), min_size=3, max_size=3)


@settings(max_examples=40)
@given(sizes=_SIZES, weights=_WEIGHTS, buffer=st.sampled_from([0, 4]), seed=st.integers(0, 3))
def test_each_source_goes_through_passes_of_its_own(sizes, weights, buffer, seed, tokenizer):
    sources = sources_of(*sizes, shuffle_buffer=buffer, seed=seed)
    found = texts_of(MixedRows(sources, weights[: len(sizes)], tokenizer, 40, seed=seed), tokenizer, 60)
    for letter, source in zip("abc", sources, strict=False):
        own = [text for text in found if text.startswith(letter)]
        expected = itertools.chain.from_iterable(source.read(epoch) for epoch in itertools.count())
        assert own == list(itertools.islice(expected, len(own)))


@settings(max_examples=40)
@given(sizes=_SIZES, weights=_WEIGHTS, seed=st.integers(0, 3))
def test_weights_are_shares_of_the_tokens_at_every_point(sizes, weights, seed, tokenizer):
    weights = weights[: len(sizes)]
    rows = MixedRows(sources_of(*sizes), weights, tokenizer, 40, seed=seed)
    counts, longest = collections.Counter(), 0
    for text in texts_of(rows, tokenizer, 60):
        tokens = len(tokenizer(text)["input_ids"]) + 1
        counts[text[0]] += tokens
        longest = max(longest, tokens)
        total = sum(counts.values())
        for letter, weight in zip("abc", weights, strict=False):
            assert abs(counts[letter] - total * weight / sum(weights)) <= len(sizes) * longest


@settings(max_examples=40)
@given(data=st.data(), sizes=_SIZES, weights=_WEIGHTS, separator=st.sampled_from(batches.SEPARATORS))
def test_rows_go_on_at_any_mark(data, sizes, weights, separator, tokenizer):
    options = [weights[: len(sizes)], tokenizer, data.draw(st.integers(2, 40)), separator]
    sources = sources_of(*sizes, shuffle_buffer=data.draw(st.sampled_from([0, 3])))
    rows = MixedRows(sources, *options, seed=5)
    expected, marks = read(rows, 50), {0: rows.mark(0)}
    for row, _ in enumerate(itertools.islice(iter(rows), 40), 1):
        if data.draw(st.booleans()):
            marks[row] = json.loads(json.dumps(rows.mark(row)))
    for row, mark in marks.items():
        start = data.draw(st.integers(row, 44))
        again = MixedRows(sources, *options, seed=5)
        again.start_at(start, mark)
        np.testing.assert_array_equal(read(again, 5), expected[start : start + 5])


def test_a_mark_reads_no_pass_again_that_is_over(tokenizer):
    sources = sources_of(4, 40)
    rows = MixedRows(sources, [3, 1], tokenizer, 40)
    read(rows, 60)
    mark = rows.mark(55)
    assert mark["row"] == 55 and mark["sources"][0]["epoch"] > 2 and mark["sources"][1]["document"] > 0
    begun = []
    for source, texts in enumerate(sources):
        texts.read = lambda epoch=0, start=0, s=source, read=texts.read: begun.append((s, epoch)) or read(epoch, start)
    again = MixedRows(sources, [3, 1], tokenizer, 40)
    again.start_at(55, mark)
    read(again, 1)
    first = dict(reversed(begun))
    assert first == {source: place["epoch"] for source, place in enumerate(mark["sources"])}


def test_the_seed_chooses_where_weights_leave_a_choice(tokenizer):
    mixtures = [MixedRows(sources_of(9, 9), [1, 1], tokenizer, 40, seed=seed) for seed in range(8)]
    assert len({tuple(text[0] for text in texts_of(rows, tokenizer, 20)) for rows in mixtures}) > 1
    first = [draw([0, 0, 0], [1, 1, 2], seed) for seed in range(4000)]
    assert np.bincount(first) / 4000 == pytest.approx([0.25, 0.25, 0.5], abs=0.03)
    assert {draw([10, 9], [1, 1], seed) for seed in range(9)} == {1}, "the other is ahead"


def test_merged_documents_are_each_there_once():
    sources = [["a" * 10] * 30, ["b" * 5] * 90, ["c"] * 5]
    found = list(merged(sources, [1, 1, 1], 0))
    assert collections.Counter(found) == collections.Counter(itertools.chain(*sources))
    counts = [collections.Counter(text[0] for text in found[:length]) for length in range(1, 30)]
    assert all(abs(10 * count["a"] - 5 * count["b"]) <= 20 for count in counts[6:]), "in equal shares of characters"
    assert found[-1] == "b" * 5, "of which there are most"
    assert list(merged([TEXTS], [3], 0)) == TEXTS


def write(path, texts):
    path.write_text("".join(json.dumps({"text": text}) + "\n" for text in texts))
    return str(path)


def test_documents_of_several(tmp_path):
    names = [write(tmp_path / f"{name}.jsonl", [f"{name}{n}" for n in range(40)]) for name in "abc"]
    train, validation = documents.train_and_validation_of_each(names[:2])
    assert [len(list(source)) for source in train] == [38, 38]
    assert [list(source) for source in validation] == [["a19", "a39"], ["b19", "b39"]]
    train, validation = documents.train_and_validation_of_each(names[:2], validation_dataset=names[2])
    assert [len(list(source)) for source in (*train, *validation)] == [40, 40, 40]
    with pytest.raises(ValueError, match=r"^dataset: \S*b.jsonl is in both \S*/\* and \S*b.jsonl$"):
        documents.train_and_validation_of_each([f"{tmp_path}/*", names[1]])
    with pytest.raises(ValueError, match=r"^validation would be on what is trained on: \S*b.jsonl is in both$"):
        documents.train_and_validation_of_each(names, validation_dataset=names[1])

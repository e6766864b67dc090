"""Noise in the text that is trained on: how much of which kind, and the same after every resume."""

import itertools

import numpy as np
import pytest

from hf_procedural.text import batches, documents, tokenizers
from hf_procedural.text.mixing import MixedRows
from hf_procedural.text.noise import Corrupter, Noise
from hf_procedural.text.packing import PackedRows

KINDS = Noise.KINDS
TEXT = np.arange(20_000, dtype=np.int32) % 100


def noised(kind, rate, number=0, seed=0, tokens=TEXT, length=500):
    corrupter = Corrupter(Noise(kind, rate), 1000, length, seed)
    return corrupter(tokens, np.arange(100, 110, dtype=np.int32), (0, 0, number))


@pytest.mark.parametrize("kind", KINDS)
def test_noise_depends_on_seed_and_document_alone(kind):
    first, again = (np.concatenate(noised(kind, 0.4, 7)) for _ in range(2))
    np.testing.assert_array_equal(first, again)
    others = [np.concatenate(noised(kind, 0.4, *other)) for other in ((8, 0), (7, 1), (9, 2), (10, 3))]
    assert any(len(first) != len(other) or (first != other).any() for other in others)
    assert first.dtype == np.int32
    np.testing.assert_array_equal(np.concatenate(noised(kind, 0.0)), TEXT)


@pytest.mark.parametrize("rate", [0.1, 0.5, 1.0])
def test_noise_of_tokens_hits_the_share_that_is_asked_for(rate):
    sd = 4 * (rate * (1 - rate) / len(TEXT)) ** 0.5 + 1e-9
    (uniform,) = noised("uniform", rate)
    assert abs((uniform != TEXT).mean() - rate * 0.999) < sd + 0.002
    assert uniform.max() > 980 and abs(uniform[uniform >= 100].mean() - 550) < 25
    (deleted,) = noised("delete", rate)
    assert abs(1 - len(deleted) / len(TEXT) - rate) < sd
    (inserted,) = noised("insert", rate)
    assert abs(len(inserted) / len(TEXT) - 1 - rate) < sd
    (shuffled,) = noised("shuffle", rate)
    stretches = (shuffled.reshape(-1, 16) != TEXT.reshape(-1, 16)).any(axis=1)
    assert abs(stretches.mean() - rate) < 0.07
    np.testing.assert_array_equal(np.sort(shuffled.reshape(-1, 16)), np.sort(TEXT.reshape(-1, 16)))


@pytest.mark.parametrize("rate", [0.1, 0.5, 2.0])
def test_noise_of_rows_is_so_much_for_each_clean_token(rate):
    for kind, low, high in (("uniform_rows", 0, 1000), ("unigram_rows", 100, 110)):
        rows = 0
        for number in range(400):
            clean, *noise = noised(kind, rate, number, tokens=TEXT[:2000])
            np.testing.assert_array_equal(clean, TEXT[:2000])
            assert all(len(row) == 500 and row.min() >= low and row.max() < high for row in noise)
            rows += len(noise)
        assert abs(rows * 500 / (400 * 2000) - rate) < 0.03
    changed = 0
    for number in range(1000):
        (row,) = noised("shuffled_rows", rate, number, tokens=TEXT[:200])
        np.testing.assert_array_equal(np.sort(row), np.sort(TEXT[:200]))
        changed += bool((row != TEXT[:200]).any())
    assert abs(changed / (1000 - changed) - rate) < 0.08 * (1 + rate) ** 2


@pytest.fixture(scope="module")
def source():
    return documents.open_documents("stdlib", limit=30)


@pytest.fixture(scope="module")
def tokenizer(source):
    return tokenizers.train_tokenizer(itertools.islice(source, 10), 300)


def _rows(rows, count):
    return np.stack([row["input_ids"].numpy() for row in itertools.islice(rows, count)])


@pytest.mark.parametrize("kind", [None, *KINDS])
@pytest.mark.parametrize("several", [False, True])
def test_a_resume_meets_the_same_noise(source, tokenizer, kind, several, monkeypatch):
    monkeypatch.setattr(batches, "BATCH", 2**14)  # characters
    corrupter = None if kind is None else Corrupter(Noise(kind, 0.3), len(tokenizer), 128, 5)

    def rows():
        if several:
            return MixedRows([source, source], [2.0, 1.0], tokenizer, 128, "eos", seed=1, noise=corrupter)
        return PackedRows(source, tokenizer, 128, "eos", corrupter)

    whole = rows()
    expected = _rows(whole, 600)  # many batches of documents
    assert several or (expected == _rows(PackedRows(source, tokenizer, 128), 600)).all() == (kind is None)
    mark = whole.mark(500)
    resumed = rows()
    resumed.start_at(500, mark)
    np.testing.assert_array_equal(_rows(resumed, 100), expected[500:])
    assert expected.max() < len(tokenizer)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("unifrm:0.1", "got 'unifrm:0.1': did you mean uniform?"),
        ("uniform:1.5", "noise uniform: the rate must be a number in 0..1, as in uniform:0.1, got 'uniform:1.5'"),
        ("delete:", "noise delete: the rate must be a number in 0..1"),
        ("insert:nan", "noise insert: the rate must be a number in 0..1"),
        ("uniform_rows:-1", "noise uniform_rows: the rate must be a number in 0..100"),
    ],
)
def test_bad_noise_is_told_in_one_line(text, message):
    with pytest.raises(ValueError) as told:
        Noise.parse(text)
    assert message in str(told.value) and "\n" not in str(told.value)


def test_the_usual_rate():
    assert str(Noise.parse("shuffle")) == "shuffle:0.1" and str(Noise.parse("uniform_rows:0.3")) == "uniform_rows:0.3"

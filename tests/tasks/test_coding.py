"""Rows in the ids of any tokenizer: both codings, over the registry."""

import copy
import json

import numpy as np
import pytest
from support.specimens import SPECIMENS
from support.vocabularies import large_tokenizer, llama_like_tokenizer, lossy_tokenizer
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import PreTrainedTokenizerFast

from hf_procedural.data import blocks
from hf_procedural.data.coded import CodedRows
from hf_procedural.tasks import IGNORE, task
from hf_procedural.tasks.coding import KINDS, Coding

EVERYWHERE = pytest.mark.parametrize(("name", "parameters"), SPECIMENS)


def _rows(chosen):
    input_ids, labels = blocks.block(chosen, 0, "train", 0)
    return input_ids[:40], labels[:40]


def _without_padding(chosen, row) -> list[int]:
    row = list(row)
    while row and row[-1] == chosen.pad_id:
        row.pop()
    return row


@EVERYWHERE
def test_symbols_are_ordinary_tokens_one_for_each(name, parameters):
    chosen, tokenizer = task(name, **parameters), large_tokenizer()
    input_ids, labels = _rows(chosen)
    coding = Coding.make(chosen, tokenizer)
    ids = [symbol for (symbol,) in filter(None, coding.first)]
    assert len({*ids}) == len(ids)
    assert not {*ids} & {*tokenizer.all_special_ids}
    for symbol in ids[:300]:
        assert tokenizer.encode(tokenizer.decode([symbol])) == [symbol]
    coded, coded_labels = coding.symbols(input_ids.copy(), labels.copy())
    assert coded.shape == input_ids.shape
    assert np.array_equal(coded_labels == IGNORE, labels == IGNORE)
    scored = labels != IGNORE
    if getattr(chosen, "apart", False):  # each label as where its token stands
        expected, _ = coding.symbols(np.where(scored, labels, input_ids), labels.copy())
        assert np.array_equal(coded_labels[scored], expected[scored])
    else:
        assert np.array_equal(coded_labels[scored], coded[scored])
    assert [coding.decode(row) for row in coded] == [_without_padding(chosen, row) for row in input_ids]


@EVERYWHERE
def test_text_is_what_the_tokenizer_itself_makes_of_it(name, parameters):
    chosen, tokenizer = task(name, **parameters), large_tokenizer()
    input_ids, labels = _rows(chosen)
    if chosen.is_text:
        with pytest.raises(ValueError, match="^coding text: rows of .* are text already, which a tokenizer reads as a"):
            Coding.make(chosen, tokenizer, "text")
        return
    coding = Coding.make(chosen, tokenizer, "text")
    tokens, token_labels, ends = coding.text(input_ids, labels)
    rows, row_labels = np.split(tokens, ends)[:-1], np.split(token_labels, ends)[:-1]
    assert [coding.decode(row) for row in rows] == [_without_padding(chosen, row) for row in input_ids]
    for number, row in enumerate(rows):
        text = tokenizer.decode(row)
        assert tokenizer.encode(text) == row.tolist()
        scored = row_labels[number] != IGNORE
        assert np.array_equal(row_labels[number][scored], row[scored])
        # the labelled ids are those of the labelled words, and no others
        words = text.split(" ")
        wanted = [label != IGNORE for label in labels[number][: len(words)]]
        sizes = [len(tokenizer.encode(word if place == 0 else f" {word}")) for place, word in enumerate(words)]
        assert np.array_equal(scored, np.repeat(wanted, sizes))


def test_numbers_are_integers_and_so_are_separators():
    coding = Coding.make(task("sort-3", vocab_size=50), large_tokenizer(), "text")
    chosen = task("sort-3", vocab_size=50)
    input_ids, labels = chosen.example([40, 3, 17])
    tokens, token_labels, _ = coding.text(input_ids[None], labels[None])
    assert large_tokenizer().decode(tokens) == "40 3 17 50 3 17 40"
    assert large_tokenizer().decode(token_labels[token_labels != IGNORE]) == " 3 17 40"


def test_a_space_at_the_beginning_of_texts_is_of_no_row():
    """SentencePiece's manner: the first word has its space, the others have one, and none has two."""
    chosen, tokenizer = task("sort-3", vocab_size=30), llama_like_tokenizer()
    coding = Coding.make(chosen, tokenizer, "text")
    input_ids, labels = chosen.example([12, 2, 1])
    tokens, _, _ = coding.text(input_ids[None], labels[None])
    assert tokens.tolist() == tokenizer.encode("12 2 1 30 1 2 12")
    assert coding.decode(tokens) == _without_padding(chosen, input_ids)


@pytest.mark.parametrize("name", ["dyck-3", "sort-5", "haystack-4"])
def test_integers_are_the_ids_written_out(name):
    chosen, tokenizer = task(name, **({"length": 16} if name == "dyck-3" else {})), large_tokenizer()
    coding = Coding.make(chosen, tokenizer, "integers")
    input_ids, labels = chosen.sample(np.random.default_rng(0), 3)
    tokens, token_labels, ends = coding.text(input_ids, labels)
    for row, scored, ids, marks in zip(
        input_ids, labels, np.split(tokens, ends[:-1]), np.split(token_labels, ends[:-1]), strict=True
    ):
        row = _without_padding(chosen, row)
        assert tokenizer.decode(ids).split() == [str(token) for token in row]
        assert coding.decode(ids) == row
        assert (marks != -100).any() == (scored != -100).any()


@pytest.mark.parametrize("kind", KINDS)
def test_a_coding_is_read_back(kind, tmp_path):
    chosen = task("dyck-3", length=16)
    coding = Coding.make(chosen, large_tokenizer(), kind, seed=5)
    coding.save(tmp_path)
    assert Coding.load(tmp_path) == coding
    assert Coding.load(tmp_path / "coding.json").digest == coding.digest


def test_the_seed_chooses_symbols():
    chosen = task("sort-64")
    first, again, other = (Coding.make(chosen, large_tokenizer(), seed=seed) for seed in (0, 0, 1))
    assert first == again
    assert len({*first.first} & {*other.first}) < 10
    assert first.digest != other.digest


@pytest.mark.parametrize("padded", [True, False])
@pytest.mark.parametrize("kind", [None, *KINDS])
def test_rows_are_read_in_any_pieces(kind, padded):
    chosen = task("haystack-4", vocab_size=40)
    coding = kind and Coding.make(chosen, large_tokenizer(), kind)
    rows = CodedRows(chosen, 3, padded, coding)

    def read(*pieces):
        made = []
        for start, stop in pieces:
            for block in rows.read("train", start, stop):
                made += [row.tolist() for row in np.split(block.tokens, block.ends)[:-1]]
                assert len(block.labels) == len(block.tokens) == block.ends[-1]
        return made

    size = blocks.block_rows(chosen)
    whole = read((0, 2 * size + 7))
    assert len(whole) == 2 * size + 7
    assert read((0, 3), (3, size), (size, size + 1), (size + 1, 2 * size + 7)) == whole
    if rows.row_length:
        assert {len(row) for row in whole} == {rows.row_length}
    assert max(map(max, whole)) < rows.vocab_size


def test_what_does_not_fit_is_told_in_one_line():
    with pytest.raises(
        ValueError, match="^coding must be one of text, integers, symbols, got 'symbol': did you mean symbols"
    ):
        Coding.make(task("sort-4"), large_tokenizer(), "symbol")
    with pytest.raises(ValueError, match="single tokens for the 10,002 symbols of nca-10.*are missing"):
        Coding.make(task("nca-10"), lossy_tokenizer())
    with pytest.raises(ValueError, match=r"does not give '\(0' back"):
        Coding.make(task("dyck-4"), lossy_tokenizer(), "text")
    with pytest.raises(ValueError, match="must be a fast tokenizer"):
        Coding.make(task("sort-4"), "gpt2")
    with pytest.raises(ValueError, match="coding_seed must be an integer >= 0, got -1"):
        Coding.make(task("sort-4"), large_tokenizer(), seed=-1)
    coding = Coding.make(task("sort-4"), large_tokenizer())
    with pytest.raises(ValueError, match=r"ids\[1\] is 0, where no word of the task is written"):
        coding.decode([coding.first[3][0], 0])


def _of_words(words: dict[str, int], unknown: str | None = None, **special) -> PreTrainedTokenizerFast:
    """A tokenizer of words between spaces."""
    made = Tokenizer(models.WordLevel(words, unk_token=unknown))
    made.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    return PreTrainedTokenizerFast(tokenizer_object=made, **special)


def test_ids_behind_holes_are_symbols_and_the_unknown_is_none():
    chosen = task("sort-4", vocab_size=20)
    words = {word: 3 * number for number, word in enumerate(["[PAD]", "[UNK]", *map(str, range(21))])}
    coding = Coding.make(chosen, _of_words(words, "[UNK]", pad_token="[PAD]"))
    assert sorted(coding.first)[1:] == [(id,) for word, id in words.items() if word.isdigit()]
    assert coding.vocab_size == max(words.values()) + 1


def test_a_tokenizer_without_an_unknown_says_so_in_one_line():
    with pytest.raises(ValueError, match="^tokenizer .* cannot write these rows: .*UNK.*$"):
        Coding.make(task("sort-4"), _of_words({"1": 0, "2": 1}), "text")


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("name", "parameters"), [("words-16", {"length": 40}), ("sort-4", {"vocab_size": 9})])
def test_rows_with_padding_and_ends_are_read_back(kind, name, parameters):
    """Also where the task's <eos> is the tokenizer's own end."""
    chosen = task(name, **parameters)
    tokenizer = copy.deepcopy(large_tokenizer())
    tokenizer.add_special_tokens({"eos_token": "<eos>", "pad_token": "<pad>"})
    coding = Coding.make(chosen, tokenizer, kind)
    input_ids, labels = _rows(chosen)
    block = CodedRows(chosen, 0, padded=False, coding=coding).block("train", 0)
    for row, tokens in zip(input_ids, np.split(block.tokens, block.ends), strict=False):
        wanted = _without_padding(chosen, row)
        for behind in ([], [coding.pad_id] * 3, [coding.end_id], [coding.end_id, coding.pad_id]):
            if chosen.vocabulary[wanted[-1]] != "<eos>" or not behind:
                assert coding.decode([*tokens, *behind]) == wanted


def test_a_damaged_file_is_told(tmp_path):
    (tmp_path / "coding.json").write_text(json.dumps({"kind": "text"}))
    with pytest.raises(ValueError, match="holds no coding"):
        Coding.load(tmp_path)


@pytest.mark.parametrize(
    ("key", "value"),
    [("first", 3), ("first", [[1], [2]]), ("first", [["1"]]), ("first", [[9]]), ("words", 5), ("kind", "symbol")]
    + [("vocab_size", "5"), ("pad_id", 5), ("rest", [[-1]])],
)
def test_what_is_no_coding_is_told_by_its_file(key, value, tmp_path):
    content = {"kind": "symbols", "tokenizer": "x", "vocab_size": 5, "pad_id": 0, "end_id": None}
    content |= {"words": ["a"], "first": [[1]], "rest": [[1]], "seed": 0}
    (tmp_path / "coding.json").write_text(json.dumps(content))
    assert Coding.load(tmp_path).decode([1, 0]) == [0]
    (tmp_path / "coding.json").write_text(json.dumps(content | {key: value}))
    with pytest.raises(
        ValueError, match=r"coding\.json (holds no coding|does not hold what was written there)"
    ) as told:
        Coding.load(tmp_path)
    assert "\n" not in str(told.value)

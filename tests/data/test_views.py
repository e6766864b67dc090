"""The same rows as ids, as text, as prompt and completion, as messages, and in the ids of any tokenizer."""

import json
import os
import subprocess
import sys
from pathlib import Path

import datasets
import numpy as np
import pytest
from datasets import load_dataset
from support.specimens import SPECIMENS, specimen_id
from support.vocabularies import large_tokenizer, llama_like_tokenizer, lossy_tokenizer

import hf_procedural as hp
from hf_procedural.data.tokenization import tokenizer
from hf_procedural.data.views import VIEWS
from hf_procedural.tasks.byte_text import is_wholly_text

SIZES = {"train_size": 300, "validation_size": 40, "test_size": 0}
EVERYWHERE = pytest.mark.parametrize("specimen", SPECIMENS, ids=map(specimen_id, SPECIMENS))
FORMS = [{"view": view} for view in VIEWS]
FORMS += [{"tokenizer": large_tokenizer(), "coding": coding} for coding in ("symbols", "text")]
FORMS += [{"tokenizer": large_tokenizer(), "fixed_size": False}]


@pytest.fixture
def load(tmp_path):
    """`load_dataset("procedural", ...)` with a cache of its own."""

    def load(name, **parameters):
        return load_dataset("procedural", name, cache_dir=str(tmp_path / "cache"), **SIZES | parameters)

    return load


@EVERYWHERE
def test_text_is_the_row(specimen, load):
    name, parameters = specimen
    task, words = hp.task(name, **parameters), tokenizer(name, **parameters)
    ids, texts, integers = (load(name, split="train", view=view, **parameters) for view in ("ids", "text", "integers"))
    known = {word: str(index) for index, word in enumerate(task.vocabulary)}
    assert integers["text"] == [" ".join(map(known.get, task.words_of(text))) for text in texts["text"]]
    assert texts.features == datasets.Features(text=datasets.Value("string"))
    assert len(texts) == len(ids)
    for row, labels, text in zip(ids["input_ids"], ids["labels"], texts["text"], strict=True):
        if any(label not in (-100, token) for label, token in zip(labels, row, strict=True)):
            assert text == task.text(sum(task.question(row, labels), []))  # the answer in its place, and no more
            continue
        assert text == task.text(row)
        assert task.ids(text)[: len(row)].tolist() == row
        size = len(task.words_of(text))
        if is_wholly_text(task) == task.is_text:  # else its tokenizer has bytes as words
            assert words(text)["input_ids"] == row[:size]
        assert set(row[size:]) <= {task.pad_id}


@EVERYWHERE
def test_prompt_and_completion_are_the_text(specimen, load):
    name, parameters = specimen
    task = hp.task(name, **parameters)
    if any(member.is_language for member in getattr(task, "members", [task])):
        for view in ("prompt_completion", "messages"):
            with pytest.raises(ValueError, match="is a language, whose rows have no prompt"):
                load(name, split="train", view=view, **parameters)
        return
    rows, texts, pairs, chats = (
        load(name, split="train", view=view, **parameters) for view in VIEWS if view != "integers"
    )
    for row, text, pair, chat in zip(rows, texts["text"], pairs, chats["messages"], strict=True):
        assert pair["prompt"] + pair["completion"] == text
        assert pair["prompt"] == task.text(task.prompt_of(row["input_ids"], row["labels"]))
        roles = [(turn["role"], turn["content"]) for turn in chat]
        if is_wholly_text(task):
            pair = {
                "prompt": pair["prompt"].removesuffix("<sep>"),
                "completion": pair["completion"].removesuffix("<eos>"),
            }
        assert roles == [("user", pair["prompt"]), ("assistant", pair["completion"].removeprefix(" "))]
    if hasattr(task, "members") or task.parameters.get("shuffle_tokens"):
        return
    scores = {task.score(pair["prompt"], pair["completion"]) for pair in pairs}
    assert scores == {1.0}


@pytest.mark.parametrize("name", ["sort-4", "haystack-4", "sort-3+addition-2"])
@pytest.mark.parametrize("form", FORMS, ids=str)
def test_streams_have_the_same_rows_and_resume_exactly(name, form, load):
    cached = load(name, split="train", **form)
    stream = load(name, split="train", streaming=True, **form)
    assert stream.features == cached.features
    rows = list(stream)
    assert rows == list(cached)
    for stop in (0, 1, 255, 299):
        begun, resumed = (load(name, split="train", streaming=True, **form) for _ in range(2))
        begun = iter_with_state(begun, stop)
        resumed.load_state_dict(begun)
        assert list(resumed) == rows[stop:]
    shards = [load(name, split="train", streaming=True, **form).shard(1, 0)]
    assert [row for shard in shards for row in shard] == rows


def iter_with_state(stream, stop: int) -> dict:
    """The state of a stream after so many rows."""
    iterator = iter(stream)
    state = stream.state_dict()
    for _ in range(stop):
        next(iterator)
        state = stream.state_dict()
    return state


@pytest.mark.parametrize("coding", ["symbols", "text"])
def test_rows_in_the_ids_of_a_tokenizer(coding, load):
    task, other = hp.task("haystack-4", vocab_size=40), large_tokenizer()
    plain = load("haystack-4", vocab_size=40, split="validation")
    coded = load("haystack-4", vocab_size=40, split="validation", tokenizer=other, coding=coding)
    saved = hp.Coding.load(Path(coded.cache_files[0]["filename"]).parent)
    assert saved == hp.Coding.make(task, other, coding)
    for before, after in zip(plain, coded, strict=True):
        assert task.text(saved.decode(after["input_ids"])) == task.text(before["input_ids"])
        scored = [id for id in after["labels"] if id != -100]
        assert scored
        if coding == "symbols":
            assert len(after["input_ids"]) == task.max_length
            assert [label == -100 for label in after["labels"]] == [label == -100 for label in before["labels"]]
        else:
            text = task.text(before["input_ids"])
            assert after["input_ids"] == other(text)["input_ids"]
            answer = task.text([id for id in before["labels"] if id != -100])
            assert other.decode(scored) == f" {answer}"
    again = load("haystack-4", vocab_size=40, split="validation", coding=saved)
    assert list(again) == list(coded)


def test_each_form_has_a_cache_of_its_own(load):
    forms = [
        *FORMS,
        {"tokenizer": large_tokenizer(), "coding_seed": 1},
        {"tokenizer": llama_like_tokenizer(), "coding": "text"},
    ]
    files = [load("sort-3", vocab_size=20, split="train", **form).cache_files[0]["filename"] for form in forms]
    assert len({*files}) == len(files)


def test_a_tokenizer_is_named_by_its_folder(load, tmp_path):
    large_tokenizer().save_pretrained(tmp_path / "other")
    rows = load("sort-3", split="train", tokenizer=str(tmp_path / "other"))
    assert list(rows) == list(load("sort-3", split="train", tokenizer=large_tokenizer()))


def test_rows_are_the_same_in_another_process(load, tmp_path):
    large_tokenizer().save_pretrained(tmp_path / "other")
    code = f"""
import datasets, hf_procedural
rows = datasets.load_dataset("procedural", "sort-3", tokenizer={str(tmp_path / "other")!r}, streaming=True)
print(next(iter(rows["validation"])))
"""
    environment = os.environ | {"PYTHONHASHSEED": "7"}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    expected = load("sort-3", split="validation", tokenizer=large_tokenizer())[0]
    assert done.stdout.strip() == str(expected)


def test_what_does_not_fit_is_told_in_one_line(load):
    large = large_tokenizer()
    own = hp.Coding.make(hp.task("haystack-4"), large)
    mistakes = [
        ({"view": "txt"}, "view must be one of ids, text, integers, .*, got 'txt': did you mean text"),
        ({"view": None}, "view must be one of"),
        ({"veiw": "text"}, "unknown parameter 'veiw' .* view, tokenizer, coding, coding_seed: did you mean view"),
        ({"view": "text", "tokenizer": large}, "tokenizer: view text is text, which any tokenizer reads"),
        ({"coding": "text"}, "coding: there is no tokenizer"),
        ({"coding_seed": 3}, "coding_seed: there is no tokenizer"),
        ({"tokenizer": large, "coding": "words"}, "coding must be one of text, integers, symbols, got 'words'"),
        ({"tokenizer": large, "coding_seed": -1}, "coding_seed must be an integer >= 0, got -1"),
        ({"tokenizer": 5}, "tokenizer must be a fast tokenizer"),
        ({"tokenizer": "nowhere/at_all"}, "tokenizer 'nowhere/at_all' cannot be loaded"),
        ({"tokenizer": lossy_tokenizer(), "coding": "text"}, "does not give 'k0' back"),
        ({"coding": hp.Coding.make(hp.task("set-9", vocab_size=30), large)}, "coding: it is of other tokens than"),
        ({"coding": own, "tokenizer": large}, "tokenizer: the coding has its own, .*; leave one of the two out"),
        ({"coding": own, "coding_seed": 3}, "coding_seed must be the coding's own, 0, got 3"),
    ]
    for form, message in mistakes:
        with pytest.raises(ValueError, match=message) as raised:
            load("haystack-4", split="train", **form)
        assert "\n" not in str(raised.value)


def test_text_is_read_by_the_text_of_a_task():
    task = hp.task("sort-3", vocab_size=20)
    assert task.text(np.array([3, 1, 2, 20, 1, 2, 3])) == "3 1 2 <sep> 1 2 3"
    assert task.ids("3 1 2 <sep>").tolist() == [3, 1, 2, 20, 21, 21, 21]
    for no_id in (-100, 999):
        with pytest.raises(ValueError, match=f"sort-3: the row's {no_id} is no token id of the task"):
            hp.task("sort-3").text([1, no_id])
    with pytest.raises(ValueError, match="sort-3: the text's 'three' is no token of the task"):
        task.ids("three 1 2")
    with pytest.raises(ValueError, match="sort-3: the text has 8 words, a row 7 tokens"):
        task.ids("1 " * 8)
    assert json.loads(json.dumps(task.ids("1").tolist()))[0] == 1

"""Our rows among others': mixed with text by datasets, and resumed by torchdata in the middle of an epoch."""

import copy
import itertools
from collections import Counter

import pytest
from datasets import Dataset, Features, List, Value, concatenate_datasets, interleave_datasets, load_dataset
from support.readers import reader

SIZES = {"vocab_size": 30, "validation_size": 4, "test_size": 0}
EVERY_ROW_ONCE = {"probabilities": [0.9, 0.1], "seed": 0, "stopping_strategy": "all_exhausted_without_replacement"}


def rows(streaming: bool, size: int = 2000, **settings):
    """Rows of two blocks."""
    return load_dataset(
        "procedural", "sort-4", split="train", streaming=streaming, train_size=size, **SIZES, **settings
    )


def as_read(data, streaming: bool):
    return data.to_iterable_dataset(num_shards=4) if streaming else data


def web(streaming: bool):
    return as_read(Dataset.from_dict({"text": [f"page {number} of the web" for number in range(5000)]}), streaming)


def web_ids(streaming: bool):
    """Tokenized documents, each of another length."""
    ids = [[number] * (1 + number % 7) for number in range(5000)]
    column = List(Value("int32"))
    features = Features(input_ids=column, labels=column)
    return as_read(Dataset.from_dict({"input_ids": ids, "labels": ids}, features=features), streaming)


def as_words(row) -> tuple:
    return tuple(str(value) for value in row.values())


# Mixed


@pytest.mark.parametrize("streaming", [False, True])
@pytest.mark.parametrize("kind", ["text", "ids"])
def test_rows_are_mixed_with_text(kind, streaming):
    """Both ways: one behind the other, and by probabilities, each row once."""
    ours = rows(streaming, view="text") if kind == "text" else rows(streaming, fixed_size=False)
    theirs = web(streaming) if kind == "text" else web_ids(streaming)
    every = [*map(as_words, theirs), *map(as_words, ours)]
    joined = concatenate_datasets([theirs, ours])
    mixed = interleave_datasets([theirs, ours], **EVERY_ROW_ONCE)
    assert joined.features == mixed.features == ours.features == theirs.features
    assert list(map(as_words, joined)) == every
    told = list(map(as_words, mixed))
    assert Counter(told) == Counter(every)
    procedural = {*map(as_words, ours)}
    are_ours = [words in procedural for words in told[:2000]]
    assert 0.08 < sum(are_ours) / 2000 < 0.12


@pytest.mark.parametrize("streaming", [False, True])
@pytest.mark.parametrize("mix", [concatenate_datasets, interleave_datasets])
def test_lists_of_fixed_size_are_mixed_with_no_others(mix, streaming):
    with pytest.raises(ValueError, match="features can't be aligned"):
        mix([web_ids(streaming), rows(streaming)])


# Resumed


def batches(loader) -> list[list[tuple]]:
    return [[*map(as_words, batch)] for batch in loader]


def check_resume(make, cuts) -> None:
    """Whether an epoch that stops after so many batches goes on with the next one, and none is lost or doubled."""
    stateful = reader("torchdata.stateful_dataloader")

    def loader():
        return stateful.StatefulDataLoader(make(), batch_size=50, num_workers=2, collate_fn=list)

    whole = batches(loader())
    assert len(whole) > max(cuts)
    for cut in cuts:
        begun, resumed = loader(), loader()
        assert batches(itertools.islice(begun, cut)) == whole[:cut]
        resumed.load_state_dict(copy.deepcopy(begun.state_dict()))
        assert batches(resumed) == whole[cut:], cut


@pytest.mark.parametrize(
    ("view", "kind"), [("ids", None), ("ids", "numpy"), ("ids", "torch"), ("text", None), ("prompt_completion", None)]
)
def test_a_stateful_loader_resumes_exactly(view, kind):
    def stream():
        return rows(True, view=view).with_format(kind)

    assert stream().num_shards == 2  # so that each worker has rows
    check_resume(stream, [1, 2, 7, 20, 39])


def test_a_stateful_loader_resumes_a_mix_once_each_worker_has_given_a_batch():
    def mix():
        return interleave_datasets([web(True), rows(True, view="text")], **EVERY_ROW_ONCE)

    check_resume(mix, [2, 3, 50, 101])

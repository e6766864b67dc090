"""`load_dataset("procedural", ...)`: rows that depend on nothing but their order, splits that share no prompt.

Run as a script, this file records the rows of the specimens in golden/own_rows.json.
"""

import hashlib
import json
import subprocess
import sys

import datasets
import numpy as np
import pytest
import torch
from datasets import load_dataset, load_dataset_builder
from datasets.distributed import split_dataset_by_node
from support.running import TESTS
from support.specimens import SPECIMENS, members_of, specimen_id

import hf_procedural as hp
from hf_procedural.data import blocks, builder
from hf_procedural.tasks import splits, task_class

SPLITS = ("train", "validation", "test")
SMALL = {"train_size": 700, "validation_size": 100, "test_size": 100}
OWN_ROWS = TESTS / "golden" / "own_rows.json"


@pytest.fixture
def load(tmp_path):
    """`load_dataset("procedural", ...)` with a cache of its own, so that nothing is served that was made before."""

    def load(name, **parameters):
        return load_dataset("procedural", name, cache_dir=str(tmp_path / "cache"), **parameters)

    return load


def rows_of(dataset) -> list[bytes]:
    """Each row as bytes, in order: of a Dataset, of a stream or of batches."""
    return [np.array([row["input_ids"], row["labels"]], np.int32).tobytes() for row in dataset]


def arrays_of(dataset) -> tuple[np.ndarray, np.ndarray]:
    columns = dataset.with_format("numpy")[:]
    return columns["input_ids"], columns["labels"]


def prompts_of(task, input_ids, labels) -> set[tuple]:
    """All prompts of rows; of a language, all words."""
    if task.is_language:
        return set(map(tuple, input_ids.tolist()))
    return {tuple(task.prompt_of(*row)) for row in zip(input_ids, labels, strict=True)}


def assert_disjoint(train: set, validation: set, test: set):
    assert train and validation and test
    assert [len(train & validation), len(train & test), len(validation & test)] == [0, 0, 0]


# ---------------------------------------------------------------- what is loaded


@pytest.mark.parametrize("streaming", [False, True], ids=["map-style", "streaming"])
def test_lists_of_any_size_have_the_same_rows_and_mix(load, streaming):
    """Rows of two lengths, of a mixture, and of text, in one data set; the README's cast does the same afterwards."""
    options = {"split": "train", "streaming": streaming} | SMALL
    names = ("sort-4", "set-9", "sort-4+set-6")
    fixed = [load(name, **options) for name in names]
    loose = [load(name, **options, fixed_size=False) for name in names]
    column = datasets.List(datasets.Value("int32"))
    lists = datasets.Features(input_ids=column, labels=column)
    cast = [rows.cast(lists) for rows in fixed]
    for three in (loose, cast):
        assert all(rows.features == lists for rows in three)
        assert [rows_of(rows) for rows in three] == [rows_of(rows) for rows in fixed]
        joined = datasets.concatenate_datasets(three)
        assert rows_of(joined) == [row for rows in fixed for row in rows_of(rows)]
        in_turn = rows_of(datasets.interleave_datasets(three))  # a stream ends with the first source's last row
        assert in_turn == [row for turn in zip(*map(rows_of, fixed), strict=True) for row in turn][: len(in_turn)]
        assert len(in_turn) == 3 * SMALL["train_size"] - (2 if streaming else 0)
    text = datasets.Dataset.from_dict({"input_ids": [[1, 2], [3]], "labels": [[1, 2], [3]]}, features=lists)
    text = text.to_iterable_dataset() if streaming else text
    assert rows_of(datasets.interleave_datasets([text, loose[0]]))[::2] == rows_of(text)
    for mode in ("numpy", "torch"):
        assert rows_of(loose[0].with_format(mode)) == rows_of(fixed[0])
    with pytest.raises(ValueError, match="can't be aligned"):  # what the README tells the way round
        datasets.interleave_datasets(fixed)


def test_default_sizes_and_columns(load):
    data = load("set-4")
    assert data.num_rows == {"train": 160_064, "validation": 4_096, "test": 4_096}
    column = datasets.List(datasets.Value("int32"), length=9)
    assert all(split.features == {"input_ids": column, "labels": column} for split in data.values())
    assert_disjoint(*(prompts_of(hp.task("set-4"), *arrays_of(data[split])) for split in SPLITS))


def test_rows_are_those_of_the_task(load, specimen, task):
    """A row is that of its block, which depends on nothing but task, seed, split and number."""
    name, parameters = specimen
    data = load(name, seed=3, **SMALL, **parameters)
    for split in SPLITS:
        columns = arrays_of(data[split])
        assert [column.shape for column in columns] == [(SMALL[f"{split}_size"], task.row_length(split))] * 2
        for column, block in zip(columns, blocks.block(task, 3, split, 0), strict=True):
            np.testing.assert_array_equal(column[: len(block)], block[: len(column)])


@pytest.mark.parametrize(("name", "headline"), [("sort-17", {"length": 17}), ("eca-7", {"rule": 7})], ids=str)
def test_unlisted_sizes_and_their_other_name_give_the_same_rows(load, name, headline):
    rows = rows_of(load(name, split="test", **SMALL))
    assert rows == rows_of(load(name.partition("-")[0], split="test", **SMALL, **headline))
    assert len(set(rows)) == 100


@pytest.mark.parametrize("other", [{"seed": 1}, {"vocab_size": 99}], ids=str)
def test_another_seed_or_parameter_gives_other_rows(load, other):
    """In one cache, which must tell them apart."""
    rows = [set(rows_of(load("sort-4", split="train", **SMALL, **parameters))) for parameters in ({}, other)]
    assert not rows[0] & rows[1]


def test_sizes_may_be_zero_and_slices_work(load):
    assert set(load("sort-4", train_size=0, test_size=0, validation_size=5)) == {"validation"}
    rows = rows_of(load("sort-4", split="train", **SMALL))
    assert rows_of(load("sort-4", split="train[:1%]", **SMALL)) == rows[:7]
    assert rows_of(load("sort-4", split="train[-3:]", **SMALL)) == rows[-3:]


def test_numpy_integers_are_integers(load):
    rows = rows_of(load("sort-4", split="test", seed=3, test_size=20))
    assert rows_of(load("sort-4", split="test", seed=np.int64(3), test_size=np.int32(20))) == rows


@pytest.mark.parametrize("train_size", [1, 999, 1024, 1025, 5000])
def test_more_rows_begin_with_the_same_rows(load, train_size):
    longest = load("sort-4", split="train", train_size=5001)
    rows = load("sort-4", split="train", train_size=train_size)
    assert rows.num_rows == train_size
    for column, longer in zip(arrays_of(rows), arrays_of(longest), strict=True):
        np.testing.assert_array_equal(column, longer[:train_size])


def test_listed_names_are_the_published_sizes():
    names = datasets.get_dataset_config_names("procedural")
    assert names == [f"{name}-{size}" for name in hp.list_tasks() for size in task_class(name).sizes]
    assert {"sort-64", "dyck-64", "eca-110"} <= set(names)


def test_info_tells_what_the_data_is(specimen, task):
    name, parameters = specimen
    info = load_dataset_builder("procedural", name, **SMALL, **parameters).info
    assert info.config_name == name and info.dataset_name == "procedural"
    assert task.summary in info.description
    assert info.homepage.startswith("https://") == ("2601.21725" in info.citation) == ("2601.21725" in task.paper)
    assert task.paper in info.description and info.license == "apache-2.0"
    assert info.features["labels"].length == (blocks.row_length(task) or -1)
    assert {split: part.num_examples for split, part in info.splits.items()} == {
        split: SMALL[f"{split}_size"] for split in SPLITS
    }


# ---------------------------------------------------------------- splits


@pytest.mark.parametrize(
    ("name", "parameters"),
    [("sort-2", {"vocab_size": 20}), ("sort-64", {}), ("dyck-2", {"length": 16}), ("eca-110", {"width": 12})],
    ids=lambda value: str(value),
)
def test_no_prompt_is_in_two_splits(load, name, parameters):
    sizes = {"train_size": 20_000, "validation_size": 2_000, "test_size": 2_000}
    data, task = load(name, **sizes, **parameters), hp.task(name, **parameters)
    other = load(name, seed=1, **sizes, **parameters)  # nor across seeds
    prompts = [
        prompts_of(task, *arrays_of(data[split])) | prompts_of(task, *arrays_of(other[split])) for split in SPLITS
    ]
    assert_disjoint(*prompts)
    if name == "sort-2":
        assert sum(map(len, prompts)) == 19 * 19  # every prompt is in one


PUBLISHED = [f"{name}-{size}" for name in hp.list_tasks() for size in task_class(name).sizes]


@pytest.mark.parametrize("name", PUBLISHED)
def test_published_settings_have_three_splits_by_prompt(name):
    """What a row's split is follows from its prompt alone: of a row by itself, and whatever its answer."""
    task, prompts = hp.task(name), []
    for index, split in enumerate(SPLITS):
        input_ids, labels = task.sample_split(np.random.default_rng(0), 24, split)
        assert (splits.of_rows(task, input_ids, labels) == index).all()
        assert splits.of_rows(task, input_ids[5:6], labels[5:6]) == index
        if not task.is_language:
            ends = task.prompt_ends(input_ids, labels)
            is_prompt = np.arange(input_ids.shape[1]) < ends[:, None] if len(ends) else labels == -100
            other = input_ids[:, -1:] if len(ends) else 1  # some other answer; of MAD's tasks, a value and no key
            assert (splits.of_rows(task, np.where(is_prompt, input_ids, other), labels) == index).all()
        prompts.append(prompts_of(task, input_ids, labels))
    assert_disjoint(*prompts)


def test_mixture_rows_are_valid_and_in_the_splits_of_their_members(load):
    name, parameters = SPECIMENS[-1]
    task, data = hp.task(name, **parameters), load(name, **SMALL, **parameters)
    for index, split in enumerate(SPLITS):
        for row in zip(*arrays_of(data[split]), strict=True):
            members = members_of(task, *row)
            assert members
            assert any(splits.of_rows(member, *(part[None] for part in own)) == index for member, own in members)


@pytest.mark.parametrize(
    ("name", "parameters"),
    [
        ("sort-2+set-2", {"vocab_size": 20}),
        ("sort-2+reverse-2", {"sort.vocab_size": 20, "reverse.vocab_size": 21}),
        ("dyck-2+dyck-3", {"length": 6}),
        ("addition-2+reversed_addition-2", {"addition.score_all": True}),
    ],
    ids=str,
)
def test_no_prompt_of_a_mixture_is_in_two_splits(load, name, parameters):
    """Members share prompts: they must agree on the split of one, whatever ids they give its tokens."""
    task, data = hp.task(name, **parameters), load(name, train_size=4000, **parameters)
    assert_disjoint(*(prompts_of(task, *arrays_of(data[split])) for split in SPLITS))


# ---------------------------------------------------------------- the same rows, however they are read


def test_processes_streams_nodes_and_workers_give_the_same_rows(load):
    sizes = {"train_size": 6_500}  # 7 blocks in 6 shards
    rows = rows_of(load("sort-4", split="train", **sizes))
    assert len(set(rows)) > 6_400
    stream = load("sort-4", split="train", streaming=True, **sizes)
    assert rows_of(stream) == rows_of(stream.with_format("numpy")) == rows
    assert rows_of(load("sort-4", split="train", num_proc=2, seed=0, download_mode="force_redownload", **sizes)) == rows
    for nodes in (2, 3, 4):  # 4 does not divide the shards
        for data in (stream, stream.with_format("torch"), load("sort-4", split="train", **sizes)):
            parts = [rows_of(split_dataset_by_node(data, rank=rank, world_size=nodes)) for rank in range(nodes)]
            assert sorted(sum(parts, [])) == sorted(rows)
            assert max(map(len, parts)) < 2 * len(rows) / nodes


@pytest.mark.parametrize("streaming", [False, True], ids=["map-style", "streaming"])
@pytest.mark.parametrize("workers", [0, 2])
def test_loaders_give_the_same_rows(load, streaming, workers):
    from transformers import default_data_collator

    sizes = {"train_size": 2_500}
    data = load("sort-4", split="train", streaming=streaming, **sizes).with_format("torch")
    loader = torch.utils.data.DataLoader(data, batch_size=64, num_workers=workers, collate_fn=default_data_collator)
    batches = list(loader)
    assert all(batch["input_ids"].dtype == batch["labels"].dtype == torch.int64 for batch in batches)
    read = [
        {name: part[row] for name, part in batch.items()} for batch in batches for row in range(len(batch["labels"]))
    ]
    expected = rows_of(load("sort-4", split="train", **sizes))
    assert sorted(rows_of(read)) == sorted(expected)
    if not (streaming and workers):
        assert rows_of(read) == expected


@pytest.mark.parametrize("format", [None, "torch", "numpy"])
def test_a_stream_resumes_at_any_row(load, format):
    def stream():
        return load("sort-4", split="train", streaming=True, train_size=2_600).with_format(format)

    rows = rows_of(stream())
    for cut in (0, 1, 255, 256, 257, 1_024, 1_300, 2_047, 2_599, 2_600):
        first, second = stream(), stream()
        iterator = iter(first)
        assert rows_of(next(iterator) for _ in range(cut)) == rows[:cut]
        second.load_state_dict(json.loads(json.dumps(first.state_dict())))
        assert rows_of(second) == rows[cut:], f"resumed after {cut} rows"


def test_a_stream_resumes_twice_and_on_a_node(load):
    def stream():
        data = load("sort-4", split="train", streaming=True, train_size=6_500).with_format("torch")
        return split_dataset_by_node(data, rank=1, world_size=3)

    rows, read, state = rows_of(stream()), [], None
    for cut in (300, 700, 10_000):
        data = stream()
        if state:
            data.load_state_dict(state)
        read += rows_of(row for _, row in zip(range(cut), data, strict=False))
        state = data.state_dict()
    assert read == rows


@pytest.mark.parametrize("format", [None, "torch"])
def test_a_stream_is_a_stream(load, format):
    """What datasets offers for streams works on ours."""
    stream = load("sort-4", split="train", streaming=True, **SMALL).with_format(format)
    rows = rows_of(stream)
    assert rows_of(stream.take(5)) == rows[:5]
    assert rows_of(stream.skip(5)) == rows[5:]
    assert rows_of(stream.shuffle(seed=1, buffer_size=100)) != rows
    assert sorted(rows_of(stream.shuffle(seed=1, buffer_size=100))) == sorted(rows)
    assert rows_of(stream.map(lambda row: {"labels": row["labels"]})) == rows
    assert [len(batch["labels"]) for batch in stream.iter(batch_size=300)] == [300, 300, 100]
    assert rows_of(stream) == rows  # a second time


def test_a_trillion_rows_stream_at_once(load):
    stream = load("sort-64", split="train", streaming=True, train_size=10**12)
    assert rows_of(stream.take(3)) == rows_of(load("sort-64", split="train", train_size=3))
    assert stream.n_shards % 8 == 0


# ---------------------------------------------------------------- where it is called


@pytest.mark.parametrize("folder", ["empty", "data files", "read-only", "subfolder of that name"])
def test_the_current_folder_does_not_matter(load, tmp_path, monkeypatch, folder):
    here = tmp_path / "here"
    here.mkdir()
    if folder == "data files":
        (here / "train.csv").write_text("a,b\n1,2\n")
        (here / "data.json").write_text('{"a": 1}\n')
    if folder == "subfolder of that name":
        (here / "procedural").mkdir()
        (here / "procedural" / "train.csv").write_text("a,b\n1,2\n")
        (here / "procedural" / "procedural.py").write_text("raise RuntimeError\n")
    if folder == "read-only":
        here.chmod(0o555)
    before = sorted(here.rglob("*"))
    monkeypatch.chdir(here)
    data = load("sort-4", **SMALL)
    assert data.num_rows == {"train": 700, "validation": 100, "test": 100}
    assert data["train"].features["labels"].length == 9
    assert sorted(here.rglob("*")) == before


def test_other_packaged_builders_still_work(tmp_path):
    (tmp_path / "some.json").write_text('{"a": 1}\n')
    data = load_dataset(
        "json", data_files=str(tmp_path / "some.json"), split="train", cache_dir=str(tmp_path / "cache")
    )
    assert data[:] == {"a": [1]}


def test_import_is_light():
    code = "import sys, hf_procedural; print([name for name in sys.argv[1:] if name in sys.modules])"
    heavy = ["torch", "transformers", "numba", "evaluate", "accelerate", "matplotlib"]
    done = subprocess.run([sys.executable, "-c", code, *heavy], capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, "[]\n"), done.stderr


# ---------------------------------------------------------------- refusals

BAD_INPUT = [
    (None, {}, "which task? Give its name"),
    ("srot-64", {}, "unknown task 'srot': did you mean sort"),
    ("sort-64", {"vocab_sise": 9}, "sort: unknown parameter 'vocab_sise': did you mean vocab_size?"),
    ("sort-64", {"vocab_size": 1}, "sort: vocab_size must be an integer in 2..1048576, got 1"),
    ("sort-64", {"train_size": -1}, "train_size must be an integer >= 0, got -1"),
    ("sort-64", {"test_size": 0.5}, "test_size must be an integer >= 0, got 0.5"),
    ("sort-64", {"seed": "0"}, "seed must be an integer >= 0, got '0'"),
    ("sort-64", {"fixed_size": 0}, "fixed_size must be true or false, got 0"),
    ("sort-64", {"data_files": "x.csv"}, "procedural rows are generated: data_files has no meaning here"),
    ("sort-64", {"data_dir": "x"}, "procedural rows are generated: data_dir has no meaning here"),
    ("sort-1", {"vocab_size": 3}, "sort-1: too few distinct prompts for a validation split of its own"),
    ("sort-1", {"vocab_size": 3, "streaming": True}, "sort-1: too few distinct prompts for a validation split"),
    ("sort-64+sort-1", {"sort-1.vocab_size": 3}, "sort-1: too few distinct prompts for a validation split"),
    ("sort-1+sort-64", {"sort-1.vocab_size": 3, "weights": [1, 99]}, "sort-1: too few distinct prompts"),
]


@pytest.mark.parametrize(("name", "parameters", "message"), BAD_INPUT, ids=lambda value: str(value)[:40])
def test_bad_input_is_refused_in_one_line_and_leaves_nothing(load, tmp_path, name, parameters, message):
    with pytest.raises(ValueError) as refusal:
        load(name, **parameters)
    assert message in str(refusal.value)
    assert "\n" not in str(refusal.value)
    assert not [file for file in tmp_path.rglob("*") if file.is_file() and file.suffix != ".lock"]


def test_too_few_prompts_for_one_split_leave_the_others(load):
    data = load("sort-1", vocab_size=3, validation_size=0, test_size=0, train_size=50)
    assert data.num_rows == {"train": 50}


def test_an_order_larger_than_the_disk_is_refused(load, monkeypatch):
    """datasets asks for the space that the info announces; the answer here is always no, so nothing is written."""
    asked = []
    monkeypatch.setattr("datasets.builder.has_sufficient_disk_space", lambda needed, directory: asked.append(needed))
    with pytest.raises(OSError, match="Not enough disk space"):
        load("sort-4", train_size=10**12)
    assert asked[0] >= 10**12 * 9 * 2 * 4


# ---------------------------------------------------------------- rows never change unnoticed


def own_rows() -> dict:
    """The builder's version, and a digest of the first two blocks of train rows of each specimen."""
    digests = {}
    for name, parameters in SPECIMENS:
        rows = [blocks.block(hp.task(name, **parameters), 0, "train", number) for number in (0, 1)]
        digests[specimen_id((name, parameters))] = hashlib.sha256(np.stack(rows).astype("<i4").tobytes()).hexdigest()
    return {"version": str(builder._VERSION), "rows": digests}


def test_rows_are_those_on_record():
    recorded, current = json.loads(OWN_ROWS.read_text()), own_rows()
    changed = [name for name in recorded["rows"] if current["rows"].get(name) != recorded["rows"][name]]
    remedy = "raise _VERSION in hf_procedural/data/builder.py, then run: python tests/data/test_builder.py"
    assert not changed, f"the rows of {', '.join(changed)} are not those of version {recorded['version']}: {remedy}"
    assert current == recorded, f"specimens or the version are not those on record: {remedy} (raise it if rows changed)"


def record():
    """Writes golden/own_rows.json, unless rows have changed under the recorded version."""
    current = own_rows()
    if OWN_ROWS.exists():
        recorded = json.loads(OWN_ROWS.read_text())
        shared = recorded["rows"].keys() & current["rows"].keys()
        changed = [name for name in shared if current["rows"][name] != recorded["rows"][name]]
        if changed and recorded["version"] == current["version"]:
            sys.exit(f"the rows of {', '.join(changed)} changed: first raise _VERSION in hf_procedural/data/builder.py")
    OWN_ROWS.write_text(json.dumps(current, indent=1) + "\n")


if __name__ == "__main__":
    record()

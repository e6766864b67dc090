"""Parquet files hold the rows of the builder, whoever writes them and however often that is interrupted."""

import json
import os
import shutil
import subprocess
import sys
import types

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from datasets import List, Value, load_dataset, load_dataset_builder
from support.specimens import SPECIMENS

import hf_procedural as hp
from hf_procedural.data import blocks, parquet

SIZES = {"train_size": 2_500, "validation_size": 70, "test_size": 33}
FEW_ROWS_PER_BLOCK = ("dyck-2", {"length": 2**14})
LARGEST = SPECIMENS[-1]  # of four members


def builder_of(name="sort-4", **settings):
    return load_dataset_builder("procedural", name, **SIZES | settings)


def blocks_per_file(monkeypatch, builder, count: int):
    """Files of so many blocks each."""
    task = builder.config.task
    monkeypatch.setattr(parquet, "SHARD_BYTES", 2 * 4 * task.max_length * blocks.block_rows(task) * count)


def state(folder) -> dict:
    """All that tells whether a file was written again."""
    return {file.name: (file.stat().st_mtime_ns, file.read_bytes()) for file in folder.iterdir()}


def contents(folder) -> dict[str, bytes]:
    return {name: content for name, (_, content) in state(folder).items()}


def arrays_of(table) -> list[np.ndarray]:
    return [column.combine_chunks().flatten().to_numpy() for column in table.columns]


def assert_same_rows(files, dataset):
    ours, theirs = pa.concat_tables(map(pq.read_table, files)), dataset.with_format("arrow")[:]
    assert ours.column_names == theirs.column_names and ours.num_rows == theirs.num_rows
    for column, other in zip(arrays_of(ours), arrays_of(theirs), strict=True):
        np.testing.assert_array_equal(column, other)


def test_what_is_no_parquet_file_is_not_ours(tmp_path):
    """Also where Arrow raises an OSError, and a pipe, for which nobody waits."""
    parquet.write(builder_of(), tmp_path)
    file = tmp_path / "train-00000-of-00001.parquet"
    whole = file.read_bytes()
    damaged = bytearray(whole)
    damaged[-400:-20] = bytes(value ^ 0x5A for value in damaged[-400:-20])
    for content in (b"", whole[:-9], bytes(damaged)):
        file.write_bytes(content)
        with pytest.raises(ValueError, match="train-00000-of-00001.parquet does not hold these rows: choose another"):
            parquet.missing_shards(builder_of(), tmp_path)
    file.unlink()
    os.mkfifo(file)
    with pytest.raises(ValueError, match="does not hold these rows"):
        parquet.missing_shards(builder_of(), tmp_path)


@pytest.mark.parametrize("told", [b"{}", b"[1]", b"{", b"1", b'{"task": []}'])
def test_a_file_that_tells_something_else_is_not_ours(told, tmp_path):
    file = tmp_path / "test-00000-of-00001.parquet"
    pq.write_table(pa.table({"a": [1]}).replace_schema_metadata({"hf_procedural": told}), file)
    with pytest.raises(ValueError, match="does not hold these rows: choose another folder, or remove it"):
        parquet.missing_shards(builder_of(train_size=8), tmp_path)


def test_lists_of_any_size_are_files_of_their_own(tmp_path):
    loose, fixed = builder_of(fixed_size=False), builder_of()
    assert parquet.write(loose, tmp_path / "loose") and parquet.missing_shards(loose, tmp_path / "loose") == []
    parquet.write(fixed, tmp_path / "fixed")
    read = {name: load_dataset(str(tmp_path / name), cache_dir=str(tmp_path / "cache")) for name in ("loose", "fixed")}
    assert read["loose"]["train"].to_list() == read["fixed"]["train"].to_list()
    assert read["loose"]["train"].features["labels"] == List(Value("int32"))
    for other, folder in ((fixed, "loose"), (loose, "fixed"), (builder_of(fixed_size=False, train_size=0), "fixed")):
        with pytest.raises(ValueError, match="does not hold these rows"):
            parquet.missing_shards(other, tmp_path / folder)


@pytest.mark.parametrize(
    ("name", "parameters", "sizes"),
    [
        (*SPECIMENS[0], {}),
        ("dyck-3", {"length": 15, "p_open": 0.4, "max_depth": 4, "seed": 5}, {}),
        ("set-6", {"vocab_size": 9, "shuffle_tokens": True}, {}),
        (*LARGEST, {}),
        (*FEW_ROWS_PER_BLOCK, {"train_size": 85, "validation_size": 8, "test_size": 1}),
    ],
    ids=str,
)
@pytest.mark.parametrize("count", [1, 3, 10_000])
def test_rows_are_those_of_load_dataset(name, parameters, sizes, count, tmp_path, monkeypatch):
    builder = builder_of(name, **parameters, **sizes)
    blocks_per_file(monkeypatch, builder, count)
    monkeypatch.setattr(parquet, "GROUP_BLOCKS", 2)
    files = parquet.write(builder, tmp_path / "new" / "folder")
    data = load_dataset("procedural", name, **SIZES | parameters | sizes)
    assert sorted(files) == sorted((tmp_path / "new" / "folder").iterdir())
    for split, dataset in data.items():
        mine = [file for file in files if file.name.startswith(f"{split}-")]
        per_file = blocks.block_rows(builder.config.task) * count
        rows = [pq.read_metadata(file).num_rows for file in mine]
        assert rows[:-1] == [per_file] * (len(rows) - 1) and 0 < rows[-1] <= per_file
        assert [file.name for file in mine] == [
            f"{split}-{number:05d}-of-{len(mine):05d}.parquet" for number in range(len(mine))
        ]
        assert_same_rows(mine, dataset)


def test_rows_that_the_disk_cannot_hold_are_refused_in_numbers_that_say_why(tmp_path, monkeypatch):
    monkeypatch.setattr(parquet.shutil, "disk_usage", lambda _: types.SimpleNamespace(free=1_500))
    line = r"1,000,001 rows of 9 tokens need \d+\.\d [kM]B at the very least, and .* has 1\.5 kB free: ask for fewer"
    with pytest.raises(ValueError, match=line):
        parquet._check_room(builder_of(train_size=1_000_000, validation_size=1, test_size=0), tmp_path / "new")


def test_splits_without_rows_have_no_files(tmp_path):
    files = parquet.write(builder_of(train_size=0, test_size=0), tmp_path)
    assert [file.name for file in files] == ["validation-00000-of-00001.parquet"]


def test_files_say_what_they_are(tmp_path, monkeypatch):
    builder = builder_of(seed=3)
    blocks_per_file(monkeypatch, builder, 2)
    first, second, *_ = parquet.write(builder, tmp_path)
    for file, rows in ((first, [0, 2048]), (second, [2048, 2500])):
        assert json.loads(pq.read_schema(file).metadata[b"hf_procedural"]) == {
            "task": hp.task("sort-4").key,
            "seed": 3,
            "fingerprint": blocks.fingerprint(hp.task("sort-4"), 3, "train"),
            "split": "train",
            "rows": rows,
        }


def test_columns_keep_their_length_everywhere(tmp_path):
    builder = builder_of()
    files = parquet.write(builder, tmp_path)
    plain = pq.read_schema(files[0])
    assert plain.names == ["input_ids", "labels"] and plain.types == [pa.list_(pa.int32(), 9)] * 2
    folder = load_dataset(str(tmp_path))
    assert folder.num_rows == {"train": 2_500, "validation": 70, "test": 33}
    file = load_dataset("parquet", data_files=str(files[1]), split="train")
    stream = load_dataset("parquet", data_files=str(files[1]), split="train", streaming=True)
    for loaded in (folder["train"], file, stream):
        assert loaded.features == builder.info.features
    expected = load_dataset("procedural", "sort-4", split="validation", **SIZES)
    assert list(file) == list(stream) == list(folder["validation"]) == list(expected)


def test_row_groups_are_of_whole_blocks(tmp_path, monkeypatch):
    monkeypatch.setattr(parquet, "GROUP_BLOCKS", 2)
    file = pq.ParquetFile(parquet.write(builder_of(train_size=5_000), tmp_path)[0]).metadata
    assert [file.row_group(index).num_rows for index in range(file.num_row_groups)] == [2048, 2048, 904]


def test_pages_can_be_found(tmp_path, monkeypatch):
    """By the offset index, which `datasets` writes, too: a row is read without its row group. All of them are read."""
    monkeypatch.setattr(parquet, "GROUP_BLOCKS", 2)
    ours = parquet.write(builder_of(train_size=5_000), tmp_path)[0]
    rows = load_dataset("parquet", data_files=str(ours), split="train")
    rows.to_parquet(tmp_path / "theirs.parquet")
    for file in (ours, tmp_path / "theirs.parquet"):
        metadata = pq.ParquetFile(file).metadata
        groups = [metadata.row_group(group) for group in range(metadata.num_row_groups)]
        assert all(group.column(column).has_offset_index for group in groups for column in range(2))
    assert list(rows) == list(load_dataset("procedural", "sort-4", split="train", **SIZES | {"train_size": 5_000}))


# ---------------------------------------------------------------- processes, interruptions


@pytest.fixture
def five(monkeypatch):
    """A builder whose rows go into five files: three of train, one each of the others."""
    builder = builder_of()
    blocks_per_file(monkeypatch, builder, 1)
    return builder


def test_two_processes_write_the_same_bytes(five, tmp_path):
    one = parquet.write(five, tmp_path / "one")
    two = parquet.write(five, tmp_path / "two", num_proc=2)
    assert [file.name for file in one] == [file.name for file in two] and len(one) == 5
    assert contents(tmp_path / "one") == contents(tmp_path / "two")


def test_an_error_in_a_process_is_raised(five, tmp_path):
    (tmp_path / ".train-00000-of-00003.parquet.tmp").mkdir()
    with pytest.raises(OSError, match="train-00000-of-00003.parquet.tmp"):
        parquet.write(five, tmp_path, num_proc=2)
    assert not (tmp_path / "train-00000-of-00003.parquet").exists()


def test_only_what_is_missing_is_written(five, tmp_path):
    files = parquet.write(five, tmp_path)
    before = state(tmp_path)
    assert parquet.write(five, tmp_path) == files and state(tmp_path) == before
    files[1].unlink()
    (tmp_path / f".{files[1].name}.tmp").write_bytes(before[files[1].name][1][:100])  # of a run that was killed
    assert load_dataset(str(tmp_path), split="validation").num_rows == 70  # the rest is of use
    assert parquet.write(five, tmp_path, num_proc=2) == files
    after = state(tmp_path)
    assert [name for name in after if after[name] != before[name]] == [files[1].name]
    assert {name: content for name, (_, content) in after.items()} == {name: before[name][1] for name in before}


def test_an_interrupted_file_is_not_there(five, tmp_path, monkeypatch):
    """Nor is what is there of it taken for data, even where nobody comes back."""
    make, made = blocks.block, []

    def block(task, seed, split, number):
        if split == "train":
            made.append(number)
        if made == [0, 0, 1, 2]:  # the first is for the fingerprint
            raise KeyboardInterrupt
        return make(task, seed, split, number)

    monkeypatch.setattr(blocks, "block", block)
    with pytest.raises(KeyboardInterrupt):
        parquet.write(five, tmp_path)
    assert sorted(file.name for file in tmp_path.glob("*.parquet")) == [
        f"train-0000{number}-of-00003.parquet" for number in range(2)
    ]
    assert load_dataset(str(tmp_path)).num_rows == {"train": 2 * 1024}
    before = {name: value for name, value in state(tmp_path).items() if name.endswith(".parquet")}
    parquet.write(five, tmp_path)
    after = state(tmp_path)
    assert len(after) == 5 and before.items() <= after.items()


# ---------------------------------------------------------------- what is refused


@pytest.mark.parametrize(
    "other",
    [
        {"train_size": 2_501},
        {"train_size": 5_000},
        {"test_size": 34},
        {"seed": 1},
        {"vocab_size": 99},
        {"name": "set-4"},
        {"name": "sort-5"},
    ],
    ids=str,
)
def test_other_rows_are_refused(five, other, tmp_path):
    parquet.write(five, tmp_path)
    before = state(tmp_path)
    with pytest.raises(
        ValueError, match=r"-of-0000\d.parquet does not hold these rows: choose another folder, or remove it$"
    ):
        parquet.write(builder_of(**other), tmp_path)
    assert state(tmp_path) == before


def break_(file, how):
    content = file.read_bytes()
    if how == "of somebody else":
        pq.write_table(pa.table({"x": [1]}), file)
    else:
        file.write_bytes({"cut": content[:-100], "empty": b"", "text": b"PAR1 is all that it has"}[how])


def test_what_is_there_needs_no_room(five, tmp_path, monkeypatch):
    parquet.write(five, tmp_path)
    full = shutil.disk_usage(tmp_path)._replace(free=0)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: full)
    assert parquet.missing_shards(five, tmp_path) == []
    with pytest.raises(ValueError, match="at the very least, and .* has 0 bytes free: ask for fewer$"):
        parquet.missing_shards(five, tmp_path / "other")


@pytest.mark.parametrize("how", ["cut", "empty", "text", "of somebody else"])
def test_a_broken_file_is_refused_and_kept(how, five, tmp_path):
    """Ours are complete or not there: what is broken was made by something else, which is for its owner to remove."""
    files = parquet.write(five, tmp_path)
    files[0].unlink()
    break_(files[2], how)
    before = state(tmp_path)
    with pytest.raises(ValueError, match="train-00002-of-00003.parquet does not hold these rows"):
        parquet.write(five, tmp_path)
    assert state(tmp_path) == before


def test_rows_of_other_splits_may_be_beside(tmp_path):
    for split in ("train", "validation"):
        sizes = dict.fromkeys(SIZES, 0) | {f"{split}_size": 10}
        parquet.write(builder_of(**sizes), tmp_path)
    (tmp_path / "notes.md").write_text("mine")
    assert load_dataset(str(tmp_path)).num_rows == {"train": 10, "validation": 10}


@pytest.mark.parametrize("num_proc", [0, -1])
def test_num_proc_must_be_positive(num_proc, tmp_path):
    with pytest.raises(ValueError, match=f"num_proc must be at least 1, got {num_proc}"):
        parquet.write(builder_of(), tmp_path / "new", num_proc)
    assert not (tmp_path / "new").exists()


def test_memory_is_flat(tmp_path):
    """Ten times the rows take hardly more memory. (ru_maxrss would begin with that of pytest, which is larger.)"""
    script = r"""
import re, sys
from pathlib import Path
from datasets import load_dataset_builder
from hf_procedural.data import parquet
parquet.GROUP_BLOCKS = 4
sizes = {"train_size": int(sys.argv[2]), "validation_size": 0, "test_size": 0}
parquet.write(load_dataset_builder("procedural", "identity-64", **sizes), sys.argv[1])
print(*re.findall(r"VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text()))
"""
    peaks = []
    for rows in (20_000, 200_000):  # 21 and 206 MB of integers
        command = [sys.executable, "-c", script, str(tmp_path / str(rows)), str(rows)]
        peaks.append(int(subprocess.run(command, capture_output=True, text=True, check=True).stdout) / 1000)
    assert peaks[1] - peaks[0] < 30, peaks

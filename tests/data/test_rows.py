"""Rows made as they are read: those of `load_dataset`, in its order, for any number of workers."""

import itertools
import os
import subprocess
import tempfile
from pathlib import Path

import numpy as np
import pytest
import torch
from datasets import Dataset, concatenate_datasets
from support import starting

import hf_procedural as hp
from hf_procedural.data import blocks, sharing
from hf_procedural.data.rows import CachedRows, Part, TrainRows, ValidationRows

SHORT, LONG = hp.task("sort-4"), hp.task("set-6")


def expected(task, seed, split, count):
    """The first rows of a split, int32 ``[2, count, max_length]``."""
    numbers = range(-(-count // blocks.block_rows(task)))
    return np.concatenate([blocks.block(task, seed, split, number) for number in numbers], axis=1)[:, :count]


def read(rows, count):
    """The next rows, joined: int64 ``[2, count, max_length]``."""
    rows = list(itertools.islice(iter(rows), count))
    return np.stack([torch.stack([row[name] for row in rows]).numpy() for name in ("input_ids", "labels")])


@pytest.mark.parametrize("start", [0, 40, 1030])
@pytest.mark.parametrize("workers", [0, 1, 2])
def test_training_rows_keep_their_order(workers, start):
    rows = TrainRows(SHORT, seed=3, batch_size=100)
    rows.start = start
    loader = torch.utils.data.DataLoader(rows, batch_size=100, num_workers=workers)
    batches = list(itertools.islice(iter(loader), 12))
    for place, name in enumerate(("input_ids", "labels")):
        column = torch.cat([batch[name] for batch in batches])
        assert column.dtype == torch.int64
        np.testing.assert_array_equal(column, expected(SHORT, 3, "train", start + 1200)[place, start:])


@pytest.mark.parametrize("chosen", [[5], [7, 0, 3, 7], [8, 9, 10], list(range(19, -1, -1))])
def test_cached_rows_are_those_of_their_data_set(chosen):
    numbers = np.arange(60, dtype=np.int32).reshape(20, 3)
    parts = [Dataset.from_dict({"input_ids": part, "labels": -part}) for part in (numbers[:9], numbers[9:])]
    data = concatenate_datasets(parts).with_format("torch")  # in two chunks
    rows = CachedRows(data)
    assert len(rows) == 20
    for ours, theirs in zip(rows.__getitems__(chosen), data.__getitems__(chosen), strict=True):
        torch.testing.assert_close(ours, theirs, rtol=0, atol=0)
    torch.testing.assert_close(rows[chosen[0]], data[chosen[0]], rtol=0, atol=0)


OF_TWO = """
import itertools, os, sys
import torch
from accelerate import Accelerator
from accelerate.utils import DataLoaderConfiguration
import hf_procedural as hp
from hf_procedural.data import blocks
from hf_procedural.data.rows import TrainRows
from hf_procedural.training import begin
from hf_procedural.training.stage_arguments import StageArguments
out, workers = sys.argv[1], int(sys.argv[2])
made = blocks.block
def block(task, seed, split, number):
    with open(f"{out}/{os.environ['RANK']}-{os.getpid()}-{task.length}.made", "a") as file:
        print(number, file=file)
    return made(task, seed, split, number)
blocks.block = block
args = StageArguments(output_dir=out, use_cpu=True, per_device_train_batch_size=300)
part = begin.part_of(args)
rows = TrainRows(hp.task("sort-4"), 3, 600, part)
rows.start = 40
accelerator = Accelerator(cpu=True, dataloader_config=DataLoaderConfiguration(dispatch_batches=False))
for name, task in (("short", rows.task), ("long", hp.task("sort-6"))):
    rows.task = task
    loader = accelerator.prepare(torch.utils.data.DataLoader(rows, batch_size=300, num_workers=workers))
    batches = [accelerator.gather(batch["labels"]) for batch in itertools.islice(loader, 20)]
    accelerator.wait_for_everyone()
    if accelerator.is_main_process:
        torch.save(torch.cat(batches), f"{out}/{name}.pt")
        print(part.folder)
accelerator.end_training()  # a process that ends inside its group is now and then aborted
"""


@pytest.mark.parametrize("workers", [0, 2])
def test_of_two_processes_each_makes_its_own(workers, tmp_path):
    """All rows as one process has them; each block is made once, by processes or their workers in turn."""
    main, _ = starting.run_two("-c", OF_TWO, tmp_path, workers)
    for name, task in (("short", SHORT), ("long", hp.task("sort-6"))):
        given = torch.load(tmp_path / f"{name}.pt", weights_only=True).numpy()
        np.testing.assert_array_equal(given, expected(task, 3, "train", 12_040)[1, 40:])
        files = sorted(tmp_path.glob(f"*-{task.length}.made"))
        made = [[int(number) for number in file.read_text().split()] for file in files]
        numbers = list(itertools.chain(*made))
        needed = range(-(-12_040 // blocks.block_rows(task)))
        assert len(numbers) == len(set(numbers)) and set(needed) <= set(numbers)
        makers = 2 * max(workers, 1)
        assert sorted({number % makers for number in mine} for mine in made) == [{place} for place in range(makers)]
    assert not Path(main.stdout.split()[0]).exists()


def test_blocks_are_made_here_where_the_others_do_not_come(monkeypatch, tmp_path):
    """They are late, or there is no room for what is shared."""
    monkeypatch.setattr(sharing, "_PATIENCE", 0)
    rows = TrainRows(SHORT, 3, 100)
    (tmp_path / "there").mkdir()
    for folder in (tmp_path / "there", tmp_path / "gone"):
        rows.part = Part(1, 2, 1, 2, folder)
        own = [row for row in itertools.islice(iter(rows), 4_000) if row is not None]
        places = [row for row in range(4_000) if row % 100 >= 50]
        np.testing.assert_array_equal(read(own, 2_000), expected(SHORT, 3, "train", 4_000)[:, places])
        assert not folder.exists()


def test_folders_of_killed_processes_are_removed(monkeypatch, tmp_path):
    memory, disk = tmp_path / "memory", tmp_path / "disk"
    monkeypatch.setattr(sharing, "_MEMORY", memory)
    monkeypatch.setattr(tempfile, "tempdir", str(disk))
    ended = subprocess.Popen(["true"])
    ended.wait()
    kept = {f"hf_procedural-blocks-{os.getpid()}-x", "hf_procedural-blocks-of-me", f"hf_procedural-{ended.pid}-x"}
    for place in (memory, disk):
        for name in (*kept, f"hf_procedural-blocks-{ended.pid}-x"):
            (place / name).mkdir(parents=True)
    places = []
    for room in (0, 2**60):  # the second is more than there is, as in a container
        monkeypatch.setattr(sharing, "_ROOM", room)
        folder = sharing.new_folder()
        places.append(folder.parent)
        folder.rmdir()
    assert places == [memory, disk]
    for place in (memory, disk):
        assert {file.name for file in place.iterdir()} == kept


def test_another_task_takes_over_with_the_next_iterator():
    rows = TrainRows(SHORT, seed=0, batch_size=8)
    np.testing.assert_array_equal(read(rows, 20), expected(SHORT, 0, "train", 20))
    rows.task, rows.start = LONG, 20
    np.testing.assert_array_equal(read(rows, 20), expected(LONG, 0, "train", 40)[:, 20:])


@pytest.mark.parametrize("size", [1, 1500])
def test_validation_rows_are_the_first_of_their_split(size):
    rows = ValidationRows(SHORT, seed=5, size=size)
    for task in (SHORT, LONG):
        rows.set_task(task)
        assert len(rows) == size
        np.testing.assert_array_equal(read([rows[i] for i in range(size)], size), expected(task, 5, "validation", size))

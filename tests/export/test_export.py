"""`hf-procedural export`: the same bytes by any number of processes, machines and kills."""

import argparse
import fcntl
import json
import multiprocessing.process
import os
import re
import shlex
import signal
import subprocess
import sys
import time
import tracemalloc
from pathlib import Path

import dill
import numpy as np
import psutil
import pytest
from datasets import load_dataset
from support.cluster import jobs_of, with_slurm
from support.running import ROOT
from support.vocabularies import large_tokenizer, llama_like_tokenizer
from tokenizers import Tokenizer, pre_tokenizers
from tokenizers.models import WordLevel
from transformers import PreTrainedTokenizerFast

import hf_procedural as hp
from hf_procedural import cli
from hf_procedural.cli.command import options_of_executor
from hf_procedural.data import blocks
from hf_procedural.data.coded import CodedRows
from hf_procedural.export.planning import plan
from hf_procedural.export.work import Export
from hf_procedural.shards import cluster, work
from hf_procedural.tasks.coding import Coding

SMALL = ["sort-4", "--rows", "9000", "--shard_rows", "1000"]  # nine shards, whose borders are not those of blocks
LONG = ["sort-64", "--rows", "200_000", "--shard_rows", "2000"]  # a hundred shards: some are made when a process dies


@pytest.fixture(autouse=True)
def shell(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["/usr/bin/hf-procedural"])


@pytest.fixture
def run(capsys):
    """An export in this process, and what it says."""

    def run(*words) -> str:
        cli.main(["export", *map(str, words)])
        return capsys.readouterr().out

    return run


@pytest.fixture
def refused(capsys):
    """The line with which an export is refused, which changes nothing."""

    def refused(*words) -> str:
        before = state(".")
        with pytest.raises(SystemExit) as exit_:
            cli.main(["export", *map(str, words)])
        captured = capsys.readouterr()
        assert exit_.value.code == 2 and captured.out == "" and captured.err.count("\n") == 1, captured.err
        assert state(".") == before
        return captured.err

    return refused


def state(folder) -> dict:
    return {file: file.stat().st_mtime_ns for file in Path(folder).rglob("*")}


def contents(folder) -> dict[str, bytes]:
    """All files of an export, but for what datatrove and processes leave beside."""
    return {file.name: file.read_bytes() for file in Path(folder).iterdir() if file.name != ".datatrove"}


def export_of(folder="out", name="sort-4", format="megatron", **settings) -> Export:
    rows = CodedRows(hp.task(name))
    made = plan(rows, format, **{"count": 9_000, "shard_rows": 1_000} | settings)
    return Export(made, format, Path(folder), blocks.fingerprint(rows.task, 0, "train"))


def process(*words) -> subprocess.Popen:
    """An export in a process of its own, a fresh one: who starts whom is what is asked here."""
    command = [sys.executable, "-m", "hf_procedural.cli", "export", *map(str, words)]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    return subprocess.Popen(command, text=True, env=os.environ | {"PYTHONPATH": str(ROOT)}, **pipes)


def wait_until(condition) -> None:
    end = time.monotonic() + 120
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.002)


# ---------------------------------------------------------------- the rows


def test_the_rows_are_those_of_load_dataset(run):
    """Of each shard, in order, whatever its border; other formats are read back in tests beside this one."""
    said = run(*SMALL, "--seed", 3, "--split", "test", "--format", "olmo", "--output", "out")
    expected = load_dataset("procedural", "sort-4", seed=3, test_size=9_000, split="test").with_format("numpy")[:]
    files = sorted(Path("out").glob("*.npy"))
    assert [file.name for file in files if "mask" not in file.name] == [f"test-0000{i}-of-00009.npy" for i in range(9)]
    read = [np.fromfile(file, np.uint8) for file in files if "mask" not in file.name]
    np.testing.assert_array_equal(np.concatenate(read).reshape(9_000, 9), expected["input_ids"])
    assert re.match(r"out: 9,000 rows of 9 tokens, 81,000 tokens, \d+\.\d kB in \d+ files \(olmo, uint8\)\n$", said)
    record = json.loads(Path("out/export.json").read_text())
    task = hp.task("sort-4")
    assert record == {
        "hf_procedural": hp.__version__,
        "format": "olmo",
        "task": task.key,
        "seed": 3,
        "fingerprint": blocks.fingerprint(task, 3, "test"),
        "split": "test",
        "rows": 9_000,
        "shard_rows": 1_000,
        "dtype": "uint8",
        "loss_masks": True,
        "padding": True,
    }


def test_tokens_are_whole_rows_that_reach_them(run):
    said = run("sort-4", "--tokens", "1e3", "--format", "nanogpt", "--output_dir", "out")
    assert said.startswith("out: 112 rows of 9 tokens, 1,008 tokens, 2.0 kB in 1 file (nanogpt, uint16)\n")
    assert Path("out/train.bin").stat().st_size == 2 * 1_008


def test_rows_without_padding_are_counted_by_their_mean(run):
    words = ["stack-8", "--format", "nanogpt", "--drop_padding"]
    said = run(*words, "--tokens", "100_000", "--output_dir", "out")
    rows, mean = re.match(r"out: ([\d,]+) rows of about (\d+\.\d) tokens, about 100,\d+ tokens", said).groups()
    tokens = Path("out/train.bin").stat().st_size / 2
    assert abs(tokens / 100_000 - 1) < 0.02 and abs(tokens / int(rows.replace(",", "")) - float(mean)) < 0.2
    assert json.loads(Path("out/export.json").read_text())["padding"] is False


def test_parquet_is_what_generate_writes(run):
    run(*SMALL, "--format", "parquet", "--output_dir", "out")
    read = load_dataset("out", cache_dir="cache")["train"]
    expected = load_dataset("procedural", "sort-4", train_size=9_000, split="train")
    assert read.features == expected.features and read.to_list() == expected.to_list()


def test_a_loss_that_is_not_written_is_told(run):
    said = run("sort-4", "--rows", 9, "--format", "megatron", "--output_dir", "sort")
    assert said.endswith("No loss masks: the loss will count on all tokens of a row, of which 50% have labels here.\n")
    for words in (["sort-4", "--format", "olmo"], ["dyck-2", "--length", 16, "--format", "megatron"]):
        assert "masks" not in run(*words, "--rows", 9, "--output_dir", words[0])
    said = run("sort-4", "--rows", 9, "--format", "olmo", "--loss_masks", "false", "--output_dir", "without")
    assert "No loss masks" in said and not list(Path("without").glob("*mask*"))


def test_ids_of_a_tokenizer_are_those_of_its_coding(run):
    words = {f"w{number}": number for number in range(70_000)}
    own = Tokenizer(WordLevel(words, "w0"))
    own.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=own)
    tokenizer.save_pretrained("tokenizer")
    to = ["--format", "olmo", "--tokenizer", "tokenizer"]
    run(*SMALL, *to, "--coding_seed", 5, "--output_dir", "out")
    coding = Coding.load("out")
    assert coding.digest == Coding.make(hp.task("sort-4"), tokenizer, "symbols", 5).digest
    record = json.loads(Path("out/export.json").read_text())
    assert record["coding_digest"] == coding.digest and record["dtype"] == "uint32" and record["coding"] == "symbols"
    ids = np.fromfile("out/train-00000-of-00009.npy", np.uint32).reshape(-1, 9)
    first = load_dataset("procedural", "sort-4", train_size=1, split="train")[0]["input_ids"]
    assert coding.decode(ids[0]) == first
    before = state("out")
    run(*SMALL, *to, "--coding_seed", 5, "--output_dir", "out")
    assert {name: time for name, time in state("out").items() if name.suffix == ".npy"}.items() <= before.items()


@pytest.mark.parametrize("tokenizer", ["", "--tokenizer tokenizer", "--tokenizer tokenizer --coding text"])
@pytest.mark.parametrize("name", ["sort-4", "haystack-4", "lime-induct"])
def test_an_end_token_ends_each_row_once(name, tokenizer, run):
    large_tokenizer().save_pretrained("tokenizer")
    task = hp.task(name)
    run(name, "--rows", 50, "--format", "parquet", "--end_token", "--output_dir", "out", *tokenizer.split())
    end = large_tokenizer().eos_token_id if tokenizer else hp.tokenizer(task).eos_token_id
    plain = load_dataset("procedural", name, train_size=50, split="train")
    for row, before in zip(load_dataset("out", split="train"), plain, strict=True):
        assert row["input_ids"].count(end) == 1 and row["input_ids"][-1] == end == row["labels"][-1]
        decode = Coding.load("out").decode if tokenizer else list
        ids = [id for id in before["input_ids"] if id != task.pad_id]
        assert decode(row["input_ids"][:-1]) == (ids if tokenizer or end == task.pad_id else ids[:-1])


def test_an_end_token_needs_one(refused):
    llama_like_tokenizer().save_pretrained("tokenizer")
    words = ["sort-4", "--rows", 5, "--format", "olmo", "--output_dir", "out", "--end_token"]
    file = Path("tokenizer/tokenizer_config.json")
    file.write_text(
        json.dumps({key: value for key, value in json.loads(file.read_text()).items() if key != "eos_token"})
    )
    said = refused(*words, "--tokenizer", "tokenizer", "--coding", "text")
    assert "end_token: tokenizer tokenizer has no end token (eos_token)" in said


# ---------------------------------------------------------------- processes, kills, machines


@pytest.mark.parametrize("format", ["megatron", "nanogpt", "mds", "parquet"])  # of one file, two, and what all share
def test_three_workers_write_the_bytes_of_one(format, run):
    run(*SMALL, "--format", format, "--output_dir", "one")
    said = run(*SMALL, "--format", format, "--output_dir", "three", "--workers", 3)
    assert contents("one") == contents("three") and len(contents("one")) > 1
    before = state("three")
    assert run(*SMALL, "--format", format, "--output_dir", "three") == said
    after = state("three")
    kept = {file for file in before if before[file] == after.get(file)}
    assert before.keys() == after.keys() and len(before) - len(kept) <= 2, "no shard is made again"


def test_a_worker_that_is_killed_ends_the_command_and_the_next_goes_on(run):
    begun = process(*LONG, "--format", "megatron", "--output_dir", "out", "--workers", 2)
    wait_until(lambda: [*Path("out").glob("*.idx")])
    workers = psutil.Process(begun.pid).children()
    assert len(workers) == 2
    os.kill(workers[0].pid, signal.SIGKILL)
    _, said = begun.communicate()
    assert begun.returncode == 2 and said.count("\n") == 1, said
    assert (
        "error: a worker was killed, for want of memory perhaps: with fewer workers, the same command goes on" in said
    )
    assert 0 < len([*Path("out").glob("*.idx")]) < 100 and not any(
        map(psutil.pid_exists, [each.pid for each in workers])
    )
    goes_on(run)


@pytest.mark.parametrize("workers", [1, 2])
def test_a_command_that_is_killed_leaves_no_process_and_the_next_goes_on(workers, run):
    words = [*LONG, "--format", "megatron", "--output_dir", "out", "--workers", workers]
    begun = process(*words)
    wait_until(lambda: [*Path("out").glob("*.idx")])
    children = psutil.Process(begun.pid).children()
    os.kill(begun.pid, signal.SIGKILL)
    begun.communicate()
    assert begun.returncode == -9 and len(children) == (2 if workers == 2 else 0)
    psutil.wait_procs(children, timeout=20)
    assert not [child for child in children if child.is_running()]
    assert 0 < len([*Path("out").glob("*.idx")]) < 100
    goes_on(run)


def goes_on(run) -> None:
    """What was begun in `out` is ended by one process, and is then as if nothing had happened."""
    whole = {file: time for file, time in state("out").items() if file.suffix == ".idx"}
    run(*LONG, "--format", "megatron", "--output_dir", "out")
    assert whole.items() <= state("out").items()
    run(*LONG, "--format", "megatron", "--output_dir", "one")
    assert contents("out") == contents("one")


@pytest.mark.parametrize("format", ["mds", "nanogpt"])
def test_two_machines_make_two_parts_at_once(format, run):
    """What all shards share is there at the end, and each shard by the one whose it is."""
    words = [*LONG, "--format", format, "--output_dir", "out"]
    both = [process(*words, "--part", f"{index}/2") for index in range(2)]
    said = [each.communicate() for each in both]
    assert [each.returncode for each in both] == [0, 0], said
    assert any(printed.startswith("out: 200,000 rows") for printed, _ in said)
    run(*LONG, "--format", format, "--output_dir", "one")
    assert contents("out") == contents("one")


def test_a_part_is_every_nth_shard(run):
    words = [*SMALL, "--format", "litdata", "--output_dir", "out"]
    assert run(*words, "--part", "1/4") == "out: part 1/4 is done; others are still to come\n"
    assert sorted(contents("out")) == ["export.json", "train-00001-of-00009.bin", "train-00005-of-00009.bin"]
    for left in (".train-00002-of-00009.bin.2-of-4.tmp", ".train-00005-of-00009.bin.tmp", "_part.2-of-4.lock"):
        Path("out", left).write_bytes(b"by what was killed")
    before = state("out")
    assert run(*words).startswith("out: 9,000 rows")
    assert {file: time for file, time in before.items() if file.name.startswith("train")}.items() <= state(
        "out"
    ).items()
    run(*words[:-1], "one")
    assert contents("out") == contents("one")


@pytest.mark.parametrize(
    ("lock", "words"),
    [("_lock", []), ("_lock", ["--part", "0/2"]), ("_part.0-of-2.lock", []), ("_part.0-of-2.lock", ["--part", "0/2"])],
)
def test_who_would_do_the_same_is_refused(lock, words, refused, run):
    run(*SMALL, "--format", "megatron", "--output_dir", "out")
    with Path("out", lock).open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        line = refused(*SMALL, "--format", "megatron", "--output_dir", "out", *words)
    assert "output_dir out is being written by another process: wait for its end, or choose another" in line


def test_another_part_is_let_in(run):
    run(*SMALL, "--format", "megatron", "--output_dir", "out", "--part", "1/2")
    with Path("out/_part.1-of-2.lock").open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        assert run(*SMALL, "--format", "megatron", "--output_dir", "out", "--part", "0/2").startswith("out: 9,000 rows")


def test_the_last_file_of_a_shard_gets_its_name_last(monkeypatch):
    asked, named = export_of(), []
    replace = os.replace
    monkeypatch.setattr(
        os, "replace", lambda source, target: (named.append(Path(target).name), replace(source, target))
    )
    work.run(asked)
    assert named == [file.name for number in range(9) for file in asked.files(number)]
    assert [Path(name).suffix for name in named[:2]] == [".bin", ".idx"]


def test_an_error_of_a_worker_is_that_of_the_command(run, capsys):
    run(*SMALL, "--format", "megatron", "--output_dir", "out", "--part", "0/3")
    for number in (1, 2):
        Path(f"out/.train-0000{number}-of-00009.bin.tmp").mkdir()
    with pytest.raises(SystemExit):
        run(*SMALL, "--format", "megatron", "--output_dir", "out", "--workers", 2)
    (line,) = capsys.readouterr().err.splitlines()
    assert re.search(r"error: out/train-0000\d-of-00009\.(bin|idx) cannot be written: a folder has its name", line)


def test_an_interruption_while_a_worker_starts_is_one(run, monkeypatch):
    """Another thread may take the signal, though this one blocks it: then a process is there that has not begun."""
    start = multiprocessing.process.BaseProcess.start
    begun = []

    def interrupted(process):
        if begun:
            raise KeyboardInterrupt
        begun.append(process)
        start(process)

    monkeypatch.setattr(multiprocessing.process.BaseProcess, "start", interrupted)
    with pytest.raises(SystemExit) as end:
        run(*SMALL, "--format", "megatron", "--output_dir", "out", "--workers", 2)
    assert end.value.code == cli.INTERRUPTED and begun[0].exitcode is not None


def test_ten_to_the_twelve_rows_are_a_plan(run):
    run("sort-64", "--rows", "1e9", "--format", "megatron", "--output_dir", "x", "--dry_run")  # what is made once
    tracemalloc.start()
    start = time.perf_counter()
    said = run("sort-64", "--rows", "1e12", "--format", "megatron", "--output_dir", "x", "--dry_run")
    taken, (_, peak) = time.perf_counter() - start, tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert taken < 1 and peak < 5e6, (taken, peak)
    assert said.startswith("sort-64, train: 1,000,000,000,000 rows of 129 tokens, 129,000,000,000,000 tokens\n")
    assert "1,922,368 shards of 520,192 rows, from train-0000000-of-1922368.bin on\n" in said
    assert not Path("x").exists()
    asked = export_of(count=10**12, shard_rows=520_192)
    assert asked.plan.range(1_922_367) == (1_922_367 * 520_192, 10**12)


def test_memory_is_flat_and_small():
    """Of one process, from twenty thousand rows to two million."""
    script = """
import re, sys
from pathlib import Path
from hf_procedural import cli
sys.argv[0] = "hf-procedural"
cli.main(["export", "sort-64", "--format", sys.argv[1], "--rows", sys.argv[2], "--output_dir", sys.argv[3]])
print(*re.findall(r"VmHWM:\\s+(\\d+) kB", Path("/proc/self/status").read_text()))
"""
    peaks = []
    for rows in ("20_000", "1_000_000"):
        command = [sys.executable, "-c", script, "megatron", rows, rows]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        peaks.append(int(done.stdout.split()[-1]) / 1000)
    assert peaks[1] - peaks[0] < 30 and peaks[1] < 400, peaks


# ---------------------------------------------------------------- clusters


def test_slurm(monkeypatch, tmp_path_factory, run):
    """What sbatch is given, and what its tasks do, which are run here one after the other."""
    submitted = with_slurm(monkeypatch, tmp_path_factory.mktemp("slurm"))
    words = [*SMALL, "--format", "mds", "--output_dir", "out", "--executor", "slurm", "--workers", 4]
    words += ["--executor_options", '{"partition": "cpu", "time": "4:00:00"}']
    assert run(*words) == "4 tasks in the queue; run this again: it tells what became of them\n"
    (job,) = jobs_of(submitted)
    assert "--array=0-3" in job.script and "--partition=cpu" in job.script and not [*Path("out").glob("*.mds")]
    for task in (3, 0):
        job.run(monkeypatch, task)
    assert run(*words) == "2 tasks in the queue; run this again: it tells what became of them\n"
    job = jobs_of(submitted)[-1]
    assert "--array=0-1" in job.script and not Path("out/index.json").exists()
    for task in range(2):
        job.run(monkeypatch, task)
    run(*SMALL, "--format", "mds", "--output_dir", "one")
    assert contents("out") == contents("one") and "index.json" in contents("out")
    assert run(*words).startswith("out: 9,000 rows")


def test_ray(monkeypatch):
    """Only that the executor is made, and travels, and what a task of it does: ray itself is not here."""
    monkeypatch.setattr(cluster.importlib.util, "find_spec", lambda name: name == "ray")
    asked = export_of()
    made = cluster.executor("ray", [cluster.MakePart(asked)], asked.folder, tasks=3, workers=None, options={})
    assert (made.tasks, made.workers, made.world_size) == (3, 3, 3)
    (step,) = dill.loads(dill.dumps(made)).pipeline
    step.run(rank=1, world_size=3)
    assert [number for number in range(9) if asked.is_there(number)] == [1, 4, 7]
    look = cluster.Done(asked, [work.Part(index, 3) for index in range(3)])
    assert look() == 3_000 and not work.is_complete(asked)
    for rank in (0, 2):
        step.run(rank=rank, world_size=3)
    assert look() == 9_000 and work.is_complete(asked)


# ---------------------------------------------------------------- mistakes


NO_NUMBER = "argument --tokens: must be a whole number, such as 1_000_000 or 1e6, got"
NO_SIZE = "shard_size must be a number of bytes, such as 500MB or 2GiB, got"


@pytest.mark.parametrize(
    ("words", "line"),
    [
        ("--format megaton --rows 5", "unknown format 'megaton': did you mean megatron? (formats: megatron, nanogpt, "),
        ("--rows 5", "the following arguments are required: --format"),
        ("--format olmo", "how much? Give --rows or --tokens, one of the two"),
        ("--format olmo --rows 5 --tokens 5", "how much? Give --rows or --tokens, one of the two"),
        ("--format olmo --rows 0", "rows must be at least 1, got 0"),
        (
            "--format olmo --tokens 1e-3",
            f"{NO_NUMBER} '1e-3'",
        ),
        (
            "--format olmo --tokens inf",
            f"{NO_NUMBER} 'inf'",
        ),
        ("--format olmo --rows 5 --dtype uint6", "dtype must be uint8 or uint16"),
        ("--format olmo --rows 5 --dtype int8", "ids go up to 101, got int8"),
        (
            "--format nanogpt --rows 5 --vocab_size 70000",
            "format nanogpt has no dtype for these rows, whose ids go up to",
        ),
        ("--format megatron --rows 5 --loss_masks true", "loss_masks: format megatron holds none (these do: olmo, "),
        ("--format olmo --rows 5 --loss_masks maybe", "loss_masks must be true or false, got 'maybe'"),
        ("--format olmo --rows 5 --part 3/2", "part must be I/N with I from 0 to N - 1, such as 0/4, got 3/2"),
        ("--format olmo --rows 5 --part 2/2", "part must be I/N with I from 0 to N - 1, such as 0/4, got 2/2"),
        ("--format olmo --rows 5 --part half", "part must be I/N with I from 0 to N - 1, such as 0/4, got half"),
        ("--format olmo --rows 5 --part 0/2 --executor ray", "give --part or --executor, one of the two"),
        ("--format llmc --rows 1e9 --shard_size 3GB", "a shard of llmc has fewer than 2 GiB, and this has"),
        ("--format olmo --rows 5 --workers 0", "num_proc must be at least 1, got 0"),
        ("--format olmo --rows 5 --shard_rows 0", "shard_rows must be at least 1, got 0"),
        ("--format olmo --rows 5 --shard_rows 5 --shard_size 5MB", "give --shard_rows or --shard_size, one of the two"),
        (
            "--format olmo --rows 5 --shard_size 5m",
            f"{NO_SIZE} '5m'",
        ),
        (
            "--format olmo --rows 5 --shard_size 0",
            f"{NO_SIZE} '0'",
        ),
        ("--format olmo --rows 1e15", "1,000,000,000,000,000 rows need 9000.0 TB at the very least, and out has "),
        (
            "--format nanogpt --rows 1e15",
            "rows need 36000.0 TB at the very least, and out has ",
        ),  # shards and train.bin
        ("--format dclm --rows 1e17", "rows need 72000.0 TB at the very least, and out has "),
        ("--format olmo --rows 5 --coding text", "coding: there is no tokenizer whose ids rows could have"),
        ("--format olmo --rows 5 --tokenizer no/such", "no/such"),
        ("--format olmo --rows 5 --executor slurm", "missing 2 required positional arguments: 'time' and 'partition'"),
        (
            """--format olmo --rows 5 --executor slurm --executor_options '{"partition": "a", "time": "1:00"}'""",
            "executor slurm: there is no sbatch on this machine",
        ),
        ("--format olmo --rows 5 --executor ray", "executor ray is not installed: pip install ray"),
        ("--format olmo --rows 5 --executor k8s", "invalid choice: 'k8s'"),
        ("--format olmo --rows 5 --executor_options '{\"a\": 1}'", "executor_options are of --executor slurm and ray"),
        (
            "--format olmo --rows 5 --executor ray --executor_options gpu",
            "executor_options must be JSON of keys and values",
        ),
        ("--format olmo --rows 5 --formt olmo", "unknown argument --formt: did you mean --format?"),
    ],
)
def test_a_mistake_is_one_line(words, line, refused):
    assert line in refused("sort-4", "--output_dir", "out", *shlex.split(words))


def test_tasks_of_a_file_stay_on_this_machine():
    asked = argparse.Namespace(executor="ray", executor_options=None, part=None, task_file="mine.py")
    with pytest.raises(ValueError, match="^executor ray: its machines know no --task_file; install it there as a pack"):
        options_of_executor(asked)


@pytest.mark.parametrize(
    ("words", "what"),
    [
        (["set-4"], "task is sort {"),
        (["sort-4", "--seed", 1], "seed is 0 and not 1"),
        (["sort-4", "--split", "test"], "split is train and not test"),
        (["sort-4", "--rows", 8_000], "rows is 9000 and not 8000"),
        (["sort-4", "--shard_rows", 900], "shard_rows is 1000 and not 900"),
        (["sort-4", "--dtype", "uint32"], "dtype is uint8 and not uint32"),
        (["sort-4", "--loss_masks", "false"], "loss_masks is True and not False"),
        (["sort-4", "--drop_padding"], "padding is True and not False"),
        (["sort-4", "--format", "datatrove"], "format is olmo and not datatrove"),
        (["sort-4", "--format", "datatrove", "--part", "0/2"], "format is olmo and not datatrove"),
    ],
    ids=str,
)
def test_an_output_that_holds_another_export_is_refused(words, what, refused, run):
    run(*SMALL, "--format", "olmo", "--output_dir", "out")
    name, *rest = words
    line = refused(name, *SMALL[1:], "--format", "olmo", "--output_dir", "out", *rest)
    assert f"output_dir out holds another export, whose {what}" in line and line.endswith("choose another folder\n")


def test_other_folders_are_refused(refused):
    Path("out").mkdir()
    Path("out/train.bin").write_bytes(b"mine")
    assert "output_dir out holds train.bin, which is of no export: choose another" in refused(
        *SMALL, "--format", "olmo", "--output_dir", "out"
    )
    Path("out/export.json").write_text("{")
    assert "export.json cannot be read" in refused(*SMALL, "--format", "olmo", "--output_dir", "out")
    assert "out/train.bin is a file; name a folder" in refused(
        *SMALL, "--format", "olmo", "--output_dir", "out/train.bin"
    )

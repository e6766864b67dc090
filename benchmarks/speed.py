"""Measures the package against plain references, in the same run, and prints a table.

    python benchmarks/speed.py                                            # everything, a few minutes on two CPU cores
    python benchmarks/speed.py training --size 12_12_768 --bf16 --compile # on a GPU
    python benchmarks/speed.py training --compile                         # what torch.compile adds on a CPU

Each figure is the best of several repetitions, so that other work on the machine disturbs it least. The references are
what one writes first: rows made one by one in Python, and a training loop without any library.
"""

import argparse
import contextlib
import functools
import itertools
import json
import multiprocessing
import random
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import datasets
import torch
from accelerate.data_loader import IterableDatasetShard
from torch.utils.data import DataLoader
from transformers import AutoModelForCausalLM, EvalPrediction, Trainer, TrainerCallback, default_data_collator, set_seed

import hf_procedural
from hf_procedural import metrics
from hf_procedural.data import parquet
from hf_procedural.data.rows import CachedRows, Part, TrainRows
from hf_procedural.models import losses
from hf_procedural.models.build import new_config, new_model
from hf_procedural.models.words import parse_size
from hf_procedural.text import documents, tokenizers
from hf_procedural.text.packing import PackedRows
from hf_procedural.training import finish
from hf_procedural.training.stage_arguments import StageArguments

TASKS = ("sort", "reverse", "identity", "set", "union", "delete", "stack")


def seconds(function, repetitions=7, warmup=1) -> float:
    """The shortest of several calls."""
    for _ in range(warmup):
        function()
    times = []
    for _ in range(repetitions):
        start = time.perf_counter()
        function()
        times.append(time.perf_counter() - start)
    return min(times)


def plain_prompt(task, rng) -> list[int]:
    """A prompt of a sequence task, symbol by symbol."""
    symbols = [rng.randint(1, task.vocab_size - 1) for _ in range(task.length)]
    if task.name == "union":
        half = task.length // 2
        return [*symbols[:half], task.sep_id, *symbols[half:], task.sep_id]
    if task.name == "delete":
        return [*symbols, task.sep_id, rng.randint(1, task.vocab_size - 1), task.sep_id]
    if task.name != "stack":
        return [*symbols, task.sep_id]
    operations, held = [], []
    for step in range(task.length):
        first = step < 2 * task.length // 3
        push = len(held) <= 1 or (step < task.length - 1 and (rng.random() < 0.75) == first)
        if push:
            held.append(rng.choice([symbol for symbol in range(1, task.vocab_size) if symbol not in held]))
        operations.append(held[-1] if push else 0)
        if not push:
            held.pop()
    return [*operations, task.sep_id]


def plain_row(task, rng) -> tuple[list[int], list[int]]:
    """A row of a sequence task and its labels, as Python lists."""
    prompt = plain_prompt(task, rng)
    answer = task.solve(prompt)
    padding = task.max_length - len(prompt) - len(answer)
    return prompt + answer + [task.pad_id] * padding, [-100] * len(prompt) + answer + [-100] * padding


def plain_word(task, rng) -> list[int]:
    """A Dyck word, bracket by bracket."""
    word, opened = [], []
    for step in range(task.length):
        left = task.length - step
        opens = not opened or (left > len(opened) and rng.random() < task.p_open and len(opened) < left - 1)
        if opens:
            opened.append(rng.randrange(task.k))
        word.append(opened[-1] if opens else task.k + opened.pop())
    return word


def report(what: str, value: str, reference: str, ratio: float | None, wanted: str) -> None:
    print(f"| {what} | {value} | {reference} | {'' if ratio is None else f'{ratio:.2f}'} | {wanted} |", flush=True)


def sampling() -> None:
    """`sample` against one row at a time in Python."""
    import numpy as np

    generator, rng = np.random.default_rng(0), random.Random(0)
    for name in TASKS:
        task = hf_procedural.task(f"{name}-64")
        fast = seconds(lambda task=task: task.sample(generator, 1000)) / 1000
        slow = seconds(lambda task=task: [plain_row(task, rng) for _ in range(100)], 3) / 100
        report(f"sample {task.config_name}", f"{fast * 1e6:.2f} us/row", f"{slow * 1e6:.0f} us/row", slow / fast, "100")
    task = hf_procedural.task("dyck-64")
    fast = seconds(lambda: task.sample(generator, 64)) / 64
    slow = seconds(lambda: [plain_word(task, rng) for _ in range(4)], 3) / 4
    report("sample dyck-64 x 2048", f"{fast * 1e6:.1f} us/row", f"{slow * 1e6:.0f} us/row", slow / fast, "25")


def families() -> None:
    """`sample` of the other families against the plain references that their tests compare them with."""
    import numpy as np

    sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))
    from support import references

    from hf_procedural.tasks import nca

    rng, generator, numbers = random.Random(0), np.random.default_rng(0), range(2, 32_000)
    letters = hf_procedural.task("nonsense-composite").vocabulary[:5000]
    simpler, vectors = hf_procedural.task("simpler"), references.word_vectors(16_000)
    weights = references.random_weights(generator, 10)
    plain_rows = {
        "lime-induct": lambda: references.lime_row(rng, "induct"),
        "lime-rewrite_multistep_hard": lambda: references.lime_row(rng, "rewrite_multistep_hard"),
        "simpler-set": lambda: simpler.solve(references.simpler_row(rng, "set", 10, 220, numbers)),
        "simpler-union": lambda: simpler.solve(references.simpler_row(rng, "union", 10, 220, numbers)),
        "nonsense-composite": lambda: references.nonsense_row(rng, "composite", letters),
        "nonsense-masked_document_generation": lambda: references.nonsense_step_row(
            rng, "masked_document_generation", letters, 512, 256, (100, 255)
        ),
        "nca-10": lambda: nca.simulate(
            weights, references.random_grid(generator, 10, 12), 27, 10, 1, 1e-4, 0.0, generator
        ),
    }
    for name, plain_row in plain_rows.items():
        task = hf_procedural.task(name, **({"complexity": None, "rules": None} if name == "nca-10" else {}))
        fast = seconds(lambda task=task: task.sample(generator, 1000), 3) / 1000
        slow = seconds(lambda plain_row=plain_row: [plain_row() for _ in range(50)], 3) / 50
        report(f"sample {name}", f"{fast * 1e6:.2f} us/row", f"{slow * 1e6:.0f} us/row", slow / fast, "20")
    for name, distribution in (("words", "zipf"), ("nesting", "zipf"), ("flat", "zipf"), ("words", "log_linear")):
        task = hf_procedural.task(f"{name}-16000", distribution=distribution)
        plain = references.Sentences(16_000, distribution, vectors)
        ids, _ = task.sample(generator, 200)
        fast = seconds(lambda task=task: task.sample(generator, 200), 3) / (ids == task.eos_id).sum()
        slow = seconds(lambda plain=plain, name=name: [getattr(plain, name)() for _ in range(100)], 3) / 100
        what = f"sample {task.config_name}, {distribution}"
        report(what, f"{fast * 1e6:.2f} us/sentence", f"{slow * 1e6:.0f} us/sentence", slow / fast, "20")


def building() -> None:
    """`load_dataset` into an empty cache against `Dataset.from_generator` over plain rows."""
    task = hf_procedural.task("sort-64")

    def plain_rows():
        rng = random.Random(0)
        for _ in range(5000):
            ids, labels = plain_row(task, rng)
            yield {"input_ids": ids, "labels": labels}

    def load():
        with tempfile.TemporaryDirectory() as cache:
            datasets.load_dataset("procedural", "sort-64", cache_dir=cache)

    def plain():
        with tempfile.TemporaryDirectory() as cache:
            datasets.Dataset.from_generator(plain_rows, cache_dir=cache)

    fast = (160_064 + 2 * 4096) * task.max_length / seconds(load, 3) / 1e6
    slow = 5000 * task.max_length / seconds(plain, 1, warmup=0) / 1e6
    report("load_dataset sort-64 from nothing", f"{fast:.1f} M tokens/s", f"{slow:.2f}", fast / slow, "15 M tokens/s")


def writing() -> None:
    """A million rows of sort-64 as Parquet against `Dataset.to_parquet` of the same rows, which are in the cache."""
    rows = {"train_size": 1_000_000, "validation_size": 0, "test_size": 0}
    builder = datasets.load_dataset_builder("procedural", "sort-64", **rows)

    def write():
        with tempfile.TemporaryDirectory() as folder:
            parquet.write(builder, folder)

    with tempfile.TemporaryDirectory() as cache:
        cached = datasets.load_dataset("procedural", "sort-64", cache_dir=cache, split="train", **rows)
        tokens = rows["train_size"] * builder.config.task.max_length / 1e6
        fast = tokens / seconds(write, 3)
        slow = tokens / seconds(lambda: cached.to_parquet(f"{cache}/plain.parquet"), 3)
    report("Parquet sort-64, rows made", f"{fast:.1f} M tokens/s", f"{slow:.1f}", fast / slow, "10 M tokens/s")


def feeding() -> None:
    """Batches of 1000 from a data set, without workers, against making the rows in Python."""
    task, rng = hf_procedural.task("sort-64"), random.Random(0)
    cached = CachedRows(datasets.load_dataset("procedural", "sort-64", split="train"))
    streamed = datasets.load_dataset("procedural", "sort-64", split="train", streaming=True).with_format("torch")

    def rate(loader, batches=40):
        def draw():
            for _ in range(batches):
                next(iterator)

        iterator = iter(loader)
        return batches * 1000 * task.max_length / seconds(draw, 3) / 1e6

    def plain():
        rows = [plain_row(task, rng) for _ in range(1000)]
        return [torch.tensor(column) for column in zip(*rows, strict=True)]

    slow = 1000 * task.max_length / seconds(plain, 3) / 1e6
    made = TrainRows(task, 0, 1000)
    for name, rows, wanted in (
        ("cached, as the recipes feed it", cached, 5),
        ("made on the fly, as the recipes feed it", made, 5),
        ("streaming=True", streamed, 3),
    ):
        fast = rate(DataLoader(rows, batch_size=1000, collate_fn=default_data_collator))
        report(f"batches: {name}", f"{fast:.1f} M tokens/s", f"{slow:.2f}", fast / slow, f"{wanted} M tokens/s")


def _draw(name: str, batches: int, process: int, folder: str | None, ready, ended) -> None:
    """What one of two processes does: draws its batches of a stream of rows, from the moment that both are there."""
    task = hf_procedural.task(name, **({"complexity": None, "rules": None} if name == "nca-10" else {}))
    part = Part(process, 2, process, 2, Path(folder)) if folder else None
    stream = IterableDatasetShard(TrainRows(task, 0, 128, part), 64, num_processes=2, process_index=process)
    next(iter(TrainRows(task, 1, 1)))  # compiles
    ready.wait()
    for _ in itertools.islice(DataLoader(stream, batch_size=64, collate_fn=default_data_collator), batches):
        pass
    ended.wait()


def two_processes() -> None:
    """Batches of 64 of two processes that make their own rows, until both have theirs, against both making all."""
    context = multiprocessing.get_context("spawn")

    def rate(name: str, batches: int, folder: str | None) -> float:
        ready, ended = context.Barrier(3), context.Barrier(3)
        both = [context.Process(target=_draw, args=[name, batches, n, folder, ready, ended]) for n in range(2)]
        for process in both:
            process.start()
        ready.wait()
        start = time.perf_counter()
        ended.wait()
        taken = time.perf_counter() - start
        for process in both:
            process.join()
        return 128 * batches / taken

    for name, batches in (("sort-64", 2000), ("dyck-64", 200), ("nca-10", 50)):
        pairs = []
        for _ in range(3):
            with tempfile.TemporaryDirectory(dir="/dev/shm") as folder:
                pairs.append((rate(name, batches, folder), rate(name, batches, None)))
        fast, slow = (max(rates) for rates in zip(*pairs, strict=True))
        report(f"rows of two processes: {name}", f"{fast:,.0f} rows/s", f"{slow:,.0f}", fast / slow, "")


def packing() -> None:
    """Packed rows of source code, read from disk, against the bare tokenizer on texts in memory."""
    source = documents.open_documents("stdlib", limit=200)
    tokenizer, texts = tokenizers.train_tokenizer(source, 8192), list(source)
    rows, backend = PackedRows(source, tokenizer, 1024), tokenizer.backend_tokenizer
    tokens = sum(map(len, backend.encode_batch_fast(texts, add_special_tokens=False)))

    def draw() -> float:
        iterator, start = iter(rows), time.perf_counter()
        for _ in itertools.islice(iterator, tokens // 1024):
            pass
        return time.perf_counter() - start  # without what was made ahead, of the next epoch

    for name in ("encode_batch", "encode_batch_fast"):
        encode = functools.partial(getattr(backend, name), texts, add_special_tokens=False)
        pairs = [(draw(), seconds(encode, 1, 0)) for _ in range(7)]  # in turn, so that both meet the same machine
        fast, slow = (tokens / min(times) / 1e6 for times in zip(*pairs, strict=True))
        report(f"packed rows: {name}", f"{fast:.2f} M tokens/s", f"{slow:.2f}", fast / slow, "0.8")


def filtering() -> None:
    """Texts as long as web pages, read, scored by fastText, and the best tenth written, against `predict` in a loop."""
    import numpy as np

    from hf_procedural.recycle import output, pipeline, quality, reading, selection

    sources = documents.open_documents("stdlib", limit=300)
    texts = [text[start : start + 3000] for text in sources for start in range(0, len(text), 3000)]
    texts *= 10  # what is done once, for all documents, costs as much as a thousand
    with tempfile.TemporaryDirectory() as place:
        file, model = f"{place}/texts.jsonl", f"{place}/quality.bin"
        datasets.Dataset.from_dict({"text": texts}).to_json(file)
        quality.write_examples(zip(texts[::10], itertools.cycle([True, False]), strict=False), Path(place), 0, 0)
        settings = {"wordNgrams": 2, "dim": 100, "bucket": 2_000_000, "lr": 0.1, "epoch": 1, "thread": 1, "verbose": 0}
        quality.train(Path(place, quality.TRAIN), **settings).save_model(model)
        classifier, lines = quality.load_classifier(model, quality.LABEL), list(map(quality.as_line, texts))
        shards, facts = reading.plan([file], None), {}

        def run(steps, folder):
            pipeline.run("local", steps, folder, [len(texts)], lambda: None, workers=1, options={})

        def ours():
            with tempfile.TemporaryDirectory(dir=place) as name:
                scored, kept, known_file = Path(name), Path(name, "kept"), Path(name, "facts.npy")
                output.begin(scored, {}, [file], shards)
                read = pipeline.Read(scored, facts, "text", "id", False)
                score = selection.Score(scored, model, quality.LABEL, None)
                run([read, score, pipeline.Write(scored, selection.SCORED, facts)], scored)
                known = selection.read_scores(scored, 1)
                selection.choose(known, "keep_top", 0.1)
                np.save(known_file, known.documents)
                keep = selection.Keep(kept, "organic", known_file, known.starts)
                run([read, keep, pipeline.Write(kept, selection.KEPT, facts)], kept)

        functions = {
            "scores": lambda: quality.scores(classifier, texts, quality.LABEL),
            "read, scored, best tenth written": ours,
        }

        def plain():
            return [classifier.predict(line, k=-1) for line in lines]

        for name, function in functions.items():
            pairs = [(seconds(function, 1, 0), seconds(plain, 1, 0)) for _ in range(7)]  # in turn: the same machine
            fast, slow = (len(texts) / min(times) for times in zip(*pairs, strict=True))
            report(f"filter: {name}", f"{fast:,.0f} documents/s", f"{slow:,.0f}", fast / slow, "0.95")


def scoring() -> None:
    """The metrics of a large evaluation against the same through `evaluate`, as recipes did until 0.1."""
    import numpy as np

    rng = np.random.default_rng(0)
    labels = rng.integers(1, 100, (4096, 129))
    guesses = np.where(rng.random(labels.shape) < 0.999, labels, 0)
    labels[:, :65] = -100
    modules = [metrics.load(name) for name in metrics.NAMES]
    compute = finish.metric_function()

    def plain():
        return [module.compute(predictions=guesses, references=labels) for module in modules]

    fast = seconds(lambda: compute(EvalPrediction(guesses, labels)))
    slow = seconds(plain, 3)
    report("metrics of 4,096 x 129 labels", f"{fast * 1e3:.1f} ms", f"{slow * 1e3:.0f} ms", slow / fast, "100 ms")


class Timer(TrainerCallback):
    """Steps per second of the fastest quarter after the first steps, which warm up."""

    def __init__(self, warmup: int, steps: int):
        self.marks, self.times = [warmup + steps * part // 4 for part in range(5)], []

    def on_step_end(self, args, state, control, **kwargs):
        if state.global_step in self.marks:
            if torch.cuda.is_available():
                torch.cuda.synchronize()
            self.times.append(time.perf_counter())

    def rate(self) -> float:
        return max(
            (after - before) / (end - start)
            for before, after, start, end in zip(self.marks, self.marks[1:], self.times, self.times[1:], strict=False)
        )


def trainer_rate(model, rows, batch: int, steps: int, **settings) -> float:
    """Steps per second of the stock Trainer."""
    timer = Timer(steps // 4, steps)
    with tempfile.TemporaryDirectory() as folder:
        args = StageArguments(
            folder,
            per_device_train_batch_size=batch,
            max_steps=steps + steps // 4,
            eval_strategy="no",
            save_strategy="no",
            learning_rate=1e-4,
            disable_tqdm=True,
            logging_steps=10**6,
            **settings,
        )
        trainer = Trainer(model, args, train_dataset=rows, data_collator=default_data_collator, callbacks=[timer])
        with contextlib.redirect_stdout(None):
            trainer.train()
    return timer.rate()


def probing(size: str) -> None:
    """What a step of the haystack probe gains from each of its two shortcuts: batches of 1,000 rows of 63 tokens."""
    task, rates = hf_procedural.task("haystack-30"), {}
    variants = {  # whether the model is a stock one, and whether logits are made where labels are alone
        "with neither": (True, False),
        "logits where labels are": (True, True),
        "compiled loops of our own": (False, False),
        "as recipes/probe.py": (False, True),
    }
    for name, (stock, labelled_only) in variants.items():
        model = small_model(task, size, 0.0, stock)
        if labelled_only:
            losses.score_labelled_only(model)
        rates[name] = trainer_rate(model, TrainRows(task, 0, 1000), 1000, 24)
        ratio = rates[name] / rates["with neither"]
        report(f"probe {size}: {name}", f"{rates[name]:.1f} steps/s", f"{rates['with neither']:.1f}", ratio, "")


def small_model(task, size: str, dropout: float, stock: bool):
    """A new model of a task's rows as recipes/pretrain.py has it, or of the same configuration without our kernels."""
    set_seed(0)
    config = new_config(hf_procedural.tokenizer(task), task.max_length, dropout=dropout, **parse_size(size))
    return (AutoModelForCausalLM.from_config(config, dtype=torch.float32) if stock else new_model(config)).train()


def plain_batch(task, rng, device="cpu") -> dict[str, torch.Tensor]:
    """64 rows made in Python one by one, with an attention mask."""
    ids, labels = zip(*(plain_row(task, rng) for _ in range(64)), strict=True)
    mask = [[int(token != task.pad_id) for token in row] for row in ids]
    batch = {"input_ids": ids, "labels": labels, "attention_mask": mask}
    return {name: torch.tensor(column).to(device) for name, column in batch.items()}


def bare_loop(model, next_batch, item: bool, steps: int, bf16=False, compiled=False):
    """A function that takes so many steps, without any library; with `item` it reads the loss of each."""
    device = model.device.type
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-4, fused=True)
    if compiled:
        model = torch.compile(model)
    precision = torch.autocast(device, torch.bfloat16) if bf16 else contextlib.nullcontext()

    def some():
        for _ in range(steps):
            with precision:
                loss = model(**next_batch()).loss
            loss.backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            optimizer.zero_grad()
            if item:
                loss.item()
        if device == "cuda":
            torch.cuda.synchronize()

    return some


def run_recipe(name: str, words: str) -> list[dict]:
    """What the runs of a recipe, in a process of its own, say of their training."""
    words += " --eval_strategy no --save_strategy no --report_to none --disable_tqdm true --dropout 0 --output_dir"
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, f"recipes/{name}.py", *words.split(), f"{folder}/run"]
        subprocess.run(command, cwd=Path(__file__).parent.parent, check=True, capture_output=True)
        return [json.loads(file.read_text()) for file in Path(folder).rglob("train_results.json")]


def stage(size: str, steps: int, pairs: int) -> None:
    """recipes/pretrain.py in turn with a plain loop."""
    task, rng = hf_procedural.task("set-64"), random.Random(0)
    loop = bare_loop(small_model(task, size, 0.0, stock=True), lambda: plain_batch(task, rng), True, steps)
    words = f"--task set-64 --size {size} --per_device_train_batch_size 64 --max_steps {4 * steps}"
    for pair in range(1, pairs + 1):
        (results,) = run_recipe("pretrain", words)
        ours = results["train_steps_per_second"]
        plain = steps / seconds(loop, 1, warmup=int(pair == 1))
        what = f"recipes/pretrain.py {size}, set-64: rows made in Python, pair {pair}"
        report(what, f"{ours:.1f} steps/s", f"{plain:.1f}", ours / plain, "1.6")


def study(size: str, pairs: int) -> None:
    """Two runs at a time of recipes/probe.py, each on half of the cores, in turn with one run on all of them."""
    for task, batch, steps in (("set-64", 64, 400), ("haystack-30", 1000, 40)):
        words = f"--task {task} --size {size} --per_device_train_batch_size {batch} --max_steps {steps}"
        words += " --validation_size 64 --num_proc"
        rates = []
        for _ in range(pairs):
            at_once = run_recipe("probe", f"{words} 2 --seeds 0 1")
            alone = run_recipe("probe", f"{words} 1")
            together = 2 * steps / max(results["train_runtime"] for results in at_once)
            rates.append((together, alone[0]["train_steps_per_second"]))
        ours, plain = (statistics.median(column) for column in zip(*rates, strict=True))
        single = sorted(two / one for two, one in rates)
        spread = f"{single[0]:.2f} to {single[-1]:.2f}"
        what = f"recipes/probe.py {size}, {task}, two runs at a time: one run on all cores (pairs: {spread})"
        report(what, f"{ours:.1f} steps/s", f"{plain:.1f}", statistics.median(single), "1.25")


def training(size: str, steps: int, bf16: bool, compiled: bool) -> None:
    """The Trainer with our rows against two bare loops: rows made in Python, and one constant batch."""
    task, rng = hf_procedural.task("set-64"), random.Random(0)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    rows = CachedRows(datasets.load_dataset("procedural", "set-64", split="train"))

    def loop(dropout, next_batch, item):
        model = small_model(task, size, dropout, stock=True).to(device)
        some = bare_loop(model, next_batch, item, steps // 4, bf16, compiled)
        return steps // 4 / seconds(some, 4)

    for dropout, wanted in ((0.0, "1.5"), (0.1, "1.2")):
        plain = loop(dropout, lambda: plain_batch(task, rng, device), item=True)
        batch = default_data_collator(rows.__getitems__(list(range(64))))
        batch = {name: column.to(device) for name, column in batch.items()}
        bare = loop(dropout, lambda batch=batch: batch, item=False)
        model = small_model(task, size, dropout, stock=False).to(device)
        losses.score_labelled_only(model)
        ours = trainer_rate(model, rows, 64, steps, bf16=bf16, torch_compile=compiled)
        name = f"Trainer {size}, dropout {dropout:g}{', compiled' * compiled}"
        report(f"{name}: rows made in Python", f"{ours:.1f} steps/s", f"{plain:.1f}", ours / plain, wanted)
        report(f"{name}: one constant batch", f"{ours:.1f} steps/s", f"{bare:.1f}", ours / bare, "0.9")
        if device == "cuda":
            tokens = ours * 64 * task.max_length
            share = 6 * model.num_parameters() * tokens / 989e12  # dense bf16 peak of an H100 or H200
            report(f"{name}: tokens/s", f"{tokens:,.0f}", "", None, f"{share:.1%} of the H200's bf16 peak")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    functions = (sampling, families, building, writing, feeding, two_processes, packing, filtering, scoring)
    functions += (probing, stage, study, training)
    parts = {function.__name__: function for function in functions}
    parser.add_argument("parts", nargs="*", default=list(parts), help=f"which of {', '.join(parts)} (default: all)")
    parser.add_argument("--size", default="2_4_16", help="layers_heads_width of the model (default: 2_4_16)")
    parser.add_argument("--steps", type=int, default=160, help="optimizer steps to time (default: 160)")
    parser.add_argument("--pairs", type=int, default=7, help="of runs, of stage and study (default: 7)")
    parser.add_argument("--bf16", action="store_true", help="train in bfloat16")
    parser.add_argument("--compile", action="store_true", help="use torch.compile in all three loops")
    args = parser.parse_args()
    if unknown := set(args.parts) - parts.keys():
        parser.error(f"unknown part {min(unknown)}: choose from {', '.join(parts)}")
    if min(args.steps, args.pairs) < 1:
        parser.error(f"steps and pairs must be at least 1, got {args.steps} and {args.pairs}")
    try:
        parse_size(args.size)
    except ValueError as error:
        parser.error(str(error))
    datasets.disable_progress_bars()
    print(f"torch {torch.__version__}, {torch.get_num_threads()} threads, GPU: {torch.cuda.is_available()}\n")
    print("| what | ours | plain reference | ratio | must reach |\n|---|---|---|---|---|")
    settings = {"probing": (args.size,), "stage": (args.size, args.steps, args.pairs), "study": (args.size, args.pairs)}
    settings["training"] = (args.size, args.steps, args.bf16, args.compile)
    for part in args.parts:
        parts[part](*settings.get(part, ()))


if __name__ == "__main__":
    main()

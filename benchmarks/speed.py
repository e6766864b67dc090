"""Measures the package against plain references, in the same run, and prints a table.

    python benchmarks/speed.py                                            # everything, a few minutes on two CPU cores
    python benchmarks/speed.py training --size 12_12_768 --bf16 --compile # on a GPU
    python benchmarks/speed.py training --compile                         # what torch.compile adds on a CPU

Each figure is the best of several repetitions, so that other work on the machine disturbs it least. The references are
what one writes first: rows made one by one in Python, and a training loop without any library.
"""

import argparse
import functools
import itertools
import multiprocessing
import random
import sys
import tempfile
import time
from pathlib import Path

import datasets
import torch
from accelerate.data_loader import IterableDatasetShard
from plain import plain_row, plain_word, report, seconds
from playgrounds import playgrounds
from torch.utils.data import DataLoader
from training import beside, probing, stage, study, training
from transformers import EvalPrediction, default_data_collator

import hf_procedural
from hf_procedural import metrics
from hf_procedural.data import parquet
from hf_procedural.data.rows import CachedRows, Part, TrainRows
from hf_procedural.models.words import parse_size
from hf_procedural.text import documents, tokenizers
from hf_procedural.text.packing import PackedRows
from hf_procedural.training import finish

TASKS = ("sort", "reverse", "identity", "set", "union", "delete", "stack")


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
    for name, plain in plain_rows.items():
        task = hf_procedural.task(name, **({"complexity": None, "rules": None} if name == "nca-10" else {}))
        fast = seconds(lambda task=task: task.sample(generator, 1000), 3) / 1000
        slow = seconds(lambda plain=plain: [plain() for _ in range(50)], 3) / 50
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


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    functions = (
        sampling,
        families,
        playgrounds,
        building,
        writing,
        feeding,
        two_processes,
        packing,
        filtering,
        scoring,
    )
    functions += (probing, stage, study, beside, training)
    parts = {function.__name__: function for function in functions}
    parser.add_argument("parts", nargs="*", default=list(parts), help=f"which of {', '.join(parts)} (default: all)")
    parser.add_argument("--size", default="2_4_16", help="layers_heads_width of the model (default: 2_4_16)")
    parser.add_argument("--steps", type=int, default=160, help="optimizer steps to time (default: 160)")
    parser.add_argument("--pairs", type=int, default=7, help="of runs, of stage, study and beside (default: 7)")
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
    settings["beside"] = (args.size, args.steps, args.pairs)
    settings["training"] = (args.size, args.steps, args.bf16, args.compile)
    for part in args.parts:
        parts[part](*settings.get(part, ()))


if __name__ == "__main__":
    main()

"""The parts of speed.py in which a model trains: steps, recipes and studies beside plain loops."""

import contextlib
import json
import random
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import datasets
import torch
from plain import plain_row, report, seconds
from transformers import AutoModelForCausalLM, Trainer, TrainerCallback, default_data_collator, set_seed

import hf_procedural
from hf_procedural.data.rows import CachedRows, TrainRows
from hf_procedural.models import losses
from hf_procedural.models.build import new_config, new_model
from hf_procedural.models.words import parse_size
from hf_procedural.text import documents, tokenizers
from hf_procedural.training import procedural
from hf_procedural.training.procedural_arguments import ProceduralArguments
from hf_procedural.training.stage_arguments import StageArguments


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


def beside(size: str, steps: int, pairs: int) -> None:
    """Rows as recipes/semantic.py makes them of code, 16 of 256 tokens a step: 0.3 % of them from tasks, or none."""
    source = documents.open_documents("stdlib", limit=400)
    tokenizer = tokenizers.train_tokenizer(source, 2048)
    layout = procedural.Layout(tokenizer, 256, "eos", "packed", seed=0)
    with_rows = ["stdlib", "procedural:sort-64+set-64"]
    rows = {
        name: procedural.Procedural(ProceduralArguments(), names, weights, layout).training_rows([source])
        for name, names, weights in (("none", with_rows[:1], [1.0]), ("some", with_rows, [0.997, 0.003]))
    }
    rates = []
    for _ in range(pairs):
        for each in rows.values():
            set_seed(0)
            model = new_model(new_config(tokenizer, 256, dropout=0.0, **parse_size(size))).train()
            rates.append(trainer_rate(model, each, 16, steps) * 16 * 256)
    ratios = sorted(some / none for none, some in zip(rates[::2], rates[1::2], strict=True))
    some, none = statistics.median(rates[1::2]), statistics.median(rates[::2])
    what = f"text {size}, 0.3 % procedural: text alone (pairs: {ratios[0]:.2f} to {ratios[-1]:.2f})"
    report(what, f"{some:,.0f} tokens/s", f"{none:,.0f}", statistics.median(ratios), "0.97")


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

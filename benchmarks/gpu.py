"""Measures training on one GPU, within twelve minutes, and prints a table; without one it tries itself out, tiny.

    pip install -c constraints.txt -e .         # once, with the torch of your GPU; nothing else is downloaded
    python benchmarks/gpu.py --tiny             # a moment: does it run here? Its figures mean nothing
    python benchmarks/gpu.py > gpu.md           # 12_12_768, batch 64, bfloat16, compiled; progress on the terminal
    python benchmarks/gpu.py --batch 16         # where the memory of the GPU is too small

Leave the GPU and the machine alone meanwhile. Nothing is left but the table, and what is in it stays when time ends.

What is measured: two stages by their recipes, as users run them, pretrain.py on set-64 with rows made on the fly, and
semantic.py on Python's own source, packed on the fly; each beside a bare loop on one constant batch of the same rows
and model. Five lines each: steps/s (the bar: 0.95 of the bare loop's), tokens/s, FLOP/s (the bar: half of the chip's),
the time in which rows are made and its share of a step, of the main thread; a GPU works meanwhile, and waits for less.

FLOPs of a token, forward and backward: 6 N + 12 L H T, where N are the weights without tables that are looked up (the
head counts, also where it is one), L layers, H width, T tokens in a row: attention without its mask. The chip's matrix
rate is that of its data sheet, dense bfloat16; of an unknown chip that of a product of large matrices, measured here.
"""

import argparse
import contextlib
import importlib
import os
import shutil
import signal
import sys
import tempfile
import time
from pathlib import Path

import torch
from training import bare_loop
from transformers import AutoModelForCausalLM, TrainerCallback, default_data_collator, set_seed

from hf_procedural.hub.runs import train_and_publish
from hf_procedural.training.arguments import InitArguments, ModelArguments, RowArguments

RECIPES = Path(__file__).parent.parent / "recipes"
DEVICE = "cuda" if torch.cuda.is_available() else "cpu"
PEAKS = {  # FLOP/s of data sheets, by what the device's name has
    "B200": 2250e12,
    "H200": 989e12,
    "H100 PCIe": 756e12,
    "H100": 989e12,
    "A100": 312e12,
    "L40S": 362e12,
    "A10": 125e12,
    "RTX 4090": 165e12,
}
STAGES = {
    "pretrain": "--task set-64 --streaming --validation_size 64",
    "semantic": "--dataset stdlib --validation_size 16",
}
FULL = {
    "size": "12_12_768",
    "batch": 64,
    "warmup": 20,
    "text": "--sequence_length 1024 --tokenizer_size 8192",
}
TINY = {
    "size": "2_2_16",
    "batch": 4,
    "warmup": 3,
    "text": "--sequence_length 64 --tokenizer_size 300 --limit 20",
}


def report(*cells: str) -> None:
    print(f"| {' | '.join(cells)} |", file=sys.__stdout__, flush=True)  # amid a training, too, whose lines go elsewhere


def wait_for_device() -> None:
    if DEVICE == "cuda":
        torch.cuda.synchronize()


class Watch(TrainerCallback):
    """Steps per second after a warm-up, and which share of that time the rows took; ends the training."""

    def __init__(self, warmup: int, seconds: float):
        self.warmup, self.seconds = warmup, seconds
        self.waited = 0.0  # seconds in which the main thread made rows, or waited for them
        self.start = self.rate = self.share = float("nan")

    def on_step_end(self, args, state, control, **kwargs):
        if state.global_step == self.warmup:
            wait_for_device()
            self.start, self.waited = time.perf_counter(), 0.0
        elif time.perf_counter() - self.start > self.seconds:
            waited = self.waited
            wait_for_device()
            taken = time.perf_counter() - self.start
            self.rate, self.share = (state.global_step - self.warmup) / taken, waited / taken
            control.should_training_stop = True

    def timed(self, function):
        """A function whose time counts as waiting."""

        def call(*arguments):
            start = time.perf_counter()
            try:
                return function(*arguments)
            finally:
                self.waited += time.perf_counter() - start

        return call

    def attach(self, trainer):
        """The same trainer, watched."""
        trainer.add_callback(self)
        trainer.data_collator = self.timed(trainer.data_collator)
        kind, end = type(trainer.train_dataset), object()

        def iterate(rows):
            iterator = kind.__iter__(rows)
            return iter(self.timed(lambda: next(iterator, end)), end)

        trainer.train_dataset.__class__ = type(kind.__name__, (kind,), {"__iter__": iterate})
        return trainer


def prepare(name: str, settings: dict, output: str, compiled: bool):
    """What a recipe makes ready, and its arguments."""
    sys.path.insert(0, str(RECIPES))
    recipe = importlib.import_module(name)
    if name == "pretrain":
        data, stage = [RowArguments], recipe.StageArguments
    else:
        data, stage = [recipe.TextArguments, recipe.ProceduralArguments], recipe.TextStageArguments
    own = (*data, InitArguments, ModelArguments, stage)
    words = f"{STAGES[name]} --size {settings['size']} --per_device_train_batch_size {settings['batch']} --dropout 0"
    words += f" --bf16 true --torch_compile {compiled} --max_steps 100000 --learning_rate 1e-4 --report_to none"
    words += " --eval_strategy no --save_strategy no --disable_tqdm true --logging_steps 100"
    words += f" --use_cpu {DEVICE == 'cpu'} {settings['text'] if name == 'semantic' else ''}"
    arguments = recipe.parser.parse(recipe.__doc__, *own, argv=[*words.split(), "--output_dir", output])
    return recipe.prepare(*arguments), arguments[:-1]


def bare_rate(config, batch: dict, settings: dict, compiled: bool, seconds: float) -> float:
    """Steps per second of a bare loop on one batch."""
    set_seed(0)
    model = AutoModelForCausalLM.from_config(config).to(DEVICE).train()
    batch = {name: column.to(DEVICE) for name, column in batch.items()}
    some = bare_loop(model, lambda: batch, False, settings["warmup"], bf16=True, compiled=compiled)
    some()
    calls, start = 0, time.perf_counter()
    while time.perf_counter() - start < seconds:
        some()
        calls += 1
    return calls * settings["warmup"] / (time.perf_counter() - start)


def flops_of_token(model, length: int) -> float:
    """Forward and backward, as at the top."""
    head = model.get_output_embeddings().weight
    tables = [module.weight for module in model.modules() if isinstance(module, torch.nn.Embedding)]
    looked_up = sum(table.numel() for table in tables if table is not head)
    config = model.config
    attention = 12 * config.num_hidden_layers * config.hidden_size * length
    return 6 * (sum(weight.numel() for weight in model.parameters()) - looked_up) + attention


def peak_rate() -> tuple[float, str]:
    """FLOP/s of the device in bfloat16, and where that is from."""
    if DEVICE == "cuda":
        for name, rate in PEAKS.items():
            if name in torch.cuda.get_device_name():
                return rate, "data sheet"
    size = 8192 if DEVICE == "cuda" else 512
    matrix = torch.ones(size, size, device=DEVICE, dtype=torch.bfloat16)
    for _ in range(3):
        matrix @ matrix
    wait_for_device()
    start = time.perf_counter()
    for _ in range(10):
        matrix @ matrix
    wait_for_device()
    return 10 * 2 * size**3 / (time.perf_counter() - start), f"measured, {size} x {size}"


def stage(name: str, settings: dict, compiled: bool, seconds: float, peak: float, folder: str) -> None:
    """Lines of the table about a recipe."""
    watch = Watch(settings["warmup"], seconds)
    prepared, arguments = prepare(name, settings, f"{folder}/{name}", compiled)
    rows = iter(prepared.make_trainer().train_dataset)
    batch = default_data_collator([next(rows) for _ in range(settings["batch"])])
    bare = bare_rate(prepared.model.config, batch, settings, compiled, seconds)
    flops = flops_of_token(prepared.model, batch["input_ids"].shape[1])
    make_trainer = prepared.make_trainer
    prepared.make_trainer = lambda: watch.attach(make_trainer())
    with contextlib.redirect_stdout(sys.stderr):
        train_and_publish(prepared, *arguments)
    tokens = watch.rate * batch["input_ids"].numel()
    what = f"{name}.py {settings['size']}, {settings['batch']} x {batch['input_ids'].shape[1]} tokens"
    report(f"{what}: steps/s", f"{watch.rate:.4g}", f"{bare:.4g}, bare loop", f"{watch.rate / bare:.3f}", "0.95")
    report(f"{what}: tokens/s", f"{tokens:,.0f}", "", "", "")
    share = tokens * flops / peak
    report(f"{what}: FLOP/s", f"{tokens * flops:.3g}", f"{peak:.3g}, the chip", f"{share:.3f}", "0.5")
    report(f"{what}: time in which rows are made", f"{watch.share / watch.rate * 1e3:.2f} ms/step", "", "", "")
    report(f"{what}: its share of a step", f"{watch.share:.3f}", "", "", "")


def out_of_time(folder: str) -> None:
    """Ends at once: of an exception in the midst of a compilation, compilers tell a lot."""
    report("the rest", "not measured", "the time is over", "", "")
    shutil.rmtree(folder, ignore_errors=True)
    os._exit(1)


def measure(args, folder: str) -> None:
    """The table."""
    tiny = args.tiny or DEVICE == "cpu"
    settings, seconds = (TINY, 0.5) if tiny else (FULL, 30.0)
    settings = settings | {"batch": args.batch or settings["batch"]}
    peak, source = peak_rate()
    name = torch.cuda.get_device_name() if DEVICE == "cuda" else "no GPU, on the CPU: the bars were NOT measured"
    print(f"torch {torch.__version__}, {name}; matrix rate {peak / 1e12:.4g} TFLOP/s ({source})\n")
    print("| what | recipe | reference | ratio | must reach |\n|---|---|---|---|---|")
    for recipe in STAGES:
        try:
            stage(recipe, settings, not tiny, seconds, peak, folder)
        except torch.OutOfMemoryError:
            report(f"{recipe}.py", "not measured", "out of memory: a smaller --batch", "", "")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tiny", action="store_true", help="a small model for a moment, not compiled")
    parser.add_argument("--minutes", type=float, default=12, help="after which it ends, with what it has (default: 12)")
    parser.add_argument("--batch", type=int, help="rows of a step (default: 64; tiny: 4)")
    args = parser.parse_args()
    if not 0 < args.minutes < float("inf"):
        parser.error(f"minutes must be above 0, got {args.minutes:g}")
    if args.batch is not None and args.batch < 1:
        parser.error(f"batch must be at least 1, got {args.batch}")
    with tempfile.TemporaryDirectory() as folder:
        signal.signal(signal.SIGALRM, lambda *_: out_of_time(folder))
        signal.setitimer(signal.ITIMER_REAL, 60 * args.minutes)
        measure(args, folder)
        signal.setitimer(signal.ITIMER_REAL, 0)


if __name__ == "__main__":
    main()

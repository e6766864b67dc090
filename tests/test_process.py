"""Importing any module of ours leaves the rest of the process as it was: what a recipe needs, its main does."""

import json

from support import starting

# Other libraries do as they like when they are imported, so they come first.
_CODE = """
import importlib, json, logging, os, pkgutil, random, signal, sys, warnings

import accelerate, bert_score, datasets, evaluate, fasttext, loguru, matplotlib, matplotlib.figure, numpy, torch
import datatrove.executor, datatrove.pipeline.dedup, datatrove.utils.logging, datatrove.utils.word_tokenizers
import lm_eval.evaluator, lm_eval.models.huggingface, lm_eval.tasks, transformers, trl, yaml
transformers.Trainer, transformers.AutoModelForCausalLM, transformers.EarlyStoppingCallback, trl.GRPOTrainer
# as far as they are loaded only when they are used
import accelerate.commands.launch, torch.distributed.run, torch.utils.data


def of_loggers():
    # Of those that are not as a new one is: what is imported late has new ones.
    for name, logger in [("", logging.root), *logging.root.manager.loggerDict.items()]:
        if isinstance(logger, logging.Logger):
            about = [logger.level, logger.disabled, logger.propagate, list(map(repr, logger.filters + logger.handlers))]
            if about != [0, False, True, []]:
                yield f"logger {name}", about


def state():
    yield from of_loggers()
    yield "loguru", list(map(repr, loguru.logger._core.handlers.values()))
    yield "stderr of datatrove", datatrove.utils.logging.sys is sys
    yield "warnings", list(map(repr, warnings.filters))
    yield "backend", matplotlib.get_backend(auto_select=False)
    yield "pyplot", "matplotlib.pyplot" in sys.modules
    yield "matplotlib", {key: repr(matplotlib.rcParams[key]) for key in matplotlib.rcParams if key != "backend"}
    yield "path", list(sys.path)
    yield "environment", dict(os.environ)
    yield "hooks", list(map(repr, (sys.excepthook, sys.displayhook, sys.stdout, sys.stderr)))
    yield "signals", {str(each): repr(signal.getsignal(each)) for each in signal.valid_signals()}
    yield "verbosity", [datasets.logging.get_verbosity(), transformers.logging.get_verbosity()]
    yield "progress bars", datasets.utils.are_progress_bars_disabled()
    yield "numpy", [numpy.geterr(), numpy.get_printoptions()["precision"], random.getstate()[1][0]]
    yield "dtype", [repr(torch.get_default_dtype()), repr(torch.get_default_device())]
    yield "threads", [torch.get_num_threads(), torch.get_num_interop_threads()]
    yield "torch", [torch.is_grad_enabled(), torch.are_deterministic_algorithms_enabled(), torch.initial_seed()]
    yield "products", [torch.get_float32_matmul_precision(), torch.backends.cudnn.benchmark]
    yield "generator of numpy", numpy.random.get_state()[1].tolist()


before = dict(state())
import hf_procedural

names = [module.name for module in pkgutil.walk_packages(hf_procedural.__path__, "hf_procedural.")]
names = [name for name in names if not name.endswith("__main__") and ".recipes" not in name]
names.remove("hf_procedural.environments.verifiers")  # verifiers itself changes filters of warnings, and loggers
for name in names:
    try:
        importlib.import_module(name)
    except ImportError as error:
        if "pip install" not in str(error):  # a framework that is not installed
            raise
after = dict(state())
changed = {what: [before.get(what), after.get(what)] for what in before | after if before.get(what) != after.get(what)}
print(json.dumps([len(names), changed]))
"""


def test_an_import_changes_nothing_of_others(tmp_path):
    (tmp_path / "imports.py").write_text(_CODE)
    done = starting.run(tmp_path / "imports.py")
    assert done.returncode == 0, done.stderr
    count, changed = json.loads(done.stdout.splitlines()[-1])
    assert count > 90 and not changed

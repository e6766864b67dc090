"""Each name of upstream.py is taken away in turn: the library's own way gives the same numbers, or there is one line.

Where a library needs the name itself, so that it would end without it, only we do not get it (`hidden`), or what it
calls of ours is taken away, which is how another name for it would look to us.
"""

import contextlib
import functools
import os
import types

import datasets
import numpy as np
import pytest
import torch
import transformers
from transformers import GPT2Config, Trainer, TrainerControl, TrainerState, TrainingArguments, default_data_collator
from transformers.loss.loss_utils import ForCausalLMLoss

from hf_procedural import compiled, registration, upstream
from hf_procedural.data import builder, streaming
from hf_procedural.errors import Parser
from hf_procedural.models import activation, attention, build, losses, mlp
from hf_procedural.models import kernels as model_kernels
from hf_procedural.tasks import IGNORE, kernels
from hf_procedural.training import ahead, callbacks, divergence, finish, launch

CASES = {}


def case(*names: str):
    """The test of names: a function of the fixture `take` and of the name."""

    def add(function):
        CASES.update(dict.fromkeys(names, function))
        return function

    return add


class Take:
    """What a case needs: ways to take a name away, and what is logged after that."""

    def __init__(self, monkeypatch, caplog, tmp_path):
        self.monkeypatch, self.caplog, self.folder = monkeypatch, caplog, tmp_path

    def away(self, owner, name: str) -> None:
        self.monkeypatch.delattr(owner, name)

    def hide(self, name: str) -> None:
        for function in ("get", "of"):
            original = getattr(upstream, function)
            self.monkeypatch.setattr(upstream, function, functools.partial(self._unless, name, original))

    @staticmethod
    def _unless(hidden, original, *arguments):
        return None if arguments[-1] == hidden else original(*arguments)

    def logged(self, name: str) -> None:
        """Asserts that one line was logged, which names what works."""
        (line,) = [record.getMessage() for record in self.caplog.records if record.name == "hf_procedural"]
        assert "\n" not in line and upstream.PRIVATE[name].works in line

    @contextlib.contextmanager
    def error(self, name: str):
        with pytest.raises(ImportError) as caught:
            yield
        message = str(caught.value)
        assert "\n" not in message and f"pip install '{upstream.PRIVATE[name].works}'" in message


@pytest.fixture
def take(monkeypatch, caplog, tmp_path):
    monkeypatch.setattr(upstream, "_checked", {})
    return Take(monkeypatch, caplog, tmp_path)


@pytest.mark.parametrize("name", upstream.PRIVATE)
def test_without_it(name, take):
    CASES[name](take, name)


def test_there_is_an_entry_for_what_is_asked_for():
    for ask in (upstream.get, upstream.need, functools.partial(upstream.of, None)):
        with pytest.raises(KeyError, match="datasets:nothing has no entry"):
            ask("datasets:nothing")
    assert set(CASES) == set(upstream.PRIVATE)


# datasets


@case(
    "datasets.load:_PACKAGED_DATASETS_MODULES",
    "datasets.load:PackagedDatasetModuleFactory.get_module",
    "datasets.load:DatasetModule",
    "datasets.load:DataFilesDict",
)
def _(take, name):
    take.monkeypatch.delitem(datasets.load._PACKAGED_DATASETS_MODULES, registration.NAME)
    take.away(datasets.load, name.partition(":")[2].partition(".")[0])  # of the method the class: another inherits it
    with take.error(name):
        registration.register()
    registration.register_when_imported()
    take.logged(name)


def test_a_module_of_other_fields(take):
    take.monkeypatch.setattr(datasets.load, "DatasetModule", lambda path, hash: None)
    take.monkeypatch.setattr(datasets.load, "_PACKAGED_DATASETS_MODULES", {})
    take.monkeypatch.setattr(
        datasets.load.PackagedDatasetModuleFactory, "get_module", datasets.load.PackagedDatasetModuleFactory.get_module
    )
    take.monkeypatch.setattr(registration, "NAME", "procedural_again")
    registration.register()
    with take.error("datasets.load:DatasetModule"):
        datasets.load_dataset_builder("procedural_again", "sort-4")


def _stream(take):
    options = {"split": "train", "train_size": 300, "cache_dir": str(take.folder)}
    return datasets.load_dataset("procedural", "sort-4", streaming=True, **options).with_format("numpy")


def _rows(dataset) -> list[bytes]:
    return [np.array([row["input_ids"], row["labels"]]).tobytes() for row in dataset]


def _is_stock(take, name, expected, logged=True):
    stream = _stream(take)
    assert type(stream) is datasets.IterableDataset and _rows(stream) == expected
    if logged:
        take.logged(name)


@case("datasets.iterable_dataset:_BaseExamplesIterable")
def _(take, name):
    expected = _rows(_stream(take))
    assert type(_stream(take)) is streaming.Stream
    take.monkeypatch.setattr(upstream, "_checked", {})
    take.hide(name)
    _is_stock(take, streaming._ITERABLE, expected)


@case("datasets.formatting:get_formatter")
def _(take, name):
    expected = _rows(_stream(take))
    take.monkeypatch.setattr(upstream, "_checked", {})
    take.away(datasets.formatting, "get_formatter")
    _is_stock(take, streaming._ITERABLE, expected)


@case("datasets.iterable_dataset:IterableDataset._prepare_ex_iterable_for_iteration")
def _(take, name):
    expected = _rows(_stream(take))
    take.monkeypatch.setattr(upstream, "_checked", {})
    original = datasets.IterableDataset._prepare_ex_iterable_for_iteration
    # With other arguments than ours, as another version may have it.
    take.monkeypatch.setattr(datasets.IterableDataset, name.rpartition(".")[2], lambda self: original(self))
    _is_stock(take, streaming._ITERABLE, expected)


@case("datasets.builder:DatasetBuilder._as_streaming_dataset_single")
def _(take, name):
    expected = _rows(_stream(take))
    take.away(builder.Procedural, "_as_streaming_dataset_single")
    _is_stock(take, name, expected, logged=False)


@case("datasets.builder:DatasetBuilder._create_builder_config")
def _(take, name):
    take.away(builder.Procedural, "_create_builder_config")
    with take.error(name):
        datasets.load_dataset_builder("procedural", "sort-64")


@case("datasets.builder:Key")
def _(take, name):
    sizes = {"train_size": 30, "validation_size": 0, "test_size": 0}
    expected = datasets.load_dataset("procedural", "sort-4", cache_dir=str(take.folder / "one"), **sizes)["train"]
    take.hide(name)
    rows = datasets.load_dataset("procedural", "sort-4", cache_dir=str(take.folder / "other"), **sizes)["train"]
    assert rows[:] == expected[:]


@case("datasets.data_files:SPLIT_KEYWORDS", "datasets.data_files:FILES_TO_IGNORE")
def _(take, name):
    from hf_procedural.text import readers

    for file in ("a-training.json", "dev/b.json", "eval.json", "config.json", "report.json", "dataset_infos.json"):
        (take.folder / file).parent.mkdir(exist_ok=True)
        (take.folder / file).write_text('{"text": "one"}')
    splits = readers.local_files(str(take.folder), readers.FILE_NAME, "text", "dataset")
    assert sorted(splits) == ["test", "train", "validation"]
    take.away(datasets.data_files, name.partition(":")[2])
    assert readers.local_files(str(take.folder), readers.FILE_NAME, "text", "dataset") == splits


# transformers: models


def _config() -> GPT2Config:
    sizes = {"n_layer": 1, "n_head": 2, "n_embd": 8, "vocab_size": 11, "n_positions": 12}
    return GPT2Config(**sizes, resid_pdrop=0, attn_pdrop=0, embd_pdrop=0)


def _model(**options):
    torch.manual_seed(0)
    return build.new_model(_config(), **options)


def _batch() -> dict:
    ids = torch.arange(30).view(3, 10) % 11
    labels = ids.clone()
    labels[0, :4], labels[1, :7] = IGNORE, IGNORE
    return {"input_ids": ids, "labels": labels}


def _loss_is_that_of_pytorchs_attention(model):
    assert model.config._attn_implementation == "sdpa"
    assert torch.equal(model(**_batch()).loss, _model(attn_implementation="sdpa")(**_batch()).loss)


@case("transformers.integrations.sdpa_attention:sdpa_attention_forward", "transformers.masking_utils:sdpa_mask")
def _(take, name):
    assert _model().config._attn_implementation == attention.NAME
    module, _, attribute = name.partition(":")
    take.away(__import__(module, fromlist=["_"]), attribute)
    _loss_is_that_of_pytorchs_attention(_model())


@case("transformers:PreTrainedModel._supports_attention_backend", "transformers:PreTrainedModel._supports_sdpa")
def _(take, name):
    take.hide(name)
    _loss_is_that_of_pytorchs_attention(_model())


@pytest.mark.parametrize("training", [False, True])
def test_attention_that_is_not_pytorchs_is_not_taken(training, take):
    original = attention._by_kernel

    def wrong(*arguments):
        out = original(*arguments)
        return out + (0.001 * out.detach() if not training else 0.01 * (out - out.detach()))

    take.monkeypatch.setattr(attention, "_by_kernel", wrong)
    model, plain = _model(), _model(attn_implementation="sdpa")
    assert model.config._attn_implementation == attention.NAME
    with torch.set_grad_enabled(training):
        losses_of_both = [each(**_batch()).loss for each in (model, plain)]
    assert torch.equal(*losses_of_both)
    take.logged(attention._SDPA)


def test_the_check_of_attention_takes_no_random_number(take):
    model = _model()
    state = torch.get_rng_state()
    model(**_batch())
    assert upstream._checked and torch.equal(torch.get_rng_state(), state)


@case("transformers.utils.import_utils:create_import_structure_from_path")
def _(take, name):
    take.hide(name)
    with ahead.one_scan():
        assert transformers.utils.import_utils.create_import_structure_from_path.cache_info()  # its own


@case("transformers.models.gpt2.modeling_gpt2:GPT2MLP")
def _(take, name):
    block = _model().transformer.h[0].mlp
    assert block.forward.func is mlp._forward
    take.monkeypatch.setattr(type(block), "forward", lambda self, x: self.c_proj(self.act(self.c_fc(x))) + 1)
    upstream._checked.clear()
    x = torch.ones(2, 8)
    assert torch.equal(block(x), type(block).forward(block, x))
    take.logged(name)
    take.hide(name)
    assert "forward" not in vars(_model().transformer.h[0].mlp)


@case("transformers:PreTrainedModel.loss_type")
def _(take, name):
    expected = _model()(**_batch()).loss
    original = build.AutoModelForCausalLM.from_config

    def without(*arguments, **options):
        model = original(*arguments, **options)
        del model.loss_type
        return model

    take.monkeypatch.setattr(build.AutoModelForCausalLM, "from_config", without)
    assert torch.equal(_model()(**_batch()).loss, expected)


def _away_with_shift_labels(self):
    def plain(logits, labels, vocab_size, shift_labels=None, **more):
        return ForCausalLMLoss(logits, labels, vocab_size, **more)

    return plain


def _shifted_once_too_often(self):
    def shifted(logits, labels, vocab_size, shift_labels=None, **more):
        if shift_labels is not None:
            shift_labels = shift_labels.roll(1, -1)
        return ForCausalLMLoss(logits, labels, vocab_size, shift_labels=shift_labels, **more)

    return shifted


@case("transformers:PreTrainedModel.loss_function")
def _(take, name):
    expected = _model()(**_batch()).loss
    for changed in (_away_with_shift_labels, _shifted_once_too_often):
        take.monkeypatch.setattr(transformers.PreTrainedModel, "loss_function", property(changed))
        take.monkeypatch.setattr(upstream, "_checked", {})
        take.caplog.clear()
        model = _model()
        losses.score_labelled_only(model)
        for _ in range(2):
            output = model(**_batch())
            assert torch.equal(output.loss, expected) and output.logits.shape == (3, 10, 11)
        take.logged(name)


def test_the_check_of_the_loss_leaves_no_trace(take):
    config = _config()
    config.attn_pdrop = config.resid_pdrop = config.embd_pdrop = 0.5
    outcomes = []
    for checked in (False, True):
        torch.manual_seed(0)
        model = build.new_model(config).train()
        model.transformer.drop.eval()
        losses.score_labelled_only(model)
        upstream._checked.clear()
        if checked:
            with torch.no_grad():
                model(**_batch())
        torch.manual_seed(1)
        outcomes.append((model(**_batch()).loss, torch.get_rng_state()))
        assert model.training and not model.transformer.drop.training and model.transformer.h[0].training
    assert all(torch.equal(*pair) for pair in zip(*outcomes, strict=True))


def _trainer(take, **options):
    labels = [[IGNORE] * count + list(range(1, 9 - count)) for count in (0, 3, 6, 1, 5, 2)]
    rows = [{"input_ids": torch.arange(8), "labels": torch.tensor(row)} for row in labels]
    args = TrainingArguments(
        str(take.folder), per_device_eval_batch_size=4, use_cpu=True, report_to="none", disable_tqdm=True, **options
    )
    return Trainer(_model(), args, eval_dataset=rows, data_collator=default_data_collator), rows


@case("transformers:Trainer._get_num_items_in_batch")
def _(take, name):
    stock, rows = _trainer(take)
    expected = stock.evaluate()["eval_loss"]
    weighed, _ = _trainer(take)
    losses.weigh_by_tokens(weighed, rows)
    sums = [stock.model(row["input_ids"][None], labels=row["labels"][None]).loss for row in rows]
    counts = torch.tensor([float((row["labels"][1:] != IGNORE).sum()) for row in rows])
    assert weighed.evaluate()["eval_loss"] == pytest.approx(((torch.stack(sums) * counts).sum() / counts.sum()).item())
    take.monkeypatch.setattr(upstream, "_checked", {})
    take.monkeypatch.setattr(Trainer, "_get_num_items_in_batch", lambda *_: None)
    assert weighed.evaluate()["eval_loss"] == pytest.approx(expected)
    take.logged(name)


@case("transformers:Trainer.model_accepts_loss_kwargs")
def _(take, name):
    stock, rows = _trainer(take)
    expected = stock.evaluate()["eval_loss"]
    weighed, _ = _trainer(take)
    weighed.model_accepts_loss_kwargs = None
    losses.weigh_by_tokens(weighed, rows)
    weighed.model_accepts_loss_kwargs = stock.model_accepts_loss_kwargs  # which evaluation itself asks
    assert weighed.evaluate()["eval_loss"] == pytest.approx(expected)


@case("transformers:Trainer.store_flos")
def _(take, name):
    state = types.SimpleNamespace(total_flos=7, log_history=[{}])
    logger = callbacks.LogMore(types.SimpleNamespace(add_callback=lambda _: None))
    logger.on_log(None, state, None, {})
    assert state.log_history == [{"total_flos": 7}]


@case("transformers:PreTrainedConfig._commit_hash")
def _(take, name):
    config = _config()
    config._commit_hash = "6c6f827"
    assert upstream.of(config, name) == "6c6f827"
    del config._commit_hash
    assert upstream.of(config, name) is None


# transformers: the Trainer


@case("transformers:Trainer._tr_loss")
def _(take, name):
    trainer, _ = _trainer(take)
    watcher = divergence.WatchLoss(trainer)
    state = types.SimpleNamespace(global_step=3, log_history=[])
    for _ in range(3):
        watcher.on_step_end(trainer.args, state, trainer.control, trainer.model)
    trainer.args.on_nan = "warn"
    watcher.on_log(trainer.args, state, trainer.control, {"loss": float("nan")})
    assert state.log_history == [{"step": 3, "diverged_step": 3}]  # that of the log


@case("transformers:Trainer._track_num_input_tokens")
def _(take, name):
    take.hide(name)
    trainer, _ = _trainer(take, include_num_input_tokens_seen="non_padding")
    callbacks.count_without_padding(trainer)
    assert "_track_num_input_tokens" not in vars(trainer)  # the Trainer's own


@case("transformers:Trainer._run_epoch")
def _(take, name):
    take.hide(name)
    trainer, _ = _trainer(take)
    control = TrainerControl()
    callbacks.StopWhereDone(trainer, {}).on_train_begin(trainer.args, TrainerState(global_step=4, max_steps=4), control)
    assert "_run_epoch" not in vars(trainer) and not control.should_training_stop


@case("transformers:Trainer._load_rng_state")
def _(take, name):
    take.away(Trainer, "_load_rng_state")
    trainer = types.SimpleNamespace(train_dataset=None, add_callback=lambda callback: None)
    callbacks.SavePlace(trainer, None)
    with take.error(name):
        callbacks.SavePlace(trainer, "checkpoint-3")


@case("transformers:Trainer.callback_handler")
def _(take, name):
    added = []
    logger = callbacks.LogMore(types.SimpleNamespace(add_callback=added.append))
    assert added == [logger]


@case("transformers:Trainer.save_model._internal_call")
def _(take, name):
    saved = []
    trainer = types.SimpleNamespace(
        args=types.SimpleNamespace(should_save=False, output_dir=str(take.folder)),
        is_world_process_zero=lambda: False,
        model=types.SimpleNamespace(config=types.SimpleNamespace()),
        evaluate=lambda: {"eval_loss": 1.0},
        save_model=lambda: saved.append(True),
        **dict.fromkeys(("save_metrics", "log_metrics", "save_state"), lambda *_: None),
    )
    assert finish.finish(trainer, {}, "title") == {"eval_loss": 1.0} and saved == [True]


# accelerate


@case("accelerate.commands.launch:_validate_launch_command")
def _(take, name):
    take.away(__import__("accelerate.commands.launch", fromlist=["_"]), name.partition(":")[2])
    for key in ("WORLD_SIZE", *launch._MPI):
        take.monkeypatch.delenv(key, raising=False)
    for key, value in {"MASTER_ADDR": "here", "MASTER_PORT": "1", "ACCELERATE_USE_CPU": "true"}.items():
        take.monkeypatch.setenv(key, value)
    take.monkeypatch.setenv(launch.COMMAND, "hf-procedural pretrain --num_processes 2")
    take.monkeypatch.setattr(os, "execv", lambda *_: pytest.fail("started"))
    launch.start_cpu_processes()
    take.logged("accelerate.commands.launch:_validate_launch_command")


@case("accelerate.commands.launch:launch_command_parser", "accelerate.commands.launch:launch_command")
def _(take, name):
    from pathlib import Path

    from hf_procedural.cli import launch as launcher

    take.away(__import__("accelerate.commands.launch", fromlist=["_"]), name.partition(":")[2])
    with take.error(name):
        launcher._launch("pretrain", Path("pretrain.py"), [])


@case("argparse:ArgumentParser._actions")
def _(take, name):
    take.hide(name)
    parser = Parser()
    parser.add_argument("--size")
    assert parser.parse_args(["--size", "3"]).size == "3"


# TRL


def _grpo_arguments(**more):
    config = types.SimpleNamespace()
    return types.SimpleNamespace(output_dir="run", accelerator_config=config, beta=0.0, patience=None, **more)


@case(
    "trl:GRPOTrainer._tokenize_prompts",
    "trl:GRPOTrainer._generate_single_turn",
    "trl:GRPOTrainer._generate",
    "trl:GRPOTrainer._generate_and_score_completions",
)
def _(take, name):
    from hf_procedural.rl import grpo

    take.away(grpo.GRPOTrainer, name.rpartition(".")[2])
    with take.error(name):
        grpo.GRPO(None, None, _grpo_arguments(), questions=[], measure=None, tokenizer=None)


@case("trl:GRPOTrainer._step")
def _(take, name):
    from hf_procedural.rl import grpo

    take.monkeypatch.setattr(grpo.GRPOTrainer, "__init__", lambda self, *given, **_: setattr(self, "args", given[2]))
    with take.error(name):
        grpo.GRPO(None, None, _grpo_arguments(dynamic_sampling_from=0), questions=[], measure=None, tokenizer=None)


@case("trl:GRPOTrainer._buffered_inputs")
def _(take, name):
    from hf_procedural.rl.reused import KeepCompletions

    args = types.SimpleNamespace(steps_per_generation=2, num_iterations=1, gradient_accumulation_steps=1)
    with take.error(name):
        KeepCompletions(types.SimpleNamespace(args=args, _step=0))


@case("trl:GRPOTrainer._metrics")
def _(take, name):
    from hf_procedural.rl import grpo

    accelerator = types.SimpleNamespace(reduce=lambda tensor: tensor, gather=lambda tensor: tensor)
    attributes = {"num_generations": 2, "accelerator": accelerator}
    attributes["processing_class"] = types.SimpleNamespace(pad_token_id=0)
    trainer = object.__new__(grpo.GRPO)
    vars(trainer).update(attributes)
    batch = {"advantages": torch.tensor([1.0, -1.0]), "completion_mask": torch.ones(2, 3)}
    merged = grpo.GRPO._with_mixed_groups(trainer, batch, 2)
    assert torch.equal(merged["advantages"], batch["advantages"]) and merged["num_items_in_batch"] == 6


@case("trl.trainer.grpo_trainer:create_model_from_path")
def _(take, name):
    from trl.trainer import grpo_trainer

    from hf_procedural.rl import grpo

    model = torch.nn.Linear(1, 1)
    with take.error(name), grpo._reference(model, wanted=True):
        pass  # TRL has loaded its own by another way
    before = grpo_trainer.create_model_from_path
    with grpo._reference(model, wanted=True):
        assert torch.equal(grpo_trainer.create_model_from_path("anything").weight, model.weight)
    assert grpo_trainer.create_model_from_path is before
    take.away(grpo_trainer, "create_model_from_path")
    with take.error(name), grpo._reference(model, wanted=True):
        pass
    with grpo._reference(model, wanted=False):
        pass


@case("inspect_ai._util.error:PrerequisiteError")
def _(take, name):
    pytest.importorskip("inspect_ai")
    from hf_procedural.environments import inspect

    take.hide(name)
    with pytest.raises(ValueError, match="rows must be at least 1"):
        inspect.evaluation(rows=0)


# Completions


@case(
    "transformers:PreTrainedModel._is_stateful",
    "transformers:GenerationMixin.init_continuous_batching",
    "transformers:ContinuousBatchingConfig",
)
def _(take, name):
    from hf_procedural.recycle import generation

    model = _model()
    take.monkeypatch.setattr(generation.importlib.util, "find_spec", lambda name: None)
    assert generation.choose_engine(model, None) == "continuous"
    take.hide(name)
    assert generation.choose_engine(model, None) == "padded"
    with pytest.raises(ValueError, match="^engine continuous does not know GPT2LMHeadModel: choose padded$"):
        generation.choose_engine(model, "continuous")


@case("transformers.generation.continuous_batching:ContinuousBatchingManager.background_thread_status")
def _(take, name):
    from hf_procedural.recycle import generation

    manager = types.SimpleNamespace(get_result=lambda timeout: None, is_running=lambda: False)
    for method in ("add_request", "start", "stop", "destroy"):
        setattr(manager, method, lambda *_, **__: None)
    model = _model()
    take.monkeypatch.setattr(model, "init_continuous_batching", lambda *_: manager)
    with pytest.raises(RuntimeError, match=r"^m: continuous batching failed \(None\); choose fewer cache_tokens"):
        generation._continuous(model, generation.Settings("m", "{text}"), [[1]], [2], (0,), lambda: None)


@case("multiprocessing.process:BaseProcess._identity")
def _(take, name):
    from hf_procedural.recycle import generation, rephrasing

    take.hide(name)
    take.monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    take.monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    take.monkeypatch.setattr(rephrasing, "Generator", lambda settings: settings)
    settings = generation.Settings("m", "{text}")
    assert rephrasing._generator.__wrapped__(settings) is settings and "CUDA_VISIBLE_DEVICES" not in os.environ


# datatrove


@case(
    "datatrove.executor:LocalPipelineExecutor.get_incomplete_ranks",
    "datatrove.executor:LocalPipelineExecutor.save_executor_as_json",
    "datatrove.executor:LocalPipelineExecutor._run_for_rank",
)
def _(take, name):
    from hf_procedural.shards import cluster

    runs = []
    take.monkeypatch.setattr(cluster.LocalPipelineExecutor, "run", lambda self: runs.append(self))
    take.hide(name)
    local = cluster.executor("local", [], take.folder, tasks=2, workers=None, options={})
    local.run()
    assert runs == [local]


@case("datatrove.executor:LocalPipelineExecutor.mark_rank_as_completed")
def _(take, name):
    from hf_procedural.shards import cluster

    done = [True, False]
    cluster.mark(take.folder, done)
    local = cluster.executor("local", [], take.folder, tasks=2, workers=None, options={})
    cluster.check_marks(local, done, take.folder)
    assert not take.caplog.records
    take.monkeypatch.setattr(upstream, "_checked", {})
    take.monkeypatch.setattr(local, "get_incomplete_ranks", lambda: [0, 1])
    cluster.check_marks(local, done, take.folder)
    take.logged(name)


@case("fasttext.FastText:_FastText.f")
def _(take, name):
    from hf_procedural.recycle import quality

    class Model:
        def predict(self, lines, k):
            return [["__label__hq"]] * len(lines), [[0.5]] * len(lines)

    model = Model()
    for _ in range(2):
        assert quality.scores(model, ["a"], "__label__hq").tolist() == [0.5]
    take.logged(name)


@case("datatrove.utils.logging:sys", "datatrove.utils.logging:setup_default_logger")
def _(take, name):
    import datatrove.utils.logging
    import loguru

    from hf_procedural.shards import cluster

    sinks = list(loguru.logger._core.handlers.values())
    take.away(datatrove.utils.logging, name.partition(":")[2])
    cluster.hide_logs()
    assert list(loguru.logger._core.handlers.values()) == sinks


@case("datatrove.pipeline.dedup:MinhashDedupCluster.save_cluster_id")
def _(take, name):
    from hf_procedural.recycle import duplicates

    assert duplicates._finds_copies()
    take.monkeypatch.setattr(duplicates.MinhashDedupCluster, "run", lambda self, *_: None)
    with take.error(name):
        duplicates.find(take.folder, 1)


# lm-eval


@case("lm_eval.api.task:Task._config")
def _(take, name):
    from hf_procedural.evaluation import as_rows

    take.monkeypatch.setattr(as_rows.HarnessTask, "config", property(lambda self: None))
    with take.error(name):
        as_rows.Rows("rows", [], 0)


@case("lm_eval.models.huggingface:HFLM._model_call")
def _(take, name):
    from hf_procedural.evaluation import checkpoints

    take.away(checkpoints.HFLM, "_model_call")
    take.monkeypatch.setattr(checkpoints.RowModel, "__init__", lambda *_, **__: pytest.fail("loaded"))
    tokenizer = types.SimpleNamespace(bos_token_id=0, eos_token_id=0, pad_token_id=0)
    checkpoint = types.SimpleNamespace(reads_text=False, recipe={}, tokenizer=tokenizer)
    with take.error(name):
        checkpoints.harness_model(checkpoint)


@case("lm_eval.api.samplers:ContextSampler.df", "lm_eval.api.samplers:ContextSampler.rnd")
def _(take, name):
    from hf_procedural.evaluation import core, suites

    label = next(label for label, dclm in suites.CORE.items() if dclm.by_category)
    core.core_config(label, "data", None)
    take.hide(name)
    with take.error(name):
        core.core_config(label, "data", None)


@case("lm_eval.utils:env")
def templates_in_a_sandbox(take, name):
    from hf_procedural.evaluation import yaml_tasks

    take.hide(name)
    with take.error(name), yaml_tasks.sandboxed(True):
        pass
    with yaml_tasks.sandboxed(False):  # which needs nothing
        pass


@case("lm_eval.evaluator:evaluate")
def _(take, name):
    from hf_procedural.evaluation import harness

    results = {"results": {"rows": {"loss/none": 1.0, "sample_len": 2}}, "versions": {}, "n-shot": {}}
    take.monkeypatch.setattr(harness, "_evaluated", lambda *_: results)
    with take.error(name):
        harness.figures(None, harness.Asked("rows", {"tasks": {"rows": None}}))


# numba


@case(
    "numba.core.caching:FunctionCache",
    "numba.core.caching:FunctionCache._impl_class",
    "numba.core.caching:CompileResultCacheImpl._locator_classes",
    "numba.core.dispatcher:Dispatcher._cache",
)
def _(take, name):
    plain = kernels.between.py_func
    kept = compiled.njit(nogil=True)(plain)
    assert kept.stats.cache_path
    for remembered in ("_cache_in", "_tell"):
        take.monkeypatch.setattr(compiled, remembered, getattr(compiled, remembered).__wrapped__)
    take.hide(name)
    anew = compiled.njit(nogil=True)(plain)
    take.logged(name)
    state = np.arange(4, dtype=np.uint64)
    assert anew.stats.cache_path is None and anew(state.copy(), 3, 9) == kept(state.copy(), 3, 9)


@case("numba.core.ccallback:CFunc")
def _(take, name):
    assert model_kernels.gelu_forward().address
    take.hide(name)
    take.monkeypatch.setattr(compiled, "_tell", compiled._tell.__wrapped__)
    x = torch.randn(40)
    expected = activation.gelu(x)
    take.monkeypatch.setattr(model_kernels, "gelu_forward", model_kernels.gelu_forward.__wrapped__)
    assert torch.equal(activation.gelu(x), expected)
    take.logged(name)


# bert-score


@case("bert_score.utils:bert_cos_score_idf")
def _(take, name):
    import bert_score.utils

    from hf_procedural.recycle import meaning

    scorer = object.__new__(meaning.BertScore)
    scorer.model = scorer.tokenizer = None
    good = torch.tensor([[0.5, 1.0, 2 / 3]])
    options = {"idf_dict": {}, "batch_size": 2, "device": "cpu"}
    take.monkeypatch.setattr(bert_score.utils, "bert_cos_score_idf", lambda model, refs, hyps, tokenizer, **_: good)
    assert scorer._f1(["a"], ["b"], **options) == pytest.approx([2 / 3])
    for changed in (
        lambda model, references, candidates, tokenizer, **_: good,
        lambda model, refs, hyps, tokenizer, **_: good.flip(1),
        lambda model, refs, hyps, tokenizer, **_: good[:, :2],
    ):
        take.monkeypatch.setattr(bert_score.utils, "bert_cos_score_idf", changed)
        with take.error(name):
            scorer._f1(["a"], ["b"], **options)
    take.away(bert_score.utils, "bert_cos_score_idf")
    with take.error(name):
        scorer._f1(["a"], ["b"], **options)

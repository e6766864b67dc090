"""The recipes as users run them: the YAMLs, the run folder, interruptions, several processes, mistakes."""

import dataclasses
import json
import re
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from accelerate.commands.config.config_args import load_config_from_file
from accelerate.commands.launch import launch_command_parser
from support import starting
from support.running import (
    CONFIGS,
    RECIPES,
    TESTS,
    error_of,
    history,
    kill_when,
    launch_two,
    made_once,
    run_here,
    same_weights,
)

import hf_procedural
from hf_procedural.data import blocks
from hf_procedural.data.tokenization import load_tokenizer
from hf_procedural.files import Loader
from hf_procedural.tasks import task_class
from hf_procedural.text import readers, tokenizers
from hf_procedural.training import arguments
from hf_procedural.training.stage_arguments import StageArguments

PRETRAIN = str(RECIPES / "pretrain.py")
MATHS = TESTS / "data" / "deepmind_math"
TINY = ["--size", "2_2_16", "--dropout", "0", "--learning_rate", "1e-2", "--eval_steps", "10", "--logging_steps", "10"]
SORT = [
    "--task",
    "sort-6",
    "--task_parameters",
    '{"vocab_size": 10}',
    "--train_size",
    "4096",
    "--validation_size",
    "64",
]


@pytest.fixture(scope="module")
def quickstart(tmp_path_factory):
    """The README's first command, in an empty folder."""

    def train(folder):
        command = ["accelerate", "launch", PRETRAIN, str(RECIPES / "configs" / "quickstart.yaml")]
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=500)
        assert done.returncode == 0, done.stderr[-2000:]
        (folder / "output.txt").write_text(done.stdout + done.stderr)

    folder = made_once(tmp_path_factory, "quickstart", train)
    return folder / "runs" / "quickstart", (folder / "output.txt").read_text()


def test_quickstart_learns_and_leaves_everything(quickstart):
    folder, output = quickstart
    results = json.loads((folder / "all_results.json").read_text())
    assert results["eval_answer_accuracy"] > 0.9
    accuracies = [accuracy for _, accuracy in history(folder, "eval_answer_accuracy")]
    assert accuracies[0] < 0.7 < accuracies[-1], "the accuracy should be seen to rise"
    names = ("model.safetensors", "tokenizer.json", "config.json", "recipe.yaml", "provenance.json", "training.png")
    assert all((folder / name).is_file() for name in names)
    assert (folder / "training.png").read_bytes().startswith(b"\x89PNG")
    (flops,) = re.findall(r"^ +flops +=\s+(\S+)$", output, re.MULTILINE)
    assert float(flops) == pytest.approx(results["total_flos"], rel=0.05), "no 0GF"
    assert "\nruns/quickstart has the model, its card and its curves; it answers: hf-procedural try runs/qui" in output
    assert set(json.loads((folder / "provenance.json").read_text())) >= {"versions", "seed", "dataset_fingerprints"}
    ours = output.partition("accelerate config`.")[2]  # what accelerate itself says before it starts us
    assert "arning" not in ours and "deprecat" not in ours.lower()


def test_saved_model_scores_the_same_without_this_package(quickstart, tmp_path):
    folder, _ = quickstart
    task = hf_procedural.task("sort-16", vocab_size=50)
    input_ids, labels = (rows[:1024] for rows in blocks.block(task, 42, "validation", 0))
    np.savez(tmp_path / "rows.npz", input_ids=input_ids, labels=labels)
    script = f"""
import sys
sys.modules["hf_procedural"] = None
import numpy, torch
from transformers import AutoModelForCausalLM, AutoTokenizer
rows = numpy.load({str(tmp_path / "rows.npz")!r})
model = AutoModelForCausalLM.from_pretrained({str(folder)!r}).eval()
tokenizer = AutoTokenizer.from_pretrained({str(folder)!r})
ids, labels = (torch.tensor(rows[name]).long() for name in ("input_ids", "labels"))
assert tokenizer(tokenizer.decode(ids[0]))["input_ids"] == ids[0].tolist()
with torch.no_grad():
    guesses = model(ids).logits[:, :-1].argmax(-1)
scored = labels[:, 1:] != -100
print((guesses == labels[:, 1:])[scored].double().mean().item(), model.config.use_cache)
"""
    done = starting.run("-c", script, check=True)
    accuracy, use_cache = done.stdout.split()
    expected = json.loads((folder / "all_results.json").read_text())["eval_answer_accuracy"]
    assert float(accuracy) == pytest.approx(expected, abs=1e-4)
    assert use_cache == "True"


@pytest.fixture(scope="module")
def texts(tmp_path_factory):
    """A folder with a data set of two splits, its text in the columns of those on the Hub, and a tokenizer."""
    folder = tmp_path_factory.mktemp("texts")
    texts = [f"Document {number}: {'over and ' * (number % 9)}out, {number**3}." for number in range(120)]
    for split in ("train", "validation"):
        (folder / f"{split}.jsonl").write_text("".join(json.dumps({"text": t, "content": t}) + "\n" for t in texts))
    tokenizers.train_tokenizer(texts, 300).save_pretrained(folder / "tokenizer")
    return folder


def scaled_down(content: dict, texts: Path) -> tuple[str, dict]:
    """The recipe of a YAML, and what makes it small and local."""
    batch = {"per_device_train_batch_size": 4, "per_device_eval_batch_size": 4}
    small = {"size": "1_2_8", "eval_steps": 1, "save_steps": 1} | batch
    if "dataset" not in content:
        small |= {"max_steps": 2, "validation_size": 8}
        if isinstance(content["task"], list):
            return "probe", small | {"init_from": ["scratch"], "seeds": [0], "num_proc": 1}
        lengths = {"length": 32, "width": 8, "steps": 3}
        parameters = {key: lengths.get(key, value) for key, value in content.get("task_parameters", {}).items()}
        if content["task"].startswith("rnn_language"):  # of 50,277 tokens, over which each place has logits
            parameters["length"] = 64
        return "pretrain", small | {"train_size": 64, "task_parameters": parameters, "gradient_accumulation_steps": 2}
    small |= {"sequence_length": 32, "max_tokens": 2 * 4 * 32 * content.get("gradient_accumulation_steps", 1)}
    if isinstance(content["dataset"], list):  # a mixture, of a vocabulary that is padded
        small |= {"dataset": [str(texts / f"{name}.jsonl") for name in ("train", "validation")]}
        small |= {"use_cpu": True, "attn_implementation": "sdpa"}  # in bf16, which ours does not take on a CPU
        small |= {"gradient_accumulation_steps": 1, "max_tokens": 2 * 4 * 32}
        return "semantic", small | {"tokenizer": str(texts / "tokenizer"), "validation_size": 4}
    if content["dataset"] in readers.CORPORA:
        return "semantic", small | {"limit": 20, "tokenizer_size": 300, "validation_size": 4}
    if "tokenizer" not in content:
        maths = {"sequence_length": 256, "max_tokens": 2 * 4 * 256, "validation_problems": 1, "greedy": False}
        return "semantic", small | maths | {"dataset": str(MATHS)}
    small |= {"tokenizer": str(texts / "tokenizer"), "dataset": str(texts), "validation_size": 4}
    if "dataset_config" in content:
        small["dataset_config"] = None
    if "first" in content:  # of which rows are longer than these
        small |= {"first_tokens": 40, "validation_size": 16}
    if "validation_dataset" in content:
        small |= {"dataset": str(texts / "train.jsonl"), "validation_dataset": str(texts / "validation.jsonl")}
    return "semantic", small


@pytest.mark.parametrize("config", CONFIGS, ids=lambda path: path.stem)
def test_every_yaml_trains(config, texts, monkeypatch, tmp_path):
    content = yaml.load(config.read_text(), Loader)
    recipe, small = scaled_down(content, texts)
    small["output_dir"] = str(tmp_path / "run")
    (tmp_path / "small.yaml").write_text(yaml.safe_dump(content | small))
    run_here(monkeypatch, recipe, tmp_path / "small.yaml")

    used = yaml.load((tmp_path / "run" / "recipe.yaml").read_text(), Loader)
    defaults = {field.name: field.default for field in dataclasses.fields(StageArguments)}
    published = {key: value for key, value in content.items() if key not in small}
    assert published == {key: used.get(key, defaults.get(key)) for key in published}
    (run,) = [path.parent for path in (tmp_path / "run").rglob("all_results.json")]
    results = json.loads((run / "all_results.json").read_text())
    assert results["eval_loss"] > 0 and (run / "checkpoint-2").is_dir()
    assert "eval_bits_per_byte" in results or 0 <= results["eval_answer_accuracy"] <= 1


@pytest.mark.parametrize(("size", "parameters"), [("400m", 411_622_400), ("1_4b", 1_439_801_344)])
def test_models_of_repro_have_their_size(size, parameters, texts):
    """As DCLM's but for the norms, of rows that predict 2,048 tokens each."""
    text = (RECIPES / "configs" / f"recycle_{size}.yaml").read_text()
    content = yaml.load(text, Loader)
    fields = {field.name for field in dataclasses.fields(arguments.ModelArguments)}
    model_args = arguments.ModelArguments(**{key: value for key, value in content.items() if key in fields})
    with torch.device("meta"):
        model = model_args.build(load_tokenizer(str(texts / "tokenizer")), content["sequence_length"])
    assert model.num_parameters() == parameters and f"{parameters:,} parameters" in text
    assert (content["sequence_length"], model.config.max_position_embeddings) == (2_049, 2_048)
    assert not model.config.tie_word_embeddings and model.model.layers[0].self_attn.q_norm.weight.shape == (128,)


def test_there_is_a_yaml_for_every_task():
    contents = {config.stem: yaml.load(config.read_text(), Loader) for config in CONFIGS}
    named = [content["task"] for content in contents.values() if "task" in content]
    tasks = [task for name in named for task in (name if isinstance(name, list) else [name])]
    families = {task_class(task.split("-")[0]).__module__ for task in tasks}
    assert families == {task_class(name).__module__ for name in hf_procedural.list_tasks()}
    assert any("+" in task for task in tasks)
    texts = {stem for stem, content in contents.items() if "dataset" in content}
    assert texts >= {"c4", "codeparrot", "deepmind_math", "wikitext", *readers.CORPORA}


@pytest.mark.parametrize("config", sorted((RECIPES / "accelerate").glob("*.yaml")), ids=lambda path: path.stem)
def test_accelerate_knows_every_key_of_its_yamls(config):
    loaded = load_config_from_file(str(config))  # raises for unknown keys
    flags = {action.dest for action in launch_command_parser()._actions}
    assert {*loaded.fsdp_config, *loaded.deepspeed_config} <= flags
    assert loaded.mixed_precision == "bf16" and not loaded.use_cpu


@pytest.mark.parametrize(
    "extra",
    [
        [],
        ["--streaming", "true", "--dropout", "0.1", "--patience", "4"],
        ["--curriculum", "true", "--curriculum_threshold", "0.25", "--dataloader_num_workers", "2"],
    ],
    ids=["cached", "streaming", "curriculum"],
)
def test_killed_and_resumed_run_ends_with_the_same_weights(extra, monkeypatch, tmp_path):
    words = [*SORT, *TINY, "--max_steps", "80", "--save_steps", "10", "--per_device_train_batch_size", "16", *extra]
    run_here(monkeypatch, "pretrain", *words, "--output_dir", tmp_path / "whole")
    words += ["--output_dir", tmp_path / "killed"]
    kill_when(tmp_path / "killed" / "checkpoint-20" / "trainer_state.json", "pretrain", *words)
    assert not (tmp_path / "killed" / "model.safetensors").exists(), "killed in another place"
    run_here(monkeypatch, "pretrain", *words, "--resume_from_checkpoint", "true")
    assert same_weights(tmp_path / "whole", tmp_path / "killed")
    for key in ("eval_answer_accuracy", "eval_curriculum_length"):
        assert history(tmp_path / "whole", key) == history(tmp_path / "killed", key)
    if "--curriculum" in extra:
        lengths = [length for _, length in history(tmp_path / "whole", "eval_curriculum_length")]
        assert lengths[0] == 2 and lengths == sorted(lengths) and lengths[-1] == 6


def test_a_run_that_is_done_is_resumed_without_a_step(monkeypatch, tmp_path):
    words = [*SORT, *TINY, "--max_steps", "4", "--save_steps", "4", "--lr_scheduler_type", "constant"]
    run_here(monkeypatch, "pretrain", *words, "--output_dir", tmp_path / "run")
    shutil.copytree(tmp_path / "run", tmp_path / "before")
    run_here(monkeypatch, "pretrain", *words, "--output_dir", tmp_path / "run", "--resume_from_checkpoint", "true")
    assert same_weights(tmp_path / "run", tmp_path / "before")
    for name in ("train_results.json", "all_results.json"):
        done, again = (json.loads((tmp_path / folder / name).read_text()) for folder in ("before", "run"))
        assert done["train_loss"] == again["train_loss"] and done.keys() == again.keys()
    assert json.loads((tmp_path / "run" / "trainer_state.json").read_text())["global_step"] == 4
    assert history(tmp_path / "run", "train_loss") == history(tmp_path / "before", "train_loss")


def test_two_processes_follow_one_with_twice_the_batch(monkeypatch, tmp_path):
    words = [*SORT, *TINY, "--max_steps", "20", "--use_cpu", "true", "--streaming", "true"]
    run_here(monkeypatch, "pretrain", *words, "--per_device_train_batch_size", "32", "--output_dir", tmp_path / "one")
    launch_two("pretrain", *words, "--per_device_train_batch_size", "16", "--output_dir", tmp_path / "two")
    one, two = (dict(history(tmp_path / name, "loss")) for name in ("one", "two"))
    assert one.keys() == two.keys() and len(one) == 2
    assert [two[step] for step in one] == pytest.approx(list(one.values()), abs=1e-4)


def test_patience_stops_early(monkeypatch, tmp_path):
    words = [
        *SORT,
        *TINY,
        "--max_steps",
        "200",
        "--learning_rate",
        "0",
        "--patience",
        "2",
        "--report_to",
        "tensorboard",
    ]
    run_here(monkeypatch, "pretrain", *words, "--output_dir", tmp_path / "run")
    assert history(tmp_path / "run", "eval_answer_accuracy")[-1][0] == 30  # one evaluation sets the best, two repeat it
    assert list((tmp_path / "run").rglob("events.out.tfevents.*"))


def test_schedules_have_their_shape(monkeypatch, tmp_path):
    floor = ["--lr_scheduler_type", "cosine_with_min_lr", "--lr_scheduler_kwargs", '{"min_lr_rate": 0.1}']
    words = [*SORT, *TINY, *floor, "--max_steps", "40", "--logging_steps", "1", "--warmup_steps", "4"]
    run_here(monkeypatch, "pretrain", *words, "--output_dir", tmp_path / "run")
    rates = [rate for _, rate in history(tmp_path / "run", "learning_rate")]
    assert rates[0] == 0 and max(rates) == pytest.approx(1e-2) and rates[-1] == pytest.approx(1e-3, rel=0.05)


@pytest.fixture
def folder(monkeypatch, tmp_path):
    """A working folder with what a user may trip over."""
    monkeypatch.chdir(tmp_path)
    Path("misspelt.yaml").write_text("task: sort-4\nlearning_rte: 1e-3\n")
    Path("broken.yaml").write_text("task: [sort-4\n")
    Path("words.yaml").write_text("just words\n")
    Path("file").write_text("x")
    Path("full").mkdir()
    Path("full/precious.txt").write_text("x")
    Path("other/checkpoint-5").mkdir(parents=True)
    Path("other/checkpoint-5/trainer_state.json").write_text('{"global_step": 5, "log_history": []}')
    Path("null.yaml").write_text("task: sort-4\ntrain_size: null\n")
    Path("list.yaml").write_text("task: sort-4\nmax_steps: [1]\n")
    Path("twice.yaml").write_text("task: sort-4\nseed: 1\nseed: 2\n")
    Path("alone/checkpoint-5").mkdir(parents=True)
    Path("alone/checkpoint-5/trainer_state.json").write_text("{}")
    Path("other/recipe.yaml").write_text("task: reverse-4\nsize: 2_4_16\n")
    return tmp_path


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], "task is missing"),
        (["--task", "srot-64"], "unknown task 'srot': did you mean sort"),
        (["--task", "sort-0"], "length must be an integer >= 1, got 0"),
        (["--task", "sort--3"], "length must be an integer >= 1, got -3"),
        (["--task", "sort-many"], "must be an integer, as in sort-64, got 'many'"),
        (["--task", "sort-4", "--task_parameters", '{"vocab_size": 1}'], "vocab_size must be an integer in 2.."),
        (["--task", "sort-4", "--task_parameters", "{oops"], "task_parameters must be JSON"),
        (["--task", "dyck-4", "--task_parameters", '{"p_open": 1.5}'], "p_open must be a number in 0..1, got 1.5"),
        (["--task", "dyck-4", "--task_parameters", '{"max_depth": 0}'], "max_depth must be an integer >= 1"),
        (["--task", "sort-4+set-4", "--task_parameters", '{"weights": [1]}'], "weights must be 2 positive numbers"),
        (["--task", "sort-4", "--train_size", "0"], "train_size must be at least 1, got 0"),
        (["--task", "sort-4", "--learnin_rate", "1"], "unknown argument --learnin_rate: did you mean --learning_rate?"),
        (["--task", "sort-4", "--max_steps", "many"], "invalid int value: 'many'"),
        (["misspelt.yaml"], "unknown key 'learning_rte': did you mean learning_rate?"),
        (["broken.yaml"], "broken.yaml is not valid YAML"),
        (["words.yaml"], "must hold keys and values"),
        (["mispelt.yaml"], "no configuration file mispelt.yaml: did you mean misspelt.yaml?"),
        (["--task", "sort-4", "--output_dir", "file"], "output_dir file is a file"),
        (["--task", "sort-4", "--output_dir", "full"], "output_dir full is not empty"),
        (["--task", "sort-4", "--output_dir", "full", "--resume_from_checkpoint", "true"], "no checkpoint to resume"),
        (["--task", "sort-4", "--output_dir", "other", "--resume_from_checkpoint", "true"], "task 'reverse-4', not"),
        (["--task", "sort-4", "--resume_from_checkpoint", "nowhere"], "nowhere is not a checkpoint-N folder"),
        (["--task", "sort-4", "--resume_from_checkpoint", "alone/checkpoint-5"], "has no recipe.yaml beside it"),
        (
            ["--task", "reverse-4", "--output_dir", "full", "--resume_from_checkpoint", "other/checkpoint-5"],
            "output_dir full is not empty",
        ),
        (["--task", "sort-4", "misspelt.yaml"], "misspelt.yaml: the YAML comes first"),
        (["null.yaml"], "train_size must be a single value, got None"),
        (["list.yaml"], "max_steps must be a single value, got [1]"),
        (["twice.yaml"], "the key 'seed' stands twice"),
        (["--task", "sort-4", "--lr_scheduler_type", "cosine_with_min_lr"], "lr_scheduler_kwargs"),
        (["--task", "sort-4", "--patience", "2", "--eval_strategy", "no"], "patience: there is nothing to wait for"),
        (["--task", "sort-4", "--per_device_train_batch_size", "0"], "per_device_train_batch_size must be at least 1"),
        (["--task", "sort-4", "--learning_rate", "-1"], "learning_rate must be at least 0"),
        (["--task", "sort-4", "--metric_for_best_model", "f1"], "metric_for_best_model must be one of"),
        (["--task", "sort-4", "--size", "2_3_16"], "multiple of the heads"),
        (["--task", "sort-4", "--size", "small"], "size must be layers_heads_width"),
        (["--task", "sort-4", "--model_type", "gpt22"], "did you mean gpt2"),
        (["--task", "sort-4", "--model_overrides", '{"n_innner": 3}'], "no configuration field 'n_innner'"),
        (["--task", "sort-4", "--context_length", "3"], "context_length must be at least the row length 9, got 3"),
        (["--task", "sort-4", "--dropout", "1"], "dropout must be at least 0 and below 1, got 1.0"),
        (["--task", "eca-110", "--curriculum", "true"], "has no parameter length"),
        (["--task", "mqar-4", "--curriculum", "true"], "curriculum: mqar-4 must be given its length"),
        (["--task", "sort-4", "--curriculum", "true", "--curriculum_start", "9"], "curriculum_start must be in 1..4"),
        (
            ["--task", "sort-4", "--train_size", str(10**17)],
            "train_size 100,000,000,000,000,000: Not enough disk space",
        ),
        (["--task", "sort-4", "--train_size", str(10**17), "--streaming"], "num_train_epochs 3 of 100,000,000,000,000"),
        (["--task", "sort-1", "--task_parameters", '{"vocab_size": 3}'], "too few distinct prompts"),
    ],
    ids=lambda value: "_".join(value)[-50:] if isinstance(value, list) else "",
)
def test_a_mistake_ends_with_one_line_and_changes_nothing(words, message, folder, monkeypatch, capsys):
    assert message in error_of(monkeypatch, capsys, folder, "pretrain", *words)


def test_help_teaches(monkeypatch, capsys):
    with pytest.raises(SystemExit) as exit_:
        run_here(monkeypatch, "pretrain", "--help")
    text = capsys.readouterr().out
    assert exit_.value.code == 0
    for word in ("accelerate launch recipes/pretrain.py", "--task", "--size", "--curriculum", "--learning_rate"):
        assert word in text


def test_saved_recipe_is_a_configuration(quickstart, monkeypatch, tmp_path):
    folder, _ = quickstart
    words = ["--max_steps", "2", "--train_size", "256", "--validation_size", "16", "--eval_steps", "1"]
    run_here(monkeypatch, "pretrain", folder / "recipe.yaml", *words, "--output_dir", tmp_path / "again")
    again = yaml.load((tmp_path / "again" / "recipe.yaml").read_text(), Loader)
    first = yaml.load((folder / "recipe.yaml").read_text(), Loader)
    assert {key for key in first if first[key] != again.get(key)} == {
        "max_steps",
        "train_size",
        "validation_size",
        "eval_steps",
        "output_dir",
    }


def test_a_short_run_logs_ten_times_where_nobody_says_how_often(monkeypatch, tmp_path):
    words = ["--task", "sort-4", "--size", "1_1_8", "--streaming", "--validation_size", 8, "--disable_tqdm", "true"]
    words += ["--max_steps", 20]
    (tmp_path / "50.yaml").write_text("logging_steps: 50")
    run_here(monkeypatch, "pretrain", *words, "--output_dir", tmp_path / "own")
    assert [step for step, _ in history(tmp_path / "own", "loss")] == list(range(2, 21, 2))
    assert "logging_steps" not in yaml.safe_load((tmp_path / "own/recipe.yaml").read_text())
    run_here(monkeypatch, "pretrain", *words, "--output_dir", tmp_path / "flag", "--logging-steps", 50)
    run_here(monkeypatch, "pretrain", tmp_path / "50.yaml", *words, "--output_dir", tmp_path / "yaml")
    run_here(monkeypatch, "pretrain", tmp_path / "flag/recipe.yaml", "--output_dir", tmp_path / "again")
    assert [history(tmp_path / name, "loss") for name in ("flag", "yaml", "again")] == [[], [], []]
    state = json.loads((tmp_path / "own/trainer_state.json").read_text())
    assert state["logging_steps"] == 50, "a run that goes on has its own"

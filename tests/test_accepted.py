"""Numbers of arguments: what each takes, in every recipe and command, and the line about those that it does not."""

import dataclasses
import json
import math
import types

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from support.arguments import NEEDED, OF_DATACLASSES, options, read
from support.running import RECIPES

from hf_procedural import accepted, cli
from hf_procedural.errors import Parser
from hf_procedural.files import read_mapping
from hf_procedural.models.words import parse_sources
from hf_procedural.training import begin, catalogue, declared, parser

# Of each argument of the Trainer that is a number: some that it takes, some that it does not.
TRAINERS = {
    "per_device_train_batch_size": ("1 8 4096", "0 -1 1000000000000 100000000000000000000"),
    "per_device_eval_batch_size": ("1 8 4096", "0 -1 1000000000000"),
    "gradient_accumulation_steps": ("1 128", "0 -1 1000000000"),
    "num_train_epochs": ("0.5 3 1000", "0 -1 nan inf 1e30"),
    "max_steps": ("-1 1 1000000000", "0 -2 10000000000000"),
    "learning_rate": ("0 5e-5 1", "-1 nan inf -inf 1e39"),
    "warmup_steps": ("0 0.1 1 1e3", "-1 1.5 nan inf 1e30"),
    "weight_decay": ("0 0.1", "-0.1 nan inf"),
    "adam_beta1": ("0 0.9 0.999", "1 2 -1 nan inf"),
    "adam_beta2": ("0 0.95", "1 2 -1 nan inf"),
    "adam_epsilon": ("0 1e-8", "-1 nan inf"),
    "max_grad_norm": ("0 1 inf", "-1 nan -inf"),
    "label_smoothing_factor": ("0 0.1 1", "5 -1 nan inf"),
    "neftune_noise_alpha": ("0 5", "-1 nan inf"),
    "torch_empty_cache_steps": ("1", "0 -1"),
    "logging_steps": ("1 50 0.1", "0 -1 1.5 nan inf"),
    "eval_steps": ("1 500 0.1", "0 -1 1.5 nan inf"),
    "save_steps": ("1 500 0.1", "0 -1 1.5 nan inf"),
    "eval_delay": ("0 0.5 100", "-1 nan inf"),
    "eval_accumulation_steps": ("1", "0 -1"),
    "save_total_limit": ("1 5", "0 -1"),
    "seed": ("0 42 4294967295", "-1 4294967296"),
    "data_seed": ("0 4294967296", "-1 100000000000000000000"),
    "dataloader_num_workers": ("0 8", "-1 1000000000000000000"),
    "dataloader_prefetch_factor": ("2", "0 -1 1000000000000000000"),
    "ddp_bucket_cap_mb": ("25", "0 -1 1000000000000"),
    "ddp_timeout": ("1800", "0 -1 1000000000000"),
    "local_rank": ("-1 0", "-2 1000000000000"),
}
GRPOS = {
    "num_generations": ("2 8", "1 0 -1"),
    "temperature": ("0.1 1", "0 -1 nan inf"),
    "top_p": ("0.9 1", "0 1.1 nan"),
    "top_k": ("0 50", "-1"),
    "min_p": ("0 0.1", "-0.1 1.5 nan"),
    "repetition_penalty": ("1 1.1", "0 -1 nan"),
    "beta": ("0 0.04", "-1 nan inf"),
    "epsilon": ("0.2", "-1 nan inf"),
    "delta": ("4", "0 nan inf"),
    "num_iterations": ("1 2", "0"),
    "vllm_gpu_memory_utilization": ("0.3 1", "0 1.5 nan"),
    "vllm_server_port": ("8000", "0 70000"),
    "ref_model_mixup_alpha": ("0 0.6 1", "2 nan"),
    "top_entropy_quantile": ("0.2 1", "2 -1 nan"),
    "reward_weights": ("1", "nan inf 1e9"),
    "entropy_coef": ("-0.1 0", "nan inf"),
    "max_completion_length": ("256", "0 -1"),
}
OURS = {
    ("pretrain", "train_size"): ("1 1000000000000", "0 -1"),
    ("pretrain", "validation_size"): ("1", "0 -1"),
    ("pretrain", "dropout"): ("0 0.1", "1 -1 nan"),
    ("pretrain", "patience"): ("1", "0 -1"),
    ("pretrain", "curriculum_threshold"): ("0.99 1", "2 nan"),
    ("probe", "seeds"): ("0 1", "-1 4294967296"),
    ("probe", "num_proc"): ("1", "0 100000"),
    ("semantic", "z_loss"): ("0 1e-4", "-1 nan inf"),
    ("semantic", "max_tokens"): ("1", "0 100000000000000000000"),
    ("semantic", "sequence_length"): ("2 1024", "1 100000000000"),
    ("semantic", "weights"): ("1", "0 nan inf"),
    ("rpt_prepare", "validation_size"): ("0 3", "-1"),
    ("rpt_prepare", "min_entropy"): ("0 1.5", "-1 nan inf"),
    ("recycle_train", "limit"): ("2", "1 0"),
    ("recycle_train", "judge_timeout"): ("0.5", "0 nan inf"),
    ("recycle_train", "below_score"): ("", "nan inf"),
    ("recycle_rephrase", "temperature"): ("0 1", "-1 nan inf"),
    ("recycle_rephrase", "top_p"): ("1", "0 2 nan"),
    ("recycle_classifier", "validation_size"): ("0.1", "0 1 nan"),
    ("recycle_classifier", "lr"): ("0.1", "0 -1 nan inf"),
    ("recycle_classifier", "seed"): ("0", "-1 2147483648"),
    ("recycle_filter", "threshold"): ("0 1.0001", "-1 1.1 nan"),
    ("recycle_filter", "keep_top"): ("0.1 1", "0 1.1 nan"),
    ("recycle_report", "meaning_threshold"): ("0 1", "2 nan"),
    ("run_suite", "batch_size"): ("1", "0 1000000000000"),
}
CASES = {("pretrain", name): values for name, values in TRAINERS.items()}
CASES |= {("rlvr", name): values for name, values in GRPOS.items()} | OURS
ALSO = {"dataloader_prefetch_factor": ["--dataloader_num_workers", "1"]}  # what a good value asks for, too
# Numbers of ours of which others say more: see ModelArguments and FilterArguments; scores of a judge may be anything.
WITHOUT_RANGE = {"num_hidden_layers", "num_attention_heads", "hidden_size", "below_score"}


def line_of(capsys, recipe: str, *words) -> str:
    """The one line with which a recipe refuses its words."""
    with pytest.raises(SystemExit) as exit_:
        read(recipe, *words)
    (line,) = capsys.readouterr().err.splitlines()
    assert exit_.value.code == 2
    return line.partition(": error: ")[2]


@pytest.mark.parametrize(("recipe", "name"), CASES)
def test_numbers_that_are_taken_and_that_are_not(recipe, name, capsys, tmp_path):
    good, bad = map(str.split, CASES[recipe, name])
    kind = options(recipe)[name]["type"]
    for value in good:
        taken = read(recipe, *NEEDED[recipe].split(), *ALSO.get(name, []), f"--{name}={value}")[name]
        assert (taken[0] if isinstance(taken, list) else taken) == kind(value)
    for value in bad:
        line = line_of(capsys, recipe, *NEEDED[recipe].split(), f"--{name}={value}")
        assert line.startswith(f"{name} must be ") and line.endswith(f", got {kind(value)}"), line
        file = tmp_path / "some.yaml"
        file.write_text(yaml.safe_dump({name: kind(value)}))
        assert line_of(capsys, recipe, file, *NEEDED[recipe].split()) == line


def numbers(kind: type, names=OF_DATACLASSES) -> list[tuple[str, str]]:
    return [(recipe, name) for recipe in names for name, option in options(recipe).items() if option["type"] is kind]


@given(st.sampled_from(numbers(float)), st.sampled_from(["nan", "NaN", "-nan", "+NAN", " nan"]))
@settings(max_examples=60, deadline=None)
def test_no_float_of_any_recipe_takes_nan(argument, word):
    recipe, name = argument
    with pytest.raises(SystemExit) as exit_:
        read(recipe, *NEEDED[recipe].split(), f"--{name}={word}")
    assert exit_.value.code == 2


@pytest.mark.parametrize("recipe", OF_DATACLASSES)
def test_infinity_is_taken_where_it_has_a_meaning_alone_and_no_number_is_without_end(recipe, capsys):
    for name in (name for _, name in numbers(float, [recipe]) if name != "max_grad_norm"):
        for word in ("inf", "-inf"):
            assert f"{name} must be " in line_of(capsys, recipe, *NEEDED[recipe].split(), f"--{name}={word}")
    for _, name in numbers(int, [recipe]):
        assert f"{name} must be " in line_of(capsys, recipe, *NEEDED[recipe].split(), f"--{name}={10**20}")


@pytest.mark.parametrize("recipe", OF_DATACLASSES)
def test_each_number_of_ours_says_what_it_accepts(recipe):
    library = {field.name for field in dataclasses.fields(declared.stand_in("trl", "GRPOConfig"))}
    numeric = {name for kind in (int, float) for _, name in numbers(kind, [recipe])}
    assert numeric - library - WITHOUT_RANGE <= accepted.ACCEPTED.keys()
    for name in numeric & accepted.ACCEPTED.keys():
        assert "It must be " in options(recipe)[name]["help"]


def test_a_number_that_the_table_does_not_know_is_finite_and_fits():
    @dataclasses.dataclass
    class New:
        rate: float = 1.0
        rates: list[float] = dataclasses.field(default_factory=list)
        count: int | None = None
        free: dict | str | None = None

    def read_new(*words):
        (new,) = parser._RecipeParser("", [New]).read(list(words))
        return new

    assert read_new("--rate=-1e30", "--rates", "1", "2", "--count=-3", '--free={"a": [1e400]}') == New(
        -1e30, [1.0, 2.0], -3, '{"a": [1e400]}'
    )
    for words in (["--rate=nan"], ["--rate=inf"], ["--rate=1e39"], ["--rates", "1", "nan"], [f"--count={2**63}"]):
        with pytest.raises(SystemExit):
            read_new(*words)
    with pytest.raises(ValueError, match="free holds a nan"):
        read_new('--free={"a": [1, {"b": NaN}]}')


@pytest.mark.parametrize("config", sorted((RECIPES / "configs").glob("*.yaml")), ids=lambda file: file.stem)
def test_the_settings_that_come_with_the_recipes_are_taken(config):
    name = catalogue.FILES[catalogue.recipe_of(config)].removesuffix(".py")
    content = read_mapping(config)
    content.pop("use_vllm", None)  # which is not installed here
    missing = [word for word in NEEDED[name].split("--")[1:] if word.split()[0] not in content]
    words = [part for word in missing for part in f"--{word}".split()]
    if "use_vllm" in options(name):
        words += ["--use_vllm", "false"]
    taken = read(name, config, *words)
    for key, value in content.items():
        if isinstance(value, int | float):
            assert taken[key] == value


LISTS = {
    "report_to: [[none]]": "report_to must be a list of single values, got [['none']]",
    "report_to: {none: 1}": "report_to must be a single value, got {'none': 1}",
    "task: {sort: 4}": "task must be a single value, got {'sort': 4}",
    "task_parameters: {1: 2}": "task_parameters must be a mapping of names to values, got {1: 2}",
    "task_parameters: {vocab_size: .nan}": "task_parameters holds a nan, which is no number: {'vocab_size': nan}",
    "model_overrides: {a: [.nan]}": "model_overrides holds a nan, which is no number: [nan]",
    "learning_rate: [1]": "learning_rate must be a single value, got [1]",
    "learning_rate: fast": "argument --learning_rate: invalid float value: 'fast' (it must be at least 0)",
    "max_steps: 1.5": "argument --max_steps: invalid int value: '1.5' (it must be a whole number, at least 1, or -1 "
    "for none)",
    "transfer: [[attn]]": "transfer must be a list of single values, got [['attn']]",
    "label_names: [answers]": "label_names must be among labels, got 'answers'",
    "label_names: []": "label_names must be labels, got none: leave it out",
    "include_for_metrics: [loss, answers]": "include_for_metrics must be among inputs, loss, got 'answers'",
    "accelerator_config: {split_batch: true}": "accelerator_config: unknown key 'split_batch': did you mean "
    "split_batches? (keys: split_batches, ",
    """accelerator_config: '{"a": 1}'""": "accelerator_config: unknown key 'a' (keys: split_batches, ",
    "accelerator_config: {split_batches: 1}": "accelerator_config: split_batches must be true or false, got 1",
    "accelerator_config: none.json": "accelerator_config must be JSON such as '{\"key\": 1}' or a file that holds it, "
    "got 'none.json'",
    "accelerator_config: {even_batches: null}": "accelerator_config: even_batches must be true or false, got None",
    "accelerator_config: {gradient_accumulation_kwargs: 3}": "accelerator_config: gradient_accumulation_kwargs must be "
    "a mapping",
    "accelerator_config: {gradient_accumulation_kwargs: {num_steps: 0}}": "accelerator_config: "
    "gradient_accumulation_kwargs: num_steps must be at least 1, got 0",
    "dataloader_persistent_workers: true": "dataloader_persistent_workers: there are none to keep",
    "eval_do_concat_batches: false": "eval_do_concat_batches must stay true, got false",
    "metric_for_best_model: ''": "metric_for_best_model must be one of loss, answer_accuracy, exact_match, got ''",
    "optim: sgd\noptim_args: momentun=0.9": "optim_args momentun=0.9: sgd has momentum, dampening, weight_decay, "
    "nesterov: did you mean momentum?",
    "optim: sgd\noptim_args: momentum=5": "optim_args momentum=5: momentum must be at least 0 and below 1, got 5.0",
    "optim: sgd\noptim_args: momentum=fast": "optim_args momentum=fast: momentum must be a number, as 0.0",
    "optim: sgd\noptim_args: nesterov=maybe": "optim_args nesterov=maybe: nesterov must be true or false",
    "optim: muon\noptim_args: ns_steps=0": "optim_args ns_steps=0: ns_steps must be at least 1 and below 100, got 0",
    "optim: muon\noptim_args: adamw_lr=inf": "optim_args adamw_lr=inf: adamw_lr must be at least 0 and at most 3",
    "lr_scheduler_kwargs: fast": "lr_scheduler_kwargs must be JSON such as",
    "lr_scheduler_kwargs: 'false'": "lr_scheduler_kwargs must be a mapping of names to values, got False",
    "optim: sgd\noptim_args: fast": "optim_args must be key=value, or several with commas between, got 'fast'",
    "do_train: false": "do_train must stay true, got false",
    "do_eval: false": "do_eval must stay true, got false",
    "do_predict: true": "do_predict must stay false, got true",
    "prediction_loss_only: true": "prediction_loss_only must stay false, got true",
    "output_dir: ''": "output_dir is empty: name a folder, or leave it out",
    "output_dir: '  '": "output_dir is empty: give a value, or leave it out",
    "run_name: ' '": "run_name is empty: give a value, or leave it out",
    "model_overrides: [1]": "model_overrides must be a mapping of names to values, got [1]",
    "optim_target_modules: [q_proj]": "optim_target_modules, the layers to train at low rank (such as all-linear), go "
    "with optim galore_... and apollo_...: got ['q_proj'] with adamw_torch_fused",
    "transfer: [attn, '']": "transfer holds a value that is empty: leave it out",
    "eval_strategy: often": "argument --eval_strategy: invalid choice: 'often'",
    "include_num_input_tokens_seen: some": "argument --include_num_input_tokens_seen: invalid choice: 'some'",
}


@pytest.mark.parametrize("text", LISTS)
def test_values_that_are_no_numbers(text, tmp_path, capsys):
    file = tmp_path / "some.yaml"
    file.write_text(text)
    words = [] if text.startswith("task:") else ["--task", "sort-4"]
    line = line_of(capsys, "pretrain", file, *words)
    assert line.removeprefix(f"{file}: ").startswith(LISTS[text]), line


@pytest.mark.parametrize("text", ["model_overrides: &all {all: *all}", "dataset: &all [*all]"])
def test_a_value_that_holds_itself(text, tmp_path, capsys):
    file = tmp_path / "some.yaml"
    file.write_text(text)
    assert line_of(capsys, "semantic", file) == f"{file} is not valid YAML: a value holds itself"


@pytest.mark.parametrize("name", ["loss_type", "scale_rewards", "vllm_mode", "importance_sampling_level"])
def test_words_of_grpo_are_those_of_its_help(name, capsys):
    words = NEEDED["rlvr"].split()
    assert read("rlvr", *words)[name] == options("rlvr")[name]["default"]
    line = line_of(capsys, "rlvr", *words, f"--{name}=best")
    assert line.startswith(f"{name} must be one of ") and line.endswith(", got 'best'")
    assert f" {options('rlvr')[name]['default']}" in line and len(line) < 150


@pytest.mark.parametrize("recipe", ["rlvr", "rpt", "recycle_train"])
@pytest.mark.parametrize(("given", "read_as"), [("true", "group"), ("False", "none"), ("batch", "batch")])
def test_rewards_are_scaled_as_trls_documentation_says_it(recipe, given, read_as, tmp_path):
    assert read(recipe, *NEEDED[recipe].split(), f"--scale_rewards={given}")["scale_rewards"] == read_as
    file = tmp_path / "some.yaml"
    file.write_text(f"scale_rewards: {given}")
    assert read(recipe, file, *NEEDED[recipe].split())["scale_rewards"] == read_as


def test_a_mapping_alone_is_json_on_the_command_line(capsys):
    words = [*NEEDED["pretrain"].split(), "--liger_kernel_config"]
    assert read("pretrain", *words, '{"rope": true}')["liger_kernel_config"] == {"rope": True}
    assert "liger_kernel_config must be a mapping of names to values, got 3" in line_of(capsys, "pretrain", *words, "3")


def test_what_accelerates_documentation_has_is_taken():
    chosen = {"dispatch_batches": None, "gradient_accumulation_kwargs": {"num_steps": 2, "sync_each_batch": True}}
    assert read("pretrain", *NEEDED["pretrain"].split(), "--accelerator_config", json.dumps(chosen))


def test_home_is_found_where_no_shell_sees_it(monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))
    file = tmp_path / "some.yaml"
    file.write_text("task: sort-4\noutput_dir: ~/runs\ninit_from: attn=~/a,mlp=permuted:~/b\n")
    taken = read("pretrain", file)
    assert taken["output_dir"] == f"{tmp_path}/runs"
    assert [source.path for source in parse_sources(taken["init_from"])] == [f"{tmp_path}/a", f"{tmp_path}/b"]
    file.write_text("dataset: [~/text, stdlib]\n")
    assert read("semantic", file)["dataset"] == [f"{tmp_path}/text", "stdlib"]
    args = cli.parse(["generate", "sort-4", "--rows=3", "--output_dir=~/data"])
    assert args.output_dir == f"{tmp_path}/data"


COMMANDS = {
    "generate sort-4 --output_dir x --rows 100000000000000000000": "rows must be at least 1 and at most",
    "generate sort-4 --output_dir= --rows 1": "output_dir is empty",
    "generate sort-4 --output_dir x --rows 1.5": "argument --rows: must be a whole number, such as 1_000_000 or 1e6",
    "generate sort-4 --output_dir x --rows 1 --num_proc 100000": "num_proc must be at least 1 and at most 1,024",
    "show sort-4 -n 10000000": "-n must be at least 1 and at most 1,000,000, got 10000000",
    "show sort-4 --seed -1": "seed must be at least 0, got -1",
    "publish sort-4 --train_size -1": "train_size must be at least 0, got -1",
}


@pytest.mark.parametrize("command", COMMANDS)
def test_numbers_of_commands(command, capsys):
    with pytest.raises(SystemExit) as exit_:
        cli.parse(command.split())
    (line,) = capsys.readouterr().err.splitlines()
    assert exit_.value.code == 2 and f": error: {COMMANDS[command]}" in line


def test_a_command_takes_no_name_that_is_empty(capsys):
    command = Parser("command")
    command.add_argument("runs", nargs="+")
    with pytest.raises(SystemExit):
        command.parse_args(["some", ""])
    assert "runs holds a value that is empty: leave it out" in capsys.readouterr().err


def test_rows_of_a_command_may_have_any_seed_and_be_none():
    assert cli.parse(["show", "sort-4", "--seed", "5000000000"]).seed == 5_000_000_000
    assert cli.parse(["publish", "sort-4", "--test_size", "0"]).test_size == 0


@pytest.mark.parametrize("value", [math.nan, math.inf, -1, 2])
def test_defaults_are_not_checked_and_given_values_are(value):
    command = Parser("command")
    command.add_argument("--threshold", type=float, default=math.nan)
    assert math.isnan(command.parse_args([]).threshold)
    with pytest.raises(SystemExit):
        command.parse_args([f"--threshold={value}"])


def plan(**changes):
    given = {"max_steps": -1, "num_train_epochs": 3.0, "gradient_accumulation_steps": 1, "train_batch_size": 8}
    return types.SimpleNamespace(**given | {"world_size": 1, "dataloader_drop_last": False} | changes)


@pytest.mark.parametrize(
    ("args", "rows", "line"),
    [
        (
            plan(num_train_epochs=1e10),
            800,
            "num_train_epochs 1e[+]10 of 800 rows: 1e[+]12 steps .*, which takes 317 years",
        ),
        (
            plan(max_steps=10**10, gradient_accumulation_steps=1000),
            None,
            "^max_steps: 1e[+]10 steps .* are 1e[+]13 batches",
        ),
    ],
)
def test_a_plan_without_an_end_is_refused_with_its_number(args, rows, line):
    with pytest.raises(ValueError, match=line):
        begin.check_plan(args, rows)


def test_rows_that_are_all_left_out_are_no_training():
    with pytest.raises(
        ValueError, match="dataloader_drop_last leaves out all 7 rows, which are fewer than a batch of 8"
    ):
        begin.check_plan(plan(dataloader_drop_last=True), 7)
    begin.check_plan(plan(dataloader_drop_last=True), 8)


def test_a_plan_with_an_end_is_none_of_a_fault_and_a_batch_of_all_rows_is_told(caplog):
    begin.check_plan(plan(), 8)
    begin.check_plan(plan(max_steps=10**11 - 1), None)
    assert not caplog.records
    begin.check_plan(plan(train_batch_size=2**20), 160)
    (record,) = caplog.records
    assert record.getMessage().startswith("a step takes all 160 rows there are, not the 1,048,576 of per_device")

"""What transformers and TRL no longer have: the line says what to write today."""

import re
import shlex

import pytest
import yaml
from support.arguments import NEEDED, OF_DATACLASSES, light_kinds, options
from test_accepted import line_of

from hf_procedural.training import dropped, parser

LINES = {
    "pretrain --warmup_ratio": "--warmup_ratio: write --warmup_steps 0.1 (below 1 it is a share of all steps)",
    "pretrain --warmup_ratio 0.1": "--warmup_ratio: write --warmup_steps 0.1 (below 1 it is a share of all steps)",
    "pretrain --warmup-ratio=0.1": "--warmup-ratio: write --warmup_steps 0.1 (below 1 it is a share of all steps)",
    "pretrain --seed 1 --evaluation_strategy epoch": "--evaluation_strategy: write --eval_strategy epoch",
    "pretrain --overwrite_output_dir --seed 1": "--overwrite_output_dir: leave it out, no run is written over",
    "pretrain --no_cuda": "--no_cuda: write --use_cpu true",
    "pretrain --per_gpu_train_batch_size 8": "--per_gpu_train_batch_size: write --per_device_train_batch_size 8",
    "pretrain --group_by_length": "--group_by_length: write --train_sampling_strategy group_by_length",
    "pretrain --adafactor": "--adafactor: write --optim adafactor",
    "pretrain --fsdp_min_num_params 9": "--fsdp_min_num_params: write --fsdp_config '{\"min_num_params\": 9}'",
    "pretrain --logging_dir logs": "--logging_dir: leave it out, the environment variable TENSORBOARD_LOGGING_DIR",
    "pretrain --push_to_hub_token hf_secret": "--push_to_hub_token: write --hub_token TOKEN (or log in with",
    "pretrain --tokenizer gpt2": "--tokenizer: leave it out, the tokenizer is that of the task or of the model",
    "pretrain --lr 1e-3": "--lr: write --learning_rate 1e-3",
    "pretrain --batch_size 8": "--batch_size: write --per_device_train_batch_size 8",
    "pretrain --epochs 3": "--epochs: write --num_train_epochs 3",
    "pretrain --use_liger_loss": "--use_liger_loss: did you mean --use_liger_kernel? (--help lists all)",
    "semantic --tokenizer_name gpt2": "--tokenizer_name: write --tokenizer gpt2",
    "semantic --block_size 512": "--block_size: write --sequence_length 512",
    "rlvr --max_prompt_length 512": "--max_prompt_length: leave it out, TRL no longer cuts prompts",
    "rlvr --vllm_guided_decoding_regex [a-z]": "--vllm_guided_decoding_regex: write --vllm_structured_outputs_regex",
    "rlvr --use_liger_loss true": "--use_liger_loss: write --use_liger_kernel true",
    "recycle_filter --warmup_ratio 0.1": "--warmup_ratio (--help lists all)",  # nothing is trained there
}


@pytest.mark.parametrize("command", LINES)
def test_a_flag_of_before(command, capsys):
    recipe, *words = command.split()
    line = line_of(capsys, recipe, *NEEDED[recipe].split(), *words)
    assert line.startswith(f"unknown argument {LINES[command]}") and "secret" not in line


@pytest.mark.parametrize(
    ("given", "line"),
    [
        ({"warmup_ratio": 0.1}, "'warmup_ratio': write warmup_steps: 0.1 (below 1 it is a share of all steps)"),
        ({"no_cuda": True}, "'no_cuda': write use_cpu: true"),
        ({"split_batches": False}, "'split_batches': write accelerator_config: '{\"split_batches\": false}'"),
        ({"overwrite_output_dir": True}, "'overwrite_output_dir': leave it out, no run is written over"),
        ({"push_to_hub_token": "hf_secret"}, "'push_to_hub_token': write hub_token: TOKEN"),
    ],
)
def test_a_key_of_before(given, line, tmp_path, capsys):
    file = tmp_path / "some.yaml"
    file.write_text(yaml.safe_dump(given))
    told = line_of(capsys, "pretrain", file, "--task", "sort-4")
    assert told.startswith(f"{file}: unknown key {line}") and "secret" not in told


@pytest.mark.parametrize("recipe", ["pretrain", "semantic", "rlvr"])
def test_what_is_to_be_written_is_read(recipe):
    """Each line of the table, by the parser itself: its own words name an argument, and give it a value it takes."""
    known = options(recipe)
    table = dropped.TRANSFORMERS | (dropped.TRL if recipe == "rlvr" else {})
    for name in table:
        if name in known:
            continue  # of that recipe, as tokenizer is of semantic
        for value in ("3", "steps", "0.5"):
            end = dropped.instead_of(name, value, known)
            if end is None or ": write " not in end:
                continue
            flag, *rest = shlex.split(re.sub(r" \(.*", "", end.removeprefix(": write ")))
            assert flag[2:] in known and len(rest) == 1, end
        assert end is None or len(end) > 15


@pytest.mark.parametrize("recipe", OF_DATACLASSES)
def test_none_of_them_is_an_argument_of_the_trainer_today(recipe):
    if "logging_steps" not in options(recipe):
        return
    own = {"tokenizer", "max_prompt_length"}  # of a recipe: where it has one, the table is not asked
    assert not (dropped.TRANSFORMERS | dropped.TRL).keys() & options(recipe).keys() - own
    assert all(entry.name or entry.why for entry in (dropped.TRANSFORMERS | dropped.TRL).values())
    assert parser._RecipeParser("", light_kinds(recipe))._trainers()

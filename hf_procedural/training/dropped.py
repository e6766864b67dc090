"""Arguments that transformers and TRL had in other versions, and what to write today.

From transformers' MIGRATION_GUIDE_V5.md, and from a comparison of the fields of TrainingArguments of 3.5 to 5.10 with
those of 5.23, and of GRPOConfig of 0.14 to 1.0 with those of 1.16. Light.
"""

import re
from collections.abc import Collection
from typing import NamedTuple


class Instead(NamedTuple):
    """Today's argument, its value, ``{}`` for the one that was given, and why; without a name, only why."""

    name: str | None
    value: str = "{}"
    why: str = ""
    example: str = "VALUE"  # where none was given


_LOG_IN = "or log in with hf auth login"

TRANSFORMERS = {
    "warmup_ratio": Instead("warmup_steps", why="below 1 it is a share of all steps", example="0.1"),
    "evaluation_strategy": Instead("eval_strategy"),
    "evaluate_during_training": Instead("eval_strategy", "steps"),
    "per_gpu_train_batch_size": Instead("per_device_train_batch_size"),
    "per_gpu_eval_batch_size": Instead("per_device_eval_batch_size"),
    "overwrite_output_dir": Instead(
        None, why="no run is written over: choose another output_dir, or go on with resume_from_checkpoint true"
    ),
    "logging_dir": Instead(None, why="the environment variable TENSORBOARD_LOGGING_DIR says where tensorboard writes"),
    "save_safetensors": Instead(None, why="weights are always saved as safetensors"),
    "no_cuda": Instead("use_cpu", example="true"),
    "use_mps_device": Instead(None, why="a Mac's GPU is used where there is one; use_cpu true does without"),
    "jit_mode_eval": Instead("torch_compile", "true"),
    "use_ipex": Instead(None, why="torch has the extension for Intel's processors built in"),
    "fp16_opt_level": Instead("fp16", "true", "apex is no longer used"),
    "fp16_backend": Instead(None, why="torch.amp is the only one left; fp16 or bf16 true turns it on"),
    "half_precision_backend": Instead(None, why="torch.amp is the only one left; fp16 or bf16 true turns it on"),
    "tpu_num_cores": Instead(None, why="all are used, or as many as the environment variable TPU_NUM_CORES says"),
    "tpu_metrics_debug": Instead("debug", "tpu_metrics_debug"),
    "past_index": Instead(None, why="transformers has none of the models that had use of it"),
    "sharded_ddp": Instead("fsdp", "full_shard"),
    "fsdp_min_num_params": Instead("fsdp_config", """'{{"min_num_params": {}}}'"""),
    "fsdp_transformer_layer_cls_to_wrap": Instead("fsdp_config", """'{{"transformer_layer_cls_to_wrap": ["{}"]}}'"""),
    "adafactor": Instead("optim", "adafactor"),
    "group_by_length": Instead("train_sampling_strategy", "group_by_length"),
    "use_legacy_prediction_loop": Instead(None, why="there is one loop left"),
    "include_inputs_for_metrics": Instead("include_for_metrics", "inputs"),
    "include_tokens_per_second": Instead("include_num_input_tokens_seen", "all"),
    "push_to_hub_model_id": Instead("hub_model_id"),
    "push_to_hub_organization": Instead("hub_model_id", "{}/NAME"),
    "push_to_hub_token": Instead("hub_token", "TOKEN", _LOG_IN),
    "use_auth_token": Instead("hub_token", "TOKEN", _LOG_IN),
    "_n_gpu": Instead(None, why="accelerate launch --num_processes says how many GPUs are used"),
    "mp_parameters": Instead(None, why="it was for SageMaker alone"),
    "tp_size": Instead(None, why="accelerate launch has flags for tensor parallelism"),
    "torchdynamo": Instead("torch_compile_backend"),
    "ray_scope": Instead(None, why="it was for a search over settings, which the recipes do not do"),
    "xpu_backend": Instead("ddp_backend"),
    "dispatch_batches": Instead("accelerator_config", """'{{"dispatch_batches": {}}}'"""),
    "split_batches": Instead("accelerator_config", """'{{"split_batches": {}}}'"""),
    "torch_dtype": Instead("dtype"),
    "lr": Instead("learning_rate"),  # this and the next three: as other trainers have it
    "batch_size": Instead("per_device_train_batch_size"),
    "train_batch_size": Instead("per_device_train_batch_size"),
    "epochs": Instead("num_train_epochs"),
    "tokenizer": Instead(None, why="the tokenizer is that of the task or of the model"),
    "tokenizer_name": Instead("tokenizer", why="where a recipe has none, it is that of the task or of the model"),
    "config_overrides": Instead("model_overrides", """'{{"n_embd": 64}}'""", "as JSON"),
    "block_size": Instead("sequence_length"),
    "dataset_name": Instead("dataset"),
    "dataset_config_name": Instead("dataset_config"),
}
TRL = {
    "max_prompt_length": Instead(None, why="TRL no longer cuts prompts, and those of a task are as long as they are"),
    "vllm_guided_decoding_regex": Instead("vllm_structured_outputs_regex"),
    "use_liger_loss": Instead("use_liger_kernel", "true"),
    "wandb_log_unique_prompts": Instead("log_unique_prompts"),
    "vllm_device": Instead(None, why="vllm_mode says whether vLLM shares the GPUs or is a server"),
    "vllm_dtype": Instead(None, why="vLLM takes that of the model"),
    "vllm_max_model_len": Instead("vllm_max_model_length"),
    "vllm_enable_prefix_caching": Instead(None, why="vLLM does so by itself"),
}


def instead_of(name: str, value, known: Collection[str], in_yaml: bool = False) -> str | None:
    """The end of the line about an unknown argument that had this `name` once; None for all others.

    `known` are the arguments of a recipe that trains, else none: where it has not the one of today, the line only says
    why.
    """
    table = TRANSFORMERS | TRL if "num_generations" in known else TRANSFORMERS
    entry = table.get(name) if known else None
    if entry is None or (entry.name is not None and entry.name not in known and not entry.why):
        return None
    if entry.name is None or entry.name not in known:
        return f": leave it out, {entry.why}"
    value = entry.example if value is None else value
    given = str(value).lower() if isinstance(value, bool) else str(value)
    written = entry.value.format(given)
    today = f"{entry.name}: {written}" if in_yaml else f"--{entry.name} {written}"
    return f": write {today}{entry.why and f' ({entry.why})'}"


def flag_and_value(words: list[str]) -> tuple[str, str | None]:
    """The name of the flag that `words` begin with, in today's spelling, and its value, if there is one.

    >>> flag_and_value(["--warmup-ratio", "0.1", "--seed", "1"]), flag_and_value(["--no_cuda", "--seed=1"])
    (('warmup_ratio', '0.1'), ('no_cuda', None))
    """
    flag, equals, value = words[0].partition("=")
    name = flag.lstrip("-").replace("-", "_")
    if equals:
        return name, value
    follows = len(words) > 1 and not re.match(r"--?[a-zA-Z]", words[1])
    return name, words[1] if follows else None

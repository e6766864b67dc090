"""Which numbers each argument accepts: one table, by name, for the recipes' flags and keys and for the commands'.

A number of which nothing is said must be finite (nan is none, whatever the argument) and fit into a float32, a whole
one into 64 bits. Where a recipe or a command means other ones by a name, it has them in its `ranges`. Light: `Parser`
holds all arguments against it before anything heavy is imported.
"""

import dataclasses
import math
import os
from collections.abc import Callable, Iterable, Mapping
from typing import Any

# Batches that have no end in a lifetime: at a hundred a second, what a small model does, they take more than 30 years.
LIFETIME = 10**11
_INT64 = 2**63 - 1
_FLOAT32 = 2.0**128  # the first number that is too large


@dataclasses.dataclass(frozen=True)
class Accepted:
    """Numbers: in words, as they stand behind "must be", and as a function. A line tells `cap` where it is passed."""

    words: str
    takes: Callable[[Any], bool]
    cap: float = _INT64

    def check(self, name: str, value: float) -> None:
        """Raises ValueError for a number that is none of these."""
        if not (self.takes(value) and value <= self.cap):
            most = f"{self.cap:,}" if self.cap < 1e15 else f"{self.cap:g}"
            cap = f" and at most {most}" if value > self.cap and self.takes(self.cap) else ""
            raise ValueError(f"{name} must be {self.words}{cap}, got {value}")


def least(low: float, cap: float = _INT64) -> Accepted:
    """From `low` on, up to `cap`, which nobody wants more of; infinity only where that is `cap`."""
    return Accepted(f"at least {low:,}", lambda value: value >= low, cap)


def above(low: float, cap: float = _INT64) -> Accepted:
    """As `least`, without `low` itself."""
    return Accepted(f"above {low:,}", lambda value: value > low, cap)


def between(low: float, high: float) -> Accepted:
    """From `low` to `high`, without that."""
    return Accepted(f"at least {low:,} and below {high:,}", lambda value: low <= value < high)


def inside(low: float, high: float) -> Accepted:
    """From `low` to `high`, without both."""
    return Accepted(f"above {low:,} and below {high:,}", lambda value: low < value < high)


def _steps(share: Accepted, remark: str = "") -> Accepted:
    """A number of steps, or from 0 to 1 a share of all steps, as transformers reads some of its arguments."""
    words = f"a whole number of steps, at least 1, or a share of all steps, {share.words}{remark}"
    return Accepted(words, lambda value: share.takes(value) or (value >= 1 and value % 1 == 0), LIFETIME)


def _unless(strategy: str) -> Accepted:
    return _steps(inside(0, 1), f" ({strategy} no turns it off)")


_FINITE = Accepted("a finite number that float32 can hold", lambda value: -_FLOAT32 < value < _FLOAT32, math.inf)
_WHOLE = Accepted("a whole number of at most 64 bits", lambda value: -_INT64 <= value <= _INT64)
_SHARE = Accepted("from 0 to 1", lambda value: 0 <= value <= 1)
_SOME = Accepted("above 0 and at most 1", lambda value: 0 < value <= 1)
_COUNT = least(1)
_SEED = least(0, 2**32 - 1)  # NumPy takes no larger one
_BATCH = least(1, 2**20)
_PROCESSES = least(1, 1_024)
_WINDOW = least(0, 2**31 - 1)
_TOKENS = least(1, 2**31 - 1)
_STEPS = Accepted("at least 1, or -1 for none", lambda value: value == -1 or value >= 1, LIFETIME)
_PORT = least(1, 65_535)
_WEIGHT = Accepted("from -1,000,000 to 1,000,000", lambda value: -1e6 <= value <= 1e6)

ACCEPTED = {
    # transformers.TrainingArguments
    "per_device_train_batch_size": _BATCH,
    "per_device_eval_batch_size": _BATCH,
    "gradient_accumulation_steps": _BATCH,
    "num_train_epochs": above(0, LIFETIME),
    "max_steps": _STEPS,
    "learning_rate": least(0, _FLOAT32),
    "warmup_steps": _steps(between(0, 1)),
    "weight_decay": least(0, 1_000),
    "adam_beta1": between(0, 1),
    "adam_beta2": between(0, 1),
    "adam_epsilon": least(0, 1),
    "max_grad_norm": least(0, math.inf),  # 0 is without clipping; inf clips nothing, and the norm is logged
    "label_smoothing_factor": _SHARE,
    "neftune_noise_alpha": least(0, 1_000_000),
    "torch_empty_cache_steps": _COUNT,
    "logging_steps": _unless("logging_strategy"),
    "eval_steps": _unless("eval_strategy"),
    "save_steps": _unless("save_strategy"),
    "eval_delay": least(0, LIFETIME),
    "eval_accumulation_steps": _COUNT,
    "save_total_limit": _COUNT,
    "seed": _SEED,
    "data_seed": least(0),
    "dataloader_num_workers": least(0, 1_024),
    "dataloader_prefetch_factor": _BATCH,
    "ddp_bucket_cap_mb": least(1, 2**20),
    "ddp_timeout": least(1, 10**9),
    "local_rank": least(-1, 2**20),
    # trl.GRPOConfig
    "router_aux_loss_coef": least(0),
    "num_generations": least(2, 2**20),
    "num_generations_eval": _BATCH,
    "max_completion_length": _TOKENS,
    "generation_batch_size": _BATCH,
    "steps_per_generation": _BATCH,
    "temperature": above(0),
    "top_p": _SOME,
    "top_k": _WINDOW,
    "min_p": _SHARE,
    "repetition_penalty": above(0),
    "vllm_server_port": _PORT,
    "vllm_group_port": _PORT,
    "vllm_server_timeout": least(0, 10**9),
    "vllm_gpu_memory_utilization": _SOME,
    "vllm_max_model_length": _TOKENS,
    "vllm_tensor_parallel_size": _PROCESSES,
    "beta": least(0),
    "num_iterations": _BATCH,
    "epsilon": least(0),
    "epsilon_high": least(0),
    "delta": above(0),
    "sapo_temperature_neg": above(0),
    "sapo_temperature_pos": above(0),
    "vespo_k_pos": least(0),
    "vespo_k_neg": least(0),
    "vespo_lambda_pos": least(0),
    "vespo_lambda_neg": least(0),
    "ref_model_mixup_alpha": _SHARE,
    "ref_model_sync_steps": _COUNT,
    "top_entropy_quantile": _SHARE,
    "reward_weights": _WEIGHT,
    "entropy_coef": _WEIGHT,
    "entropy_coef_min": _WEIGHT,
    "entropy_coef_max": _WEIGHT,
    "entropy_coef_delta": least(0),
    "entropy_target": least(0),
    "max_tool_calling_iterations": least(0),
    "vllm_importance_sampling_clip_max": above(0),
    "vllm_importance_sampling_clip_min": least(0),
    "vllm_importance_sampling_cap": above(0),
    "off_policy_mask_threshold": least(0),
    "num_completions_to_print": least(0),
    # Ours
    "max_hours": above(0, 1_000_000),
    "lora_r": _BATCH,
    "lora_alpha": _BATCH,
    "patience": _COUNT,
    "dynamic_sampling_from": least(0),
    "z_loss": least(0),
    "dropout": between(0, 1),
    "train_size": _COUNT,
    "validation_size": _COUNT,
    "test_size": least(0),
    "curriculum_start": _TOKENS,
    "curriculum_step": _TOKENS,
    "curriculum_threshold": _SHARE,
    "context_length": _TOKENS,
    "seeds": _SEED,
    "num_proc": _PROCESSES,
    "threads": _PROCESSES,
    "weights": above(0),
    "limit": _COUNT,
    "shuffle_buffer": _WINDOW,
    "tokenizer_size": least(257, 2**31 - 1),
    "sequence_length": least(2, 2**31 - 1),
    "validation_problems": _COUNT,
    "max_tokens": _COUNT,
    "first_tokens": _COUNT,
    "max_length": least(2, 2**31 - 1),
    "max_new_tokens": _TOKENS,
    "max_prompt_length": _TOKENS,
    "min_context": _WINDOW,
    "continuation_tokens": _TOKENS,
    "min_entropy": least(0),
    "positions_per_document": _COUNT,
    "batch_tokens": _TOKENS,
    "cache_tokens": _TOKENS,
    "batch_size": _BATCH,
    "batch_pieces": _BATCH,
    "judge_batch_size": _BATCH,
    "quality_weight": _WEIGHT,
    "meaning_weight": _WEIGHT,
    "structure_weight": _WEIGHT,
    "length_weight": _WEIGHT,
    "format_weight": _WEIGHT,
    "judge_timeout": above(0, 10**9),
    "shard_documents": _TOKENS,
    "piece_characters": _TOKENS,
    "num_fewshot": least(0, 2**20),
    "samples": _BATCH,
    "worst": least(0),
    "threshold": _SHARE,
    "organic_threshold": _SHARE,
    "meaning_threshold": _SHARE,
    "meaning_layer": least(1, 1_024),
    "keep_top": _SOME,
    "organic_keep_top": _SOME,
    "tokens": _COUNT,
    "organic_tokens": _COUNT,
    "word_ngrams": least(2, 1_024),
    "lr": above(0, 1_000),
    "epoch": least(1, 10**9),
    "dim": least(1, 2**20),
    "bucket": _TOKENS,
    "min_count": _TOKENS,
    "rows": _COUNT,
    "n": least(1, 10**6),
}


def of(name: str, kind: type) -> Accepted:
    """What an argument accepts whose numbers are int or float."""
    return ACCEPTED.get(name) or (_WHOLE if kind is int else _FINITE)


def check(name: str, value, accepted: Accepted | None = None, shown: str | None = None) -> None:
    """Raises ValueError, in one line, where an argument holds a number that it does not accept.

    Numbers in lists count, a nan at any depth of a mapping, a word of spaces alone, and in a list one of nothing.
    `accepted` comes before the table. `shown` is what the line calls the argument.
    """
    shown = shown or name
    if isinstance(value, Mapping):
        _check_nan(shown, value)
    elif isinstance(value, list | tuple):
        for each in value:
            check(name, each, accepted, shown)
            if each == "":
                raise ValueError(f"{shown} holds a value that is empty: leave it out")
    elif isinstance(value, int | float) and not isinstance(value, bool):
        (accepted or of(name, type(value))).check(shown, value)
    elif isinstance(value, str) and value.isspace():
        raise ValueError(f"{shown} is empty: give a value, or leave it out")


def _check_nan(name: str, value) -> None:
    inner: Iterable = value.values() if isinstance(value, Mapping) else value
    for each in inner:
        if isinstance(each, Mapping | list | tuple):
            _check_nan(name, each)
        elif isinstance(each, float) and math.isnan(each):
            raise ValueError(f"{name} holds a nan, which is no number: {value}")


def at_home(value):
    """Words, also in lists and mappings, ``~`` at the beginning of one read as a shell reads it; all else as it is."""
    if isinstance(value, list):
        return [at_home(each) for each in value]
    if isinstance(value, dict):
        return {key: at_home(each) for key, each in value.items()}
    return os.path.expanduser(value) if isinstance(value, str) and value.startswith("~") else value

"""What arguments accept that are no numbers, where the Trainer would say so late or never."""

import dataclasses
import json
import re
from pathlib import Path

from .. import accepted
from ..errors import nearest
from . import declared

# What a recipe does in any case, or cannot do: scripts of their own read these, the Trainer does not.
_FIXED = {
    "do_train": (True, "recipes train; hf-procedural evaluate does not"),
    "do_eval": (True, "there is an evaluation at the end; eval_strategy no leaves out those before"),
    "do_predict": (False, "there are no rows to predict but those of the validation"),
    "prediction_loss_only": (False, "the results hold more than the loss"),
    "eval_do_concat_batches": (True, "metrics are of all rows together"),
}
_LISTS = {"label_names": ("labels",), "include_for_metrics": ("inputs", "loss")}
# Of trl.GRPOConfig, whose help texts tell the words that each takes.
_IN_HELP = ("vllm_mode", "vllm_model_impl", "importance_sampling_level", "multi_objective_aggregation")
_IN_HELP += ("scale_rewards", "loss_type", "vllm_importance_sampling_mode")


def mapping(name: str, value) -> dict:
    """A mapping, also from its JSON; None is empty. Raises ValueError, with the argument's name, for anything else."""
    if isinstance(value, str):
        try:
            value = json.loads(value)
        except json.JSONDecodeError as error:
            raise ValueError(f"{name} must be JSON such as '{{\"key\": 1}}', got {value!r} ({error})") from None
    value = {} if value is None else value
    if not isinstance(value, dict) or not all(isinstance(key, str) for key in value):
        raise ValueError(f"{name} must be a mapping of names to values, got {value!r}")
    accepted.check(name, value)
    return value


def check_words(args) -> None:
    """Raises ValueError for a word among the Trainer's arguments that means nothing, or that no recipe would obey."""
    for name, (value, why) in _FIXED.items():
        if getattr(args, name) != value:
            raise ValueError(f"{name} must stay {str(value).lower()}, got {str(not value).lower()}: {why}")
    for name, known in _LISTS.items():
        strange = set(getattr(args, name) or []) - set(known)
        if strange:
            raise ValueError(f"{name} must be among {', '.join(known)}, got {min(strange)!r}")
    if args.label_names == []:
        raise ValueError("label_names must be labels, got none: leave it out")
    for part in (args.optim_args or "").split(","):
        if args.optim_args and not re.fullmatch(r"\s*[^=\s]+\s*=\s*[^=\s]+\s*", part):
            raise ValueError(f"optim_args must be key=value, or several with commas between, got {args.optim_args!r}")
    if args.dataloader_persistent_workers and not args.dataloader_num_workers:
        raise ValueError("dataloader_persistent_workers: there are none to keep, dataloader_num_workers is 0")
    _check_accelerator(args.accelerator_config)
    if hasattr(args, "pad_to_multiple_of"):
        _check_grpo(args)


def _check_grpo(args) -> None:
    multiple = str(args.pad_to_multiple_of)
    if multiple.lower() not in ("auto", "none", "null") and not re.fullmatch(r"0*[1-9]\d{0,6}", multiple):
        raise ValueError(f"pad_to_multiple_of must be auto, none or a whole number of at least 1, got {multiple!r}")
    names = {field.name for field in dataclasses.fields(args)}
    for field in dataclasses.fields(args):
        if field.name in _IN_HELP:
            _check_quoted(field, getattr(args, field.name), names)


def _check_quoted(field: dataclasses.Field, value: str, fields: set[str]) -> None:
    """Raises ValueError for a value that is none of the words that a field's help has in quotes, but other fields."""
    quoted = re.findall(r"(?<!=)[`'](\w+)[`']", field.metadata.get("help", ""))
    known = [word for word in dict.fromkeys(quoted) if word not in fields | {"True", "False"}]
    if field.default in known and value not in known:  # else the help is written in a way of its own
        raise ValueError(f"{field.name} must be one of {', '.join(known)}, got {value!r}{nearest(value, known)}")


def check_file(name: str, value: str) -> None:
    """Raises ValueError where an argument, whose value may be JSON or a file of it, names a file that is not there."""
    if not Path(value).is_file():
        raise ValueError(f"{name} must be JSON such as '{{\"key\": 1}}' or a file that holds it, got {value!r}")


def _check_accelerator(config) -> None:
    """Raises ValueError for a key of `accelerator_config`, or of the JSON of one, that transformers does not know."""
    if isinstance(config, str) and not config.startswith("{"):  # a file
        return
    try:
        known = declared.stand_in("transformers.trainer_pt_utils", "AcceleratorConfig").__annotations__
    except declared.Unreadable:  # transformers tells it, later
        return
    given = config if isinstance(config, dict | str | None) else {}  # else transformers has read it
    for key, value in mapping("accelerator_config", given).items():
        if key not in known:
            raise ValueError(f"accelerator_config: unknown key {key!r}{nearest(key, known)} (keys: {', '.join(known)})")
        is_none = value is None and known[key] == bool | None
        if known[key] in (bool, bool | None) and not isinstance(value, bool) and not is_none:
            raise ValueError(f"accelerator_config: {key} must be true or false, got {value!r}")
        if key == "gradient_accumulation_kwargs":
            _check_steps(f"accelerator_config: {key}", value)


def _check_steps(name: str, value) -> None:
    """Raises ValueError for no mapping, and for a number of steps that gradient_accumulation_steps does not take."""
    steps = mapping(name, value).get("num_steps", 1)
    if not isinstance(steps, int):
        raise ValueError(f"{name}: num_steps must be a whole number, got {steps!r}")
    accepted.check("gradient_accumulation_steps", steps, shown=f"{name}: num_steps")

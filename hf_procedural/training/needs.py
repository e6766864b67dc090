"""What arguments of the Trainer need: packages, several processes, each other. Light: neither torch nor transformers.

transformers would tell it when it trains, after the folder of the run was written. What only the machine can tell (a
package that does not work here, a compiler) `optimizers.make` and `StageArguments` find out by trying.
"""

import importlib.util
import os

from .. import accepted
from ..errors import nearest
from ..terminal import logger
from . import declared

OURS = ("muon", "soap")  # optimizers beside those of transformers: see optimizers.py
TORCH = ("adamw_torch", "adamw_torch_fused", "adafactor", "sgd", "adagrad", "rmsprop")  # those that need no package
_PACKAGES = {  # how the names of the others begin: the module that is imported, and what pip installs
    "adamw_torch_4bit": ("torchao", "torchao"),
    "adamw_torch_8bit": ("torchao", "torchao"),
    "adamw_torch_xla": ("torch_xla", "torch_xla"),
    "adamw_torch_npu": ("torch_npu", "torch_npu"),
    "adamw_anyprecision": ("torchdistx", "git+https://github.com/pytorch/torchdistx"),
    **dict.fromkeys(("adamw_8", "adamw_bnb", "ademamix", "lion", "paged", "rmsprop_bnb"), ("bitsandbytes",) * 2),
    "galore": ("galore_torch", "galore-torch"),
    "apollo": ("apollo_torch", "apollo-torch"),
    **dict.fromkeys(("lomo", "adalomo"), ("lomo_optim", "lomo-optim")),
    "grokadamw": ("grokadamw", "grokadamw"),
    "stable_adamw": ("optimi", "torch-optimi"),
    "schedule_free": ("schedulefree", "'hf-procedural[optim]'"),
    "soap": ("pytorch_optimizer", "'hf-procedural[optim]'"),
}
_LOW_RANK = ("galore", "apollo")  # which want to know the layers that they are for
_STATE_IS_LOST = ("grokadamw", "galore", "apollo", "adalomo")  # what their checkpoints do not hold in a form that loads

_ATTENTION = {  # the modules of flash attention, one of which must be there, and what pip installs
    "flash_attention_2": (("flash_attn", "kernels"), "flash-attn"),
    "flash_attention_3": (("flash_attn_interface", "kernels"), "flash-attn-3"),
    "flash_attention_4": (("flash_attn", "kernels"), "flash-attn-4"),
}
CONFIGURATION = "accelerate launch --config_file recipes/accelerate/{}.yaml"


def installed(argument: str, modules: tuple[str, ...], package: str, more: str = "") -> None:
    """Raises ValueError where none of `modules` is installed; `package` is what pip installs."""
    if not any(map(importlib.util.find_spec, modules)):
        raise ValueError(f"{argument}: its package is not installed: pip install {package}{more}")


def check(args) -> None:
    """Raises ValueError for what `args`, those of the Trainer, need and do not have. Changes nothing."""
    _check_optimizer(args)
    _check_trackers(args.report_to)
    if args.deepspeed or os.environ.get("ACCELERATE_USE_DEEPSPEED", "").lower() == "true":
        argument = f"deepspeed {args.deepspeed}" if isinstance(args.deepspeed, str) else "deepspeed"
        ours = f" (our settings of it: {CONFIGURATION.format('deepspeed')})"
        installed(argument, ("deepspeed",), "deepspeed", ours)
    if args.fsdp_config and not args.fsdp:
        raise ValueError(f"fsdp_config is of fsdp, which is not set: {CONFIGURATION.format('fsdp')} sets both")
    if isinstance(args.parallelism_config, str):
        raise ValueError(
            "parallelism_config is no argument of a recipe: accelerate launch has --use_parallelism_config, "
            "--parallelism_config_tp_size and so on"
        )
    if args.use_liger_kernel:
        installed("use_liger_kernel", ("liger_kernel",), "liger-kernel")
    if "tpu_metrics_debug" in str(args.debug):
        installed("debug tpu_metrics_debug", ("torch_xla",), "torch_xla")
    if getattr(args, "use_vllm", False):
        installed("use_vllm", ("vllm",), "vllm")


# What optimizers read of optim_args, with defaults. What else its own are told transformers leaves out, without a word.
_SCHEDULE_FREE = {"weight_lr_power": 2.0, "r": 0.0}
_SETTINGS: dict[str, dict] = {
    "muon": {"momentum": 0.95, "ns_steps": 5, "adjust_lr_fn": "match_rms_adamw", "adamw_lr": 0.0},
    "soap": {"beta1": 0.95, "beta2": 0.95, "precondition_frequency": 10, "max_precondition_dim": 10_000},
    "sgd": {"momentum": 0.0, "dampening": 0.0, "weight_decay": 0.0, "nesterov": False},
    "adagrad": {"lr_decay": 0.0, "weight_decay": 0.0, "eps": 1e-10},
    "rmsprop": {"momentum": 0.0, "alpha": 0.99, "eps": 1e-8, "weight_decay": 0.0, "centered": False},
    **dict.fromkeys(("schedule_free_adamw", "schedule_free_radam", "schedule_free_sgd"), _SCHEDULE_FREE),
}
_TRUTH = {"true": True, "1": True, "yes": True, "false": False, "0": False, "no": False}
_RANGES = {
    "momentum": accepted.between(0, 1),
    "alpha": accepted.between(0, 1),
    "ns_steps": accepted.between(1, 100),  # torch takes no more
    "adamw_lr": accepted.ACCEPTED["learning_rate"],
}


def settings_of(args) -> dict:
    """The settings of an optimizer of `_SETTINGS`, those that --optim_args tells among them.

    Raises ValueError for a name or a value that is none.
    """
    chosen = dict(_SETTINGS[args.optim])
    if "adamw_lr" in chosen:
        chosen["adamw_lr"] = args.learning_rate
    for pair in filter(None, (args.optim_args or "").replace(" ", "").split(",")):
        name, _, value = pair.partition("=")
        if name not in chosen:
            known = f"{args.optim} has {', '.join(chosen)}{nearest(name, chosen)}"
            raise ValueError(f"optim_args {pair}: {known}")
        if isinstance(chosen[name], bool):
            if value.lower() not in _TRUTH:
                raise ValueError(f"optim_args {pair}: {name} must be true or false")
            chosen[name] = _TRUTH[value.lower()]
            continue
        try:
            chosen[name] = type(chosen[name])(value)
        except ValueError:
            raise ValueError(f"optim_args {pair}: {name} must be a number, as {chosen[name]}") from None
        accepted.check(name, chosen[name], _RANGES.get(name), f"optim_args {pair}: {name}")
    return chosen


def check_attention(name: str | None) -> None:
    """Raises ValueError where the package of an attention implementation is not installed."""
    for known, (modules, package) in _ATTENTION.items():
        if name and name.endswith(known):  # such as paged|flash_attention_2
            installed(f"attn_implementation {name}", modules, package, " (or sdpa, which needs none)")
    if name and "/" in name:
        installed(f"attn_implementation {name}", ("kernels",), "kernels")


def check_resume(optimizer: str, checkpoint: str | None) -> None:
    """Raises ValueError where a run with that optimizer would not go on from `checkpoint` as it was; says so before."""
    if not str(optimizer).startswith(_STATE_IS_LOST):
        return
    if checkpoint is not None:
        raise ValueError(
            f"resume_from_checkpoint {checkpoint}: {optimizer} does not keep its state in a checkpoint; begin again in "
            "another output_dir"
        )
    logger(__name__).warning(
        "optim %s does not keep its state in a checkpoint: this run cannot go on after an interruption", optimizer
    )


def _check_optimizer(args) -> None:
    name = str(getattr(args.optim, "value", args.optim))
    try:
        known = [*declared.members("transformers.training_args", "OptimizerNames"), *OURS]
    except declared.Unreadable:  # transformers tells it, later
        known = [name]
    if name not in known:
        raise ValueError(
            f"optim must be {', '.join(OURS)} or one of transformers' names, got {name!r}{nearest(name, known)}"
        )
    if args.optim_args and name in ("adamw_torch", "adamw_torch_fused", "adafactor"):
        raise ValueError(
            f"optim_args {args.optim_args}: {name} has none (adam_beta1 and so on are arguments of their own)"
        )
    if name not in TORCH:
        for start, (module, package) in _PACKAGES.items():
            if name.startswith(start):
                installed(f"optim {name}", (module,), package)
    if name in _SETTINGS:
        settings_of(args)
    if name.startswith("adamw_torch_") and "block_size" in (args.optim_args or ""):
        raise ValueError(f"optim_args {args.optim_args}: transformers hands block_size on as a word, not as a number")
    if name == "stable_adamw" and "=false" in (args.optim_args or "").lower():
        raise ValueError(f"optim_args {args.optim_args}: transformers reads any word as true; leave out what is false")
    if name.startswith(_LOW_RANK) != bool(args.optim_target_modules):
        raise ValueError(
            f"optim_target_modules, the layers to train at low rank (such as all-linear), go with optim galore_... and "
            f"apollo_...: got {args.optim_target_modules} with {name}"
        )
    if name in ("lomo", "adalomo") and args.gradient_accumulation_steps > 1:
        raise ValueError(f"gradient_accumulation_steps must be 1 with {name}, which updates in every backward pass")
    if name.startswith("schedule_free"):
        if str(getattr(args.lr_scheduler_type, "value", args.lr_scheduler_type)) != "constant":
            raise ValueError(f"optim {name} is its own schedule: give --lr_scheduler_type constant")
        if 0 < args.warmup_steps < 1:
            raise ValueError(f"warmup_steps must be whole with {name}, which warms up by itself: {args.warmup_steps}")


def _check_trackers(report_to) -> None:
    """Raises ValueError for a tracker that transformers does not know, or whose package is missing.

    transformers would tell it after the data are made.
    """
    names = [report_to] if isinstance(report_to, str) else report_to or []
    if not set(names) - {"none", "all"}:
        return
    try:
        known = declared.keys_of("transformers.integrations.integration_utils", "INTEGRATION_TO_CALLBACK")
    except declared.Unreadable:  # transformers tells it, later
        return
    for name in names:
        if name not in ("none", "all", *known):
            near = nearest(name, known)
            raise ValueError(f"report_to must be none, all or a tracker that transformers knows, got {name!r}{near}")
        if name in known and name != "kubeflow":  # which is no package
            modules, package = _TRACKERS.get(name, ((name,), name))
            installed(f"report_to {name}", modules, package)


_TRACKERS = {  # those whose packages have other names
    "azure_ml": (("azureml",), "azureml-sdk"),
    "flyte": (("flytekit",), "flytekit"),
    "tensorboard": (("tensorboard", "tensorboardX"), "tensorboard"),
}

"""Optimizers: muon and soap, which transformers does not know by name, and all of them made before anything is written.

    --optim muon --learning_rate 3e-3            # a learning rate of AdamW: updates of matrices get AdamW's size
    --optim muon --optim_args adjust_lr_fn=original,adamw_lr=3e-4 --learning_rate 0.02
    --optim soap --learning_rate 3e-3 --optim_args precondition_frequency=10
    --optim schedule_free_adamw --lr_scheduler_type constant --warmup_steps 100

Muon: Jordan et al. 2024 (kellerjordan.github.io/posts/muon), the size of its updates: Liu et al. 2025 (Muon is Scalable
for LLM Training, arXiv:2502.16982). SOAP: Vyas et al. 2024 (arXiv:2409.11321). Schedule-Free: Defazio et al. 2024 (The
Road Less Scheduled, arXiv:2405.15682).
"""

import itertools
from typing import Any, cast

import torch
from transformers import Trainer, TrainerCallback

from .needs import OURS, settings_of


class Together(torch.optim.Optimizer):
    """Several optimizers, each of its own parameters, that schedulers, accelerate and checkpoints take for one."""

    def __init__(self, *optimizers: torch.optim.Optimizer):
        self.optimizers = optimizers
        groups = [group for optimizer in optimizers for group in optimizer.param_groups]
        super().__init__(groups, {"lr": optimizers[0].defaults["lr"]})
        self._hand_out()

    def _hand_out(self) -> None:
        """Gives each its groups and the state, which are those of this optimizer: a schedule changes them here."""
        groups = iter(self.param_groups)
        for optimizer in self.optimizers:
            optimizer.param_groups = list(itertools.islice(groups, len(optimizer.param_groups)))
            optimizer.state = self.state

    def load_state_dict(self, state_dict) -> None:
        super().load_state_dict(state_dict)
        self._hand_out()

    def step(self, closure=None):
        loss = None if closure is None else torch.enable_grad()(closure)()
        for optimizer in self.optimizers:
            optimizer.step()
        return loss


def muon(model, args, decayed: set[str]) -> torch.optim.Optimizer:
    """Muon for the matrices of the layers; AdamW for embeddings, the head, biases, norms and stacked experts.

    `decayed` are the names of parameters that `args.weight_decay` is for. Raises ValueError where no matrix is trained.
    """
    settings = settings_of(args)
    adamw_lr = settings.pop("adamw_lr")
    outer = [module for module in model.modules() if isinstance(module, torch.nn.Embedding)]
    outer = {id(module.weight) for module in (*outer, model.get_output_embeddings()) if module is not None}
    matrices = {name for name, p in model.named_parameters() if p.ndim == 2 and id(p) not in outer}
    others = {name for name, _ in model.named_parameters()} - matrices
    if not _groups(model, args, decayed, matrices):
        raise ValueError("no matrix of a layer is trained; adamw_torch_fused trains all else alike")
    parts: list[torch.optim.Optimizer] = [
        torch.optim.Muon(_groups(model, args, decayed, matrices), lr=args.learning_rate, **settings)
    ]
    if groups := _groups(model, args, decayed, others):
        betas = (args.adam_beta1, args.adam_beta2)
        parts.append(torch.optim.AdamW(groups, lr=adamw_lr, betas=betas, eps=args.adam_epsilon, fused=True))
    return Together(*parts)


def soap(model, args, decayed: set[str]) -> torch.optim.Optimizer:
    """SOAP, which preconditions matrices of up to `max_precondition_dim` rows or columns; all else is Adam."""
    from pytorch_optimizer import SOAP

    settings = settings_of(args)
    betas = (settings.pop("beta1"), settings.pop("beta2"))
    names = {name for name, _ in model.named_parameters()}
    return SOAP(_groups(model, args, decayed, names), lr=args.learning_rate, betas=betas, **settings)


def _groups(model, args, decayed: set[str], names: set[str]) -> list[dict]:
    """Groups of those of `names` that are trained, with and without weight decay; none that is empty."""
    trained = [(name, p) for name, p in model.named_parameters() if p.requires_grad and name in names]
    groups = [
        {"params": [p for name, p in trained if name in decayed], "weight_decay": args.weight_decay},
        {"params": [p for name, p in trained if name not in decayed], "weight_decay": 0.0},
    ]
    return [group for group in groups if group["params"]]


class AveragedCheckpoints(TrainerCallback):
    """Has checkpoints hold the weights that Schedule-Free gives: averages, which the Trainer has only in evaluation.

    Without it, what a checkpoint holds would depend on whether an evaluation came just before.
    """

    def on_step_end(self, args, state, control, optimizer=None, **kwargs):
        if optimizer is not None and (control.should_save or control.should_training_stop):
            optimizer.eval()  # until the next step, which begins with optimizer.train()

    on_epoch_end = on_step_end


def average_checkpoints(trainer: Trainer) -> None:
    """Gives `trainer` AveragedCheckpoints, for Schedule-Free; it must be the last of the callbacks."""
    if getattr(trainer.args.optim, "value", trainer.args.optim).startswith("schedule_free"):
        trainer.add_callback(AveragedCheckpoints())


def make(trainer: Trainer) -> None:
    """Makes the optimizer, as train() would a moment later, which then takes this one.

    Raises ValueError, in one line, for all that its library finds wrong with model, settings or machine.
    """
    args = trainer.args
    name = getattr(args.optim, "value", args.optim)
    sharded = trainer.is_fsdp_enabled or trainer.is_fsdp_xla_enabled
    if name in OURS:
        if trainer.is_deepspeed_enabled:
            raise ValueError(f"optim {name} needs whole matrices, which DeepSpeed cuts up: take another, or FSDP 2")
        ours = {"muon": muon, "soap": soap}[name]
        decayed = set(trainer.get_decay_parameter_names(cast(torch.nn.Module, trainer.model)))
        # a callable that gives one that takes the model: how the Trainer is told of optimizers that are no plain class
        trainer.optimizer_cls_and_kwargs = cast(Any, (lambda: ours, {"args": args, "decayed": decayed}))
    if name.startswith("galore") and "8bit" in name and args.device.type != "cuda":
        raise ValueError(f"optim {name} needs a GPU of NVIDIA or AMD, as its library asks CUDA for one")
    if trainer.is_deepspeed_enabled or sharded:
        return  # they make it themselves, of the model that they have cut up
    try:
        trainer.create_optimizer()
    except Exception as error:  # whatever a library raises for a setting, a model or a machine that is not for it
        raise ValueError(f"optim {name}: {' '.join(str(error).split())}") from error

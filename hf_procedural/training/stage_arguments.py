"""The Trainer's arguments, with what our recipes add. Heavy, since transformers' own class is."""

import dataclasses
import os
from typing import Any, cast

import torch
from accelerate.utils import GradientAccumulationPlugin
from torch.utils.checkpoint import checkpoint
from transformers import TrainingArguments, get_scheduler
from transformers.training_args import ParallelMode

from .arguments import StageSettings
from .needs import CONFIGURATION


@dataclasses.dataclass
class StageArguments(StageSettings, TrainingArguments):
    """All of transformers.TrainingArguments, with the defaults of StageSettings, and `patience`."""

    dataloader_pin_memory: bool = dataclasses.field(
        default=torch.cuda.is_available(), metadata={"help": "Pin memory. Default: where there is a GPU."}
    )

    def __post_init__(self):
        if self.hub_token is not None:  # huggingface_hub finds it there; here it would be saved with the arguments
            os.environ["HF_TOKEN"], self.hub_token = self.hub_token, None
        given = self.output_dir
        try:
            super().__post_init__()
        except ValueError as error:
            if self.ddp_backend and "process group has not been initialized" in str(error):
                raise ValueError(
                    f"ddp_backend {self.ddp_backend} is how several processes talk, and this is one: leave it out"
                ) from error
            raise
        if given is None:
            self.output_dir = None  # which the recipe names; transformers would have trainer_output
        self._check_machine()
        self._check_schedule()

    def _check_schedule(self) -> None:
        """Raises ValueError for settings that do not belong to the schedule, from a trial of ten steps."""
        try:
            optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=self.learning_rate)
            settings = cast(dict | None, self.lr_scheduler_kwargs)
            schedule = get_scheduler(self.lr_scheduler_type, optimizer, 1, 10, settings)
            if isinstance(schedule, torch.optim.lr_scheduler.LambdaLR):  # the others wait for a metric
                for _ in range(10):
                    optimizer.step()
                    schedule.step()
        except (TypeError, ValueError, ArithmeticError) as error:
            raise ValueError(f"lr_scheduler_kwargs {self.lr_scheduler_kwargs}: {error}") from error

    def _check_machine(self) -> None:
        """Raises ValueError for what this machine, or the way that this process was started, cannot do."""
        if self.fsdp and self.parallel_mode is not ParallelMode.DISTRIBUTED:
            raise ValueError(f"fsdp needs several processes, and this is one: {CONFIGURATION.format('fsdp')}")
        if self.use_liger_kernel and self.device.type == "cpu":
            raise ValueError("use_liger_kernel needs a GPU")
        if self.activation_checkpointing:
            given = cast(dict, self.activation_checkpointing_kwargs or {})
            pytorchs: dict[str, Any] = {"use_reentrant": False}
            pytorchs |= {key: value for key, value in given.items() if key not in ("every_n_layers", "offload")}
            try:
                checkpoint(torch.neg, torch.zeros(1, requires_grad=True), **pytorchs)
            except (TypeError, ValueError) as error:
                raise ValueError(f"activation_checkpointing_kwargs {given}: {error}") from error
        accumulation: dict[str, Any] = cast(Any, self.accelerator_config).gradient_accumulation_kwargs or {}
        try:
            GradientAccumulationPlugin(**accumulation)
        except TypeError as error:
            raise ValueError(f"accelerator_config: gradient_accumulation_kwargs {accumulation}: {error}") from error
        if self.torch_compile:
            try:  # a trial: without a C++ compiler, say, it would fail at the first step
                backend = cast(str, self.torch_compile_backend)
                compiled = torch.compile(lambda x: -x, backend=backend, mode=self.torch_compile_mode)
                compiled(torch.zeros(8, device=self.device))
            except Exception as error:  # of the compiler's many kinds
                reason = str(error).strip().partition("\n")[0]
                raise ValueError(
                    f"torch_compile with {self.torch_compile_backend} does not work here: {reason}"
                ) from error

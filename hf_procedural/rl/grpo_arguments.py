"""The arguments of `grpo.GRPO`: all of TRL's, with what can be wrong in them told in the user's words."""

import dataclasses
from typing import TYPE_CHECKING, Any

from transformers import GenerationConfig
from trl import GRPOConfig

from ..errors import nearest
from ..training.stage_arguments import StageArguments
from .arguments import RLSettings

# Settings of generation that are arguments of their own, and what these are called
_FLAGS = {name: name for name in ("temperature", "top_p", "top_k", "min_p", "repetition_penalty")}
_FLAGS |= {"cache_implementation": "cache_implementation", "max_new_tokens": "max_completion_length"}


@dataclasses.dataclass
class RLArguments(RLSettings, StageArguments, GRPOConfig):
    """All of trl.GRPOConfig, `patience`, and when dynamic sampling begins, with the defaults of RLSettings."""

    if TYPE_CHECKING:  # numbers, since TRL's `__post_init__` fills in what is None
        steps_per_generation: int = dataclasses.field(init=False)
        generation_batch_size: int = dataclasses.field(init=False)

    def __post_init__(self):
        try:
            super().__post_init__()
        except ValueError as error:
            self._check_groups(error)  # TRL's words name no flag to change
            raise
        self._check_whole_groups()
        self._check_generation_kwargs()

    def _check_generation_kwargs(self) -> None:
        """Raises ValueError for a setting that transformers does not know, or that is a flag here."""
        given: Any = self.generation_kwargs or {}
        if self.use_vllm:
            return  # they are those of vLLM's SamplingParams, which it checks
        known = GenerationConfig().to_dict()
        for name in given:
            if name in _FLAGS:
                raise ValueError(f"generation_kwargs: {name} is the flag --{_FLAGS[name]}, which the loss reads, too")
            if name not in known:
                raise ValueError(f"generation_kwargs: transformers has no {name!r}{nearest(str(name), sorted(known))}")
        stops = given.get("stop_strings") or []
        stops = [stops] if isinstance(stops, str) else stops
        if not isinstance(stops, list) or not all(isinstance(stop, str) and stop for stop in stops):
            raise ValueError(f"generation_kwargs: stop_strings must be texts that are not empty, got {stops!r}")
        if stops:
            given["stop_strings"] = stops
        for name in ("use_transformers_continuous_batching", "mask_truncated_completions"):
            if stops and getattr(self, name):
                raise ValueError(f"generation_kwargs: {name} knows no stop_strings: leave one out")
        try:
            GenerationConfig(**{"do_sample": True} | given).validate(strict=True)
        except Exception as error:  # of the types of values, too
            raise ValueError(f"generation_kwargs {given}: {' '.join(str(error).split())}") from error

    def _check_groups(self, error: ValueError) -> None:
        """Raises ValueError from `error`, TRL's, where batches do not hold whole groups of completions."""
        batches_are_known = self.steps_per_generation is not None and self.generation_batch_size is not None
        if not batches_are_known or not hasattr(self, "distributed_state"):
            return  # it was raised before TRL came to them
        of_evaluation = self.num_generations_eval or self.num_generations
        evaluates = self.do_eval and self.eval_strategy != "no"
        if evaluates and self.per_device_eval_batch_size * self.world_size % of_evaluation:
            raise ValueError(
                f"num_generations_eval {of_evaluation} must divide per_device_eval_batch_size "
                f"{self.per_device_eval_batch_size} x {self.world_size} processes"
            ) from error
        if self.generation_batch_size % self.num_generations:
            raise ValueError(
                f"num_generations {self.num_generations} must divide the batch, per_device_train_batch_size "
                f"{self.per_device_train_batch_size} x gradient_accumulation_steps {self.gradient_accumulation_steps} "
                f"x {self.world_size} processes (or generation_batch_size, where that is given)"
            ) from error

    def _check_whole_groups(self) -> None:
        """Raises ValueError where dynamic sampling does not fit the batch."""
        if self.dynamic_sampling_from is not None and self.completions_per_process % self.num_generations:
            raise ValueError(
                f"dynamic_sampling_from: each process must have whole groups, but num_generations "
                f"{self.num_generations} does not divide its {self.completions_per_process} completions"
            )

    @property
    def completions_per_process(self) -> int:
        """Completions that one process generates at a time."""
        return self.per_device_train_batch_size * self.steps_per_generation

    @property
    def questions_per_step(self) -> int:
        """Questions in one optimizer step, over all processes."""
        completions = self.per_device_train_batch_size * self.gradient_accumulation_steps * self.world_size
        return completions // self.num_generations // self.num_iterations

"""Our part of the arguments of reinforcement stages, see grpo_arguments.py, and LoRA's. Light: no torch, no TRL."""

import dataclasses
import importlib.util
from typing import TYPE_CHECKING

from ..errors import nearest
from ..training.arguments import StageSettings
from ..training.parser import mapping

CANDIDATES = 16  # tokens that the entropy of a question is taken over
# Arguments of TRL's that are JSON, in which it names none of them where it is wrong
_MAPPINGS = (
    "generation_kwargs",
    "chat_template_kwargs",
    "model_init_kwargs",
    "transformers_continuous_batching_config",
)
WAYS = ("standard", "reasoning")  # of predicting the next token


@dataclasses.dataclass
class RLSettings(StageSettings):
    """`patience`, when dynamic sampling begins, and other defaults than TRL's.

    Those that differ: those of the other recipes (StageSettings), max_completion_length (the recipe's), eval_on_start
    (true: what the model could before), log_completions (true, as Parquet files, nothing is printed), shuffle_dataset
    (false: questions come in random order) and disable_dropout (true). GRPO in TRL begins with beta 0 (no KL term),
    clipping at 0.2 and groups of 8.
    """

    _argument_group_name = "training: all of trl.GRPOConfig, and"
    extends = ("trl", "GRPOConfig")
    best = "exact_match"
    known = ("exact_match",)

    max_steps: int = dataclasses.field(default=-1, metadata={"help": "Optimizer steps. Must be given."})
    learning_rate: float = dataclasses.field(default=1e-6, metadata={"help": "Peak learning rate of AdamW."})
    remove_unused_columns: bool | None = dataclasses.field(
        default=False, metadata={"help": "Must stay false: rewards read the columns."}
    )
    include_num_input_tokens_seen: str = dataclasses.field(
        default="no", metadata={"help": "Must stay no: TRL counts tokens itself, prompts and completions."}
    )
    logging_steps: float = dataclasses.field(default=10, metadata={"help": "Steps between two logs."})
    eval_steps: float | None = dataclasses.field(default=100, metadata={"help": "Steps between two evaluations."})
    eval_on_start: bool = dataclasses.field(default=True, metadata={"help": "Evaluate before the first step, too."})
    log_completions: bool = dataclasses.field(
        default=True,
        metadata={"help": "Keep prompts, completions and rewards of logged steps in completions/*.parquet."},
    )
    num_completions_to_print: int | None = dataclasses.field(
        default=0, metadata={"help": "Completions that are also printed at each log."}
    )
    shuffle_dataset: bool | None = dataclasses.field(
        default=False, metadata={"help": "Shuffle questions once more, a thousand ahead; not with a curriculum."}
    )
    disable_dropout: bool = dataclasses.field(default=True, metadata={"help": "Train without dropout."})
    max_completion_length: int | None = dataclasses.field(
        default=None, metadata={"help": "Tokens of a completion. Default: what the recipe needs."}
    )
    dynamic_sampling_from: int | None = dataclasses.field(
        default=None,
        metadata={
            "help": "From this step on, leave out groups with equal rewards, and sample other questions instead. "
            "Default: never."
        },
    )

    if TYPE_CHECKING:  # of trl.GRPOConfig
        temperature: float = dataclasses.field(init=False)
        num_generations: int = dataclasses.field(init=False)
        scale_rewards: str = dataclasses.field(init=False)
        load_best_model_at_end: bool = dataclasses.field(init=False)

    def __post_init__(self):
        if self.max_steps < 1:
            raise ValueError(f"max_steps must be at least 1 (questions are drawn without an end), got {self.max_steps}")
        for name in _MAPPINGS:
            if isinstance(getattr(self, name), str):
                setattr(self, name, mapping(name, getattr(self, name)))
        truths = {"true": "group", "false": "none"}  # as TRL reads them, of which a parser of words sees none
        self.scale_rewards = truths.get(str(self.scale_rewards).lower(), self.scale_rewards)
        for name, value in (("remove_unused_columns", False), ("include_num_input_tokens_seen", "no")):
            if getattr(self, name) != value:
                raise ValueError(f"{name} must stay {value}, got {getattr(self, name)}")
        if self.eval_strategy == "steps" and self.num_generations_eval is None:
            self.num_generations_eval = self.num_generations
        if self.load_best_model_at_end:
            self.metric_for_best_model = self.metric_for_best_model or self.best
        super().__post_init__()


@dataclasses.dataclass
class LoraArguments:
    """Low-rank adapters in place of all weights (Hu et al. 2021, LoRA, arXiv:2106.09685); the names are TRL's."""

    _argument_group_name = "LoRA, by peft"

    use_peft: bool = dataclasses.field(
        default=False, metadata={"help": "Train low-rank adapters (LoRA) instead of all weights."}
    )
    lora_r: int = dataclasses.field(default=16, metadata={"help": "Their rank."})
    lora_alpha: int = dataclasses.field(
        default=32, metadata={"help": "What they add is scaled by lora_alpha / lora_r."}
    )
    lora_target_modules: list[str] = dataclasses.field(
        default_factory=list,
        metadata={"help": "Names of linear layers that get one, such as q_proj v_proj. Default: all but the head."},
    )
    save_adapter: bool = dataclasses.field(
        default=False,
        metadata={
            "help": "Save the adapter alone, which peft loads onto --model_name_or_path. Default: weights with it "
            "merged in, which load as those of any model."
        },
    )

    def __post_init__(self):
        unused = {"lora_r": 16, "lora_alpha": 32, "lora_target_modules": [], "save_adapter": False}
        for name, default in unused.items():
            if getattr(self, name) != default and not self.use_peft:
                raise ValueError(f"{name}: there is no adapter without --use_peft")
        if self.use_peft and importlib.util.find_spec("peft") is None:
            raise ValueError("use_peft: peft is not installed: pip install 'hf-procedural[peft]'")

    def config_for(self, model):
        """peft's configuration for a model; None where all weights are trained.

        Raises ValueError for a module that the model does not have.
        """
        if not self.use_peft:
            return None
        from peft import LoraConfig  # takes seconds, for those alone who want it

        last = {name.rpartition(".")[2] for name, _ in model.named_modules()}
        for name in self.lora_target_modules:
            if name.rpartition(".")[2] not in last:
                near = nearest(name, sorted(last))
                raise ValueError(f"lora_target_modules: a {model.config.model_type} has no module {name!r}{near}")
        return LoraConfig(
            task_type="CAUSAL_LM",
            r=self.lora_r,
            lora_alpha=self.lora_alpha,
            target_modules=self.lora_target_modules or "all-linear",
        )

"""TRL's GRPOTrainer, with what our recipes add: evaluation by verified answers, and dynamic sampling."""

import contextlib
import copy
import dataclasses
import functools
import inspect
import sys
import threading
import warnings
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import torch
from datasets import Dataset, IterableDataset
from datasets.utils import tqdm
from transformers import EarlyStoppingCallback, PreTrainedModel, PreTrainedTokenizerBase

from .. import upstream
from ..models import prompting
from ..models.build import positions_of
from ..training.callbacks import LogMore
from ..training.stage_arguments import StageArguments
from .arguments import RLSettings

try:
    from accelerate.utils import gather_object
    from trl import GRPOConfig, GRPOTrainer
except ImportError as error:
    raise ImportError(f"this recipe needs TRL: pip install 'hf-procedural[rl]' ({error})") from error

_NAMES = ("_tokenize_prompts", "_generate_single_turn", "_generate_and_score_completions")  # of methods of TRL's
_STEP, _METRICS = "trl:GRPOTrainer._step", "trl:GRPOTrainer._metrics"
_LOAD = "trl.trainer.grpo_trainer:create_model_from_path"
ROUNDS = 8  # of generation in a step of dynamic sampling, at most


def hide_warning() -> None:
    """For the main of a recipe: TRL 1.16 asks transformers 5.23 under an old name, at every generation."""
    warnings.filterwarnings("ignore", message=".*is_gradient_checkpointing")


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
        self._check_windows()

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

    def _check_windows(self) -> None:
        """Raises ValueError where steps that share their completions, or dynamic sampling, do not fit the batch."""
        window = self.num_iterations * self.steps_per_generation // self.gradient_accumulation_steps
        if self.save_strategy == "steps" and window > 1 and self.save_steps % window:
            raise ValueError(
                f"save_steps must be a multiple of the {window} steps that share their completions, so that a resumed "
                f"run is the same, got {self.save_steps:g}"
            )
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


class GRPO(GRPOTrainer):
    """The stock trainer, which also

    - reads `questions` without an end: an iterable of rows that have a prompt, as TRL takes it, and whatever columns
      the reward wants;
    - evaluates by `measure(self)`, a function of the recipe's that asks `scores`;
    - ends a completion at the row's `answer_length`, where there is this column: in the rows of most procedural tasks
      nothing else says where an answer ends;
    - with `args.dynamic_sampling_from` leaves out groups whose rewards are all equal, which teach nothing, and samples
      completions of others, `questions.draw(generator, number)`, in their place (Yu et al. 2025, DAPO,
      arXiv:2503.14476; Dong et al. 2025, RPT, from step 500);
    - numbers positions from the first token that is not padding, as generation does. TRL numbers padding, too, so that
      the log-probabilities of models with absolute positions, such as GPT-2, would not be those of what was sampled;
    - with `args.beta` compares with the model that it is given. TRL loads one from where its configuration came from.
    """

    model: PreTrainedModel
    args: RLArguments
    processing_class: PreTrainedTokenizerBase
    num_generations: int
    max_completion_length: int

    def __init__(self, model, reward, args: RLArguments, *, questions, measure, tokenizer, callbacks=()):
        self.questions = questions
        self.measure = measure
        self._lengths = []  # of the completions that are asked for, in tokens, or None
        if args.patience:
            callbacks = [*callbacks, EarlyStoppingCallback(args.patience)]
        accelerator_config: Any = args.accelerator_config
        accelerator_config.dispatch_batches = False  # every process makes its own prompts
        for name in _NAMES:
            upstream.need(f"trl:GRPOTrainer.{name}")
        with _reference(model, wanted=args.beta != 0):
            super().__init__(
                model,
                reward,
                args,
                train_dataset=IterableDataset.from_generator(functools.partial(iter, questions)),
                eval_dataset=Dataset.from_dict({"prompt": [""]}),  # only for the Trainer to see that there is one
                processing_class=tokenizer,
                callbacks=list(callbacks),
            )
        if args.dynamic_sampling_from is not None and upstream.of(self, _STEP) is None:
            raise upstream.lacking(_STEP)
        self._open_ended = prompting.open_ended(tokenizer)
        for policy_or_reference in filter(None, (self.model, self.ref_model)):
            unwrapped = self.accelerator.unwrap_model(policy_or_reference)
            _positions_from_mask(unwrapped, lambda: None not in self._lengths)
        LogMore(self, lambda logs: {"num_input_tokens_seen": self.state.num_input_tokens_seen})

    def train(self, resume_from_checkpoint=None, **kwargs):
        """The Trainer's, without another evaluation before the first step of a run that goes on."""
        self.args.eval_on_start = self.args.eval_on_start and not resume_from_checkpoint
        return super().train(resume_from_checkpoint, **kwargs)

    def create_model_card(self, *args, **kwargs):
        """Nothing: the card is ours, see `hub.runs.publish_when_done`."""

    def floating_point_ops(self, inputs):
        """0: see `store_flos`."""
        return 0

    def store_flos(self):
        """FLOPs so far: for each weight outside of the embeddings and token, 2 to generate it and 6 to train on it."""
        weights = self.accelerator.unwrap_model(self.model).num_parameters(exclude_embeddings=True)
        self.state.total_flos = 8.0 * weights * self.state.num_input_tokens_seen

    # Evaluation

    def evaluate(self, eval_dataset=None, ignore_keys=None, metric_key_prefix="eval"):
        """The metrics of `measure`, with the same random numbers each time, which are not taken from training's."""
        self.model.eval()
        with torch.random.fork_rng():
            seeds = np.random.SeedSequence([self.args.seed, self.args.process_index])
            torch.manual_seed(int(seeds.generate_state(1)[0]))
            metrics = {f"{metric_key_prefix}_{name}": value for name, value in self.measure(self).items()}
        with _attribute(self, "log_completions", False):  # those of a step are logged with the step
            self.log(metrics)
        self.control = self.callback_handler.on_evaluate(self.args, self.state, self.control, metrics)
        return metrics

    def scores(self, rows: list[dict], verify: Callable, samples: int = 1, greedy: bool = False) -> np.ndarray:
        """What `verify`, a reward function, gives to `samples` completions of each row: float64 ``[rows, samples]``.

        It may give several values for each, of a further axis. Completions are sampled as in training, or `greedy`.
        Collective: all processes ask for the same rows.
        """
        with self.accelerator.split_between_processes(list(range(len(rows))), apply_padding=True) as mine:
            asked = [rows[index] for index in mine for _ in range(samples)]
        size = self.args.per_device_eval_batch_size
        starts = tqdm(range(0, len(asked), size), desc="Evaluating", leave=False, disable=self.args.disable_tqdm)
        values = []
        with self._decoding(greedy), torch.no_grad():
            for first in starts:
                values += self._verified(asked[first : first + size], verify)
        scores = np.array(gather_object(values), np.float64)
        return scores.reshape(-1, samples, *scores.shape[1:])[: len(rows)]

    def _verified(self, rows: list[dict], verify: Callable) -> list[float]:
        prompts = self._tokenize_prompts([row["prompt"] for row in rows])  # token ids, images, and what belongs to them
        self._lengths = [row.get("answer_length") for row in rows]
        ids, _ = self._generate_single_turn(*prompts, 1)
        columns = {key: [row[key] for row in rows] for key in rows[0]}
        columns["prompts"] = columns.pop("prompt")
        texts = self.processing_class.batch_decode(ids, skip_special_tokens=True)
        return verify(completions=texts, completion_ids=ids, **columns)

    @contextlib.contextmanager
    def _decoding(self, greedy: bool):
        """Greedy decoding, if asked for, by whatever generates."""
        if not greedy:
            yield
            return
        if self.use_vllm:
            with _attribute(self.vllm_generation, "temperature", 0.0):
                yield
            return
        config = copy.deepcopy(self.generation_config)
        # The defaults of all that only sampling reads, or transformers warns of them.
        config.update(do_sample=False, temperature=1.0, top_p=1.0, top_k=50, min_p=None)
        with _attribute(self, "generation_config", config):
            yield

    # Generation

    def _tokenize_prompts(self, prompts):
        ids, *others = super()._tokenize_prompts(prompts)
        if isinstance(prompts[0], str):  # else a chat template says what stands behind a prompt
            ids = self._open_ended(prompts)["input_ids"]
        return ids, *others

    def _generate_single_turn(self, *args, **kwargs):
        if None not in self._lengths and not self.use_vllm:
            self.generation_config.max_new_tokens = min(self.max_completion_length, max(cast(list[int], self._lengths)))
        outcome = super()._generate_single_turn(*args, **kwargs)
        if len(outcome) != 2:
            raise upstream.lacking("trl:GRPOTrainer._generate_single_turn")
        completions, logprobs = outcome
        completions = [ids[:length] for ids, length in zip(completions, self._lengths, strict=True)]
        logprobs = logprobs and [values[:length] for values, length in zip(logprobs, self._lengths, strict=True)]
        return completions, logprobs

    # Dynamic sampling

    def _generate_and_score_completions(self, inputs):
        batch = self._sample(inputs)
        start = self.args.dynamic_sampling_from
        is_on = start is not None and self.state.global_step >= start
        if not is_on or not self.model.training:
            return batch
        return self._with_mixed_groups(batch, len(inputs))

    def _sample(self, rows: list[dict]) -> dict:
        self._lengths = [row.get("answer_length") for row in rows]
        return super()._generate_and_score_completions(rows)

    def _with_mixed_groups(self, batch: dict, size: int) -> dict:
        """A batch of `size` completions, in groups whose rewards differ as far as a few rounds of sampling find them.

        The other groups are masked out: they count neither in the loss nor, where that is the number of tokens as in
        TRL's default loss, in what it is divided by.
        """
        groups = size // self.num_generations
        kept = []  # batches of groups whose rewards differ
        for number in range(ROUNDS):
            if number:
                batch = self._sample(self._other_questions(number, groups))
            advantages = batch["advantages"].view(groups, -1)  # of equal rewards they are equal, but not always 0
            mixed = (advantages != advantages[:, :1]).any(1)
            kept.append(_select(batch, mixed.repeat_interleave(self.num_generations)))
            missing = size - sum(len(some["advantages"]) for some in kept)
            # All processes go on while one lacks groups: they generate together.
            if not self.accelerator.reduce(torch.tensor(float(missing > 0), device=mixed.device)):
                break
        if missing > 0:
            others = _select(batch, ~mixed.repeat_interleave(self.num_generations))
            filler = {name: value[:missing] for name, value in others.items()}
            filler["completion_mask"] = torch.zeros_like(filler["completion_mask"])
            kept.append(filler)
        merged = {name: value[:size] for name, value in _joined(kept, self.processing_class.pad_token_id).items()}
        merged["num_items_in_batch"] = self.accelerator.gather(merged["completion_mask"].sum()).sum().clamp(min=1)
        metrics = upstream.of(self, _METRICS)
        if metrics is not None:
            metrics["train"]["dynamic_sampling/rounds"].append(number + 1)
            metrics["train"]["dynamic_sampling/left_out"].append(max(missing, 0) / size)
        return merged

    def _other_questions(self, number: int, groups: int) -> list[dict]:
        """This process's share of the questions of a round, each as often as a group is large."""
        args = self.args
        generation = self._step % args.gradient_accumulation_steps  # of the step, which may have several
        generator = np.random.default_rng([args.seed, self.state.global_step, generation, number])
        rows = list(self.questions.draw(generator, groups * args.world_size))  # the same in all processes
        first = args.process_index * groups
        return [row for row in rows[first : first + groups] for _ in range(self.num_generations)]


def longest_prompt(model, args: RLArguments, wanted: int) -> int:
    """Tokens that a prompt may have: `wanted`, or what a completion leaves of the model's positions.

    Raises ValueError where that is nothing.
    """
    positions = positions_of(model.config)
    completion = cast(int, args.max_completion_length)  # of which the recipe knows the default
    if positions and positions <= completion:
        raise ValueError(f"max_completion_length {completion} leaves no prompt to a model of {positions} positions")
    return min(wanted, positions - completion) if positions else wanted


def _select(batch: dict, chosen: torch.Tensor) -> dict:
    """The chosen rows, bool ``[rows]``, of all that a batch has by row."""
    return {
        name: value[chosen]
        for name, value in batch.items()
        if isinstance(value, torch.Tensor) and value.dim() and len(value) == len(chosen)
    }


def _joined(batches: list[dict], pad_token_id: int) -> dict:
    """Batches below each other, padded to one width: prompts on the left, completions on the right."""
    joined = {}
    for name in batches[0]:
        values = [batch[name] for batch in batches]
        if values[0].dim() == 2:
            fill = pad_token_id if name.endswith("_ids") else 0
            width = max(value.shape[1] for value in values)
            values = [_padded(value, width, fill, on_left=name.startswith("prompt")) for value in values]
        joined[name] = torch.cat(values)
    return joined


def _padded(value: torch.Tensor, width: int, fill: int, on_left: bool) -> torch.Tensor:
    missing = width - value.shape[1]
    return torch.nn.functional.pad(value, (missing, 0) if on_left else (0, missing), value=fill)


@contextlib.contextmanager
def _attribute(owner, name: str, value):
    """`owner.name` is `value` meanwhile."""
    before = getattr(owner, name)
    setattr(owner, name, value)
    try:
        yield
    finally:
        setattr(owner, name, before)


@contextlib.contextmanager
def _reference(model, wanted: bool):
    """Has TRL take a copy of `model` where it would load the reference of the KL term, here and in this thread alone.

    Raises ImportError in one line where TRL has loaded another.
    """
    if not wanted:
        yield
        return
    load = upstream.need(_LOAD)
    module: Any = sys.modules[GRPOTrainer.__module__]
    thread = threading.get_ident()
    copies = []

    def copied(*args, **settings):
        if threading.get_ident() != thread:
            return load(*args, **settings)
        copies.append(copy.deepcopy(model))
        return copies[-1]

    module.create_model_from_path = copied
    try:
        yield
    finally:
        module.create_model_from_path = load
    if not copies:
        raise upstream.lacking(_LOAD)


def _positions_from_mask(model, may_end: Callable[[], bool]) -> None:
    """Makes `model` number positions by its attention mask, where it is given one and no positions: a hook.

    Where `may_end()`, those of `generate` stay at the model's last position once they reach it: only rows get there
    that go on behind their answer, while others of the batch are not done, and that is cut off.
    """
    if "position_ids" not in inspect.signature(model.forward).parameters:
        return
    last = positions_of(model.config)

    def before(module, args, inputs):
        mask = inputs.get("attention_mask")
        positions = inputs.get("position_ids")
        is_whole = mask is not None and mask.dim() == 2 and not inputs.get("past_key_values")
        if positions is None and is_whole:
            inputs = inputs | {"position_ids": (mask.long().cumsum(-1) - 1).clamp(min=0)}
        elif positions is not None and last is not None and may_end():
            inputs = inputs | {"position_ids": positions.clamp(max=last - 1)}
        return args, inputs

    model.register_forward_pre_hook(before, with_kwargs=True)

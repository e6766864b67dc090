"""TRL's GRPOTrainer, with what our recipes add: evaluation by verified answers, and dynamic sampling."""

import bisect
import contextlib
import copy
import functools
import inspect
import sys
import threading
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from datasets import Dataset, IterableDataset
from datasets.utils import tqdm
from transformers import EarlyStoppingCallback, PreTrainedModel, PreTrainedTokenizerBase

from .. import upstream
from ..locks import no_empty_folders
from ..models import prompting
from ..models.build import positions_of
from ..training.callbacks import LogMore
from .arguments import LoraArguments
from .reused import KeepCompletions

try:
    from accelerate.utils import gather_object, is_peft_model
    from trl import GRPOTrainer

    from .grpo_arguments import RLArguments
except ImportError as error:
    raise ImportError(f"this recipe needs TRL: pip install 'hf-procedural[rl]' ({error})") from error

_NAMES = ("_tokenize_prompts", "_generate", "_generate_single_turn", "_generate_and_score_completions")  # of TRL's
_STEP, _METRICS = "trl:GRPOTrainer._step", "trl:GRPOTrainer._metrics"
_BY_TOKENS = ("cispo", "dapo", "vespo")  # losses that are divided by the tokens of all batches, so of no masked one
_LOAD = "trl.trainer.grpo_trainer:create_model_from_path"
ROUNDS = 8  # of generation in a step of dynamic sampling, at most


def hide_warning() -> None:
    """For the main of a recipe: TRL 1.16 asks transformers 5.23 under an old name, at every generation.

    That its environments are new is not the user's matter, who asked for ours.
    """
    for message in (".*is_gradient_checkpointing", ".*environment_factory"):
        warnings.filterwarnings("ignore", message=message)


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
    - with `args.beta` compares with the model that it is given. TRL loads one from where its configuration came from;
    - with `lora` trains adapters, which checkpoints hold alone, and saves the model with them merged in at the end,
      unless `lora.save_adapter`;
    - hands the tokenizer to `generate`, so that stop_strings of generation_kwargs end a completion.
    """

    model: PreTrainedModel
    args: RLArguments
    processing_class: PreTrainedTokenizerBase
    num_generations: int
    max_completion_length: int

    def __init__(
        self,
        model,
        reward,
        args: RLArguments,
        *,
        questions,
        measure,
        tokenizer,
        lora: LoraArguments | None = None,
        callbacks=(),
        environment_factory=None,
    ):
        lora = lora or LoraArguments()
        adapters = lora.config_for(model)
        self._merges = adapters is not None and not lora.save_adapter
        if adapters is not None and Path(model.name_or_path).is_dir():
            model.name_or_path = str(Path(model.name_or_path).absolute())  # which the adapter names as its base
        self.questions = questions
        self.measure = measure
        self._lengths = []  # of the completions that are asked for, in tokens, or None
        if args.patience:
            callbacks = [*callbacks, EarlyStoppingCallback(args.patience)]
        accelerator_config: Any = args.accelerator_config
        accelerator_config.dispatch_batches = False  # every process makes its own prompts
        for name in _NAMES:
            upstream.need(f"trl:GRPOTrainer.{name}")
        with no_empty_folders(Path(cast(str, args.output_dir), "completions")):  # which TRL makes before all else
            with _reference(model, wanted=args.beta != 0 and adapters is None):
                super().__init__(
                    model,
                    reward,
                    args,
                    train_dataset=IterableDataset.from_generator(functools.partial(iter, questions)),
                    eval_dataset=Dataset.from_dict({"prompt": [""]}),  # only for the Trainer to see that there is one
                    processing_class=tokenizer,
                    callbacks=list(callbacks),
                    peft_config=adapters,
                    environment_factory=environment_factory,
                )
            self._settle(tokenizer)
        LogMore(self, lambda logs: {"num_input_tokens_seen": self.state.num_input_tokens_seen})

    def _settle(self, tokenizer) -> None:
        """The rest of what makes the trainer ready. Raises ValueError for what cannot work."""
        if self.args.dynamic_sampling_from is not None and upstream.of(self, _STEP) is None:
            raise upstream.lacking(_STEP)
        self._keep = KeepCompletions(self)
        zero = self.accelerator.state.deepspeed_plugin
        if self._merges and (self.is_fsdp_enabled or (zero is not None and zero.zero_stage == 3)):
            raise ValueError("use_peft: weights in shards, of FSDP or ZeRO 3, are not merged: add --save_adapter")
        self._open_ended = prompting.open_ended(tokenizer)
        policy: Any = self._whole_model()
        for policy_or_reference in filter(None, (policy, self.ref_model)):
            unwrapped = self.accelerator.unwrap_model(policy_or_reference)
            _positions_from_mask(unwrapped, lambda: None not in self._lengths)
        generation: Any = self.args.generation_kwargs or {}
        self._stop_strings = generation.get("stop_strings") or []
        if self._stop_strings:
            policy.generate = functools.partial(policy.generate, tokenizer=tokenizer)
        if generation and not self.args.use_vllm:
            self._check_generation()

    def train(self, resume_from_checkpoint=None, **kwargs):
        """The Trainer's, without another evaluation before the first step of a run that goes on."""
        self.args.eval_on_start = self.args.eval_on_start and not resume_from_checkpoint
        self._keep.checkpoint = resume_from_checkpoint
        return super().train(resume_from_checkpoint, **kwargs)

    def _whole_model(self) -> PreTrainedModel:
        """The model itself, which peft has put adapters into."""
        model = self.accelerator.unwrap_model(self.model)
        return model.get_base_model() if is_peft_model(model) else model

    def save_model(self, output_dir=None, _internal_call=False):
        """The Trainer's; the model of the run itself, which has no `output_dir`, with its adapters merged in."""
        if output_dir is None and self._merges and is_peft_model(self.model):
            self.model = self.accelerator.unwrap_model(self.model).merge_and_unload()
        super().save_model(output_dir, _internal_call)
        if self.args.should_save and is_peft_model(self.model):  # which the adapter alone does not tell
            self._whole_model().config.save_pretrained(output_dir or cast(str, self.args.output_dir))

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
        if self._stop_strings and not self.use_vllm:
            completions = list(map(self._stopped, completions))
        if set(self._lengths) == {None}:  # as of conversations, of which some have gone on
            return completions, logprobs
        completions = [ids[:length] for ids, length in zip(completions, self._lengths, strict=True)]
        logprobs = logprobs and [values[:length] for values, length in zip(logprobs, self._lengths, strict=True)]
        return completions, logprobs

    def _stopped(self, ids: list[int]) -> list[int]:
        """A completion up to the token that completes a stop string: behind it there is padding, perhaps eos."""

        def has_stopped(count: int) -> bool:
            text = self.processing_class.decode(ids[:count], clean_up_tokenization_spaces=False)
            return any(stop in text for stop in self._stop_strings)

        if not has_stopped(len(ids)):
            return ids
        return ids[: bisect.bisect_left(range(len(ids)), True, key=has_stopped)]

    def _check_generation(self) -> None:
        """Raises ValueError, from one token for one question, where generation_kwargs do not work with this model."""
        if self.is_fsdp_enabled or self.is_deepspeed_enabled:
            return  # the model is not where it will be
        row = next(iter(self.questions))
        self._lengths = [1]
        try:
            with torch.random.fork_rng(), _attribute(self, "generation_config", copy.deepcopy(self.generation_config)):
                self._generate_single_turn(*self._tokenize_prompts([row["prompt"]]), 1)
        except Exception as error:  # of all kinds that settings can be wrong in
            reason = " ".join(f"{type(error).__name__}: {error}".split())
            raise ValueError(f"generation_kwargs {self.args.generation_kwargs}: {reason}") from error

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

        The other groups are masked out, `left_out` bool ``[size]``: they count neither in the loss nor in what it is
        divided by, see `compute_loss`.
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
        merged["left_out"] = torch.arange(size, device=mixed.device) >= size - missing
        counts = merged["completion_mask"] * merged.get("tool_mask", 1)
        merged["num_items_in_batch"] = self.accelerator.gather(counts.sum()).sum().clamp(min=1)
        metrics = upstream.of(self, _METRICS)
        if metrics is not None:
            metrics["train"]["dynamic_sampling/rounds"].append(number + 1)
            metrics["train"]["dynamic_sampling/left_out"].append(max(missing, 0) / size)
        return merged

    def compute_loss(self, model, inputs, return_outputs=False, num_items_in_batch=None):
        """TRL's, of what dynamic sampling has left in: a mean over rows is one over these rows, of all batches.

        bnpo's is a mean over tokens in each batch, so that of its batches those count that have any.
        """
        if "left_out" not in inputs or self.loss_type in _BY_TOKENS:
            return super().compute_loss(model, inputs, return_outputs, num_items_in_batch)
        kept = ~torch.stack([batch["left_out"] for batch in cast(list, self._buffered_inputs)])
        kept = kept.any(1) if self.loss_type == "bnpo" else kept
        share = self.accelerator.gather(kept.float().mean()).mean()
        share = share.item() or 1.0
        inputs = inputs | {"advantages": inputs["advantages"] / share}  # to which losses are proportional
        with _attribute(self, "beta", self.beta / share):
            return super().compute_loss(model, inputs, return_outputs, num_items_in_batch)

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

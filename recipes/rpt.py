# /// script
# requires-python = ">=3.10"
# dependencies = ["hf-procedural[rl]"]
# ///
"""Reinforcement Pre-Training: predicting the next token of any text, by reasoning (Dong et al. 2025, arXiv:2506.08007).

    python recipes/rpt_prepare.py recipes/configs/rpt_omnimath_prepare.yaml          # the questions, once
    accelerate launch recipes/rpt.py recipes/configs/rpt_omnimath.yaml --model_name_or_path ORG/REASONING-MODEL
    accelerate launch recipes/rpt.py recipes/configs/rpt_tiny.yaml                   # two CPU cores, minutes
    accelerate launch recipes/rpt.py runs/rpt/recipe.yaml --resume_from_checkpoint true   # after an interruption
    python recipes/rpt_evaluate.py --questions data/rpt --model_name_or_path after=runs/rpt --runs runs/rpt \\
        --output_dir runs/rpt/scores

The model reads a context, thinks, and writes what comes next in a \\boxed{}; it is rewarded where the prediction's
bytes are those of the text, up to the end of a token. The trainer is TRL's GRPOTrainer, so that every field of
GRPOConfig is a flag: vLLM is --use_vllm. Evaluation is the accuracy on held-out questions, by difficulty. The output
folder gets the model, its tokenizer, recipe.yaml, provenance.json, all_results.json, trainer_state.json, training.png
and completions/*.parquet.
"""

import dataclasses
import functools
from pathlib import Path

from hf_procedural.errors import required, user_errors
from hf_procedural.files import templates_of
from hf_procedural.rl.arguments import LoraArguments, RLSettings
from hf_procedural.rl.rewards import VARIANTS
from hf_procedural.runs.measured import THRESHOLDS
from hf_procedural.training import parser
from hf_procedural.training.arguments import WeightArguments

TEMPLATE = templates_of(__file__) / "rpt.txt"


@dataclasses.dataclass
class QuestionArguments(WeightArguments):
    """The model to begin with, what it is asked, and what is rewarded."""

    _argument_group_name = "model, questions and reward"

    model_name_or_path: str | None = dataclasses.field(
        default=None, metadata={"help": "Folder or Hub id of the model to train, best one that reasons."}
    )
    questions: str | None = dataclasses.field(
        default=None, metadata={"help": "What recipes/rpt_prepare.py wrote: a folder, or a data set of the Hub."}
    )
    min_entropy: float = dataclasses.field(
        default=0.5, metadata={"help": "Train on questions above this entropy, in nats: easy 0.5, medium 1, hard 1.5."}
    )
    max_prompt_length: int = dataclasses.field(
        default=4_096, metadata={"help": "Leave out questions whose prompt has more tokens, or no room for an answer."}
    )
    template: str | None = dataclasses.field(
        default=None, metadata={"help": "A file with the prompt, {context} in it. Default: templates/rpt.txt."}
    )
    reward: str = dataclasses.field(
        default="prefix", metadata={"help": "prefix (the paper's), or of its appendix first_token or dense."}
    )
    validation_size: int = dataclasses.field(default=200, metadata={"help": "Held-out questions to evaluate with."})

    def __post_init__(self):
        super().__post_init__()
        required(self, model_name_or_path="ORG/REASONING-MODEL", questions="data/rpt")
        if self.reward not in VARIANTS:
            raise ValueError(f"reward must be one of {', '.join(VARIANTS)}, got {self.reward!r}")


@dataclasses.dataclass
class RPTSettings(RLSettings):
    """As in recipes/rlvr.py; patience waits for the accuracy on easy questions, which are all of them."""

    best = "accuracy_easy"
    known = tuple(f"accuracy_{name}" for name in THRESHOLDS)


parser.answer_early(__name__, __doc__, QuestionArguments, LoraArguments, RPTSettings)

import numpy as np
from transformers import set_seed

from hf_procedural.data.blocks import fingerprint_of
from hf_procedural.hub.runs import train_and_publish
from hf_procedural.models import build, prompting, suited
from hf_procedural.rl import prefix_matching_reward, prompts, questions
from hf_procedural.runs import folder
from hf_procedural.training import begin, finish
from hf_procedural.training.launch import expect_threads

with user_errors(ImportError):
    from hf_procedural.rl.grpo import GRPO, RLArguments, hide_warning, longest_prompt


@dataclasses.dataclass
class RPTArguments(RPTSettings, RLArguments):
    """All of trl.GRPOConfig, with the defaults of RPTSettings."""


def load_questions(data, tokenizer, split: str, least: float, longest: int):
    """The questions of a split above an entropy with prompts of so many tokens at most, and how a prompt is made."""
    template = prompting.read_template(data.template or TEMPLATE, "context")

    def show(row):
        return prompting.as_prompt(prompting.fill(template, context=row["context"]), tokenizer)

    columns = ("entropy", *(("candidates", "probabilities") if data.reward == "dense" else ()))
    rows = questions.load_questions(data.questions, split, columns)
    hard = rows.filter(lambda batch: [entropy > least for entropy in batch["entropy"]], batched=True, desc="Entropy")
    kept = prompts.with_short_prompts(hard, show, tokenizer, longest)
    if not len(hard):
        raise ValueError(f"questions {data.questions}: none of {len(rows):,} in {split} has an entropy above {least}")
    if not len(kept):
        raise ValueError(
            f"questions {data.questions}: none of {len(hard):,} in {split} has a prompt of at most {longest} tokens "
            "(max_prompt_length, or what max_completion_length leaves of the model's positions)"
        )
    return kept, show


def measured(rows, verify, trainer) -> dict[str, float]:
    """The share of right predictions, by difficulty, and of questions with one in a group."""
    scores = trainer.scores(rows, verify, trainer.num_generations_eval)
    entropies = np.array([row["entropy"] for row in rows])
    results = {}
    for name, least in THRESHOLDS.items():
        if (chosen := entropies > least).any():
            results[f"accuracy_{name}"] = float(scores[chosen].mean())
    return results | {f"pass@{scores.shape[1]}": float((scores == 1).any(1).mean())}


def prepare(data, lora, args) -> finish.Prepared:
    """All that training needs. Raises ValueError for all that can be wrong; writes nothing."""
    args.output_dir = args.output_dir or f"runs/rpt_{Path(data.model_name_or_path).name}"
    args.max_completion_length = 8_192 if args.max_completion_length is None else args.max_completion_length
    if lora.save_adapter:
        suited.check_place(data.model_name_or_path)  # an adapter's model would not be what ours belongs to
    checkpoint = folder.open_run(args, data, lora)
    set_seed(args.seed)
    dtype = data.dtype or "float32"  # which steps of 1e-6 need
    model, tokenizer = build.load_text_model(data.model_name_or_path, ends=True, dtype=dtype)
    longest = longest_prompt(model, args, data.max_prompt_length)
    with args.main_process_first(desc="choosing questions"):
        train, show = load_questions(data, tokenizer, "train", data.min_entropy, longest)
        held_out, _ = load_questions(data, tokenizer, "validation", min(THRESHOLDS.values()), longest)
    validation = prompts.RowPrompts(held_out, show, folder.data_seed(args))
    rows = list(validation.draw(np.random.default_rng(0), min(data.validation_size, len(held_out))))
    make_trainer = functools.partial(
        GRPO,
        model,
        prefix_matching_reward(tokenizer, data.reward),
        args,
        questions=prompts.RowPrompts(train, show, folder.data_seed(args)),
        measure=functools.partial(measured, rows, prefix_matching_reward(tokenizer)),
        tokenizer=tokenizer,
        lora=lora,
    )
    provenance = {
        "init_from": folder.earlier_stages(data.model_name_or_path),
        "questions": {"train": len(train), "validation": len(rows)},
        "dataset_fingerprints": {"train": fingerprint_of(train), "validation": fingerprint_of(held_out)},
    }
    title = f"{data.questions}, {model.config.model_type}"
    return finish.Prepared("rpt", args, model, tokenizer, make_trainer, checkpoint, provenance, title)


def main():
    hide_warning()
    data, lora, args = parser.parse(__doc__, QuestionArguments, LoraArguments, RPTArguments)
    begin.hide_mask_warning()
    with user_errors():
        prepared = prepare(data, lora, args)
    train_and_publish(prepared, data, lora)
    expect_threads()


if __name__ == "__main__":
    main()

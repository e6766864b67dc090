# /// script
# requires-python = ">=3.10"
# dependencies = ["hf-procedural[rl]"]
# ///
"""Reinforcement learning with verifiable rewards: trains on a procedural task by reward instead of labels, with GRPO.

    accelerate launch recipes/rlvr.py recipes/configs/rlvr_sort.yaml --init_from runs/sort
    accelerate launch recipes/rlvr.py --task reverse-16 --init_from runs/reverse --max_steps 200 --output_dir runs/rl
    accelerate launch recipes/rlvr.py --task sort-16+addition-4 --init_from runs/mixture --max_steps 200
    accelerate launch recipes/rlvr.py recipes/configs/rlvr_instruct.yaml --model_name_or_path ORG/INSTRUCT-MODEL
    accelerate launch recipes/rlvr.py recipes/configs/rlvr_instruct.yaml --model_name_or_path ORG/MODEL --use_peft
    accelerate launch recipes/rlvr.py recipes/configs/rlvr_turns.yaml --model_name_or_path ORG/MODEL-THAT-CALLS-TOOLS
    accelerate launch recipes/rlvr.py runs/rl/recipe.yaml --resume_from_checkpoint true   # after an interruption

A checkpoint of recipes/pretrain.py (--init_from) reads a prompt as the task's tokens and answers at once; a model of
the Hub (--model_name_or_path) reads it in words, by a template, and answers in a \\boxed{}. Any task or mixture with
`solve` is its own verifier. The trainer is TRL's GRPOTrainer, so that every field of GRPOConfig is a flag: vLLM is
--use_vllm. With --use_peft low-rank adapters are trained, and merged into the weights at the end. Evaluation is on
prompts of the validation split, which training never sees: exact match (decoded greedily) and pass@k (sampled). The
output folder is that of recipes/pretrain.py, and completions/*.parquet.

With --environment a question is asked in steps, of the tasks that have some (stack, eca, word_problem, flip_flop), by
TRL's own environments: the model gives each reply by calling a tool, which gives the next step.
"""

import dataclasses
import functools
import itertools

from hf_procedural.errors import user_errors
from hf_procedural.files import templates_of
from hf_procedural.rl.arguments import LoraArguments, RLSettings
from hf_procedural.training import parser
from hf_procedural.training.arguments import InitArguments, ModelArguments, TaskArguments

TEMPLATES = templates_of(__file__)
REWARDS = ("exact", "graded", "zero")


@dataclasses.dataclass
class QuestionArguments(TaskArguments):
    """Which task, what is rewarded, and how it is validated."""

    validation_size: int = dataclasses.field(default=256, metadata={"help": "Validation prompts."})
    curriculum: bool = dataclasses.field(
        default=False, metadata={"help": "Begin with short prompts and lengthen them each time exact match is reached."}
    )
    curriculum_threshold: float = dataclasses.field(
        default=0.9, metadata={"help": "Validation exact match that counts as mastery."}
    )
    reward: str = dataclasses.field(
        default="exact",
        metadata={
            "help": "exact (1 for the right answer), graded (share of right tokens up to the first error), or zero, "
            "a control from which nothing can be learned."
        },
    )

    environment: bool = dataclasses.field(
        default=False,
        metadata={
            "help": "Ask in steps, each of which the model answers by calling a tool: TRL's environments. For tasks "
            "with steps, and a --model_name_or_path whose chat template takes tools. exact is then 1 if all steps are "
            "right, graded the share of right ones."
        },
    )

    def __post_init__(self):
        super().__post_init__()
        if self.reward not in REWARDS:
            raise ValueError(f"reward must be one of {', '.join(REWARDS)}, got {self.reward!r}")
        if self.environment and self.curriculum:
            raise ValueError("environment: questions in steps have no curriculum: leave out one of the two")


@dataclasses.dataclass
class PolicyArguments(InitArguments):
    """The model to begin with: a checkpoint of the procedural stage, or a model that reads text."""

    _argument_group_name = "model to begin with"

    embeddings: str = dataclasses.field(
        default="by_token",
        metadata={"help": "Token embeddings: by_token (each token keeps its own), or as in recipes/pretrain.py."},
    )
    model_name_or_path: str | None = dataclasses.field(
        default=None, metadata={"help": "Folder or Hub id of a model that reads text, instead of --init_from."}
    )
    template: str | None = dataclasses.field(
        default=None,
        metadata={
            "help": "With model_name_or_path: file of the prompt, with {prompt}. Default: templates/rlvr.txt, of "
            "text rlvr_text.txt, with --environment turns_tool.txt."
        },
    )

    def __post_init__(self):
        super().__post_init__()
        if (self.init_from is None) == (self.model_name_or_path is None):
            raise ValueError("give one of --init_from (a run of recipes/pretrain.py) and --model_name_or_path (Hub id)")


parser.answer_early(__name__, __doc__, QuestionArguments, PolicyArguments, ModelArguments, LoraArguments, RLSettings)

import numpy as np
from transformers import set_seed

import hf_procedural
from hf_procedural.data import blocks
from hf_procedural.environments import Questions
from hf_procedural.hub.runs import train_and_publish
from hf_procedural.models import build, prompting, suited
from hf_procedural.rl import answer_reward, prompts
from hf_procedural.runs import folder
from hf_procedural.tasks.byte_text import is_wholly_text
from hf_procedural.training import begin, finish
from hf_procedural.training.curriculum import length_curriculum
from hf_procedural.training.launch import expect_threads

with user_errors(ImportError):
    from hf_procedural.environments import trl as steps
    from hf_procedural.rl.accuracy import pass_at_k
    from hf_procedural.rl.grpo import GRPO, RLArguments, hide_warning


def load_policy(task, policy, model_args, args, questions=None):
    """Model, tokenizer, how a prompt is shown, and where the weights come from, for provenance.json."""
    if policy.model_name_or_path is not None:
        dtype = model_args.dtype or "float32"
        model, tokenizer = build.load_text_model(policy.model_name_or_path, ends=True, dtype=dtype)
        args.max_completion_length = 512 if args.max_completion_length is None else args.max_completion_length
        if questions:
            steps.check_template(tokenizer, policy.model_name_or_path)
            check_positions(steps.longest_first_step(questions["train"], tokenizer), model, policy, args)
            show = None
        else:
            usual = TEMPLATES / "rlvr_text.txt" if is_wholly_text(task) else TEMPLATES / "rlvr.txt"
            show = prompts.in_words(prompting.read_template(policy.template or usual, "prompt"), tokenizer)
            check_room(task, show, model, tokenizer, policy, args)
        return model, tokenizer, show, {"init_from": folder.earlier_stages(policy.model_name_or_path)}
    if args.mask_truncated_completions:
        raise ValueError("mask_truncated_completions: of the task's tokens, answers have a length and seldom an end")
    tokenizer = hf_procedural.tokenizer(task)
    set_seed(args.seed)
    model = model_args.build(tokenizer, task.max_length, like=policy.config_source())
    provenance = begin.transfer_and_freeze(policy, model, tokenizer, args)
    shortest = min(len(row["prompt_ids"]) for row in first_rows(task, None, args))
    args.max_completion_length = args.max_completion_length or task.max_length - shortest
    return model, tokenizer, None, provenance


def first_rows(task, show, args, number: int = 64) -> list[dict]:
    """So many of the training prompts."""
    return list(itertools.islice(prompts.TaskPrompts(task, folder.data_seed(args), "train", show), number))


def check_room(task, show, model, tokenizer, policy, args) -> None:
    """Raises ValueError where a language is to be asked in words, or a model has no positions left for an answer."""
    if languages := [part.config_name for part in getattr(task, "members", [task]) if part.is_language]:
        raise ValueError(f"model_name_or_path: {languages[0]} is a language, which has no questions to ask in words")
    asked = [row["prompt"] for row in first_rows(task, show, args)]
    check_positions(max(map(len, prompting.token_ids(asked, tokenizer))), model, policy, args)


def check_positions(longest, model, policy, args) -> None:
    """Raises ValueError where a model has no positions left for an answer behind a prompt of `longest` tokens."""
    positions = build.positions_of(model.config)
    if positions is not None and longest + args.max_completion_length > positions:
        room = positions - longest
        remedy = f"choose at most {room}" if room > 0 else "take a shorter template or task, or another model"
        raise ValueError(
            f"max_completion_length {args.max_completion_length} behind a prompt of {longest} tokens is more than the "
            f"{positions} positions of {policy.model_name_or_path}: {remedy}"
        )


def measured(validation, size, verify, curriculum, trainer) -> dict[str, float]:
    """Exact match, decoded greedily, and pass@k, sampled, on validation prompts; of steps the share of right ones."""
    rows = list(itertools.islice(validation, size))
    greedy = trainer.scores(rows, verify, greedy=True)
    sampled = trainer.scores(rows, verify, trainer.num_generations_eval)
    results = {"exact_match": float((greedy == 1).mean())}
    if isinstance(trainer, steps.StepsGRPO):
        results["step_accuracy"] = float(greedy.mean())
    samples, right = sampled.shape[1], (sampled == 1).sum(1)
    for k in [2**power for power in range(samples.bit_length())]:
        results[f"pass@{k}"] = float(np.mean([pass_at_k(samples, count, k) for count in right]))
    return results | curriculum.metrics() if curriculum else results


def prepare(data, policy, model_args, lora, args) -> finish.Prepared:
    """All that training needs. Raises ValueError for all that can be wrong; writes nothing."""
    task = data.resolve()
    if args.dataloader_num_workers and any(member.is_text for member in getattr(task, "members", [task])):
        raise ValueError(
            f"dataloader_num_workers must be 0 for {task.config_name}, which scores in the process that made a row; "
            f"got {args.dataloader_num_workers}"
        )
    in_box = policy.model_name_or_path is not None
    verify = answer_reward(task, in_box=in_box)
    graded = answer_reward(task, graded=True, in_box=in_box)
    reward = {"exact": verify, "graded": graded, "zero": zero_reward}[data.reward]
    args.output_dir = args.output_dir or f"runs/rlvr_{task.config_name}"
    if lora.use_peft and policy.train_components:
        raise ValueError(f"train_components {policy.train_components}: with --use_peft adapters alone are trained")
    if lora.save_adapter and not in_box:
        raise ValueError(
            "save_adapter: --init_from makes a new model, which is nowhere for an adapter to be loaded onto: leave "
            "save_adapter out"
        )
    if lora.save_adapter:
        suited.check_place(policy.model_name_or_path)  # an adapter's model would not be what ours belongs to
    seed = folder.data_seed(args)
    questions = in_steps(task, seed, policy) if data.environment else None
    checkpoint = folder.open_run(args, data, policy, model_args, lora)
    model, tokenizer, show, provenance = load_policy(task, policy, model_args, args, questions)
    train, validation = (prompts.TaskPrompts(task, seed, split, show) for split in ("train", "validation"))
    provenance["dataset_fingerprints"] = {
        split: blocks.fingerprint(task, seed, split) for split in ("train", "validation")
    }
    curriculum = length_curriculum(data, args, train, validation, args.questions_per_step, "exact_match")
    if questions:
        validation = steps.StepRows(questions["validation"])
        trainer = functools.partial(steps.StepsGRPO, model, questions, data.reward, args)
    else:
        trainer = functools.partial(GRPO, model, reward, args, questions=train)
    make_trainer = functools.partial(
        trainer,
        measure=functools.partial(measured, validation, data.validation_size, verify, curriculum),
        tokenizer=tokenizer,
        lora=lora,
        callbacks=[curriculum] if curriculum else [],
    )
    title = f"{data.task}, {data.reward} reward"
    return finish.Prepared("rlvr", args, model, tokenizer, make_trainer, checkpoint, provenance, title)


def in_steps(task, seed, policy) -> dict[str, Questions]:
    """The questions of training and of validation, in steps. Raises ValueError where there are none."""
    if policy.model_name_or_path is None:
        raise ValueError(
            "environment: --init_from is of the task's tokens, without a chat template that takes tools: give a "
            "--model_name_or_path that calls tools"
        )
    if without := [part.config_name for part in getattr(task, "members", [task]) if part.turn is None]:
        raise ValueError(f"environment: {without[0]} has no steps; tasks that have: {', '.join(tasks_in_steps())}")
    template = policy.template or steps.TEMPLATE
    return {split: Questions(task, seed, split, template, turns=True) for split in ("train", "validation")}


def tasks_in_steps() -> list[str]:
    """The names of tasks that are asked in steps."""
    return [
        name
        for name in hf_procedural.list_tasks()
        if hf_procedural.tasks.task_class(name).turn is not hf_procedural.Task.turn
    ]


def zero_reward(prompts, **columns) -> list[float]:
    """0 for every completion: a control, from which nothing can be learned."""
    return [0.0] * len(prompts)


def main():
    hide_warning()
    data, policy, model_args, lora, args = parser.parse(
        __doc__, QuestionArguments, PolicyArguments, ModelArguments, LoraArguments, RLArguments
    )
    begin.hide_mask_warning()
    with user_errors():
        prepared = prepare(data, policy, model_args, lora, args)
    begin.print_transfer(prepared.provenance, args)
    train_and_publish(prepared, data, policy, model_args, lora)
    expect_threads()


if __name__ == "__main__":
    main()

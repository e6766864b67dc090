# /// script
# requires-python = ">=3.10"
# dependencies = ["hf-procedural[recycle]"]
# ///
"""Trains a language model to paraphrase web text for pretraining, by reward (RePro; Yu and Xiong 2025), with GRPO.

    vllm serve RuPeng/DataMan-1.5B-EN --port 8000 &  vllm serve Qwen/Qwen3-4B --port 8001 &        # the judges
    accelerate launch --config_file recipes/accelerate/deepspeed.yaml recipes/recycle_train.py \\
        recipes/configs/recycle_qwen3.yaml --dataset data/web --score_column dataman_score --below_score 5
    accelerate launch recipes/recycle_train.py recipes/configs/recycle_tiny.yaml       # two CPU cores, minutes
    accelerate launch recipes/recycle_train.py runs/rephraser/recipe.yaml --resume_from_checkpoint true
    python recipes/recycle_rephrase.py --model_name_or_path runs/rephraser --dataset data/web \\
        --output_dir data/recycled                                                                        # next

The model reads a text and writes the marker "Here is a paraphrased version:" and its paraphrase. Rewarded are quality
(how much better a judge finds it than the text), meaning (BERTScore), structure (another judge), length and format:
hf_procedural/rl/recycling.py has the formulas. A reward with weight 0 is not computed. A judge is the URL of a server
that speaks OpenAI's protocol, such as `vllm serve`, or a folder or Hub id, loaded here; one that gives no answer ends
the run, and --resume_from_checkpoint true goes on. The trainer is TRL's GRPOTrainer: every field of GRPOConfig is a
flag, vLLM is --use_vllm. Evaluation is the rewards on held-out texts. The output folder is that of recipes/rlvr.py.
"""

import dataclasses
import functools
import json
from pathlib import Path
from typing import ClassVar

from hf_procedural import accepted
from hf_procedural.errors import required, user_errors
from hf_procedural.files import templates_of
from hf_procedural.recycle.choices import SYSTEM
from hf_procedural.recycle.rewards import THRESHOLD, WEIGHTS
from hf_procedural.rl.arguments import LoraArguments, RLSettings
from hf_procedural.terminal import logger, tell
from hf_procedural.training import parser
from hf_procedural.training.arguments import WeightArguments

TEMPLATES = templates_of(__file__)


@dataclasses.dataclass
class TextArguments(WeightArguments):
    """The model to begin with, and the web text that it paraphrases."""

    _argument_group_name = "model and text"
    ranges: ClassVar = {"limit": accepted.least(2)}

    model_name_or_path: str | None = dataclasses.field(
        default=None, metadata={"help": "Folder or Hub id of the model to train, best one that follows instructions."}
    )
    dataset: str | None = dataclasses.field(
        default=None,
        metadata={
            "help": "Web text: a file, folder or glob (jsonl, packed or not; parquet), or a data set of the Hub."
        },
    )
    text_column: str = dataclasses.field(default="text", metadata={"help": "Column that holds the text."})
    score_column: str | None = dataclasses.field(
        default=None, metadata={"help": "Column with the quality judge's score of the text. Default: it is asked."}
    )
    below_score: float | None = dataclasses.field(
        default=None, metadata={"help": "Only texts with a lower score in score_column; 5 in the paper."}
    )
    limit: int | None = dataclasses.field(default=None, metadata={"help": "Only the first so many of these."})
    piece_characters: int = dataclasses.field(
        default=7_000, metadata={"help": "Cut texts to so many characters, at a sentence's end where there is one."}
    )
    validation_size: int = dataclasses.field(default=128, metadata={"help": "Texts to evaluate with, drawn at random."})
    max_prompt_length: int = dataclasses.field(
        default=2_048, metadata={"help": "Leave out texts whose prompt has more tokens, or no room for a paraphrase."}
    )
    template: str | None = dataclasses.field(
        default=None, metadata={"help": "A file with the prompt, {text} in it. Default: templates/recycle.txt."}
    )
    demonstrations: str | None = dataclasses.field(
        default=None,
        metadata={
            "help": "Do not train, but write this jsonl file of prompts with answers (each text as its own paraphrase; "
            "the score_column as the quality judge's), from which recipes/semantic.py teaches a small model the forms."
        },
    )

    def __post_init__(self):
        super().__post_init__()
        required(self, model_name_or_path="ORG/CHAT-MODEL", dataset="data/web")
        if self.below_score is not None and self.score_column is None:
            raise ValueError("below_score needs score_column, which names the column of the scores")


@dataclasses.dataclass
class RewardArguments:
    """What is rewarded, how much, and who judges."""

    quality_weight: float = dataclasses.field(default=3.0, metadata={"help": "Of the judge's score, new less old."})
    meaning_weight: float = dataclasses.field(default=1.0, metadata={"help": "Of BERTScore at its threshold."})
    structure_weight: float = dataclasses.field(default=1.0, metadata={"help": "Of the judge's verdict on formatting."})
    length_weight: float = dataclasses.field(default=1.0, metadata={"help": "Of not being longer than 1.25 times."})
    format_weight: float = dataclasses.field(
        default=1.0, metadata={"help": "Of beginning with the marker. Of the reference code, not in the paper's sum."}
    )
    quality_judge: str = dataclasses.field(
        default="RuPeng/DataMan-1.5B-EN",
        metadata={"help": "URL of a server (http://localhost:8000/v1), or folder or Hub id of a model to load."},
    )
    structure_judge: str = dataclasses.field(default="Qwen/Qwen3-4B", metadata={"help": "The same."})
    quality_model: str | None = dataclasses.field(
        default=None, metadata={"help": "The quality judge's name on its server. Default: the only one there."}
    )
    structure_model: str | None = dataclasses.field(default=None, metadata={"help": "The same for the other."})
    quality_tokenizer: str | None = dataclasses.field(
        default=None,
        metadata={"help": "With a server: folder or Hub id, to cut texts with. Default: four characters are a token."},
    )
    structure_tokenizer: str | None = dataclasses.field(default=None, metadata={"help": "The same for the other."})
    quality_template: str | None = dataclasses.field(
        default=None,
        metadata={"help": "A file with its request, {text} in it. Default: templates/dataman.txt."},
    )
    structure_template: str | None = dataclasses.field(
        default=None, metadata={"help": "With {text} and {paraphrase}. Default: templates/structure.txt."}
    )
    judge_batch_size: int = dataclasses.field(default=64, metadata={"help": "Questions that a judge gets at a time."})
    judge_timeout: float = dataclasses.field(
        default=60.0, metadata={"help": "Seconds for a server's answer, three times; then the run ends."}
    )
    meaning_model: str = dataclasses.field(
        default="microsoft/deberta-large-mnli", metadata={"help": "Folder or Hub id of BERTScore's model."}
    )
    meaning_layer: int = dataclasses.field(default=18, metadata={"help": "Its layer that is compared."})
    meaning_threshold: float = dataclasses.field(
        default=THRESHOLD, metadata={"help": "F1 from which on the meaning is kept."}
    )

    def __post_init__(self):
        if not any(self.weights.values()):
            raise ValueError("all weights are 0: nothing is rewarded")

    @property
    def weights(self) -> dict[str, float]:
        """The weight of each reward, by name."""
        return {name: getattr(self, f"{name}_weight") for name in WEIGHTS}

    def judge(self, name: str, tokens: int) -> "judges.Judge":
        """The judge of a reward, whose answers have so many tokens."""
        names = {"model": getattr(self, f"{name}_model"), "tokenizer": getattr(self, f"{name}_tokenizer")}
        settings = {"batch_size": self.judge_batch_size, "timeout": self.judge_timeout}
        return judges.load_judge(getattr(self, f"{name}_judge"), tokens, **names, **settings)

    def rewards(self) -> dict:
        """The reward functions whose weight is not 0, by name. Raises JudgeError where a judge gives no answer."""
        quality = prompting.read_template(self.quality_template or TEMPLATES / "dataman.txt", "text")
        structure = prompting.read_template(
            self.structure_template or TEMPLATES / "structure.txt", "text", "paraphrase"
        )
        makers = {
            "quality": lambda: quality_reward(self.judge("quality", QUALITY_TOKENS), quality),
            "meaning": lambda: meaning_reward(
                BertScore(self.meaning_model, self.meaning_layer), self.meaning_threshold
            ),
            "structure": lambda: structure_reward(self.judge("structure", STRUCTURE_TOKENS), structure),
            "length": lambda: length_reward,
            "format": lambda: format_reward,
        }
        return {name: make() for name, make in makers.items() if self.weights[name]}


@dataclasses.dataclass
class RecycleSettings(RLSettings):
    """As in recipes/rlvr.py; patience waits for the weighted reward on held-out texts.

    More defaults that differ: top_p (0.9), beta (0.005), chat_template_kwargs ({"enable_thinking": false}); the weights
    of the rewards are those above.
    """

    best = "reward"
    known = ("reward", *WEIGHTS)

    top_p: float = dataclasses.field(default=0.9, metadata={"help": "Sample from so much of the probability."})
    beta: float = dataclasses.field(default=0.005, metadata={"help": "Weight of the KL term; 0 leaves it out."})
    chat_template_kwargs: dict | str | None = dataclasses.field(
        default_factory=lambda: {"enable_thinking": False}, metadata={"help": "Settings of the chat template, as JSON."}
    )


parser.answer_early(__name__, __doc__, TextArguments, RewardArguments, LoraArguments, RecycleSettings)

import numpy as np
from datasets import Dataset
from transformers import set_seed

from hf_procedural.data.blocks import fingerprint_of
from hf_procedural.files import whole
from hf_procedural.hub.runs import train_and_publish
from hf_procedural.locks import holding, lock_of
from hf_procedural.models import build, prompting, suited
from hf_procedural.recycle import pieces, reading
from hf_procedural.rl import prompts
from hf_procedural.runs import folder
from hf_procedural.training import begin, finish
from hf_procedural.training.launch import expect_threads

with user_errors(ImportError):
    from hf_procedural.recycle import judges
    from hf_procedural.recycle.meaning import BertScore
    from hf_procedural.recycle.rewards import (
        QUALITY_TOKENS,
        STRUCTURE_TOKENS,
        format_reward,
        length_reward,
        meaning_reward,
        quality_reward,
        rephrased,
        structure_reward,
    )
    from hf_procedural.rl.grpo import GRPO, RLArguments, hide_warning, longest_prompt


@dataclasses.dataclass
class RecycleArguments(RecycleSettings, RLArguments):
    """All of trl.GRPOConfig, with the defaults of RecycleSettings."""


def load_texts(data) -> tuple[list[dict], list[str]]:
    """The texts to paraphrase, {"text", "score"}, and the places of damaged lines."""
    texts, damaged = [], []
    shards = reading.plan(reading.find_files(data.dataset), None)
    reading.check_columns(shards, data.text_column)
    for shard in shards:
        for row in reading.read(shard, text_column=data.text_column, damaged=damaged.append):
            score = row["metadata"].get(data.score_column)
            if data.score_column is not None and not isinstance(score, int | float):
                raise ValueError(
                    f"score_column {data.score_column!r} must hold numbers, but {row['id']} has {score!r} (other "
                    f"columns: {', '.join(row['metadata'])})"
                )
            if row["text"].strip() and (data.below_score is None or score < data.below_score):
                texts.append({"text": pieces.cut(row["text"], data.piece_characters)[0], "score": score})
            if len(texts) == data.limit:
                return texts, damaged
    return texts, damaged


def show_with(data, tokenizer):
    """How a row is asked: a function of it."""
    template = prompting.read_template(data.template or TEMPLATES / "recycle.txt", "text")
    return lambda row: prompting.as_prompt(prompting.fill(template, text=row["text"]), tokenizer, SYSTEM)


def measured(rows, rewards: dict, weights: dict, trainer) -> dict[str, float]:
    """The mean of each reward on held-out texts, of all together by weight, and of the lengths' ratio."""

    def verify(**columns):
        new = [len(rephrased(completion)) for completion in columns["completions"]]
        ratios = [size / len(text) for size, text in zip(new, columns["text"], strict=True)]
        scores = [reward(**columns) for reward in rewards.values()]
        return list(zip(*scores, ratios, strict=True))

    *means, ratio = trainer.scores(rows, verify, trainer.num_generations_eval).mean((0, 1)).tolist()
    by_name = dict(zip(rewards, means, strict=True))
    return {"reward": sum(weights[name] * mean for name, mean in by_name.items())} | by_name | {"length_ratio": ratio}


def prepare(data, rewarded, lora, args) -> finish.Prepared:
    """All that training needs. Raises ValueError for all that can be wrong; writes nothing."""
    args.output_dir = args.output_dir or "runs/rephraser"
    args.max_completion_length = 2_048 if args.max_completion_length is None else args.max_completion_length
    if args.reward_weights is not None:
        raise ValueError(f"reward_weights: give --quality_weight and the like, got {args.reward_weights}")
    weights = rewarded.weights
    args.reward_weights = [weight for weight in weights.values() if weight]
    if lora.save_adapter:
        suited.check_place(data.model_name_or_path)  # an adapter's model would not be what ours belongs to
    checkpoint = folder.open_run(args, data, rewarded, lora)
    texts, damaged = load_texts(data)
    if damaged:
        logger(__name__).warning("%d damaged lines are left out: %s ...", reading.lost(damaged), damaged[0])
    set_seed(args.seed)
    dtype = data.dtype or "float32"  # which steps of 1e-6 need
    model, tokenizer = build.load_text_model(data.model_name_or_path, ends=True, dtype=dtype)
    show = show_with(data, tokenizer)
    longest = longest_prompt(model, args, data.max_prompt_length)
    with args.main_process_first(desc="choosing texts"):
        rows = Dataset.from_list(texts)
        kept = prompts.with_short_prompts(rows, show, tokenizer, longest, **(args.chat_template_kwargs or {}))
    if len(kept) <= data.validation_size:
        raise ValueError(
            f"dataset {data.dataset}: {len(kept)} of {len(rows)} texts have a prompt of at most {longest} tokens "
            "(max_prompt_length, or what max_completion_length leaves of the model's positions), validation_size "
            f"takes {data.validation_size} of them"
        )
    order = np.random.default_rng(folder.data_seed(args)).permutation(len(kept))
    held_out, train = kept.select(order[: data.validation_size]), kept.select(np.sort(order[data.validation_size :]))
    validation = prompts.RowPrompts(held_out, show, folder.data_seed(args))
    rewards = rewarded.rewards()
    asked = list(validation.draw(np.random.default_rng(0), len(held_out)))
    make_trainer = functools.partial(
        GRPO,
        model,
        list(rewards.values()),
        args,
        questions=prompts.RowPrompts(train, show, folder.data_seed(args)),
        measure=functools.partial(measured, asked, rewards, weights),
        tokenizer=tokenizer,
        lora=lora,
    )
    provenance = {
        "init_from": folder.earlier_stages(data.model_name_or_path),
        "texts": {"train": len(train), "validation": len(held_out), "damaged": reading.lost(damaged)},
        "dataset_fingerprints": {"train": fingerprint_of(train), "validation": fingerprint_of(held_out)},
    }
    title = f"paraphrasing {data.dataset}"
    return finish.Prepared("recycle_train", args, model, tokenizer, make_trainer, checkpoint, provenance, title)


def write_demonstrations(data, rewarded) -> str:
    """Writes prompts with answers as text; gives a line about it. Raises ValueError where the file is there."""
    texts, _ = load_texts(data)
    prompt = prompting.read_template(data.template or TEMPLATES / "recycle.txt", "text")
    request = prompting.read_template(rewarded.quality_template or TEMPLATES / "dataman.txt", "text")
    path = Path(data.demonstrations)
    if path.exists():
        raise ValueError(f"demonstrations: {path} is there already")
    with (
        holding(path.parent, "demonstrations", lock_of(path)),
        whole(path) as temporary,
        temporary.open("w", encoding="utf-8") as file,
    ):
        for row in texts:
            answers = [f"{prompting.fill(prompt, text=row['text'])}\n{pieces.MARKER}\n{row['text']}"]
            if row["score"] is not None:
                ratings = "\n".join(["O", *["5"] * 13, f"{row['score']:g}"])
                answers.append(f"{prompting.fill(request, text=row['text'])} {ratings}")
            file.writelines(json.dumps({"text": text}) + "\n" for text in answers)
    return f"{data.demonstrations}: {len(texts):,} texts as their own paraphrase"


def main():
    hide_warning()
    data, rewarded, lora, args = parser.parse(__doc__, TextArguments, RewardArguments, LoraArguments, RecycleArguments)
    if data.demonstrations is not None:
        with user_errors():
            tell(write_demonstrations(data, rewarded))
        return
    begin.hide_mask_warning()
    with user_errors():
        prepared = prepare(data, rewarded, lora, args)
    with user_errors(judges.JudgeError):
        train_and_publish(prepared, data, rewarded, lora)
    expect_threads()


if __name__ == "__main__":
    main()

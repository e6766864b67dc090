"""Next-token prediction accuracy by difficulty, as Reinforcement Pre-Training measures it.

Two ways of asking a model how a text goes on (Dong et al. 2025, arXiv:2506.08007, section 4):

    standard     its likeliest next token after the context
    reasoning    what it puts in a box after thinking, asked by a template; sampled

Both are right under one rule, that of `prefix_matching_reward`: the bytes of the prediction are a prefix of the true
continuation, and end where a token of it ends under the model's own tokenizer. So models whose tokenizer is not the
proxy's compare. The sets of questions are nested: all with an entropy above a threshold of `THRESHOLDS`.
"""

import hashlib
import json
import math

import numpy as np
from datasets import Dataset

from ..models import prompting
from ..models.build import load_text_model, positions_of
from ..runs.measured import THRESHOLDS
from ..runs.tables import markdown_table
from .questions import load_questions
from .rewards import boxed, prefix_matching_reward
from .token_bytes import token_bytes, token_ends


def read_questions(path: str, split: str, limit: int | None, seed: int) -> Dataset:
    """The questions of `load_questions` that are in a difficulty set, with their row in the split as `question`.

    `limit` takes so many at most, drawn at random. Raises ValueError where columns lack or nothing is left.
    """
    rows = load_questions(path, split, ("document", "entropy"))
    asked = np.flatnonzero(np.array(rows["entropy"][:], float) > min(THRESHOLDS.values()))
    if limit is not None:
        asked = np.sort(np.random.default_rng(seed).permutation(asked)[:limit])
    if not len(asked):
        raise ValueError(f"{path}: no question of split {split!r} has an entropy above {min(THRESHOLDS.values())}")
    return rows.select(asked).add_column("question", asked)


def questions_digest(questions: Dataset) -> str:
    """The same for the same texts and entropies only."""
    columns = [questions[name][:] for name in ("question", "document", "context", "continuation", "entropy")]
    return hashlib.sha256(json.dumps(columns).encode()).hexdigest()


def short_enough(paths, questions: Dataset, template: str, max_prompt_length: int, max_new_tokens: int) -> Dataset:
    """The questions whose reasoning prompt has at most `max_prompt_length` tokens to each of the models in `paths`,
    and leaves room for `max_new_tokens` in its positions. Raises ValueError where none is left."""
    kept = np.ones(len(questions), bool)
    for path in paths:
        lengths = np.array([len(ids) for ids in token_prompts(path, "reasoning", questions, template)])
        model, _ = load_text_model(path, device_map="meta")
        positions = positions_of(model.config)
        room = max_prompt_length if positions is None else positions - max_new_tokens
        kept &= lengths <= min(max_prompt_length, room)
        if not kept.any():
            raise ValueError(
                f"max_prompt_length {max_prompt_length}, or what max_new_tokens {max_new_tokens} leaves of the "
                f"positions of {path} ({positions}), is too short for all questions: {lengths.min()} tokens at least"
            )
    return questions.select(np.flatnonzero(kept))


def token_prompts(path: str, way: str, questions: Dataset, template: str) -> list[list[int]]:
    """Token ids of what a model is asked, each question in its `way`. No weights are read.

    A bare context loses its beginning where the model has fewer positions, a reasoning prompt does not: see
    `short_enough`. Raises ValueError for what is no causal language model, and for an empty prompt.
    """
    model, tokenizer = load_text_model(path, device_map="meta")
    positions = positions_of(model.config)
    contexts = questions["context"][:]
    if way == "standard":
        opened = prompting.open_ended(tokenizer)
        opened.truncation_side = "left"
        prompts = opened(contexts, truncation=positions is not None, max_length=positions)["input_ids"]
    else:
        filled = [prompting.fill(template, context=context) for context in contexts]
        asked = [prompting.as_prompt(prompt, tokenizer) for prompt in filled]
        prompts = prompting.token_ids(asked, tokenizer)
    for number, ids in zip(questions["question"], prompts, strict=True):
        if not ids:
            raise ValueError(f"question {number} has an empty context, of which {path} makes no token: leave it out")
    return prompts


def judge_tokens(tokenizer, questions: Dataset, tokens: list[int]) -> list[dict]:
    """The answers of the standard way: for each question its number, the prediction as text, and if it is right."""
    answers = []
    for row, token in zip(questions, tokens, strict=True):
        start = len(row["context"].encode())
        ends = [end - start for end in token_ends(tokenizer, row["context"] + row["continuation"])]
        prediction = token_bytes(tokenizer, token)
        is_prefix = bool(prediction) and row["continuation"].encode().startswith(prediction)
        right = is_prefix and len(prediction) in ends
        shown = None if prediction is None else prediction.decode(errors="backslashreplace")
        answers.append({"question": row["question"], "predictions": [shown], "right": [right]})
    return answers


def judge_completions(tokenizer, questions: Dataset, completions: list[list[str]]) -> list[dict]:
    """The answers of the reasoning way: for each question its number, the boxed predictions, and which are right."""
    reward = prefix_matching_reward(tokenizer)
    answers = []
    for row, texts in zip(questions, completions, strict=True):
        truth = {key: [row[key]] * len(texts) for key in ("context", "continuation")}
        right = [value == 1 for value in reward(prompts=[""] * len(texts), completions=texts, **truth)]
        answers.append({"question": row["question"], "predictions": list(map(boxed, texts)), "right": right})
    return answers


def pass_at_k(samples: int, right: int, k: int) -> float:
    """The chance that at least one of k samples, drawn from `samples` of which some are right, is right.

    1 - C(samples - right, k) / C(samples, k): the unbiased estimator of Chen et al. 2021 (arXiv:2107.03374).

    >>> pass_at_k(4, 1, 2)
    0.5
    """
    return 1 - math.comb(samples - right, k) / math.comb(samples, k)


def standard_error(values: np.ndarray, documents: np.ndarray) -> float:
    """The standard error of the mean of `values` ``[questions]``, where those of one document are not independent.

    sqrt(G / (G - 1) * sum over documents of (sum of their deviations)^2) / questions, with G documents; NaN for one.
    """
    _, group = np.unique(documents, return_inverse=True)
    sums = np.bincount(group, values - values.mean())
    if len(sums) < 2:
        return math.nan
    return math.sqrt(len(sums) / (len(sums) - 1) * (sums**2).sum()) / len(values)


def measure(questions: Dataset, answers: list[dict]) -> list[dict]:
    """A dict for each measure and difficulty: measure, difficulty, questions, value and standard_error (shares).

    Measures: accuracy, the mean over questions and samples; of several samples also pass@2, pass@4 ... up to all of
    them; the share of no answer, where there is one. A set without questions has neither value nor error.
    """
    right = np.array([answer["right"] for answer in answers], float)
    missing = np.array([answer["predictions"].count(None) for answer in answers], float)
    samples = right.shape[1]
    right_samples = right.sum(1).astype(int).tolist()
    values = {"accuracy": right.mean(1)}
    ks = {2**power for power in range(1, samples.bit_length())} | {samples}
    for k in sorted(ks - {1}):  # pass@1 is the accuracy
        values[f"pass@{k}"] = np.array([pass_at_k(samples, count, k) for count in right_samples])
    if missing.any():
        values["no answer"] = missing / samples
    entropy = np.array(questions["entropy"][:])
    documents = np.array(questions["document"][:])
    rows = []
    for name, each in values.items():
        for difficulty, threshold in THRESHOLDS.items():
            chosen = entropy > threshold
            row = {"measure": name, "difficulty": difficulty, "questions": int(chosen.sum())}
            if chosen.any():
                error = standard_error(each[chosen], documents[chosen])
                row["value"] = float(each[chosen].mean())
                row["standard_error"] = None if math.isnan(error) else error
            rows.append(row)
    return rows


def table(rows: list[dict]) -> str:
    """Markdown: a line for each model, way and measure, a column for each difficulty. Rows are those of `measure`,
    with `label` and `way`."""
    lines = {}
    for row in rows:
        name = ", ".join([row["label"], row["way"], row["measure"]]).removesuffix(", accuracy")
        error = "" if row.get("standard_error") is None else f" ± {100 * row['standard_error']:.2f}"
        cell = f"{100 * row['value']:.2f}{error}" if "value" in row else "-"
        column = f"{row['difficulty']} ({row['questions']:,} questions)"
        lines.setdefault(name, {"next-token accuracy, %": name})[column] = cell
    return markdown_table(list(lines.values()))

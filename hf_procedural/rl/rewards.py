"""Rewards that anyone can verify, with the signature that TRL's trainers call.

Each function here makes a reward function ``(prompts, completions, **columns) -> list[float]``, one value in [0, 1] for
each row. It is pure: a row's reward depends on that row alone, and nothing that it is given is changed. Prompts and
completions are text, or conversations, of which the last message counts; columns that are not used are ignored.
"""

import functools
from collections.abc import Callable

from ..tasks import Task
from ..tasks import task as find_task
from ..tasks.answers import boxed
from ..tasks.shuffled import Shuffled
from .token_bytes import token_ends

VARIANTS = {"prefix": "prefix_matching_reward", "first_token": "first_token_reward", "dense": "dense_reward"}
_INVISIBLE = ("<pad>", "<sep>", "<eos>")  # TRL decodes completions without special tokens

Reward = Callable[..., list[float]]


def answer_reward(task: Task | str, graded: bool = False, in_box: bool = False, strict: bool = False) -> Reward:
    """The reward of answers to a procedural task: r = `task.score(prompt, answer)`.

        exact     r = 1 if the answer is right, else 0
        graded    r = 1 if the answer is right, else k / max(|answer|, |truth|), k its tokens before the first wrong one

    The prompt is the column ``prompt_ids`` (ids of the task) where there is one, else the prompt's text, tokens with
    spaces between them. The answer is what the completion says before <eos>: its text, as tasks/answers.py reads it,
    or, where they spell the same words, the ids behind it, which also have the special tokens that TRL leaves out of a
    text. It begins with those of the column ``begun`` where there is one: ids of an answer's beginning that the model
    was given, which count, too.

    Args:
        task: a task, a mixture, or the name of one, such as "sort-64". Of a language, whose words have no one right
            end, all that make a word are right, and `graded` changes nothing.
        graded: gives part of the reward to an answer that begins right.
        in_box: takes what is inside of the last ``\\boxed{}`` for the answer; without a box it is worth 0.
        strict: takes the words of a text as they stand; one that is no token of the task makes an answer worth 0.

    Raises ValueError for an unknown task, and for one of shuffled tokens, which has no answers. The function raises it
    for what is no prompt of the task.
    """
    task = find_task(task) if isinstance(task, str) else task
    if any(isinstance(member, Shuffled) for member in getattr(task, "members", [task])):
        raise ValueError(f"{task.config_name}: shuffled rows have no answer to verify; leave out shuffle_tokens")

    def answer_reward(prompts, completions, completion_ids=None, prompt_ids=None, begun=None, **columns) -> list[float]:
        prompts = map(text_of, prompts) if prompt_ids is None else prompt_ids
        completion_ids = [None] * len(completions) if completion_ids is None else completion_ids
        begun = [[]] * len(completions) if begun is None else begun
        rewards = []
        for prompt, completion, ids, start in zip(prompts, completions, completion_ids, begun, strict=True):
            text = boxed(text_of(completion)) if in_box else text_of(completion)
            if text is not None and (in_box or ids is None or not _spell(task, ids, text)):
                # Of a mixture with rows that are text, each member reads it in its own way.
                ids = text if task.is_text and not start else task.read(text, strict)
            if text is None or ids is None:
                rewards.append(0.0)
            else:
                rewards.append(task.score(prompt, ids if isinstance(ids, str) else [*start, *ids], graded, strict))
        return rewards

    answer_reward.__name__ = "graded_answer_reward" if graded else "answer_reward"
    return answer_reward


def prefix_matching_reward(tokenizer, variant: str = "prefix") -> Reward:
    r"""The reward of Reinforcement Pre-Training (Dong et al. 2025, arXiv:2506.08007, section 3.2 and appendix A).

    With y the bytes of the prediction, which is `boxed` of the completion, g those of the true continuation, and B the
    ends of g's tokens (`token_ends` of context and continuation, as far as they lie behind the context):

        prefix         r = 1 if y is a prefix of g and len(y) is in B, else 0
        first_token    r = 1 if y and g have the same first token, else 0, however y goes on
        dense          like first_token, but a wrong first token is worth the probability that the proxy model gives it

    No prediction, or an empty one, is worth 0. Nobody can write half a character: where the first token ends inside of
    one, it is taken to go on to the first token that ends with a whole one. Nor can a box hold a single brace.

    The function takes the columns of rpt_prepare.py: ``continuation`` and ``context``, text ("" where not given), and
    for dense ``candidates``, the bytes of the proxy's likeliest next tokens, with their ``probabilities``. A wrong
    first token that is no candidate is worth 0.

    Args:
        tokenizer: that of the model which is trained.
        variant: "prefix", the paper's own, or "first_token" or "dense".

    Raises ValueError for another variant, and where dense lacks its columns.
    """
    if variant not in VARIANTS:
        raise ValueError(f"variant must be one of {', '.join(VARIANTS)}, got {variant!r}")

    @functools.lru_cache(maxsize=1024)  # a group asks for the same ones
    def ends_of(context: str, text: str) -> list[int]:
        start = len(context.encode())
        return [end - start for end in token_ends(tokenizer, context + text) if end > start]

    def first_token(context: str, text: str) -> bytes:
        written = text.encode()
        whole = (written[:end] for end in ends_of(context, text) if _is_whole(written, end))
        return next(whole, b"")

    def reward(prediction: str | None, context: str, continuation: str, candidates, probabilities) -> float:
        if not prediction:
            return 0.0
        if variant == "prefix":
            is_prefix = continuation.startswith(prediction)
            return float(is_prefix and len(prediction.encode()) in ends_of(context, continuation))
        predicted = first_token(context, prediction)
        if not predicted:
            return 0.0
        if predicted == first_token(context, continuation):
            return 1.0
        return float(sum(p for token, p in zip(candidates, probabilities, strict=True) if token == predicted))

    def prefix_matching_reward(
        prompts, completions, continuation, context=None, candidates=None, probabilities=None, **columns
    ) -> list[float]:
        if variant != "dense":
            candidates = probabilities = [()] * len(completions)
        elif candidates is None or probabilities is None:
            raise ValueError("variant dense needs the columns candidates and probabilities, as rpt_prepare.py has them")
        context = [""] * len(completions) if context is None else context
        predictions = [boxed(text_of(completion)) for completion in completions]
        rows = zip(predictions, context, continuation, candidates, probabilities, strict=True)
        return [reward(*row) for row in rows]

    prefix_matching_reward.__name__ = VARIANTS[variant]
    return prefix_matching_reward


def text_of(message) -> str:
    """The text of a prompt or completion; of a conversation, that of its last message."""
    return message if isinstance(message, str) else message[-1]["content"] or ""


def _spell(task: Task, ids, text: str) -> bool:
    """Whether ids of the task's tokens say what a text says that was decoded without special tokens."""
    vocabulary = task.vocabulary
    if not all(0 <= token < len(vocabulary) for token in ids):
        return False
    spelled = (vocabulary[token] for token in ids)
    return _visible(spelled) == _visible(task.words_of(text))


def _visible(words) -> list[str]:
    return [word for word in words if word not in _INVISIBLE]


def _is_whole(text: bytes, end: int) -> bool:
    """Whether `end` is the end of a character of UTF-8."""
    return end == len(text) or text[end] & 0xC0 != 0x80

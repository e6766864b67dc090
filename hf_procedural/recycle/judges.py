"""Judges: language models that are asked about texts, in this process or on a server that speaks OpenAI's protocol.

    judge = load_judge("http://localhost:8000/v1", max_tokens=29)  # vllm serve RuPeng/DataMan-1.5B-EN
    judge = load_judge("RuPeng/DataMan-1.5B-EN", max_tokens=29)    # a folder, or a model of the Hub, by transformers
    judge(["Is this good? ...", ...])                              # answers, decoded greedily

A judge is asked everything that is new in one batch, and remembers its answers. One that gives none raises JudgeError.
"""

import concurrent.futures
import contextlib
import hashlib
import os
import re
from collections.abc import Callable

from accelerate import PartialState

from ..models import generation
from ..models.build import positions_of
from ..models.prompting import as_prompt, token_ids
from .choices import SYSTEM

SEED = 1024  # of the reference's requests; decoding is greedy
_REMEMBERED = 2**20  # answers, of some hundred bytes each
_CHARACTERS_PER_TOKEN = 4  # where there is no tokenizer to count with


class JudgeError(RuntimeError):
    """A judge gives no answer: it is unreachable, too slow, or refuses."""


class Judge:
    """Answers questions by `ask`, a function of a list of them, and remembers what was answered.

    `tokenizer` is that of the model, and `positions` how many tokens it reads and writes; None where not known.
    """

    def __init__(self, ask: Callable[[list[str]], list[str]], max_tokens: int, tokenizer=None, positions=None):
        self._ask = ask
        self._answers = {}
        self.reported = False  # whether an answer that cannot be parsed was shown
        self.max_tokens = max_tokens
        self.tokenizer = tokenizer
        self.positions = positions

    def __call__(self, questions: list[str]) -> list[str]:
        keys = list(map(_key, questions))
        new = {key: question for key, question in zip(keys, questions, strict=True) if key not in self._answers}
        if new:
            self._answers.update(zip(new, self._ask(list(new.values())), strict=True))
        answers = [self._answers[key] for key in keys]
        too_many = max(0, len(self._answers) - _REMEMBERED)
        for key in list(self._answers)[:too_many]:  # the oldest
            del self._answers[key]
        return answers

    def shorten(self, text: str, characters: int, tokens: int, others: int = 0) -> str:
        """Beginning and end of a text of more than so many characters or tokens, the latter with "..." between them.

        There are fewer tokens where the model's positions would not hold `others`, the tokens of the rest of the
        question, and the answer. Without a tokenizer a token counts as four characters.
        """
        if len(text) > characters:
            text = text[: characters // 2] + text[-(characters // 2) :]
        if self.positions is not None:
            tokens = min(tokens, self.positions - others - self.max_tokens - 1)
        if tokens < 2:
            raise JudgeError(f"a judge of {self.positions} positions has no room for a text in its question")
        if self.tokenizer is None:
            ends = range(0, len(text) + 1, _CHARACTERS_PER_TOKEN)
            spans = list(zip(ends, [*ends[1:], len(text)], strict=True))
        else:
            spans = self.tokenizer(text, add_special_tokens=False, return_offsets_mapping=True, verbose=False)
            spans = spans["offset_mapping"]
        if len(spans) > tokens:
            half = tokens // 2
            text = f"{text[: spans[half - 1][1]]}...{text[spans[-half][0] :]}"
        return text.strip()


def _key(question: str) -> bytes:
    """Of a question among those remembered; texts of the web, of which one is to be found again, are long."""
    return hashlib.blake2b(question.encode(errors="surrogatepass"), digest_size=16).digest()


def load_judge(
    where: str, max_tokens: int, model: str | None = None, tokenizer: str | None = None, **settings
) -> Judge:
    """The judge at a server's URL, or in a folder or on the Hub; `settings` are those of `on_server` and `in_process`.

    Raises JudgeError where a server gives no answer, ValueError where there is no such model.
    """
    if re.match("https?://", where):
        return on_server(where, max_tokens, model, tokenizer, **settings)
    settings.pop("timeout", None)
    return in_process(where, max_tokens, **settings)


def on_server(
    url: str,
    max_tokens: int,
    model: str | None = None,
    tokenizer: str | None = None,
    batch_size: int = 64,
    timeout: float = 60.0,
    retries: int = 2,
) -> Judge:
    """A judge on a server with OpenAI's chat completions, such as `vllm serve`, asked `batch_size` questions at a time.

    Args:
        url: up to /v1. The key is that of the environment variable OPENAI_API_KEY, if any.
        model: its name on the server. Default: the only one there.
        tokenizer: folder or Hub id, to count tokens with.
        timeout: seconds for an answer, `retries` more times.
    """
    try:
        import openai
    except ImportError as error:
        raise ImportError(f"judges on servers need openai: pip install 'hf-procedural[recycle]' ({error})") from error
    from ..data.tokenization import load_tokenizer

    client = openai.OpenAI(
        base_url=url, api_key=os.environ.get("OPENAI_API_KEY") or "none", timeout=timeout, max_retries=retries
    )

    @contextlib.contextmanager
    def judge_errors():
        try:
            yield
        except openai.APITimeoutError as error:
            raise JudgeError(f"judge {url} gave no answer within {timeout:g} s, {retries + 1} times") from error
        except (openai.OpenAIError, AttributeError, LookupError, TypeError, ValueError) as error:
            raise JudgeError(f"judge {url} gives no answer: {' '.join(str(error).split()) or type(error)}") from error

    def only_model() -> str:
        with judge_errors():
            names = [served.id for served in client.models.list()]
        if len(names) != 1:
            raise ValueError(f"judge {url} serves {', '.join(names) or 'no model'}: name the model of the judge")
        return names[0]

    name = only_model() if model is None else model

    def answer(question: str) -> str:
        with judge_errors():
            reply = client.chat.completions.create(
                model=name,
                messages=[{"role": "system", "content": SYSTEM}, {"role": "user", "content": question}],
                temperature=0,
                seed=SEED,
                max_tokens=max_tokens,
            )
            text = reply.choices[0].message.content or ""
            if not isinstance(text, str):
                raise TypeError(f"content is {type(text).__name__}, not text")
            return text

    def ask(questions: list[str]) -> list[str]:
        pool = concurrent.futures.ThreadPoolExecutor(batch_size, "judge")
        try:
            return list(pool.map(answer, questions))
        finally:
            pool.shutdown(cancel_futures=True)

    judge = Judge(ask, max_tokens, tokenizer and load_tokenizer(tokenizer))
    judge(["Are you there?"])  # now, before anything is trained or written
    return judge


def in_process(path: str, max_tokens: int, batch_size: int = 16) -> Judge:
    """A judge in a folder or on the Hub, by transformers, in batches of questions of like length."""
    model, tokenizer = generation.load(path, PartialState().device)

    def ask(questions: list[str]) -> list[str]:
        prompts = [as_prompt(question, tokenizer, SYSTEM) for question in questions]
        options = {"enable_thinking": False} if tokenizer.chat_template else {}
        asked = token_ids(prompts, tokenizer, **options)
        answers = [""] * len(asked)
        order = sorted(range(len(asked)), key=lambda place: -len(asked[place]))
        for start in range(0, len(order), batch_size):
            places = order[start : start + batch_size]
            batch = [asked[place] for place in places]
            generated = generation.generate(model, batch, do_sample=False, max_new_tokens=max_tokens)
            for place, [ids] in zip(places, generated, strict=True):
                answers[place] = tokenizer.decode(ids, skip_special_tokens=True)
        return answers

    positions = positions_of(model.config)
    return Judge(ask, max_tokens, tokenizer, positions)

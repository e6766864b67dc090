"""Completions of prompts by a causal language model: by vLLM, or by transformers with continuous batching.

The same model, settings, prompts and seed give the same completions, whatever was generated before and in whichever
process: all that the schedule depends on is fixed, also the size of the cache, and nothing is left to free memory.
(On GPUs as far as their kernels allow; on CPUs with the same number of threads.)
"""

import contextlib
import dataclasses
import functools
import importlib.util
import os
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import torch
from accelerate import PartialState
from transformers import AutoConfig, GenerationConfig

from .. import upstream
from ..data.tokenization import load_tokenizer
from ..models import generation, prompting
from ..models.build import BACKEND, positions_of
from ..models.suited import adapter_base
from ..moved import old_names
from .choices import SYSTEM

__getattr__ = old_names(__name__)

_STATEFUL = "transformers:PreTrainedModel._is_stateful"
_START, _CONFIG = "transformers:GenerationMixin.init_continuous_batching", "transformers:ContinuousBatchingConfig"
_STATUS = "transformers.generation.continuous_batching:ContinuousBatchingManager.background_thread_status"
_PAGE = 256  # tokens in a block of the cache
_LAYERS = {"full_attention", "sliding_attention"}  # that continuous batching knows


@dataclasses.dataclass(frozen=True)
class Settings:
    """How completions are made; what can be pickled of a `Generator`."""

    model: str  # a folder or Hub id
    template: str  # the prompt, with {text}
    system: str | None = SYSTEM  # what a chat begins with
    engine: str = "continuous"  # one of ENGINES
    temperature: float = 1.0
    top_p: float = 0.9
    max_new_tokens: int = 2_048
    prompt_tokens: int = 8_192  # the longest prompt
    cache_tokens: int | None = None  # tokens whose keys and values are in memory, by transformers
    chat_template_kwargs: dict = dataclasses.field(default_factory=lambda: {"enable_thinking": False}, hash=False)
    vllm_options: dict = dataclasses.field(default_factory=dict, hash=False)  # of vllm.LLM
    threads: int = 1  # of torch, on a CPU


class Completion(NamedTuple):
    """What a model wrote, without special tokens."""

    text: str
    tokens: int
    ended: bool  # by itself, not by max_new_tokens or the end of its positions


class Generator:
    """A model with its tokenizer, in memory. Raises ValueError where it cannot be had, ImportError without vLLM."""

    def __init__(self, settings: Settings):
        self.settings = settings
        if settings.engine == "vllm":
            self.tokenizer = load_tokenizer(settings.model)
            self._run = _by_vllm(settings)
        else:
            model, self.tokenizer = generation.load(settings.model, PartialState().device)
            engine = {"continuous": _continuous, "padded": _padded}[settings.engine]
            self._run = functools.partial(engine, model, settings)
        place = adapter_base(settings.model) or settings.model
        self.positions = positions_of(AutoConfig.from_pretrained(place, trust_remote_code=False))

    def ask(self, texts: list[str]) -> list[list[int]]:
        """The tokens of the prompt for each text."""
        return token_ids(texts, self.settings, self.tokenizer)

    def room(self, prompt: list[int]) -> int:
        """How many tokens may follow a prompt; less than 1 where its positions are too few."""
        left = self.settings.max_new_tokens if self.positions is None else self.positions - len(prompt)
        return min(left, self.settings.max_new_tokens)

    def __call__(self, asked: list[list[int]], seed: tuple[int, ...], progress: Callable[[], None]) -> list[Completion]:
        """A completion of each prompt, all of which have room for one; `progress` is called as they end."""
        if not asked:
            return []
        with _threads(self.settings.threads):
            completions = self._run(asked, [self.room(prompt) for prompt in asked], seed, progress)
        texts = self.tokenizer.batch_decode([ids for ids, _ in completions], skip_special_tokens=True)
        return [Completion(text, len(ids), ended) for text, (ids, ended) in zip(texts, completions, strict=True)]


@contextlib.contextmanager
def _threads(number: int):
    """torch computes with so many threads meanwhile."""
    before = torch.get_num_threads()
    torch.set_num_threads(number)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def token_ids(texts: list[str], settings: Settings, tokenizer) -> list[list[int]]:
    """The tokens of the prompt for each text: in the chat template where there is one, else the template alone."""
    filled = [prompting.fill(settings.template, text=text) for text in texts]
    asked = [prompting.as_prompt(prompt, tokenizer, settings.system) for prompt in filled]
    return prompting.token_ids(asked, tokenizer, **settings.chat_template_kwargs)


def choose_engine(model, engine: str | None) -> str:
    """The engine that was asked for, or the first of ENGINES that is installed and knows a model of transformers.

    Raises ImportError for vLLM, and ValueError for continuous batching, where there is none.
    """
    installed = importlib.util.find_spec("vllm") is not None
    # Others have attention of their own: continuous batching of transformers 5.23 fails on it, or is silently wrong.
    known = _LAYERS.issuperset(getattr(model.config.get_text_config(), "layer_types", None) or ())
    continuous = known and upstream.of(model, BACKEND) and upstream.of(model, _STATEFUL) is False
    continuous = continuous and None not in (upstream.of(model, _START), upstream.get(_CONFIG))
    if engine == "vllm" and not installed:
        raise ImportError("engine vllm is not installed: pip install vllm, or leave --engine out")
    if engine == "continuous" and not continuous:
        raise ValueError(f"engine continuous does not know {type(model).__name__}: choose padded")
    if engine:
        return engine
    if installed:
        return "vllm"
    return "continuous" if continuous else "padded"


# Engines. Each gives, for each prompt, tokens and whether the model ended them itself.


def _by_vllm(settings: Settings):
    os.environ.setdefault("VLLM_ENABLE_V1_MULTIPROCESSING", "0")  # else the schedule is left to chance
    from vllm import LLM, SamplingParams

    llm = LLM(**{"model": settings.model, "enable_prefix_caching": False} | settings.vllm_options)

    def run(asked, rooms, seed, progress):
        sampling = {"temperature": settings.temperature, "top_p": settings.top_p}
        seeds = np.random.SeedSequence(seed).generate_state(len(asked)).tolist()
        parameters = [
            SamplingParams(**sampling, max_tokens=room, seed=own) for room, own in zip(rooms, seeds, strict=True)
        ]
        prompts = [{"prompt_token_ids": prompt} for prompt in asked]
        requests = llm.generate(prompts, parameters, use_tqdm=False)
        for _ in requests:
            progress()
        outputs = [request.outputs[0] for request in requests]
        return [(list(output.token_ids), output.finish_reason == "stop") for output in outputs]

    return run


def _continuous(model, settings: Settings, asked, rooms, seed, progress):
    longest = max(len(prompt) + room for prompt, room in zip(asked, rooms, strict=True))
    cached = max(cache_tokens(model, settings), longest + _PAGE)
    config = upstream.need(_CONFIG)(
        page_size=_PAGE,
        num_blocks=-(-cached // _PAGE),  # rounded up
        max_batch_tokens=512 if model.device.type == "cpu" else 2_048,
        max_requests_per_batch=256,
        seed=_number(seed),
        auto_switch_to_flash=False,  # which would fetch kernels
    )
    own = model.generation_config  # of which `models.generation.load` has kept the ends alone
    kept = {"eos_token_id": own.eos_token_id, "pad_token_id": own.pad_token_id}
    manager = model.init_continuous_batching(GenerationConfig(**kept, **_sampling(settings)), config)
    names = [manager.add_request(ids, max_new_tokens=room) for ids, room in zip(asked, rooms, strict=True)]
    manager.start()  # only now: what is scheduled together depends on what is there
    generated = {}
    try:
        while len(generated) < len(asked):
            result = manager.get_result(timeout=1)
            has_failed = result is not None and result.error is not None
            if result is not None and not has_failed:
                generated[result.request_id] = result.generated_tokens
                progress()
            elif has_failed or not manager.is_running():
                status = upstream.of(manager, _STATUS)
                reason = getattr(status, "fatal_error", None) or (result and result.error)
                remedy = "choose fewer cache_tokens, or --engine padded"
                raise RuntimeError(f"{settings.model}: continuous batching failed ({reason}); {remedy}")
    finally:
        manager.stop(hard_stop=True)
        manager.destroy()
    ends = _ends(model)
    completions = [generated[name] for name in names]
    return [(ids, bool(ids) and ids[-1] in ends) for ids in completions]


def _padded(model, settings: Settings, asked, rooms, seed, progress):
    completions = {}
    ends = _ends(model)
    waiting = sorted(range(len(asked)), key=lambda place: -len(asked[place]))  # what takes most memory comes first
    while waiting:
        room = rooms[waiting[0]]
        size = max(1, cache_tokens(model, settings) // (len(asked[waiting[0]]) + room))
        batch = waiting[:size]
        waiting = waiting[size:]
        torch.manual_seed(_number((*seed, len(waiting))))
        prompts = [asked[place] for place in batch]
        try:
            rows = generation.generate(model, prompts, max_new_tokens=room, **_sampling(settings))
        except ValueError as error:
            if isinstance(error.__cause__, torch.OutOfMemoryError):
                raise ValueError(f"cache_tokens {cache_tokens(model, settings)} are too many: {error}") from error
            raise
        for place, (ids,) in zip(batch, rows, strict=True):
            # A row goes on as padding until the last of its batch has ended.
            end = next((number + 1 for number, token in enumerate(ids) if token in ends), None)
            completions[place] = ids[:end], end is not None
            progress()
    return [completions[place] for place in range(len(asked))]


def cache_tokens(model, settings: Settings) -> int:
    """For how many tokens transformers keeps keys and values.

    On CPUs few: there, in continuous batching, each query meets the keys of all requests, its own and others.
    """
    return settings.cache_tokens or (2**13 if model.device.type == "cpu" else 2**16)


def _sampling(settings: Settings) -> dict:
    """As `generate` takes it."""
    if not settings.temperature:
        return {"do_sample": False}
    return {"do_sample": True, "temperature": settings.temperature, "top_p": settings.top_p, "top_k": 0}


def _ends(model) -> set[int]:
    """The tokens that end a text."""
    return set(model.generation_config.eos_token_id or ())


def _number(seed: tuple[int, ...]) -> int:
    return int(np.random.SeedSequence(seed).generate_state(1)[0])

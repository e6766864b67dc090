"""Completions of prompts as token ids or text: by transformers in batches over all processes, or by vLLM in one.

What is sampled depends on the seed and the prompts alone, not on the number of processes.
"""

import numpy as np
import torch
from accelerate import PartialState
from accelerate.utils import gather_object
from tqdm import tqdm
from transformers import GenerationConfig

from .build import load_text_model


def load(path: str, device):
    """A model on `device`, in the precision of its weights, and its tokenizer.

    Of its generation settings only the tokens that end a text are kept: penalties, top_k and the like would change what
    is measured.
    """
    model, tokenizer = load_text_model(path, dtype="auto")
    model.generation_config = plain_settings(model, tokenizer)
    return model.eval().to(device), tokenizer


def plain_settings(model, tokenizer) -> GenerationConfig:
    """Generation settings that know the tokens which end a text, a model's and its tokenizer's, and nothing else."""
    ends = model.generation_config.eos_token_id  # one, several or None
    ends = {tokenizer.eos_token_id, *(ends if isinstance(ends, list) else [ends])} - {None}
    pad = tokenizer.pad_token_id
    if pad is None:
        pad = min(ends, default=0)
    return GenerationConfig(eos_token_id=sorted(ends) or None, pad_token_id=pad)


@torch.inference_mode()
def generate(model, asked: list[list[int]], samples: int = 1, **settings) -> list[list[list[int]]]:
    """Token ids of `samples` continuations of each prompt, all in one batch; `settings` are those of `generate`.

    What follows an end of text is padding. Raises ValueError where memory does not suffice.
    """
    width = max(map(len, asked))
    pad = model.generation_config.pad_token_id
    # Padding stands on the left, so that all completions begin in one column.
    ids = torch.tensor([[pad] * (width - len(row)) + row for row in asked], device=model.device)
    mask = torch.tensor([[0] * (width - len(row)) + [1] * len(row) for row in asked], device=model.device)
    try:
        completed = model.generate(ids, attention_mask=mask, num_return_sequences=samples, **settings)
    except torch.OutOfMemoryError as error:
        size = f"{len(asked)} questions of up to {width} tokens, {samples} samples of each"
        raise ValueError(f"batch_size: {size}, are too much for {model.device}; choose fewer") from error
    return completed[:, width:].view(len(asked), samples, -1).tolist()


def generate_all(
    model, asked: list[list[int]], batch_size: int, seed: int, title: str, **settings
) -> list[list[list[int]]]:
    """`generate` for any number of prompts, in batches of like length, spread over all processes.

    Each batch is seeded by `seed` and its number alone, so that the number of processes makes no difference.
    """
    state = PartialState()
    completions = []  # with the places of their prompts
    order = sorted(range(len(asked)), key=lambda place: -len(asked[place]))  # what takes most memory comes first
    batches = [order[start : start + batch_size] for start in range(0, len(order), batch_size)]
    own = range(len(batches))[state.process_index :: state.num_processes]
    for number in tqdm(own, desc=title, unit="batch", disable=not state.is_main_process):
        torch.manual_seed(int(np.random.SeedSequence((seed, number)).generate_state(1)[0]))
        batch = batches[number]
        completions += zip(batch, generate(model, [asked[place] for place in batch], **settings), strict=True)
    return [tokens for _, tokens in sorted(gather_object(completions))]


def generate_by_vllm(path: str, asked: list[list[int]], samples: int, temperature: float, max_new_tokens: int, seed):
    """The text of `samples` completions of each prompt, by vLLM, with weights that it loads itself."""
    from vllm import LLM, SamplingParams

    torch.cuda.empty_cache()  # what other models had
    settings = {"n": samples, "temperature": temperature, "top_p": 1.0, "max_tokens": max_new_tokens}
    seeds = np.random.SeedSequence(seed).generate_state(len(asked)).tolist()
    sampling = [SamplingParams(**settings, seed=own) for own in seeds]  # so that a prompt's depend on no other's
    prompts = [{"prompt_token_ids": ids} for ids in asked]
    requests = LLM(model=path, seed=seed).generate(prompts, sampling)
    texts = []
    for request in requests:
        texts.append([completion.text for completion in request.outputs])
    return texts

"""Small models side by side, untrained: of a task and of text, as runs leave them."""

import json
from pathlib import Path

import torch

import hf_procedural as hp
from hf_procedural.models.build import new_config, new_model
from support.vocabularies import large_tokenizer

SIZE = {"num_hidden_layers": 2, "num_attention_heads": 4, "hidden_size": 16}


def save(folder, tokenizer, positions: int, seed: int = 0, **options) -> Path:
    """A new model of two layers with its tokenizer."""
    torch.manual_seed(seed)
    model = new_model(new_config(tokenizer, positions, **SIZE | options))
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return Path(folder)


def save_of_task(folder, name: str = "sort-16", seed: int = 0, **options) -> Path:
    """One that reads rows of a task."""
    return save(folder, hp.tokenizer(name), hp.task(name).max_length, seed, **options)


def save_of_text(folder, positions: int = 32, seed: int = 0, size: int = 400, **options) -> Path:
    """One that reads text."""
    return save(folder, large_tokenizer(size), positions, seed, **options)


def save_text(file, documents: int = 200) -> Path:
    """A JSONL of as many documents."""
    texts = [f"document {number}: " + "a word and another one " * (1 + number % 5) for number in range(documents)]
    Path(file).write_text("".join(json.dumps({"text": text}) + "\n" for text in texts))
    return Path(file)


def save_all(folder: Path) -> None:
    """What the examples of the help of `hf-procedural diagnose` name."""
    for seed, name in enumerate(("sort", "sort/checkpoint-10", "set")):
        save_of_task(folder / "runs" / name, seed=seed)
    for seed, name in enumerate(("c4", "c4_warm")):
        save_of_text(folder / "runs" / name, seed=seed)
    save_text(folder / "c4.jsonl")

"""From a template and a text to the token ids of a prompt: with a chat template where the tokenizer has one."""

import copy
import re
from pathlib import Path

from tokenizers.processors import TemplateProcessing

from ..files import read_text, shipped


def read_template(path, *required: str) -> str:
    """The text of a template, which must have each of the places ``{name}`` that are `required`.

    `path` is the name of one of recipes/templates, such as rpt_short, or else a file; ./rpt_short is always a file.

    Raises ValueError for a file that is not there, is not text, or has no such place.
    """
    file = shipped("templates", str(path)) or Path(path)
    try:
        template = read_text(file, "name another")
    except ValueError as error:
        raise ValueError(f"template {error}") from error
    for name in required:
        if f"{{{name}}}" not in template:
            raise ValueError(f"template {path} has no place {{{name}}}, where the {name} goes")
    return template.rstrip("\n")


def fill(template: str, **values: str) -> str:
    r"""The template with its places filled in; what is filled in is not read again.

    >>> fill("Say {word} in \\boxed{}.", word="{word}")
    'Say {word} in \\boxed{}.'
    """
    places = re.compile("|".join(rf"\{{{re.escape(name)}\}}" for name in values))
    return places.sub(lambda place: values[place[0][1:-1]], template)


def as_prompt(text: str, tokenizer, system: str | None = None) -> str | list[dict[str, str]]:
    """A prompt as TRL takes it: a user's message where the tokenizer has a chat template, else the text itself.

    With `system`, a system's message stands before it, where there is a chat template.
    """
    if not tokenizer.chat_template:
        return text
    before = [] if system is None else [{"role": "system", "content": system}]
    return [*before, {"role": "user", "content": text}]


def token_ids(asked: list, tokenizer, **settings) -> list[list[int]]:
    """The tokens of prompts of `as_prompt`, as a model is given them; `settings` are those of a chat template."""
    if tokenizer.chat_template:
        return tokenizer.apply_chat_template(asked, add_generation_prompt=True, return_dict=True, **settings)[
            "input_ids"
        ]
    return open_ended(tokenizer)(asked, verbose=False)["input_ids"]


def special_around(tokenizer) -> tuple[list[int], list[int]]:
    """The special tokens that a tokenizer puts before and behind a text."""
    if not tokenizer.backend_tokenizer.num_special_tokens_to_add(is_pair=False):
        return [], []
    encoded = tokenizer("a", return_special_tokens_mask=True)
    ids = encoded["input_ids"]
    is_text = [not special for special in encoded["special_tokens_mask"]]
    first = is_text.index(True)
    last = len(ids) - is_text[::-1].index(True)
    return ids[:first], ids[last:]


def open_ended(tokenizer):
    """The tokenizer for texts that are to go on: itself, or a copy that puts no special token (such as eos) behind one.

    What it puts before a text stays.
    """
    before, behind = special_around(tokenizer)
    if not behind:
        return tokenizer
    opened = copy.deepcopy(tokenizer)
    names = tokenizer.convert_ids_to_tokens(before)
    template = TemplateProcessing(single=[*names, "$A"], special_tokens=list(zip(names, before, strict=True)))
    opened.backend_tokenizer.post_processor = template
    return opened

"""From a template and a text to the token ids of a prompt: with a chat template where the tokenizer has one."""

import re
from pathlib import Path

from ..files import shipped


def read_template(path, *required: str) -> str:
    """The text of a template, which must have each of the places ``{name}`` that are `required`.

    `path` is a file, or the name of one of recipes/templates, such as rpt_short.

    Raises ValueError for a file that is not there, is not text, or has no such place.
    """
    try:
        file = Path(path) if Path(path).exists() else shipped("templates", str(path)) or Path(path)
        template = file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ValueError(f"template {path} cannot be read: {error}") from error
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
    return tokenizer(asked, verbose=False)["input_ids"]

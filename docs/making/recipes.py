"""A page for each recipe: what it does, and the arguments that are its own, from its dataclasses."""

import dataclasses
import inspect

from hf_procedural.training import catalogue, declared, parser

from ._arguments import as_table, docstring_of, parser_of
from ._words import code, plain, prose

_BY_HAND = {"report": "main", "rpt_evaluate": "parse"}  # which read their few flags by argparse
_MANUALS = {
    ("transformers", "TrainingArguments"): "https://huggingface.co/docs/transformers/main_classes/trainer",
    ("trl", "GRPOConfig"): "https://huggingface.co/docs/trl/grpo_trainer",
}


def pages() -> dict:
    """The pages of docs/reference/recipes."""
    made = {f"reference/recipes/{name}.md": _page(name) for name in catalogue.FILES}
    return made | {"reference/recipes/index.md": _index()}


def _index() -> str:
    lines = [f"- [`{name}`]({name}.md): {plain(catalogue.summary_of(name))}" for name in catalogue.FILES]
    return (
        """# Arguments of recipes

Keys of a YAML and flags are the same. A misspelt one is an error that names the nearest; `--help` tells what stands
here, and every field of the Trainer's arguments, too. How YAMLs are read: [YAML](../yaml.md). What a run leaves behind:
[the run folder](../run-folder.md).

"""
        + "\n".join(lines)
        + "\n"
    )


def _page(name: str) -> str:
    script = catalogue.script_of(name)
    about = prose(docstring_of(script))
    text = f"# `{name}`\n\n{about}\n\n{_settings(name)}"
    if name in _BY_HAND:
        return f"{text}## Arguments\n\n{as_table(parser_of(script, _BY_HAND[name]))}\n"
    of_recipe = parser.of_recipe(script)
    shown = set()
    for kind in of_recipe.kinds:
        names = _own_fields(kind) - shown
        shown |= names
        text += f"## {_title(kind)}\n\n{_more(kind)}{as_table(of_recipe, names)}\n\n"
    return text.rstrip() + "\n"


def _settings(name: str) -> str:
    configs = ", ".join(code(config) for config in catalogue.configs_of(name))
    return f"Settings that come with it, by name (`hf-procedural {name} NAME`): {configs}.\n\n" if configs else ""


def _title(kind) -> str:
    title = getattr(kind, "_argument_group_name", None) or "arguments"
    title = title.partition(" (")[0].partition(":")[0]
    return title[0].upper() + title[1:]


def _ours(kind) -> list[type]:
    """The classes that a kind is made of, without those of other libraries, which are read from their source."""
    library = {declared.stand_in(*each.extends) for each in kind.__mro__ if "extends" in vars(each)}
    theirs = {base for each in library for base in each.__mro__}
    return [each for each in kind.__mro__ if each not in theirs]


def _own_fields(kind) -> set[str]:
    if not hasattr(kind, "extends"):
        return {field.name for field in dataclasses.fields(kind) if field.init}
    return {name for each in _ours(kind) for name in inspect.get_annotations(each)} & {
        field.name for field in dataclasses.fields(kind) if field.init
    }


def _more(kind) -> str:
    """Where the fields stand that are another library's."""
    if not hasattr(kind, "extends"):
        return ""
    module, name = kind.extends
    manual = _MANUALS[kind.extends]
    every = f"Every field of [`{module}.{name}`]({manual})"
    return f"{every}, of which these are ours, or have another default or meaning:\n\n"

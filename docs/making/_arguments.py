"""What a parser takes, as tables: from the parser itself, without a terminal's width or the layout of a Python."""

import argparse
import ast
import json
import re
import runpy
from pathlib import Path

from hf_procedural.errors import Parser, actions_of
from hf_procedural.files import recipes_folder

from ._words import cell, code, table

_DEFAULT = re.compile(r" ?\(default: [^()]*\)")


class _Seen(Exception):
    """A parser that was about to read the command line."""


def parser_of(script: Path, function: str) -> Parser:
    """The parser that a function of a script makes: it is run up to where the command line would be read."""

    def show(self, *_):
        raise _Seen(self)

    usual = Parser.parse_args
    Parser.parse_args = show
    try:
        runpy.run_path(str(script), run_name="documented")[function]()
    except _Seen as seen:
        return seen.args[0]
    finally:
        Parser.parse_args = usual
    raise ValueError(f"{script.name}: {function} reads no command line")


def docstring_of(script: Path) -> str:
    """That of a script, which is not run."""
    return ast.get_docstring(ast.parse(script.read_text(encoding="utf-8"))) or ""


def as_table(parser: Parser, names: set[str] | None = None) -> str:
    """A table of what a parser reads, or of those arguments alone."""
    lines = []
    for action in actions_of(parser):
        if action.dest == "help" or isinstance(action, argparse._SubParsersAction):
            continue
        if action.default is argparse.SUPPRESS or (names is not None and action.dest not in names):
            continue
        lines.append([_named(action), _default(action), _about(action, parser)])
    return table(["argument", "default", "what it is"], lines) if lines else ""


def _named(action: argparse.Action) -> str:
    names = [code(name) for name in action.option_strings] or [code(action.metavar or action.dest)]
    return ", ".join(names) + (", required" if action.required and action.option_strings else "")


def _default(action: argparse.Action) -> str:
    value = action.default
    if value is None or value == [] or not action.option_strings:
        return ""
    if isinstance(value, Path):
        value = value.relative_to(recipes_folder().parent)
    elif isinstance(value, list | tuple):
        value = " ".join(map(str, value))
    elif isinstance(value, bool | dict):
        value = json.dumps(value)
    return code(value)


def _about(action: argparse.Action, parser: Parser) -> str:
    text = (action.help or "").replace("%(default)s", str(action.default)).replace("%%", "%")
    text = _DEFAULT.sub("", text).strip()
    range_ = parser.ranges.get(action.dest)
    if range_ and range_.words not in text:
        text += f" It must be {range_.words}."
    left_out = [str(choice) for choice in action.choices or () if str(choice) not in text]
    if left_out and len(action.choices) <= 40:
        text += f" One of {', '.join(map(str, action.choices))}."
    if getattr(action, "nargs", None) == "+":
        text += " One or more."
    return cell(text.strip())

"""From a YAML and the command line to dataclasses."""

import argparse
import dataclasses
import json
import sys
from pathlib import Path

import yaml
from transformers import HfArgumentParser

from ..errors import Parser, nearest, user_errors
from ..files import Loader
from ..renamed import current, warn
from .launch import start_cpu_processes


def mapping(name: str, value) -> dict:
    """A mapping, also from its JSON; None is empty. Raises ValueError, with the argument's name, for anything else."""
    if isinstance(value, str):
        try:
            value = json.loads(value)
        except json.JSONDecodeError as error:
            raise ValueError(f"{name} must be JSON such as '{{\"key\": 1}}', got {value!r} ({error})") from None
    if not isinstance(value or {}, dict):
        raise ValueError(f"{name} must be a mapping of names to values, got {value!r}")
    return value or {}


class _Help(argparse.ArgumentDefaultsHelpFormatter, argparse.RawDescriptionHelpFormatter):
    """The description as it is written, and every default."""


class _Parser(Parser, HfArgumentParser):
    """Of dataclasses, with errors in one line."""


def parse(description: str, *types, argv: list[str] | None = None):
    """One instance of each dataclass, from ``[CONFIG.yaml] [--key value ...]``; the command line wins.

    Unknown keys and flags, and values of the wrong type, end the program with one line and exit code 2.
    """
    start_cpu_processes()
    program = Path(sys.argv[0]).name
    parser = _Parser(
        types,
        prog=program,
        usage=f"accelerate launch recipes/{program} [CONFIG.yaml] [--key value ...]",
        description=description,
        formatter_class=_Help,
        allow_abbrev=False,
    )
    parser.add_argument("config", nargs="?", metavar="CONFIG.yaml", help="Keys are the flags below, without dashes.")
    argv = sys.argv[1:] if argv is None else argv
    known = sorted({option for action in parser._actions for option in action.option_strings} - {"-h"})
    with user_errors():
        file = argv[0] if argv and not argv[0].startswith("-") else None
        tokens, direct = _yaml_arguments(file, parser) if file else ([], {})
        parser.set_defaults(**direct)
        namespace, unknown = parser.parse_known_args([*([file] if file else []), *tokens, *argv[bool(file) :]])
        if unknown:
            flag = unknown[0].split("=")[0]
            raise ValueError(f"unknown argument {flag}{nearest(flag, known)} (--help lists all)")
        if namespace.config != file:
            raise ValueError(f"{namespace.config}: the YAML comes first, before the flags")
        values = vars(namespace)
        return tuple(
            kind(**{field.name: values[field.name] for field in dataclasses.fields(kind) if field.init})
            for kind in types
        )


def _yaml_arguments(file: str, parser) -> tuple[list[str], dict]:
    """A YAML as command-line words, so that both are checked alike, and what no word can say."""
    try:
        content = yaml.load(Path(file).read_text(encoding="utf-8"), Loader)
    except FileNotFoundError:
        near = nearest(Path(file).name, [other.name for other in Path(file).parent.glob("*.yaml")])
        raise ValueError(f"no configuration file {file}{near}") from None
    except IsADirectoryError:
        raise ValueError(f"{file} is a folder, not a YAML file") from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ValueError(f"{file} is not valid YAML: {' '.join(str(error).split())}") from None
    if not isinstance(content, dict):
        raise ValueError(f"{file} must hold keys and values (key: value), got {type(content).__name__}")
    actions = {action.dest: action for action in parser._actions if action.option_strings and action.dest != "help"}
    words, direct = [], {}
    for given, value in content.items():
        key = given if given in actions else current(given, actions)
        if key not in actions:
            raise ValueError(f"{file}: unknown key {given!r}{nearest(str(given), actions)}")
        if key != given:
            if key in content:
                raise ValueError(f"{file}: {given} is called {key} now, and both are there")
            warn(parser.prog, f"{given} in {file}", key)
        action = actions[key]
        several = action.nargs == "+" or key == "report_to"
        mapping = isinstance(value, dict) and action.type in (dict, str)
        if (value is None and action.default is None) or (isinstance(value, list) and several) or mapping:
            direct[key] = value
        elif value is None or isinstance(value, list | dict):
            shown = "something else" if key.endswith("_token") else repr(value)
            raise ValueError(f"{file}: {key} must be a single value, got {shown}")
        else:
            words += [f"--{key}={value}"]
    return words, direct

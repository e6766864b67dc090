"""From a YAML and the command line to dataclasses; --help and mistakes are answered before torch is imported."""

import argparse
import ast
import atexit
import contextlib
import dataclasses
import enum
import functools
import json
import os
import sys
import types
import typing
from pathlib import Path

from .. import accepted
from ..errors import COMMAND, Parser, nearest, started_as, user_errors
from ..files import load_yaml
from ..renamed import current, warn
from . import declared, dropped
from .ahead import compile_loops, one_scan, without_garbage
from .interruption import tell_how_to_go_on
from .launch import (
    end_beside_threads,
    keep_memory,
    leave_group,
    start_cpu_processes,
    start_gpu_processes,
    use_all_cores,
)
from .words import check_file, mapping

_ACCELERATE = "Flags of accelerate launch may stand among these, such as --num_processes 2 or --config_file multi_gpu."
_FEW = 50  # letters of choices that --help shows beside a flag, and not below
_WORD_OR_WORDS = ("report_to", "optim_target_modules")  # on the command line one alone, as HfArgumentParser has it
_imports = contextlib.ExitStack()  # what `answer_early` does for those of a recipe, and `parse` ends
CHECK_ONLY = "HF_PROCEDURAL_CHECK_ONLY"  # set, it ends a recipe whose arguments are right, too


def answer_early(module: str, description: str, *kinds) -> None:
    """Ends the program for --help and for mistakes in the arguments, if `module` is the one that runs.

    It stands in a recipe before whatever imports torch. `kinds` are the types of `parse`, with the light settings
    (StageSettings) in place of the whole (StageArguments), whose other fields are read from the libraries' source.
    Where that cannot be read, it does nothing: `parse` will tell the same, later.
    """
    if module != "__main__":
        return
    atexit.register(end_beside_threads)  # before all others, so that it comes last
    read = []
    with contextlib.suppress(declared.Unreadable, TypeError), user_errors():  # TypeError: of a default that is Unread
        parser = _RecipeParser(description, [_light(kind) for kind in kinds])
        parser.tells_renamed = False  # `parse` does, in the process that trains
        read = parser.read(sys.argv[1:])
        for arguments in read:
            if hasattr(arguments, "check"):
                arguments.check()
    if CHECK_ONLY in os.environ:
        sys.exit()
    tell_how_to_go_on()  # during the imports that come next, too
    start_cpu_processes()  # here, since the process that starts the others needs none of what comes next
    use_all_cores()
    keep_memory()
    compile_loops(read)
    _imports.enter_context(without_garbage())
    if any(hasattr(kind, "extends") for kind in kinds):  # else transformers may not be needed
        _imports.enter_context(one_scan())


def parse(description: str, *kinds, argv: list[str] | None = None):
    """One instance of each dataclass, from ``[CONFIG.yaml] [--key value ...]``; the command line wins.

    Unknown keys and flags, and values of the wrong type, end the program with one line and exit code 2.
    """
    _imports.close()
    start_cpu_processes()
    start_gpu_processes()
    atexit.register(leave_group)
    with user_errors():
        arguments = tuple(_RecipeParser(description, kinds).read(sys.argv[1:] if argv is None else argv))
    tell_how_to_go_on(*arguments)
    return arguments


@functools.cache
def of_recipe(script: Path) -> "_Quiet":
    """The parser of a recipe's arguments, as `answer_early` has it: its script is run up to there.

    What is wrong it raises as ValueError. Raises ValueError for a script that reads its arguments in another way.
    """
    tree = ast.parse(script.read_text(encoding="utf-8"))
    for place, statement in enumerate(tree.body):
        call = statement.value if isinstance(statement, ast.Expr) else None
        if isinstance(call, ast.Call) and ast.unparse(call.func) == "parser.answer_early":
            module = types.ModuleType(f"_arguments_of_{script.stem}")
            module.__file__ = str(script)
            sys.modules[module.__name__] = module  # where dataclasses and their type hints look names up
            exec(compile(ast.Module(tree.body[:place], []), script, "exec"), vars(module))
            kinds = [eval(ast.unparse(word), vars(module)) for word in call.args[2:]]
            return _Quiet("", [_light(kind) for kind in kinds])
    raise ValueError(f"{script.name} does not tell its arguments by answer_early")


@functools.cache
def _light(kind: type) -> type:
    """The dataclass itself, or, for settings that extend a class of another library, both without importing it."""
    extends: tuple[str, str] | None = getattr(kind, "extends", None)
    if extends is None:
        return kind
    above = [_light(base) for base in kind.__bases__ if hasattr(base, "extends")]
    library = [declared.stand_in(*extends)] if "extends" in vars(kind) else []
    return dataclasses.dataclass(type(kind.__name__, (kind, *above, *library), {}))


class _RecipeParser(Parser):
    """Of dataclasses: a flag for each field, of the types, choices and negations that HfArgumentParser gives it.

    Both spellings are read, --max_steps and --max-steps; help shows the first.
    """

    empty_is_none = True

    def __init__(self, description: str, kinds):
        started = started_as(f"recipes/{Path(sys.argv[0]).name}")
        super().__init__(
            usage=f"{started} [CONFIG.yaml] [--key value ...]",
            description=description,
            epilog=_ACCELERATE if COMMAND in os.environ else None,
            formatter_class=argparse.RawDescriptionHelpFormatter,
            allow_abbrev=False,
        )
        self.kinds = kinds
        self.options = {}  # by field: how argparse reads it
        self.mappings = set()  # the fields that may be JSON, or in a YAML keys and values
        self.described = set()  # those whose value, or each of several, may be keys and values in a YAML
        self.flags = ["--help"]
        self.add_argument("config", nargs="?", metavar="CONFIG.yaml", help="Keys are the flags below, without dashes.")
        for kind in kinds:
            self._add(kind)

    def _add(self, kind) -> None:
        title = getattr(kind, "_argument_group_name", None)
        group = self.add_argument_group(title) if title else self
        hints = typing.get_type_hints(kind)
        self.ranges |= getattr(kind, "ranges", {})
        self.described |= set(getattr(kind, "described", ()))
        for field in dataclasses.fields(kind):
            if not field.init:
                continue
            metadata = dict(field.metadata)  # all that add_argument takes, and aliases
            aliases = metadata.pop("aliases", [])
            if _takes_mapping(hints[field.name]):
                self.mappings.add(field.name)
            names = [f"--{field.name}", *([aliases] if isinstance(aliases, str) else aliases)]
            option = metadata | _option(hints[field.name], field)
            option["help"] = _help(option, self.ranges.get(field.name) or accepted.ACCEPTED.get(field.name))
            self.options[field.name] = option
            self.flags += names
            group.add_argument(*names, **option | _shown(field.name, option))
            if option["type"] is _truth and option["default"] not in (False, None):
                self.flags.append(f"--no_{field.name}")
                group.add_argument(
                    f"--no_{field.name}",
                    action="store_false",
                    dest=field.name,
                    default=argparse.SUPPRESS,
                    help=f"The same as --{field.name} false.",
                )

    def read(self, argv: list[str]) -> list:
        """An instance of each kind. Raises ValueError for what is no flag, key or value."""
        file = argv[0] if argv and not argv[0].startswith("-") else None
        words, direct = self._words_of(read_yaml(file), file) if file else ([], {})
        argv = [self._spelled(word) for word in argv]
        with self._with_defaults(direct):
            namespace, unknown = self.parse_known_args([*argv[: bool(file)], *words, *argv[bool(file) :]])
        if unknown:
            flag = unknown[0].split("=")[0]
            given = argv[argv.index(unknown[0]) :] if unknown[0] in argv else unknown  # argparse may take its value
            today = dropped.instead_of(*dropped.flag_and_value(given), self._trainers())
            hint = today or f"{nearest(flag, sorted(self.flags))} (--help lists all)"
            raise ValueError(f"unknown argument {flag}{hint}")
        if namespace.config != file:
            raise ValueError(f"{namespace.config}: the YAML comes first, before the flags")
        made = self._made(vars(namespace))
        given = {word[2:].partition("=")[0] for word in [*words, *argv] if word.startswith("--")}
        for each in made:
            if hasattr(each, "given"):
                each.given = frozenset(given)
        return made

    def of_content(self, content: dict, file: str) -> list:
        """As `read`, of what a YAML would hold. Raises ValueError for all that is wrong."""
        words, direct = self._words_of(content, file)
        with self._with_defaults(direct):
            values = vars(self.parse_known_args(words)[0])
        return self._made(values)

    @contextlib.contextmanager
    def _with_defaults(self, values: dict):
        """Other defaults for one reading: the parser of a recipe is kept, and reads more than once."""
        before = {key: self.get_default(key) for key in values}
        self.set_defaults(**values)
        try:
            yield
        finally:
            self.set_defaults(**before)

    def _made(self, values: dict) -> list:
        for name in self.mappings:
            self._check_mapping(name, values[name])
        return [
            kind(**{field.name: values[field.name] for field in dataclasses.fields(kind) if field.init})
            for kind in self.kinds
        ]

    def _spelled(self, word: str) -> str:
        """A word of the command line; --max-steps becomes --max_steps."""
        name, equals, value = word.partition("=")
        plain = "--" + name[2:].replace("-", "_")
        return plain + equals + value if name.startswith("--") and plain in self.flags else word

    def _words_of(self, content: dict, file: str) -> tuple[list[str], dict]:
        """A YAML as command-line words, so that both are checked alike, and what no word can say."""
        words, direct = [], {}
        for key, value in self.todays(content, file).items():
            option = self.options[key]
            if value is None and option["default"] is None:
                direct[key] = None
            elif isinstance(value, list | dict) and key in self.described:
                direct[key] = accepted.at_home(value)
            elif isinstance(value, list) and self.takes_list(key):
                direct[key] = self._list(key, value)
            elif isinstance(value, dict) and key in self.mappings:
                accepted.check(key, value)
                direct[key] = value
            elif value is None or isinstance(value, list | dict):
                shown = "something else" if key.endswith("_token") else repr(value)
                kind = "a mapping of names to values" if key in self.mappings else "a single value"
                raise ValueError(f"{file}: {key} must be {kind}, got {shown}")
            else:
                words.append(f"--{key}={value}")
        return words, direct

    def todays(self, content: dict, file: str) -> dict:
        """The keys of a YAML by today's names, with their values. Raises ValueError for one that is no argument."""
        values = {}
        for given, value in content.items():
            key = given if given in self.options else current(given, self.options)
            if key not in self.options:
                today = dropped.instead_of(str(given), value, self._trainers(), in_yaml=True)
                raise ValueError(f"{file}: unknown key {given!r}{today or nearest(str(given), self.options)}")
            if key != given:
                if key in content:
                    raise ValueError(f"{file}: {given} is called {key} now, and both are there")
                if self.tells_renamed:
                    warn(self.prog, f"{given} in {file}", key)
            values[key] = value
        return values

    def takes_list(self, key: str) -> bool:
        """Whether an argument is a list of values, rather than one of them."""
        return self.options[key].get("nargs") == "+" or key in self.described or key in _WORD_OR_WORDS

    def _check_mapping(self, name: str, value) -> None:
        """Raises ValueError for a word that holds no mapping, and is none of the files that transformers takes."""
        if name in ("accelerator_config", "fsdp_config") and isinstance(value, str) and not value.startswith("{"):
            check_file(name, value)
        elif name != "deepspeed" or isinstance(value, dict):  # its words may be more
            mapping(name, value)

    def _list(self, key: str, values: list) -> list:
        """The values of a YAML's list as the command line would have read them. Raises ValueError."""
        read = []
        for value in values:
            if value is None or isinstance(value, list | dict):
                raise ValueError(f"{key} must be a list of single values, got {values!r}")
            try:
                read.append(self.options[key]["type"](value if isinstance(value, str) else str(value)))
            except ValueError:
                kind = self.options[key]["type"].__name__
                raise ValueError(f"{key} must be a list of {kind} values, got {value!r}") from None
        accepted.check(key, read, self.ranges.get(key))
        return accepted.at_home(read)

    def _trainers(self) -> dict:
        """The arguments of a recipe that trains by a Trainer, whose old names are known; of others none."""
        return self.options if "logging_steps" in self.options else {}


class _Quiet(_RecipeParser):
    """One that ends no program."""

    tells_renamed = False

    def error(self, message: str):
        raise ValueError(message)


def _takes_mapping(hint) -> bool:
    return any((typing.get_origin(each) or each) is dict for each in (hint, *typing.get_args(hint)))


def _option(hint, field: dataclasses.Field) -> dict:
    """How argparse reads a field of this type."""
    hint = _one_of(hint)
    is_list = (typing.get_origin(hint) or hint) is list
    default = field.default
    if field.default_factory is not dataclasses.MISSING:
        default = field.default_factory()
    needed = {"default": default}
    if default is dataclasses.MISSING:
        needed = {"default": None, "required": True}
    elif is_list and not isinstance(default, list):
        needed = {"default": None}
    if typing.get_origin(hint) is typing.Literal:
        return needed | _choice(typing.get_args(hint))
    if isinstance(hint, type) and issubclass(hint, enum.Enum):
        return needed | _choice([member.value for member in hint])
    if hint is bool and default is dataclasses.MISSING:
        return {"type": _truth, "nargs": "?", "const": True, "default": False}
    if hint is bool or (hint == bool | None and default not in (None, dataclasses.MISSING)):
        return {"type": _truth, "nargs": "?", "const": True, "default": default}
    if hint == bool | None:
        return needed | {"type": _truth}
    if is_list:
        return needed | {"type": typing.get_args(hint)[0], "nargs": "+"}
    if (typing.get_origin(hint) or hint) is dict:
        return needed | {"type": functools.partial(_mapping, field.name)}
    return needed | {"type": hint}


def _shown(name: str, option: dict) -> dict:
    """How --help shows the values of an option, where argparse would repeat its name or write a line too long."""
    kind, choices = option["type"], option.get("choices")
    if choices and sum(map(len, map(str, choices))) > _FEW:
        return {"metavar": "NAME", "help": f"{option['help']} One of {', '.join(map(str, choices))}."}
    if choices or "metavar" in option:
        return {}
    if isinstance(kind, functools.partial):
        return {"metavar": "JSON"}
    if kind in (_truth, int):
        return {"metavar": "true|false" if kind is _truth else "N"}
    return {"metavar": "VALUE"} if len(name) > _FEW // 2 else {}


def _one_of(hint):
    """The one type that a union is read as, by HfArgumentParser's rule; `bool | None` stays."""
    if typing.get_origin(hint) not in (typing.Union, types.UnionType):
        return hint
    first, second, *_ = typing.get_args(hint)
    if type(None) not in typing.get_args(hint):
        return first if second is str else second
    if bool in typing.get_args(hint):
        return hint
    return first if second is type(None) else second


def _choice(values) -> dict:
    by_text = {str(value): value for value in values}
    return {"choices": list(values), "type": lambda text: by_text.get(text, text)}


def _mapping(name: str, text: str) -> dict:
    try:
        return mapping(name, text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def _truth(text: str) -> bool:
    if text.lower() in ("yes", "true", "t", "y", "1"):
        return True
    if text.lower() in ("no", "false", "f", "n", "0"):
        return False
    raise argparse.ArgumentTypeError(f"must be true or false, got {text!r}")


def _help(option: dict, range_: accepted.Accepted | None) -> str:
    """A field's help text, what it accepts, and its default where the text does not tell it."""
    text = option.get("help", "").strip()
    if range_ is not None:
        text += f"{'' if text.endswith('.') else '.'} It must be {range_.words}.".replace("%", "%%")
    default = option["default"]
    if "efault: " in text or default in (None, []) or isinstance(default, declared.Unread):
        return text
    if isinstance(default, bool):
        default = str(default).lower()
    elif isinstance(default, list):
        default = " ".join(map(str, default))
    elif isinstance(default, dict):
        default = json.dumps(default)
    return f"{text} (default: {str(default).replace('%', '%%')})".strip()


def read_yaml(file: str) -> dict:
    """The keys and values of a YAML file. Raises ValueError, in a line, for what is none."""
    path = Path(file)
    if not path.exists():
        near = nearest(path.name, [other.name for other in path.parent.glob("*.yaml")])
        raise ValueError(f"no configuration file {file}{near}")
    if path.is_dir():
        raise ValueError(f"{file} is a folder, not a YAML file")
    try:
        content = load_yaml(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ValueError(f"{file} is not valid YAML: {error}") from None
    if not isinstance(content, dict):
        raise ValueError(f"{file} must hold keys and values (key: value), got {type(content).__name__}")
    return content

"""Dataclasses of other libraries, read from their source: to import transformers and torch takes seconds.

A stand-in has the fields, types, defaults and help texts of the real class, as far as its source tells them, and none
of its methods. It serves for --help and for the mistakes that can be told early; what trains is the real class.
"""

import ast
import builtins
import dataclasses
import enum
import functools
import importlib.util
import typing
from pathlib import Path

_FILES = {  # where a package hands out names by code instead of import statements
    ("transformers", "TrainingArguments"): "transformers.training_args",
    ("trl", "GRPOConfig"): "trl.trainer.grpo_config",
}


class Unreadable(Exception):
    """The source of a class is not there, or not written in the way that this module reads."""


@dataclasses.dataclass(frozen=True)
class Unread:
    """A default that is no literal, as the source has it."""

    source: str

    def __str__(self) -> str:
        return self.source


@functools.cache
def stand_in(module: str, name: str) -> type:
    """A dataclass with the fields of the dataclass `name` of `module`, its bases' among them.

    Raises Unreadable.
    """
    try:
        return _stand_in(module, name)
    except (AttributeError, KeyError, TypeError, ValueError, RecursionError) as error:
        raise Unreadable(f"{module}.{name} is written in a way of its own: {error!r}") from error


def _stand_in(module: str, name: str) -> type:
    module, node = _definition(module, name)
    bases = [stand_in(*_origin(module, base.id)) for base in node.bases if isinstance(base, ast.Name)]
    if len(bases) < len(node.bases) or not any("dataclass" in ast.unparse(each) for each in node.decorator_list):
        raise Unreadable(f"{module}.{name} is no dataclass of plain bases")
    fields = []
    for line in node.body:
        if isinstance(line, ast.AnnAssign) and isinstance(line.target, ast.Name):
            fields.append((line.target.id, _type(module, line.annotation), _field(line.value)))
    nothing = {"__post_init__": lambda self: None}
    return dataclasses.make_dataclass(name, fields, bases=tuple(bases), namespace=nothing, kw_only=True)


def keys_of(module: str, name: str) -> list[str]:
    """The keys of `name` of `module`, a dict or an OrderedDict of pairs as written there. Raises Unreadable."""
    for line in _tree(module).body:
        if not isinstance(line, ast.Assign) or ast.unparse(line.targets[0]) != name:
            continue
        match line.value:
            case ast.Dict(keys=keys):
                return [_literal(key) for key in keys if key]
            case ast.Call(args=[ast.List(elts=pairs)]):
                return [_literal(pair)[0] for pair in pairs]
    raise Unreadable(f"{module} has no dict {name}")


def members(module: str, name: str) -> list[str]:
    """The values of the enumeration `name` of `module`. Raises Unreadable."""
    _, node = _definition(module, name)
    return [_literal(line.value) for line in node.body if isinstance(line, ast.Assign)]


def _field(value: ast.expr | None) -> dataclasses.Field:
    if value is None:
        return dataclasses.field()
    if not isinstance(value, ast.Call):
        return dataclasses.field(default=_literal(value))
    given = {keyword.arg: keyword.value for keyword in value.keywords}
    kwargs: dict[str, typing.Any] = {"metadata": _metadata(given["metadata"]) if "metadata" in given else {}}
    if "init" in given:
        kwargs["init"] = bool(_literal(given["init"]))
    if "default" in given:
        kwargs["default"] = _literal(given["default"])
    elif "default_factory" in given:
        kwargs["default_factory"] = functools.partial(_made, given["default_factory"])
    return dataclasses.field(**kwargs)


def flags_of(module: str) -> dict[str, bool]:
    """The flags that the calls of ``add_argument`` in `module` name: whether each takes a value. Raises Unreadable."""
    flags = {}
    for node in ast.walk(_tree(module)):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "add_argument":
            action = next((_literal(keyword.value) for keyword in node.keywords if keyword.arg == "action"), "store")
            names = [name for name in map(_literal, node.args) if isinstance(name, str) and name.startswith("--")]
            flags |= dict.fromkeys(names, action in ("store", "append"))
    return flags


def _metadata(node: ast.expr) -> dict:
    """What of it is literal, such as the help text; choices may come from code."""
    if not isinstance(node, ast.Dict):
        return {}
    entries = {}
    for key, value in zip(node.keys, node.values, strict=True):
        if isinstance(key, ast.Constant):
            entries[key.value] = _literal(value)
    return {key: value for key, value in entries.items() if not isinstance(value, Unread)}


def _literal(node: ast.expr):
    try:
        return ast.literal_eval(node)
    except ValueError:
        return Unread(ast.unparse(node))


def _made(factory: ast.expr):
    """What a default_factory gives: `list`, `dict` or a lambda of a literal."""
    if isinstance(factory, ast.Name) and factory.id in ("list", "dict"):
        return getattr(builtins, factory.id)()
    return _literal(factory.body) if isinstance(factory, ast.Lambda) else Unread(ast.unparse(factory))


def _type(module: str, node: ast.expr):
    """The type that an annotation means. A name that cannot be read counts as str: any word will do."""
    match node:
        case ast.Constant(value=str(text)):
            return _type(module, ast.parse(text, mode="eval").body)
        case ast.Constant(value=value):
            return type(None) if value is None else value
        case ast.BinOp(left=left, right=right):
            return _type(module, left) | _type(module, right)  # typing.Union may give a cached one of another order
        case ast.Subscript(value=ast.Name(id="Literal"), slice=choices):
            values = ast.literal_eval(choices)
            return typing.Literal[values]  # ty: ignore[invalid-type-form]
        case ast.Subscript(value=ast.Name(id="Any")):
            return str
        case ast.Subscript(value=of, slice=ast.Tuple(elts=parts)):
            return _type(module, of)[tuple(_type(module, part) for part in parts)]
        case ast.Subscript(value=of, slice=part):
            return _type(module, of)[_type(module, part)]
        case ast.Name(id=name) if isinstance(getattr(builtins, name, None), type):
            return getattr(builtins, name)
        case ast.Name(id=name) if hasattr(typing, name):
            return getattr(typing, name)
        case ast.Name(id=name):
            return _enum(module, name)
    return str


def _enum(module: str, name: str) -> type:
    try:
        _, node = _definition(*_origin(module, name))
    except Unreadable:
        return str
    if not any(ast.unparse(base).endswith("Enum") for base in node.bases):
        return str
    members = {ast.unparse(line.targets[0]): _literal(line.value) for line in node.body if isinstance(line, ast.Assign)}
    return enum.Enum(name, members)


def _definition(module: str, name: str) -> tuple[str, ast.ClassDef]:
    module = _FILES.get((module, name), module)
    for node in _tree(module).body:
        if isinstance(node, ast.ClassDef) and node.name == name:
            return module, node
    raise Unreadable(f"{module} has no class {name}")


def _origin(module: str, name: str) -> tuple[str, str]:
    """The module that defines `name`, as `module` knows it, and its name there."""
    package = module.rpartition(".")[0]
    for node in ast.walk(_tree(module)):
        if isinstance(node, ast.ImportFrom):
            for alias in node.names:
                if (alias.asname or alias.name) == name:
                    source = "." * node.level + (node.module or "")
                    return importlib.util.resolve_name(source, package), alias.name
    return module, name


@functools.cache
def _tree(module: str) -> ast.Module:
    """The source of a module, whose package is found and not imported."""
    package, *parts = module.split(".")
    spec = importlib.util.find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        raise Unreadable(f"{package} is not installed")
    path = Path(spec.submodule_search_locations[0], *parts)
    file = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
    try:
        return ast.parse(file.read_bytes())
    except (OSError, SyntaxError) as error:
        raise Unreadable(f"{file} cannot be read: {error}") from None

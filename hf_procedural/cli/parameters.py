"""The task's own parameters, which are flags of show, generate and publish."""

import dataclasses

from ..errors import nearest, options_of
from ..files import load_yaml
from ..tasks import PRESETS, list_tasks, task_class

_SHARED = {"shuffle_tokens", "weights"}  # of every task, and of every mixture
_CONSTANTS = {"none": None, "true": True, "false": False}


def read(words: list[str], args, argv: list[str]) -> dict:
    """The parameters in `words`, what argparse left of the command line: ``--length 128 --balanced --p_open=0.4``.

    Raises ValueError for a flag that is neither the command's nor the task's.
    """
    flags = options_of(args.parser)
    names = getattr(args, "names", [getattr(args, "name", "")])
    for flag, value in zip(argv, argv[1:], strict=False):
        if flag in words and _bare(flag) in parameters_of(list_tasks()) and value in names:
            raise ValueError(f"{flag} {value}: the name of a task comes first, its parameters follow")
    parameters, rest = {}, list(words)
    while rest:
        flag, equals, value = rest.pop(0).partition("=")
        if not flag.startswith("-"):
            raise ValueError(f"unknown argument {flag!r}: names come first, all together")
        if not flag.startswith("--") or not args.takes_parameters:
            raise ValueError(f"unknown argument {flag!r}{nearest(flag, flags)} (--help lists all)")
        own = parameters_of(names or list_tasks())  # publish --all has no names
        if _bare(flag) not in own:
            known = [*flags, *(f"--{name}" for name in sorted(own - {"weights"}))]
            raise ValueError(f"unknown argument {flag}{nearest(flag, known)} (accepted: {' '.join(known)})")
        if not equals:
            value = rest.pop(0) if rest and not rest[0].startswith("--") else "true"
        parameters[flag[2:]] = value_of(value)
    return parameters


def _bare(flag: str) -> str:
    """The parameter of a flag; of one member's, such as ``--dyck.length``, too."""
    return flag[2:].rpartition(".")[2]


def value_of(text: str):
    """A word of the command line as YAML would read it, with Python's spellings, too.

    >>> value_of("0.4"), value_of("None"), value_of("True"), value_of("[0.6, 0.4]"), value_of("zipf")
    (0.4, None, True, [0.6, 0.4], 'zipf')
    """
    if text.lower() in _CONSTANTS:
        return _CONSTANTS[text.lower()]
    try:
        return load_yaml(text)
    except ValueError:
        return text


def parameters_of(names: list[str]) -> set[str]:
    """The names of all parameters of tasks and of the members of mixtures, and those that every task or mixture has."""
    own = set(_SHARED)
    for name in names:
        joined = PRESETS[name].task if name in PRESETS else name
        for member in joined.split("+"):
            own |= {field.name for field in dataclasses.fields(task_class(member.partition("-")[0]))}
    return own

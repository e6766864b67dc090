"""The parameters of a task: dataclass fields that know which values they accept, and say so in errors and help.

`Task.__post_init__` holds values against them.
"""

import dataclasses


def integer(default, low, help, high=2**31 - 1, optional=False):
    """A dataclass field for an integer in ``low..high`` (None too, where ``optional``).

    `help` says in a few words what it is; errors, `--help` and the documentation show it.
    """
    bounds = f"an integer >= {low}" if high == 2**31 - 1 else f"an integer in {low}..{high}"

    def valid(value):
        return isinstance(value, int) and not isinstance(value, bool) and low <= value <= high

    return parameter(default, valid, bounds, help, optional)


def probability(default, help):
    """A dataclass field for a number in 0..1, which is kept as a float."""

    def valid(value):
        return isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= 1

    return parameter(default, valid, "a number in 0..1", help, convert=float)


def flag(default, help):
    """A dataclass field for True or False; 0, 1 and words are refused."""
    return parameter(default, lambda value: isinstance(value, bool), "true or false", help)


def choice(default, options, help):
    """A dataclass field for one of some words; as a headline, the word after the dash: ``lime-induct``."""
    options = tuple(options)
    return parameter(default, options.__contains__, f"one of {', '.join(options)}", help, options=options)


def parameter(default, valid, accepted, help, optional=False, **more):
    """A dataclass field of any kind: `valid(value)` says whether a value is one, `accepted`, in words, which are.

    `more` may have `options` to guess a misspelt one from, and `convert`, which makes the value that is kept.
    """
    if optional:
        required = valid
        accepted = f"{accepted}, or null"

        def valid(value):
            return value is None or required(value)

    metadata = {"valid": valid, "accepted": accepted, "help": help} | more
    return dataclasses.field(default=default, metadata=metadata)

"""The arguments of recipes, read in this process as their first lines read them, without what is heavy."""

import functools
import runpy

from hf_procedural.training import parser
from support.running import RECIPES

SCRIPTS = sorted(path.stem for path in RECIPES.glob("[!_]*.py"))
OF_DATACLASSES = [name for name in SCRIPTS if "parser.answer_early(" in (RECIPES / f"{name}.py").read_text()]
# What each needs beside the argument at hand.
NEEDED = {
    "pretrain": "--task sort-4",
    "probe": "--task sort-4",
    "semantic": "--dataset stdlib",
    "rlvr": "--task sort-4 --model_name_or_path x --max_steps 3",
    "rpt": "--model_name_or_path x --questions y --max_steps 3",
    "rpt_prepare": "--dataset x --proxy_model y --output_dir z",
    "recycle_train": "--model_name_or_path x --dataset y --max_steps 3",
    "recycle_rephrase": "--model_name_or_path x --dataset y --output_dir z",
    "recycle_report": "--dataset x --output_dir z",
    "recycle_classifier": "--dataset x --label_column y --positive 1",
    "recycle_filter": "--dataset x --classifier y --output_dir z",
    "run_suite": "--model_name_or_path x --suite offline",
}


@functools.cache
def light_kinds(recipe: str) -> tuple[type, ...]:
    """The dataclasses that a recipe of dataclasses answers early with."""
    seen = []
    before = parser.answer_early

    def stop(module, description, *kinds):
        seen.extend(kinds)
        raise StopIteration

    parser.answer_early = stop
    try:
        runpy.run_path(str(RECIPES / f"{recipe}.py"), run_name="__main__")
    except StopIteration:
        return tuple(map(parser._light, seen))
    finally:
        parser.answer_early = before
    raise AssertionError(f"{recipe} does not answer early")


def read(recipe: str, *words) -> dict:
    """What a recipe reads from words, by argument; ends with exit code 2 where they are wrong."""
    with parser.user_errors():
        arguments = parser._RecipeParser("", light_kinds(recipe)).read([str(word) for word in words])
    return {name: value for each in arguments for name, value in vars(each).items()}


@functools.cache
def options(recipe: str) -> dict:
    """How argparse reads each argument of a recipe, by name."""
    return parser._RecipeParser("", light_kinds(recipe)).options

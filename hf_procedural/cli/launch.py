"""hf-procedural RECIPE: runs the script of a recipe, under `accelerate launch` where it is to be spread.

A recipe that trains, and of which accelerate would start one process, runs without it: the launcher imports torch in a
process of its own before the recipe does. Only the recipe finds out whether there are several GPUs; then it begins
again, under the launcher. Flags of `accelerate launch` may stand among the recipe's own, as with `trl sft`; of a
flag that both have, the recipe gets it. The script's exit code is the command's.
"""

import logging
import os
import runpy
import shlex
import signal
import subprocess
import sys
from pathlib import Path

from .. import upstream
from ..errors import ALONE, COMMAND, Parser, nearest
from ..files import shipped
from ..training import catalogue

# Flags that ask for more than one process on a CPU or GPU, for which a recipe without a Trainer needs a launcher.
_SPREADS = {"--config_file", "--multi_gpu", "--num_processes", "--num_machines", "--use_deepspeed", "--use_fsdp"}
RECIPES_OWN = {"--debug", "--gradient_accumulation_steps", "--help"}  # of accelerate launch, too


def run(args) -> list[str] | None:
    """Launches the recipe `args.name` with the words behind it; or gives its script and words, for `begin`.

    Raises ValueError for a configuration that is none.
    """
    script, words = catalogue.script_of(args.name), list(args.words)
    if words and not words[0].startswith("-") and catalogue.configs_of(args.name):
        words[0] = str(catalogue.config_of(args.name, words[0]))
    flags = set(map(_flag, words))
    trains = args.name in catalogue.TRAIN and not flags & {"-h", "--help"}
    may_be_alone = os.environ.pop(ALONE, None) is None and not _is_configured()
    if trains:
        ours = _ours(words)
        if ours == words and may_be_alone:
            os.environ[ALONE] = args.name
            return [str(script), *words]
        if ours is not None:
            _check(args.name, script, ours)
    if trains or flags & _SPREADS:
        _launch(args.name, script, words)
        return None
    return [str(script), *words]


def begin(name: str, argv: list[str]) -> None:
    """Runs the script of a recipe in this process, as python does: what it raises is its own."""
    os.environ[COMMAND] = f"hf-procedural {name}"
    sys.argv = argv
    sys.path.insert(0, str(Path(argv[0]).parent))
    runpy.run_path(argv[0], run_name="__main__")


def _ours(words: list[str]) -> list[str] | None:
    """The recipe's words, by the flags in the source of `accelerate launch`; None where it cannot be read."""
    from ..training import declared

    try:
        taken = declared.flags_of("accelerate.commands.launch")
    except declared.Unreadable:  # the launcher will tell it
        return None
    ours, _ = split(words, {_flag(flag): value for flag, value in taken.items() if flag not in RECIPES_OWN})
    return ours


def _is_configured() -> bool:
    """Whether `accelerate config` has been here, or a variable of accelerate's is set, which the launcher weighs."""
    cache = os.environ.get("XDG_CACHE_HOME", "~/.cache")
    home = Path(os.environ.get("HF_HOME", f"{cache}/huggingface")).expanduser()
    named = any(name.startswith("ACCELERATE_") for name in os.environ)
    return named or any((home / "accelerate").glob("default_config.*"))


def _check(name: str, script: Path, ours: list[str]) -> None:
    """Ends the program where the recipe's words are wrong, which takes seconds less than the launcher's import."""
    from ..training import parser

    environment = os.environ | {COMMAND: f"hf-procedural {name}", parser.CHECK_ONLY: "1"}
    done = subprocess.run([sys.executable, str(script), *ours], env=environment, check=False)
    if done.returncode:
        sys.exit(done.returncode)


def _launch(name: str, script: Path, words: list[str]) -> None:
    """`accelerate launch` in this process, which imports torch once."""
    from ..training.launch import exit_codes

    launch_command = upstream.need("accelerate.commands.launch:launch_command")
    parser = upstream.need("accelerate.commands.launch:launch_command_parser")()
    parser.error = Parser(f"hf-procedural {name}").error  # in one line
    actions = upstream.of(parser, "argparse:ArgumentParser._actions") or ()
    taken = {_flag(option): action.nargs != 0 for action in actions for option in action.option_strings}
    ours, theirs = split(words, {flag: value for flag, value in taken.items() if flag not in RECIPES_OWN})
    asked = parser.parse_args([*theirs, str(script), *ours])
    os.environ[COMMAND] = shlex.join(["hf-procedural", name, *theirs])
    logging.getLogger("accelerate.commands.launch").setLevel(logging.ERROR)  # which defaults it takes is no news
    signal.signal(signal.SIGINT, lambda *_: None)  # the script gets it, too, and ends; a handler is not inherited
    signal.signal(signal.SIGTERM, _end_script)  # of `timeout` or a scheduler, which the script does not get
    with exit_codes():
        launch_command(asked)


def _end_script(*_) -> None:
    import psutil

    for child in psutil.Process().children():
        child.terminate()


def _flag(word: str) -> str:
    """The flag of a word of the command line, as the recipes spell theirs: ``--num-processes=2`` is --num_processes."""
    flag = word.partition("=")[0]
    return f"--{flag[2:].replace('-', '_')}" if flag.startswith("--") else flag


def split(words: list[str], taken: dict[str, bool]) -> tuple[list[str], list[str]]:
    """The recipe's words, and those of `accelerate launch`, whose flags are `taken`: with a value, or without.

    >>> split(["a.yaml", "--num_processes", "2", "--seed", "1", "--cpu"], {"--num_processes": True, "--cpu": False})
    (['a.yaml', '--seed', '1'], ['--num_processes', '2', '--cpu'])
    """
    ours, theirs, rest = [], [], list(words)
    while rest:
        word = rest.pop(0)
        flag = _flag(word)
        if not word.startswith("--") or flag not in taken:
            ours.append(word)
        elif not taken[flag]:
            theirs.append(word)
        else:
            value = word.partition("=")[2] or (rest.pop(0) if rest else "")
            theirs += [flag, str(_configuration(value)) if flag == "--config_file" else value]
    return ours, theirs


def _configuration(name: str) -> Path:
    """One of accelerate's configurations: a file, or one of recipes/accelerate by name. Raises ValueError."""
    file = Path(name) if Path(name).is_file() else shipped("accelerate", name)
    if file is None:
        known = catalogue.launch_configurations()
        raise ValueError(f"config_file: no file {name!r}{nearest(name, known)} (by name: {', '.join(known)})")
    return file

"""Publishing on the Hugging Face Hub: data sets, their tokenizers, and runs with their model cards.

Tokens are found by huggingface_hub alone (HF_TOKEN, or ``hf auth login``); nothing here takes, keeps or prints one.
"""

import contextlib
import re
import tempfile
from pathlib import Path

from datasets.info import DatasetInfosDict
from huggingface_hub import HfApi

from ..data import parquet
from ..data.tokenization import tokenizer
from ..files import write_text
from ..tasks import PRESETS, coding
from ..tasks import task as hf_procedural_task
from .dataset_card import tokenizer_card, tokenizer_repo
from .repos import (
    README,
    check_ours,
    commit_config,
    is_there,
    open_repo,
    read_folder,
    read_repo,
    retrying,
    texts_of,
    upload_folder,
)


def config_name(config, name: str, parameters: dict) -> str:
    """The name of a published `ProceduralConfig`: task or preset, parameters that are not its own, form.

    Such as ``sort-64``, ``sort-64-text``, ``sort-64-gpt2-symbols``.
    """
    usual = hf_procedural_task(name).parameters
    own = {key: value for key, value in parameters.items() if usual.get(key) != value}
    words = [name if name in PRESETS else config.task.config_name]
    words += [f"{key}_{value}" for key, value in own.items()]
    if config.view != "ids":
        words.append(config.view)
    if config.coding:
        words += [Path(config.coding.tokenizer).name, config.coding.kind]
    return re.sub(r"_*[^\w.+-]+_*", "_", "-".join(words)).strip("_")


def open_dataset(repo: str, private: bool | None = None, revision: str | None = None) -> tuple[str, bool]:
    """As `open_repo` for a data set; gives its name and whether it is private, as its tokenizers then are, too."""
    name = open_repo(repo, private, revision, "dataset")
    return name, retrying(lambda: HfApi().repo_info(name, repo_type="dataset").private, name)


def push_tokenizer(task, made: dict, repo: str, config: str, private: bool, revision: str | None = None) -> bool:
    """Pushes the tokenizer of a config, with its card, to a repo of its own; whether anything was new.

    A new repo is `private` or not; one that is there stays as it is.
    """
    name = open_repo(tokenizer_repo(repo, config), private, revision, as_it_is=True)
    with tempfile.TemporaryDirectory() as folder:
        tokenizer(task).save_pretrained(folder)
        Path(folder, README).write_text(tokenizer_card(task, made, repo, config), encoding="utf-8")
        return upload_folder(folder, name, f"Tokenizer of {config}", revision)


def publish_config(builder, config: str, made: dict, repo: str, private: bool, revision=None, output=None, num_proc=1):
    """Publishes a config, its tokenizer first, in one commit; gives what it did: "new", "replaced", or "" for nothing.

    `made` is its `entry`. Rows are written to the folder `output`, as by `write_config`, or to a temporary one where
    that is None. Raises HubError, and ValueError where `output` holds other rows or the name is somebody else's.
    """
    place = retrying(lambda: read_repo(repo, revision), repo)
    check_ours(place, config, repo)
    tokenizer_is_new = False
    if not builder.config.coding:  # whose tokenizer is somebody else's
        tokenizer_is_new = push_tokenizer(builder.config.task, made, repo, config, private, revision)
    if is_there(place, config, made) and output is None:
        return "new" if tokenizer_is_new else ""
    with contextlib.ExitStack() as stack:
        folder = Path(output or stack.enter_context(tempfile.TemporaryDirectory()))
        if output is not None:
            write_config(builder, config, made, folder, num_proc, repo, revision)
        files = parquet.write(builder, folder / config, num_proc)
        infos = DatasetInfosDict({config: with_sizes(builder, made, files)})
        files += (folder / config).glob(coding.FILE)
        done = retrying(lambda: commit_config(repo, revision, config, made, infos, files), repo)
    return done or ("new" if tokenizer_is_new else "")


def write_config(
    builder, config: str, made: dict, output, num_proc: int = 1, repo: str | None = None, revision: str | None = None
) -> str:
    """Writes a config into a folder that is laid out as a repo; gives "new", or "" where it was there.

    What is of no `repo` has its tokenizer beside its rows, which nobody finds elsewhere. Raises ValueError where the
    folder holds other rows under its name.
    """
    folder = Path(output)
    was_there = is_there(read_folder(folder), config, made)
    files = parquet.write(builder, folder / config, num_proc)
    infos = DatasetInfosDict({config: with_sizes(builder, made, files)})
    texts = texts_of(read_folder(folder), config, made, infos, repo or str(folder), revision, is_folder=repo is None)
    for name, text in texts.items():
        write_text(folder / name, text)
    if repo is None and not builder.config.coding:
        tokenizer(builder.config.task).save_pretrained(folder / config)
    return "" if was_there else "new"


def with_sizes(builder, made: dict, files: list[Path]):
    """The builder's info with the sizes of what was written, which the entry `made` gets, too."""
    info = builder.info.copy()
    for name, split in made["splits"].items():
        mine = [file for file in files if file.name.startswith(f"{name}-")]
        split["files"] = len(mine)
        split["bytes"] = sum(file.stat().st_size for file in mine)
        info.splits[name].num_bytes = split["rows"] * builder.row_bytes(name)
    info.dataset_size = sum(info.splits[name].num_bytes for name in made["splits"])
    info.download_size = sum(split["bytes"] for split in made["splits"].values())
    return info

"""Publishing on the Hugging Face Hub: data sets, their tokenizers, and runs with their model cards.

Tokens are found by huggingface_hub alone (HF_TOKEN, or ``hf auth login``); nothing here takes, keeps or prints one.
"""

import contextlib
import dataclasses
import json
import os
import re
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from datasets.info import DatasetInfosDict
from huggingface_hub import CommitOperationAdd, CommitOperationDelete, DatasetCard, HfApi, constants, get_token
from huggingface_hub.errors import (
    HfHubHTTPError,
    HTTPError,
    LocalEntryNotFoundError,
    LocalTokenNotFoundError,
    OfflineModeIsEnabled,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)

from . import parquet
from .dataset_card import PUBLISHED, dataset_card, tokenizer_card, tokenizer_repo
from .tasks import task as hf_procedural_task
from .tokenization import tokenizer

_WAITS = (1, 3)  # seconds before the second and third attempt, beside those of huggingface_hub itself
_README = constants.REPOCARD_NAME


class HubError(RuntimeError):
    """What went wrong on the Hub, in one line that says what to do."""


_AGAIN = "run the same command again, it goes on where it stopped"


@contextlib.contextmanager
def hub_errors(repo: str, again: str = _AGAIN):
    """Turns all that the clients raise about `repo` into a HubError, which says how to try `again`."""
    try:
        yield
    except HubError:
        raise
    except (HTTPError, OSError, RuntimeError) as error:
        if reason := _reason(error, repo, again):
            raise HubError(reason) from error
        raise


def _reason(error: Exception, repo: str, again: str) -> str | None:
    chain = [error]
    while following := chain[-1].__cause__ or chain[-1].__context__:
        chain.append(following)
    if any(isinstance(each, OfflineModeIsEnabled) for each in chain):
        return "HF_HUB_OFFLINE is set: unset it to reach the Hub"
    if isinstance(error, LocalTokenNotFoundError):
        return f"no Hugging Face token to write {repo} with: run hf auth login, or set HF_TOKEN"
    answered = next((each for each in chain if isinstance(each, HfHubHTTPError)), None)
    if answered is None:
        if any(isinstance(each, HTTPError | LocalEntryNotFoundError | ConnectionError) for each in chain):
            return f"the Hub at {constants.ENDPOINT} does not answer ({type(chain[-1]).__name__}): {again}"
        return None
    status, said = answered.response.status_code, " ".join((answered.server_message or "").split())
    said = f" ({said})" if said else ""
    if status == 401 and get_token() is None:
        return f"no Hugging Face token to reach {repo} with: run hf auth login, or set HF_TOKEN"
    if status == 401:
        return f"the Hub does not accept the token{said}: check HF_TOKEN, or run hf auth login"
    if status in (402, 413, 507) or "quota" in said.lower() or "storage" in said.lower():
        return f"the Hub has no room for {repo}{said}"
    if status == 403:
        return f"the token may not write {repo}{said}: use one with write access to that namespace"
    if isinstance(answered, RevisionNotFoundError):
        return f"{repo} has no such revision{said}"
    if isinstance(answered, RepositoryNotFoundError) or status == 404:
        return f"there is no {repo}, or the token may not see it{said}"
    if status == 412:
        return f"somebody else pushed to {repo} at the same time: {again}"
    if status == 429 or status >= 500:
        return f"the Hub at {constants.ENDPOINT} fails with status {status}{said}: {again}"
    return f"the Hub refuses {repo} with status {status}{said}"


def patiently(call: Callable, repo: str, again: str = _AGAIN):
    """What `call()` gives, called again where the Hub failed, was busy or was changed meanwhile. It must be idempotent.

    Raises HubError.
    """
    with hub_errors(repo, again):
        for wait in _WAITS:
            try:
                return call()
            except HTTPError as error:
                status = error.response.status_code if isinstance(error, HfHubHTTPError) else 599
                if status < 500 and status not in (412, 429):
                    raise
                time.sleep(wait)
        return call()


def config_name(task, name: str, parameters: dict) -> str:
    """The name of a published config: the task's, and all parameters that are not its defaults."""
    usual = hf_procedural_task(name).parameters
    own = {key: value for key, value in parameters.items() if usual.get(key) != value}
    words = [task.config_name, *(f"{key}_{value}" for key, value in own.items())]
    return re.sub(r"_*[^\w.+-]+_*", "_", "-".join(words)).strip("_")


@dataclasses.dataclass
class Place:
    """What a data-set repo, or a folder laid out as one, holds: its configs by name, card, files, and commit."""

    published: dict[str, dict]
    card: DatasetCard | None
    files: set[str]
    commit: str | None = None


def read_folder(folder) -> Place:
    """The `Place` of a folder; empty where there is none. Raises ValueError for a file that is not readable."""
    folder = Path(folder)
    try:
        read = {name: (folder / name).read_text("utf-8") for name in (PUBLISHED, _README) if (folder / name).is_file()}
        published = json.loads(read.get(PUBLISHED, "{}"))
    except (OSError, ValueError) as error:
        raise ValueError(f"{folder} is not a folder of published data: {error}") from None
    files = {str(path.relative_to(folder)) for path in folder.glob("*/*.parquet")}
    return Place(published, DatasetCard(read[_README]) if _README in read else None, files)


def read_repo(repo: str, revision: str | None = None) -> Place:
    """The `Place` of a data-set repo at a revision; empty where there is none that the token may see."""
    api = HfApi()
    try:
        info = api.repo_info(repo, repo_type="dataset", revision=revision)
    except (RepositoryNotFoundError, RevisionNotFoundError):
        return Place({}, None, set())
    files = {sibling.rfilename for sibling in info.siblings}
    at = {"repo_type": "dataset", "revision": info.sha}
    read = {
        name: Path(api.hf_hub_download(repo, name, **at)).read_text("utf-8")
        for name in (PUBLISHED, _README)
        if name in files
    }
    published = json.loads(read.get(PUBLISHED, "{}"))
    return Place(published, DatasetCard(read[_README]) if _README in read else None, files, info.sha)


def is_there(place: Place, config: str, made: dict) -> bool:
    """Whether a place has a config with the rows of the entry `made`, and files of each of its splits."""

    def rows(entry):
        return {name: (split["rows"], split["fingerprint"]) for name, split in entry["splits"].items()}

    known = place.published.get(config)
    if known is None or rows(known) != rows(made):
        return False
    return all(any(file.startswith(f"{config}/{split}-") for file in place.files) for split in made["splits"])


def open_repo(repo: str, private: bool | None = None, revision: str | None = None, repo_type: str = "model") -> str:
    """Makes a repo, and the branch `revision`, where they are not there; gives the repo's full name. Raises HubError.

    A repo that exists and is public is refused where `private` is asked for.
    """
    api = HfApi()

    def make():
        made = api.create_repo(repo, repo_type=repo_type, private=private or None, exist_ok=True).repo_id
        if private and not api.repo_info(made, repo_type=repo_type).private:
            raise HubError(f"{made} exists and is public: make it private in its settings, or choose another name")
        if revision is not None:
            api.create_branch(made, branch=revision, repo_type=repo_type, exist_ok=True)
        return made

    return patiently(make, repo)


def push_tokenizer(task, repo: str, config: str, private: bool | None, revision: str | None) -> bool:
    """Pushes the tokenizer of a config, with its card, to a repo of its own; whether anything was new."""
    name = open_repo(tokenizer_repo(repo, config), private, revision)
    with tempfile.TemporaryDirectory() as folder:
        tokenizer(task).save_pretrained(folder)
        tokenizer_card(task, repo, config).save(Path(folder) / _README)
        return _upload(folder, name, f"Tokenizer of {config}", revision)


def push_run(folder, repo: str, private: bool | None = None, revision: str | None = None, again: str = _AGAIN) -> bool:
    """Pushes the run of a folder, its checkpoints apart, with its model card; whether anything was new.

    Raises HubError, and ValueError where the folder is not that of a run.
    """
    from .model_card import model_card

    name = open_repo(repo, private, revision)
    model_card(folder, name).save(Path(folder) / _README)
    return _upload(folder, name, "Model", revision, again)


def _upload(folder, repo: str, message: str, revision: str | None, again: str = _AGAIN) -> bool:
    api = HfApi()

    def upload():
        before = api.repo_info(repo, revision=revision).sha
        ignored = ["_*", "checkpoint-*", "*.tmp"]
        after = api.upload_folder(
            repo_id=repo, folder_path=folder, commit_message=message, revision=revision, ignore_patterns=ignored
        )
        return after.oid != before

    return patiently(upload, repo, again)


def publish_config(
    builder,
    config: str,
    made: dict,
    repo: str | None,
    output=None,
    private: bool | None = None,
    revision: str | None = None,
    num_proc: int = 1,
) -> bool:
    """Publishes a config, its tokenizer first, in one commit; whether anything was new.

    Rows are written to `output` (a folder that is laid out as the repo), or to a temporary folder where that is None.
    Raises HubError, and ValueError where `output` holds other rows.
    """
    new = False
    if repo is not None:
        new = push_tokenizer(builder.config.task, repo, config, private, revision)
        if is_there(patiently(lambda: read_repo(repo, revision), repo), config, made) and output is None:
            return new
    with contextlib.ExitStack() as stack:
        folder = Path(output or stack.enter_context(tempfile.TemporaryDirectory()))
        there = is_there(read_folder(folder), config, made)
        files = parquet.write(builder, folder / config, num_proc)
        infos = DatasetInfosDict({config: _with_sizes(builder, made, files)})
        if output is not None:
            new = new or not there
            _write_folder(folder, config, made, infos, repo)
        if repo is not None:
            new = patiently(lambda: _commit(repo, revision, config, made, infos, files), repo) or new
    return new


def _with_sizes(builder, made: dict, files: list[Path]):
    """The builder's info with the sizes of what was written, which `made` gets, too."""
    info, width = builder.info.copy(), builder.config.task.max_length
    for name, split in made["splits"].items():
        split["bytes"] = sum(file.stat().st_size for file in files if file.name.startswith(f"{name}-"))
        info.splits[name].num_bytes = split["rows"] * width * 2 * 4
    info.dataset_size = sum(info.splits[name].num_bytes for name in made["splits"])
    info.download_size = sum(split["bytes"] for split in made["splits"].values())
    return info


def _write_folder(folder: Path, config: str, made: dict, infos: DatasetInfosDict, repo: str | None) -> None:
    place = read_folder(folder)
    published = dict(sorted((place.published | {config: made}).items()))
    files = {
        PUBLISHED: json.dumps(published, indent=2) + "\n",
        _README: str(dataset_card(repo or str(folder), published, infos, place.card, is_folder=repo is None)),
    }
    for name, text in files.items():
        (folder / f"{name}.tmp").write_text(text, encoding="utf-8")
        os.replace(folder / f"{name}.tmp", folder / name)


def _commit(repo: str, revision: str | None, config: str, made: dict, infos: DatasetInfosDict, files) -> bool:
    """One commit: Parquet, card and entry of a config, and what it replaces; False where they were there already."""
    place = read_repo(repo, revision)
    if is_there(place, config, made):
        return False
    published = dict(sorted((place.published | {config: made}).items()))
    card = dataset_card(repo, published, infos, place.card)
    texts = {PUBLISHED: json.dumps(published, indent=2) + "\n", _README: str(card)}
    names = {f"{config}/{file.name}": file for file in files}
    stale = sorted(name for name in place.files - names.keys() if name.startswith(f"{config}/"))
    operations = [
        *(CommitOperationAdd(name, file) for name, file in names.items()),
        *(CommitOperationAdd(name, text.encode()) for name, text in texts.items()),
        *(CommitOperationDelete(name) for name in stale),
    ]
    api = HfApi()
    api.create_commit(
        repo,
        operations,
        commit_message=f"Publish {config}",
        repo_type="dataset",
        revision=revision,
        parent_commit=place.commit,
    )
    return True

"""Repos of the Hub: what is in them, commits, and what is tried again."""

import contextlib
import dataclasses
import json
from collections.abc import Callable
from pathlib import Path
from typing import cast

from datasets.info import DatasetInfosDict
from huggingface_hub import (
    CommitOperationAdd,
    CommitOperationDelete,
    DatasetInfo,
    HfApi,
    ModelInfo,
    constants,
    get_token,
)
from huggingface_hub.errors import (
    HfHubHTTPError,
    HFValidationError,
    HTTPError,
    LocalEntryNotFoundError,
    LocalTokenNotFoundError,
    OfflineModeIsEnabled,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)

from ..faults import chain, tried_again
from ..files import read_text
from .cards import Card, parse_card
from .dataset_card import PUBLISHED, dataset_card, without

README = constants.REPOCARD_NAME
SCORES = f"{constants.EVAL_RESULTS_FOLDER}/hf_procedural.yaml"
AGAIN = "run the same command again, it goes on where it stopped"
LATER = "try again later, or without push_to_hub and publish the run afterwards"

_OF_SPLIT = ("rows", "fingerprint", "files", "bytes")  # what PUBLISHED holds of each


class HubError(RuntimeError):
    """What went wrong on the Hub, in one line that says what to do."""


@contextlib.contextmanager
def hub_errors(repo: str, again: str = AGAIN):
    """Turns all that the clients raise about `repo` into a HubError, which says how to try `again`."""
    try:
        yield
    except HubError:
        raise
    except (HTTPError, OSError, RuntimeError) as error:
        reason = _reason(error, repo, again)
        if reason:
            raise HubError(reason) from error
        raise


def _reason(error: Exception, repo: str, again: str) -> str | None:
    errors = list(chain(error))
    if any(isinstance(each, OfflineModeIsEnabled) for each in errors):
        return "HF_HUB_OFFLINE is set: unset it to reach the Hub"
    if isinstance(error, LocalTokenNotFoundError):
        return f"no Hugging Face token to write {repo} with: run hf auth login, or set HF_TOKEN"
    answered = next((each for each in errors if isinstance(each, HfHubHTTPError)), None)
    if answered is None:
        if any(isinstance(each, HTTPError | LocalEntryNotFoundError | ConnectionError) for each in errors):
            return f"the Hub at {constants.ENDPOINT} does not answer ({type(errors[-1]).__name__}): {again}"
        return None
    status = answered.response.status_code
    message = " ".join((answered.server_message or "").split())
    said = f" ({message})" if message else ""
    if status == 401 and get_token() is None:
        return f"no Hugging Face token to reach {repo} with: run hf auth login, or set HF_TOKEN"
    if status == 401:
        return f"the Hub does not accept the token{said}: check HF_TOKEN, or run hf auth login"
    full = status == 403 and any(word in message.lower() for word in ("quota", "storage"))
    if full or status in (402, 413, 507):
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


def retrying(call: Callable, repo: str, again: str = AGAIN):
    """What `call()` gives, called again where the Hub failed, was busy or was changed meanwhile. It must be idempotent.

    Raises HubError.
    """
    with hub_errors(repo, again):
        return tried_again(call, also=[412])


@dataclasses.dataclass
class Place:
    """What a data-set repo, or a folder laid out as one, holds: its configs by name, card, files, and commit."""

    published: dict[str, dict] = dataclasses.field(default_factory=dict)
    card: Card | None = None
    files: set[str] = dataclasses.field(default_factory=set)
    commit: str | None = None


def _place(where: str, texts: dict[str, str], files: set[str], commit: str | None = None) -> Place:
    """A place from the texts of its `PUBLISHED` and card. Raises ValueError where one of them is damaged."""
    try:
        published = json.loads(texts.get(PUBLISHED, "{}"))
        for made in published.values():
            for name, split in made["splits"].items():
                missing = set(_OF_SPLIT) - split.keys()
                if missing:
                    raise KeyError(f"{min(missing)} of split {name}")
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise ValueError(f"{PUBLISHED} of {where} is damaged ({error!r}): mend or delete it") from None
    return Place(published, parse_card(texts[README], where) if README in texts else None, files, commit)


def read_folder(folder) -> Place:
    """The `Place` of a folder; empty where there is none. Raises ValueError for files that are damaged."""
    folder = Path(folder)
    texts = {name: read_text(folder / name) for name in (PUBLISHED, README) if (folder / name).is_file()}
    return _place(str(folder), texts, {path.relative_to(folder).as_posix() for path in folder.glob("*/*.parquet")})


def read_repo(repo: str, revision: str | None = None, repo_type: str = "dataset") -> Place:
    """The `Place` of a repo at a revision; empty where there is none that the token may see.

    Raises ValueError for files that are damaged.
    """
    api = HfApi()
    try:
        info = cast(ModelInfo | DatasetInfo, api.repo_info(repo, repo_type=repo_type, revision=revision))
    except (RepositoryNotFoundError, RevisionNotFoundError):
        return Place()
    files = {sibling.rfilename for sibling in info.siblings or ()}
    texts = {
        name: Path(api.hf_hub_download(repo, name, repo_type=repo_type, revision=info.sha)).read_text("utf-8")
        for name in (PUBLISHED, README)
        if name in files
    }
    return _place(repo, texts, files, info.sha)


def _files_of(place: Place, config: str, split: str) -> list[str]:
    return [file for file in place.files if file.startswith(f"{config}/{split}-") and file.endswith(".parquet")]


def is_there(place: Place, config: str, made: dict) -> bool:
    """Whether a place has a config with the rows of the entry `made`, and all files of it."""
    known = place.published.get(config)
    if known is None or known["splits"].keys() != made["splits"].keys():
        return False
    if any(known.get(key) != made.get(key) for key in ("fixed_size", "view", "coding")):
        return False
    for name, split in made["splits"].items():
        known_split = known["splits"][name]
        if any(known_split[key] != split[key] for key in ("rows", "fingerprint")):
            return False
        if len(_files_of(place, config, name)) != known_split["files"]:
            return False
    return True


def open_repo(
    repo: str,
    private: bool | None = None,
    revision: str | None = None,
    repo_type: str = "model",
    again: str = AGAIN,
    as_it_is: bool = False,
    space_sdk: str | None = None,
) -> str:
    """Makes a repo, and the branch `revision`, where they are not there; gives the repo's full name. Raises HubError.

    `space_sdk` is what a Space needs.
    A repo that exists and is public is refused where `private` is asked for, unless it may stay `as_it_is`.
    """
    api = HfApi()

    def make():
        made = api.create_repo(
            repo, repo_type=repo_type, private=private or None, exist_ok=True, space_sdk=space_sdk
        ).repo_id
        if private and not as_it_is and not api.repo_info(made, repo_type=repo_type).private:
            raise HubError(f"{made} exists and is public: make it private in its settings, or choose another name")
        if revision is not None:
            api.create_branch(made, branch=revision, repo_type=repo_type, exist_ok=True)
        return made

    try:
        return retrying(make, repo, again)
    except HFValidationError as error:
        raise ValueError(f"the name of the repo, {repo!r}: {error}") from None


def check_ours(place: Place, config: str, where: str) -> None:
    configs = place.card.metadata.get("configs") if place.card else None
    names = [each.get("config_name") for each in configs or [] if isinstance(each, dict)]
    if config in names and config not in place.published:
        raise ValueError(f"{where} has a config {config} of somebody else's: choose another repo, or delete it there")


def texts_of(place: Place, config: str, made: dict, infos, where: str, revision: str | None, is_folder: bool) -> dict:
    """The contents of `PUBLISHED` and of the card, by name, with a config more and those without files left out."""
    gone = {
        name
        for name, entry in place.published.items()
        if name != config and not all(_files_of(place, name, split) for split in entry["splits"])
    }
    kept = {name: entry for name, entry in place.published.items() if name not in gone}
    published = dict(sorted((kept | {config: made}).items()))
    before = place.card and Card(without(place.card.metadata, gone), place.card.text)
    card = dataset_card(where, published, infos, before, revision, is_folder)
    return {PUBLISHED: json.dumps(published, indent=2) + "\n", README: card}


def commit_config(repo: str, revision: str | None, config: str, made: dict, infos: DatasetInfosDict, files) -> str:
    """One commit: Parquet, card and entry of a config, and what it replaces; "" where they were there already."""
    place = read_repo(repo, revision)
    if is_there(place, config, made):
        return ""
    check_ours(place, config, repo)
    names = {f"{config}/{file.name}": file for file in files}
    texts = texts_of(place, config, made, infos, repo, revision, is_folder=False)
    operations = [
        *(CommitOperationAdd(name, file) for name, file in names.items()),
        *(CommitOperationAdd(name, text.encode()) for name, text in texts.items()),
        *(CommitOperationDelete(name) for name in sorted(place.files - names.keys()) if name.startswith(f"{config}/")),
    ]
    HfApi().create_commit(
        repo,
        operations,
        commit_message=f"Publish {config}",
        repo_type="dataset",
        revision=revision,
        parent_commit=place.commit,
    )
    return "replaced" if config in place.published else "new"


def upload_folder(folder, repo: str, message: str, revision: str | None, again: str = AGAIN) -> bool:
    """Uploads a folder in one commit, all but checkpoints and what is hidden; whether anything was new.

    Hidden, and uploaded, are scores: those of ours that are on the Hub alone are removed there.
    """
    api = HfApi()
    hidden = {path.name for path in Path(folder).glob(".*")} - {constants.EVAL_RESULTS_FOLDER}
    inside = [f"{name}/*" for name in hidden]
    ignored = [*hidden, *inside, "_*", "checkpoint-*", "*.tmp"]

    def upload():
        before = api.repo_info(repo, revision=revision).sha
        after = api.upload_folder(
            repo_id=repo,
            folder_path=folder,
            commit_message=message,
            revision=revision,
            ignore_patterns=ignored,
            delete_patterns=SCORES,
        )
        return after.oid != before

    return retrying(upload, repo, again)

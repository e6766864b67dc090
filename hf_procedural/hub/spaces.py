"""Spaces of the Hub: a few text files, pushed in one commit."""

from collections.abc import Callable
from pathlib import Path

from huggingface_hub import CommitOperationAdd, HfApi
from huggingface_hub.errors import RepositoryNotFoundError

from .repos import open_repo, retrying

Texts = dict[str, str]  # of files, by name


def push_space(repo: str, names: tuple[str, ...], make: Callable[[Texts], Texts], private: bool | None = None) -> bool:
    """Pushes the texts that `make` gives of those in a Space, some of the files `names`; whether anything was new.

    The Space is made where it is not there. Raises HubError, and what `make` raises.
    """
    if (before := retrying(lambda: _read(repo, names), repo)) is not None:
        make(before[0])  # which may refuse, before anything is changed
    where = open_repo(repo, private, repo_type="space", space_sdk="gradio")

    def commit():
        known, parent = _read(where, names) or ({}, None)
        changed = changes(known, make(known))
        if changed:
            files = [CommitOperationAdd(name, text.encode()) for name, text in changed.items()]
            message = "Update the page" if changed.keys() & known.keys() - {"README.md"} else "Publish the page"
            HfApi().create_commit(where, files, commit_message=message, repo_type="space", parent_commit=parent)
        return bool(changed)

    return retrying(commit, where)


def read_space(repo: str, names: tuple[str, ...]) -> Texts:
    """The texts of some files of a Space, without those that it has not; of none, nothing. Raises HubError."""
    return (retrying(lambda: _read(repo, names), repo) or ({}, None))[0]


def changes(before: Texts, after: Texts) -> Texts:
    """The texts that are not the same before."""
    return {name: text for name, text in after.items() if before.get(name) != text}


def _read(repo: str, names: tuple[str, ...]) -> tuple[Texts, str | None] | None:
    """The texts, and the commit that they are of; None where there is no Space that the token may see."""
    api = HfApi()
    try:
        info = api.space_info(repo)
    except RepositoryNotFoundError:
        return None
    files = {sibling.rfilename for sibling in info.siblings or ()}
    texts = {}
    for name in names:
        if name in files:
            path = api.hf_hub_download(repo, name, repo_type="space", revision=info.sha)
            texts[name] = Path(path).read_text("utf-8")
    return texts, info.sha

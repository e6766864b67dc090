"""Single small files of repos of the Hub, which are looked at before they are fetched."""

import fnmatch
import shutil
from pathlib import Path

from huggingface_hub import HfApi, constants, snapshot_download
from huggingface_hub.errors import RepositoryNotFoundError

from ..hub.repos import hub_errors
from .limits import CACHE, DOWNLOAD, PASSING


def fetched(name: str, patterns: tuple[str, ...], needed: str, remedy: str = "") -> Path:
    """The folder that has the files of a model repo whose names match, and no others.

    Raises ValueError where the one that is `needed` is not there, or one is too large, and HubError.
    """
    with hub_errors(name, "try again later"):
        try:
            info = HfApi().model_info(name, files_metadata=True)
        except RepositoryNotFoundError:
            raise ValueError(f"there is no {name} on the Hub, or it is not to be seen from here") from None
        sizes = {file.rfilename: file.size or 0 for file in info.siblings or ()}
        wanted = [file for file in sizes if any(fnmatch.fnmatchcase(file, pattern) for pattern in patterns)]
        if needed not in wanted:
            raise ValueError(f"{name} has no {needed}" + (f": {remedy}" if remedy else ""))
        for file in wanted:
            if sizes[file] > DOWNLOAD:
                raise ValueError(f"{file} of {name} has {sizes[file]:,} bytes; at most {DOWNLOAD:,} are read here")
        _make_room(Path(constants.HF_HUB_CACHE))
        return Path(snapshot_download(name, revision=info.sha, allow_patterns=wanted))


def _make_room(cache: Path) -> None:
    """Empties a cache that is of strangers alone, where it has become large."""
    if (cache / PASSING).exists() and sum(file.stat().st_size for file in cache.rglob("blobs/*")) > CACHE:
        for folder in cache.glob("models--*"):
            shutil.rmtree(folder, ignore_errors=True)

"""The page as a Space of the Hub, or as the folder of one: three files, beside what others have there.

README.md has our text between marks and keeps what others wrote around it, and their title, colours and tags;
requirements.txt has our lines between marks; app.py is ours alone.
"""

import re
from importlib.metadata import version
from pathlib import Path

from .. import __version__
from ..files import check_folder, read_text, write_text
from ..hub.cards import Card, merged, parse_card
from ..hub.spaces import Texts, changes, push_space, read_space
from ..locks import holding
from .limits import WORDS

README, APP, REQUIREMENTS = NAMES = ("README.md", "app.py", "requirements.txt")
_APP = '''"""The page of hf_procedural. Written by hf-procedural space --publish, which writes over it."""

from hf_procedural.space.app import serve

if __name__ == "__main__":
    serve()
'''
_WRITTEN = "Written by hf-procedural space"
_BEGIN, _END = "# hf_procedural: begin", "# hf_procedural: end"
_OURS = re.compile(f"{_BEGIN}\n.*?{_END}\n?", re.DOTALL)
_USUAL = {  # which others may change
    "title": "Procedural explorer",
    "emoji": "🧮",
    "colorFrom": "blue",
    "colorTo": "green",
    "pinned": False,
    "license": "apache-2.0",
    "short_description": "Procedural tasks for language models, to look at",
}
_TAGS = ["procedural-pretraining", "hf_procedural", "synthetic"]
_TEXT = f"""# Procedural explorer

Data without meaning that language models learn from before text: choose a task and its parameters, look at its rows,
watch an automaton move, type an answer and have it checked, see a row in your own tokenizer, and take the YAML and the
line of Python along. Models that recipes of hf_procedural trained are shown with their curves, and compared.

Accepted: {WORDS}. No file of the server is read, no code of a repo is run, nothing is kept or counted of who looks.

`hf-procedural space` opens the same page on your own machine, with your own folders."""


def publish(repo: str, private: bool | None = None) -> bool:
    """Puts the page on the Hub as a Space, in one commit; whether anything was new.

    Raises HubError, and ValueError for a Space that is somebody else's.
    """
    return push_space(repo, NAMES, lambda before: texts(before, repo), private)


def write(folder) -> bool:
    """Writes the files of the Space into a folder; whether anything was new. Raises ValueError as `publish` does."""
    folder = Path(folder)
    changed = would_write(folder)
    if changed:
        with holding(folder):
            for name, text in changed.items():
                write_text(folder / name, text)
    return bool(changed)


def would_push(repo: str) -> Texts:
    """What `publish` would push. Raises as it does."""
    before = read_space(repo, NAMES)
    return changes(before, texts(before, repo))


def would_write(folder) -> Texts:
    """What `write` would write. Raises as it does."""
    folder = Path(folder)
    check_folder(folder)
    before = {name: read_text(folder / name) for name in NAMES if (folder / name).is_file()}
    return changes(before, texts(before, str(folder)))


def texts(before: Texts, where: str) -> Texts:
    """The files of the Space `where`, over those that are there. Raises ValueError for what is somebody else's."""
    card = parse_card(before[README], where) if README in before else Card({}, "")
    sdk = card.metadata.get("sdk", "gradio")
    if sdk != "gradio":
        raise ValueError(f"{where} is a Space of {sdk!r}, not of gradio: choose another name")
    if APP in before and _WRITTEN not in before[APP]:
        raise ValueError(f"{where} has an {APP} of somebody else's: choose another name, or delete it there")
    return {README: _card(card), APP: _APP, REQUIREMENTS: _requirements(before.get(REQUIREMENTS, ""))}


def _card(before: Card) -> str:
    tags = before.metadata.get("tags") or []
    metadata = _USUAL | before.metadata
    metadata |= {"sdk": "gradio", "sdk_version": version("gradio"), "app_file": APP}
    metadata["tags"] = list(dict.fromkeys([*([tags] if isinstance(tags, str) else tags), *_TAGS]))
    return merged(_TEXT, metadata, before)


def _requirements(before: str) -> str:
    major, minor = map(int, __version__.split(".")[:2])
    ours = f"""{_BEGIN}
--extra-index-url https://download.pytorch.org/whl/cpu
hf-procedural[space]>={__version__},<{major}.{minor + 1}
{_END}
"""
    if _OURS.search(before):
        return _OURS.sub(lambda _: ours, before, count=1)
    return before + ("\n" if before and not before.endswith("\n") else "") + ours

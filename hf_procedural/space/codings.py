"""A row in the ids of somebody's own tokenizer."""

import html
from pathlib import Path

import numpy as np

from ..data.coded import coding_of, in_ids
from ..tasks import IGNORE
from ..tasks.coding import KINDS
from .hub import fetched
from .limits import Place, text_of
from .rows import rows_from, task_of
from .take_along import python_line

_SHOWN = 2_000  # pieces
_FILES = ("tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "added_tokens.json", "config.json")


def coded(chosen: dict, tokenizer: str, kind: str, folder: str | None) -> dict[str, str]:
    """The first row in the ids of a tokenizer, a repo of the Hub or a folder below `folder`: ``html``, and ``python``.

    Raises ValueError for a tokenizer that is none, or not a fast one, and for symbols that it cannot write.
    """
    if kind not in KINDS:
        raise ValueError(f"coding must be one of {', '.join(KINDS)}, got {str(kind)[:40]!r}")
    name = text_of("tokenizer", tokenizer, 400).strip()
    if not name:
        raise ValueError("tokenizer is empty: type the id of a repo of the Hub, such as gpt2")
    place = Place(folder)
    own_folder = place.local(name)
    local = own_folder or fetched(name, _FILES, needed="tokenizer.json")
    task = task_of(chosen)
    try:
        coding = coding_of(task, str(local), kind)
    except ValueError as error:
        raise ValueError(str(error).replace(str(local), name)) from None
    assert coding is not None  # there is a tokenizer
    shown_as = name if own_folder is None else _from_here(own_folder)
    own = rows_from(chosen, chosen["row"] - 1, 1)
    ids = own[0].copy(), own[1].copy()  # which are written over
    block = in_ids(task, *ids, coding, padded=False)
    words = int((own[0] != task.pad_id).sum())
    head = f"{words:,} tokens of {chosen['name']} are {len(block.tokens):,} of {name} ({coding.vocab_size:,} ids)"
    shown = _pieces(str(local), block.tokens[:_SHOWN], block.labels[:_SHOWN])
    more = f"<p>... {len(block.tokens) - _SHOWN:,} more</p>" if len(block.tokens) > _SHOWN else ""
    row = chosen["row"]
    line = python_line(
        chosen["name"], chosen["parameters"], chosen["split"], chosen["seed"], row, tokenizer=shown_as, coding=kind
    )
    legend = "Each box is a token with its id below; the loss counts on the green ones."
    return {"html": f"<p>{html.escape(head)}. {legend}</p><div class='pieces'>{shown}</div>{more}", "python": line}


def _from_here(folder: Path) -> str:
    """A folder as Python finds it that is started where the page was."""
    here = Path.cwd().resolve()
    return str(folder.relative_to(here) if folder.is_relative_to(here) else folder)


def _pieces(folder: str, ids: np.ndarray, labels: np.ndarray) -> str:
    from ..data.tokenization import load_tokenizer

    backend = load_tokenizer(folder).backend_tokenizer
    texts = backend.decode_batch([[int(token)] for token in ids], skip_special_tokens=False)
    boxes = []
    for token, label, text in zip(ids, labels, texts, strict=True):
        style = "piece" if label == IGNORE else "piece scored"
        boxes.append(f'<span class="{style}">{html.escape(text.replace(" ", "␣"))}<sub>{int(token)}</sub></span>')
    return "".join(boxes)

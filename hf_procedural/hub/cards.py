"""What all cards share: what is ours in them stands between two marks, and what others write around it stays."""

import dataclasses
import re

import yaml
from huggingface_hub import RepoCard

_BEGIN, _END = "<!-- hf_procedural: begin -->", "<!-- hf_procedural: end -->"
_OURS = re.compile(f"{_BEGIN}.*?{_END}", re.DOTALL)


@dataclasses.dataclass
class Card:
    """A README.md of the Hub: the mapping of its YAML, and the text below it."""

    metadata: dict
    text: str


def parse_card(content: str, where: str) -> Card:
    """The card of a README.md, which may have no YAML. Raises ValueError, naming `where` it is, for a damaged one."""
    try:
        card = RepoCard(content, ignore_metadata_errors=True)
    except (ValueError, yaml.YAMLError) as error:
        reason = " ".join(str(error).split())
        raise ValueError(f"the card README.md of {where} is damaged ({reason}): mend or delete it") from None
    return Card(card.data.to_dict(), card.text.strip())


def merged(ours: str, metadata: dict, before: Card | None = None) -> str:
    """The content of a card: `ours` in the place of what was ours `before`, `metadata` over what was there."""
    text = f"{_BEGIN}\n{ours.strip()}\n{_END}"
    if before is not None:
        metadata = before.metadata | metadata
        ours_before = _OURS.search(before.text)
        if ours_before:
            pieces = [before.text[: ours_before.start()], text, before.text[ours_before.end() :]]
        else:
            pieces = [before.text, text]
        text = "\n\n".join(piece.strip("\n") for piece in pieces if piece.strip())
    front = yaml.safe_dump(metadata, sort_keys=False, allow_unicode=True).strip()
    return f"---\n{front}\n---\n\n{text}\n"

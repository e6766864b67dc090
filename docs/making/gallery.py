"""The gallery: each task of the registry with a picture, rows, figures, speed, papers, and the line that loads it."""

import html

from hf_procedural.tasks import task_class

from . import _papers, _rows, _speed
from ._families import FAMILIES, OURS, family_of, title_of
from ._words import cell, plain, sentence, table

_HEAD = """---
hide: [navigation]
---

# Gallery

Every task that comes with hf_procedural. The picture shows one row as `hf-procedural show` draws it, the answer in
green; below it stand three rows as a model sees them, what the loss counts on in **bold** (behind an arrow where it is
not in the row). Pictures and rows are of a small size; the figures, and the line that loads a task, are of a published
one.

- **tokens** are those of a row, without padding, on average; **scored** is how many of them the loss counts on.
- **entropy** is that of single tokens, in bits: how much a model that knows only frequencies has to guess.
- **gzip** is the size of rows, one behind the other, compressed at level 9 by zlib 1.2.13, over their size in ids of
  one or two bytes (1.00 is noise), and in brackets the bits that are left of each token.
- **speed** is that of `task.sample` on one core of {processor}; rows cost nothing to store.

The figures are of a fixed sample of rows, 65,536 tokens with their padding, 16,384 for the slowest three, where the
entropy of large vocabularies is estimated too low. This page is made from the registry by `python docs/make.py`, and a
test fails where it is not as the code says.

"""


def pages() -> dict:
    """The page, and its pictures."""
    made = {}
    speed = _speed.read()
    text = _HEAD.format(processor=speed["machine"]["processor"])
    text += " · ".join(f"[{title_of(family)}](#{family})" for family in FAMILIES) + "\n"
    for family, names in FAMILIES.items():
        text += (
            f"\n## {title_of(family)} {{#{family}}}\n\n[All parameters, the papers, deviations](../tasks/{family}.md)\n"
        )
        for name in names:
            made[f"gallery/{name}.svg"], seen = _rows.picture(name)
            text += _card(name, seen, speed["tasks"][name])
    text += f"\n## In one table {{#table}}\n\n{_overview(speed['tasks'])}\n"
    return made | {"gallery/index.md": text}


def _card(name: str, seen: str, speed: dict) -> str:
    figures = _rows.statistics(name)
    config = _rows.published(name).config_name
    small = _rows.small(name)
    shown = "\n".join(f'<pre class="row">{_rows.words_as_html(row)}</pre>' for _, row in _rows.read(small))
    alt = html.escape(seen).replace("[", "&#91;")  # which Markdown would take for a link
    about = table(
        ["tokens", "scored", "vocabulary", "entropy", "gzip", "speed"],
        [
            [
                f"{figures['content']:,.0f} of {figures['length']:,}",
                f"{figures['scored']:,.0f}",
                f"{figures['vocabulary']:,}",
                f"{figures['entropy']:.2f} bits",
                f"{figures['gzip']:.2f} ({figures['gzip_bits']:.1f} bits)",
                f"{_number(speed['rows'])} rows/s, {_number(speed['tokens'])} tokens/s",
            ]
        ],
    )
    return f"""
### `{name}` {{#{name}}}

{sentence(task_class(name).summary)}

<img src="{name}.svg" alt="{alt}" loading="lazy" class="drawing">

<div class="rows" aria-label="Three rows of {small.config_name}">
{shown}
</div>

{about}

`load_dataset("procedural", "{config}")`

{_users(name)}
"""


def _users(name: str) -> str:
    """The papers that have the task, by the registry and the presets."""
    papers = [plain(paper) for paper in _papers.of_task(name)]
    return f"In {'; '.join(papers)}."


def _overview(speed: dict) -> str:
    lines = []
    for name in OURS:
        figures = _rows.statistics(name)
        lines.append(
            [
                f"[`{name}`](#{name})",
                f"[{cell(title_of(family_of(name)))}](../tasks/{family_of(name)}.md)",
                f"{figures['length']:,}",
                f"{figures['scored']:,.0f}",
                f"{figures['vocabulary']:,}",
                f"{figures['entropy']:.2f}",
                f"{figures['gzip']:.2f}",
                f"{speed[name]['tokens'] / 1e6:,.3g}",
            ]
        )
    head = ["task", "family", "row:", "scored:", "vocabulary:", "entropy, bits:", "gzip:", "M tokens/s:"]
    return table(head, lines)


def _number(value: int) -> str:
    for unit, size in (("M", 10**6), ("k", 10**3)):
        if value >= size:
            return f"{value / size:,.3g}{unit}"
    return f"{value:,}"

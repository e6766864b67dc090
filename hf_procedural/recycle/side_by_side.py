"""The faithfulness report as a page and in the terminal: tables, histograms, each pair side by side.

Texts are from the web: nothing in them reaches the browser as markup or the terminal as a command.
"""

import base64
import html
import io
import re
from collections.abc import Iterator

import numpy as np
from rich import box
from rich.console import Console, Group
from rich.table import Table
from rich.text import Text

from .faithfulness import GRAMS, MEASURES, lacking

TITLES = {
    "length_ratio": "length, new to old (characters)",
    "meaning": "BERTScore F1",
    "overlap_1": "words found in the original",
    **{f"overlap_{n}": f"{n}-grams found in the original" for n in GRAMS[1:]},
    "longest_run": "longest run of words in both",
    "numbers_kept": "numbers of the original kept",
    "numbers_from_original": "numbers found in the original",
    "names_kept": "names of the original kept",
    "names_from_original": "names found in the original",
}
_COLUMNS = ("mean", "median", "5%", "95%", "pairs")
_LISTS = {
    "lost_numbers": "numbers lost",
    "lost_names": "names lost",
    "new_numbers": "new numbers",
    "new_names": "new names",
}
_HIDDEN = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")  # controls, also of the direction
_STYLE = """
:root { color-scheme: light; }
body { font: 15px/1.5 system-ui, sans-serif; margin: 2em auto; max-width: 78em; padding: 0 1em; color: #222; }
table { border-collapse: collapse; margin: 1em 0; }
th, td { border-bottom: 1px solid #ddd; padding: .25em .8em; text-align: right; font-variant-numeric: tabular-nums; }
th:first-child, td:first-child { text-align: left; }
img { max-width: 100%; }
details { border: 1px solid #ddd; border-radius: 6px; margin: .6em 0; }
summary { cursor: pointer; padding: .4em .8em; background: #f6f6f6; }
summary span { color: #666; }
.sides { display: grid; grid-template-columns: 1fr 1fr; gap: 1em; padding: 0 .8em .8em; }
.sides > div { min-width: 0; }
.text { white-space: pre-wrap; overflow-wrap: anywhere; unicode-bidi: isolate; border: 1px solid #eee; padding: .6em; }
.facts { padding: 0 .8em; }
.lost { background: #ffd7d5; color: #a40e26; }
.new { background: #fff3c4; color: #7a4b00; text-decoration: underline; }
"""


def visible(text: str) -> str:
    """A text whose control characters but tab and line feed are shown instead of obeyed.

    >>> visible("a\\x00b\\u202ec")
    'a␀b⟨202E⟩c'
    """
    return _HIDDEN.sub(lambda found: _picture(ord(found[0])), text.replace("\r\n", "\n"))


def _picture(code: int) -> str:
    return chr(0x2400 + code) if code < 32 else f"⟨{code:04X}⟩"


def segments(one: str, other: str) -> Iterator[tuple[str, bool]]:
    """A text in parts, each with whether it is a number or name that the other text has not."""
    place = 0
    for thing in sorted((thing for kind in ("numbers", "names") for thing in lacking(kind, one, other)), key=_start):
        if thing.start >= place:
            yield one[place : thing.start], False
            yield one[thing.start : thing.end], True
            place = thing.end
    yield one[place:], False


def _start(thing) -> int:
    return thing.start


def number(name: str, value: float | None) -> str:
    """A value of a measure as it is shown."""
    if value is None:
        return "-"
    return f"{value:,.1f}" if name == "longest_run" else f"{value:.3f}"


# The page


def page(title: str, notes: list[str], groups: dict[str, dict], histograms: bytes | None, pairs: list[dict]) -> str:
    """The whole report as HTML that loads nothing and runs nothing.

    Args:
        notes: paragraphs, as text.
        groups: summaries by the name of a group of pairs.
        histograms: a PNG.
        pairs: measures with id, group, text and original; in the order in which they are shown.
    """
    parts = [f"<h1>{_escaped(title)}</h1>", *(f"<p>{_escaped(note)}</p>" for note in notes)]
    for group, found in groups.items():
        parts.append(f"<h2>{_escaped(group)}</h2>")
        head = "".join(f"<th>{_escaped(name)}</th>" for name in ("measure", *_COLUMNS))
        rows = [
            f"<tr><td>{_escaped(TITLES[name])}</td>"
            + "".join(f"<td>{_cell(name, column, row[column])}</td>" for column in _COLUMNS)
            for name, row in found.items()
        ]
        parts.append(f"<table><tr>{head}</tr>{'</tr>'.join(rows)}</tr></table>")
    if histograms is not None:
        data = base64.b64encode(histograms).decode()
        parts.append(f'<img alt="Histograms of the measures" src="data:image/png;base64,{data}">')
    parts.append("<h2>Pairs, the least faithful first</h2>")
    parts.append(
        '<p><span class="lost">Red</span>: numbers and names that were lost. '
        '<span class="new">Underlined</span>: those that are new.</p>'
    )
    parts += [_pair(place, pair) for place, pair in enumerate(pairs, 1)]
    policy = "default-src 'none'; style-src 'unsafe-inline'; img-src data:"
    return f"""<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>{_escaped(title)}</title>
<meta http-equiv="Content-Security-Policy" content="{policy}">
<meta name="viewport" content="width=device-width, initial-scale=1"><style>{_STYLE}</style></head><body>
{chr(10).join(parts)}
</body></html>
"""


def _escaped(text) -> str:
    return html.escape(visible(str(text)))


def _cell(name: str, column: str, value: float) -> str:
    return str(value) if column == "pairs" else number(name, value)


def _pair(place: int, pair: dict) -> str:
    facts = [f"{TITLES[name]}: {number(name, pair[name])}" for name in MEASURES if pair.get(name) is not None]
    lists = [f"{title}: {', '.join(pair[name])}" for name, title in _LISTS.items() if pair[name]]
    sides = [
        f'<div><b>{title}</b><div class="text" dir="auto">{_marked(pair[one], pair[other], kind)}</div></div>'
        for title, one, other, kind in (
            ("original", "original", "text", "lost"),
            ("recycled", "text", "original", "new"),
        )
    ]
    paragraphs = "".join(f'<p class="facts" dir="auto">{_escaped(fact)}</p>' for fact in ["; ".join(facts), *lists])
    return (
        f'<details{" open" * (place == 1)}><summary dir="auto">{place}. {_escaped(pair["id"])} '
        f"<span>{_escaped(pair['group'])}, {_escaped(_short_facts(pair))}</span></summary>{paragraphs}"
        f'<div class="sides">{"".join(sides)}</div></details>'
    )


def _marked(one: str, other: str, kind: str) -> str:
    return "".join(
        f'<span class="{kind}">{_escaped(part)}</span>' if missing else _escaped(part)
        for part, missing in segments(one, other)
    )


def _short_facts(pair: dict) -> str:
    named = {"meaning": "BERTScore", "length_ratio": "length", "numbers_kept": "numbers", "names_kept": "names"}
    return ", ".join(f"{title} {number(name, pair.get(name))}" for name, title in named.items() if name in pair)


def histograms(pairs: list[dict], threshold: float | None) -> bytes:
    """A PNG with a histogram of each measure of `pairs`, BERTScore's with a line at `threshold`."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    values = {name: [pair[name] for pair in pairs if pair.get(name) is not None] for name in MEASURES}
    values = {
        name: found for name, found in values.items() if found and name not in ("overlap_2", "overlap_3", "overlap_4")
    }
    rows = -(-len(values) // 3)
    figure, axes = pyplot.subplots(rows, 3, figsize=(12, 2.6 * rows), layout="constrained", squeeze=False)
    for axis in axes.flat[len(values) :]:
        axis.set_axis_off()
    for axis, (name, found) in zip(axes.flat, values.items(), strict=False):
        top = max(1.0, *found) if name in ("length_ratio", "longest_run") else 1.0
        axis.hist(np.clip(found, 0, top), bins=np.linspace(0, top, 31), color="#4c72b0")
        axis.set_title(TITLES[name], fontsize=10)
        axis.set_ylabel("pairs")
        axis.yaxis.get_major_locator().set_params(integer=True)
        axis.set_xlim(0, top)
        if name == "meaning" and threshold is not None:
            axis.axvline(threshold, color="#a40e26", linestyle="--", label=f"threshold {threshold:g}")
            axis.legend(fontsize=8)
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=100)
    pyplot.close(figure)
    return buffer.getvalue()


# The terminal


def print_report(notes: list[str], groups: dict[str, dict], pairs: list[dict], characters: int = 600) -> None:
    """Prints notes, summaries and `pairs` side by side, of each text the first so many characters. 80 columns do."""
    console = Console(highlight=False, soft_wrap=False)
    for group, found in groups.items():
        table = Table("measure", title=group, box=box.SIMPLE_HEAD, title_justify="left", title_style="bold")
        for column in _COLUMNS:
            table.add_column(column, justify="right", no_wrap=True)
        for name, row in found.items():
            table.add_row(TITLES[name], *(_cell(name, column, row[column]) for column in _COLUMNS))
        console.print(table)
    for pair in pairs:
        table = Table(box=box.SQUARE, title=Text(visible(f"{pair['id']}: {_short_facts(pair)}")), expand=True)
        table.title_justify = "left"
        for title in ("original", "recycled"):
            table.add_column(title, ratio=1, overflow="fold")
        sides = (("original", "text", "bold red"), ("text", "original", "bold yellow underline"))
        table.add_row(*(_coloured(pair[one], pair[other], style, characters) for one, other, style in sides))
        lists = [Text(visible(f"{title}: {_some(pair[name])}")) for name, title in _LISTS.items() if pair[name]]
        console.print(Group(table, *lists), "")
    for note in notes:
        console.print(Text(visible(note)))


def _some(things: list[str], most: int = 12) -> str:
    """So many of them."""
    more = [f"and {len(things) - most:,} more"] * (len(things) > most)
    return ", ".join([*things[:most], *more])


def _coloured(one: str, other: str, style: str, characters: int) -> Text:
    text = Text()
    for part, missing in segments(one[:characters], other):
        text.append(visible(part), style if missing else None)
    return text.append("…") if len(one) > characters else text

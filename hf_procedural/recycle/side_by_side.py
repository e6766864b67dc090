"""The faithfulness report as a page and in the terminal: tables, histograms, each pair side by side.

Texts are from the web: nothing in them reaches the browser as markup or the terminal as a command.
"""

import base64
import html
import io
from collections.abc import Iterator

import numpy as np
from rich import box
from rich.console import Group
from rich.table import Table
from rich.text import Text

from .. import looks
from ..terminal import console, visible
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
.measures { padding: 0 .8em; }
.lost { background: #ffd7d5; color: #a40e26; text-decoration: line-through; }
.new { background: #fff3c4; color: #7a4b00; text-decoration: underline; }
.scroll { overflow-x: auto; }
@media (max-width: 40rem) {
  body { margin: .6em auto; } .sides { grid-template-columns: 1fr; } .scroll img { max-width: 44rem; }
  table { font-size: .85em; } th, td { padding: .25em .4em; }
}
"""


def segments(one: str, other: str) -> Iterator[tuple[str, bool]]:
    """A text in segments, each with whether it is a number or name that the other text has not."""
    missing = lacking("numbers", one, other) + lacking("names", one, other)
    place = 0
    for mention in sorted(missing, key=lambda mention: mention.start):
        if mention.start >= place:  # a name may be inside of a number, or begin with one
            yield one[place : mention.start], False
            yield one[mention.start : mention.end], True
            place = mention.end
    yield one[place:], False


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
    blocks = [f"<h1>{_escaped(title)}</h1>"]
    blocks += [f"<p>{_escaped(note)}</p>" for note in notes]
    for group, measures in groups.items():
        blocks.append(f"<h2>{_escaped(group)}</h2>")
        blocks.append(_table(measures))
    if histograms is not None:
        data = base64.b64encode(histograms).decode()
        image = f'<img alt="Histograms of the measures" src="data:image/png;base64,{data}">'
        blocks.append(f'<div class="scroll">{image}</div>')
    blocks.append("<h2>Pairs, the least faithful first</h2>")
    blocks.append(
        '<p><span class="lost">Struck out</span>: numbers and names that were lost. '
        '<span class="new">Underlined</span>: those that are new.</p>'
    )
    blocks += [_pair(place, pair) for place, pair in enumerate(pairs, 1)]
    policy = "default-src 'none'; style-src 'unsafe-inline'; img-src data:"
    return f"""<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>{_escaped(title)}</title>
<meta http-equiv="Content-Security-Policy" content="{policy}">
<meta name="viewport" content="width=device-width, initial-scale=1"><style>{_STYLE}</style></head><body>
{chr(10).join(blocks)}
</body></html>
"""


def _escaped(text) -> str:
    return html.escape(visible(str(text)))


def _table(measures: dict[str, dict]) -> str:
    head = "".join(f"<th>{_escaped(name)}</th>" for name in ("measure", *_COLUMNS))
    rows = [f"<tr>{head}</tr>"]
    for name, values in measures.items():
        cells = "".join(f"<td>{_cell(name, column, values[column])}</td>" for column in _COLUMNS)
        rows.append(f"<tr><td>{_escaped(TITLES[name])}</td>{cells}</tr>")
    return f'<div class="scroll"><table>{"".join(rows)}</table></div>'


def _cell(name: str, column: str, value: float) -> str:
    return str(value) if column == "pairs" else number(name, value)


def _pair(place: int, pair: dict) -> str:
    measures = [f"{TITLES[name]}: {number(name, pair[name])}" for name in MEASURES if pair.get(name) is not None]
    lists = [f"{title}: {', '.join(pair[name])}" for name, title in _LISTS.items() if pair[name]]
    lines = ["; ".join(measures), *lists]
    paragraphs = "".join(f'<p class="measures" dir="auto">{_escaped(line)}</p>' for line in lines)
    original = _side("original", _marked(pair["original"], pair["text"], "lost"))
    recycled = _side("recycled", _marked(pair["text"], pair["original"], "new"))
    is_open = " open" if place == 1 else ""
    return (
        f'<details{is_open}><summary dir="auto">{place}. {_escaped(pair["id"])} '
        f"<span>{_escaped(pair['group'])}, {_escaped(_in_short(pair))}</span></summary>{paragraphs}"
        f'<div class="sides">{original}{recycled}</div></details>'
    )


def _side(title: str, marked: str) -> str:
    return f'<div><b>{title}</b><div class="text" dir="auto">{marked}</div></div>'


def _marked(one: str, other: str, kind: str) -> str:
    marked = ""
    for segment, is_missing in segments(one, other):
        marked += f'<span class="{kind}">{_escaped(segment)}</span>' if is_missing else _escaped(segment)
    return marked


def _in_short(pair: dict) -> str:
    named = {"meaning": "BERTScore", "length_ratio": "length", "numbers_kept": "numbers", "names_kept": "names"}
    return ", ".join(f"{title} {number(name, pair.get(name))}" for name, title in named.items() if name in pair)


def histograms(pairs: list[dict], threshold: float | None) -> bytes:
    """A PNG with a histogram of each measure of `pairs`, BERTScore's with a line at `threshold`."""
    from matplotlib.figure import Figure

    values = {}
    for name in MEASURES:
        measured = [pair[name] for pair in pairs if pair.get(name) is not None]
        if measured and name not in ("overlap_2", "overlap_3", "overlap_4"):  # between overlap_1 and overlap_5
            values[name] = measured
    rows = -(-len(values) // 3)
    figure = Figure(figsize=(12, 2.6 * rows), layout="constrained")
    axes = figure.subplots(rows, 3, squeeze=False)
    for axis in axes.flat[len(values) :]:
        axis.set_axis_off()
    for axis, (name, measured) in zip(axes.flat, values.items(), strict=False):
        top = max(1.0, *measured) if name in ("length_ratio", "longest_run") else 1.0
        axis.hist(np.clip(measured, 0, top), bins=np.linspace(0, top, 31), color=looks.BLUE)
        axis.set_title(TITLES[name], fontsize=10)
        axis.set_ylabel("pairs")
        axis.yaxis.get_major_locator().set_params(integer=True)
        axis.set_xlim(0, top)
        if name == "meaning" and threshold is not None:
            axis.axvline(threshold, color=looks.VERMILLION, linestyle="--", label=f"threshold {threshold:g}")
            axis.legend(fontsize=8)
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=100)
    return buffer.getvalue()


# The terminal


def print_report(notes: list[str], groups: dict[str, dict], pairs: list[dict], characters: int = 600) -> None:
    """Prints notes, summaries and `pairs` side by side, of each text the first so many characters. 80 columns do."""
    screen = console(soft_wrap=False)
    for group, measures in groups.items():
        table = Table("measure", title=group, box=box.SIMPLE_HEAD, title_justify="left", title_style="bold")
        for column in _COLUMNS:
            table.add_column(column, justify="right", no_wrap=True)
        for name, values in measures.items():
            table.add_row(TITLES[name], *(_cell(name, column, values[column]) for column in _COLUMNS))
        screen.print(table)
    for pair in pairs:
        table = Table(box=box.SQUARE, title=Text(visible(f"{pair['id']}: {_in_short(pair)}")), expand=True)
        table.title_justify = "left"
        for title in ("original", "recycled"):
            table.add_column(title, ratio=1, overflow="fold")
        original = _coloured(pair["original"], pair["text"], "bold red", characters)
        recycled = _coloured(pair["text"], pair["original"], "bold yellow underline", characters)
        table.add_row(original, recycled)
        lists = [Text(visible(f"{title}: {_some(pair[name])}")) for name, title in _LISTS.items() if pair[name]]
        screen.print(Group(table, *lists), "")
    for note in notes:
        screen.print(Text(visible(note)))


def _some(things: list[str], most: int = 12) -> str:
    """So many of them."""
    shown = things[:most]
    if len(things) > most:
        shown.append(f"and {len(things) - most:,} more")
    return ", ".join(shown)


def _coloured(one: str, other: str, style: str, characters: int) -> Text:
    text = Text()
    for segment, is_missing in segments(one[:characters], other):
        text.append(visible(segment), style if is_missing else None)
    return text.append("…") if len(one) > characters else text

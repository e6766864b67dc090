"""Numbers, paths and tables as people read them."""

import datetime
import math
import re
from pathlib import PurePosixPath

from ..terminal import in_a_line

COUNT, HUNDREDTHS, NATS = "{:,.0f}".format, "{:.2f}".format, "{:.4f}".format
SHARE, POWER = "{:.1%}".format, "{:.3g}".format

_ABSOLUTE = re.compile(r"(\s*(?:[\w+]+=)?(?:[\d.]+\*)?(?:[\w.]+:(?!//))?)(/.*)")  # after what stands before a source


def si(number: float) -> str:
    """A number with k, M, B or T, to four digits."""
    power = min(int(math.log10(max(number, 1)) // 3), 4)
    return f"{number / 1000**power:.4g}{('', 'k', 'M', 'B', 'T')[power]}"


def duration(seconds: float) -> str:
    """Seconds, from a minute on as h:mm:ss."""
    return f"{seconds:.1f} s" if seconds < 60 else str(datetime.timedelta(seconds=round(seconds)))


def markdown_table(lines: list[dict[str, str]]) -> str:
    """A markdown table, without the columns that are empty in every line; a cell is shown in one line."""
    titles = [title for title in lines[0] if any(line[title] for line in lines)]
    cells = [titles, ["---"] * len(titles), *([line[title] or "-" for title in titles] for line in lines)]
    return "\n".join("| " + " | ".join(in_a_line(cell).replace("|", "\\|") for cell in line) + " |" for line in cells)


def as_markdown(text: str) -> str:
    """A name as Markdown that shows it as it is.

    >>> as_markdown("0.6*a_b <i>")
    '0.6\\\\*a_b \\\\<i\\\\>'
    """
    return re.sub(r"[\\`*<>\[\]&~]|(?<!\w)_|_(?!\w)", r"\\\g<0>", text)


def short_paths(value):
    """`value`, in which absolute paths are cut to their last two parts: the rest is of use to nobody else.

    >>> short_paths({"init_from": "attn=/home/me/runs/set,mlp=runs/sort"})
    {'init_from': 'attn=runs/set,mlp=runs/sort'}
    """
    if isinstance(value, dict):
        return {key: short_paths(item) for key, item in value.items()}
    if isinstance(value, list):
        return [short_paths(item) for item in value]
    if not isinstance(value, str):
        return value
    return ",".join(map(_short_path, value.split(",")))


def _short_path(source: str) -> str:
    absolute = _ABSOLUTE.fullmatch(source)
    if not absolute:
        return source
    before, path = absolute.groups()
    return before + "/".join(PurePosixPath(path).parts[1:][-2:])

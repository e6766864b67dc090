"""Rows of a task as HTML: what a terminal shows, in the same colours, for pages whose style is `STYLE`.

Text is escaped, and control characters are shown as a terminal's are: nothing in a word of a task is obeyed.
"""

import html
import io
from collections.abc import Iterable

from rich.text import Text

from .. import terminal
from ..tasks import Task
from .rows import drawn_rows, explained

# Of the terminal's names, as dark as text has to be on white, and as light as it has to be on black.
_COLOURS = {
    "red": ("#b3261e", "#ff8a80"),
    "green": ("#14692f", "#6fdc8c"),
    "yellow": ("#7a5900", "#f1c21b"),
    "blue": ("#1d4fd8", "#8ab4ff"),
    "magenta": ("#9b1c8e", "#ff8fe6"),
    "cyan": ("#0b6678", "#56d7ee"),
    "bright_red": ("#d0450b", "#ffb38a"),
    "bright_green": ("#3f6600", "#b8e06a"),
    "bright_yellow": ("#5c4a32", "#ffe6a8"),
}
_RULES = [
    ".procedural-row { font-family: ui-monospace, 'DejaVu Sans Mono', Consolas, monospace; font-size: 13px; "
    "line-height: 1.35; white-space: pre; overflow-x: auto; margin: 0; }",
    ".procedural-row .dim { opacity: 0.75; }",
    ".procedural-row .bold { font-weight: 700; }",
    *(f".procedural-row .{name} {{ color: {on_white}; }}" for name, (on_white, _) in _COLOURS.items()),
    *(f".dark .procedural-row .{name} {{ color: {on_black}; }}" for name, (_, on_black) in _COLOURS.items()),
]
STYLE = "\n".join(_RULES)


def rows_html(task: Task, input_ids, labels, width: int = 80, first: int = 1) -> str:
    """Rows, arrays ``[n, max_length]``, in lines of at most `width` characters; the first has the number `first`."""
    screen = terminal.console(file=io.StringIO(), width=width)
    return lines_html(drawn_rows(task, input_ids, labels, screen, first))


def explained_html(task: Task, width: int = 80) -> str:
    """What a task asks, and how its rows are read."""
    return lines_html(explained(task, terminal.console(file=io.StringIO(), width=width)))


def lines_html(lines: Iterable[Text]) -> str:
    """Lines of a terminal as an element of HTML."""
    screen = terminal.console(file=io.StringIO())
    return f'<pre class="procedural-row">{"<br>".join(_line(line, screen) for line in lines)}</pre>'


def _line(line: Text, screen) -> str:
    line.end = ""
    spans = []
    whole = screen.get_style(line.style)  # which rich leaves to what prints a line without spans
    for segment in line.render(screen):
        text = html.escape(terminal.visible(segment.text))
        style = segment.style or whole
        colour = style.color.name if style and style.color else None
        words = [colour] if colour in _COLOURS else []
        words += [word for word in ("bold", "dim") if style and getattr(style, word)]
        spans.append(f'<span class="{" ".join(words)}">{text}</span>' if words else text)
    return "".join(spans)

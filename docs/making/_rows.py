"""The tasks of the registry: a few rows of each, drawn, and what a fixed sample of rows tells of them.

Nothing here depends on the machine: rows come from fixed generators, sizes from our own count of deflate's bits, and
drawings are written as SVG here, not by a library whose next version would write others.
"""

import functools
import html
import io
import math

import numpy as np
from rich.console import Console
from rich.text import Text

import hf_procedural
from hf_procedural.show import drawing, image
from hf_procedural.show.rows import _read
from hf_procedural.tasks import IGNORE, Task, automata, deflate_kernels, nca, task_class

# What is drawn where the published size is no picture: the same task, smaller.
SMALL = {
    "sort": ("sort-16", {}),
    "filled_set": ("filled_set-64", {"vocab_size": 40}),
    "dyck": ("dyck-8", {"length": 64}),
    "dyck_shuffle": ("dyck_shuffle-8", {"length": 64}),
    "eca": ("eca-110", {"width": 40, "steps": 19}),
    "nca": ("nca-10", {}),
    "lime": ("lime-induct", {}),
    "simpler": ("simpler-union", {"length": 12}),
    "nonsense": ("nonsense-copy_bulleted", {}),
    "words": ("words-8000", {"length": 48}),
    "nesting": ("nesting-8000", {"length": 48}),
    "flat": ("flat-8000", {"length": 48}),
    "ww": ("ww-64", {"length": 48, "shortest": 4, "longest": 12}),
    "regbench": ("regbench-12", {}),
    "mp_struct": ("mp_struct-96", {}),
    "mp_struct_core": ("mp_struct_core-96", {}),
    "rnn_language": ("rnn_language-1000", {"length": 48}),
    "chomsky": ("chomsky-reverse_string", {"length": 20}),
    "word_problem": ("word_problem-S3", {}),
    "flip_flop": ("flip_flop-48", {}),
    "depo": ("depo-5", {}),
    "brevo": ("brevo-8", {}),
    "lano": ("lano-cfg3b", {"length": 96}),
    "capo": ("capo-50000", {}),
    "mad_selective_copying": ("mad_selective_copying-64", {"num_tokens_to_copy": 8}),
    "mad_compression": ("mad_compression-32", {}),
    "mad_in_context_recall": ("mad_in_context_recall-64", {}),
    "mad_noisy_in_context_recall": ("mad_noisy_in_context_recall-64", {}),
    "mad_fuzzy_in_context_recall": ("mad_fuzzy_in_context_recall-64", {}),
    "mqar": ("mqar-4", {}),
    "forgetting_mqar": ("forgetting_mqar-4", {}),
    "compositional_mqar": ("compositional_mqar-4", {}),
    "clrs": ("clrs-insertion_sort", {}),
    "iterated_rnn": ("iterated_rnn-32", {"length": 48}),
    "reasoning_gym": ("reasoning_gym-leg_counting", {}),
}
_SLOW = ("rnn_language", "iterated_rnn", "reasoning_gym")  # tasks of seconds for some thousand rows
NARROW = 46  # characters in a line of a picture, which a telephone can show
_LINES = 20  # of a picture
_FRAMES = 20  # of an automaton's


def published(name: str) -> Task:
    """The task in the last of its published sizes."""
    return hf_procedural.task(f"{name}-{task_class(name).sizes[-1]}")


def small(name: str) -> Task:
    """The task as it is drawn."""
    config, parameters = SMALL.get(name, (f"{name}-{task_class(name).sizes[0]}", {}))
    return hf_procedural.task(config, **parameters)


@functools.cache
def rows(task: Task, count: int) -> tuple[np.ndarray, np.ndarray]:
    """`input_ids` and `labels` of the same few training rows each time, int32 ``[count, row length]``."""
    return task.sample_split(np.random.Generator(np.random.Philox(0)), count, "train")


@functools.cache
def statistics(name: str) -> dict:
    """What a sample of rows of the published size tells: lengths, entropy of single tokens, compressed size."""
    task = published(name)
    budget = 2**14 if name in _SLOW else 2**16
    count = max(8, min(1024, budget // task.max_length))
    input_ids, labels = rows(task, count)
    is_content = (labels != IGNORE) | (input_ids != task.pad_id)
    tokens = input_ids[is_content]
    shares = np.bincount(tokens) / len(tokens)
    shares = shares[shares > 0].tolist()
    width = 1 if len(task.vocabulary) <= 2**8 else 2 if len(task.vocabulary) <= 2**16 else 4
    raw = np.frombuffer(tokens.astype(f"<u{width}").tobytes(), np.uint8)
    packed = deflate_kernels.deflated(raw, deflate_kernels.workspace(len(raw))) + 18  # gzip's head and end
    return {
        "rows": count,
        "tokens": len(tokens),
        "length": task.max_length,
        "content": len(tokens) / count,
        "scored": int((labels != IGNORE).sum()) / count,
        "vocabulary": len(task.vocabulary),
        "entropy": -math.fsum(share * math.log2(share) for share in shares),
        "gzip": packed / len(raw),
        "gzip_bits": 8 * packed / len(tokens),
    }


def read(task: Task, count: int = 3) -> list[tuple[Task, drawing.Row]]:
    """The rows as words, and the task that draws each."""
    return [_read(task, ids, labels)[1:] for ids, labels in zip(*rows(task, count), strict=True)]


# ---------------------------------------------------------------- as text


def _spans(text: Text, console: Console) -> list[tuple[str, str]]:
    """A line's runs of one style: the characters, and the class of their colour."""
    spans = []
    for segment in text.render(console):
        style = segment.style
        kind = ""
        if style and style.color:
            kind = "d-" + style.color.name.replace("_", "-").removeprefix("bright-")
        elif style and style.dim:
            kind = "d-label"
        if style and style.bold:
            kind = f"{kind} d-bold".strip()
        if segment.text != "\n":
            spans.append((segment.text, kind))
    return spans


def drawn(task: Task, row: drawing.Row, width: int, most: int = 1000) -> list[list[tuple[str, str]]]:
    """A row as `hf-procedural show` draws it: lines of spans; those beyond `most` are left out."""
    console = Console(file=io.StringIO(), width=width, force_terminal=True, color_system="truecolor")
    lines = []
    for line in drawing.lines(task, row, width):
        lines += [_spans(each, console) for each in line.wrap(console, width)]
    if len(lines) > most:
        left = len(lines) - most + 1
        lines[most - 1 :] = [[(f"{'':<{drawing.GUTTER}}... {left} more lines", "d-label")]]
    return lines


def as_html(lines) -> str:
    """Spans as the inside of a <pre>, in the colours of style.css."""
    texts = []
    for line in lines:
        spans = []
        for text, kind in line:
            escaped = html.escape(text, quote=False)
            spans.append(f'<span class="{kind}">{escaped}</span>' if kind else escaped)
        texts.append("".join(spans).rstrip())
    return "\n".join(texts)


def words_as_html(row: drawing.Row, most: int = 60) -> str:
    """A row's words in one line, those with a loss in bold; of long ones the beginning, and where the answer begins."""
    shown = [html.escape(word, quote=False) for word in row.words]
    for place, target in enumerate(row.targets):
        if row.scored[place]:
            own = f"{shown[place]}→" if row.stands_apart else ""
            shown[place] = f"{own}<b>{html.escape(target, quote=False)}</b>"
    if len(shown) <= most:
        return " ".join(shown)
    first = row.scored.index(True) if True in row.scored else 0
    if first < most - 12:
        return " ".join([*shown[:most], "…"])
    return " ".join([*shown[: most - 32], "…", *shown[first - 4 : first + 24], "…" if first + 24 < len(shown) else ""])


# ---------------------------------------------------------------- as pictures

_INK = {  # on the picture's dark ground, each at least 4.5 to 1
    "": "#e6e6e6",
    "d-bold": "#ffffff",
    "d-label": "#9aa5b1",
    "d-green": "#7ee787",
    "d-yellow": "#ffd866",
    "d-red": "#ff9d94",
    "d-blue": "#8ab4ff",
    "d-magenta": "#e6a5f5",
    "d-cyan": "#7fe3ea",
}
_GROUND = "#14191f"
_STEP, _HIGH = 8.4, 18  # pixels of a character at a size of 14
# After Okabe and Ito: told apart without colour vision; two greys more for the ten states of nca.
_CELLS = ("#0072b2", "#e69f00", "#009e73", "#cc79a7", "#56b4e9", "#d55e00", "#f0e442", "#e6e6e6", "#8a949e", "#4b5560")


def picture(name: str) -> tuple[str, str]:
    """One row of a task as SVG, and in words for who does not see it."""
    task = small(name)
    if isinstance(task, automata.ElementaryAutomaton | nca.NeuralAutomaton):
        return _cells(task)
    painter, row = read(task)[0]
    lines = drawn(painter, row, NARROW, _LINES)
    texts = []
    for number, line in enumerate(lines):
        at = 0
        for text, kind in line:
            start = at + len(text) - len(text.lstrip(" "))
            at += len(text)
            if text.strip():
                shown = text.strip(" ")
                place = f'x="{12 + start * _STEP:.1f}" y="{24 + number * _HIGH}" textLength="{len(shown) * _STEP:.1f}"'
                ink = _INK[kind.partition(" ")[0]]
                texts.append(f'<text {place} fill="{ink}">{html.escape(shown, quote=False)}</text>')
    seen = _in_words(task, row)
    longest = max(sum(len(text) for text, _ in line) for line in lines)
    return _svg(24 + max(longest, 20) * _STEP, 24 + len(lines) * _HIGH, seen, texts), seen


def _svg(width: float, height: float, title: str, shapes: list[str]) -> str:
    style = "white-space:pre;font:14px ui-monospace,SFMono-Regular,Menlo,Consolas,'DejaVu Sans Mono',monospace"
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:.0f} {height:.0f}" width="{width:.0f}" '
        f'height="{height:.0f}" role="img">\n<title>{html.escape(title)}</title>\n'
        f'<rect width="100%" height="100%" rx="8" fill="{_GROUND}"/>\n<g style="{style}">\n'
        + "\n".join(shapes)
        + "\n</g>\n</svg>\n"
    )


def _in_words(task: Task, row: drawing.Row) -> str:
    said = f"A row of {task.config_name}, drawn as text, {len(row.words)} tokens"
    if row.stands_apart:
        return f"{said}, and below those that have one, in green, the token to be predicted: {row.loss}."
    if drawing.has_answers(task):
        answer = " ".join(row.answer[:12]) + (" ..." if len(row.answer) > 12 else "")
        return f"{said}: the prompt of {len(row.prompt)}, then in green the answer: {answer}"
    begin = " ".join(row.words[:12])
    return f"{said}, a loss on {row.loss}: it begins {begin} ..."


def _cells(task) -> tuple[str, str]:
    """States of cells: those of one dimension below each other, those of two side by side."""
    frames = image.frames(task, rows(task, 3)[0][0])[:_FRAMES]
    count, high, wide = frames.shape
    across = 1 if high == 1 else 4
    gap = 0 if high == 1 else 2
    size = (NARROW * _STEP) / (across * (wide + gap) - gap)
    paths = {}
    for number, frame in enumerate(frames):
        left = number % across * (wide + gap)
        top = number // across * (high + gap)
        for y, line in enumerate(frame):
            edges = np.flatnonzero(np.diff(line, prepend=-1, append=-1))
            for start, end in zip(edges[:-1], edges[1:], strict=True):
                run = f"M{left + start} {top + y}h{end - start}v1h-{end - start}z"
                paths.setdefault(int(line[start]), []).append(run)
    colours = ("#2a323b", "#7ee787") if task.name == "eca" else _CELLS
    inside = [f'<path fill="{colours[state]}" d="{"".join(runs)}"/>' for state, runs in sorted(paths.items())]
    lines = -(-count // across) * (high + gap) - gap
    shapes = [f'<g transform="translate(12 12) scale({size:.4f})" shape-rendering="crispEdges">', *inside, "</g>"]
    if high == 1:
        seen = f"{count} states of a ring of {wide} cells, one below the other; a cell is light where it is 1."
    else:
        seen = f"{count} states of a torus of {high} x {wide} cells, one after another, a colour for each of "
        seen += f"{task.states} states of a cell; patches grow and move from each to the next."
    return _svg(24 + NARROW * _STEP, 24 + lines * size, seen, shapes), f"A row of {task.config_name}: {seen}"

"""Rows of automata as pictures: the states of cells as colours, in a PNG side by side, in a GIF one after another."""

import functools
from pathlib import Path

import numpy as np

from .. import looks
from ..files import whole
from ..tasks import Task, automata, nca

_WIDTH = 9  # inches of a PNG
_NARROWEST = 60  # cells that fill the width of a PNG; fewer make a narrower one
_TITLE = 4.5  # inches that a title takes at least
_GAP = 2  # cells between frames that are side by side
_CELL = 16  # pixels of a cell in a GIF, at most
_TALL = 480  # pixels of a GIF's height, at most, where cells are not smaller than a pixel
_DURATION = 200  # milliseconds of a frame in a GIF


def image(task: Task, input_ids, labels, path) -> None:
    """Draws rows, arrays ``[n, max_length]``, into a file that ends in .png or .gif.

    Raises ValueError for another ending and for tasks whose rows are no grids of cells.
    """
    draw = {".png": _png, ".gif": _gif}.get(Path(path).suffix.lower())
    if draw is None:
        raise ValueError(f"image must be a file that ends in .png or .gif, got {str(path)!r}")
    drawn = [frames(task, row) for row in np.atleast_2d(input_ids)]
    with whole(Path(path)) as temporary:
        draw(task, drawn, temporary)


@functools.singledispatch
def frames(task: Task, input_ids) -> np.ndarray:
    """The frames of a row, int ``[frames, height, width]``: the state of each cell."""
    raise ValueError(f"{task.config_name}: its rows are no pictures; those of automata are (nca, eca)")


@frames.register
def _(task: nca.NeuralAutomaton, input_ids):
    return task.frames(input_ids)


@frames.register
def _(task: automata.ElementaryAutomaton, input_ids):
    return np.asarray(input_ids).reshape(task.steps + 1, 1, task.width + 1)[:, :, :-1]


def _colours(states: int) -> np.ndarray:
    """A colour for each state, and behind them that of no cell, uint8 ``[states + 1, 3]``."""
    from matplotlib import colormaps
    from matplotlib.colors import to_rgb

    if states == 2:
        colours = np.array([[0.93, 0.93, 0.93], [0.1, 0.1, 0.1]])
    elif states <= len(looks.CELLS):
        colours = np.array([to_rgb(looks.CELLS[state]) for state in range(states)])
    else:
        colours = colormaps["turbo"](np.linspace(0, 1, states))[:, :3]
    return (np.concatenate([colours, np.ones((1, 3))]) * 255).round().astype(np.uint8)


def _states(task) -> int:
    return getattr(task, "states", 2)


def _beside(grids, gap) -> np.ndarray:
    """Grids in one, with cells of the state `gap` between."""
    space = np.full((len(grids[0]), _GAP), gap)
    columns = [grids[0]]
    for grid in grids[1:]:
        columns += [space, grid]
    return np.concatenate(columns, axis=1)


# ---------------------------------------------------------------- PNG


def _png(task, rows, path):
    from matplotlib.figure import Figure

    drawn = [_sheet(task, row) for row in rows]
    widest = max(sheet.shape[1] for sheet, _ in drawn)
    width = _WIDTH * min(widest / _NARROWEST, 1)  # a wide cell is no picture
    heights = [width * len(sheet) / widest for sheet, _ in drawn]
    size = (max(width, _TITLE), sum(heights) + 0.6 * len(rows))
    figure = Figure(figsize=size, layout="constrained")
    panels = figure.subplots(len(rows), squeeze=False, height_ratios=heights)[:, 0]
    for number, (axes, (sheet, names)) in enumerate(zip(panels, drawn, strict=True), 1):
        axes.imshow(_colours(_states(task))[sheet], interpolation="nearest")
        space = " " if width > 6 else "\n"
        title = f"{task.config_name}, row {number}: states and their steps,{space}no loss on the first"
        axes.set_title(title, loc="left", fontsize=9, parse_math=False)
        axes.set_axis_off()
        for x, y, step in names:
            axes.text(x, y, str(step), fontsize=7, va="bottom", ha="right" if x < -0.5 else "left", color="dimgray")
    figure.savefig(path, dpi=120, format="png")


@functools.singledispatch
def _sheet(task, row):
    """A row's frames in one grid, and where to write the steps: x and y, in cells, and the step."""
    every = max(len(row) // 8, 1)
    return row[:, 0], [(-1, y + 0.5, y) for y in range(0, len(row), every)]


@_sheet.register
def _(task: nca.NeuralAutomaton, row):
    most = max(round(120 / (task.grid + _GAP)), 1)
    across = -(-len(row) // -(-len(row) // most))  # lines are full, or nearly so
    empty = np.full((task.grid, task.grid), task.states)
    lines = []
    names = []
    for start in range(0, len(row), across):
        y = len(lines) * (task.grid + 2 * _GAP) + 2 * _GAP  # of the cells; the steps are written above them
        frames_here = row[start : start + across]
        for place in range(len(frames_here)):
            names.append((place * (task.grid + _GAP) - 0.5, y - 0.7, task.burn_in + (start + place) * task.dt))
        blanks = [empty] * (across - len(frames_here))
        line = _beside([*frames_here, *blanks], task.states)
        lines.append(np.pad(line, ((2 * _GAP, 0), (0, 0)), constant_values=task.states))
    return np.concatenate(lines), names


# ---------------------------------------------------------------- GIF


def _gif(task, rows, path):
    from PIL import Image

    states = _states(task)
    pictures = []
    for moment in range(max(map(len, rows))):
        grids = [_at(task, row, moment) for row in rows]
        sheet = _beside(grids, states).astype(np.uint8)
        size = max(min(_CELL, _TALL // len(sheet)), 1)
        picture = Image.fromarray(sheet.repeat(size, axis=0).repeat(size, axis=1))
        picture.putpalette(_colours(states)[:256].tobytes())
        pictures.append(picture)
    pictures[0].save(path, "GIF", save_all=True, append_images=pictures[1:], duration=_DURATION, loop=0)


@functools.singledispatch
def _at(task, row, moment) -> np.ndarray:
    """What is seen of a row at a moment: one state after another comes in below."""
    return np.where(np.arange(len(row))[:, None] <= moment, row[:, 0], 2)


@_at.register
def _(task: nca.NeuralAutomaton, row, moment):
    return row[moment]

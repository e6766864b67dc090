"""A diagnosis as pictures: CKA of layers, scores of heads, spectra of weights and effective ranks of activations."""

from pathlib import Path

import numpy as np

from .. import looks
from ..files import whole
from ..terminal import visible

FILES = ("cka.png", "heads.png", "spectra.png")
_COMPONENTS = {"attn": "attention", "mlp": "MLP", "embed": "embeddings", "other": "other"}
_TITLES = {"entropy": "entropy (nats)", "induction": "induction", "copy": "copy", "previous_token": "previous token"}


def draw(result: dict, folder) -> list[str]:
    """Draws the PNGs of `FILES` for which there is something into a folder; gives their names.

    The folder must be there, and an earlier picture that is not drawn again is removed.
    """
    folder = Path(folder)
    made = []
    for name, make in zip(FILES, (_cka, _heads, _spectra), strict=True):
        figure = make(result)
        if figure is None:
            (folder / name).unlink(missing_ok=True)
            continue
        with whole(folder / name) as temporary:
            figure.savefig(temporary, dpi=120, format="png")
        made.append(name)
    return made


def _figure(width: float, height: float):
    from matplotlib.figure import Figure
    from matplotlib.layout_engine import ConstrainedLayoutEngine

    # names stand nearer to their panel than to the next
    return Figure(figsize=(width, height), layout=ConstrainedLayoutEngine(w_pad=0.1, h_pad=0.1))


def _array(rows: list) -> np.ndarray:
    """float64 ``[rows, longest row]``, nan where there is no number."""
    table = np.full((len(rows), max(map(len, rows))), np.nan)
    for line, row in zip(table, rows, strict=True):
        line[: len(row)] = [np.nan if value is None else value for value in row]
    return table


def _cka(result: dict):
    """Heat maps of all pairs of models: the first's layers from bottom to top, the second's from left to right."""
    if not result["cka"]:
        return None
    labels = list(result["models"])
    figure = _figure(3.2 * len(labels) + 1, 3 * len(labels))
    panels = figure.subplots(len(labels), len(labels), squeeze=False)
    for panel in panels.flat:
        panel.axis("off")
    image = None
    for entry in result["cka"]:
        first, second = entry["models"]
        panel = panels[labels.index(first), labels.index(second)]
        panel.axis("on")
        image = panel.imshow(_array(entry["cka"]), origin="lower", vmin=0, vmax=1, cmap="magma", aspect="auto")
        for axis, label in ((panel.xaxis, second), (panel.yaxis, first)):
            _ticks(axis, result["layers"][label])
        panel.set_xlabel(visible(second), parse_math=False)
        panel.set_ylabel(visible(first), parse_math=False)
    figure.colorbar(image, ax=panels, label="linear CKA", shrink=0.8)
    figure.suptitle(visible(f"Layers on {result['data']['name']}"), parse_math=False)
    return figure


def _ticks(axis, names: list[str]) -> None:
    step = -(-len(names) // 13)
    axis.set_ticks(range(0, len(names), step), names[::step])


def _heads(result: dict):
    """Heat maps of each measure of each model's heads, layers from bottom to top."""
    if not result["heads"]:
        return None
    measures = [name for name in _TITLES if any(scores.get(name) for scores in result["heads"].values())]
    figure = _figure(3.2 * len(measures), 2.6 * len(result["heads"]) + 0.5)
    panels = figure.subplots(len(result["heads"]), len(measures), squeeze=False)
    highest = max(np.nanmax(_array(scores["entropy"])) for scores in result["heads"].values())
    for line, (label, scores) in zip(panels, result["heads"].items(), strict=True):
        for panel, name in zip(line, measures, strict=True):
            if not scores.get(name):
                panel.axis("off")
                continue
            table = _array(scores[name])
            most = highest if name == "entropy" else 1
            image = panel.imshow(table, origin="lower", vmin=0, vmax=most, cmap="viridis", aspect="auto")
            figure.colorbar(image, ax=panel)
            panel.set_title(_TITLES[name])
            panel.set_xlabel("head")
            _ticks(panel.xaxis, list(map(str, range(table.shape[1]))))
            _ticks(panel.yaxis, list(map(str, range(table.shape[0]))))
        line[0].set_ylabel(visible(f"{label}\nlayer"), parse_math=False)
    return figure


def _spectra(result: dict):
    """Singular values of each component's matrices, a line each, and effective rank of activations by layer."""
    from matplotlib import rc_context
    from matplotlib.ticker import MaxNLocator

    matrices = [matrix for each in result["spectra"].values() for matrix in each.values()]
    components = [name for name in _COMPONENTS if any(matrix["component"] == name for matrix in matrices)]
    figure = _figure(4 * (len(components) + 1), 4)
    *panels, last = figure.subplots(1, len(components) + 1, squeeze=False)[0]
    for number, (label, each) in enumerate(result["spectra"].items()):
        for panel, component in zip(panels, components, strict=True):
            for matrix in each.values():
                values = _array([matrix["singular_values"]])[0]
                if matrix["component"] == component and values[0] > 0:
                    places = (np.arange(len(values)) + 0.5) / len(values)
                    panel.plot(places, values / values[0], color=looks.colour(number), linewidth=0.8, alpha=0.7)
            panel.set_title(_COMPONENTS[component])
            panel.set_xlabel("place, as a share of all")
        ranks = _array([result["effective_rank"][label]])[0]
        last.plot(
            np.arange(len(ranks)) - 1,
            ranks,
            color=looks.colour(number),
            marker=looks.marker(number),
            markersize=4,
            label=visible(label),
        )
    for panel in panels:
        panel.set_yscale("log")
        panel.grid(alpha=0.3)
    panels[0].set_ylabel("singular value, of the largest")
    last.set_title("effective rank of activations")
    last.set_xlabel("layer")
    last.xaxis.set_major_locator(MaxNLocator(integer=True))
    last.xaxis.set_major_formatter(lambda place, _: "embed" if place == -1 else f"{place:.0f}")
    last.grid(alpha=0.3)
    with rc_context({"text.parse_math": False}):
        last.legend()
    return figure

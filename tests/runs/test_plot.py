"""What a person sees in figures: every axis says what it is, no labels overlap, no two curves look alike."""

import itertools

import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

import hf_procedural as hp
from hf_procedural import looks
from hf_procedural.data import blocks
from hf_procedural.runs import plot, report
from hf_procedural.show.image import image

RANGES = [
    (37, 37),
    (3e8, 4e15),
    (2e9, 2.1e9),
    (1, 600),
    (4_000, 90_000),
    (1.1e5, 7.9e7),
    (10, 1e13),
    (5, 5),
    (2.2e9, 2.4e9),
    (701, 799),
]


@pytest.fixture
def drawn(monkeypatch):
    """The figures that are saved while a test runs."""
    figures = []
    save = Figure.savefig

    def savefig(self, *arguments, **settings):
        figures.append(self)
        save(self, *arguments, **settings)

    monkeypatch.setattr(Figure, "savefig", savefig)
    return figures


def check(figure) -> None:
    """Every axis has a label, and no two of its tick labels overlap."""
    renderer = FigureCanvasAgg(figure).get_renderer()
    figure.draw(renderer)
    for panel in figure.axes:
        for axis in (panel.xaxis, panel.yaxis):
            low, high = sorted(axis.get_view_interval())
            ticks = zip(axis.get_majorticklocs(), axis.get_majorticklabels(), strict=True)
            shown = [label for place, label in ticks if low <= place <= high and label.get_text()]
            assert shown and axis.get_label_text() or panel.get_ylabel() == "curriculum length (dotted)"
            boxes = [label.get_window_extent(renderer) for label in shown]
            assert not any(one.overlaps(other) for one, other in itertools.combinations(boxes, 2)), [
                label.get_text() for label in shown
            ]


def history(steps, keys) -> list[dict]:
    return [{"step": step, "loss": 3 / step} for step in steps] + [
        {"step": step} | {key: 1 / (2 + number + step) for number, key in enumerate(keys)} for step in steps
    ]


@pytest.mark.parametrize(
    "keys",
    [
        ("eval_loss", "eval_answer_accuracy", "eval_exact_match"),
        ("eval_loss", "eval_bits_per_byte", "eval_c4_loss", "eval_sort-64_loss"),
        ("reward", "eval_exact_match", "eval_pass@1", "eval_pass@8"),
        ("eval_loss", "eval_answer_accuracy", "eval_curriculum_length"),
    ],
)
@pytest.mark.parametrize("steps", [[30], range(1, 11), range(50, 100_001, 500)])
def test_curves_of_a_run_look_different_and_say_what_they_are(keys, steps, drawn, tmp_path):
    plot.plot(history(steps, keys), tmp_path / "training.png", "a run")
    (figure,) = drawn
    check(figure)
    lines = [line for panel in figure.axes[:2] for line in panel.lines]
    assert len({(line.get_color(), line.get_label()) for line in lines}) == len(lines)
    assert len({line.get_color() for line in lines}) == len(lines)  # in both panels together


def test_a_panel_without_anything_says_so(drawn, tmp_path):
    plot.plot([{"step": 1, "eval_answer_accuracy": 0.5}], tmp_path / "training.png", "a run")
    assert [text.get_text() for panel in drawn[0].axes for text in panel.texts] == ["nothing was logged"]


@pytest.mark.parametrize(("low", "high"), RANGES)
@pytest.mark.parametrize("show", ["step", "num_input_tokens_seen", "total_flos"])
def test_ticks_of_steps_tokens_and_flops_have_room(low, high, show):
    figure = Figure(figsize=(5, 4.5), layout="constrained")
    axis = figure.subplots()
    axis.plot(np.geomspace(low, high, 20), np.linspace(3, 1, 20))
    axis.set(xlabel="tokens", ylabel="loss")
    looks.log_ticks(axis, low, high, report.AXES[show][1])
    check(figure)
    assert len(axis.get_xticks()) <= 6


def test_few_ticks_lie_within_and_are_round():
    for low, high in RANGES:
        ticks = looks.few_ticks(low, high)
        assert min(high - low, 1) + 1 <= len(ticks) <= 6 and all(low <= tick <= high for tick in ticks), (low, high)


def test_states_of_the_published_automata_have_colours_of_the_palette():
    states = hp.task("nca-10").states
    assert states <= len(looks.CELLS) == len(set(looks.CELLS))


def test_arms_differ_without_colour():
    assert len({(looks.colour(number), looks.marker(number)) for number in range(56)}) == 56

    def gray(colour: str) -> float:
        red, green, blue = (int(colour[place : place + 2], 16) for place in (1, 3, 5))
        return 0.299 * red + 0.587 * green + 0.114 * blue

    assert all(gray(colour) < 200 for colour in looks.COLOURS)  # none is faint on white


@pytest.mark.parametrize(
    ("name", "parameters"),
    [
        ("eca-30", {"width": 12, "steps": 20}),
        ("eca-30", {"width": 200, "steps": 20}),
        ("nca-3", {"grid": 4, "length": 40, "complexity": None, "rules": 50}),
        ("nca-4", {"grid": 6, "length": 300, "complexity": [0.1, 0.3], "rules": 20, "temperature": 0.01}),
    ],
)
def test_cells_fill_the_picture_of_an_automaton(name, parameters, drawn, tmp_path):
    task = hp.task(name, **parameters)
    input_ids, labels = blocks.block(task, 0, "train", 0)
    image(task, input_ids[:2], labels[:2], tmp_path / "rows.png")
    (figure,) = drawn
    for panel in figure.axes:
        pixels = panel.images[0].get_array()
        blank = (pixels == 255).all(axis=(0, 2))  # columns of no cell
        last = np.flatnonzero(~blank).max()
        assert last == len(blank) - 1  # nothing is empty up to the right border
        assert panel.get_position().width * figure.get_figwidth() > 0.4 * figure.get_figwidth()

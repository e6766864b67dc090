"""How figures look, all of them: colours, marks and patterns that differ without colour vision, and ticks with room.

The colours are those of Okabe and Ito (2008, "Color Universal Design"), without their yellow, which is faint on white.
"""

import math

BLUE, VERMILLION, GREEN, PURPLE, ORANGE, SKY = "#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9"
BLACK, GRAY, BROWN = "#000000", "#7F7F7F", "#661100"
COLOURS = (BLUE, VERMILLION, GREEN, PURPLE, ORANGE, SKY, BLACK)
CELLS = (
    BLUE,
    ORANGE,
    GREEN,
    VERMILLION,
    SKY,
    PURPLE,
    BLACK,
    "#F0E442",
    GRAY,
    BROWN,
)  # states of automata, side by side
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "*")
HATCHES = ("", "///", "...", "xxx", "---", "\\\\\\", "ooo", "+++")  # of bars, beside their colours
GRADED = "RdBu"  # below and above a middle; its ends differ without colour vision, too
_TICKS = 6  # on an axis at most


def colour(number: int) -> str:
    """The colour of arm, run or curve `number`; they come again behind the last."""
    return COLOURS[number % len(COLOURS)]


def marker(number: int) -> str:
    """Its mark: of the first 56, no two have colour and mark in common."""
    return MARKERS[number % len(MARKERS)]


def hatch(number: int) -> str:
    """The pattern of bars of kind `number`, for colours that are taken by what the bars are of."""
    return HATCHES[number % len(HATCHES)]


def marked(number: int) -> dict:
    """Both, for a line that matplotlib draws."""
    return {"color": colour(number), "marker": marker(number), "markersize": 4}


def log_ticks(axis, low: float, high: float, show) -> None:
    """Makes the x axis logarithmic from `low` to `high`, both above 0, with few enough ticks for their labels.

    `show` writes a tick, of its value.
    """
    from matplotlib import ticker

    axis.set_xscale("log")
    axis.xaxis.set_major_locator(ticker.FixedLocator(few_ticks(low, high)))
    axis.xaxis.set_major_formatter(lambda value, _: show(value))
    axis.xaxis.set_minor_locator(ticker.NullLocator())


def few_ticks(low: float, high: float) -> list[float]:
    """Round values from `low` to `high`, above 0: six at most, and two at least where that is not too narrow.

    >>> few_ticks(30, 400), few_ticks(1e3, 1e12)
    ([30, 50, 100, 200, 300], [1000, 100000, 10000000, 1000000000, 100000000000])
    """
    if low == high:  # of a run that was evaluated once
        return [low]
    first, last = math.floor(math.log10(low)), math.ceil(math.log10(high))
    for factors in ((1, 1.5, 2, 3, 4, 5, 6, 8), (1, 2, 3, 5), (1, 2, 5), (1, 3), (1,)):
        ticks = _within(factors, range(first, last + 1), low, high)
        if len(ticks) < 2 < factors[-1] and high > low:  # between two powers there is more room than in a decade
            return _evenly(low, high)
        if len(ticks) <= _TICKS:
            return ticks
    step = -(-len(ticks) // _TICKS)
    return ticks[::step]


def _evenly(low: float, high: float) -> list[float]:
    from matplotlib.ticker import MaxNLocator

    places = MaxNLocator(_TICKS - 1, min_n_ticks=2).tick_values(low, high)
    return [float(place) for place in places if low <= place <= high]


def _within(factors, powers, low: float, high: float) -> list[float]:
    values = [factor * 10**power for power in powers for factor in factors]
    return [int(value) if value == int(value) else value for value in values if low <= value <= high]

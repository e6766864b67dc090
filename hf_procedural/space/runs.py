"""Runs and studies as a page shows them: curves, cards, arguments, and arms side by side."""

import base64
import html
import re
import tempfile
from pathlib import Path

import yaml

from ..files import read_mapping, read_text
from ..hub.cards import parse_card
from ..hub.repos import README
from ..runs import report as runs_report
from ..runs.checkpoints import STATE, check_state
from ..runs.folder import LENGTHS, PLOT, PROVENANCE, RECIPE, RESULTS, read_recipe
from ..runs.plot import plot
from ..runs.read import read_runs, state_files
from ..runs.tables import duration, short_paths, si
from ..studies.job import PLAN
from ..studies.page import body
from .hub import fetched
from .limits import SOURCES, Place, text_of, whole_number

_FILES = (RECIPE, PROVENANCE, STATE, RESULTS, README, LENGTHS)
_STRANGER = "only models that a recipe of hf_procedural trained have their arguments with them"
_LISTED, _DEPTH = 200, 4  # folders that are offered, and how far below


def listed(folder: str) -> tuple[list[str], list[str]]:
    """The runs, and the folders of several (studies first), below a folder, by their names from there."""
    root = Path(folder)
    runs, several = [], {}
    for depth in range(_DEPTH + 1):
        for file in sorted(root.glob("/".join(["*"] * depth + [RECIPE]))):
            where = file.parent
            if len(runs) < _LISTED and where != root and state_files(where):
                runs.append(where.relative_to(root).as_posix())
                above = where.parent.relative_to(root).as_posix()
                several[above] = several.get(above, 0) + 1
    studies = [file.parent.parent for depth in range(3) for file in root.glob("/".join(["*"] * depth + [str(PLAN)]))]
    studies = [study.relative_to(root).as_posix() for study in studies]
    groups = [name for name, count in several.items() if count > 1 and name not in studies]
    return runs, [*sorted(studies), *sorted(groups)]


def look(name: str, folder: str | None) -> dict[str, str]:
    """A run, by a folder below `folder` or a repo of the Hub: ``title``, ``curves``, ``arguments`` and ``card``."""
    where = Place(folder).local(name) or fetched(name.strip(), _FILES, RECIPE, _STRANGER)
    if not (where / RECIPE).is_file():
        raise ValueError(f"{name} is no run: it has no {RECIPE}")
    recipe = short_paths(read_recipe(where / RECIPE))
    states = state_files(where)
    history = check_state(states[0])["log_history"] if states else []
    return {
        "title": _title(name, where, history),
        "curves": _curves(name, where, history),
        "arguments": yaml.safe_dump(recipe, sort_keys=False, allow_unicode=True).strip(),
        "card": _card(where),
    }


def _title(name: str, where: Path, history: list[dict]) -> str:
    """What a run came to, in a line."""
    results = read_mapping(where / RESULTS) if (where / RESULTS).is_file() else {}
    steps = max((entry["step"] for entry in history), default=0)
    said = [f"{steps:,} steps"]
    tokens = next(
        (entry["num_input_tokens_seen"] for entry in reversed(history) if entry.get("num_input_tokens_seen")), 0
    )
    said += [f"{si(tokens)} tokens"] if tokens else []
    seconds = next((entry["train_runtime"] for entry in reversed(history) if "train_runtime" in entry), None)
    said += [duration(seconds)] if isinstance(seconds, int | float) else []
    measured = {"eval_loss": "validation loss {:.4f}", "eval_answer_accuracy": "answer accuracy {:.1%}"}
    measured |= {"eval_exact_match": "exact match {:.1%}", "eval_bits_per_byte": "{:.4f} bits per byte"}
    for key, words in measured.items():
        if isinstance(results.get(key), int | float):
            said.append(words.format(results[key]))
    state = "" if results else " (not finished)"
    return f"<p><strong>{html.escape(name)}</strong>{state}: {html.escape(', '.join(said))}</p>"


def _curves(name: str, where: Path, history: list[dict]) -> str:
    """The curves, drawn from the log; else the picture of the folder."""
    alternative = f"Curves of {name}: loss, and what was evaluated, over optimizer steps"
    if history:
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder, PLOT)
            plot(history, file, Path(name).name)
            return picture(file.read_bytes(), "png", alternative)
    if (where / PLOT).is_file():
        return picture((where / PLOT).read_bytes(), "png", alternative)
    return "<p>Nothing is logged yet.</p>"


def picture(content: bytes, kind: str, alternative: str) -> str:
    """An image in the page itself."""
    encoded = base64.b64encode(content).decode()
    return f'<img class="picture" alt="{html.escape(alternative)}" src="data:image/{kind};base64,{encoded}">'


def _card(where: Path) -> str:
    """The card of a run, or one that is made of its files."""
    if (where / README).is_file():
        text = parse_card(read_text(where / README), where.name).text
    else:
        from ..hub.model_card import model_card

        text = parse_card(model_card(where), where.name).text
    return rendered(text, where)


def rendered(markdown: str, folder: Path) -> str:
    """Markdown as HTML in which nothing is taken as HTML, with links that open beside the page."""
    text = re.sub(r"<!--.*?-->", "", markdown, flags=re.DOTALL)
    return body(text, folder).replace("<a href=", '<a target="_blank" rel="noopener noreferrer" href=')


def compare(names: str, metric: str, threshold, folder: str | None) -> str:
    """The report of a study, or of runs, a folder or repo of the Hub in each line of `names`, as HTML.

    Nothing is written beside the runs.
    """
    lines = [line.strip() for line in text_of("names", names, 4_000).splitlines() if line.strip()]
    whole_number("the number of folders", len(lines), 1, SOURCES)
    if not isinstance(threshold, int | float) or not 0 < threshold <= 1:
        raise ValueError(f"threshold must be an accuracy above 0 and at most 1, got {threshold!r}")
    wanted = text_of("metric", metric or "", 100).strip() or None
    place = Place(folder)
    folders = [place.local(line) or fetched(line, _FILES, RECIPE, _STRANGER) for line in lines]
    with tempfile.TemporaryDirectory() as output:
        if len(folders) == 1 and (folders[0] / PLAN).is_file():
            return _study(folders[0], Path(output), wanted, threshold)
        text = runs_report.write(read_runs(folders), output, metric=wanted, threshold=threshold)
        drawn = "\n\n".join(f"![{file.stem}]({file.name})" for file in sorted(Path(output).glob("*.png")))
        return rendered(f"{text}\n\n{drawn}", Path(output))


def _study(folder: Path, output: Path, metric: str | None, threshold: float) -> str:
    from ..studies import report

    text = report.write(read_mapping(folder / PLAN), folder, metric, threshold, into=output)
    return rendered(text, output)

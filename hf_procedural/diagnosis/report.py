"""A diagnosis as tables, and in a folder."""

import json
from pathlib import Path
from statistics import fmean

from ..files import check_folder, write_text
from ..locks import holding
from ..runs.tables import COUNT, NATS, markdown_table
from . import drawing

FILES = ("diagnosis.json", "diagnosis.md", *drawing.FILES)
_BEST = 3  # heads that a table names

_ABOUT = {
    "Predictions": "Divergences of what is predicted, in nats per token that has a label. KL(A, B) is "
    "what it costs to take B's predictions for A's.",
    "Layers": "Linear CKA in minibatches, without bias (Nguyen et al. 2021, arXiv:2010.15327), of a layer with the "
    "same layer of the other model, and with the most similar one; embed is what enters layer 0, 0 what leaves "
    "it. All pairs of layers are in diagnosis.json and in the picture.",
    "Effective rank of activations": "exp of the entropy of the normalised singular values of the centred activations "
    "(Roy & Vetterli 2007), of the tokens drawn for CKA.",
    "Heads": "Means over all heads, and the highest ones (layer.head, both from 0). Entropy of attention in nats on "
    "the first rows; scores on random tokens that repeat (Olsson et al. 2022, "
    "arXiv:2209.11895): attention to the token behind the same one (induction), to the same one (copy) and to the one "
    "before (previous token).",
    "Weights": "Frobenius norm of the difference relative to the first model's weights, and cosine, by component.",
    "Spectra": "Means over the matrices of a component of their effective rank, and of its share of the largest "
    "possible one.",
}


def tables(result: dict) -> str:
    """Markdown of what `diagnose` gives: a table for each kind of measure that there is."""
    data = result["data"]
    read = f"{data['rows']:,} rows of {data['name']}: {data['tokens']:,} tokens, {data['predicted']:,} with a label, "
    read += f"{data['compared']:,} of these for losses and predictions."
    paragraphs = [read, markdown_table(_models(result))]
    sections = {
        "Predictions": _predictions(result),
        "Layers": _layers(result),
        "Effective rank of activations": _ranks(result),
        "Heads": _heads(result),
        "Weights": _weights(result),
        "Spectra": _spectra(result),
    }
    for title, lines in sections.items():
        if lines:
            paragraphs += [f"## {title}", _ABOUT[title], markdown_table(lines)]
    if result["notes"]:
        paragraphs += ["## Left out", "\n".join(f"- {note}" for note in result["notes"])]
    return "\n\n".join(paragraphs) + "\n"


def _shown(value: float | None, form=NATS) -> str:
    return "" if value is None else form(value)


def _models(result: dict) -> list[dict[str, str]]:
    lines = []
    for label, about in result["models"].items():
        sizes = {"weights": COUNT(about["parameters"]), "layers": str(about["layers"])}
        lines.append({"model": label, "kind": about["model_type"], **sizes, "loss": _shown(about["loss"])})
    return lines


def _pair(entry: dict) -> str:
    return ", ".join(entry["models"])


def _predictions(result: dict) -> list[dict[str, str]]:
    titles = {"kl": "KL(A, B)", "kl_reversed": "KL(B, A)", "js": "Jensen-Shannon"}
    return [
        {"models A, B": _pair(entry)} | {title: _shown(entry[key]) for key, title in titles.items()}
        for entry in result["predictions"]
    ]


def _layers(result: dict) -> list[dict[str, str]]:
    lines = []
    for entry in result["cka"]:
        first, second = entry["models"]
        if first == second:
            continue
        theirs = result["layers"][second]
        for name, values in zip(result["layers"][first], entry["cka"], strict=True):
            known = [(value, other) for value, other in zip(values, theirs, strict=True) if value is not None]
            same = next((value for value, other in known if other == name), None)
            value, other = max(known, default=(None, ""), key=lambda pair: pair[0])
            best = {"most similar": other, "CKA": _shown(value)}
            lines.append({"models": _pair(entry), "layer": name, "same layer": _shown(same), **best})
    return lines


def _ranks(result: dict) -> list[dict[str, str]]:
    names: list[str] = max(result["layers"].values(), key=len)
    lines = []
    for number, name in enumerate(names):
        cells = {}
        for label, ranks in result["effective_rank"].items():
            cells[label] = _shown(ranks[number] if number < len(ranks) else None, "{:.2f}".format)
        lines.append({"layer": name} | cells)
    return lines


def _heads(result: dict) -> list[dict[str, str]]:
    lines = []
    for label, scores in result["heads"].items():
        for name, layers in scores.items():
            flat = [(value, f"{layer}.{head}") for layer, row in enumerate(layers) for head, value in enumerate(row)]
            flat = sorted((pair for pair in flat if pair[0] is not None), reverse=True)
            if not flat:
                continue
            best = ", ".join(f"{place} ({value:.3f})" for value, place in flat[:_BEST])
            mean = fmean(value for value, _ in flat)
            lines.append({"model": label, "measure": name.replace("_", " "), "mean": NATS(mean), "highest": best})
    return lines


def _weights(result: dict) -> list[dict[str, str]]:
    lines = []
    for entry in result["weights"]:
        for component, measures in entry["components"].items():
            numbers = {name: _shown(measures.get(name)) for name in ("distance", "cosine")}
            about = {"models": _pair(entry), "component": component, "weights": COUNT(measures["weights"])}
            lines.append(about | numbers)
    return lines


def _spectra(result: dict) -> list[dict[str, str]]:
    lines = []
    for label, matrices in result["spectra"].items():
        for component in sorted({matrix["component"] for matrix in matrices.values()}):
            members = [each for each in matrices.values() if each["component"] == component]
            known = [each for each in members if each["effective_rank"]]
            if known:
                mean = fmean(each["effective_rank"] for each in known)
                share = fmean(each["effective_rank"] / len(each["singular_values"]) for each in known)
                numbers = {"effective rank": f"{mean:.2f}", "share": f"{share:.1%}"}
                lines.append({"model": label, "component": component, "matrices": str(len(known))} | numbers)
    return lines


def check_output(output) -> None:
    """Raises ValueError where the folder `output` holds anything but an earlier diagnosis, or is a file."""
    check_folder(Path(output), "|".join(FILES))


def write(result: dict, output) -> str:
    """Writes diagnosis.json, diagnosis.md and the pictures into the folder `output`; gives the markdown."""
    output = Path(output)
    text = tables(result)
    with holding(output):
        drawn = drawing.draw(result, output)
        pictures = "\n".join(f"![{name.removesuffix('.png')}]({name})" for name in drawn)
        title = ", ".join(result["models"])
        write_text(output / FILES[1], f"# Diagnosis of {title}\n\n{text}\n{pictures}\n")
        write_text(output / FILES[0], json.dumps(result, indent=1) + "\n")
    return text

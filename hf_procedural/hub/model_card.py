"""The model card of a run: what its folder tells, and nothing else.

It is made of the files that a recipe leaves behind, so also long after training and without a network. What they do not
tell is not in the card.
"""

import contextlib
import json
import math
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml
from huggingface_hub import EvalResult, ModelCardData
from transformers import AutoConfig

from ..data.tokenization import is_misread
from ..evaluation import suites
from ..files import MEND, read_mapping, read_text
from ..models.transfer import Entry, TransferReport
from ..runs.checkpoints import STATE
from ..runs.folder import ANSWERS, DATA, PLOT, PROVENANCE, RECIPE, RESULTS, is_finished
from ..runs.measured import MEASURES, Measure, measure_of, source_losses
from ..runs.read import FLOPS, TOKENS, Run, measures, read_runs
from ..runs.stages import Stage, data_of, datasets_on_hub, on_hub, stage_of
from ..runs.tables import COUNT, NATS, POWER, SHARE, markdown_table, short_paths
from ..trying import table
from .cards import Card, merged

TAGS = ["hf_procedural", "procedural-pretraining", "generated_from_trainer"]
_CORE = f"mean of the {len(suites.AVERAGED)} centred accuracies"
_SIZES = {  # of a configuration
    "num_hidden_layers": "{} layers",
    "num_attention_heads": "{} attention heads",
    "hidden_size": "width {}",
    "vocab_size": "{} tokens",
    "max_position_embeddings": "{} positions",
}
_PLACE = re.compile(r'AutoModelForCausalLM\.from_pretrained\("([^"]+)"\)')
_LONG = 16  # lines of a table that is folded away
EVALUATION = "evaluation_{}.json"  # what recipes/run_suite.py leaves, by suite


def model_card(folder, repo_id: str | None = None, before: Card | None = None) -> str:
    """The content of the card of the run in `folder`, finished or not, over a card that was there `before`.

    `repo_id` names the model and tells where to load it from, else the folder does. Absolute paths are cut to their
    last two parts. Raises ValueError for a folder that is no run, and for a file of it that is damaged.
    """
    run = _run_in(folder)
    with _damage(folder):
        provenance = _read(run, PROVENANCE)
        stage = stage_of(run, provenance)
        results = _read(run, RESULTS) if run.finished else {}
        reports = _reports(run) if run.finished else []
        place = repo_id or short_paths(str(folder))
        name = repo_id.split("/")[-1] if repo_id else run.folder.resolve().name
        sections = {
            "": _summary(run, stage),
            "Results": _results(run, stage, provenance, results),
            "Answers": _answers(run) if run.finished else "",
            "Evaluation": _evaluation(reports),
            "Stages": _stages(run, stage),
            "Initial weights": _weights(provenance),
            "How to load it": _loading(run, place),
            "How it was trained": _training(run, stage),
            "Versions, seeds, data": _versions(provenance),
            "Limits": _limits(run, stage),
            "Citation": stage.citation,
        }
        metadata = _metadata(run, stage, list(_evaluated(run, stage, results, reports)), name)
    body = [f"## {title}\n\n{text}" if title else text for title, text in sections.items() if text]
    return merged("\n\n".join([f"# {name}", *body]), metadata.to_dict(), before)


def eval_results(folder) -> list[EvalResult]:
    """The results of the run in `folder`, as its card has them; none before it is finished. Raises as `model_card`."""
    run = _run_in(folder)
    if not run.finished:
        return []
    with _damage(folder):
        stage = stage_of(run, _read(run, PROVENANCE))
        return list(_evaluated(run, stage, _read(run, RESULTS), _reports(run)))


def _run_in(folder) -> Run:
    run = next((run for run in read_runs([folder]) if run.folder == Path(folder)), None)
    if run is None:
        raise ValueError(f"{folder} is no run, though there are some in it: it has no trainer_state.json of its own")
    run.finished = run.finished and is_finished(run.folder)
    return run


@contextlib.contextmanager
def _damage(folder):
    """Turns what files of another kind raise into a ValueError."""
    try:
        yield
    except (KeyError, TypeError, AttributeError) as error:
        reason = f"{type(error).__name__} {error} ({RECIPE}, {PROVENANCE}, {STATE} or one of results)"
        raise ValueError(f"{folder} has a file that no recipe wrote: {reason}; {MEND}") from error


def _read(run: Run, name: str) -> dict:
    return read_mapping(run.folder / name) if (run.folder / name).is_file() else {}


# The metadata


def _metadata(run: Run, stage: Stage, evaluated: list[EvalResult], name: str) -> ModelCardData:
    datasets = datasets_on_hub(run.recipe[stage.hub_key]) if stage.hub_key else []
    of_results: dict[str, Any] = {"model_name": name, "eval_results": evaluated} if evaluated else {}
    return ModelCardData(
        library_name="transformers",
        pipeline_tag="text-generation",
        license="apache-2.0" if stage.is_procedural and not run.sources else None,  # what a source saw is not told
        base_model=_base_models(run) or None,
        datasets=datasets or None,
        tags=TAGS,
        **of_results,
    )


def _base_models(run: Run) -> list[str]:
    """The sources that are models of the Hub: no controls, no runs, no files."""
    known = {*DATA, "tokens"}  # of a run
    names = [source["path"] for source in run.sources if not source.get("control") and not known & source.keys()]
    return [name for name in dict.fromkeys(names) if not name.endswith((".pth", ".pt", ".bin")) and on_hub(name)]


def _measured(results: dict) -> Iterator[tuple[str | None, Measure, float]]:
    """Split, measure and value of what eval_results.json holds; the split is of DeepMind-Math, or None for all."""
    sampled = [key.removeprefix("eval_") for key in results if re.fullmatch(r"eval_pass@\d+", key)]
    known = [measure for measure in MEASURES.values() if measure.words]
    known += filter(None, map(measure_of, sorted(sampled, key=lambda key: int(key.removeprefix("pass@")))))
    for split in (None, "interpolate", "extrapolate"):
        for measure in known:
            key = f"eval_{split}_{measure.key}" if split else f"eval_{measure.key}"
            value = results.get(key)
            if not isinstance(value, int | float | None):
                raise TypeError(f"{key} is {value!r}")
            if value is not None:
                yield split, measure, value


def _evaluated(run: Run, stage: Stage, results: dict, reports: list[dict]) -> Iterator[EvalResult]:
    """All that was measured: by the run itself, and by lm-eval."""
    yield from _eval_results(run, stage, results)
    yield from _harness_results(reports)


def _eval_results(run: Run, stage: Stage, results: dict) -> Iterator[EvalResult]:
    for split, measure, value in _measured(results):
        of_split: dict[str, Any] = {"dataset_split": split} if split else {}
        if math.isfinite(value):  # the Hub takes no others
            yield EvalResult(
                task_type="text-generation",
                metric_type=measure.kind,
                metric_name=measure.words,
                metric_value=value,
                **stage.benchmark(run) | of_split,
            )


def _harness_results(reports: list[dict]) -> Iterator[EvalResult]:
    """The figures of evaluations that are no trials."""
    for report in reports:
        if report["limit"] is not None:
            continue
        for row in report["figures"]:
            shots = "" if row["shots"] is None else f", {row['shots']}-shot"
            measured = row["metric"].replace("_", " ") + shots
            measure = MEASURES.get(row["metric"])
            of_task: dict[str, Any] = {
                "dataset_type": re.sub(r"[^\w.-]+", "_", row["task"]),
                "dataset_name": f"{row['task']}, by lm-evaluation-harness",
                "dataset_config": report["suite"],
                "metric_name": measured,
            }
            if "dataset" in row:  # of the Hub, of which other tasks may be, too
                of_task = {
                    "dataset_type": row["dataset"]["id"],
                    "dataset_name": row["dataset"]["id"],
                    "dataset_config": row["dataset"]["config"],
                    "dataset_split": row["dataset"]["split"],
                    "dataset_revision": row["dataset"]["revision"],
                    "metric_name": f"{measured}, {row['task']} of lm-eval",
                }
            if math.isfinite(row["value"]):
                yield EvalResult(
                    task_type="text-generation",
                    metric_type=measure.kind if measure else row["metric"],
                    metric_value=row["value"],
                    **of_task,
                )
        if "core" in report:
            yield EvalResult(
                task_type="text-generation",
                dataset_type="dclm_core",
                dataset_name="Core of DataComp-LM",
                metric_type="core",
                metric_name=_CORE,
                metric_value=report["core"],
            )


# The sections


def _parameters(stage: dict) -> str:
    values = stage.get("task_parameters") or {}
    return ", ".join(f"`{key}={json.dumps(value)}`" for key, value in values.items())


def _summary(run: Run, stage: Stage) -> str:
    source = run.recipe.get("model_name_or_path") or run.recipe.get("init_from")
    start = f"from weights of `{short_paths(source)}`" if run.sources else "from scratch"
    how = f", by reinforcement learning (GRPO, reward {stage.reward(run.recipe)})" if stage.reward else ""
    control = f" Its initial weights are a control: {run.control}." if run.control else ""
    text = f"{_architecture(run)} trained {start} on {stage.trained_on(run)}{how}.{control}"
    if run.diverged is not None:
        text += f"\n\n> **Diverged:** from step {run.diverged:,} on its loss is not a number."
    if run.finished:
        return text
    state = f"> **Not finished:** what follows is as of step {max(run.history)}, and there are no results."
    return f"{text}\n\n{state}"


def _architecture(run: Run) -> str:
    if not (run.folder / "config.json").is_file():
        return "A language model"
    try:
        config = AutoConfig.from_pretrained(run.folder, trust_remote_code=False)
    except Exception as error:  # damaged in any manner
        raise ValueError(f"{run.folder / 'config.json'} is not the configuration of a model") from error
    values = {text: getattr(config, key, None) for key, text in _SIZES.items()}
    sizes = [text.format(value) for text, value in values.items() if value is not None]
    return f"A `{config.model_type}` language model ({', '.join(sizes)})"


def _results(run: Run, stage: Stage, provenance: dict, results: dict) -> str:
    drawn = run.finished and (run.folder / PLOT).is_file()
    curve = f"![Loss and metrics over the optimizer steps]({PLOT})" if drawn else ""
    rows = {}
    for split, measure, value in _measured(results):
        empty = {"metric": measure.words, "value": "", "interpolate": "", "extrapolate": ""}
        row = rows.setdefault(measure.key, empty)
        row[split or "value"] = measure.format(value)
    if not rows:
        return curve
    table = markdown_table(list(rows.values()))
    sources = [f"`{name}` {NATS(value)}" for name, value in source_losses(results).items()]
    of_sources = f"Loss on each source by itself, nats per token: {', '.join(sources)}." if sources else ""
    return "\n\n".join(filter(None, [stage.evaluated_on(run, provenance), table, of_sources, _modules(run), curve]))


def _answers(run: Run) -> str:
    """What the model answers to a few prompts that it never saw, and the lengths that it was trained on."""
    kept = _read(run, ANSWERS)
    if not kept.get("answers"):
        return ""
    rows = kept["answers"]
    return "\n\n".join([f"{kept['source']} {kept['trained']}", table.as_markdown(rows), table.summary(rows)])


def _reports(run: Run) -> list[dict]:
    """What recipes/run_suite.py left in the folder, by suite."""
    return [_read(run, file.name) for file in sorted(run.folder.glob(EVALUATION.format("*")))]


def _evaluation(reports: list[dict]) -> str:
    paragraphs = []
    for report in reports:
        notes = [f"By `recipes/run_suite.py`, with lm-evaluation-harness {report['versions']['lm_eval']}."]
        if report["limit"] is not None:
            notes.append(f"**A trial:** the first {report['limit']:,} of each task.")
        if "core" in report:
            notes.append(f"Core, the {_CORE} of all tasks below but MMLU, is **{NATS(report['core'])}**.")
        elif report.get("missing"):
            notes.append(f"There is no Core, since {', '.join(report['missing'])} could not be computed.")
        table = suites.table({"value": report})
        paragraphs += [f"### Suite `{report['suite']}`", " ".join(notes)]
        paragraphs.append(_folded("All tasks", table, table.count("\n")))
    return "\n\n".join(paragraphs)


def place_in(folder) -> str | None:
    """Where the card in a run's folder says that the model is loaded from; None where there is no card, or no place."""
    file = Path(folder, "README.md")
    place = _PLACE.search(read_text(file)) if file.is_file() else None
    return place and place[1]


def _modules(run: Run) -> str:
    """DeepMind-Math by module."""
    lines = [
        {"module": f"`{module}`"} | {MEASURES[name].words: SHARE(value) for name, value in scores.items()}
        for module, scores in _read(run, "modules.json").items()
    ]
    return _folded("By module", markdown_table(lines), len(lines)) if lines else ""


def _folded(title: str, text: str, lines: int) -> str:
    return f"<details><summary>{title}</summary>\n\n{text}\n\n</details>" if lines > _LONG else text


def _stages(run: Run, stage: Stage) -> str:
    known = measures(run)
    sources = {source["path"]: source for source in run.sources}  # one may be named for several components
    stages = [(f"before: `{short_paths(path)}`", source) for path, source in sources.items()]
    stages.append(("this one", run.recipe | {key: known[key] for key in ("steps", "tokens", "flops") if key in known}))
    lines = [
        {
            "stage": title,
            "trained on": data_of(row),
            "parameters": _parameters(row),
            "steps": COUNT(row["steps"]) if row.get("steps") else "",
            "tokens": COUNT(row["tokens"]) if row.get("tokens") else "",
            "FLOPs": POWER(row["flops"]) if row.get("flops") else "",
        }
        for title, row in stages
    ]
    notes = []
    if run.last(TOKENS):
        counted = "without" if run.recipe.get("include_num_input_tokens_seen") == "non_padding" else "with"
        notes.append(f"Tokens are counted {counted} padding.")
    if run.last(FLOPS):
        each = "8 for each token (2 to generate it, 6 to train on it)" if stage.reward else "6 for each token"
        notes.append(f"FLOPs are an estimate, {each} and weight outside of the embeddings.")
    if any(source.get("tokens") for source in run.sources):
        notes.append("The figures of an earlier stage include the stages before it.")
    if run.finished and run.recipe.get("load_best_model_at_end"):
        metric = run.recipe.get("metric_for_best_model", "loss").removeprefix("eval_")
        notes.append(f"The weights are those of the evaluation with the best {metric.replace('_', ' ')}.")
    return "\n\n".join(filter(None, [markdown_table(lines), " ".join(notes)]))


def _weights(provenance: dict) -> str:
    paragraphs = []
    if "transfer" in provenance:
        paragraphs += _transferred(provenance["init_from"], provenance["transfer"]["entries"])
    if "weights" in provenance:
        paragraphs.append("{trained:,} weights were trained, {frozen:,} were frozen.".format(**provenance["weights"]))
    return "\n\n".join(paragraphs)


def _transferred(init: dict, entries: list[dict]) -> list[str]:
    """How many weights came from where, and the table of all parameters."""
    report = TransferReport(tuple(Entry(**entry) for entry in entries))
    totals = report.totals()
    listed = ", ".join(f"{size:,} {action}" for action, size in totals.items())
    text = f"From `{short_paths(init['spec'])}`. Of {sum(totals.values()):,} weights: {listed}."
    if {"skipped", "reinitialised"} & totals.keys():
        text += " What was skipped or reinitialised began as in a new model."
    table = str(report).rpartition("\n")[0]
    for source in sorted(init["sources"], key=lambda source: -len(source["path"])):
        table = table.replace(source["path"], short_paths(source["path"]))
    return [text, _folded("Every parameter", f"```text\n{table}\n```", table.count("\n"))]


def _loading(run: Run, place: str) -> str:
    if not (run.folder / "config.json").is_file():
        return ""
    reader = "PreTrainedTokenizerFast" if is_misread(str(run.folder)) else "AutoTokenizer"
    return f"""```python
from transformers import AutoModelForCausalLM, {reader}

model = AutoModelForCausalLM.from_pretrained({json.dumps(place)})
tokenizer = {reader}.from_pretrained({json.dumps(place)})
```

No package but transformers, with PyTorch, is needed."""


def _training(run: Run, stage: Stage) -> str:
    others = ("hub_", "push_to_hub")  # whoever runs it again pushes to another place, if anywhere
    recipe = {key: value for key, value in _read(run, RECIPE).items() if not key.startswith(others)}
    shown = short_paths(recipe)
    cut = "" if shown == recipe else "\n\nOf absolute paths only the last two parts are shown."
    return f"""With hf_procedural and this `recipe.yaml`, to which all arguments were resolved:

```sh
accelerate launch recipes/{stage.name}.py recipe.yaml
```

```yaml
{yaml.safe_dump(shown, sort_keys=False).strip()}
```{cut}"""


def _versions(provenance: dict) -> str:
    named = {"seed": "seed", "data_seed": "seed of the data"}
    lines = {title: provenance[key] for key, title in named.items() if key in provenance}
    digests = provenance.get("dataset_fingerprints", {})
    lines |= {f"fingerprint of the {split} rows": f"`{digest}`" for split, digest in digests.items()}
    lines |= provenance.get("versions", {})
    return markdown_table([{"what": what, "value": str(value)} for what, value in lines.items()]) if lines else ""


def _limits(run: Run, stage: Stage) -> str:
    if not stage.is_procedural or "model_name_or_path" in run.recipe:
        return ""
    return "Its tokenizer knows the symbols of its task and nothing else: this is not a language model for text."

"""The model card of a run: what its folder tells, and nothing else.

It is made of the files that a recipe leaves behind, so also long after training and without a network. What they do not
tell is not in the card.
"""

import contextlib
import json
import math
import re
from pathlib import Path, PurePosixPath

import yaml
from huggingface_hub import EvalResult, ModelCardData
from transformers import AutoConfig

from ..data.builder import CITATION, PAPER_URL
from ..evaluation import suites
from ..files import read_mapping
from ..models.transfer import Entry, TransferReport
from ..runs.folder import PLOT, PROVENANCE, is_finished
from ..runs.measured import REWARDS, THRESHOLDS
from ..runs.read import ACCURACY, FLOPS, TOKENS, Run, measures, read_runs
from ..runs.tables import COUNT, NATS, POWER, SHARE, markdown_table
from ..tasks import task
from ..text.documents import CORPORA, FILE_NAME
from .cards import Card, merged

TAGS = ["hf_procedural", "procedural-pretraining", "generated_from_trainer"]
_METRICS = {  # of eval_results.json: type on the Hub, name, format
    "answer_accuracy": ("accuracy", "scored tokens right", SHARE),
    "exact_match": ("exact_match", "whole answers right", SHARE),
    "greedy_exact_match": ("exact_match", "whole answers right, generated greedily", SHARE),
    "loss": ("loss", "loss (nats per token)", NATS),
    "perplexity": ("perplexity", "perplexity", "{:.2f}".format),
    "bits_per_byte": ("bits_per_byte", "bits per byte", NATS),
    **{f"accuracy_{name}": ("accuracy", f"next tokens right, {name} questions", SHARE) for name in THRESHOLDS},
    "reward": ("reward", "reward, weighted", NATS),
    "quality": ("reward", "quality: the judge's score, new less old", NATS),
    "meaning": ("accuracy", "meaning kept (BERTScore at its threshold)", SHARE),
    "structure": ("accuracy", "structure kept (by the judge)", SHARE),
    "length": ("accuracy", "at most 1.25 times as long", SHARE),
    "format": ("accuracy", "begin with the marker", SHARE),
    "length_ratio": ("length_ratio", "characters, new to old", "{:.2f}".format),
    **{f"pass@{2**i}": ("pass@k", f"pass@{2**i}, sampled", SHARE) for i in range(11)},
}
_CORE = f"mean of the {len(suites.AVERAGED)} centred accuracies"
_CORPORA = {"stdlib": "the source of Python's standard library", "pydoc": "Python's language reference"}
_SIZES = {  # of a configuration
    "num_hidden_layers": "{} layers",
    "num_attention_heads": "{} attention heads",
    "hidden_size": "width {}",
    "vocab_size": "{} tokens",
    "max_position_embeddings": "{} positions",
}
_ABSOLUTE = re.compile(r"(\s*(?:[\w+]+=)?(?:[\d.]+\*)?(?:[\w.]+:(?!//))?)(/.*)")  # after what stands before a source
_PLACE = re.compile(r'AutoModelForCausalLM\.from_pretrained\("([^"]+)"\)')
_LONG = 16  # lines of a table that is folded away
EVALUATION = "evaluation_{}.json"  # what recipes/run_suite.py leaves, by suite


def model_card(folder, repo_id: str | None = None, before: Card | None = None) -> str:
    """The content of the card of the run in `folder`, finished or not, over a card that was there `before`.

    `repo_id` names the model and tells where to load it from, else the folder does. Absolute paths are cut to their
    last two parts. Raises ValueError for a folder that is no run, and for a file of it that is damaged.
    """
    run = next((run for run in read_runs([folder]) if run.folder == Path(folder)), None)
    if run is None:
        raise ValueError(f"{folder} is no run, though there are some in it: it has no trainer_state.json of its own")
    run.finished = run.finished and is_finished(run.folder)
    try:
        provenance = _read(run, PROVENANCE)
        results = _read(run, "eval_results.json") if run.finished else {}
        reports = _reports(run) if run.finished else []
        place = repo_id or _short(str(folder))
        name = repo_id.split("/")[-1] if repo_id else run.folder.resolve().name
        sections = [
            ("", _summary(run)),
            ("Results", _results(run, provenance, results)),
            ("Evaluation", _evaluation(reports)),
            ("Stages", _stages(run)),
            ("Initial weights", _weights(provenance)),
            ("How to load it", _loading(run, place)),
            ("How it was trained", _training(run)),
            ("Versions, seeds, data", _versions(provenance)),
            ("Limits", _limits(run)),
            ("Citation", _citation(run)),
        ]
        data = _metadata(run, provenance, results, reports, name)
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"{folder} has a file that no recipe wrote: {type(error).__name__} {error}") from error
    body = "\n\n".join(f"## {title}\n\n{text}" if title else text for title, text in sections if text)
    return merged(f"# {name}\n\n{body}", data.to_dict(), before)


def _read(run: Run, name: str) -> dict:
    return read_mapping(run.folder / name) if (run.folder / name).is_file() else {}


def _short(value):
    """`value`, in which absolute paths are cut to their last two parts: the rest is of use to nobody else."""
    if isinstance(value, dict):
        return {key: _short(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_short(item) for item in value]
    if not isinstance(value, str):
        return value
    return ",".join(
        found[1] + "/".join(PurePosixPath(found[2]).parts[1:][-2:]) if (found := _ABSOLUTE.fullmatch(part)) else part
        for part in value.split(",")
    )


def _on_hub(name: str) -> bool:
    """Whether the name of a model or data set is one of the Hub, as far as can be told now."""
    return bool(re.fullmatch(r"[\w-][\w.-]*(/[\w.-]+)?", name)) and not Path(name).exists()


def _joined(datasets) -> str:
    """The data set of a recipe, or those of a mixture."""
    return " + ".join(_short(datasets)) if isinstance(datasets, list) else datasets


def _hub_dataset(name: str) -> bool:
    return name not in CORPORA and not FILE_NAME.search(name) and _on_hub(name)


def _by_reward(recipe: dict) -> str:
    """What is rewarded, in words; empty for other stages."""
    rewards = [f"{name} x {weight:g}" for name in REWARDS if (weight := recipe.get(f"{name}_weight"))]
    return ", ".join(rewards) or (f"`{recipe['reward']}`" if "reward" in recipe else "")


def _is_math(run: Run) -> bool:
    return "dataset" in run.recipe and run.last(ACCURACY) is not None


# The metadata


def _metadata(run: Run, provenance: dict, results: dict, reports: list[dict], name: str) -> ModelCardData:
    recipe, found = run.recipe, [*_eval_results(run, results), *_harness_results(reports)]
    text = recipe.get("questions") or recipe.get("input")
    text = recipe["dataset"] if "bytes_per_token" in provenance else text
    untold = [s["path"] for s in run.sources if not s.get("control") and not {"task", "dataset", "tokens"} & s.keys()]
    base = [path for path in dict.fromkeys(untold) if not path.endswith((".pth", ".pt", ".bin")) and _on_hub(path)]
    return ModelCardData(
        library_name="transformers",
        pipeline_tag="text-generation",
        license="apache-2.0" if "task" in recipe and not run.sources else None,  # what a source saw before is not told
        base_model=base or None,
        datasets=[name for name in (text if isinstance(text, list) else [text]) if name and _hub_dataset(name)] or None,
        tags=TAGS,
        **({"model_name": name, "eval_results": found} if found else {}),
    )


def _measured(results: dict):
    """(split, name, value) of the metrics in eval_results.json; the split is that of DeepMind-Math, or None for all."""
    for split in (None, "interpolate", "extrapolate"):
        for name in _METRICS:
            value = results.get(key := f"eval_{split}_{name}" if split else f"eval_{name}")
            if not isinstance(value, int | float | None):
                raise TypeError(f"{key} is {value!r}")
            if value is not None:
                yield split, name, value


def _eval_results(run: Run, results: dict) -> list[EvalResult]:
    recipe = run.recipe
    if "task" in recipe:
        arguments = (recipe.get("task_parameters") or {}) | {"seed": recipe.get("data_seed", run.seed)}
        about = {"dataset_type": "procedural", "dataset_name": f"procedural {recipe['task']}"}
        about |= {"dataset_config": recipe["task"], "dataset_split": "validation", "dataset_args": arguments}
    elif "questions" in recipe:
        about = {"dataset_type": recipe["questions"] if _hub_dataset(recipe["questions"]) else "text"}
        about |= {"dataset_name": f"next-token questions, {_short(recipe['questions'])}", "dataset_split": "validation"}
    elif "input" in recipe:
        about = {"dataset_type": recipe["input"] if _hub_dataset(recipe["input"]) else "text"}
        about |= {"dataset_name": f"web text, {_short(recipe['input'])}"}
    elif _is_math(run):
        about = {"dataset_type": "mathematics_dataset", "dataset_name": "DeepMind-Math"}
    else:
        other, name = recipe.get("validation_dataset"), recipe.get("validation_dataset") or _joined(recipe["dataset"])
        about = {"dataset_type": name if name in CORPORA or _hub_dataset(name) else "text"}  # an id, on the Hub
        about |= {"dataset_name": _short(name), "dataset_split": recipe.get("validation_split")}
        about["dataset_config"] = None if other else recipe.get("dataset_config")
    return [
        EvalResult(
            task_type="text-generation",
            metric_type=_METRICS[name][0],
            metric_name=_METRICS[name][1],
            metric_value=value,
            **about | ({"dataset_split": split} if split else {}),
        )
        for split, name, value in _measured(results)
        if math.isfinite(value)  # the Hub takes no others
    ]


def _harness_results(reports: list[dict]):
    """The figures of evaluations that are no trials."""
    for report in reports:
        if report["limit"] is not None:
            continue
        about = {"task_type": "text-generation"}
        for row in report["figures"]:
            shots = "" if row["shots"] is None else f", {row['shots']}-shot"
            if math.isfinite(row["value"]):
                yield EvalResult(
                    dataset_type=re.sub(r"[^\w.-]+", "_", row["task"]),
                    dataset_name=f"{row['task']}, by lm-evaluation-harness",
                    dataset_config=report["suite"],
                    metric_type=_METRICS[row["metric"]][0] if row["metric"] in _METRICS else row["metric"],
                    metric_name=row["metric"].replace("_", " ") + shots,
                    metric_value=row["value"],
                    **about,
                )
        if "core" in report:
            about |= {"dataset_type": "dclm_core", "dataset_name": "Core of DataComp-LM"}
            yield EvalResult(metric_type="core", metric_name=_CORE, metric_value=report["core"], **about)


# The sections


def _trained_on(facts: dict) -> str:
    """The data of a recipe or of an earlier stage; empty where these do not tell."""
    name = facts.get("task") or facts.get("dataset") or facts.get("questions") or facts.get("input")
    return f"`{_short(_joined(name))}`" if name else ""


def _parameters(facts: dict) -> str:
    return ", ".join(f"`{key}={json.dumps(value)}`" for key, value in (facts.get("task_parameters") or {}).items())


def _summary(run: Run) -> str:
    recipe, data = run.recipe, _trained_on(run.recipe)
    if "questions" in recipe:
        data = f"next-token questions of {data}"
    elif "input" in recipe:
        data = f"web text of {data}, which it paraphrases"
    elif "task" in recipe:
        about = ""
        with contextlib.suppress(ValueError):  # a task of the user's own
            about = f" ({task(recipe['task'], **recipe.get('task_parameters') or {}).summary})"
        data = f"rows of the procedural task {data}{about}"
    elif _is_math(run):
        data = f"the problems of DeepMind-Math ({data}), by characters"
    else:
        config, known = recipe.get("dataset_config"), _CORPORA.get(_joined(recipe["dataset"]))
        data = f"text of {data}" + (f", `{config}`" if config else "") + (f" ({known})" if known else "")
    source = recipe.get("model_name_or_path") or recipe.get("init_from")
    start = f"from weights of `{_short(source)}`" if run.sources else "from scratch"
    how = f", by reinforcement learning (GRPO, reward {reward})" if (reward := _by_reward(recipe)) else ""
    lines = [f"{_architecture(run)} trained {start} on {data}{how}."]
    if run.control:
        lines[0] += f" Its initial weights are a control: {run.control}."
    if not run.finished:
        lines.append(f"> **Not finished:** what follows is as of step {max(run.history)}, and there are no results.")
    return "\n\n".join(lines)


def _architecture(run: Run) -> str:
    if not (run.folder / "config.json").is_file():
        return "A language model"
    try:
        config = AutoConfig.from_pretrained(run.folder)
    except (OSError, ValueError) as error:
        raise ValueError(f"{run.folder / 'config.json'} is not the configuration of a model") from error
    sizes = [text.format(size) for key, text in _SIZES.items() if (size := getattr(config, key, None)) is not None]
    return f"A `{config.model_type}` language model ({', '.join(sizes)})"


def _results(run: Run, provenance: dict, results: dict) -> str:
    drawn = run.finished and (run.folder / PLOT).is_file()
    curve = f"![Loss and metrics over the optimizer steps]({PLOT})" if drawn else ""
    rows = {}
    for split, name, value in _measured(results):
        _, title, show = _METRICS[name]
        row = rows.setdefault(name, dict.fromkeys(("metric", "value", "interpolate", "extrapolate"), ""))
        row |= {"metric": title, split or "value": show(value)}
    if not rows:
        return curve
    parts = [_evaluated_on(run, provenance), markdown_table(list(rows.values())), _modules(run), curve]
    return "\n\n".join(filter(None, parts))


def _evaluated_on(run: Run, provenance: dict) -> str:
    recipe = run.recipe
    if "task" in recipe:
        return f"On {recipe['validation_size']:,} validation rows; their prompts are in no training row."
    if "questions" in recipe:
        known = provenance.get("questions", {}).get("validation")
        return f"On {known or recipe['validation_size']:,} held-out questions, graded by the entropy of a proxy model."
    if "input" in recipe:
        known = provenance.get("texts", {}).get("validation")
        return f"On paraphrases of {known or recipe['held_out']:,} held-out texts, sampled; means."
    if _is_math(run):
        each = recipe["validation_problems"]
        return f"On the first problems of each module in `interpolate` and `extrapolate`, at most {each} of each."
    name, split = recipe.get("validation_dataset") or _joined(recipe["dataset"]), recipe.get("validation_split")
    where = f"the split `{split}` of `{_short(name)}`" if split else f"`{_short(name)}`"
    if name in CORPORA and name == recipe["dataset"]:
        where += " (every 20th document, which training left out)"
    text = f"On at most {recipe['validation_rows']:,} rows of {recipe['sequence_length']:,} tokens from {where}"
    return text + (f", {size:.3f} bytes per token." if (size := provenance.get("bytes_per_token")) else ".")


def _reports(run: Run) -> list[dict]:
    """What recipes/run_suite.py left in the folder, by suite."""
    return [_read(run, file.name) for file in sorted(run.folder.glob(EVALUATION.format("*")))]


def _evaluation(reports: list[dict]) -> str:
    parts = []
    for report in reports:
        notes = [f"By `recipes/run_suite.py`, with lm-evaluation-harness {report['versions']['lm_eval']}."]
        if report["limit"] is not None:
            notes.append(f"**A trial:** the first {report['limit']:,} of each task.")
        if "core" in report:
            notes.append(f"Core, the {_CORE} of all tasks below but MMLU, is **{NATS(report['core'])}**.")
        elif missing := report.get("missing"):
            notes.append(f"There is no Core, since {', '.join(missing)} could not be computed.")
        table = suites.table({"value": report})
        parts += [f"### Suite `{report['suite']}`", " ".join(notes), _folded("All tasks", table, table.count("\n"))]
    return "\n\n".join(parts)


def place_in(folder) -> str | None:
    """Where the card in a run's folder says that the model is loaded from; None where there is no card, or no place."""
    file = Path(folder, "README.md")
    found = _PLACE.search(file.read_text(encoding="utf-8")) if file.is_file() else None
    return found and found[1]


def _modules(run: Run) -> str:
    """DeepMind-Math by module."""
    lines = [
        {"module": f"`{module}`"} | {_METRICS[name][1]: SHARE(value) for name, value in scores.items()}
        for module, scores in _read(run, "modules.json").items()
    ]
    return _folded("By module", markdown_table(lines), len(lines)) if lines else ""


def _folded(title: str, text: str, lines: int) -> str:
    return f"<details><summary>{title}</summary>\n\n{text}\n\n</details>" if lines > _LONG else text


def _stages(run: Run) -> str:
    found = measures(run)
    sources = {source["path"]: source for source in run.sources}  # one may be named for several components
    lines = [
        {
            "stage": title,
            "trained on": _trained_on(facts),
            "parameters": _parameters(facts),
            "steps": COUNT(facts["steps"]) if facts.get("steps") else "",
            "tokens": COUNT(facts["tokens"]) if facts.get("tokens") else "",
            "FLOPs": POWER(facts["flops"]) if facts.get("flops") else "",
        }
        for title, facts in [
            *((f"before: `{_short(path)}`", source) for path, source in sources.items()),
            ("this one", run.recipe | {key: found[key] for key in ("steps", "tokens", "flops") if key in found}),
        ]
    ]
    counted = "without" if run.recipe.get("include_num_input_tokens_seen") == "non_padding" else "with"
    notes = []
    if run.last(TOKENS):
        notes.append(f"Tokens are counted {counted} padding.")
    if run.last(FLOPS):
        each = "8 for each token (2 to generate it, 6 to train on it)" if _by_reward(run.recipe) else "6 for each token"
        notes.append(f"FLOPs are an estimate, {each} and weight outside of the embeddings.")
    if any(source.get("tokens") for source in run.sources):
        notes.append("The figures of an earlier stage include the stages before it.")
    if run.finished and run.recipe.get("load_best_model_at_end"):
        metric = run.recipe.get("metric_for_best_model", "loss").removeprefix("eval_")
        notes.append(f"The weights are those of the evaluation with the best {metric.replace('_', ' ')}.")
    return "\n\n".join(filter(None, [markdown_table(lines), " ".join(notes)]))


def _weights(provenance: dict) -> str:
    parts = []
    if "transfer" in provenance:
        init, entries = provenance["init_from"], [Entry(**entry) for entry in provenance["transfer"]["entries"]]
        report = TransferReport(tuple(entries))
        totals = ", ".join(f"{size:,} {action}" for action, size in report.totals().items())
        parts.append(f"From `{_short(init['spec'])}`. Of {sum(entry.size for entry in entries):,} weights: {totals}.")
        if {"skipped", "reinitialised"} & report.totals().keys():
            parts[0] += " What was skipped or reinitialised began as in a new model."
        table = str(report).rpartition("\n")[0]
        for source in sorted(init["sources"], key=lambda source: -len(source["path"])):
            table = table.replace(source["path"], _short(source["path"]))
        parts.append(_folded("Every parameter", f"```text\n{table}\n```", table.count("\n")))
    if "weights" in provenance:
        parts.append("{trained:,} weights were trained, {frozen:,} were frozen.".format(**provenance["weights"]))
    return "\n\n".join(parts)


def _loading(run: Run, place: str) -> str:
    if not (run.folder / "config.json").is_file():
        return ""
    return f"""```python
from transformers import AutoModelForCausalLM, AutoTokenizer

model = AutoModelForCausalLM.from_pretrained({json.dumps(place)})
tokenizer = AutoTokenizer.from_pretrained({json.dumps(place)})
```

No package but transformers, with PyTorch, is needed."""


def _training(run: Run) -> str:
    others = ("hub_", "push_to_hub")  # whoever runs it again pushes to another place, if anywhere
    recipe = {key: value for key, value in run.recipe.items() if not key.startswith(others)}
    kinds = {"questions": "rpt", "reward": "rlvr", "input": "recycle_train", "dataset": "semantic"}
    script, shown = next((kinds[key] for key in kinds if key in recipe), "pretrain"), _short(recipe)
    cut = "" if shown == recipe else "\n\nOf absolute paths only the last two parts are shown."
    return f"""With hf_procedural and this `recipe.yaml`, to which all arguments were resolved:

```sh
accelerate launch recipes/{script}.py recipe.yaml
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


def _citation(run: Run) -> str:
    if "questions" in run.recipe:
        return "The method is that of [Reinforcement Pre-Training](https://arxiv.org/abs/2506.08007), Dong et al. 2025."
    if "input" in run.recipe:
        return "The method is that of [RePro](https://arxiv.org/abs/2510.10681), Yu and Xiong 2025."
    return f"The method is that of [Procedural Pretraining]({PAPER_URL}).\n\n```bibtex\n{CITATION}\n```"


def _limits(run: Run) -> str:
    if "task" not in run.recipe or "model_name_or_path" in run.recipe:
        return ""
    return "Its tokenizer knows the symbols of its task and nothing else: this is not a language model for text."

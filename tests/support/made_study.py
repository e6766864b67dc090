"""A study's folder made by hand: a plan, and run folders whose numbers a test chooses."""

import json
from pathlib import Path

import yaml


class MadeStudy:
    """Runs are added one by one; each evaluates every 100 steps of 10 tokens, 1,000 FLOPs."""

    def __init__(self, folder: Path, name: str = "made"):
        self.folder, self.plan = folder, {"name": name, "runs": []}

    def add(self, name: str, arm: dict, evaluations=None, **options) -> Path:
        """Plans a run, and makes its folder where there are `evaluations`: what is logged at each, as a dict.

        Options: after, matched, tokens, arguments; recipe (more keys of recipe.yaml), sources (of provenance.json) and
        finished.
        """
        stage, _, seed = name.partition("/")[0], *name.rpartition("_")[1:]
        planned = {"name": name, "stage": stage, "recipe": "pretrain", "arm": arm, "seed": int(seed), "flops": None}
        planned |= {key: options.get(key) for key in ("matched", "tokens", "arguments")} | {
            "after": options.get("after", [])
        }
        self.plan["runs"].append(planned)
        folder = self.folder / name
        if evaluations is None:
            return folder
        folder.mkdir(parents=True)
        data = {key: arm[key] for key in ("task", "dataset") if key in arm}
        recipe = {"seed": int(seed), "streaming": "task" in arm} | data | options.get("recipe", {})
        sources = options.get("sources")
        if sources:
            recipe["init_from"] = sources[0]["path"]
            init = {"spec": recipe["init_from"], "sources": sources}
            (folder / "provenance.json").write_text(json.dumps({"init_from": init}))
        (folder / "recipe.yaml").write_text(yaml.safe_dump(recipe))
        history = [
            {"step": 100 * n, "num_input_tokens_seen": 1000 * n, "total_flos": 1e5 * n, "loss": 7.0} | evaluation
            for n, evaluation in enumerate(evaluations, 1)
        ]
        finished, last = options.get("finished", True), 100 * len(evaluations)
        target = folder if finished else folder / f"checkpoint-{last}"
        target.mkdir(exist_ok=True)
        state = {"global_step": last, "log_history": history, "num_input_tokens_seen": 10 * last, "total_flos": 1.0}
        (target / "trainer_state.json").write_text(json.dumps(state))
        if finished:
            (folder / "eval_results.json").write_text(json.dumps(evaluations[-1]))
        return folder


def accuracies(*values: float) -> list[dict]:
    """Evaluations of such accuracies; losses are what is left of 1."""
    return [{"eval_loss": 1 - value, "eval_answer_accuracy": value} for value in values]


def losses(*values: float, **more) -> list[dict]:
    """Evaluations of such losses, with more in each."""
    return [{"eval_loss": value} | more for value in values]


def source(path: str, **more) -> dict:
    """A source as provenance.json has it: a warm-up on set-16 of 500 tokens."""
    return {"path": path, "control": None, "components": None, "weight": 1.0, "task": "set-16", "tokens": 500} | more

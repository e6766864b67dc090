"""The files of a run, by the names that the code gives them."""

from hf_procedural.diagnosis import report as diagnosis
from hf_procedural.export.work import RECORD
from hf_procedural.rl.scaling import FILES as SCALING
from hf_procedural.runs import folder, report
from hf_procedural.runs.checkpoints import STATE
from hf_procedural.studies import report as studies
from hf_procedural.tasks.coding import FILE as CODING

from ._words import code, table

_HEAD = """# The run folder

What a stage leaves in its `output_dir`. The model and its tokenizer load with plain transformers, where hf_procedural
is not installed; the rest says how they came to be. A file is written whole or not at all.

## Every stage that trains

"""


def pages() -> dict:
    """The page."""
    text = _HEAD + _table(_EVERY)
    for title, (about, files) in _STAGES.items():
        text += f"\n\n## {title}\n\n{about}\n\n{_table(files)}"
    return {"reference/run-folder.md": text + "\n" + _REST}


def _table(files: dict[str, str]) -> str:
    return table(["file", "what it holds"], [[code(name), about] for name, about in files.items()])


_EVERY = {
    folder.RECIPE: "the resolved arguments, without defaults of the Trainer that nobody gave: "
    "`hf-procedural RECIPE DIR/recipe.yaml --output_dir ANOTHER` is the same run",
    folder.PROVENANCE: "`stage`, `versions` of packages, `seed` and `data_seed`, fingerprints of the data, what was "
    "transferred from where, and what the stages before it cost",
    "config.json, generation_config.json, model.safetensors": "the model, for AutoModelForCausalLM",
    "tokenizer.json, tokenizer_config.json": "its tokenizer, for AutoTokenizer",
    "all_results.json, train_results.json": "figures of training and of the last evaluation: `eval_loss`, "
    "`eval_answer_accuracy`, `eval_exact_match`, `train_runtime` ...",
    folder.RESULTS: "those of the last evaluation; it is written last, and marks a run that is done",
    STATE: "the Trainer's state, with `log_history`: all that was logged, at which step, token and FLOP",
    folder.PLOT: "the curves of the log",
    folder.DIVERGED: "the state of a run that ended as its loss was not a number",
    "checkpoint-N": "checkpoints, for `--resume_from_checkpoint true`; `save_total_limit` says how many stay",
    "digests.json": "digests of the files of the model or checkpoint, by which damage is seen before it is read",
    folder.ANSWERS: "five prompts of the validation split with the model's greedy answers, which the card shows; "
    "none where they would be text of your own files or of a data set of the Hub that not everybody can read, nor "
    "under FSDP and DeepSpeed",
    "training_args.bin": "the Trainer's own; nothing of ours reads it (it is a pickle)",
    "README.md": "the model card, with figures, curves and, where the model answers prompts, some of its answers",
}
_STAGES = {
    "pretrain": (
        "Rows of a task. In addition:",
        {
            folder.LENGTHS: "accuracy by length of the test split, where the task has a `test_length`",
            folder.LENGTHS_PLOT: "the same, drawn",
        },
    ),
    "semantic": (
        "Text, with or without procedural rows. In addition:",
        {"modules.json": "scores by module of DeepMind-Math, where that is the text"},
    ),
    "probe": (
        "A folder for each starting point and seed, each as above, in `output_dir`, and of all of them:",
        {", ".join(report.FILES): "the comparison, as `hf-procedural report` writes it"},
    ),
    "rlvr, rpt, recycle_train": (
        "Stages with rewards have the files above; logs tell rewards, lengths of completions and the shares of groups "
        "that teach nothing. With LoRA the weights are an adapter, for peft. And `rpt_evaluate` writes:",
        {
            "accuracy.md, accuracy.csv, accuracy.json": "next-token accuracy by difficulty",
            ", ".join(SCALING): "the fit of accuracy over compute",
        },
    ),
    "report, study, diagnose": (
        "What compares runs has a folder of its own:",
        {
            ", ".join(report.FILES): "of `hf-procedural report`",
            ", ".join(studies.FILES): "of `hf-procedural study`, beside a folder for each run and `.study`, its plan",
            ", ".join(diagnosis.FILES): "of `hf-procedural diagnose`",
        },
    ),
    "generate, export, publish": (
        "Rows, not models:",
        {
            RECORD: "of an export: the task with its parameters and seed, the form and the number of rows and files",
            CODING: "how tokens of the task are written in another tokenizer's ids, for `hf_procedural.Coding.load`",
        },
    ),
}
_REST = """
## Resuming

The same command with `--resume_from_checkpoint true` goes on from the newest checkpoint; a run that is done stays as it
is. A folder with a run of other arguments is refused, with the first argument that differs. What may differ
(`output_dir`, how often is logged, saved and evaluated, `max_hours` ...) is no part of what a run learns.
"""

"""Named suites of evaluations: which tasks, how many examples are shown, what chance gives, and what is averaged.

    core      DCLM's Core: 22 tasks, and MMLU beside them; the data are downloaded, or a copy of them is named
    offline   what needs no network: our own probes and held-out text; see `harness.offline`

Core is the mean of centred accuracies, (accuracy - chance) / (1 - chance), as RePro (Yu and Xiong 2025) reports it and
DataComp-LM (Li et al. 2024, arXiv:2406.11794; mlfoundations/dclm, eval/) defines it. Its 22 are
`low_variance_datasets` of additional_aggregation.json: all labels of mmlu_and_lowvar.yaml but MMLU. (RePro's text
counts 22 without CommonsenseQA; its code, this list, has it.) Shots and kinds are those of that YAML. Chances are those
of eval_meta_data_v1.csv, which the published figures use: some are of the commonest answer, not of a drawn one (BoolQ),
and some are wrong by DCLM's own later word (language identification has four choices in the data, and 9.1 % stands for
eleven); figures with its later table are no figures of this Core.

lm-evaluation-harness has tasks of most of these names, none of them with DCLM's data, prompts and metric together. So
each task here is a configuration of its own over the files that DCLM reads, those of MosaicML's llm-foundry
(scripts/eval/local_data), in DCLM's three kinds:

    multiple_choice     query, choices, gold: right where the gold choice has the largest mean log-probability per token
    schema              context_options, continuation, gold: the same continuation behind each option
    language_modeling   context, continuation: right where greedy decoding gives all tokens of the continuation

Deviations from DCLM's own harness (llm-foundry's in-context-learning evaluators): the examples shown are other ones,
drawn with lm-eval's generator (seed 1234) from the other rows of the task, in jeopardy and MMLU of the category;
context and answer are tokenized as one text, not one by one; an answer always begins with a space, where there it
depends on the tokenizer; the model runs in the precision of its weights, not in float32. The same are the files, the
white space that is cut from their texts, the line break between examples, contexts that are cut from the left to 2,048
tokens, and the mean over categories in jeopardy and MMLU.
"""

import dataclasses
import re

from ..runs.tables import NATS, SHARE, markdown_table

LOCAL_DATA = "https://raw.githubusercontent.com/mosaicml/llm-foundry/main/scripts/eval/local_data"
SUITES = ("core", "offline")
MAX_LENGTH = 2_048  # tokens, DCLM's max_seq_len
_SHARES = re.compile(r"accuracy|acc(_norm|_bytes)?|(quasi_)?exact_match|answer_accuracy|em|f1|mcc|pass@\d+")


@dataclasses.dataclass(frozen=True)
class CoreTask:
    """A task of DCLM."""

    file: str  # of local_data
    kind: str
    shots: int
    chance: float  # a share
    answer: str = ""  # what stands between question and answer
    by_category: bool = False  # shots of the row's category; the accuracy is the mean over categories
    averaged: bool = True


_LANGUAGE = "language_understanding"
_WORLD = "world_knowledge"
_COMMON = "commonsense_reasoning"
_SYMBOLS = "symbolic_problem_solving"
_READING = "reading_comprehension"
_CHOICE = "multiple_choice"
_SCHEMA = "schema"
_LM = "language_modeling"
_ANSWER = "\nAnswer:"

CORE = {
    "hellaswag_zeroshot": CoreTask(f"{_LANGUAGE}/hellaswag", _CHOICE, 0, 0.25),
    "jeopardy": CoreTask(f"{_WORLD}/jeopardy_all", _LM, 10, 0, _ANSWER, by_category=True),
    "bigbench_qa_wikidata": CoreTask(f"{_WORLD}/bigbench_qa_wikidata", _LM, 10, 0),
    "arc_easy": CoreTask(f"{_WORLD}/arc_easy", _CHOICE, 10, 0.25, _ANSWER),
    "arc_challenge": CoreTask(f"{_WORLD}/arc_challenge", _CHOICE, 10, 0.25, _ANSWER),
    "copa": CoreTask(f"{_COMMON}/copa", _CHOICE, 0, 0.5),
    "commonsense_qa": CoreTask(f"{_COMMON}/commonsense_qa", _CHOICE, 10, 0.2),
    "piqa": CoreTask(f"{_COMMON}/piqa", _CHOICE, 10, 0.5, _ANSWER),
    "openbook_qa": CoreTask(f"{_COMMON}/openbook_qa", _CHOICE, 0, 0.25),
    "lambada_openai": CoreTask(f"{_LANGUAGE}/lambada_openai", _LM, 0, 0),
    "hellaswag": CoreTask(f"{_LANGUAGE}/hellaswag", _CHOICE, 10, 0.25),
    "winograd": CoreTask(f"{_LANGUAGE}/winograd_wsc", _SCHEMA, 0, 0.5),
    "winogrande": CoreTask(f"{_LANGUAGE}/winogrande", _SCHEMA, 0, 0.5),
    "bigbench_dyck_languages": CoreTask(f"{_SYMBOLS}/bigbench_dyck_languages", _LM, 10, 0),
    "agi_eval_lsat_ar": CoreTask(f"{_SYMBOLS}/agi_eval_lsat_ar", _CHOICE, 3, 0.2),
    "bigbench_cs_algorithms": CoreTask(f"{_SYMBOLS}/bigbench_cs_algorithms", _LM, 10, 0),
    "bigbench_operators": CoreTask(f"{_SYMBOLS}/bigbench_operators", _LM, 10, 0),
    "bigbench_repeat_copy_logic": CoreTask(f"{_SYMBOLS}/bigbench_repeat_copy_logic", _LM, 10, 0),
    "squad": CoreTask(f"{_READING}/squad", _LM, 10, 0),
    "coqa": CoreTask(f"{_READING}/coqa", _LM, 0, 0),
    "boolq": CoreTask(f"{_READING}/boolq", _CHOICE, 10, 0.62, _ANSWER),
    "bigbench_language_identification": CoreTask(f"{_LANGUAGE}/bigbench_language_identification", _CHOICE, 10, 0.091),
    "mmlu_fewshot": CoreTask(f"{_WORLD}/mmlu", _CHOICE, 5, 0.25, _ANSWER, by_category=True, averaged=False),
}
AVERAGED = tuple(label for label, task in CORE.items() if task.averaged)


def centred(accuracy: float, chance: float) -> float:
    """0 at chance, 1 where all is right; below 0 for what is worse than chance.

    >>> centred(0.625, 0.25)
    0.5
    """
    return (accuracy - chance) / (1 - chance)


def core(accuracies: dict[str, float]) -> float | None:
    """The mean of the centred accuracies of the 22 tasks; None where one of them lacks."""
    if not accuracies.keys() >= {*AVERAGED}:
        return None
    return sum(centred(accuracies[label], CORE[label].chance) for label in AVERAGED) / len(AVERAGED)


def shown(metric: str, value: float) -> str:
    """A value as text: shares in %."""
    if _SHARES.fullmatch(metric.partition(",")[0]):
        return SHARE(value)
    return NATS(value) if abs(value) < 1_000 else f"{value:.4g}"


def table(reports: dict[str, dict]) -> str:
    """Markdown of the reports of models, by label: a line for each task and metric, a column for each model.

    That of a single model has the centred accuracies, too.
    """
    lines = {}
    for label, report in reports.items():
        for row in report["figures"]:
            line = lines.setdefault((row["task"], row["metric"]), {"task": row["task"], "metric": row["metric"]})
            line["shots"] = "" if row["shots"] is None else str(row["shots"])
            line["chance"] = shown(row["metric"], row["chance"]) if "chance" in row else ""
            line["centred"] = NATS(row["centred"]) if "centred" in row else ""
            error = f" ± {shown(row['metric'], row['stderr'])}" if "stderr" in row else ""
            line[label] = shown(row["metric"], row["value"]) + error
        if "core" in report:
            line = lines.setdefault("core", {"task": "Core", "metric": f"mean of {len(AVERAGED)} centred accuracies"})
            line[label] = line["centred"] = NATS(report["core"])
    columns = ["task", "shots", "metric", "chance", *reports]
    if len(reports) == 1:
        columns.append("centred")
    return markdown_table([{column: line.get(column, "") for column in columns} for line in lines.values()])

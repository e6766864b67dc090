# /// script
# requires-python = ">=3.10"
# dependencies = ["hf-procedural[rl]"]
# ///
"""Next-token prediction accuracy by difficulty, before and after Reinforcement Pre-Training, and how it scales.

    python recipes/rpt_evaluate.py --questions data/rpt --model_name_or_path before=ORG/MODEL after=runs/rpt \\
        --output_dir runs/rpt/evaluation
    accelerate launch recipes/rpt_evaluate.py --questions data/rpt --model_name_or_path runs/rpt --samples 8 \\
        --output_dir evaluation
    python recipes/rpt_evaluate.py --runs runs/rpt --output_dir runs/rpt/scaling

The first asks every model in two ways, standard next-token prediction and reasoning, and writes accuracy.md,
accuracy.csv and accuracy.json. Questions are those of recipes/rpt_prepare.py. Each model's answers are kept, one line
for each question: a command that was interrupted and is given again goes on with the first part that is not complete.
The last fits P(C) = A / C^alpha + P* to the accuracies that a run logged over compute: scaling.md, scaling.json and
scaling.png. One command may do both.
"""

import argparse
import importlib
import json
import re
from pathlib import Path

from hf_procedural import accepted
from hf_procedural.errors import GOES_ON, Parser, user_errors
from hf_procedural.files import check_folder, read_mapping, read_text, templates_of, write_csv, write_text
from hf_procedural.locks import holding
from hf_procedural.rl.arguments import WAYS
from hf_procedural.terminal import tell
from hf_procedural.training.launch import start_cpu_processes

TEMPLATE = templates_of(__file__) / "rpt.txt"
SETTINGS = "answers.json"
MEANS = (
    "Shares of right predictions in %, ± standard error, where questions of one document count as dependent. The sets "
    "are nested: easy has all questions with an entropy above {easy} nats, medium above {medium}, hard above {hard}."
)


def parse():
    """The command's words. Raises ValueError for those that are wrong by themselves, argparse ends the program."""
    parser = Parser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False)
    parser.add_argument("--output_dir", required=True, help="Folder of the results.")
    parser.add_argument("--questions", metavar="PATH", help="Folder or Hub id of the questions.")
    parser.add_argument(
        "--model_name_or_path",
        nargs="+",
        default=[],
        metavar="LABEL=PATH",
        help="Folders or Hub ids; the label may be left out.",
    )
    parser.add_argument("--runs", nargs="+", default=[], metavar="RUN", help="Runs of recipes/rpt.py to fit.")
    parser.add_argument("--ways", nargs="+", default=list(WAYS), choices=WAYS, help="(both)")
    parser.add_argument("--split", default="validation", help="Split of the questions (%(default)s).")
    parser.add_argument("--limit", type=int, help="So many questions at most, drawn at random (all).")
    parser.add_argument(
        "--samples", type=int, default=1, help="Completions of a question; several give pass@k, too (1)."
    )
    parser.add_argument("--temperature", type=float, default=0.8, help="Of reasoning (the paper's %(default)s).")
    parser.add_argument("--max_new_tokens", type=int, default=8192, help="Of reasoning (the paper's %(default)s).")
    parser.add_argument(
        "--max_prompt_length", type=int, default=4096, help="Leave out longer prompts, in tokens (%(default)s)."
    )
    parser.add_argument("--template", default=TEMPLATE, help="Text file with {context} (recipes/templates/rpt.txt).")
    parser.add_argument("--batch_size", type=int, default=16, help="Questions at a time in each process (%(default)s).")
    parser.add_argument("--seed", type=int, default=42, help="(%(default)s)")
    parser.add_argument("--use_vllm", action="store_true", help="Reason with vLLM, in one process.")
    args = parser.parse_args()
    if bool(args.questions) != bool(args.model_name_or_path):
        raise ValueError(
            "questions and models belong together: --questions data/rpt --model_name_or_path before=ORG/MODEL"
        )
    if not args.model_name_or_path and not args.runs:
        raise ValueError("nothing to do: give --questions and --model_name_or_path, or --runs, or all of them")
    check_folder(Path(args.output_dir))
    if args.use_vllm:
        try:
            importlib.import_module("vllm")
        except ImportError as error:
            raise ValueError(f"use_vllm: vLLM is not installed ({error}): pip install vllm, or leave it out") from error
    return args


if __name__ == "__main__":  # --help and mistakes, before the imports that take seconds
    with user_errors(ValueError):
        parse()
    start_cpu_processes()

from accelerate import PartialState

from hf_procedural.data.tokenization import load_tokenizer
from hf_procedural.models import generation, suited
from hf_procedural.models.prompting import read_template
from hf_procedural.rl import accuracy, scaling
from hf_procedural.runs.measured import THRESHOLDS
from hf_procedural.training.launch import processes


def labelled(models: list[str]) -> dict[str, str]:
    """Paths by label, which is the last part of the path where none is given."""
    paths = {}
    for word in models:
        label, _, path = word.rpartition("=")
        label, path = label or Path(path).name, accepted.at_home(path)
        if not re.fullmatch(r"[\w.+-]+", label):
            raise ValueError(
                f"model_name_or_path: {word!r} needs a label of letters, digits and . _ + -, such as before={path}"
            )
        if label in paths:
            raise ValueError(
                f"model_name_or_path: the label {label} stands twice; name one of them, such as other={path}"
            )
        paths[label] = path
    return paths


def settings_of(path: str, way: str, args, asked: dict) -> dict:
    """What answers depend on, `asked` being digest and template. Weights in a folder are known by their time."""
    weights = [file.stat().st_mtime_ns for file in Path(path).glob("*.safetensors")]
    settings = {"model": path, "weights": max(weights, default=None), "questions": asked["digest"]}
    if way == "reasoning":
        names = ("samples", "temperature", "max_new_tokens", "batch_size", "seed", "use_vllm")
        settings |= {name: getattr(args, name) for name in names} | {"template": asked["template"]}
    return settings


class Answers:
    """The answers in a folder: a file for each model and way, and in answers.json how each was come by."""

    def __init__(self, folder):
        self.folder = Path(folder)
        stored = self.folder / SETTINGS
        self.settings = read_mapping(stored) if stored.exists() else {}

    def file(self, label: str, way: str) -> Path:
        return self.folder / f"answers-{label}-{way}.jsonl"

    def has(self, label: str, way: str, settings: dict) -> bool:
        """Whether a part is complete. Raises ValueError where it is, with other settings."""
        file = self.file(label, way)
        if file.is_file() and (before := self.settings.get(file.name)) != settings:
            differ = [key for key in settings if before is None or before.get(key) != settings[key]]
            raise ValueError(
                f"output_dir: {file} was made with other settings ({', '.join(differ)}): give those, choose another "
                "output_dir, or remove the file"
            )
        return file.is_file()

    def save(self, label: str, way: str, settings: dict, answers: list[dict]) -> None:
        self.settings[self.file(label, way).name] = settings
        write_text(self.folder / SETTINGS, json.dumps(self.settings, indent=2) + "\n")
        write_text(self.file(label, way), "".join(json.dumps(answer, ensure_ascii=False) + "\n" for answer in answers))

    def read(self, label: str, way: str) -> list[dict]:
        file, remedy = self.file(label, way), f"remove it, and {GOES_ON}"
        lines = read_text(file, remedy).split("\n")[:-1]
        try:
            return [json.loads(line) for line in lines]
        except ValueError as error:
            raise ValueError(f"{file} cannot be read: {error}; {remedy}") from error


def ask(path: str, way: str, prompts: list[list[int]], questions, args, title: str) -> list[dict]:
    """The answers of a model to what `evaluation.token_prompts` made of the questions."""
    sampling = {name: getattr(args, name) for name in ("samples", "temperature", "max_new_tokens")}
    if way == "reasoning" and args.use_vllm:
        texts = generation.generate_by_vllm(path, prompts, seed=args.seed, **sampling)
        return accuracy.judge_completions(load_tokenizer(path), questions, texts)
    model, tokenizer = generation.load(path, PartialState().device)
    spread = {"batch_size": args.batch_size, "seed": args.seed, "title": title}
    if way == "standard":
        completions = generation.generate_all(model, prompts, **spread, do_sample=False, max_new_tokens=1)
        return accuracy.judge_tokens(tokenizer, questions, [token for ((token,),) in completions])
    completions = generation.generate_all(model, prompts, **spread, **sampling, do_sample=True, top_k=0, top_p=1.0)
    texts = [tokenizer.batch_decode(tokens, skip_special_tokens=True) for tokens in completions]
    return accuracy.judge_completions(tokenizer, questions, texts)


def save_accuracy(rows: list[dict], questions, args) -> str:
    """Writes accuracy.md, accuracy.json and accuracy.csv; gives the text of the first."""
    output, documents = Path(args.output_dir), len(set(questions["document"]))
    source = f"{len(questions):,} questions about {documents:,} documents of {args.questions}, split {args.split}."
    text = "\n\n".join([source, accuracy.table(rows), MEANS.format(**THRESHOLDS)]) + "\n"
    write_text(output / "accuracy.md", f"# Next-token prediction accuracy\n\n{text}")
    write_text(output / "accuracy.json", json.dumps(rows, indent=2) + "\n")
    write_csv(output / "accuracy.csv", rows)
    return text


def main():
    start_cpu_processes()
    with user_errors(ValueError, OSError):
        args = parse()
        if args.use_vllm and processes().num_processes > 1:
            raise ValueError("use_vllm: vLLM spreads over GPUs by itself: start one process")
        main_process = processes().is_main_process
        models, answers, prompts = labelled(args.model_name_or_path), Answers(args.output_dir), {}
        if models:  # all that can be wrong is found before anything is written
            for path in models.values():
                suited.check_place(path, adapters=not args.use_vllm)
            template = read_template(args.template, "context")
            questions = accuracy.read_questions(args.questions, args.split, args.limit, args.seed)
            if "reasoning" in args.ways:
                lengths, number = (args.max_prompt_length, args.max_new_tokens), len(questions)
                questions = accuracy.short_enough(models.values(), questions, template, *lengths)
                if len(questions) < number and main_process:
                    left_out = f"{number - len(questions):,} of {number:,} questions are left out"
                    tell(f"{left_out}: their prompts are too long")
            about = {"digest": accuracy.questions_digest(questions), "template": template}
        wanted = {
            (label, way): settings_of(path, way, args, about) for label, path in models.items() for way in args.ways
        }
        for (label, way), settings in wanted.items():
            if not answers.has(label, way, settings):
                prompts[label, way] = accuracy.token_prompts(models[label], way, questions, template)
        processes().wait_for_everyone()  # all have looked at the folder
        with holding(args.output_dir, is_main=main_process):
            if args.runs and main_process:
                tell(scaling.write(args.runs, args.output_dir))
            for (label, way), asked in prompts.items():
                given = ask(models[label], way, asked, questions, args, f"{label}, {way}")
                if main_process:
                    answers.save(label, way, wanted[label, way], given)
            if models and main_process:
                rows = []
                for label, way in wanted:
                    name = {"label": label, "model": models[label], "way": way}
                    rows += [name | row for row in accuracy.measure(questions, answers.read(label, way))]
                tell(save_accuracy(rows, questions, args))


if __name__ == "__main__":
    main()

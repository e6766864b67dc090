"""Each file of a run, damaged in each manner: what reads it says so in one line that names it, or never needed it."""

import shutil

import pytest
from support.running import TESTS

from hf_procedural import task, tokenizer
from hf_procedural.errors import DiskError
from hf_procedural.evaluation.checkpoints import open_checkpoint
from hf_procedural.hub.runs import write_card
from hf_procedural.models.build import load_pretrained, new_config
from hf_procedural.runs import folder, read, report
from hf_procedural.training.arguments import InitArguments, ModelArguments, RowArguments
from hf_procedural.training.stage_arguments import StageArguments

OLD = TESTS / "data" / "run_0_1_0" / "sort"


ROWS = {"task": "sort-4", "task_parameters": {"vocab_size": 10}, "train_size": 64, "validation_size": 16}


def cut(content: bytes) -> bytes:
    return content[: len(content) // 2]


def cut_behind_a_brace(content: bytes) -> bytes:
    return content[: content.rstrip()[:-1].rfind(b"}") + 1]


def without_tail(content: bytes) -> bytes:
    return content[:-64] + bytes(64)


MANNERS = {
    "mapping": lambda content: b"{}",
    "list": lambda content: b"[1, 2]",
    "mapping of lists": lambda content: b'{"global_step": [], "log_history": {}, "init_from": [], "seed": {}}',
    "number": lambda content: b"1",
    "word": lambda content: b'"word"',
    "cut": cut,
    "cut behind a brace": cut_behind_a_brace,
    "empty": lambda content: b"",
    "zeroed tail": without_tail,
    "not UTF-8": lambda content: b"\xff\xfe\x80",
    "foreign tag": lambda content: b"seed: !!python/object/apply:os.abort []\n",
    "tag of another value": lambda content: b"seed: !!timestamp word\n? !!bool maybe\n: 1\n",
    "deep": lambda content: b"[" * 100_000,
    "folder": None,
}


def resume(run):
    args = StageArguments(str(run), resume_from_checkpoint="true")
    folder.open_run(args, RowArguments(**ROWS), InitArguments(), ModelArguments(size="1_1_8", dropout=0.0))


STATES = ["trainer_state.json", "checkpoint-4/trainer_state.json"]
WEIGHTS = ["config.json", "generation_config.json", "model.safetensors"]
READERS = {  # by name: what reads a run, and which of its files; other ones need not be there
    "resume": (resume, ["recipe.yaml", "checkpoint-4"]),
    "report": (lambda run: report.markdown(read.read_runs([run])), ["recipe.yaml", *STATES]),
    "card": (write_card, ["recipe.yaml", "provenance.json", "README.md", "eval_results.json", "config.json", *STATES]),
    "go on from it": (lambda run: folder.earlier_stages(str(run)), ["recipe.yaml", "provenance.json", STATES[0]]),
    "load": (lambda run: load_pretrained(str(run)), [*WEIGHTS, "tokenizer.json", "tokenizer_config.json"]),
    "evaluate": (lambda run: open_checkpoint(str(run)), ["recipe.yaml"]),
    "copy its configuration": (lambda run: new_config(TOKENIZER, 9, config_name=str(run)), ["config.json"]),
}
TOKENIZER = tokenizer(task("sort-4", vocab_size=10))


@pytest.mark.parametrize("manner", MANNERS)
@pytest.mark.parametrize("reader", READERS)
def test_one_line_names_the_file_or_it_was_not_needed(reader, manner, tmp_path):
    read_it, names = READERS[reader]
    run, change = tmp_path / "run", MANNERS[manner]
    shutil.copytree(OLD, run)
    for file in (file for name in names for file in [run / name, *run.glob(f"{name}/*")] if file.is_file()):
        content = file.read_bytes()
        file.unlink()
        if change is None:
            file.mkdir()
        else:
            file.write_bytes(change(content))
        try:
            read_it(run)
        except (ValueError, DiskError) as error:
            assert "\n" not in str(error) and file.name in str(error)
        if change is None:
            file.rmdir()
        file.write_bytes(content)
    read_it(run)

"""Each file of a run, damaged in each manner: what reads it says so in one line that names it, or never needed it."""

import json
import re
import shutil
from types import SimpleNamespace

import pytest
from support.running import TESTS

from hf_procedural import task, tokenizer
from hf_procedural.errors import DiskError
from hf_procedural.evaluation.checkpoints import open_checkpoint
from hf_procedural.hub.runs import write_card
from hf_procedural.models.build import load_pretrained, new_config
from hf_procedural.recycle import output
from hf_procedural.recycle.choices import COMPLETE
from hf_procedural.runs import folder, read, report
from hf_procedural.training import parser
from hf_procedural.training.arguments import InitArguments, ModelArguments, RowArguments
from hf_procedural.training.callbacks import SavePlace
from hf_procedural.training.stage_arguments import StageArguments

rephrasing = pytest.importorskip("hf_procedural.recycle.rephrasing")
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
    "name it as YAML": (lambda run: parser.read_yaml(str(run / "recipe.yaml")), ["recipe.yaml"]),
    "copy its configuration": (lambda run: new_config(TOKENIZER, 9, config_name=str(run)), ["config.json"]),
}
TOKENIZER = tokenizer(task("sort-4", vocab_size=10))


def damage(file, change):
    """Changes the bytes of a file, or puts a folder in its place."""
    content = file.read_bytes()
    file.unlink()
    if change is None:
        file.mkdir()
    else:
        file.write_bytes(change(content))


@pytest.mark.parametrize("manner", MANNERS)
@pytest.mark.parametrize("reader", READERS)
def test_one_line_names_the_file_or_it_was_not_needed(reader, manner, tmp_path):
    read_it, names = READERS[reader]
    run, change = tmp_path / "run", MANNERS[manner]
    shutil.copytree(OLD, run)
    for file in (file for name in names for file in [run / name, *run.glob(f"{name}/*")] if file.is_file()):
        content = file.read_bytes()
        damage(file, change)
        try:
            read_it(run)
        except (ValueError, DiskError) as error:
            assert "\n" not in str(error) and file.name in str(error)
        if change is None:
            file.rmdir()
        file.write_bytes(content)
    read_it(run)


class Rows:
    """What SavePlace asks of rows."""

    def start_at(self, row, mark):
        self.start = row - mark["row"] + mark["tokens"]


def mended(folder):
    """A checkpoint that goes on from row 8 of text."""
    shutil.copytree(OLD / "checkpoint-4", folder, dirs_exist_ok=True)
    (folder / "rows.json").write_text(json.dumps({"row": 8, "tokens": 2, "epoch": 0, "document": 1}))


def begin_at_place(folder):
    args = SimpleNamespace(train_batch_size=1, gradient_accumulation_steps=1, world_size=1)
    SavePlace(SimpleNamespace(train_dataset=Rows(), add_callback=lambda callback: None, args=args), str(folder))


def planned(folder):
    file = output.plan_file(folder)
    file.parent.mkdir(parents=True)
    file.write_text(json.dumps({"sizes": {}, "shards": [], "used": {}}))


def complete(folder):
    folder.mkdir()
    (folder / COMPLETE).write_text(json.dumps(ACCOUNT))


COUNTS = ("documents", "documents_with_failure", "pieces", "cut_completions", "damaged_lines", "seconds")
ACCOUNT = dict.fromkeys(COUNTS, 1) | {"failed_pieces": {}, "tokens": {"completions": 1}, "length_ratio": 1.0}
ACCOUNT |= {"characters": {"in": 1, "out": 1}, "tokens_per_second": 1.0}
OTHERS = {  # of other folders: what makes one, what reads it, and which file
    "place in the text": (mended, begin_at_place, "rows.json"),
    "state beside it": (mended, begin_at_place, "trainer_state.json"),
    "plan": (planned, output.read_plan, ".datatrove/plan.json"),
    "account": (complete, lambda folder: rephrasing.summary(folder), COMPLETE),
}


@pytest.mark.parametrize("manner", MANNERS)
@pytest.mark.parametrize("other", OTHERS)
def test_the_same_for_other_folders(other, manner, tmp_path):
    make, read_it, name = OTHERS[other]
    make(tmp_path / "a")
    read_it(tmp_path / "a")
    file, change = tmp_path / "a" / name, MANNERS[manner]
    damage(file, change)
    with pytest.raises(ValueError, match=re.escape(file.name)) as error:
        read_it(tmp_path / "a")
    assert "\n" not in str(error.value)

"""What is asked of a model, and how its answers are judged: of every task, of text, by templates."""

import dataclasses
import json
import re
from types import SimpleNamespace

import httpx
import pytest
import yaml
from huggingface_hub import HfApi
from huggingface_hub.errors import RepositoryNotFoundError
from support.specimens import SPECIMENS, is_shuffled, specimen_id
from transformers import GPT2Config, GPT2LMHeadModel, PreTrainedTokenizerFast

import hf_procedural as hp
from hf_procedural.data import blocks
from hf_procedural.diagnosis.models import Subject
from hf_procedural.tasks.mixture import Mixture
from hf_procedural.text.tokenizers import train_tokenizer
from hf_procedural.trying import asking, kept, opening, table
from hf_procedural.trying.of_tasks import OfTask, in_words

ASKED = [specimen for specimen in SPECIMENS if not is_shuffled(hp.task(specimen[0], **specimen[1]))]


def small_model(tokenizer, positions: int = 64):
    config = GPT2Config(
        n_layer=1, n_head=1, n_embd=8, vocab_size=len(tokenizer), n_positions=positions, bos_token_id=None
    )
    return GPT2LMHeadModel(config).eval()


@dataclasses.dataclass
class AnyLength:
    """The configuration of a model that reads any number of tokens."""

    rope_parameters: dict = dataclasses.field(default_factory=dict)

    def get_text_config(self):
        return self


def asked_of(task, **settings) -> OfTask:
    model = type("Model", (), {"config": AnyLength()})()
    return OfTask(Subject("model", "model", model, hp.tokenizer(task)), task, 0, **settings)


def member_of(task, input_ids, labels):
    """The member that a row is of, and the row in its ids."""
    if not isinstance(task, Mixture):
        return task, input_ids, labels
    number, ids, own_labels = task.readings(input_ids, labels)[0]
    return task.members[number], ids, own_labels


@pytest.mark.parametrize(("name", "parameters"), ASKED, ids=map(specimen_id, ASKED))
def test_the_rest_of_a_row_is_right_and_another_is_not(name, parameters):
    task = hp.task(name, **parameters)
    asked = asked_of(task)
    input_ids, labels = blocks.block(task, 0, "validation", 0)
    for number, question in enumerate(asked.held_out(4)):
        member, ids, own_labels = member_of(task, input_ids[number], labels[number])
        prompt, answer = member.question(ids, own_labels)
        row = [member.vocabulary[id] for id in prompt + answer]
        model_ids = hp.tokenizer(task).convert_tokens_to_ids(row)
        assert model_ids[: len(question.ids)] == question.ids
        assert not question.warning or "chomsky" in name  # a split of few short prompts may have others
        rest = model_ids[len(question.ids) :][: question.new_tokens]
        assert question.read(rest).is_right
        assert not question.read([task.pad_id] * 2).is_right or not question.right or member.is_language
        if not member.is_language:
            assert question.new_tokens <= len(answer)
            again = asked.typed(question.prompt)
            assert again.ids[: len(prompt)] == question.ids[: len(prompt)] and question.right in again.right


@pytest.mark.parametrize("prompt", ["7 3 9 3", "7 3 9 3 <sep>", "  7 3  9 3 "])
def test_a_typed_prompt_is_closed_and_answered(prompt):
    question = asked_of(hp.task("sort-4", vocab_size=10)).typed(prompt)
    assert question.prompt == "7 3 9 3 <sep>" and question.right == "3 3 7 9" and not question.warning
    assert question.read([3, 3, 7, 9]) == ("3 3 7 9", True)
    assert question.read([3, 3, 9, 7]).is_right is False


@pytest.mark.parametrize(
    ("prompt", "said"), [("7 x", "'x' is no token of sort-4"), ("", "empty"), ("7 3 100 1", "'100' is no token")]
)
def test_what_is_no_prompt_is_said_in_a_line(prompt, said):
    with pytest.raises(ValueError, match=said) as caught:
        asked_of(hp.task("sort-4", vocab_size=10)).typed(prompt)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("prompt", ["<pad>", "7 <pad> 3 1", "1 2 <sep> 1 2"])
def test_marks_stand_in_a_prompt_only_where_rows_have_them(prompt):
    with pytest.raises(ValueError, match="no prompt of this task"):
        asked_of(hp.task("sort-4", vocab_size=10)).typed(prompt)


def test_a_prompt_of_another_length_is_warned_of():
    asked = asked_of(hp.task("sort-4", vocab_size=10))
    assert "prompts of 5 tokens" in asked.trained
    for prompt in ("7 3 9", "7 3 9 3 1"):
        question = asked.typed(prompt)
        assert "training had prompts of 5 alone" in question.warning
        assert question.right == " ".join(sorted(prompt.split()))


def test_lengths_between_those_of_training_are_known_only_where_rows_have_them():
    asked = asked_of(hp.task("haystack-4", vocab_size=40))
    assert not any(question.warning for question in asked.held_out(20))
    stages = [hp.task(f"reverse-{length}", vocab_size=20) for length in (2, 4)]
    of_curriculum = asked_of(hp.task("reverse-6", vocab_size=20), stages=stages)
    assert "prompts of 3, 5 tokens" in of_curriculum.trained
    assert [bool(of_curriculum.typed(prompt).warning) for prompt in ("1 2", "1 2 3", "1 2 3 4", "1 2 3 4 5 6")] == [
        False,
        True,
        False,
        True,
    ]


def test_of_a_long_answer_the_beginning_is_compared():
    question = asked_of(hp.task("sort-6", vocab_size=20), max_new_tokens=2).typed("6 5 4 3 2 1")
    assert question.new_tokens == 2
    assert question.read([1, 2]).is_right and question.read([1, 3]).is_right is False


def test_rows_of_shuffled_tokens_are_refused():
    with pytest.raises(ValueError, match="shuffled"):
        asked_of(hp.task("sort-4", vocab_size=10, shuffle_tokens=True))


def test_a_table_of_positions_ends_what_can_be_asked():
    task = hp.task("sort-4", vocab_size=10)
    tokenizer = hp.tokenizer(task)
    asked = OfTask(Subject("m", "m", small_model(tokenizer, task.max_length), tokenizer), task, 0)
    with pytest.raises(ValueError, match="have 11 tokens, and this model reads 9: it was trained on prompts of 5"):
        asked.typed("1 2 3 4 5")


def test_answers_leave_the_model_and_random_numbers_as_they_were():
    import torch

    task = hp.task("dyck-2", length=12)
    tokenizer = hp.tokenizer(task)
    model = small_model(tokenizer, 12).train()
    asked = OfTask(Subject("m", "m", model, tokenizer), task, 0)
    settings, state = model.generation_config, torch.get_rng_state()
    first = asking.answers(model, tokenizer, asked.held_out(5))
    assert model.training and model.generation_config is settings and torch.equal(torch.get_rng_state(), state)
    assert first == asking.answers(model, tokenizer, asked.held_out(5))  # what is drawn is drawn with a seed
    assert len(first) == 5 and all(row["is_right"] in (True, False) for row in first)


def test_lengths_in_words():
    assert in_words({9, 2, 4}) == "2, 4, 9"


# ---------------------------------------------------------------- folders


@pytest.fixture
def run_folder(tmp_path):
    """Makes the folder of a run: a model that learned nothing, and what its recipe would say."""

    def make(tokenizer, stage: str = "pretrain", positions: int = 64, **recipe):
        folder = tmp_path / "run"
        small_model(tokenizer, positions).save_pretrained(folder)
        tokenizer.save_pretrained(folder)
        (folder / "recipe.yaml").write_text(yaml.safe_dump(recipe))
        (folder / "provenance.json").write_text(json.dumps({"stage": stage}))
        return folder

    return make


def rows_of(folder, number: int = 2, **settings) -> list[dict]:
    subject, run = opening.open_model(str(folder))
    asked = opening.asking_of(subject, run, **settings)
    questions = asked.held_out(number)
    opening.models.fill(subject, "cpu")
    return asking.answers(subject.model, subject.tokenizer, questions)


def test_a_run_of_a_task_tells_it_with_the_seed_of_its_rows(run_folder):
    task = hp.task("sort-4", vocab_size=10)
    folder = run_folder(hp.tokenizer(task), task="sort-4", task_parameters={"vocab_size": 10}, seed=3)
    input_ids, _ = blocks.block(task, 3, "validation", 0)
    assert [row["prompt"] for row in rows_of(folder)] == [task.text(ids[:5]) for ids in input_ids[:2]]
    checkpoint = folder / "checkpoint-10"
    checkpoint.mkdir()
    for file in folder.iterdir():
        if file.is_file() and file.name != "recipe.yaml":
            file.rename(checkpoint / file.name)
    assert len(rows_of(checkpoint)) == 2


def test_a_curriculum_tells_the_lengths_that_were_reached(run_folder):
    recipe = {"task": "reverse-8", "task_parameters": {"vocab_size": 20}, "curriculum": True}
    folder = run_folder(hp.tokenizer("reverse-8", vocab_size=20), **recipe)
    history = [{"eval_curriculum_length": length} for length in (2, 2, 4)]
    (folder / "trainer_state.json").write_text(json.dumps({"log_history": history}))
    subject, run = opening.open_model(str(folder))
    assert "prompts of 3, 5 tokens" in opening.asking_of(subject, run).trained


def test_a_file_that_a_stranger_names_is_not_run(run_folder, tmp_path, monkeypatch):
    (tmp_path / "mine.py").write_text(f"open({str(tmp_path / 'was_run')!r}, 'w')")
    folder = run_folder(hp.tokenizer("sort-4"), task="sort-4", task_file=str(tmp_path / "mine.py"))
    monkeypatch.setattr("transformers.utils.cached_file", lambda repo, name: str(folder / name))
    subject, _ = opening.open_model(str(folder))
    with pytest.raises(
        ValueError, match="^some/run: its task_file .*mine.py may be a stranger's and is not run: name the task"
    ):
        opening.asking_of(subject, "some/run")
    assert not (tmp_path / "was_run").exists()


def test_what_no_recipe_tells_is_named(run_folder):
    folder = run_folder(hp.tokenizer("sort-4", vocab_size=10))
    (folder / "recipe.yaml").unlink()
    (folder / "provenance.json").unlink()
    with pytest.raises(ValueError, match="name its task, such as --task sort-16"):
        rows_of(folder)
    assert len(rows_of(folder, task_name="sort-4", parameters={"vocab_size": 10})) == 2
    with pytest.raises(ValueError, match="no token"):
        rows_of(folder, task_name="sort-4", parameters={"vocab_size": 90})


@pytest.fixture(scope="module")
def text_tokenizer():
    return train_tokenizer(["the cat sat on the mat, and the dog ate it all day long. " * 20], 300)


def test_text_is_shown_as_it_goes_on(run_folder, text_tokenizer, tmp_path):
    lines = [json.dumps({"text": f"document {number} " + "the cat sat on the mat. " * 5}) for number in range(40)]
    (tmp_path / "own.jsonl").write_text("\n".join(lines))
    recipe = {"dataset": [str(tmp_path / "own.jsonl")], "text_column": ["text"], "sequence_length": 48}
    folder = run_folder(text_tokenizer, "semantic", 128, **recipe)
    rows = rows_of(folder)
    assert [row["prompt"][:11] for row in rows] == ["document 19", "document 39"]  # every 20th is held out
    for row in rows:
        assert json.loads(lines[int(row["prompt"][9:11])])["text"].startswith(row["prompt"] + row["right"])
        assert row["is_right"] is None and 0 <= row["share"] <= 1
    subject, run = opening.open_model(str(folder))
    asked = opening.asking_of(subject, run, max_new_tokens=8)
    assert asked.typed("the cat").new_tokens == 8 and not asked.typed("the cat").warning
    assert "rows of 48" in asked.typed("the cat sat on the mat and " * 8).warning
    assert "sees the last 120" in asked.typed("the cat sat on the mat and " * 40).warning


def test_text_that_is_gone_is_named_with_a_remedy(run_folder, text_tokenizer):
    folder = run_folder(text_tokenizer, "semantic", 128, dataset=["gone.jsonl"], sequence_length=48)
    with pytest.raises(ValueError, match="--data pydoc"):
        rows_of(folder)
    assert len(rows_of(folder, data="pydoc")) == 2


def test_a_model_of_text_answers_a_task_by_its_template(run_folder, text_tokenizer, tmp_path):
    (tmp_path / "short.txt").write_text("sort {prompt}")
    recipe = {"task": "sort-4", "task_parameters": {"vocab_size": 10}, "model_name_or_path": "x"}
    recipe |= {"template": str(tmp_path / "short.txt"), "max_completion_length": 8}
    folder = run_folder(text_tokenizer, "rlvr", 128, **recipe)
    (row, _) = rows_of(folder)
    assert row["right"] == " ".join(sorted(row["prompt"].split()[:4])) and row["is_right"] is False
    subject, run = opening.open_model(str(folder))
    question = opening.asking_of(subject, run).typed("7 3 9 3")
    assert question.right == "3 3 7 9"
    right = text_tokenizer("so \\boxed{3 3 7 9}")["input_ids"]
    assert question.read(right) == ("3 3 7 9", True)
    with pytest.raises(ValueError, match="text"):
        opening.asking_of(subject, run).typed("cat dog")


def test_a_rephraser_is_given_text_by_its_template(run_folder, text_tokenizer, tmp_path):
    (tmp_path / "own.jsonl").write_text(json.dumps({"text": "the cat sat"}) + "\n")
    (tmp_path / "short.txt").write_text("write anew: {text}")
    recipe = {"dataset": str(tmp_path / "own.jsonl"), "template": str(tmp_path / "short.txt"), "text_column": "text"}
    folder = run_folder(text_tokenizer, "recycle_train", 128, max_completion_length=8, **recipe)
    (row,) = rows_of(folder)
    assert row["prompt"] == "the cat sat" and row["right"] is None and row["is_right"] is None


# ---------------------------------------------------------------- what a run keeps


def trainer_of(folder, is_fsdp_enabled: bool = False):
    model = GPT2LMHeadModel.from_pretrained(folder)
    tokenizer = PreTrainedTokenizerFast.from_pretrained(folder)
    return SimpleNamespace(
        args=SimpleNamespace(output_dir=str(folder)),
        model=model,
        processing_class=tokenizer,
        is_fsdp_enabled=is_fsdp_enabled,
        is_deepspeed_enabled=False,
    )


def test_a_run_keeps_a_few_answers(run_folder):
    folder = run_folder(hp.tokenizer("sort-4", vocab_size=10), task="sort-4", task_parameters={"vocab_size": 10})
    kept.keep_answers(trainer_of(folder))
    content = json.loads((folder / "answers.json").read_text())
    assert len(content["answers"]) == kept.ROWS and "prompts of 5 tokens" in content["trained"]
    first = (folder / "answers.json").read_bytes()
    kept.keep_answers(trainer_of(folder))  # of the same weights the same
    assert (folder / "answers.json").read_bytes() == first


def test_what_fails_there_fails_no_run(run_folder, caplog, monkeypatch):
    folder = run_folder(hp.tokenizer("sort-4", vocab_size=10), task="sort-4", task_parameters={"vocab_size": 10})
    (folder / "answers.json").write_text("of an earlier end")
    monkeypatch.setattr(kept.asking, "answers", lambda *_: 1 / 0)
    kept.keep_answers(trainer_of(folder))
    assert not (folder / "answers.json").exists() and "the card shows no answers" in caplog.text
    kept.keep_answers(trainer_of(folder, is_fsdp_enabled=True))  # whose weights no process has
    assert not (folder / "answers.json").exists()


def test_text_of_own_files_is_not_in_a_card(run_folder, text_tokenizer, tmp_path):
    (tmp_path / "own.jsonl").write_text('{"text": "the cat sat on the mat all day"}\n' * 40)
    folder = run_folder(text_tokenizer, "semantic", 128, dataset=[str(tmp_path / "own.jsonl")], sequence_length=48)
    kept.keep_answers(trainer_of(folder))
    assert not (folder / "answers.json").exists()
    (folder / "recipe.yaml").write_text("{dataset: [pydoc], sequence_length: 48}")
    kept.keep_answers(trainer_of(folder))
    assert (folder / "answers.json").exists()


@pytest.mark.parametrize("about", [{"private": True}, {"gated": "auto"}, {"private": None}, "not found", "offline", {}])
def test_only_text_that_everybody_can_read_is_in_a_card(run_folder, text_tokenizer, monkeypatch, caplog, about):
    folder = run_folder(text_tokenizer, "semantic", 128, dataset="me/notes", sequence_length=48)
    tokens = []

    def dataset_info(api, name, timeout):
        tokens.append((name, api.token))
        if about == "not found":
            raise RepositoryNotFoundError("", response=httpx.Response(401, request=httpx.Request("GET", "http://hub")))
        if about == "offline":
            raise ConnectionError("no way to the Hub")
        return SimpleNamespace(**{"private": False, "gated": False} | about)

    monkeypatch.setattr(HfApi, "dataset_info", dataset_info)
    monkeypatch.setattr(kept, "answers_of", lambda *_: {})
    kept.keep_answers(trainer_of(folder))
    assert tokens == [("me/notes", False)]  # asked as a stranger
    assert (folder / "answers.json").exists() == (about == {})
    assert ("no way to the Hub" in caplog.text) == (about == "offline")


def test_long_and_strange_text_stays_in_its_cell():
    answer = {"prompt": "a|b `c`\n" * 50, "answer": "", "right": "\x1b[31m x", "is_right": None, "share": 0.5}
    (line,) = table.as_markdown([answer]).splitlines()[2:]
    assert len(line) < 200 and "\x1b" not in line
    assert len(re.findall(r"(?<!\\)\|", line)) == 4  # of three columns: what is empty everywhere has none
    rows = [{"prompt": "1", "answer": "1", "right": "1", "is_right": right, "share": None} for right in (True, False)]
    assert table.summary(rows) == "1 of 2 are right (50%)."
    assert [line.split(" | ")[-1] for line in table.as_markdown(rows).splitlines()[2:]] == ["yes |", "no |"]

"""A task's tokenizer: every row survives text, and it loads where this package is not."""

import json
import subprocess
import sys

import numpy as np
import pytest
import transformers
from support.specimens import SPECIMENS

import hf_procedural as hp
from hf_procedural.tasks.byte_text import is_wholly_text


def rows(task, n=20) -> list[list[int]]:
    return task.sample(np.random.default_rng(0), n)[0].tolist()


def test_rows_survive_text(specimen, task):
    name, parameters = specimen
    tokenizer = hp.tokenizer(name, **parameters)
    for row in rows(task):
        text = tokenizer.decode(row)
        said = task.words_of(text) if is_wholly_text(task) else text.split(" ")
        assert said == [task.vocabulary[token] for token in row]
        assert tokenizer.encode(text) == row
    assert tokenizer.batch_decode(rows(task)) == [tokenizer.decode(row) for row in rows(task)]


def test_vocabulary_and_special_tokens_are_those_of_the_task(specimen, task):
    name, parameters = specimen
    tokenizer = hp.tokenizer(name, **parameters)
    assert tokenizer.convert_ids_to_tokens(range(len(tokenizer))) == list(task.vocabulary)
    assert (tokenizer.pad_token, tokenizer.pad_token_id, tokenizer.padding_side) == ("<pad>", task.pad_id, "right")
    assert tokenizer.model_max_length == task.max_length
    assert tokenizer.sep_token == ("<sep>" if "<sep>" in task.vocabulary else None)
    assert tokenizer.bos_token is tokenizer.unk_token is None
    assert tokenizer.eos_token == ("<eos>" if "<eos>" in task.vocabulary else "<pad>")


def test_a_task_is_as_good_as_its_name(task):
    row = rows(task, 1)[0]
    said = (task.vocabulary[token] for token in row)
    assert hp.tokenizer(task).decode(row) == (task.spell(said) if is_wholly_text(task) else " ".join(said))


def test_shorter_texts_are_padded_on_the_right():
    batch = hp.tokenizer("sort-4", vocab_size=10)(["3 1 2 <sep>", "7"], padding=True)
    assert batch["input_ids"] == [[3, 1, 2, 10], [7, 11, 11, 11]]
    assert batch["attention_mask"] == [[1, 1, 1, 1], [1, 0, 0, 0]]


@pytest.mark.parametrize("text", ["3 10", "x", "3,1", "<unk>", "(0"])
def test_an_unknown_word_raises(text):
    tokenizer = hp.tokenizer("sort-4", vocab_size=10)
    with pytest.raises(Exception, match=r"(?i)\[?UNK"):
        tokenizer.encode(text)


def test_a_saved_tokenizer_needs_no_package_of_ours(tmp_path):
    """In another process, where hf_procedural cannot be imported."""
    expected = {}
    for number, (name, parameters) in enumerate(SPECIMENS):
        tokenizer = hp.tokenizer(name, **parameters)
        tokenizer.save_pretrained(tmp_path / str(number))
        ids = rows(hp.task(name, **parameters))
        expected[str(number)] = {"ids": ids, "texts": tokenizer.batch_decode(ids)}
        reloaded = transformers.AutoTokenizer.from_pretrained(tmp_path / str(number))
        assert reloaded.model_max_length == tokenizer.model_max_length
    (tmp_path / "texts.json").write_text(json.dumps(expected))
    code = """if True:
        import json, sys
        sys.modules["hf_procedural"] = None
        from transformers import AutoTokenizer
        for number, rows in json.load(open("texts.json")).items():
            tokenizer = AutoTokenizer.from_pretrained("./" + number)
            assert [tokenizer.encode(text) for text in rows["texts"]] == rows["ids"], number
            assert tokenizer.batch_decode(rows["ids"]) == rows["texts"], number
            assert tokenizer.pad_token == "<pad>" and tokenizer.padding_side == "right", number
            assert tokenizer.eos_token in ("<eos>", "<pad>"), number
        print("all")
    """
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, "all\n"), done.stderr


def test_the_end_of_sequence_is_one():
    for name in ("lime-induct", "simpler-set", "nonsense-copy_quoted", "words-8"):
        task = hp.task(name)
        tokenizer = hp.tokenizer(task)
        assert (tokenizer.eos_token, tokenizer.eos_token_id) == ("<eos>", task.eos_id)

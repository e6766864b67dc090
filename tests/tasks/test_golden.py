"""Encodings and answers against rows of the reference code, zlshinnick/procedural-pretraining at 5356d9e."""

import json

import numpy as np
import pytest
from support.running import TESTS

import hf_procedural as hp

NAMES = ("sort", "reverse", "identity", "set", "union", "delete", "stack", "dyck", "dyck_shuffle")
PROBES = {  # by the reference's names
    "condattendstream": "haystack",
    "additionstream": "reversed_addition",
    "forwardaddition": "addition",
    "multiplication": "multiplication",
}
OUR_WORDS = {"seq_len": "length", "seq_length": "length", "max_len": "digits", "min_len": "min_digits"}
DERIVED = ("seed", "probe", "length")  # of `params`, what is no parameter of ours


@pytest.fixture(params=[*NAMES, *PROBES])
def golden(request):
    """The rows of one file: the task of each, its input ids and its labels."""
    rows = []
    for line in (TESTS / "golden" / f"{request.param}.jsonl").read_text().splitlines():
        row = json.loads(line)
        words, name = OUR_WORDS, PROBES.get(row["task"], row["task"])
        if name == "haystack":
            words = {"max_len": "length"}
        parameters = {words.get(key, key): value for key, value in row["params"].items() if key not in DERIVED}
        if "digits" in parameters:
            assert parameters.pop("vocab_size") == len(hp.task(name).vocabulary)
        rows.append((hp.task(name, **parameters), np.array(row["input_ids"]), np.array(row["labels"])))
    assert len(rows) >= (24 if request.param in PROBES else 72)
    return rows


def test_encoding_and_answer_are_those_of_the_reference(golden):
    for task, input_ids, labels in golden:
        assert task.max_length == len(input_ids)
        if task.is_language:
            prompts = [input_ids]
            assert task.accepts(input_ids)
        else:
            prompt = task.prompt_of(input_ids, labels)
            rest = input_ids[len(prompt) :]
            prompts = [prompt]
            if task.name != "haystack":
                prompts.append(prompt[:-1])  # without its closing separator
            for prompt in prompts:
                assert task.solve(prompt) == rest[rest != task.pad_id].tolist()
        for prompt in prompts:
            ours = task.example(prompt)
            np.testing.assert_array_equal(ours[0], input_ids)
            np.testing.assert_array_equal(ours[1], labels)

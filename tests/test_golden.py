"""Encodings and answers against rows of the reference code, zlshinnick/procedural-pretraining at 5356d9e."""

import json
from pathlib import Path

import numpy as np
import pytest

import hf_procedural as hp

NAMES = ("sort", "reverse", "identity", "set", "union", "delete", "stack", "dyck", "dyck_shuffle")
OUR_WORDS = {"seq_len": "length", "seq_length": "length"}


@pytest.fixture(params=NAMES)
def golden(request):
    """The rows of one file: the task of each, its input ids and its labels."""
    rows = []
    for line in (Path(__file__).parent / "golden" / f"{request.param}.jsonl").read_text().splitlines():
        row = json.loads(line)
        parameters = {OUR_WORDS.get(key, key): value for key, value in row["params"].items() if key != "seed"}
        rows.append((hp.task(row["task"], **parameters), np.array(row["input_ids"]), np.array(row["labels"])))
    return rows


def test_encoding_and_answer_are_those_of_the_reference(golden):
    assert len(golden) >= 72
    for task, input_ids, labels in golden:
        assert task.max_length == len(input_ids)
        if task.is_language:
            prompts = [input_ids]
            assert task.accepts(input_ids)
        else:
            start = np.flatnonzero(labels != -100)[0]
            prompts = [input_ids[:start], input_ids[: start - 1]]  # with its closing separator, and without
            for prompt in prompts:
                assert task.solve(prompt) == labels[labels != -100].tolist()
        for prompt in prompts:
            ours = task.example(prompt)
            np.testing.assert_array_equal(ours[0], input_ids)
            np.testing.assert_array_equal(ours[1], labels)

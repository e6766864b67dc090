"""Curricula: every length on the way is tried beforehand, and none that nobody asked for."""

import pytest

import hf_procedural as hp
from hf_procedural.data.rows import TrainRows, ValidationRows
from hf_procedural.training.curriculum import LengthCurriculum


def begin(name, start, step, **parameters):
    task = hp.task(name, **parameters)
    return LengthCurriculum(TrainRows(task, 0, 4), ValidationRows(task, 0, 16), rows_per_step=4, start=start, step=step)


REFUSED = [  # name, start, step, parameters, message
    ("flip_flop-16", 8, 1, {}, "curriculum, at length 9 on the way to 16: flip_flop: length must be even, got 9"),
    ("flip_flop-300", 100, 199, {}, "curriculum, at length 299 on the way to 300: flip_flop: length must be even"),
    ("mad_in_context_recall-10", 4, 1, {}, "at length 5 on the way to 10: mad_in_context_recall: length must be even"),
    (
        "mad_memorization-32",
        4,
        3,
        {"length": 12},
        "length 7 on the way to 12: mad_memorization: length must be even",
    ),
    ("filled_set-4", 2, 2, {}, "at length 2 on the way to 4: filled_set: length must be an integer in 3.."),
    ("word_problem-S5", 2, 2, {"min_length": 15}, "word_problem: min_length must be at most length = 2, got 15"),
    ("mp_struct_core-120", 8, 1, {}, "at length 8 on the way to 120: mp_struct_core-8: too few distinct prompts"),
    ("mp_struct_core-60", 11, 1, {}, "at length 14 on the way to 60: mp_struct_core-14: too few distinct prompts"),
    ("mano-10", 2, 2, {}, "curriculum: the tokens of mano-10 change their meaning with its length"),
]


@pytest.mark.parametrize(("name", "start", "step", "parameters", "message"), REFUSED)
def test_a_length_on_the_way_that_cannot_be_had_is_told_beforehand(name, start, step, parameters, message):
    with pytest.raises(ValueError) as refusal:
        begin(name, start, step, **parameters)
    assert message in str(refusal.value) and "\n" not in str(refusal.value)


GROWING = [  # name, start, step, parameters, lengths; half of the final one, or half of that, would be refused
    ("mad_in_context_recall-10", 4, 2, {}, [4, 6, 8, 10]),
    ("mad_memorization-32", 8, 4, {"length": 14}, [8, 12, 14]),
    ("flip_flop-22", 18, 2, {}, [18, 20, 22]),
    ("filled_set-4", 3, 1, {}, [3, 4]),
    ("word_problem-S5", 15, 3, {"min_length": 15}, [15, 18, 20]),
    ("sort-5", 2, 2, {"shuffle_tokens": True}, [2, 4, 5]),
    ("addition-5", 2, 2, {"shuffle_tokens": True}, [2, 4, 5]),
]


@pytest.mark.parametrize(("name", "start", "step", "parameters", "lengths"), GROWING)
def test_no_other_lengths_are_tried(name, start, step, parameters, lengths):
    class State:
        log_history, global_step = (), 1

    class Control:
        should_epoch_stop = False

    growth = begin(name, start, step, **parameters)
    seen = [growth.length]
    for _ in range(len(lengths)):
        growth.on_evaluate(None, State, Control, {"eval_answer_accuracy": 1.0})
        seen.append(growth.length)
    assert seen == [*lengths, lengths[-1]]
    assert growth.train.task == growth.validation.task == hp.task(name, **parameters)

"""What a text answers: tables of what counts, and that scores are what is read."""

import numpy as np
import pytest

import hf_procedural as hp
from hf_procedural.tasks import task_class
from hf_procedural.tasks.answers import answer_words

NUMBERS = {str(number) for number in range(1, 100)}
BRACKETS = {"(0", ")0", "(1", ")1"}

SAME = [  # these say 2 6 6 9
    "2 6 6 9",
    "2 6 6 9.",
    " 2\t6\n6\r\n9 ",
    "2, 6, 6, 9",
    "2,6,6,9",
    "2;6; 6 ,9",
    "2, 6, 6, and 9",
    "[2, 6, 6, 9]",
    "(2 6 6 9)",
    "[2] [6] [6] [9]",
    "{2,6,6,9}",
    "- 2\n- 6\n- 6\n- 9",
    "2 | 6 | 6 | 9",
    "**2 6 6 9**",
    "`2 6 6 9`",
    "“2 6 6 9”",
    "$2, 6, 6, 9$",
    r"\boxed{2, 6, 6, 9}",
    r"\boxed{2 6 6 9}.",
    r"$\boxed{2,\ 6,\ 6,\ 9}$",
    r"\boxed{\text{2 6 6 9}}",
    r"\[ \boxed{[2, 6, 6, 9]} \]",
    r"First \boxed{1 2}, no: \boxed{2 6 6 9}",
    r"\boxed{2 6 6 9} are the 4 of them",
    r"\boxed{\left[2, 6, 6, 9\right]}",
    r"\boxed{\begin{pmatrix} 2 & 6 & 6 & 9 \end{pmatrix}}",
    r"\boxed{2 \quad 6 \quad 6 \quad 9}",
    r"$2~6~6~9$",
    r"\boxed{\mathrm{2}, \mathbf{6}, 6, 9}",
    r"\boxed{The answer is 2 6 6 9}",
    "<answer>2 6 6 9</answer>",
    "<answer>1</answer> or rather <answer>\n2 6 6 9\n</answer> 7",
    "<think>9 6 6 2</think>2 6 6 9",
    r"<think>\boxed{9 6 6 2}</think> 2 6 6 9",
    "9 6? </think> 2 6 6 9",
    "The answer is 2 6 6 9.",
    "The answer is: 2 6 6 9, which has 4 numbers",
    "Answer: 2 6 6 9",
    "The answer is not 7 8. Answer: 2 6 6 9 of 4",
    "Sorting 6 9 2 6 gives 2 6 6 9",
    "The input was 6 9 2 6.\nSorted, it is\n2 6 6 9",
    "2 6 6 9 is the answer",
    "2 6 6 9 <eos> 4 4 4",
    "2 6 6 9<eos>",
    r"2 6 6 9 <eos> \boxed{1 2}",
    r"\boxed{2 6 6 9 <eos>}",
    "<answer>2 6 6 9<eos></answer>",
    "<answer>2 6 6 9</answer> 7 <eos>",
    "2 6 6 9 <pad> <pad>",
]
OTHERS = [
    ("", []),
    ("  \n", []),
    ("[]", []),
    (r"so \boxed{}", []),
    (r"2 6 \boxed{ }", []),
    ("<answer></answer> 4", []),
    ("<eos> 2 6", []),
    ("no idea", None),
    (r"\boxed{none}", []),
    (r"\boxed{\text{empty}}", []),
    (r"$\varnothing$", []),
    ("Nothing.", []),
    ("The answer is <eos>", []),
    ("Nothing is left", None),
    (r"\boxed{2 6 six 9}", None),  # in a box nothing else may stand
    ("<answer>some 2 6</answer>", None),
    ("2 6 6 9 <think> 4", None),
    (r"<think>\boxed{2}", None),
    ("2 6 6 9 is right, all 4 of them", ["4"]),  # the last run
    ("2 6 six 9", ["9"]),
    ("2-6", None),
    ("2669", ["2", "6", "6", "9"]),  # each of its characters is a token
    ("26 69", ["26", "69"]),  # but words that are tokens stay whole
    ("0 1 a", ["1"]),
    (r"\boxed{2", None),
]


@pytest.mark.parametrize("text", SAME)
def test_the_same_answer(text):
    assert answer_words(text, NUMBERS | {"<eos>", "<pad>"}) == ["2", "6", "6", "9"]


@pytest.mark.parametrize(("text", "words"), OTHERS)
def test_other_answers(text, words):
    assert answer_words(text, NUMBERS) == words


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("(0 (1 )1 )0", ["(0", "(1", ")1", ")0"]),
        ("((0 (1 )1 )0).", ["(0", "(1", ")1", ")0"]),
        ("It closes with )1, )0.", [")1", ")0"]),
        ("(0,(1,)1", ["(0", "(1", ")1"]),
        ("[[ (0 )0 ]]", ["(0", ")0"]),
    ],
)
def test_tokens_may_be_punctuation(text, words):
    assert answer_words(text, BRACKETS) == words


def test_brackets_that_are_tokens_count():
    assert answer_words("(() ())", {"(", ")"}) == list("(()())")
    assert answer_words("It is ( 1 ).", {"(", ")", "1"}) == ["(", "1", ")"]


def test_scores_are_of_what_is_read():
    task = hp.task("sort-4", vocab_size=10)
    prompt = "6 9 2 6"
    for text in SAME:
        assert task.score(prompt, text) == 1, text
        assert task.score(prompt, text, strict=True) == float(
            text.partition("<pad>")[0].split() == ["2", "6", "6", "9"]
        ), text
    assert task.score(prompt, "2 6 6 x") == task.score(prompt, "I think so") == task.score(prompt, "") == 0
    assert task.score(prompt, r"\boxed{2, 6, 7}", graded=True) == 0.5
    assert task.score(prompt, "2 6 six 9", graded=True, strict=True) == 0
    assert task.read("2, x", strict=True) == [-1, -1] and task.read("no") is None and task.read("2, 3") == [2, 3]


def test_an_empty_answer_is_said_by_nothing_or_by_an_empty_box():
    task, prompt = hp.task("stack-2"), "5 <pop>"
    assert task.score(prompt, "") == task.score(prompt, r"None is left: \boxed{}") == 1
    assert task.score(prompt, "There is none") == task.score(prompt, "1") == 0


def test_mixtures_and_languages_read_as_their_members_do():
    mixed = hp.task("sort-4+reverse-4", vocab_size=10)
    words = "6 9 2 6 <sep>"
    assert mixed.score(words, "The answer is [6, 2, 9, 6]") == mixed.score(words, "2, 6, 6, 9") == 1
    assert mixed.score(words, "2, 6, 6, 9", strict=True) == 0
    row = next(row for row in zip(*mixed.sample(np.random.default_rng(0), 8), strict=True))
    prompt, answer = mixed.question(*row)
    assert mixed.score(prompt, answer) == 1 and mixed.score(prompt, [*answer, len(mixed.vocabulary)]) == 0
    nesting = hp.task("nesting-8")
    assert nesting.score("(3 (1 1)", "It is closed by 3).") == 1 > nesting.score("(3 (1 1)", "by 3).", strict=True)


LONG = 50_000
LONG_TEXTS = [
    "*" * LONG + "the" + "*" * LONG,
    "(" * LONG,
    "<answer>" * LONG,
    "answer " * LONG + " " * LONG,
    "x," * LONG,
]


@pytest.mark.parametrize("text", LONG_TEXTS, ids=range(5))
def test_long_texts_are_read_in_a_moment(text):
    assert answer_words(text, NUMBERS) in (None, [])  # what takes longer than the text is long takes hours


@pytest.mark.parametrize("name", [f"{name}-{task_class(name).sizes[0]}" for name in hp.list_tasks()])
def test_any_task_s_answer_is_read_as_it_is_in_any_wrapping(name):
    if name.startswith(("rnn_language", "reasoning_gym")) or (task := hp.task(name)).is_language:
        return
    for row in zip(*task.sample(np.random.default_rng(0), 5), strict=True):
        prompt, answer = task.question(*row)
        text = task.text(answer)
        for wrapping in ("{}", "The answer is {}.", r"Thus \boxed{{{}}}.", "<answer>\n{}\n</answer>", "`{}`"):
            assert task.score(prompt, wrapping.format(text)) == 1, wrapping.format(text)

"""Nonsense summarisation: golden rows of the reference, its distributions, answers and what is refused."""

import itertools
import json
import random
import re

import numpy as np
import pytest
import scipy.stats
from hypothesis import given, settings
from hypothesis import strategies as st
from support.references import nonsense_row, nonsense_step_row
from support.running import TESTS
from test_tasks import P, assert_same_distribution

import hf_procedural as hp
from hf_procedural.tasks import check_task, nonsense

RANDOM = ("copy_keyword_multiple_sentences_shuffled", "paraphrase_words")  # with more than one right answer
SMALL = {"vocab_size": 26, "required_tokens": 60, "next_tokens": 20, "min_span": 10, "max_span": 25}


def words_of(task, ids) -> list[str]:
    return [task.vocabulary[token] for token in ids]


def rows_of(task, seed, n):
    """Prompts and answers, in ids and without what stands around them."""
    for row in zip(*task.sample(np.random.default_rng(seed), n), strict=True):
        prompt = task.prompt_of(*row)
        rest = row[0][len(prompt) :].tolist()
        assert row[0][len(prompt) - 1] == task.sep_id
        yield prompt[:-1], rest[: rest.index(task.eos_id)]


# ---------------------------------------------------------------- golden rows


@pytest.mark.parametrize("name", ["ourtasks", "composite", "steptasks"])
def test_golden_rows(name):
    """Of acmi-lab/pretraining-with-nonsense at ec2698f."""
    seen = set()
    for line in (TESTS / "golden" / f"nonsense_{name}.jsonl").read_text().splitlines():
        row = json.loads(line)
        operation = re.sub(r"(?<!^)(?=[A-Z])", "_", row["task"].removeprefix("nonsense_")).lower()
        parameters = {"required_tokens": row["params"]["required_tokens"]} if name == "steptasks" else {}
        task = hp.task("nonsense", operation=operation, **parameters)
        tokenizer = hp.tokenizer(task)
        prompt, answer = tokenizer(row["prompt"]).input_ids, tokenizer(row["answer"]).input_ids
        assert words_of(task, prompt) == row["prompt"].split()
        solved = task.solve(prompt)
        assert task.is_answer(prompt, answer) and task.is_answer([*prompt, task.sep_id], solved)
        assert task.score(row["prompt"], row["answer"]) == 1
        if name == "ourtasks" and operation not in RANDOM:
            assert tokenizer.decode(solved) == row["answer"]
            end = len(prompt) + 1
            input_ids, labels = task.example(prompt)
            used = [*prompt, task.sep_id, *answer, task.eos_id]
            padding = task.max_length - len(used)
            assert input_ids.tolist() == used + [task.pad_id] * padding
            assert labels.tolist() == [-100] * end + used[end:] + [-100] * padding
        else:
            assert len(prompt) + len(answer) + 2 <= task.max_length and len(solved) == len(answer)
        seen.add(operation)
    assert len(seen) == {"ourtasks": 21, "composite": 1, "steptasks": 3}[name]


# ---------------------------------------------------------------- rows and the oracle


@pytest.mark.parametrize("operation", nonsense.Nonsense.sizes)
def test_contract(operation):
    check_task(hp.task(f"nonsense-{operation}"))
    check_task(hp.task(f"nonsense-{operation}", words=11, **SMALL))


@settings(max_examples=150)
@given(data=st.data(), operation=st.sampled_from(nonsense.Nonsense.sizes), seed=st.integers(0, 2**32))
def test_rows_are_right_for_any_parameters(data, operation, seed):
    """The smallest too, where sub-tasks take nearly all words."""
    low = {"composite": (8, 10), "join_clauses": (6, 7), "break_clauses": (1, 7)}.get(operation, (8, 1))
    span = data.draw(st.integers(1, 40), label="span")
    task = hp.task(
        "nonsense",
        operation=operation,
        sentences=data.draw(st.integers(low[0], low[0] + 6), label="sentences"),
        words=data.draw(st.integers(low[1], low[1] + 20), label="words"),
        vocab_size=data.draw(st.integers(2, 800), label="vocab_size"),
        required_tokens=data.draw(st.integers(40, 90), label="required_tokens"),
        next_tokens=data.draw(st.integers(1, 39), label="next_tokens"),
        min_span=data.draw(st.integers(1, span), label="min_span"),
        max_span=span,
    )
    for prompt, answer in rows_of(task, seed, 12):
        assert task.is_answer(prompt, answer)
        assert task.is_answer(prompt, task.solve(prompt))


@pytest.mark.parametrize("operation", nonsense.Nonsense.sizes)
def test_wrong_answers_are_refused(operation):
    task = hp.task("nonsense", operation=operation, **SMALL)
    rng = random.Random(0)
    for prompt, answer in rows_of(task, 5, 40):
        place = rng.randrange(len(answer))
        assert not task.is_answer(prompt, answer[:-1])
        assert not task.is_answer(prompt, [*answer, task.vocab_size])
        assert not task.is_answer(prompt, [*answer[:place], task.pad_id, *answer[place + 1 :]])
        if operation not in ("next_sentence_generation", "masked_document_generation"):
            other = (answer[place] + 1) % task.vocab_size
            assert not task.is_answer(prompt, [*answer[:place], other, *answer[place + 1 :]])


def test_the_bound_of_the_row_length_is_reached():
    """By the longest sentences; the bound for broken clauses needs joiners in the last two of all words."""
    for operation in ("copy_first_sentence", "copy_quoted", "join_clauses", "topic_segregation", "break_clauses"):
        task = hp.task("nonsense", operation=operation, sentences=8, words=7, vocab_size=2)
        longest = ["a"] * 12 + ["."]
        document = [list(longest) for _ in range(11)]
        if operation == "copy_quoted":
            document[0] = ["__d7__begin_quote__", *longest, "__d7__end_quote__"]
        for i in range(3 if operation == "join_clauses" else 0):
            document[i][0] = f"__d19__join_{i}__"
        for i in range(5 if operation == "topic_segregation" else 0):
            document[i][0] = "__d13__class_1_kw_1__"
        if operation == "break_clauses":
            document[4][10:12] = "__d20__join_1__", "__d20__join_0__"
        ids = {word: index for index, word in enumerate(task.vocabulary)}
        input_ids, _ = task.example([ids[word] for sentence in document for word in sentence])
        assert input_ids[-1] == task.eos_id, operation
    assert hp.task("nonsense").max_length == 394


# ---------------------------------------------------------------- answers that are not the only ones


def test_three_answers_in_any_order():
    task = hp.task("nonsense", vocab_size=26)
    document = "a b . __d8__bullet__ c __d10__keyword_7__ . d . e f __d21__keyword_0__ g ."
    parts = ["c __d10__keyword_7__ .", "the keyword was negative .", "e f ."]
    for order in itertools.permutations(parts):
        assert task.score(document, " ".join(order)) == 1
    for wrong in (parts[:2], [*parts, parts[0]], [parts[0], parts[0], parts[2]]):
        assert task.score(document, " ".join(wrong)) == 0
    ids = hp.tokenizer(task)(document).input_ids
    assert words_of(task, task.solve(ids)) == " ".join(parts).split()


def test_a_full_stop_may_have_become_a_keyword():
    """The quote closes behind it; then the sentence may end with the quote, or go on."""
    task = hp.task("nonsense", vocab_size=26)
    document = "a __d7__begin_quote__ b __d3__keyword_1__ __d7__end_quote__ c d . __d8__bullet__ e ."
    quote = "b __d3__keyword_1__ ."
    copies = ["a __d7__begin_quote__ b __d3__keyword_1__ __d7__end_quote__", "c d ."]
    assert task.score(document, f"{copies[0]} {quote} e .") == 1
    assert task.score(document, f"{copies[0]} {copies[1]} {quote} e .") == 1
    assert task.score(document, f"{copies[1]} {quote} e .") == 0
    kept = document.replace("b __d3__keyword_1__", "__d3__keyword_1__ .")
    assert nonsense.sentences_of(kept.split())[0][-1] == "__d7__end_quote__"
    assert (
        task.score(kept, f"__d3__keyword_1__ . e . {copies[0].replace('b __d3__keyword_1__', '__d3__keyword_1__ .')}")
        == 1
    )


def test_step_answers_by_hand():
    task = hp.task("nonsense-sentence_reordering", vocab_size=26)
    assert (
        " ".join(words_of(task, task.solve(hp.tokenizer(task)("c d . a b . c a .").input_ids))) == "a b . c a . c d ."
    )
    assert task.score("c d . a b .", "c d . a b .") == task.score("c d . a b .", "a b . c d .") == 1
    assert task.score("c d . a b .", "a d . c b .") == task.score("c d . a b .", "a b c d . .") == 0

    task = hp.task("nonsense-next_sentence_generation", words=1, vocab_size=26, required_tokens=14, next_tokens=9)
    prompt = hp.tokenizer(task)("b b b . c").input_ids
    assert " ".join(words_of(task, task.solve(prompt))) == "a a a a a . a a a"
    assert task.score("b b b . c", "x . y . z y x . q") == 1
    assert task.score("b b b . c", ". y y . z y x . q") == 1
    assert task.score("b b b . c", "x . . y z y x . q") == 0  # a sentence without a word
    assert task.score("b b b . c", "x y x y x y . x .") == 0  # one of seven words
    assert task.score("b b b . c", "x . y . z y x .") == 0  # too short

    sizes = {"required_tokens": 9, "min_span": 2, "max_span": 4}
    task = hp.task("nonsense-masked_document_generation", words=1, vocab_size=26, **sizes)
    prompt = "a b <extra_id_0> c <extra_id_0> . a a a . b ."
    assert " ".join(words_of(task, task.solve(hp.tokenizer(task)(prompt).input_ids))) == "a b a c a . a a a . b ."
    for answer in ("a b . c d . a a a . b .", "a b . d d . a a a . b .", "a c . c d . a a a . b ."):
        assert task.score(prompt, answer) == 1
    for answer in ("b b . c d . a a a . b .", "a b . c d . . a a . b .", "a b . c d . a a a .", prompt):
        assert task.score(prompt, answer) == 0


# ---------------------------------------------------------------- vocabulary and refusals


def test_vocabulary():
    """The same for all operations; a word of an answer may be one of a document."""
    task = hp.task("nonsense")
    words = task.vocabulary
    assert words == hp.task("nonsense-copy_bulleted").vocabulary and words is hp.task("nonsense").vocabulary
    assert words[:28:27] == ("aaa", "bba") and words[4999] == "hkh" and words[5000] == "."
    assert words.index("the") < 5000 < words.index("The") and len(words) == 6006
    assert words[5001] == "__d3__keyword_0__" and words[-5:] == ("390", "<extra_id_0>", "<sep>", "<eos>", "<pad>")
    assert hp.task("nonsense", vocab_size=26).vocabulary[25:27] == ("z", ".")
    assert hp.task("nonsense", vocab_size=27).vocabulary[:27:26] == ("aa", "ab")
    large = hp.task("nonsense", vocab_size=300_000).vocabulary
    assert len(set(large)) == len(large) and large.index("word") < 300_000


REFUSED = [
    ({"operation": "copy"}, "nonsense: operation must be one of copy_first_sentence, .*, composite, got 'copy'"),
    ({"words": 0}, r"nonsense: words must be an integer in 1\.\.1048576, got 0"),
    ({"vocab_size": 1}, r"nonsense: vocab_size must be an integer in 2\.\.1048576, got 1"),
    ({"sentences": 7}, "nonsense-composite: sentences must be at least 8, got 7"),
    ({"words": 9}, "nonsense-composite: words must be at least 10, got 9"),
    (
        {"operation": "majority_keyword", "sentences": 7},
        "nonsense-majority_keyword: sentences must be at least 8, got 7",
    ),
    ({"operation": "join_clauses", "words": 6}, "nonsense-join_clauses: words must be at least 7, got 6"),
    (
        {"operation": "next_sentence_generation", "required_tokens": 256},
        "nonsense-next_sentence_generation: required_tokens must be at least 257, got 256",
    ),
    (
        {"operation": "masked_document_generation", "max_span": 99},
        "nonsense-masked_document_generation: max_span must be at least 100, got 99",
    ),
    (
        {"operation": "masked_document_generation", "max_span": 513},
        "nonsense-masked_document_generation: required_tokens must be at least 513, got 512",
    ),
]


@pytest.mark.parametrize(("parameters", "message"), REFUSED, ids=lambda value: str(value)[:40])
def test_refusals(parameters, message):
    with pytest.raises(ValueError, match=f"^{message}$"):
        hp.task("nonsense", **parameters)


# ---------------------------------------------------------------- distributions, against plain Python


def marks(prompt):
    return [word for word in prompt if word.startswith("__")]


def stops(text):
    return [i for i, word in enumerate(text) if word == "."]


STATISTICS = {
    "sentences": lambda prompt, answer: len(stops(prompt)),
    "prompt length": lambda prompt, answer: len(prompt) // 5,
    "answer length": lambda prompt, answer: len(answer) // 2,
    "first sentence": lambda prompt, answer: stops(prompt)[0],
    "first keyword": lambda prompt, answer: (marks(prompt) or [""])[0],
    "last keyword": lambda prompt, answer: (marks(prompt) or [""])[-1],
    "number of keywords": lambda prompt, answer: len(marks(prompt)),
    "place of the first keyword": lambda prompt, answer: min(map(prompt.index, marks(prompt)), default=-1),
    "sentence of the last keyword": lambda prompt, answer: prompt[
        : max(map(prompt.index, marks(prompt)), default=0)
    ].count("."),
    "words behind keywords": lambda prompt, answer: sum(
        prompt[i + 1] == "." for i, word in enumerate(prompt[:-1]) if word.startswith("__")
    ),
    "first word": lambda prompt, answer: prompt[0],
    "first of the answer": lambda prompt, answer: answer[0],
    "order of the answer": lambda prompt, answer: (
        (marks(prompt) or [0]).index((marks(answer) or marks(prompt) or [0])[0])
        if set(marks(answer)[:1]) <= set(marks(prompt))
        else marks(answer)[0]
    ),
    "changed": lambda prompt, answer: sum(a != b for a, b in zip(prompt, answer)) // 4,  # noqa: B905
    "masked": lambda prompt, answer: prompt.count("<extra_id_0>") // 2,
    "masked from": lambda prompt, answer: prompt.index("<extra_id_0>") // 4 if "<extra_id_0>" in prompt else -1,
    "replaced": lambda prompt, answer: sum(a != b for a, b in zip(prompt, answer)) - prompt.count("<extra_id_0>"),  # noqa: B905
}


@pytest.mark.parametrize("operation", nonsense.Nonsense.sizes)
def test_distribution_is_that_of_the_reference(operation):
    rng, letters = random.Random(0), [chr(97 + i) for i in range(26)]
    count = 3000 if operation == "composite" else 1000
    generate = nonsense_step_row if operation in nonsense.STEP else nonsense_row
    theirs = [generate(rng, operation, letters) for _ in range(count)]
    task = hp.task("nonsense", operation=operation, **SMALL)
    ours = [tuple(words_of(task, part) for part in row) for row in rows_of(task, 0, count)]
    for what, statistic in STATISTICS.items():
        values = [np.array([str(statistic(*row)) for row in rows]) for rows in (ours, theirs)]
        assert_same_distribution(*values, f"{operation}: {what}")
    if operation == "composite":
        for part in (0, 1):  # which sub-tasks, and which of them answers first
            shares = [[sorted({word[3:5] for word in marks(row[0])})[part] for row in rows] for rows in (ours, theirs)]
            assert_same_distribution(*map(np.array, shares), f"sub-task {part}")
    for part in (0, 1):
        words = [np.array([word[:9] for row in rows for word in row[part]]) for rows in (ours, theirs)]
        if operation in nonsense.STEP:  # words are independent; in other answers they come in whole sentences
            assert_same_distribution(*words, f"{operation}: words")


def test_a_masked_span_is_as_likely_to_reach_either_end():
    parameters = {"vocab_size": 26, "required_tokens": 20, "min_span": 19, "max_span": 19}
    task = hp.task("nonsense-masked_document_generation", **parameters)
    masked = task.sample(np.random.default_rng(0), 4000)[0][:, :20] == task.vocabulary.index("<extra_id_0>")
    for place in (0, 19):
        assert scipy.stats.binomtest(int(masked[:, place].sum()), 4000, 0.8 / 2).pvalue > P


def test_a_quote_never_opens_before_a_bullet():
    """It begins behind a keyword at the head of its sentence; a later bullet goes in front of it."""
    task = hp.task("nonsense", vocab_size=26)
    input_ids, _ = task.sample(np.random.default_rng(0), 100_000)
    bullet, begin = map(task.vocabulary.index, ("__d8__bullet__", "__d7__begin_quote__"))
    pairs = [((input_ids[:, :-1] == a) & (input_ids[:, 1:] == b)).sum() for a, b in [(bullet, begin), (begin, bullet)]]
    assert pairs[0] > 10 and pairs[1] == 0

"""Every task keeps the contract of `hp.Task`: rows, labels, oracle, determinism, distribution, refusals."""

import dataclasses
import itertools
import random

import numpy as np
import pytest
import scipy.stats
from hypothesis import given, settings
from hypothesis import strategies as st
from support.specimens import SPECIMENS, is_right, is_shuffled, members_of, parts_of, prompt_and_rest

import hf_procedural as hp
from hf_procedural.tasks import PRESETS, check_task, task_class

P = 1e-4  # a p-value below it is a wrong distribution; seeds are fixed, so a test that passes once passes always


# ---------------------------------------------------------------- the contract, over the whole registry


def test_every_task_has_a_specimen():
    assert {part.partition("-")[0] for name, _ in SPECIMENS for part in name.split("+")} == set(hp.list_tasks())


def test_the_contract(task):
    check_task(task, 300)


def test_padding_has_no_label_but_the_first_in_the_arithmetic_probes(task):
    input_ids, labels = task.sample(np.random.default_rng(0), 300)
    padding = input_ids == task.pad_id
    allowed = np.zeros_like(padding)
    if not all(part.parameters.get("score_all", True) for part in parts_of(task)):
        allowed[:, 1:] = padding[:, 1:] & ~padding[:, :-1]
    assert not ((labels == task.pad_id) & ~allowed).any()


def test_sample_agrees_with_the_oracle(task):
    if is_shuffled(task):
        pytest.skip("test_shuffled_rows_are_rows_of_the_task tests these")
    for input_ids, labels in zip(*task.sample(np.random.default_rng(1), 300), strict=True):
        if hasattr(task, "members"):
            assert members_of(task, input_ids, labels)
        else:
            assert is_right(task, input_ids, labels)


def test_equal_generators_give_equal_rows(task):
    first, again, other = (task.sample(np.random.default_rng(seed), 50) for seed in (7, 7, 8))
    np.testing.assert_array_equal(first, again)
    assert (first[0] != other[0]).any(axis=1).mean() > 0.9


def test_name_and_parameters_give_the_task_back(specimen, task):
    name, parameters = specimen
    assert task.config_name == name
    assert hp.task(name, **parameters) == task
    assert hash(hp.task(name, **parameters)) == hash(task)
    assert hp.task(name, **parameters).key == task.key
    if not hasattr(task, "members"):
        assert hp.task(task.name, **task.parameters) == task
        with pytest.raises(dataclasses.FrozenInstanceError):
            task.length = 1


def test_scores(task):
    """A row's own answer is right, in ids and in words; anything else has a score all the same."""
    if is_shuffled(task):
        with pytest.raises(TypeError, match="shuffled rows have no answer"):
            parts_of(task)[0].score([], [])
        return
    for input_ids, labels in zip(*task.sample(np.random.default_rng(3), 20), strict=True):
        prompt, rest = prompt_and_rest(task, input_ids, labels)
        assert task.score(prompt, rest) == 1
        words = (task.spell(task.vocabulary[token] for token in part) for part in (prompt, rest))
        assert task.score(*words) == 1
        for wrong in ([], rest[:1], rest[::-1], [*rest, 0], [-1], [len(task.vocabulary)], "no_such_word"):
            assert 0 <= task.score(prompt, wrong) <= 1
        assert task.score(prompt, "no_such_word") == 0
        with pytest.raises(ValueError, match="."):
            task.score("no_such_word", rest)


def test_an_unknown_prompt_choice_or_preset_is_told():
    with pytest.raises(ValueError, match="lime: mode must be one of .*, got 'indict': did you mean induct"):
        hp.task("lime-indict")
    with pytest.raises(ValueError, match="unknown preset 'lee2026-codee': did you mean lee2026-code?"):
        hp.task("lee2026-codee")
    with pytest.raises(ValueError, match="wu2022-set is a preset, which cannot be mixed: name its task, simpler-set"):
        hp.task("sort-8+wu2022-set")
    for name in ("lime-induct", "nonsense-copy_quoted", "simpler-sort", "addition-3"):
        with pytest.raises(ValueError, match="no prompt of this task|is no token"):
            hp.task(name).score([5, 5], [5])
    assert hp.task("nesting-8", p_open=1) == hp.task("nesting-8", p_open=1.0)
    assert hp.task("nesting-8", p_open=1).key == hp.task("nesting-8", p_open=1.0).key
    assert hp.task("wu2021-mixed").paper == hp.task("lime-induct").paper


@pytest.mark.parametrize("name", PRESETS)
def test_presets(name):
    """Rows of a preset are whole: they fit, and end where the loss counts on their end of sequence."""
    preset, task = PRESETS[name], hp.task(name)
    assert preset.source and task == hp.task(preset.task, **preset.parameters)
    if name == "guo2026-rnn":  # a thousand times the work of others for a token
        task = hp.task(name, length=64)
    check_task(task, 8)
    input_ids, labels = task.sample_split(np.random.default_rng(0), 8, "validation")
    for part in parts_of(task):
        if hasattr(part, "sep_id") and "<eos>" in part.vocabulary:
            eos = task.vocabulary.index("<eos>")
            assert ((input_ids == eos) == (labels == eos)).all() and (input_ids == eos).any(axis=1).mean() > 0.1


def test_keys_tell_all_tasks_apart():
    assert len({hp.task(name, **parameters).key for name, parameters in SPECIMENS}) == len(SPECIMENS)


PARAMETERS = {
    "length": st.integers(2, 40),
    "vocab_size": st.integers(3, 40),
    "k": st.integers(1, 6),
    "p_open": st.floats(0, 1),
    "max_depth": st.integers(1, 12),
    "balanced": st.booleans(),
    "rule": st.integers(0, 255),
    "width": st.integers(3, 20),
    "steps": st.integers(1, 6),
    "digits": st.integers(1, 30),
    "min_digits": st.none() | st.integers(1, 4),
    "score_all": st.booleans(),
    "types": st.integers(1, 600),
    "distribution": st.sampled_from(["uniform", "zipf", "log_linear"]),
    "language_seed": st.integers(0, 3),
    "sentences": st.booleans(),
    "style": st.sampled_from(["dependency", "parenthesis"]),
    "symbols": st.integers(1, 5),
    "shortest": st.integers(1, 6),
    "longest": st.integers(6, 12),
    "states": st.integers(2, 5),
    "grid": st.sampled_from([4, 8]),
    "patch": st.sampled_from([1, 2]),
    "temperature": st.sampled_from([0, 1e-4, 0.1, 10]),
    "identity_bias": st.floats(-1, 1),
    "burn_in": st.integers(0, 3),
    "dt": st.integers(1, 3),
    "complexity": st.sampled_from([None, (0, 2)]),
    "rules": st.none() | st.integers(1, 9),
    "rules_seed": st.integers(0, 9),
    "mode": st.sampled_from(
        [mode for mode in task_class("lime").sizes if mode not in ("induct_v3", "induct_v2_double")]
    ),
    "min_steps": st.integers(1, 6),
    "nonsense.operation": st.sampled_from(task_class("nonsense").sizes),
    "nonsense.sentences": st.integers(8, 12),
    "words": st.integers(10, 14),
    "required_tokens": st.integers(50, 90),
    "next_tokens": st.integers(1, 40),
    "min_span": st.integers(1, 20),
    "max_span": st.integers(20, 40),
    "max_num_nodes": st.integers(5, 9),
    "regbench.vocab_size": st.integers(7, 40),
    "min_num_in_context_examples": st.integers(2, 3),
    "max_num_in_context_examples": st.integers(4, 7),
    "max_outgoing_edges": st.integers(2, 5),
    "max_len_per_example": st.integers(2, 9),
    "form": st.sampled_from(["suite", "training", "test"]),
    "multi_query": st.booleans(),
    "noise_vocab_size": st.integers(1, 9),
    "frac_noise": st.floats(0, 1),
    "k_motif_size": st.integers(1, 3),
    "v_motif_size": st.integers(1, 3),
    "num_tokens_to_copy": st.integers(1, 9),
    "kv_map_seed": st.integers(0, 9),
    "num_kv_pairs": st.integers(4, 9),
    "compositional_mqar.num_kv_pairs": st.integers(1, 3).map(lambda side: side**2),
    "num_updates": st.integers(0, 4),
    "power_a": st.floats(0.001, 5),
    "random_non_queries": st.booleans(),
    "hidden_size": st.integers(1, 20),
    "models": st.integers(1, 9),
    "activation": st.sampled_from(["linear", "relu", "tanh"]),
    "spectral_radius": st.floats(0.1, 2),
    "rnn_language.temperature": st.floats(0.001, 10),
    "agree_match_ratio": st.floats(0, 1),
    "num_prior": st.floats(0, 1),
    "p_wh_goal": st.floats(0, 1),
    "p_c_wh": st.floats(0, 1),
    **dict.fromkeys(
        ["t_epp", "allow_move", "enable_merge", "enable_agree", "enable_move", "strip_lexical"], st.booleans()
    ),
    **dict.fromkeys(["use_head_diversity", "use_complex_args"], st.booleans()),
    "k_struct": st.integers(1, 3),
    "k_dep": st.integers(4, 6),
    "simpler.operation": st.sampled_from(task_class("simpler").sizes),
    "simpler.min_length": st.integers(7, 20),
    "chomsky.task": st.sampled_from(task_class("chomsky").sizes),
    "chomsky.length": st.integers(3, 70),
    "blanks": st.booleans(),
    "min_length": st.integers(1, 3),
    "group": st.sampled_from(["S2", "S4", "S5", "A4", "A5", "Z2", "Z60", "A4_x_Z5"]),
    "word_problem.length": st.integers(3, 40),
    "word_problem.min_length": st.none() | st.integers(1, 3),
    "flip_flop.length": st.integers(4, 30).map(lambda pairs: 2 * pairs),
    "flip_flop.min_length": st.none() | st.sampled_from([4, 6, 8]),
    "flip_flop.test_length": st.none() | st.sampled_from([72, 80]),
    "p_ignore": st.floats(0, 1),
    "test_length": st.none() | st.integers(71, 90),
    "simpler.num_tokens": st.integers(30, 31_998),
    "alphabet_size": st.integers(2, 30),
    "memory_size": st.integers(1, 12),
    "maximum_steps": st.integers(16, 300),
    "sampler": st.sampled_from(["uniform", "markov"]),
    "program_length": st.none() | st.integers(8, 60),
    "min_output": st.just(2),
    "operators": st.sampled_from(["asm", "d", "am", "asmd"]),
    "value_mod": st.sampled_from([2, 7, 23]),
    "knowledge_augment": st.booleans(),
    "qa": st.booleans(),
    "depo.n": st.integers(3, 14),
    "depo.k": st.integers(1, 40),
    "m": st.integers(1, 12),
    "mini_vocab": st.integers(2, 60),
    "min_tlen": st.integers(1, 3),
    "max_tlen": st.integers(3, 5),
    "separator": st.booleans(),
    "brevo.n": st.integers(3, 30),
    "multi": st.booleans(),
    "grammar": st.sampled_from(task_class("lano").sizes),
    "capo.n": st.integers(1, 160_000_000),
    "people_seed": st.integers(0, 2**31 - 1),
    "permute": st.booleans(),
    "company_first": st.booleans(),
    "reverse_md": st.booleans(),
    "algorithm": st.sampled_from(task_class("clrs").sizes),
    "lengths": st.lists(st.integers(4, 9), min_size=1, max_size=3),
    "trace": st.booleans(),
    "p": st.none(),
    "max_tokens": st.just(20_000),
    "iterated_rnn.width": st.integers(1, 9),
    "layers": st.integers(1, 3),
    "iterated_rnn.symbols": st.integers(2, 30),
    "iterated_rnn.length": st.integers(12, 40),
    "seed_length": st.integers(1, 11),
    "gains": st.sampled_from([(1.0, 3.5), (0.0, 0.0), (5.0, 50.0)]),
    "spread": st.sampled_from([0.0, 1e-8, 1.0, 30.0]),
    "again": st.floats(0, 1),
    "min_networks": st.integers(0, 1),
    "max_networks": st.integers(1, 3),
    "dataset": st.sampled_from(task_class("reasoning_gym").sizes),
    "reasoning_gym.length": st.none() | st.integers(500, 600),
    "config": st.just({}),
}


@pytest.mark.parametrize("name", hp.list_tasks())
@settings(max_examples=60)
@given(data=st.data())
def test_sample_agrees_with_the_oracle_for_any_parameters(name, data):
    fields = [field.name for field in dataclasses.fields(task_class(name))]
    own = {field: f"{name}.{field}" for field in fields}
    drawn = {field: PARAMETERS[key if key in PARAMETERS else field] for field, key in own.items()}
    parameters = {field: data.draw(strategy, label=field) for field, strategy in drawn.items()}
    if parameters.get("balanced", False):
        parameters["length"] += parameters["length"] % 2
    if name == "filled_set":
        parameters["length"] += 1
    if name == "haystack":
        parameters["vocab_size"] += 4 * parameters["length"]
    if name == "lime":
        parameters["vocab_size"] += 68
        parameters["min_steps"] = min(parameters["min_steps"], parameters["steps"])
    if name == "nca":
        parameters["length"] += (parameters["grid"] // parameters["patch"]) ** 2 + 2
    if name.startswith("mad_"):
        parameters["length"] += parameters["length"] % 2 + 2 * parameters.get("num_tokens_to_copy", 6)
        parameters["vocab_size"] += parameters.get("noise_vocab_size", 6)
    if name.endswith("mqar"):
        parameters["length"] += 54 + parameters["length"] % 2
        parameters["vocab_size"] += 24
    if name == "simpler":
        parameters["length"] += parameters["min_length"]
    if name == "mano":
        parameters["length"] = min(parameters["length"], 8)
    if "digits" in parameters:
        parameters["digits"] = max(parameters["digits"], parameters["min_digits"] or 1)
    task = hp.task(name, **parameters)
    rows = task.sample(np.random.default_rng(data.draw(st.integers(0, 2**32), label="seed")), 8)
    assert all(is_right(task, input_ids, labels) for input_ids, labels in zip(*rows, strict=True))


@pytest.mark.parametrize("name", ["sort-1", "reverse-1", "identity-1", "set-1", "delete-1", "union-2"])
def test_smallest_sequences(name):
    task = hp.task(name, vocab_size=2)
    assert all(is_right(task, *row) for row in zip(*task.sample(np.random.default_rng(0), 20), strict=True))


@pytest.mark.parametrize(("length", "vocab_size"), [(2, 3), (3, 3), (40, 3)])
def test_smallest_stacks(length, vocab_size):
    task = hp.task("stack", length=length, vocab_size=vocab_size)
    assert all(is_right(task, *row) for row in zip(*task.sample(np.random.default_rng(0), 20), strict=True))


@pytest.mark.parametrize("name", ["haystack-1", "addition-1", "reversed_addition-1", "multiplication-1"])
def test_smallest_probes(name):
    task = hp.task(name, **({"vocab_size": 4} if name == "haystack-1" else {}))
    assert all(is_right(task, *row) for row in zip(*task.sample(np.random.default_rng(0), 200), strict=True))


@pytest.mark.parametrize("name", ["addition-5000", "multiplication-2200"])
def test_numbers_may_be_longer_than_any_integer_type_and_any_text_of_one(name):
    task = hp.task(name)
    assert all(is_right(task, *row) for row in zip(*task.sample(np.random.default_rng(0), 2), strict=True))


# ---------------------------------------------------------------- oracles, by hand and by definition

ANSWERS = [
    ("sort-4", [3, 1, 3, 2], [1, 2, 3, 3]),
    ("reverse-4", [3, 1, 3, 2], [2, 3, 1, 3]),
    ("identity-4", [3, 1, 3, 2], [3, 1, 3, 2]),
    ("set-4", [3, 1, 3, 2], [3, 1, 2]),
    ("union-4", [3, 1, 9, 1, 2], [3, 1, 2]),
    ("delete-4", [3, 1, 3, 2, 9, 3], [1, 3, 2]),
    ("delete-4", [3, 1, 3, 2, 9, 5], [3, 1, 3, 2]),
    ("stack-5", [3, 1, 0, 2, 5], [5, 2, 3]),
]


@pytest.mark.parametrize(("name", "prompt", "answer"), ANSWERS, ids=lambda value: str(value).replace(" ", ""))
def test_answer_by_hand(name, prompt, answer):
    task = hp.task(name, vocab_size=9)
    assert task.solve([*prompt, 9]) == task.solve(prompt) == answer
    input_ids, labels = task.example(prompt)
    padding = task.max_length - len(prompt) - 1 - len(answer)
    assert input_ids.tolist() == [*prompt, 9, *answer] + [10] * padding
    assert labels.tolist() == [-100] * (len(prompt) + 1) + answer + [-100] * padding


@pytest.mark.parametrize(
    ("rule", "states"),
    [(110, ["00010", "00110", "01110", "11010"]), (90, ["00010", "00101", "11000", "11101"])],
)
def test_automaton_by_hand(rule, states):
    task = hp.task("eca", rule=rule, width=5, steps=3)
    first, *later = ([*map(int, state), 2] for state in states)
    assert task.solve(first) == task.solve(first[:-1]) == sum(later, [])
    assert task.example(first)[0].tolist() == first + sum(later, [])
    assert task.example(first)[1].tolist() == [-100] * 6 + sum(later, [])


PROBES = [  # in words: prompt | the rest of the row, and its labels, "." where there is none
    ("haystack-3", {"vocab_size": 14}, "k2 4 k0 1 ?2 | 4 <pad> <pad> <pad>", ". . . . . 4 . . ."),
    ("haystack-2", {}, "k1 127 k0 127 ?0 | 127 <pad>", ". . . . . 127 ."),
    ("addition-2", {}, "4 7 + 8 5 = | a1 a3 a2 <stop>", ". . . . . . . a3 a2 <stop>"),
    ("addition-2", {}, "1 2 + 3 4 = | a4 a6 <stop> <pad>", ". . . . . . . a6 <stop> <pad>"),
    ("addition-2", {"score_all": True}, "1 2 + 3 4 = | a4 a6 <stop> <pad>", ". . . . . . a4 a6 <stop> ."),
    ("addition-2", {"min_digits": 1}, "9 + 9 5 = | a1 a0 a4 <stop> <pad>", ". . . . . . a0 a4 <stop> <pad>"),
    ("reversed_addition-2", {}, "7 4 + 5 8 = | a2 a3 a1 <stop>", ". . . . . . . a3 a1 <stop>"),
    ("reversed_addition-2", {"min_digits": 1}, "9 + 5 9 = | a4 a0 a1 <stop> <pad>", ". . . . . . a0 a1 <stop> <pad>"),
    ("multiplication-1", {}, "2 * 3 = | a6 <stop> <pad> <pad> <pad>", ". . . . . <stop> <pad> . ."),
    ("multiplication-1", {"score_all": True}, "7 * 8 = | a5 a6 <stop> <pad> <pad>", ". . . . a5 a6 <stop> . ."),
    ("sorting-3", {"vocab_size": 9}, "3 1 3 <sep> | 1 3 3", ". . . . 1 3 3"),
]


@pytest.mark.parametrize(("name", "parameters", "row", "scored"), PROBES, ids=lambda value: str(value).replace(" ", ""))
def test_probe_by_hand(name, parameters, row, scored):
    task = hp.task(name, **parameters)
    ids = {token: index for index, token in enumerate(task.vocabulary)} | {".": -100}
    prompt, rest, labels = ([ids[word] for word in text.split()] for text in (*row.split("|"), scored))
    assert task.solve(prompt) == [token for token in rest if token != task.pad_id]
    input_ids, ours = task.example(prompt)
    assert (input_ids.tolist(), ours.tolist()) == (prompt + rest, labels)
    assert task.prompt_of(input_ids, ours) == prompt
    if "?" not in row:
        assert [part.tolist() for part in task.example(prompt[:-1])] == [prompt + rest, labels]


def test_probe_vocabularies():
    haystack, addition = hp.task("haystack-2", vocab_size=11), hp.task("addition")
    assert " ".join(haystack.vocabulary) == "<pad> 1 2 3 4 k0 k1 ?0 ?1 <unused9> <unused10>"
    assert len(hp.task("haystack").vocabulary) == 256 and len(addition.vocabulary) == 31
    assert addition.vocabulary[:14] == (*"0123456789+=", "<pad>", "<unused13>")
    assert addition.vocabulary[19:] == ("<unused19>", *(f"a{digit}" for digit in range(10)), "<stop>")
    assert hp.task("multiplication").vocabulary == (*addition.vocabulary[:10], "*", *addition.vocabulary[11:])


def test_prompt_of_a_mixture_is_that_of_its_members():
    """The first digit of a sum has no label, yet is none of the prompt."""
    task = hp.task("addition-3+reversed_addition-2+sort-4", **{"reversed_addition.score_all": True})
    words = [
        [task.vocabulary[token] for token in task.prompt_of(*row)]
        for row in zip(*task.sample(np.random.default_rng(0), 100), strict=True)
    ]
    assert {(len(prompt), prompt[-1]) for prompt in words} == {(8, "="), (6, "="), (5, "<sep>")}


def _nested(word, k, max_depth):
    """Balanced by definition: taking out neighbours that match leaves nothing."""
    if (
        max_depth is not None
        and max(itertools.accumulate((1 if token < k else -1 for token in word), initial=0)) > max_depth
    ):
        return False
    word = list(word)
    while True:
        pairs = [i for i in range(len(word) - 1) if word[i] < k and word[i + 1] == word[i] + k]
        if not pairs:
            return not word
        del word[pairs[0] : pairs[0] + 2]


def _counted(word, k, max_depth, balanced):
    """A beginning of an interleaved word by definition: no kind closes before it opens."""
    starts = [word[: i + 1] for i in range(len(word))]
    open_of = [[start.count(kind) - start.count(kind + k) for kind in range(k)] for start in starts]
    return all(min(counts) >= 0 and sum(counts) <= max_depth for counts in open_of) and not (
        balanced and any(open_of[-1])
    )


@pytest.mark.parametrize("max_depth", [None, 1, 2])
@pytest.mark.parametrize("length", [4, 5, 6])
def test_dyck_accepts_its_words_alone(length, max_depth):
    k, task = 2, hp.task("dyck", k=2, length=length, max_depth=max_depth)
    for word in itertools.product(range(2 * k + 1), repeat=length):
        rest = word[:-1] if length % 2 and word[-1] < k else word
        assert task.accepts(word) == (task.pad_id not in word and _nested(rest, k, max_depth)), word


@pytest.mark.parametrize("balanced", [False, True])
@pytest.mark.parametrize("max_depth", [1, 3])
def test_dyck_shuffle_accepts_its_words_alone(max_depth, balanced):
    k, task = 2, hp.task("dyck_shuffle", k=2, length=6, max_depth=max_depth, balanced=balanced)
    for word in itertools.product(range(2 * k + 1), repeat=6):
        assert task.accepts(word) == (task.pad_id not in word and _counted(word, k, max_depth, balanced)), word


@pytest.mark.parametrize("name", ["dyck", "dyck_shuffle"])
@pytest.mark.parametrize("word", [[0, 2, -5], [0, 2, 7], [-100, 2, 0], [0, 4, 1]], ids=str)
def test_a_token_outside_the_vocabulary_is_in_no_word(name, word):
    assert not hp.task(name, k=2, length=3).accepts(word)


# ---------------------------------------------------------------- distributions, against plain Python

ROWS = 3000


def _stack_reference(rng, length, vocab_size):
    """The operations by the rules of the reference code, and the final stack."""
    operations, stack = [], []
    for step in range(length):
        if step == length - 1 and len(stack) > 1:
            push = False
        elif len(stack) <= 1:
            push = True
        else:
            push = rng.random() < (0.75 if step < 2 * length // 3 else 0.25)
        held = set(stack)
        free = [symbol for symbol in range(1, vocab_size) if symbol not in held]
        if push and free:
            stack.append(rng.choice(free))
            operations.append(stack[-1])
        else:
            stack.pop()
            operations.append(0)
    return operations


def _dyck_reference(rng, k, length, p_open, max_depth):
    word, opened = [], []
    while len(word) < length:
        left, depth = length - len(word), len(opened)
        if depth == 0:
            opens = True
        elif left <= depth:
            opens = False
        else:
            opens = depth < max_depth and rng.random() < p_open and depth < left - 1
        if opens:
            opened.append(rng.randrange(k))
            word.append(opened[-1])
        else:
            word.append(k + opened.pop())
    return word


def _dyck_shuffle_reference(rng, k, length, p_open, max_depth):
    word, counts = [], [0] * k
    while len(word) < length:
        depth = sum(counts)
        if depth == 0 or (depth < max_depth and rng.random() < p_open):
            kind = rng.randrange(k)
            counts[kind] += 1
            word.append(kind)
        else:
            kind = rng.choice([kind for kind in range(k) if counts[kind]])
            counts[kind] -= 1
            word.append(k + kind)
    return word


def assert_same_distribution(ours, theirs, what):
    """Two-sample chi-square test of independent values from a small set; rare ones count together."""
    values, codes = np.unique(np.concatenate([ours, theirs]), return_inverse=True)
    table = np.stack([np.bincount(part, minlength=len(values)) for part in np.split(codes, [len(ours)])])
    rare = table.sum(axis=0) < 20
    table = np.concatenate([table[:, ~rare], table[:, rare].sum(axis=1, keepdims=True)], axis=1)
    table = table[:, table.sum(axis=0) > 0]
    p = scipy.stats.chi2_contingency(table).pvalue if table.shape[1] > 1 else 1.0
    assert p > P, f"{what}: p = {p:.1e}, counts {table.tolist()} of {values[~rare].tolist()} and the rare ones"


def assert_same_shares(ours, theirs, what):
    """The share of true values in each column of two boolean arrays ``[rows, columns]``, each column tested."""
    for column in range(ours.shape[1]):
        assert_same_distribution(ours[:, column], theirs[:, column], f"{what} at {column}")


@pytest.mark.parametrize(("length", "vocab_size"), [(64, 100), (17, 6), (9, 3)])
def test_stack_operations_are_distributed_as_in_the_reference(length, vocab_size):
    rng = random.Random(0)
    theirs = np.array([_stack_reference(rng, length, vocab_size) for _ in range(ROWS)])
    ours = hp.task("stack", length=length, vocab_size=vocab_size).sample(np.random.default_rng(0), ROWS)[0][:, :length]
    assert_same_shares(ours > 0, theirs > 0, "push")
    final = [(operations > 0).sum(axis=1) - (operations == 0).sum(axis=1) for operations in (ours, theirs)]
    assert_same_distribution(*final, "final size")
    if length == 64:
        assert final[0].min() == 2 and not (final[0] % 2).any()
    for column in (0, 1, length // 2):  # which symbols are pushed
        assert_same_distribution(ours[:, column], theirs[:, column], f"operation {column}")


@pytest.mark.parametrize(
    ("k", "length", "p_open", "max_depth"),
    [(2, 16, 0.5, None), (3, 15, 0.6, None), (4, 64, 0.49, None), (2, 24, 0.7, 4)],
)
def test_dyck_is_distributed_as_in_the_reference(k, length, p_open, max_depth):
    rng = random.Random(0)
    theirs = np.array([_dyck_reference(rng, k, length, p_open, max_depth or length) for _ in range(ROWS)])
    task = hp.task("dyck", k=k, length=length, p_open=p_open, max_depth=max_depth)
    _assert_same_brackets(task.sample(np.random.default_rng(0), ROWS)[0], theirs, k)


def _filled_set_reference(rng, length, vocab_size):
    """A row by the rules of the reference code, gucci-j/verify-ppt-at-scale."""
    symbols, distinct = [], []
    while True:
        symbol = rng.randrange(1, vocab_size)
        more = 1 if symbol in distinct else 2
        if len(symbols) + len(distinct) + more > length - 1:
            break
        symbols.append(symbol)
        if symbol not in distinct:
            distinct.append(symbol)
    symbols += [rng.choice(distinct) for _ in range(length - 1 - len(symbols) - len(distinct))]
    return [*symbols, vocab_size, *distinct]


@pytest.mark.parametrize(("length", "vocab_size"), [(3, 9), (20, 9), (21, 40)])
def test_filled_sets_are_distributed_as_in_the_reference(length, vocab_size):
    rng = random.Random(0)
    theirs = np.array([_filled_set_reference(rng, length, vocab_size) for _ in range(ROWS)])
    ours = hp.task("filled_set", length=length, vocab_size=vocab_size).sample(np.random.default_rng(0), ROWS)[0]
    assert_same_distribution(*(rows.argmax(axis=1) for rows in (ours, theirs)), "symbols")
    for column in range(length):
        assert_same_distribution(ours[:, column], theirs[:, column], f"token {column}")
    before = [rows[np.arange(ROWS), rows.argmax(axis=1) - 1] for rows in (ours, theirs)]
    assert_same_distribution(*before, "last symbol")


@pytest.mark.parametrize(("k", "length", "p_open", "max_depth"), [(2, 16, 0.5, 4), (16, 64, 0.5, 16), (3, 21, 0.7, 16)])
def test_dyck_shuffle_is_distributed_as_in_the_reference(k, length, p_open, max_depth):
    rng = random.Random(0)
    theirs = np.array([_dyck_shuffle_reference(rng, k, length, p_open, max_depth) for _ in range(ROWS)])
    task = hp.task("dyck_shuffle", k=k, length=length, p_open=p_open, max_depth=max_depth)
    ours = task.sample(np.random.default_rng(0), ROWS)[0]
    _assert_same_brackets(ours, theirs, k)
    assert_same_distribution(_closes_of_doubles(ours, k), _closes_of_doubles(theirs, k), "closes of a kind open twice")


def _assert_same_brackets(ours, theirs, k):
    opening, length = [part < k for part in (ours, theirs)], ours.shape[1]
    assert_same_shares(*opening, "opening")
    depths = [np.cumsum(np.where(part, 1, -1), axis=1) for part in opening]
    for column in {length // 4, length // 2, length - 1}:
        assert_same_distribution(*(part[:, column] for part in depths), f"depth at {column}")
    assert_same_distribution(*(part.max(axis=1) for part in depths), "greatest depth")
    for column in {0, 1, length // 2, length - 1}:
        assert_same_distribution(ours[:, column], theirs[:, column], f"token {column}")


def _closes_of_doubles(words, k):
    """In how many places of each word a kind closes that is open twice or more: by kind, not by bracket."""
    counts = np.zeros((len(words), k), int)
    closes = np.zeros(len(words), int)
    rows = np.arange(len(words))
    for tokens in words.T:
        kinds, opens = tokens % k, tokens < k
        closes += ~opens & (counts[rows, kinds] > 1)
        counts[rows, kinds] += np.where(opens, 1, -1)
    return closes


@pytest.mark.parametrize("name", ["sort", "reverse", "identity", "set", "union", "delete"])
def test_symbols_are_uniform_and_independent(name):
    task = hp.task(name, length=8, vocab_size=6)
    input_ids, labels = task.sample(np.random.default_rng(0), 20_000)
    prompts = input_ids[:, : np.flatnonzero(labels[0] != -100)[0]]
    symbols = prompts[:, (prompts != task.sep_id).all(axis=0)]
    assert symbols.shape[1] == (9 if name == "delete" else 8)
    for column in symbols.T:
        assert scipy.stats.chisquare(np.bincount(column, minlength=6)[1:]).pvalue > P
    for one, other in itertools.combinations(symbols.T, 2):
        pairs = np.bincount((one - 1) * 5 + other - 1, minlength=25)
        assert scipy.stats.chisquare(pairs).pvalue > P


@pytest.mark.parametrize("length", [5, 64])
def test_delete_finds_its_query_as_often_as_chance_has_it(length):
    task = hp.task("delete", length=length)
    _, labels = task.sample(np.random.default_rng(0), 10_000)
    removed = int(((labels != -100).sum(axis=1) < length).sum())
    assert scipy.stats.binomtest(removed, 10_000, 1 - (98 / 99) ** length).pvalue > P


def test_automaton_cells_are_fair_and_independent():
    task = hp.task("eca", width=6, steps=1)
    states = task.sample(np.random.default_rng(0), 20_000)[0][:, :6] @ (1 << np.arange(6))
    assert scipy.stats.chisquare(np.bincount(states, minlength=64)).pvalue > P


def _haystack_reference(rng, length, vocab_size):
    keys = rng.sample(range(length), rng.randint(1, length))
    pairs = {vocab_size // 2 + key: rng.randint(1, vocab_size // 2 - 1) for key in keys}
    asked = rng.choice(list(pairs))
    row = [*itertools.chain(*pairs.items()), asked + length, pairs[asked]]
    return row + [0] * (2 * length + 3 - len(row))


@pytest.mark.parametrize(("length", "vocab_size"), [(30, 256), (3, 12), (2, 9)])
def test_haystack_is_distributed_as_in_the_reference(length, vocab_size):
    rng, count = random.Random(0), 4 * ROWS
    theirs = np.array([_haystack_reference(rng, length, vocab_size) for _ in range(count)])
    ours = hp.task("haystack", length=length, vocab_size=vocab_size).sample(np.random.default_rng(0), count)[0]
    statistics = {
        "pairs": lambda rows: (rows > 0).sum(axis=1) // 2 - 1,
        "first key and value": lambda rows: rows[:, 0] * vocab_size + rows[:, 1],
        "second key or query": lambda rows: rows[:, 2],
        "queried pair": lambda rows: (rows[:, :-1:2] == _query(rows)[:, None] - length).argmax(axis=1),
        "queried key": _query,
    }
    if length < 4:
        statistics["keys and query together"] = lambda rows: rows[:, ::2] @ vocab_size ** np.arange(length + 2)
    for what, statistic in statistics.items():
        assert_same_distribution(statistic(ours), statistic(theirs), what)
    for column in range(1, 2 * length, 2):
        values = ours[ours[:, column + 1] > 0, column]  # not where the answer stands, or padding
        assert scipy.stats.chisquare(np.bincount(values, minlength=vocab_size // 2)[1:]).pvalue > P


def test_haystacks_are_independent_of_their_neighbours():
    """The kernel goes on from the order of keys that the row before has left."""
    first = hp.task("haystack-5").sample(np.random.default_rng(0), 20_000)[0][:, 0] - 128
    assert scipy.stats.chisquare(np.bincount(first[:-1:2] * 5 + first[1::2], minlength=25)).pvalue > P


def _query(rows):
    """The last token but one that is no padding."""
    return rows[np.arange(len(rows)), (rows > 0).sum(axis=1) - 2]


@pytest.mark.parametrize("name", ["addition", "reversed_addition", "multiplication"])
@pytest.mark.parametrize(("low", "high"), [(2, 2), (1, 3), (5, 5)])
def test_operands_are_distributed_as_in_the_reference(name, low, high):
    rng, count = random.Random(0), 4 * ROWS
    sizes = [(rng.randint(low, high), rng.randint(low, high)) for _ in range(count)]
    theirs = np.array([[rng.randint(10 ** (size - 1), 10**size - 1) for size in pair] for pair in sizes])
    task = hp.task(name, digits=high, min_digits=low)
    ours = np.array([_operands(task, row) for row in task.sample(np.random.default_rng(0), count)[0].tolist()])
    numbers = [(rows[:, 0], rows[:, 1], rows.sum(axis=1)) for rows in (ours, theirs)]
    for place in range(high):
        for which, what in enumerate(("a", "b", "the sum")):
            digits = [part[which] // 10**place % 10 for part in numbers]
            assert_same_distribution(*digits, f"digit {place} of {what}")
    together = [np.log10(a).astype(int) * 10 + np.log10(b).astype(int) for a, b, _ in numbers]
    assert_same_distribution(*together, "numbers of digits")
    carries = [(_digit_sum(a) + _digit_sum(b) - _digit_sum(total)) // 9 for a, b, total in numbers]
    assert_same_distribution(*carries, "carries")
    if high < 4:
        assert_same_distribution(*(a for a, _, _ in numbers), "a")
        assert_same_distribution(*(a % 10 * 10 + b % 10 for a, b, _ in numbers), "last digits")


def _operands(task, row):
    """The two numbers of a row."""
    words = [task.vocabulary[token] for token in row]
    texts = "".join(words[: words.index("=")]).split(words[next(i for i in range(len(words)) if words[i] in "+*")])
    return [int(text[::-1] if task.name == "reversed_addition" else text) for text in texts]


def _digit_sum(numbers):
    return sum(numbers // 10**place % 10 for place in range(12))


# ---------------------------------------------------------------- options


SHUFFLED = ["set-6", "addition-3", "multiplication-2", "haystack-5", "dyck-4", "eca-110", "delete-4"]


@pytest.mark.parametrize("split", [None, "train", "test"])
@pytest.mark.parametrize("name", SHUFFLED)
def test_shuffled_rows_are_rows_of_the_task(name, split):
    """Of the same split: token for token, with padding and labels where they were."""
    plain, shuffled = (hp.task(name, shuffle_tokens=shuffle) for shuffle in (False, True))
    assert plain == hp.task(name) and plain.key != shuffled.key
    assert all(getattr(plain, name) == getattr(shuffled, name) for name in ("vocabulary", "max_length", "pad_id"))
    rows = [
        task.sample_split(np.random.default_rng(5), 300, split) if split else task.sample(np.random.default_rng(5), 300)
        for task in (plain, shuffled)
    ]
    (before, labels), (after, labels_after) = rows
    np.testing.assert_array_equal(np.sort(before), np.sort(after))
    np.testing.assert_array_equal(before == plain.pad_id, after == plain.pad_id)
    np.testing.assert_array_equal(np.where(labels == -100, -100, after), labels_after)
    assert (before != after).any(axis=1).mean() > 0.9


def test_shuffled_tokens_are_in_any_order():
    """Six tokens, the places of three of them: all 120 are as likely."""
    task = hp.task("addition-1", shuffle_tokens=True)
    input_ids, _ = task.sample(np.random.default_rng(0), 40_000)
    full = input_ids[input_ids[:, -1] == task.pad_id]
    places = [(full == task.vocabulary.index(word)).argmax(axis=1) for word in ("+", "=", "<stop>")]
    counts = np.bincount(places[0] * 36 + places[1] * 6 + places[2])
    assert (counts > 0).sum() == 120 and scipy.stats.chisquare(counts[counts > 0]).pvalue > P


def test_a_mixture_shuffles_its_members():
    both = hp.task("sort-4+set-6", shuffle_tokens=True)
    assert [member.parameters["shuffle_tokens"] for member in both.members] == [True, True]
    one = hp.task("sort-4+set-6", **{"set.shuffle_tokens": np.True_})
    assert one.members == (hp.task("sort-4"), hp.task("set-6", shuffle_tokens=True))
    assert len({both.key, one.key, hp.task("sort-4+set-6", shuffle_tokens=False).key}) == 3


def test_shuffled_rows_have_no_answer_but_a_length():
    task = hp.task("sort-8", shuffle_tokens=True)
    with pytest.raises(TypeError, match="sort-8: shuffled rows have no answer"):
        task.example([3, 1])
    assert not hasattr(task, "solve") and not hasattr(task, "accepts")
    assert dataclasses.replace(task, length=4) == hp.task("sort-4", shuffle_tokens=True)  # as a curriculum does
    assert task.length == 8 and hp.task("eca-110", shuffle_tokens=True).length is None


@pytest.mark.parametrize("max_depth", [1, 2, 16])
@pytest.mark.parametrize("p_open", [0.0, 0.5, 1.0])
@pytest.mark.parametrize("name", ["dyck", "dyck_shuffle"])
def test_balanced_words_end_at_depth_zero(name, p_open, max_depth):
    task = hp.task(name, k=3, length=20, p_open=p_open, max_depth=max_depth, balanced=True)
    input_ids, _ = task.sample(np.random.default_rng(0), 200)
    depth = np.cumsum(np.where(input_ids < 3, 1, -1), axis=1)
    assert (depth[:, -1] == 0).all() and depth.min() == 0 and depth.max() <= max_depth
    assert all(map(task.accepts, input_ids))


def test_mixture_gives_a_string_one_id_and_a_member_its_parameters():
    task = hp.task("sort-4+eca-30+dyck", **{"vocab_size": 5, "width": 3, "dyck.length": 8, "dyck.k": 2})
    assert task.vocabulary == ("0", "1", "2", "3", "4", "<sep>", "<pad>", "<end>", "(0", "(1", ")0", ")1")
    sort, automaton, dyck = task.members
    assert (sort.length, sort.vocab_size, automaton.width, dyck.length, dyck.k) == (4, 5, 3, 8, 2)
    assert task.max_length == automaton.max_length
    assert task.config_name == "sort-4+eca-30+dyck-2"


@pytest.mark.parametrize("weights", [None, [3, 1], [0.9, 0.1]], ids=str)
def test_mixture_rows_come_in_the_given_proportions(weights):
    parameters = {} if weights is None else {"weights": weights}
    task = hp.task("sort-4+sort-6", **parameters)
    _, labels = task.sample(np.random.default_rng(0), 4000)
    of_first = int((labels[:, 4] == -100).sum() and ((labels != -100).sum(axis=1) == 4).sum())
    share = (weights or [1, 1])[0] / sum(weights or [1, 1])
    assert scipy.stats.binomtest(of_first, 4000, share).pvalue > P


# ---------------------------------------------------------------- refusals

BAD_INPUT = [
    ("srot-64", {}, "unknown task 'srot': did you mean sort"),
    ("", {}, "task must be a name such as sort-64, got ''"),
    (None, {}, "task must be a name such as sort-64, got None"),
    ("sort-", {}, "the size after the dash must be an integer, as in sort-64, got ''"),
    ("sort-many", {}, "the size after the dash must be an integer, as in sort-64, got 'many'"),
    ("sort-0", {}, "sort: length must be an integer >= 1, got 0"),
    ("sort--3", {}, "sort: length must be an integer >= 1, got -3"),
    ("sort-64", {"length": 32}, "sort-64: length=32 contradicts the size in the name"),
    ("sort-64", {"vocab_sise": 9}, "sort: unknown parameter 'vocab_sise': did you mean vocab_size?"),
    ("sort-64", {"vocab_size": 1}, "sort: vocab_size must be an integer in 2..1048576, got 1"),
    ("sort-64", {"vocab_size": 10.0}, "sort: vocab_size must be an integer in 2..1048576, got 10.0"),
    ("sort-64", {"vocab_size": True}, "sort: vocab_size must be an integer in 2..1048576, got True"),
    ("sort-64", {"vocab_size": "10"}, "sort: vocab_size must be an integer in 2..1048576, got '10'"),
    ("sort-64", {"vocab_size": None}, "sort: vocab_size must be an integer in 2..1048576, got None"),
    ("union-1", {}, "union: length must be an integer >= 2, got 1"),
    ("stack-1", {}, "stack: length must be an integer >= 2, got 1"),
    ("stack-8", {"vocab_size": 2}, "stack: vocab_size must be an integer in 3..1048576, got 2"),
    ("dyck-0", {}, "dyck: k must be an integer in 1..1048576, got 0"),
    ("dyck-2", {"p_open": 1.5}, "dyck: p_open must be a number in 0..1, got 1.5"),
    ("dyck-2", {"p_open": float("nan")}, "dyck: p_open must be a number in 0..1, got nan"),
    ("dyck-2", {"max_depth": 0}, "dyck: max_depth must be an integer >= 1, or null, got 0"),
    ("dyck-2", {"balanced": 1}, "dyck: balanced must be true or false, got 1"),
    ("dyck-2", {"length": 15, "balanced": True}, "dyck: length must be even with balanced=True, got 15"),
    ("dyck_shuffle-2", {"max_depth": None}, "dyck_shuffle: max_depth must be an integer >= 1, got None"),
    (
        "dyck_shuffle-2",
        {"length": 15, "balanced": True},
        "dyck_shuffle: length must be even with balanced=True, got 15",
    ),
    ("eca-256", {}, "eca: rule must be an integer in 0..255, got 256"),
    ("eca-110", {"width": 2}, "eca: width must be an integer >= 3, got 2"),
    ("haystack-65", {}, "haystack: length must be at most vocab_size // 4 = 64, got 65"),
    ("haystack-1", {"vocab_size": 3}, "haystack: vocab_size must be an integer in 4..1048576, got 3"),
    ("addition-0", {}, "addition: digits must be an integer >= 1, got 0"),
    ("addition-5", {"min_digits": 6}, "addition: min_digits must be at most digits = 5, got 6"),
    ("addition-5", {"min_digits": 0}, "addition: min_digits must be an integer >= 1, or null, got 0"),
    ("multiplication-5", {"score_all": 1}, "multiplication: score_all must be true or false, got 1"),
    ("sort-4", {"shuffle_tokens": 1}, "sort: shuffle_tokens must be true or false, got 1"),
    ("sort-4", {"shuffle_tokens": None}, "sort: shuffle_tokens must be true or false, got None"),
    ("sort-4", {"shuffle_token": True}, "sort: unknown parameter 'shuffle_token': did you mean shuffle_tokens?"),
    ("sort-4+set-4", {"shuffle_tokens": "yes"}, "sort: shuffle_tokens must be true or false, got 'yes'"),
    ("sort-4+", {}, "names are joined by single plus signs"),
    ("sort-4+sett-4", {}, "unknown task 'sett': did you mean set"),
    ("sort-4+set-4", {"k": 2}, "mixture sort-4+set-4: no member has a parameter 'k'"),
    ("sort-4+set-4", {"dyck.k": 2}, "mixture sort-4+set-4: no member has a parameter 'dyck.k'"),
    ("sort-4+set-4", {"length": 8}, "length"),
    ("sort-4+set-4", {"sort.length": 8}, "length"),
    ("sort-4+set-4", {"weights": [1]}, "weights must be 2 positive numbers"),
    ("sort-4+set-4", {"weights": [1, 0]}, "weights must be 2 positive numbers"),
    ("sort-4+set-4", {"weights": [1, float("nan")]}, "weights must be 2 positive numbers"),
    ("sort-4+set-4", {"weights": "12"}, "weights must be 2 positive numbers"),
]


def _bad_id(case):
    return "-".join(filter(None, [str(case[0]), *(f"{key}={value}" for key, value in case[1].items())])) or "empty"


@pytest.mark.parametrize(("name", "parameters", "message"), BAD_INPUT, ids=map(_bad_id, BAD_INPUT))
def test_bad_input_is_refused_in_one_line(name, parameters, message):
    with pytest.raises(ValueError) as refusal:
        hp.task(name, **parameters)
    assert message in str(refusal.value)
    assert "\n" not in str(refusal.value)


def test_numpy_numbers_are_numbers():
    assert hp.task("dyck", k=np.int64(4), p_open=np.float32(0.5)) == hp.task("dyck-4")
    assert hp.task("dyck", k=np.int64(4)).key == hp.task("dyck-4").key


def test_a_second_owner_of_a_name_is_refused():
    @dataclasses.dataclass(frozen=True)
    class Impostor(hp.Task):
        name = "sort"

    with pytest.raises(ValueError, match="task name 'sort' is taken by hf_procedural.tasks.sequence.Sort"):
        hp.register(Impostor)
    assert hp.task("sort-4").config_name == "sort-4"

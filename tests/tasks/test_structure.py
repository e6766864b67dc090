"""MP-Struct and its core against the reference's rows, and against the same rules written once more."""

import itertools
import json
import random

import numpy as np
import pytest
from support.references_structure import clauses, trees
from support.running import TESTS
from test_tasks import assert_same_distribution

import hf_procedural as hp
from hf_procedural.tasks import check_task

PLAIN = {"mp_struct": clauses, "mp_struct_core": trees}
DERIVED = ("seed", "index", "vocab_size", "max_length")  # of `params`, what is no parameter of ours


def _golden(name):
    return [json.loads(line) for line in (TESTS / "golden" / f"{name}.jsonl").read_text().splitlines()]


def _task(row):
    params = {"length": row["params"].get("max_length")} | row["params"]
    return hp.task(row["task"], **{key: value for key, value in params.items() if key not in DERIVED})


GOLDEN = [row for name in PLAIN for row in _golden(name)]


# ---------------------------------------------------------------- rows of the reference


@pytest.mark.parametrize(
    "row", GOLDEN, ids=lambda row: f"{row['task']}-{row['params']['seed']}-{row['params']['index']}"
)
def test_golden_rows_are_derivations(row):
    task = _task(row)
    assert task.accepts(row["input_ids"]) and len(task.vocabulary) == len(task.symbols) + 1
    assert [part.tolist() for part in task.example(row["input_ids"])] == [row["input_ids"], row["labels"]]
    if row["task"] == "mp_struct":
        assert len(task.symbols) == row["params"]["vocab_size"] in (22, 42)
        tokens = row["tokens"] if isinstance(row["tokens"], list) else row["tokens"].split()
        assert [task.vocabulary[token] for token in row["input_ids"]] == tokens
    derivations = task.derivations(row["input_ids"])
    assert list(itertools.chain(*derivations)) == row["input_ids"]
    assert all(task.derivations(each) == [each] for each in derivations[:-1])


@pytest.mark.parametrize(
    "row", GOLDEN, ids=lambda row: f"{row['task']}-{row['params']['seed']}-{row['params']['index']}"
)
def test_a_golden_row_without_a_token_or_with_two_changed_places_is_none(row):
    """Unless what is left happens to be one: among so many, the plain reference has no such row."""
    task, tokens, rng = _task(row), row["input_ids"], random.Random(0)
    for _ in range(5):
        place = rng.randrange(len(tokens) // 2)
        other = next(i for i in range(place + 1, len(tokens)) if tokens[i] != tokens[place])
        assert not task.accepts([*tokens[:place], tokens[other], *tokens[place + 1 : other], tokens[place]])
    assert not task.accepts(tokens[:-1]) or len(task.derivations(tokens)[-1]) == 1
    assert not task.accepts([*tokens[:-1], task.pad_id]) and not task.accepts([-1, *tokens[1:]])


def _derivations(task, rows):
    """The first, and the second, derivation of each row, in words; their lengths; and the row's tokens together."""
    parts = [task.derivations(row) for row in rows]
    return [[" ".join(task.vocabulary[token] for token in each) for each in part] for part in parts]


def assert_same(task, ours, theirs):
    ours, theirs = _derivations(task, ours), _derivations(task, theirs)
    for number in (0, 1):
        both = ([hash(row[number]) for row in part] for part in (ours, theirs))
        assert_same_distribution(*both, f"derivation {number}")
    assert_same_distribution([len(row) for row in ours], [len(row) for row in theirs], "derivations of a row")
    one_after_another = ([hash((len(row[0]), len(row[1]))) for row in part] for part in (ours, theirs))
    assert_same_distribution(*one_after_another, "two lengths")


SETTINGS = [
    ("mp_struct", {}),
    ("mp_struct", {"agree_match_ratio": 0.3, "p_wh_goal": 0.6, "p_c_wh": 0.7, "num_prior": 0.8}),
    ("mp_struct", {"enable_merge": False, "p_wh_goal": 0.5, "p_c_wh": 0.5}),
    ("mp_struct", {"enable_move": False, "enable_agree": False, "p_wh_goal": 0.5}),
    ("mp_struct", {"t_epp": False, "p_wh_goal": 0.5, "p_c_wh": 0.5}),
    ("mp_struct", {"allow_move": False, "p_wh_goal": 0.5}),
    ("mp_struct_core", {}),
    ("mp_struct_core", {"use_complex_args": True}),
    ("mp_struct_core", {"use_head_diversity": False}),
]


@pytest.mark.parametrize(("name", "parameters"), SETTINGS, ids=str)
def test_derivations_are_distributed_as_in_the_reference(name, parameters):
    task, rng = hp.task(name, length=180, **parameters), random.Random(0)
    options = {key: value for key, value in parameters.items() if key != "allow_move"}
    if "allow_move" in parameters:
        options["p_c_wh"] = 0.0
    ids = {symbol: number for number, symbol in enumerate(task.symbols)}
    theirs = [[ids[word] for word in PLAIN[name](rng, 180, **options)] for _ in range(1500)]
    assert_same(task, task.sample(np.random.default_rng(0), 1500)[0], theirs)


@pytest.mark.parametrize("merge", [True, False])
def test_words_are_distributed_as_in_the_reference(merge):
    task, rng = hp.task("mp_struct", length=120, strip_lexical=False, enable_merge=merge), random.Random(0)
    ids = {symbol: number for number, symbol in enumerate(task.symbols)}
    theirs = [[ids[word] for word in clauses(rng, 120, strip_lexical=False, enable_merge=merge)] for _ in range(2000)]
    assert all(map(task.accepts, theirs[:200]))
    ours = task.sample(np.random.default_rng(0), 2000)[0].tolist()

    def of(rows, kind):
        kinds = {number for symbol, number in ids.items() if symbol.startswith(kind)}
        return [[token for token in row if token in kinds] for row in rows]

    for kind in ("N(", "V("):
        for place in (0, 1):
            first = ([row[place] for row in of(rows, kind)] for rows in (ours, theirs))
            assert_same_distribution(*first, f"{kind} {place}")
    pairs = ([row[0] * 100 + row[1] for row in of(rows, "N(")] for rows in (ours, theirs))
    assert_same_distribution(*pairs, "nouns that follow each other")


def test_distributed_as_the_original_rows():
    """Lengths of derivations among those of the reference's rows of the published setting, which are cut."""
    for name in PLAIN:
        rows = [row for row in _golden(name) if len(_task(row).symbols) in (14, 22) and not _changed(_task(row))]
        theirs = [len(each) for row in rows for each in _task(row).derivations(row["input_ids"])[:-1]]
        ours = []
        for row in rows:
            same = hp.task(name, length=len(row["input_ids"]))
            for ids in same.sample(np.random.default_rng(row["params"]["index"]), 20)[0]:
                ours += map(len, same.derivations(ids)[:-1])
        assert len(theirs) > 25
        assert_same_distribution(ours, theirs, f"{name}: lengths")


def _changed(task) -> bool:
    usual = hp.task(task.name).parameters
    return any(value != usual[key] for key, value in task.parameters.items() if key != "length")


# ---------------------------------------------------------------- by hand

CLAUSES = [  # in words, and whether they are in the language of these parameters
    ("[ CP [ C ] [ [ TP [ S ] [ T(+EPP,uNum:sg) ] [ [ VP V [ TR[DP] ] [ S ] ] ] ] ] ]", {}, True),
    ("[ CP [ C ] [ [ TP [ S ] [ T(+EPP,uNum:pl) ] [ [ VP V [ TR[DP] ] [ S ] ] ] ] ] ]", {}, False),
    ("[ CP [ C ] [ [ TP [ S ] [ T(+EPP,uNum:sg) ] [ [ VP V [ S ] [ TR[DP] ] ] ] ] ] ]", {}, True),
    ("[ CP [ C(+wh) ] [ [ TP [ S ] [ T(+EPP,uNum:sg) ] [ [ VP V [ S ] [ TR[DP] ] ] ] ] ] ]", {}, True),
    ("[ CP [ C(+wh) ] [ [ TP [ S ] [ T(+EPP,uNum:sg) ] [ [ VP V [ S ] [ TR[DP] ] ] ] ] ] ]", {"p_c_wh": 0}, False),
    # the moved object; the subject moved from its trace, its copy stays
    (
        "[ CP MOV[+wh] [ S ] [ C(+wh) ] [ [ TP [ S ] [ T(+EPP,uNum:sg) ] [ [ VP V [ TR[-wh] ] [ TR[DP] ] ] ] ] ] ]",
        {},
        True,
    ),
    (
        "[ CP MOV[+wh] [ S ] [ C(+wh) ] [ [ TP [ S [-wh] ] [ T(+EPP,uNum:sg) ] [ [ VP V [ TR[-wh] ] [ S ] ] ] ] ] ]",
        {},
        True,
    ),
    ("[ CP MOV[+wh] [ S ] [ C ] [ [ TP [ S ] [ T(+EPP,uNum:sg) ] [ [ VP V [ TR[-wh] ] [ TR[DP] ] ] ] ] ] ]", {}, False),
    ("[ CP [ C ] [ [ TP [ T(uNum:sg) ] [ [ VP V [ S ] [ P ] ] ] ] ] ]", {"t_epp": False}, False),
    ("[ CP [ C ] [ [ TP [ T(uNum:sg) ] [ [ VP V [ S ] [ P ] ] ] ] ] ]", {"t_epp": False, "agree_match_ratio": 0}, True),
    ("[ CP [ C ] [ [ TP [ T(uNum:pl) ] [ [ VP V [ S ] [ P ] ] ] ] ] ]", {"t_epp": False, "agree_match_ratio": 0}, True),
    ("[ CP [ C ] [ [ TP [ T(uNum:u) ] [ [ VP V [ S ] [ S ] ] ] ] ] ]", {"t_epp": False, "enable_agree": False}, True),
    ("C T(uNum:sg) V D N DP[Num:sg] D N DP[Num:sg]", {"t_epp": False, "enable_merge": False}, True),
    ("C [ D N DP[Num:sg] ] T(+EPP,uNum:sg) V TR[DP] D N DP[Num:sg]", {"enable_merge": False}, True),
    ("C [ D N DP[Num:sg] ] T(+EPP,uNum:sg) V TR[DP]", {"enable_merge": False}, False),
]


@pytest.mark.parametrize(("text", "parameters", "right"), CLAUSES, ids=str)
def test_clause_by_hand(text, parameters, right):
    for letter, number in (("S", "sg"), ("P", "pl")):
        text = text.replace(f" {letter} ", f" [ DP[Num:{number}] [ D ] [ N ] ] ")
    task = hp.task("mp_struct", **parameters)
    ids = [task.symbols.index(word) for word in text.split()]
    assert task.accepts(ids) == task.accepts(np.array(ids)) == task.accepts(ids * 3) == right
    assert not task.accepts(ids[:-1])
    assert hp.task("mp_struct", length=len(ids) - 1, **parameters).accepts(ids[:-1]) >= right


def test_a_moved_phrase_keeps_its_noun():
    """The copy of a subject in TP, and the one in CP, are the same phrase."""
    text = (
        "[ CP MOV[+wh] [ [ DP[Num:sg] [ D(the) ] [ N(cat) ] ] ] [ C(+wh) ] [ [ TP "
        "[ [ DP[Num:sg] [ D(the) ] [ N(cat) ] ] [-wh] ] [ T(+EPP,uNum:sg) ] "
        "[ [ VP V(see) [ TR[-wh] ] [ [ DP[Num:sg] [ D(the) ] [ N(dog) ] ] ] ] ] ] ] ]"
    )
    task = hp.task("mp_struct", strip_lexical=False)
    ids = [task.symbols.index(word) for word in text.split()]
    assert task.accepts(ids)
    other = [task.symbols.index(word) for word in text.replace("N(cat)", "N(man)", 1).split()]
    assert not task.accepts(other)


def test_a_row_agrees_or_does_not():
    task = hp.task("mp_struct", t_epp=False, agree_match_ratio=0.5, p_wh_goal=0, p_c_wh=0, length=300)
    rows = task.sample(np.random.default_rng(0), 500)[0].tolist()
    same = []
    for row in rows:
        numbers = [token for token in row if task.symbols[token].startswith("DP")]
        pairs = {one == other for one, other in zip(numbers[::2], numbers[1::2], strict=False)}
        assert len(pairs) == 1
        same += pairs
    assert 200 < sum(same) < 300
    one, other = (
        next(row for row in rows if same[rows.index(row)]),
        next(row for row in rows if not same[rows.index(row)]),
    )
    size = len(task.derivations(one)[0])
    assert size == len(task.derivations(other)[0]) and not task.accepts(one[:size] + other[size:])


def test_core_by_hand():
    task = hp.task("mp_struct_core", length=200)
    stays = "[0 [0 ]0 [0 HEAD_CP ]0 [0 [0 (2 P ]0 [0 HEAD_TP )2 ]0 [0 [0 P ]0 [0 ]0 [0 HEAD_VP ]0 ]0 ]0 ]0"
    moves = "[0 [0 [0 (3 P ]0 ]0 [0 HEAD_CP (1 ]0 [0 [0 ]0 [0 HEAD_TP )3 ]0 [0 [0 )1 ]0 [0 HEAD_VP ]0 [0 P ]0 ]0 ]0 ]0"
    for text, right in (
        (stays, True),
        (moves, True),
        (f"{stays} {moves}", True),
        (stays.replace(")2", ")3"), False),
        (moves.replace("(1 ", ""), False),
        (moves.replace(")1 ", ""), False),
    ):
        ids = [task.symbols.index(word) for word in text.replace(" P ", " [0 (4 ]0 [0 )4 ]0 ").split()]
        assert task.accepts(ids) == right, text
    symbols = "[0 (1 (2 (3 (4 ]0 )1 )2 )3 )4 HEAD_CP HEAD_TP HEAD_VP LEAF"
    assert " ".join(hp.task("mp_struct_core").symbols) == symbols


@pytest.mark.parametrize(("name", "parameters"), [*SETTINGS, ("mp_struct", {"strip_lexical": False})], ids=str)
def test_contract(name, parameters):
    check_task(hp.task(name, **parameters))


@pytest.mark.parametrize(
    ("name", "parameters", "message"),
    [
        ("mp_struct-1", {}, "mp_struct: length must be an integer >= 2, got 1"),
        ("mp_struct", {"p_wh_goal": 1.2}, "mp_struct: p_wh_goal must be a number in 0..1, got 1.2"),
        ("mp_struct", {"t_epp": "yes"}, "mp_struct: t_epp must be true or false, got 'yes'"),
        ("mp_struct", {"p_wh": 0.2}, "mp_struct: unknown parameter 'p_wh'"),
        ("mp_struct_core", {"k_dep": 3}, "mp_struct_core: k_dep must be an integer in 4..1024, got 3"),
        ("mp_struct_core", {"k_struct": 0}, "mp_struct_core: k_struct must be an integer in 1..1024, got 0"),
    ],
    ids=str,
)
def test_bad_input_is_refused_in_one_line(name, parameters, message):
    with pytest.raises(ValueError) as refusal:
        hp.task(name, **parameters)
    assert message in str(refusal.value) and "\n" not in str(refusal.value)

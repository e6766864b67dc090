"""Physics of language models, part 4.1: golden rows of facebookresearch/PhysicsLM4 at 7580696, and distributions."""

import collections
import itertools
import json
import random
import re

import numpy as np
import pytest
import scipy.stats
from support import references_physics as references
from support.running import TESTS

import hf_procedural as hp
from hf_procedural.tasks import check_task, physics
from hf_procedural.tasks.physics_grammar import ends_of, rules_of
from hf_procedural.tasks.physics_grammars import GRAMMARS
from hf_procedural.tasks.physics_graphs import words_of
from hf_procedural.tasks.physics_people import PEOPLE
from hf_procedural.tasks.physics_sentences import SENTENCES

P = 1e-4
ROWS = 1500
OUR_WORDS = {"N": "n", "K": "k", "M": "m", "QA": "qa", "L": "length", "ttype": "operators"}


def golden(name):
    return [json.loads(line) for line in (TESTS / "golden" / f"{name}.jsonl").read_text().splitlines()]


def tokens_of(row) -> list[int]:
    return [int(token) for token in row if token]  # in all five, 0 is <pad>


def rows_of(task, n=ROWS, seed=0) -> list[list[int]]:
    return [tokens_of(row) for row in task.sample(np.random.default_rng(seed), n)[0]]


def assert_alike(ours: dict, theirs: dict):
    """The same statistics, each a list of numbers: few different ones as a table, more by their distribution."""
    assert ours.keys() == theirs.keys() and len(ours) > 2
    for name, values in ours.items():
        if len({*values, *theirs[name]}) == 1:
            continue
        different = sorted({*values, *theirs[name]})
        if len(different) <= 30:
            counts = [collections.Counter(values), collections.Counter(theirs[name])]
            table = np.array([[count[value] for value in different] for count in counts])
            rare = table.sum(axis=0) < 10
            table = np.column_stack([table[:, ~rare], table[:, rare].sum(axis=1)])
            p = scipy.stats.chi2_contingency(table[:, table.sum(axis=0) > 0]).pvalue
        else:
            p = scipy.stats.ks_2samp(values, theirs[name], method="asymp").pvalue
        assert p > P, (name, p)


def gathered(statistics) -> dict[str, list]:
    """The statistics of each row, a number or several, as one list for each."""
    lists = collections.defaultdict(list)
    for row in statistics:
        for name, value in row.items():
            lists[name] += value if isinstance(value, list) else [value]
    return lists


# ---------------------------------------------------------------- golden rows


@pytest.mark.parametrize("name", ["mano", "depo", "brevo"])
def test_golden_rows(name):
    rows = golden(name)
    assert len(rows) >= 72
    for row in rows:
        derived = ("seed", "depth", "bos_token_id")
        parameters = {OUR_WORDS.get(key, key): value for key, value in row["params"].items() if key not in derived}
        task = hp.task(name, **parameters)
        input_ids = np.full(task.max_length, task.pad_id, np.int32)
        labels = np.full(task.max_length, -100, np.int32)
        size = len(row["input_ids"])
        input_ids[:size], labels[:size] = row["input_ids"], row["labels"]
        assert task.is_row(input_ids, labels)
        prompt = task.prompt_of(input_ids, labels)
        answer = row["input_ids"][len(prompt) :]
        assert task.is_answer(prompt, answer) and task.score(prompt, answer) == 1
        assert task.score(task.text(prompt), task.text(answer)) == 1
        if name != "brevo":
            assert task.solve(prompt) == answer
        assert not task.is_answer(prompt, answer[:-1]) and task.score(prompt, [*answer[:-1], 1]) < 1
        wrong = input_ids.copy()
        wrong[size - 1 - (name == "brevo")] += 1
        assert not is_row(task, wrong, np.where(labels == -100, -100, wrong))


def is_row(task, input_ids, labels) -> bool:
    try:
        return task.is_row(input_ids, labels)
    except (ValueError, KeyError):
        return False


def test_golden_grammars_and_words():
    grammars = {row["params"]["grammar"]: row for row in golden("lano_grammar")}
    assert {*GRAMMARS} < {*grammars}
    rules = {}
    for name, row in grammars.items():
        rules[name] = {int(symbol): sides for symbol, sides in row["rules"].items()}
        if name in GRAMMARS:
            assert rules_of(name) == (rules[name], len(row["params"]["terminals"]))
            assert hp.task("lano", grammar=name).eos_id == row["params"]["eos"]
    verdicts = collections.Counter()
    for row in golden("lano"):
        name, word, truth = row["params"]["grammar"], row["input_ids"], row["params"]["in_language"]
        assert ends_of(word, rules[name])[0] == truth
        if name in GRAMMARS:
            task = hp.task("lano", grammar=name)
            assert task.accepts(word) == task.accepts([*word, task.eos_id]) == truth
            verdicts[truth] += 1
    assert verdicts == {True: 22}


def test_golden_biographies():
    """What the reference's function says of our people is a row of ours, word for word."""
    rows = golden("capo")
    assert len(rows) == 48
    for row in rows:
        params, person = row["params"], row["person"]
        options = {"people_seed": params["people_seed"], "reverse_md": params["reverse_md"]}
        task = hp.task("capo", n=params["n"], company_first=params["order"] == 1, **options)
        names = [person[f"{part}_name"] for part in ("first", "middle", "last")]
        assert task.text(task.name_of(person["id"])).split() == names
        known = ("birthcity", "university", "field", "company1city", "company1name")
        values = [task.text(value).replace(" ,", ",") for value in task.values_of(person["id"])]
        assert values[1:] == [person[part] for part in known]
        text = spelt(row["text"], [" ".join(names), *values])
        input_ids = task.ids(f"<bos> {text} <eos>")
        assert task.targets(input_ids)[1 : text.count(" ") + 3] == [*input_ids[1 : text.count(" ") + 3]]
        labels = np.array(task.targets(input_ids))
        assert is_row(task, input_ids, labels)
        assert not is_row(
            hp.task("capo", n=params["n"], company_first=params["order"] == 0, **options), input_ids, labels
        )
        assert not is_row(hp.task("capo", n=params["n"], people_seed=7), input_ids, labels)


def spelt(text: str, values: list[str]) -> str:
    """A text with its marks of punctuation as words of their own, but for the full stops of values."""
    of_values = "|".join(re.escape(value) for value in sorted(values, key=len, reverse=True))
    pieces = re.findall(rf"{of_values}|'s(?!\w)|[\w'-]*\w|[.,]", text)
    return " ".join(piece.replace(",", " ,") if piece in values else piece for piece in pieces)


# ---------------------------------------------------------------- by hand


def words(task, text: str) -> list[int]:
    known = {word: number for number, word in enumerate(task.vocabulary)}
    return [known[word] for word in text.split()]


ANSWERS = [
    ("mano-3", {}, "<bos> <len2> - 4 * 5 6 <ans2>", "20"),
    ("mano-3", {"score_all": False}, "<bos'> <len3'> -' * 4 5 + 6 22 <ans3'>", "15"),
    ("mano-1", {"operators": "d", "value_mod": 7}, "<bos> <len1> / 3 5 <ans1>", "2"),
    ("depo-4", {"k": 4}, "<bos> 1. 2. 3. 1. 2. 3. <next2> 1. <ans> 3. <next1> 2.", "<ans> 3."),
    ("depo-4", {"k": 4}, "<bos> 1. 2. 3. 1. 2. 3. <next4> 1.", "<ans> 2."),
    ("depo-4", {"k": 4, "separator": True}, "<bos> <edge> 1 2. 2 2. <edge> 2 2. 1 2. <next1> 1 2.", "<ans> 2 2."),
    ("brevo-9", {}, "<bos> 1 2 2 3 1 3 8 9 <query> 3", "<ans> 1 2 3 <ans>"),
    ("brevo-9", {"multi": True}, "<bos> 1 2. 4 4. <query> 4 4.", "<ans> 1 2. 4 4. <ans>"),
]


@pytest.mark.parametrize(("name", "parameters", "prompt", "answer"), ANSWERS, ids=lambda value: str(value)[:20])
def test_answer_by_hand(name, parameters, prompt, answer):
    task = hp.task(name, **parameters)
    prompt, answer = words(task, prompt), words(task, answer)
    assert task.solve(prompt) == answer and task.is_answer(prompt, answer)
    assert task.score(prompt, answer) == 1 and task.score(prompt, answer[::-1] + [5]) == 0


def test_any_order_is_right_in_which_parents_come_first():
    task = hp.task("brevo-9")
    prompt = words(task, "<bos> 1 4 2 4 3 5 4 6 <query> 4")
    for order in itertools.permutations("124"):
        right = order[-1] == "4"
        assert task.is_answer(prompt, words(task, f"<ans> {' '.join(order)} <ans>")) == right
        assert task.score(prompt, words(task, f"<ans> {' '.join(order)} <ans>")) == right
    for wrong in ("1 2 4", "<ans> 1 2 4", "<ans> 1 1 2 4 <ans>", "<ans> 1 4 <ans>", "<ans> 3 1 2 4 <ans>", "<ans>", ""):
        assert not task.is_answer(prompt, words(task, wrong))
    with pytest.raises(ValueError, match="go in a circle"):
        task.solve(words(task, "<bos> 1 2 2 1 <query> 2"))


def test_ids_are_those_of_the_reference():
    mano, depo, brevo = hp.task("mano"), hp.task("depo"), hp.task("brevo", multi=True)
    assert words(mano, "<bos> <bos'> + /' <len3> <len3'> <ans3> <ans3'> 22") == [9999, 9998, 1, 8, 30, 31, 34, 35, 5022]
    assert words(depo, "<bos> 3 1. <next16> <ans> <edge>") == [9999, 3, 4, 9016, 9500, 9700]
    assert words(brevo, "<bos> 4 1. <query> <ans>") == [9999, 4, 5, 9997, 9998]
    assert {len(task.vocabulary) for task in (mano, depo, brevo)} == {10_000}
    assert hp.task("lano").vocabulary == ("<pad>", "1", "2", "3", "<eos>")


@pytest.mark.parametrize(
    ("k", "steps"), [(8, [1, 2, 4, 8]), (12, [1, 2, 4, 8, 12]), (32, [1, 2, 4, 8, 16, 32, 24, 32])]
)
def test_steps_of_the_test_form(k, steps):
    assert hp.task("depo", k=k, qa=True).steps == steps
    assert hp.task("depo", k=k).steps == list(range(1, k + 1))


def test_prompts_of_a_row():
    mano = hp.task("mano-2", knowledge_augment=False)
    row = np.array(words(mano, "<bos> <len1> + 1 2 <ans1> 3 <pad> <pad>"))
    labels = np.array(mano.targets(row))
    assert labels.tolist() == [-100, *row[1:7], -100, -100]
    assert mano.prompt_of(row, labels) == row[:6].tolist()
    depo = hp.task("depo-3", k=2, m=2, mini_vocab=3, min_tlen=1, max_tlen=1)
    row = np.array(words(depo, "<bos> 1. 2. 2. 3. 3. 1. <next2> 1. <ans> 3. <next1> 1. <ans> 2."))
    labels = np.array(depo.targets(row))
    assert np.flatnonzero(labels >= 0).tolist() == [9, 10, 13, 14]
    assert depo.prompt_of(row, labels) == row[:13].tolist()


# ---------------------------------------------------------------- distributions


def _of_mano(row) -> dict:
    ops = row[2:-2]
    sizes = [_size(ops, place) for place in range(len(ops))]
    return {
        "size": row[1] // 10,
        "marks": [10 * (row[0] % 2) + row[1] % 10 + row[-2] % 10],
        "first": ops[0],
        "operators": [token for token in ops if token < 5000],
        "values": [token for token in ops if token >= 5000],
        "answer": row[-1],
        "left": sizes[1] + 100 * (len(ops) // 2),
    }


def _size(ops, place) -> int:
    """The operators of the part that begins at a place."""
    waiting, end = 1, place
    while waiting:
        waiting += 1 if ops[end] < 5000 else -1
        end += 1
    return (end - place) // 2


@pytest.mark.parametrize(
    "parameters",
    [{"length": 6}, {"length": 4, "operators": "asmd", "value_mod": 5}, {"length": 3, "knowledge_augment": False}],
    ids=str,
)
def test_mano_is_distributed_as_in_the_reference(parameters):
    options = {"length": 6, "operators": "asm", "value_mod": 23, "knowledge_augment": True} | parameters
    rng = random.Random(0)
    theirs = [references.mano_row(rng, *options.values()) for _ in range(ROWS)]
    task = hp.task("mano", **parameters)
    for row in theirs[:200]:
        assert task.solve(row[:-1]) == row[-1:]
    assert_alike(gathered(map(_of_mano, rows_of(task))), gathered(map(_of_mano, theirs)))


@pytest.mark.parametrize(("operators", "value_mod"), [("asmd", 5), ("d", 3), ("ad", 2)])
def test_the_share_that_divides_by_zero(operators, value_mod):
    rng, wanted = random.Random(0), physics._share_without_a_zero(4, operators, value_mod)

    def value(size):
        if size == 0:
            return rng.randrange(value_mod)
        operator, first = rng.choice(operators), rng.randrange(size)
        a, b = value(first), value(size - 1 - first)
        if a is None or b is None or (operator == "d" and b == 0):
            return None
        return {"a": a + b, "s": a - b, "m": a * b}.get(operator, a * pow(b or 1, -1, value_mod)) % value_mod

    valued = sum(value(4) is not None for _ in range(5000))
    assert scipy.stats.binomtest(valued, 5000, wanted).pvalue > P


def _of_depo(row, vocab) -> dict:
    starts = [place for place, token in enumerate(row) if 9000 < token < 9500]
    edges = words_of([token for token in row[1 : starts[0]] if token != 9700], vocab)
    firsts = edges[::2]
    after = dict(zip(firsts, edges[1::2], strict=True))
    asked = [words_of(row[place + 1 : row.index(9500, place)], vocab)[0] for place in starts]
    places = [firsts.index(word) for word in asked]
    gaps = [firsts.index(after[word]) - place for place, word in enumerate(firsts)]
    return {
        "n": len(firsts),
        "queries": len(starts),
        "steps": [row[place] - 9000 for place in starts],
        "sizes": [len(word) for word in firsts],
        "first size": len(firsts[0]),
        "tokens": [token for word in firsts for token in word],
        "asked": [place / len(firsts) for place in places],
        "different": len({*places}),
        "gaps": gaps[0] % len(firsts),
    }


@pytest.mark.parametrize(
    "parameters",
    [
        {"n": 12, "k": 6},
        {"n": 60, "k": 8, "mini_vocab": 50, "min_tlen": 1, "max_tlen": 2},
        {"n": 9, "k": 32, "qa": True, "separator": True, "m": 4, "mini_vocab": 2, "min_tlen": 1, "max_tlen": 4},
    ],
    ids=str,
)
def test_depo_is_distributed_as_in_the_reference(parameters):
    rng, vocab = random.Random(0), parameters.get("mini_vocab", 3)
    rows = [references.depo_row(rng, **parameters) for _ in range(ROWS // 2)]
    task = hp.task("depo", **parameters)
    for row, answers in rows[:100]:
        labels = [token if answer else -100 for token, answer in zip(row, answers, strict=True)]
        assert task.targets(row) == labels
    theirs = gathered(_of_depo(row, vocab) for row, _ in rows)
    assert_alike(gathered(_of_depo(row, vocab) for row in rows_of(task, ROWS // 2)), theirs)


def _of_brevo(task, row) -> dict:
    end = row.index(9997)
    edges = words_of(row[1:end], 4 if task.multi else 0)
    start = row.index(9998)
    order = words_of(row[start + 1 : -1], 4 if task.multi else 0)
    parents = collections.Counter(edges[1::2])
    children = collections.Counter(edges[::2])
    before = [a for a, b in zip(edges[::2], edges[1::2], strict=True) if b == order[-1]]
    return {
        "edges": len(edges) // 2,
        "nodes": len({*edges}),
        "leaves": len({*edges[::2]} - {*edges[1::2]}),
        "answer": len(order),
        "parents": list(parents.values()),
        "children": list(children.values()),
        "of the query": len(before),
        "place of the query's first": order.index(before[0]) / len(order),
        "spread": max(map(order.index, before)) - min(map(order.index, before)),
        "size": len(order[0]),
        "first": order[0][0],
        "query's edges": (edges[1::2].index(order[-1]) * 20) // len(edges),
    }


@pytest.mark.parametrize("parameters", [{"n": 8}, {"n": 40}, {"n": 20, "multi": True}], ids=str)
def test_brevo_is_distributed_as_in_the_reference(parameters):
    rng, task = random.Random(0), hp.task("brevo", **parameters)
    theirs = [references.brevo_row(rng, **parameters) for _ in range(ROWS)]
    for row in theirs[:200]:
        end = row.index(9998)
        assert task.is_answer(row[:end], row[end:])
    ours = rows_of(task)
    assert_alike(gathered(_of_brevo(task, row) for row in ours), gathered(_of_brevo(task, row) for row in theirs))


def test_orders_of_brevo_are_as_likely_as_in_the_reference():
    """Of three parents of the last of four nodes, with one edge among them."""
    rng, task = random.Random(0), hp.task("brevo", n=4, qa=True)

    def orders(rows):
        for row in rows:
            edges, answer = row[1 : row.index(9997)], row[row.index(9998) + 1 : -1]
            if len(edges) == 10 and len(answer) == 4:  # five edges: who is parent of whom tells the four apart
                first = answer[0]
                yield edges[::2].count(first) * 10 + edges[::2].count(answer[1])

    theirs = (references.brevo_row(rng, 4) for _ in range(12_000))
    ours, theirs = list(orders(rows_of(task, 9000))), list(orders(row for row in theirs))
    assert min(len(ours), len(theirs)) > 300
    different = sorted({*ours, *theirs})
    table = [[sample.count(value) for value in different] for sample in (ours, theirs)]
    assert len(different) == 1 or scipy.stats.chi2_contingency(table).pvalue > P


@pytest.mark.parametrize("grammar", ["cfg3b", "cfg3e1", "cfg3f", "cfg3k"])
def test_lano_is_distributed_as_in_the_reference(grammar):
    rng, task = random.Random(0), hp.task("lano", grammar=grammar, length=4096)
    theirs = [references.lano_word(rng, grammar) for _ in range(400)]
    ours = [word for row in rows_of(task, 80) for word in task._words(row)[:-1]][:400]
    rules, _ = rules_of(grammar)
    assert all(ends_of(word, rules)[0] for word in theirs[:20])

    def statistics(word):
        every = {f"share of {token}": word.count(token) / len(word) for token in range(1, task.eos_id)}
        return every | {"size": len(word), "first": word[0], "last": word[-1], "middle": word[len(word) // 2]}

    assert_alike(gathered(map(statistics, ours)), gathered(map(statistics, theirs)))


def test_a_row_of_lano_begins_a_word_and_ends_amid_one():
    task = hp.task("lano", grammar="cfg3b", length=600)
    rules, _ = rules_of("cfg3b")
    for row in rows_of(task, 30):
        *whole, last = task._words(row)
        assert 1 <= len(whole) <= 3 and all(ends_of(word, rules)[0] for word in whole)
        assert task.accepts(row) and not task.accepts([*row[:50], task.eos_id, *row[51:]])
        assert task.accepts(row[:-1]) == (last == [] or ends_of(last[:-1], rules)[0])  # only a full row ends so


def test_biographies_are_distributed_as_in_the_reference():
    rng, task = random.Random(0), hp.task("capo", n=PEOPLE)
    ours = [task.text(row) for row in task.sample(np.random.default_rng(0), 1500)[0]]
    theirs = []
    for _ in range(1500):
        person = rng.randrange(PEOPLE)
        values = [task.text(value).replace(" ,", ",") for value in task.values_of(person)]
        name = task.text(task.name_of(person))
        text = references.capo_text(rng, name, "She" if person % 2 else "He", values)
        theirs.append(f"<bos> {spelt(text, [name, *values])} <eos>")
    for text in theirs[:100]:
        task.targets(task.ids(text))

    def statistics(text):
        sentences = text.split(" . ")
        firsts = [" ".join(sentence.split()[1:3]) for sentence in sentences[1:6]]
        every = {f"words of {place}": len(sentence.split()) for place, sentence in enumerate(sentences)}
        return every | {f"begin of {place}": first for place, first in enumerate(firsts)} | {"he": "He" in text.split()}

    assert_alike(gathered(map(statistics, ours)), gathered(map(statistics, theirs)))


@pytest.mark.parametrize("permute", [False, True])
def test_wordings_people_and_attributes_are_uniform(permute):
    task = hp.task("capo", n=50, permute=permute, people_seed=3)
    people, wordings, orders = collections.Counter(), collections.Counter(), collections.Counter()
    for row in rows_of(task, 6000):
        told, (_, _) = task.parse(row[:-1])
        people[task.person_of(row[1:4])] += 1
        orders[told[0][0], told[1][0], told[5][0]] += 1
        place = [kind for kind, _, _ in told].index(2)
        sentence = row[told[place - 1][2] :] if place else row
        wordings[tuple(sentence[sentence.index(3) + 2 : told[place][1] - told[place - 1][2]])] += 1
    assert len(people) == 50 and scipy.stats.chisquare([*people.values()]).pvalue > P
    if permute:
        assert len(orders) == 120 and scipy.stats.chisquare([*orders.values()]).pvalue > P
    else:
        assert orders.keys() == {(0, 1, 5)}
        assert len(wordings) >= len({text.partition("*")[0] for text in SENTENCES[2]})


def test_attributes_of_people():
    task = hp.task("capo", n=PEOPLE, people_seed=1)
    people = random.Random(0).sample(range(PEOPLE), 6000)
    for place, number in ((0, 12 * 28 * 200), (1, 200), (2, 300), (3, 100), (5, 263)):
        values = collections.Counter(tuple(task.values_of(person)[place]) for person in people)
        assert len(values) <= number
        if number <= 300:
            assert scipy.stats.chisquare([*values.values(), *[0] * (number - len(values))]).pvalue > P
    cities = {}
    for person in people:
        *_, city, company = map(tuple, task.values_of(person))
        assert cities.setdefault(company, city) == city
    others = hp.task("capo", n=PEOPLE, people_seed=2)
    assert sum(task.values_of(person) == others.values_of(person) for person in people[:500]) == 0


def test_names_differ_and_lead_to_the_person():
    task = hp.task("capo", n=5000, people_seed=9)
    names = [tuple(task.name_of(person)) for person in range(5000)]
    assert len({*names}) == 5000
    assert [task.person_of(name) for name in names[:500]] == list(range(500))
    with pytest.raises(ValueError, match="capo-5000: nobody is called"):
        hp.task("capo", n=5000, people_seed=9).person_of(task.name_of(5000))


@pytest.mark.parametrize("score_all", [True, False])
def test_everyone_is_in_every_split_in_other_words(score_all):
    task = hp.task("capo", n=20, score_all=score_all)
    prompts, people = {}, {}
    for split in ("train", "validation", "test"):
        rows = list(zip(*task.sample_split(np.random.default_rng(5), 400, split), strict=True))
        prompts[split] = {tuple(task.prompt_of(*row)) for row in rows}
        people[split] = {task.person_of(row[0][1:4]) for row in rows}
    assert all(known == set(range(20)) for known in people.values())
    assert all(a.isdisjoint(b) for a, b in itertools.combinations(prompts.values(), 2))


def test_a_biography_that_is_not_so_is_refused():
    task = hp.task("capo", n=30, score_all=False)
    input_ids, labels = (array[0] for array in task.sample(np.random.default_rng(0), 1))
    assert task.is_row(input_ids, labels)
    for place in (1, 5, *np.flatnonzero(labels >= 0)):
        wrong = input_ids.copy()
        wrong[place] = 3 if wrong[place] != 3 else 4
        assert not is_row(task, wrong, np.where(labels == -100, -100, wrong))
    prompt = task.prompt_of(input_ids, labels)
    assert task.score(prompt, task.solve(prompt)) == 1
    with pytest.raises(ValueError, match="no prompt of this task"):
        task.score(prompt[:-1], task.solve(prompt))


# ---------------------------------------------------------------- limits


@pytest.mark.parametrize(
    ("name", "parameters", "reason"),
    [
        ("mano-0", {}, "mano: length must be an integer in 1..498, got 0"),
        ("mano-499", {}, "mano: length must be an integer in 1..498, got 499"),
        ("mano", {"operators": "ma"}, "mano: operators must be letters of asmd in this order"),
        ("mano", {"operators": ""}, "mano: operators must be letters of asmd in this order"),
        ("mano", {"operators": "ad", "value_mod": 24}, "mano: value_mod must be a prime where operators have d"),
        (
            "mano-40",
            {"operators": "d", "value_mod": 2},
            "mano: length must be less with operators=d and value_mod=2, got 40",
        ),
        ("mano", {"value_mod": 4999}, "mano: value_mod must be an integer in 2..4998, got 4999"),
        (
            "depo-65536",
            {"max_tlen": 64, "m": 65536},
            "depo: n must be less with m=65536 and max_tlen=64, got 65536: a row would have 16908289 tokens, more than",
        ),
        ("depo-2", {}, "depo: n must be an integer in 3..65536, got 2"),
        ("depo-100", {"mini_vocab": 2, "min_tlen": 1, "max_tlen": 3}, "depo: n must be at most 14, the words with"),
        ("depo", {"min_tlen": 8}, "depo: min_tlen must be at most max_tlen = 7, got 8"),
        ("depo", {"k": 500}, "depo: k must be an integer in 1..499, got 500"),
        ("brevo-2", {}, "brevo: n must be an integer in 3..9996, got 2"),
        ("brevo-337", {"multi": True}, "brevo: n must be at most 336 with multi, the number of words, got 337"),
        ("lano-cfg3c", {}, "lano: grammar must be one of cfg3b, .*, got 'cfg3c': did you mean cfg3"),
        ("lano", {"length": 1}, "lano: length must be an integer >= 2, got 1"),
        ("capo-0", {}, "capo: n must be an integer in 1..160000000, got 0"),
        ("capo", {"permute": 1}, "capo: permute must be true or false, got 1"),
    ],
    ids=str,
)
def test_refusals(name, parameters, reason):
    with pytest.raises(ValueError, match=reason) as error:
        hp.task(name, **parameters)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("name", "parameters"),
    [
        ("mano-1", {"value_mod": 2, "operators": "m", "knowledge_augment": False}),
        ("mano-498", {"value_mod": 4998, "qa": True}),
        ("depo-3", {"k": 1, "m": 1, "mini_vocab": 3, "min_tlen": 1, "max_tlen": 1}),
        ("depo-14", {"k": 499, "mini_vocab": 2, "min_tlen": 1, "max_tlen": 3, "qa": True}),
        ("brevo-3", {}),
        ("brevo-336", {"multi": True, "qa": True}),
        ("lano-cfg3i", {"length": 2}),
        ("capo-1", {"score_all": False}),
    ],
    ids=str,
)
def test_the_smallest_and_the_largest(name, parameters):
    """Right rows; and splits of their own, or one line that says that there are too few prompts."""
    task = hp.task(name, **parameters)
    assert all(task.is_row(*row) for row in zip(*task.sample(np.random.default_rng(0), 5), strict=True))
    try:
        check_task(task, 5)
    except ValueError as error:
        assert "too few distinct prompts" in str(error)

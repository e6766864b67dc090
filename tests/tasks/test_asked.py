"""Rows that are asked at many places, whose targets may stand apart: all that reads rows takes them."""

import dataclasses

import numpy as np
import pytest
from support.specimens import SPECIMENS, row_of, specimen_id

import hf_procedural as hp
from hf_procedural.data import views
from hf_procedural.data.coded import CodedRows, in_ids
from hf_procedural.rl.prompts import TaskPrompts
from hf_procedural.show import rows as shown
from hf_procedural.tasks import check_task
from hf_procedural.tasks.layouts import Asked

SUM, BLANK, PAD = 10, 11, 12


@dataclasses.dataclass(frozen=True)
class Sums(Asked):
    """``a <sum> b <sum> ...``, then blanks: behind each <sum> is asked for the last digit of the sum so far."""

    name = "sums"
    headline = "length"
    sizes = (3,)
    summary = "add up"
    apart = True

    length: int = hp.integer(3, 1, "numbers")

    @property
    def vocabulary(self):
        return (*map(str, range(10)), "<sum>", "<blank>", "<pad>")

    @property
    def max_length(self):
        return 3 * self.length + 2

    def targets(self, input_ids):
        labels, total = [-100] * self.max_length, 0
        for place, token in enumerate(input_ids[:-1]):
            total += token if token < 10 else 0
            if token == SUM:
                labels[place + 1] = total % 10
        return labels

    def sample(self, rng, n):
        input_ids, labels = self.empty_rows(n)
        input_ids[:] = PAD
        numbers = rng.integers(0, 10, (n, self.length))
        labels[:] = -100
        for number in range(self.length):
            place = 3 * number
            input_ids[:, place] = numbers[:, number]
            input_ids[:, place + 1] = SUM
            input_ids[:, place + 2] = labels[:, place + 2] = BLANK
            labels[:, place + 2] = numbers[:, : number + 1].sum(axis=1) % 10
        input_ids[:, -2] = BLANK
        return input_ids, labels


@dataclasses.dataclass(frozen=True)
class Written(Sums):
    """The same, with the sums in their places."""

    name = "written"
    apart = False

    def targets(self, input_ids):
        return super().targets([token if place % 3 != 2 else BLANK for place, token in enumerate(input_ids)])

    def sample(self, rng, n):
        input_ids, labels = super().sample(rng, n)
        input_ids[:, -2] = PAD
        return np.where(labels == -100, input_ids, labels), labels


@pytest.fixture(params=[Sums, Written])
def asked(request, own_registry):
    hp.register(request.param)
    return hp.task(request.param.name)


ROW = [4, SUM, BLANK, 9, SUM, BLANK, 1, SUM, BLANK, BLANK, PAD]
LABELS = [-100, -100, 4, -100, -100, 3, -100, -100, 4, -100, -100]


def row_in_hand(task):
    if task.apart:
        return ROW, LABELS
    return [4, SUM, 4, 9, SUM, 3, 1, SUM, 4, PAD, PAD], LABELS


def test_the_contract(asked):
    check_task(asked, 100)
    input_ids, labels = row_in_hand(asked)
    assert asked.is_row(input_ids, labels)
    assert [array.tolist() for array in asked.example(input_ids)] == [input_ids, labels]
    prompt, answer = asked.question(input_ids, labels)
    assert (prompt, answer) == (input_ids[:8], [4])
    assert asked.solve(prompt) == [4] and asked.score(prompt, [4]) == 1 and asked.score(prompt, [5]) == 0
    assert asked.solve(input_ids[:2]) == [4]
    wrong = [token if label == -100 else 7 for token, label in zip(input_ids, labels, strict=True)]
    assert asked.apart or not asked.is_row(wrong, labels)


ASKED = [specimen for specimen in SPECIMENS if isinstance(hp.task(specimen[0], **specimen[1]), Asked)]


@pytest.mark.parametrize("specimen", ASKED, ids=specimen_id)
def test_rows_of_no_form_are_none(specimen):
    """With the labels that `targets` has for them, if it has any."""
    task = hp.task(specimen[0], **specimen[1])
    size = task.max_length
    for token in range(min(len(task.vocabulary), 40)):
        row = [token] * size
        assert not task.is_row(row, [-100] * size)
        if token != task.pad_id and not task.name.startswith(("mano", "depo", "capo")):
            assert not task.is_form(row) and not task.is_row(row, task.targets(row))


NO_ROWS = [
    ("word_problem-S3", {"length": 3}, "0 0 <unk> <bos> 1"),
    ("word_problem-S3", {"length": 3}, "<bos> <eos>"),
    ("word_problem-S3", {"length": 3}, "<bos> 0 <pad> 1 <eos>"),
    ("flip_flop-6", {}, "w 1 r 1 w 0"),
    ("flip_flop-6", {}, "w 1 w r r 1"),
    ("mad_selective_copying-40", {}, " ".join(["<copy>"] * 41)),
    ("mad_selective_copying-8", {"num_tokens_to_copy": 2}, "1 <blank> <blank> <blank> 2 <copy> <blank> 1 <blank>"),
    ("mad_compression-3", {}, "1 <blank> <compress> <blank> <blank>"),
    ("mad_compression-3", {}, "1 2 <compress> <blank> 1"),
    ("mad_memorization-9", {"length": 4}, "k1 <insert> v1 <insert> <insert>"),
    ("mad_memorization-9", {"length": 4}, "k1 <insert> k0 <insert> k0"),
    ("mad_in_context_recall-6", {"form": "test"}, "k1 k2 k1 v1 k1 v1"),
    ("mad_in_context_recall-6", {"form": "test"}, "k1 v2 k1 v2 k3 v1"),
    ("mad_in_context_recall-4", {"form": "training", "multi_query": False}, "k1 v2 <copy> v2 k1"),
    ("mad_noisy_in_context_recall-6", {"form": "training"}, "k1 v2 n1 v2 k1 v2"),
    ("mad_fuzzy_in_context_recall-16", {"form": "training"}, "<blank> " * 12 + "k1 v2 <blank> k1 v2"),
    ("mad_fuzzy_in_context_recall-16", {"form": "training"}, "<blank> " * 12 + "k1 k1 v2 v3 v3"),
    ("mano-2", {}, "<bos> <len1> + 1 2 <ans1> 3 <pad> 5"),
    ("mano-2", {"knowledge_augment": False}, "<bos> <len1'> + 1 2 <ans1> 3"),
    ("mano-2", {}, "<bos> <len1> / 1 2 <ans1> 12"),
]


@pytest.mark.parametrize(("name", "parameters", "text"), NO_ROWS, ids=str)
def test_what_stands_otherwise_is_no_row(name, parameters, text):
    task = hp.task(name, **parameters)
    row = task.ids(text).tolist()
    assert not task.is_row(row, task.targets(row))


def test_edges_that_are_no_cycle_are_no_row_of_depo():
    task = hp.task("depo-4", k=2, mini_vocab=4, min_tlen=1, max_tlen=1, m=1)
    for edges, right in (
        ("1. 2. 2. 3. 3. 1.", True),
        ("1. 2. 2. 1. 3. 3.", False),
        ("1. 2. 2. 3. 3. 2.", False),
        ("1. 2. 2. 1.", False),
        ("1. 2. 2. 3. <edge> 3. 1.", False),
    ):
        row = task.ids(f"<bos> {edges} <next1> 1. <ans> 2.").tolist()
        assert task.is_row(row, task.targets(row)) == right, edges


def test_what_is_no_row_of_brevo_raises_nothing():
    task = hp.task("brevo-6")
    input_ids, labels = (rows[0] for rows in task.sample(np.random.default_rng(0), 1))
    nothing = np.full_like(labels, -100)
    assert task.is_row(input_ids, labels)
    assert not task.is_row(np.full_like(input_ids, task.pad_id), nothing)
    assert not task.is_row(np.where(input_ids == 9997, 1, input_ids), labels)
    assert not task.is_row(input_ids, nothing)


def test_check_task_holds_rows_to_the_form(own_registry):
    class Refused(Sums):
        name = "refused"

        def is_form(self, input_ids):
            return input_ids[0] != 3

    with pytest.raises(ValueError, match="refused: is_form refuses a sampled row: 3 <sum>"):
        check_task(Refused())


def test_a_task_that_does_not_say_so_is_refused():
    wrong = dataclasses.make_dataclass("Wrong", [], bases=(Sums,), namespace={"apart": False, "name": "w"}, frozen=True)
    with pytest.raises(ValueError, match="labels must be -100 or equal to input_ids .or apart = True"):
        check_task(wrong())


def test_splits_are_of_what_stands_before_the_last_answer(asked):
    prompts = []
    for split in ("train", "validation", "test"):
        rows = zip(*asked.sample_split(np.random.default_rng(0), 200, split), strict=True)
        prompts.append({tuple(asked.prompt_of(*row)) for row in rows})
    assert not (prompts[0] & prompts[1] or prompts[0] & prompts[2] or prompts[1] & prompts[2])


def test_views(asked):
    row = np.array([row_in_hand(asked)], np.int32)[0]
    pair = views.View(asked, "prompt_completion").table(row[:1], row[1:]).to_pylist()[0]
    prompt = "4 <sum> <blank> 9 <sum> <blank> 1 <sum>" if asked.apart else "4 <sum> 4 9 <sum> 3 1 <sum>"
    assert pair == {"prompt": prompt, "completion": " 4"}
    assert views.View(asked, "text").table(row[:1], row[1:]).to_pylist() == [{"text": f"{prompt} 4"}]
    content = [
        turn["content"] for turn in views.View(asked, "messages").table(row[:1], row[1:]).to_pylist()[0]["messages"]
    ]
    assert content == [prompt, "4"]
    ids = views.View(asked).table(row[:1], row[1:]).to_pylist()[0]
    assert (ids["input_ids"], ids["labels"]) == row_in_hand(asked)


def test_rows_in_place_for_formats_without_labels(asked):
    row = np.array([row_in_hand(asked)], np.int32)[0]
    block = in_ids(asked, row[:1].copy(), row[1:].copy(), padded=False, in_place=True)
    assert np.isin(block.labels, [-100, *block.tokens]).all()
    assert ((block.labels == block.tokens) | (block.labels == -100)).all()
    assert block.tokens.tolist() == (ROW[:8] + [4] if asked.apart else row[0][:9].tolist())
    assert (block.labels != -100).sum() == (1 if asked.apart else 3)
    whole = next(CodedRows(asked, padded=False).read("train", 0, 5))
    assert len(whole.ends) == 5 and (
        asked.apart == bool(((whole.labels != -100) & (whole.labels != whole.tokens)).any())
    )


def test_a_mixture_knows_each_of_its_members_questions(asked):
    mixed = hp.task(f"{asked.name}+sort-4+addition-2", vocab_size=10)
    check_task(mixed, 50)
    rows = list(zip(*mixed.sample(np.random.default_rng(0), 200), strict=True))
    for row in rows:
        (member,) = [member for member in mixed.members if (own := row_of(mixed, member, *row)) and member.is_row(*own)]
        own = row_of(mixed, member, *row)
        assert [mixed.vocabulary[token] for token in mixed.question(*row)[0]] == [
            member.vocabulary[token] for token in member.question(*own)[0]
        ]
        assert mixed.score(*mixed.question(*row)) == 1
        assert shown._read(mixed, *row)[1] == member


def test_shuffled_rows_keep_their_targets(asked):
    plain, shuffled = hp.task(asked.name), hp.task(asked.name, shuffle_tokens=True)
    check_task(shuffled)
    rng = np.random.default_rng(0), np.random.default_rng(0)
    (ids, labels), (mixed_ids, mixed_labels) = plain.sample(rng[0], 50), shuffled.sample(rng[1], 50)
    assert (np.sort(ids) == np.sort(mixed_ids)).all() and (ids != mixed_ids).any()
    assert ((labels == mixed_labels) if asked.apart else (mixed_labels == mixed_ids) | (mixed_labels == -100)).all()


def test_prompts_for_reinforcement_learning(asked):
    for row in TaskPrompts(asked, 0, "train").draw(np.random.default_rng(0), 20):
        assert row["answer_length"] == 1 and row["begun"] == []
        assert asked.score(row["prompt_ids"], asked.solve(row["prompt_ids"])) == 1


def test_drawn(asked, capsys):
    shown.show(asked, *(np.array([part]) for part in row_in_hand(asked)))
    drawn = " ".join(capsys.readouterr().out.split())
    if asked.apart:
        assert (
            "3 targets, which are not in the row" in drawn and "below a token stands what is to be predicted" in drawn
        )
        assert drawn.endswith("target 4 3 row <blank> <blank> target 4")
    else:
        assert drawn.count("^") == 4  # and one in the legend


@pytest.mark.parametrize("others", ["mano-3+sort-5", "mad_in_context_recall-16+sort-5", "word_problem-Z3+mano-3"])
@pytest.mark.parametrize("turned", [False, True])
def test_a_mixture_cuts_rows_as_their_members_do(others, turned):
    names = others.split("+")[::-1] if turned else others.split("+")
    mixed = hp.task("+".join(names))
    for split in ("train", "validation"):
        for row in zip(*mixed.sample_split(np.random.default_rng(0), 100, split), strict=True):
            prompt, answer = mixed.question(*row)
            assert mixed.score(prompt, answer) == 1
            readings = [(member, row_of(mixed, member, *row)) for member in mixed.members]
            cuts = [
                len(member.question(*own)[0]) for member, own in readings if own is not None and member.is_row(*own)
            ]
            assert len(prompt) in cuts


def test_the_order_of_members_does_not_move_what_is_asked():
    """Where two of them have ends of prompts of their own."""
    one, other = "addition-2", "filled_set-20"
    for names in (f"{one}+{other}", f"{other}+{one}"):
        mixed = hp.task(names, **{"filled_set.score_all": True, "filled_set.vocab_size": 30})
        for row in zip(*mixed.sample(np.random.default_rng(0), 100), strict=True):
            last = mixed.vocabulary[mixed.question(*row)[0][-1]]
            assert last == ("=" if mixed.vocabulary.index("=") in row[0] else "<sep>")


def test_targets_that_happen_to_stand_in_their_places_stay_when_rows_are_shuffled():
    plain, shuffled = hp.task("word_problem-Z2"), hp.task("word_problem-Z2", shuffle_tokens=True)
    (ids, labels), (_, kept) = (task.sample(np.random.default_rng(0), 300) for task in (plain, shuffled))
    assert ((labels == ids) & (labels != -100)).any() and (labels == kept).all()


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (("sort-4", {"vocab_size": 5}), ("chomsky-bucket_sort", {"length": 4, "min_length": 4})),
        (("chomsky-parity_check", {"length": 8, "min_length": 8}),) * 2,
        (("set-8", {"vocab_size": 4}), ("filled_set-12", {"vocab_size": 4})),
    ],
    ids=["sort", "blanks", "set"],
)
def test_no_prompt_is_in_two_splits_whatever_the_task(one, other):
    """Equal prompts of different tasks, or layouts, are in one split."""
    (name, own), (second, others) = one, other
    tasks = hp.task(name, **own), hp.task(second, **others, **({"blanks": True} if name == second else {}))
    prompts = []
    for task in tasks:
        by_split = {}
        for split in ("train", "validation", "test"):
            rows = zip(*task.sample_split(np.random.default_rng(0), 1000, split), strict=True)
            by_split[split] = {" ".join(task.vocabulary[token] for token in task.prompt_of(*row)) for row in rows}
        prompts.append(by_split)
    assert prompts[0]["train"] & prompts[1]["train"]
    for split, there in prompts[0].items():
        for another, here in prompts[1].items():
            assert split == another or not there & here

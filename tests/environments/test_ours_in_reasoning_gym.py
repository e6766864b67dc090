"""Our tasks as data sets of reasoning-gym, run by its own factory, composites, curricula and experiments."""

import json
import pickle
import random
import subprocess
import sys

import pytest

import hf_procedural as hp
from hf_procedural.environments import Questions

gym = pytest.importorskip("reasoning_gym", reason="needs pip install 'hf-procedural[reasoning-gym]'")
from reasoning_gym.coaching import CurriculumAttributeConfig, CurriculumExperimentConfig  # noqa: E402
from reasoning_gym.coaching.experiment import CurriculumExperiment  # noqa: E402
from reasoning_gym.composite import CompositeConfig, CompositeDataset, DatasetSpec  # noqa: E402
from reasoning_gym.dataset import ReseedingDataset  # noqa: E402
from reasoning_gym.factory import CURRICULA, DATASETS, create_curriculum  # noqa: E402

from hf_procedural.environments import reasoning_gym as ours  # noqa: E402

NAMES = [name for name in hp.list_tasks() if name != "reasoning_gym"]
CREATED = {
    "sort": {"length": 8},
    "stack": {"length": 6},
    "addition": {"digits": 3},
    "chomsky": {"task": "parity_check", "length": 12},
    "lime": {"mode": "induct"},
    "clrs": {"algorithm": "insertion_sort", "lengths": 4},
}


def create(name, **parameters):
    return gym.create_dataset(f"hf_procedural.{name}", **{"seed": 1, "size": 5} | parameters)


def said_of(answer: str, words: list[str], chance: random.Random) -> str:
    """A completion: right, or wrong, malformed or empty, with text around it or not."""
    tokens = answer.split()
    kind = chance.randrange(6)
    if kind == 1:
        chance.shuffle(tokens)
    elif kind == 2:
        tokens[chance.randrange(len(tokens))] = chance.choice(words)
    elif kind == 3:
        tokens = chance.choices([*words, "what", "", "\\", "<eos>", "٣"], k=chance.randrange(6))
    elif kind == 4:
        tokens = []
    text = chance.choice([" ", ", ", "\n"]).join(tokens)
    return chance.choice(
        ["{}", "\\boxed{{{}}}", "<think>{}", "The answer is {}.", "<answer>{}</answer>", "[{}]"]
    ).format(text)


@pytest.mark.parametrize("name", CREATED)
def test_scores_are_those_of_the_task(name):
    data = create(name, **CREATED[name])
    graded = create(name, **CREATED[name], graded=True, strict=True)
    task, chance, scores = data.task, random.Random(3), set()
    for item in data:
        prompt = item["metadata"]["prompt"]
        assert data.score_answer(item["answer"], item) == 1 and data.score_answer(None, item) == 0
        for _ in range(40):
            said = said_of(item["answer"], list(task.vocabulary), chance)
            scores.add(data.score_answer(said, item))
            assert data.score_answer(said, item) == task.score(prompt, said)
            assert graded.score_answer(said, item) == task.score(prompt, said, graded=True, strict=True)
    assert scores == {0.0, 1.0}


def test_items_are_the_questions_of_a_split():
    data = create("sort", length=8)
    questions = Questions("sort-8", seed=1)
    assert [item["question"] for item in data] == [questions[number].text for number in range(5)]
    item = json.loads(json.dumps(data[3]))
    assert item["metadata"]["source_dataset"] == "hf_procedural.sort" and item["metadata"]["source_index"] == 3
    assert item["metadata"]["difficulty"] == {"length": 8}
    assert gym.get_score_answer_fn("hf_procedural.sort")(item["answer"], item) == 1  # of a data set of other parameters
    assert pickle.loads(pickle.dumps(data))[4] == data[4]


def test_no_item_is_in_two_splits_or_of_two_seeds():
    prompts = [
        {item["metadata"]["prompt"] for item in create("sort", length=8, size=300, **which)}
        for which in ({}, {"seed": 2}, {"split": "validation"}, {"split": "test"})
    ]
    assert [len(each) for each in prompts] == [300] * 4 and len(set.union(*prompts)) == 1200
    endless = ReseedingDataset(create("sort", length=8), chunk_size=5)
    seen = [next(endless)["metadata"]["prompt"] for _ in range(20)]
    assert len({*seen}) == 20


def test_every_task_is_registered_and_languages_say_that_they_have_no_questions():
    assert {f"hf_procedural.{name}" for name in NAMES} == {name for name in DATASETS if name.startswith("hf_")}
    for name in NAMES:
        if not hasattr(hp.tasks.task_class(name), "solve"):
            with pytest.raises(
                ValueError, match=f"^hf_procedural.{name} is a language: it has no questions, for every"
            ):
                create(name)
    before = len(DATASETS)
    ours.register()
    assert len(DATASETS) == before


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"length": 0}, "sort: length must be an integer >= 1, got 0"),
        ({"size": 0}, "hf_procedural.sort: size must be an integer >= 1, got 0"),
        ({"split": "tset"}, "split must be one of train, validation, test, got 'tset'"),
        ({"template": "no.txt"}, "template no.txt"),
    ],
)
def test_mistakes_are_told_in_one_line(parameters, message):
    with pytest.raises(ValueError, match=f"^{message}") as told:
        create("sort", **parameters)
    assert "\n" not in str(told.value)


def test_a_composite_with_theirs():
    specs = [
        DatasetSpec("hf_procedural.sort", 1.0, {"length": 6}),
        DatasetSpec("hf_procedural.stack", 1.0, {"length": 6}),
        DatasetSpec("gcd", 1.0, {}),
    ]
    data = CompositeDataset(CompositeConfig(size=30, seed=5, datasets=specs))
    items = list(data)
    assert len({item["metadata"]["source_dataset"] for item in items}) == 3
    assert all(data.score_answer(item["answer"], item) == 1 for item in items)
    assert [item["question"] for item in data] == [item["question"] for item in items]


@pytest.mark.parametrize("name", ["sort", "addition", "chomsky", "flip_flop"])
def test_a_curriculum_makes_prompts_longer(name):
    curriculum = create_curriculum(f"hf_procedural.{name}")
    [attribute] = curriculum.attributes.values()
    assert attribute.levels == sorted({*attribute.levels}) and len(attribute.levels) >= 3
    sizes = []
    for _ in range(3):
        config = curriculum.generate_configuration({"seed": 0, "size": 20})
        data = DATASETS[f"hf_procedural.{name}"][0](config)
        sizes.append(sum(len(item["metadata"]["prompt"]) for item in data))
        curriculum.increment_global_level()
    assert sizes == sorted({*sizes})


def test_an_experiment_raises_the_length():
    config = CurriculumExperimentConfig({"hf_procedural.sort": CurriculumAttributeConfig({"*": 1})})
    experiment = CurriculumExperiment("sorting", config, size=10, seed=2)
    item = experiment.get_dataset_entry(0)
    assert experiment.score_answer_with_id(item["answer"], item["metadata"]["entry_id"]) == 1
    before = item["metadata"]["difficulty"]["length"]
    experiment.update_difficulty("hf_procedural.sort", "increment")
    assert experiment.get_dataset_entry(0)["metadata"]["difficulty"]["length"] > before
    assert "hf_procedural.lime" not in CURRICULA  # whose headline is a word


def test_without_the_package_the_line_says_what_to_install():
    code = "import sys; sys.modules['reasoning_gym'] = None; import hf_procedural.environments.reasoning_gym"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stderr.splitlines()[-1].startswith(
        "ImportError: this needs reasoning-gym: pip install 'hf-procedural[reasoning-gym]'"
    )

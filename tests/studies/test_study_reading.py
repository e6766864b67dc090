"""What a study's YAML may hold; what is wrong in it ends with one line, and nothing is written."""

import pytest
import yaml
from support.studies import Quick, state_of

from hf_procedural.studies import reading

SORT = "{recipe: pretrain, task: sort-8, max_steps: 10}"
A = "\n    recipe: pretrain\n    max_steps: 10\n"
TASK = A + "    task: sort-8\n"


def _stages(*stages: str) -> str:
    return "stages:\n" + "".join(f"  {name}:{rest}" for name, rest in zip("abcdef", stages, strict=False))


WRONG = {
    "stages begin from each other: a -> b -> a": _stages(TASK + "    init_from: b\n", TASK + "    init_from: a\n"),
    "stage a begins from itself": _stages(TASK + "    init_from: attn=a\n"),
    "stage b: init_from warmpu: 'warmpu' is no stage and no folder: did you mean warmup?": (
        f"stages:\n  warmup:{TASK}  b:{TASK}    init_from: [scratch, warmpu]\n"
    ),
    "stage b: init_from a/srot-8: no arm of a has such a name: did you mean sort-8? (its arms: sort-8, set-8)": (
        _stages(A + "    task: [sort-8, set-8]\n", TASK + "    init_from: a/srot-8\n")
    ),
    "stage a: init_from there/none: 'there/none' is no stage and no folder": (
        _stages(TASK + "    init_from: there/none\n")  # which a repository of the Hub might be, if there were no there
    ),
    "stage a: unknown key 'max_stepz': did you mean max_steps?": _stages(TASK + "    max_stepz: 3\n"),
    "stage a: unknown key 'controlz': did you mean controls?": _stages(TASK + "    controlz: permuted\n"),
    "stage a: unknown key 'lenght': did you mean length?": _stages(TASK + "    lenght: 3\n"),
    "stage a: unknown key 3": _stages(TASK + "    3: 4\n"),
    "study.yaml: unknown key 'stagez': did you mean stages?": "stagez: {}\n",
    "stage a, learning_rate-hot: argument --learning_rate: invalid float value: 'hot'": (
        _stages(TASK + "    learning_rate: [1e-3, hot]\n")
    ),
    "stage a, run: learning_rate must be at least 0, got -1.0": _stages(TASK + "    learning_rate: -1\n"),
    "stage a, run: argument --max_steps: invalid int value: 'many'": (
        "stages: {a: {recipe: pretrain, task: sort-8, max_steps: many}}"
    ),
    "stage a, srot-8: unknown task 'srot': did you mean sort": _stages(A + "    task: [sort-8, srot-8]\n"),
    "stage a, length-0: sort: length must be an integer >= 1, got 0": _stages(
        A + "    task: sort\n    length: [8, 0]\n"
    ),
    "stage a, run: task is missing": _stages(A),
    "stage a: recipe must be one of": "stages: {a: {recipe: pretrian, task: sort-8}}",
    "got 'pretrian': did you mean pretrain?": "stages: {a: {recipe: pretrian, task: sort-8}}",
    "stage a: recipe must be one of pretrain, probe": "stages: {a: {task: sort-8}}",
    "stage a: recipe report cannot be a stage": "stages: {a: {recipe: report}}",
    "seeds must be different whole numbers from 0 on, got [0, 'a']": f"seeds: [0, a]\nstages: {{a: {SORT}}}",
    "study.yaml: seeds must be different whole numbers from 0 on, got [0, 0]": f"seeds: [0, 0]\nstages: {{a: {SORT}}}",
    "study.yaml: seeds must be different whole numbers from 0 on, got []": f"seeds: []\nstages: {{a: {SORT}}}",
    "stage a: seeds must be different whole numbers from 0 on, got -1": _stages(TASK + "    seeds: -1\n"),
    "stage b: seed 2 would begin from a/run, whose seeds are 0 1": (
        "seeds: [0, 1]\n" + _stages(TASK, TASK + "    seeds: [2]\n    init_from: a\n")
    ),
    "--seeds: seeds must be different whole numbers from 0 on, got [0, 0]": _stages(TASK),
    "stage b: init_from must be a name of a stage, a folder or of the Hub, got 1": _stages(
        TASK, TASK + "    init_from: [a, 1]\n"
    ),
    "stage a: init_from must be a name of a stage, a folder or of the Hub, got {'a': 1}": _stages(
        TASK + "    init_from: {a: 1}\n"
    ),
    "stage b: model_name_or_path must be a name of a stage, a folder or of the Hub, got True": _stages(
        TASK, "\n    recipe: evaluate\n    tasks: [sort-8]\n    model_name_or_path: [a, true]\n"
    ),
    "stage b: model_name_or_path warmpu is no stage and no file: did you mean warmup? (call": (
        f"stages:\n  warmup:{TASK}  b:\n    recipe: evaluate\n    tasks: [sort-8]\n"
        "    model_name_or_path: [warmup, warmpu]\n"
    ),
    "stage b: dataset warmpu is no stage and no file: did you mean warmup?": (
        f"stages:\n  warmup:{TASK}  b:\n    recipe: semantic\n    dataset: [stdlib, warmpu]\n    max_steps: 3\n"
    ),
    "stage diagnosis has the name of a folder of the report: choose another": f"stages: {{diagnosis: {SORT}}}",
    "stage a: two arms have the name sort-8": _stages(A + "    task: [sort-8, sort-8]\n"),
    "stage a: task is an empty list, which is no arm": _stages(A + "    task: []\n"),
    "stage a: matched arms are for those that begin from a stage": _stages(TASK + "    matched: compute_matched\n"),
    "stage b: matched must be among compute_matched": _stages(TASK, TASK + "    init_from: a\n    matched: compute\n"),
    "stage b: the tokens of b/a_run/seed_0 are not known before it has run": _stages(
        TASK, "\n    recipe: rlvr\n    task: sort-8\n    max_steps: 3\n    init_from: a\n    matched: compute_matched\n"
    ),
    "stage b: substitutive: the warm-up of b/a_run/seed_0, 1,360 tokens, leaves less than a step of 1,360": (
        _stages(TASK, TASK + "    init_from: a\n    matched: substitutive\n")
    ),
    "stage a_natural has the name of natural warm-ups of a": (
        f"stages:\n  w:{TASK}  a:{TASK}    init_from: w\n    matched: natural\n  a_natural:{TASK}"
    ),
    "stage a: controls are of arms that begin from a stage": _stages(TASK + "    controls: permuted\n"),
    "stage b: controls are of arms that begin from a stage, and init_from names only controls": _stages(
        TASK, TASK + "    init_from: 'attn=permuted:a'\n    controls: statistics\n"
    ),
    "got 'premuted': did you mean permuted?": _stages(TASK, TASK + "    init_from: a\n    controls: premuted\n"),
    "stage a: resources must be a mapping of names to values, got 3": _stages(TASK + "    resources: 3\n"),
    "stage a: resources: gpu must be a whole number of at least 0": _stages(TASK + "    resources: {gpu: two}\n"),
    "stage a: resources: threads must be a whole number of at": _stages(TASK + "    resources: {threads: 0}\n"),
    "stage a: resources: mem_mb must be a number or a word, got [1]": _stages(TASK + "    resources: {mem_mb: [1]}\n"),
    "stage a: resources: 'a b' is no name of a resource": _stages(TASK + "    resources: {a b: 1}\n"),
    "stage a: launch: accelerate launch has no --num_procesess: did you mean num_processes?": (
        _stages(TASK + "    launch: {num_procesess: 2}\n")
    ),
    "stage a: launch: num_processes must be a whole number of at": _stages(TASK + "    launch: {num_processes: two}\n"),
    "stage a: launch: config_file must be a single value": _stages(TASK + "    launch: {config_file: [1]}\n"),
    "study.yaml: stages must be a mapping of names to stages, got 3": "stages: 3",
    "study.yaml: stages must be a mapping of names to stages, got {}": "stages: {}",
    "study.yaml: stages must be a mapping of names to stages, got None": "seeds: 3",
    "stage a must be a mapping of keys to values, got 3": "stages: {a: 3}",
    "stage a/b: a stage's name is of letters": f"stages: {{a/b: {SORT}}}",
    "study.yaml: name must be of letters": f"name: a/b\nstages: {{a: {SORT}}}",
    "study.yaml: output_dir must name a folder, got [1]": f"output_dir: [1]\nstages: {{a: {SORT}}}",
    "stage a: output_dir is the study's": _stages(TASK + "    output_dir: x\n"),
    "stage a: seed is the study's": _stages(TASK + "    seed: 3\n"),
    "stage a: push_to_hub: all runs would be one repository": _stages(TASK + "    push_to_hub: true\n"),
    "pretrain has no settings 'quickstrat': did you mean quickstart?": (
        "stages: {a: {recipe: pretrain, settings: quickstrat}}"
    ),
    "study.yaml is not valid YAML": "stages: [",
    "study.yaml must hold keys and values": "",
    "the key 'a' stands twice": f"stages:\n  a: {SORT}\n  a: {SORT}\n",
}


@pytest.mark.parametrize("line", WRONG)
def test_what_is_wrong_is_told_in_a_line_and_nothing_is_written(line, tmp_path, monkeypatch, capsys):
    quick = Quick(tmp_path, WRONG[line])
    (tmp_path / "there").mkdir()
    before = state_of(tmp_path)
    words = ["--seeds", "0", "0"] if line.startswith("--seeds") else []
    code, _, error = quick.here(monkeypatch, capsys, *words)
    assert code == 2 and error.count("\n") == 1 and line in error
    assert state_of(tmp_path) == before


def test_a_yaml_that_is_not_there_has_its_nearest(tmp_path, monkeypatch, capsys):
    quick = Quick(tmp_path)
    (tmp_path / "study.yaml").rename(tmp_path / "stduy.yaml")
    code, _, error = quick.here(monkeypatch, capsys)
    assert code == 2 and "no configuration file study.yaml: did you mean stduy.yaml?" in error


def _read(tmp_path, content: str, **more) -> reading.Study:
    (tmp_path / "study.yaml").write_text(content)
    return reading.read(tmp_path / "study.yaml", **more)


def test_lists_are_arms_where_the_recipe_takes_one_value(tmp_path):
    content = "task: [sort, set]\n    length: [8, 16]\n    vocab_size: 20\n    report_to: [none]\n    max_steps: 3\n"
    stage = _read(tmp_path, f"stages:\n  a:\n    recipe: pretrain\n    {content}").stages["a"]
    assert stage.axes == {"task": ["sort", "set"], "task_parameters.length": [8, 16]}
    assert stage.fixed == {"task_parameters": {"vocab_size": 20}, "report_to": ["none"], "max_steps": 3}


def test_stages_stand_behind_those_that_they_begin_from(tmp_path):
    content = _stages(TASK + "    init_from: [scratch, 'attn=b,mlp=c']\n", TASK + "    init_from: c\n", TASK)
    study = _read(tmp_path, content)
    assert [*study.stages] == ["c", "b", "a"]
    assert reading.begins_from(study.stages["a"], study.stages) == {"b", "c"}


def test_controls_stand_beside_arms_that_begin_from_a_stage(tmp_path):
    content = _stages(TASK, TASK + "    init_from: [scratch, a, attn=a]\n    controls: [permuted, statistics]\n")
    values = _read(tmp_path, content).stages["b"].axes["init_from"]
    assert values == ["scratch", "a", "attn=a", "permuted:a", "attn=permuted:a", "statistics:a", "attn=statistics:a"]


@pytest.mark.parametrize(
    ("begins", "more"),
    [
        ('[a, "statistics:a"]', ["permuted:a"]),
        ('["permuted:a", a, attn=a]', ["attn=permuted:a"]),
        ('[a, "attn=permuted:a,mlp=a"]', ["permuted:a"]),
    ],
)
def test_controls_are_not_of_controls_and_stand_there_once(begins, more, tmp_path):
    content = _stages(TASK, TASK + f"    init_from: {begins}\n    controls: permuted\n")
    values = _read(tmp_path, content).stages["b"].axes["init_from"]
    assert values == [*yaml.safe_load(begins), *more]


def test_what_the_command_says_goes_before_the_yaml(tmp_path):
    content = f"seeds: 3\noutput_dir: there\nname: own\nstages: {{a: {SORT}}}"
    study = _read(tmp_path, content)
    assert (study.name, str(study.output), study.stages["a"].seeds) == ("own", "there", [3])
    study = _read(tmp_path, content, output="here", seeds=[1, 2])
    assert (study.name, str(study.output), study.stages["a"].seeds) == ("own", "here", [1, 2])
    assert str(_read(tmp_path, f"stages: {{a: {SORT}}}").output) == "runs/study"


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ("a", [("", "a", "*")]),
        ("a/x*", [("", "a", "x*")]),
        ("attn=a,mlp=permuted:b/y", [("attn=", "a", "*"), ("mlp=permuted:", "b", "y")]),
        ("attn=0.5*a", [("attn=0.5*", "a", "*")]),
        ("scratch", ["scratch"]),
        ("runs/a", ["runs/a"]),
        ("c", ["c"]),
        (3, [3]),
        (None, [None]),
    ],
)
def test_words_that_name_stages(value, words):
    expected = [reading.Reference(*word) if isinstance(word, tuple) else word for word in words]
    assert reading.references(value, {"a": None, "b": None}) == expected

"""What the page is told of rows: they are those of load_dataset, and what is taken along gives them again."""

import html
import io
import json
import re
import shlex

import pytest
from datasets import load_dataset

import hf_procedural as hp
from hf_procedural import cli, terminal
from hf_procedural.data import blocks
from hf_procedural.show.html import lines_html, rows_html
from hf_procedural.show.rows import drawn_rows
from hf_procedural.space import answers, fields, limits, rows
from hf_procedural.tasks import task_class
from hf_procedural.training import catalogue, parser

CHOICES = [  # a task, and what is typed in its controls
    ("sort", {}),
    ("dyck", {"k": 2, "length": 32.0, "max_depth": 4}),
    ("eca", {"width": 11}),
    ("nca", {"states": 4, "grid": 4, "length": 64, "complexity": "null", "rules": None}),
    ("regbench", {"max_num_nodes": 6}),
    ("lime", {"mode": "deduct"}),
    ("word_problem", {"group": "A5", "shuffle_tokens": True}),
    ("chomsky", {"task": "cycle_navigation"}),
]


def looked_at(name: str, values: dict | None = None, split: str = "train", seed: int = 0, row: int = 1) -> dict:
    return rows.look(name, values or {}, split, seed, row, 80)


def plain(markup: str) -> str:
    return html.unescape(re.sub(r"<br>", "\n", re.sub(r"</?(span|pre)[^>]*>", "", markup)))


def test_every_parameter_has_a_control_that_says_what_it_takes():
    for name in hp.list_tasks():
        cls = task_class(name)
        shown = fields.fields_of(cls)
        own = set(hp.task(f"{name}-{cls.sizes[0]}").parameters) | {"shuffle_tokens"}
        assert {field.name for field in shown} == own and shown[0].name == cls.headline
        assert all(field.help.strip("() ") for field in shown)
        as_they_are = {field.name: fields.shown(field) for field in shown}
        assert fields.read(cls, as_they_are) == (f"{name}-{cls.sizes[0]}", {})  # a page begins with no parameter set


@pytest.mark.parametrize(("name", "values"), CHOICES)
def test_rows_are_those_of_load_dataset_and_drawn_as_on_a_terminal(name, values, tmp_path):
    seen = looked_at(name, values, "validation", 7, 2)
    chosen = seen["chosen"]
    task = hp.task(chosen["name"], **chosen["parameters"])
    typed = {
        field: value for field, value in values.items() if isinstance(value, int | float) and field in task.parameters
    }
    assert typed == {field: task.parameters[field] for field in typed}
    sizes = {"train_size": 0, "validation_size": 8, "test_size": 0}
    data = load_dataset("procedural", chosen["name"], seed=7, **chosen["parameters"], **sizes)["validation"]
    shown = limits.SHOWN if task.max_length <= limits.LONG else 1
    ids, labels = (list(data[column])[1 : 1 + shown] for column in ("input_ids", "labels"))
    screen = terminal.console(file=io.StringIO(), width=80)
    assert plain(seen["rows"]) == "\n".join(line.plain for line in drawn_rows(task, ids, labels, screen, 2))
    assert task.config_name in plain(seen["explained"])


@pytest.mark.parametrize(("name", "values", "seed"), [(*CHOICES[0], 0), *((*choice, 3) for choice in CHOICES)])
def test_what_is_taken_along_gives_the_same_rows(name, values, seed, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    seen = looked_at(name, values, "test", seed, 2)
    chosen = seen["chosen"]
    expected = rows.rows_from(chosen, 1, 1)[0][0].tolist()
    small = 'split="test", train_size=8, validation_size=8, test_size=8'
    scope: dict = {}
    exec(seen["python"].replace('split="test"', small), scope)
    assert list(scope["rows"][1]["input_ids"]) == expected
    monkeypatch.setattr("sys.argv", ["hf-procedural"])
    capsys.readouterr()
    show, generate = seen["command"].splitlines()
    cli.main([*shlex.split(show)[1:], "--json", "-n", "2"])
    assert json.loads(capsys.readouterr().out)[1]["input_ids"] == expected
    generated = cli.parse(shlex.split(generate)[1:])
    assert hp.task(generated.name, **generated.parameters) == hp.task(chosen["name"], **chosen["parameters"])
    (tmp_path / "saved.yaml").write_text(seen["yaml"])
    settings = parser.of_recipe(catalogue.script_of("pretrain")).read(["saved.yaml"])
    merged = {key: value for each in settings for key, value in vars(each).items()}
    assert merged["task"] == chosen["name"] and merged["data_seed"] == seed
    taken = hp.task(merged["task"], **fields.load_yaml(seen["yaml"]).get("task_parameters", {}))
    assert taken == hp.task(chosen["name"], **chosen["parameters"])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("srot", {}, "train", 0, 1, 80), "unknown task 'srot': did you mean sort"),
        (("sort+set", {}, "train", 0, 1, 80), "task must be one of the list, got 'sort+set'"),
        ((["sort"], {}, "train", 0, 1, 80), "task must be one of the list"),
        (("sort", {"vocab_size": 1}, "train", 0, 1, 80), "vocab_size must be an integer in 2..1048576, got 1"),
        (("sort", {"vocab_size": None}, "train", 0, 1, 80), "vocab_size must be an integer in 2..1048576, got None"),
        (("sort", {"length": 1.5}, "train", 0, 1, 80), "length must be an integer >= 1, got 1.5"),
        (("sort", {"length": None}, "train", 0, 1, 80), "length must be an integer >= 1, got None"),
        (("sort", {"length": 1e9}, "train", 0, 1, 80), "a row has 2,000,000,001 tokens; at most 65,536"),
        (("nca", {"complexity": "[0.5"}, "train", 0, 1, 80), "while parsing"),
        (("nca", {"complexity": "x" * 3000}, "train", 0, 1, 80), "complexity has 3,000 characters"),
        (("sort", {}, "dev", 0, 1, 80), "split must be one of train, validation, test, got 'dev'"),
        (("sort", {}, "train", -1, 1, 80), "seed must be a whole number in 0..4,294,967,296, got -1"),
        (("sort", {}, "train", 0, 0, 80), "row must be a whole number in 1..1,000,000, got 0"),
        (("sort", {}, "train", 0, "1", 80), "row must be a whole number"),
        (("sort", {"length": 1, "vocab_size": 2}, "test", 0, 1, 80), "too few distinct prompts for a test split"),
    ],
)
def test_a_mistake_is_one_line(arguments, message):
    with pytest.raises(ValueError) as raised:
        rows.look(*arguments)
    assert message in str(raised.value) and "\n" not in str(raised.value)


def test_a_million_symbols():
    seen = looked_at("sort", {"vocab_size": 1_000_000})
    assert re.search(r"\d{6}", plain(seen["rows"])) and seen["chosen"]["parameters"] == {"vocab_size": 1_000_000}
    assert len(seen["rows"]) < 20_000


def test_an_automaton_moves_and_nothing_else_does():
    import base64

    assert base64.b64decode(rows.moving(looked_at("eca")["chosen"])).startswith(b"GIF89a")
    assert base64.b64decode(rows.moving(looked_at("nca")["chosen"])).startswith(b"GIF89a")
    assert rows.moving(looked_at("sort")["chosen"]) == ""


def test_words_are_escaped():
    from rich.text import Text

    markup = lines_html([Text("<b>&\x1b[31m", "bold red"), Text("plain", "dim")])
    assert '<span class="red bold">&lt;b&gt;&amp;␛[31m</span>' in markup and '<span class="dim">plain</span>' in markup
    task = hp.task("sort-4")
    assert "<sep>" not in rows_html(task, *blocks.block(task, 0, "train", 0), width=80)


# ---------------------------------------------------------------- answers


def test_the_first_mistake_is_told():
    seen = looked_at("sort", {"length": 4, "vocab_size": 30})
    chosen, prompt = seen["chosen"], "7 3 3 29 <sep>"
    assert "Right." in answers.check(chosen, prompt, "3 3 7 29")
    assert "Right." in answers.check(chosen, "7 3 3 29", r"\boxed{3, 3, 7, 29}")  # as a model's text is read
    assert "Right so far: 2 of 4 tokens" in answers.check(chosen, prompt, "3 3")
    wrong = answers.check(chosen, prompt, "3 3 29 7")
    assert "Token 3 is the first mistake." in wrong and '<span class="good">3 3</span> <mark>29</mark>' in wrong
    assert "Token 5 is one too many: the answer has 4" in answers.check(chosen, prompt, "3 3 7 29 29")
    strange = answers.check(chosen, prompt, "3 <script>")
    assert "Token 2 is no token of sort-4" in strange and "<mark>&lt;script&gt;</mark>" in strange
    assert "checked as you type" in answers.check(chosen, prompt, " ")
    assert answers.reveal(chosen, prompt) == "3 3 7 29"
    with pytest.raises(ValueError, match="the prompt's 'x' is no token of the task"):
        answers.check(chosen, "x", "3")
    with pytest.raises(ValueError, match="at most 200,000 are accepted"):
        answers.check(chosen, prompt, "3 " * 100_001)


def test_a_language_takes_its_rows_and_no_others():
    seen = looked_at("dyck", {"k": 2, "length": 8})
    assert "A row of this language (8 tokens)" in answers.check(seen["chosen"], "", seen["question"])
    assert "No row of this language" in answers.check(seen["chosen"], "", "(0 (0 )1 )0 (0 )0 (0 )0")
    shuffled = looked_at("sort", {"shuffle_tokens": True})
    assert shuffled["checked"] == "nothing"
    assert "Shuffled rows have no answer" in answers.check(shuffled["chosen"], "", "1")


def test_every_task_judges_its_own_answers():
    for name in ("filled_set", "stack", "eca", "haystack", "addition", "flip_flop", "mano", "capo", "mqar", "regbench"):
        seen = looked_at(name)
        if seen["checked"] == "answer":
            right = answers.reveal(seen["chosen"], seen["question"])
            assert "Right." in answers.check(seen["chosen"], seen["question"], right), name
        else:
            assert "A row of this language" in answers.check(seen["chosen"], "", seen["question"]), name

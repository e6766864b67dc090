"""Model cards of tiny runs of every recipe: what they state is in the run's files, what is not there is left out."""

import json
import math
import re
import shutil
from pathlib import Path

import pytest
import yaml
from huggingface_hub import EvalResultEntry, ModelCard, parse_eval_result_entries
from huggingface_hub.constants import ENDPOINT
from support.running import TESTS, run_here
from transformers import PreTrainedModel

from hf_procedural import cli
from hf_procedural.files import Loader
from hf_procedural.hub.model_card import TAGS, model_card
from hf_procedural.hub.runs import write_card

MATHS = TESTS / "data" / "deepmind_math"
STEPS = ["--max_steps", "8", "--eval_steps", "4", "--save_steps", "4", "--logging_steps", "4"]
TINY = [*STEPS, "--size", "2_2_16", "--dropout", "0", "--learning_rate", "1e-2", "--per_device_train_batch_size", "4"]
SORT = ["--task", "sort-6", "--train_size", "64", "--validation_size", "8", "--task_parameters", '{"vocab_size": 30}']
TEXT = ["--sequence_length", "32", "--limit", "20", "--tokenizer_size", "300", "--validation_size", "16"]
STAGES = {"sort": "runs/sort", "set": "runs/set", "pydoc": "runs/pydoc", "maths": "runs/maths"}
RUNS = STAGES | {"probe": "runs/study/haystack-4/runs_sort/seed_0", "killed": "runs/killed"}
FINISHED = [name for name in RUNS if name != "killed"]
NAMES = {
    "scored tokens right": "answer_accuracy",
    "whole answers right": "exact_match",
    "whole answers right, generated greedily": "greedy_exact_match",
    "loss (nats per token)": "loss",
    "perplexity": "perplexity",
    "bits per byte": "bits_per_byte",
}
TYPES = {"accuracy", "exact_match", "loss", "perplexity", "bits_per_byte"}
GSM8K = "exact match, strict, gsm8k of lm-eval"
TIMES = {"eval_runtime", "eval_samples_per_second", "eval_steps_per_second"}


def card_of(*words) -> ModelCard:
    return ModelCard(model_card(*words))


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """A working folder with a run of every kind, one from an absolute path, with a secret and frozen in part."""
    home = tmp_path_factory.mktemp("home")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(home)
        patch.setenv("HF_TOKEN", "")  # which --hub_token sets
        run_here(patch, "pretrain", *TINY, *SORT, "--output_dir", "runs/sort")
        begin = ["--init_from", f"permuted:{home}/runs/sort", "--transfer", "attn", "mlp", "--train_components", "attn"]
        more = ["--hub_token", "hf_SECRET", "--load_best_model_at_end", "true", "--seed", "3"]
        run_here(patch, "pretrain", *TINY, *SORT, *begin, *more, "--task", "set-6", "--output_dir", "runs/set")
        begin = ["--init_from", "attn=runs/sort,mlp=runs/set", "--include_num_input_tokens_seen", "non_padding"]
        run_here(patch, "semantic", *TINY, *TEXT, *begin, "--dataset", "pydoc", "--output_dir", "runs/pydoc")
        text = ["--sequence_length", "256", "--validation_problems", "1", "--dataset", MATHS]
        run_here(patch, "semantic", *TINY, *text, "--output_dir", "runs/maths")
        words = ["--task", "haystack-4", "--task_parameters", '{"vocab_size": 20}', "--validation_size", "32"]
        arms = ["--init_from", "scratch", "runs/sort", "--seeds", "0"]
        run_here(patch, "probe", *TINY, *words, *arms, "--output_dir", "runs/study")
    killed = home / "runs" / "killed"
    shutil.copytree(home / "runs" / "sort" / "checkpoint-4", killed / "checkpoint-4")
    for name in ("recipe.yaml", "provenance.json"):
        shutil.copy(home / "runs" / "sort" / name, killed)
    return home


@pytest.fixture(autouse=True)
def in_home(home, monkeypatch):
    monkeypatch.chdir(home)


@pytest.fixture
def copy(tmp_path):
    """A copy of a run, to be changed."""

    def make(name):
        return shutil.copytree(RUNS[name], tmp_path / "copies" / name, ignore=shutil.ignore_patterns("checkpoint-*"))

    return make


def read(folder, name):
    return json.loads(Path(folder, name).read_text())


def edit(folder, name, **changes):
    path = Path(folder, name)
    content = yaml.load(path.read_text(), Loader)
    path.write_text((yaml.safe_dump if name.endswith(".yaml") else json.dumps)(content | changes))


def section(card, title) -> str | None:
    found = re.search(rf"^## {title}\n\n(.*?)(?=\n\n## |\Z)", card.text, re.S | re.M)
    return found and found[1]


def tables(text) -> list[list[list[str]]]:
    """The cells of every table, row by row."""
    blocks = re.findall(r"(?:^\|.*\n?)+", re.sub(r"```.*?```", "", text, flags=re.S), re.M)
    return [[re.split(r"(?<!\\)\|", line)[1:-1] for line in block.splitlines()] for block in blocks]


def fenced(text, kind) -> str:
    return re.search(rf"```{kind}\n(.*?)```", text, re.S)[1]


@pytest.mark.parametrize("name", RUNS)
def test_a_saved_card_loads_with_exactly_what_was_measured(name, tmp_path):
    card_of(RUNS[name], "me/tiny").save(tmp_path / "README.md")
    data = ModelCard.load(tmp_path / "README.md").data
    assert (data.library_name, data.pipeline_tag, data.tags) == ("transformers", "text-generation", TAGS)
    if name == "killed":
        assert "model-index" not in data.to_dict() and data.get("model_name") is None
        return
    found, results = {}, read(RUNS[name], "eval_results.json")
    for result in data.eval_results:
        split = f"{result.dataset_split}_" if result.dataset_split in ("interpolate", "extrapolate") else ""
        found[f"eval_{split}{NAMES[result.metric_name]}"] = result.metric_value
        assert result.task_type == "text-generation" and result.metric_type in TYPES
        assert re.fullmatch(r"(?:[\w-]+/)?[\w.-]+", result.dataset_type), "the Hub wants an id here"
    assert found == {key: value for key, value in results.items() if key.startswith("eval_") and key not in TIMES}
    assert data.model_name == "tiny"


@pytest.mark.parametrize("name", RUNS)
def test_the_metadata_are_plain_yaml(name):
    _, front, _ = str(card_of(RUNS[name])).split("---\n", 2)
    names = {"library_name", "license", "pipeline_tag", "tags", "model-index"}
    names -= {"model-index"} if name == "killed" else set()
    names -= {"license"} if name not in ("sort", "killed") else set()  # text, or a source that may have seen some
    content = yaml.safe_load(front)
    assert content.keys() == names
    if name in ("sort", "probe"):
        (results,) = content["model-index"][0]["results"]
        task, vocabulary, seed = ("sort-6", 30, 42) if name == "sort" else ("haystack-4", 20, 0)
        data = {"name": f"procedural {task}", "type": "procedural", "config": task, "split": "validation"}
        assert results["dataset"] == data | {"args": {"vocab_size": vocabulary, "seed": seed}}


@pytest.mark.parametrize("name", RUNS)
def test_every_number_of_the_stages_is_in_the_files(name):
    state = read(f"{RUNS[name]}/checkpoint-4" if name == "killed" else RUNS[name], "trainer_state.json")
    sources = read(RUNS[name], "provenance.json").get("init_from", {}).get("sources", [])
    stages = [(None, source["tokens"], source["flops"]) for source in sources]
    stages.append((state["global_step"], state["num_input_tokens_seen"], state["total_flos"]))
    ((titles, _, *rows),) = tables(section(card_of(RUNS[name]), "Stages"))
    columns = [[title.strip() for title in titles].index(title) for title in ("steps", "tokens", "FLOPs")]
    assert len(rows) == len(stages)
    for row, (steps, tokens, flops) in zip(rows, stages, strict=True):
        shown = [row[column].strip() for column in columns]
        assert shown == ["-" if steps is None else f"{steps:,}", f"{tokens:,}", f"{flops:.3g}"]
    counted = "without" if name == "pydoc" else "with"
    assert f"Tokens are counted {counted} padding." in card_of(RUNS[name]).text


@pytest.mark.parametrize("name", FINISHED)
def test_the_results_shown_are_those_measured_and_the_curve_is_there(name):
    results, text = read(RUNS[name], "eval_results.json"), section(card_of(RUNS[name]), "Results")
    (titles, _, *rows), *_ = tables(text)
    for row in rows:
        for title, cell in zip(titles[1:], row[1:], strict=True):
            split = "" if title.strip() == "value" else f"{title.strip()}_"
            value = results.get(f"eval_{split}{NAMES[row[0].strip()]}")
            shown = cell.strip()
            assert (shown == "-") == (value is None)
            if value is not None:
                percent = shown.endswith("%")
                assert float(shown.rstrip("%")) == pytest.approx(value * (100 if percent else 1), abs=0.06, rel=1e-4)
    assert "](training.png)" in text


@pytest.mark.parametrize("name", RUNS)
def test_tables_are_well_formed(name):
    found = tables(card_of(RUNS[name]).text)
    assert found
    for titles, line, *rows in found:
        assert set("".join(line).replace(" ", "")) == {"-"} and rows
        assert {len(row) for row in (line, *rows)} == {len(titles)}


@pytest.mark.parametrize(
    "name, sentence",
    [
        ("sort", "A `gpt2` language model (2 layers, 2 attention heads, width 16, 32 tokens, 13 positions) trained"),
        ("sort", "trained from scratch on rows of the procedural task `sort-6` (sort the symbols, duplicates kept)."),
        ("set", "trained from weights of `permuted:runs/sort` on rows of the procedural task `set-6`"),
        ("set", "Its initial weights are a control: permuted."),
        ("set", "The weights are those of the evaluation with the best loss."),
        ("pydoc", "from weights of `attn=runs/sort,mlp=runs/set` on text of `pydoc` (Python's language reference)."),
        ("maths", "from scratch on the problems of DeepMind-Math (`data/deepmind_math`), by characters."),
        ("probe", "from weights of `runs/sort` on rows of the procedural task `haystack-4` (find the value"),
        ("killed", "> **Not finished:** what follows is as of step 4, and there are no results."),
    ],
)
def test_it_says_what_the_model_is(name, sentence):
    assert sentence in card_of(RUNS[name]).text


@pytest.mark.parametrize("name", RUNS)
def test_limits_are_told_of_models_that_read_no_text(name):
    limits = section(card_of(RUNS[name]), "Limits")
    assert (limits is None) == (name in ("pydoc", "maths"))


def test_it_tells_which_weights_came_from_where_and_which_were_trained():
    provenance, text = read("runs/set", "provenance.json"), section(card_of("runs/set"), "Initial weights")
    sizes = {"copied": 0, "skipped": 0}
    for entry in provenance["transfer"]["entries"]:
        sizes[entry["action"]] += entry["size"]
    assert all(f"{size:,} {action}" in text for action, size in sizes.items())
    assert f"Of {sum(sizes.values()):,} weights" in text and "total:" not in text
    lines = fenced(text, "text").splitlines()
    assert sum(int(line.split()[3].replace(",", "")) for line in lines[1:]) == sum(sizes.values())
    assert any("attn.c_attn.weight" in line and line.endswith("from permuted:runs/sort") for line in lines)
    assert "{trained:,} weights were trained, {frozen:,} were frozen.".format(**provenance["weights"]) in text
    assert section(card_of("runs/sort"), "Initial weights") is None


@pytest.mark.parametrize("name", FINISHED)
def test_the_way_to_load_it_works(name):
    code = fenced(section(card_of(RUNS[name]), "How to load it"), "python")
    exec(compile(code, "README.md", "exec"), scope := {})
    assert isinstance(scope["model"], PreTrainedModel)
    assert len(scope["tokenizer"]) == scope["model"].config.vocab_size
    assert "hf_procedural" not in code
    assert 'from_pretrained("me/tiny")' in card_of(RUNS[name], "me/tiny").text


@pytest.mark.parametrize("name", FINISHED)
def test_the_recipe_is_that_of_the_run_and_is_accepted(name, monkeypatch):
    text = section(card_of(RUNS[name]), "How it was trained")
    recipe, path = ({"pydoc": "semantic", "maths": "semantic"}.get(name, "pretrain"), Path(RUNS[name], "recipe.yaml"))
    assert f"accelerate launch recipes/{recipe}.py recipe.yaml" in text
    shown, used = (yaml.load(part, Loader) for part in (fenced(text, "yaml"), path.read_text()))
    assert shown == used | {key: shown[key] for key in ("init_from", "dataset") if key in shown}


def test_versions_seeds_and_fingerprints_are_those_of_the_run():
    provenance, text = read("runs/set", "provenance.json"), section(card_of("runs/set"), "Versions, seeds, data")
    ((_, _, *rows),) = tables(text)
    found = {what.strip(): value.strip().strip("`") for what, value in rows}
    assert (found.pop("seed"), found.pop("seed of the data")) == ("3", "3")
    digests = provenance["dataset_fingerprints"]
    assert {split: found.pop(f"fingerprint of the {split} rows") for split in digests} == digests
    assert found == provenance["versions"]


@pytest.mark.parametrize("name", ["set", "maths"])
def test_no_secret_and_no_path_of_this_machine_is_in_it(name, home, copy):
    folder = copy(name)
    edit(folder, "recipe.yaml", hub_token="hf_SECRET", tokenizer=f"{home}/deep/own", deepspeed=f"{home}/deep/zero.json")
    for card in (card_of(RUNS[name]), card_of(folder), card_of(home / RUNS[name])):
        text = str(card)
        assert "SECRET" not in text and "_token:" not in text
        assert str(home.parent) not in text and str(home.parent.parent) not in text and str(MATHS.parent) not in text
    text = card_of(folder).text
    assert "tokenizer: deep/own\n" in text and "deepspeed: deep/zero.json\n" in text
    assert "Of absolute paths only the last two parts are shown." in text


@pytest.mark.parametrize(
    "spec, short",
    [
        ("/home/me/runs/set", "runs/set"),
        ("attn+ln=/home/me/runs/set/,mlp=permuted:/home/me/x", "attn+ln=runs/set,mlp=permuted:me/x"),
        ("0.6*/home/me/runs/set,0.4*runs/b", "0.6*runs/set,0.4*runs/b"),
        ("/home/me/text/*.jsonl.gz", "text/*.jsonl.gz"),
        ("runs/set", "runs/set"),
        ("allenai/c4", "allenai/c4"),
    ],
)
def test_absolute_paths_are_cut(spec, short, copy):
    folder = copy("sort")
    edit(folder, "recipe.yaml", config_name=spec)
    assert yaml.safe_load(fenced(card_of(folder).text, "yaml"))["config_name"] == short


@pytest.mark.parametrize(
    "name, files, gone",
    [
        ("sort", ["provenance.json"], "## Versions"),
        ("sort", ["training.png"], "training.png"),
        ("sort", ["config.json"], "## How to load it"),
        ("maths", ["modules.json"], "By module"),
        ("set", ["eval_results.json"], "## Results"),
        ("pydoc", ["train_results.json", "all_results.json", "training_args.bin"], None),
    ],
)
def test_what_the_folder_lacks_is_left_out(name, files, gone, copy):
    folder = copy(name)
    before = card_of(folder)
    for file in files:
        (folder / file).unlink()
    after = card_of(folder)
    assert (str(after) == str(before)) == (gone is None)
    if gone:
        assert gone in before.text and gone not in after.text
    assert ("Not finished" in after.text) == (files == ["eval_results.json"])


def test_a_dry_run_refuses_what_a_push_would(copy, tmp_path, capsys):
    good, damaged = copy("sort"), copy("set")
    weights = bytearray((damaged / "model.safetensors").read_bytes())
    weights[-1] ^= 1
    (damaged / "model.safetensors").write_bytes(weights)
    stranger = tmp_path / "stranger"
    stranger.mkdir()
    shutil.copy(good / "config.json", stranger)
    cli.main(["publish", str(good), "--repo", "me/tiny", "--dry_run"])
    assert capsys.readouterr().out == f"{good} would be pushed to the model repo me/tiny\n"
    for folder, why in [(damaged, "model.safetensors is not as it was saved"), (stranger, "stranger")]:
        with pytest.raises(SystemExit) as end:
            cli.main(["publish", str(folder), "--repo", "me/tiny", "--dry_run"])
        told = capsys.readouterr()
        assert end.value.code == 2 and why in told.err and "would be pushed" not in told.out
        assert len(told.err.splitlines()) == 1


@pytest.mark.parametrize("name", RUNS)
def test_it_needs_nothing_outside_the_folder(name, home, tmp_path, monkeypatch):
    shutil.copytree(RUNS[name], tmp_path / "elsewhere")
    here = str(card_of(RUNS[name], "me/tiny"))
    monkeypatch.chdir(tmp_path)
    assert str(card_of("elsewhere", "me/tiny")) == here


def test_a_value_that_is_not_finite_is_shown_and_not_in_the_model_index(copy):
    folder = copy("pydoc")
    edit(folder, "eval_results.json", eval_perplexity=math.inf)
    card = card_of(folder)
    assert "| perplexity | inf |" in card.text
    assert [result.metric_type for result in card.data.eval_results] == ["loss", "bits_per_byte"]


@pytest.mark.parametrize(
    "source, base",
    [
        ({"path": "openai-community/gpt2", "control": None}, ["openai-community/gpt2"]),
        ({"path": "openai-community/gpt2", "control": "permuted"}, None),
        ({"path": "weights/reference.pth", "control": None}, None),
        ({"path": "gone/run", "control": None, "task": "sort-6", "tokens": 5, "flops": 7.0}, None),
        ({"path": "runs/sort", "control": None}, None),
    ],
)
def test_only_models_of_the_hub_are_base_models(source, base, copy):
    folder = copy("set")
    edit(folder, "provenance.json", init_from={"spec": source["path"], "sources": [source]})
    assert card_of(folder).data.base_model == base
    ((*_, first, _),) = tables(section(card_of(folder), "Stages"))
    assert first[0].strip() == f"before: `{source['path']}`" and (first[-1].strip() == "-") == ("flops" not in source)


@pytest.mark.parametrize(
    "recipe, datasets, kind, label",
    [
        ({"dataset": "allenai/c4", "dataset_config": "en"}, ["allenai/c4"], "allenai/c4", "allenai/c4"),
        ({"dataset": "allenai/c4", "validation_dataset": "mine.jsonl"}, ["allenai/c4"], "text", "mine.jsonl"),
        ({"dataset": "allenai/c4:en::text"}, ["allenai/c4"], "allenai/c4", "allenai/c4"),
        (
            {"dataset": ["allenai/c4:en::text", "allenai/c4:de", {"name": "me/x", "text_column": "b"}, "w.jsonl::dev"]},
            ["allenai/c4", "me/x"],
            "text",
            "allenai/c4:en::text + allenai/c4:de + me/x:::b + w.jsonl::dev",
        ),
        ({"dataset": "data/web.jsonl.gz"}, None, "text", "data/web.jsonl.gz"),
        ({"dataset": "/home/me/web/*.parquet"}, None, "text", "web/*.parquet"),
        ({"dataset": "runs"}, None, "text", "runs"),
        ({"dataset": "pydoc"}, None, "pydoc", "pydoc"),
    ],
)
def test_only_data_sets_of_the_hub_are_data_sets(recipe, datasets, kind, label, copy):
    folder = copy("pydoc")
    edit(folder, "recipe.yaml", **recipe)
    data = card_of(folder).data
    assert data.datasets == datasets and data.license is None
    assert {(result.dataset_type, result.dataset_name) for result in data.eval_results} == {(kind, label)}
    config = "en" if kind == "allenai/c4" else None
    assert {result.dataset_config for result in data.eval_results} == {config}


@pytest.mark.parametrize(
    "change, message",
    [
        (lambda folder: shutil.rmtree(folder), "no folder"),
        (lambda folder: [path.unlink() for path in folder.iterdir()], "holds no run: no recipe.yaml with a"),
        (lambda folder: shutil.copytree("runs/killed", folder / "inner"), "is no run, though there are some in it"),
        (lambda folder: (folder / "recipe.yaml").write_text("- a"), "recipe.yaml must hold keys and values"),
        (lambda folder: (folder / "trainer_state.json").write_text("{}"), "trainer_state.json is not the state of a"),
        (lambda folder: (folder / "provenance.json").write_text('{"seed"'), "provenance.json cannot be read"),
        (lambda folder: (folder / "eval_results.json").write_text("[]"), "eval_results.json must hold keys and values"),
        (lambda folder: (folder / "config.json").write_text("{}"), "config.json is not the configuration of a model"),
        (lambda folder: (folder / "recipe.yaml").write_text("seed: 1"), "a file that no recipe wrote: KeyError"),
        (lambda folder: edit(folder, "eval_results.json", eval_loss="low"), "a file that no recipe wrote"),
        (lambda folder: edit(folder, "provenance.json", transfer={"entries": [{"a": 1}]}), "no recipe wrote"),
    ],
)
def test_what_is_no_run_or_damaged_is_an_error_in_one_line(change, message, copy):
    folder = copy("set")
    if "though" in message:
        (folder / "trainer_state.json").unlink()
    change(folder)
    with pytest.raises(ValueError) as error:
        card_of(folder)
    assert message in str(error.value) and str(folder) in str(error.value) and "\n" not in str(error.value)


# ---------------------------------------------------------------- scores, as the Hub reads them


def scores(folder, repo=None) -> list[EvalResultEntry]:
    """What huggingface_hub reads of the file that `write_card` leaves; none where there is no file."""
    write_card(folder, repo)
    file = Path(folder, ".eval_results", "hf_procedural.yaml")
    return parse_eval_result_entries(yaml.safe_load(file.read_text())) if file.is_file() else []


def test_scores_on_data_sets_of_the_hub_are_entries_of_its_own_kind(copy):
    folder = copy("pydoc")
    assert scores(folder) == []  # pydoc is no data set of the Hub
    edit(folder, "recipe.yaml", dataset="allenai/c4", dataset_config="en")
    results = read(folder, "eval_results.json")
    of_text = {"dataset_id": "allenai/c4", "task_id": "en"}
    of_text |= {"source_url": f"{ENDPOINT}/me/model", "source_name": "Model card"}
    keys = {key: words for words, key in NAMES.items() if f"eval_{key}" in results}
    assert scores(folder, "me/model") == [
        EvalResultEntry(value=results[f"eval_{key}"], notes=words, **of_text) for key, words in keys.items()
    ]

    easy = {"id": "allenai/ai2_arc", "config": "ARC-Easy", "split": "test", "revision": None}
    figure = {"task": "arc_easy", "metric": "acc_norm", "value": 0.25, "shots": 5, "documents": 4, "dataset": easy}
    other = figure | {"task": "gsm8k", "metric": "exact_match, strict", "value": 0.5, "shots": None}
    other["dataset"] = {"id": "openai/gsm8k", "config": None, "split": None, "revision": "e53f"}
    own = figure | {"task": "sort-6", "value": 1.0}
    del own["dataset"]
    report = {"suite": "tasks", "limit": None, "figures": [figure, other, own], "versions": {"lm_eval": "0.4.13"}}
    (folder / "evaluation_tasks.json").write_text(json.dumps(report))
    (folder / "evaluation_trial.json").write_text(json.dumps(report | {"limit": 9}))
    assert scores(folder)[len(keys) :] == [
        EvalResultEntry("allenai/ai2_arc", "ARC-Easy", 0.25, notes="acc norm, 5-shot, arc_easy of lm-eval, test"),
        EvalResultEntry("openai/gsm8k", "default", 0.5, dataset_revision="e53f", notes=GSM8K),
    ]
    in_card = [result.dataset_type for result in card_of(folder).data.eval_results][len(keys) :]
    assert in_card == ["allenai/ai2_arc", "openai/gsm8k", "sort-6"]

    (folder / ".eval_results" / "others.yaml").write_text("[]")
    (folder / "eval_results.json").unlink()
    assert scores(folder) == []  # not finished any more
    assert [file.name for file in folder.glob(".eval_results/*")] == ["others.yaml"]


def test_answers_stand_in_the_card_of_a_finished_run(tmp_path):
    folder = tmp_path / "run"
    shutil.copytree(next(iter(RUNS.values())), folder)
    answer = {"prompt": "7 3 <sep>", "answer": "3 7", "right": "3 7", "is_right": True, "share": None, "warning": None}
    kept = {"source": "Validation rows.", "trained": "It was trained on prompts of 3 tokens.", "answers": [answer]}
    (folder / "answers.json").write_text(json.dumps(kept))
    text = str(card_of(folder).content)
    assert "## Answers\n\nValidation rows. It was trained on prompts of 3 tokens." in text
    assert "| `7 3 <sep>` | `3 7` | `3 7` | yes |" in text and "1 of 1 are right" in text
    (folder / "answers.json").write_text('{"answers": [{}]}')
    with pytest.raises(ValueError, match="a file that no recipe wrote"):
        card_of(folder)

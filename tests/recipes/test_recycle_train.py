"""recipes/recycle_train.py: texts, demonstrations, training by reward, judges that fail in mid-run, mistakes."""

import importlib
import json
from pathlib import Path

import pandas as pd
import pytest
import yaml
from support.judge_server import serve
from support.rigged import save_rigged
from support.running import RECIPES, error_of, history, run_here, same_weights

from hf_procedural.files import Loader
from hf_procedural.recycle import rewards
from hf_procedural.recycle.pieces import MARKER
from hf_procedural.text.tokenizers import END_OF_TEXT, train_tokenizer
from hf_procedural.training import parser

TEXTS = [f"{number} is a number, {number * number} its square. It is written with digits." for number in range(40)]
ASK = ["--model_name_or_path", "rigged", "--dataset", "web", "--template", "ask.txt", "--validation_size", "4"]
ASK += ["--meaning_model", "rigged", "--meaning_layer", "1", "--meaning_threshold", "0.01"]
FEW = ["--num_generations", "4", "--per_device_train_batch_size", "16", "--per_device_eval_batch_size", "16"]
FEW += ["--max_completion_length", "8", "--max_steps", "4", "--weight_decay", "0", "--logging_steps", "1"]
FEW += ["--save_strategy", "no", "--disable_tqdm", "true", "--learning_rate", "1e-2"]
NO_JUDGE = ["--quality_weight", "0", "--structure_weight", "0"]
QUICK = [*ASK, *FEW, *NO_JUDGE]


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """A working folder: texts, a model that paraphrases each as q or r, and what a user may trip over."""
    home = tmp_path_factory.mktemp("home")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(home)
        tokenizer = train_tokenizer([], 257)
        tokenizer.add_tokens([MARKER])
        save_rigged("rigged", tokenizer, ["#", (MARKER,), ("q", "r"), END_OF_TEXT], 128)
        Path("ask.txt").write_text("{text} #\n")
        Path("full.txt").write_text("no place")
        Path("web").mkdir()
        rows = [{"text": text, "score": 1 + number % 5} for number, text in enumerate(TEXTS)]
        lines = [*map(json.dumps, rows), json.dumps({"text": "", "score": 1}), "{damaged"]
        Path("web/texts.jsonl").write_text("\n".join(lines) + "\n")
        Path("used").mkdir()
        Path("used/precious.txt").write_text("x")
    return home


@pytest.fixture(autouse=True)
def in_home(home, monkeypatch):
    monkeypatch.chdir(home)


def train(monkeypatch, folder, *words):
    run_here(monkeypatch, "recycle_train", *words, "--output_dir", folder)
    return folder


def judge(question: str, number: int = 0) -> str:
    """Likes a q; finds that nothing is well structured."""
    if "Paraphrase:" in question:
        return "0"
    paraphrase = question.split("Text: ")[-1].split("\nDomain")[0]
    return "\n".join(["O", *["5"] * 13, "5" if paraphrase == "q" else "2"])


def completions(folder, step) -> pd.DataFrame:
    return pd.read_parquet(Path(folder, "completions", f"completions_{step:05d}.parquet"))


def test_the_model_learns_what_the_judge_likes(monkeypatch, tmp_path, caplog):
    with serve(judge) as server:
        judges = ["--quality_judge", server.url, "--structure_judge", server.url, "--judge_batch_size", "4"]
        words = [*ASK, *FEW, *judges, "--max_steps", "24", "--eval_steps", "8"]
        folder = train(monkeypatch, tmp_path / "run", *words)
    assert "1 damaged lines are left out: " in caplog.text and "texts.jsonl, line 42" in caplog.text
    quality = [value for _, value in history(folder, "eval_quality")]
    assert quality[0] < 2 and quality[-1] == 3, "from q or r to q: a score of 5 instead of 2"
    results = json.loads((folder / "eval_results.json").read_text())
    names = {f"eval_{name}" for name in ("reward", "length_ratio", *rewards.WEIGHTS)}
    assert names <= results.keys() and results["eval_format"] == 1 and results["eval_structure"] == 0
    assert results["eval_length"] == 1 and 0 < results["eval_length_ratio"] < 0.1
    assert results["eval_reward"] == pytest.approx(3 * 3 + results["eval_meaning"] + 1 + 1)
    recipe = yaml.load((folder / "recipe.yaml").read_text(), Loader)
    assert recipe["dataset"] == "web" and recipe["meaning_layer"] == 1 and recipe["quality_judge"] == server.url
    provenance = json.loads((folder / "provenance.json").read_text())
    assert provenance["texts"] == {"train": 36, "validation": 4, "damaged": 1}
    assert (folder / "training.png").is_file()
    table = completions(folder, 1)
    assert {f"{name}_reward" for name in rewards.WEIGHTS} <= set(table.columns)
    assert set(table["quality_reward"]) <= {0, 3} and not table["structure_reward"].any()


def test_a_known_score_is_not_asked_for(monkeypatch, tmp_path):
    with serve(judge) as server:
        words = [*ASK, *FEW, "--structure_weight", "0", "--quality_judge", server.url, "--score_column", "score"]
        folder = train(monkeypatch, tmp_path / "run", *words, "--max_steps", "1", "--below_score", "4")
        asked = {body["messages"][-1]["content"] for body in server.asked}
    assert not [question for question in asked if any(text in question for text in TEXTS)]
    table = completions(folder, 1)
    known = {f"{text} #": 1 + number % 5 for number, text in enumerate(TEXTS)}
    scores = [known[prompt] for prompt in table["prompt"]]
    assert max(scores) < 4
    best = [(5 if said == f"{MARKER}q" else 2) - score for said, score in zip(table["completion"], scores, strict=True)]
    assert table["quality_reward"].tolist() == best


def test_a_judge_that_dies_ends_the_run_and_it_goes_on(monkeypatch, capsys, tmp_path):
    with serve(judge) as server:
        words = [*ASK, *FEW, "--structure_weight", "0", "--quality_judge", server.url, "--judge_batch_size", "1"]
        words += ["--save_strategy", "steps", "--save_steps", "1", "--eval_strategy", "no", "--max_steps", "6"]
        whole = train(monkeypatch, tmp_path / "whole", *words)
    moody = {"dead": False}

    def dies(question, number):
        moody["dead"] = number > 15 and not moody.get("back")
        return 500 if moody["dead"] else judge(question)

    with serve(dies) as server:
        words[words.index("--quality_judge") + 1] = server.url
        with pytest.raises(SystemExit):
            train(monkeypatch, tmp_path / "cut", *words)
        last = capsys.readouterr().err.strip().splitlines()[-1]
        assert last.startswith(f"recycle_train.py: error: judge {server.url} gives no answer")
        steps = sorted(int(path.name[11:]) for path in (tmp_path / "cut").glob("checkpoint-*"))
        assert steps and steps[-1] < 6, "it died in mid-run"
        moody["back"] = True
        train(monkeypatch, tmp_path / "cut", *words, "--resume_from_checkpoint", "true")
    assert same_weights(whole, tmp_path / "cut")


@pytest.mark.parametrize("name", ["recycle_qwen3", "recycle_olmo2_1b", "recycle_qwen3_0_6b", "recycle_tiny"])
def test_the_yamls_are_taken_as_they_are(name, monkeypatch):
    monkeypatch.syspath_prepend(RECIPES)
    module = importlib.import_module("recycle_train")
    kinds = (module.TextArguments, module.RewardArguments, module.RecycleArguments)
    config = RECIPES / "configs" / f"{name}.yaml"
    here = ["--bf16", "false", "--use_vllm", "false", "--dataset", "web"]
    found = {
        key: value for part in parser.parse("", *kinds, argv=[str(config), *here]) for key, value in vars(part).items()
    }
    written = yaml.load(config.read_text(), Loader)
    others = ("bf16", "use_vllm", "dataset", "lr_scheduler_type")
    same = {key: value for key, value in written.items() if key not in others}
    assert {key: found[key] for key in same} == same


def test_demonstrations(monkeypatch, capsys, tmp_path):
    words = [*QUICK, "--score_column", "score", "--demonstrations", tmp_path / "new" / "shown.jsonl"]
    run_here(monkeypatch, "recycle_train", *words)
    assert "shown.jsonl: 40 texts as their own paraphrase" in capsys.readouterr().out
    texts = [json.loads(line)["text"] for line in (tmp_path / "new" / "shown.jsonl").read_text().splitlines()]
    assert len(texts) == 80 and texts[0] == f"{TEXTS[0]} #\n{MARKER}\n{TEXTS[0]}"
    assert rewards.overall_score(texts[3].split("Overall Score:_/5 ")[1]) == 2
    assert "shown.jsonl is there already" in error_of(monkeypatch, capsys, tmp_path, "recycle_train", *words)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([*FEW, "--dataset", "web"], "model_name_or_path is missing: give --model_name_or_path"),
        ([*FEW, "--model_name_or_path", "rigged"], "dataset is missing: give --dataset"),
        ([*QUICK, "--dataset", "nowhere.jsonl"], "dataset"),
        ([*QUICK, "--text_column", "body"], "body"),
        ([*QUICK, "--score_column", "text"], "score_column 'text' must hold numbers"),
        ([*QUICK, "--score_column", "points"], "score_column 'points' must hold numbers"),
        ([*QUICK, "--below_score", "5"], "below_score needs score_column"),
        ([*QUICK, "--score_column", "score", "--below_score", "1"], "dataset web: 0 of 0 texts"),
        ([*QUICK, "--max_prompt_length", "3"], "dataset web: 0 of 40 texts have a prompt of at most 3 tokens"),
        ([*QUICK, "--validation_size", "40"], "dataset web: 40 of 40 texts"),
        ([*QUICK, "--validation_size", "0"], "validation_size must be at least 1, got 0"),
        ([*QUICK, "--piece_characters", "0"], "piece_characters must be at least 1, got 0"),
        ([*QUICK, "--max_completion_length", "128"], "max_completion_length 128 leaves no prompt"),
        ([*QUICK, "--template", "full.txt"], "template full.txt has no place {text}"),
        ([*QUICK, "--structure_template", "ask.txt"], "template ask.txt has no place {paraphrase}"),
        ([*QUICK, "--model_name_or_path", "nowhere"], "nowhere: no model there"),
        ([*QUICK, "--meaning_model", "nowhere"], "nowhere: no model for BERTScore there"),
        ([*QUICK, "--meaning_layer", "2"], "layer must be in 1..1 of rigged, got 2"),
        ([*QUICK, "--quality_weight", "1", "--quality_judge", "nowhere"], "nowhere: no model there"),
        (
            [*QUICK, "--quality_weight", "1", "--quality_judge", "http://127.0.0.1:9/v1"],
            "judge http://127.0.0.1:9/v1 gives",
        ),
        ([*QUICK, "--meaning_weight", "0", "--length_weight", "0", "--format_weight", "0"], "all weights are 0"),
        ([*QUICK, "--reward_weights", "1", "2"], "reward_weights: give --quality_weight and the like"),
        ([*QUICK, "--judge_timeout", "0"], "judge_timeout must be above 0, got 0"),
        ([*QUICK, "--judge_batch_size", "0"], "judge_batch_size must be at least 1, got 0"),
        ([*QUICK, "--metric_for_best_model", "pass@1"], "metric_for_best_model must be one of"),
        ([*QUICK, "--output_dir", "used"], "output_dir used is not empty"),
    ],
)
def test_a_mistake_ends_with_one_line_and_changes_nothing(words, message, monkeypatch, capsys):
    where = [] if "--output_dir" in words else ["--output_dir", "new"]
    assert message in error_of(monkeypatch, capsys, Path(), "recycle_train", *words, *where)
    assert not Path("new").exists()

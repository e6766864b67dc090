"""Models that cannot do what a stage needs: each recipe that takes one says so in a line, and writes nothing."""

import json
import shutil
from pathlib import Path

import pytest
import torch
from datasets import Dataset
from peft import LoraConfig, get_peft_model
from support.running import error_of
from transformers import BertConfig, BertForMaskedLM

import hf_procedural as hp
from hf_procedural.data.tokenization import load_tokenizer
from hf_procedural.evaluation import checkpoints
from hf_procedural.models import suited
from hf_procedural.models.build import load_pretrained, load_text_model, new_config, new_model
from hf_procedural.text.deepmind_math import character_tokenizer
from hf_procedural.text.tokenizers import train_tokenizer

SIZE = {"num_hidden_layers": 1, "num_attention_heads": 2, "hidden_size": 32}


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """A working folder with models, one for each thing that a model may lack."""
    home = tmp_path_factory.mktemp("home")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(home)
        text, task, characters = train_tokenizer([], 257), hp.tokenizer("sort-4", vocab_size=10), character_tokenizer()

        def save(folder, of, tokenizer, positions=512):
            torch.manual_seed(0)
            new_model(new_config(of, positions, model_type="llama", **SIZE)).save_pretrained(folder)
            if tokenizer is not None:
                tokenizer.save_pretrained(folder)

        save("text", text, text)
        save("words", task, task)
        save("characters", characters, characters)
        save("bare", text, None)
        save("short", text, text, positions=8)
        save("strange", task, text)
        BertForMaskedLM(BertConfig(vocab_size=257, **SIZE)).save_pretrained("bert")
        text.save_pretrained("bert")
        adapted = get_peft_model(load_pretrained("text")[0], LoraConfig(r=2, target_modules="all-linear"))
        for name, weight in adapted.named_parameters():
            if "lora_B" in name:
                torch.nn.init.normal_(weight)
        adapted.save_pretrained("adapter")
        shutil.copytree("adapter", "lost")
        config = json.loads(Path("lost/adapter_config.json").read_text())
        Path("lost/adapter_config.json").write_text(json.dumps(config | {"base_model_name_or_path": "/no/base"}))
        rows = [{"document": number, "context": "a cat", "continuation": " sat", "entropy": 1.0} for number in range(4)]
        for split in ("train", "validation"):
            Dataset.from_list(rows).to_parquet(f"data/{split}.parquet")
        Dataset.from_list([{"text": "a cat", "original": "a cat sat", "failed_pieces": 0}] * 4).to_parquet(
            "pairs/0.parquet"
        )
        Path("web.jsonl").write_text(45 * '{"text": "a cat sat"}\n')
        Path("file.txt").write_text("{text} {prompt} {context}")
        Path("empty").mkdir()
        Path("begun/checkpoint-8").mkdir(parents=True)
    return home


@pytest.fixture(autouse=True)
def in_home(home, monkeypatch):
    monkeypatch.chdir(home)


NO_TEXT = "words: text is to be read, and its tokenizer knows 12 words, of a task, alone; name one that was trained on"
REASONS = {
    "words": NO_TEXT,
    "bare": "bare has no tokenizer with it: no tokenizer.json",
    "strange": "strange: its tokenizer has 257 tokens, and the model 12 embeddings: they do not belong together",
    "bert": "bert is no causal language model of transformers but BertForMaskedLM",
    "lost": "lost is an adapter (peft) of another model, but /no/base: no model there: neither a folder nor a Hub id",
    "data": "data is not a model's folder: it has no config.json, but data, such as train.parquet",
    "empty": "empty is not a model's folder: it has no config.json, and nothing else",
    "begun": "it has no config.json, but checkpoints of a run that has not ended, such as begun/checkpoint-8",
    "file.txt": "file.txt is a file: a model is a folder with a config.json, or an id of the Hub",
    "/no/such": "/no/such: no model there: neither a folder nor a Hub id such as ORG/NAME",
}


@pytest.mark.parametrize("name, reason", REASONS.items(), ids=REASONS.keys())
def test_what_a_model_of_text_lacks(name, reason):
    with pytest.raises(ValueError) as error:
        load_text_model(name, device_map="meta")
    assert reason in str(error.value) and "\n" not in str(error.value)


def test_what_a_model_of_text_is():
    for name in ("text", "short", "characters", "adapter"):
        load_text_model(name, device_map="meta")
    with pytest.raises(ValueError, match="characters: an answer is to be ended, and its tokenizer has no end token"):
        load_text_model("characters", ends=True)


def test_an_adapter_is_merged():
    ids = torch.arange(9)[None]
    plain, merged = load_pretrained("text")[0], load_pretrained("adapter")[0]
    adapted = get_peft_model(load_pretrained("text")[0], LoraConfig(r=2, target_modules="all-linear"))
    adapted.load_adapter("adapter", "default")
    expected = adapted.eval()(ids).logits
    assert torch.allclose(merged(ids).logits, expected, atol=1e-4) and not torch.allclose(plain(ids).logits, expected)
    assert all(weight.requires_grad for weight in merged.parameters())
    assert type(merged) is type(plain) and merged.state_dict().keys() == plain.state_dict().keys()
    harness = checkpoints.harness_model(checkpoints.open_checkpoint("adapter"), device="cpu")
    assert torch.allclose(harness.model(ids).logits, expected, atol=1e-4)
    with pytest.raises(ValueError, match="adapter is an adapter \\(peft\\) of text, without weights of its own: merge"):
        suited.check_place("adapter")


def test_a_tokenizer_may_have_more_tokens_that_were_added():
    """As that of Gemma 3 1B."""
    tokenizer, model = load_tokenizer("text"), load_pretrained("text")[0]
    tokenizer.add_tokens(["<more>"])
    assert len(tokenizer) > model.get_input_embeddings().num_embeddings
    suited.check_vocabulary("text", model, tokenizer)


RL = [
    "--max_steps",
    "1",
    "--num_generations",
    "2",
    "--per_device_train_batch_size",
    "2",
    "--max_completion_length",
    "4",
]
RL += ["--per_device_eval_batch_size", "2", "--validation_size", "2", "--template", "file.txt", "--output_dir", "out"]
NO_JUDGE = ["--quality_weight", "0", "--structure_weight", "0", "--meaning_weight", "0"]
SORT = ["--task", "sort-4", "--task_parameters", '{"vocab_size": 10}']
PARAPHRASE = ["--dataset", "web.jsonl", *RL]
RECIPES = {  # before the model
    "rlvr": ["rlvr", *SORT, *RL, "--model_name_or_path"],
    "rpt": ["rpt", "--questions", "data", *RL, "--model_name_or_path"],
    "rpt_prepare": ["rpt_prepare", "--dataset", "web.jsonl", "--output_dir", "out", "--proxy_model"],
    "rpt_evaluate": ["rpt_evaluate", "--questions", "data", "--output_dir", "out", "--model_name_or_path"],
    "rephrase": ["recycle_rephrase", "--dataset", "web.jsonl", "--output_dir", "out", "--model_name_or_path"],
    "train": ["recycle_train", *PARAPHRASE, *NO_JUDGE, "--model_name_or_path"],
    "judge": ["recycle_train", *PARAPHRASE, "--model_name_or_path", "text", *NO_JUDGE[2:], "--quality_judge"],
    "report": [
        "recycle_report",
        "--dataset",
        "pairs",
        "--meaning_layer",
        "1",
        "--output_dir",
        "out",
        "--meaning_model",
    ],
    "tokenizer": ["semantic", "--dataset", "web.jsonl", "--max_steps", "1", "--output_dir", "out", "--tokenizer"],
    "evaluate": ["run_suite", "--tasks", "haystack-2", "--output_dir", "out", "--model_name_or_path"],
    "pretrain": ["pretrain", *SORT, "--output_dir", "out", "--init_from"],
    "probe": ["probe", *SORT, "--output_dir", "out", "--init_from"],
    "semantic": ["semantic", "--dataset", "web.jsonl", "--max_steps", "1", "--output_dir", "out", "--init_from"],
}
WEIGHTS = ("pretrain", "probe", "semantic")  # take those of any kind of tokens


@pytest.mark.parametrize("recipe", RECIPES)
def test_recipes_say_what_a_model_cannot(recipe, home, monkeypatch, capsys):
    def line(model):
        return error_of(monkeypatch, capsys, home, *RECIPES[recipe], model)

    if recipe in WEIGHTS:
        assert "adapter is an adapter (peft) of text, without weights of its own" in line("adapter")
    elif recipe == "evaluate":
        assert "words: its tokenizer cannot read haystack-2, it has no token" in line("words")
    else:
        assert NO_TEXT in line("words")
    if recipe == "judge":
        assert "a judge of 8 positions has no room for a text in its question" in line("short")
    if recipe not in ("tokenizer", "evaluate"):
        assert "data is not a model's folder: it has no config.json, but data, such as train.parquet" in line("data")


def test_an_adapter_upon_an_adapter_is_not_saved_alone(home, monkeypatch, capsys):
    words = [*RECIPES["rlvr"], "adapter", "--use_peft", "--save_adapter"]
    assert "adapter is an adapter (peft) of text, without" in error_of(monkeypatch, capsys, home, *words)

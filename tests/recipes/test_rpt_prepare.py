"""Questions of Reinforcement Pre-Training: against plain float64, byte for byte, through interruptions and mistakes."""

import itertools
import json
import math
import shutil
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
import yaml
from datasets import load_dataset
from support.running import RECIPES, error_of, kill_when, launch_two, run_here
from tokenizers import Tokenizer, decoders, models, normalizers, processors
from transformers import (
    AutoModelForCausalLM,
    AutoTokenizer,
    BertConfig,
    BertForMaskedLM,
    GPT2Config,
    GPT2LMHeadModel,
    LlamaConfig,
    LlamaForCausalLM,
    PreTrainedTokenizerFast,
    T5Config,
    T5ForConditionalGeneration,
)

from hf_procedural.files import Loader
from hf_procedural.models import build, prompting
from hf_procedural.rl import questions
from hf_procedural.rl.token_bytes import token_ends
from hf_procedural.runs import measured
from hf_procedural.text import documents, tokenizers

STRANGE = [
    "  The tree \t stands under the sky, as trees do, and the sky is blue.  ",
    "日本語の文章です。木の下に座って、空を見ている人がいます。猫もいます。",
    "Emoji 🌳👩‍🚀 and é, ï, ß: naïve größer 🌳🌳 the end\n\n\n",
    "\n\n\tdef f(x):\n\t\treturn x  # 木\n\n" * 3,
    "a",
    "{braces} \\boxed{x} {context} <|endoftext|> and <s> stand in the text, as they may",
    "\u200dzero width, \ufeffmarks and e\u0301 accents \U0001f1ef\U0001f1f5 are characters, too",
]
PRINTED = [*range(33, 127), *range(161, 173), *range(174, 256)]
OTHERS = [byte for byte in range(256) if byte not in PRINTED]
BYTE_OF = {chr(byte): byte for byte in PRINTED} | {chr(256 + place): byte for place, byte in enumerate(OTHERS)}
TEXT = ["--dataset", "text/*.jsonl", "--text_column", "content"]
SMALL = [*TEXT, "--shard_documents", "16", "--validation_size", "20", "--min_context", "3", "--batch_tokens", "512"]
GPT2 = [*SMALL, "--proxy_model", "gpt2"]


def sentencepiece() -> PreTrainedTokenizerFast:
    """Llama's kind: a space in front, <s> before the text, other characters as bytes."""
    letters = "▁abcdefghijklmnopqrstuvwxyzäöü,.木"
    tokens = ["<unk>", "<s>", "</s>", *(f"<0x{byte:02X}>" for byte in range(256)), *letters, "▁t", "▁th", "▁the"]
    vocabulary = {token: index for index, token in enumerate(tokens)}
    merges = [("▁", "t"), ("▁t", "h"), ("▁th", "e")]
    backend = Tokenizer(models.BPE(vocabulary, merges, unk_token="<unk>", byte_fallback=True, fuse_unk=True))
    backend.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
    backend.decoder = decoders.Sequence(
        [decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)]
    )
    backend.post_processor = processors.TemplateProcessing(single="<s> $A", special_tokens=[("<s>", 1)])
    special = {"bos_token": "<s>", "eos_token": "</s>", "unk_token": "<unk>"}
    return PreTrainedTokenizerFast(tokenizer_object=backend, clean_up_tokenization_spaces=False, **special)


def save_proxy(name: str, model, tokenizer) -> None:
    """A random model whose next tokens are anything from certain to uncertain."""
    with torch.no_grad():
        model.lm_head.weight.normal_(0, 1, generator=torch.Generator().manual_seed(0))
        model.lm_head.weight *= torch.linspace(0.1, 1.2, len(model.lm_head.weight))[:, None]
    model.save_pretrained(name)
    tokenizer.save_pretrained(name)


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """A working folder: text in two files, proxies of two kinds, and what a user may trip over."""
    home = tmp_path_factory.mktemp("home")
    generator = np.random.default_rng(0)
    words = np.array(["under", "the", "tree", "größer", "als", "zwei", "42", "(x", "+ y)", "naïve\n", "日本", "🌳"])
    texts = [" ".join(generator.choice(words, generator.integers(2, 60))) for _ in range(90)]
    texts[10:10] = STRANGE
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(home)
        Path("text").mkdir()
        for name, part in (("a", texts[:40]), ("b", texts[40:])):
            rows = (json.dumps({"content": text, "title": text[:5].upper()}) + "\n" for text in part)
            Path(f"text/{name}.jsonl").write_text("".join(rows))
        sizes = {"num_hidden_layers": 2, "hidden_size": 32, "num_attention_heads": 2, "intermediate_size": 64}
        torch.manual_seed(0)
        tokenizer = tokenizers.train_tokenizer(texts, 330)
        tied = {"tie_word_embeddings": False, "initializer_range": 0.2}
        gpt2 = GPT2Config(vocab_size=len(tokenizer), n_positions=48, n_embd=32, n_layer=2, n_head=2, **tied)
        save_proxy("gpt2", GPT2LMHeadModel(gpt2), tokenizer)
        llama = LlamaConfig(vocab_size=len(sentencepiece()) + 5, max_position_embeddings=1024, **sizes, **tied)
        save_proxy("llama", LlamaForCausalLM(llama), sentencepiece())
        broken = GPT2LMHeadModel(gpt2)
        broken.transformer.wte.weight.data.fill_(math.nan)
        save_proxy("broken", broken, tokenizer)
        save_proxy("untokenized", GPT2LMHeadModel(gpt2), tokenizer)
        for file in Path("untokenized").glob("token*"):
            file.unlink()
        BertForMaskedLM(BertConfig(vocab_size=300, **sizes)).save_pretrained("bert")
        t5 = T5Config(vocab_size=300, d_model=32, d_kv=16, d_ff=64, num_layers=2)
        T5ForConditionalGeneration(t5).save_pretrained("t5")
        for name in ("bert", "t5"):
            tokenizer.save_pretrained(name)
        Path("gap.jsonl").write_text('{"text": "a text"}\n{"text": " "}\n')
        Path("short.jsonl").write_text('{"text": "The"}\n' * 5)
        Path("template.txt").write_text("no place")
        Path("full").mkdir()
        Path("full/precious.txt").write_text("x")
        Path("foreign").mkdir()
        pq.write_table(pa.table({"text": ["a"]}), "foreign/train-00000.parquet")
    return home


@pytest.fixture(autouse=True)
def in_home(home, monkeypatch):
    monkeypatch.chdir(home)


@pytest.fixture(scope="module")
def made(home):
    """Every position of all documents, for both proxies: folders by proxy."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(home)
        for proxy in ("gpt2", "llama"):
            words = [*SMALL, "--proxy_model", proxy, "--min_entropy", "0", "--output_dir", f"made/{proxy}"]
            run_here(patch, "rpt_prepare", *words)
    return {proxy: f"made/{proxy}" for proxy in ("gpt2", "llama")}


def texts():
    return list(documents.open_documents("text/*.jsonl", column="content"))


def rows(folder) -> list[dict]:
    """All questions, in order, held-out ones first."""
    files = sorted(Path(folder).glob("validation-*.parquet")) + sorted(Path(folder).glob("train-*.parquet"))
    return list(itertools.chain(*(pq.read_table(file).to_pylist() for file in files)))


def places(some) -> list[tuple]:
    return [(row["document"], row["position"]) for row in some]


def contents(folder) -> dict[str, bytes]:
    """The bytes of everything but the recipe, which names the folder."""
    return {file.name: file.read_bytes() for file in Path(folder).iterdir() if file.name != "recipe.yaml"}


def told(folder) -> dict:
    return json.loads(Path(folder, "prepare.json").read_text())


def spelled(token: str) -> bytes:
    """The bytes of a token as a vocabulary writes it: <0xC3>, ▁the, or GPT-2's Ã."""
    if token.startswith("<0x"):
        return bytes([int(token[3:5], 16)])
    return token.replace("▁", " ").encode() if "▁" in token else bytes(map(BYTE_OF.get, token))


@pytest.mark.parametrize("proxy", ["gpt2", "llama"])
def test_questions_are_those_of_a_plain_computation(proxy, made):
    """In float64, a document at a time, a token at a time."""
    model, tokenizer = AutoModelForCausalLM.from_pretrained(proxy).double(), AutoTokenizer.from_pretrained(proxy)
    found = dict(zip(places(rows(made[proxy])), rows(made[proxy]), strict=True))
    inside, compared = 0, 0
    for number, text in enumerate(texts()):
        data, limit = text.encode(), model.config.max_position_embeddings
        ids = tokenizer(text)["input_ids"][:limit]
        special = ids[:1] == [tokenizer.bos_token_id] and proxy == "llama"
        with torch.no_grad():
            logits = model(torch.tensor([ids])).logits[0]
        pieces = tokenizer.convert_ids_to_tokens(tokenizer(text, add_special_tokens=False)["input_ids"])
        if number == 15:  # special tokens written out
            continue
        own = [piece.encode() if proxy == "llama" and piece.isalpha() else spelled(piece) for piece in pieces]
        assert b"".join(own) == (b" " if proxy == "llama" else b"") + data
        ends = [len(b"".join(own[: place + 1])) - (proxy == "llama") for place in range(len(own))]
        for position in range(3, len(ids) - special):
            start = ends[position - 1]
            try:
                context = data[:start].decode()
            except UnicodeDecodeError:
                inside += 1
                assert (number, position) not in found
                continue
            row = found.pop((number, position))
            before = logits[special + position - 1]
            top = before.topk(16)
            shares = [math.exp(value) for value in top.values - top.values.logsumexp(0)]
            assert row["entropy"] == pytest.approx(-sum(p * math.log(p) for p in shares if p), abs=1e-3)
            assert row["probabilities"] == sorted(row["probabilities"], reverse=True)
            likeliest = [int(token) for token in top.indices if int(token) not in tokenizer.all_special_ids]
            likeliest = [token for token in likeliest if token < len(tokenizer)]
            assert row["probabilities"] == pytest.approx(before.softmax(0)[likeliest].tolist(), abs=1e-4)
            assert len(row["candidates"]) == len(likeliest)
            assert row["context"] == context and data.startswith((row["context"] + row["continuation"]).encode())
            last = min(position + 63, len(own) - 1)
            assert len(row["continuation"].encode()) >= ends[last] - start
            assert row["continuation"].startswith(row["token"]) and row["token"].encode().startswith(own[position])
            compared += 1
    assert {document for document, _ in found} == {15} and inside > 20 and compared > 1000
    counts = [told(made[proxy])[split] for split in ("train", "validation")]
    assert sum(count["questions"] for count in counts) == compared + len(found)


@pytest.mark.parametrize("proxy", ["gpt2", "llama"])
def test_context_and_continuation_are_the_text(proxy, made):
    known = texts()
    for row in rows(made[proxy]):
        assert known[row["document"]].startswith(row["context"] + row["continuation"])
        assert row["context"] and row["token"] and row["continuation"].startswith(row["token"])


def test_candidates_are_the_bytes_that_tokens_add(made):
    tokenizer = AutoTokenizer.from_pretrained("gpt2")
    expected = {spelled(token) for token, index in tokenizer.get_vocab().items() if index}
    seen = {candidate for row in rows(made["gpt2"]) for candidate in row["candidates"]}
    assert seen <= expected and any(len(candidate) > 1 for candidate in seen) and len(seen) > 50
    seen = {candidate for row in rows(made["llama"]) for candidate in row["candidates"]}
    assert b" the" in seen and b"\xe6" in seen and b"\xc3" in seen


def test_the_folder_loads_as_plain_datasets(made):
    loaded = load_dataset(made["gpt2"])
    assert set(loaded) == {"train", "validation"}
    assert [loaded["validation"][place]["document"] for place in (0, -1)] == [0, 19]
    assert loaded["train"][0]["document"] == 20 and loaded["train"].features["candidates"].feature.dtype == "binary"
    assert loaded["train"].to_list() == rows(made["gpt2"])[len(loaded["validation"]) :]
    assert questions.load_questions(made["gpt2"], "validation").to_list() == loaded["validation"].to_list()


def test_counts_add_up(made):
    facts = told(made["gpt2"])
    for split, size in (("train", 77), ("validation", 20)):
        counts, entropies = facts[split], [row["entropy"] for row in load_dataset(made["gpt2"], split=split)]
        assert counts["documents"] == size
        parts = ("questions", "certain", "inside_characters", "not_drawn")
        assert counts["positions"] == sum(counts[part] for part in parts) and counts["questions"] == len(entropies)
        assert [counts[name] for name in measured.THRESHOLDS] == [
            sum(entropy > least for entropy in entropies) for least in measured.THRESHOLDS.values()
        ]
    assert facts["train"]["cut_documents"] > 3 and facts["proxy"]["max_length"] == 48
    positions = facts["train"]["positions"] + facts["validation"]["positions"]
    assert sum(facts["entropy"]["histogram"]) == positions
    middle = np.median([row["entropy"] for row in rows(made["gpt2"])])
    assert facts["entropy"]["quantiles"]["0.5"] == pytest.approx(middle, abs=0.05)
    assert Path(made["gpt2"], "entropy.png").read_bytes().startswith(b"\x89PNG")


def test_difficulties_are_nested(made, monkeypatch, tmp_path):
    everything = rows(made["gpt2"])
    assert {row["difficulty"] for row in everything} == {"trivial", "easy", "medium", "hard"}
    for name, least in measured.THRESHOLDS.items():
        run_here(monkeypatch, "rpt_prepare", *GPT2, "--min_entropy", least, "--output_dir", tmp_path / name)
        kept = rows(tmp_path / name)
        assert kept == [row for row in everything if row["entropy"] > least]
        harder = [other for other in measured.THRESHOLDS if measured.THRESHOLDS[other] >= least]
        assert {row["difficulty"] for row in kept} == {*harder}


def test_positions_are_drawn_by_seed_and_document(made, monkeypatch, tmp_path):
    words = [*GPT2, "--min_entropy", "0", "--positions_per_document", "4"]
    for name, more in (("a", []), ("b", ["--validation_size", "3", "--shard_documents", "7"]), ("c", ["--seed", "1"])):
        run_here(monkeypatch, "rpt_prepare", *words, *more, "--output_dir", tmp_path / name)
    drawn = {name: places(rows(tmp_path / name)) for name in "abc"}
    assert drawn["a"] == drawn["b"] != drawn["c"]
    numbers = [number for number, _ in drawn["a"]]
    everything = places(rows(made["gpt2"]))
    assert max(map(numbers.count, numbers)) == 4 and {*drawn["a"]} < {*everything}
    assert drawn["a"] == sorted(drawn["a"]) and {*numbers} == {number for number, _ in everything}
    assert len({position for _, position in drawn["a"]}) > 30, "not always the first ones"


def test_held_out_documents_are_the_first_after_shuffling(monkeypatch, tmp_path):
    words = [*GPT2, "--shuffle_buffer", "500", "--seed", "7", "--limit", "60", "--output_dir", tmp_path]
    run_here(monkeypatch, "rpt_prepare", *words)
    options = {"column": "content", "shuffle_buffer": 500, "seed": 7, "limit": 60}
    order = list(documents.open_documents("text/*.jsonl", **options))
    assert order != texts()[:60] and sorted(order) == sorted(texts()[:60])
    for split, first, last in (("validation", 0, 20), ("train", 20, 60)):
        for row in load_dataset(str(tmp_path), split=split):
            assert first <= row["document"] < last and order[row["document"]].startswith(row["context"])


def test_batches_change_nothing_but_noise(made, monkeypatch, tmp_path):
    words = [*GPT2, "--min_entropy", "0", "--batch_tokens", "1", "--output_dir", tmp_path]
    run_here(monkeypatch, "rpt_prepare", *words)
    for ours, theirs in zip(rows(tmp_path), rows(made["gpt2"]), strict=True):
        assert ours["entropy"] == pytest.approx(theirs["entropy"], abs=1e-4)
        assert ours["context"] == theirs["context"]


def test_bfloat16_and_float32_differ_little(made, monkeypatch, tmp_path):
    words = [*GPT2, "--min_entropy", "0", "--dtype", "bfloat16", "--output_dir", tmp_path]
    run_here(monkeypatch, "rpt_prepare", *words)
    ours, theirs = (
        {place: row["entropy"] for place, row in zip(places(some), some, strict=True)}
        for some in (rows(tmp_path), rows(made["gpt2"]))
    )
    differences = [abs(ours[place] - theirs[place]) for place in ours]
    assert 0 < np.median(differences) < 0.05 and ours.keys() == theirs.keys()


def test_a_document_is_read_so_far_but_its_continuation_is_whole(monkeypatch, tmp_path):
    long = ["--max_length", "12", "--continuation_tokens", "40", "--min_entropy", "0"]
    run_here(monkeypatch, "rpt_prepare", *GPT2, *long, "--output_dir", tmp_path)
    known, kept = texts(), rows(tmp_path)
    assert {row["position"] for row in kept} == set(range(3, 12))
    tokenizer = AutoTokenizer.from_pretrained("gpt2")
    for row in kept:
        rest = known[row["document"]][len(row["context"]) :]
        assert rest.startswith(row["continuation"])
        count = len(tokenizer(row["continuation"])["input_ids"])
        assert row["continuation"] == rest or 35 <= count <= 45


@pytest.mark.parametrize("name", ["gpt2", "llama"])
@pytest.mark.parametrize("text", ["The tree stands under the sky. ", "the\n ", "木"])
def test_of_a_long_text_no_more_is_read_than_needed(name, text):
    proxy, text = questions.Proxy(name, max_length=40), text * (20_000 // len(text))
    if text.startswith("the"):
        proxy.tokenizer = tokenizers.train_tokenizer([text], 300)  # whose tokens are long
    reading, ends = proxy.read(text, 9), token_ends(proxy.tokenizer, text)
    assert text.encode().startswith(reading.text) and proxy.read(text, 10**6).ends.tolist() == ends
    assert reading.tokens + reading.special == 40 and reading.ends[:80].tolist() == ends[:80]
    assert reading.ids == proxy.tokenizer(text)["input_ids"][:40] and 113 <= len(reading.ends) < len(ends)


def test_killed_and_resumed_it_ends_with_the_same_bytes(monkeypatch, capsys, tmp_path):
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    words = [*GPT2, "--shard_documents", "2", "--demonstrations", "true", "--positions_per_document", "9"]
    run_here(monkeypatch, "rpt_prepare", *words, "--output_dir", whole)
    kill_when(killed / "train-00002.parquet", "rpt_prepare", *words, "--output_dir", killed)
    before = {file: file.stat().st_mtime_ns for file in killed.glob("[!.]*.parquet")}
    assert 12 < len(before) < 49 and not (killed / "prepare.json").exists(), "killed in another place"
    with pytest.raises(ValueError, match=r"^.*/killed is not complete: run recipes/rpt_prepare.py .* again$"):
        questions.load_questions(str(killed))
    run_here(monkeypatch, "rpt_prepare", *words, "--output_dir", killed)
    assert {file: file.stat().st_mtime_ns for file in before} == before, "made again"
    assert contents(killed) == contents(whole) and len(contents(whole)) == 10 + 39 + 3

    before = {file: file.stat().st_mtime_ns for file in killed.iterdir()}
    capsys.readouterr()
    run_here(monkeypatch, "rpt_prepare", *words, "--output_dir", killed)
    assert capsys.readouterr().out.startswith("nothing to do: train: ")
    assert {file: file.stat().st_mtime_ns for file in killed.iterdir()} == before
    error = error_of(monkeypatch, capsys, tmp_path, "rpt_prepare", *words, "--min_entropy", "1", "--output_dir", killed)
    assert "was begun with min_entropy 0.5, not 1.0: choose another folder" in error


def test_two_processes_give_the_same_data_as_one(monkeypatch, tmp_path):
    words = [*GPT2, "--demonstrations", "true"]
    run_here(monkeypatch, "rpt_prepare", *words, "--output_dir", tmp_path / "one")
    done = launch_two("rpt_prepare", *words, "--output_dir", tmp_path / "two")
    assert contents(tmp_path / "one") == contents(tmp_path / "two")
    assert done.stdout.count("questions from") == 2


def test_demonstrations_are_text_to_learn_from(monkeypatch, tmp_path):
    Path("own.txt").write_text("Say it: {context}|\n")
    words = [*GPT2, "--demonstrations", "true"]
    run_here(monkeypatch, "rpt_prepare", *words, "--template", "own.txt", "--output_dir", tmp_path / "own")
    run_here(monkeypatch, "rpt_prepare", *words, "--output_dir", tmp_path / "default")
    kept = load_dataset(str(tmp_path / "own"), split="train")
    read = list(documents.open_documents(str(tmp_path / "own" / "demonstrations.jsonl")))
    assert read == [f"Say it: {row['context']}|\n\\boxed{{{row['token']}}}" for row in kept]
    template = prompting.read_template(RECIPES / "templates" / "rpt.txt")
    first = prompting.fill(template, context=kept[0]["context"]) + f"\n\\boxed{{{kept[0]['token']}}}"
    assert next(iter(documents.open_documents(str(tmp_path / "default" / "demonstrations.jsonl")))) == first


def test_columns_are_joined_by_a_blank_line(monkeypatch, capsys, tmp_path):
    parts = {"a": ["one", None, " x\n", ""], "b": ["two", "three", " ", None]}
    pq.write_table(pa.table(parts), tmp_path / "ab.parquet")
    file = str(tmp_path / "ab.parquet")
    assert list(documents.open_documents(file, column=["a", "b"], skip_empty=True)) == ["one\n\ntwo", "three", " x\n"]
    assert list(documents.open_documents(file, column=["b", "a"], limit=1)) == ["two\n\none"]
    with pytest.raises(ValueError, match="ab.parquet, document 4: empty; skip_empty leaves empty documents out$"):
        list(documents.open_documents(file, column=["a", "b"]))
    with pytest.raises(ValueError, match="^text_column 'c' is not in .*ab.parquet, which has: a, b$"):
        documents.open_documents(file, column=["a", "c"])
    with pytest.raises(ValueError, match="^text_column is missing: .*ab.parquet has several columns of strings, a, b$"):
        documents.open_documents(file, column=[])
    both = ["--text_column", "title", "content"]
    run_here(monkeypatch, "rpt_prepare", *GPT2, *both, "--output_dir", tmp_path / "made")
    document = texts()[30]
    asked = [row for row in rows(tmp_path / "made") if row["document"] == 30]
    assert asked and all(f"{document[:5].upper()}\n\n{document}".startswith(row["context"]) for row in asked)


def test_web_text(web_file, monkeypatch, tmp_path):
    words = ["--dataset", web_file, "--limit", "40", "--validation_size", "5", "--max_length", "300"]
    run_here(monkeypatch, "rpt_prepare", *words, "--proxy_model", "llama", "--output_dir", tmp_path)
    known = list(documents.open_documents(str(web_file), limit=40))
    kept = rows(tmp_path)
    assert all(known[row["document"]].startswith(row["context"] + row["continuation"]) for row in kept)
    assert len({row["document"] for row in kept}) == 40 and min(row["position"] for row in kept) == 15


@pytest.mark.parametrize("name", ["rpt_omnimath_prepare", "rpt_tiny_prepare"])
def test_the_yamls(name, monkeypatch, tmp_path):
    content = yaml.load((RECIPES / "configs" / f"{name}.yaml").read_text(), Loader)
    small = {"proxy_model": "llama", "output_dir": str(tmp_path / "made"), "dtype": "float32"}
    if name == "rpt_tiny_prepare":
        small |= {"template": str(RECIPES / "templates" / "rpt_short.txt"), "limit": 60, "validation_size": 10}
    if name == "rpt_omnimath_prepare":
        pairs = {"problem": texts()[:40], "solution": texts()[-40:]}
        (tmp_path / "omni").mkdir()
        pq.write_table(pa.table(pairs), tmp_path / "omni" / "test.parquet")
        small |= {"dataset": str(tmp_path / "omni"), "validation_size": 8}
    (tmp_path / "small.yaml").write_text(yaml.safe_dump(content | small))
    run_here(monkeypatch, "rpt_prepare", tmp_path / "small.yaml")
    used = yaml.load((tmp_path / "made" / "recipe.yaml").read_text(), Loader)
    assert used.items() >= (content | small).items()
    assert set(load_dataset(small["output_dir"])) == {"train", "validation"}


MISTAKES = {
    "dataset without a name": (["--dataset", ""], "dataset holds a value that is empty: leave it out"),
    "two data sets": (["--dataset", "stdlib", "a:b"], "dataset must be one, without a weight, got stdlib a:b"),
    "no such file": (["--dataset", "no.jsonl"], "dataset 'no.jsonl': there is no such file or folder"),
    "no such split": (["--split", "dev"], "split: text/*.jsonl has no 'dev', only: train"),
    "column": (
        ["--text_column", "content", "solution"],
        "text_column 'solution' is not in text/a.jsonl, document 1, which has: content, title",
    ),
    "no proxy": (["--proxy_model", ""], "proxy_model is missing: give --proxy_model ORG/SMALL-LM"),
    "proxy not there": (["--proxy_model", "no/such"], "no/such: no model there"),
    "bert": (["--proxy_model", "bert"], "bert is no causal language model of transformers but BertForMaskedLM"),
    "t5": (["--proxy_model", "t5"], "t5 is no causal language model of transformers but T5ForConditionalGeneration"),
    "no tokenizer": (["--proxy_model", "untokenized"], "untokenized has no tokenizer with it"),
    "no output": (["--output_dir", ""], "output_dir is missing: give --output_dir data/rpt"),
    "output is a file": (["--output_dir", "gap.jsonl"], "output_dir gap.jsonl is a file; name a folder"),
    "other files": (
        ["--output_dir", "full"],
        "output_dir full holds precious.txt, which is not of this recipe: choose anoth",
    ),
    "no recipe": (
        ["--output_dir", "foreign"],
        "output_dir foreign is not empty and has no recipe.yaml: choose another folder",
    ),
    "all held out": (
        ["--validation_size", "97"],
        "validation_size must be less than the number of documents, 97, got 97",
    ),
    "negative": (["--validation_size", "-1"], "validation_size must be at least 0, got -1"),
    "no documents": (["--limit", "0"], "limit must be at least 1, got 0"),
    "continuation": (["--continuation_tokens", "0"], "continuation_tokens must be at least 1, got 0"),
    "entropy": (["--min_entropy", "2.8"], "min_entropy must be from 0 to below 2.77 (ln 16), got 2.8"),
    "context": (["--min_context", "9", "--max_length", "9"], "min_context must be below max_length, 9, got 9"),
    "positions": (["--min_context", "200"], "min_context must be below the 48 positions of gpt2, got 200"),
    "dtype": (["--dtype", "int8"], "dtype must be float32, bfloat16 or float16, got 'int8'"),
    "template": (["--demonstrations", "true", "--template", "no.txt"], "template no.txt cannot be read"),
    "no place": (["--demonstrations", "true", "--template", "template.txt"], "template template.txt has no place {con"),
    "useless": (["--template", "template.txt"], "template: only demonstrations have one; add --demonstrations true"),
    "no question": (["--min_entropy", "2.77"], "no question to train on: "),
    "short": (
        ["--dataset", "short.jsonl", "--text_column", "text", "--validation_size", "0"],
        "no question to train on: 0 ",
    ),
}


@pytest.mark.parametrize("words, message", MISTAKES.values(), ids=MISTAKES.keys())
def test_mistakes(words, message, home, monkeypatch, capsys):
    assert message in error_of(monkeypatch, capsys, home, "rpt_prepare", *GPT2, "--output_dir", "new", *words)


def test_an_empty_result_says_what_was_seen(home, monkeypatch, capsys):
    error = error_of(monkeypatch, capsys, home, "rpt_prepare", *GPT2, "--output_dir", "new", "--min_entropy", "2.77")
    count, largest = told_by(error)
    run_here(monkeypatch, "rpt_prepare", *GPT2, "--output_dir", "all", "--min_entropy", "0")
    facts = told("all")["train"]
    assert count == facts["positions"] and largest == pytest.approx(facts["largest"], abs=1e-4)
    shutil.rmtree("all")


def told_by(error: str) -> tuple[int, float]:
    words = error.split()
    return int(words[words.index("positions") - 1].replace(",", "")), float(
        words[words.index("entropy") + 2].strip(";")
    )


def test_held_out_documents_without_a_question_are_no_split(monkeypatch, capsys, tmp_path):
    Path("mixed.jsonl").write_text('{"text": "The"}\n' + json.dumps({"text": "the tree stands " * 5}) + "\n")
    words = ["--dataset", "mixed.jsonl", "--validation_size", "1", "--proxy_model", "gpt2", "--output_dir", tmp_path]
    run_here(monkeypatch, "rpt_prepare", *words)
    assert set(load_dataset(str(tmp_path))) == {"train"}
    assert "validation: 0 questions from 1 documents" in capsys.readouterr().out


@pytest.mark.parametrize(
    "words, message",
    [
        (
            ["--dataset", "gap.jsonl", "--text_column", "text", "--validation_size", "0"],
            "gap.jsonl, document 2: empty; skip",
        ),
        (["--proxy_model", "broken"], "proxy_model broken gives NaN instead of probabilities: try dtype float32"),
    ],
)
def test_what_is_found_while_reading_is_one_line_too(words, message, monkeypatch, capsys, tmp_path):
    with pytest.raises(SystemExit) as exit_:
        run_here(monkeypatch, "rpt_prepare", *GPT2, *words, "--output_dir", tmp_path / "made")
    (error,) = [line for line in capsys.readouterr().err.splitlines() if "error:" in line]
    assert exit_.value.code == 2 and message in error
    assert not list((tmp_path / "made").glob("*.parquet"))


def test_questions_that_are_none(made, tmp_path):
    pq.write_table(pa.table({"context": ["a"], "text": ["b"]}), tmp_path / "train.parquet")
    (tmp_path / "empty").mkdir()
    for path, split, message in (
        ("no/such", "train", "no/such: no questions there: there is no such folder, and on the Hub: "),
        (str(tmp_path / "empty"), "train", "empty: no questions there: "),
        (str(tmp_path), "train", "has no column 'continuation', only: context, text"),
        (made["gpt2"], "test", "made/gpt2 has no split 'test', only: "),
    ):
        with pytest.raises(ValueError) as raised:
            questions.load_questions(path, split)
        assert message in str(raised.value) and "\n" not in str(raised.value)
    twice = pa.table([["a"], ["a"], ["b"]], names=["context", "context", "continuation"])
    pq.write_table(twice, tmp_path / "train.parquet")
    with pytest.raises(ValueError, match="no questions there: Multiple matches for FieldRef.Name.context. in context"):
        questions.load_questions(str(tmp_path))


def test_proxies_that_are_none():
    for name in ("bert", "t5", "no/such"):
        with pytest.raises(ValueError, match=r"^[^\n]+$"):
            build.load_pretrained(name)
    model, tokenizer = build.load_pretrained("llama", dtype="bfloat16")
    assert model.dtype == torch.bfloat16 and tokenizer("木")["input_ids"][0] == 1

"""Rephrasing of web text: every document once and in order, through kills, workers, damage and mistakes."""

import dataclasses
import gzip
import json
import multiprocessing
import os
import random
import re
import shutil
import signal
import sys
import threading
import time
import types
from pathlib import Path

import dill
import numpy as np
import psutil
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
import zstandard
from datasets import load_dataset
from support import starting, stuck
from support.cluster import jobs_of, with_slurm
from support.hub_server import empty_hub, environment, python  # noqa: F401
from support.rigged import save_rigged
from support.running import RECIPES, TESTS, error_of, kill_when, run_here
from tokenizers import Tokenizer, pre_tokenizers
from tokenizers.models import WordLevel
from transformers import (
    BloomConfig,
    BloomForCausalLM,
    GPT2Config,
    GPT2LMHeadModel,
    LlamaConfig,
    LlamaForCausalLM,
    PreTrainedTokenizerFast,
)

from hf_procedural.recycle import generation, pieces, pipeline, rephrasing
from hf_procedural.recycle.output import shard_file
from hf_procedural.shards import cluster
from hf_procedural.text import documents, tokenizers
from hf_procedural.text.tokenizers import END_OF_TEXT

ANSWERS = [tuple(f"{letter}{number}" for number in range(8)) for letter in "xyz"]  # words that a model draws from
ANSWER = "x. y. z."  # as a regular expression
LENGTHS = [0, 1, 6_999, 7_000, 7_001, 14_000, 100_000]
WORDS = [
    "trees",
    "sky!\n",
    "木の下。",
    "🌳👩‍🚀",
    *(f"{'extraordinarily-' * 3}{end}" for end in ("large", "größer.", "wide?")),
]
STRANGE = [
    "nul\0l bytes \0\0 in it",
    "Here is a paraphrased version: of a marker in the text. Here is a paraphrased version:",
    "<think>no</think> {text} [INST] <|endoftext|> </s>",
    "🌳👩‍🚀é木。" * 1_500,
    " \n\t ",
    "line\u2028breaks\x85of\r\nevery\x0bkind",
]
ASK = ["--template", "ask.txt", "--max_new_tokens", "12"]
SMALL = [*ASK, "--shard_documents", "8", "--dataset", "web.jsonl"]
QUICK = [*SMALL, "--engine", "padded"]  # where the engine makes no difference


def a_text(draw: random.Random, length: int) -> str:
    words = iter(lambda: draw.choice(WORDS), None)
    text = ""
    while len(text) < length:
        text += next(words) + " "
    return text[:length]


def word_tokenizer() -> PreTrainedTokenizerFast:
    """Of the words that a rigged model says; all others are one token."""
    said = [*pieces.MARKER.split(), "Sorry", ">", *(word for words in ANSWERS for word in words)]
    vocabulary = {token: number for number, token in enumerate([END_OF_TEXT, "<unk>", *said])}
    backend = Tokenizer(WordLevel(vocabulary, unk_token="<unk>"))
    backend.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    special = {"eos_token": END_OF_TEXT, "pad_token": END_OF_TEXT, "unk_token": "<unk>"}
    return PreTrainedTokenizerFast(tokenizer_object=backend, **special)


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """A working folder: documents, and models that always, sometimes and never write the marker."""
    home, draw = tmp_path_factory.mktemp("home"), random.Random(0)
    texts = [a_text(draw, length) for length in LENGTHS] + STRANGE
    texts += [a_text(draw, draw.randrange(5, 300)) for _ in range(30 - len(texts))]
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(home)
        for name, first in (("always", ("Here",)), ("sometimes", ("Here", "Sorry")), ("never", ("Sorry",))):
            chain = [(">",), first, *((word,) for word in pieces.MARKER.split()[1:]), *ANSWERS, END_OF_TEXT]
            save_rigged(name, word_tokenizer(), chain, positions=4_000)
        Path("ask.txt").write_text("Say it anew:\n{text}\n>\n")
        rows = [{"id": f"doc-{number}", "text": text, "score": number / 2} for number, text in enumerate(texts)]
        Path("web.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return home


@pytest.fixture(autouse=True)
def in_home(home, monkeypatch):
    monkeypatch.chdir(home)


def texts() -> list[str]:
    return [json.loads(line)["text"] for line in Path("web.jsonl").read_text().splitlines()]


def rows(folder) -> list[dict]:
    return [row for file in sorted(Path(folder).glob("*.parquet")) for row in pq.read_table(file).to_pylist()]


def contents(folder) -> dict[str, bytes]:
    """The bytes of all data, which two runs have in common."""
    return {file.name: file.read_bytes() for file in Path(folder).iterdir() if file.suffix in (".parquet", ".txt")}


def told(folder) -> dict:
    return json.loads(Path(folder, "recycle.json").read_text())


@pytest.fixture(scope="module")
def made(home):
    """Folders by model."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(home)
        for model in ("always", "sometimes", "never"):
            words = SMALL if model == "sometimes" else QUICK
            run_here(patch, "recycle_rephrase", *words, "--model_name_or_path", model, "--output_dir", f"made/{model}")
    return {model: f"made/{model}" for model in ("always", "sometimes", "never")}


def test_every_document_once_and_in_order(made):
    for folder in made.values():
        found = rows(folder)
        assert [row["original"] for row in found] == texts()
        assert [row["id"] for row in found] == [f"doc-{number}" for number in range(30)]
        assert [row["original_length"] for row in found] == list(map(len, texts()))
        assert [row["pieces"] for row in found] == [len(pieces.cut(text)) for text in texts()]
        assert [json.loads(row["metadata"]) for row in found] == [{"score": number / 2} for number in range(30)]
        assert load_dataset(folder, split="train").to_list() == found
    assert [row["pieces"] for row in rows(made["always"])[: len(LENGTHS)]][:5] == [0, 1, 1, 1, 2]


def test_pieces_are_joined_by_a_space(made):
    for row in rows(made["always"]):
        expected = re.escape(row["original"]) if row["original"].isspace() else " ".join([ANSWER] * row["pieces"])
        assert re.fullmatch(expected, row["text"]) and row["failed_pieces"] == 0
    counts = told(made["always"])
    assert counts["failed_pieces"] == {"no_marker": 0, "long_prompt": 0, "no_room": 0}
    assert counts["documents"] == 30 and counts["documents_with_failure"] == 0 and counts["cut_completions"] == 0
    assert counts["pieces"] == sum(row["pieces"] for row in rows(made["always"]))
    assert counts["characters"] == {
        "in": sum(map(len, texts())),
        "out": sum(len(row["text"]) for row in rows(made["always"])),
    }
    assert counts["length_ratio"] == counts["characters"]["out"] / counts["characters"]["in"]
    assert counts["tokens"]["completions"] == (counts["pieces"] - 1) * 9 and counts["tokens_per_second"] > 0
    assert len({row["text"] for row in rows(made["always"]) if row["pieces"] == 1}) > 10, "sampled"


def test_a_piece_without_the_marker(made, monkeypatch, tmp_path):
    assert [row["text"] for row in rows(made["never"])][:10] == texts()[:10], "stays as it was"
    assert all(row["failed_pieces"] == row["pieces"] - row["original"].isspace() for row in rows(made["never"]))
    run_here(
        monkeypatch,
        "recycle_rephrase",
        *SMALL,
        "--model_name_or_path",
        "sometimes",
        "--without_marker",
        "drop",
        "--output_dir",
        tmp_path,
    )
    for kept, dropped in zip(rows(made["sometimes"]), rows(tmp_path), strict=True):
        own = pieces.cut(kept["original"])
        assert kept["failed_pieces"] == dropped["failed_pieces"]
        good = kept["pieces"] - kept["failed_pieces"] - kept["original"].isspace()
        assert re.fullmatch(" ".join([ANSWER] * good), dropped["text"])
        new = iter(re.findall(ANSWER, dropped["text"]))
        assert "".join(kept["text"].split()).count("x") >= good
        left = kept["text"]
        for piece in own:  # each is there in its place, as it was or rephrased
            left = left.lstrip()
            if left.startswith(piece.strip()) and not re.match(ANSWER, left):
                left = left[len(piece.strip()) :]
            elif not piece.isspace():
                answer = next(new)
                assert left.startswith(answer)
                left = left[len(answer) :]
        assert not left.strip()
    counts = told(tmp_path)
    assert counts["failed_pieces"]["no_marker"] == sum(row["failed_pieces"] for row in rows(tmp_path)) > 5
    assert counts["documents_with_failure"] == sum(row["failed_pieces"] > 0 for row in rows(tmp_path))


def test_killed_and_started_again_it_ends_with_the_same_bytes(made, monkeypatch, capsys, tmp_path):
    words = [*SMALL, "--model_name_or_path", "sometimes", "--output_dir", tmp_path / "out"]
    out = tmp_path / "out"
    kill_when(out / "00000.parquet", "recycle_rephrase", *words)
    before = {file: file.stat().st_mtime_ns for file in out.glob("*.parquet")}
    assert 1 <= len(before) < 4 and not (out / "recycle.json").exists(), "killed in another place"
    run_here(monkeypatch, "recycle_rephrase", *words)
    assert {file: file.stat().st_mtime_ns for file in before} == before, "made again"
    assert contents(out) == contents(made["sometimes"]) and len(contents(out)) == 4
    assert sorted(file.name for file in out.iterdir() if file.suffix != ".parquet") == [
        ".datatrove",
        "README.md",
        "recipe.yaml",
        "recycle.json",
    ]
    ours = {key: value for key, value in told(out).items() if not key.endswith(("seconds", "second"))}
    assert ours == {key: value for key, value in told(made["sometimes"]).items() if key in ours}

    before = {file: file.stat().st_mtime_ns for file in out.rglob("*")}
    capsys.readouterr()
    run_here(monkeypatch, "recycle_rephrase", *words)
    assert capsys.readouterr().out.startswith("nothing to do:\ndocuments      30, ")
    assert {file: file.stat().st_mtime_ns for file in out.rglob("*")} == before

    (out / "00002.parquet").unlink()  # whatever datatrove remembers, the files count
    (out / "recycle.json").unlink()
    run_here(monkeypatch, "recycle_rephrase", *words)
    assert contents(out) == contents(made["sometimes"])


def test_two_workers_give_the_same_bytes_as_one(made, monkeypatch, capsys, tmp_path):
    words = [*SMALL, "--model_name_or_path", "sometimes", "--num_proc", "2", "--output_dir", tmp_path / "out"]
    run_here(monkeypatch, "recycle_rephrase", *words)
    said = capsys.readouterr()
    assert said.out.startswith("documents      30, ") and "INFO" not in said.err and "datatrove" not in said.err
    assert contents(tmp_path / "out") == contents(made["sometimes"])
    logs = [file.read_text() for file in (tmp_path / "out").glob(".datatrove/logs/*.log")]
    assert len(logs) == 4 and all("Processing done" in log for log in logs)


def workers_in(folder) -> list[psutil.Process]:
    """The two processes that are stuck there, as soon as they are."""
    deadline = time.time() + 120
    while time.time() < deadline:
        numbers = [file.read_text() for file in folder.glob("*.pid")]
        if len(numbers) == 2 and all(numbers):
            return [psutil.Process(int(number)) for number in numbers]
        time.sleep(0.05)
    raise AssertionError("no worker has begun")


def test_a_worker_that_is_killed_ends_the_run(monkeypatch, tmp_path):
    found = []

    def kill_one():
        found.extend(workers_in(tmp_path))
        found[0].kill()

    threading.Thread(target=kill_one).start()
    with pytest.raises(RuntimeError, match="^a worker was killed, "):
        monkeypatch.chdir(tmp_path)
        stuck.run()
    assert not psutil.wait_procs(found, timeout=10)[1], "left behind"


def test_workers_end_with_a_run_that_is_killed(tmp_path):
    with_support = os.environ | {"PYTHONPATH": os.pathsep.join([str(TESTS), os.environ.get("PYTHONPATH", "")])}
    process = starting.Process(["-c", "from support import stuck; stuck.run()"], cwd=tmp_path, env=with_support)
    try:
        workers = workers_in(tmp_path)
    finally:
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
    assert not psutil.wait_procs(workers, timeout=10)[1], "left behind"


DAMAGED = [b"{", b'{"text": 3}', b"\xff", b'{"id": 7, "text": "good"}', b'{"text": null}', b"", b'"text"']


@pytest.mark.parametrize("workers", [1, 2])
def test_damaged_lines_are_named_and_counted(workers, monkeypatch, capsys, tmp_path):
    Path("damaged.jsonl").write_bytes(b"\n".join(DAMAGED * 60))
    words = [
        *QUICK,
        "--model_name_or_path",
        "never",
        "--num_proc",
        workers,
        "--dataset",
        "damaged.jsonl",
        "--shard_documents",
        "150",
    ]
    run_here(monkeypatch, "recycle_rephrase", *words, "--output_dir", tmp_path / "out")
    assert [(row["id"], row["text"]) for row in rows(tmp_path / "out")] == [("7", "good")] * 60
    named = (tmp_path / "out" / "damaged.txt").read_text().splitlines()
    bad = [number for number in range(1, 421) if number % 7 not in (4, 6)]
    assert [line.partition(":")[0] for line in named] == [f"damaged.jsonl, line {number}" for number in bad]
    counts = told(tmp_path / "out")
    assert counts["damaged_lines"] == 300 and counts["damaged"] == named[:100] and counts["documents"] == 60
    assert list(documents.open_documents(str(tmp_path / "out"))) == ["good"] * 60
    with pytest.raises(SystemExit) as ended:
        run_here(monkeypatch, "recycle_rephrase", *words, "--strict", "true", "--output_dir", tmp_path / "strict")
    errors = capsys.readouterr().err
    assert ended.value.code == 2 and "Traceback" not in errors
    line = errors.splitlines()[-1]
    assert re.search(r"^recycle_rephrase.py: error: damaged.jsonl, line \d+: (not |'text' is )", line), errors


def test_every_kind_of_file(made, monkeypatch, tmp_path):
    lines = Path("web.jsonl").read_bytes().splitlines()[-8:]
    data, found = b"\n".join(lines), []
    (tmp_path / "a.jsonl").write_bytes(data)
    (tmp_path / "a.jsonl.gz").write_bytes(gzip.compress(data))
    (tmp_path / "a.jsonl.zst").write_bytes(zstandard.compress(data))
    pq.write_table(pa.Table.from_pylist(list(map(json.loads, lines))), tmp_path / "a.parquet")
    for file in ("a.jsonl", "a.jsonl.gz", "a.jsonl.zst", "a.parquet"):
        out = tmp_path / f"out-{file}"
        words = [*QUICK, "--dataset", tmp_path / file, "--model_name_or_path", "sometimes", "--output_dir", out]
        run_here(monkeypatch, "recycle_rephrase", *words)
        found.append(rows(out))
    assert found[0] == found[1] == found[2] == found[3] and len(found[0]) == 8


def test_a_data_set_of_the_hub(hub, made, tmp_path):
    upload = """
import sys
from huggingface_hub import HfApi
api = HfApi()
api.create_repo("alice/web", repo_type="dataset")
api.upload_file(path_or_fileobj=sys.argv[1], path_in_repo="train.jsonl", repo_id="alice/web", repo_type="dataset")
"""
    python(upload, environment(hub, tmp_path / "home", "hf_alice"), "web.jsonl")
    words = [
        *SMALL,
        "--model_name_or_path",
        "sometimes",
        "--dataset",
        "alice/web",
        "--limit",
        "10",
        "--output_dir",
        tmp_path / "out",
    ]
    starting.run(RECIPES / "recycle_rephrase.py", *words, env=environment(hub, tmp_path / "fresh"), check=True)
    assert rows(tmp_path / "out")[:8] == rows(made["sometimes"])[:8] and len(rows(tmp_path / "out")) == 10


def test_prompts_that_are_too_long(made, monkeypatch, tmp_path):
    long = ["--max_prompt_length", "150", "--without_marker", "drop"]
    run_here(
        monkeypatch,
        "recycle_rephrase",
        *QUICK,
        "--model_name_or_path",
        "always",
        *long,
        "--output_dir",
        tmp_path / "long",
    )
    tokenizer = PreTrainedTokenizerFast.from_pretrained("always")
    failed = [
        sum(len(tokenizer(piece)["input_ids"]) + 4 > 150 for piece in pieces.cut(row["original"]))
        for row in rows(tmp_path / "long")
    ]
    assert [row["failed_pieces"] for row in rows(tmp_path / "long")] == failed and sum(failed) > 3
    assert told(tmp_path / "long")["failed_pieces"] == {"no_marker": 0, "long_prompt": sum(failed), "no_room": 0}
    chain = [(">",), ("Here",), END_OF_TEXT]
    save_rigged(tmp_path / "short", word_tokenizer(), chain, positions=151)
    run_here(
        monkeypatch,
        "recycle_rephrase",
        *QUICK,
        "--model_name_or_path",
        tmp_path / "short",
        "--output_dir",
        tmp_path / "short_out",
    )
    assert told(tmp_path / "short_out")["failed_pieces"]["no_room"] == sum(failed)


def test_semantic_reads_it(made):
    assert list(documents.open_documents(made["never"], skip_empty=True)) == [text for text in texts() if text.strip()]


CHAT = (
    "{% for message in messages %}<{{ message.role }}> {{ message.content }}\n{% endfor %}"
    "{% if enable_thinking is false %}<think></think> {% endif %}>"
)


def test_a_chat_template_gets_its_settings():
    tokenizer = word_tokenizer()
    settings = generation.Settings("never", "Say {text}")
    shown = "Say {text}".replace("{text}", "a {text}")
    assert generation.token_ids(["a {text}"], settings, tokenizer) == tokenizer([shown])["input_ids"]
    tokenizer.chat_template = CHAT
    for kwargs, system, expected in (
        ({"enable_thinking": False}, "Be good.", f"<system> Be good.\n<user> {shown}\n<think></think> >"),
        ({}, None, f"<user> {shown}\n>"),
    ):
        settings = dataclasses.replace(settings, chat_template_kwargs=kwargs, system=system)
        assert generation.token_ids(["a {text}"], settings, tokenizer) == [tokenizer(expected)["input_ids"]]


# Engines


@pytest.fixture(scope="module")
def models(home):
    """Random models of some kinds, which say anything."""
    tokenizer = tokenizers.train_tokenizer(map(str, range(999)), 300)
    sizes = {"vocab_size": len(tokenizer), "initializer_range": 0.3, "eos_token_id": 0, "pad_token_id": 0}
    torch.manual_seed(0)
    llama = LlamaConfig(
        **sizes,
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=2,
        max_position_embeddings=200,
    )
    kinds = {
        "llama": LlamaForCausalLM(llama),
        "gpt2": GPT2LMHeadModel(GPT2Config(**sizes, n_embd=32, n_layer=2, n_head=2, n_positions=200)),
        "bloom": BloomForCausalLM(BloomConfig(**sizes, hidden_size=32, n_layer=2, n_head=2)),
    }
    for name, model in kinds.items():
        model.generation_config.update(do_sample=True, top_k=1)  # which makers of models set, and nobody asked for
        model.save_pretrained(home / name)
        tokenizer.save_pretrained(home / name)
    return kinds


QUESTIONS = [f"{number} and {number * 7919} are {'numbers ' * (number % 5)}" for number in range(13)]


def complete(settings, number=13, seed=(0, 0, 0), **more) -> list[generation.Completion]:
    ended = []
    generator = generation.Generator(dataclasses.replace(settings, **more))
    found = generator(generator.ask(QUESTIONS[:number]), seed, lambda: ended.append(1))
    assert len(ended) == len(found) == number
    return found


@pytest.mark.parametrize(("engine", "longest"), [("continuous", 180), ("padded", 60)])
@pytest.mark.parametrize("name", ["llama", "gpt2"])
def test_engines_agree_with_one_at_a_time(name, engine, longest, models):
    settings = generation.Settings(name, "Q: {text}", temperature=0, max_new_tokens=longest, cache_tokens=700)
    tokenizer, model, expected = PreTrainedTokenizerFast.from_pretrained(name), models[name].eval(), []
    for question in QUESTIONS:
        ids = tokenizer(f"Q: {question}", return_tensors="pt")["input_ids"]
        room = min(longest, 200 - ids.shape[1])
        with torch.no_grad():
            found = model.generate(ids, do_sample=False, max_new_tokens=room)[0, ids.shape[1] :].tolist()
        ended = 0 in found
        tokens = found.index(0) + 1 if ended else len(found)
        expected.append(generation.Completion(tokenizer.decode(found, skip_special_tokens=True), tokens, ended))
    assert complete(settings, engine=engine) == expected
    assert len({completion.tokens for completion in expected}) > 2, "of different lengths"


@pytest.mark.parametrize("engine", ["continuous", "padded"])
def test_a_seed_gives_the_same_whatever_ran_before(engine, models):
    settings = generation.Settings("llama", "Q: {text}", engine=engine, max_new_tokens=20, cache_tokens=2_000)
    first = complete(settings)
    generator = generation.Generator(settings)
    assert generator(generator.ask(QUESTIONS), (0, 1, 0), lambda: None) != first
    torch.rand(3)
    assert generator(generator.ask(QUESTIONS), (0, 0, 0), lambda: None) == first
    assert len({completion.text for completion in first}) > 10, "top_k of the model's makers does not count"
    assert generator([], (0, 0, 0), lambda: None) == []


def test_sampling_is_that_of_the_distribution(models):
    """First tokens, against the softmax that top_p cuts."""
    question, number = "Q: 1", 3_000
    tokenizer = PreTrainedTokenizerFast.from_pretrained("llama")
    with torch.no_grad():
        logits = models["llama"](tokenizer(question, return_tensors="pt")["input_ids"]).logits[0, -1]
    shares = (logits / 0.8).softmax(0).sort(descending=True)
    kept = shares.values.cumsum(0) - shares.values < 0.7
    expected = dict(
        zip(shares.indices[kept].tolist(), (shares.values[kept] / shares.values[kept].sum()).tolist(), strict=True)
    )
    for engine in ("continuous", "padded"):
        settings = generation.Settings(
            "llama", question + "{text}", engine=engine, temperature=0.8, top_p=0.7, max_new_tokens=1
        )
        generator = generation.Generator(settings)
        found = [text for text, _, _ in generator(generator.ask([""] * number), (1,), lambda: None)]
        names = {token: tokenizer.decode([token], skip_special_tokens=True) for token in expected}
        for token, share in expected.items():
            same = sum(other for key, other in expected.items() if names[key] == names[token])
            assert abs(found.count(names[token]) / number - same) < 4 * (same * (1 - same) / number) ** 0.5 + 1e-9, (
                share
            )


def test_engines_are_chosen_by_what_is_there(models, monkeypatch):
    assert (
        generation.choose_engine(models["llama"], None)
        == generation.choose_engine(models["gpt2"], None)
        == "continuous"
    )
    assert generation.choose_engine(models["bloom"], None) == "padded"
    assert generation.choose_engine(models["llama"], "padded") == "padded"
    with pytest.raises(ValueError, match="^engine continuous does not know BloomForCausalLM: choose padded$"):
        generation.choose_engine(models["bloom"], "continuous")
    with pytest.raises(ImportError, match="^engine vllm is not installed: pip install vllm, or leave --engine out$"):
        generation.choose_engine(models["llama"], "vllm")
    bloom = complete(generation.Settings("bloom", "Q: {text}", engine="padded", max_new_tokens=5))
    assert all(completion.tokens <= 5 for completion in bloom)
    monkeypatch.setattr(generation.importlib.util, "find_spec", lambda name: name == "vllm" or None)
    assert generation.choose_engine(models["bloom"], None) == "vllm"


def test_vllm_is_asked_as_it_wants_to_be(models, monkeypatch):
    """Of vLLM, which is for GPUs, only what it is given, and what is made of its answers."""
    made, asked = [], []

    class LLM:
        def __init__(self, **options):
            assert os.environ["VLLM_ENABLE_V1_MULTIPROCESSING"] == "0"
            made.append(options)

        def generate(self, prompts, sampling, use_tqdm):
            asked.append((prompts, sampling))
            outputs = [types.SimpleNamespace(token_ids=(40, 41, 0), finish_reason="stop")] * (len(prompts) - 1)
            outputs.append(types.SimpleNamespace(token_ids=(42,), finish_reason="length"))
            return [types.SimpleNamespace(outputs=[output]) for output in outputs]

    fake = types.ModuleType("vllm")
    fake.LLM, fake.SamplingParams = LLM, lambda **options: options
    monkeypatch.setitem(sys.modules, "vllm", fake)
    monkeypatch.delenv("VLLM_ENABLE_V1_MULTIPROCESSING", raising=False)
    settings = generation.Settings(
        "llama", "{text}", engine="vllm", max_new_tokens=195, vllm_options={"max_model_len": 99}
    )
    found = complete(settings, 3)
    assert made == [{"model": "llama", "enable_prefix_caching": False, "max_model_len": 99}]
    tokenizer = PreTrainedTokenizerFast.from_pretrained("llama")
    ids = tokenizer(QUESTIONS[:3])["input_ids"]
    ((prompts, sampling),) = asked
    assert prompts == [{"prompt_token_ids": own} for own in ids]
    seeds = [each.pop("seed") for each in sampling]
    assert sampling == [{"temperature": 1.0, "top_p": 0.9, "max_tokens": 200 - len(own)} for own in ids]
    assert len({*seeds}) == 3 and seeds == np.random.SeedSequence((0, 0, 0)).generate_state(3).tolist()
    assert found[0] == (tokenizer.decode([40, 41]), 3, True) and found[2] == (tokenizer.decode([42]), 1, False)


def test_each_worker_takes_a_gpu(monkeypatch):
    taken = []
    monkeypatch.setattr(rephrasing, "Generator", lambda settings: taken.append(os.environ.get("CUDA_VISIBLE_DEVICES")))
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    for worker, visible, expected in (((), None, None), ((1,), None, "1"), ((2,), None, "0"), ((3,), "4,7", "7")):
        monkeypatch.setattr(multiprocessing.current_process(), "_identity", worker)
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible or "")
        if visible is None:
            monkeypatch.delenv("CUDA_VISIBLE_DEVICES")
        rephrasing._generator.__wrapped__(None)
        assert taken.pop() == expected


# Clusters


def steps(output) -> list:
    facts = {}
    rephrase = rephrasing.Rephrase(
        output,
        facts,
        generation.Settings("sometimes", Path("ask.txt").read_text().rstrip("\n"), max_new_tokens=12),
        seed=42,
        piece_characters=7_000,
        batch_pieces=1_024,
        without_marker="original",
    )
    read = pipeline.Read(output, facts, "text", "id", False)
    return [read, rephrase, pipeline.Write(output, rephrasing.SCHEMA, facts)]


def test_slurm(made, monkeypatch, capsys, tmp_path):
    """What sbatch is given, and what the jobs do, which are run here one after the other."""
    (tmp_path / "bin").mkdir()
    submitted = with_slurm(monkeypatch, tmp_path / "bin")
    options = json.dumps({"partition": "gpu", "time": "24:00:00", "gpus_per_task": 1, "job_name": "recycle"})
    out = tmp_path / "out"
    words = [
        *SMALL,
        "--model_name_or_path",
        "sometimes",
        "--executor",
        "slurm",
        "--executor_options",
        options,
        "--output_dir",
        out,
    ]
    run_here(monkeypatch, "recycle_rephrase", *words)
    assert capsys.readouterr().out.startswith("4 shards are in the queue; ")
    assert not rows(out) and not (out / "recycle.json").exists()
    jobs = jobs_of(submitted)
    assert len(jobs) == 2 and "--array=0-3" in jobs[0].script and "--partition=gpu" in jobs[0].script
    assert "--dependency=afterok:1" in jobs[1].words, "the summary waits for the shards"
    for job, tasks in zip(jobs, (4, 1), strict=True):
        for task in range(tasks):
            job.run(monkeypatch, task)
    assert contents(out) == contents(made["sometimes"])
    run_here(monkeypatch, "recycle_rephrase", *words)
    assert capsys.readouterr().out.startswith("nothing to do:\ndocuments      30, ")


def test_ray(monkeypatch, tmp_path):
    """Only that the executor is made, and travels: ray itself is not here."""
    monkeypatch.setattr(cluster.importlib.util, "find_spec", lambda name: name == "ray")
    made = pipeline.executor("ray", steps(tmp_path), tmp_path, tasks=7, workers=None, options={"gpus_per_task": 1})
    assert (made.tasks, made.workers, made.gpus_per_task, made.world_size) == (7, 7, 1, 7)
    copy = dill.loads(dill.dumps(made))
    read, rephrase, write = copy.pipeline
    assert read.record is rephrase.record is write.record and write.schema == rephrasing.SCHEMA
    assert rephrase.settings == made.pipeline[1].settings and hash(rephrase.settings) == hash(made.pipeline[1].settings)


def test_shards_that_were_not_made_are_told(monkeypatch, tmp_path):
    monkeypatch.setattr(cluster.Local, "run", lambda self: None)
    with pytest.raises(RuntimeError, match=r"^3 of 3 shards were not made \(see .*logs\): run this again$"):
        pipeline.run("local", [], tmp_path, [1, 1, 1], None, workers=1, options={})


def test_names_are_in_order_however_many_there_are():
    for shards in (10, 100_000, 100_001, 1_234_567):
        names = [shard_file("", rank, shards).name for rank in (0, 8, shards - 1)]
        assert names == sorted(names) and len({*map(len, names)}) == 1
    assert shard_file("out", 3, 12) == Path("out/00003.parquet")


# Mistakes


GOOD = [*SMALL, "--model_name_or_path", "always"]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (
            SMALL,
            "model_name_or_path is missing: give --model_name_or_path runs/rephraser, or a YAML with the key model",
        ),
        ([*SMALL, "--model_name_or_path", "no/such"], "no/such: no model there"),
        ([*GOOD, "--dataset", "no.jsonl"], "dataset 'no.jsonl': there is no such file or folder"),
        ([*GOOD, "--dataset", "ask.txt"], "dataset: ask.txt is not JSON Lines"),
        ([*GOOD, "--dataset", "empty.jsonl"], "dataset: there is no document"),
        (
            [*GOOD, "--text_column", "body"],
            "text_column 'body' is in no document of the dataset, which have: id, text, score",
        ),
        (
            [*GOOD, "--id_column", "url"],
            "id_column 'url' is in no document of the dataset, which have: id, text, score",
        ),
        ([*GOOD, "--without_marker", "keep"], "without_marker must be one of original, drop, got 'keep'"),
        ([*GOOD, "--executor", "k8s"], "executor must be one of local, slurm, ray, got 'k8s'"),
        (
            [*GOOD, "--executor", "slurm"],
            "executor_options {}: missing 2 required positional arguments: 'time' and 'partition'",
        ),
        ([*GOOD, "--executor_options", '{"partition": 1}'], "got an unexpected keyword argument 'partition'"),
        (
            [*GOOD, "--executor", "slurm", "--executor_options", '{"partition": "a", "time": "1:00"}'],
            "executor slurm: there is no sbatch on this machine",
        ),
        ([*GOOD, "--executor", "ray"], "executor ray is not installed: pip install ray"),
        ([*GOOD, "--executor_options", "gpu"], "executor_options must be JSON"),
        ([*GOOD, "--engine", "tgi"], "engine must be one of vllm, continuous, padded, got 'tgi'"),
        ([*GOOD, "--engine", "vllm"], "engine vllm is not installed: pip install vllm, or leave --engine out"),
        (
            [*GOOD, "--template", "always/config.json"],
            "template always/config.json has no place {text}, where the text goes",
        ),
        ([*GOOD, "--template", "long.txt"], "always has 4000 positions, and the template alone takes 4001"),
        ([*GOOD, "--num_proc", "0"], "num_proc must be at least 1, got 0"),
        ([*GOOD, "--top_p", "0"], "top_p must be above 0 and at most 1, got 0.0"),
        ([*GOOD, "--temperature", "-1"], "temperature must be at least 0, got -1.0"),
        ([*GOOD, "--output_dir", "web.jsonl"], "output_dir web.jsonl is a file; name a folder"),
        (
            [*GOOD, "--output_dir", "always"],
            "output_dir always holds config.json, which is not of this recipe: choose another folder",
        ),
        (
            [*GOOD, "--output_dir", "made/always"],
            "was begun with max_new_tokens 12, not 13: choose another folder, or go on",
        ),
        ([*GOOD, "--piece_character", "7"], "unknown argument --piece_character: did you mean --piece_characters?"),
    ],
)
def test_mistakes_are_told_in_one_line(words, message, made, home, monkeypatch, capsys, tmp_path):
    Path("empty.jsonl").write_bytes(b"\n")
    Path("long.txt").write_text("word " * 4_000 + "{text} >")
    output = [] if "--output_dir" in words else ["--output_dir", tmp_path / "out"]
    more = ["--max_new_tokens", "13"] if "made/always" in words else []
    assert message in error_of(monkeypatch, capsys, home, "recycle_rephrase", *words, *output, *more)
    assert not (tmp_path / "out").exists()


def test_one_name_in_two_working_directories_is_two_folders(monkeypatch, tmp_path):
    for home in ("one", "two"):
        (tmp_path / home / "web").mkdir(parents=True)
        monkeypatch.chdir(tmp_path / home)
        Path("web/a.jsonl").write_text('{"text": "one"}\n' * 4)
        save_rigged("model", word_tokenizer(), [(">",), ("Sorry",), END_OF_TEXT], positions=99)
        Path("ask.txt").write_text("{text} >")
        words = ["--model_name_or_path", "model", "--template", "ask.txt", "--max_new_tokens", "2", "--dataset", "web"]
        run_here(monkeypatch, "recycle_rephrase", *words, "--output_dir", "same_name", "--shard_documents", "2")
        assert Path("same_name/recycle.json").is_file()


def test_an_input_that_has_changed_is_refused(monkeypatch, capsys, tmp_path):
    monkeypatch.chdir(tmp_path)
    Path("web").mkdir()
    Path("web/a.jsonl").write_text('{"text": "one"}\n' * 4)
    home = Path(__file__).parent  # anything that stays as it is
    words = [
        "--template",
        "ask.txt",
        "--max_new_tokens",
        "2",
        "--dataset",
        "web",
        "--output_dir",
        "out",
        "--shard_documents",
        "2",
    ]
    save_rigged("model", word_tokenizer(), [(">",), ("Sorry",), END_OF_TEXT], positions=99)
    Path("ask.txt").write_text("{text} >")
    run_here(monkeypatch, "recycle_rephrase", *words, "--model_name_or_path", "model")
    Path("out/00001.parquet").unlink()
    Path("out/recycle.json").unlink()
    Path("web/b.jsonl").write_text('{"text": "two"}\n')
    error = error_of(monkeypatch, capsys, home, "recycle_rephrase", *words, "--model_name_or_path", "model")
    assert error.endswith("dataset: web/b.jsonl was not there when out was begun")
    Path("web/b.jsonl").unlink()
    Path("web/a.jsonl").write_text('{"text": "three"}\n' * 4)
    error = error_of(monkeypatch, capsys, home, "recycle_rephrase", *words, "--model_name_or_path", "model")
    assert error.endswith("dataset: web/a.jsonl had 64 bytes when out was begun, and has 72 now")
    Path("web/a.jsonl").unlink()
    Path("web/c.jsonl").write_text('{"text": "three"}\n' * 4)
    error = error_of(monkeypatch, capsys, home, "recycle_rephrase", *words, "--model_name_or_path", "model")
    assert error.endswith("dataset: web/a.jsonl was there when out was begun")


def test_web_text(web_file, monkeypatch, tmp_path):
    words = [*QUICK, "--shard_documents", "1000", "--model_name_or_path", "sometimes", "--dataset", web_file]
    run_here(monkeypatch, "recycle_rephrase", *words, "--limit", "60", "--output_dir", tmp_path)
    known = [json.loads(line) for line in web_file.read_text().splitlines()[:60]]
    assert [row["original"] for row in rows(tmp_path)] == [row["text"] for row in known]
    assert [row["id"] for row in rows(tmp_path)] == [f"{web_file.name}:{number}" for number in range(1, 61)]
    assert json.loads(rows(tmp_path)[0]["metadata"]) == {"dataman_score": known[0]["dataman_score"]}


def test_our_template_ends_with_the_marker():
    template = (RECIPES / "templates" / "recycle.txt").read_text()
    assert template.count("{text}") == 1 and template.endswith(pieces.MARKER + "\n")


def test_a_shard_without_a_good_document(made, monkeypatch, tmp_path):
    (tmp_path / "web").mkdir()
    (tmp_path / "web" / "a.jsonl").write_text("{damaged\n\n")
    (tmp_path / "web" / "b.jsonl").write_text(json.dumps({"text": "x"}) + "\n")
    words = [*QUICK, "--dataset", tmp_path / "web", "--model_name_or_path", "never", "--output_dir", tmp_path / "out"]
    run_here(monkeypatch, "recycle_rephrase", *words)
    assert [row["text"] for row in rows(tmp_path / "out")] == ["x"] and told(tmp_path / "out")["damaged_lines"] == 1


def test_the_card_says_which_files_are_the_data(made, tmp_path):
    folder = shutil.copytree(made["always"], tmp_path / "one")
    for file in sorted(folder.glob("*.parquet"))[1:]:
        file.unlink()
    (folder / "report.json").write_text("{}")  # as many files of JSON as of data, and more
    found = load_dataset(str(folder), split="train", cache_dir=str(tmp_path / "cache"))
    assert found["text"][:] == [row["text"] for row in rows(folder)]
    assert "30 documents" in (folder / "README.md").read_text()


@pytest.mark.parametrize("what", ["model_name_or_path", "template"])
def test_what_a_run_depends_on_must_stay_the_same(what, made, monkeypatch, capsys, tmp_path):
    shutil.copytree("sometimes", tmp_path / "model")
    (tmp_path / "ask.txt").write_text(Path("ask.txt").read_text())
    words = [
        *QUICK,
        "--model_name_or_path",
        tmp_path / "model",
        "--template",
        tmp_path / "ask.txt",
        "--output_dir",
        tmp_path / "out",
    ]
    run_here(monkeypatch, "recycle_rephrase", *words)
    for file in ("recycle.json", "00001.parquet"):
        (tmp_path / "out" / file).unlink()
    if what == "model_name_or_path":
        shutil.copy("never/model.safetensors", tmp_path / "model" / "model.safetensors")
    else:
        (tmp_path / "ask.txt").write_text("Otherwise:\n{text}\n>\n")
    error = error_of(monkeypatch, capsys, tmp_path, "recycle_rephrase", *words)
    assert f"{what} has changed since" in error


def test_white_space_between_failed_pieces_stays(made, monkeypatch, tmp_path):
    text = "A" * 20 + "\n" * 20 + "B" * 20
    (tmp_path / "web.jsonl").write_text(json.dumps({"text": text}) + "\n")
    words = [*QUICK, "--dataset", tmp_path / "web.jsonl", "--model_name_or_path", "never", "--piece_characters", "20"]
    run_here(monkeypatch, "recycle_rephrase", *words, "--output_dir", tmp_path / "out")
    assert rows(tmp_path / "out")[0]["text"] == text

"""Filtering by quality: against fastText itself and plain Python, through interruptions, workers and mistakes."""

import gzip
import itertools
import json
import math
import re
import shutil
import struct
import subprocess
from pathlib import Path

import fasttext
import hypothesis
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from datasets import load_dataset
from hypothesis import strategies as st
from support.running import error_of, kill_when, run_here
from transformers import AutoTokenizer

from hf_procedural.recycle import classifier_file, quality, scoring, selection
from hf_procedural.text import documents, tokenizers

GOOD = np.array(
    re.findall(r"\w+", "the tree stands under sky because roots drink water and leaves take light so that it grows")
)
BAD = np.array(
    re.findall(r"\w+", "click here buy now cheap free login cart menu next previous page share tweet cookie")
)
SMALL = ["--dim", "10", "--bucket", "1000000"]  # the smallest that fastText trains well: 40 MB
HAZARDS = [
    "nul\0l in it",
    "lines\r\nand\u2028others\x85 \x0b",
    "__label__hq in __label__cc it",
    "🌳👩‍🚀",
    "a</s> b </s> c",
]


def a_text(generator, share: float, words: int) -> str:
    """Words of which about a share are good ones, in lines."""
    good = generator.random(words) < share
    chosen = np.where(good, generator.choice(GOOD, words), generator.choice(BAD, words))
    return "\n".join(" ".join(chosen[start : start + 9]) for start in range(0, words, 9))


def some_texts(number: int, seed: int = 0) -> list[str]:
    """Texts from bad to good."""
    generator = np.random.default_rng(seed)
    return [a_text(generator, generator.random(), int(generator.integers(5, 60))) for _ in range(number)]


def write_rows(file, rows) -> str:
    Path(file).write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return str(file)


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """A working folder with a classifier, which recycle_classifier.py made of two piles."""
    home = tmp_path_factory.mktemp("home")
    generator = np.random.default_rng(1)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(home)
        for name, share in (("good", 0.9), ("bad", 0.1)):
            write_rows(f"{name}.jsonl", [{"text": a_text(generator, share, 30)} for _ in range(300)])
        piles = ["--positive_dataset", "good.jsonl", "--negative_dataset", "bad.jsonl", *SMALL, "--epoch", "10"]
        run_here(patch, "recycle_classifier", *piles, "--lr", "0.5", "--output_file", "quality.bin")
        shutil.copy("quality.bin", "again.bin")
    return home


@pytest.fixture(autouse=True)
def in_home(home, monkeypatch):
    monkeypatch.chdir(home)


def plain_score(model, text: str) -> float:
    """One text at a time, by the package's own method."""
    return dict(zip(*model.predict(" ".join(text.strip().splitlines()), k=-1), strict=True))[quality.LABEL]


# Scores


def test_scores_are_those_of_fasttext_for_one_text_at_a_time(home):
    model, texts = quality.load_classifier("quality.bin", quality.LABEL), some_texts(300) + HAZARDS
    scores = quality.scores(model, texts, quality.LABEL)
    assert scores.dtype == np.float32 and scores.tolist() == [plain_score(model, text) for text in texts]
    assert scores.min() < 0.1 and scores.max() > 0.9
    others = quality.scores(model, texts, quality.OTHER)
    assert scores + others == pytest.approx(1 + 2e-5, abs=1e-6)


PARTS = [
    "a",
    "the",
    "héllo",
    "日本",
    "</s>",
    "</s>x",
    "__label__hq",
    "__label__",
    "__label__new",
    "\0",
    "\x1c",
    "\x1e",
    "\x1f",
]
PARTS += [
    "\x85",
    "\xa0",
    "\u2028",
    "\u2029",
    "\u2027",
    "\u3000",
    "\t",
    "\v",
    "\r\n",
    "\r",
    "\n",
    "\n\n",
    " ",
    " ",
    " ",
    "\xc2",
]


def test_loops_score_as_fasttext_does_whatever_the_text(home):
    """Of two sizes that fastText sums up in ways of its own, and with n-grams of more words."""
    rng = np.random.default_rng(0)
    texts = ["".join(rng.choice(PARTS, rng.integers(0, 30))) for _ in range(2_000)]
    with open("words.txt", "w", newline="\n") as lines:
        lines.writelines(f"__label__{number % 3} {quality.as_line(text)}\n" for number, text in enumerate(texts[:500]))
    settings = {"lr": 0.5, "epoch": 3, "thread": 1, "verbose": 0}
    other = quality.train(Path("words.txt"), wordNgrams=3, dim=16, bucket=2**19, **settings)
    for model in (quality.load_classifier("quality.bin", quality.LABEL), other):
        assert scoring.can_score(model)
        for label in model.get_labels():
            expected = quality._predicted(model, texts, label)
            assert scoring.scores(model, texts, label).tolist() == expected.tolist()
        assert len(set(expected.tolist())) > 200
        assert scoring.scores(model, ["a"], "__label__none").tolist() == [0]


@pytest.mark.skipif(not shutil.which("fasttext"), reason="fastText's command line is not on the PATH")
def test_scores_are_those_of_the_command_line(home):
    model, texts = quality.load_classifier("quality.bin", quality.LABEL), some_texts(300) + HAZARDS[:4]
    Path("lines.txt").write_text("".join(f"{quality.as_line(text)}\n" for text in texts), newline="\n")
    command = ["fasttext", "predict-prob", "quality.bin", "lines.txt", "2"]
    lines = subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()
    printed = [line.split()[line.split().index(quality.LABEL) + 1] for line in lines]
    assert printed == [f"{score:.6g}" for score in quality.scores(model, texts, quality.LABEL)]


def test_a_label_that_fasttext_does_not_tell_scores_0(home):
    with open("many.txt", "w") as lines:
        lines.writelines(f"__label__{number % 40} word{number % 40} some more\n" for number in range(2000))
    settings = {"lr": 1.0, "epoch": 20, "loss": "hs", "thread": 1, "verbose": 0}
    model = quality.train(Path("many.txt"), wordNgrams=2, dim=10, bucket=10**6, **settings)
    assert not scoring.can_score(model)  # hierarchical softmax
    labels, _ = model.predict("word3 some more", k=-1)
    assert labels[0] == "__label__3" and "__label__4" not in labels
    assert quality.scores(model, ["word3 some more"], "__label__4").tolist() == [0]


def test_models_that_are_none(home):
    whole = Path("quality.bin").read_bytes()
    for name, content, message in (
        ("empty.bin", b"", "empty.bin is not a fastText model"),
        ("text.bin", b"hello world" * 99, "text.bin is not a fastText model"),
        ("start.bin", whole[:60], "start.bin is not a fastText model"),
        ("cut.bin", whole[:1000], "cut.bin is cut short or damaged"),
        ("most.bin", whole[:-1], "most.bin is cut short or damaged"),
        ("vectors.bin", whole[:36] + b"\2" + whole[37:], "vectors.bin holds word vectors: train a classifier"),
    ):
        Path(name).write_bytes(content)
        with pytest.raises(ValueError, match=f"^classifier {message}"):
            quality.load_classifier(name, quality.LABEL)
    for name, reason in (("no.bin", "No such file or directory"), (".", "Is a directory")):
        with pytest.raises(ValueError, match=rf"^classifier {name} cannot be read \({reason}\)$"):
            quality.load_classifier(name, quality.LABEL)
    with pytest.raises(
        ValueError, match="^label '__label__x' is not of quality.bin, which has: __label__cc, __label__hq$"
    ):
        quality.load_classifier("quality.bin", "__label__x")


def test_counts_that_disagree_with_the_size_are_refused(home, monkeypatch):
    """Before fastText sees the file: no such file may reach it."""
    monkeypatch.setattr(classifier_file, "labels_of", lambda path: pytest.fail("fastText was asked"))
    shutil.copy("quality.bin", "other.bin")
    with open("other.bin", "rb") as file:
        header = file.read(92)
    (words,) = struct.unpack_from("<i", header, 68)
    wrong = [
        (8, "<i", 0, "its counts are of no model"),
        (8, "<i", -16, "its counts are of no model"),
        (8, "<i", 17, "it has no .* rows of 17 weights where they must be"),
        (32, "<i", 9, "its counts are of no model"),  # loss
        (40, "<i", 0, "it has n-grams, and no place for them"),  # buckets
        (40, "<i", 2**31 - 1, "it has no 2,147,.* rows of .* weights where they must be"),
        (64, "<3i", (words + 3, words + 1, 2), f"entry {words + 1:,} of its dictionary is none"),
        (64, "<3i", (words + 1, words - 1, 2), f"entry {words:,} of its dictionary is none"),
        (64, "<3i", (2**31 - 1, 2**31 - 3, 2), "entry .* of its dictionary is none"),
        (68, "<i", words + 1, "its counts are of no model"),
        (72, "<i", 2**31 - 1, "its counts are of no model"),
        (84, "<q", 2**40, "n-grams that were kept have no rows"),
        (84, "<q", 3, "n-grams that were kept have no rows|it has no .* rows"),
    ]
    for place, form, values, message in wrong:
        changed = bytearray(header)
        struct.pack_into(form, changed, place, *(values if isinstance(values, tuple) else (values,)))
        with open("other.bin", "r+b") as file:
            file.write(changed)
        with pytest.raises(ValueError, match=f"^classifier other.bin is cut short or damaged: ({message})$"):
            quality.check_classifier("other.bin", quality.LABEL)


def test_a_process_that_loading_ends_is_one_line(home, monkeypatch):
    """fastText is a stub here, which does what it does of a file that was made for it."""
    limits = classifier_file._TRIAL.partition("import fasttext")[0]
    for does, reason in (
        ("import os, signal; os.kill(os.getpid(), signal.SIGSEGV)", "SIGSEGV ends the process that loads it"),
        ("bytearray(2**42)", "MemoryError"),
        ("raise ValueError('two\\nlines')", "lines"),
    ):
        monkeypatch.setattr(classifier_file, "_TRIAL", limits + does)
        quality._labels_of.cache_clear()
        with pytest.raises(ValueError, match=f"^classifier quality.bin is damaged, or larger than the .*: {reason}$"):
            quality.load_classifier("quality.bin", quality.LABEL)
    quality._labels_of.cache_clear()


def test_lower_limits_of_the_system_stay(home, monkeypatch):
    """As of a batch system: they cannot be raised, and a classifier that fits is loaded."""
    lower = "import resource; resource.setrlimit(resource.RLIMIT_CPU, (50, 50))\n"
    monkeypatch.setattr(classifier_file, "_TRIAL", lower + classifier_file._TRIAL)
    assert classifier_file.labels_of("quality.bin") == [quality.OTHER, quality.LABEL]


def test_quantised_models_are_read(home):
    model = fasttext.load_model("quality.bin")
    model.quantize(cutoff=1000)
    model.save_model("small.ftz")
    texts = some_texts(50)
    scores = quality.scores(quality.load_classifier("small.ftz", quality.LABEL), texts, quality.LABEL)
    assert scores.tolist() == [plain_score(model, text) for text in texts]
    whole = Path("small.ftz").read_bytes()
    Path("cut.ftz").write_bytes(whole[:-1])
    with pytest.raises(ValueError, match="^classifier cut.ftz is cut short or damaged"):
        quality.check_classifier("cut.ftz", quality.LABEL)


# Thresholds


def known_of(scores, tokens=1, duplicates=()) -> selection.Known:
    facts = np.zeros(len(scores), selection.DOCUMENT)
    facts["quality"], facts["characters"], facts["tokens"] = scores, 9, tokens
    facts["duplicate"][list(duplicates)] = True
    return selection.Known(facts, [0, len(facts)], [])


row = st.tuples(st.sampled_from([0.1, 0.25, 0.5, 0.75, 0.9, math.nan]), st.integers(0, 9), st.booleans())


@hypothesis.given(st.lists(row, min_size=1, max_size=30), st.integers(1, 99), st.floats(0.01, 1))
def test_thresholds_are_those_of_plain_python(rows, budget, share):
    scores, tokens, duplicates = zip(*rows, strict=True)
    known = known_of(scores, tokens, [place for place, is_one in enumerate(duplicates) if is_one])
    texts = [(score, count) for score, count, is_one in rows if not math.isnan(score) and not is_one]
    texts.sort(reverse=True)
    selection.choose(known, "tokens", budget)
    if not texts:
        assert math.isnan(known.threshold) and not known.documents["kept"].any()
        return
    total, expected = 0, texts[-1][0]
    for score, count in texts:
        total += count
        if total >= budget:
            expected = score
            break
    assert known.threshold == np.float32(expected)
    kept = known.documents[known.documents["kept"]]
    assert sorted(kept["quality"]) == sorted(np.float32([score for score, _ in texts if score >= expected]))
    assert kept["tokens"].sum() >= min(budget, sum(count for _, count in texts))
    assert kept["tokens"][kept["quality"] > np.float32(expected)].sum() < budget
    selection.choose(known, "keep_top", share)
    assert known.threshold == np.float32(texts[max(round(share * len(texts)), 1) - 1][0])


def test_a_threshold_at_the_exact_score_keeps_the_document():
    scores = np.float32([0.018112, 0.3, np.nextafter(np.float32(0.3), np.float32(0)), 1 / 3, 1.00001])
    known = known_of(scores)
    for place, score in enumerate(scores):
        for written in (float(score), float(str(score)), float(repr(float(score)))):
            selection.choose(known, "threshold", written)
            assert known.documents["kept"].tolist() == (scores >= score).tolist()
        selection.choose(known, "threshold", float(np.nextafter(score, np.float32(2))))
        assert not known.documents["kept"][place]


@pytest.mark.parametrize("quality", [[0, 0, 0], [0, 0.5, 1]])
def test_a_figure_of_any_source_and_of_any_quality(quality, tmp_path):
    documents = np.zeros(3, selection.DOCUMENT)  # of no characters
    documents["quality"] = quality
    known = selection.Known(documents, [0, 3], [])
    selection.draw({"a $\\nothing$ of \x1b[31m": known}, tmp_path / "some.png")
    assert (tmp_path / "some.png").stat().st_size


def test_ties_are_kept_and_told():
    known = known_of([0.9, 0.5, 0.5, 0.5, 0.1], 10)
    for rule, value in (("tokens", 15), ("keep_top", 0.4)):
        selection.choose(known, rule, value)
        assert known.threshold == 0.5 and known.documents["kept"].tolist() == [True] * 4 + [False]
        told = selection.account(known, rule, value, "gpt2")
        (line,) = selection.notes({"recycled": told})
        assert line == "recycled: 3 documents have exactly the quality of the threshold; all are kept"
    assert told["kept"] == 4 and told["tokens"] == {"read": 50, "kept": 40} and told["dropped"]["quality"] == 1


# The filter


@pytest.fixture(scope="module")
def web(home):
    """Organic text in two files, of which one is packed, and recycled text as recycle_rephrase.py leaves it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(home)
        return write_web()


def write_web() -> dict[str, list[tuple]]:
    """Gives (id, text, other columns) by source."""
    organic, recycled = some_texts(120, seed=2), some_texts(90, seed=3)
    organic[5:5], organic[60:60], recycled[7:7] = HAZARDS, ["", " \n\u2003"], ["", recycled[3], HAZARDS[0]]
    Path("web").mkdir()
    rows = [{"content": text, "url": f"http://{number}", "number": number} for number, text in enumerate(organic)]
    write_rows("web/a.jsonl", rows[:50])
    lines = [json.dumps(row) for row in rows[50:]]
    lines[3:3] = ['{"content": 3}', "{broken", '{"content": "\\ud800"}']
    with gzip.open("web/b.jsonl.gz", "wt", encoding="utf-8") as packed:
        packed.writelines(f"{line}\n" for line in lines)
    Path("recycled").mkdir()
    columns = {"text": recycled, "original": organic[: len(recycled)], "failed_pieces": [0] * len(recycled)}
    table = pa.table({"id": [f"doc {number}" for number in range(len(recycled))], **columns})
    pq.write_table(table.slice(0, 60), "recycled/00000.parquet")
    pq.write_table(table.slice(60), "recycled/00001.parquet")
    write_rows("recycled/recycle.json", [{"documents": len(recycled)}])
    Path("recycled/recipe.yaml").write_text("model: tiny\n")
    tokenizer = tokenizers.train_tokenizer(organic, 300)
    tokenizer.save_pretrained("tokenizer")
    names = [f"a.jsonl:{number + 1}" for number in range(50)]
    names += [f"b.jsonl.gz:{number + 1 + 3 * (number > 2)}" for number in range(len(rows) - 50)]
    others = [{key: row[key] for key in ("url", "number")} for row in rows]
    return {
        "organic": list(zip(names, organic, others, strict=True)),
        "recycled": [(row.pop("id"), row.pop("text"), row) for row in table.to_pylist()],
    }


ORGANIC = ["--organic_dataset", "web", "--organic_text_column", "content"]
BOTH = ["--dataset", "recycled", *ORGANIC, "--classifier", "quality.bin", "--shard_documents", "25"]


def files_of(folder) -> dict[str, bytes]:
    """What a user finds in a folder: the bytes by name. The recipe names the folder."""
    paths = (path for path in Path(folder).rglob("[!.]*") if path.is_file() and path.name != "recipe.yaml")
    names = {path.relative_to(folder).as_posix(): path for path in paths}
    return {
        name: path.read_bytes() for name, path in sorted(names.items()) if not name.startswith(".") and "/." not in name
    }


def rows_of(folder) -> list[dict]:
    return list(itertools.chain(*(pq.read_table(file).to_pylist() for file in sorted(Path(folder).glob("*.parquet")))))


def expected_of(web, source: str, least: float) -> list[dict]:
    """What is to be kept, by fastText alone."""
    model, rows = fasttext.load_model("quality.bin"), []
    for name, text, others in web[source]:
        if text.strip() and (score := plain_score(model, text)) >= least:
            known = {"id": name, "text": text, "quality": score, "source": source}
            rows.append(known | {"metadata": json.dumps(others)})
    return rows


def told(folder) -> dict:
    return json.loads(Path(folder, "filter.json").read_text())["sources"]


def test_what_is_kept(web, monkeypatch, capsys):
    run_here(monkeypatch, "recycle_filter", *BOTH, "--organic_threshold", "0.6", "--output_dir", "kept")
    printed = capsys.readouterr().out
    for source, least, dropped in (("organic", 0.6, 2), ("recycled", 0.018112, 1)):
        expected = expected_of(web, source, least)
        assert rows_of(f"kept/{source}") == expected and 20 < len(expected) < len(web[source])
        facts = told("kept")[source]
        assert (facts["read"], facts["kept"], facts["threshold"]) == (len(web[source]), len(expected), least)
        assert facts["dropped"] == {
            "empty": dropped,
            "duplicate": 0,
            "quality": len(web[source]) - len(expected) - dropped,
        }
        assert facts["characters"]["kept"] == sum(len(row["text"]) for row in expected)
        assert f"| {source} | {len(web[source])} | {dropped} (" in printed
        assert len(load_dataset(f"kept/{source}", split="train")) == len(expected)
    assert [facts["damaged_lines"] for facts in told("kept").values()] == [3, 0]
    damaged = Path("kept/damaged.txt").read_text().splitlines()
    assert [line.split(": ")[0] for line in damaged] == [f"web/b.jsonl.gz, line {number}" for number in (4, 5, 6)]
    assert printed.split("\n\nin kept, with")[0] in Path("kept/filter.md").read_text()
    assert Path("kept/filter.png").read_bytes().startswith(b"\x89PNG")
    together = [row["text"] for source in ("organic", "recycled") for row in rows_of(f"kept/{source}")]
    assert list(documents.open_documents("kept")) == together
    scores = rows_of("kept/.datatrove/recycled")
    assert [row["id"] for row in scores] == [name for name, *_ in web["recycled"]] and scores[7]["quality"] is None

    before = {path: path.stat().st_mtime_ns for path in Path("kept").rglob("*")}
    run_here(monkeypatch, "recycle_filter", *BOTH, "--organic_threshold", "0.6", "--output_dir", "kept")
    assert capsys.readouterr().out == f"nothing to do:\n{printed}"
    assert {path: path.stat().st_mtime_ns for path in Path("kept").rglob("*")} == before


def test_shares_and_budgets(web, monkeypatch, capsys, tmp_path):
    rules = ["--organic_keep_top", "0.25", "--tokens", "1500", "--tokenizer", "tokenizer"]
    run_here(monkeypatch, "recycle_filter", *BOTH, *rules, "--output_dir", tmp_path)
    full = sum(1 for _, text, _ in web["organic"] if text.strip())
    facts, kept = told(tmp_path)["organic"], rows_of(tmp_path / "organic")
    assert facts["kept"] == len(kept) == round(full / 4) and kept == expected_of(web, "organic", facts["threshold"])
    assert facts["threshold"] == min(row["quality"] for row in kept)

    count = AutoTokenizer.from_pretrained("tokenizer")
    facts, kept = told(tmp_path)["recycled"], rows_of(tmp_path / "recycled")
    assert kept == expected_of(web, "recycled", facts["threshold"])
    tokens = {row["id"]: len(count(row["text"], add_special_tokens=False)["input_ids"]) for row in kept}
    assert facts["tokens"]["kept"] == sum(tokens.values()) >= 1500
    assert sum(tokens[row["id"]] for row in kept if row["quality"] > facts["threshold"]) < 1500
    assert {row["text"] for row in kept} & {web["recycled"][3][1]} == set()

    more = ["--tokens", "1_000_000_000", "--tokenizer", "tokenizer", "--organic_dataset", "none"]
    run_here(monkeypatch, "recycle_filter", *BOTH[:2], *BOTH[6:], *more, "--output_dir", tmp_path / "all")
    facts = told(tmp_path / "all")["recycled"]
    assert facts["kept"] == facts["read"] - 1 and set(told(tmp_path / "all")) == {"recycled"}
    line = f"recycled: there are only {facts['tokens']['kept']:,} tokens for a budget of 1,000,000,000; all are kept"
    assert line in capsys.readouterr().out and not (tmp_path / "all" / "organic").exists()


def test_the_originals_are_the_organic_text_by_default(web, monkeypatch, tmp_path):
    run_here(monkeypatch, "recycle_filter", *BOTH[:2], *BOTH[6:], "--organic_threshold", "0", "--output_dir", tmp_path)
    originals = [row["original"] for _, _, row in web["recycled"]]
    kept = [row["text"] for row in rows_of(tmp_path / "organic")]
    assert kept == [text for text in originals if text.strip()] and told(tmp_path).keys() == {"organic", "recycled"}


def test_killed_and_resumed_by_two_workers_it_ends_with_the_same_bytes(web, monkeypatch, tmp_path):
    words = [*BOTH, "--keep_top", "0.5", "--organic_keep_top", "0.5", "--deduplicate", "true"]
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    run_here(monkeypatch, "recycle_filter", *words, "--output_dir", whole)
    kill_when(killed / ".datatrove/organic/00002.parquet", "recycle_filter", *words, "--output_dir", killed)
    scored = {file: file.stat().st_mtime_ns for file in killed.glob(".datatrove/*/0*.parquet")}
    assert 2 < len(scored) < 8 and not (killed / "organic").exists(), "killed in another place"
    kill_when(killed / "organic/00000.parquet", "recycle_filter", *words, "--output_dir", killed)
    (killed / "organic" / ".00004.parquet.1.tmp").write_bytes(b"rest")
    kept = {file: file.stat().st_mtime_ns for file in killed.glob("*/0*.parquet")}
    assert 0 < len(kept) < 9 and not (killed / "filter.json").exists(), "killed in another place"
    run_here(monkeypatch, "recycle_filter", *words, "--output_dir", killed, "--num_proc", "2")
    assert {file: file.stat().st_mtime_ns for file in (*scored, *kept)} == scored | kept, "made again"
    assert files_of(killed) == files_of(whole)
    names = [
        f"{source}/{number:05d}.parquet"
        for source, count in (("organic", 6), ("recycled", 5))
        for number in range(count)
    ]
    assert [*files_of(whole)] == sorted([*names, "damaged.txt", "filter.json", "filter.md", "filter.png"])
    assert not list(killed.rglob(".*.tmp")) and not (killed / ".datatrove/minhash").exists()


# Copies


def test_of_copies_the_first_stays_and_an_organic_one_before_recycled_ones(home, monkeypatch, tmp_path):
    generator = np.random.default_rng(5)
    words = np.array(["".join(letters) for letters in itertools.product("aeiou", "bcdfgh", "aeiou")])
    one, two, three, four = (generator.choice(words, 100) for _ in range(4))
    near = two.copy()
    near[50] = "other"  # 91 of 96 runs of words are the same
    rows = {
        "organic": [four, one, "", "only four words here", two],
        "recycled": [near, one, near, three, "only four words here", [word.upper() + "," for word in one], three],
    }
    for name, texts in rows.items():
        write_rows(
            tmp_path / f"{name}.jsonl", [{"text": text if isinstance(text, str) else " ".join(text)} for text in texts]
        )
    sources = ["--organic_dataset", tmp_path / "organic.jsonl", "--dataset", tmp_path / "recycled.jsonl"]
    options = ["--threshold", "0", "--organic_threshold", "0", "--deduplicate", "true", "--shard_documents", "2"]
    run_here(
        monkeypatch,
        "recycle_filter",
        *sources,
        *options,
        "--classifier",
        "quality.bin",
        "--output_dir",
        tmp_path / "out",
    )
    lines = {name: [int(row["id"].split(":")[1]) for row in rows_of(tmp_path / "out" / name)] for name in rows}
    assert lines == {"organic": [1, 2, 4, 5], "recycled": [4, 5]}
    assert [facts["dropped"]["duplicate"] for facts in told(tmp_path / "out").values()] == [0, 5]
    run_here(
        monkeypatch,
        "recycle_filter",
        *sources,
        *options[:4],
        "--classifier",
        "quality.bin",
        "--output_dir",
        tmp_path / "no",
    )
    assert [facts["kept"] for facts in told(tmp_path / "no").values()] == [4, 7]


# The classifier


def test_the_classifier_is_the_same_again_and_tells_how_good_it_is(home, monkeypatch, capsys, tmp_path):
    piles = [
        "--positive_dataset",
        "good.jsonl",
        "--negative_dataset",
        "bad.jsonl",
        *SMALL,
        "--epoch",
        "10",
        "--lr",
        "0.5",
    ]
    run_here(monkeypatch, "recycle_classifier", *piles, "--output_file", tmp_path / "quality.bin")
    assert (tmp_path / "quality.bin").read_bytes() == Path("quality.bin").read_bytes()
    facts = json.loads(Path("quality.json").read_text())
    assert facts["examples"]["train"].keys() == {quality.LABEL, quality.OTHER}
    assert sum(sum(facts["examples"][part].values()) for part in ("train", "held_out")) == 600
    assert facts["held_out"]["documents"] == sum(facts["examples"]["held_out"].values()) > 30
    assert all(facts["held_out"][name] == 1 for name in ("precision", "recall", "auc"))
    assert "precision 1.0000 recall 1.0000 auc 1.0000" in capsys.readouterr().out
    assert sorted(path.name for path in tmp_path.iterdir()) == ["quality.bin", "quality.json"]


def test_labels_and_scores(home, monkeypatch, tmp_path):
    good, bad = (list(documents.open_documents(f"{name}.jsonl")) for name in ("good", "bad"))
    labelled = [(text, 3, "fine") for text in good] + [(text, 2.5, "poor") for text in bad]
    rows = [{"content": text, "score": score, "grade": grade} for text, score, grade in labelled]
    rows += [
        {"content": "of no kind"},
        {"content": "nor this", "score": None, "grade": None},
        {"content": " ", "score": 3, "grade": "fine"},
    ]
    write_rows(tmp_path / "rows.jsonl", rows)
    models = {}
    for column, positive in (("score", "3"), ("grade", "fine")):
        words = [
            "--dataset",
            tmp_path / "rows.jsonl",
            "--text_column",
            "content",
            *SMALL,
            "--epoch",
            "10",
            "--lr",
            "0.5",
        ]
        words += ["--label_column", column, "--positive", positive, "--output_file", tmp_path / f"{column}.bin"]
        run_here(monkeypatch, "recycle_classifier", *words)
        models[column] = (tmp_path / f"{column}.bin").read_bytes()
        examples = json.loads((tmp_path / f"{column}.json").read_text())["examples"]
        assert (examples["unlabelled"], examples["empty"]) == (2, 1)
    assert models["score"] == models["grade"] == Path("quality.bin").read_bytes()


@hypothesis.given(st.lists(st.tuples(st.text(max_size=20), st.booleans()), max_size=30), st.integers(0, 99))
def test_examples_are_on_one_side_each_and_have_one_label(tmp_path_factory, examples, seed):
    folder = tmp_path_factory.mktemp("examples")
    examples += [("twice\n__label__hq __label__cc", True), ("twice\n__label__hq __label__cc", False)]
    counts = quality.write_examples(examples, folder, 0.4, seed)
    parts = {name: (folder / name).read_bytes().split(b"\n")[:-1] for name in (quality.TRAIN, quality.HELD_OUT)}
    found = sorted(parts[quality.TRAIN] + parts[quality.HELD_OUT])
    lines = [(quality.as_line(text).replace("__label__", "__label "), good) for text, good in examples]
    assert found == sorted(
        f"{quality.LABEL if good else quality.OTHER} {line}".encode() for line, good in lines if line
    )
    train, held_out = ({line.split(b" ", 1)[1] for line in part} for part in parts.values())
    assert not train & held_out and counts["empty"] == sum(not line for line, _ in lines)
    assert all(line.count(b"__label__") == 1 for line in found)
    again = tmp_path_factory.mktemp("again")
    assert quality.write_examples(examples, again, 0.4, seed) == counts
    assert all((again / name).read_bytes() == (folder / name).read_bytes() for name in parts)


def test_training_lines_are_shuffled(tmp_path):
    quality.write_examples([(f"text {number}", number < 500) for number in range(1000)], tmp_path, 0.1, 0)
    labels = [line.split()[0] for line in (tmp_path / quality.TRAIN).read_text().splitlines()]
    assert 350 < sum(now != after for now, after in itertools.pairwise(labels)) < 550


def test_measures_are_those_of_plain_python(home, tmp_path):
    texts = some_texts(60, seed=7) + some_texts(5, seed=7)
    good = [number % 3 > 0 for number in range(len(texts))]
    lines = [
        f"{quality.LABEL if is_good else quality.OTHER} {quality.as_line(text)}\n"
        for text, is_good in zip(texts, good, strict=True)
    ]
    (tmp_path / "held_out.txt").write_text("".join(lines))
    model = quality.load_classifier("quality.bin", quality.LABEL)
    found = quality.measure(model, tmp_path / "held_out.txt")
    scores = [plain_score(model, text) for text in texts]
    taken = [is_good for score, is_good in zip(scores, good, strict=True) if score >= 0.5]
    assert found["precision"] == pytest.approx(sum(taken) / len(taken))
    assert found["recall"] == pytest.approx(sum(taken) / sum(good))
    pairs = [
        (better > worse) + (better == worse) / 2
        for better, of_good in zip(scores, good, strict=True)
        for worse, of_other in zip(scores, good, strict=True)
        if of_good and not of_other
    ]
    assert found["auc"] == pytest.approx(sum(pairs) / len(pairs))
    assert found["quantiles"]["0.5"] == pytest.approx(float(np.median(scores)), abs=1e-6)


# Web text


def test_web_text(web_file, home, monkeypatch, tmp_path):
    words = ["--dataset", web_file, "--label_column", "dataman_score", "--positive", "4", *SMALL, "--epoch", "25"]
    run_here(monkeypatch, "recycle_classifier", *words, "--output_file", tmp_path / "web.bin")
    facts = json.loads((tmp_path / "web.json").read_text())
    assert facts["held_out"]["auc"] > 0.6 and sum(facts["examples"]["train"].values()) > 850
    model, rows = fasttext.load_model(str(tmp_path / "web.bin")), [json.loads(line) for line in web_file.open()]
    scores = [plain_score(model, row["text"]) for row in rows]
    least = sorted(scores)[700]
    words = ["--organic_dataset", web_file, "--organic_threshold", str(least), "--classifier", tmp_path / "web.bin"]
    run_here(monkeypatch, "recycle_filter", *words, "--output_dir", tmp_path / "kept")
    kept = [(row["text"], row["quality"], json.loads(row["metadata"])) for row in rows_of(tmp_path / "kept/organic")]
    assert kept == [(row.pop("text"), score, row) for row, score in zip(rows, scores, strict=True) if score >= least]
    assert len(kept) == 300


# Mistakes


FILTER_MISTAKES = {
    "no model": (
        ["--classifier", ""],
        "classifier is missing: give --classifier quality.bin, or a YAML with the key classifier",
    ),
    "no output": (
        ["--output_dir", ""],
        "output_dir is missing: give --output_dir data/filtered, or a YAML with the key output_dir",
    ),
    "no text": (
        ["--dataset", "", "--organic_dataset", ""],
        "dataset is missing: give --dataset data/recycled, --organic_dataset data/web, or",
    ),
    "no such model": (["--classifier", "no.bin"], "classifier no.bin cannot be read (No such file or directory)"),
    "no fastText model": (["--classifier", "web/a.jsonl"], "classifier web/a.jsonl is not a fastText model"),
    "label": (
        ["--label", "__label__good"],
        "label '__label__good' is not of quality.bin, which has: __label__cc, __label",
    ),
    "two rules": (["--threshold", "0.5", "--keep_top", "0.1"], "give one of threshold and keep_top, got 0.5 and 0.1"),
    "three rules": (
        ["--organic_threshold", "0.5", "--organic_keep_top", "0.1", "--organic_tokens", "9"],
        "give one of organic_threshold and organic_keep_top and organic_tokens, got 0.5 and 0.1 and 9",
    ),
    "threshold": (["--threshold", "18"], "threshold must be a probability from 0 to 1, got 18.0"),
    "share": (["--organic_keep_top", "10"], "organic_keep_top must be above 0 and at most 1, got 10.0"),
    "no share": (["--keep_top", "0"], "keep_top must be above 0 and at most 1, got 0.0"),
    "budget": (["--tokens", "0", "--tokenizer", "tokenizer"], "tokens must be at least 1, got 0"),
    "no tokenizer": (
        ["--organic_tokens", "99"],
        "organic_tokens needs a tokenizer to count them: add --tokenizer Eleu",
    ),
    "tokenizer": (["--tokens", "99", "--tokenizer", "none"], "tokenizer 'none' cannot be loaded"),
    "rule of nothing": (
        ["--organic_dataset", "", "--organic_keep_top", "0.1"],
        "organic_keep_top: there is no --organic_dataset to choose",
    ),
    "workers": (["--num_proc", "0"], "num_proc must be at least 1, got 0"),
    "shards": (["--shard_documents", "0"], "shard_documents must be at least 1, got 0"),
    "no input": (["--dataset", "no.jsonl"], "dataset 'no.jsonl': there is no such file or folder"),
    "no organic": (["--organic_dataset", "no.jsonl"], "organic_dataset 'no.jsonl': there is no such file or folder"),
    "column": (["--organic_text_column", "body"], "organic_text_column 'body' is in no document"),
    "cut short": (
        ["--dataset", "begun"],
        "begun is not complete: run recipes/recycle_rephrase.py with its arguments again",
    ),
    "both": (
        ["--organic_dataset", "recycled", "--organic_text_column", "text"],
        "organic_dataset: recycled/00000.parquet is in --dataset, too",
    ),
    "output is a file": (["--output_dir", "good.jsonl"], "output_dir good.jsonl is a file; name a folder"),
    "other files": (
        ["--output_dir", "web"],
        "output_dir web holds a.jsonl, which is not of this recipe: choose another folder",
    ),
    "unknown": (["--treshold", "0.5"], "unknown argument --treshold: did you mean --threshold?"),
}


@pytest.mark.parametrize("words, message", FILTER_MISTAKES.values(), ids=FILTER_MISTAKES.keys())
def test_mistakes_of_the_filter(words, message, home, web, monkeypatch, capsys):
    Path("begun").mkdir(exist_ok=True)
    shutil.copy("recycled/00000.parquet", "begun")
    shutil.copy("recycled/recipe.yaml", "begun")
    assert message in error_of(monkeypatch, capsys, home, "recycle_filter", *BOTH, "--output_dir", "new", *words)


def test_another_rule_or_other_files_are_another_run(web, monkeypatch, capsys, tmp_path):
    write_rows(tmp_path / "a.jsonl", [{"text": text} for text in some_texts(9)])
    words = ["--organic_dataset", tmp_path / "a.jsonl", "--classifier", "quality.bin", "--output_dir", tmp_path / "out"]
    run_here(monkeypatch, "recycle_filter", *words)
    (tmp_path / "out/filter.json").unlink()
    error = error_of(monkeypatch, capsys, tmp_path, "recycle_filter", *words, "--organic_keep_top", "0.5")
    assert "was begun with organic_keep_top None, not 0.5: choose another folder" in error
    write_rows(tmp_path / "a.jsonl", [{"text": text} for text in some_texts(9, seed=1)])
    error = error_of(monkeypatch, capsys, tmp_path, "recycle_filter", *words)
    assert "a.jsonl had " in error and "bytes when" in error


def test_a_damaged_line_ends_a_strict_run_in_one_line(web, monkeypatch, capsys, tmp_path):
    with pytest.raises(SystemExit) as exit_:
        run_here(monkeypatch, "recycle_filter", *BOTH, "--strict", "true", "--output_dir", tmp_path / "out")
    (error,) = [line for line in capsys.readouterr().err.splitlines() if "rror" in line]
    assert exit_.value.code == 2 and error.endswith("web/b.jsonl.gz, line 4: 'content' is int, not text")


PILES = ["--positive_dataset", "good.jsonl", "--negative_dataset", "bad.jsonl"]
CLASSIFIER_MISTAKES = {
    "nothing": (
        [],
        "give --dataset FILE --label_column COLUMN --positive NUMBER_OR_WORD, or --positive_dataset GOOD --nega",
    ),
    "half": (PILES[:2], "give --dataset FILE --label_column"),
    "both": ([*PILES, "--dataset", "good.jsonl"], "give --dataset FILE --label_column"),
    "no such file": ([*PILES[:3], "no.jsonl"], "dataset 'no.jsonl': there is no such file or folder"),
    "text column": ([*PILES, "--text_column", "body"], "text_column 'body' is in no document"),
    "exists": (
        [*PILES, "--output_file", "quality.bin"],
        "output_file quality.bin exists: choose another, or remove it",
    ),
    "facts exist": (
        [*PILES, "--output_file", "quality.ftz"],
        "output_file quality.json exists: choose another, or remove it",
    ),
    "no folder": ([*PILES, "--output_file", "no/quality.bin"], "output_file no/quality.bin: there is no folder no"),
    "unigrams": ([*PILES, "--word_ngrams", "1"], "word_ngrams must be at least 2, got 1"),
    "bucket": (
        [*PILES, "--bucket", "1000"],
        "bucket must be at least 83,887 with dim 100, got 1,000: fastText does not",
    ),
    "held out": ([*PILES, "--validation_size", "1"], "validation_size must be above 0 and below 1, got 1.0"),
    "nothing held out": (
        [*PILES, "--validation_size", "1e-9"],
        "validation_size 1e-09 gives 0 of 300 good texts to measure on and 300",
    ),
    "lr": ([*PILES, "--lr", "0"], "lr must be above 0, got 0.0"),
    "threads": ([*PILES, "--threads", "0"], "threads must be at least 1, got 0"),
    "seed": ([*PILES, "--seed", "-1"], "seed must be at least 0, got -1"),
    "label column": (
        ["--dataset", "labels.jsonl", "--label_column", "score", "--positive", "3"],
        "label_column 'score' is in no document of labels.jsonl",
    ),
    "word for a score": (
        ["--dataset", "labels.jsonl", "--label_column", "stars", "--positive", "good"],
        "positive must be a number, as label_column has 3, got 'good'",
    ),
    "one class": (
        ["--dataset", "labels.jsonl", "--label_column", "stars", "--positive", "2"],
        "there is no other text among the examples (left out: 0 unlabelled, 0 empty, 0 damaged)",
    ),
}


@pytest.mark.parametrize("words, message", CLASSIFIER_MISTAKES.values(), ids=CLASSIFIER_MISTAKES.keys())
def test_mistakes_of_the_classifier(words, message, home, monkeypatch, capsys):
    write_rows("labels.jsonl", [{"text": f"text {number}", "stars": 3} for number in range(9)])
    words = words if "--output_file" in words else [*words, "--output_file", "new.bin"]
    assert message in error_of(monkeypatch, capsys, home, "recycle_classifier", *words)

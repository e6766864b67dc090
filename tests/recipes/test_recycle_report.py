"""The faithfulness report: measures against their definitions, BERTScore against its library, a page that is inert."""

import collections
import difflib
import html.parser
import json
import re

import numpy as np
import pyarrow as pa
import pyarrow.parquet
import pytest
import torch
from bert_score import BERTScorer
from hypothesis import given, settings
from hypothesis import strategies as st
from support.running import error_of, run_here
from transformers import BertConfig, BertModel, GPT2Config, GPT2Model, RobertaConfig, RobertaModel, T5Config

from hf_procedural.recycle import side_by_side
from hf_procedural.recycle.faithfulness import compare, faithfulness, lacking, names, numbers, summary, words
from hf_procedural.recycle.meaning import BertScore
from hf_procedural.text import documents, tokenizers

SIZE = {"vocab_size": 300, "hidden_size": 16, "num_hidden_layers": 3, "num_attention_heads": 2, "intermediate_size": 32}
ORIGINAL = "It was found that NASA paid 1,999 dollars to Barack Obama in 2008. The rest went to Kenya, by 3.50 a day."
RECYCLED = "In 2008, Obama was paid 1999 dollars; NASA found out. Then Zorg took 12 more in Kenya, the 3.5 included."
HOSTILE = (
    "</div><script>alert(1)</script><img src=x onerror=alert(2)>&lt; Zorg\x00\x1b[31m[red]x[/red] 😀 שלום \u202eevil"
)


# Measures

_TEXTS = st.lists(
    st.sampled_from(["the", "a", "Paris", "NASA", "3", "1,000", "cat.", "dog", "\n", "New", "York", "'s", "…", "x"]),
    max_size=40,
).map(" ".join) | st.text(max_size=60)


@given(text=_TEXTS, other=_TEXTS)
def test_a_text_is_faithful_to_itself(text, other):
    found = compare(text, text)
    shares = [value for key, value in found.items() if key.startswith(("overlap", "numbers", "names"))]
    assert all(value in (1, None) for value in shares)
    assert found["longest_run"] == len(words(text)) and found["length_ratio"] == (1 if text else None)
    assert not any(found[f"{what}_{kind}"] for what in ("lost", "new") for kind in ("numbers", "names"))
    one, another = compare(text, other), compare(other, text)
    assert (one["lost_names"], one["new_numbers"]) == (another["new_names"], another["lost_numbers"])
    assert one["longest_run"] == another["longest_run"]


@given(text=_TEXTS, other=_TEXTS)
def test_overlap_and_longest_run_are_their_definitions(text, other):
    found, ours, others = compare(text, other), *([word.key for word in words(side)] for side in (text, other))
    for n in range(1, 6):
        grams, known = ([tuple(side[i : i + n]) for i in range(len(side) - n + 1)] for side in (ours, others))
        expected = np.mean([gram in known for gram in grams]) if grams else None
        assert found[f"overlap_{n}"] == pytest.approx(expected)
    match = difflib.SequenceMatcher(None, ours, others, autojunk=False).find_longest_match()
    assert found["longest_run"] == match.size


@given(text=_TEXTS, other=_TEXTS)
def test_what_is_lost_is_there_and_not_there(text, other):
    for kind, find in (("numbers", numbers), ("names", names)):
        missing = lacking(kind, text, other)
        assert {thing.key for thing in missing} <= {thing.key for thing in find(text)}
        assert not {thing.key for thing in missing} & {thing.key for thing in find(other)}
        listed = compare(other, text)[f"lost_{kind}"]
        assert all(name in text for name in listed)
        assert {thing.key for name in listed for thing in words(name)} >= {m.key for m in missing if kind == "names"}
    assert "".join(part for part, _ in side_by_side.segments(text, other)) == text


def test_texts_without_a_word_in_common():
    found = compare("one two 3 of NASA", "four Paris 5 Berlin")
    assert [found[f"overlap_{n}"] for n in range(1, 5)] == [0, 0, 0, 0] and found["longest_run"] == 0
    assert found["numbers_kept"] == found["names_kept"] == found["numbers_from_original"] == 0
    assert compare("", "a 1 B")["overlap_1"] is None and compare("", "x")["length_ratio"] == 0
    assert faithfulness(compare("", "x")) == 0 < faithfulness(compare("x y", "x")) < faithfulness(compare("x", "x"))


def test_a_pair_by_hand():
    found = compare(RECYCLED, ORIGINAL)
    assert found["lost_names"] == ["Barack"] and found["new_names"] == ["Zorg"]
    assert (found["lost_numbers"], found["new_numbers"]) == ([], ["12"])
    assert found["names_kept"] == 3 / 4 and found["numbers_from_original"] == 3 / 4 and found["numbers_kept"] == 1


@given(st.decimals(0, 10**40, places=3, allow_nan=False))
def test_numbers_are_those_of_any_notation(value):
    plain = f"{value:f}"
    (key,) = {number.key for number in numbers(f"{plain} is {value:,f} and 00{plain}00, {plain}. ({plain})")}
    assert float(key) == float(value)
    arabic = plain.translate({ord("0") + digit: 0x660 + digit for digit in range(10)})
    assert [number.key for number in numbers(arabic)] == [key]


@pytest.mark.parametrize(
    ("text", "keys"),
    [
        ("1,234,567 and 1’234’567 and 1\u00a0234 1\u202f234.5", ["1234567", "1234567", "1234", "1234.5"]),
        ("1.234.567,5 is 1234567.50", ["1234567.5", "1234567.5"]),
        ("1.234 3,5 .5 0.50 ...7", ["1.234", "3.5", "0.5", "0.5", "7"]),
        ("5,10,2024 10:30 1990-1995 5% $20", ["5", "10", "2024", "10", "30", "1990", "1995", "5", "20"]),
        ("v1.2.3 B2B mp3 COVID-19 3rd 10k", ["19", "3", "10"]),
        ("on 2.10.2024 at 192.168.0.1.", ["2.10.2024", "192.168.0.1"]),
        ("²½Ⅷ 九", []),
    ],
)
def test_numbers(text, keys):
    assert [number.key for number in numbers(text)] == keys


@pytest.mark.parametrize(
    ("text", "keys"),
    [
        ("We met Ann Lee in Rome. She left. NASA stayed: The end", ["ann", "lee", "rome", "nasa"]),
        ("Dr. Who and Mr. Smith and J. Doe", ["who", "mr", "smith", "doe"]),
        ("Then I'm sure that I saw the U.S. Senate's YouTube", ["us", "senate", "youtube"]),
        ("Home About Contact\nCLICK HERE NOW\na Great thing\n* Item", ["great"]),
        ("a House is a house, but Rome", ["rome"]),
        ("日本 und Größe", ["grösse"]),
    ],
)
def test_names(text, keys):
    assert [name.key for name in names(text)] == keys


def test_a_name_counts_as_kept_wherever_it_stands():
    assert compare("Paris is big. OBAMA", "we saw Paris and Obama")["names_kept"] == 1


def test_long_texts_of_one_word():
    text = "x " * 50_000
    assert compare(text, text + "y")["longest_run"] == 50_000
    assert compare("1," * 50_000, "A." * 50_000)["overlap_1"] == 0


def test_summary():
    pairs = [{"meaning": value, "overlap_1": None, "longest_run": 3} for value in (0.5, None, 1.0)]
    found = summary(pairs)
    assert found["meaning"] == {"pairs": 2, "mean": 0.75, "median": 0.75, "5%": 0.525, "95%": 0.975}
    assert "overlap_1" not in found and found["longest_run"]["pairs"] == 3


# BERTScore


@pytest.fixture(scope="module")
def encoder(tmp_path_factory):
    """A small BERT whose tokenizer names no length."""
    folder = tmp_path_factory.mktemp("encoder")
    torch.manual_seed(0)
    BertModel(BertConfig(**SIZE, max_position_embeddings=24)).save_pretrained(folder)
    tokenizers.train_tokenizer([ORIGINAL, RECYCLED], 300).save_pretrained(folder)
    return str(folder)


def test_bertscore_is_that_of_its_library(encoder):
    texts = [RECYCLED, "a", "größer 😀 \x00", ORIGINAL * 9, "same"]
    originals = [ORIGINAL, "b c d e", "smaller", RECYCLED * 9, "same"]
    ours = BertScore(encoder, 2, device="cpu", batch_size=2)
    theirs = BERTScorer(encoder, num_layers=2, device="cpu", use_fast_tokenizer=True)
    theirs._tokenizer.model_max_length = 24  # without which it ends on the long ones
    expected = theirs.score(texts, originals)[2].numpy()
    found = ours([*texts, "", "text", " \n"], [*originals, "text", "", "\u3000"])
    assert found.dtype == np.float64
    np.testing.assert_allclose(found, [*expected, 0, 0, 0], atol=1e-5)
    assert found[4] == pytest.approx(1) and len(set(found)) == 5
    assert len(ours([], [])) == 0


def test_positions_of_an_encoder(tmp_path):
    """Those of RoBERTa begin behind its padding; without a padding token any is taken."""
    tokenizer = tokenizers.train_tokenizer([ORIGINAL], 300)
    tokenizer.pad_token = None
    for name, model in {
        "roberta": RobertaModel(RobertaConfig(**SIZE, max_position_embeddings=26, pad_token_id=1)),
        "gpt2": GPT2Model(GPT2Config(vocab_size=300, n_embd=16, n_layer=3, n_head=2, n_positions=24)),
    }.items():
        model.save_pretrained(tmp_path / name)
        tokenizer.save_pretrained(tmp_path / name)
        score = BertScore(str(tmp_path / name), 3, device="cpu")
        assert score.tokenizer.model_max_length == 24
        assert score(["word " * 99], ["word " * 99]) == pytest.approx(1, abs=1e-5)


def test_mistakes_with_an_encoder(encoder, tmp_path):
    for layer in (0, 4):
        with pytest.raises(ValueError, match=rf"^layer must be in 1\.\.3 of {encoder}, got {layer}$"):
            BertScore(encoder, layer)
    with pytest.raises(ValueError, match=r"^no/such: no model for BERTScore there \([^\n]*\)$"):
        BertScore("no/such", 1)
    T5Config(num_layers=2).save_pretrained(tmp_path)
    with pytest.raises(ValueError, match=rf"^{tmp_path} is a t5; BERTScore takes an encoder, [^\n]*$"):
        BertScore(str(tmp_path), 1)


# The page


class Page(html.parser.HTMLParser):
    """What a browser makes of a page: the tags it sees, and the text of each."""

    def __init__(self, content: str):
        super().__init__()
        self.tags, self.attributes, self.texts, self.open = collections.Counter(), set(), [], []
        self.feed(content)
        self.close()

    def handle_starttag(self, tag, attributes):
        self.tags[tag] += 1
        self.attributes |= {name for name, _ in attributes}
        if tag == "div" and ("class", "text") in attributes:
            self.texts.append("")
            self.open.append("text")
        elif tag not in ("meta", "img"):
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert (self.open.pop(), tag) in ((tag, tag), ("text", "div"))

    def handle_data(self, data):
        if "text" in self.open:
            self.texts[-1] += data


def page_of(*texts_and_originals):
    pairs = [
        {"id": HOSTILE, "group": "g", "text": text, "original": original} | compare(text, original)
        for text, original in texts_and_originals
    ]
    return side_by_side.page(HOSTILE, [HOSTILE], {HOSTILE: summary(pairs)}, b"\x89PNG", pairs)


@settings(max_examples=60)
@given(text=st.text() | st.sampled_from([HOSTILE, RECYCLED]), original=st.text() | st.sampled_from([HOSTILE, ORIGINAL]))
def test_texts_are_inert(text, original):
    content = page_of((text, original))
    page = Page(content)
    allowed = "html head meta title style body h1 h2 p table tr th td img details summary span div b"
    assert page.tags.keys() <= set(allowed.split())
    assert page.attributes <= {"lang", "charset", "http-equiv", "content", "name", "alt", "src", "class", "dir", "open"}
    assert page.texts == [side_by_side.visible(original), side_by_side.visible(text)]
    assert not re.search(r"[\x00-\x08\x0b-\x1f\u202e]", content)
    assert not re.search(r"(?:src|href)=\"(?!data:image/png;base64,)|https?://[^<]*\.js|@import|url\(", content)


def test_differences_are_marked():
    content = page_of((RECYCLED, ORIGINAL))
    assert re.findall(r'<span class="lost">(.+?)</span>', content) == ["Struck out", "Barack"]
    assert re.findall(r'<span class="new">(.+?)</span>', content) == ["Underlined", "Zorg", "12"]
    assert "default-src &#x27;none&#x27;" in content or "default-src 'none'" in content


# The recipe


@pytest.fixture(scope="module")
def home(tmp_path_factory, encoder):
    """A folder as recipes/recycle_rephrase.py leaves it, and what a user may trip over."""
    home = tmp_path_factory.mktemp("home")
    rows = [
        {
            "id": f"web:{number}",
            "text": "" if number == 7 else f"{RECYCLED} {number}",
            "original": HOSTILE if number == 11 else f"{ORIGINAL} {number}",
            "original_length": len(ORIGINAL),
            "pieces": 2,
            "failed_pieces": int(number % 10 == 3),
            "metadata": "{}",
        }
        for number in range(60)
    ]
    (home / "recycled").mkdir()
    for part in range(3):
        file = home / "recycled" / f"0000{part}.parquet"
        pa.parquet.write_table(pa.Table.from_pylist(rows[20 * part : 20 * part + 20]), file)
    (home / "pairs.jsonl").write_text(
        "".join(json.dumps({"new": r["text"], "old": r["original"]}) + "\n" for r in rows)
    )
    (home / "broken.jsonl").write_text('{"text": "a", "original": null}\n')
    (home / "bad.jsonl").write_text('{"text": 5}\n')
    (home / "half.jsonl").write_text('{"text": "a", "original": "\\ud800"}\n')
    (home / "full").mkdir()
    (home / "full" / "precious.txt").write_text("x")
    return home


@pytest.fixture
def in_home(home, monkeypatch):
    monkeypatch.chdir(home)


def report(monkeypatch, capsys, output, *words):
    run_here(monkeypatch, "recycle_report", "--output_dir", output, *words)
    return json.loads((output / "report.json").read_text()), capsys.readouterr().out


def test_report_of_a_rephrased_folder(home, in_home, encoder, monkeypatch, capsys):
    words = ["--dataset", "recycled", "--limit", "40", "--meaning_model", encoder, "--meaning_layer", "2"]
    found, printed = report(monkeypatch, capsys, home / "recycled" / "report", *words)
    assert len(found["pairs"]) == len({pair["id"] for pair in found["pairs"]}) == 40
    failed = [pair for pair in found["pairs"] if pair["group"] == "with pieces that failed"]
    assert failed and all(pair["id"].endswith("3") for pair in failed)
    assert list(found["groups"]) == [
        f"rephrased: {40 - len(failed)} pairs",
        f"with pieces that failed: {len(failed)} pairs",
    ]
    scores = [pair["meaning"] for pair in found["pairs"] if pair["group"] == "rephrased"]
    kept = sum(score >= 0.65 for score in scores)
    assert f"{kept} of {len(scores)} rephrased texts are at the threshold of 0.65" in " ".join(found["notes"])
    (summed,) = [group for name, group in found["groups"].items() if name.startswith("rephrased")]
    assert summed["meaning"]["mean"] == pytest.approx(np.mean(scores))
    assert found["pairs"] == sorted(found["pairs"], key=faithfulness)
    content = (home / "recycled" / "report" / "report.html").read_text()
    assert Page(content).tags["details"] == 40 and "data:image/png;base64,iVBOR" in content
    assert all(len(line) <= 80 for line in printed.splitlines()) and "BERTScore F1" in printed
    again, _ = report(monkeypatch, capsys, home / "recycled" / "report", *words)
    assert again["pairs"] == found["pairs"]
    assert len(list(documents.open_documents(str(home / "recycled"), skip_empty=True))) == 59, "the report is no data"


def test_report_of_other_files_without_bertscore(home, in_home, monkeypatch, capsys, tmp_path):
    words = ["--dataset", "pairs.jsonl", "--text_column", "new", "--original_column", "old", "--meaning_model", "none"]
    found, printed = report(monkeypatch, capsys, tmp_path, *words)
    assert [len(found["pairs"]), found["pairs"][0]["overlap_1"]] == [60, None], "an empty text is the least faithful"
    assert "BERTScore" not in printed and not any("meaning" in pair for pair in found["pairs"])
    assert "\x1b" not in printed and "\x00" not in printed
    other, _ = report(monkeypatch, capsys, tmp_path, *words, "--limit", "9", "--seed", "1")
    third, _ = report(monkeypatch, capsys, tmp_path, *words, "--limit", "9", "--seed", "2")
    ids = [{pair["id"] for pair in one["pairs"]} for one in (other, third)]
    assert len(ids[0]) == len(ids[1]) == 9 and ids[0] != ids[1]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--dataset", ""], "dataset is missing: give --dataset data/recycled"),
        (["--dataset", "recycled", "--output_dir", "full"], "full holds precious.txt, which is not of this recipe"),
        (["--dataset", "recycled", "--output_dir", "pairs.jsonl"], "output_dir pairs.jsonl is a file; name a folder"),
        (["--dataset", "nowhere/*.parquet"], "there is no such file or folder"),
        (["--dataset", "recycled", "--text_column", "txt"], "text_column 'txt'"),
        (["--dataset", "recycled", "--original_column", "old"], "original_column 'old' of web:"),
        (["--dataset", "broken.jsonl"], "original_column 'original' of broken.jsonl:1 holds no text"),
        (["--dataset", "half.jsonl"], "original_column of half.jsonl:1 is not valid Unicode (surrogates not allowed)"),
        (["--dataset", "bad.jsonl"], "dataset: not one of the 1 rows that were drawn can be read: "),
        (["--dataset", "recycled", "--limit", "0"], "limit must be at least 1, got 0"),
        (["--dataset", "recycled", "--meaning_threshold", "2"], "meaning_threshold must be from 0 to 1, got 2.0"),
        (["--dataset", "recycled", "--lmiit", "3"], "unknown argument --lmiit: did you mean --limit?"),
    ],
    ids=lambda value: "_".join(value)[-40:] if isinstance(value, list) else "",
)
def test_a_mistake_ends_with_one_line_and_changes_nothing(words, message, home, in_home, monkeypatch, capsys):
    words = ["--output_dir", "report", "--meaning_model", "none", *words]
    assert message in error_of(monkeypatch, capsys, home, "recycle_report", *words)


def test_a_model_that_cannot_be_had_ends_with_one_line(home, in_home, monkeypatch, capsys):
    error = error_of(monkeypatch, capsys, home, "recycle_report", "--dataset", "recycled", "--output_dir", "report")
    assert "meaning_model: microsoft/deberta-large-mnli: no model" in error and "none leaves BERTScore out" in error


def test_help_teaches(monkeypatch, capsys):
    with pytest.raises(SystemExit) as exit_:
        run_here(monkeypatch, "recycle_report", "--help")
    text = capsys.readouterr().out
    assert exit_.value.code == 0
    assert all(word in text for word in ("--meaning_model none", "report.html", "--original_column", "--limit"))

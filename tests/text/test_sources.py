"""How data sets of text are named, and which column of them is the text."""

import json
import os
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet
import pytest

from hf_procedural.text import documents
from hf_procedural.text.sources import (
    KEYS,
    TextSource,
    checked_source,
    checked_sources,
    columns_of_each,
    label,
    named,
    parse_source,
    texts_of,
)


@pytest.fixture(autouse=True)
def in_folder(tmp_path, monkeypatch):
    """A working folder with files whose names have colons."""
    monkeypatch.chdir(tmp_path)
    for name in ("a:b.jsonl", "12:30/x.jsonl", "plain.jsonl"):
        Path(name).parent.mkdir(exist_ok=True)
        Path(name).write_text(json.dumps({"text": name}) + "\n")


@pytest.mark.parametrize(
    ("text", "source"),
    [
        ("stdlib", TextSource("stdlib")),
        ("", TextSource("")),
        ("allenai/c4:en", TextSource("allenai/c4", "en")),
        ("allenai/c4:en:train:text", TextSource("allenai/c4", "en", "train", "text")),
        ("allenai/c4::train", TextSource("allenai/c4", None, "train")),
        ("a/b:::content", TextSource("a/b", None, None, "content")),
        ("a/b:::", TextSource("a/b")),
        ("procedural:sort-64+set-64", TextSource("procedural", "sort-64+set-64")),
        ("plain.jsonl::train:body", TextSource("plain.jsonl", None, "train", "body")),
        ("a:b.jsonl", TextSource("a:b.jsonl")),
        ("a:b.jsonl:::body", TextSource("a:b.jsonl", None, None, "body")),
        ("12:30", TextSource("12:30")),
        ("12:30/*.jsonl::train", TextSource("12:30/*.jsonl", None, "train")),
        ("C:\\data\\web.jsonl", TextSource("C:\\data\\web.jsonl")),
        ("c:/data/web.jsonl::train", TextSource("c:/data/web.jsonl", None, "train")),
        ("gone/12:30/x:y.jsonl::train", TextSource("gone/12:30/x:y.jsonl", None, "train")),
        ("hf://datasets/a/b:en", TextSource("hf://datasets/a/b", "en")),
    ],
)
def test_a_name_and_its_fields(text, source):
    assert parse_source(text) == source
    assert checked_source(text) == (text, None) and label(text) == text


def test_a_mapping_says_the_same():
    mapping = {"name": "allenai/c4", "configuration": "en", "text_column": "text", "split": None, "weight": 3}
    dataset, weight = checked_source(mapping)
    assert dataset == {"name": "allenai/c4", "config": "en", "text_column": "text"} and weight == 3
    assert parse_source(dataset) == TextSource("allenai/c4", "en", None, "text")
    assert checked_source(dataset) == (dataset, None), "as recipe.yaml has it"
    assert label(dataset) == "allenai/c4:en::text"
    assert checked_source({"name": "pydoc"}) == ("pydoc", None)
    assert named([dataset, "pydoc"]) == [parse_source(dataset), TextSource("pydoc")]
    assert named(dataset) == [parse_source(dataset)] and named("pydoc") == [TextSource("pydoc")]
    both = {"name": "allenai/c4:en", "text_column": "text", "weight": 3}
    assert checked_source(both) == (dataset, 3), "a name that says the rest, and a weight"
    assert checked_source({"name": "12:30/x.jsonl", "weight": 1}) == ("12:30/x.jsonl", 1)
    odd = {"name": "a", "text_column": "dc:title", "validation_split": "dev"}
    assert checked_sources(odd, []) == ([odd], [])


def test_rows_of_a_task_are_a_data_set_too():
    few = {"name": "procedural:sort-64", "parameters": {"vocab_size": 50}, "coding": "text", "weight": 0.003}
    dataset, weight = checked_source(few)
    own = {"parameters": {"vocab_size": 50}, "coding": "text"}
    assert dataset == {"name": "procedural", "config": "sort-64", **own} and weight == 0.003
    assert checked_source(dataset) == (dataset, None), "as recipe.yaml has it"
    assert parse_source(dataset).task == "sort-64" and parse_source("procedural:dyck-2").task == "dyck-2"
    assert label(dataset) == 'procedural:sort-64 {"vocab_size": 50}'
    assert checked_source({"name": "procedural:dyck-2", "weight": 2}) == ("procedural:dyck-2", 2)
    assert texts_of([dataset, "pydoc", "procedural:dyck-2"]) == ["pydoc"] == texts_of("pydoc")
    assert parse_source("allenai/c4:en").task is None
    for read in (documents.open_documents, documents.train_and_validation):
        with pytest.raises(ValueError, match="^dataset procedural:sort-64: rows of a task, and text is to be"):
            read("procedural:sort-64")
    Path("procedural").mkdir()  # of the user's, and of text
    assert checked_source("procedural") == ("procedural", None)


ACCEPTED = ", ".join(KEYS)


@pytest.mark.parametrize(
    ("datasets", "weights", "message"),
    [
        (
            ["a:b:c:d:e"],
            [],
            "dataset 'a:b:c:d:e': after 'a' come 4 fields, of at most 3: NAME:CONFIG:SPLIT:TEXT_COLUMN",
        ),
        ([5], [], f"dataset must be NAME:CONFIG:SPLIT:TEXT_COLUMN, or a mapping with the keys {ACCEPTED}, got 5"),
        (
            [{"name": "a", "text_colum": "b"}],
            [],
            "dataset: unknown key 'text_colum': did you mean text_column? (accepted",
        ),
        ([{"config": "en"}], [], f"dataset: {{'config': 'en'}} has no name (accepted: {ACCEPTED})"),
        ([{"name": "a", "config": 2024}], [], "dataset: config must be a string, got 2024"),
        ([{"name": "a", "weight": 0}], [], "weights must be 1 positive numbers, one for each dataset, got [0]"),
        ([{"name": "a", "weight": True}], [], "weights must be 1 positive numbers, one for each dataset, got [True]"),
        (
            [{"name": "a/b:en", "config": "de"}],
            [],
            "dataset: name 'a/b:en' says its config, and so does config: de",
        ),
        ([{"name": ":en"}], [], "dataset: name ':en' has no name before a colon"),
        ([{"name": "a", "weight": "2"}], [], "weights must be 1 positive numbers, one for each dataset, got ['2']"),
        ([{"name": "a", "weight": 1}, "b"], [], "weight: 1 of 2 data sets have one; give it to all or to none"),
        ([{"name": "a", "coding": "text"}], [], "dataset: coding is of procedural:TASK alone, and a is text"),
        ([{"name": "a", "parameters": "b"}], [], "dataset: parameters must be a mapping of names to values, got 'b'"),
        (["procedural:sort-64::text"], [], "dataset: procedural:sort-64::text has no text_column (accepted: name"),
        (
            [{"name": "procedural:sort-64", "coding": "word"}],
            [],
            "coding must be one of text, integers, symbols, got 'word'",
        ),
        ([{"name": "procedural:sort-64", "parameters": {"k": 2}}], [], "sort: unknown parameter 'k'"),
        ([{"name": "a", "weight": 1}], [2.0], "weights: the data sets have their own weight, [1]; leave one out"),
    ],
)
def test_mistakes_are_told_in_one_line(datasets, weights, message):
    with pytest.raises(ValueError) as caught:
        checked_sources(datasets, weights)
    assert str(caught.value).startswith(message) and "\n" not in str(caught.value)


def test_columns_of_each():
    assert columns_of_each(None, 2) == columns_of_each([], 2) == [None, None]
    assert columns_of_each("a", 2) == columns_of_each(["a"], 2) == ["a", "a"]
    assert columns_of_each(["a", "b"], 2) == ["a", "b"]
    with pytest.raises(
        ValueError, match=r"^text_column must be one column, or 3, one for each dataset, got \['a', 'b'\]$"
    ):
        columns_of_each(["a", "b"], 3)
    with pytest.raises(ValueError, match=r"^text_column must be one column, got \['a', 'b'\]$"):
        columns_of_each(["a", "b"], 1)
    with pytest.raises(ValueError, match="^text_column is empty: name a column, or leave it out$"):
        columns_of_each([""], 2)


# Which column is the text


def write(name, *rows):
    Path(name).write_text("".join(json.dumps(row) + "\n" for row in rows))
    return name


@pytest.mark.parametrize(
    ("rows", "column"),
    [
        ([{"id": "a", "text": "x", "content": "y"}], "text"),
        ([{"url": "a", "content": "y", "stars": 5}], "content"),
        ([{"repo": "a", "path": "b", "code": "y"}], "code"),
        ([{"id": 5, "sentence": "y", "tags": ["z"]}], "sentence"),
        ([{"id": 1, "body": None}, {"id": 2, "body": "y"}], "body"),
        ([{"content": 1, "words": "y"}], "words"),
    ],
)
def test_the_column_that_plainly_is_the_text(rows, column, caplog):
    texts = documents.open_documents(write("x.jsonl", *rows), skip_empty=True)
    assert texts.columns == [column] and list(texts) == [row[column] for row in rows if row[column]]
    told = [record.getMessage() for record in caplog.records]
    others = ", ".join(key for key in rows[0] if key != column)
    path = os.path.realpath("x.jsonl")
    assert told == ([] if column == "text" else [f"{path}: its text is column {column!r} (beside {others})"])


def test_the_column_of_a_parquet_file():
    columns = {"n": [1], "large": pa.array(["a"], pa.large_string()), "tags": [["x"]]}
    pyarrow.parquet.write_table(pa.table(columns), "x.parquet")
    assert list(documents.open_documents("x.parquet")) == ["a"]
    for kind in (pa.string_view(), pa.dictionary(pa.int32(), pa.string())):
        pyarrow.parquet.write_table(pa.table({"n": [1], "words": pa.array(["a"], kind)}), "k.parquet")
        assert list(documents.open_documents("k.parquet")) == ["a"]
    pyarrow.parquet.write_table(pa.table({"q": ["a"], "a": ["b"], "n": [1]}), "x.parquet")
    with pytest.raises(
        ValueError, match=r"^text_column is missing: \S*x.parquet has several columns of strings, q, a$"
    ):
        documents.open_documents("x.parquet")
    assert list(documents.open_documents("x.parquet", column="q")) == ["a"]
    Path("w.jsonl").write_text("\n")
    pyarrow.parquet.write_table(pa.table(columns), "x.parquet")
    assert list(documents.open_documents("[wx].*")) == ["a"], "of the first file that has any"


def rows_of(column, letter, **more):
    return [{column: f"{letter}{number}", **more} for number in range(40)]


def test_each_source_of_a_mixture_has_its_own(caplog):
    """Configuration, split and column of each, and the validation documents too."""
    Path("web").mkdir()
    write("web/train.jsonl", *rows_of("text", "w"))
    write("web/dev.jsonl", *rows_of("text", "v"))
    write("web/test.jsonl", *rows_of("text", "t"))
    write("code.jsonl", *rows_of("content", "c", url="x"))
    write("notes.jsonl", *rows_of("title", "n", body=1, more="x"))
    mixture = ["web", "code.jsonl", "notes.jsonl:::title"]
    train, validation = documents.train_and_validation_of_each(mixture)
    assert [texts.columns for texts in train] == [["text"], ["content"], ["title"]]
    assert [next(iter(texts)) for texts in train] == ["w0", "c0", "n0"]
    assert [next(iter(texts)) for texts in validation] == ["v0", "c19", "n19"]
    again, _ = documents.train_and_validation_of_each(mixture, text_column=["text", "content", "title"])
    assert [list(texts) for texts in again] == [list(texts) for texts in train]
    swapped = [{"name": "web", "split": "test", "validation_split": "train"}, *mixture[1:]]
    train, validation = documents.train_and_validation_of_each(swapped)
    assert [next(iter(texts)) for texts in (train[0], validation[0])] == ["t0", "w0"]
    with pytest.raises(
        ValueError, match="^text_column 'content' is not in web/train.jsonl, document 1, which has: text$"
    ):
        documents.train_and_validation_of_each(mixture, text_column="content")


def test_the_validation_data_set_is_named_in_the_same_way():
    write("code.jsonl", *rows_of("content", "c"))
    write("other.jsonl", *rows_of("body", "o", content=1))
    write("valid.jsonl", *rows_of("content", "v", text="no"))
    for name, first in (("other.jsonl", "o0"), ("valid.jsonl", "v0"), ("valid.jsonl:::text", "no")):
        _, (texts,) = documents.train_and_validation_of_each(["code.jsonl", "plain.jsonl"], validation_dataset=name)
        assert next(iter(texts)) == first
    with pytest.raises(ValueError, match="^validation_split: valid.jsonl has no 'dev', only: train$"):
        documents.train_and_validation("code.jsonl", validation_dataset="valid.jsonl::dev")


def test_what_one_source_validates_on_no_other_trains_on():
    Path("web").mkdir()
    write("web/train.jsonl", *rows_of("text", "w"))
    write("web/dev.jsonl", *rows_of("text", "v"))
    with pytest.raises(ValueError, match=r"^validation would be on what is trained on: \S*web/dev.jsonl is in both$"):
        documents.train_and_validation_of_each(["web::train", "web::validation"])
    with pytest.raises(ValueError, match=r"^dataset: \S*web/train.jsonl is in both web and web::train$"):
        documents.train_and_validation_of_each(["web", "web::train"])


def test_fields_that_a_file_has_not():
    with pytest.raises(ValueError, match=r"^dataset_config: plain.jsonl is not .* got 'train' \(in NAME:CONFIG:SPLIT"):
        documents.open_documents("plain.jsonl:train")
    with pytest.raises(ValueError, match="^split: plain.jsonl has no 'test', only: train$"):
        documents.open_documents("plain.jsonl::test")

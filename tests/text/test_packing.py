"""Text: documents from anywhere, tokenizers, and rows packed as the plain definition says."""

import bz2
import gzip
import itertools
import json
import math
import os
import random
import subprocess
import sys
import sysconfig
import threading
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet
import pytest
import torch
from datasets import Dataset, IterableDatasetDict
from hypothesis import given, settings
from hypothesis import strategies as st
from support import starting
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import PreTrainedTokenizerFast

from hf_procedural.data import tokenization
from hf_procedural.models import losses
from hf_procedural.text import batches, documents, packing, readers, tokenizers
from hf_procedural.text.batches import SEPARATORS, pieces_of
from hf_procedural.text.documents import Documents
from hf_procedural.text.packing import PackedRows
from hf_procedural.text.readers import DataError
from hf_procedural.training.arguments import ModelArguments

TEXTS = [f"Document {number}: größer\nthan {number**5}, {'日本' * (number % 4)}" for number in range(45)]


@pytest.fixture(scope="module")
def tokenizer():
    return tokenizers.train_tokenizer(TEXTS * 2, 300)


def listed(texts, **options):
    """Documents of a list."""
    return Documents(lambda column: ((text, "here", n) for n, text in enumerate(texts, 1)), "text", **options)


def pack(folder, name, content: bytes):
    """Writes a file, packed as its name says."""
    file = Path(folder, name)
    file.parent.mkdir(parents=True, exist_ok=True)
    kind = {".zst": "zstd", ".lz4": "lz4"}.get(file.suffix)
    if kind:
        with pa.CompressedOutputStream(str(file), kind) as stream:
            stream.write(content)
    else:
        file.write_bytes({".gz": gzip.compress, ".bz2": bz2.compress}.get(file.suffix, bytes)(content))
    return str(file)


def lines(texts, column="text") -> bytes:
    return "".join(json.dumps({"id": n, column: text}) + "\n" for n, text in enumerate(texts)).encode()


def parquet(folder, name, **columns):
    pyarrow.parquet.write_table(pa.table(columns), Path(folder, name), row_group_size=7, compression="gzip")
    return str(Path(folder, name))


# Documents


@pytest.mark.parametrize(
    "name", ["a.jsonl", "a.jsonl.gz", "a.jsonl.zst", "a.jsonl.bz2", "a.jsonl.lz4", "a.json", "a.json.gz", "list.json"]
)
def test_json_files(name, tmp_path):
    content = lines(TEXTS, "content").replace(b"\n", b"\n\n", 3)  # blank lines are no documents
    if name == "list.json":
        content = json.dumps([{"content": text} for text in TEXTS], indent=2).encode()
    assert list(documents.open_documents(pack(tmp_path, name, content), column="content")) == TEXTS


def test_parquet_files(tmp_path):
    assert list(documents.open_documents(parquet(tmp_path, "a.parquet", text=TEXTS, n=list(range(45))))) == TEXTS


@pytest.mark.parametrize("name", ["a.txt", "a.txt.gz"])
def test_a_paragraph_of_a_txt_is_a_document(name, tmp_path):
    file = pack(tmp_path, name, "\ufeff\nOne\r\ntwo\n \n\n  three\n\nvier é\n".encode())
    assert list(documents.open_documents(file)) == ["One\ntwo", "  three", "vier é"]


def test_files_are_read_in_sorted_order_whatever_their_kind(tmp_path):
    pack(tmp_path, "2.jsonl.gz", lines(["b", "c"]))
    pack(tmp_path, "1.txt", b"a")
    pack(tmp_path, ".cache/0.txt", b"hidden")
    pack(tmp_path, "LICENSE", b"not data")
    parquet(tmp_path, "3.parquet", text=["d"])
    pack(tmp_path, "sub/0.jsonl", lines(["e"]))
    assert list(documents.open_documents(str(tmp_path))) == list("abcde")
    assert list(documents.open_documents(f"{tmp_path}/[12].*")) == list("abc")


def test_a_folders_file_names_say_the_split(tmp_path, caplog):
    for name, text in (("c4-train.0001.jsonl", "b"), ("c4-train.0000.jsonl", "a"), ("dev.jsonl", "c"), ("x.txt", "d")):
        pack(tmp_path, name, lines([text]) if name != "x.txt" else b"d")
    train, validation = documents.train_and_validation(str(tmp_path))
    assert (list(train), list(validation)) == (["a", "b"], ["c"])
    assert "x.txt" in caplog.text
    with pytest.raises(ValueError, match="^split: .* has no 'test', only: train, validation$"):
        documents.open_documents(str(tmp_path), split="test")


@pytest.fixture
def hub(monkeypatch):
    """A data set on the Hub, as `load_dataset` gives it."""
    parts = {"train": TEXTS[:40], "valid": TEXTS[40:]}
    splits = {name: Dataset.from_dict({"text": part, "n": [1] * len(part)}) for name, part in parts.items()}
    streams = IterableDatasetDict({name: split.to_iterable_dataset(num_shards=2) for name, split in splits.items()})
    asked = []
    monkeypatch.setattr(readers, "load_dataset", lambda *words, **options: asked.append((words, options)) or streams)
    yield streams
    assert all(options == {"streaming": True} for _, options in asked)


def test_data_sets_of_the_hub(hub):
    train, validation = documents.train_and_validation("who/what", dataset_config="en", validation_split="valid")
    assert (list(train), list(validation)) == (TEXTS[:40], TEXTS[40:])
    with pytest.raises(ValueError, match="^validation_split: who/what has no 'validation', only: train, valid$"):
        documents.train_and_validation("who/what", validation_split="validation")
    with pytest.raises(ValueError, match="^text_column 'words' is not in who/what train, which has: text, n$"):
        documents.open_documents("who/what", column="words")
    with pytest.raises(ValueError, match="^text_column 'n' of who/what train holds int64, not text$"):
        documents.open_documents("who/what", column="n")


def test_the_hub_needs_a_package_for_zst(monkeypatch):
    def load(*words, **options):
        raise ValueError("Compression type zstd not supported")

    monkeypatch.setattr(readers, "load_dataset", load)
    with pytest.raises(ValueError, match=r"^dataset 'a/b' .* 'en': .* not supported$"):
        documents.open_documents("a/b", config="en")
    monkeypatch.setattr(readers.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ValueError, match=r"not supported \(where its files end in .zst: pip install zstandard\)$"):
        documents.open_documents("a/b", config="en")


@pytest.mark.parametrize("corpus", ["stdlib", "pydoc"])
def test_embedded_corpora(corpus):
    train, validation = map(list, documents.train_and_validation(corpus))
    size = sum(map(len, train + validation))
    assert size > {"stdlib": 3e6, "pydoc": 2e5}[corpus]
    assert len(validation) == (len(train) + len(validation)) // 20
    assert not set(train) & set(validation)
    if corpus == "stdlib":
        everything = set(train + validation)
        assert Path(sysconfig.get_path("stdlib"), "json", "decoder.py").read_text() in everything
        assert not any("import pytest" in text for text in everything)
    else:
        assert any("statement is used for conditional execution" in text for text in train + validation)


def test_every_20th_document_is_held_out(tmp_path):
    file = pack(tmp_path, "a.jsonl", lines(TEXTS))
    train, validation = documents.train_and_validation(file, shuffle_buffer=10)
    assert list(validation) == [TEXTS[19], TEXTS[39]]
    assert sorted([*train, *validation]) == sorted(TEXTS)
    train, validation = documents.train_and_validation(file, limit=25)
    assert (list(train), list(validation)) == (TEXTS[:19] + TEXTS[20:25], [TEXTS[19]])


def test_other_files_for_validation(tmp_path):
    first, second = pack(tmp_path, "a.jsonl", lines(TEXTS[:30])), pack(tmp_path, "b.jsonl", lines(TEXTS[30:]))
    train, validation = documents.train_and_validation(first, validation_dataset=second, limit=3)
    assert (list(train), list(validation)) == (TEXTS[:3], TEXTS[30:])
    with pytest.raises(ValueError, match="^validation would be on what is trained on: .*a.jsonl is in both$"):
        documents.train_and_validation(f"{tmp_path}/*", validation_dataset=os.path.relpath(first))
    with pytest.raises(ValueError, match="^validation would be on what is trained on: stdlib is in both$"):
        documents.train_and_validation("stdlib", validation_dataset="stdlib")
    with pytest.raises(ValueError, match="^validation would be on what is trained on: .*a.jsonl is in both$"):
        documents.train_and_validation(first, validation_split="train")


def test_a_shuffle_buffer_gives_each_epoch_an_order_of_its_own():
    documents = listed(TEXTS, shuffle_buffer=10, seed=3)
    first, second = (list(documents.read(epoch)) for epoch in (0, 1))
    assert sorted(first) == sorted(second) == sorted(TEXTS)
    assert TEXTS != first != second != TEXTS
    assert all(TEXTS.index(text) - place < 10 for place, text in enumerate(first)), "nothing comes before it is read"
    assert list(documents) == first
    assert list(documents.read(1, 17)) == second[17:]
    assert list(listed(TEXTS, shuffle_buffer=10, seed=4)) != first


def test_empty_documents_are_left_out_on_request():
    texts = ["a", "", None, " \n\t", "b"]
    assert list(listed(texts, skip_empty=True)) == ["a", "b"]
    for empty in texts[1:4]:
        with pytest.raises(DataError, match="^here, document 2: empty; skip_empty leaves empty documents out$"):
            list(listed(["a", empty]))


def test_web_text(web_file, tokenizer):
    train, validation = documents.train_and_validation(str(web_file.with_name("*.jsonl")), limit=100)
    assert (len(list(train)), len(list(validation))) == (95, 5)
    check_rows(PackedRows(train, tokenizer, 2048, "none"), list(train), tokenizer, "none", 100)


# Mistakes, each in one line


def broken(folder, name):
    """A file with a document in its first half and something wrong behind that."""
    random.seed(0)
    texts = ["".join(random.choices("abcdefgh ijkl", k=2000)) for _ in range(2000)]
    if name.endswith(".parquet"):
        file = parquet(folder, name, text=texts)
        content = bytearray(Path(file).read_bytes())
        content[len(content) // 2 : len(content) // 2 + 2000] = bytes(2000)
        Path(file).write_bytes(content)
    elif name.endswith((".gz", ".zst")):
        content = Path(pack(folder, name, lines(texts))).read_bytes()
        Path(folder, name).write_bytes(content[: len(content) // 2])
    else:
        pack(folder, name, lines(texts)[:-3] + b"\n")
    return str(Path(folder, name))


@pytest.mark.parametrize(
    "name, reason",
    [
        ("cut.jsonl.gz", "cannot be read: Truncated compressed stream"),
        ("cut.jsonl.zst", "cannot be read: Truncated compressed stream"),
        ("cut.jsonl", "line 2000: not valid JSON"),
        ("bad.parquet", "cannot be read: "),
    ],
)
def test_a_damaged_shard_is_named_when_it_is_met(name, reason, tmp_path, tokenizer):
    pack(tmp_path, "0.jsonl", lines(["good", "better"]))
    broken(tmp_path, name)
    rows = iter(PackedRows(documents.open_documents(str(tmp_path)), tokenizer, 64))
    with pytest.raises(DataError, match=rf"^\S*{name}[ ,]+{reason}[^\n]*$"):
        for _ in range(10**6):
            next(rows)


@pytest.mark.parametrize(
    "name, content, message",
    [
        ("a.jsonl", b'{"a": "x", "b": "y"}\n', "text_column is missing: FILE has several columns of strings, a, b"),
        ("a.jsonl", b'{"text": 5, "b": []}\n', "text_column: FILE has no column of strings, only: text, b"),
        ("a.jsonl", b'["x"]\n', "FILE, document 1: str instead of an object"),
        ("a.jsonl", b'{"text": "\\ud800"}\n', "FILE, document 1: not valid Unicode (surrogates not allowed)"),
        ("a.jsonl", b'{"text": ""}\n', "FILE, document 1: empty; skip_empty leaves empty documents out"),
        ("a.jsonl", b'{"text": "\xff"}\n', "FILE, line 1: not valid JSON ('utf-8' codec can't decode byte 0xff"),
        (
            "a.json",
            b'{\n"text": "x"}\n',
            "FILE, line 1: not valid JSON (Expecting property name enclosed in double quotes)",
        ),
        ("a.json", b'[{"text": "x"},', "FILE, line 1: not valid JSON (Expecting value)"),
        ("a.jsonl", b"", "FILE is an empty file"),
        ("a.jsonl", b"\n", "dataset 'FILE': there is no document"),
        ("a.parquet", b"PAR1 and nothing else", "FILE cannot be read: "),
        ("a.txt", b"caf\xe9", "FILE cannot be read: 'utf-8' codec can't decode byte 0xe9"),
        ("a.csv", b"text\nx\n", "dataset: FILE is not json, jsonl or txt (each also .gz, .zst, .bz2, .lz4) or parquet"),
    ],
)
def test_files_that_are_not_what_they_should_be(name, content, message, tmp_path):
    file = Path(tmp_path, name)
    file.write_bytes(content)
    with pytest.raises(ValueError) as caught:
        documents.open_documents(str(file))
    assert str(caught.value).replace(str(file), "FILE").startswith(message)
    assert "\n" not in str(caught.value)


def test_columns_of_parquet_files(tmp_path):
    file = parquet(tmp_path, "a.parquet", n=[1], words=["a"])
    with pytest.raises(ValueError, match=r"^text_column 'text' is not in \S*a.parquet, which has: n, words$"):
        documents.open_documents(file, column="text")
    assert list(documents.open_documents(file)) == ["a"]
    with pytest.raises(ValueError, match=r"^text_column 'n' of \S*a.parquet holds int64, not text$"):
        documents.open_documents(file, column="n")
    for names in (["text", "n", "n"], ["text", "text", "n"]):
        pyarrow.parquet.write_table(pa.table([["a"], ["b"], ["c"]], names=names), file)
        if names.count("text") == 1:  # others are not read
            assert list(documents.open_documents(file)) == ["a"]
        else:
            with pytest.raises(ValueError, match=r"^\S*a.parquet has the column 'text' twice$"):
                documents.open_documents(file)


def test_what_is_no_file_is_named_and_not_waited_for(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    os.mkfifo("pipe.jsonl")
    Path("itself").symlink_to("itself")
    for name in ("pipe.jsonl", "p*.jsonl", "itself", "/dev/null"):
        with pytest.raises(ValueError, match=r"^dataset: \S+ is no file, but a pipe, a device or a link that leads no"):
            documents.open_documents(name)


@pytest.mark.parametrize(
    "words, message",
    [
        (
            {"dataset": "no/such"},
            "dataset 'no/such' is no file, no folder, none of stdlib, pydoc, and cannot be had from",
        ),
        ({"dataset": "./nothing"}, "dataset './nothing': there is no such file or folder"),
        ({"dataset": "data/*.jsonl"}, "dataset 'data/*.jsonl': there is no such file or folder"),
        ({"dataset": "one.jsonl.gz"}, "dataset 'one.jsonl.gz': there is no such file or folder"),
        ({"dataset": "empty"}, "dataset 'empty': the folder has no file that is json, jsonl or txt"),
        ({"dataset": "pydoc", "dataset_config": "en"}, "dataset_config: pydoc is not a data set of the Hub"),
        ({"dataset": "pydoc", "text_column": "code"}, "text_column 'code' is not in pydoc, which has: text"),
        ({"dataset": "pydoc", "train_split": "test"}, "train_split: pydoc has no 'test', only: train"),
        ({"dataset": "pydoc", "limit": 0}, "limit must be at least 1, got 0"),
        ({"dataset": "pydoc", "limit": 19}, "dataset 'pydoc' has no 20th document to hold out for validation"),
        ({"dataset": "pydoc", "shuffle_buffer": -1}, "shuffle_buffer must be at least 0, got -1"),
    ],
)
def test_arguments_that_fit_nothing(words, message, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("empty").mkdir()
    with pytest.raises(ValueError) as caught:
        documents.train_and_validation(**words)
    assert str(caught.value).startswith(message)
    assert "\n" not in str(caught.value)


# Tokenizers


def test_training_a_tokenizer_is_deterministic():
    first, *others = (
        tokenizers.train_tokenizer(documents.open_documents("pydoc"), 1000).backend_tokenizer.to_str() for _ in range(3)
    )
    assert others == [first, first]  # though each of them hashes in another order
    assert len(json.loads(first)["model"]["vocab"]) == 1000


def test_a_trained_tokenizer_reads_no_more_than_it_may():
    small = tokenizers.train_tokenizer(TEXTS, 300, max_bytes=len((TEXTS[0] + TEXTS[1]).encode()))
    assert small.get_vocab() == tokenizers.train_tokenizer(TEXTS[:2], 300).get_vocab()


def test_a_trained_tokenizer_loads_again(tokenizer, tmp_path):
    tokenizer.save_pretrained(tmp_path)
    again = tokenization.load_tokenizer(str(tmp_path))
    assert again(TEXTS[3])["input_ids"] == tokenizer(TEXTS[3])["input_ids"]
    assert again.bos_token == again.eos_token == again.pad_token == "<|endoftext|>"
    assert again.eos_token_id == 0
    assert len(again) == 300


@given(text=st.text())
def test_tokens_are_lossless(text, tokenizer):
    assert tokenizer.decode(tokenizer(text)["input_ids"]) == text


def test_tokenizers_that_are_none(tmp_path):
    with pytest.raises(ValueError, match=r"^vocab_size must be at least 257 .*, got 256$"):
        tokenizers.train_tokenizer(TEXTS, 256)
    with pytest.raises(ValueError, match=r"^tokenizer 'no/such' cannot be loaded: [^\n]*$"):
        tokenization.load_tokenizer("no/such")
    with pytest.raises(ValueError, match=rf"^{tmp_path} has no tokenizer with it: no tokenizer.json$"):
        tokenization.load_tokenizer(str(tmp_path))
    (tmp_path / "tokenizer_config.json").write_text('{"tokenizer_class": "CanineTokenizer"}')
    with pytest.raises(ValueError, match=r"is a slow one, without a tokenizer.json; a fast one is needed$"):
        tokenization.load_tokenizer(str(tmp_path))
    with pytest.raises(DataError, match="^here, document 2: empty"):
        tokenizers.train_tokenizer(listed(["a", ""]), 300)


# Rows


def plain_stream(texts, tokenizer, separator, count):
    """The first `count` tokens of the joined epochs, document by document."""
    stream = []
    while len(stream) < count:
        for text in texts:
            ids = tokenizer(text, add_special_tokens=False)["input_ids"]
            stream += {"bos": [tokenizer.bos_token_id, *ids], "eos": [*ids, tokenizer.eos_token_id], "none": ids}[
                separator
            ]
    return stream[:count]


def read(rows, count):
    """The next rows: int64 ``[count, length]``."""
    found = list(itertools.islice(iter(rows), count))
    assert all(row[name].dtype == torch.int64 for row in found for name in ("input_ids", "labels"))
    assert all(torch.equal(row["input_ids"], row["labels"]) for row in found)
    return torch.stack([row["input_ids"] for row in found]).numpy()


def check_rows(rows, texts, tokenizer, separator, count):
    expected = plain_stream(texts, tokenizer, separator, count * rows.length)
    np.testing.assert_array_equal(read(rows, count), np.array(expected).reshape(count, rows.length))


@pytest.fixture
def small_batches(monkeypatch):
    monkeypatch.setattr(batches, "BATCH", 60)
    monkeypatch.setattr(batches, "BATCH_DOCUMENTS", 4)


@pytest.mark.parametrize("separator", SEPARATORS)
@pytest.mark.parametrize("length", [2, 100, 10_000])
def test_rows_are_the_joined_documents(separator, length, tokenizer, small_batches):
    check_rows(PackedRows(listed(TEXTS), tokenizer, length, separator), TEXTS, tokenizer, separator, 30_000 // length)


_DOCUMENTS = st.lists(st.text(st.characters(codec="utf-8"), min_size=1).filter(str.strip), min_size=1, max_size=12)


@settings(max_examples=60)
@given(data=st.data(), texts=_DOCUMENTS, length=st.integers(2, 40), separator=st.sampled_from(SEPARATORS))
def test_any_documents_and_any_mark(data, texts, length, separator, tokenizer):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(batches, "BATCH", data.draw(st.integers(1, 50)))
        buffer = data.draw(st.sampled_from([0, 3]))
        documents = listed(texts, shuffle_buffer=buffer)
        rows = PackedRows(documents, tokenizer, length, separator)
        if buffer:
            expected = read(rows, 40)
        else:
            expected = np.array(plain_stream(texts, tokenizer, separator, 40 * length)).reshape(40, length)
        iterator, marks = iter(rows), {0: rows.mark(0)}
        for row, values in enumerate(itertools.islice(iterator, 30), 1):
            np.testing.assert_array_equal(values["input_ids"].numpy(), expected[row - 1])
            if data.draw(st.booleans()):
                marks[row] = json.loads(json.dumps(rows.mark(row)))
        iterator.close()
        for row, mark in marks.items():
            start = data.draw(st.integers(row, 35))
            again = PackedRows(documents, tokenizer, length, separator)
            again.start_at(start, mark)
            np.testing.assert_array_equal(read(again, 5), expected[start : start + 5])


def test_starting_without_a_mark_and_marking_on(tokenizer, small_batches):
    rows = PackedRows(listed(TEXTS), tokenizer, 50)
    everything = read(rows, 80)
    rows.start_at(30)
    np.testing.assert_array_equal(read(rows, 50), everything[30:])
    mark = rows.mark(77)
    assert mark["row"] == 77
    assert mark["epoch"] == 77 * 50 // tokens_of(TEXTS, tokenizer) > 0
    with pytest.raises(ValueError, match="^row must not lie before that of an earlier mark or the start, got 31$"):
        rows.mark(31)
    with pytest.raises(ValueError, match="^row must be at least the mark's, 77, got 76$"):
        rows.start_at(76, mark)
    rows.start_at(78, mark)
    np.testing.assert_array_equal(read(rows, 2), everything[78:])
    np.testing.assert_array_equal(read(rows, 2), everything[78:], "a second iterator begins there again")


def tokens_of(texts, tokenizer):
    return sum(len(tokenizer(text)["input_ids"]) + 1 for text in texts)


def test_documents_of_all_sizes_share_batches(tokenizer, monkeypatch):
    monkeypatch.setattr(batches, "PIECE", 50)
    words = " ".join(f"word{number}" for number in range(300))
    texts = [words, "short", words.replace(" ", "\n"), "x" * 120 + "\ny", "short"]
    pieces = list(pieces_of(texts[2]))
    assert "".join(pieces) == texts[2]
    assert all(len(piece) <= 50 and piece.startswith("\n") for piece in pieces[1:])
    assert "".join(pieces_of(words)) == words
    assert list(pieces_of(texts[3])) == ["x" * 50, "x" * 50, "x" * 20 + "\ny"]
    check_rows(PackedRows(listed(texts[1:3]), tokenizer, 100), texts[1:3], tokenizer, "eos", 60)
    rows = read(PackedRows(listed(texts), tokenizer, 100), 60)
    assert tokenizer.decode(rows.flatten().tolist()).startswith("<|endoftext|>".join(texts))


def test_others_may_use_the_tokenizer_meanwhile(tokenizer):
    rows = iter(PackedRows(listed(["a b c d e f g"] * 9), tokenizer, 100))
    tokenizer("some longer text", truncation=True, max_length=2, padding="max_length")
    check = plain_stream(["a b c d e f g"], tokenizer, "eos", 100)
    assert next(rows)["input_ids"].tolist() == check


def packing_threads():
    return [thread for thread in threading.enumerate() if thread.name.startswith("packing")]


def test_no_thread_is_left(tokenizer, small_batches):
    iterator = iter(PackedRows(listed(TEXTS), tokenizer, 10))
    next(iterator)
    assert packing_threads()
    iterator.close()
    assert not packing_threads()
    iterator = iter(PackedRows(listed(TEXTS), tokenizer, 10))
    next(iterator)
    del iterator
    assert not packing_threads()
    with pytest.raises(DataError):
        list(PackedRows(listed([*TEXTS, ""]), tokenizer, 10))
    assert not packing_threads()


def test_loaders(tokenizer, small_batches):
    rows = PackedRows(listed(TEXTS), tokenizer, 50)
    for workers in (0, 1):
        batches = itertools.islice(torch.utils.data.DataLoader(rows, batch_size=8, num_workers=workers), 3)
        np.testing.assert_array_equal(torch.cat([batch["labels"] for batch in batches]).numpy(), read(rows, 24))
    with pytest.raises(ValueError, match="dataloader_num_workers must be 0 or 1 for packed rows, got 2"):
        next(iter(torch.utils.data.DataLoader(rows, batch_size=8, num_workers=2)))


READ = """
import itertools, sys
import torch
from accelerate import Accelerator
from hf_procedural.data import tokenization
from hf_procedural.text import documents, packing
accelerator = Accelerator(cpu=True)
rows = packing.PackedRows(documents.open_documents("pydoc"), tokenization.load_tokenizer(sys.argv[1]), 64)
loader = accelerator.prepare(torch.utils.data.DataLoader(rows, batch_size=2))
batches = [accelerator.gather(batch["input_ids"]) for batch in itertools.islice(loader, 5)]
if accelerator.is_main_process:
    torch.save(torch.cat(batches), sys.argv[2])
accelerator.end_training()  # a process that ends inside its group is now and then aborted
"""


def test_two_processes_read_one_stream(tokenizer, tmp_path):
    tokenizer.save_pretrained(tmp_path)
    out = tmp_path / "rows.pt"
    starting.run_two("-c", READ, tmp_path, out)
    expected = read(PackedRows(documents.open_documents("pydoc"), tokenizer, 64), 20)
    np.testing.assert_array_equal(torch.load(out, weights_only=True).numpy(), expected)


def test_memory_is_flat(tmp_path):
    """Peak memory of streaming grows by less than a fifth of what is streamed more.

    (ru_maxrss would begin with that of pytest, which is larger.)
    """
    script = r"""
import itertools, re, sys
from pathlib import Path
from hf_procedural.data import tokenization
from hf_procedural.text import documents, packing
documents = documents.open_documents(sys.argv[1], shuffle_buffer=100)
rows = packing.PackedRows(documents, tokenization.load_tokenizer(sys.argv[2]), 64)
for row in itertools.islice(rows, int(sys.argv[3])):
    pass
peak = re.findall(r"VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text())
print(rows.mark(int(sys.argv[3]))["epoch"], *peak)
"""
    words = Tokenizer(models.WordLevel({"a": 0, "<unk>": 1}, unk_token="<unk>"))  # fast, so that the test is
    words.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    PreTrainedTokenizerFast(tokenizer_object=words, eos_token="a").save_pretrained(tmp_path)
    peaks = []
    for megabytes in (20, 100):
        with (tmp_path / f"{megabytes}.jsonl").open("wb") as file:
            for number in range(megabytes * 200):
                file.write(json.dumps({"text": f"{number:0>499} " * 10}).encode() + b"\n")
        count = megabytes * 200 * 11 // 64 - 1  # one epoch
        command = [sys.executable, "-c", script, str(tmp_path / f"{megabytes}.jsonl"), str(tmp_path), str(count)]
        epoch, peak = subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()
        assert epoch == "0"
        peaks.append(int(peak) / 1000)
    assert peaks[1] - peaks[0] < 16, peaks


@pytest.mark.parametrize("separator", SEPARATORS)
def test_validation_rows_pack_and_pad(separator, tokenizer):
    rows = packing.validation_rows(TEXTS, tokenizer, 100, separator)
    count = tokens_of(TEXTS, tokenizer) - (len(TEXTS) if separator == "none" else 0)
    assert len(rows) == -(-count // 100)
    stream = torch.cat([row["labels"] for row in rows])
    assert stream[:count].tolist() == plain_stream(TEXTS, tokenizer, separator, count)
    assert (stream[count:] == -100).all()
    assert rows[len(rows) - 1]["input_ids"][count % 100 :].tolist() == [tokenizer.pad_token_id] * (-count % 100)
    assert rows.bytes_per_token == len("".join(TEXTS).encode()) / count
    some = packing.validation_rows(TEXTS, tokenizer, 100, separator, rows=3)
    assert torch.equal(torch.cat([row["labels"] for row in some]), stream[:300])


def test_validation_rows_cut_documents(tokenizer):
    texts = ["a", *TEXTS, "a long one" * 100]
    rows = packing.validation_rows(texts, tokenizer, 50, "none", cut=True)
    assert len(rows) == len(texts) - 1, "a single token predicts nothing"
    for text, row in zip(texts[1:], rows, strict=True):
        ids = tokenizer(text)["input_ids"][:50]
        assert row["labels"].tolist() == ids + [-100] * (50 - len(ids))
        assert row["input_ids"][: len(ids)].tolist() == ids
    assert len(packing.validation_rows(texts, tokenizer, 50, "none", rows=3, cut=True)) == 2


def test_mistakes_with_rows(tokenizer):
    for make in (PackedRows, packing.validation_rows):
        with pytest.raises(ValueError, match="^length must be at least 2, got 1$"):
            make(listed(TEXTS), tokenizer, 1)
        with pytest.raises(ValueError, match="^separator must be one of eos, bos, none, got 'sep'$"):
            make(listed(TEXTS), tokenizer, 8, "sep")
    nameless = PreTrainedTokenizerFast(tokenizer_object=tokenizer.backend_tokenizer)
    with pytest.raises(ValueError, match="^separator 'bos': the tokenizer has no bos token; choose another separator$"):
        PackedRows(listed(TEXTS), nameless, 8, "bos")
    with pytest.raises(DataError, match="^there is no token in the training documents from document 0 on$"):
        next(iter(PackedRows(listed([]), tokenizer, 8)))
    with pytest.raises(DataError, match="^the validation documents hold fewer than two tokens$"):
        packing.validation_rows(["a"], tokenizer, 8, "none")
    with pytest.raises(ValueError, match="^rows must be at least 1, got 0$"):
        packing.validation_rows(TEXTS, tokenizer, 8, rows=0)


# The loss


@pytest.mark.parametrize("labelled_only", [False, True], ids=["all_logits", "labelled_only"])
def test_z_loss_is_its_definition(labelled_only):
    torch.manual_seed(0)
    model = ModelArguments(model_type="llama", size="1_2_8").build(tokenizers.train_tokenizer(TEXTS, 300), 9)
    ids = torch.randint(300, (4, 9))
    labels = ids.masked_fill(torch.rand(4, 9) < 0.4, -100)
    output = model.train()(ids, labels=labels)
    squares = (torch.log(output.logits.exp().sum(-1)) ** 2)[:, :-1][labels[:, 1:] != -100]
    expected = output.loss + 0.3 * squares.mean()
    gradients = torch.autograd.grad(expected, list(model.parameters()))
    if labelled_only:
        losses.score_labelled_only(model)
    losses.add_z_loss(model, 0.3)
    whole = model(input_ids=ids, labels=labels).loss
    assert whole.item() == pytest.approx(expected.item(), rel=1e-5)
    number = (labels[:, 1:] != -100).sum()
    parts = [([0], number), ([1, 2, 3], number)]
    parts = [model(input_ids=ids[p], labels=labels[p], num_items_in_batch=n).loss for p, n in parts]
    for loss in (whole, sum(parts)):  # at once, and accumulated over batches of unequal size
        found = torch.autograd.grad(loss, list(model.parameters()))
        assert all(torch.allclose(*pair, atol=1e-6) for pair in zip(found, gradients, strict=True))
    assert model.eval()(input_ids=ids, labels=labels).loss.item() == pytest.approx(output.loss.item(), rel=1e-6)


def test_bits_per_byte():
    assert losses.bits_per_byte(math.log(2) * 3, 4.0) == pytest.approx(0.75)

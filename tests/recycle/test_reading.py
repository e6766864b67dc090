"""Reading of web text in shards, and cutting it into pieces: against plain Python, whatever the text and the damage."""

import bz2
import datetime
import gzip
import json
import os
import random
import unicodedata
from pathlib import Path
from unittest import mock

import hypothesis
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import zstandard
from hypothesis import strategies as st
from support.hub_server import empty_hub, environment, python  # noqa: F401

from hf_procedural.recycle import pieces, reading
from hf_procedural.text.readers import DataError

TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)
STRANGE = [
    "",
    " ",
    "a",
    "nul\0l",
    "line\u2028and\x85\x0b\x0cfeed\r\nthe end\n",
    "🌳👩‍🚀 木。",
    "\ufeffbom",
    '{"text": "x"}',
]


def lines_of(rows) -> list[bytes]:
    return [json.dumps(row, ensure_ascii=False).encode() for row in rows]


def zstd_frames(data: bytes) -> bytes:
    """In two frames, as pzstd writes them."""
    return zstandard.compress(data[: len(data) // 2]) + zstandard.compress(data[len(data) // 2 :])


WRITERS = {".jsonl": bytes, ".json": bytes, ".jsonl.gz": gzip.compress, ".jsonl.zst": zstd_frames}


def read_all(files, shard_documents, **options) -> tuple[list[dict], list[str]]:
    damaged = []
    shards = reading.plan(files, shard_documents)
    return [row for shard in shards for row in reading.read(shard, damaged=damaged.append, **options)], damaged


def write(folder: Path, name: str, content) -> str:
    file = folder / name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(content if isinstance(content, bytes) else b"".join(line + b"\n" for line in content))
    return str(file)


@hypothesis.given(
    texts=st.lists(TEXTS | st.sampled_from(STRANGE), max_size=9),
    kind=st.sampled_from([*WRITERS, ".parquet"]),
    end=st.sampled_from([b"\n", b"\r\n", b"\n\n", b"\n \t\n"]),
    last=st.booleans(),
    bom=st.booleans(),
    size=st.sampled_from([None, 1, 2, 5]),
    named=st.booleans(),
)
@hypothesis.settings(max_examples=80)
def test_every_row_once_and_in_order(texts, kind, end, last, bom, size, named, tmp_path_factory):
    folder = tmp_path_factory.mktemp("read")
    rows = [{"text": text, "number": number} | ({"id": number} if named else {}) for number, text in enumerate(texts)]
    if kind == ".parquet":
        schema = pa.schema({"text": pa.string(), "number": pa.int64()} | ({"id": pa.int64()} if named else {}))
        pq.write_table(pa.Table.from_pylist(rows, schema), folder / "a.parquet", row_group_size=3)
        number_of = {number: number + 1 for number in range(len(rows))}
    else:
        data = end.join(lines_of(rows)) + (end if last else b"")
        write(folder, "a" + kind, WRITERS[kind]((b"\xef\xbb\xbf" if bom else b"") + data))
        number_of = {number: number * end.count(b"\n") + 1 for number in range(len(rows))}
    files = reading.find_files(str(folder))
    found, damaged = read_all(files, size)
    names = [str(row["id"]) if named else f"a{kind}:{number_of[row['number']]}" for row in rows]
    expected = [
        {"id": name, "text": row["text"], "metadata": {"number": row["number"]}}
        for name, row in zip(names, rows, strict=True)
    ]
    assert (found, damaged) == (expected, [])
    shards = reading.plan(files, size)
    assert all(shard.count <= (size or shard.count) for shard in shards)
    limited = [row for shard in reading.plan(files, size, 3) for row in reading.read(shard, damaged=damaged.append)]
    assert limited == [
        row for row, name in zip(expected, names, strict=True) if number_of[row["metadata"]["number"]] <= 3
    ]


DAMAGE = {
    b'{"text": "a"': "not valid JSON (Expecting ',' delimiter)",
    b'{"text": "a"} {}': "not valid JSON (Extra data)",
    b'{"text": "\x00"}': "not valid JSON (Invalid control character at)",
    b'{"text": "\xff"}': "not UTF-8 (invalid start byte at byte 10)",
    b'["text"]': "list instead of an object",
    b'"text"': "str instead of an object",
    b"null": "NoneType instead of an object",
    b'{"title": "a"}': "no 'text'",
    b'{"text": null}': "'text' is null, not text",
    b'{"text": 3}': "'text' is int, not text",
    b'{"text": "\\ud83c"}': "'text' is not valid Unicode (surrogates not allowed)",
    b"[" * 100_000: "not valid JSON (maximum recursion depth exceeded",
    b'{"text": "a", "n": ' + b"9" * 5_000 + b"}": "not valid JSON (Exceeds the limit (4300 digits)",
}


@pytest.mark.parametrize("kind", WRITERS)
@pytest.mark.parametrize("size", [None, 3])
def test_damaged_lines_are_told_and_left_out(kind, size, tmp_path):
    good = lines_of({"text": f"text {number}"} for number in range(len(DAMAGE) + 1))
    lines = [line for pair in zip(good, DAMAGE, strict=False) for line in pair] + [good[-1]]
    file = write(tmp_path, "a" + kind, WRITERS[kind](b"\n".join(lines)))
    found, damaged = read_all([file], size)
    assert [row["text"] for row in found] == [f"text {number}" for number in range(len(good))]
    assert [row["id"] for row in found] == [f"a{kind}:{2 * number + 1}" for number in range(len(good))]
    assert len(damaged) == len(DAMAGE)
    for number, (told, reason) in enumerate(zip(damaged, DAMAGE.values(), strict=True)):
        assert told.startswith(f"{file}, line {2 * number + 2}: {reason}") and "\n" not in told
    with pytest.raises(DataError, match=r"a\.json\S*, line 2: not valid JSON"):
        read_all([file], size, strict=True)


@pytest.mark.parametrize("kind", [".jsonl.gz", ".jsonl.zst"])
@pytest.mark.parametrize("size", [None, 500])
def test_a_packed_file_cut_short_is_read_as_far_as_it_goes(kind, size, tmp_path):
    draw = random.Random(0)
    lines = lines_of({"text": str(draw.random())} for _ in range(20_000))
    data = b"\n".join(lines)
    pack = gzip.compress if kind.endswith("gz") else zstandard.compress
    packed = pack(data)
    file = write(tmp_path, "a" + kind, packed[: len(packed) // 2])
    found, damaged = read_all([file], size)
    assert 5_000 < len(found) < 15_000
    assert [{"text": row["text"]} for row in found] == [json.loads(line) for line in lines[: len(found)]]
    assert [told.partition(": ")[0] for told in damaged] == [f"{file}, line {len(found) + 1}"]
    assert "the rest of the file cannot be unpacked" in damaged[0]
    write(tmp_path, "a" + kind, pack(data + b"\n") + b"no such frame")
    found, damaged = read_all([file], size)
    assert len(found) == 20_000 and len(damaged) == 1
    write(tmp_path, "a" + kind, b"")
    assert read_all([file], size)[0] == []


def test_damaged_parquet_costs_what_is_damaged(tmp_path):
    table = pa.table({"text": [f"text {number} " * 9 for number in range(100)]})
    file = str(tmp_path / "a.parquet")
    pq.write_table(table, file, row_group_size=25, compression="snappy")
    data = bytearray(Path(file).read_bytes())
    start = pq.read_metadata(file).row_group(1).column(0).data_page_offset
    data[start : start + 60] = bytes(60)
    Path(file).write_bytes(data)
    whole = [f"a.parquet:{number + 1}" for number in range(100) if not 25 <= number < 50]
    for size, told in ((None, [26]), (10, [26, 31, 41]), (1, range(26, 51))):
        found, damaged = read_all([file], size)
        assert [row["id"] for row in found] == whole
        assert [text.partition(": ")[0] for text in damaged] == [f"{file}, line {number}" for number in told]
        assert reading.lost(damaged) == 25
    for content in (b"", b"PAR1", bytes(data[:-9])):
        write(tmp_path, "a.parquet", content)
        found, damaged = read_all([file], 10)
        assert found == [] and len(damaged) == 1 and f"{file}, line 1: the file cannot be read (" in damaged[0]
        assert reading.lost(damaged) == 1  # nobody knows how many there were
        with pytest.raises(ValueError, match=r"^dataset: there is no document that can be read \(.*a.parquet, line 1"):
            reading.check_columns(reading.plan([file], 10), "text")


def test_values_of_parquet(tmp_path):
    """Strings of every kind, those that are no UTF-8, and other columns that JSON does not know."""
    date = datetime.date(2025, 1, 2)
    for kind in (pa.string(), pa.large_string(), pa.string_view(), pa.dictionary(pa.int32(), pa.string())):
        table = pa.table({"text": pa.array(["a", None, ""], kind), "day": [date] * 3})
        pq.write_table(table, tmp_path / "a.parquet")
        found, damaged = read_all([str(tmp_path / "a.parquet")], None)
        assert [(row["text"], row["metadata"]) for row in found] == [("a", {"day": date}), ("", {"day": date})]
        assert [told.partition(": ")[2] for told in damaged] == ["'text' is null, not text"]
    broken = pa.StringArray.from_buffers(
        3, pa.py_buffer(pa.array([0, 1, 2, 3], pa.int32()).buffers()[1]), pa.py_buffer(b"a\xffb")
    )
    pq.write_table(pa.table({"text": broken}), tmp_path / "a.parquet")
    found, damaged = read_all([str(tmp_path / "a.parquet")], None)
    assert [row["id"] for row in found] == ["a.parquet:1", "a.parquet:3"]
    assert "a.parquet, line 2: 'utf-8' codec can't decode byte 0xff" in damaged[0] and len(damaged) == 1


def test_a_column_that_fails_costs_no_other_column(tmp_path):
    """All others of a batch are read once, and not again row by row: 2 s here, were they."""
    broken = pa.array([b"\xff"] * 2_000)
    broken = pa.StringArray.from_buffers(len(broken), *broken.buffers()[1:])
    columns = {f"n{number}": list(range(2_000)) for number in range(100)}
    pq.write_table(pa.table({"text": ["good"] * 2_000, "bad": broken} | columns), tmp_path / "a.parquet")
    with mock.patch.object(reading, "_column", wraps=reading._column) as read:
        found, damaged = read_all([str(tmp_path / "a.parquet")], None)
    assert found == [] and len(damaged) == reading.lost(damaged) == 2_000
    assert read.call_count == 102 * 8  # columns and batches


def test_columns_of_one_name_are_an_error(tmp_path):
    file = str(tmp_path / "a.parquet")
    inside = pa.StructArray.from_arrays([pa.array([1]), pa.array([2])], names=["a", "a"])
    for columns, name in (
        ([("text", ["x"]), ("text", ["y"])], "text"),
        ([("text", ["x"]), ("other", ["y"]), ("other", ["y"])], "other"),
        ([("text", ["x"]), ("more", inside)], "a"),
        ([("text", ["x"]), ("more", pa.ListArray.from_arrays([0, 1], inside))], "a"),
    ):
        names, values = zip(*columns, strict=True)
        pq.write_table(pa.table(list(map(pa.array, values)), names=names), file)
        with pytest.raises(DataError, match=f"^{file} has the column '{name}' twice$"):
            read_all([file], None)


def test_links_and_pipes(tmp_path, monkeypatch):
    """A folder within itself has each file once; what is no file is named, and not waited for."""
    monkeypatch.chdir(tmp_path)
    write(tmp_path, "data/z.jsonl", [b'{"text": "x"}'])
    Path("data/self").symlink_to(".")
    Path("data/nowhere.jsonl").symlink_to("nowhere.jsonl")
    assert reading.find_files("data") == ["data/z.jsonl"]
    assert reading.find_files("data/**/z.jsonl") == ["data/z.jsonl"]
    Path("link").symlink_to("data")
    assert reading.find_files("link/z*") == ["link/z.jsonl"]
    os.mkfifo("data/pipe.jsonl")
    assert reading.find_files("data") == ["data/z.jsonl"]
    for name, strange in (("data/pipe.jsonl", "data/pipe.jsonl"), ("data/n*.jsonl", "data/nowhere.jsonl")):
        with pytest.raises(ValueError, match=f"^dataset: {strange} is no file, but a pipe, a device or a link that"):
            reading.find_files(name)


def test_files(tmp_path):
    for name in ("b/1.jsonl", "a/1.jsonl", "a/.hidden.jsonl", ".datatrove/x.parquet", "a/notes.txt", "recycle.json"):
        write(tmp_path, name, [b'{"text": "x"}'])
    folder = str(tmp_path)
    assert reading.find_files(folder) == [f"{folder}/a/1.jsonl", f"{folder}/b/1.jsonl"]
    found, _ = read_all(reading.find_files(folder), None)
    assert [row["id"] for row in found] == ["a/1.jsonl:1", "b/1.jsonl:1"], "unique, also for files of one name"
    assert reading.find_files(f"{folder}/*/1.jsonl") == reading.find_files(folder)
    write(tmp_path, "c/test.jsonl", [b'{"text": "x"}'])
    assert reading.find_files(f"{folder}/c", split="test") == [f"{folder}/c/test.jsonl"]
    for words, message in (
        ([f"{folder}/no.jsonl"], r"^dataset '.*no.jsonl': there is no such file or folder$"),
        ([f"{folder}/a/notes.txt"], r"^dataset: .*notes.txt is not JSON Lines \(.*\) or .parquet$"),
        ([f"{folder}/c", None], r"^split: .*/c has no 'train', only: test$"),
        ([f"{folder}/a", "en"], r"^dataset_config: .*/a is not a data set of the Hub and has none, got 'en'$"),
        (["no/such"], r"^dataset 'no/such' is no file, no folder, and cannot be had from the Hub: "),
    ):
        with pytest.raises(ValueError, match=message):
            reading.find_files(*words)
    (tmp_path / "empty").mkdir()
    with pytest.raises(ValueError, match=r"^dataset '.*/empty': the folder has no file that is JSON Lines"):
        reading.find_files(f"{folder}/empty")


def test_what_is_not_there_is_told_at_once(tmp_path):
    lines = [b'{"text": 1, "a": 2}', b'{"title": "x"}', b"{"]
    shards = reading.plan([write(tmp_path, "a.jsonl", lines)], None)
    reading.check_columns(shards, "text")
    reading.check_columns(shards, "title", "a")
    with pytest.raises(
        ValueError, match="^text_column 'body' is in no document of the dataset, which have: text, a, title$"
    ):
        reading.check_columns(shards, "body")
    with pytest.raises(
        ValueError, match="^id_column 'url' is in no document of the dataset, which have: text, a, title$"
    ):
        reading.check_columns(shards, "text", "url")
    with pytest.raises(ValueError, match="^dataset: there is no document$"):
        reading.check_columns(reading.plan([write(tmp_path, "b.jsonl", b"\n \n")], None), "text")
    with pytest.raises(ValueError, match=r"^dataset: there is no document that can be read \(.*, line 3: not valid"):
        reading.check_columns(reading.plan([write(tmp_path, "b.jsonl", b"\n \n{")], None), "text")
    pq.write_table(pa.table({"body": ["a"], "text": [3]}), tmp_path / "c.parquet")
    for column, message in (
        ("title", "is not in .*c.parquet, which has: body, text$"),
        ("text", "holds int64, not text$"),
    ):
        with pytest.raises(ValueError, match=f"^text_column '{column}' .*{message}"):
            reading.check_columns(reading.plan([str(tmp_path / "c.parquet")], None), column)
    with pytest.raises(
        ValueError, match=r"^dataset: .*list.json is one JSON list; write JSON Lines, an object to a line$"
    ):
        reading.plan([write(tmp_path, "list.json", b' [{"text": "a"}]')], None)


HUB = """
import json, sys
from hf_procedural.recycle import reading
files = reading.find_files(*sys.argv[1:])
damaged, rows = [], []
for size in (None, 2):
    shards = reading.plan(files, size)
    rows.append([row for shard in shards for row in reading.read(shard, damaged=damaged.append)])
assert rows[0] == rows[1]
print(json.dumps([files, rows[0], damaged]))
"""


def test_data_sets_of_the_hub(hub, tmp_path):
    rows = [{"text": text, "n": number} for number, text in enumerate(STRANGE)]
    data = b"\n".join([*lines_of(rows), b"{"])
    upload = """
import sys
from huggingface_hub import HfApi
api = HfApi()
for name in ("lines", "rows"):
    api.create_repo(f"alice/{name}", repo_type="dataset")
    api.upload_folder(folder_path=f"{sys.argv[1]}/{name}", repo_id=f"alice/{name}", repo_type="dataset")
"""
    for kind in (".jsonl", ".jsonl.gz", ".jsonl.zst"):
        write(tmp_path / "lines/data", "train-" + kind, WRITERS[kind](data))
    write(tmp_path / "lines/data", "test.jsonl", data)
    (tmp_path / "rows").mkdir()
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "rows" / "test-0.parquet", row_group_size=3)
    python(upload, environment(hub, tmp_path / "home", "hf_alice"), tmp_path)
    reader = environment(hub, tmp_path / "fresh")
    files, found, damaged = json.loads(python(HUB, reader, "alice/lines"))
    assert all(file.startswith("hf://datasets/alice/lines@") for file in files) and len(files) == 3
    assert [row["text"] for row in found] == STRANGE * 3 and len(damaged) == 2 * 3
    assert found[0]["id"] == "train-.jsonl:1"
    files, found, damaged = json.loads(python(HUB, reader, "alice/rows", "default", "test"))
    assert [row["text"] for row in found] == STRANGE and not damaged


# Pieces


def test_bz2_and_others_are_no_input(tmp_path):
    with pytest.raises(ValueError, match="a.jsonl.bz2 is not JSON Lines"):
        reading.find_files(write(tmp_path, "a.jsonl.bz2", bz2.compress(b"{}")))


SENTENCES = st.text(st.sampled_from("ab.!?… \n\"')木。」🌳\u0301\u200d\ufe0f\U0001f3fd1\t\0"), max_size=80)


@hypothesis.given(text=SENTENCES, characters=st.integers(1, 25))
@hypothesis.settings(max_examples=400)
def test_pieces(text, characters):
    found = pieces.cut(text, characters)
    assert "".join(found) == text and all(0 < len(piece) <= characters for piece in found)
    start = 0
    for piece, after in zip(found, found[1:], strict=False):
        end, half = start + len(piece), start + (characters + 1) // 2
        assert len(piece) >= (characters + 1) // 2, "no smaller than needed"
        allowed = [place for place in range(half, start + characters + 1) if not tied(text, place)]
        if allowed:
            assert end in allowed, "inside of a character"
            assert rank(text, half, end) == max(rank(text, half, place) for place in allowed), (piece, after)
        start = end


def tied(text: str, place: int) -> bool:
    before, after = text[place - 1], text[place]
    return before == "\u200d" or after in "\u200d\U0001f3fd" or unicodedata.category(after).startswith("M")


def rank(text: str, half: int, place: int) -> int:
    """2 behind a sentence or line and white space, 1 behind other white space, else 0."""
    if text[place - 1].isspace():
        earlier = rank(text, half, place - 1) if place > half else 0
        return 2 if earlier == 2 or text[place - 1] == "\n" else 1
    end = text[:place].rstrip("\"')」")
    ended = text[place].isspace() or end[-1:] == "。"
    return 2 if ended and end[-1:] in (*".!?…", "。") and (end[-1] == "。" or "」" not in text[len(end) : place]) else 0


@pytest.mark.parametrize(
    ("text", "characters", "expected"),
    [
        ("", 7_000, []),
        ("a" * 7_000, 7_000, ["a" * 7_000]),
        ("a" * 7_001, 7_000, ["a" * 7_000, "a"]),
        (
            "It costs 3.14 dollars at www.example.com today",
            20,
            ["It costs 3.14 ", "dollars at ", "www.example.com ", "today"],
        ),
        ('He said "Stop!" She did not.', 20, ['He said "Stop!" ', "She did not."]),
        ("one line\n\n\nanother line", 14, ["one line\n\n\n", "another line"]),
        ("これは文です。「次の文。」最後", 13, ["これは文です。「次の文。」", "最後"]),
        ("First. Second sentence is long", 20, ["First. Second ", "sentence is long"]),
        ("aaaa🌳\u200d🌳bbbb", 6, ["aaaa", "🌳\u200d🌳bbb", "b"]),
    ],
)
def test_pieces_by_hand(text, characters, expected):
    assert pieces.cut(text, characters) == expected


def test_cutting_is_linear():
    text = ("word. " * 200_000, " \n" * 500_000, "." * 10**6, "\u0301" * 10**6, "'\"" * 500_000)
    for each in text:
        assert "".join(pieces.cut(each)) == each


@pytest.mark.parametrize(
    ("completion", "expected"),
    [
        ("Here is a paraphrased version:\n  A text. \n", "A text."),
        ("Here is a paraphrased version:", ""),
        ("A text.", None),
        ("", None),
        ("here is a paraphrased version: a", None),
        (
            "Sure!\nHere is a paraphrased version: a Here is a paraphrased version: b",
            "a Here is a paraphrased version: b",
        ),
        ("<think>\n\n</think>\n\nHere is a paraphrased version: a", "a"),
        ("<think>Here is a paraphrased version: no</think>Here is a paraphrased version: a", "a"),
        ("<think>Here is a paraphrased version: no</think>", None),
        ("<think>Here is a paraphrased version: cut sho", None),
        ("Here is a paraphrased version: of <think> tags </think>", "of <think> tags </think>"),
    ],
)
def test_after_marker(completion, expected):
    assert pieces.after_marker(completion) == expected


@hypothesis.given(text=TEXTS, characters=st.integers(1, 9), data=st.data())
def test_join(text, characters, data):
    hypothesis.assume("new" not in text)  # which stands for what was rephrased
    own = pieces.cut(text, characters)
    assert pieces.join(own, [None] * len(own)) == text
    assert pieces.join(own, ["x"] * len(own)) == " ".join("x" * len(own))
    assert pieces.join(own, [""] * len(own)) == ""
    kept = data.draw(st.lists(st.sampled_from([None, "", "new"]), min_size=len(own), max_size=len(own)))
    joined = pieces.join(own, kept)
    assert joined.count("new") == kept.count("new")
    words = [word for piece, new in zip(own, kept, strict=True) for word in (piece if new is None else new).split()]
    assert "".join(joined.split()) == "".join(words), "nothing lost, in order"


@pytest.mark.parametrize("row", [{"id": "\ud800", "text": "x"}, {"id": "1", "text": "\ud800"}])
def test_half_a_surrogate_is_damage(row, tmp_path):
    (tmp_path / "web.jsonl").write_text(json.dumps(row) + "\n" + json.dumps({"id": 2, "text": "fine"}) + "\n")
    (shard,), told = reading.plan(reading.find_files(str(tmp_path)), None), []
    assert [found["id"] for found in reading.read(shard, damaged=told.append)] == ["2"]
    assert len(told) == 1 and "line 1: " in told[0] and "is not valid Unicode" in told[0]

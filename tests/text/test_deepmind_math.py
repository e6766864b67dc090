"""DeepMind-Math on an excerpt of the published archive (10 problems of each module) and on small archives made here."""

import collections
import io
import itertools
import json
import os
import shutil
import tarfile

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from support.running import TESTS
from torch.utils.data import DataLoader, default_collate
from transformers import AutoTokenizer, GPT2Config, GPT2LMHeadModel

from hf_procedural.text import deepmind_math as dm
from hf_procedural.text import documents, math_archive, math_packed
from hf_procedural.training import finish

ARCHIVE = TESTS / "data" / "deepmind_math"
TOKENIZER = dm.character_tokenizer()


def write(folder, files: dict[str, str | bytes]):
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return folder


def archive(folder, text=lambda split, module: f"{split} {module}?\n1\n", modules=("a__x", "b__y")):
    """An archive of its own, with `text(split, module)` in each file."""
    return write(folder, {f"{s}/{module}.txt": text(s, module) for s in math_archive.SPLITS for module in modules})


def take(rows, count):
    """The next rows: int64 ``[2, count, length]``."""
    rows = list(itertools.islice(iter(rows), count))
    return np.stack([torch.stack([row[name] for row in rows]).numpy() for name in ("input_ids", "labels")])


def texts_of(row) -> list[str]:
    """The problems of a row as ``question<sep>answer``."""
    return TOKENIZER.decode(row).rstrip("\n").replace("<pad>", "").split("<bos>")[1:]


def cut(path) -> list[tuple[str, str]]:
    lines = path.read_text().split("\n")[:-1]
    return list(zip(lines[::2], lines[1::2], strict=True))


# Tokenizer


def test_the_tokenizer_has_its_99_tokens():
    assert len(TOKENIZER) == TOKENIZER.vocab_size == 99
    assert TOKENIZER.convert_ids_to_tokens(range(99)) == ["<pad>", "<unk>", "<bos>", "<sep>", *map(chr, range(32, 127))]
    special = (TOKENIZER.pad_token_id, TOKENIZER.unk_token_id, TOKENIZER.bos_token_id, TOKENIZER.sep_token_id)
    assert special == (0, 1, 2, 3) and TOKENIZER.eos_token_id is None and TOKENIZER.model_max_length == 512


def plain(text) -> bool:
    """Whether a text names no special token."""
    return not any(name in text for name in dm._SPECIAL)


@given(st.text(st.characters(min_codepoint=32, max_codepoint=126)).filter(plain))
def test_text_comes_back_exactly(text):
    assert len(TOKENIZER(text).input_ids) == len(text)
    assert TOKENIZER.decode(TOKENIZER(text).input_ids) == text


@pytest.mark.parametrize("text", ["", "  two  spaces ", "don ' t , 's n't .", "é\n\t日本", "x\x00y", "𝟙 + \x7f"])
def test_the_byte_table_is_the_tokenizer(text):
    ids, answer = dm._encode(b"", text.encode())
    assert list(ids) == [2, 3, *TOKENIZER(text).input_ids] and answer == len(text)


@given(st.text(st.characters(codec="utf-8")).filter(plain))
def test_the_byte_table_is_the_tokenizer_on_any_text(text):
    assert list(dm._encode(b"", text.encode())[0]) == [2, 3, *TOKENIZER(text).input_ids]


def test_the_tokenizer_loads_without_this_package(tmp_path):
    TOKENIZER.save_pretrained(tmp_path)
    assert not any("hf_procedural" in path.read_text() for path in tmp_path.iterdir())
    loaded, text = AutoTokenizer.from_pretrained(tmp_path), "<bos> Let  x = 3 . What's x?<sep>3"
    assert type(loaded).__module__.startswith("transformers.")
    assert loaded.get_vocab() == TOKENIZER.get_vocab() and loaded.special_tokens_map == TOKENIZER.special_tokens_map
    assert loaded(text).input_ids == TOKENIZER(text).input_ids and loaded.decode(loaded(text).input_ids) == text


# The archive


def test_all_modules_of_the_real_text_are_found():
    found = math_archive.find_modules(ARCHIVE)
    assert tuple(found) == math_archive.SPLITS and [len(files) for files in found.values()] == [52, 52, 52, 52, 15]
    for split, files in found.items():
        assert {path.name for path in (ARCHIVE / split).iterdir()} == {f"{module}.txt" for module in files}
        assert all(path == ARCHIVE / split / f"{module}.txt" for module, path in files.items())


def test_other_files_are_no_modules(tmp_path):
    write(archive(tmp_path), {"train-easy/README.txt": "x", "train-easy/._a__x.txt": b"\xff", "train-readme.txt": "x"})
    assert list(math_archive.find_modules(tmp_path)["train-easy"]) == ["a__x", "b__y"]


def error_of(folder) -> str:
    with pytest.raises(ValueError) as error:
        math_archive.find_modules(folder)
    assert "\n" not in str(error.value)
    return str(error.value)


def test_missing_folders_are_named(tmp_path):
    assert error_of(tmp_path / "no") == f"the DeepMind-Math folder {tmp_path / 'no'} does not exist, or is no folder"
    archive(tmp_path / "a")
    for split in math_archive.DIFFICULTIES:
        shutil.rmtree(tmp_path / "a" / split)
    splits = "train-easy, train-medium, train-hard"
    assert error_of(tmp_path / "a") == f"{tmp_path / 'a'} lacks the folders {splits}: one of them is needed to train on"
    archive(tmp_path / "b")
    for split in math_archive.TO_VALIDATE:
        shutil.rmtree(tmp_path / "b" / split)
    splits = "interpolate, extrapolate"
    place = tmp_path / "b"
    assert error_of(place) == f"{place} lacks the folders {splits}: one of them is needed to validate with"


def test_some_difficulties_and_one_split_are_enough(tmp_path, caplog):
    archive(tmp_path)
    for split in ("train-medium", "train-hard", "extrapolate"):
        shutil.rmtree(tmp_path / split)
    rows = dm.MathRows(tmp_path, seed=0, length=40)
    assert rows.difficulties == ["train-easy"]
    assert {text for row in take(rows, 20)[0] for text in texts_of(row)} == {
        "train-easy a__x?<sep>1",
        "train-easy b__y?<sep>1",
    }
    assert set(math_archive.validation_problems(tmp_path, 1)) == {"interpolate/a__x", "interpolate/b__y"}
    assert [record.getMessage() for record in caplog.records] == [
        "DeepMind-Math: train-medium, train-hard missing; training comes from train-easy alone",
        "DeepMind-Math: extrapolate missing; validation comes from interpolate alone",
    ]
    with pytest.raises(ValueError, match="^split must be one of train-easy, interpolate, got 'train-hard'$"):
        math_archive.problems(tmp_path, "train-hard")


def test_the_folder_is_found_below_the_one_that_is_given(tmp_path):
    root = archive(tmp_path / "downloads" / "mathematics_dataset-v1.0")
    assert math_archive.math_folder(root) == math_archive.math_folder(tmp_path) == root
    assert math_archive.problems(tmp_path, "train-hard") == math_archive.problems(root, "train-hard")
    with pytest.raises(ValueError, match=f"^dataset '.*/train-easy' is a part of .*: give the folder above, {root}$"):
        math_archive.math_folder(root / "train-easy")
    write(tmp_path, {"web.jsonl": '{"text": "x"}\n'})  # which would be left out
    assert math_archive.math_folder(tmp_path) is None
    archive(tmp_path / "other" / "again")
    assert math_archive.math_folder(tmp_path / "other") is not None and math_archive.math_folder(tmp_path) is None


@pytest.mark.parametrize("below", ["", "mathematics_dataset-v1.0", "a/b"])
def test_it_is_never_read_as_prose(below, tmp_path):
    archive(tmp_path / below)
    write(tmp_path, {"web.jsonl": '{"text": "x"}\n'})
    with pytest.raises(ValueError, match="^dataset '.*' holds DeepMind-Math .*, which is no prose: .*only data set$"):
        documents.train_and_validation(str(tmp_path))
    with pytest.raises(ValueError, match="is no prose"):
        documents.train_and_validation_of_each(["pydoc", str(tmp_path)])
    with pytest.raises(ValueError, match="is no prose"):
        documents.train_and_validation("pydoc", validation_dataset=str(tmp_path))


# Packed


@pytest.fixture
def cache(tmp_path, monkeypatch):
    """The folder into which archives are unpacked."""
    monkeypatch.setattr(math_packed.config, "EXTRACTED_DATASETS_PATH", tmp_path / "cache")
    return tmp_path / "cache"


def pack(file, members):
    """A packed archive of names and contents; instead of these, what changes the member."""
    with tarfile.open(file, "w" if file.suffix == ".tar" else "w:gz") as packed:
        for name, content in members:
            member = tarfile.TarInfo(name)
            if callable(content):
                content(member)
                packed.addfile(member)
            else:
                member.size = len(content)
                packed.addfile(member, io.BytesIO(content))
    return file


def published(folder):
    """The members of the archive as it is published, of a folder's files."""
    paths = sorted(path for path in folder.rglob("*.txt"))
    return [(f"mathematics_dataset-v1.0/{path.relative_to(folder).as_posix()}", path.read_bytes()) for path in paths]


@pytest.mark.parametrize("name", ["mathematics_dataset-v1.0.tar.gz", "m.tgz", "m.tar"])
def test_the_packed_archive_gives_the_same_rows(name, tmp_path, cache):
    beside = [("mathematics_dataset-v1.0/train-readme.txt", b"x"), ("._train-easy/._a__x.txt", b"\xff")]
    file = pack(tmp_path / name, [*beside, *published(ARCHIVE)])
    rows = dm.MathRows(file, seed=3)
    np.testing.assert_array_equal(take(rows, 20), take(dm.MathRows(ARCHIVE, seed=3), 20))
    assert rows.mark(0) == dm.MathRows(ARCHIVE, seed=3).mark(0), "a run goes on from either"
    assert math_archive.validation_problems(file, 2) == math_archive.validation_problems(ARCHIVE, 2)
    (folder,) = (path for path in cache.iterdir() if path.is_dir())
    assert math_archive.math_folder(file) == file and math_packed.unpacked(file) == folder
    before = {path: path.stat().st_mtime_ns for path in cache.rglob("*")}
    math_packed.unpacked(file)
    assert {path: path.stat().st_mtime_ns for path in folder.rglob("*")}.items() <= before.items(), "unpacked once"


def link(member):
    member.type, member.linkname = tarfile.SYMTYPE, "/etc/passwd"


def long_name(member):
    member.type, member.size = tarfile.GNUTYPE_LONGNAME, 2**32


GOOD = ("m/train-easy/a__x.txt", b"q\na\n")


@pytest.mark.parametrize(
    ("members", "message"),
    [
        ([GOOD, ("/m/train-easy/b__y.txt", b"q\na\n")], "no archive of .* not unpacked: it holds '/m/train-easy/b__y"),
        ([GOOD, ("m/train-easy/../../../x__y.txt", b"x")], "no archive of .* not unpacked: it holds 'm/train-easy/../"),
        ([GOOD, ("m/train-hard/b__y.txt", link)], "'m/train-hard/b__y.txt' is no plain file, or is there twice$"),
        ([GOOD, GOOD], "'m/train-easy/a__x.txt' is no plain file, or is there twice$"),
        (
            [GOOD, ("././@LongLink", long_name)],
            r"cannot be unpacked into \S+ \(HF_DATASETS_CACHE\): a name in it takes 4,294,967,296 bytes$",
        ),
        ([("notes.txt", b"x")], "is no archive of DeepMind-Math: it holds no train-easy/module__name.txt$"),
        ([(str(number), b"") for number in range(10_001)], "is no archive of .*: it holds '10000'$"),
    ],
)
def test_a_hostile_archive_is_refused_and_leaves_nothing(members, message, tmp_path, cache):
    file = pack(tmp_path / "m.tar.gz", members)
    with pytest.raises(dm.DataError, match=message):
        math_archive.find_modules(file)
    assert not [path for path in tmp_path.rglob("*") if path != file and path.suffix != ".lock" and path != cache]


@pytest.mark.parametrize("damage", ["cut", "flipped", "no gzip"])
def test_a_damaged_archive_is_named(damage, tmp_path, cache):
    file = pack(tmp_path / "m.tar.gz", published(ARCHIVE))
    content = bytearray(file.read_bytes())
    if damage == "cut":
        del content[len(content) // 2 :]
    elif damage == "flipped":
        content[-6] ^= 1  # of the checksum
    else:
        content[:2] = b"no"
    file.write_bytes(content)
    with pytest.raises(dm.DataError, match=rf"^{file} cannot be unpacked into {cache}\S* \(HF_DATASETS_CACHE\): "):
        math_archive.find_modules(file)
    assert not [path for path in cache.iterdir() if path.suffix != ".lock"]


def test_missing_modules_are_named_together(tmp_path):
    archive(tmp_path)
    for name in ("train-easy/a__x", "interpolate/b__y", "extrapolate/a__x", "extrapolate/b__y"):
        (tmp_path / f"{name}.txt").unlink()
    assert error_of(tmp_path) == (
        f"{tmp_path}: missing: all modules of extrapolate, train-easy/a__x.txt, interpolate/b__y.txt"
    )


DAMAGE = {
    "q\na\nq2\n": "(line 3 is a question without an answer: an odd number of lines)",
    "q\na\nq2\na": "(line 4 has no end: the file was cut off)",
    "q\n\n": "(line 2 is empty)",
    "q\na\n \na\n": "(line 3 is empty)",
    "q\na\nq\xe9\n".encode("latin-1"): "(line 3 is not UTF-8)",
    "q\r\na\r\n": r"(line 1 holds '\r')",
    "q\na\n" + "\0" * 99: "(line 3 has no end: the file was cut off)",
    "q\na\0\n": r"(line 2 holds '\x00')",
    "q" * 70_000: "(line 1 opens a problem of more than 65536 bytes)",
    "": "(the file is empty)",
}


@pytest.mark.parametrize("text", DAMAGE, ids=DAMAGE.values())
def test_a_damaged_file_is_named(text, tmp_path):
    write(archive(tmp_path), {"train-hard/b__y.txt": text})
    assert error_of(tmp_path) == f"{tmp_path}: damaged: {tmp_path / 'train-hard' / 'b__y.txt'} {DAMAGE[text]}"


def test_all_damage_is_named_together(tmp_path):
    write(archive(tmp_path), {"train-hard/a__x.txt": "q\n", "extrapolate/b__y.txt": ""})
    for name in ("train-easy/a__x.txt", "train-easy/b__y.txt"):
        (tmp_path / name).unlink()
    (tmp_path / "train-easy" / "b__y.txt").mkdir()
    (tmp_path / "train-hard" / "b__y.txt").unlink()
    os.mkfifo(tmp_path / "train-hard" / "b__y.txt")
    message = error_of(tmp_path)
    assert "missing: train-easy/a__x.txt; damaged: " in message and message.count("(") == 4
    assert "train-hard/b__y.txt (a pipe)" in message
    assert "train-easy/b__y.txt (Is a directory)" in message
    assert "train-hard/a__x.txt (line 1" in message and "extrapolate/b__y.txt (the file is empty)" in message


def large(count, broken=None, text=b"\n"):
    """`count` numbered problems of 41 bytes, one of them with `text` as its answer's line."""
    problems = [b"%019d\n%020d\n" % (place, place) for place in range(count)]
    if broken is not None:
        problems[broken] = b"%019d\n" % broken + text
    return b"".join(problems)


def test_a_large_file_is_read_in_parts(tmp_path):
    count = 2**20 // 41 + 1000
    archive(tmp_path, lambda split, module: large(count) if split == "interpolate" else "q\na\n", ["a__x"])
    found = math_archive.problems(tmp_path, "interpolate")["a__x"]
    assert [(int(question), int(answer)) for question, answer in found] == [(i, i) for i in range(count)]
    assert math_archive.problems(tmp_path, "interpolate", per_module=3)["a__x"] == found[:3]


@pytest.mark.parametrize("place", [0, 30_000, 59_999], ids=["beginning", "middle", "end"])
def test_a_large_file_is_checked_in_places(place, tmp_path):
    archive(tmp_path, lambda split, module: large(60_000, place if split == "train-hard" else None), ["a__x"])
    assert error_of(tmp_path).endswith(f"train-hard/a__x.txt (line {2 * place + 2} is empty)")


@pytest.mark.parametrize(
    ("place", "text", "flaw"),
    [(5_000, b"\n", "(line 10002 is empty)"), (5_000, b"", "(line 119999 is a question without an answer: an odd")],
)
def test_other_damage_is_met_while_reading(place, text, flaw, tmp_path):
    archive(tmp_path, lambda split, module: large(60_000, place, text), ["a__x"])
    rows = dm.MathRows(tmp_path, seed=0)
    with pytest.raises(dm.DataError) as error:
        take(rows, 10**6)
    assert f"a__x.txt {flaw}" in str(error.value) and "\n" not in str(error.value)


# Training rows


def test_a_row_by_hand(tmp_path):
    archive(
        tmp_path, lambda split, module: "1+1?\n2\n-3 * 4\n-12\n" if split == "train-easy" else "1+1?\n2\n", ["a__x"]
    )
    write(tmp_path, {"train-medium/a__x.txt": "x=5\n55\n", "train-hard/a__x.txt": "x=5\n55\n"})
    rows = dm.MathRows(tmp_path, seed=0, length=25)
    for ids, labels in zip(*take(rows, 50), strict=True):
        used = 0
        for text in texts_of(ids):
            question, answer = text.split("<sep>")
            assert (question, answer) in [("1+1?", "2"), ("-3 * 4", "-12"), ("x=5", "55")]
            expected = [2, *TOKENIZER(question).input_ids, 3, *TOKENIZER(answer).input_ids]
            np.testing.assert_array_equal(ids[used : used + len(expected)], expected)
            wanted = [-100] * (len(question) + 2) + TOKENIZER(answer).input_ids
            np.testing.assert_array_equal(labels[used : used + len(expected)], wanted)
            used += len(expected)
        assert (ids[used:] == 0).all() and (labels[used:] == -100).all()


def test_supervised_tokens_of_a_problem():
    rows = dm.MathValidation({"m": [("1+1?", "2"), ("a b", "-12")]}, length=11)
    #                                    <bos> 1   +   1   ?  <sep> 2  <pad> ...
    assert rows[0]["input_ids"].tolist() == [2, 21, 15, 21, 35, 3, 22, 0, 0, 0, 0]
    assert rows[0]["labels"].tolist() == [-100] * 6 + [22] + [-100] * 4
    assert rows[1]["input_ids"].tolist() == [2, 69, 4, 70, 3, 17, 21, 22, 0, 0, 0]
    assert rows[1]["labels"].tolist() == [-100] * 5 + [17, 21, 22] + [-100] * 3
    assert all(column.dtype == torch.int64 for column in rows[0].values())


def plain_rows(folder, rows, seed_of, count, length):
    """Rows made one problem at a time, with the tokenizer and whole files in memory."""
    paths = [path for split in math_archive.DIFFICULTIES for path in sorted((folder / split).iterdir())]
    files = [itertools.cycle(cut(path)) for path in paths]
    result, waiting = [], None
    for row in range(count):
        draws = iter(np.random.Generator(seed_of(row)).integers(len(files), size=length // 4 + 1))
        ids, labels = [], []
        while True:
            if waiting is None:
                question, answer = (TOKENIZER(text).input_ids for text in next(files[next(draws)]))
                waiting = [2, *question, 3, *answer], [-100] * (len(question) + 2) + answer
            if len(ids) + len(waiting[0]) > length:
                break
            ids, labels, waiting = ids + waiting[0], labels + waiting[1], None
        padding = length - len(ids)
        result.append((ids + [0] * padding, labels + [-100] * padding))
    return np.array(result).transpose(1, 0, 2)


def test_rows_are_those_of_the_plain_way():
    rows = dm.MathRows(ARCHIVE, seed=3)
    found = take(rows, 400)
    assert found.shape == (2, 400, 512) and found.dtype == np.int64 and rows.skipped == 0
    generator = lambda row: np.random.Philox(key=int(rows._key, 16), counter=[0, 0, 0, row])  # noqa: E731
    np.testing.assert_array_equal(found, plain_rows(ARCHIVE, rows, generator, 400, 512))


def test_rows_depend_on_the_seed_alone():
    first = take(dm.MathRows(ARCHIVE, seed=0), 30)
    np.testing.assert_array_equal(first, take(dm.MathRows(str(ARCHIVE), seed=0), 30))
    assert (first != take(dm.MathRows(ARCHIVE, seed=1), 30)).any(axis=2).all(axis=1).all()


def test_difficulties_and_modules_are_uniform(tmp_path):
    """Of problems between 6 and 40 tokens in rows of 64."""
    long = {"train-easy a__x": 15, "train-hard b__y": 34}
    archive(tmp_path, lambda s, m: f"{'qr'[m == 'b__y']}{s[6]}{'.' * long.get(f'{s} {m}', 0)}\n12\n")
    counts = {}
    for row in take(dm.MathRows(tmp_path, seed=0, length=64), 2000)[0]:
        for text in texts_of(row):
            counts[text[:2]] = counts.get(text[:2], 0) + 1
    assert sorted(counts) == ["qe", "qh", "qm", "re", "rh", "rm"]
    assert stats.chisquare(list(counts.values())).pvalue > 0.01


ROWS = take(dm.MathRows(ARCHIVE, seed=5, length=200), 1500)


@settings(max_examples=30)
@given(st.integers(0, 1400), st.integers(0, 600), st.integers(1, 20))
def test_marks_go_on_where_reading_stopped(row, ahead, count):
    """Also when the loader was up to 600 rows ahead of training."""
    rows = dm.MathRows(ARCHIVE, seed=5, length=200)
    take(rows, row + ahead + 1)
    mark = json.loads(json.dumps(rows.mark(row)))
    assert mark["row"] == row and row - 256 < mark["read"] <= row
    again = dm.MathRows(ARCHIVE, seed=5, length=200)
    again.start_at(row, mark)
    np.testing.assert_array_equal(take(again, count), ROWS[:, row : row + count])
    assert again.mark(row + count - 1)["read"] >= mark["read"]


@pytest.mark.parametrize("row", [0, 1, 300])
def test_without_a_mark_it_reads_up_to_the_row(row):
    rows = dm.MathRows(ARCHIVE, seed=5, length=200)
    rows.start_at(row)
    for _ in range(2):  # a second iterator begins there again
        np.testing.assert_array_equal(take(rows, 3), ROWS[:, row : row + 3])


def test_old_marks_are_dropped():
    rows = dm.MathRows(ARCHIVE, seed=5, length=200)
    rows._marks = collections.deque(rows._marks, maxlen=2)
    take(rows, 1025)
    assert [rows.mark(row)["read"] for row in (700, 800, 1024, 5000)] == [0, 768, 1024, 1024]


def test_marks_of_something_else_are_refused():
    rows = dm.MathRows(ARCHIVE, seed=5, length=200)
    mark = rows.mark(0)
    for other in (dm.MathRows(ARCHIVE, seed=6, length=200), dm.MathRows(ARCHIVE, seed=5, length=199)):
        with pytest.raises(
            ValueError, match="^the mark of row 0 is not one for row 9 of these files, seed and length$"
        ):
            other.start_at(9, mark)
    with pytest.raises(ValueError, match="^the mark of row 256 is not one for row 9 of these"):
        rows.start_at(9, mark | {"row": 256})
    take(rows, 300)
    again = dm.MathRows(ARCHIVE, seed=5, length=200)
    again.start_at(270, rows.mark(260))
    with pytest.raises(ValueError, match="^row must be at least 260, where reading began, got 9$"):
        again.mark(9)


@pytest.mark.parametrize("workers", [0, 1])
def test_a_loader_gives_the_rows(workers):
    loader = DataLoader(dm.MathRows(ARCHIVE, 5, 200), batch_size=10, num_workers=workers)
    batches = list(itertools.islice(iter(loader), 4))
    for place, name in enumerate(("input_ids", "labels")):
        np.testing.assert_array_equal(torch.cat([batch[name] for batch in batches]), ROWS[place, :40])


def test_several_workers_are_refused():
    loader = DataLoader(dm.MathRows(ARCHIVE, 5, 200), batch_size=10, num_workers=2)
    with pytest.raises(ValueError, match="dataloader_num_workers must be 0 or 1 for DeepMind-Math, got 2"):
        next(iter(loader))


def test_problems_longer_than_a_row_are_skipped_and_counted(tmp_path):
    archive(tmp_path, lambda *_: "1234567\n1\n123456\n12\n12345678901234567890\n1\n123\n4\n", ["a__x"])
    rows = dm.MathRows(tmp_path, seed=0, length=10)
    found = [text for row in take(rows, 30)[0] for text in texts_of(row)]
    assert set(found) == {"1234567<sep>1", "123456<sep>12", "123<sep>4"}
    assert len(found) == 30 and 7 <= rows.skipped <= 10
    with pytest.raises(dm.DataError, match=r"a__x.txt: no problem of it fits in a row of 5 tokens$"):
        take(dm.MathRows(tmp_path, seed=0, length=5), 1)
    with pytest.raises(ValueError, match="^length must be at least 4 tokens, got 3$"):
        dm.MathRows(tmp_path, seed=0, length=3)


# Validation


@pytest.mark.parametrize(("split", "modules"), [("interpolate", 52), ("extrapolate", 15)])
def test_validation_problems(split, modules):
    found = math_archive.problems(ARCHIVE, split)
    assert found == {path.stem: cut(path) for path in sorted((ARCHIVE / split).iterdir())}
    few = math_archive.problems(ARCHIVE, split, per_module=4)
    assert few == {module: pairs[:4] for module, pairs in found.items()} and len(few) == modules
    rows = dm.MathValidation(few)
    assert len(rows) == 4 * modules and rows.modules == [module for module in few for _ in range(4)]
    texts = [f"<bos>{question}<sep>{answer}" for pairs in few.values() for question, answer in pairs]
    assert [TOKENIZER.decode(rows[i]["input_ids"]).replace("<pad>", "") for i in range(len(rows))] == texts
    assert {len(row["labels"]) for row in rows} == {max(len(TOKENIZER(text).input_ids) for text in texts)}


def test_validation_errors():
    with pytest.raises(ValueError, match="^split must be one of train-easy, .*extrapolate, got 'test'$"):
        math_archive.problems(ARCHIVE, "test")
    with pytest.raises(ValueError, match="^per_module must be at least 1, got 0$"):
        math_archive.problems(ARCHIVE, "interpolate", 0)
    with pytest.raises(ValueError, match="^there are no validation problems$"):
        dm.MathValidation({"m": []})
    with pytest.raises(ValueError, match="^length must be at least 7, for a problem of n, got 6$"):
        dm.MathValidation({"m": [("1", "2")], "n": [("123", "45")]}, length=6)


def test_accuracy_by_hand():
    rows = dm.MathValidation({"a": [("1", "22"), ("1", "345")], "b": [("1", "6"), ("1", "7")]})
    labels = np.stack([row["labels"] for row in rows])
    guesses = np.where(labels == -100, 98, labels)  # what stands outside of answers does not matter
    right = {"answer_accuracy": 1.0, "exact_match": 1.0}
    assert dm.accuracy(guesses, labels, rows.modules) == (right, {"a": right, "b": right})
    guesses[1, 5] = 4  # the last character of a long answer, which the reference does not look at
    guesses[2, 3] = 4
    overall, by_module = dm.accuracy(guesses, labels, rows.modules)
    assert overall == {"answer_accuracy": 5 / 7, "exact_match": 2 / 4}
    assert by_module == {
        "a": {"answer_accuracy": 4 / 5, "exact_match": 1 / 2},
        "b": {"answer_accuracy": 1 / 2, "exact_match": 1 / 2},
    }


def test_accuracy_errors():
    labels = np.array([[-100, 5], [-100, -100]])
    with pytest.raises(ValueError, match="^labels: row 1 has no answer to score$"):
        dm.accuracy(labels, labels, ["a", "b"])
    with pytest.raises(ValueError, match=r"^rows do not match: \(1, 2\), \(2, 2\), 2 modules$"):
        dm.accuracy(labels[:1], labels, ["a", "b"])


@pytest.fixture(scope="module")
def memory():
    """A model that was trained on some of these problems, and all of them."""
    found = math_archive.problems(ARCHIVE, "interpolate").items()
    short = {module: [pair for pair in pairs if sum(map(len, pair)) <= 40][:5] for module, pairs in found}
    problems = dict(itertools.islice(((m, pairs) for m, pairs in short.items() if len(pairs) == 5), 6))
    size = {"vocab_size": 99, "n_positions": 192, "n_layer": 1, "n_head": 2, "n_embd": 64}
    special = {"pad_token_id": 0, "bos_token_id": None, "eos_token_id": 21}  # 21 is "1", and must not end an answer
    torch.manual_seed(0)
    model = GPT2LMHeadModel(GPT2Config(**size, **special, resid_pdrop=0, embd_pdrop=0, attn_pdrop=0))
    batch = default_collate(list(dm.MathValidation({module: pairs[:2] for module, pairs in problems.items()})))
    optimizer = torch.optim.AdamW(model.parameters(), lr=5e-3)
    for _ in range(80):
        model(**batch).loss.backward()
        optimizer.step()
        optimizer.zero_grad()
    return model.eval(), problems


@torch.no_grad()
def one_by_one(model, question, answer) -> bool:
    """Greedy generation of one answer, without a cache."""
    ids = [2, *TOKENIZER(question).input_ids, 3]
    for _ in answer:
        ids.append(int(model(torch.tensor([ids])).logits[0, -1].argmax()))
    return TOKENIZER.decode(ids[-len(answer) :]) == answer


def test_greedy_answers_are_those_of_a_plain_loop(memory):
    model, problems = memory
    right = {module: [one_by_one(model, *pair) for pair in pairs] for module, pairs in problems.items()}
    by_module = {module: {"greedy_exact_match": np.mean(values)} for module, values in right.items()}
    overall = {"greedy_exact_match": np.mean(sum(right.values(), []))}
    assert 0.2 < overall["greedy_exact_match"] < 1
    for batch_size, training in ((1, False), (5, True)):
        model.train(training)
        assert dm.greedy_exact_match(model, TOKENIZER, problems, batch_size) == (overall, by_module)
        assert model.training == training
    model.eval()


def test_greedy_generation_is_right_where_teacher_forcing_is(memory):
    model, problems = memory
    rows = dm.MathValidation(problems)
    batch = default_collate(list(rows))
    with torch.no_grad():
        guesses = finish.predictions(model(**batch).logits, batch["labels"])
    overall, by_module = dm.accuracy(guesses.numpy(), batch["labels"].numpy(), rows.modules)
    greedy, greedy_by_module = dm.greedy_exact_match(model, TOKENIZER, problems)
    assert overall["exact_match"] == greedy["greedy_exact_match"]
    assert [s["exact_match"] for s in by_module.values()] == [
        s["greedy_exact_match"] for s in greedy_by_module.values()
    ]


def test_greedy_needs_problems(memory):
    with pytest.raises(ValueError, match="^there are no problems to answer$"):
        dm.greedy_exact_match(memory[0], TOKENIZER, {"m": []})

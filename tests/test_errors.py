"""What errors for users are made of."""

import errno
import os
import re

import pytest

from hf_procedural.errors import DiskError, at_least, disk_error, nearest, user_errors
from hf_procedural.files import check_folder, whole, write_text


def test_nearest_names_as_many_as_are_asked_for_and_alike():
    known = ["sort", "sorting", "stack"]
    assert nearest("sortt", known) == ": did you mean sort?"
    assert nearest("sortt", known, most=2) == ": did you mean sort, sorting?"
    assert nearest("xyz", known) == ""
    assert nearest("stk", known, cutoff=0.9) == "" != nearest("stk", known, cutoff=0)


@pytest.mark.parametrize("value", [None, 1, 2.5])
def test_at_least_lets_pass_what_is_not_below_or_not_given(value):
    assert at_least("limit", value, 1) is None


@pytest.mark.parametrize("value", [0, -1, 0.5])
def test_at_least_says_argument_bound_and_value(value):
    with pytest.raises(ValueError) as error:
        at_least("limit", value, 1)
    assert str(error.value) == f"limit must be at least 1, got {value}"


def write_of(number: int, name=None):
    def write(*_):
        raise OSError(number, os.strerror(number), name)

    return write


@pytest.mark.parametrize(
    ("number", "reason"),
    [
        (errno.ENOSPC, "no space is left"),
        (errno.EDQUOT, "the quota is used up"),
        (errno.EFBIG, "it would be larger than files may be"),
        (errno.EROFS, "the file system is read-only"),
        (errno.EACCES, "there is no right to write it"),
    ],
)
def test_a_file_that_cannot_be_written(number, reason, tmp_path, monkeypatch, capsys):
    file = tmp_path / "a.json"
    file.write_text("before")
    monkeypatch.setattr(os, "replace", write_of(number))
    with pytest.raises(SystemExit) as exit_, user_errors(ImportError):
        write_text(file, "é" * 1_000)
    line = capsys.readouterr().err
    assert exit_.value.code == 2
    assert f"error: {file} cannot be written: {reason} (2.0 kB needed, " in line
    assert f" free in {tmp_path}); mend that, and the same command goes on\n" in line
    assert [path.name for path in tmp_path.iterdir()] == ["a.json"] and file.read_text() == "before"


def test_what_was_written_is_told_where_the_size_is_not_known(tmp_path):
    def fill():
        with whole(tmp_path / "a.parquet") as temporary:
            temporary.write_bytes(bytes(5_000))
            raise RuntimeError("PytorchStreamWriter failed writing file data/0: file write failed")

    with pytest.raises(DiskError, match=r"a.parquet cannot be written: no space is left \(more than 5.0 kB needed, "):
        fill()
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "text", ["I/O error: No space left on device (os error 28)", "inline_container.cc:664] . unexpected pos 64 vs 0"]
)
def test_a_full_disk_is_known_through_other_libraries_words(text):
    class Wrapped(Exception):
        pass

    try:
        raise Wrapped("outer") from Exception(text)
    except Wrapped as error:
        assert "no space is left" in str(disk_error(error))


def test_other_errors_are_no_full_disk():
    assert disk_error(PermissionError(errno.EACCES, "of a file that was read", "x")) is None
    assert disk_error(ValueError("size must be 3")) is None


@pytest.mark.parametrize(
    ("folder", "line"),
    [
        ("file", "is a file; name a folder"),
        ("file/a/b", "file/a/b is below {}/file, a file; name a folder"),
        ("link", "is a link to nothing; name a folder"),
        ("link/a", "link/a is below {}/link, a link to nothing; name a folder"),
        ("a" * 256, "output_dir has a name of 256 characters, aaaaaaaaaaaaaaaaaaaa...: too long"),
    ],
)
def test_a_folder_that_cannot_be_made_is_told_before_it_is_tried(folder, line, tmp_path):
    (tmp_path / "file").touch()
    (tmp_path / "link").symlink_to("nowhere")
    with pytest.raises(ValueError, match=re.escape(line.format(tmp_path))):
        check_folder(tmp_path / folder)
    check_folder(tmp_path / ("a" * 255) / "b")
    assert sorted(file.name for file in tmp_path.iterdir()) == ["file", "link"]

"""Text of --help in lines that fit."""

import re
import shlex

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hf_procedural import cli
from hf_procedural.layout import laid_out
from hf_procedural.training import catalogue
from hf_procedural.training.parser import of_recipe

COMMANDS = (
    "list",
    "show",
    "generate",
    "export",
    "publish",
    "environment",
    "diagnose",
    "try",
    "recipe",
    "study",
    "space",
)

WORD = st.text("abcdefg_-.", min_size=1, max_size=12).filter(lambda word: word.strip(" "))
PROSE = st.lists(WORD, min_size=1, max_size=40).map(" ".join)
RUN = st.tuples(st.lists(WORD, min_size=1, max_size=20).map(" ".join), st.none() | PROSE)


@given(blocks=st.lists(PROSE | RUN, max_size=5), width=st.integers(40, 120))
def test_lines_fit_and_say_what_they_said(blocks, width):
    written = [
        each if isinstance(each, str) else f"    {each[0]}" + f"  # {each[1]}" * bool(each[1]) for each in blocks
    ]
    laid = laid_out("\n\n".join(written), width)
    assert all(len(line) <= width for line in laid.split("\n"))
    pieces = laid.split("\n\n") if blocks else []
    assert len(pieces) == len(blocks)
    for piece, block in zip(pieces, blocks, strict=True):
        if isinstance(block, str):
            assert piece.split() == block.split()
            continue
        command = "\n".join(line for line in piece.split("\n") if not line.startswith("    # "))
        command = re.sub(r"  # .*", "", command.replace("\\\n", ""))
        assert shlex.split(command) == block[0].split()  # as a shell reads it
        comment = " ".join(re.findall(r"# (.*)", piece))
        assert comment == (block[1] or "")


def test_what_is_quoted_stays_one_word():
    line = """    run --task_parameters '{"vocab_size":   50}' --match '\\d+ of' "two  words" --and more --and more"""
    laid = laid_out(line, 40)
    assert laid.count("\n") > 1 and shlex.split(laid.replace("\\\n", "")) == shlex.split(line)


def test_a_table_goes_on_in_its_second_column():
    assert laid_out("  name  " + "words " * 12, 40).split("\n")[1].startswith(" " * 8 + "words")


@pytest.mark.parametrize("command", ["", *COMMANDS])
def test_the_help_of_a_command_fits_and_begins_with_a_sentence(command, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    with pytest.raises(SystemExit):
        cli.main([*command.split(), "--help"])
    text = capsys.readouterr().out
    assert not [line for line in text.splitlines() if len(line) > 80]
    about = text.split("\n\n")[1]
    assert about.endswith(".") and len(about) < 200


@pytest.mark.parametrize("name", [name for name in catalogue.FILES if name not in ("report", "rpt_evaluate")])
def test_the_help_of_a_recipe_fits(name, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    text = of_recipe(catalogue.script_of(name)).format_help()
    assert not [line for line in text.splitlines() if len(line) > 80]


def test_a_list_of_commands_is_in_whole_sentences(capsys):
    with pytest.raises(SystemExit):
        cli.main(["--help"])
    listed = capsys.readouterr().out.partition("positional arguments:")[2].partition("options:")[0]
    about = {
        name: " ".join(words.split()) for name, words in re.findall(r"^    (\w+)((?: .*\n)(?: {5}.*\n)*)", listed, re.M)
    }
    assert about.keys() >= set(COMMANDS)
    assert [name for name, words in about.items() if words[-1] not in ".?"] == []

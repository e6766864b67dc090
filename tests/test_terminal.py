"""Text of others on the terminal: shown, never obeyed."""

import io
import logging
import sys

import pytest
from support.running import error_of, run_here

from hf_procedural import cli, terminal
from hf_procedural.errors import Parser
from hf_procedural.runs.tables import markdown_table

ESCAPE = "\x1b[31m\x1b]0;title\x07\x9b2J\x08\x00\u202e[red]"
SHOWN = "␛[31m␛]0;title␇⟨009B⟩2J␈␀⟨202E⟩[red]"


def test_all_ways_to_the_terminal(capsys, caplog):
    terminal.tell(f"a\t{ESCAPE}\n\udc80")
    terminal.tell(ESCAPE, error=True)
    assert capsys.readouterr() == (f"a\t{SHOWN}\n⟨DC80⟩\n", f"{SHOWN}\n")
    for _ in range(2):
        terminal.logger("hf_procedural.test").warning("of %s: %d", ESCAPE, 3)
    assert [record.getMessage() for record in caplog.records] == [f"of {SHOWN}: 3"] * 2
    assert len(logging.getLogger("hf_procedural.test").filters) == 1
    screen = io.StringIO()
    terminal.console(file=screen, width=200).print(ESCAPE, style="bold")
    assert screen.getvalue() == SHOWN.replace("␇", "").replace("␈", "") + "\n"  # which rich leaves out
    with pytest.raises(SystemExit):
        Parser("program").parse_args([f"--{ESCAPE}"])
    assert SHOWN in capsys.readouterr().err
    assert markdown_table([{"arm": f"one\n{ESCAPE}|two"}]).splitlines()[2] == f"| one {SHOWN}\\|two |"


@pytest.mark.parametrize("words", [["--task", f"sort-8{ESCAPE}"], [f"--{ESCAPE}"], [f"{ESCAPE}.yaml"]])
def test_words_of_a_recipe(words, monkeypatch, capsys, tmp_path):
    assert "\x1b" not in error_of(monkeypatch, capsys, tmp_path, "pretrain", *words)


def test_a_report(monkeypatch, capsys, tmp_path, recwarn):
    run = tmp_path / f"run{ESCAPE.replace('/', '')}".replace("\0", "")
    run.mkdir()
    (run / "recipe.yaml").write_text('task: "sort-8\\e[31m $x$^$"\nseed: 1\n')
    history = '[{"step": 1, "loss": 1.0}]'
    (run / "trainer_state.json").write_text(f'{{"global_step": 1, "log_history": {history}}}')
    run_here(monkeypatch, "report", run, "--output_dir", tmp_path / "report")
    out = capsys.readouterr()
    assert "sort-8␛[31m" in out.out and "\x1b" not in out.out + out.err
    assert not [warning for warning in recwarn if "\x1b" in str(warning.message)]  # of fonts without a glyph
    (run / "trainer_state.json").write_text("[]")
    line = error_of(monkeypatch, capsys, tmp_path, "report", run, "--output_dir", tmp_path / "report")
    assert "␛[31m" in line and "\x1b" not in line


def test_publish_dry_run(monkeypatch, capsys, tmp_path):
    folder = tmp_path / "x\x1b[31m"
    sizes = [word for split in ("train", "validation", "test") for word in (f"--{split}_size", "8")]
    monkeypatch.setattr(sys, "argv", ["hf-procedural"])
    cli.main(["publish", "sort-8", "--output_dir", str(folder), "--dry_run", *sizes])
    assert f"It would go to {terminal.visible(str(folder))}." in capsys.readouterr().out

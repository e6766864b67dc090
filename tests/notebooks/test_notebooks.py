"""Each notebook runs from an empty folder without a network, and the committed ones show what they print."""

import re

import nbformat
import pytest
from support.notebooks import ROOT, SMALL, execute

NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
NAMES = [file.stem for file in NOTEBOOKS]


def test_they_are_there():
    assert NAMES == ["rl_on_a_task", "warm_up_transfer_compare", "your_own_task"]


@pytest.mark.parametrize("file", NOTEBOOKS, ids=NAMES)
def test_it_runs(file, tmp_path, monkeypatch):
    if file.stem == "rl_on_a_task":
        pytest.importorskip("trl", reason="pip install 'hf-procedural[rl]'")
    monkeypatch.setenv(SMALL, "1")
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    notebook = execute(file, tmp_path)
    assert "error:" not in text_of(notebook)  # of a command behind a "!", which does not end the notebook


@pytest.mark.parametrize("file", NOTEBOOKS, ids=NAMES)
def test_the_committed_one_is_for_readers(file):
    notebook = nbformat.read(file, as_version=4)
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert [cell.execution_count for cell in code] == [*range(1, len(code) + 1)]
    outputs = [output for cell in code for output in cell.outputs]
    assert any("image/png" in output.get("data", {}) for output in outputs)
    assert not any(output.output_type == "error" for output in outputs)
    assert "error:" not in text_of(notebook) and "Traceback" not in text_of(notebook)
    assert not re.search(r"/(root|home|tmp|Users)/", file.read_text())
    assert notebook.metadata.keys() == {"kernelspec", "language_info"}
    assert not any(cell.metadata for cell in notebook.cells)
    assert max(len(cell.source.splitlines()) for cell in code if not cell.source.startswith("%%writefile")) <= 20
    assert SMALL in code[0].source


def text_of(notebook) -> str:
    """All that its cells printed."""
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", [])]
    texts = [output.get("text") or output.get("data", {}).get("text/plain", "") for output in outputs]
    return "\n".join(texts)

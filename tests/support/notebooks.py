"""Notebooks, executed; `python tests/support/notebooks.py notebooks/*.ipynb` puts fresh outputs into them.

For the committed ones, in full and in a folder that is thrown away. Nothing of the machine stays in the file: no
paths, no version of Python, no word about missing widgets.
"""

import os
import sys
import tempfile
from pathlib import Path

import nbformat
from nbclient import NotebookClient

ROOT = Path(__file__).resolve().parents[2]
SMALL = "HF_PROCEDURAL_SMALL"  # set, the second cell of a notebook takes few steps


def execute(file: Path, folder: Path) -> nbformat.NotebookNode:
    """The notebook with what its cells printed, run in `folder`. Raises CellExecutionError with a cell's own error."""
    notebook = nbformat.read(file, as_version=4)
    before = os.environ.get("PYTHONPATH", "")
    os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, [str(ROOT), before]))
    try:
        NotebookClient(notebook, kernel_name="python3", resources={"metadata": {"path": folder}}).execute()
    finally:
        os.environ["PYTHONPATH"] = before
    return notebook


def tidy(notebook: nbformat.NotebookNode) -> None:
    """Leaves in the metadata what a reader needs."""
    notebook.metadata = {
        "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
        "language_info": {"name": "python"},
    }
    for cell in notebook.cells:
        cell.metadata = {}
        if cell.cell_type == "code":
            cell.outputs = [output for output in cell.outputs if "TqdmWarning" not in output.get("text", "")]


def main() -> None:
    """Runs each notebook that is named, and writes it back."""
    for name in sys.argv[1:]:
        with tempfile.TemporaryDirectory() as folder:
            notebook = execute(Path(name), Path(folder))
        tidy(notebook)
        nbformat.write(notebook, name)


if __name__ == "__main__":
    main()

"""The notebooks run, and print what is stored in them; numbers may differ in the last digits."""

import re
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

NOTEBOOKS = sorted((Path(__file__).parents[1] / "notebooks").glob("*.ipynb"))
NUMBER = re.compile(r"-?\d+\.?\d*(?:e[+-]?\d+)?")


def outputs(cell):
    """The kinds of a cell's outputs, and all of their text."""
    kinds, text = [], ""
    for output in cell.get("outputs", []):
        if output.output_type == "stream":
            text += output.text
            continue
        assert output.output_type != "error", output.get("evalue")
        kinds.append(sorted(output.data))
        if "image/png" not in output.data:
            text += output.data.get("text/plain", "") + "\n"
    return kinds, text


def same(a, b):
    """Whether texts agree but for the last digits of numbers and the white space around them."""
    words = [" ".join(NUMBER.sub("#", text).split()).replace("[ ", "[") for text in (a, b)]
    numbers = [[float(n) for n in NUMBER.findall(text)] for text in (a, b)]
    return words[0] == words[1] and numbers[0] == pytest.approx(numbers[1], rel=1e-6, abs=1e-12)


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda p: p.stem)
@pytest.mark.filterwarnings("ignore")
def test_notebook(path):
    stored = nbformat.read(path, as_version=4)
    executed = nbformat.from_dict(stored)
    for cell in executed.cells:
        cell.pop("outputs", None)
        if cell.cell_type == "code":
            cell.outputs = []
    NotebookClient(executed, timeout=120, kernel_name="python3").execute(cwd=path.parents[1])
    for before, after in zip(stored.cells, executed.cells):
        (kinds, text), (new_kinds, new_text) = outputs(before), outputs(after)
        assert kinds == new_kinds, before.source
        assert same(text, new_text), f"{before.source}\n-- stored\n{text}\n-- now\n{new_text}"


def test_outputs_are_stored():
    for path in NOTEBOOKS:
        cells = nbformat.read(path, as_version=4).cells
        assert any("image/png" in o.get("data", {}) for c in cells for o in c.get("outputs", []))
        assert path.stat().st_size < 300_000

"""The notebooks run, and print what is stored in them; numbers may differ in the last digits.

A cell tagged `parameters` holds the lengths of computations, `STEPS = 100`. They are cut here, and
what follows such a cell is compared in its kinds only.
"""

import re
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

NOTEBOOKS = sorted((Path(__file__).parents[1] / "notebooks").glob("*.ipynb"))
NUMBER = re.compile(r"-?\d+\.?\d*(?:e[+-]?\d+)?")
QUICK = {"01_quickstart"}
LENGTH = re.compile(r"^([A-Z_]+ = )\d+$", re.MULTILINE)


def outputs(cell):
    """The kinds of a cell's outputs, and all of their text."""
    kinds, text = [], ""
    for output in cell.get("outputs", []):
        if output.output_type == "stream":
            text += output.text
            continue
        assert output.output_type != "error", output.get("evalue")
        if output.data == {"text/plain": ""}:  # the line of a long compilation, taken back
            continue
        kinds.append(sorted(output.data))
        if "image/png" not in output.data:
            text += output.data.get("text/plain", "") + "\n"
    return kinds, text


def same(a, b):
    """Whether texts agree but for the last digits of numbers and the white space around them."""
    words = [" ".join(NUMBER.sub("#", text).split()).replace("[ ", "[") for text in (a, b)]
    numbers = [[float(n) for n in NUMBER.findall(text)] for text in (a, b)]
    return words[0] == words[1] and numbers[0] == pytest.approx(numbers[1], rel=1e-6, abs=1e-12)


def is_parameters(cell):
    return "parameters" in cell.metadata.get("tags", [])


def shortened(notebook):
    """A copy without outputs, its lengths cut to 2."""
    copy = nbformat.from_dict(notebook)
    for cell in copy.cells:
        cell.pop("outputs", None)
        if cell.cell_type == "code":
            cell.outputs = []
        if is_parameters(cell):
            cell.source, count = LENGTH.subn(r"\g<1>2", cell.source)
            assert count == len(cell.source.splitlines()), cell.source
    return copy


def marked(path):
    return pytest.param(path, marks=() if path.stem in QUICK else pytest.mark.slow)


@pytest.mark.parametrize("path", [marked(p) for p in NOTEBOOKS], ids=lambda p: p.stem)
@pytest.mark.filterwarnings("ignore")
def test_notebook(path):
    stored = nbformat.read(path, as_version=4)
    executed = shortened(stored)
    NotebookClient(executed, timeout=120, kernel_name="python3").execute(cwd=path.parents[1])
    whole = True
    for before, after in zip(stored.cells, executed.cells):
        (kinds, text), (new_kinds, new_text) = outputs(before), outputs(after)
        assert kinds == new_kinds, before.source
        assert bool(text) == bool(new_text), before.source
        whole = whole and not is_parameters(before)
        if whole:
            assert same(text, new_text), f"{before.source}\n-- stored\n{text}\n-- now\n{new_text}"


def test_stored_training_came_near_the_exact_solutions():
    path = next(p for p in NOTEBOOKS if p.stem == "03_pde")
    printed = "".join([outputs(c)[1] for c in nbformat.read(path, as_version=4).cells])
    errors = [float(e) for e in re.findall(r"relative error: (\S+)", printed)]
    assert len(errors) == 2 and max(errors) < 0.01


def test_outputs_are_stored():
    for path in NOTEBOOKS:
        cells = nbformat.read(path, as_version=4).cells
        assert any("image/png" in o.get("data", {}) for c in cells for o in c.get("outputs", []))
        assert path.stat().st_size < 300_000

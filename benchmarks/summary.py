"""README's table, from what `--save` has kept: the most important rows, those that miss their
target most, and how many miss it.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from benchmarks import report
from benchmarks.case import Case, Line

#: The rows that are shown even where they are met: the name of a case, and of its further line.
SHOWN = (
    "import",
    "import and first compiled gradient",
    "the same, second process",
    "eager gradient of 3 operations",
    "eager gradient of 3 operations (torch)",
    "stage: geometric mean of the twelve",
    "trace and lower: geometric mean of the twelve",
    "compile: geometric mean of the twelve",
    "jitted call, one array",
    "jitted call, one NumPy array",
    "run: geometric mean of the twelve",
    "run MLP (torch)",
    "run GMM (autograd)",
    "8th derivative, from nothing",
    "gradient of Laplacian, d=100 (Hessian)",
    "PINN step: geometric mean",
    "banded Jacobian, n = 2000 (jax: dense)",
    "memory: geometric mean of the twelve",
    "stage gradient, 10^2 to 10^5: exponent",
)


def lines(path: Path) -> Iterator[Line]:
    """All lines of a saved table; further lines of a case follow its name."""
    results = report.kept(path)
    for row in json.loads(path.read_text(encoding="utf-8"))["cases"]:
        case = Case(row["name"], row["target"], limit=row["limit"], unit=row["unit"])
        own, *others = case.table(results[case.name])
        yield own
        for entry in others:
            named: dict[str, Any] = {**vars(entry), "name": f"{case.name}: {entry.name}"}
            yield Line(**named)


def cell(entry: Line | None) -> str:
    """The ratio, or our own value where there is none; in bold where it misses."""
    if entry is None:
        return "—"
    if entry.ours is None:
        return "**error**"
    ratio = entry.ratio
    value = f"{ratio:.3g}" if ratio < 0.995 else f"{ratio:.2f}"
    if math.isnan(ratio):
        value = report.shown(entry.ours.best, entry.unit)
    return value if entry.passes else f"**{value}**"


#: So many of the rows that miss are shown.
WORST = 6


def excess(columns: Iterable[Mapping[str, Line]], name: str) -> float:
    """By which factor a row misses its target in the worst of the columns; 0 if it does not."""
    found = [column[name] for column in columns if name in column and not column[name].passes]
    beyond = [
        math.inf if math.isnan(line.ratio) else line.ratio / line.target
        for line in found
        if line.target
    ]
    return max(beyond, default=0.0)


def table(saved: Mapping[str, Mapping[str, Line]]) -> list[str]:
    """The lines of a Markdown table, given the lines of each column's table by their names."""
    names = list(dict.fromkeys(name for column in saved.values() for name in column))
    by_excess = sorted(names, key=lambda name: -excess(saved.values(), name))
    worst = [name for name in by_excess[:WORST] if excess(saved.values(), name)]
    text = [f"| case | target | {' | '.join(saved)} |", f"| :--- | ---: |{' ---: |' * len(saved)}"]
    for name in names:
        if name in SHOWN or name in worst:
            found = [column.get(name) for column in saved.values()]
            aim = next(report.aim(entry) for entry in found if entry is not None)
            text.append(f"| {name} | {aim} | {' | '.join([cell(entry) for entry in found])} |")
    counts = [
        [entry.passes for entry in column.values() if entry.target] for column in saved.values()
    ]
    met = " | ".join([f"{sum(passed)} of {len(passed)}" for passed in counts])
    return [*text, f"| rows that meet their target | | {met} |"]


def readme() -> list[str]:
    """The table of all versions in `benchmarks/results`."""
    paths = sorted(report.RESULTS.glob("[0-9]*-py*.json"))
    column = lambda path: f"jaxlib {path.stem.split('-')[0]}"
    return table({column(path): {entry.name: entry for entry in lines(path)} for path in paths})

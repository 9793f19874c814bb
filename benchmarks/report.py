"""The table, the facts of the machine it was measured on, and the files that keep both."""

import datetime
import json
import math
import os
import platform
from collections.abc import Sequence
from dataclasses import asdict
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from benchmarks.case import Case, Result, Timing

RESULTS = Path(__file__).resolve().parent / "results"
HEADER = ("case", "diffeo", "jax", "ratio", "target", "")


def seconds(value: float) -> str:
    """A time with three digits and a readable unit."""
    for unit, size in (("s", 1.0), ("ms", 1e-3), ("µs", 1e-6)):
        if value >= size:
            return f"{value / size:.{3 if value < 999.5 * size else 4}g} {unit}"
    return f"{value / 1e-9:.3g} ns"


def size(value: float) -> str:
    """A number of bytes with three digits and a readable unit."""
    return f"{value / 2**20:.3g} MiB"


def rows(case: Case, result: Result) -> list[tuple[str, ...]]:
    """The lines of the table for one case."""
    if result.error is not None or result.ours is None or result.theirs is None:
        return [(case.name, "error", "", "", f"{case.target:g}", "MISSED")]
    mark = "ok" if result.ratio <= case.target else "MISSED"
    show = seconds if case.unit == "s" else size
    times = show(result.ours.best), show(result.theirs.best)
    lines = [(case.name, *times, f"{result.ratio:.3f}", f"{case.target:g}", mark)]
    if result.per_item is not None and result.limit is not None:
        mark = "ok" if result.per_item <= result.limit else "MISSED"
        lines.append(
            ("... per equation", seconds(result.per_item), "", "", seconds(result.limit), mark)
        )
    return lines


def line(cells: tuple[str, ...]) -> str:
    """One line of a Markdown table whose columns stand under each other on a terminal."""
    widths = (42, 9, 9, 7, 7, 6)
    padded = [f"{cells[0]:<{widths[0]}}"]
    padded += [f"{cell:>{width}}" for cell, width in zip(cells[1:], widths[1:], strict=True)]
    return f"| {' | '.join(padded)} |"


def header() -> str:
    """The first two lines of the table."""
    rule = "| :--- | ---: | ---: | ---: | ---: | :--- |"
    return f"{line(HEADER)}\n{rule}"


def causes(outcomes: list[tuple[Case, Result]]) -> list[str]:
    """For each case that missed its target, why."""
    return [
        f"- {case.name}: {case.cause or result.error or 'not known'}"
        for case, result in outcomes
        if not case.passes(result)
    ]


def facts() -> dict[str, str]:
    """What the numbers depend on."""
    names = ("diffeo", "jaxlib", "jax", "numpy")
    versions = {name: package_version(name) for name in names}
    return {
        "date": datetime.date.today().isoformat(),
        "python": platform.python_version(),
        **versions,
        "system": f"{platform.system()} {platform.machine()}",
        "processor": processor(),
        "CPUs": str(os.cpu_count()),
    }


def package_version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "from the checkout"


def processor() -> str:
    """The processor's name where the system tells it."""
    try:
        text = Path("/proc/cpuinfo").read_text()
    except OSError:
        return platform.processor() or "unknown"
    names = [row.split(":", 1)[1] for row in text.splitlines() if row.startswith("model name")]
    return names[0].strip() if names else "unknown"


def kept(path: Path) -> dict[str, Result]:
    """The results of a saved table, by the names of the cases."""
    if not path.exists():
        return {}
    found = {}
    for row in json.loads(path.read_text(encoding="utf-8"))["cases"]:
        sides = [row[side] and Timing(**row[side]) for side in ("ours", "theirs")]
        found[row["name"]] = Result(*sides, row["per_item"], row["limit"], row["error"])
    return found


def save(
    outcomes: list[tuple[Case, Result]], prefix: str = "", every: Sequence[Case] = ()
) -> list[Path]:
    """Write the table as Markdown and the numbers as JSON; the paths written. Of the cases that
    were not measured now, those of `every` keep the results of the saved table.
    """
    known = facts()
    python = ".".join(known["python"].split(".")[:2])
    stem = f"{prefix}{known['jaxlib']}-py{python}"
    results = kept(RESULTS / f"{stem}.json")
    results.update({case.name: result for case, result in outcomes})
    outcomes = [(case, results[case.name]) for case in every if case.name in results]
    table = [header(), *(line(row) for case, result in outcomes for row in rows(case, result))]
    text = "\n".join(
        [
            f"# diffeo / jax, jaxlib {known['jaxlib']}, Python {python}",
            "",
            "Best times of one call, and their ratio: lower is better. Both libraries were",
            "measured in turn in one run of `python -m benchmarks --save`, which writes this file;",
            "with `--only`, some rows were measured again.",
            "",
            *table,
            "",
            "Why targets are missed:",
            "",
            *(causes(outcomes) or ["- none is"]),
            "",
            *(f"- {name}: {value}" for name, value in known.items()),
            "",
        ]
    )
    numbers = {
        "facts": known,
        "cases": [
            {
                "name": case.name,
                "target": case.target,
                "ratio": None if math.isnan(result.ratio) else result.ratio,
                "passed": case.passes(result),
                **asdict(result),
            }
            for case, result in outcomes
        ],
    }
    RESULTS.mkdir(exist_ok=True)
    paths = [RESULTS / f"{stem}.md", RESULTS / f"{stem}.json"]
    paths[0].write_text(text, encoding="utf-8")
    paths[1].write_text(json.dumps(numbers, indent=1) + "\n", encoding="utf-8")
    return paths

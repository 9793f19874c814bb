"""The table, the facts of the machine it was measured on, and the files that keep both."""

import datetime
import json
import math
import os
import platform
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from benchmarks.case import Case, Line, Result
from benchmarks.clock import Timing

RESULTS = Path(__file__).resolve().parent / "results"
HEADER = ("case", "diffeo", "jax", "ratio", "medians", "spread", "target", "")
WIDTHS = (44, 9, 9, 7, 7, 9, 8, 6)


def seconds(value: float) -> str:
    """A time with three digits and a readable unit."""
    for unit, size in (("s", 1.0), ("ms", 1e-3), ("µs", 1e-6)):
        if value >= size:
            return f"{value / size:.{3 if value < 999.5 * size else 4}g} {unit}"
    return f"{value / 1e-9:.3g} ns"


def size(value: float) -> str:
    """A number of bytes with three digits and a readable unit."""
    return f"{value / 2**20:.3g} MiB"


def shown(value: float, unit: str) -> str:
    """A number in its unit."""
    return {"s": seconds, "B": size, "": "{:.2f}".format}[unit](value)


def number(ratio: float) -> str:
    """A ratio with three decimals; nothing where there is none."""
    return "" if math.isnan(ratio) else f"{ratio:.3f}"


def spread(entry: Line) -> str:
    """The spread of both sides, in per cent."""
    sides = [t.spread for t in (entry.ours, entry.theirs) if t is not None and t.spread is not None]
    return f"{', '.join([f'{100 * part:.0f}' for part in sides])} %" if sides else ""


def aim(entry: Line) -> str:
    """What would pass: a ratio, or a value of ours."""
    found = [] if entry.target is None else [f"{entry.target:g}"]
    return ", ".join(found + ([] if entry.limit is None else [shown(entry.limit, entry.unit)]))


def mark(entry: Line) -> str:
    """Whether it passed, where there is a target."""
    if entry.ours is not None and entry.target is None and entry.limit is None:
        return ""
    return "ok" if entry.passes else "MISSED"


def rows(case: Case, result: Result) -> list[tuple[str, ...]]:
    """The lines of the table for one case."""
    found = []
    for entry in case.table(result):
        name = entry.name if not found else f"... {entry.name}"
        sides = [t and shown(t.best, entry.unit) for t in (entry.ours, entry.theirs)]
        if entry.ours is None:
            sides = ["error", ""]
        ratios = number(entry.ratio), number(entry.medians)
        found.append(
            (name, *[s or "" for s in sides], *ratios, spread(entry), aim(entry), mark(entry))
        )
    return found


def line(cells: tuple[str, ...]) -> str:
    """One line of a Markdown table whose columns stand under each other on a terminal."""
    padded = [f"{cells[0]:<{WIDTHS[0]}}"]
    padded += [f"{cell:>{width}}" for cell, width in zip(cells[1:], WIDTHS[1:], strict=True)]
    return f"| {' | '.join(padded)} |"


def header() -> str:
    """The first two lines of the table."""
    return f"{line(HEADER)}\n| :--- |{' ---: |' * 6} :--- |"


def causes(outcomes: list[tuple[Case, Result]]) -> list[str]:
    """For each case that missed its target, why."""
    return [
        f"- {case.name}: {case.cause or result.error or 'not known'}"
        for case, result in outcomes
        if not case.passes(result)
    ]


#: Packages whose versions the numbers depend on; those that are installed are listed.
PACKAGES = ("diffeo", "jaxlib", "jax", "numpy", "scipy", "torch", "autograd", "folx")


def facts() -> dict[str, str]:
    """What the numbers depend on."""
    versions = {name: found for name in PACKAGES if (found := package_version(name))}
    return {
        "date": datetime.date.today().isoformat(),
        "python": platform.python_version(),
        **versions,
        "system": f"{platform.system()} {platform.machine()}",
        "processor": processor(),
        "CPUs": str(os.cpu_count()),
    }


def package_version(name: str) -> str:
    """The version of an installed package; diffeo may be a checkout."""
    try:
        return version(name)
    except PackageNotFoundError:
        return "from the checkout" if name == "diffeo" else ""


def processor() -> str:
    """The processor's name where the system tells it."""
    try:
        text = Path("/proc/cpuinfo").read_text()
    except OSError:
        return platform.processor() or "unknown"
    names = [row.split(":", 1)[1] for row in text.splitlines() if row.startswith("model name")]
    return names[0].strip() if names else "unknown"


def timing(row: dict | None) -> Timing | None:
    """A timing from its JSON."""
    return None if row is None else Timing(**row)


def kept(path: Path) -> dict[str, Result]:
    """The results of a saved table, by the names of the cases."""
    if not path.exists():
        return {}
    found = {}
    for row in json.loads(path.read_text(encoding="utf-8"))["cases"]:
        sides = lambda row: {side: timing(row[side]) for side in ("ours", "theirs")}
        lines = tuple([Line(**{**entry, **sides(entry)}) for entry in row["lines"]])
        found[row["name"]] = Result(**sides(row), lines=lines, error=row["error"])
    return found


def numbers(case: Case, result: Result) -> dict:
    """What the JSON file keeps of a case."""
    ratio = None if math.isnan(case.table(result)[0].ratio) else case.table(result)[0].ratio
    facts = {"name": case.name, "target": case.target, "limit": case.limit, "unit": case.unit}
    return {**facts, "ratio": ratio, "passed": case.passes(result), **asdict(result)}


def save(
    outcomes: list[tuple[Case, Result]], prefix: str, groups: Mapping[str, Sequence[Case]]
) -> list[Path]:
    """Write the table as Markdown, a section for each group, and the numbers as JSON; the paths
    written. Cases that were not measured now keep the results of the saved table.
    """
    known = facts()
    python = ".".join(known["python"].split(".")[:2])
    stem = f"{prefix}{known['jaxlib']}-py{python}"
    results = kept(RESULTS / f"{stem}.json")
    results.update({case.name: result for case, result in outcomes})
    pick = lambda cases: [(case, results[case.name]) for case in cases if case.name in results]
    sections = {group: found for group, cases in groups.items() if (found := pick(cases))}
    outcomes = [outcome for found in sections.values() for outcome in found]
    text = [
        f"# diffeo / jax, jaxlib {known['jaxlib']}, Python {python}",
        "",
        "Best times of one call, their ratio (lower is better), the ratio of the medians, and the",
        "distance of the quartiles as a part of the median, of either side. Both were measured in",
        "turn in one run of `python -m benchmarks --save`, which writes this file; a name in",
        "brackets says what takes the place of jax. Some rows may have been measured again.",
        "",
        *(f"- {name}: {value}" for name, value in known.items()),
    ]
    for group, found in sections.items():
        text += ["", f"## {group}", "", header()]
        text += [line(row) for case, result in found for row in rows(case, result)]
    text += ["", "Why targets are missed:", "", *(causes(outcomes) or ["- none is"]), ""]
    saved = {
        "facts": known,
        "groups": {group: [case.name for case, _ in found] for group, found in sections.items()},
        "cases": [numbers(case, result) for case, result in outcomes],
    }
    RESULTS.mkdir(exist_ok=True)
    paths = [RESULTS / f"{stem}.md", RESULTS / f"{stem}.json"]
    paths[0].write_text("\n".join(text), encoding="utf-8")
    paths[1].write_text(json.dumps(saved, indent=1) + "\n", encoding="utf-8")
    return paths

"""`python -m benchmarks`: the table of ratios diffeo / jax, measured side by side in one run."""

import argparse
import importlib
import os
import sys
import time
from types import ModuleType

from benchmarks import (
    control,
    dispatch,
    eager,
    high_order,
    pinn,
    report,
    sparse,
    staging,
    startup,
    training,
    words,
)
from benchmarks.case import Case, Result

THEMES = startup, eager, staging, dispatch, control, high_order, sparse, training, pinn
CASES: list[Case] = [case for theme in THEMES for case in theme.CASES]


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument(
        "--only",
        action="append",
        metavar="NAME",
        help="run the cases whose name contains NAME; may be given several times",
    )
    parser.add_argument(
        "--words",
        action="store_true",
        help="measure primitive by primitive instead: eager beside NumPy, compiled beside jax",
    )
    parser.add_argument("--list", action="store_true", help="show the names of the cases")
    parser.add_argument(
        "--save",
        action="store_true",
        help="keep the table in benchmarks/results (of --only: these rows)",
    )
    # jax against itself, which shows how far a ratio of 1 strays on this machine.
    parser.add_argument("--self-test", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.save and options.self_test:
        parser.error("--save keeps tables of diffeo only: leave --self-test out")
    return options


#: glibc gives large blocks of memory back to the system and asks for them again, whose pages are
#: then cleared one by one: up to five times the work of adding two arrays, and by chance that of
#: either library. These settings keep what was given.
MEMORY = {
    "MALLOC_MMAP_MAX_": "0",
    "MALLOC_TRIM_THRESHOLD_": str(2**40),
    "MALLOC_TOP_PAD_": str(2**28),
    "MALLOC_ARENA_MAX": "1",
}


def keep_memory() -> None:
    """Start this process anew with `MEMORY`, which glibc reads when it starts."""
    if sys.platform == "linux" and any(os.environ.get(k) != v for k, v in MEMORY.items()):
        command = [sys.executable, "-m", "benchmarks", *sys.argv[1:]]
        os.execve(sys.executable, command, {**os.environ, **MEMORY})


def run(case: Case, ours: ModuleType, theirs: ModuleType) -> Result:
    """Measure a case; one that fails is a line of the table and does not stop the others."""
    try:
        return case.measure(ours, theirs)
    except Exception as error:
        return Result(error=f"{type(error).__name__}: {error}")


def main() -> int:
    options = arguments()
    every = words.CASES if options.words else CASES
    cases = [
        case
        for case in every
        if not options.only or any(part.lower() in case.name.lower() for part in options.only)
    ]
    if options.list:
        print("\n".join(case.name for case in cases))
        return 0
    if options.words:
        keep_memory()
    os.environ["JAX_ENABLE_X64"] = "1"  # the dtypes of both sides are the same
    started = time.perf_counter()
    ours = importlib.import_module("jax" if options.self_test else "diffeo")
    theirs = importlib.import_module("jax")
    print("  ".join(f"{name} {value}" for name, value in report.facts().items()), end="\n\n")
    print(report.header(), flush=True)
    outcomes = []
    for case in cases:
        outcomes.append((case, run(case, ours, theirs)))
        for row in report.rows(*outcomes[-1]):
            print(report.line(row), flush=True)
    passed = sum(case.passes(result) for case, result in outcomes)
    errors = [f"{case.name}: {result.error}" for case, result in outcomes if result.error]
    print(f"\n{passed} of {len(cases)} within target, {time.perf_counter() - started:.0f} s")
    print("\n".join(report.causes(outcomes) if options.words else errors))
    if options.save:
        print(
            "\n".join(
                f"wrote {path.relative_to(report.RESULTS.parent.parent)}"
                for path in report.save(outcomes, "words-" if options.words else "", every)
            )
        )
    return 1 if errors else 0


if __name__ == "__main__":
    sys.exit(main())

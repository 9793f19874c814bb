"""`python -m benchmarks [group ...]`: diffeo beside jax, measured side by side in one run."""

import argparse
import importlib
import os
import sys
import time
from collections import Counter
from collections.abc import Sequence

from benchmarks import (
    compile,
    dispatch,
    eager,
    functions,
    high_order,
    lowering,
    memory,
    report,
    run,
    scaling,
    sparse,
    startup,
    summary,
    tracing,
    words,
)
from benchmarks.case import Case, measured

GROUPS: dict[str, Sequence[Case]] = {
    "startup": startup.CASES,
    "eager": eager.CASES,
    "tracing": tracing.CASES,
    "lowering": lowering.CASES,
    "compile": compile.CASES,
    "dispatch": dispatch.CASES,
    "run": run.CASES,
    "high-order": high_order.CASES,
    "sparse": sparse.CASES,
    "memory": memory.CASES,
    "scaling": scaling.CASES,
}


def arguments(words: Sequence[str] | None = None) -> argparse.Namespace:
    """What the command line asks for."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument(
        "groups", nargs="*", metavar="group", help=f"of {', '.join(GROUPS)}; by default all of them"
    )
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
    parser.add_argument(
        "--functions",
        action="store_true",
        help="measure all functions of diffeo.numpy instead, eager and compiled",
    )
    parser.add_argument("--list", action="store_true", help="show the names of the cases")
    parser.add_argument(
        "--save",
        action="store_true",
        help="keep the table in benchmarks/results (of some groups or cases: these rows)",
    )
    parser.add_argument(
        "--readme", action="store_true", help="print README's table of what was saved, and stop"
    )
    # jax against itself, which shows how far a ratio of 1 strays on this machine.
    parser.add_argument("--self-test", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args(words)
    for group in options.groups:
        if group not in GROUPS:
            parser.error(f"there is no group {group!r}: choose of {', '.join(GROUPS)}")
    if options.save and options.self_test:
        parser.error("--save keeps tables of diffeo only: leave --self-test out")
    if (options.words or options.functions) and options.groups:
        parser.error("--words and --functions measure no group: leave out which, or these")
    return options


def tables(options: argparse.Namespace) -> tuple[str, dict[str, Sequence[Case]]]:
    """How the files of a table begin, and all cases in it."""
    if options.functions:
        return "functions-", {"functions": functions.cases()}
    return ("words-", {"words": words.CASES}) if options.words else ("", GROUPS)


def selected(options: argparse.Namespace) -> dict[str, list[Case]]:
    """The cases that are asked for, by their groups."""
    groups = tables(options)[1]
    wanted = lambda case: (
        not options.only or any(part.lower() in case.name.lower() for part in options.only)
    )
    return {
        group: [case for case in cases if wanted(case)]
        for group, cases in groups.items()
        if not options.groups or group in options.groups
    }


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


def prepare() -> None:
    """Settings that hold for both sides, made before either is imported."""
    os.environ["JAX_ENABLE_X64"] = "1"  # the dtypes of both sides are the same
    os.environ["DIFFEO_CACHE_DIR"] = ""  # nothing that an earlier run compiled
    os.environ["OMP_WAIT_POLICY"] = "PASSIVE"  # torch's threads do not spin while others run


def measure(cases: Sequence[Case], library: str) -> list[tuple[Case, report.Result]]:
    """Print the table row by row; the outcomes."""
    ours, theirs = importlib.import_module(library), importlib.import_module("jax")
    print("  ".join(f"{name} {value}" for name, value in report.facts().items()), end="\n\n")
    left_out = Counter(case.needs for case in cases if not case.possible)
    for package, count in left_out.items():
        print(f"{package} is not installed: cases left out: {count}\n")
    print(report.header(), flush=True)
    outcomes = []
    for case in cases:
        if case.possible:
            outcomes.append((case, measured(case, ours, theirs)))
            for row in report.rows(*outcomes[-1]):
                print(report.line(row), flush=True)
    return outcomes


def main() -> int:
    options = arguments()
    if options.readme:
        print("\n".join(summary.readme()))
        return 0
    groups = selected(options)
    cases = [case for found in groups.values() for case in found]
    if options.list:
        print("\n".join(case.name for case in cases))
        return 0
    if options.words or options.functions:
        keep_memory()
    prepare()
    started = time.perf_counter()
    outcomes = measure(cases, "jax" if options.self_test else "diffeo")
    passed = sum(case.passes(result) for case, result in outcomes)
    errors = [f"{case.name}: {result.error}" for case, result in outcomes if result.error]
    print(f"\n{passed} of {len(outcomes)} within target, {time.perf_counter() - started:.0f} s")
    detailed = options.words or options.functions
    print("\n".join(report.causes(outcomes) if detailed else errors))
    if options.save:
        for path in report.save(outcomes, *tables(options)):
            print(f"wrote {path.relative_to(report.RESULTS.parent.parent)}")
    return 1 if errors else 0


if __name__ == "__main__":
    sys.exit(main())

"""The command line: `python -m tests.other_peoples_tests --suite optax`."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from .figures import figures, table
from .running import run
from .suites import files_of, folders_of


def main(arguments: list[str] | None = None) -> int:
    """Run the suites, print the figures, and write them as JSON where that is asked for."""
    parser = argparse.ArgumentParser(prog="python -m tests.other_peoples_tests")
    suites = "a package that ships its tests, or jax:/path/to/checkout, or autograd:/path"
    parser.add_argument("--suite", action="append", required=True, help=suites)
    parser.add_argument("--groups", default="", help="names of groups, with commas; all of them")
    parser.add_argument("--only", default="", help="a part of the names of files")
    parser.add_argument("-k", default="", help="an expression by which pytest chooses tests")
    parser.add_argument("--cases", type=int, default=4, help="cases that jax's tests draw")
    families = "how many tests run of those that are one function with other parameters; 0: all"
    parser.add_argument("--family", type=int, default=0, help=families)
    parser.add_argument("--seconds", type=float, default=30, help="the limit for each test")
    parser.add_argument("--whole", type=float, default=900, help="the limit for each file")
    together = "the files of a folder in one process, which takes less time"
    parser.add_argument("--together", action="store_true", help=together)
    parser.add_argument("--x64", action="store_true", help="with arrays of 64 bits")
    parser.add_argument("--causes", type=int, default=40, help="how many causes are printed")
    parser.add_argument("--json", help="a file for the figures, and each failure")
    options = parser.parse_args(arguments)
    groups = [g for g in options.groups.split(",") if g]
    outcomes = []
    for suite in options.suite:
        files = files_of(suite, groups)
        for file in folders_of(files) if options.together else files:
            if options.only not in file.path.name:
                continue
            extra = ["-k", options.k] if options.k else []
            limits = options.seconds, options.whole, options.cases, options.x64, extra
            mine = list(run(file, *limits, options.family))
            passed = sum([o["outcome"] == "passed" for o in mine])
            print(f"{file.group:20} {file.path.name:40} {passed} of {len(mine)}", file=sys.stderr)
            outcomes += mine
    found = figures(outcomes)
    print(table(found, options.causes))
    if options.json:
        failures = [o for o in outcomes if o["outcome"] in ("failed", "not loaded")]
        Path(options.json).write_text(json.dumps({**found, "failures": failures}, indent=1))
    return 0


if __name__ == "__main__":
    sys.exit(main())

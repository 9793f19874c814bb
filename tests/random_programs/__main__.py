"""Run many random programs: `python -m tests.random_programs --seeds 0:1000`."""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
import traceback
import warnings
from concurrent.futures import ProcessPoolExecutor


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.random_programs", description=__doc__)
    parser.add_argument("--seeds", default="0:200", help="the programs, from:to")
    parser.add_argument("--jobs", type=int, default=1, help="processes")
    parser.add_argument("--minutes", type=float, default=0.0, help="stop after so long")
    parser.add_argument("--source", action="store_true", help="print the programs and check none")
    parser.add_argument("--no-shrink", action="store_true", help="print failing programs as drawn")
    options = parser.parse_args(arguments)
    start, stop = map(int, options.seeds.split(":"))
    warnings.simplefilter("ignore")
    with tempfile.TemporaryDirectory() as folder:
        os.environ["DIFFEO_CACHE_DIR"] = folder
        return run(options, start, stop)


def run(options: argparse.Namespace, start: int, stop: int) -> int:
    from tests.random_programs.drawing import draw_program
    from tests.random_programs.reporting import Summary, program_text
    from tests.random_programs.running import BUNDLE

    if options.source:
        for seed in range(start, stop):
            print(program_text(draw_program(seed)))
        return 0
    bundles = [range(s, min(s + BUNDLE, stop)) for s in range(start, stop, BUNDLE)]
    summary = Summary(not options.no_shrink)
    began = time.monotonic()
    late = lambda: options.minutes and time.monotonic() - began > 60 * options.minutes
    if options.jobs == 1:
        for seeds in bundles:
            if late():
                break
            summary.add(_bundle(seeds))
            if seeds[0] // BUNDLE % 5 == 4:
                print(f"... to seed {seeds[-1]}: {summary.counts()}", flush=True)
    else:
        with ProcessPoolExecutor(options.jobs) as pool:
            for reports in pool.map(_bundle, bundles):
                summary.add(reports)
    print(summary.line(time.monotonic() - began), flush=True)
    return 1 if summary.groups else 0


def _bundle(seeds: range) -> list:
    import diffeo as dx
    from tests.random_programs.running import check_seeds

    warnings.simplefilter("ignore")
    try:
        return check_seeds(seeds)
    except Exception:  # of the generator, say: the others are checked all the same
        print(f"== seeds {seeds[0]} to {seeds[-1]} were not checked", flush=True)
        traceback.print_exc()
        return []
    finally:
        if seeds[0] // len(seeds) % 10 == 0:
            dx.clear_caches()


if __name__ == "__main__":
    sys.exit(main())

"""`python -m benchmarks.checkpoints`: what the gradient of a long loop costs, in time and memory.

The loop of `benchmarks.loops`, a pendulum with 64 starting points, as a `while_loop` that keeps a
number of carries, beside the `scan` that keeps what it needs of each step. Memory is what the
compiler reserves for intermediate values; `docs/control-flow.md` has the table.
"""

import time

import numpy as np

import diffeo as dx
from benchmarks.loops import by_scan, by_while
from benchmarks.report import seconds, size

LENGTHS = [10**k for k in range(2, 7)]
CHECKPOINTS = (16, 128, 1024)
#: The scan is left out where it would need gigabytes.
MOST_BYTES = 4 * 2**30


def measure(gradient, *args):
    """The best of some runs, in seconds, and the temporary memory in bytes."""
    compiled = dx.jit(gradient)
    memory = compiled.lower(*args).compile().memory_analysis()["temp"]
    if memory > MOST_BYTES:
        return None, memory
    compiled(*args).block_until_ready()
    best, started = np.inf, time.perf_counter()
    while best == np.inf or time.perf_counter() - started < 1.0:
        before = time.perf_counter()
        compiled(*args).block_until_ready()
        best = min(best, time.perf_counter() - before)
    return best, memory


def cell(measured):
    """Time and memory in a cell of the table."""
    best, memory = measured
    return f"{'—' if best is None else seconds(best)}, {size(memory)}"


def main():
    point = dx.numpy.array([9.81, 0.1])
    heads = [f"{k} carries" for k in CHECKPOINTS]
    print(f"| steps | loop alone | {' | '.join(heads)} | scan, every step |")
    print("| ---: " * (3 + len(heads)) + "|")
    for n in LENGTHS:
        alone = measure(lambda p, n: by_while(dx, p, n), point, n)
        cells = [
            measure(dx.grad(lambda p, n, k=k: by_while(dx, p, n, checkpoints=k)), point, n)
            for k in CHECKPOINTS
        ]
        whole = measure(dx.grad(lambda p, n=n: by_scan(dx, p, n)), point)
        listed = " | ".join([cell(m) for m in (alone, *cells, whole)])
        print(f"| {n} | {listed} |", flush=True)


if __name__ == "__main__":
    main()

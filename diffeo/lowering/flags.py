"""XLA flags that diffeo chooses itself.

`QUICK` is for quick compilation. `default_flags` finds programs that XLA's defaults do not suit.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

#: The flags that compile fastest. On 4 programs and both versions of jaxlib, they took 0.4 to 0.75
#: of the compile time, and 1.2 to 3 times the run time; no further flag gained anything.
QUICK: Mapping[str, Any] = {"xla_backend_optimization_level": 0}

#: XLA without its fusion of elementwise operations into loops.
NO_FUSION: Mapping[str, Any] = {"xla_disable_hlo_passes": "fusion"}

#: Letters of a program's text. Shorter programs compile in a few seconds, whatever they hold.
_LONG = 100_000
#: How many operations are looked at: those of a program of some megabytes.
_MOST = 20_000
#: Fusion stays on for a program whose loops do no more operations than this.
_MOST_COMPUTED = 40_000

_OPERATION = re.compile(r'\s*(%\w+) = "(?:stablehlo|chlo)\.(\w+)"')
_NAME = re.compile(r"%\w+")
#: Operations that end the loop that computes their operands: XLA does not fuse them into it.
_ENDS = frozenset(
    ("all_gather", "all_reduce", "case", "concatenate", "constant", "convolution", "custom_call",
     "dot_general", "dynamic_slice", "dynamic_update_slice", "fft", "gather", "iota", "pad",
     "reduce", "reduce_window", "rng_bit_generator", "scatter", "sort", "while")
)  # fmt: skip


def default_flags(text: str, platform: str) -> Mapping[str, Any]:
    """Return the flags to compile a program with, if nobody says otherwise.

    XLA on the processor fuses all operations that a result needs into the loop that computes the
    result, and so computes again what several results share. In the derivatives of orders 0 to n of
    one function that is nearly everything. For exp(sin(t)) at 1000 points and n = 40, compilation
    took 6 s, without fusion 0.8 s, and the program ran 3 times as fast; for n = 64 it took minutes.
    For smaller n (n = 32: 2.7 s, 0.5 s) it depends on the sizes which of the two runs faster, and
    autotuning finds out. Programs with one result, however long, share within the loop, and want
    fusion.
    """
    if platform != "cpu" or len(text) < _LONG:
        return {}
    operations, computed = loop_work(text)
    return NO_FUSION if computed > max(_MOST_COMPUTED, 6 * operations) else {}


def loop_work(text: str) -> tuple[int, int]:
    """Return the number of elementwise operations of a program, and the number of operations that
    its loops would do for an element if each loop computed everything that it needs itself.

    In the example, the first loop computes %1 by one operation, and the second computes %2 by two.

    Examples:
        >>> loop_work('''%1 = "stablehlo.sine"(%0) : ...
        ... %2 = "stablehlo.cosine"(%1) : ...
        ... func.return %1, %2 : ...''')
        (2, 3)
    """
    # For each value, the set of the operations that compute it, as the bits of an integer: bit i is
    # operation number i. A union of sets is one `|`.
    needs: dict[str, int] = {}
    results: set[str] = set()  # the values that a loop must write to memory
    for line in text.split("\n"):
        names = _NAME.findall(line)
        operation = _OPERATION.match(line)
        if operation is None or operation[2] in _ENDS:
            results.update([name for name in names if name in needs])
            continue
        behind = 1 << len(needs)
        for name in names[1:]:
            behind |= needs.get(name, 0)
        needs[names[0]] = behind
        if len(needs) == _MOST:
            break
    return len(needs), sum([needs[name].bit_count() for name in results])

"""Memory that runs out: an error that shows what a program needs it for.

`out_of_memory` writes the message; `executables.py` raises it in place of XLA's error.
"""

from __future__ import annotations

import math
import re
from typing import Any

from ..primitives.support.errors import OutOfMemoryError
from .caches.disk_cache import size_text

#: Letters of a module's text. A longer text is not searched for its largest arrays.
_MAX_TEXT = 1 << 26
#: The bits of an element of types whose names do not say so: booleans take a byte.
_BITS = {"pred": 8, "i1": 8}


def is_out_of_memory(error: BaseException) -> bool:
    """Return whether XLA's complaint is that memory ran out."""
    return "RESOURCE_EXHAUSTED" in str(error) or "Out of memory" in str(error)


def out_of_memory(error: BaseException, executable: Any = None, text: str = "") -> OutOfMemoryError:
    """Return the error to raise in place of XLA's.

    Args:
        error: XLA's error.
        executable: the executable that was run, if it is known.
        text: the program that was compiled, if it was not run yet.
    """
    asked = re.search(r"allocat\w* (\d+) ?bytes", str(error))
    lines = [
        "out of memory"
        + (" while compiling" if text else "")
        + (f": {size_text(int(asked[1]))} could not be allocated" if asked else f": {error}")
    ]
    if executable is not None:
        lines.append(_needs(executable))
        text = _optimised(executable)
    if largest := largest_arrays(text):
        lines.append("the largest arrays in it: " + ", ".join(largest))
    lines.append(
        "Use smaller arrays, split the batch (a loop, or chunk= where there is one), donate "
        "arguments that are not needed afterwards, or recompute with checkpoint what a gradient "
        "keeps"
    )
    return OutOfMemoryError("\n  ".join(lines))


def _needs(executable: Any) -> str:
    """Return a line about the memory that an executable needs."""
    needs = executable.memory_analysis()
    shown = [f"{kind} {size_text(needs[kind])}" for kind in ("argument", "output", "temp")]
    return "the program needs: " + ", ".join(shown)


def _optimised(executable: Any) -> str:
    """Return the program as XLA compiled it, without the insides of fused loops.

    Values inside of a fused loop are no arrays in memory.
    """
    text = executable.as_text()
    if len(text) > _MAX_TEXT:
        return ""
    return re.sub(r"^%?fused[^\n]*\{\n.*?^\}", "", text, flags=re.MULTILINE | re.DOTALL)


def largest_arrays(text: str, count: int = 3) -> list[str]:
    """Return the largest array types that a program's text names, as "f64[3,4] (96 bytes)".

    Examples:
        >>> largest_arrays("%x = tensor<3x4xf64>, %y = f32[8]{0}")
        ['f64[3,4] (96 bytes)', 'f32[8] (32 bytes)']
    """
    if len(text) > _MAX_TEXT:
        return []
    # Types are written as tensor<3x4xf64> in StableHLO, and as f64[3,4] in HLO.
    sizes = {}
    for dims, pair, kind in re.findall(r"tensor<((?:\d+x)+)(complex<)?(\w+)", text):
        kind = f"c{2 * _bits(kind)}" if pair else kind
        sizes[kind, tuple(map(int, dims[:-1].split("x")))] = 0
    for kind, dims in re.findall(r"\b(pred|b?[fsuc]\d+\w*)\[([\d,]+)\]", text):
        sizes[kind, tuple(map(int, dims.split(",")))] = 0
    for kind, shape in sizes:
        sizes[kind, shape] = math.prod(shape) * _bits(kind) // 8
    largest = sorted(sizes, key=lambda array: -sizes[array])[:count]
    return [f"{k}[{','.join(map(str, s))}] ({size_text(sizes[k, s])})" for k, s in largest]


def _bits(kind: str) -> int:
    """Return the bits of an element of a type: the number in its name, if there is one."""
    digits = re.search(r"\d+", kind)
    return _BITS.get(kind) or (int(digits[0]) if digits else 64)

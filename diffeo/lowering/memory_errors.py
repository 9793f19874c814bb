"""Memory that runs out: an error that shows what a program needs it for."""

from __future__ import annotations

import math
import re
from typing import Any

from ..primitives.support.errors import OutOfMemoryError
from .caches.disk_cache import size_text

#: A module that is larger than this is not searched for its largest arrays.
_MAX_TEXT = 1 << 26
_BITS = {"pred": 8, "i1": 8}


def is_out_of_memory(error: BaseException) -> bool:
    """Whether XLA's complaint is that memory ran out."""
    return "RESOURCE_EXHAUSTED" in str(error) or "Out of memory" in str(error)


def out_of_memory(error: BaseException, executable: Any = None, text: str = "") -> OutOfMemoryError:
    """The error to raise in place of XLA's.

    Args:
        error: what XLA said.
        executable: the program that was run, if it is known.
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
    needs = executable.memory_analysis()
    shown = [f"{kind} {size_text(needs[kind])}" for kind in ("argument", "output", "temp")]
    return "the program needs: " + ", ".join(shown)


def _optimised(executable: Any) -> str:
    """The program as it was compiled, without what is inside of fused loops: that has no memory."""
    text = executable.as_text()
    if len(text) > _MAX_TEXT:
        return ""
    return re.sub(r"^%?fused[^\n]*\{\n.*?^\}", "", text, flags=re.MULTILINE | re.DOTALL)


def largest_arrays(text: str, count: int = 3) -> list[str]:
    """The largest types of arrays that a program speaks of, as "f64[3,4] (96 bytes)".

    Examples:
        >>> largest_arrays("%x = tensor<3x4xf64>, %y = f32[8]{0}")
        ['f64[3,4] (96 bytes)', 'f32[8] (32 bytes)']
    """
    if len(text) > _MAX_TEXT:
        return []
    found = {}
    for dims, pair, kind in re.findall(r"tensor<((?:\d+x)+)(complex<)?(\w+)", text):
        kind = f"c{2 * _bits(kind)}" if pair else kind
        found[kind, tuple(map(int, dims[:-1].split("x")))] = 0
    for kind, dims in re.findall(r"\b(pred|b?[fsuc]\d+\w*)\[([\d,]+)\]", text):
        found[kind, tuple(map(int, dims.split(",")))] = 0
    for kind, shape in found:
        found[kind, shape] = math.prod(shape) * _bits(kind) // 8
    largest = sorted(found, key=lambda array: -found[array])[:count]
    return [f"{k}[{','.join(map(str, s))}] ({size_text(found[k, s])})" for k, s in largest]


def _bits(kind: str) -> int:
    digits = re.search(r"\d+", kind)
    return _BITS.get(kind) or (int(digits[0]) if digits else 64)

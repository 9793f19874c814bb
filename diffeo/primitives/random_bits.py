"""threefry2x32: the counter-based generator behind diffeo.random (Salmon et al., SC 2011)."""

from __future__ import annotations

from typing import Any, Sequence

import numpy as np

from .elementwise import logical_or, shift_left, shift_right_logical
from .families import Discrete
from .structural import batch_at_front
from .types import ShapedArray, uint32

ROTATIONS = ((13, 15, 26, 6), (17, 29, 16, 24))


def _rounds(k0: Any, k1: Any, x0: Any, x1: Any, rotate: Any) -> tuple[Any, Any]:
    """Twenty rounds on whatever arithmetic the operands have; `rotate(x, n)` turns 32 bits to the left."""
    keys = (k0, k1, k0 ^ k1 ^ 0x1BD11BDA)
    x0, x1 = x0 + keys[0], x1 + keys[1]
    for block in range(5):
        for n in ROTATIONS[block % 2]:
            x0 = x0 + x1
            x1 = x0 ^ rotate(x1, n)
        x0 = x0 + keys[(block + 1) % 3]
        x1 = x1 + keys[(block + 2) % 3] + (block + 1)
    return x0, x1


class Threefry2x32(Discrete):
    """Two words of 32 random bits from a key of two words and a counter of two words; all of one shape."""

    multiple_results = True

    def __eq__(self, other: object) -> bool:
        return type(other) is Threefry2x32

    def __hash__(self) -> int:
        return hash(Threefry2x32)

    def __repr__(self) -> str:
        return "Threefry2x32()"

    def abstract_eval(self, *xs: ShapedArray) -> list[ShapedArray]:
        if len(xs) != 4 or any(x is not xs[0] for x in xs) or xs[0].dtype != uint32:
            raise TypeError(f"threefry2x32: expects two key words and two counters, uint32 of one shape, got {xs}")
        return [xs[0], xs[0]]

    def impl(self, *xs: np.ndarray) -> list[np.ndarray]:
        with np.errstate(over="ignore"):  # the sums are modulo 2**32
            return list(_rounds(*xs, lambda x, n: (x << np.uint32(n)) | (x >> np.uint32(32 - n))))

    def decompose(self, *xs: Any) -> Any:
        return list(_rounds(*xs, lambda x, n: logical_or.bind(shift_left.bind(x, n), shift_right_logical.bind(x, 32 - n))))

    def batch(self, size: int, args: Sequence[Any], dims: Sequence[int | None]) -> tuple[Any, Any]:
        return self.bind(*[batch_at_front(a, d, size) for a, d in zip(args, dims)]), [0, 0]


def threefry2x32(k0: Any, k1: Any, x0: Any, x1: Any) -> list[Any]:
    """Random words from key words and counters, all uint32 of one shape."""
    return Threefry2x32().bind(k0, k1, x0, x1)



"""Predicates of operands, and drawers of parameters, that the tables share."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import ml_dtypes
import numpy as np

from tests.random_programs.program import Source

# --------------------------------------------------------------------------------------------------
# Operands


def kind(v: Any) -> str:
    return "f" if v.dtype == ml_dtypes.bfloat16 else v.dtype.kind


def anything(v: Any, *before: Any) -> bool:
    return True


def numeric(v: Any, *before: Any) -> bool:
    return kind(v) != "b"


def floating(v: Any, *before: Any) -> bool:
    return kind(v) == "f"


def inexact(v: Any, *before: Any) -> bool:
    return kind(v) in "fc"


def wide(v: Any, *before: Any) -> bool:
    """Of 32 bits at least: what XLA's and LAPACK's routines take."""
    return v.dtype.name in ("float32", "float64", "complex64", "complex128")


def double(v: Any, *before: Any) -> bool:
    return v.dtype == np.float64


def complexes(v: Any, *before: Any) -> bool:
    return kind(v) == "c"


def integers(v: Any, *before: Any) -> bool:
    return kind(v) in "iu"


def booleans(v: Any, *before: Any) -> bool:
    return kind(v) == "b"


def real(v: Any, *before: Any) -> bool:
    """With an order."""
    return kind(v) in "fiu"


def scalar(v: Any, *before: Any) -> bool:
    return v.shape == ()


def filled(v: Any, *before: Any) -> bool:
    return v.size > 0


def rank(*dims: int) -> Callable:
    return lambda v, *before: v.ndim in dims


def arrays(v: Any, *before: Any) -> bool:
    return v.ndim > 0 and v.size > 0


def square(v: Any, *before: Any) -> bool:
    return v.ndim >= 2 and v.shape[-1] == v.shape[-2] and v.size > 0


def matrix(v: Any, *before: Any) -> bool:
    return v.ndim >= 2 and v.size > 0


def both(*predicates: Callable) -> Callable:
    return lambda v, *before: all(p(v, *before) for p in predicates)


def same(v: Any, *before: Any) -> bool:
    """The shape and dtype of the first operand."""
    return v.shape == before[0].shape and v.dtype == before[0].dtype


def same_shape(v: Any, *before: Any) -> bool:
    return v.shape == before[0].shape


def same_type(v: Any, *before: Any) -> bool:
    return v.dtype == before[0].dtype


def fits(v: Any, *before: Any) -> bool:
    """Broadcasts with the others to something small."""
    try:
        shape = np.broadcast_shapes(v.shape, *[b.shape for b in before])
    except ValueError:
        return False
    return int(np.prod(shape)) <= 40


# --------------------------------------------------------------------------------------------------
# Parameters


def one_of(*choices: Any) -> Callable:
    return lambda d: d.rng.choice(choices)


def number(low: float, high: float) -> Callable:
    """A number with few digits."""
    return lambda d: round(d.rng.uniform(low, high), 3)


def whole(low: int, high: int) -> Callable:
    return lambda d: d.rng.randint(low, high)


def axis(d: Any) -> int | None:
    """One axis of the first operand."""
    n = d.args[0].ndim
    return d.rng.randint(-n, n - 1) if n else None


def axes(d: Any) -> Any:
    """None, one axis, or several, as source."""
    n = d.args[0].ndim
    if d.rng.random() < 0.3:
        return Source("None")
    if not n:
        return Source("()") if d.rng.random() < 0.3 else Source("None")
    if d.rng.random() < 0.6:
        return Source(d.rng.randint(-n, n - 1))
    return Source(tuple(d.rng.sample(range(n), d.rng.randint(0, n))))


def flag(d: Any) -> bool:
    return d.rng.random() < 0.5


def constant(low: float = 0.2, high: float = 1.7, like: int = 0, signed: bool = True) -> Callable:
    """An array of numbers in the shape of an operand, as source."""

    def drawn(d: Any) -> Source:
        shape = d.args[like].shape
        x = np.round(d.scope.root.arrays.uniform(low, high, shape), 3)
        if signed:
            x = x * d.scope.root.arrays.choice([-1.0, 1.0], shape)
        return Source(f"np.array({np.asarray(x).tolist()}).reshape({shape})")

    return drawn


def permutation(d: Any) -> tuple | None:
    order = list(range(d.args[0].ndim))
    d.rng.shuffle(order)
    return tuple(order)


def reshaping(d: Any) -> tuple:
    """A shape of the same size, perhaps with a -1."""
    size = d.args[0].size
    shape: list[int] = []
    rest = size
    for _ in range(d.rng.randint(0, 2)):
        divisors = [k for k in (1, 2, 3, 4) if rest and rest % k == 0]
        if not divisors:
            break
        shape.append(d.rng.choice(divisors))
        rest //= shape[-1]
    if not size:
        return (0, *shape)
    return (*shape, rest if d.rng.random() < 0.6 else -1)

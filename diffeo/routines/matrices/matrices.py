"""What the pages on matrices share: their family, calls of LAPACK, products and triangles."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from ...primitives.core import Primitive, typeof
from ...primitives.types import ShapedArray, bool_
from ...primitives.words.dot import DotGeneral
from ...primitives.words.elementwise import zero_scalar
from ...primitives.words.index_dims import IndexDims
from ...primitives.words.indexing import DynamicSlice, DynamicUpdateSlice, Gather
from ...primitives.words.structural import (
    BroadcastInDim,
    Iota,
    ReduceSum,
    Transpose,
    batch_at_front,
)
from ..special.special import HOST, TRACED
from . import kernels
from .kernels import LETTERS

int32 = np.dtype(np.int32)
#: The size of LAPACK's blocks, for each of which it wants a row of workspace.
BLOCK = 64


def check_matrices(name: str, x: ShapedArray, square: bool = True) -> None:
    """TypeError unless `x` holds (square) matrices of numbers that LAPACK knows."""
    if x.ndim < 2 or x.dtype not in LETTERS or (square and x.shape[-1] != x.shape[-2]):
        kind = "square matrices [..., n, n]" if square else "matrices [..., m, n]"
        raise TypeError(f"{name}: expects {kind} of {', '.join(map(str, LETTERS))}, got {x}")


class OfMatrices(Primitive):
    """A function of matrices with any leading axes, of which vmap adds one at the front."""

    def batch(self, size: int, args: Sequence[Any], dims: Sequence[Any]) -> tuple[Any, Any]:
        out = self.bind(*[batch_at_front(a, d, size) for a, d in zip(args, dims)])
        return out, [0] * len(out) if self.multiple_results else 0


class Written(OfMatrices):
    """A function of matrices that is a formula over `m`, NumPy or the language itself; see
    `special.py`.
    """

    def formula(self, m: Any, *arrays: Any) -> Any:
        """The result."""
        raise NotImplementedError

    def impl(self, *arrays: np.ndarray) -> Any:
        with np.errstate(all="ignore"):
            return self.formula(HOST, *arrays)

    def decompose(self, *args: Any) -> Any:
        return self.formula(TRACED, *args)


class Lapack(OfMatrices):
    """A function that LAPACK computes; its results are nan where LAPACK reports that it failed.

    `one` evaluates it by SciPy's interface, for one matrix; `call` writes the call of the kernel.
    """

    #: The number of axes of the first operand that are not leading ones.
    rank = 2

    def one(self, *matrices: np.ndarray) -> tuple[Sequence[np.ndarray], int]:
        """The results for one matrix, and LAPACK's report: 0 for success."""
        raise self.missing("one", "evaluation")

    def impl(self, *arrays: np.ndarray) -> Any:
        avals = self.abstract_eval(*[ShapedArray(a.shape, a.dtype) for a in arrays])
        outs = [np.empty(a.shape, a.dtype) for a in (avals if self.multiple_results else [avals])]
        if outs[0].size:
            for place in np.ndindex(arrays[0].shape[: arrays[0].ndim - self.rank]):
                found, info = self.one(*[a[place] for a in arrays])
                for out, x in zip(outs, found):
                    out[place] = np.nan if info else x
        return outs if self.multiple_results else outs[0]

    def call(
        self, ctx: Any, kernel: str, operands: Any, outs: Any, rest: Any = (), **chosen: Any
    ) -> list[Any]:
        """Call a routine of LAPACK's, see `kernels.py` -> its results `outs`; those of the types
        `rest`, which come next, are dropped, and so is its report, one number for each matrix.

        What an accelerator does not have is computed by the host's processor.
        """
        first = operands[0].aval
        if not outs[0].size:
            return [ctx.constant(0, out) for out in outs]
        if not kernels.has(ctx.platform, kernel) and ctx.calls_python:
            return ctx.call_python(self._on_host, operands, outs, effects=False)
        info = ShapedArray(first.shape[: first.ndim - self.rank], int32)
        found = kernels.call(ctx, kernel, operands, [*outs, *rest, info], **chosen)
        failed = ctx.compare("NE", found[-1], 0)
        return [ctx.op("select", self._like(ctx, failed, x.aval), math.nan, x, out=x.aval)
                for x in found[: len(outs)]]  # fmt: skip

    def _on_host(self, *arrays: np.ndarray) -> Any:
        """The results of the routine itself, by SciPy."""
        found = Lapack.impl(self, *arrays)
        return found if self.multiple_results else [found]

    def _like(self, ctx: Any, flags: Any, like: ShapedArray) -> Any:
        """One flag for each matrix, for each element."""
        dims, out = ctx.i64s(range(flags.aval.ndim)), like.update(dtype=bool_)
        return ctx.op("broadcast_in_dim", flags, out=out, broadcast_dimensions=dims)


class OfStacks(Lapack):
    """A function that NumPy evaluates for stacks of matrices: at once, unless one of them fails."""

    def stacked(self, *arrays: np.ndarray) -> Sequence[np.ndarray]:
        """The results by NumPy; LinAlgError where LAPACK reports that it failed."""
        raise NotImplementedError

    def impl(self, *arrays: np.ndarray) -> Any:
        try:
            found = list(self.stacked(*arrays))
        except np.linalg.LinAlgError:
            return super().impl(*arrays)
        return found if self.multiple_results else found[0]

    def one(self, *matrices: np.ndarray) -> tuple[Sequence[np.ndarray], int]:
        try:
            return self.stacked(*matrices), 0
        except np.linalg.LinAlgError:
            outs = self.abstract_eval(*[ShapedArray(a.shape, a.dtype) for a in matrices])
            count = len(outs) if self.multiple_results else 1
            return [np.zeros(())] * count, 1


def matmul(x: Any, y: Any, m: Any = TRACED) -> Any:
    """The product of matrices with the same leading axes."""
    n = typeof(x).ndim - 2
    lead = tuple(range(n))
    return m.of(DotGeneral(((n + 1,), (n,)), (lead, lead)))(x, y)


def flipped(x: Any, m: Any = TRACED) -> Any:
    """The transposed matrices."""
    n = typeof(x).ndim
    return m.of(Transpose((*range(n - 2), n - 1, n - 2)))(x)


def adjoint(x: Any, m: Any = TRACED) -> Any:
    """The conjugated, transposed matrices."""
    return flipped(m.conj(x) if typeof(x).dtype.kind == "c" else x, m)


def places(x: Any, m: Any = TRACED) -> tuple[Any, Any]:
    """The row and the column of each element of matrices."""
    aval = typeof(x)
    return m.of(Iota(aval.shape, int32, aval.ndim - 2))(), m.of(
        Iota(aval.shape, int32, aval.ndim - 1))()  # fmt: skip


def lower_triangle(x: Any, k: int = 0, m: Any = TRACED) -> Any:
    """The elements on and below diagonal `k`, others 0."""
    rows, columns = places(x, m)
    return m.where(columns <= rows + k, x, zero_scalar(x))


def upper_triangle(x: Any, k: int = 0, m: Any = TRACED) -> Any:
    """The elements on and above diagonal `k`, others 0."""
    rows, columns = places(x, m)
    return m.where(columns >= rows + k, x, zero_scalar(x))


def diagonal(x: Any, m: Any = TRACED) -> Any:
    """The diagonals of square matrices."""
    *lead, n, _ = typeof(x).shape
    if not n:
        return m.of(ReduceSum((len(lead),)))(x)
    ends, axes = (len(lead), len(lead) + 1), tuple(range(len(lead)))
    places = m.of(Iota((n, 2), int32, 0))()
    dims = IndexDims(axes, ends, ends)
    return m.of(Gather(dims, (*lead, 1, 1), "promise_in_bounds", unique=True))(x, places)


def spread(x: Any, shape: Sequence[int], dims: Sequence[int] | None = None, m: Any = TRACED) -> Any:
    """`x` repeated over more axes, which come last, or where `dims` leaves them out."""
    dims = range(typeof(x).ndim) if dims is None else dims
    return m.of(BroadcastInDim(tuple(shape), tuple(dims)))(x)


def rounding(x: Any) -> float:
    """What is rounding beside 1 in the elements of matrices that were decomposed."""
    return 4 * x.shape[-1] * float(np.finfo(x.dtype).eps)


def of_rows(x: Any) -> Sequence[int]:
    """Where to `spread` one number for each row of matrices."""
    return tuple(range(x.ndim - 1))


def of_columns(x: Any) -> Sequence[int]:
    """Where to `spread` one number for each column of matrices."""
    return (*range(x.ndim - 2), x.ndim - 1)


def window(m: Any, x: Any, i: Any, j: Any, rows: int, columns: int) -> Any:
    """The part of matrices that begins at row `i` and column `j`."""
    lead = [m.number(0, j)] * (x.ndim - 2)
    return m.of(DynamicSlice((*x.shape[:-2], rows, columns)))(x, *lead, i, j)


def replaced(m: Any, x: Any, part: Any, i: Any, j: Any) -> Any:
    """Matrices with `part` written over what begins at row `i` and column `j`."""
    return m.of(DynamicUpdateSlice())(x, part, *[m.number(0, j)] * (x.ndim - 2), i, j)

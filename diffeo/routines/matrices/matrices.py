"""What the files on matrices share: classes of primitives, calls of LAPACK, products and triangles.

Matrices are the last two axes of an array; all axes before them are leading axes. A routine of
matrices is a subclass of `Written` (a formula), `Lapack` (LAPACK computes it, one matrix at a time)
or `OfStacks` (NumPy has it for whole stacks). The functions of a formula take `m`, which is NumPy
or the language itself (see special.py).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from ...primitives.builder import LoweringContext
from ...primitives.core import Primitive, Value, typeof
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
from ..special.special import HOST, TRACED, Operations
from . import kernels
from .kernels import LETTERS

#: The dtype of indices, pivots and LAPACK's reports.
int32 = np.dtype(np.int32)
#: The size of LAPACK's blocks; it wants workspace of this many numbers for each row.
BLOCK = 64


def check_matrices(name: str, x: ShapedArray, square: bool = True) -> None:
    """Raise TypeError unless `x` holds (square) matrices of numbers that LAPACK knows."""
    if x.ndim < 2 or x.dtype not in LETTERS or (square and x.shape[-1] != x.shape[-2]):
        kind = "square matrices [..., n, n]" if square else "matrices [..., m, n]"
        raise TypeError(f"{name}: expects {kind} of {', '.join(map(str, LETTERS))}, got {x}")


class OfMatrices(Primitive):
    """A function of matrices with any leading axes; vmap adds one at the front."""

    def batch(self, size: int, args: Sequence[Any], dims: Sequence[Any]) -> tuple[Any, Any]:
        out = self.bind(*[batch_at_front(a, d, size) for a, d in zip(args, dims)])
        return out, [0] * len(out) if self.multiple_results else 0


class Written(OfMatrices):
    """A function of matrices that is a formula over `m`, NumPy or the language itself.

    See `special.py` on such formulas.
    """

    def formula(self, m: Any, *arrays: Any) -> Any:
        """Compute the result of `arrays` with the operations `m`."""
        raise NotImplementedError

    def impl(self, *arrays: np.ndarray) -> Any:
        with np.errstate(all="ignore"):
            return self.formula(HOST, *arrays)

    def decompose(self, *args: Any) -> Any:
        return self.formula(TRACED, *args)


class Lapack(OfMatrices):
    """A function that LAPACK computes; results are nan where LAPACK reports that it failed.

    `one` evaluates the function for one matrix, by SciPy's interface. `call` emits the call of a
    kernel in a compiled program.
    """

    #: The number of axes of the first operand that are not leading ones.
    rank = 2

    def one(self, *matrices: np.ndarray) -> tuple[Sequence[np.ndarray], int]:
        """Return the results for one matrix, and LAPACK's report: 0 for success."""
        raise self.missing("one", "evaluation")

    def impl(self, *arrays: np.ndarray) -> Any:
        avals = self.abstract_eval(*[ShapedArray(a.shape, a.dtype) for a in arrays])
        outs = [np.empty(a.shape, a.dtype) for a in (avals if self.multiple_results else [avals])]
        if outs[0].size:
            for index in np.ndindex(arrays[0].shape[: arrays[0].ndim - self.rank]):
                results, info = self.one(*[a[index] for a in arrays])
                for out, x in zip(outs, results):
                    out[index] = np.nan if info else x
        return outs if self.multiple_results else outs[0]

    def call(
        self,
        ctx: LoweringContext,
        kernel: str,
        operands: Sequence[Any],
        outs: Sequence[ShapedArray],
        rest: Any = (),
        **chosen: Any,
    ) -> list[Any]:
        """Emit a call of a routine of LAPACK's, see `kernels.py`, and return its results `outs`.

        `rest` are the types of further results, which come next and are dropped. Last comes a
        report, one number for each matrix: where it is not 0, the results are nan. A routine that
        an accelerator does not have is computed by the host's processor.
        """
        first = operands[0].aval
        if not outs[0].size:
            return [ctx.constant(0, out) for out in outs]
        if not kernels.has(ctx.platform, kernel) and ctx.calls_python:
            return ctx.call_python(self._on_host, operands, outs, effects=False)
        info = ShapedArray(first.shape[: first.ndim - self.rank], int32)
        results = kernels.call(ctx, kernel, operands, [*outs, *rest, info], **chosen)
        failed = ctx.compare("NE", results[-1], 0)
        return [ctx.op("select", self._like(ctx, failed, x.aval), math.nan, x, out=x.aval)
                for x in results[: len(outs)]]  # fmt: skip

    def _on_host(self, *arrays: np.ndarray) -> Any:
        """Compute the results of the routine itself, by SciPy."""
        results = Lapack.impl(self, *arrays)
        return results if self.multiple_results else [results]

    def _like(self, ctx: LoweringContext, flags: Any, like: ShapedArray) -> Any:
        """Repeat one flag for each matrix in each element of it."""
        dims, out = ctx.i64s(range(flags.aval.ndim)), like.update(dtype=bool_)
        return ctx.op("broadcast_in_dim", flags, out=out, broadcast_dimensions=dims)


class OfStacks(Lapack):
    """A function that NumPy evaluates for stacks of matrices.

    A stack is evaluated at once, unless a matrix fails: then one matrix after the other.
    """

    def stacked(self, *arrays: np.ndarray) -> Sequence[np.ndarray]:
        """Return the results by NumPy; LinAlgError where LAPACK reports that it failed."""
        raise NotImplementedError

    def impl(self, *arrays: np.ndarray) -> Any:
        try:
            results = list(self.stacked(*arrays))
        except np.linalg.LinAlgError:
            return super().impl(*arrays)
        return results if self.multiple_results else results[0]

    def one(self, *matrices: np.ndarray) -> tuple[Sequence[np.ndarray], int]:
        try:
            return self.stacked(*matrices), 0
        except np.linalg.LinAlgError:
            outs = self.abstract_eval(*[ShapedArray(a.shape, a.dtype) for a in matrices])
            count = len(outs) if self.multiple_results else 1
            return [np.zeros(())] * count, 1


def matmul(x: Any, y: Any, m: Operations = TRACED) -> Any:
    """Return the product of matrices with the same leading axes."""
    n = typeof(x).ndim - 2
    lead = tuple(range(n))
    return m.of(DotGeneral(((n + 1,), (n,)), (lead, lead)))(x, y)


def flipped(x: Any, m: Operations = TRACED) -> Any:
    """Return the transposed matrices."""
    n = typeof(x).ndim
    return m.of(Transpose((*range(n - 2), n - 1, n - 2)))(x)


def adjoint(x: Any, m: Operations = TRACED) -> Any:
    """Return the conjugated, transposed matrices."""
    return flipped(m.conj(x) if typeof(x).dtype.kind == "c" else x, m)


def places(x: Any, m: Operations = TRACED) -> tuple[Any, Any]:
    """Return the row and the column of each element of matrices."""
    aval = typeof(x)
    return m.of(Iota(aval.shape, int32, aval.ndim - 2))(), m.of(
        Iota(aval.shape, int32, aval.ndim - 1))()  # fmt: skip


def lower_triangle(x: Value, k: int = 0, m: Operations = TRACED) -> Any:
    """Return the elements on and below diagonal `k`, with 0 for the others."""
    rows, columns = places(x, m)
    return m.where(columns <= rows + k, x, zero_scalar(x))


def upper_triangle(x: Any, k: int = 0, m: Operations = TRACED) -> Any:
    """Return the elements on and above diagonal `k`, with 0 for the others."""
    rows, columns = places(x, m)
    return m.where(columns >= rows + k, x, zero_scalar(x))


def diagonal(x: Any, m: Operations = TRACED) -> Any:
    """Return the diagonals of square matrices."""
    *lead, n, _ = typeof(x).shape
    if not n:
        # Of matrices without elements, the sum has the right shape.
        return m.of(ReduceSum((len(lead),)))(x)
    ends, axes = (len(lead), len(lead) + 1), tuple(range(len(lead)))
    indices = m.of(Iota((n, 2), int32, 0))()
    dims = IndexDims(axes, ends, ends)
    return m.of(Gather(dims, (*lead, 1, 1), "promise_in_bounds", unique=True))(x, indices)


def spread(
    x: Any, shape: Sequence[int], dims: Sequence[int] | None = None, m: Operations = TRACED
) -> Any:
    """Repeat `x` over more axes, to get `shape`.

    `dims` are the axes of the result that are the axes of `x`; without it, these come first.
    """
    dims = range(typeof(x).ndim) if dims is None else dims
    return m.of(BroadcastInDim(tuple(shape), tuple(dims)))(x)


def rounding(x: Any) -> float:
    """Return what counts as 0 beside 1 in the elements of matrices that were decomposed."""
    return 4 * x.shape[-1] * float(np.finfo(x.dtype).eps)


def of_rows(x: Any) -> Sequence[int]:
    """Return the `dims` by which `spread` repeats one number for each row of matrices."""
    return tuple(range(x.ndim - 1))


def of_columns(x: Any) -> Sequence[int]:
    """Return the `dims` by which `spread` repeats one number for each column of matrices."""
    return (*range(x.ndim - 2), x.ndim - 1)


def window(m: Operations, x: np.ndarray, i: Any, j: Any, rows: int, columns: int) -> Any:
    """Return the part of matrices that begins at row `i` and column `j`."""
    lead = [m.number(0, j)] * (x.ndim - 2)
    return m.of(DynamicSlice((*x.shape[:-2], rows, columns)))(x, *lead, i, j)


def replaced(m: Operations, x: Any, part: Any, i: Any, j: Any) -> Any:
    """Return matrices with `part` written over the elements from row `i` and column `j` on."""
    return m.of(DynamicUpdateSlice())(x, part, *[m.number(0, j)] * (x.ndim - 2), i, j)

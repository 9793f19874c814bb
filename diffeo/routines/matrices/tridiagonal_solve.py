"""tridiagonal_solve: systems of linear equations that couple each unknown to its neighbours."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ...primitives.builder import LoweringContext
from ...primitives.core import Value
from ...primitives.stand_ins import ZERO, LinearInput
from ...primitives.support.frozen import frozen
from ...primitives.types import ShapedArray
from ...primitives.words.slicing import pad
from ...primitives.words.structural import broadcast_in_dim
from .matrices import LETTERS, Lapack


@frozen
class TridiagonalSolve(Lapack):
    """The x with dl[i] x[i-1] + d[i] x[i] + du[i] x[i+1] = b[i], by elimination with pivoting.

    The diagonals have shape [..., n], b and x [..., n, k]. dl[..., 0] and du[..., -1] are not read.
    x is nan where a pivot is exactly zero.
    """

    rank = 1

    def abstract_eval(
        self, dl: ShapedArray, d: ShapedArray, du: ShapedArray, b: ShapedArray
    ) -> ShapedArray:
        same = dl is d is du and b.ndim == d.ndim + 1 and d.ndim and b.dtype == d.dtype
        if not same or d.dtype not in LETTERS or b.shape[:-1] != d.shape:
            raise TypeError(
                "tridiagonal_solve: expects three diagonals [..., n] and b [..., n, k] of one of "
                f"the dtypes {', '.join(map(str, LETTERS))}, got {dl}, {d}, {du} and {b}"
            )
        return b

    def one(self, *arrays: np.ndarray) -> tuple[Sequence[np.ndarray], int]:
        # SciPy's interface to LAPACK, loaded when the first system is solved.
        from scipy.linalg import lapack

        dl, d, du, b = arrays
        if d.size < 2:  # SciPy's interface wants at least two equations
            with np.errstate(all="ignore"):
                return [b / d], int(d[0] == 0)
        *_, x, info = getattr(lapack, LETTERS[d.dtype] + "gtsv")(dl[1:], d, du[:-1], b)
        return [x], info

    def lower(self, ctx: LoweringContext, *arrays: Any) -> Any:
        return self.call(ctx, "gtsv", arrays, [v.aval for v in arrays])[3]

    def jvp(self, primals: Sequence[Any], tangents: Sequence[Any]) -> tuple[Any, Any]:
        """Solve A dx = db - dA x."""
        x = self.bind(*primals)
        db = tangents[3]
        for shift, diagonal in zip((-1, 0, 1), tangents):
            if diagonal is not ZERO:
                term = broadcast_in_dim(diagonal, x.shape, range(x.ndim - 1)) * _shifted(x, shift)
                db = -term if db is ZERO else db - term
        return x, self.bind(*primals[:3], db)

    def transpose(self, ct: Value, dl: Value, d: Value, du: Value, b: LinearInput) -> Sequence[Any]:
        # The transposed matrix has the diagonals exchanged, each moved by one element.
        return None, None, None, self.bind(_shifted(du, -1, -1), d, _shifted(dl, 1, -1), ct)


def _shifted(x: Value, by: int, axis: int = -2) -> Any:
    """Return the array whose element i is element i + by of `x` along an axis, and 0 outside."""
    low, high = [0] * x.ndim, [0] * x.ndim
    low[axis], high[axis] = -by, by
    return pad(x, low, high)

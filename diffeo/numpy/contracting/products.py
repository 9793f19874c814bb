"""Products of arrays: dot, matmul, outer and their kin; einsum.py has the sums of products.

Products are computed in the precision of their dtype on every platform; `precision` asks for a
lower one, which is faster on GPU and TPU (see `diffeo.lax.Precision`). `preferred_element_type` is
the dtype of the result, in which products are added up.

All functions end in `_contract`, which sums over pairs of *contracting* axes and goes along pairs
of *batch* axes in step. `how` is the precision and the dtype that are asked for.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ...primitives.array import Array
from ...primitives.core import Value, state, with_user_line
from ...primitives.support.settings import process
from ...primitives.words.dot import FULL, DotGeneral, Precision
from ...primitives.words.dot import outer as outer_p
from ...primitives.words.promotion import broadcast_shapes, broadcast_to
from ...primitives.words.structural import convert_element_type, reshape
from ...typing import ArrayLike
from ..common import arr, axis_of, no_out, no_sharding, same_dtype, static_int
from ..joining import stack, unstack
from ..shaping import moveaxis
from ..ufuncs import conj
from .algorithms import how as _asked
from .algorithms import product as _multiplied
from .precision import preferred_of

_MATRIX_PRODUCT = DotGeneral(((1,), (0,)))
#: The dtypes in which NumPy's products are as exact and as fast.
_FAST = frozenset(map(np.dtype, ("f4", "f8", "c8", "c16")))
#: The `how` of products of which nothing is asked.
_PLAIN = FULL, None


def _how(name: str, precision: Precision | None, preferred: np.dtype | None) -> tuple[Any, Any]:
    """Return the `how` of a product: the precision and the dtype that are asked for."""
    if precision is None and preferred is None and not process.precisions:
        return _PLAIN
    return _asked(name, precision), preferred_of(preferred)


def _contract(a: Any, b: Any, contract: Any, batch: Any = ((), ()), how: Any = _PLAIN) -> Any:
    """Multiply and sum over axes; `contract` and `batch` are (axes of a, axes of b)."""
    if a.aval.dtype.kind == "b":
        a, b = (convert_element_type(v, np.int32) for v in (a, b))
        out = _multiplied("dot", a, b, contract, batch, *how)
        return out if how[1] is not None else convert_element_type(out, np.bool_)
    return _multiplied("dot", a, b, contract, batch, *how)


def _times(a: Any, b: Any, how: Any) -> Any:
    """Multiply with a number, in the dtype that is asked for."""
    return (
        a * b
        if how[1] is None
        else convert_element_type(a, how[1]) * convert_element_type(b, how[1])
    )


def _mismatch(name: str, a: Any, b: Any, why: str) -> Exception:
    return with_user_line(ValueError(f"{name}: shapes {a.shape} and {b.shape} do not fit: {why}"))


def _at_once(product: Any, a: Any, b: Any) -> Any:
    """Multiply two host Arrays with NumPy, the short way; return None for the long way."""
    if type(a) is Array and type(b) is Array and state.trace.eager:
        x, y = a._np, b._np
        if x is not None and y is not None and x.dtype is y.dtype and x.dtype in _FAST:
            try:
                return Array(product(x, y), a.weak_type and b.weak_type)
            except ValueError:
                return None  # the long way explains it
    return None


def matmul(
    a: Any,
    b: Any,
    *,
    precision: Any = None,
    preferred_element_type: Any = None,
    out_sharding: Any = None,
) -> Any:
    """Return `a @ b`: the matrix product over the last two axes; axes in front broadcast.

    Examples:
        >>> import diffeo as dx
        >>> matmul(dx.numpy.eye(2), dx.numpy.array([1.0, 2.0]))
        Array([1., 2.])
    """
    if out_sharding is not None:
        raise no_sharding("matmul", out_sharding)
    how = _how("matmul", precision, preferred_element_type)
    if how is _PLAIN and isinstance(a, Value) and isinstance(b, Value):
        quick = _at_once(np.matmul, a, b)
        if quick is not None:
            return quick
        u, v = a.aval, b.aval
        alike = u.dtype is v.dtype and u.dtype in _FAST and u.ndim == v.ndim == 2
        if alike and u.shape[1] == v.shape[0]:
            return _MATRIX_PRODUCT.bind(a, b)
    a, b = same_dtype(a, b)
    if not a.ndim or not b.ndim:
        raise _mismatch("matmul", a, b, "both need an axis; use * for numbers")
    k = a.shape[-1]
    if k != b.shape[max(b.ndim - 2, 0)]:
        raise _mismatch(
            "matmul",
            a,
            b,
            f"the last axis of the first has size {k}, the axis of the "
            f"second that it meets {b.shape[max(b.ndim - 2, 0)]}",
        )
    if (a.ndim <= 2 and b.ndim <= 2) or b.ndim == 1:
        return _contract(a, b, ((a.ndim - 1,), (max(b.ndim - 2, 0),)), how=how)
    # The product of a stack with a single matrix or vector is one contraction, too.
    if b.ndim == 2:
        return _contract(a, b, ((a.ndim - 1,), (0,)), how=how)
    if a.ndim == 1:
        return _contract(a, b, ((0,), (b.ndim - 2,)), how=how)
    batch = broadcast_shapes(a.shape[:-2], b.shape[:-2])
    n = len(batch)
    a = broadcast_to(a, batch + a.shape[-2:])
    b = broadcast_to(b, batch + b.shape[-2:])
    return _contract(a, b, ((n + 1,), (n,)), (range(n), range(n)), how)


def dot(
    a: Any,
    b: Any,
    *,
    precision: Any = None,
    preferred_element_type: Any = None,
    out_sharding: Any = None,
) -> Any:
    """Sum over the last axis of `a` and the last but one of `b` (the only one of a vector)."""
    if out_sharding is not None:
        raise no_sharding("dot", out_sharding)
    how = _how("dot", precision, preferred_element_type)
    quick = _at_once(np.dot, a, b) if how is _PLAIN else None
    if quick is not None:
        return quick
    a, b = same_dtype(a, b)
    if not a.ndim or not b.ndim:
        return _times(a, b, how)
    axis = max(b.ndim - 2, 0)
    if a.shape[-1] != b.shape[axis]:
        raise _mismatch(
            "dot",
            a,
            b,
            f"axis {a.ndim - 1} of the first meets axis {axis} of the "
            f"second; the sizes {a.shape[-1]} and {b.shape[axis]} differ",
        )
    return _contract(a, b, ((a.ndim - 1,), (axis,)), how=how)


def vdot(a: Any, b: Any, *, precision: Any = None, preferred_element_type: Any = None) -> Any:
    """Return the dot product of the flat arrays, the first one conjugated."""
    a, b = arr(a), arr(b)
    return dot(
        conj(reshape(a, (a.size,))),
        reshape(b, (b.size,)),
        precision=precision,
        preferred_element_type=preferred_element_type,
    )


def vecdot(
    x1: ArrayLike,
    x2: ArrayLike,
    /,
    *,
    axis: int = -1,
    precision: Any = None,
    preferred_element_type: Any = None,
) -> Any:
    """Return the dot product along one axis, the first operand conjugated; other axes broadcast."""
    how = _how("vecdot", precision, preferred_element_type)
    a, b = same_dtype(x1, x2)
    a, b = (moveaxis(v, axis, -1) for v in (a, b))
    if a.shape[-1] != b.shape[-1]:
        raise _mismatch("vecdot", a, b, f"the sizes along axis {axis} differ")
    shape = broadcast_shapes(a.shape, b.shape)
    n = len(shape) - 1
    return _contract(
        conj(broadcast_to(a, shape)),
        broadcast_to(b, shape),
        ((n,), (n,)),
        (range(n), range(n)),
        how,
    )


def matvec(x1: ArrayLike, x2: ArrayLike, /) -> Any:
    """Multiply matrices (..., m, n) and vectors (..., n); the axes in front broadcast.

    Raises:
        ValueError: for shapes that do not fit.

    Examples:
        >>> import diffeo as dx
        >>> matvec(dx.numpy.eye(2), dx.numpy.array([[1.0, 2.0], [3.0, 4.0]]))
        Array([[1., 2.],
               [3., 4.]])
    """
    a, x = same_dtype(x1, x2)
    if a.ndim < 2 or not x.ndim:
        raise _mismatch("matvec", a, x, "expects matrices (..., m, n) and vectors (..., n)")
    out = matmul(a, reshape(x, (*x.shape, 1)))
    return reshape(out, out.shape[:-1])


def vecmat(x1: Any, x2: ArrayLike, /) -> Any:
    """Multiply vectors (..., m), conjugated, and matrices (..., m, n); axes in front broadcast.

    Raises:
        ValueError: for shapes that do not fit.

    Examples:
        >>> import diffeo as dx
        >>> vecmat(dx.numpy.array([1j, 1.0]), dx.numpy.eye(2))
        Array([0.-1.j, 1.+0.j])
    """
    x, a = same_dtype(x1, x2)
    if a.ndim < 2 or not x.ndim:
        raise _mismatch("vecmat", x, a, "expects vectors (..., m) and matrices (..., m, n)")
    out = matmul(reshape(conj(x), (*x.shape[:-1], 1, x.shape[-1])), a)
    return reshape(out, (*out.shape[:-2], out.shape[-1]))


def inner(a: Any, b: Any, *, precision: Any = None, preferred_element_type: Any = None) -> Any:
    """Sum over the last axes of both."""
    how = _how("inner", precision, preferred_element_type)
    quick = _at_once(np.inner, a, b) if how is _PLAIN else None
    if quick is not None:
        return quick
    a, b = same_dtype(a, b)
    if not a.ndim or not b.ndim:
        return _times(a, b, how)
    if a.shape[-1] != b.shape[-1]:
        raise _mismatch("inner", a, b, "the last axes must have equal sizes")
    return _contract(a, b, ((a.ndim - 1,), (b.ndim - 1,)), how=how)


def outer(a: Any, b: Any, out: Any = None) -> Any:
    """Return every product of an element of `a` and one of `b`: a matrix."""
    if out is not None:
        raise no_out("outer")
    quick = _at_once(np.outer, a, b)
    if quick is not None:
        return quick
    a, b = same_dtype(a, b)
    return outer_p(reshape(a, (a.size,)), reshape(b, (b.size,)))


def tensordot(
    a: Any,
    b: Any,
    axes: Any = 2,
    *,
    precision: Any = None,
    preferred_element_type: Any = None,
    out_sharding: Any = None,
) -> Any:
    """Sum over pairs of axes: the last `axes` of `a` and the first of `b`, or two lists of axes."""
    if out_sharding is not None:
        raise no_sharding("tensordot", out_sharding)
    how = _how("tensordot", precision, preferred_element_type)
    a, b = same_dtype(a, b)
    if isinstance(axes, (tuple, list)):
        left, right = (x if isinstance(x, (tuple, list)) else (x,) for x in axes)
        left = tuple([axis_of(i, a.ndim, "tensordot") for i in left])
        right = tuple([axis_of(i, b.ndim, "tensordot") for i in right])
    else:
        n = static_int(axes, "tensordot", "axes")
        left, right = tuple(range(a.ndim - n, a.ndim)), tuple(range(n))
        if n > min(a.ndim, b.ndim):
            raise _mismatch("tensordot", a, b, f"there are no {n} axes to sum over")
    if [a.shape[i] for i in left] != [b.shape[i] for i in right]:
        raise _mismatch("tensordot", a, b, f"the sizes of axes {left} and {right} differ")
    return _contract(a, b, (left, right), how=how)


def kron(a: Any, b: Any) -> Any:
    """Return the Kronecker product: blocks of `b`, each times an element of `a`."""
    a, b = same_dtype(a, b)
    # Each pair of axes becomes (m, 1) and (1, n); the broadcast product (m, n) is joined to m * n.
    n = max(a.ndim, b.ndim)
    left, right = ((1,) * (n - x.ndim) + x.shape for x in (a, b))
    wide = reshape(a, tuple([s for m in left for s in (m, 1)]))
    narrow = reshape(b, tuple([s for m in right for s in (1, m)]))
    return reshape(wide * narrow, tuple([i * j for i, j in zip(left, right)]))


def cross(
    a: Any, b: Any, axisa: int = -1, axisb: int = -1, axisc: int = -1, axis: int | None = None
) -> Any:
    """Return the vector product of vectors of 3 elements (the last component only, of 2)."""
    if axis is not None:
        axisa = axisb = axisc = axis
    a, b = same_dtype(a, b)
    a, b = moveaxis(a, axisa, -1), moveaxis(b, axisb, -1)
    if a.shape[-1] not in (2, 3) or b.shape[-1] not in (2, 3):
        raise _mismatch("cross", a, b, "vectors need 2 or 3 elements")
    x, y = (unstack(v, axis=-1) for v in (a, b))
    last = x[0] * y[1] - x[1] * y[0]
    if len(x) == 2 and len(y) == 2:
        return last
    x2, y2 = x[2] if len(x) == 3 else 0, y[2] if len(y) == 3 else 0
    return moveaxis(stack([x[1] * y2 - x2 * y[1], x2 * y[0] - x[0] * y2, last], -1), -1, axisc)

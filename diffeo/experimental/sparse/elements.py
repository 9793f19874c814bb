"""Operators of `BCOO`, and what is done to each element: its base class."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from ... import numpy as dnp
from ...primitives.core import with_user_line
from . import products, shaping
from .base import JAXSparse, Shape, refuse
from .layout import sum_duplicates, todense, update_layout


class Elements(JAXSparse):
    """A sparse array with operators, in the layout of `layout.py`."""

    data: Any
    indices: Any
    indices_sorted: bool
    unique_indices: bool
    replaced: Callable[..., Any]
    n_batch: Any
    n_sparse: Any
    n_dense: Any

    def mapped(self, fun: Callable[[Any], Any], linear: bool = False) -> Any:
        """Apply a function with f(0) = 0 to each element. Unless it is linear, elements with the
        same indices are summed before; so it takes a sparse array with unique indices, or known
        ones.
        """
        mat = self if linear or self.unique_indices else sum_duplicates(self, self.nse, "BCOO")
        return mat.replaced(
            fun(mat.data), mat.indices,
            indices_sorted=mat.indices_sorted, unique_indices=mat.unique_indices,
        )  # fmt: skip

    def astype(self, dtype: Any) -> Any:
        """Return the array with elements of another dtype."""
        return self.mapped(lambda x: x.astype(dtype), linear=dnp.issubdtype(dtype, np.inexact))

    def reshape(self, *shape: Any) -> Any:
        """Return the array in another shape."""
        sizes = shape[0] if len(shape) == 1 and isinstance(shape[0], (tuple, list)) else shape
        return shaping.reshape(self, sizes)

    def sum(self, axis: Any = None, dtype: Any = None, keepdims: bool = False) -> Any:
        """Return the sum over axes, by default over all: a sparse array, and a dense scalar where
        no axis is left.
        """
        axes = range(self.ndim) if axis is None else [axis] if isinstance(axis, int) else axis
        axes = [a % self.ndim for a in axes]
        mat = self if dtype is None else self.astype(dtype)
        out = products.reduce_sum(mat, axes)
        if not out.shape and not keepdims:
            return todense(out)
        if keepdims:
            out = shaping.reshape(out, [1 if a in axes else n for a, n in enumerate(self.shape)])
        return out

    def __abs__(self) -> Any:
        return self.mapped(dnp.abs)

    def __neg__(self) -> Any:
        return self.mapped(dnp.negative, linear=True)

    def __pos__(self) -> Any:
        return self

    def __pow__(self, n: Any) -> Any:
        if not dnp.isscalar(n) or n <= 0:
            raise refuse("BCOO.__pow__", f"an exponent of a sparse array is positive, got {n!r}")
        return self.mapped(lambda x: x**n)

    def __mul__(self, other: Any) -> Any:
        if isinstance(other, Elements):
            return products.multiply_sparse(self, other)
        if isinstance(other, JAXSparse):
            return NotImplemented
        wide = np.broadcast_shapes(self.shape, dnp.shape(other))
        mat = self
        if wide != self.shape:
            extra = len(wide) - self.ndim
            mat = shaping.broadcast_in_dim(self, wide, range(extra, len(wide)))
        return mat.replaced(
            products.multiply_dense(mat, other), mat.indices,
            indices_sorted=mat.indices_sorted, unique_indices=mat.unique_indices,
        )  # fmt: skip

    __rmul__ = __mul__

    def __truediv__(self, other: Any) -> Any:
        if isinstance(other, JAXSparse):
            raise self.missing("division by a sparse array, whose quotients of zeros are nan")
        return self * (1.0 / dnp.asarray(other))

    def __matmul__(self, other: Any) -> Any:
        if isinstance(other, JAXSparse) and not isinstance(other, Elements):
            return NotImplemented
        return matmul(self, other)

    def __rmatmul__(self, other: Any) -> Any:
        return matmul(other, self)

    def __add__(self, other: Any) -> Any:
        if isinstance(other, JAXSparse) and not isinstance(other, Elements):
            return NotImplemented
        if not isinstance(other, Elements):
            raise self.missing("sum with a dense array, which would be dense")
        return add(self, other)

    __radd__ = __add__

    def __sub__(self, other: Any) -> Any:
        return self + (-other)

    def __rsub__(self, other: Any) -> Any:
        return (-self) + other

    def __getitem__(self, item: Any) -> Any:
        return take(self, item)

    def __iter__(self) -> Iterator[Any]:
        return iter([self[i] for i in range(self.shape[0])])

    def __len__(self) -> int:
        return self.shape[0]

    def __float__(self) -> float:
        raise self.missing("value as a number")


def matmul(a: Any, b: Any) -> Any:
    """Return the matrix product, as `numpy.matmul`; batch axes are those of the layout."""
    sparse = [isinstance(x, Elements) for x in (a, b)]
    a, b = (x if flag else dnp.asarray(x) for x, flag in zip((a, b), sparse))
    if not a.ndim or not b.ndim:
        raise refuse("matmul", "operands must have axes, got a scalar; use *")
    inner = a.ndim - 1, max(b.ndim - 2, 0)
    if a.shape[inner[0]] != b.shape[inner[1]]:
        raise refuse("matmul", f"shapes {a.shape} and {b.shape} do not fit")
    count = min(a.ndim, b.ndim) - 2
    if a.ndim > 2 and b.ndim > 2:
        batch = np.broadcast_shapes(a.shape[:-2], b.shape[:-2])
        a, b = (_with_batch(x, batch) for x in (a, b))
        count = len(batch)
        inner = a.ndim - 1, b.ndim - 2
    count = max(count, 0)
    numbers = ((inner[0],), (inner[1],)), (tuple(range(count)), tuple(range(count)))
    if all(sparse):
        out = products.dot_sparse(a, b, numbers, None)
        free = b.ndim - count - 1
    elif sparse[0]:
        out, free = products.dot_dense(a, b, numbers, None), b.ndim - count - 1
    else:
        out, free = products.dense_dot(a, b, numbers, None), b.ndim - count - 1
    if (a.ndim == 2 and b.ndim > 2) or (a.ndim == 1 and b.ndim > 2):
        # The axes of b in front of its matrices come first in the result.
        lead = out.ndim - free
        order = [*range(lead, out.ndim - 1), *range(lead), out.ndim - 1]
        out = shaping.transpose(out, order) if all(sparse) else out.transpose(order)
    return out


def _with_batch(x: Any, batch: Shape) -> Any:
    """Return an operand of `matmul` with batch axes of these sizes."""
    shape = (*batch, *x.shape[-2:])
    if not isinstance(x, Elements):
        return dnp.broadcast_to(x, shape)
    x = update_layout(x, n_batch=x.ndim - 2, n_dense=0)
    if x.shape != shape:
        x = shaping.broadcast_in_dim(x, shape, range(len(shape) - x.ndim, len(shape)))
    return update_layout(x, n_batch=len(batch))


def add(a: Any, b: Any) -> Any:
    """Return the sum of sparse arrays of one shape: the elements of both."""
    wide = np.broadcast_shapes(a.shape, b.shape)
    a, b = (
        x if x.shape == wide
        else shaping.broadcast_in_dim(x, wide, range(len(wide) - x.ndim, len(wide)))
        for x in (a, b)
    )  # fmt: skip
    n_batch, n_dense = min(a.n_batch, b.n_batch), min(a.n_dense, b.n_dense)
    a, b = (update_layout(x, n_batch, n_dense) for x in (a, b))
    data, indices = (
        dnp.concatenate(pair, n_batch) for pair in zip(*[_spread_with(x, (a, b)) for x in (a, b)])
    )
    return a.replaced(data, indices, wide)


def _spread_with(x: Any, both: Sequence[Any]) -> tuple[Any, Any]:
    batch, n = x.shape[: x.n_batch], x.n_batch
    dtype = dnp.result_type(*[m.dtype for m in both])
    index = dnp.result_type(*[m.indices.dtype for m in both])
    data = dnp.broadcast_to(x.data, (*batch, *x.data.shape[n:])).astype(dtype)
    indices = dnp.broadcast_to(x.indices, (*batch, *x.indices.shape[n:])).astype(index)
    return data, indices


def take(mat: Any, item: Any) -> Any:
    """Return a part of a sparse array, by integers, slices, Ellipsis and None."""
    items = list(item) if isinstance(item, tuple) else [item]
    if any([i is Ellipsis for i in items]):
        place = [i is Ellipsis for i in items].index(True)
        named = len([i for i in items if i is not None]) - 1
        items[place : place + 1] = [slice(None)] * (mat.ndim - named)
    named = len([i for i in items if i is not None])
    if named > mat.ndim:
        raise with_user_line(IndexError(f"{named} indices for {mat!r}"))
    items += [slice(None)] * (mat.ndim - named)
    starts: list[Any] = []
    sizes, reverse, steps, gone, shape = [], [], [], [], []
    for n, i in zip(mat.shape, [i for i in items if i is not None]):
        axis = len(starts)
        if isinstance(i, slice):
            span = range(n)[i]
            if span.step < 0:
                reverse.append(axis)
                span = span[::-1]
            starts.append(span.start if len(span) else 0)
            sizes.append(span[-1] + 1 - span[0] if len(span) else 0)
            steps.append(abs(span.step))
        elif dnp.ndim(i) == 0 and dnp.issubdtype(dnp.result_type(i), np.integer):
            if isinstance(i, (int, np.integer)) and not -n <= i < n:
                raise with_user_line(
                    IndexError(f"index {i} is out of bounds for axis {axis} with size {n}")
                )
            starts.append(i % n if isinstance(i, (int, np.integer)) else i)
            sizes.append(1)
            steps.append(1)
            gone.append(axis)
        else:
            raise mat.missing(f"index of the kind of {type(i).__name__}")
    if all([isinstance(s, (int, np.integer)) for s in starts]):
        limits = [s + n for s, n in zip(starts, sizes)]
        out = shaping.slice_(mat, starts, limits, steps)
    else:
        out = shaping.dynamic_slice(mat, starts, sizes)
        out = shaping.slice_(out, [0] * mat.ndim, sizes, steps)
    out = shaping.squeeze(shaping.rev(out, reverse) if reverse else out, gone)
    if None in items:
        axis, places = 0, []
        for i in items:
            if i is None:
                shape.append(1)
            elif isinstance(i, slice):
                places.append(len(shape))
                shape.append(out.shape[axis])
                axis += 1
        out = shaping.broadcast_in_dim(out, shape, places)
    return out

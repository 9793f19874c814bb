"""Operators on vector fields and along directions.

Here are the divergence, the curl, directional derivatives, and the Laplacian weighted by a matrix.
A vector field is a function of an array that returns an array of the same shape.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from .. import random
from ..api.derivatives.autodiff import linearize
from ..api.derivatives.jacobians import jacfwd
from ..api.derivatives.jets import check_order, taylor
from ..api.vmap import vmap
from ..numpy.joining import concatenate, stack
from ..numpy.making.creation import asarray
from ..numpy.reducing.reductions import sum as sum_
from ..primitives.array import Array
from ..primitives.core import Value, describe, typeof, with_user_line
from ..primitives.words.structural import reshape
from ..trees import tree
from ..trees.arguments import check_callable
from .operators import checked
from .point import Family, Point, of_points, sum_of_chunks


def divergence(
    fun: Callable,
    argnums: int = 0,
    *,
    directions: Any = "exact",
    key: Any = None,
    chunk: int | None = None,
) -> Callable:
    """Return a function that computes the divergence of a vector field.

    The divergence is the trace of the field's Jacobian.

    Args:
        fun: a function of a real array that returns an array of the same shape.
        argnums: the position of the argument to differentiate by.
        directions: "exact", or the number of random directions (signs) of Hutchinson's estimator.
        key: a key of `dx.random`, for random directions.
        chunk: how many directions are computed at a time, to save memory.

    Returns:
        A function with the arguments of `fun` that returns a scalar.

    Raises:
        TypeError: (when called) if the result does not have the shape of the argument.
        TypeError, ValueError: as for `laplacian`.

    Examples:
        >>> import diffeo as dx
        >>> divergence(lambda x: x ** 2)(dx.numpy.array([1.0, 2.0]))
        Array(6.)
    """
    setting = checked("divergence", directions, key, chunk)

    def compute(point: Point, args: tuple) -> Any:
        x = point.must_be_array()
        _, push = linearize(lambda x: _field(point, x), x)
        if setting.exact:
            rows, count = asarray(np.eye(point.size), x.dtype), 1
        else:
            count = setting.directions
            rows = random.rademacher(setting.key, (count, point.size), x.dtype)
        # The trace is the sum of v . J v over an orthonormal basis, or the mean over random signs
        # v.
        along = lambda v: sum_(v * reshape(push(reshape(v, x.shape)), (point.size,)))
        several = lambda part: sum_(vmap(along)(part))
        total = sum_of_chunks(several, rows, setting.chunk)
        return total if count == 1 else total / count

    return of_points("divergence", fun, argnums, compute)


def _field(point: Point, x: Value) -> Any:
    """Return the value of a vector field; TypeError if its shape is not that of its argument."""
    outs = point.flat(x)
    if len(outs) != 1 or typeof(outs[0]).shape != x.shape:
        result = point.result([typeof(o) for o in outs])
        raise with_user_line(
            TypeError(
                f"{point.what}: expects a vector field, a function that returns an array of the "
                f"shape of its argument, {x.shape}; it returned {result}"
            )
        )
    return outs[0]


def curl(fun: Callable, argnums: int = 0) -> Callable:
    """Return a function that computes the curl of a vector field in space, or in the plane.

    In the plane, the curl is a scalar.

    Args:
        fun: a function of a real vector of 3 (or 2) elements that returns such a vector.
        argnums: the position of the argument to differentiate by.

    Returns:
        A function with the arguments of `fun` that returns a vector of 3 elements (or a scalar).

    Raises:
        TypeError: (when called) for another shape of the argument or the result.

    Examples:
        >>> import diffeo as dx
        >>> curl(lambda x: dx.numpy.stack([x[2], x[0], x[1]]))(dx.numpy.array([1.0, 2.0, 3.0]))
        Array([1., 1., 1.])
        >>> curl(lambda x: dx.numpy.stack([-x[1], x[0]]))(dx.numpy.array([1.0, 2.0]))
        Array(2.)
    """

    def compute(point: Point, args: tuple) -> Any:
        x = point.must_be_array(ndim=1)
        if x.size not in (2, 3):
            raise with_user_line(
                TypeError(f"{point.what}: expects a vector of 3 or 2 elements, got {describe(x)}")
            )
        j = jacfwd(lambda x: _field(point, x))(x)  # j[a, b]: component a by coordinate b
        turn = lambda a, b: j[b, a] - j[a, b]
        return turn(0, 1) if x.size == 2 else stack([turn(1, 2), turn(2, 0), turn(0, 1)])

    return of_points("curl", fun, argnums, compute)


def directional(fun: Callable, direction: Any, order: int = 1, argnums: int = 0) -> Callable:
    """Return a function that computes the n-th derivative along a direction v.

    This is d^n/dt^n f(x + t v) at t = 0.

    Args:
        fun: a function of arrays or trees that returns an array or a tree of them.
        direction: v, of the structure, shapes and dtypes of the argument; not normalised.
        order: n, >= 0.
        argnums: the position of the argument that moves.

    Returns:
        A function with the arguments of `fun` that returns a tree like its result.

    Raises:
        ValueError: for a negative order.
        TypeError: (when called) if the direction does not fit the argument.

    Examples:
        >>> import diffeo as dx
        >>> f = lambda x: x[0] ** 2 * x[1]
        >>> v = dx.numpy.array([1.0, 1.0])
        >>> directional(f, v, order=3)(dx.numpy.array([1.0, 2.0]))
        Array(6.)
    """
    check_callable(fun, "directional")
    check_order("directional", order)

    def compute(point: Point, args: tuple) -> Any:
        (x,) = tree.unflatten(point.structure, point.values)
        along = lambda x: point.result(point.flat(*tree.leaves((x,))))
        outs = taylor(along, (x,), (direction,), order)
        factor = float(math.factorial(order))
        return outs[order] if order < 2 else tree.map(lambda c: c * factor, outs[order])

    return of_points("directional", fun, argnums, compute)


def weighted_laplacian(
    fun: Callable, weight: Any, argnums: int = 0, *, chunk: int | None = None
) -> Callable:
    """Return a function that computes div(A grad f), the operator of diffusion in a medium.

    Args:
        fun: a function of a real vector of n elements that returns an array or a tree of them.
        weight: A: a number, a vector of n elements (the diagonal) or an n x n matrix; or a
            function with the positional arguments of `fun` that returns one of these, whose
            derivative is part of the result.
        argnums: the position of the argument to differentiate by.
        chunk: how many directions are computed at a time, to save memory.

    Returns:
        A function with the arguments of `fun` that returns a tree like its result. A constant
        matrix costs what the Laplacian does; one that is traced twice that.

    Raises:
        TypeError: (when called) if the argument is no vector, or A has another shape.

    Examples:
        >>> import diffeo as dx
        >>> f = lambda x: dx.numpy.sum(x ** 3)
        >>> weighted_laplacian(f, [1.0, 10.0])(dx.numpy.array([1.0, 2.0]))
        Array(126.)
        >>> weighted_laplacian(f, lambda x: x[0])(dx.numpy.array([1.0, 2.0]))
        Array(21.)
    """
    setting = checked("weighted_laplacian", "exact", None, chunk)

    def compute(point: Point, args: tuple) -> Any:
        point.must_be_array(ndim=1)
        a = asarray(weight(*args) if callable(weight) else weight)
        shape, n = a.shape, point.size
        if shape not in ((), (n,), (n, n)):
            raise with_user_line(
                TypeError(
                    f"{point.what}: the weight is a number, a vector of {n} elements or a matrix "
                    f"of {n} x {n}, got shape {shape}"
                )
            )
        # The product rule: sum_ij A_ij d_i d_j f, and, where A varies, sum_j (sum_i d_i A_ij) d_j
        # f.
        _, total = point.sums(_of_matrix(a, n), setting.chunk)
        if callable(weight):
            change = jacfwd(weight, argnums)(*args)
            if shape:  # entry (i, ..., i) is row i of A, differentiated by x_i
                change = stack([change[i, ..., i] for i in range(n)])
                change = change if len(shape) == 1 else sum_(change, 0)
            _, drift = point.sums(Family(1, reshape(change, (1, n))))
            total = [t + d for t, d in zip(total, drift)]
        return point.result(total)

    return of_points("weighted_laplacian", fun, argnums, compute)


def _of_matrix(a: Value, n: int) -> Family:
    """Return the family whose sum of second coefficients is sum_ij a_ij d_i d_j f.

    `a` is a number, a vector (the diagonal) or an n x n matrix. A second derivative is twice its
    Taylor coefficient, so the weights contain a factor of 2.
    """
    eye = np.eye(n)
    if a.ndim < 2:
        return Family(2, eye, a * np.full(n, 2.0))
    if type(a) is Array:
        # Second derivatives are symmetric, so only the symmetric part of the matrix matters; along
        # its eigenvectors, no mixed derivatives are left.
        matrix = np.asarray(a)
        values, vectors = np.linalg.eigh((matrix + matrix.T) / 2)
        return Family(2, vectors.T, 2 * values)
    # The entries are traced, so there are no eigenvectors. For row a and unit vector e, the mixed
    # derivative along both is a e = ((a + e)**2 - (a - e)**2) / 4: twice as many directions.
    both = concatenate([a + eye, a - eye])
    return Family(2, both, np.repeat([0.5, -0.5], n))

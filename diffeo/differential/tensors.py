"""All partial derivatives of one order, from Taylor series along a lattice of directions.

The method is from Griewank, Utke and Walther 2000, "Evaluating higher derivative tensors by forward
propagation of univariate Taylor series": mixed derivatives of order d are combinations of the d-th
coefficients along directions with whole numbers as components that sum to d.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from functools import lru_cache
from typing import Any

import numpy as np

from ..api.derivatives.jets import check_order
from ..numpy.making.creation import asarray
from ..primitives.words.structural import convert_element_type, reshape
from .point import Point, of_points


def derivative_tensor(fun: Callable, order: int, argnums: int = 0) -> Callable:
    """Return a function that computes all partial derivatives of one order.

    They make up a symmetric tensor: the gradient, the Hessian, and so on.

    Args:
        fun: a function of a real array x that returns an array or a tree of arrays.
        order: d, >= 0.
        argnums: the position of the argument to differentiate by.

    Returns:
        A function with the arguments of `fun` that returns, for each array of the result, one
        with the axes of x behind its own, d times. For n elements, C(n + d - 1, d) series of order
        d are computed, one for each derivative that differs from the others.

    Raises:
        ValueError: for a negative order.
        TypeError: (when called) if the argument is not one real floating-point array.

    Examples:
        >>> import diffeo as dx
        >>> f = lambda x: x[0] ** 2 * x[1]
        >>> third = derivative_tensor(f, 3)(dx.numpy.array([1.0, 2.0]))
        >>> third.shape, float(third[0, 0, 1])
        ((2, 2, 2), 2.0)
    """
    check_order("derivative_tensor", order)

    def compute(point: Point, args: tuple) -> Any:
        x = point.must_be_array()
        if order == 0:
            return point.result(point.flat(x))
        lattice, weights, numbers = _lattice(point.size, order)
        series = point.coefficients(asarray(lattice), order)
        tensors = []
        for c in series:
            # From coefficients (directions, ...) to derivatives (entries, ...), one for each entry
            # of the tensor; then the entries become the last axes: (..., n, n, ...).
            rows = convert_element_type(asarray(weights), c.dtype)[numbers]
            tensor = rows @ reshape(c, (c.shape[0], math.prod(c.shape[1:])))
            shape = (*tensor.shape[:-1], *c.shape[1:])
            derivatives = reshape(tensor, shape).transpose(*range(1, c.ndim), 0)
            tensors.append(reshape(derivatives, (*c.shape[1:], *x.shape * order)))
        return point.result(tensors)

    return of_points("derivative_tensor", fun, argnums, compute)


@lru_cache(maxsize=64)
def _lattice(n: int, d: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the directions, and how derivatives follow from coefficients along them.

    The directions are all vectors of n whole numbers >= 0 with the sum d, divided by d. For n = 2
    and d = 2 there are three: (2, 0), (1, 1) and (0, 2), each divided by 2.

    Returns:
        The directions, as rows; a matrix that takes coefficients d along them to the derivatives
        that differ; and for each entry of the tensor, which of these derivatives it is.
    """
    chosen = list(itertools.combinations_with_replacement(range(n), d))
    lattice = np.zeros((len(chosen), n))
    for row, indices in zip(lattice, chosen):
        np.add.at(row, list(indices), 1.0)
    # Row j of `powers` takes derivatives to coefficients: coefficient d along v = j / d is the sum
    # over i of prod_k v_k**i_k / i_k! times derivative i. Its inverse is what is wanted.
    factorials = np.array([math.prod(math.factorial(int(k)) for k in row) for row in lattice])
    powers = np.prod((lattice[:, None, :] / d) ** lattice[None, :, :], -1) / factorials
    number = {indices: i for i, indices in enumerate(chosen)}
    entries = [number[tuple(sorted(p))] for p in itertools.product(range(n), repeat=d)]
    return lattice / d, np.linalg.inv(powers), np.array(entries)

"""Laplacian, bilaplacian, and any linear differential operator, without Hessians.

Each is a weighted sum of derivatives along directions, computed by collapsed Taylor mode: exact,
over all directions that the operator needs, or stochastic, over a few that are drawn at random.

`laplacian` is the model for the others: build a `Family` of directions, let the `Point` sum the
coefficients along them, multiply by a factor, restore the tree.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from .. import random
from ..primitives.core import Value, describe, with_user_line
from ..trees.arguments import WRAPPED
from .algebra import Operator, check_operator
from .families import families_of
from .point import Family, Point, of_points


class Setting(NamedTuple):
    """A choice of directions: all, or some drawn at random.

    `directions` is "exact", or how many random directions are drawn with the key `key`. `chunk` is
    how many are computed at a time (None: all at once).
    """

    directions: Any
    key: Any
    chunk: int | None

    @property
    def exact(self) -> bool:
        """Whether nothing is drawn."""
        return self.directions == "exact"


def checked(what: str, directions: Any, key: Value | None, chunk: int | None) -> Setting:
    """Return the arguments as a `Setting`.

    Raises:
        ValueError: for a wrong number of directions or a wrong chunk.
        TypeError: for random directions without a key, or a key without random directions.
    """
    count = isinstance(directions, int) and not isinstance(directions, bool)
    if directions != "exact" and not (count and directions > 0):
        raise with_user_line(
            ValueError(
                f'{what}: directions is "exact" or a number of random directions >= 1, got '
                f"{describe(directions)}"
            )
        )
    if count != (key is not None):
        raise with_user_line(
            TypeError(
                f"{what}: random directions need a key, directions=8, key=dx.random.key(0), and "
                f"exact ones none; got directions={directions!r} and "
                f"{'no key' if key is None else 'a key'}"
            )
        )
    whole = isinstance(chunk, int) and not isinstance(chunk, bool) and chunk > 0
    if chunk is not None and not whole:
        raise with_user_line(
            ValueError(
                f"{what}: chunk is a number of directions >= 1 or None, got {describe(chunk)}"
            )
        )
    return Setting(directions, key, chunk)


def _times(outs: Sequence[Any], factor: float) -> list[Any]:
    return [o * factor for o in outs]


# --------------------------------------------------------------------------------------------------


#: The distributions from which random directions are drawn, by their names. Both have mean 0 and
#: the identity as covariance, which makes the mean of v . H v the trace of H.
SAMPLES = {
    "rademacher": random.rademacher,
    "normal": random.normal,
}


def laplacian(
    fun: Callable,
    argnums: int | Sequence[int] = 0,
    *,
    directions: Any = "exact",
    key: Any = None,
    sampling: str = "rademacher",
    chunk: int | None = None,
) -> Callable:
    """Return a function that computes the Laplacian.

    The Laplacian is the sum of the second derivatives by each element of the argument.

    Args:
        fun: a function of real arrays or trees that returns an array or a tree of them.
        argnums: which positional arguments to differentiate by; the others are anything.
        directions: "exact", or the number of random directions of an estimator without bias.
        key: a key of `dx.random`, for random directions. (In training, a new one at each step.)
        sampling: how directions are drawn: "rademacher" (signs; Hutchinson 1990), "normal", or
            "coordinates" (that many different elements; Hu et al. 2024, STDE).
        chunk: how many directions are computed at a time, to save memory; all, by default.

    Returns:
        A function with the arguments of `fun` that returns a tree like its result. For n elements,
        the cost is about that of n + 2 evaluations.

    Raises:
        TypeError: for a key without random directions, or without a key; (when called) for
            arguments that are not real floating-point arrays.
        ValueError: for a wrong number of directions, a wrong chunk, an unknown sampling.

    Examples:
        >>> import diffeo as dx
        >>> f = lambda x: dx.numpy.sum(x ** 3)
        >>> laplacian(f)(dx.numpy.array([1.0, 2.0]))
        Array(18.)
    """
    setting = checked("laplacian", directions, key, chunk)
    if sampling not in (*SAMPLES, "coordinates"):
        raise with_user_line(
            ValueError(
                f"laplacian: sampling is one of {[*SAMPLES, 'coordinates']}, got {sampling!r}"
            )
        )

    def compute(point: Point, args: tuple) -> Any:
        # A second derivative is twice the Taylor coefficient. Random directions are averaged; of
        # coordinates, the average is multiplied by their number.
        family, factor = Family(2, point.size), 2.0
        if not setting.exact and sampling == "coordinates":
            chosen = _some(setting, point.size, "laplacian")
            family = family.rows(lambda x: x[chosen])
            factor *= point.size / setting.directions
        elif not setting.exact:
            rows = SAMPLES[sampling](setting.key, (setting.directions, point.size))
            family, factor = Family(2, rows), 2.0 / setting.directions
        return point.result(_times(point.sums(family, setting.chunk)[1], factor))

    return of_points("laplacian", fun, argnums, compute)


def _some(setting: Setting, count: int, what: str) -> Any:
    """Draw different positions among `count` at random, as many as the setting has directions."""
    if setting.directions > count:
        raise with_user_line(
            ValueError(
                f"{what}: {setting.directions} of {count} directions cannot be chosen; take fewer, "
                'or directions="exact"'
            )
        )
    return random.permutation(setting.key, count)[: setting.directions]


class ForwardLaplacian(NamedTuple):
    """The results of one pass of `forward_laplacian`.

    The fields are trees like the function's result. In the gradient, the axes of the argument stand
    behind those of the result.
    """

    value: Any
    gradient: Any
    laplacian: Any


def forward_laplacian(fun: Callable, argnums: int = 0) -> Callable:
    """Return a function that computes value, gradient and Laplacian in one forward pass.

    The method is from Li et al. 2023, "A computational framework for neural network-based
    variational Monte Carlo with forward Laplacian".

    Args:
        fun: a function of a real array that returns an array or a tree of arrays.
        argnums: the position of the argument to differentiate by.

    Returns:
        A function with the arguments of `fun` that returns (value, gradient, laplacian), a named
        tuple.

    Raises:
        TypeError: (when called) if the argument is not one real floating-point array.

    Examples:
        >>> import diffeo as dx
        >>> f = lambda x: dx.numpy.sum(x ** 3)
        >>> forward_laplacian(f)(dx.numpy.array([1.0, 2.0]))
        ForwardLaplacian(value=Array(9.), gradient=Array([ 3., 12.]), laplacian=Array(18.))
    """

    def compute(point: Point, args: tuple) -> ForwardLaplacian:
        point.must_be_array()
        value, laplacian, gradient = point.with_gradient(Family(2, point.size))
        parts = (value, gradient, _times(laplacian, 2.0))
        return ForwardLaplacian(*[point.result(part) for part in parts])

    return of_points("forward_laplacian", fun, argnums, compute)


def bilaplacian(
    fun: Callable,
    argnums: int | Sequence[int] = 0,
    *,
    directions: Any = "exact",
    key: Any = None,
    chunk: int | None = None,
) -> Callable:
    """Return a function that computes the biharmonic operator, the Laplacian of the Laplacian.

    Args:
        fun: a function of real arrays or trees that returns an array or a tree of them.
        argnums: which positional arguments to differentiate by.
        directions: "exact", or the number of random directions of an estimator without bias (of
            normal distribution: the mean of the fourth derivative is 3 times the operator).
        key: a key of `dx.random`, for random directions.
        chunk: how many directions are computed at a time.

    Returns:
        A function with the arguments of `fun` that returns a tree like its result.

    Raises:
        TypeError, ValueError: as for `laplacian`.

    Examples:
        >>> import diffeo as dx
        >>> f = lambda x: x[0] ** 4 + x[0] ** 2 * x[1] ** 2
        >>> bilaplacian(f)(dx.numpy.array([1.0, 2.0]))
        Array(32.)
    """
    setting = checked("bilaplacian", directions, key, chunk)
    nested = laplacian(laplacian(fun, argnums, chunk=chunk), argnums, chunk=chunk)

    @functools.wraps(fun, assigned=WRAPPED)
    def at(*args: Any, **kwargs: Any) -> Any:
        point = Point("bilaplacian", fun, argnums, args, kwargs)
        # A fourth derivative is 24 times the Taylor coefficient. Of normal directions, its mean is
        # 3 times the operator; of a design, 3 / (n (n + 2)) times (see `DESIGNS`).
        if not setting.exact:
            rows = random.normal(setting.key, (setting.directions, point.size))
            family, factor = Family(4, rows), 8.0 / setting.directions
        elif point.size in DESIGNS:
            rows = DESIGNS[point.size]
            factor = 24.0 * point.size * (point.size + 2) / (3 * len(rows))
            family = Family(4, rows)
        else:
            return nested(*args, **kwargs)
        return point.result(_times(point.sums(family, setting.chunk)[1], factor))

    return at


#: The golden ratio, by which the corners of an icosahedron are written.
_G = (1 + 5**0.5) / 2
#: Unit vectors in n dimensions, one of each pair v and -v. The mean of (v . x)**4 over them is that
#: over the sphere, 3 |x|**4 / (n (n + 2)): the line, the hexagon, the icosahedron. For larger n,
#: the Laplacian of the Laplacian is cheaper than the directions of such a design.
DESIGNS = {
    1: np.ones((1, 1)),
    2: np.array([[np.cos(k * np.pi / 3), np.sin(k * np.pi / 3)] for k in range(3)]),
    3: np.array(
        [[0, 1, _G], [0, 1, -_G], [1, _G, 0], [1, -_G, 0], [_G, 0, 1], [-_G, 0, 1]]
    ) / (1 + _G * _G) ** 0.5,
}  # fmt: skip


# --------------------------------------------------------------------------------------------------


def differential_operator(
    fun: Callable,
    operator: Operator,
    argnums: int | Sequence[int] = 0,
    *,
    directions: Any = "exact",
    key: Any = None,
    chunk: int | None = None,
) -> Callable:
    """Return a function that applies a linear differential operator.

    The operator is an expression in the partial derivatives `D(i)`.

    Args:
        fun: a function of real arrays or trees that returns an array or a tree of them.
        operator: an expression of `D(i)`, numbers, and functions of the point: sums, products,
            powers. A function as a coefficient is called with the positional arguments of `fun`
            and returns a scalar; it stands before the derivatives.
        argnums: which positional arguments to differentiate by.
        directions: "exact", or how many of the directions that each degree of the operator is made
            of are drawn at random: an estimator without bias (Hu et al. 2024, STDE).
        key: a key of `dx.random`, for random directions.
        chunk: how many directions are computed at a time.

    Returns:
        A function with the arguments of `fun` that returns a tree like its result.

    Raises:
        TypeError: for an operator that is no expression in `D`; (when called) for coefficients
            that are no scalars.
        IndexError: (when called) for a `D(i)` beyond the point.
        ValueError: as for `laplacian`.

    Examples:
        >>> import diffeo as dx
        >>> f = lambda x: x[0] ** 3 * x[1]
        >>> wave = differential_operator(f, dx.D(0) ** 2 - 4 * dx.D(1) ** 2)
        >>> wave(dx.numpy.array([1.0, 2.0]))
        Array(12.)
        >>> drift = differential_operator(f, (lambda x: x[1]) * dx.D(0) * dx.D(1))
        >>> drift(dx.numpy.array([1.0, 2.0]))
        Array(6.)
    """
    setting = checked("differential_operator", directions, key, chunk)
    check_operator("differential_operator", operator)

    compute = lambda point, args: _apply(point, operator, args, setting)
    return of_points("differential_operator", fun, argnums, compute)


def _apply(point: Point, operator: Operator, args: tuple, setting: Setting) -> Any:
    """Return the sum over an operator's families, plus the value itself times its factor."""
    families, identity = families_of(point, operator, args)
    total: Any = None
    values: Any = None
    for family in families:
        # Some of the directions stand for all, so their weights grow by the ratio of the numbers.
        if not setting.exact and family.count > setting.directions:
            chosen = _some(setting, family.count, "differential_operator")
            family = family.chosen(chosen, family.count / setting.directions)
        values, *parts = point.sums(family, setting.chunk)
        for part in parts:
            total = part if total is None else [a + b for a, b in zip(total, part)]
    # `total` is None for the operator 0, whose result still needs the shapes of the value.
    if identity is not None or total is None:
        values = point.flat(*point.values) if values is None else values
        part = [v * (0.0 if identity is None else identity) for v in values]
        total = part if total is None else [a + b for a, b in zip(total, part)]
    return point.result(total)

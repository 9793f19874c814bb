"""Differential operators as expressions in `D(i)`, and their decomposition into directions.

A product of d partial derivatives is a sum of d-th derivatives along directions: for nonnegative
integers s with sum d (Kan 2008, "From moments of sum to moments of product"),

    prod_i x_i**s_i = 1/d! sum over 0 <= v <= s of (-1)**|v| prod_i C(s_i, v_i) (sum_i h_i x_i)**d

with h = s/2 - v. For example, x y = ((x + y)**2 - (x - y)**2) / 4. Directions that differ only in
sign or length are merged (`directions_of`).
"""

from __future__ import annotations

import itertools
import math
from collections import Counter
from collections.abc import Sequence
from fractions import Fraction
from typing import Any

from ..primitives.core import Value, describe, typeof, with_user_line

#: A direction: pairs (index, component), by index; the components are coprime integers, the first
#: one positive.
Direction = tuple[tuple[Any, int], ...]


class Operator:
    """A linear differential operator, written as an expression in `D`.

    An operator is a sum of terms. Each term is a product of partial derivatives with a coefficient
    before it. Terms with equal derivatives and equal functions are merged, and terms whose number
    is zero are dropped.

    Attributes:
        terms: pairs (indices of the derivatives, sorted; factors of the coefficient: one number,
            then functions of the point).
    """

    __array_ufunc__ = None  # NumPy numbers leave the arithmetic to the operator

    def __init__(self, terms: Sequence[tuple[tuple, tuple]]):
        merged: dict[Any, Any] = {}
        for indices, (number, *functions) in terms:
            # Numbers of equal terms add up; functions cannot be added, so they are part of the key.
            key = indices, tuple(functions)
            merged[key] = merged[key] + number if key in merged else number
        self.terms = [(k[0], (c, *k[1])) for k, c in merged.items() if not _is_zero(c)]

    @property
    def order(self) -> int:
        """The highest number of derivatives in a term."""
        return max([len(indices) for indices, _ in self.terms], default=0)

    def __add__(self, other: Any) -> Operator:
        other = _as_operator(other, "+")
        return Operator([*self.terms, *other.terms])

    __radd__ = __add__

    def __neg__(self) -> Operator:
        return -1.0 * self

    def __sub__(self, other: Any) -> Operator:
        return self + -_as_operator(other, "-")

    def __rsub__(self, other: Any) -> Operator:
        return _as_operator(other, "-") - self

    def __mul__(self, other: Any) -> Operator:
        other = _as_operator(other, "*", right=True)
        # The derivatives of `self` would act on the function, which the list of terms cannot
        # express.
        if any([len(factors) > 1 for _, factors in other.terms]) and self.order:
            raise with_user_line(
                TypeError(
                    "an operator times a coefficient that varies from point to point would need "
                    "the product rule: write the derivatives last, `c * D(0)`, and expand what "
                    "stands before them"
                )
            )
        return Operator(
            [
                (tuple(sorted((*i, *j))), (a[0] * b[0], *a[1:], *b[1:]))
                for i, a in self.terms
                for j, b in other.terms
            ]
        )

    def __rmul__(self, other: Any) -> Operator:
        return _as_operator(other, "*") * self

    def __truediv__(self, other: Any) -> Operator:
        if callable(other) or isinstance(other, Operator):
            raise with_user_line(
                TypeError(f"an operator is divided by numbers only, got {describe(other)}")
            )
        return self * (1 / other)

    def __pow__(self, n: int) -> Operator:
        if not isinstance(n, int) or isinstance(n, bool) or n < 0:
            raise with_user_line(
                ValueError(f"a power of an operator is a whole number >= 0, got {describe(n)}")
            )
        result = Operator([((), (1.0,))])
        for _ in range(n):
            result = result * self
        return result

    def __repr__(self) -> str:
        return " + ".join(map(_show, self.terms)) or "0"


def D(*index: int) -> Operator:
    """Return the partial derivative by one element of the point, a factor of an expression.

    `differential_operator` takes such expressions.

    Args:
        *index: one number: the position in the flattened point (all chosen arguments, their
            leaves in order, ravelled); several: the element of a point that is one array.

    Examples:
        >>> D(0) ** 2 + 2.0 * D(0) * D(1)
        D(0)**2 + 2.0 D(0) D(1)
        >>> (lambda x: x[0]) * D(1)
        <lambda> D(1)
    """
    if not index or any([isinstance(i, bool) or not isinstance(i, int) or i < 0 for i in index]):
        raise with_user_line(
            TypeError(f"D expects the index of an element, whole numbers >= 0, got {index!r}")
        )
    return Operator([((index,), (1.0,))])


def is_scalar(x: Any) -> bool:
    """Return whether an object is a number or an array without axes."""
    try:
        return not typeof(x).shape
    except TypeError:
        return False


def _is_zero(c: Any) -> bool:
    return isinstance(c, (int, float)) and c == 0


def _as_operator(x: Any, sign: str, right: bool = False) -> Operator:
    """Return an operand of an expression as an operator.

    Numbers and functions become coefficients.
    """
    if isinstance(x, Operator):
        return x
    if callable(x):
        return Operator([((), (1.0, x))])
    if not is_scalar(x):
        raise with_user_line(
            TypeError(
                f"differential operators are made of D(i), numbers, and functions of the point; "
                f"got {describe(x)} beside '{sign}'"
            )
        )
    return Operator([((), (x if isinstance(x, (Value, int, float)) else float(x),))])


def _show(term: tuple[tuple, tuple]) -> str:
    """Return a term as text, such as `2.0 c D(0)**2 D(1)`."""
    indices, (number, *functions) = term
    parts = [] if isinstance(number, (int, float)) and number == 1 else [str(number)]
    parts += [getattr(f, "__name__", "f") for f in functions]
    for index, n in Counter(indices).items():
        parts.append(f"D({', '.join(map(str, index))})" + (f"**{n}" if n > 1 else ""))
    return " ".join(parts) or "1"


# --------------------------------------------------------------------------------------------------


def directions_of(indices: Sequence[Any]) -> dict[Direction, float]:
    """Split a product of partial derivatives into directions with weights.

    The product of the derivatives by `indices`, applied to f, is the sum over the directions of the
    weight times Taylor coefficient `len(indices)` of f along the direction.

    Examples:
        >>> directions_of([0, 1])  # along x + y and along x - y
        {((0, 1), (1, 1)): 0.5, ((0, 1), (1, -1)): -0.5}
    """
    counts = Counter(indices)
    names, order = sorted(counts), len(indices)
    weights: dict[Direction, Fraction] = {}
    for v in itertools.product(*[range(counts[i] + 1) for i in names]):
        h = [counts[i] - 2 * n for i, n in zip(names, v)]  # twice the direction
        length = math.gcd(*h)
        if not length:  # the direction is zero, and derivatives along it are too
            continue
        # Along c * v, coefficient d is c**d times the one along v. So every direction is replaced
        # by the coprime one of its line, and the weights of equal directions add up. Taylor
        # coefficients contain the factor 1/d! of the formula. Fractions keep the sums exact: what
        # cancels is zero, and is left out below.
        sign = 1 if next(c for c in h if c) > 0 else -1
        direction = tuple([(i, sign * c // length) for i, c in zip(names, h) if c])
        weight = (-1) ** sum(v) * math.prod([math.comb(counts[i], n) for i, n in zip(names, v)])
        scale = Fraction(sign * length, 2) ** order
        weights[direction] = weights.get(direction, Fraction(0)) + weight * scale
    return {d: float(w) for d, w in weights.items() if w}


def check_operator(what: str, operator: Any) -> None:
    """Raise a TypeError unless `operator` is an expression in `D`."""
    if not isinstance(operator, Operator):
        raise with_user_line(
            TypeError(
                f"{what}: expects an expression in D, such as D(0)**2 + D(1)**2, got "
                f"{describe(operator)}"
            )
        )


def by_degree(operator: Operator) -> dict[int, list[tuple[tuple, tuple]]]:
    """Group the terms of an operator by their number of derivatives, the highest first."""
    groups: dict[int, list] = {}
    for term in sorted(operator.terms, key=lambda t: -len(t[0])):
        groups.setdefault(len(term[0]), []).append(term)
    return groups

"""From an expression in `D` to families of directions with weights.

A `Family` (`point.py`) is a set of directions together with the weighted sums of Taylor
coefficients that are to be computed along them. `algebra.py` says which directions a term needs;
this file collects the directions of all terms, so that each direction is pushed once.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..numpy.joining import stack
from ..numpy.making.creation import asarray
from ..primitives.core import describe, with_user_line
from ..trees.arguments import name_of
from .algebra import Direction, Operator, by_degree, directions_of, is_scalar
from .point import Family, Point


def families_of(point: Point, operator: Operator, args: tuple) -> tuple[list[Family], Any]:
    """Split an operator into families of directions, and the factor of the value itself.

    Terms of equal degree share a family. Terms of a lower degree join the family of a higher one if
    that has all their directions: its series contain the lower coefficients anyway.

    Returns:
        The families, and the coefficient of the term without derivatives (None if there is none).
    """
    # (degree, directions, the sums wanted along them: pairs of degree and weights)
    groups: list[tuple[int, list[Direction], list[tuple[int, dict]]]] = []
    identity = None
    for degree, terms in by_degree(operator).items():
        numbers = [_coefficient(point, factors, args) for _, factors in terms]
        if degree == 0:
            identity = _total(numbers)
            continue
        weights: dict[Direction, list] = {}
        for (indices, _), number in zip(terms, numbers):
            positions = [_position(point, index) for index in indices]
            for direction, weight in directions_of(positions).items():
                weights.setdefault(direction, []).append(number * weight)
        totals = {direction: _total(parts) for direction, parts in weights.items()}
        for _, directions, requests in groups:
            if all([d in directions for d in totals]):
                requests.append((degree, totals))
                break
        else:
            groups.append((degree, list(totals), [(degree, totals)]))
    return [_family(point.size, *entry) for entry in groups], identity


def _family(
    size: int, order: int, directions: Sequence[Direction], wanted: Sequence[tuple[int, dict]]
) -> Family:
    """Build a family from directions and the sums that are wanted along them.

    The first entry of `wanted` has the degree `order`, the others have lower ones. Each weighs the
    directions by a dictionary; a direction that is missing has the weight 0.
    """
    rows = np.zeros((len(directions), size))
    for row, direction in zip(rows, directions):
        for position, component in direction:
            row[position] = component
    weights = [_array([totals.get(d, 0.0) for d in directions]) for _, totals in wanted]
    if order == 1:
        # A first derivative is linear in the direction, so a weighted sum of directions will do.
        return Family(1, (asarray(weights[0]) @ asarray(rows))[None])
    return Family(order, rows, weights[0], weights[1:], [degree for degree, _ in wanted[1:]])


def _position(point: Point, index: tuple[int, ...]) -> int:
    """Return the position of an element in the flattened point; IndexError if it is beyond."""
    shape: tuple[int, ...] = (point.size,)
    if len(index) > 1:
        shape = point.must_be_array().shape
    if len(index) != len(shape) or any([i >= n for i, n in zip(index, shape)]):
        raise with_user_line(
            IndexError(
                f"{point.what}: the operator differentiates by element {index}, but the point has "
                f"{point.size} elements, of shape {shape}"
            )
        )
    return int(np.ravel_multi_index(index, shape))


def _coefficient(point: Point, factors: Sequence[Any], args: tuple) -> Any:
    """Return the value of a term's coefficient at the point, the product of its factors."""
    number, *functions = factors
    for function in functions:
        value = function(*args)
        if not is_scalar(value):
            raise with_user_line(
                TypeError(
                    f"{point.what}: a coefficient must be a scalar, {name_of(function)} returned "
                    f"{describe(value)}"
                )
            )
        number = value * number
    return number


def _total(numbers: Sequence[Any]) -> Any:
    """Return the sum of numbers, without the leading zero of Python's `sum`."""
    total = numbers[0]
    for n in numbers[1:]:
        total = total + n
    return total


def _array(numbers: Sequence[Any]) -> Any:
    """Return numbers as an array: NumPy's if all are known, else diffeo's."""
    if all([isinstance(n, (int, float)) for n in numbers]):
        return np.array(numbers, float)
    return stack([asarray(n) for n in numbers])

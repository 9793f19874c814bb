"""Collapsed Taylor mode: the sum over many directions of the highest Taylor coefficient.

A linear differential operator of order d is a weighted sum, over directions v, of the d-th
coefficients of f(x + t v). The Laplacian is an example: d = 2, and v runs through the unit vectors.
Coefficient d enters each rule linearly. So the sum can be pushed through a function instead of its
summands.

What is held for a function's intermediate value, for n directions:

- coefficient 0, which is the same for all directions: one array;
- coefficients 1 to d - 1, held for each direction: n arrays each;
- coefficient d, of which only the sum over the directions is held: one array. This is the `top`.

The method is that of Dangel, Siebert, Zeinhofer and Walther 2025, "Collapsing Taylor mode automatic
differentiation", arXiv:2505.13644; the forward Laplacian of Li et al. 2023 is the case of order 2.

The directions are a named batch axis (`AXIS`), and the sum over them is a `psum`. So everything
that Taylor mode and vmap go through, this goes through. Start reading at `push`, then `Collapsed`;
series are explained in `series.py`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ...operations.collectives import Psum
from ...primitives.constants import full_like
from ...primitives.core import Primitive, Value, state, typeof
from ...primitives.stand_ins import ZERO
from ...primitives.words.elementwise import Elementwise, mul, scale
from ...primitives.words.powers import IntegerPow
from ...primitives.words.structural import batch_at_front, broadcast_in_dim, convert_element_type
from ..batching import Batching
from ..equal_values import SmoothTaylor
from ..tangents import quietly
from .directions import Directions
from .series import Series, filled

#: The name of the batch axis of directions: one that no user would give to an axis.
AXIS = "directions of a differential operator"


def is_unary(primitive: Any) -> bool:
    """Return whether a primitive is an elementwise function of one array, with derivatives."""
    if isinstance(primitive, IntegerPow):
        return True
    row = isinstance(primitive, Elementwise) and primitive.arity == 1 and primitive.same_type
    return row and bool(primitive.derivatives) and primitive.linear_part is None


class Collapsed(SmoothTaylor):
    """An interpreter that carries power series whose coefficient `order` is a sum over directions.

    Each summand is multiplied by its direction's weight, or by 1 if `weights` is None. `size` is
    the number of directions.
    """

    def __init__(self, order: int, function_name: str, size: int, weights: Any = None):
        super().__init__(order, function_name)
        self.size, self.weights = size, weights

    def key(self) -> Any:  # weights are tracers: what is made with them is never remembered
        return self.order, self.size, self.weights is None

    def build(self, static: tuple[bool, ...], arrays: Sequence[Any]) -> Series:
        series = super().build(static, arrays)
        series.top = self.order if any(static[1:]) else None
        return series

    def derive(self, primitive: Primitive, values: Sequence[Series]) -> Any:
        if is_unary(primitive) and values[0].top == self.order > 1:
            return self.compose(primitive, values[0])
        return super().derive(primitive, values)

    def compose(self, primitive: Primitive, x: Series) -> Series:
        """Return the series of an elementwise function by the formula of Faà di Bruno.

        Coefficient k of f(x) is the sum over m of f[m] times coefficient k of (x - x[0])**m, where
        f[m] is the m-th derivative of f at x[0] divided by m!. The f[m] are the same for all
        directions. So at the top, only the powers of the operand must be summed over directions,
        and f[m] is multiplied to their sums.
        """
        shared = SmoothTaylor(self.order, self.function_name)
        shared.parent, shared.inside_rule = self.parent, True
        # The f[m] are the Taylor coefficients of f along the line x[0] + t, which all directions
        # share.
        line = Series([x[0], shared.in_parent(lambda: full_like(x[0], 1))])
        derivatives = shared.in_parent(lambda: shared.rule(primitive, [line]))
        powers = [x]
        # A singular derivative may be infinite: `scale` keeps zeros zero.
        product = mul if not getattr(primitive, "singular", True) else scale

        def coefficient(k: int) -> Any:
            total = ZERO
            for m in range(1, k + 1):
                # Powers are made as they are needed: `powers[m - 1]` is the power m.
                if len(powers) < m:
                    powers.append(self.power_after(powers[-1], x, m))
                # Coefficient k of power m: at the top, k is `order`, and this is a sum over
                # directions.
                a, b = powers[m - 1][k], derivatives[m]
                if a is not ZERO and b is not ZERO:
                    term = self.in_parent(lambda a=a, b=b: product.bind(a, b))
                    total = self.plus(total, term)
            return total

        return Series([derivatives[0]], coefficient, self.order)

    def power_after(self, lower: Series, x: Series, m: int) -> Series:
        """Return the series of (x - x[0])**m, given that of the power before.

        Its first m coefficients are zero.
        """

        def coefficient(k: int) -> Any:
            if k < m:
                return ZERO
            if m == 2:
                return self.square_at(x, k, self.order, 1)
            return self.convolve(mul.bind, lower, x, k, self.order, range(m - 1, k))

        return Series([ZERO], coefficient, self.order)

    def collapse(self, coefficient: Value) -> Any:
        return self.in_parent(lambda: self.weighted_sum(coefficient, self.weights))

    def weighted_sum(self, x: Value, weights: Any) -> Any:
        """Return the sum over directions of an array times the direction's weight."""
        if weights is not None:
            aval = typeof(x)
            weight = convert_element_type(weights, aval.dtype)
            x = mul.bind(x, broadcast_in_dim(weight, aval.shape, ()))
        return Psum(((AXIS, self.size),)).bind(x)


class Sums:
    """The sums over a family of directions that a caller of `push` asks for.

    `order` and `weights`: the sum of the coefficients `order`, each times its direction's weight.
    `others`: further sums, as pairs (degree, weights). `each`: whether coefficient 1 of each
    direction is asked for, too.
    """

    def __init__(
        self,
        order: int,
        weights: Value | None = None,
        others: Sequence[tuple[int, Any]] = (),
        each: bool = False,
    ):
        self.order, self.weights, self.others, self.each = order, weights, others, each


def push(
    flat: Any, points: Sequence[Any], moves: Sequence[Any] | None, size: int, sums: Sums
) -> tuple[list, list, list[list], list]:
    """Push `size` directions through a function of arrays.

    Args:
        flat: the function.
        points: its arguments.
        moves: for each argument its directions, with an axis of `size` in front, or None if the
            argument does not move. None in place of the list stands for all unit vectors; then
            there is one argument.
        size: the number of directions.
        sums: the sums to compute.

    Returns:
        The results; their sums; the other sums, a list for each; the first coefficients of the
        results with the directions in front, if they are asked for.
    """
    moving = [i for i, v in enumerate(moves or points) if v is not None]
    interpreter = Collapsed(sums.order, flat.name, size)
    results: dict[str, list] = {}

    def along(*given: Any) -> list[Any]:
        # This runs inside of the batching interpreter: `given` are rows of a batch, first the
        # directions, then the weights.
        interpreter.parent = state.trace
        rows = iter(given)
        series = [Series([x]) for x in points]
        for i in moving:
            series[i] = Series([points[i], next(rows)], top=sums.order)
        if sums.weights is not None:
            interpreter.weights = next(rows)
        # At order 1 the directions themselves are at the top, and must be sums from the start.
        if sums.order == 1:
            for i in moving:
                series[i].coefficients[1] = interpreter.collapse(series[i][1])
        outs = interpreter.trace_flat(flat, series)
        results["first"] = [o[0] for o in outs]
        results["sums"] = [filled(o, sums.order) for o in outs]
        results["others"] = [
            interpreter.weighted_sum(filled(o, degree), w)
            for (degree, _), w in zip(sums.others, rows)
            for o in outs
        ]
        results["each"] = [filled(o, 1) for o in outs] if sums.each else []
        return [x for part in results.values() for x in part]

    # Run Taylor mode under vmap over the directions. A point has no batch axis: only what depends
    # on the directions gets one.
    batching = Batching(size, flat.name, AXIS)
    if moves is None:
        batching = Directions(points[0].shape, flat.name, AXIS)
        given = [batching.basis(full_like(points[0], 1))]
    else:
        given = [(moves[i], 0) for i in moving]
    given += [(w, 0) for w in (sums.weights, *[w for _, w in sums.others]) if w is not None]
    # All results are one flat list of arrays; `results` says how many of them each part has.
    arrays = iter([batching.plain(o) for o in quietly(batching.trace_flat, along, given)])
    take = lambda part: [next(arrays) for _ in results[part]]
    first, total = [x for x, _ in take("first")], [x for x, _ in take("sums")]
    others = [x for x, _ in take("others")]
    n = len(first)
    each = [batch_at_front(x, dim, size) for x, dim in take("each")]
    return first, total, [others[i * n : (i + 1) * n] for i in range(len(sums.others))], each

"""Transformations as maps from (function of arrays, operands) to the same, with what defines them.

A pair `outer(inner(f))` is compared with what defines the outer transformation, applied to values
of the eager `inner(f)`: itself for jit, a loop for vmap, finite differences for derivatives.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

import diffeo as dx
from diffeo.primitives.types import is_inexact
from diffeo.primitives.words import elementwise, structural
from tests.laws import Function, close, differences, direction, host, value

ROWS = 2


def weighted_sum(fun: Function) -> Callable[..., Any]:
    """A real number made of all results, each element with a weight of its own."""

    def total(*xs: Any) -> Any:
        parts = []
        for k, out in enumerate(fun(*xs)):
            weighted = out * value(direction(np.empty(out.shape, out.dtype), k + 7))
            part = structural.reduce_sum(weighted, range(weighted.ndim))
            parts.append(elementwise.real.bind(part) if part.dtype.kind == "c" else part)
        return sum(parts[1:], parts[0])

    return total


def directions(xs: Sequence[np.ndarray]) -> list[np.ndarray]:
    return [direction(x, k) for k, x in enumerate(xs)]


def row_of(x: np.ndarray, k: int) -> np.ndarray:
    """Operand number `k` like `x`: numbers near its own, so that it is as regular as `x` is."""
    return x * (1 + k / 64) if is_inexact(x.dtype) else np.roll(x, k)


class Jit:
    """Compiled, the function is the same."""

    @staticmethod
    def apply(fun: Function, xs: list) -> tuple[Function, list]:
        return dx.jit(fun), xs

    @staticmethod
    def check(outs: list, fun: Function, xs: list) -> None:
        all_close(outs, fun(*map(value, xs)), 1e-11)


class Vmap:
    """Vectorised, it is a loop."""

    @staticmethod
    def apply(fun: Function, xs: list) -> tuple[Function, list]:
        return dx.vmap(fun), [np.stack([row_of(x, k) for k in range(ROWS)]) for x in xs]

    @staticmethod
    def check(outs: list, fun: Function, xs: list) -> None:
        rows = [fun(*[value(x[k]) for x in xs]) for k in range(ROWS)]
        all_close(outs, [np.stack(list(map(host, column))) for column in zip(*rows)], 1e-11)


class Jvp:
    """The derivative along a direction."""

    @staticmethod
    def apply(fun: Function, xs: list) -> tuple[Function, list]:
        n = len(xs)

        def moved(*args: Any) -> list:
            outs, tangents = dx.jvp(fun, args[:n], args[n:])
            return [*outs, *tangents]

        return moved, [*xs, *directions(xs)]

    @staticmethod
    def check(outs: list, fun: Function, xs: list) -> None:
        n = len(xs) // 2
        values = fun(*map(value, xs[:n]))
        moved = differences(lambda *a: fun(*map(value, a)), xs[:n], xs[n:])
        all_close(outs[: len(values)], values, 1e-11)
        all_close(outs[len(values) :], moved, 2e-7)


class Grad:
    """The gradient of a weighted sum of the results' elements."""

    @staticmethod
    def apply(fun: Function, xs: list) -> tuple[Function, list]:
        return lambda *a: list(dx.grad(weighted_sum(fun), tuple(range(len(a))))(*a)), xs

    @staticmethod
    def check(outs: list, fun: Function, xs: list) -> None:
        for seed in (11, 12):
            vs = [direction(x, seed + k) for k, x in enumerate(xs)]
            moved = differences(lambda *a: [weighted_sum(fun)(*map(value, a))], xs, vs)
            along = sum([np.sum(host(o) * v).real for o, v in zip(outs, vs)])
            np.testing.assert_allclose(along, moved[0], 2e-7, 2e-7)
        assert [o.dtype for o in outs] == [x.dtype for x in xs]


class Taylor:
    """Coefficients along a line."""

    @staticmethod
    def apply(fun: Function, xs: list) -> tuple[Function, list]:
        def expand(*args: Any) -> list:
            coefficients = dx.taylor(fun, args, list(map(value, directions(xs))), 2)
            return [c for outs in coefficients for c in outs]

        return expand, xs

    @staticmethod
    def check(outs: list, fun: Function, xs: list) -> None:
        n = len(outs) // 3
        along = lambda f: lambda *a: differences(f, a, directions(xs))
        values = lambda *a: list(map(host, fun(*map(value, a))))
        first = along(values)
        all_close(outs[:n], values(*xs), 1e-11)
        all_close(outs[n : 2 * n], first(*xs), 2e-7)
        all_close([2.0 * o for o in outs[2 * n :]], along(first)(*xs), 2e-3)


def all_close(found: Sequence[Any], expected: Sequence[Any], tolerance: float) -> None:
    assert len(found) == len(expected)
    for a, b in zip(found, expected):
        scale = max(1.0, float(np.max(np.abs(host(b)), initial=0.0))) if is_inexact(a.dtype) else 1
        close(a, b, tolerance, tolerance * scale)


DERIVATIVES = (Jvp, Grad, Taylor)
ALL = (*DERIVATIVES, Vmap, Jit)


def check_pair(outer: Any, inner: Any, fun: Function, xs: list) -> None:
    once, ys = inner.apply(fun, xs)
    twice, zs = outer.apply(once, ys)
    outer.check(list(twice(*map(value, zs))), once, zs)


def name_of(kind: Any) -> str:
    return kind.__name__.lower()

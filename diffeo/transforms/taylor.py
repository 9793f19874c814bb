"""Taylor mode: the value is a power series, and the rules are derived from the jvp rules.

Linear primitives act on each coefficient, bilinear ones by Cauchy's product. For anything else,
y(t) = f(x(t)) solves y' = jvp(f)(x, x'): coefficient k of y is coefficient k-1 of the tangent
rule, evaluated in series arithmetic, divided by k. Series are lazy and remembered per (primitive,
operands), so rules that lead back to each other (sin and cos) or to their own result (exp, tanh)
end, and every coefficient is computed once. So each primitive with a derivative has derivatives of
every order, at a cost polynomial in the order.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache, partial
from typing import Any

from ..primitives.array import as_value
from ..primitives.core import ZERO, Primitive, describe, state, typeof, with_user_line
from ..primitives.elementwise import add, div, mul
from ..primitives.families import full_like
from ..primitives.structural import convert_element_type
from ..primitives.types import SCALARS, ShapedArray, is_inexact
from . import tree
from .api_util import as_values, check_callable, check_outputs, name_of
from .interpreter import Boxed, Interpreter


class Series:
    """A power series whose coefficients are computed when asked for, in order, and kept; `ZERO` is
    one, too.
    """

    __slots__ = ("coefficients", "compute")

    def __init__(self, coefficients: Sequence[Any], compute: Callable[[int], Any] | None = None):
        self.coefficients = list(coefficients)
        self.compute = compute

    def __getitem__(self, k: int) -> Any:
        while len(self.coefficients) <= k:
            if self.compute is None:
                return ZERO
            self.coefficients.append(self.compute(len(self.coefficients)))
        return self.coefficients[k]

    @property
    def constant(self) -> bool:
        """True if it is known that only coefficient 0 is there."""
        return self.compute is None and all([c is ZERO for c in self.coefficients[1:]])

    def __repr__(self) -> str:
        return f"Series{self.coefficients}"


class Taylor(Interpreter):
    """Carries truncated power series of one `order` through a function."""

    def __init__(self, order: int, function_name: str = ""):
        self.order, self.function_name = order, function_name
        self.memo: dict[Any, Any] = {}
        self.inside_rule = False

    def lift(self, x: Any) -> Series:
        return Series([x])

    def wrap(self, value: Series) -> Any:
        return value[0] if value.constant else Boxed(self, value)

    def aval(self, value: Series) -> ShapedArray:
        return typeof(value[0])

    def concrete(self, value: Series) -> Any:
        return value[0]

    def key(self) -> int:
        return self.order

    def describe(self) -> str:
        return f"the Taylor series of {self.function_name or 'a function'}"

    def split(self, value: Series) -> tuple[Sequence[Any], tuple[bool, ...]]:
        coefficients = [value[k] for k in range(self.order + 1)]
        return [c for c in coefficients if c is not ZERO], tuple(
            [c is not ZERO for c in coefficients]
        )

    def build(self, static: tuple[bool, ...], arrays: Sequence[Any]) -> Series:
        given = iter(arrays)
        return Series([next(given) if there else ZERO for there in static])

    def count(self, static: tuple[bool, ...]) -> int:
        return sum(static)

    def join(self, a: tuple[bool, ...], b: tuple[bool, ...]) -> tuple[bool, ...]:
        return tuple([x or y for x, y in zip(a, b)])

    def widen(self, value: Series, static: tuple[bool, ...]) -> Series:
        coefficients = [value[k] for k in range(self.order + 1)]
        return Series(
            [
                full_like(coefficients[0], 0) if there and c is ZERO else c
                for c, there in zip(coefficients, static)
            ]
        )

    def decides(self, value: Series) -> Any:
        return value[0]

    def trace_flat(self, fun: Callable[..., Sequence[Any]], values: Sequence[Any]) -> list[Any]:
        self.memo, self.inside_rule = {}, False
        return super().trace_flat(fun, values)

    # -- Rules --

    def rule(self, primitive: Primitive, values: Sequence[Series]) -> Any:
        # Constants are told apart by their array, as they are lifted anew at each use.
        key = (primitive, *[_identity(v) for v in values])
        found = self.memo.get(key)
        if found is not None:
            return found[0]
        out = self.derive(primitive, values)
        self.memo[key] = out, values  # the operands are kept so that no id is used again
        if not self.inside_rule:
            # The user's operations are computed at once, order by order, so that recursion stays
            # shallow.
            for series in out if primitive.multiple_results else (out,):
                for k in range(self.order + 1):
                    series[k]
                series.compute = None
        return out

    def derive(self, primitive: Any, values: Sequence[Series]) -> Any:
        """The series of a primitive's result(s)."""
        first = [v[0] for v in values]
        special = primitive.taylor(self, values)
        if special is not None:
            return special
        if hasattr(primitive, "linear_part"):
            return self.linear(primitive, values, primitive.bind(*first))
        if primitive.bilinear:
            return Series(
                [primitive.bind(*first)],
                lambda k: self.cauchy(primitive.bind, values[0], values[1], k),
            )
        out = primitive.bind(*first)
        outs = out if primitive.multiple_results else [out]
        tangents: list[Series] = []

        def coefficient(i: int, k: int) -> Any:
            if not tangents:
                tangents.extend(self.tangent_series(primitive, values))
            return self.divide(tangents[i][k - 1], k)

        made = [
            Series([o], lambda k, i=i: coefficient(i, k))
            if is_inexact(typeof(o).dtype)
            else Series([o])
            for i, o in enumerate(outs)
        ]
        return made if primitive.multiple_results else made[0]

    def linear(self, primitive: Any, values: Sequence[Series], out: Any) -> Any:
        """Coefficient by coefficient."""
        first = [v[0] for v in values]

        def coefficient(k: int) -> Any:
            parts = [v[k] for v in values]
            if all([p is ZERO for p in parts]):
                return ZERO
            return self.in_parent(lambda: primitive.linear_part(first, parts))

        if not primitive.multiple_results:
            return Series([out], coefficient if is_inexact(typeof(out).dtype) else None)
        each = cache(coefficient)

        def of_result(i: int, k: int) -> Any:
            found = each(k)
            return ZERO if found is ZERO else found[i]

        return [
            Series([o], partial(of_result, i) if is_inexact(typeof(o).dtype) else None)
            for i, o in enumerate(out)
        ]

    def cauchy(self, product: Callable, x: Series, y: Series, k: int, start: int = 0) -> Any:
        """Coefficient k of a product: the sum of x[i] y[k-i] for i >= start."""
        total = ZERO
        for i in range(start, k + 1):
            a = x[i]
            b = ZERO if a is ZERO else y[k - i]
            if b is not ZERO:
                total = self.plus(total, self.in_parent(lambda a=a, b=b: product(a, b)))
        return total

    def quotient(self, x: Series, y: Series) -> Series:
        """x / y by the recurrence q[k] = (x[k] - sum over i of y[i] q[k-i], i >= 1) / y[0]."""

        def coefficient(k: int) -> Any:
            rest: Any = self.cauchy(mul.bind, y, q, k, 1)
            top: Any = x[k]
            if rest is not ZERO:
                top = self.in_parent(lambda: -rest if top is ZERO else top - rest)
            return ZERO if top is ZERO else self.in_parent(lambda: div.bind(top, y[0]))

        q = Series([self.in_parent(lambda: div.bind(x[0], y[0]))], coefficient)
        return q

    def tangent_series(self, primitive: Primitive, values: Sequence[Series]) -> list[Series]:
        """The jvp rule, run on series: operands x(t), tangents x'(t)."""
        before, inside = state.trace, self.inside_rule
        state.trace, self.inside_rule = self, True
        try:
            primals = [v[0] if v.constant else Boxed(self, v) for v in values]
            tangents = [ZERO if v.constant else Boxed(self, self.derivative(v)) for v in values]
            _, out = primitive.jvp(primals, tangents)
        finally:
            state.trace, self.inside_rule = before, inside
        outs = out if primitive.multiple_results else [out]
        return [Series([ZERO]) if t is ZERO else self.unwrap(t) for t in outs]

    def derivative(self, x: Series) -> Series:
        """The series of x'(t)."""
        first = x[1]
        if first is ZERO:  # the first coefficient gives a series its type
            first = self.in_parent(lambda: full_like(x[0], 0))
        return Series(
            [first], lambda k: self.scale(x[k + 1], k + 1) if k + 1 <= self.order else ZERO
        )

    def custom(self, call: Any, values: Sequence[Series]) -> list[Series]:
        if call.rules.has_taylor:
            return self.by_recurrence(call, values)
        if call.rules.differentiable:
            return self.rule(call, values)
        return super().custom(call, values)

    def by_recurrence(self, call: Any, values: Sequence[Series]) -> list[Series]:
        """The user's own rule, which takes all coefficients up to an order at once."""

        def up_to(order: int) -> list[list[Any]]:
            series = [[v[k] for k in range(order + 1)] for v in values]
            return self.in_parent(lambda: call.rules.apply_taylor(order, series))

        if not self.inside_rule:
            return [Series(s) for s in up_to(self.order)]
        return [
            Series(s, lambda k, i=i: up_to(k)[i][k] if k <= self.order else ZERO)
            for i, s in enumerate(up_to(0))
        ]

    # -- Arithmetic of coefficients, in the surrounding context --

    def in_parent(self, compute: Callable[[], Any]) -> Any:
        """Run in the context outside of this transformation, wherever a coefficient happens to be
        asked for.
        """
        before, state.trace = state.trace, self.parent
        try:
            return compute()
        finally:
            state.trace = before

    def plus(self, a: Any, b: Any) -> Any:
        """The sum of coefficients that may be ZERO."""
        return b if a is ZERO else a if b is ZERO else self.in_parent(lambda: add.bind(a, b))

    def scale(self, a: Any, n: int) -> Any:
        """A coefficient times an integer."""
        return a if a is ZERO or n == 1 else self.in_parent(lambda: mul.bind(a, _number(a, n)))

    def divide(self, a: Any, n: int) -> Any:
        """A coefficient divided by an integer."""
        return a if a is ZERO or n == 1 else self.in_parent(lambda: div.bind(a, _number(a, n)))


def _number(like: Any, n: int) -> Any:
    return complex(n) if typeof(like).dtype.kind == "c" else float(n)


def _identity(value: Series) -> Any:
    if not value.constant:
        return id(value)
    x = value[0]
    # By their text: 0.0 equals -0.0, but 1 / 0.0 does not equal 1 / -0.0.
    return (type(x), repr(x)) if type(x) in SCALARS else ("constant", id(x))


# --------------------------------------------------------------------------------------------------


def _check_order(order: Any) -> None:
    if not isinstance(order, int) or isinstance(order, bool) or order < 0:
        raise with_user_line(
            ValueError(
                f"the order of a Taylor series is a whole number >= 0, got {describe(order)}"
            )
        )


def taylor(
    fun: Callable, primals: Sequence[Any], directions: Sequence[Any], order: int
) -> list[Any]:
    """Normalised Taylor coefficients of `fun(primals + t * directions)` in t, at t = 0.

    Args:
        fun: a function of arrays or trees.
        primals: its arguments, a tuple.
        directions: one for each argument, of its structure, shapes and dtypes.
        order: the highest coefficient wanted, >= 0.

    Returns:
        A list of `order + 1` trees like the result of `fun`: the value, the first derivative, half
        the second, ... (coefficient k is the k-th derivative divided by k!).

    Raises:
        ValueError: for a negative order.
        TypeError: if directions do not fit their primals, or a primal is not floating-point or
            complex.

    Examples:
        >>> import diffeo as dx
        >>> taylor(dx.numpy.exp, (0.0,), (1.0,), 4)
        [Array(1.), Array(1.), Array(0.5), Array(0.16666667), Array(0.04166667)]
    """
    check_callable(fun, "taylor")
    _check_order(order)
    leaves, structure = tree.flatten(tuple(primals))
    moves, other = tree.flatten(tuple(directions))
    if other != structure:
        raise with_user_line(
            TypeError(
                "taylor: the directions must have the structure of the primals: "
                f"{tree.first_difference(structure, other)}"
            )
        )
    interpreter = Taylor(order, name_of(fun))
    out_structure: Any = None

    def flat(*xs: Any) -> Sequence[Any]:
        nonlocal out_structure
        out = fun(*tree.unflatten(structure, xs))
        outs, out_structure = tree.flatten(out)
        return check_outputs(outs, out, name_of(fun))

    points = as_values(leaves, "taylor", tuple(primals))
    moves = as_values(moves, "taylor: direction", tuple(directions))
    outs = interpreter.trace_flat(flat, [_line(x, v, order) for x, v in zip(points, moves)])
    fill = lambda out, k: full_like(out[0], 0) if out[k] is ZERO else as_value(out[k])
    return [tree.unflatten(out_structure, [fill(o, k) for o in outs]) for k in range(order + 1)]


def _line(x: Any, v: Any, order: int) -> Series:
    """The series of a point moving along a direction."""
    if not is_inexact(x.dtype):
        raise with_user_line(
            TypeError(f"taylor: expands in floating-point or complex arguments, got {describe(x)}")
        )
    if v.shape != x.shape or not (v.weak_type or v.dtype == x.dtype):
        raise with_user_line(
            TypeError(
                "taylor: a direction must have the shape and dtype of its primal, got "
                f"{describe(v)} for {describe(x)}"
            )
        )
    return Series([x, convert_element_type(v, x.dtype)] if order else [x])


def derivatives(fun: Callable, x: Any, order: int) -> list[Any]:
    """`[f(x), f'(x), ..., f^(order)(x)]` of a function of one real or complex number, in one
    Taylor pass.

    Args:
        fun: a function of a scalar that returns an array or a tree of arrays.
        x: the point, a scalar. (Use `vmap` for many points.)
        order: the highest derivative wanted, >= 0.

    Raises:
        TypeError: if `x` is not a scalar, or not floating-point or complex.
        ValueError: for a negative order.

    Examples:
        >>> import diffeo as dx
        >>> [float(d) for d in derivatives(lambda x: x ** 3, 2.0, 4)]
        [8.0, 12.0, 12.0, 6.0, 0.0]
    """
    x = as_value(x)
    if x.shape:
        raise with_user_line(
            TypeError(
                "derivatives: expects a function of one number, got a point of shape "
                f"{x.shape}; use vmap for many points, "
                "taylor for derivatives along a direction"
            )
        )
    coefficients = taylor(fun, (x,), (full_like(x, 1),), order)
    factorial = 1.0
    out = []
    for k, c in enumerate(coefficients):
        factorial *= max(k, 1)
        out.append(c if k < 2 else tree.map(lambda a, n=factorial: a * n, c))
    return out

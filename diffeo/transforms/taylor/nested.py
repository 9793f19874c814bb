"""Derivatives of derivatives by a scalar, in one Taylor pass.

`grad(grad(f))` and nested `jvp` call f on a scalar x that is being differentiated already: x is x0
+ t, a dual number or a power series in t. The inner derivative needs f'(x0 + t), as a series in t
as well. Both follow from one power series of f at x0, of one order more. If f(x0 + s) has the
coefficients c[0], c[1], c[2], then f(x0 + t) is c[0] + c[1] t + c[2] t**2, and f'(x0 + t) is c[1] +
2 c[2] t.

So n nested derivatives evaluate f once, on a series of order n, at a cost that grows like n**2
instead of exponentially. Start reading at `value_and_slope`.
"""

from __future__ import annotations

from typing import Any

from ...primitives.config import config
from ...primitives.constants import full_like
from ...primitives.core import Value, state, typeof
from ...primitives.stand_ins import ZERO
from ...primitives.support.errors import ForwardModeError
from ...primitives.types import is_inexact
from ...primitives.words.elementwise import scale
from ...primitives.words.structural import broadcast_in_dim, convert_element_type
from ..equal_values import SmoothTaylor
from ..installed import installed
from ..interpreter import Boxed
from ..jvp import JVP
from .series import Series


def is_nested(values: list[Any]) -> bool:
    """Return whether the values are one real scalar that is being differentiated already.

    The innermost transformation must be forward mode, or Taylor mode along x0 + t: one order more
    can be added to these.
    """
    if len(values) != 1 or not config.fuse_derivatives:
        return False
    (x,) = values
    if type(x) is not Boxed or x.owner is not state.trace or x.shape or x.dtype.kind != "f":
        return False
    return type(x.owner) is JVP or (type(x.owner) is SmoothTaylor and x.value.unit)


def value_and_slope(
    flat: Any, x: Any, in_reverse: bool = False
) -> tuple[list[Any], list[Any]] | None:
    """Return the results of a function at a scalar, and their derivatives.

    `is_nested` must hold for the scalar x. A derivative is `ZERO` for a result that has none. The
    results and derivatives are values of the transformation that differentiates x.

    If a rule of the user's has no forward mode, this raises ForwardModeError. With `in_reverse` it
    returns None instead: the caller can compute the same in reverse mode.
    """
    owner = x.owner
    # Forward mode knows order 1, so the series must know order 2.
    order = 2 if type(owner) is JVP else owner.order + 1
    point = x.value[0]
    series = Series([point, full_like(point, 1)])
    series.unit = True
    try:
        outs = SmoothTaylor(order, flat.name).trace_flat(flat, [series])
    except ForwardModeError:
        if in_reverse:
            return None
        raise
    extend = _dual if type(owner) is JVP else _longer
    results, slopes = [], []
    for out in outs:
        coefficients = [out[k] for k in range(order + 1)]
        results.append(extend(x, coefficients))
        # The derivative of c[k] s**k is k c[k] s**(k - 1).
        derived = [c if c is ZERO else c * float(k) for k, c in enumerate(coefficients)][1:]
        has_slope = is_inexact(typeof(out[0]).dtype) and any([c is not ZERO for c in derived])
        slopes.append(extend(x, derived) if has_slope else ZERO)
    return results, slopes


def _dual(x: Any, coefficients: list[Any]) -> Any:
    """Return c[0] + c[1] t as a value of forward mode, where t is the tangent of x.

    A coefficient may have a tangent of its own, from a value that the function closes over. That of
    c[0] is added to the result's tangent.
    """
    owner, t = x.owner, x.value[1]
    first = full_like(x, 0) if coefficients[0] is ZERO else coefficients[0]
    primal, tangent = owner.unwrap(first)
    if coefficients[1] is not ZERO:
        slope = owner.unwrap(coefficients[1])[0]
        with installed(owner.parent):
            moved = times(t, slope)
            tangent = moved if tangent is ZERO else tangent + moved
    return owner.wrap((primal, tangent))


def times(t: Value, slope: Value) -> Any:
    """Return a scalar tangent times a derivative of any shape."""
    from_scalar = broadcast_in_dim(t, slope.shape, ())
    return scale.bind(convert_element_type(from_scalar, slope.dtype), slope)


def _longer(x: Any, coefficients: list[Any]) -> Any:
    """Return the sum of c[k] t**k as a value of Taylor mode.

    A coefficient c[k] is a series in t itself where it depends on a value that the function closes
    over. So coefficient k of the result is the sum of coefficient k - j of c[j], for all j up to k.
    """
    owner = x.owner
    series_of = [None if c is ZERO else owner.unwrap(c) for c in coefficients]
    total: list[Any] = []
    for k in range(owner.order + 1):
        coefficient = ZERO
        for j, series in enumerate(series_of[: k + 1]):
            if series is not None:
                coefficient = owner.plus(coefficient, series[k - j])
        total.append(coefficient)
    if total[0] is ZERO:
        like = next(c for c in total if c is not ZERO)
        total[0] = owner.in_parent(lambda: full_like(like, 0))
    return owner.wrap(Series(total))

"""Derivatives of derivatives by a scalar, in one Taylor pass.

`grad(grad(f))` and nested `jvp` call `f` on a scalar that is being differentiated already: along
`x0 + t`, or as a series in t. Then f's own derivative at x0 + t is known from one power series
more, of one order more: f(x0 + t + s) has the coefficients c[k] (t + s)**k. So n nested
derivatives evaluate f once, on a series of order n, at a cost that grows like n**2 instead of
exponentially.
"""

from __future__ import annotations

from typing import Any

from ...primitives.config import config
from ...primitives.constants import full_like
from ...primitives.core import state, typeof
from ...primitives.stand_ins import ZERO
from ...primitives.support.errors import ForwardModeError
from ...primitives.types import is_inexact
from ...primitives.words.elementwise import scale
from ...primitives.words.structural import broadcast_in_dim, convert_element_type
from ..equal_values import SmoothTaylor
from ..interpreter import Boxed
from ..jvp import JVP
from .series import Series


def is_nested(values: list[Any]) -> bool:
    """Whether these are one real scalar that the innermost transformation is differentiating, in a
    form that one order more can be added to.
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
    """Results of a function at a scalar for which `is_nested` holds, and their derivatives (`ZERO`
    for what has none). None if the caller may as well go `in_reverse`, and must, as a rule of the
    user's has no forward mode.
    """
    owner = x.owner
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
    found, slopes = [], []
    for out in outs:
        coefficients = [out[k] for k in range(order + 1)]
        found.append(extend(x, coefficients))
        rest = [c if c is ZERO else c * float(k) for k, c in enumerate(coefficients)][1:]
        known = is_inexact(typeof(out[0]).dtype) and any([c is not ZERO for c in rest])
        slopes.append(extend(x, rest) if known else ZERO)
    return found, slopes


def _dual(x: Any, coefficients: list[Any]) -> Any:
    """c[0] + c[1] t as a value of JVP, where t is the tangent of x. A coefficient that has a
    tangent of its own depends on what the function closes over.
    """
    owner, t = x.owner, x.value[1]
    first = full_like(x, 0) if coefficients[0] is ZERO else coefficients[0]
    primal, tangent = owner.unwrap(first)
    if coefficients[1] is not ZERO:
        slope = owner.unwrap(coefficients[1])[0]
        before, state.trace = state.trace, owner.parent
        try:
            moved = times(t, slope)
            tangent = moved if tangent is ZERO else tangent + moved
        finally:
            state.trace = before
    return owner.wrap((primal, tangent))


def times(t: Any, slope: Any) -> Any:
    """A scalar tangent times a derivative of any shape."""
    from_scalar = broadcast_in_dim(t, slope.shape, ())
    return scale.bind(convert_element_type(from_scalar, slope.dtype), slope)


def _longer(x: Any, coefficients: list[Any]) -> Any:
    """The sum of c[k] t**k as a value of Taylor; c[k] is a series itself where it depends on what
    the function closes over.
    """
    owner = x.owner
    given = [None if c is ZERO else owner.unwrap(c) for c in coefficients]
    total: list[Any] = []
    for k in range(owner.order + 1):
        found = ZERO
        for j, series in enumerate(given[: k + 1]):
            if series is not None:
                found = owner.plus(found, series[k - j])
        total.append(found)
    if total[0] is ZERO:
        like = next(c for c in total if c is not ZERO)
        total[0] = owner.in_parent(lambda: full_like(like, 0))
    return owner.wrap(Series(total))

"""Ordinary differential equations, with JAX's signature: `odeint`.

The method is that of Dormand and Prince (J. Comput. Appl. Math. 6, 1980) with steps of order 5
whose errors an embedded method of order 4 estimates; values between steps are those of a polynomial
of degree 4 (Shampine, Math. Comp. 46, 1986). The first step is chosen as in Hairer, Norsett and
Wanner, Solving Ordinary Differential Equations I, section II.4. The order of operations is JAX's.

Derivatives are those of the solution, and not of its steps: each is a differential equation of its
own, solved to the same tolerances.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from .. import lax
from .. import numpy as dnp
from .._contexts import default_matmul_precision
from ..api.closures import closure_convert
from ..api.custom_rule import custom_rule
from ..api.derivatives.autodiff import jvp, vjp
from ..api.jit import jit
from ..api.vmap import vmap
from ..flatten_util import ravel_pytree
from ..primitives.array import as_value
from ..primitives.core import Tracer, describe, with_user_line
from ..primitives.types import is_complex, is_inexact
from ..primitives.words.structural import convert_element_type
from ..trees import tree
from ..trees.arguments import check_callable, name_of

__all__ = ["odeint"]

#: A function `f(y, t, leaves)` from a vector, a time and the leaves of all other arguments to a
#: vector: the right-hand side.
Field = Callable[[Any, Any, Sequence[Any]], Any]


class Options(NamedTuple):
    """What `odeint` takes by these names."""

    rtol: Any
    atol: Any
    mxstep: Any
    hmax: Any


# The method's table. The last row of `_STAGES` is the solution itself, whose slope is the first one
# of the next step.
_TIMES = (1 / 5, 3 / 10, 4 / 5, 8 / 9, 1.0, 1.0)
_STAGES = (
    (1 / 5, 0, 0, 0, 0, 0, 0),
    (3 / 40, 9 / 40, 0, 0, 0, 0, 0),
    (44 / 45, -56 / 15, 32 / 9, 0, 0, 0, 0),
    (19372 / 6561, -25360 / 2187, 64448 / 6561, -212 / 729, 0, 0, 0),
    (9017 / 3168, -355 / 33, 46732 / 5247, 49 / 176, -5103 / 18656, 0, 0),
    (35 / 384, 0, 500 / 1113, 125 / 192, -2187 / 6784, 11 / 84, 0),
)
_SOLUTION = _STAGES[-1]
#: The solution less that of the embedded method of order 4.
_ERROR = tuple(
    np.subtract(
        _SOLUTION, (1951 / 21600, 0, 22642 / 50085, 451 / 720, -12231 / 42400, 649 / 6300, 1 / 60)
    ).tolist()
)
#: Half of the step to the middle, by which the polynomial between two steps is fitted.
_MIDDLE = (
    6025192743 / 30085553152 / 2,
    0,
    51252292925 / 65400821598 / 2,
    -2691868925 / 45128329728 / 2,
    187940372067 / 1594534317056 / 2,
    -1776094331 / 19743644256 / 2,
    11237099 / 235043384 / 2,
)


def odeint(
    func: Callable,
    y0: Any,
    t: Any,
    *args: Any,
    rtol: Any = 1.4e-8,
    atol: Any = 1.4e-8,
    mxstep: Any = np.inf,
    hmax: Any = np.inf,
) -> Any:
    """Solve the ordinary differential equation dy/dt = func(y, t, *args), with steps of adaptive
    size.

    All derivatives are there. Reverse mode solves the adjoint equation backward from each time to
    the one before, and so needs memory for the values at the times `t` only; forward mode solves
    the equation of sensitivities; they nest in any order. By `y0`, `t` and `args`, and by what
    `func` closes over.

    Args:
        func: the right-hand side: from a tree `y`, a scalar time and `args` to a tree like `y`.
        y0: the value at `t[0]`, a tree of arrays of floating-point or complex numbers.
        t: [n], ascending times, of a floating-point dtype.
        *args: further arguments of `func`: trees of arrays.
        rtol, atol: the error of a step is kept below `atol + rtol * abs(y)`, in the mean square.
        mxstep: how many steps there may be between two times.
        hmax: how large a step may be.

    Returns:
        The values at all times, `y0` itself at the first: a tree like `y0`, with an axis of n in
        front of each array. Where a time was not reached - after `mxstep` steps, since steps
        became too small for the numbers, or since traced times do not ascend - there are nans.
        Under `vmap`, each row has steps of its own.

    Raises:
        TypeError: for times that are no vector of floating-point numbers, for `args` that are no
            arrays, or if `func` does not return a tree like `y0`.
        ValueError: for known times that do not ascend, and for an empty `t`.

    Examples:
        >>> import numpy as np
        >>> import diffeo as dx
        >>> from diffeo.experimental.ode import odeint
        >>> decay = lambda y, t, rate: -rate * y
        >>> times = np.array([0.0, 1.0, 2.0])
        >>> odeint(decay, 1.0, times, 0.5).round(6)     # exp(-0.5 t)
        Array([1.      , 0.606531, 0.367879])
        >>> dx.jvp(lambda y: odeint(decay, y, times, 0.5)[-1], (1.0,), (2.0,))[1].round(6)
        Array(0.735759)
    """
    check_callable(func, "odeint")
    times = _times(t)
    for leaf in tree.leaves(args):
        _checked(leaf, "the leaves of args must be arrays or numbers")
    options = Options(rtol, atol, mxstep, hmax)
    return _solve(func, tree.map(_state, y0), times, args, options, jit)


def _solve(
    func: Callable, y0: Any, times: Any, args: Sequence[Any], options: Options, wrap: Callable
) -> Any:
    """Do what `odeint` does; `wrap` may compile the solution.

    Rules for derivatives do not: a series of a compiled function has all its coefficients at once,
    and that of a solution needs one coefficient less of another solution, which needs one less of
    a third one.
    """
    converted, closed = closure_convert(func, y0, times[0], *args)
    leaves, structure = tree.flatten((*args, *closed))
    start, unravel = ravel_pytree(y0)
    expected = tree.structure(y0)

    def field(y: Any, time: Any, leaves: Sequence[Any]) -> Any:
        slope = converted(unravel(y), time, *tree.unflatten(structure, leaves))
        return _slope(slope, y, y0, expected, name_of(func))

    def solved(y: Any, times: Any, leaves: Sequence[Any]) -> Any:
        return vmap(unravel)(_solution(field, options, y, times, leaves))

    return wrap(solved)(start, times, leaves)


def _checked(x: Any, what: str) -> Any:
    try:
        return as_value(x)
    except TypeError:
        raise with_user_line(TypeError(f"odeint: {what}, got {describe(x)}")) from None


def _times(t: Any) -> Any:
    times = _checked(t if hasattr(t, "dtype") else np.asarray(t), "t must be an array of times")
    if not is_inexact(times.dtype) or is_complex(times.dtype) or times.ndim != 1:
        raise with_user_line(
            TypeError(f"odeint: t must be a vector of floating-point numbers, got {describe(t)}")
        )
    if times.shape[0] == 0:
        raise with_user_line(ValueError("odeint: t must have the time of y0, got no time at all"))
    if not isinstance(times, Tracer) and not _ascend(np.asarray(times)):
        raise with_user_line(
            ValueError(
                "odeint: the times t must ascend; to go backward, solve for -t with the negative "
                "right-hand side at -t"
            )
        )
    return times


def _ascend(times: np.ndarray) -> bool:
    return bool((times[1:] >= times[:-1]).all())


def _state(y: Any) -> Any:
    value = _checked(y, "y0 must be a tree of arrays or numbers")
    if not is_inexact(value.dtype):
        raise with_user_line(
            TypeError(
                "odeint: y0 must be of floating-point or complex numbers, since it moves: got "
                f"{describe(y)}"
            )
        )
    return value


def _slope(slope: Any, y: Any, y0: Any, expected: Any, name: str) -> Any:
    """Return what `func` returned as a vector like `y`; say where it does not fit."""
    leaves, structure = tree.flatten(slope)
    shapes = [np.shape(x) for x in leaves]
    if structure.num_leaves != expected.num_leaves or shapes != [x.shape for x in tree.leaves(y0)]:
        difference = tree.first_difference(y0, slope, names=("y0", "the slope"))
        raise with_user_line(
            TypeError(
                f"odeint: {name} must return a tree of arrays like y0: "
                + (difference or f"the shapes are {shapes}")
            )
        )
    flat, _ = ravel_pytree(slope)
    if is_complex(flat.dtype) and not is_complex(y.dtype):
        raise with_user_line(
            TypeError(f"odeint: {name} returned complex numbers for a real y0; make y0 complex")
        )
    return convert_element_type(flat, y.dtype)


# --------------------------------------------------------------------------------------------------
# The solution, and its derivatives


def _integrate(field: Field, options: Options, y0: Any, ts: Any, leaves: Sequence[Any]) -> Any:
    """Return the values at all times, [n, size]."""
    with default_matmul_precision("highest"):
        f = lambda y, t: field(y, t, leaves)
        slope = f(y0, ts[0])
        step = _first_step(f, ts[0], y0, slope, options)
        step = dnp.clip(step, 0.0, options.hmax).astype(ts.dtype)
        state = _State(y0, slope, ts[0], step, ts[0], dnp.stack([y0] * 5))

        def reach(state: _State, target: Any) -> tuple[_State, Any]:
            going = lambda s: (s[1].t < target) & (s[0] < options.mxstep) & (s[1].step > 0)
            forward = lambda s: (s[0] + 1, _stepped(f, s[1], options))
            _, state = lax.while_loop(going, forward, (0, state))
            width = state.t - state.last
            part = dnp.where(width == 0, 0, (target - state.last) / dnp.where(width == 0, 1, width))
            y = dnp.polyval(state.between, part.astype(y0.dtype))
            # Beyond the last step, and before it, the polynomial means nothing.
            reached = (state.t >= target) & (state.last <= target)
            return state, dnp.where(reached, y, np.nan)

        _, ys = lax.scan(reach, state, ts[1:])
        return dnp.concatenate((y0[None], ys))


_solution = custom_rule(_integrate, nondiff_argnums=(0, 1))


@_solution.jvp
def _solution_jvp(field: Field, options: Options, primals: Any, tangents: Any) -> tuple[Any, Any]:
    """Solve for the solution and its tangent s together: ds/dt is the tangent of the field along s
    and the tangents of the other arguments.

    A start that is later by dt0 is one that lies behind by dt0 times the slope there.
    """
    (y0, ts, leaves), (dy0, dts, dleaves) = primals, tangents
    moving = _moving(leaves)
    dmoving = [dleaves[i] for i in moving]
    start = field(y0, ts[0], leaves)

    def both(pair: Any, t: Any, everything: Any) -> Any:
        leaves, dmoving = everything
        at = lambda y, values: field(y, t, _replaced(leaves, moving, values))
        values = [leaves[i] for i in moving]
        return jvp(at, (pair[0], values), (pair[1], dmoving))

    pair = (y0, dy0 - start * dts[0].astype(start.dtype))
    ys, along = _solve(both, pair, ts, ((leaves, dmoving),), options, _as_it_is)
    slopes = vmap(lambda y, t: field(y, t, leaves))(ys, ts)
    return ys, along + slopes * dts[:, None].astype(slopes.dtype)


def _forward(field: Field, options: Options, y0: Any, ts: Any, leaves: Any) -> tuple[Any, Any]:
    ys = _solution(field, options, y0, ts, leaves)
    return ys, (ys, ts, leaves)


def _backward(field: Field, options: Options, residuals: Any, cts: Any) -> tuple[Any, Any, Any]:
    """Solve the adjoint equation (Chen, Rubanova, Bettencourt and Duvenaud, 2018, appendix C) from
    each time back to the one before, where the cotangent of the value there is added.
    """
    ys, ts, leaves = residuals
    moving = _moving(leaves)
    values = [leaves[i] for i in moving]
    at = lambda y, t, leaves, values: field(y, t, _replaced(leaves, moving, values))

    def adjoint(state: Any, negative: Any, leaves: Any) -> Any:
        """The slopes by -t of y and of the cotangents of y, t0 and the values."""
        y, ct = state[0], state[1]
        values = [leaves[i] for i in moving]
        slope, pullback = vjp(lambda y, t, v: at(y, t, leaves, v), y, -negative, values)
        return (-slope, *pullback(ct))

    def back(carry: Any, i: Any) -> tuple[Any, Any]:
        ct, t0_ct, values_ct = carry
        slope = field(ys[i], ts[i], leaves)
        t_ct = dnp.dot(slope, cts[i]).real.astype(ts.dtype)
        state = (ys[i], ct, t0_ct - t_ct, values_ct)
        span = dnp.stack([-ts[i], -ts[i - 1]])
        found = _solve(adjoint, state, span, (leaves,), options, _as_it_is)
        ct, t0_ct, values_ct = tree.map(lambda x: x[1], found[1:])
        return (ct + cts[i - 1], t0_ct, values_ct), t_ct

    with default_matmul_precision("highest"):
        zero = dnp.zeros((), ts.dtype)
        start = (cts[-1], zero, [dnp.zeros_like(v) for v in values])
        steps = np.arange(ts.shape[0] - 1, 0, -1)
        (ct, t0_ct, values_ct), ts_ct = lax.scan(back, start, steps)
        ts_ct = dnp.concatenate([t0_ct[None], ts_ct[::-1]])
    return ct, ts_ct, _replaced([None] * len(leaves), moving, values_ct)


_solution.vjp(_forward, _backward)


def _as_it_is(fun: Callable) -> Callable:
    return fun


def _moving(leaves: Sequence[Any]) -> list[int]:
    """Return the places of the leaves that have derivatives."""
    return [i for i, x in enumerate(leaves) if is_inexact(as_value(x).dtype)]


def _replaced(leaves: Sequence[Any], places: Sequence[int], values: Sequence[Any]) -> list[Any]:
    new = list(leaves)
    for place, value in zip(places, values):
        new[place] = value
    return new


# --------------------------------------------------------------------------------------------------
# Steps


class _State(NamedTuple):
    """Where the integration stands.

    Attributes:
        y, slope, t: the value, its slope and the time.
        step: the size of the next step.
        last: the time before the last step.
        between: [5, size], the coefficients of the polynomial between then and now.
    """

    y: Any
    slope: Any
    t: Any
    step: Any
    last: Any
    between: Any


def _stepped(f: Callable, state: _State, options: Options) -> _State:
    """Try a step. Where its error is too large, only the size of the step changes."""
    y, step = state.y, state.step
    slopes = _slopes(f, y, state.slope, state.t, step)
    width = step.astype(y.dtype)
    new = width * dnp.dot(_weights(_SOLUTION, y), slopes) + y
    error = width * dnp.dot(_weights(_ERROR, y), slopes)
    allowed = options.atol + options.rtol * dnp.maximum(dnp.abs(y), dnp.abs(new))
    ratio = dnp.sqrt(dnp.mean(_squared(error / allowed.astype(error.dtype))))
    size = dnp.clip(_next_size(step, ratio), 0.0, options.hmax).astype(step.dtype)
    between = _polynomial(y, new, slopes, width)
    after = _State(new, slopes[-1], state.t + step, size, state.t, between)
    before = state._replace(step=size)
    return tree.map(lambda a, b: dnp.where(ratio <= 1.0, a, b), after, before)


def _slopes(f: Callable, y: Any, slope: Any, t: Any, step: Any) -> Any:
    """Return the slopes at the seven stages of a step, [7, size]."""
    times, stages = _weights(_TIMES, step), _weights(_STAGES, y)

    def stage(i: Any, slopes: Any) -> Any:
        at = y + step.astype(y.dtype) * dnp.dot(stages[i], slopes)
        return slopes.at[i + 1].set(f(at, t + step * times[i]))

    return lax.fori_loop(0, 6, stage, dnp.zeros((7, *y.shape), y.dtype).at[0].set(slope))


def _polynomial(y0: Any, y1: Any, slopes: Any, step: Any) -> Any:
    """Return the polynomial of degree 4 over a step, in parts of the step, with these values and
    slopes at the ends and this value in the middle.
    """
    middle = y0 + step * dnp.dot(_weights(_MIDDLE, y0), slopes)
    first, last = slopes[0], slopes[-1]
    fourth = -2.0 * step * first + 2.0 * step * last - 8.0 * y0 - 8.0 * y1 + 16.0 * middle
    third = 5.0 * step * first - 3.0 * step * last + 18.0 * y0 + 14.0 * y1 - 32.0 * middle
    second = -4.0 * step * first + step * last - 11.0 * y0 - 5.0 * y1 + 16.0 * middle
    return dnp.stack([fourth, third, second, step * first, y0])


def _next_size(step: Any, ratio: Any) -> Any:
    """Return the size of the next step, from 0.2 to 10 times the last one; not smaller after a
    step that was taken.
    """
    least = dnp.where(ratio < 1, 1.0, 0.2)
    factor = dnp.minimum(10.0, dnp.maximum(ratio ** (-1.0 / 5.0) * 0.9, least))
    return dnp.where(ratio == 0, step * 10.0, step * factor)


def _first_step(f: Callable, t: Any, y: Any, slope: Any, options: Options) -> Any:
    scale = (options.atol + dnp.abs(y) * options.rtol).astype(y.dtype)
    norm = lambda x: dnp.linalg.norm(x / scale)
    d0, d1 = norm(y), norm(slope)
    h0 = dnp.where((d0 < 1e-5) | (d1 < 1e-5), 1e-6, 0.01 * d0 / d1)
    ahead = f(y + h0.astype(y.dtype) * slope, t + h0.astype(t.dtype))
    d2 = norm(ahead - slope) / h0
    flat = (d1 <= 1e-15) & (d2 <= 1e-15)
    h1 = dnp.where(flat, dnp.maximum(1e-6, h0 * 1e-3), (0.01 / dnp.maximum(d1, d2)) ** (1 / 5))
    return dnp.minimum(100.0 * h0, h1)


def _weights(table: Any, like: Any) -> Any:
    return dnp.asarray(np.array(table), like.dtype)


def _squared(x: Any) -> Any:
    return x.real**2 + x.imag**2 if is_complex(x.dtype) else x**2

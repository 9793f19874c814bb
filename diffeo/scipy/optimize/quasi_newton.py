"""BFGS and L-BFGS: Newton's method with a Hessian that is estimated from the steps.

L-BFGS keeps the last few steps in place of a matrix. Both are loops in the language.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from ...api.control_flow.loops import fori_loop, while_loop
from ...api.derivatives.gradients import value_and_grad
from ...numpy.choosing import where
from ...numpy.contracting.products import dot, outer
from ...numpy.linalg.norms import norm as norm_of
from ...numpy.making.creation import asarray, zeros
from ...numpy.making.grids import eye
from ...numpy.places.selecting import roll
from ...primitives.core import Value
from .line_search import Search, line_search


class Minimum(NamedTuple):
    """What a method returns; the names are those of `OptimizeResults`."""

    x: Any
    success: Any
    status: Any
    fun: Any
    jac: Any
    hess_inv: Any
    nfev: Any
    njev: Any
    nit: Any


class _State(NamedTuple):
    """What a step starts from. `memory` is the estimate of the inverse Hessian."""

    converged: Any
    status: Any
    steps: Any
    evaluations: Any
    x: Any
    value: Any
    gradient: Any
    before: Any
    memory: Any


def _start(fun: Callable, x0: Value, norm: Any, gtol: float, memory: Any) -> _State:
    value, gradient = value_and_grad(fun)(x0)
    none = asarray(0)
    converged = norm_of(gradient, norm) < gtol
    before = value + 0.5 * norm_of(gradient)
    return _State(converged, none, none, none + 1, x0, value, gradient, before, memory)


def _after(
    s: _State, search: Search, direction: Value, norm: Any, gtol: float
) -> tuple[Any, _State]:
    """Return the step that a search has found, and the state after it."""
    step = search.low.step * direction
    low = search.low
    after = s._replace(
        converged=norm_of(low.gradient, norm) < gtol, steps=s.steps + 1,
        evaluations=s.evaluations + search.tried + search.shrunk,
        x=s.x + step, value=low.value, gradient=low.gradient, before=s.value,
    )  # fmt: skip
    return step, after


def _minimum(s: _State, hess_inv: Value | None) -> Minimum:
    return Minimum(s.x, s.converged & (s.status == 0), s.status, s.value, s.gradient, hess_inv,
                   s.evaluations, s.evaluations, s.steps)  # fmt: skip


def bfgs(
    fun: Callable, x0: Value, *, maxiter: int | None = None, norm: Any = math.inf,
    gtol: float = 1e-5, line_search_maxiter: int = 10,
) -> Minimum:  # fmt: skip
    """Minimize by the method of Broyden, Fletcher, Goldfarb and Shanno.

    Args:
        fun: a function of a vector.
        x0: the start.
        maxiter: the most steps; 200 for each element of x0 by default.
        norm: of which order the norm of the gradient is.
        gtol: below this norm of the gradient the minimum is reached.
        line_search_maxiter: how often the length of a step is enlarged.
    """
    n = x0.shape[0]
    maxiter = 200 * n if maxiter is None else maxiter

    def going(s: _State) -> Any:
        return ~s.converged & (s.status == 0) & (s.steps < maxiter)

    def turn(s: _State) -> _State:
        direction = -dot(s.memory, s.gradient)
        # The first step promises the decrease of the step before.
        first = 2.02 * (s.value - s.before) / dot(s.gradient, direction)
        first = where(first > 1, 1.0, where(first > 0, first, 1.0))
        search = line_search(fun, s.x, direction, s.value, s.gradient, first, line_search_maxiter)
        step, after = _after(s, search, direction, norm, gtol)
        change = after.gradient - s.gradient
        by_change = dot(s.memory, change)
        scale = 1.0 / dot(change, step)
        usual = abs(scale) < math.inf
        scale = where(usual, scale, 0.0)
        crossed = outer(by_change, step)
        memory = s.memory - scale * (crossed + crossed.T)
        memory = memory + scale * (1.0 + scale * dot(change, by_change)) * outer(step, step)
        status = where(search.done, 0, where(search.failed, 3, 5))
        return after._replace(status=status, memory=memory)

    s = while_loop(going, turn, _start(fun, x0, norm, gtol, eye(n, dtype=x0.dtype)))
    status = where(s.converged, 0, where(s.status > 0, s.status, 1))
    return _minimum(s._replace(status=status), s.memory)


# --------------------------------------------------------------------------------------------------


class _Steps(NamedTuple):
    """The last steps, the changes of the gradient, and the reciprocals of their products.

    The newest one is the last. `scale` is the Hessian's reciprocal along the newest step.
    """

    steps: Any
    changes: Any
    reciprocals: Any
    scale: Any


def _direction(memory: _Steps, gradient: Value, count: Value) -> Any:
    """Return the estimate of the inverse Hessian times the negative gradient, by two recursions."""
    size = memory.reciprocals.shape[0]
    count = where(count < size, count, size)

    def back(j: Value, carry: tuple[Any, Any]) -> tuple[Any, Any]:
        q, amounts = carry
        i = size - 1 - j
        amount = memory.reciprocals[i] * dot(memory.steps[i], q)
        return q - amount * memory.changes[i], amounts.at[i].set(amount)

    def forth(j: Value, q: Value) -> Any:
        i = size - count + j
        return (
            q + (amounts[i] - memory.reciprocals[i] * dot(memory.changes[i], q)) * memory.steps[i]
        )

    q, amounts = fori_loop(0, count, back, (-gradient, memory.reciprocals * 0))
    return fori_loop(0, count, forth, memory.scale * q)


def lbfgs(
    fun: Callable, x0: Value, *, maxiter: Any = None, norm: Any = math.inf, maxcor: int = 10,
    ftol: float = 2.220446049250313e-09, gtol: float = 1e-05, maxfun: Any = None,
    maxgrad: Any = None, maxls: int = 20,
) -> Minimum:  # fmt: skip
    """Minimize by BFGS with limited memory.

    Args:
        fun: a function of a vector.
        x0: the start.
        maxiter, maxfun, maxgrad: the most steps, evaluations of the function, and of its gradient;
            by default, 200 steps for each element of x0 if none of them is given.
        norm: of which order the norm of the gradient is.
        maxcor: how many steps are kept.
        ftol: a smaller decrease of the function is no progress.
        gtol: below this norm of the gradient the minimum is reached.
        maxls: how often the length of a step is enlarged.
    """
    n, dtype = x0.shape[0], x0.dtype
    if maxiter is None and maxfun is None and maxgrad is None:
        maxiter = 200 * n
    most = [np.iinfo(np.int64).max if m is None else m for m in (maxiter, maxfun, maxgrad)]

    def going(s: _State) -> Any:
        return ~s.converged & (s.status == 0)

    def turn(s: _State) -> _State:
        direction = _direction(s.memory, s.gradient, s.steps)
        search = line_search(fun, s.x, direction, s.value, s.gradient, 1.0, maxls)
        step, after = _after(s, search, direction, norm, gtol)
        change = after.gradient - s.gradient
        product, old = dot(change, step), s.memory
        usual = product > 0
        scale = where(usual, product / where(usual, dot(change, change), 1.0), old.scale)
        newest = lambda all_, new: roll(all_, -1, 0).at[-1].set(new)
        reciprocal = where(usual, 1.0 / where(usual, product, 1.0), 0.0)
        memory = _Steps(
            newest(old.steps, step),
            newest(old.changes, change),
            newest(old.reciprocals, reciprocal),
            scale.astype(dtype),
        )
        status = where(s.value - after.value < ftol, 4, 0)
        status = where(s.evaluations >= most[2], 3, status)
        status = where(s.evaluations >= most[1], 2, status)
        status = where(s.steps >= most[0], 1, status)
        status = where(search.done, status, 5)
        return after._replace(memory=memory, status=where(after.converged, 0, status))

    rows = zeros((maxcor, n), dtype)
    memory = _Steps(rows, rows, zeros((maxcor,), dtype), asarray(1.0, dtype))
    return _minimum(while_loop(going, turn, _start(fun, x0, norm, gtol, memory)), None)

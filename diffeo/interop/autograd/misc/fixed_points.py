"""Fixed points, differentiated through the equation that they solve."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..extend import defvjp, primitive, vspace
from ..machinery.passes import make_vjp


@primitive
def fixed_point(f: Callable, a: Any, x0: Any, distance: Callable, tol: float) -> Any:
    """Return the fixed point of `f(a)`, by iteration.

    By the implicit function theorem, the cotangent of `a` is that of one step, for the cotangent of
    the result plus all that comes back through further steps, which is a fixed point itself.

    Args:
        f: `f(a)` is the function that is iterated.
        a: a tree of arrays.
        x0: where to start.
        distance: `distance(x, y)`, a number.
        tol: the iteration ends when a step is not longer than this.

    Examples:
        >>> from diffeo.interop.autograd import grad
        >>> from diffeo.interop.autograd.misc.fixed_points import fixed_point
        >>> root = lambda a: fixed_point(
        ...     lambda a: lambda x: (x + a / x) / 2, a, 1.0, lambda x, y: abs(x - y), 1e-12)
        >>> print(round(float(grad(root)(4.0)), 9))
        0.25
    """
    step = f(a)
    x, before = step(x0), x0
    while distance(x, before) > tol:
        x, before = step(x), x
    return x


def _backward(ans: Any, f: Callable, a: Any, x0: Any, distance: Callable, tol: float) -> Callable:
    def steps_back(fixed: Any) -> Callable:
        a, x, ct = fixed
        pull, space = make_vjp(f(a), x)[0], vspace(x)
        return lambda g: space.add(pull(g), ct)

    pull_both = make_vjp(lambda both: f(both[0])(both[1]), (a, ans))[0]

    def pull(g: Any) -> Any:
        start = vspace(x0).zeros()
        return pull_both(fixed_point(steps_back, (a, ans, g), start, distance, tol))[0]

    return pull


defvjp(fixed_point, None, _backward, None)

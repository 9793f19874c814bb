"""The minimum of a function: `minimize`, and the table of its methods."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from ...numpy.common import arr, no_such
from ...numpy.joining import concatenate
from ...numpy.making.creation import asarray
from ...primitives.core import describe, with_user_line
from ...primitives.types import is_complex
from ...primitives.words.promotion import to_inexact
from ...primitives.words.structural import convert_element_type
from ...trees.arguments import check_callable
from .quasi_newton import Minimum, bfgs, lbfgs


class OptimizeResults(NamedTuple):
    """The result of a minimization, a tree of arrays.

    Attributes:
        x: where the function is least, as far as was found.
        success: whether the minimum was reached.
        status: 0 if it was; 1 after too many steps. Of BFGS: 3 if no step was found within a
            bracket, 5 if no bracket was found. Of L-BFGS: 2 or 3 after too many evaluations of the
            function or of its gradient, 4 without progress, 5 if no step was found.
        fun: the function there.
        jac: its gradient.
        hess_inv: the estimate of the inverse Hessian; None for L-BFGS.
        nfev, njev: how often the function and its gradient were evaluated.
        nit: the number of steps.
    """

    x: Any
    success: Any
    status: Any
    fun: Any
    jac: Any
    hess_inv: Any
    nfev: Any
    njev: Any
    nit: Any


class Method(NamedTuple):
    """A method, the names of the options that `tol` sets, and whether x may be complex."""

    solve: Callable[..., Minimum]
    tolerances: tuple[str, ...]
    takes_complex: bool = False


#: By its name in lower case.
METHODS = {
    "bfgs": Method(bfgs, ("gtol",)),
    "l-bfgs-experimental-do-not-rely-on-this": Method(lbfgs, ("ftol", "gtol"), True),
}


def minimize(
    fun: Callable,
    x0: Any,
    args: tuple = (),
    *,
    method: str,
    tol: float | None = None,
    options: Mapping[str, Any] | None = None,
) -> OptimizeResults:
    """Minimize a function of a vector.

    The gradient is the function's derivative. The whole minimization is one loop in the language:
    it can be compiled and batched.

    Args:
        fun: `fun(x, *args)` returns a number.
        x0: [n], where to start.
        args: further arguments of `fun`.
        method: "BFGS", or "l-bfgs-experimental-do-not-rely-on-this" for L-BFGS, which also takes
            complex numbers.
        tol: `gtol`, and `ftol` where there is one; options go before it.
        options: of the method. "BFGS": maxiter, norm, gtol, line_search_maxiter. L-BFGS: maxiter,
            norm, maxcor, ftol, gtol, maxfun, maxgrad, maxls.

    Returns:
        An `OptimizeResults`.

    Raises:
        TypeError: for `args` that are no tuple, or options that the method does not have.
        ValueError: for another method, or an x0 that is no vector.

    Examples:
        >>> import diffeo as dx
        >>> result = minimize(lambda x: ((x - 3.0) ** 2).sum(), dx.numpy.zeros(2), method="BFGS")
        >>> result.x, result.success
        (Array([3., 3.]), Array(True))
    """
    check_callable(fun, "minimize")
    if not isinstance(args, tuple):
        raise with_user_line(TypeError(f"minimize: args must be a tuple, got {describe(args)}"))
    if not isinstance(method, str) or method.lower() not in METHODS:
        raise no_such("minimize", "method", method, ("BFGS", *list(METHODS)[1:]))
    chosen = METHODS[method.lower()]
    allowed = list(inspect.signature(chosen.solve).parameters)[2:]
    options = dict(options or {})
    unknown = [o for o in options if o not in allowed]
    if unknown:
        raise with_user_line(
            TypeError(
                f"minimize: the method {method!r} has no option {unknown[0]!r}; it has "
                f"{', '.join(allowed)}"
            )
        )
    if tol is not None:
        options = {**dict.fromkeys(chosen.tolerances, tol), **options}
    x0 = asarray(x0)
    if x0.ndim != 1:
        raise with_user_line(
            ValueError(f"minimize: x0 must be a vector, got shape {x0.shape}; ravel it")
        )
    x0 = arr(to_inexact(x0))
    x0 = convert_element_type(x0, x0.dtype)
    if is_complex(x0.dtype):
        return _of_parts(fun, x0, args, chosen, method, options)
    return OptimizeResults(*chosen.solve(lambda x: arr(fun(x, *args)), x0, **options))


def _of_parts(fun: Callable, x0: Any, args: tuple, chosen: Method, method: str,
              options: dict[str, Any]) -> OptimizeResults:  # fmt: skip
    """Minimize a function of complex numbers: of their real and imaginary parts."""
    if not chosen.takes_complex:
        raise with_user_line(
            TypeError(f"minimize: the method {method!r} takes real numbers, got {x0.aval}")
        )
    n = x0.shape[0]
    joined = lambda parts, sign=1: parts[:n] + (sign * 1j) * parts[n:]
    whole = lambda parts: arr(fun(joined(parts).astype(x0.dtype), *args))
    m = chosen.solve(whole, concatenate([x0.real, x0.imag]), **options)
    # The gradient by complex numbers has the convention of `grad`.
    x, jac = joined(m.x).astype(x0.dtype), joined(m.jac, -1).astype(x0.dtype)
    return OptimizeResults(*m._replace(x=x, jac=jac))

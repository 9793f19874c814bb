"""Checks of derivatives against finite differences, for the tests of one's own functions."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np

from .api.derivatives.autodiff import jvp, vjp
from .primitives.core import typeof
from .primitives.support.foreign import float0
from .primitives.types import is_float, is_inexact
from .trees import tree

__all__ = ["check_grads", "check_jvp", "check_vjp"]

#: How far derivatives may be from finite differences, by the dtype's name; others are exact.
_TOLERANCES = {
    "float64": 1e-5, "complex128": 1e-5, "float32": 2e-3, "complex64": 1e-3, "float16": 1e-2,
    "bfloat16": 1e-1,
}  # fmt: skip
_STEP = 1e-4


def check_jvp(
    f: Callable,
    f_jvp: Callable,
    args: Sequence[Any],
    atol: Any = None,
    rtol: Any = None,
    eps: float = _STEP,
    err_msg: str = "",
) -> None:
    """Check a derivative in forward mode in one random direction.

    Args:
        f: a function of arrays or trees.
        f_jvp: (arguments, tangents) -> (result, tangent), such as `partial(dx.jvp, f)`.
        args: where it is checked.
        atol, rtol: absolute and relative tolerances, numbers, or dictionaries of numbers by dtype;
            by default 1e-5 for float64 and 2e-3 for float32.
        eps: the step of the central difference.
        err_msg: what an error says besides.

    Raises:
        AssertionError: if the derivative is not that of the function.

    Examples:
        >>> from functools import partial
        >>> import diffeo as dx
        >>> dx.test_util.check_jvp(dx.numpy.sin, partial(dx.jvp, dx.numpy.sin), (0.5,))
    """
    args = tuple(args)
    tangents = _random_like(np.random.RandomState(0), args)
    out, out_tangent = f_jvp(args, tangents)
    difference = _central_difference(f, args, tangents, eps)
    _close(out, f(*args), atol, rtol, f"{err_msg} primal")
    _close(out_tangent, difference, atol, rtol, f"{err_msg} tangent")


def check_vjp(
    f: Callable,
    f_vjp: Callable,
    args: Sequence[Any],
    atol: Any = None,
    rtol: Any = None,
    eps: float = _STEP,
    err_msg: str = "",
) -> None:
    """Check a derivative in reverse mode against one random direction of forward differences.

    Args:
        f: a function of arrays or trees.
        f_vjp: arguments -> (result, function of a cotangent), such as `partial(dx.vjp, f)`.
        args, atol, rtol, eps, err_msg: as `check_jvp` has.

    Raises:
        AssertionError: if the derivative is not that of the function.

    Examples:
        >>> from functools import partial
        >>> import diffeo as dx
        >>> dx.test_util.check_vjp(dx.numpy.sin, partial(dx.vjp, dx.numpy.sin), (0.5,))
    """
    args = tuple(args)
    random = np.random.RandomState(0)
    out, pullback = f_vjp(*args)
    _close(out, f(*args), atol, rtol, f"{err_msg} primal")
    tangents = _random_like(random, args)
    difference = _central_difference(f, args, tangents, eps)
    cotangent = _random_like(random, out)
    # The pullback is the transpose, without conjugation: <A t, c> = <t, conj A^T conj c>.
    pulled = tree.map(_conj, tuple(pullback(tree.map(_conj, cotangent))))
    left, right = _inner(tangents, pulled), _inner(difference, cotangent)
    _close(left, right, atol, rtol, f"{err_msg} cotangent projection")


def check_grads(
    f: Callable,
    args: Sequence[Any],
    order: int,
    modes: str | Sequence[str] = ("fwd", "rev"),
    atol: Any = None,
    rtol: Any = None,
    eps: float | None = None,
) -> None:
    """Check derivatives of orders 1 to `order` in all combinations of the modes.

    Args:
        f: a function of arrays or trees, of floating-point or complex numbers.
        args: where it is checked.
        order: the highest order.
        modes: "fwd", "rev", or several.
        atol, rtol: as `check_jvp` has.
        eps: the step of the central difference, 1e-4 by default.

    Raises:
        AssertionError: if a derivative is not that of the function.
        ValueError: for another mode.

    Examples:
        >>> import diffeo as dx
        >>> dx.test_util.check_grads(lambda x: dx.numpy.sin(x) * x, (0.5,), order=2)
    """
    modes = (modes,) if isinstance(modes, str) else tuple(modes)
    if not modes or not set(modes) <= {"fwd", "rev"}:
        raise ValueError(f'check_grads: modes are "fwd" and "rev", got {modes!r}')
    step = _STEP if eps is None else eps

    def check(f: Callable, args: tuple, order: int, what: str) -> None:
        if "fwd" in modes:
            message = f"JVP{what} of order {order}" if what else "JVP"
            check_jvp(f, partial(jvp, f), args, atol, rtol, step, message)
            if order > 1:
                tangents = _random_like(np.random.RandomState(order), args)
                check(lambda *xs: jvp(f, xs, tangents), args, order - 1, f"{what} of JVP")
        if "rev" in modes:
            check_vjp(f, partial(vjp, f), args, atol, rtol, step, f"VJP{what}")
            if order > 1:
                cotangent = _random_like(np.random.RandomState(order), f(*args))
                check(lambda *xs: vjp(f, *xs)[1](cotangent), args, order - 1, f"{what} of VJP")

    check(f, tuple(args), order, "")


def _random_like(random: np.random.RandomState, values: Any) -> Any:
    """Return normal numbers in the shapes and dtypes of a tree; float0 for integers."""

    def like(x: Any) -> Any:
        aval = typeof(x)
        if not is_inexact(aval.dtype):
            return np.zeros(aval.shape, float0)
        drawn = random.standard_normal(aval.shape)
        if not is_float(aval.dtype):
            drawn = drawn + 1j * random.standard_normal(aval.shape)
        return np.asarray(drawn, aval.dtype)

    return tree.map(like, values)


def _conj(x: Any) -> Any:
    x = np.asarray(x)
    return x if x.dtype == float0 else np.conj(x)


def _central_difference(f: Callable, args: tuple, tangents: Any, eps: float) -> Any:
    """Return the derivative in a direction by a central difference."""

    def moved(sign: int) -> Any:
        return tree.map(
            lambda x, t: x if t.dtype == float0 else _step(np.asarray(x), sign * eps, t),
            args,
            tangents,
        )

    def difference(above: Any, below: Any) -> Any:
        above, below = np.asarray(above), np.asarray(below)
        if not is_inexact(above.dtype):
            return np.zeros(above.shape, float0)
        same = above == below  # infinities do not move
        with np.errstate(invalid="ignore"):
            return np.where(same, 0, above - below).astype(above.dtype) * np.asarray(
                0.5 / eps, above.dtype
            )

    return tree.map(difference, f(*moved(1)), f(*moved(-1)))


def _step(x: np.ndarray, step: float, tangent: np.ndarray) -> np.ndarray:
    return (x + np.asarray(step, x.dtype) * tangent).astype(x.dtype)


def _inner(xs: Any, ys: Any) -> np.ndarray:
    """Return the real part of <xs, ys>, as an array of the numbers' dtype."""

    def contract(x: Any, y: Any) -> Any:
        x, y = np.asarray(x), np.asarray(y)
        if x.dtype == float0 or y.dtype == float0:
            return np.zeros(())
        return np.real(np.vdot(x.ravel(), y.ravel()))

    parts = tree.leaves(tree.map(contract, xs, ys))
    return np.asarray(sum(parts[1:], start=parts[0]) if parts else 0.0)


def _close(xs: Any, ys: Any, atol: Any, rtol: Any, message: str) -> None:
    """Compare trees, with tolerances by dtype that grow with the number of elements."""

    def close(x: Any, y: Any) -> None:
        x, y = np.asarray(x), np.asarray(y)
        assert x.shape == y.shape, f"{message}: shapes {x.shape} and {y.shape}"
        if x.dtype == float0 or y.dtype == float0:
            return
        absolute = max(_tolerance(x.dtype, atol), _tolerance(y.dtype, atol)) * max(x.size, 1)
        relative = max(_tolerance(x.dtype, rtol), _tolerance(y.dtype, rtol)) * max(x.size, 1)
        wide = [v if v.dtype.kind in "iufcb" else v.astype(np.float32) for v in (x, y)]
        np.testing.assert_allclose(*wide, atol=absolute, rtol=relative, err_msg=message)

    tree.map(close, xs, ys)


def _tolerance(dtype: np.dtype, chosen: Any) -> float:
    if isinstance(chosen, dict):
        by_dtype = {np.dtype(d): value for d, value in chosen.items()}
        if dtype in by_dtype:
            return by_dtype[dtype]
    elif chosen is not None:
        return chosen
    return _TOLERANCES.get(dtype.name, 0.0)

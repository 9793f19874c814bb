"""Checks of derivatives by differences."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from itertools import product
from typing import Any

from .extend import vspace
from .machinery.passes import make_jvp, make_vjp
from .wrap_util import get_name, unary_to_nary

#: How far two numbers may be apart, absolutely or by their size; and the step of differences.
TOL = RTOL = EPS = 1e-6


def scalar_close(a: Any, b: Any) -> bool:
    """Return whether two numbers are equal to 1e-6.

    Args:
        a: a number.
        b: a number.
    """
    return bool(abs(a - b) < TOL or abs(a - b) / abs(a + b) < RTOL)


def make_numerical_jvp(f: Callable, x: Any) -> Callable:
    """Return the map from a direction to the difference quotient along it.

    Args:
        f: a function of a tree.
        x: the point.
    """
    space = vspace(x)
    results = vspace(f(x))

    def jvp(v: Any) -> Any:
        ahead = f(space.add(x, space.scalar_mul(v, EPS / 2)))
        behind = f(space.add(x, space.scalar_mul(v, -EPS / 2)))
        apart = results.add(ahead, results.scalar_mul(behind, -1.0))
        return results.scalar_mul(apart, 1 / EPS)

    return jvp


def check_equivalent(x: Any, y: Any) -> None:
    """Check that two trees are in one space, and equal along a random direction.

    Args:
        x: a tree of arrays.
        y: a tree of arrays.

    Raises:
        AssertionError: if they are not.
    """
    space, other = vspace(x), vspace(y)
    assert space == other, f"VSpace mismatch:\nx: {space}\ny: {other}"
    v = space.randn()
    same = scalar_close(space.inner_prod(x, v), space.inner_prod(y, v))
    assert same, f"Value mismatch:\nx: {x}\ny: {y}"


def check_jvp(f: Callable, x: Any) -> None:
    """Check forward mode against differences, along a random direction.

    Args:
        f: a function of a tree.
        x: the point.

    Raises:
        AssertionError: if they differ.
    """
    v = vspace(x).randn()
    check_equivalent(make_jvp(f, x)(v)[1], make_numerical_jvp(f, x)(v))


def check_vjp(f: Callable, x: Any) -> None:
    """Check reverse mode against differences, along random directions.

    Args:
        f: a function of a tree.
        x: the point.

    Raises:
        AssertionError: if they differ.
    """
    pull, y = make_vjp(f, x)
    space, results = vspace(x), vspace(y)
    v, w = space.randn(), results.randn()
    pulled = space.covector(pull(results.covector(w)))
    assert vspace(pulled) == space, f"VSpace mismatch:\nx: {space}\ngot: {vspace(pulled)}"
    exact = space.inner_prod(v, pulled)
    numeric = results.inner_prod(w, make_numerical_jvp(f, x)(v))
    assert scalar_close(numeric, exact), (
        f"Derivative (VJP) check of {get_name(f)} failed with arg {x}:\n"
        f"analytic: {exact}\nnumeric:  {numeric}"
    )


@unary_to_nary
def check_grads(f: Callable, x: Any, modes: Sequence[str] = ("fwd", "rev"), order: int = 2) -> None:
    """Return the function that checks derivatives by an argument against differences.

    Args:
        f: a function of arrays.
        argnum: the number of the argument, or a tuple of them; 0 by default.
        modes: "fwd", "rev" or both.
        order: up to which order; derivatives of derivatives are checked too.

    Raises:
        AssertionError: (when called) if they differ.
        ValueError: (when called) for another mode.

    Examples:
        >>> from diffeo.interop.autograd import numpy as np
        >>> from diffeo.interop.autograd.test_util import check_grads
        >>> check_grads(np.tanh)(0.5)
    """
    modes = ("fwd", "rev") if modes is None else modes
    if not set(modes) <= {"fwd", "rev"}:
        raise ValueError(f"check_grads: modes are 'fwd' and 'rev', got {modes!r}")
    for mode in modes:
        (check_jvp if mode == "fwd" else check_vjp)(f, x)
        if order > 1:
            of_mode = _pushed if mode == "fwd" else _pulled
            v = vspace(x if mode == "fwd" else f(x)).randn()
            check_grads(of_mode(f), (0, 1), modes, order=order - 1)(x, v)


def _pushed(f: Callable) -> Callable:
    def jvp(x: Any, v: Any) -> Any:
        return make_jvp(f, x)(v)[1]

    jvp.__name__ = f"jvp_{get_name(f)}"
    return jvp


def _pulled(f: Callable) -> Callable:
    def vjp(x: Any, v: Any) -> Any:
        return make_vjp(f, x)[0](v)

    vjp.__name__ = f"vjp_{get_name(f)}"
    return vjp


def combo_check(fun: Callable, *args: Any, **kwargs: Any) -> Callable:
    """Return a function that checks derivatives for all combinations of arguments.

    Args:
        fun: a function of arrays.
        *args: as `check_grads` takes them after the function.
        **kwargs: as `check_grads` takes them.

    Returns:
        A function that takes a list of choices for each argument, and for each keyword argument.
    """

    def over(*choices: Any, **named: Any) -> None:
        for chosen in product(*choices):
            for values in product(*named.values()):
                chosen_fun = partial(fun, **dict(zip(named, values)))
                check_grads(chosen_fun, *args, **kwargs)(*chosen)

    return over

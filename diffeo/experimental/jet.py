"""Taylor mode with JAX's signature and conventions; `dx.jet`, `dx.taylor` and `dx.derivatives` are
diffeo's own spelling of it.

Terms are derivatives: with `factorial_scaled=True`, term k of an argument x(t) or of the result is
its k-th derivative by t at 0. With False, terms are the coefficients of t**k, which are these
derivatives divided by k!.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from .. import lax
from ..api.derivatives.jets import jet as expand
from ..primitives.core import Tracer, typeof, with_user_line
from ..primitives.types import is_inexact
from ..trees import tree
from ..trees.arguments import check_callable
from ..trees.functions import of_chosen

__all__ = ["fact", "jet", "jet2", "jet_fun", "zero_series", "zero_term"]


class _Zero:
    """A stand-in for terms that are zero."""

    def __init__(self, name: str):
        self.name = name

    def __repr__(self) -> str:
        return self.name


#: In the place of the list of terms of an argument: it does not move.
zero_series = _Zero("zero_series")
#: In the place of a term: it is zero.
zero_term = _Zero("zero_term")


def fact(n: Any) -> Any:
    """Return the factorial of a number, n!, as floating-point number.

    Examples:
        >>> fact(4)
        24.0
    """
    if isinstance(n, (int, np.integer)):
        return float(math.factorial(int(n)))
    return lax.exp(lax.lgamma(n + 1.0)) if isinstance(n, Tracer) else float(math.gamma(n + 1))


def jet(
    fun: Callable, primals: Sequence[Any], series: Sequence[Any], factorial_scaled: bool = True
) -> tuple[Any, Any]:
    """Push truncated power series through a function.

    Args:
        fun: a function of arrays or trees.
        primals: its arguments, a tuple or list.
        series: for each argument the terms that follow it, a list of arrays of its shape and dtype
            (for a tree, a tree with such a list in the place of each array), or `zero_series`. All
            lists have one length. Terms of an integer or boolean argument have no effect.
        factorial_scaled: terms are derivatives; if False, the coefficients of the powers of t.

    Returns:
        (result, its terms): a tree like the result, with a list of terms in the place of each
        array.

    Raises:
        ValueError: if the numbers of terms differ.
        TypeError: if terms do not fit their primals.

    Examples:
        >>> import numpy as np
        >>> from diffeo.experimental.jet import jet
        >>> h0, h1, h2 = 0.5**3, 3 * 0.5**2, 6 * 0.5    # z**3 and its derivatives at 0.5
        >>> f0, (f1, f2) = jet(np.sin, (h0,), ((h1, h2),))
        >>> bool(np.isclose(f2, -np.sin(h0) * h1**2 + np.cos(h0) * h2))
        True
    """
    check_callable(fun, "jet")
    if len(primals) != len(series):
        raise with_user_line(
            ValueError(
                f"jet: series must have an entry for each of {len(primals)} arguments, got "
                f"{len(series)}"
            )
        )
    order = _order(primals, series)
    terms = [_instantiated(s, p, order) for p, s in zip(primals, series)]
    moving = [i for i, p in enumerate(primals) if _moves(p)]
    return expand(
        of_chosen(fun, primals, {}, moving),
        tuple([primals[i] for i in moving]),
        tuple([terms[i] for i in moving]),
        factorial_scaled=factorial_scaled,
    )


#: `jet` whose terms are coefficients of powers of t.
jet2 = functools.partial(jet, factorial_scaled=False)


def jet_fun(fun: Callable, order: int) -> Callable[..., tuple[list[Any], list[Any]]]:
    """Return a function of a list of arrays as one of power series.

    Args:
        fun: a function of arrays that returns a list of arrays.
        order: the number of terms of each argument.

    Returns:
        A function `(primals, series) -> (results, their terms)`, with terms that are coefficients
        of powers of t.

    Raises:
        ValueError: (when called) for another number of terms.

    Examples:
        >>> import diffeo as dx
        >>> run = dx.experimental.jet.jet_fun(lambda x: [x * x], 2)
        >>> run([3.0], [[1.0, 0.0]])
        ([Array(9.)], [[Array(6.), Array(1.)]])
    """
    check_callable(fun, "jet_fun")

    def run(primals: Sequence[Any], series: Sequence[Any]) -> tuple[list[Any], list[Any]]:
        full = [[zero_term] * order if s is zero_series else s for s in series]
        if any([len(s) != order for s in full]):
            raise with_user_line(
                ValueError(
                    f"jet_fun: each argument has {order} terms, got {[len(s) for s in full]}"
                )
            )
        return jet(lambda *xs: list(fun(*xs)), primals, full, factorial_scaled=False)

    return run


def _moves(primal: Any) -> bool:
    """Return whether an argument has inexact arrays, all of which then move."""
    return any([is_inexact(typeof(x).dtype) for x in tree.leaves(primal)])


def _order(primals: Sequence[Any], series: Sequence[Any]) -> int:
    """Return the number of terms of the first argument that has terms."""
    for primal, terms in zip(primals, series):
        if terms is not zero_series:
            try:
                lists = tree.structure(primal).flatten_up_to(terms)
            except ValueError:
                continue  # `expand` says what is wrong
            if lists and isinstance(lists[0], (list, tuple)):
                return len(lists[0])
    return 0


def _instantiated(terms: Any, primal: Any, order: int) -> Any:
    """Return the terms of an argument with zeros in the place of the stand-ins."""
    if terms is zero_series:
        return tree.map(lambda x: [_zeros(x)] * order, primal)
    if not tree.all_leaves([primal]) or not isinstance(terms, (list, tuple)):
        return terms
    return [_zeros(primal) if t is zero_term else t for t in terms]


def _zeros(x: Any) -> np.ndarray:
    aval = typeof(x)
    return np.zeros(aval.shape, aval.dtype)

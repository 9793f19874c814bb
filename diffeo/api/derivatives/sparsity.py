"""Sparsity patterns of derivatives for users: jacobian_sparsity and hessian_sparsity.

A pattern says which entries of a matrix may be nonzero; `transforms/sparsity/detection.py` finds
it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from ...transforms.sparsity.detection import ChosenArguments, detect
from ...transforms.sparsity.pattern import Sparsity, symmetric
from ...trees.arguments import check_callable, name_of
from .gradients import grad


def jacobian_sparsity(
    fun: Callable,
    *args: Any,
    argnums: int | Sequence[int] = 0,
    local: bool = False,
    **kwargs: Any,
) -> Sparsity:
    """Find which entries of the Jacobian of a function may be nonzero.

    The derivative of the function is run on index sets, which say on which variables an element
    depends: no entry is computed, and no array of rows times columns is made. The pattern contains
    every entry that forward mode could make nonzero. It is exact for indexing, slices, stencils,
    sums, products with constants, and loops and conditionals whose course does not depend on the
    arguments. Where the numbers decide, the pattern is that of all courses together.

    Args:
        fun: a function of arrays or trees that returns arrays or a tree, of real numbers.
        *args, **kwargs: its arguments. Without `local`, only their types matter.
        argnums: which positional arguments to differentiate by.
        local: find the pattern at the given numbers, which decide conditionals, `where`, maxima
            and indices, instead of a pattern that holds for all arguments of these types.

    Returns:
        The pattern. Rows are the elements of the result, columns those of the chosen arguments:
        the leaves one after the other, each in row-major order.

    Raises:
        TypeError: for arguments or results that are not of real floating-point numbers.
        ValueError: for a pattern with so many nonzeros that a sparse one is no use.

    Examples:
        >>> import diffeo as dx
        >>> jacobian_sparsity(lambda x: x[1:] * x[:-1], dx.numpy.ones(4))
        Sparsity(3 x 4, 6 nonzeros, density 0.5)
          x x . .
          . x x .
          . . x x
    """
    check_callable(fun, "jacobian_sparsity")
    what = f"jacobian_sparsity of {name_of(fun)}"
    return detect(what, fun, ChosenArguments(what, args, kwargs, argnums), local)


def hessian_sparsity(
    fun: Callable,
    *args: Any,
    argnums: int | Sequence[int] = 0,
    local: bool = False,
    **kwargs: Any,
) -> Sparsity:
    """Find which entries of the Hessian of a scalar function may be nonzero.

    The pattern is that of the Jacobian of the gradient, made symmetric.

    Arguments, result and errors are those of `jacobian_sparsity`.

    Examples:
        >>> import diffeo as dx
        >>> hessian_sparsity(lambda x: dx.numpy.sum(x[1:] * x[:-1]), dx.numpy.ones(4))
        Sparsity(4 x 4, 6 nonzeros, density 0.38)
          . x . .
          x . x .
          . x . x
          . . x .
    """
    check_callable(fun, "hessian_sparsity")
    what = f"hessian_sparsity of {name_of(fun)}"
    chosen = ChosenArguments(what, args, kwargs, argnums)
    return symmetric(detect(what, grad(fun, chosen.numbers), chosen, local))

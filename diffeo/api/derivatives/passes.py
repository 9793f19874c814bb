"""The two passes of reverse mode as functions of their own: fwd_and_bwd."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from ...trees.arguments import check_argnums, check_callable, name_of
from ...trees.functions import of_chosen
from ..jit import jit
from .autodiff import vjp


def fwd_and_bwd(
    fun: Callable, argnums: int | Sequence[int], has_aux: bool = False, jitted: bool = True
) -> tuple[Callable, Callable]:
    """Return the forward and the backward pass of reverse mode as two functions.

    `dx.jit(dx.vjp(f, x)[1])` compiles anew for each `x`, as each pullback is another function. The
    backward pass that is returned here takes the pullback as an argument, and is compiled once.

    Args:
        fun: a function of arrays or trees.
        argnums: which positional arguments to differentiate by; for an integer, `bwd` returns the
            cotangent itself, else a tuple.
        has_aux: `fun` returns (result, auxiliary data).
        jitted: both functions are compiled.

    Returns:
        (fwd, bwd): `fwd(*args)` returns (result, residuals), and the auxiliary data if `has_aux`.
        `bwd(residuals, ct)` returns the cotangents of the chosen arguments.

    Raises:
        ValueError: (when called) if `argnums` names arguments that are not there.

    Examples:
        >>> import diffeo as dx
        >>> fwd, bwd = dx.fwd_and_bwd(lambda x, w: dx.numpy.sin(x) * w, (0, 1))
        >>> y, residuals = fwd(0.0, 3.0)
        >>> y, bwd(residuals, 1.0)
        (Array(0.), (Array(3.), Array(0.)))
    """
    check_callable(fun, "fwd_and_bwd")

    def fwd(*args: Any, **kwargs: Any) -> Any:
        numbers = check_argnums(argnums, len(args), f"fwd_and_bwd of {name_of(fun)}")
        chosen = of_chosen(fun, args, kwargs, numbers)
        return vjp(chosen, *[args[n] for n in numbers], has_aux=has_aux)

    def bwd(residuals: Any, ct: Any) -> Any:
        cotangents = residuals(ct)
        return cotangents[0] if isinstance(argnums, int) else cotangents

    fwd.__name__, bwd.__name__ = f"fwd of {name_of(fun)}", f"bwd of {name_of(fun)}"
    return (jit(fwd), jit(bwd)) if jitted else (fwd, bwd)

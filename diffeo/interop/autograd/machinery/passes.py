"""The two passes on which all derivatives of the dialect stand: `make_vjp` and `make_jvp` of a
function of one tree.

Functions are run on their numbers, so Python's `if` and `while` may ask for them; nothing is
staged.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np

from ....primitives.core import typeof
from ....primitives.stand_ins import ZERO
from ....transforms.jvp import jvp_flat
from ....transforms.linearize import linearize_flat
from ....transforms.tangents import quietly
from ....transforms.transpose import pull_back_program
from ....trees import tree
from .values import fitted, opened, plain, zeros


class Flat:
    """A function of a tree as one of leaves; it knows the structure of its result afterwards."""

    def __init__(self, fun: Callable, structure: Any):
        self.fun, self.structure = fun, structure
        self.out_tree: Any = None
        self.name = getattr(fun, "__name__", "a function")

    def __call__(self, *leaves: Any) -> list[Any]:
        results, self.out_tree = tree.flatten(self.fun(tree.unflatten(self.structure, leaves)))
        return results


def make_vjp(fun: Callable, x: Any) -> tuple[Callable[[Any], Any], Any]:
    """Return (map from cotangents of the result to cotangents of the argument, result).

    Args:
        fun: a function of one tree of arrays and floats.
        x: its argument.

    Raises:
        TypeError: if the argument has a leaf without a derivative.

    Examples:
        >>> from diffeo.interop.autograd.core import make_vjp
        >>> pull, y = make_vjp(lambda x: x ** 2, 3.0)
        >>> print(y, pull(1.0))
        9.0 6.0
    """
    values, structure = opened(x)
    flat = Flat(fun, structure)
    outs, program, has_tangent = quietly(linearize_flat, flat, values, flat.name)
    if not any(has_tangent):
        warnings.warn("Output seems independent of input.", stacklevel=2)
    kinds = [typeof(o).strong if has else None for o, has in zip(outs, has_tangent)]

    def vjp(g: Any) -> Any:
        gs = tree.leaves(g)
        if len(gs) != len(kinds):
            raise ValueError(
                f"vjp of {flat.name}: expected a cotangent with {len(kinds)} leaves, as the result "
                f"has, got {len(gs)}"
            )
        cts = [fitted(c, k, f"vjp of {flat.name}") for c, k in zip(gs, kinds) if k is not None]
        pulled = quietly(pull_back_program, program, cts)
        cotangents = [zeros(v) if c is ZERO else plain(c) for c, v in zip(pulled, values)]
        return tree.unflatten(structure, cotangents)

    return vjp, tree.unflatten(flat.out_tree, [plain(o) for o in outs])


def make_jvp(fun: Callable, x: Any) -> Callable[[Any], tuple[Any, Any]]:
    """Return the map from a tangent of the argument to (result, tangent of the result).

    Args:
        fun: a function of one tree of arrays and floats.
        x: its argument.

    Raises:
        TypeError: if the argument has a leaf without a derivative.

    Examples:
        >>> from diffeo.interop.autograd.core import make_jvp
        >>> y, slope = make_jvp(lambda x: x ** 2, 3.0)(1.0)
        >>> print(y, slope)
        9.0 6.0
    """
    values, structure = opened(x)
    flat = Flat(fun, structure)

    def jvp(g: Any) -> tuple[Any, Any]:
        moves = [
            fitted(t, typeof(v).strong, f"jvp of {flat.name}")
            for t, v in zip(tree.leaves(g), values, strict=True)
        ]
        outs, tangents = quietly(jvp_flat, flat, values, moves, flat.name)
        slopes = [
            zeros(np.asarray(o) if not hasattr(o, "shape") else o) if t is ZERO else plain(t)
            for o, t in zip(outs, tangents)
        ]
        result = tree.unflatten(flat.out_tree, [plain(o) for o in outs])
        return result, tree.unflatten(flat.out_tree, slopes)

    return jvp


def transposed(linear: Callable[..., list[Any]], kinds: list[Any], cts: list[Any]) -> list[Any]:
    """Return the cotangents of the arguments of a linear function of arrays.

    Args:
        linear: a linear function of arrays that returns a list of arrays. It is run at zero.
        kinds: the types of its arguments.
        cts: a cotangent for each result.
    """
    outs, program, has_tangent = quietly(
        linearize_flat, linear, [fitted(0.0, k, "") for k in kinds], "a linear function"
    )
    del outs
    pulled = quietly(pull_back_program, program, [c for c, has in zip(cts, has_tangent) if has])
    return [fitted(0.0, k, "") if c is ZERO else c for c, k in zip(pulled, kinds)]

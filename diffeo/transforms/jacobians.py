"""Full derivatives: jacfwd, jacrev, hessian. Linearize once, then vectorise over a basis."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ..primitives.array import Array
from ..primitives.core import ZERO, describe, typeof, with_user_line
from ..primitives.families import full_like
from ..primitives.jaxpr import eval_jaxpr
from ..primitives.slicing import slice_in_dim
from ..primitives.structural import batch_at_front, move_axis, reshape
from ..primitives.types import is_inexact
from . import tree
from .api_util import WRAPPED, as_values, check_argnums, check_callable, name_of
from .autodiff import Flat, of_chosen
from .linearize import linearize_flat
from .transpose import pull_back_program
from .vmap import Batching


def _basis(avals: Sequence[Any]) -> list[Array]:
    """For leaves with N elements in all: N unit vectors along a leading axis, cut into the
    leaves.
    """
    total, at, parts = sum([a.size for a in avals]), 0, []
    for a in avals:
        part = np.zeros((total, a.size), a.dtype)
        part[at : at + a.size] = np.eye(a.size, dtype=a.dtype)
        parts.append(Array(part.reshape(total, *a.shape)))
        at += a.size
    return parts


def _rows(
    size: int, compute: Callable[..., Sequence[Any]], basis: Sequence[Any], likes: Sequence[Any]
) -> list[Any]:
    """The results of a linear map on all basis vectors; the axis of the basis comes first."""
    outs = Batching(size).trace_flat(compute, [(b, 0) for b in basis])
    zeros = [full_like(like, 0) if o is ZERO else o for (o, _), like in zip(outs, likes)]
    return [batch_at_front(o, d, size) for o, (_, d) in zip(zeros, outs)]


def _split(rows: Any, avals: Sequence[Any]) -> list[Any]:
    """The leading axis of size N cut into the leaves' elements, each part with the leaf's shape in
    front.
    """
    at, parts = 0, []
    for a in avals:
        parts.append(reshape(slice_in_dim(rows, at, at + a.size), (*a.shape, *rows.shape[1:])))
        at += a.size
    return parts


def _jacobian(
    kind: str, fun: Callable, argnums: int | Sequence[int], has_aux: bool, blocks: Callable
) -> Callable:
    check_callable(fun, kind)
    name = name_of(fun)

    @functools.wraps(fun, assigned=WRAPPED)
    def jacobian_of(*args: Any, **kwargs: Any) -> Any:
        numbers = check_argnums(argnums, len(args), f"{kind} of {name}")
        chosen = tuple([args[n] for n in numbers])
        leaves, structure = tree.flatten(chosen)
        values = as_values(leaves, f"{kind} of {name}", chosen, numbers)
        for v in values:
            if not is_inexact(v.dtype):
                raise with_user_line(
                    TypeError(
                        f"{kind} of {name}: derivatives are taken by floating-point or complex "
                        f"arguments, got {describe(v)}"
                    )
                )

        flat = Flat(of_chosen(fun, args, kwargs, numbers), structure, name, has_aux)
        with np.errstate(all="ignore"):
            outs, program, has_tangent = linearize_flat(flat, values, name)
            for o in outs[: flat.count]:
                if not is_inexact(typeof(o).dtype):
                    raise with_user_line(
                        TypeError(
                            f"{kind} of {name}: the function returned {describe(o)}, an integer or "
                            "boolean, which has no derivative"
                        )
                    )
            table = blocks(program, has_tangent[: flat.count], values, outs[: flat.count])
        per_out = [tree.unflatten(structure, row) for row in table]
        if isinstance(argnums, int):
            per_out = [p[0] for p in per_out]
        jacobian = tree.unflatten(flat.out_tree, per_out)
        return (jacobian, flat.aux(outs)) if has_aux else jacobian

    return jacobian_of


def _forward_blocks(
    program: Any, has_tangent: Sequence[bool], values: Sequence[Any], outs: Sequence[Any]
) -> list[list]:
    avals = [v.aval.strong for v in values]
    size = sum([a.size for a in avals])

    def push(*tangents: Any) -> Sequence[Any]:
        found = iter(eval_jaxpr(program, tangents))
        return [next(found) if there else full_like(o, 0) for there, o in zip(has_tangent, outs)]

    table = []
    for rows, out in zip(_rows(size, push, _basis(avals), outs), outs):
        shape = typeof(out).shape
        row = []
        for block, a in zip(_split(rows, avals), avals):
            # (in..., out...) -> (out..., in...)
            for _ in a.shape:
                block = move_axis(block, 0, len(shape) + a.ndim - 1)
            row.append(block)
        table.append(row)
    return table


def _reverse_blocks(
    program: Any, has_tangent: Sequence[bool], values: Sequence[Any], outs: Sequence[Any]
) -> list[list]:
    out_avals = [typeof(o).strong for o in outs]
    size = sum([a.size for a in out_avals])

    def pull(*cts: Any) -> Sequence[Any]:
        given = [c for c, there in zip(cts, has_tangent) if there]
        found = pull_back_program(program, given)
        return [full_like(v, 0) if c is ZERO else c for c, v in zip(found, values)]

    columns = [_split(rows, out_avals) for rows in _rows(size, pull, _basis(out_avals), values)]
    return [[column[i] for column in columns] for i in range(len(outs))]


def jacfwd(fun: Callable, argnums: int | Sequence[int] = 0, has_aux: bool = False) -> Callable:
    """All first derivatives, by forward mode: one pass per input element, vectorised. For tall
    Jacobians.

    Args:
        fun: a function of arrays or trees that returns arrays or a tree.
        argnums: which positional arguments to differentiate by.
        has_aux: `fun` returns (result, auxiliary data).

    Returns:
        A function with the arguments of `fun` that returns, for each leaf of the result and each
        leaf of the chosen arguments, an array of the result's axes followed by the argument's (a
        tree in a tree).

    Examples:
        >>> import diffeo as dx
        >>> jacfwd(lambda x: x ** 2)(dx.numpy.array([1.0, 2.0]))
        Array([[2., 0.],
               [0., 4.]])
    """
    return _jacobian("jacfwd", fun, argnums, has_aux, _forward_blocks)


def jacrev(fun: Callable, argnums: int | Sequence[int] = 0, has_aux: bool = False) -> Callable:
    """All first derivatives, by reverse mode: one pass per output element, vectorised. For wide
    Jacobians.

    Arguments and result are those of `jacfwd`.

    Examples:
        >>> import diffeo as dx
        >>> jacrev(lambda x: dx.numpy.sum(x ** 2))(dx.numpy.array([1.0, 2.0]))
        Array([2., 4.])
    """
    return _jacobian("jacrev", fun, argnums, has_aux, _reverse_blocks)


def hessian(fun: Callable, argnums: int | Sequence[int] = 0, has_aux: bool = False) -> Callable:
    """All second derivatives: forward mode over reverse mode.

    Returns:
        A function like that of `jacfwd(jacrev(fun))`; for a scalar function of one array of shape
        `s`, an array of shape `s + s`.

    Examples:
        >>> import diffeo as dx
        >>> hessian(lambda x: x[0] ** 2 * x[1])(dx.numpy.array([1.0, 2.0]))
        Array([[4., 2.],
               [2., 0.]])
    """
    check_callable(fun, "hessian")
    return jacfwd(jacrev(fun, argnums, has_aux), argnums, has_aux)

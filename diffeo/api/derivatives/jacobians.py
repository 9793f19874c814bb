"""Full derivatives: jacfwd, jacrev, hessian.

`_jacobian` linearizes the function once, which gives the tangent program: a linear program from
tangents of the arguments to tangents of the results. Forward mode runs this program on all unit
vectors of the arguments, reverse mode runs its transpose on all unit vectors of the results. Either
is vectorised over the unit vectors (`_rows`), all at once or in chunks.

The blocks of a Jacobian form a table: a row for each leaf of the result, with a block for each leaf
of the arguments. A block has the axes of the result's leaf, then those of the argument's.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ...primitives.array import Array
from ...primitives.constants import full_like
from ...primitives.core import Value, describe, state, typeof, with_user_line
from ...primitives.jaxpr import Jaxpr, eval_jaxpr
from ...primitives.stand_ins import ZERO
from ...primitives.types import ShapedArray, default_dtype, float0, is_inexact
from ...primitives.words.slicing import concatenate, slice_in_dim
from ...primitives.words.structural import (
    batch_at_front,
    convert_element_type,
    iota,
    move_axis,
    reshape,
)
from ...transforms.batching import Batching
from ...transforms.linearize import linearize_flat
from ...transforms.tangents import from_tangent
from ...transforms.taylor.nested import is_nested, value_and_slope
from ...transforms.transpose import pull_back_program
from ...trees import tree
from ...trees.arguments import (
    Transformed,
    argument,
    as_values,
    check_argnums,
    check_callable,
    check_differentiable,
    flat_arguments,
    name_of,
)
from ...trees.functions import Flat, of_chosen
from ..control_flow.loops import map as map_slices


def _unit_vectors(avals: Sequence[ShapedArray], start: Any, count: int) -> list[Any]:
    """Return the unit vectors `start`, ..., `start + count - 1` of the space of all leaves.

    The elements of all leaves, one leaf after the other, are the coordinates of this space. The
    vectors stand along a new leading axis of each leaf. For leaves of shapes (2,) and (1,), all
    three vectors are [[1, 0], [0, 1], [0, 0]] and [[0], [0], [1]]. Vectors beyond the last one are
    zeros.
    """
    at, parts = 0, []
    for a in avals:
        # This leaf's columns of the identity matrix, of which rows begin at `start` and columns at
        # `at`. Under a trace `start` may be a tracer, so rows and columns are compared.
        if state.trace.eager:
            part: Any = Array(np.eye(count, a.size, start - at, a.dtype))
        else:
            row, column = [iota(default_dtype(int), (count, a.size), axis) for axis in (0, 1)]
            part = convert_element_type(row + (start - at) == column, a.dtype)
        parts.append(reshape(part, (count, *a.shape)))
        at += a.size
    return parts


def _rows(
    compute: Callable[..., Sequence[Any]],
    avals: Sequence[ShapedArray],
    likes: Sequence[Any],
    chunk: int | None,
) -> list[Any]:
    """Apply a linear map to all unit vectors, at most `chunk` of them at a time.

    Args:
        compute: the linear map, a function of one vector, given by its leaves.
        avals: the types of these leaves.
        likes: values of the types of the results.
        chunk: how many vectors are computed at once, at most; None for all.

    Returns:
        Each result, with the axis of the unit vectors first.
    """

    def rows(start: Any, count: int) -> list[Any]:
        """Apply the map to `count` unit vectors from `start` on."""
        vectors = [(v, 0) for v in _unit_vectors(avals, start, count)]
        outs = Batching(count).trace_flat(compute, vectors)
        zeros = [full_like(like, 0) if o is ZERO else o for (o, _), like in zip(outs, likes)]
        return [batch_at_front(o, d, count) for o, (_, d) in zip(zeros, outs)]

    size = sum([a.size for a in avals])
    if chunk is None or chunk >= size:
        return rows(0, size)
    steps = -(-size // chunk)
    # Steps of one size: of 10 vectors in chunks of 8, two steps of 5 instead of 8 and 8.
    count = -(-size // steps)
    if state.trace.eager:
        parts = [rows(at, min(count, size - at)) for at in range(0, size, count)]
        return [concatenate(columns) for columns in zip(*parts)]
    # Under a trace the steps are a loop of the program. All steps have `count` vectors, so the last
    # one may go beyond the end: its rows of zeros are cut off.
    chunks = map_slices(
        lambda start: rows(start, count), iota(default_dtype(int), (steps,)) * count
    )
    merged = [reshape(c, (steps * count, *c.shape[2:])) for c in chunks]
    return [slice_in_dim(m, 0, size) for m in merged]


def _split(rows: Value, avals: Sequence[ShapedArray]) -> list[Any]:
    """Cut the leading axis, that of all elements of some leaves, into the axes of each leaf.

    For leaves of shapes (2, 3) and (4,), an array of shape (10, 5) becomes arrays of shapes
    (2, 3, 5) and (4, 5).
    """
    at, parts = 0, []
    for a in avals:
        parts.append(reshape(slice_in_dim(rows, at, at + a.size), (*a.shape, *rows.shape[1:])))
        at += a.size
    return parts


@dataclass(frozen=True)
class _Options:
    """The options of a Jacobian or Hessian.

    `kind` is the public function that was called, `chunk` its `chunk_size`; the other fields are
    named as its parameters.
    """

    kind: str
    argnums: int | Sequence[int]
    has_aux: bool
    holomorphic: bool
    allow_int: bool
    chunk: int | None

    def check(self) -> None:
        """Raise ValueError for a chunk size that is no positive integer."""
        chunk = self.chunk
        if chunk is None:
            return
        if not isinstance(chunk, (int, np.integer)) or isinstance(chunk, bool) or chunk < 1:
            raise with_user_line(
                ValueError(
                    f"{self.kind}: chunk_size must be a whole number >= 1, or None for all basis "
                    f"vectors at once, got {describe(chunk)}"
                )
            )

    def check_inputs(
        self, what: str, values: Sequence[Any], chosen: tuple, numbers: tuple[int, ...]
    ) -> None:
        """Raise TypeError for arguments by which there is no such derivative."""
        check_differentiable(what, values, chosen, numbers, self.holomorphic, self.allow_int)
        if self.kind == "jacrev" or self.holomorphic:
            return
        for i, v in enumerate(values):
            if v.dtype.kind == "c":
                raise with_user_line(
                    TypeError(
                        f"{what}: {argument(chosen, i, numbers)} is {describe(v)}; say "
                        "holomorphic=True if the function is complex differentiable, or use "
                        "dx.jvp, which takes any complex direction"
                    )
                )

    def check_outputs(self, what: str, outs: Sequence[Any]) -> None:
        """Raise TypeError for results that have no such derivative."""
        for o in outs:
            dtype = typeof(o).dtype
            if not is_inexact(dtype):
                raise with_user_line(
                    TypeError(
                        f"{what}: the function returned {describe(o)}, an integer or boolean, "
                        "which has no derivative"
                    )
                )
            if self.holomorphic and dtype.kind != "c":
                raise with_user_line(
                    TypeError(
                        f"{what}: with holomorphic=True all results must be complex, the function "
                        f"returned {describe(o)}"
                    )
                )
            if self.kind != "jacfwd" and dtype.kind == "c" and not self.holomorphic:
                raise with_user_line(
                    TypeError(
                        f"{what}: the function returned {describe(o)}; take its real and "
                        "imaginary parts, say holomorphic=True if the function is complex "
                        "differentiable, or use dx.vjp, which takes any complex cotangent"
                    )
                )


def _jacobian(fun: Callable, options: _Options, blocks: Callable) -> Callable:
    """Return a function that computes all first derivatives of `fun`.

    `blocks(program, has_tangent, values, outs, chunk)` computes the table of blocks from the
    tangent program: `_forward_blocks` or `_reverse_blocks`.
    """
    check_callable(fun, options.kind)
    options.check()
    name, argnums = name_of(fun), options.argnums
    what = f"{options.kind} of {name}"

    def jacobian_of(*args: Any, **kwargs: Any) -> Any:
        numbers = check_argnums(argnums, len(args), what)
        chosen = tuple([args[n] for n in numbers])
        leaves, structure = flat_arguments(what, chosen, numbers=numbers)
        values = as_values(leaves, what, chosen, numbers)
        options.check_inputs(what, values, chosen, numbers)
        flat = Flat(of_chosen(fun, args, kwargs, numbers), structure, name, options.has_aux)
        with np.errstate(all="ignore"):
            # A derivative of a derivative by one scalar is found from one Taylor series, if the
            # function allows it.
            nested = None
            if not options.has_aux and is_nested(values):
                nested = value_and_slope(flat, values[0], options.kind == "jacrev")
            if nested is None:
                outs, program, has_tangent = linearize_flat(flat, values, name)
                # Leaves behind `flat.count` are auxiliary data.
                results, flags = outs[: flat.count], has_tangent[: flat.count]
                options.check_outputs(what, results)
                table = blocks(program, flags, values, results, options.chunk)
            else:
                outs, slopes = nested
                options.check_outputs(what, outs)
                table = [[from_tangent(s, typeof(o))] for s, o in zip(slopes, outs)]
        per_out = [tree.unflatten(structure, row) for row in table]
        if isinstance(argnums, int):
            per_out = [p[0] for p in per_out]
        jacobian = tree.unflatten(flat.out_tree, per_out)
        return (jacobian, flat.aux(outs)) if options.has_aux else jacobian

    return Transformed(fun, jacobian_of, _jacobian, fun, options, blocks)


def _forward_blocks(
    program: Jaxpr,
    has_tangent: Sequence[bool],
    values: Sequence[Any],
    outs: Sequence[Any],
    chunk: int | None,
) -> list[list]:
    """Return the table of blocks by forward mode: one run of the program for each unit vector."""
    avals = [v.aval.strong for v in values]

    def push(*tangents: Any) -> Sequence[Any]:
        # The program has a result only where `has_tangent`; the other tangents are zeros.
        slopes = iter(eval_jaxpr(program, tangents))
        return [next(slopes) if has else full_like(o, 0) for has, o in zip(has_tangent, outs)]

    table = []
    for rows, out in zip(_rows(push, avals, outs, chunk), outs):
        shape = typeof(out).shape
        # The axis of the unit vectors goes behind the result's axes, and is cut into the blocks.
        # It is moved once, before the cuts: moving it in each block costs a pass for each.
        last = move_axis(rows, 0, len(shape))
        at, row = 0, []
        for a in avals:
            block = slice_in_dim(last, at, at + a.size, axis=len(shape))
            row.append(reshape(block, (*shape, *a.shape)))
            at += a.size
        table.append(row)
    return table


def _reverse_blocks(
    program: Jaxpr,
    has_tangent: Sequence[bool],
    values: Sequence[Any],
    outs: Sequence[Any],
    chunk: int | None,
) -> list[list]:
    """Return the table of blocks by reverse mode: one run of the transpose for each unit vector."""
    avals = [typeof(o).strong for o in outs]
    inexact = [v for v in values if is_inexact(v.dtype)]

    def pull(*cts: Any) -> Sequence[Any]:
        # The program has no results, and so takes no cotangents, where not `has_tangent`.
        moving = [c for c, has in zip(cts, has_tangent) if has]
        pulled = [
            c for c, v in zip(pull_back_program(program, moving), values) if is_inexact(v.dtype)
        ]
        return [full_like(v, 0) if c is ZERO else c for c, v in zip(pulled, inexact)]

    # A column for each leaf of the arguments. Integers have no rows: their blocks are float0. The
    # columns are then read as rows of the table.
    rows = iter(_rows(pull, avals, inexact, chunk))
    columns = [
        _split(next(rows), avals)
        if is_inexact(v.dtype)
        else [np.zeros((*a.shape, *v.shape), float0) for a in avals]
        for v in values
    ]
    return [[column[i] for column in columns] for i in range(len(outs))]


def jacfwd(
    fun: Callable,
    argnums: int | Sequence[int] = 0,
    has_aux: bool = False,
    holomorphic: bool = False,
    *,
    chunk_size: int | None = None,
) -> Callable:
    """Return a function that computes all first derivatives by forward mode.

    Forward mode takes one pass for each element of the arguments; the passes are vectorised. It
    suits tall Jacobians.

    Args:
        fun: a function of arrays or trees that returns arrays or a tree.
        argnums: which positional arguments to differentiate by.
        has_aux: `fun` returns (result, auxiliary data).
        holomorphic: `fun` is complex differentiable, from complex to complex.
        chunk_size: how many passes are made at once, at most: less memory, the same result. By
            default all of them.

    Returns:
        A function with the arguments of `fun`. For each leaf of the result and each leaf of the
        chosen arguments it returns an array that has the result's axes, followed by the argument's.
        The arrays stand in a tree like the argument, in the place of each leaf of the result.

    Raises:
        ValueError: if `chunk_size` is not positive; (when called) if `argnums` names arguments
            that are not there.
        TypeError: (when called) for arguments or results that are integers, or complex without
            `holomorphic` (`jacfwd` allows complex results, `jacrev` complex arguments).

    Examples:
        >>> import diffeo as dx
        >>> jacfwd(lambda x: x ** 2)(dx.numpy.array([1.0, 2.0]))
        Array([[2., 0.],
               [0., 4.]])
    """
    options = _Options("jacfwd", argnums, has_aux, holomorphic, False, chunk_size)
    return _jacobian(fun, options, _forward_blocks)


def jacrev(
    fun: Callable,
    argnums: int | Sequence[int] = 0,
    has_aux: bool = False,
    holomorphic: bool = False,
    allow_int: bool = False,
    *,
    chunk_size: int | None = None,
) -> Callable:
    """Return a function that computes all first derivatives by reverse mode.

    Reverse mode takes one pass for each element of the result; the passes are vectorised. It suits
    wide Jacobians.

    Arguments, result and errors are those of `jacfwd`, and

    Args:
        allow_int: integer arguments are allowed; derivatives by them have dtype `dx.float0`.

    Examples:
        >>> import diffeo as dx
        >>> jacrev(lambda x: dx.numpy.sum(x ** 2))(dx.numpy.array([1.0, 2.0]))
        Array([2., 4.])
        >>> f = lambda x: dx.numpy.outer(x, x)
        >>> jacrev(f, chunk_size=10)(dx.numpy.ones(8)).shape     # 64 passes, 10 at a time
        (8, 8, 8)
    """
    options = _Options("jacrev", argnums, has_aux, holomorphic, allow_int, chunk_size)
    return _jacobian(fun, options, _reverse_blocks)


jacobian = jacrev


def hessian(
    fun: Callable,
    argnums: int | Sequence[int] = 0,
    has_aux: bool = False,
    holomorphic: bool = False,
    *,
    chunk_size: int | None = None,
) -> Callable:
    """Return a function that computes all second derivatives: forward mode over reverse mode.

    Arguments and errors are those of `jacfwd`; `chunk_size` is the number of columns of the
    Hessian that are computed at once.

    Returns:
        A function like that of `jacfwd(jacrev(fun))`; for a scalar function of one array of shape
        `s`, an array of shape `s + s`.

    Examples:
        >>> import diffeo as dx
        >>> hessian(lambda x: x[0] ** 2 * x[1])(dx.numpy.array([1.0, 2.0]))
        Array([[4., 2.],
               [2., 0.]])
    """
    inner = _Options("hessian", argnums, has_aux, holomorphic, False, None)
    outer = replace(inner, chunk=chunk_size)
    return _jacobian(_jacobian(fun, inner, _reverse_blocks), outer, _forward_blocks)

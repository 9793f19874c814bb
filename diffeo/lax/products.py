"""Contractions: dot_general and its short forms, products of ragged groups of rows.

All of them take `precision` and `preferred_element_type`. Products are computed in the precision of
their dtype on every platform. A lower precision must be asked for: by a `Precision`; by one of the
names 'highest', 'float32', 'high', 'tensorfloat32', 'bfloat16_3x', 'default', 'bfloat16',
'fastest'; by a pair of these, for each operand; or, for floats, by an algorithm: a `DotAlgorithm`,
a `DotAlgorithmPreset` or its name. The sums of products have the preferred dtype: float32, say, for
bfloat16 operands, int32 for int8.

A product is *ragged* if one axis of `lhs` holds groups of different sizes, one after the other, and
each group meets another matrix (`ragged_dot`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..numpy.common import arr, no_sharding, same_dtype, static_ints
from ..numpy.contracting.algorithms import DotAlgorithm, DotAlgorithmPreset, how, product
from ..numpy.contracting.precision import preferred_of
from ..operations.cumulative import CumSum
from ..primitives.array import Array
from ..primitives.core import Value, describe, with_user_line
from ..primitives.types import bfloat16, is_integer
from ..primitives.words import dot as dot_page
from ..primitives.words import elementwise as e
from ..primitives.words import indexing, structural
from ..primitives.words.dot import Precision
from ..typing import ArrayLike
from .strict import apply

__all__ = [
    "DotAlgorithm",
    "DotAlgorithmPreset",
    "DotDimensionNumbers",
    "Precision",
    "PrecisionLike",
    "RaggedDotDimensionNumbers",
    "batch_matmul",
    "dot",
    "dot_general",
    "ragged_dot",
    "ragged_dot_general",
    "scaled_dot",
]

#: What `precision` may be, for type checkers.
PrecisionLike = (
    Precision
    | str
    | tuple[Precision | str, Precision | str]
    | DotAlgorithm
    | DotAlgorithmPreset
    | None
)
#: ((contracted axes of lhs, of rhs), (batch axes of lhs, of rhs)).
DotDimensionNumbers = tuple[
    tuple[Sequence[int], Sequence[int]], tuple[Sequence[int], Sequence[int]]
]


def _axes(name: str, axes: Any) -> tuple[int, ...]:
    """Return a part of dimension numbers as a tuple of integers."""
    return static_ints(axes, name, "each part of dimension_numbers")


def _axes_of_both(name: str, numbers: Any) -> Any:
    """Return dimension numbers as tuples of integers; TypeError for another structure."""
    try:
        (a, b), (c, d) = numbers
    except (TypeError, ValueError):
        raise with_user_line(
            TypeError(
                f"{name}: dimension_numbers must be ((contracted axes of lhs, of rhs), (batch "
                "axes of "
                f"lhs, of rhs)), got {describe(numbers)}"
            )
        ) from None
    return (_axes(name, a), _axes(name, b)), (_axes(name, c), _axes(name, d))


def dot_general(
    lhs: Any,
    rhs: Any,
    dimension_numbers: Any,
    precision: Any = None,
    preferred_element_type: Any = None,
    *,
    out_sharding: Any = None,
) -> Any:
    """Sum products over paired axes, for each index of paired batch axes.

    Args:
        lhs, rhs: arrays of one dtype.
        dimension_numbers: ((contracted of lhs, of rhs), (batch axes of lhs, of rhs)).
        precision: None, a `Precision` or an algorithm; see the head of this module.
        preferred_element_type: None or the dtype of the result, in which products are added up:
            floats become floats, integers become integers at least as wide or floats.

    Returns:
        The axes are: batch axes, the other axes of lhs, those of rhs.

    Operands of two dtypes are promoted.

    Raises:
        TypeError: if dtypes, axes or sizes do not fit.
        ValueError: for an unknown precision.

    Examples:
        >>> import diffeo as dx
        >>> x = dx.numpy.array([[1.0, 2.0], [3.0, 4.0]])
        >>> dot_general(x, x, (((1,), (1,)), ((0,), (0,))))
        Array([ 5., 25.])
        >>> bytes = dx.numpy.array([100, 100], "int8")
        >>> dot_general(bytes, bytes, (((0,), (0,)), ((), ())), preferred_element_type="int32")
        Array(20000, dtype=int32)
    """
    if out_sharding is not None:
        raise no_sharding("dot_general", out_sharding)
    contract, batch = _axes_of_both("dot_general", dimension_numbers)
    lhs, rhs = arr(lhs), arr(rhs)
    if lhs.dtype != rhs.dtype:
        lhs, rhs = same_dtype(lhs, rhs)
    mode, preferred = how("dot_general", precision), preferred_of(preferred_element_type)
    if not isinstance(mode, tuple) or isinstance(mode, DotAlgorithm):
        return product("dot_general", lhs, rhs, contract, batch, mode, preferred)
    return apply(dot_page.DotGeneral(contract, batch, mode, preferred), lhs, rhs)


def dot(
    lhs: Any,
    rhs: Any,
    *,
    dimension_numbers: Any = None,
    precision: Any = None,
    preferred_element_type: Any = None,
    out_sharding: Any = None,
) -> Any:
    """Multiply vectors and matrices, or call `dot_general` with `dimension_numbers`.

    Raises:
        TypeError: for other numbers of axes, or sizes or dtypes that do not fit.
        ValueError: for an unknown precision.
    """
    if out_sharding is not None:
        raise no_sharding("dot", out_sharding)
    lhs, rhs = arr(lhs), arr(rhs)
    if dimension_numbers is None:
        if not (1 <= lhs.ndim <= 2 and 1 <= rhs.ndim <= 2):
            raise with_user_line(
                TypeError(
                    f"dot: expects vectors and matrices, got {describe(lhs)} and {describe(rhs)}"
                )
            )
        dimension_numbers = (((lhs.ndim - 1,), (0,)), ((), ()))
    return dot_general(lhs, rhs, dimension_numbers, precision, preferred_element_type)


def batch_matmul(lhs: Any, rhs: Any, precision: Any = None) -> Any:
    """Multiply matrices, which are the last two axes; the other axes are equal."""
    lhs, rhs = arr(lhs), arr(rhs)
    batch = tuple(range(lhs.ndim - 2))
    return dot_general(lhs, rhs, (((lhs.ndim - 1,), (lhs.ndim - 2,)), (batch, batch)), precision)


# --------------------------------------------------------------------------------------------------
# Ragged groups


@dataclass(frozen=True)
class RaggedDotDimensionNumbers:
    """The axes of `ragged_dot_general`.

    Attributes:
        dot_dimension_numbers: as of `dot_general`.
        lhs_ragged_dimensions: the one axis of lhs along which groups follow one another.
        rhs_group_dimensions: the axis of rhs that counts groups, if lhs's ragged axis is neither
            contracted nor a batch axis; else none.
    """

    dot_dimension_numbers: Any
    lhs_ragged_dimensions: Sequence[int]
    rhs_group_dimensions: Sequence[int]


#: The axes of `ragged_dot`: (m, k) times (g, k, n), groups along m.
_ROWS = RaggedDotDimensionNumbers((((1,), (1,)), ((), ())), (0,), (0,))


def ragged_dot(
    lhs: ArrayLike,
    rhs: ArrayLike,
    group_sizes: ArrayLike,
    precision: Any = None,
    preferred_element_type: np.dtype | None = None,
    group_offset: ArrayLike | None = None,
    out_sharding: Any = None,
) -> Any:
    """Multiply rows that follow one another in groups, each group by a matrix of its own.

    Args:
        lhs: (m, k).
        rhs: (g, k, n): the matrix of each group.
        group_sizes: (g,) integers: how many rows belong to each group.
        precision, preferred_element_type: as of `dot_general`.
        group_offset: None, or (1,): the number of the group whose matrix is rhs[0]; then
            group_sizes may have more groups than rhs.

    Returns:
        (m, n); rows that belong to no group of rhs are 0.

    Raises:
        TypeError: if sizes or dtypes do not fit.

    Examples:
        >>> import diffeo as dx
        >>> x = dx.numpy.array([[1.0], [2.0], [3.0]])
        >>> ragged_dot(x, dx.numpy.array([[[10.0]], [[100.0]]]), dx.numpy.array([1, 2]))
        Array([[ 10.],
               [200.],
               [300.]])
    """
    options = precision, preferred_element_type, group_offset, out_sharding
    return ragged_dot_general(lhs, rhs, group_sizes, _ROWS, *options)


def ragged_dot_general(
    lhs: Any,
    rhs: Any,
    group_sizes: Any,
    ragged_dot_dimension_numbers: Any,
    precision: Any = None,
    preferred_element_type: Any = None,
    group_offset: Any = None,
    out_sharding: Any = None,
) -> Any:
    """Compute `dot_general` of groups that follow one another along an axis of lhs, the ragged one.

    The ragged axis may be free: each group of lhs meets an element of rhs's group axis. It may be
    contracted: the sums over each group stand along a new first axis. Or it is a batch axis, and
    nothing changes.

    Args:
        lhs, rhs: arrays of one dtype.
        group_sizes: (g,) integers, or with the axes of lhs in front that come before the ragged
            one among (batch, free) or (batch, contracted) axes.
        ragged_dot_dimension_numbers: the `RaggedDotDimensionNumbers`.
        precision, preferred_element_type: as of `dot_general`.
        group_offset: as of `ragged_dot`; where the ragged axis is free.

    Raises:
        TypeError: if axes, sizes or dtypes do not fit.
    """
    name = "ragged_dot_general"
    if out_sharding is not None:
        raise no_sharding(name, out_sharding)
    lhs, rhs, group_sizes = arr(lhs), arr(rhs), arr(group_sizes)
    numbers = ragged_dot_dimension_numbers
    (contract, contract_y), (batch, batch_y) = (
        (_axes(name, a), _axes(name, b)) for a, b in numbers.dot_dimension_numbers
    )
    ragged, group = (
        _axes(name, axes) for axes in (numbers.lhs_ragged_dimensions, numbers.rhs_group_dimensions)
    )
    free = len(ragged) == 1 and ragged[0] not in contract + batch
    if len(ragged) != 1 or not 0 <= ragged[0] < lhs.ndim or len(group) != free:
        raise with_user_line(
            TypeError(
                f"{name}: expects one ragged axis of {describe(lhs)}, got {ragged}, and "
                f"{'one group axis' if free else 'no group axis'} of {describe(rhs)}, got {group}"
            )
        )
    options = precision, preferred_element_type
    up = lambda axes: tuple([a + 1 for a in axes])
    if ragged[0] in batch:
        return dot_general(lhs, rhs, ((contract, contract_y), (batch, batch_y)), *options)
    if free:
        offset, count = group_offset, rhs.shape[group[0]] if group[0] < rhs.ndim else 0
        prefix = (*batch, *[a for a in range(ragged[0]) if a not in contract + batch])
        # With lhs once for each group, zero outside of it, the group axis is contracted, too. So to
        # each row, only the matrix of its own group contributes.
        lhs = _by_group(name, lhs, ragged[0], prefix, group_sizes, offset, count)
        return dot_general(
            lhs,
            rhs,
            (((*up(contract), 0), (*contract_y, group[0])), (up(batch), batch_y)),
            *options,
        )
    if group_offset is not None:
        raise with_user_line(TypeError(f"{name}: group_offset needs a group axis of rhs"))
    position, count = contract.index(ragged[0]), group_sizes.shape[-1]
    # Both operands once for each group: the groups are a batch axis, the new first one.
    lhs = _by_group(name, lhs, ragged[0], (*batch, *contract[:position]), group_sizes, None, count)
    prefix = *batch_y, *contract_y[:position]
    rhs = _by_group(name, rhs, contract_y[position], prefix, group_sizes, None, count)
    return dot_general(
        lhs, rhs, ((up(contract), up(contract_y)), ((0, *up(batch)), (0, *up(batch_y)))), *options
    )


def _by_group(
    name: str,
    x: Any,
    axis: int,
    prefix: tuple[int, ...],
    sizes: Any,
    offset: np.ndarray | None,
    count: int,
) -> Any:
    """Return `x` once for each of `count` groups, zero outside of the group.

    The groups are a new first axis. For x = [1, 2, 3] and groups of 1 and 2 elements the result is
    [[1, 0, 0], [0, 2, 3]].

    Args:
        name: of the function, for messages.
        x: an array.
        axis: the ragged axis of x.
        prefix: the axes of x that those of `sizes` before the last one belong to.
        sizes: integers, the sizes of groups along the last axis.
        offset: None, or the number of the first group, of shape (1,).
        count: the number of groups.
    """
    shape = tuple([x.shape[a] for a in prefix])
    size_count = sizes.shape[-1] if sizes.ndim else 0
    fits = size_count == count if offset is None else size_count >= count
    if not is_integer(sizes.dtype) or sizes.shape[:-1] not in ((), shape) or not fits:
        raise with_user_line(
            TypeError(
                f"{name}: group_sizes of {describe(x)} must be integers of shape ({count},) or "
                f"{(*shape, count)}, got {describe(sizes)}"
            )
        )
    if sizes.dtype.itemsize < 4:
        sizes = structural.convert_element_type(sizes, np.int32)
    ends = CumSum(sizes.ndim - 1).bind(sizes)
    starts = ends - sizes
    if offset is not None:
        ends, starts = (_part(v, arr(offset), count) for v in (ends, starts))
    size_axes = prefix if sizes.ndim > 1 else ()
    full_shape = (count, *x.shape)

    def spread(bounds: Value) -> Any:
        """Return bounds, the groups along their last axis, at their axes of the result."""
        first = structural.move_axis(bounds, bounds.ndim - 1, 0)
        # `broadcast_in_dim` wants ascending axes, so those of the bounds are sorted first.
        order = sorted(range(len(size_axes)), key=size_axes.__getitem__)
        first = structural.transpose(first, (0, *[i + 1 for i in order]))
        return structural.broadcast_in_dim(
            first, full_shape, (0, *[size_axes[i] + 1 for i in order])
        )

    positions = structural.iota(sizes.dtype, full_shape, axis + 1)
    inside = e.ge.bind(positions, spread(starts)) & e.lt.bind(positions, spread(ends))
    x = structural.broadcast_in_dim(x, full_shape, range(1, len(full_shape)))
    return e.select(inside, x, 0)


def _part(x: Value, offset: Value, count: int) -> Any:
    """Return `count` elements of the last axis, from the one that `offset`, of shape (1,), says."""
    start = structural.reshape(offset, ())
    zero = Array(np.zeros((), start.dtype))
    return apply(indexing.DynamicSlice((*x.shape[:-1], count)), x, *[zero] * (x.ndim - 1), start)


def scaled_dot(
    lhs: Any,
    rhs: Any,
    *,
    lhs_scale: Any = None,
    rhs_scale: Any = None,
    dimension_numbers: Any = None,
    preferred_element_type: Any = None,
) -> Any:
    """Compute `dot_general(lhs * lhs_scale, rhs * rhs_scale)` of operands in bfloat16.

    Args:
        lhs: an array of narrow floats.
        rhs: another one.
        lhs_scale: None, or an array with the axes of `lhs`; along a contracted axis, each of its
            numbers scales a block of two or more.
        rhs_scale: None, or an array with the axes of `rhs`.
        dimension_numbers: ((contracted of lhs, of rhs), (batch axes of lhs, of rhs)); by default
            those of a product of matrices (batch, m, k) and (batch, k, n), or (m, k) and (k, n).
        preferred_element_type: the dtype of the result, bfloat16 by default.

    Raises:
        TypeError: if shapes do not fit.

    Examples:
        >>> import diffeo as dx
        >>> x = dx.numpy.ones((1, 4), "float8_e4m3fn")
        >>> scales = dx.numpy.array([[1.0, 2.0]], "float8_e8m0fnu")
        >>> scaled_dot(x, x.T, lhs_scale=scales, preferred_element_type="float32")
        Array([[6.]], dtype=float32)
    """
    lhs, rhs = arr(lhs), arr(rhs)
    if dimension_numbers is None:
        if lhs.ndim not in (2, 3) or rhs.ndim != lhs.ndim:
            raise with_user_line(
                TypeError(
                    "scaled_dot: without dimension_numbers, expects two or three axes of both, got "
                    f"{describe(lhs)} and {describe(rhs)}"
                )
            )
        batch = (0,) if lhs.ndim == 3 else ()
        dimension_numbers = (((lhs.ndim - 1,), (lhs.ndim - 2,)), (batch, batch))
    contract, batch = _axes_of_both("scaled_dot", dimension_numbers)
    left, right = [
        _scaled(name, x, scale, axes)
        for name, x, scale, axes in zip(
            ("lhs", "rhs"), (lhs, rhs), (lhs_scale, rhs_scale), contract
        )
    ]
    dtype = bfloat16 if preferred_element_type is None else preferred_element_type
    return dot_general(left, right, (contract, batch), None, dtype)


def _scaled(name: str, x: Any, scale: Any, contract: Sequence[int]) -> Any:
    """Return an operand in bfloat16, times its scale."""
    wide = structural.convert_element_type(x, bfloat16)
    if scale is None:
        return wide
    scale = arr(scale)
    sizes = [
        n // m if m and i in contract and not n % m else 1
        for i, (n, m) in enumerate(zip(x.shape, scale.shape))
    ]
    blocks = all([m * k == n for n, m, k in zip(x.shape, scale.shape, sizes)])
    if scale.ndim != x.ndim or not blocks or 1 in [sizes[i] for i in contract]:
        raise with_user_line(
            TypeError(
                f"scaled_dot: {name}_scale must have the shape of {describe(x)}, or two times or "
                f"more shorter along the axes {tuple(contract)}, got {describe(scale)}"
            )
        )
    # Each number of the scale stands for a block: (m, 1) becomes (m, k), then m * k.
    pairs = tuple([n for m, k in zip(scale.shape, sizes) for n in (m, k)])
    scale = structural.convert_element_type(scale, bfloat16)
    scale = structural.broadcast_in_dim(scale, pairs, range(0, 2 * x.ndim, 2))
    return wide * structural.reshape(scale, x.shape)

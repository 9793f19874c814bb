"""NumPy's functions that write into an array: put, place, put_along_axis, fill_diagonal.

Arrays of diffeo never change, so these functions return another array. The caller passes
`inplace=False` to say that this is meant; anything else is an error. They compute the positions,
and write by `x.at[...].set` (updates.py).
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ...primitives.core import Value, describe, with_user_line
from ...primitives.words import elementwise as e
from ...primitives.words.promotion import broadcast_to
from ...primitives.words.structural import convert_element_type, reshape
from ...typing import ArrayLike
from ..common import axis_of, no_such, to_bool
from ..making.creation import asarray
from ..reducing.cumulative import cumsum
from .indexing import bounded
from .selecting import take


def _needs_copy(name: str, inplace: bool) -> None:
    if inplace:
        raise with_user_line(
            ValueError(f"{name}: arrays never change; pass inplace=False and use the result")
        )


def _repeated(values: Value, size: int) -> Any:
    """Return `size` elements of `values`, repeated from the front or cut, in one axis."""
    flat = reshape(values, (values.size,))
    return flat if values.size == size else take(flat, np.arange(size) % values.size)


def put_along_axis(
    arr: ArrayLike,
    indices: ArrayLike,
    values: ArrayLike,
    axis: int | None,
    inplace: bool = True,
    *,
    mode: str | None = None,
) -> Any:
    """Return `arr` with `values` at each line's own `indices` along `axis` (None: the flat array).

    Args:
        arr: What to start from.
        indices: Integers with as many axes, which broadcast but for `axis`.
        values: Broadcast to the shape of `indices`.
        axis: Along which to write.
        inplace: Must be False.
        mode: As of `x.at[...].set`.

    Raises:
        ValueError: with `inplace`, or for another number of axes.
        IndexError: for a known index out of bounds.

    Examples:
        >>> import diffeo as dx
        >>> put_along_axis(dx.numpy.zeros((2, 2)), dx.numpy.array([[1], [0]]), 5.0, 1, False)
        Array([[0., 5.],
               [5., 0.]])
    """
    _needs_copy("put_along_axis", inplace)
    x, positions, new = asarray(arr), asarray(indices), asarray(values)
    if axis is None:
        flat = reshape(x, (x.size,))
        return reshape(put_along_axis(flat, positions, new, 0, False, mode=mode), x.shape)
    axis = axis_of(axis, x.ndim, "put_along_axis")
    if positions.ndim != x.ndim or positions.dtype.kind not in "iu":
        raise with_user_line(
            ValueError(
                f"put_along_axis: needs integer indices with the {x.ndim} axes of "
                f"{describe(x)}, got "
                f"{describe(positions)}"
            )
        )
    shape = tuple([positions.shape[i] if i == axis else n for i, n in enumerate(x.shape)])
    # Index arrays that broadcast to `shape`: each axis has all its positions, `axis` the user's.
    index = list(np.ix_(*[np.arange(n) for n in shape]))
    index[axis] = broadcast_to(positions, shape)
    return x.at[tuple(index)].set(broadcast_to(new, shape), mode=mode)


def fill_diagonal(a: ArrayLike, val: Any, wrap: bool = False, *, inplace: bool = True) -> Any:
    """Return `a` with `val` on its main diagonal.

    Args:
        a: A matrix, or an array with more axes, all of one size.
        val: A number, or numbers, repeated as often as needed.
        wrap: Begin again below the last row of a tall matrix, after an empty row.
        inplace: Must be False.

    Raises:
        ValueError: with `inplace`, or for other shapes.

    Examples:
        >>> import diffeo as dx
        >>> fill_diagonal(dx.numpy.zeros((2, 2)), 3.0, inplace=False)
        Array([[3., 0.],
               [0., 3.]])
    """
    _needs_copy("fill_diagonal", inplace)
    x, new = asarray(a), asarray(val)
    if x.ndim < 2 or (x.ndim > 2 and len(set(x.shape)) > 1):
        raise with_user_line(
            ValueError(
                "fill_diagonal: needs a matrix, or an array whose axes have one size, got "
                f"{describe(x)}"
            )
        )
    # In the flat array, an element of the diagonal is followed by the next after `step` elements:
    # n + 1 in a matrix with n columns. Without `wrap`, a tall matrix ends at its last column.
    step = 1 + sum([int(np.prod(x.shape[i:])) for i in range(1, x.ndim)])
    end = x.size if wrap or x.ndim > 2 else min(x.size, x.shape[1] ** 2)
    positions = np.arange(0, end, step)
    if not positions.size or not new.size:
        return x
    flat = reshape(x, (x.size,)).at[positions]
    return reshape(flat.set(_repeated(new, positions.size), unique_indices=True), x.shape)


def place(arr: ArrayLike, mask: ArrayLike, vals: Any, *, inplace: bool = True) -> Any:
    """Return `arr` with one of `vals` after the other where `mask` is true.

    The first value goes to the first true element of the mask, the second to the next, and so on.
    The values begin again when they are used up.

    Args:
        arr: What to start from.
        mask: Booleans, as many as `arr` has elements.
        vals: One number or more.
        inplace: Must be False.

    Raises:
        ValueError: with `inplace`, for a mask of another size, or without values.

    Examples:
        >>> import diffeo as dx
        >>> place(dx.numpy.zeros(3), dx.numpy.array([True, False, True]), [1.0, 2.0], inplace=False)
        Array([1., 0., 2.])
    """
    _needs_copy("place", inplace)
    x, new, chosen = asarray(arr), asarray(vals), to_bool(asarray(mask))
    if chosen.size != x.size or not new.size:
        raise with_user_line(
            ValueError(
                f"place: needs a mask of the {x.size} elements of {describe(x)} and a value or "
                "more, "
                f"got {describe(chosen)} and {describe(new)}"
            )
        )
    chosen = reshape(chosen, (x.size,))
    # At a true element, `number` counts the true ones before it: which value is its.
    number = (cumsum(convert_element_type(chosen, np.int64)) - 1) % new.size
    values = convert_element_type(take(reshape(new, (new.size,)), number), x.dtype)
    return reshape(e.select(chosen, values, reshape(x, (x.size,))), x.shape)


def put(a: ArrayLike, ind: Any, v: Any, mode: str | None = None, *, inplace: bool = True) -> Any:
    """Return `a` with values at positions in the flat array.

    Args:
        a: What to start from.
        ind: Integers.
        v: Values, repeated as often as needed.
        mode: None or 'raise', where a traced index out of bounds is left out; 'clip' to the nearest
            end (the first element for a negative one), or 'wrap' modulo the size.
        inplace: Must be False.

    Raises:
        ValueError: with `inplace`, or for another mode.
        IndexError: for a known index out of bounds.

    Examples:
        >>> import diffeo as dx
        >>> put(dx.numpy.zeros(3), [0, 2], 5.0, inplace=False)
        Array([5., 0., 5.])
    """
    _needs_copy("put", inplace)
    modes = (None, "raise", "clip", "wrap")
    if mode not in modes:
        raise no_such("put", "mode", mode, modes)
    x, positions, new = asarray(a), asarray(ind), asarray(v)
    if not positions.size or not new.size:
        return x
    if not x.size:
        raise with_user_line(IndexError(f"put: an array of shape {x.shape} has no places"))
    positions = reshape(positions, (positions.size,))
    if positions.dtype.kind not in "biu":
        raise with_user_line(TypeError(f"put: ind must hold integers, got {describe(positions)}"))
    positions = (
        convert_element_type(positions, np.int64) if positions.dtype.kind == "b" else positions
    )
    if mode in ("clip", "wrap"):
        positions = bounded(positions, x.size, mode, "put")
    flat = reshape(x, (x.size,)).at[positions]
    return reshape(flat.set(_repeated(new, positions.size)), x.shape)

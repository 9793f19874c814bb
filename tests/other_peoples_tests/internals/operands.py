"""Random operands, by shape and dtype: the factories that jax's tests name `rand_...`.

Each takes a `numpy.random.RandomState`, and returns a function of (shape, dtype).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import ml_dtypes
import numpy as np


class ScalarShape:
    """Stands for the shape of a scalar that is no array."""

    def __len__(self) -> int:
        return 0

    def __getitem__(self, i: Any) -> Any:
        raise IndexError(i)


NUMPY_SCALAR_SHAPE, PYTHON_SCALAR_SHAPE = ScalarShape(), ScalarShape()


def is_valid_shape(shape: Any, dtype: Any) -> bool:
    """Return whether there are scalars of this kind: Python's have one dtype each."""
    if shape is PYTHON_SCALAR_SHAPE:
        return np.dtype(dtype) == np.dtype(type(np.zeros((), dtype).item()))
    return True


def dims_of(shape: Any) -> tuple:
    """Return a shape as a tuple."""
    if isinstance(shape, ScalarShape):
        return ()
    return tuple(shape) if isinstance(shape, (tuple, list)) else (shape,)


def shaped(value: Any, shape: Any, dtype: Any) -> Any:
    """Return an array, or a scalar of the kind that a shape stands for."""
    if shape is PYTHON_SCALAR_SHAPE:
        return np.asarray(value).item()
    if shape is NUMPY_SCALAR_SHAPE:
        return np.asarray(value, dtype)[()]
    return np.asarray(value, dtype)


def dtype_str(dtype: Any) -> str:
    """Return a dtype's name."""
    return np.dtype(dtype).name


def format_shape_dtype_string(shape: Any, dtype: Any) -> str:
    """Return a type as text, for names of tests."""
    sizes = "" if isinstance(shape, ScalarShape) else f"[{','.join(map(str, dims_of(shape)))}]"
    return dtype_str(dtype) + sizes


def _is(dtype: Any, kind: str) -> bool:
    dtype = np.dtype(dtype)
    if kind == "float":
        return dtype.kind == "f" or (dtype.kind == "V" and "float" in dtype.name)
    return dtype.kind == {"complex": "c", "unsigned": "u"}[kind]


def drawn(
    draw: Callable, shape: Any, dtype: Any, scale: float = 1.0, post: Callable = lambda x: x
) -> Any:
    """Return `scale * draw(*sizes)` in a dtype, of both parts of complex numbers."""

    def part() -> np.ndarray:
        numbers = np.asarray(draw(*dims_of(shape)))
        numbers = abs(numbers) if _is(dtype, "unsigned") else numbers
        return np.asarray(scale * numbers).astype(dtype)

    values = part() + 1j * part() if _is(dtype, "complex") else part()
    return shaped(np.asarray(post(np.asarray(values)), dtype), shape, dtype)


def _factory(name: str, scale: float, post: Callable = lambda x: x) -> Callable:
    def factory(rng: Any) -> Callable:
        draw = getattr(rng, name)
        return lambda shape, dtype, **more: drawn(draw, shape, dtype, scale, post)

    return factory


def rand_default(rng: Any, scale: float = 3) -> Callable:
    """Draw normal numbers."""
    return lambda shape, dtype, post=lambda x: x: drawn(rng.randn, shape, dtype, scale, post)


rand_nonzero = _factory("randn", 3, lambda x: np.where(x == 0, np.ones((), x.dtype), x))
rand_positive = _factory("rand", 2, lambda x: x + np.ones((), x.dtype))
rand_small = _factory("randn", 1e-3)
rand_small_positive = _factory("rand", 2e-5)


def rand_not_small(rng: Any, offset: float = 10.0) -> Callable:
    """Draw numbers away from 0."""
    post = lambda x: x + np.where(x > 0, offset, -offset)
    return lambda shape, dtype: drawn(rng.randn, shape, dtype, 3.0, post)


def rand_uniform(rng: Any, low: float = 0.0, high: float = 1.0) -> Callable:
    """Draw uniform numbers."""
    return lambda shape, dtype: drawn(rng.rand, shape, dtype, 1.0, lambda x: x * (high - low) + low)


def rand_some_equal(rng: Any) -> Callable:
    """Draw numbers, about half of which are the first one."""

    def post(x: np.ndarray) -> np.ndarray:
        return np.where(rng.rand(*x.shape) < 0.5, x.ravel()[0], x) if x.size else x

    return lambda shape, dtype: drawn(rng.randn, shape, dtype, 100.0, post)


def _with(rng: Any, specials: list[tuple[float, float]], floats_only: bool = True) -> Callable:
    """Draw numbers, with some special ones at given rates."""

    def rand(shape: Any, dtype: Any) -> Any:
        dims = dims_of(shape)
        if _is(dtype, "complex"):
            part = np.zeros((), dtype).real.dtype
            whole = np.asarray(rand(dims, part)) + 1j * np.asarray(rand(dims, part))
            return shaped(whole, shape, dtype)
        values = np.asarray(drawn(rng.randn, dims, dtype, 3))
        if floats_only and not _is(dtype, "float"):
            return shaped(values, shape, dtype)
        for special, rate in specials:
            values = np.where(rng.rand(*dims) < rate, np.asarray(special).astype(dtype), values)
        return shaped(values, shape, dtype)

    return rand


def rand_some_inf(rng: Any) -> Callable:
    """Draw numbers, some of them infinite."""
    return _with(rng, [(np.inf, 0.1), (-np.inf, 0.1)])


def rand_some_nan(rng: Any) -> Callable:
    """Draw numbers, some of them nan."""
    return _with(rng, [(np.nan, 0.1)])


def rand_some_inf_and_nan(rng: Any) -> Callable:
    """Draw numbers, some of them infinite or nan."""
    return _with(rng, [(np.inf, 0.1), (-np.inf, 0.1), (np.nan, 0.1)])


def rand_some_zero(rng: Any) -> Callable:
    """Draw numbers, half of them 0."""
    return _with(rng, [(0, 0.5)], floats_only=False)


def rand_int(rng: Any, low: int = 0, high: int | None = None) -> Callable:
    """Draw integers from low to high, or from 0 to low, or of any size."""

    def rand(shape: Any, dtype: Any) -> Any:
        integers = np.dtype(dtype) if np.dtype(dtype).kind in "iu" else np.dtype(np.int64)
        ends = (low, high) if low != 0 or high is not None else (0, np.iinfo(integers).max)
        return rng.randint(ends[0], ends[1], size=shape, dtype=integers).astype(dtype)

    return rand


def rand_unique_int(rng: Any, high: int | None = None) -> Callable:
    """Draw different integers."""
    return lambda shape, dtype: rng.choice(
        np.arange(high or math.prod(dims_of(shape)), dtype=dtype), size=shape, replace=False
    )


def rand_bool(rng: Any) -> Callable:
    """Draw booleans."""
    return lambda shape, dtype: shaped(rng.rand(*dims_of(shape)) < 0.5, shape, dtype)


def rand_fullrange(rng: Any, standardize_nans: bool = False) -> Callable:
    """Draw numbers with any bits."""

    def rand(shape: Any, dtype: Any, post: Callable = lambda x: x) -> Any:
        dtype = np.dtype(dtype)
        count = math.prod(dims_of(shape))
        if dtype.kind == "b":
            return shaped(rng.rand(*dims_of(shape)) < 0.5, shape, dtype)
        if dtype.name in ("int4", "uint4"):
            info = ml_dtypes.iinfo(dtype)
            numbers = rng.randint(int(info.min), int(info.max) + 1, size=count)
            return shaped(numbers.reshape(dims_of(shape)).astype(dtype), shape, dtype)
        values = np.frombuffer(rng.bytes(count * dtype.itemsize), dtype).reshape(dims_of(shape))
        if standardize_nans and dtype.kind not in "iu":
            values = np.where(np.isnan(values), np.asarray(np.nan).astype(dtype), values)
        return shaped(post(values), shape, dtype)

    return rand


def rand_indices_unique_along_axis(rng: Any) -> Callable:
    """Draw indices that differ along an axis."""

    def rand(dim: int, shape: Any, axis: int, allow_negative: bool = True) -> np.ndarray:
        moved = [*shape[:axis], *shape[axis:][1:]]
        rows = [rng.choice(dim, shape[axis], replace=False) for _ in range(math.prod(moved))]
        index = np.array(rows).reshape(*moved, shape[axis])
        index = np.moveaxis(index, -1, axis)
        if allow_negative:
            index = np.where(rng.rand(*index.shape) < 0.5, index - dim, index)
        return index

    return rand

"""Initializers of weights: functions of a key, a shape and a dtype, with the values of jax.nn's.

`zeros` and `ones` are initializers; all other functions here return one. The well-known ones
(`glorot_uniform`, `he_normal` ...) are cases of `variance_scaling`.

Examples:
    >>> import diffeo as dx
    >>> init = dx.nn.initializers.he_normal()
    >>> init(dx.random.key(0), (3, 2)).shape
    (3, 2)
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from .. import random
from ..numpy.common import arr, axis_of, dtype_of, no_sharding, static_shape
from ..numpy.contracting.diagonals import diagonal
from ..numpy.linalg.decompositions import qr
from ..numpy.making.creation import full
from ..numpy.shaping import moveaxis
from ..primitives.core import Value, with_user_line
from ..primitives.types import SCALARS, is_complex, real_dtype
from ..primitives.words import elementwise as e
from ..primitives.words.slicing import index_in_dim
from ..primitives.words.structural import convert_element_type, reshape
from ..typing import ArrayLike, DTypeLike

#: A function `init(key, shape, dtype)` that returns an array.
Initializer = Callable[..., Any]
#: One axis, or several.
Axes = int | Sequence[int]


def _number(x: Any, dtype: np.dtype) -> Any:
    return convert_element_type(arr(x), dtype)


def _one_device(out_sharding: str | None) -> None:
    if out_sharding is not None:
        raise no_sharding("an initializer", out_sharding)


def zeros(
    key: ArrayLike | None, shape: Any, dtype: DTypeLike | None = None, out_sharding: Any = None
) -> Any:
    """Return zeros; the key is not used."""
    return full(shape, 0, dtype_of(dtype), out_sharding=out_sharding)


def ones(
    key: ArrayLike, shape: Any, dtype: DTypeLike | None = None, out_sharding: Any = None
) -> Any:
    """Return ones; the key is not used."""
    return full(shape, 1, dtype_of(dtype), out_sharding=out_sharding)


def constant(value: Any, dtype: Any = None) -> Initializer:
    """Return an initializer that fills arrays with `value`.

    Examples:
        >>> constant(7)(None, (2,))
        Array([7., 7.])
    """
    default = dtype

    def init(
        key: Value, shape: Any, dtype: DTypeLike | None = default, out_sharding: Any = None
    ) -> Any:
        _one_device(out_sharding)
        return full(shape, value, dtype_of(dtype))

    return init


def uniform(scale: Any = 1e-2, dtype: Any = None) -> Initializer:
    """Return an initializer with samples that are uniform in [0, scale)."""
    default = dtype

    def init(key: Any, shape: Any, dtype: Any = default, out_sharding: Any = None) -> Any:
        _one_device(out_sharding)
        return random.uniform(key, shape, dtype_of(dtype)) * _number(scale, dtype_of(dtype))

    return init


def normal(stddev: Any = 1e-2, dtype: Any = None) -> Initializer:
    """Return an initializer with normal samples of mean 0 and standard deviation `stddev`."""
    default = dtype

    def init(key: Any, shape: Any, dtype: Any = default, out_sharding: Any = None) -> Any:
        _one_device(out_sharding)
        return random.normal(key, shape, dtype_of(dtype)) * _number(stddev, dtype_of(dtype))

    return init


def truncated_normal(
    stddev: Any = 1e-2, dtype: Any = None, lower: Any = -2.0, upper: Any = 2.0
) -> Initializer:
    """Return an initializer with truncated normal samples.

    They are standard normal, given that they lie in (lower, upper), and multiplied by `stddev`; so
    their standard deviation is less than `stddev`.
    """
    default = dtype

    def init(key: Any, shape: Any, dtype: Any = default, out_sharding: Any = None) -> Any:
        _one_device(out_sharding)
        sample = random.truncated_normal(key, lower, upper, shape, dtype_of(dtype))
        return sample * _number(stddev, dtype_of(dtype))

    return init


def _fans(
    shape: tuple[int, ...], in_axis: Axes, out_axis: Axes, batch_axis: Axes
) -> tuple[float, float]:
    """Return how many inputs and outputs a unit has.

    The axes that are not named are a convolution's window: its size multiplies both.
    """
    if len(shape) <= 1 and in_axis == -2:
        raise with_user_line(
            ValueError(
                f"variance_scaling: a shape with {len(shape)} axes has no axis {in_axis} of "
                "inputs; "
                "give in_axis and out_axis"
            )
        )

    def size(axes: Axes) -> int:
        return math.prod([shape[a] for a in ((axes,) if isinstance(axes, int) else axes)])

    inputs, outputs = size(in_axis), size(out_axis)
    window = math.prod(shape) / max(inputs * outputs * size(batch_axis), 1)
    return inputs * window, outputs * window


#: What `mode` of `variance_scaling` makes of the numbers of inputs and outputs.
_DENOMINATORS = {
    "fan_in": lambda fan_in, fan_out: fan_in,
    "fan_out": lambda fan_in, fan_out: fan_out,
    "fan_avg": lambda fan_in, fan_out: (fan_in + fan_out) / 2,
    "fan_geo_avg": lambda fan_in, fan_out: math.sqrt(fan_in * fan_out),
}


def _on_disk(key: Value, shape: tuple[int, ...], dtype: np.dtype, radius: Callable) -> Any:
    """Return complex numbers of random phase; `radius` maps uniform numbers to their moduli."""
    keys, part = random.split(key), real_dtype(dtype)
    r = radius(random.uniform(index_in_dim(keys, 0), shape, part))
    angle = 2 * math.pi * random.uniform(index_in_dim(keys, 1), shape, part)
    return e.complex_.bind(r * e.cos.bind(angle), r * e.sin.bind(angle))


def _truncated(key: Value, shape: tuple[int, ...], dtype: np.dtype, variance: Value) -> Any:
    """Return samples of a variance, from a normal distribution cut at two standard deviations."""
    # The divisors are the standard deviations of standard normal variables cut at 2, as jax has
    # them. (The complex one should be 0.96196. It is jax's, so that values are jax's; the variance
    # is 1.9 % too large.)
    root = e.sqrt.bind(variance)
    if not is_complex(dtype):
        stddev = root / _number(0.87962566103423978, dtype)
        return random.truncated_normal(key, -2, 2, shape, dtype) * stddev
    radius = lambda u: e.sqrt.bind(-e.log1p.bind((math.exp(-4) - 1) * u))
    return _on_disk(key, shape, dtype, radius) * (root / _number(0.95311164380491208, dtype))


def _normal(key: Value, shape: tuple[int, ...], dtype: np.dtype, variance: Value) -> Any:
    return random.normal(key, shape, dtype) * e.sqrt.bind(variance)


def _uniform(key: Value, shape: tuple[int, ...], dtype: np.dtype, variance: Value) -> Any:
    """Return uniform samples of a variance, on an interval or, if complex, on a disk."""
    if not is_complex(dtype):
        return random.uniform(key, shape, dtype, -1) * e.sqrt.bind(3 * variance)
    return _on_disk(key, shape, dtype, lambda u: e.sqrt.bind(2 * u)) * e.sqrt.bind(variance)


#: The samplers of `variance_scaling`, by the names of `distribution`.
_DISTRIBUTIONS = {"truncated_normal": _truncated, "normal": _normal, "uniform": _uniform}


def variance_scaling(
    scale: Any,
    mode: str,
    distribution: str,
    in_axis: Axes = -2,
    out_axis: Axes = -1,
    batch_axis: Axes = (),
    dtype: Any = None,
) -> Initializer:
    """Return an initializer with samples of mean 0 and variance scale / n.

    n follows from the shape of the weights.

    Args:
        scale: a positive number.
        mode: what n is: "fan_in" (the number of inputs of a unit), "fan_out" (of outputs),
            "fan_avg" or "fan_geo_avg" (their arithmetic or geometric mean).
        distribution: "truncated_normal" (at two standard deviations), "normal" or "uniform"; for
            complex dtypes, in a disk.
        in_axis, out_axis: the axis or axes of inputs and outputs.
        batch_axis: axes that are neither inputs, outputs nor a convolution's window.
        dtype: the initializer's default dtype, by default float64.

    Returns:
        `init(key, shape, dtype)`.

    Raises:
        ValueError: for an unknown mode or distribution, or (from `init`) a shape without the axes.
    """
    for what, value, choices in (
        ("mode", mode, _DENOMINATORS),
        ("distribution", distribution, _DISTRIBUTIONS),
    ):
        if value not in choices:
            raise with_user_line(
                ValueError(
                    f"variance_scaling: {what} must be one of {', '.join(choices)}, got {value!r}"
                )
            )
    if type(scale) in SCALARS and not (type(scale) is not complex and scale >= 0):
        raise with_user_line(
            ValueError(f"variance_scaling: scale must be a number >= 0, got {scale!r}")
        )
    default = dtype

    def init(
        key: Value, shape: Any, dtype: DTypeLike | None = default, out_sharding: Any = None
    ) -> Any:
        _one_device(out_sharding)
        sizes, kind = static_shape(shape, "variance_scaling"), dtype_of(dtype)
        n = _DENOMINATORS[mode](*_fans(sizes, in_axis, out_axis, batch_axis))
        return _DISTRIBUTIONS[distribution](key, sizes, kind, _number(scale / max(n, 1.0), kind))

    return init


def orthogonal(scale: Any = 1.0, column_axis: int = -1, dtype: Any = None) -> Initializer:
    """Return an initializer with random orthogonal matrices, uniform among them.

    If there are more rows than columns, the columns are orthonormal; otherwise the rows. All axes
    but `column_axis` count as rows together.

    Args:
        scale: a factor.
        column_axis: the axis of the columns.
        dtype: the initializer's default dtype, by default float64.

    Raises:
        ValueError: (from `init`) for less than two axes.

    Examples:
        >>> import diffeo as dx
        >>> q = orthogonal()(dx.random.key(0), (3, 2))
        >>> dx.numpy.allclose(q.T @ q, dx.numpy.eye(2))
        Array(True)
    """
    default = dtype

    def init(key: Value, shape: Any, dtype: DTypeLike = default, out_sharding: Any = None) -> Any:
        _one_device(out_sharding)
        sizes, kind = static_shape(shape, "orthogonal"), dtype_of(dtype)
        if len(sizes) < 2:
            raise with_user_line(ValueError(f"orthogonal: needs two axes or more, got {sizes}"))
        if 0 in sizes:
            return full(sizes, 0, kind)
        axis = axis_of(column_axis, len(sizes), "orthogonal")
        columns = sizes[axis]
        q = _orthogonal(key, math.prod(sizes) // columns, columns, kind)
        q = reshape(q, (*sizes[:axis], *sizes[axis + 1 :], columns))
        return _number(scale, kind) * moveaxis(q, -1, axis)

    return init


def _orthogonal(key: Value, rows: int, columns: int, dtype: np.dtype) -> Any:
    """Return a matrix with orthonormal columns (rows, if there are fewer of them)."""
    z = random.normal(key, (max(rows, columns), min(rows, columns)), dtype)
    q, r = qr(z)
    # The signs of the diagonal of R are those of the algorithm; without them, Q is uniform.
    q = q * e.sign.bind(diagonal(r))
    return q if rows >= columns else q.T


def delta_orthogonal(scale: Any = 1.0, column_axis: int = -1, dtype: Any = None) -> Initializer:
    """Return an initializer of convolution kernels that are `orthogonal` at the middle, 0 elsewhere
    (Xiao et al. 2018). The last two axes are features in and out, one to three others the window.

    Raises:
        ValueError: (from `init`) for other shapes, and for more features in than out.

    Examples:
        >>> import diffeo as dx
        >>> delta_orthogonal()(dx.random.key(0), (3, 2, 2))[0]
        Array([[0., 0.],
               [0., 0.]])
    """
    default, inner = dtype, orthogonal(scale, column_axis)

    def init(
        key: Value, shape: Any, dtype: DTypeLike | None = default, out_sharding: Any = None
    ) -> Any:
        _one_device(out_sharding)
        sizes, kind = static_shape(shape, "delta_orthogonal"), dtype_of(dtype)
        if len(sizes) not in (3, 4, 5) or sizes[-1] < sizes[-2]:
            raise with_user_line(
                ValueError(
                    "delta_orthogonal: needs 3 to 5 axes, and at least as many features out (the "
                    f"last axis) as in, got {sizes}"
                )
            )
        middle = tuple([(n - 1) // 2 for n in sizes[:-2]])
        return full(sizes, 0, kind).at[middle].set(inner(key, sizes[-2:], kind))

    return init


def _scaled(name: str, scale: float, mode: str, distribution: str, source: str) -> Callable:
    """Make the public function of a case of `variance_scaling`.

    `name` is its name, `source` where the case was published.
    """

    def make(
        in_axis: Axes = -2, out_axis: Axes = -1, batch_axis: Axes = (), dtype: Any = None
    ) -> Initializer:
        return variance_scaling(scale, mode, distribution, in_axis, out_axis, batch_axis, dtype)

    make.__name__ = make.__qualname__ = name
    make.__doc__ = (
        f"variance_scaling({scale}, {mode!r}, {distribution!r}) ({source}).\n\n"
        "    Arguments as `variance_scaling` has.\n    "
    )
    return make


_GLOROT, _LECUN, _HE = "Glorot and Bengio 2010", "LeCun et al. 1998", "He et al. 2015"
glorot_uniform = _scaled("glorot_uniform", 1.0, "fan_avg", "uniform", _GLOROT)
glorot_normal = _scaled("glorot_normal", 1.0, "fan_avg", "truncated_normal", _GLOROT)
lecun_uniform = _scaled("lecun_uniform", 1.0, "fan_in", "uniform", _LECUN)
lecun_normal = _scaled("lecun_normal", 1.0, "fan_in", "truncated_normal", _LECUN)
he_uniform = _scaled("he_uniform", 2.0, "fan_in", "uniform", _HE)
he_normal = _scaled("he_normal", 2.0, "fan_in", "truncated_normal", _HE)
xavier_uniform, xavier_normal = glorot_uniform, glorot_normal
kaiming_uniform, kaiming_normal = he_uniform, he_normal

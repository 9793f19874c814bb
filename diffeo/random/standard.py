"""Distributions without parameters, by the inverses of their distribution functions."""

from __future__ import annotations

import math
from typing import Any

import ml_dtypes
import numpy as np

from ..numpy.common import dtype_of, static_shape
from ..operations.bits import clz
from ..primitives.constants import full_like
from ..primitives.core import with_user_line
from ..primitives.types import float32, uint32, uint64
from ..primitives.words import elementwise as e
from ..primitives.words.slicing import index_in_dim
from ..primitives.words.structural import convert_element_type, convert_exactly
from ..typing import ArrayLike, DTypeLike
from .keys import Shape, check_key, raw_bits
from .samplers import _between, bernoulli, float_dtype, unit_numbers


def _standard(name: str, key: Any, shape: Shape, dtype: Any) -> tuple[Any, Any, np.dtype, Any]:
    """Return what samplers without parameters begin with.

    Returns:
        The checked key, shape and dtype, and the limits of the dtype (`finfo`).
    """
    dtype = float_dtype(name, dtype)
    return check_key(name, key), static_shape(shape, name), dtype, ml_dtypes.finfo(dtype)


def exponential(key: Any, shape: Shape = (), dtype: DTypeLike | None = None) -> Any:
    """Draw samples with the density exp(-x) on x >= 0: -log(1 - u). Arguments as `uniform` has.

    Examples:
        >>> from diffeo.random import PRNGKey
        >>> exponential(PRNGKey(0), (2,))
        Array([0.54207056, 0.24372319])
    """
    key, shape, dtype, _ = _standard("exponential", key, shape, dtype)
    return e.neg.bind(e.log1p.bind(e.neg.bind(unit_numbers(key, shape, dtype))))


def gumbel(
    key: Any, shape: Shape = (), dtype: DTypeLike | None = None, mode: str | None = None
) -> Any:
    """Draw samples with the distribution function exp(-exp(-x)): -log(-log(u)).

    Arguments as `uniform` has, and `mode`: "high" draws twice as many bits, for the tail, and
    "highest" uses all of them in float32; by default "low".
    """
    if mode not in (None, "low", "high", "highest"):
        raise with_user_line(
            ValueError(f"gumbel: mode must be 'low', 'high' or 'highest', got {mode!r}")
        )
    key, shape, dtype, info = _standard("gumbel", key, shape, dtype)
    if mode == "highest" and dtype == float32:
        return _finest_gumbel(key, shape)
    if mode in (None, "low"):
        u = _between(key, shape, dtype, float(info.tiny), 1.0)
        return e.neg.bind(e.log.bind(e.neg.bind(e.log.bind(u))))
    u = unit_numbers(key, (2, *shape), dtype)
    high, low = index_in_dim(u, 0), index_in_dim(u, 1)
    # Only small numbers have room for more bits.
    least = max(2.0 ** -(2 * int(info.nmant) + 1), float(info.tiny))
    x = e.select(high >= 0.5, high, high + 2.0 ** -int(info.nmant) * low + least)
    return e.neg.bind(e.log.bind(e.neg.bind(e.log1p.bind(e.neg.bind(x)))))


def _finest_gumbel(key: Any, shape: tuple[int, ...]) -> Any:
    """Draw Gumbel samples in float32, by uniform numbers with 64 bits behind the point.

    Those of 1/2 and more are held as their distance from 1, which has more digits.
    """
    word = raw_bits(key, (2, *shape), uint32)
    first, second = index_in_dim(word, 0), index_in_dim(word, 1)
    upper, lower = (convert_exactly(x, uint64) for x in (first, second))
    number = e.logical_or.bind(e.shift_left.bind(upper, 32), lower)
    below = first < 1 << 31
    number = e.select(below, number, e.sub.bind(full_like(number, 0), number))
    # Cut to 24 bits, so that the conversion is exact, as the rest of jax's is cut off.
    excess = e.sub.bind(e.maximum.bind(64 - clz.bind(number), 24), 24)
    number = e.shift_left.bind(e.shift_right_logical.bind(number, excess), excess)
    u = e.maximum.bind(convert_element_type(number, float32) * 2.0**-64, 2.0**-65)
    left = e.neg.bind(e.log.bind(e.neg.bind(e.log1p.bind(e.neg.bind(u)))))
    return e.select(below, left, e.neg.bind(e.log.bind(e.neg.bind(e.log.bind(u)))))


def laplace(key: ArrayLike, shape: Shape = (), dtype: DTypeLike | None = None) -> Any:
    """Draw samples with the density exp(-|x|) / 2. Arguments as `uniform` has."""
    key, shape, dtype, info = _standard("laplace", key, shape, dtype)
    u = _between(key, shape, dtype, -1.0 + float(info.epsneg), 1.0)
    return e.mul.bind(e.sign.bind(u), e.log1p.bind(e.neg.bind(e.absolute.bind(u))))


def logistic(key: ArrayLike, shape: Shape = (), dtype: DTypeLike | None = None) -> Any:
    """Draw samples with the distribution function 1 / (1 + exp(-x)). Arguments as `uniform` has."""
    key, shape, dtype, info = _standard("logistic", key, shape, dtype)
    u = _between(key, shape, dtype, float(info.tiny), 1.0)
    return e.sub.bind(e.log.bind(u), e.log1p.bind(e.neg.bind(u)))


def cauchy(key: ArrayLike, shape: Shape = (), dtype: DTypeLike | None = None) -> Any:
    """Draw samples with the density 1 / (pi (1 + x^2)): tan(pi (u - 1/2)).

    Arguments as `uniform` has.
    """
    key, shape, dtype, info = _standard("cauchy", key, shape, dtype)
    u = _between(key, shape, dtype, float(info.eps), 1.0)
    return e.tan.bind(e.mul.bind(e.sub.bind(u, 0.5), math.pi))


def rademacher(key: Any, shape: Shape = (), dtype: DTypeLike | None = None) -> Any:
    """Draw -1 or 1 with equal probability, of any numeric dtype, by default int64."""
    dtype = dtype_of(dtype, int)
    heads = bernoulli(key, 0.5, static_shape(shape, "rademacher"))
    return convert_element_type(2 * convert_element_type(heads, dtype) - 1, dtype)

"""Samples of distributions of counts: Poisson, binomial, geometric, multinomial.

Small means are counted: Poisson by products of uniform numbers (Knuth), binomial by sums of
geometric numbers (Devroye). Larger ones are drawn by transformed rejection (Hormann 1993, PTRS and
BTRS). Both ways run where elements want both, as jax has it.
"""

from __future__ import annotations

import math
from functools import lru_cache
from typing import Any

import numpy as np
from ml_dtypes import finfo

from ..api.control_flow.loops import scan, while_loop
from ..api.jit import jit
from ..numpy.common import arr, dtype_of, static_shape
from ..operations.cumulative import cumsum
from ..primitives.constants import full, full_like
from ..primitives.core import with_user_line
from ..primitives.support.key_types import KEY_TYPES
from ..primitives.types import default_dtype, float32, float64, is_float
from ..primitives.words import elementwise as e
from ..primitives.words.promotion import broadcast_shapes, broadcast_to, to_inexact
from ..primitives.words.reduction import reduce_or
from ..primitives.words.structural import convert_element_type, move_axis
from ..routines.special.special import lgamma
from ..typing import ArrayLike, DTypeLike
from .gammas import check_method
from .keys import Key, Shape, check_key, parts
from .samplers import _normal, check_parameters, float_dtype, inexact, unit_numbers


def _any(x: Any) -> Any:
    return reduce_or(x, range(x.ndim))


def _knuth(key: Key, lam: Any, dtype: np.dtype, most: int) -> Any:
    """Return Poisson counts: how many uniform numbers have a product above exp(-lam)."""

    def step(carry: Any) -> Any:
        i, k, words, log_product = carry
        following, now = parts(key.of(words))
        k = e.select(log_product > -lam, k + 1, k)
        u = unit_numbers(now, lam.shape, float32)
        return i + 1, k, following.words, log_product + e.log.bind(u)

    going = lambda carry: _any(carry[3] > -lam) & (carry[0] < most)
    start = full((), 0, np.int64), full(lam.shape, 0, dtype), key.words, full_like(lam, 0.0)
    return while_loop(going, step, start)[1] - 1


def _poisson_rejection(key: Key, lam: Any, dtype: np.dtype, most: int) -> Any:
    """Return Poisson counts for means of 10 and more."""
    log_lam = e.log.bind(lam)
    b = 0.931 + 2.53 * e.sqrt.bind(lam)
    a = -0.059 + 0.02483 * b
    inv_alpha = 1.1239 + 1.1328 / (b - 3.4)
    v_r = 0.9277 - 3.6224 / (b - 2.0)

    def step(carry: Any) -> Any:
        i, out, accepted, words = carry
        following, first, second = parts(key.of(words), 3)
        u = unit_numbers(first, lam.shape, lam.dtype) - 0.5
        v = unit_numbers(second, lam.shape, lam.dtype)
        shifted = 0.5 - e.absolute.bind(u)
        k = e.floor.bind((2.0 * a / shifted + b) * u + lam + 0.43)
        s = e.log.bind(v * inv_alpha / (a / (shifted * shifted) + b))
        bound = -lam + k * log_lam - lgamma.bind(k + 1.0)
        surely = (shifted >= 0.07) & (v <= v_r)
        never = (k < 0.0) | ((shifted < 0.013) & (v > shifted))
        accept = surely | (~never & (s <= bound))
        return i + 1, e.select(accept, k, out), accepted | accept, following.words

    going = lambda carry: _any(~carry[2]) & (carry[0] < most)
    start = (
        full((), 0, np.int64), full_like(lam, -1.0), full(lam.shape, False, np.bool_), key.words
    )  # fmt: skip
    return convert_element_type(while_loop(going, step, start)[1], dtype)


@lru_cache(64)
def _poisson_sampler(impl: str, dtype: np.dtype) -> Any:
    """Return the compiled function (words, means) -> counts of a generator's keys."""
    most = min(int(np.iinfo(dtype).max), np.iinfo(np.int64).max)

    def sample(words: Any, lam: Any) -> Any:
        key = Key(KEY_TYPES[impl], words)
        small = e.ne.bind(lam, lam) | (lam < 10.0)
        counted = _knuth(key, e.select(small, lam, 0.0), dtype, most)
        rejected = _poisson_rejection(key, e.select(small, 1e5, lam), dtype, most)
        return e.select(lam == 0.0, 0, e.select(small, counted, rejected))

    return jit(sample)


#: Below this mean, approximate Poisson counts are found in a sum of probabilities of so many terms.
_SPLIT, _TERMS = 7.0, 20


def _summed(u: Any, lam: Any) -> Any:
    """Return the quantiles at probabilities `u`, by sums of the probabilities of counts."""
    probability = total = e.exp.bind(-lam)
    count = convert_element_type(total < u, u.dtype)
    for k in range(1, _TERMS - 1):
        probability = probability * (lam / float(k))
        total = total + probability
        count = count + convert_element_type(total < u, u.dtype)
    return count


def _deviate(x: Any, lam: Any) -> Any:
    """Return the normal number whose probability is that of a count up to x (Peizer and Pratt)."""
    y = (x + 0.5) / lam
    d = y - 1.0
    near = e.absolute.bind(d) < 0.25
    series = full_like(d, 0.0)
    for k in range(9, 0, -1):
        series = d * (2.0 * (-1) ** k / ((k + 1) * (k + 2)) + series)
    far, gap = e.select(near, 2.0, y), e.select(near, 1.0, d)
    direct = (1.0 - far * far + 2.0 * far * e.log.bind(far)) / (gap * gap)
    t = e.select(near, series, direct)
    return (x - lam + 2 / 3 + 0.02 / (x + 1.0)) * e.sqrt.bind((1.0 + t) / lam)


def _approximate(key: Key, lam: Any, shape: tuple[int, ...], dtype: np.dtype) -> Any:
    """Return counts whose distribution is nearly Poisson's, by quantiles of normal numbers."""
    wide = (is_float(lam.dtype) and lam.dtype.itemsize > 4) or dtype.itemsize > 4
    part = float64 if wide else float32
    lam = broadcast_to(convert_element_type(lam, part), shape)
    z = _normal(key, shape, part)
    small = _summed(0.5 * (1.0 + e.erf.bind(z * math.sqrt(0.5))), lam)
    root = e.sqrt.bind(lam)
    guess = lam + root * z - 2 / 3 + z * z / 6.0 + z * (1.0 - z * z) / (72.0 * root)
    c = e.ceil.bind(guess + 0.6)

    def reaches(c: Any) -> Any:
        deviate = _deviate(e.maximum.bind(c, 0.0), lam)
        return convert_element_type(e.select(c < 0.0, -math.inf, deviate) >= z, part)

    large = e.maximum.bind(c + 1.0 - reaches(c) - reaches(c - 1.0), 0.0)
    return convert_element_type(e.select(lam < _SPLIT, small, large), dtype)


def poisson(
    key: ArrayLike,
    lam: Any,
    shape: Shape = None,
    dtype: DTypeLike | None = None,
    *,
    method: str = "exact",
) -> Any:
    """Draw counts with the probabilities lam**k exp(-lam) / k!.

    Args:
        key: a key.
        lam: means, numbers or an array that broadcasts to `shape`; in float32, as jax has it.
        shape: the shape of the result, by default that of `lam`.
        dtype: an integer dtype, by default int64.
        method: "exact", or "approximate": without a loop, with a small bias.

    Returns:
        The counts; -1 where a mean is nan or negative.

    Raises:
        TypeError: if `key` is not a key, the shape is not static, or for another dtype.
        ValueError: for another method, or shapes that do not fit.

    Examples:
        >>> import diffeo as dx
        >>> dx.random.poisson(dx.random.key(0), 3.0, (4,)).shape
        (4,)
    """
    checked = check_key("poisson", key)
    check_method("poisson", method)
    dtype, lam = dtype_of(dtype, int), arr(lam)
    if dtype.kind not in "iu":
        raise with_user_line(TypeError(f"poisson: dtype must be an integer's, got {dtype}"))
    shape = lam.shape if shape is None else static_shape(shape, "poisson")
    check_parameters("poisson", shape, lam=lam)
    if method == "approximate":
        return _approximate(checked, lam, shape, dtype)
    lam = broadcast_to(convert_element_type(lam, float32), shape)
    return _poisson_sampler(checked.dtype.impl, dtype)(checked.words, lam)


def geometric(key: Any, p: Any, shape: Shape = None, dtype: Any = None) -> Any:
    """Draw the number of trials up to the first success, for probabilities `p` of success.

    Args:
        key: a key.
        p: probabilities, numbers or an array that broadcasts to `shape`.
        shape: the shape of the result, by default that of `p`.
        dtype: an integer dtype, by default int64.

    Raises:
        TypeError: if `key` is not a key or the shape is not static.
        ValueError: for another dtype, or shapes that do not fit.

    Examples:
        >>> import diffeo as dx
        >>> dx.random.geometric(dx.random.key(0), 0.5, (4,)).shape
        (4,)
    """
    checked, dtype, p = check_key("geometric", key), dtype_of(dtype, int), inexact(p)
    if dtype.kind not in "iu":
        raise with_user_line(ValueError(f"geometric: dtype must be an integer's, got {dtype}"))
    shape = p.shape if shape is None else static_shape(shape, "geometric")
    check_parameters("geometric", shape, p=p)
    u = unit_numbers(checked, shape, p.dtype)
    log_u = e.log.bind(e.select(u == 0.0, 1.0, u))
    counts = e.floor.bind(log_u / broadcast_to(e.log1p.bind(-p), shape)) + 1.0
    return convert_element_type(counts, dtype)


def _inversion(key: Key, count: Any, prob: Any, dtype: np.dtype, most: float) -> Any:
    """Return binomial counts: how many geometric numbers have a sum of at most `count`."""
    log_failure = e.log1p.bind(-prob)

    def step(carry: Any) -> Any:
        i, number, total, words = carry
        now, following = parts(key.of(words))
        number = e.select(total <= count, number + 1.0, number)
        u = unit_numbers(now, prob.shape, prob.dtype)
        total = total + e.ceil.bind(e.log.bind(u) / log_failure)
        return i + 1, number, total, following.words

    going = lambda carry: _any(carry[2] <= count) & (carry[0] < most)
    start = full((), 0, np.int64), full_like(prob, 0.0), full_like(prob, 0.0), key.words
    return convert_element_type(while_loop(going, step, start)[1] - 1.0, dtype)


#: How much the logarithm of k! is above Stirling's formula, for k = 0 ... 9.
_TAILS = (
    0.0810614667953272, 0.0413406959554092, 0.0276779256849983, 0.02079067210376509,
    0.0166446911898211, 0.0138761288230707, 0.0118967099458917, 0.0104112652619720,
    0.00925546218271273, 0.00833056343336287,
)  # fmt: skip


def _stirling_tail(k: Any) -> Any:
    """Return how much the logarithm of k! is above Stirling's formula."""
    few = e.floor.bind(e.minimum.bind(e.maximum.bind(k, 0.0), 9.0))
    above = e.maximum.bind(e.minimum.bind(k, 9.0), 0.0) + 1.0
    square = above * above
    out = (1.0 / 12 - (1.0 / 360 - 1.0 / 1260 / square) / square) / above
    for n, tail in enumerate(_TAILS):
        out = e.select((k <= 9.0) & (few == float(n)), tail, out)
    return out


def _binomial_rejection(key: Key, count: Any, prob: Any, dtype: np.dtype, most: float) -> Any:
    """Return binomial counts for means above 10, with probabilities up to 1/2."""
    stddev = e.sqrt.bind(count * prob * (1.0 - prob))
    b = 1.15 + 2.53 * stddev
    a = -0.0873 + 0.0248 * b + 0.01 * prob
    c = count * prob + 0.5
    v_r = 0.92 - 4.2 / b
    r = prob / (1.0 - prob)
    alpha = (2.83 + 5.1 / b) * stddev
    m = e.floor.bind((count + 1.0) * prob)

    def step(carry: Any) -> Any:
        i, out, accepted, words = carry
        following, first, second = parts(key.of(words), 3)
        u = unit_numbers(first, prob.shape, prob.dtype) - 0.5
        v = unit_numbers(second, prob.shape, prob.dtype)
        us = 0.5 - e.absolute.bind(u)
        surely = (us >= 0.07) & (v <= v_r)
        k = e.floor.bind((2.0 * a / us + b) * u + c)
        never = (k < 0.0) | (k > count)
        v = e.log.bind(v * alpha / (a / (us * us) + b))
        bound = (
            (m + 0.5) * e.log.bind((m + 1.0) / (r * (count - m + 1.0)))
            + (count + 1.0) * e.log.bind((count - m + 1.0) / (count - k + 1.0))
            + (k + 0.5) * e.log.bind(r * (count - k + 1.0) / (k + 1.0))
            + _stirling_tail(m)
            + _stirling_tail(count - m)
            - _stirling_tail(k)
            - _stirling_tail(count - k)
        )
        accept = surely | (~never & (v <= bound))
        return i + 1, e.select(accept, k, out), accepted | accept, following.words

    going = lambda carry: _any(~carry[2]) & (carry[0] < most)
    start = (
        full((), 0, np.int64), full_like(prob, -1.0), full(prob.shape, False, np.bool_), key.words
    )  # fmt: skip
    return convert_element_type(while_loop(going, step, start)[1], dtype)


@lru_cache(64)
def _binomial_sampler(impl: str, dtype: np.dtype) -> Any:
    """Return the compiled function (words, trials, probabilities) -> counts."""
    most = min(int(float(finfo(dtype).max)), np.iinfo(np.int64).max)

    def sample(words: Any, count: Any, prob: Any) -> Any:
        key = Key(KEY_TYPES[impl], words)
        low = prob < 0.5  # else failures are counted
        q = e.select(low, prob, 1.0 - prob)
        no_count = e.ne.bind(count, count) | (count < 0.0)
        endless = count == math.inf
        no_probability = e.ne.bind(q, q)
        negative = q < 0.0
        q = e.select(no_probability | negative, 0.01, q)
        counted = no_count | (count * q <= 10.0)
        count = e.floor.bind(count)
        inverted = _inversion(key, e.select(counted, count, 0.0), q, dtype, most)
        rejected = _binomial_rejection(
            key, e.select(counted, 1e4, count), e.select(counted, 0.5, q), dtype, most
        )
        samples = e.select(counted, inverted, rejected)
        invalid = negative | no_probability | no_count
        samples = e.select(invalid, math.nan, samples)
        samples = e.select(endless & ~invalid, math.inf, samples)
        kept = low | no_count | no_probability | endless
        return e.select(kept, samples, convert_element_type(count, dtype) - samples)

    return jit(sample)


def binomial(key: Any, n: Any, p: Any, shape: Shape = None, dtype: Any = None) -> Any:
    """Draw the numbers of successes in `n` trials, of the probability `p` each.

    Args:
        key: a key.
        n, p: numbers, or arrays that broadcast to `shape`.
        shape: the shape of the result, by default that to which n and p broadcast.
        dtype: a floating-point dtype, by default float64.

    Returns:
        Whole numbers as floats; nan where n or p is negative or nan, inf where n is.

    Raises:
        TypeError: if `key` is not a key or the shape is not static.
        ValueError: for another dtype, or shapes that do not fit.

    Examples:
        >>> import diffeo as dx
        >>> dx.random.binomial(dx.random.key(0), 10, 0.3, (4,)).shape
        (4,)
    """
    checked, dtype = check_key("binomial", key), float_dtype("binomial", dtype)
    count, prob = arr(n), arr(to_inexact(p))
    if shape is None:
        shape = broadcast_shapes(count.shape, prob.shape)
    shape = static_shape(shape, "binomial")
    check_parameters("binomial", shape, n=count, p=prob)
    count = broadcast_to(convert_element_type(count, prob.dtype), shape)
    strong = convert_element_type(broadcast_to(prob, shape), prob.dtype)
    return _binomial_sampler(checked.dtype.impl, dtype)(checked.words, count, strong)


def multinomial(
    key: Any,
    n: Any,
    p: Any,
    *,
    shape: Shape = None,
    dtype: Any = None,
    unroll: int | bool = 1,
) -> Any:
    """Draw how many of `n` trials have each of several outcomes, of the probabilities `p`.

    Args:
        key: a key.
        n: the number of trials, a number or an array.
        p: probabilities along the last axis.
        shape: the shape of the result, by default that of `p`; n broadcasts to it without its last
            axis.
        dtype: the dtype of the result, by default float64.
        unroll: how many outcomes a round of the loop draws, as for `dx.lax.scan`.

    Raises:
        TypeError: if `key` is not a key or the shape is not static.
        ValueError: for shapes that do not fit.

    Examples:
        >>> import diffeo as dx
        >>> x = dx.random.multinomial(dx.random.key(0), 10, dx.numpy.array([0.2, 0.3, 0.5]))
        >>> x.shape, x.sum()
        ((3,), Array(10.))
    """
    checked, p = check_key("multinomial", key), inexact(p)
    n = convert_element_type(arr(n), p.dtype)
    if not p.ndim:
        raise with_user_line(ValueError(f"multinomial: p needs an axis, got {p.aval}"))
    shape = p.shape if shape is None else static_shape(shape, "multinomial")
    check_parameters("multinomial", shape, p=p)
    check_parameters("multinomial", shape[:-1], n=n)
    n = broadcast_to(n, shape[:-1])
    p = convert_element_type(move_axis(broadcast_to(p, shape), len(shape) - 1, 0), p.dtype)
    remaining = cumsum(p, 0, reverse=True)
    ratios = p / e.select(remaining == 0.0, 1.0, remaining)
    words = checked.generator.split(checked.words, (shape[-1],))

    def step(left: Any, x: Any) -> Any:
        ratio, words = x
        ratio = e.minimum.bind(e.maximum.bind(ratio, 0.0), 1.0)
        count = binomial(checked.of(words), left, ratio, dtype=left.dtype)
        return left - count, count

    _, counts = scan(step, n, (ratios, words), unroll=unroll)
    out = move_axis(counts, 0, len(shape) - 1)
    return convert_element_type(out, default_dtype(float) if dtype is None else dtype_of(dtype))

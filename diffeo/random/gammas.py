"""Samples of the gamma distribution, and of those that are made of them.

A sample is drawn by Marsaglia and Tsang's method (2000): a cubic function of a normal number, which
is accepted or drawn again. Each element has a key of its own. Derivatives by the concentration are
those at a fixed probability (Figurnov et al. 2018, implicit reparameterization), of every order.

Start with `_one`, then `_sampler`.
"""

from __future__ import annotations

import math
from functools import lru_cache
from typing import Any

from ml_dtypes import finfo

from ..api.control_flow.loops import while_loop
from ..api.custom import custom_jvp
from ..api.jit import jit
from ..api.vmap import vmap
from ..numpy.common import arr, static_int, static_shape
from ..primitives.core import Value, with_user_line
from ..primitives.support.key_types import KEY_TYPES
from ..primitives.types import float32, is_complex
from ..primitives.words import elementwise as e
from ..primitives.words.promotion import broadcast_shapes, broadcast_to
from ..primitives.words.reduction import reduce_max
from ..primitives.words.structural import (
    convert_element_type,
    expand_dims,
    iota,
    reduce_sum,
    reshape,
)
from ..routines.special.incomplete import Igamma
from ..routines.special.special import digamma
from ..typing import ArrayLike, DTypeLike
from .keys import Key, Shape, check_key, parts
from .samplers import (
    _normal,
    check_parameters,
    float_dtype,
    unit_numbers,
)
from .standard import exponential, rademacher

METHODS = ("exact", "approximate")


def parameters(
    name: str, shape: Shape, dtype: DTypeLike | None, **values: Any
) -> tuple[Any, Any, list[Any]]:
    """Return the shape and dtype of a sample, and its parameters as arrays of the dtype.

    The shape is by default the one to which the parameters broadcast.

    Raises:
        TypeError: for complex parameters, or a shape that is not static.
        ValueError: for a dtype that is not floating-point, or shapes that do not fit.
    """
    dtype = float_dtype(name, dtype)
    arrays = {what: arr(v) for what, v in values.items()}
    for what, x in arrays.items():
        if is_complex(x.dtype):
            raise with_user_line(TypeError(f"{name}: {what} must be real, got {x.aval}"))
    if shape is None:
        shape = broadcast_shapes(*[x.shape for x in arrays.values()])
    shape = static_shape(shape, name)
    check_parameters(name, shape, **arrays)
    return shape, dtype, [convert_element_type(x, dtype) for x in arrays.values()]


def check_method(name: str, method: str) -> None:
    """Raise a ValueError unless the method of a sampler exists."""
    if method not in METHODS:
        raise with_user_line(
            ValueError(f"{name}: method must be 'exact' or 'approximate', got {method!r}")
        )


def _one(key: Key, a: Value, log_space: bool) -> Any:
    """Return a sample for a concentration without axes, or its logarithm."""
    third = 1.0 / 3.0
    large = a >= 1.0
    # A sample for a < 1 is one for a + 1, times a power of a uniform number.
    above = e.select(large, a, a + 1.0)
    d = above - third
    c = third / e.sqrt.bind(d)

    def again(state: Any) -> Any:
        _, x, v, u = state
        surely = u < 1.0 - (x * x) * 0.0331
        return ~surely & (e.log.bind(u) >= x * 0.5 + d * ((1.0 - v) + e.log.bind(v)))

    def draw(state: Any) -> Any:
        following, of_x, of_u = parts(key.of(state[0]), 3)

        def until_positive(carry: Any) -> Any:
            further, now = parts(key.of(carry[0]))
            x = _normal(now, (), a.dtype)
            return further.words, x, 1.0 + x * c

        start = (of_x.words, zero, zero - 1.0)
        _, x, v = while_loop(lambda carry: carry[2] <= 0.0, until_positive, start)
        return following.words, x * x, v * v * v, unit_numbers(of_u, (), a.dtype)

    zero = a * 0.0
    key, last = parts(key)
    v = while_loop(again, draw, (key.words, zero, zero + 1.0, zero + 2.0))[2]
    if log_space:
        power = -exponential(last, (), a.dtype)
        power = e.select(large | (power == 0.0), 0.0, power * (1.0 / a))
        return (e.log.bind(d) + e.log.bind(v)) + power
    power = e.power.bind(1.0 - unit_numbers(last, (), a.dtype), 1.0 / a)
    return (d * v) * e.select(large, 1.0, power)


@lru_cache(64)
def _sampler(impl: str, log_space: bool) -> Any:
    """Return the compiled function (words, concentrations) -> samples of a generator's keys."""
    dtype = KEY_TYPES[impl]

    one = vmap(lambda words, a: _one(Key(dtype, words), a, log_space))

    @custom_jvp
    def sample(words: Value, a: Value) -> Any:
        each = Key(dtype, words).generator.split(words, (a.size,))
        return reshape(one(each, reshape(a, (a.size,))), a.shape)

    @sample.defjvp
    def _(primals: Any, tangents: Any) -> Any:
        out, a = sample(*primals), primals[1]
        return out, tangents[1] * (_log_slope(a, out) if log_space else _slope(a, out))

    return jit(sample)


def _slope(a: Value, x: Value) -> Any:
    """Return by how much a sample x moves with the concentration."""
    return -(x * Igamma(1, scaled=True).bind(a, x))


def _log_slope(a: Value, y: Value) -> Any:
    """Return by how much the logarithm y of a sample moves with the concentration.

    Where the sample is tiny, its probability is x**a / gamma(a + 1) up to a factor 1 + O(x).
    """
    tiny = y < math.log(float(finfo(y.dtype).eps)) - 3.0
    usual = -Igamma(1, scaled=True).bind(a, e.exp.bind(e.select(tiny, 0.0, y)))
    return e.select(tiny, (digamma.bind(a + 1.0) - y) / a, usual)


#: Coefficients of an expansion of the cube root of a chi-square quantile (Goldstein 1973): rows by
#: powers of the normal number over sqrt(nu), columns by powers of 1 / nu.
_QUANTILE = (
    (1.0, -0.2237368, -0.01513904), (0.4713941, 0.02607083, -0.008986007),
    (0.0001348028, 0.01128186, 0.02277679), (-0.008553069, -0.01153761, -0.01323293),
    (0.00312558, 0.005169654, -0.006950356), (-0.0008426812, 0.00253001, 0.001060438),
    (0.00009780499, -0.001450117, 0.001565326),
)  # fmt: skip
#: How many times `_approximate` raises the concentration, where the expansion is good.
_BOOSTS = 4


def _approximate(key: Key, a: Value, shape: tuple[int, ...], log_space: bool) -> Any:
    """Return samples by an expansion of the quantile at a + 4, brought down to a; there is no loop.

    They have a small bias.
    """
    dtype = a.dtype
    a = broadcast_to(a if dtype.itemsize >= 4 else convert_element_type(a, float32), shape)
    base, boost = parts(key)
    nu = 2 * (a + float(_BOOSTS))
    u = 1 / nu
    t = _normal(base, shape, a.dtype) * e.rsqrt.bind(nu)
    rows = [c[0] + u * (c[1] + u * c[2]) for c in _QUANTILE]
    root = rows[-1]
    for row in rows[-2::-1]:
        root = root * t + row
    root = e.maximum.bind(root, float(finfo(a.dtype).tiny))
    log_base = e.log.bind(a + float(_BOOSTS)) + 3 * e.log.bind(root)
    k = reshape(iota(a.dtype, (_BOOSTS,)), (_BOOSTS, *[1] * len(shape)))
    log_u = -exponential(boost, (_BOOSTS, *shape), a.dtype)
    out = log_base + reduce_sum(log_u / (expand_dims(a, (0,)) + k), (0,))
    return convert_element_type(out if log_space else e.exp.bind(out), dtype)


def _draw(name: str, key: Any, a: Any, shape: Shape, dtype: Any, method: str, log: bool) -> Any:
    checked = check_key(name, key)
    check_method(name, method)
    shape, dtype, (a,) = parameters(name, shape, dtype, a=a)
    if method == "approximate":
        return _approximate(checked, a, shape, log)
    return _sampler(checked.dtype.impl, log)(checked.words, broadcast_to(a, shape))


def gamma(
    key: Any,
    a: ArrayLike,
    shape: Shape = None,
    dtype: DTypeLike | None = None,
    *,
    method: str = "exact",
) -> Any:
    """Draw samples with the density x**(a - 1) exp(-x) / gamma(a) on x > 0.

    Args:
        key: a key.
        a: concentrations, a number or an array that broadcasts to `shape`; derivatives of every
            order go through them.
        shape: the shape of the result, by default that of `a`.
        dtype: a floating-point dtype, by default float64.
        method: "exact", or "approximate": faster, without a loop, with a small bias.

    Raises:
        TypeError: if `key` is not a key, the shape is not static, or `a` is complex.
        ValueError: for another dtype or method, or shapes that do not fit.

    Examples:
        >>> import diffeo as dx
        >>> dx.random.gamma(dx.random.key(0), dx.numpy.array([0.5, 3.0])).shape
        (2,)
        >>> bool(dx.grad(lambda a: dx.random.gamma(dx.random.key(0), a))(3.0) > 0)
        True
    """
    return _draw("gamma", key, a, shape, dtype, method, False)


def loggamma(
    key: Any,
    a: ArrayLike,
    shape: Shape = None,
    dtype: DTypeLike | None = None,
    *,
    method: str = "exact",
) -> Any:
    """Draw logarithms of samples of the gamma distribution, also where those would be 0.

    Arguments and errors are those of `gamma`.

    Examples:
        >>> import diffeo as dx
        >>> bool(dx.random.loggamma(dx.random.key(0), 1e-6) < -1e3)
        True
    """
    return _draw("loggamma", key, a, shape, dtype, method, True)


def beta(
    key: Any, a: Any, b: Any, shape: Shape = None, dtype: Any = None, *, method: str = "exact"
) -> Any:
    """Draw samples with a density proportional to x**(a - 1) (1 - x)**(b - 1) on 0 ... 1.

    They are the share of one gamma sample in the sum of two. Arguments and errors are those of
    `gamma`, with two parameters.

    Examples:
        >>> import diffeo as dx
        >>> dx.random.beta(dx.random.key(0), 2.0, dx.numpy.ones(3)).shape
        (3,)
    """
    checked = check_key("beta", key)
    check_method("beta", method)
    shape, dtype, (a, b) = parameters("beta", shape, dtype, a=a, b=b)
    log_a, log_b = (
        loggamma(k, x, shape, dtype, method=method) for k, x in zip(parts(checked), (a, b))
    )
    most = e.maximum.bind(log_a, log_b)
    share, other = e.exp.bind(log_a - most), e.exp.bind(log_b - most)
    return share / (share + other)


def dirichlet(key: ArrayLike, alpha: Any, shape: Shape = None, dtype: Any = None) -> Any:
    """Draw vectors of the Dirichlet distribution: positive numbers whose sum is 1.

    Args:
        key: a key.
        alpha: concentrations along the last axis; derivatives go through them.
        shape: the shape of the result without its last axis, by default that of `alpha`.
        dtype: a floating-point dtype, by default float64.

    Raises:
        TypeError: if `key` is not a key or the shape is not static.
        ValueError: for another dtype, shapes that do not fit, or `alpha` without an axis.

    Examples:
        >>> import diffeo as dx
        >>> x = dx.random.dirichlet(dx.random.key(0), dx.numpy.array([1.0, 2.0, 3.0]), (4,))
        >>> x.shape, bool(abs(x.sum(-1) - 1).max() < 1e-12)
        ((4, 3), True)
    """
    checked, alpha = check_key("dirichlet", key), arr(alpha)
    if not alpha.ndim:
        raise with_user_line(ValueError(f"dirichlet: alpha needs an axis, got {alpha.aval}"))
    shape = alpha.shape[:-1] if shape is None else static_shape(shape, "dirichlet")
    logs = loggamma(checked, alpha, (*shape, alpha.shape[-1]), dtype)
    axis = logs.ndim - 1
    shares = e.exp.bind(logs - expand_dims(reduce_max(logs, (axis,)), (axis,)))
    return shares / expand_dims(reduce_sum(shares, (axis,)), (axis,))


def chisquare(
    key: Any, df: Any, shape: Shape = None, dtype: Any = None, *, method: str = "exact"
) -> Any:
    """Draw samples of the chi-square distribution with `df` degrees of freedom.

    They are twice gamma samples of the concentration df / 2. Arguments and errors are those of
    `gamma`.

    Examples:
        >>> import diffeo as dx
        >>> dx.random.chisquare(dx.random.key(0), 3.0, (2,)).shape
        (2,)
    """
    checked = check_key("chisquare", key)
    check_method("chisquare", method)
    shape, dtype, (df,) = parameters("chisquare", shape, dtype, df=df)
    return e.exp.bind(loggamma(checked, df / 2.0, shape, dtype, method=method)) * 2.0


def f(key: Any, dfnum: Any, dfden: Any, shape: Shape = None, dtype: Any = None) -> Any:
    """Draw samples of the F distribution: the ratio of two chi-square samples, each divided by its
    degrees of freedom.

    Arguments and errors are those of `gamma`, with two parameters.

    Examples:
        >>> import diffeo as dx
        >>> dx.random.f(dx.random.key(0), 3.0, 10.0, (2,)).shape
        (2,)
    """
    checked = check_key("f", key)
    shape, dtype, (upper, lower) = parameters("f", shape, dtype, dfnum=dfnum, dfden=dfden)
    of_lower, of_upper = parts(checked)
    return (chisquare(of_upper, upper, shape, dtype) / upper) / (
        chisquare(of_lower, lower, shape, dtype) / lower
    )


def t(key: Any, df: Any, shape: Shape = None, dtype: Any = None) -> Any:
    """Draw samples of Student's t distribution with `df` degrees of freedom.

    Arguments and errors are those of `gamma`.

    Examples:
        >>> import diffeo as dx
        >>> dx.random.t(dx.random.key(0), 4.0, (2,)).shape
        (2,)
    """
    checked = check_key("t", key)
    shape, dtype, (df,) = parameters("t", shape, dtype, df=df)
    of_normal, of_gamma = parts(checked)
    half = df / 2.0
    ratio = half / gamma(of_gamma, half, shape, dtype)
    return _normal(of_normal, shape, dtype) * e.sqrt.bind(ratio)


def generalized_normal(key: Any, p: Any, shape: Shape = (), dtype: Any = None) -> Any:
    """Draw samples with a density proportional to exp(-|x|**p).

    Args:
        key: a key.
        p: the power, a number, or an array that broadcasts to `shape`; derivatives go through it.
        shape: the shape of the result.
        dtype: a floating-point dtype, by default float64.

    Raises:
        TypeError, ValueError: as `gamma` does.

    Examples:
        >>> import diffeo as dx
        >>> dx.random.generalized_normal(dx.random.key(0), 3.0, (2,)).shape
        (2,)
    """
    checked = check_key("generalized_normal", key)
    shape, dtype, (p,) = parameters("generalized_normal", shape, dtype, p=p)
    of_size, of_sign = parts(checked)
    size = gamma(of_size, 1.0 / p, shape, dtype)
    sign = rademacher(of_sign, shape, dtype)
    return sign * e.power.bind(size, broadcast_to(1.0 / p, shape))


def ball(key: Any, d: Any, p: Any = 2, shape: Shape = (), dtype: Any = None) -> Any:
    """Draw points that are uniform in the ball of radius 1 of the p-norm, in `d` dimensions.

    The method is that of Barthe et al. (2005).

    Args:
        key: a key.
        d: the number of dimensions, static.
        p: the power of the norm.
        shape: the shape of the result without its last axis, which has the size d.
        dtype: a floating-point dtype, by default float64.

    Raises:
        TypeError, ValueError: as `gamma` does; and for `d` that is not static.

    Examples:
        >>> import diffeo as dx
        >>> x = dx.random.ball(dx.random.key(0), 3, shape=(5,))
        >>> x.shape, bool(((x ** 2).sum(-1) < 1).all())
        ((5, 3), True)
    """
    checked, shape = check_key("ball", key), static_shape(shape, "ball")
    d = static_int(d, "ball", "the number of dimensions")
    _, dtype, (p,) = parameters("ball", (), dtype, p=p)
    direction, depth = parts(checked)
    x = generalized_normal(direction, p, (*shape, d), dtype)
    powers = e.power.bind(e.absolute.bind(x), broadcast_to(p, x.shape))
    total = reduce_sum(powers, (x.ndim - 1,)) + exponential(depth, shape, dtype)
    norm = e.power.bind(total, broadcast_to(1.0 / p, shape))
    return x / expand_dims(norm, (x.ndim - 1,))

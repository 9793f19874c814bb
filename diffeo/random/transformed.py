"""Samples that are functions of uniform, normal or exponential samples, or of a matrix of them.

Each function does as its formula says, in the order of jax's operations. Derivatives by the
parameters go through the formulas.
"""

from __future__ import annotations

from typing import Any

from ..numpy.common import arr, static_int, static_shape
from ..numpy.linalg.decompositions import cholesky, eigh, qr, svd
from ..primitives.core import with_user_line
from ..primitives.types import is_complex, is_float, is_storage
from ..primitives.words import elementwise as e
from ..primitives.words.operators import matmul
from ..primitives.words.promotion import align_inexact, broadcast_shapes, broadcast_to
from ..primitives.words.structural import expand_dims, move_axis, reduce_sum, squeeze
from ..typing import ArrayLike, DTypeLike
from .gammas import parameters
from .keys import Shape, check_key, parts
from .samplers import (
    _normal,
    check_parameters,
    float_dtype,
    normal,
    unit_numbers,
)
from .standard import exponential, rademacher


def pareto(
    key: ArrayLike, b: ArrayLike, shape: Shape = None, dtype: DTypeLike | None = None
) -> Any:
    """Draw samples with the density b / x**(b + 1) on x > 1: exp(e / b), e being exponential.

    Args:
        key: a key.
        b: a number, or an array that broadcasts to `shape`; derivatives go through it.
        shape: the shape of the result, by default that of the parameters.
        dtype: a floating-point dtype, by default float64.

    Raises:
        TypeError: if `key` is not a key or the shape is not static.
        ValueError: for another dtype, or shapes that do not fit.

    Examples:
        >>> import diffeo as dx
        >>> bool((dx.random.pareto(dx.random.key(0), 2.0, (9,)) > 1).all())
        True
    """
    checked = check_key("pareto", key)
    shape, dtype, (b,) = parameters("pareto", shape, dtype, b=b)
    return e.exp.bind(exponential(checked, shape, dtype) / broadcast_to(b, shape))


def rayleigh(key: ArrayLike, scale: ArrayLike, shape: Shape = None, dtype: Any = None) -> Any:
    """Draw samples with the density x exp(-x**2 / (2 s**2)) / s**2: s sqrt(-2 log(u)).

    Arguments and errors are those of `pareto`; s is `scale`.

    Examples:
        >>> import diffeo as dx
        >>> dx.random.rayleigh(dx.random.key(0), 2.0, (3,)).shape
        (3,)
    """
    checked = check_key("rayleigh", key)
    shape, dtype, (scale,) = parameters("rayleigh", shape, dtype, scale=scale)
    u = unit_numbers(checked, shape, dtype)
    return broadcast_to(scale, shape) * e.sqrt.bind(e.log.bind(u) * -2.0)


def wald(key: ArrayLike, mean: ArrayLike, shape: Shape = None, dtype: Any = None) -> Any:
    """Draw samples of the inverse Gaussian distribution of a mean and the scale 1.

    The method is that of Michael, Schucany and Haas (1976). Arguments and errors are those of
    `pareto`.

    Examples:
        >>> import diffeo as dx
        >>> dx.random.wald(dx.random.key(0), 2.0, (3,)).shape
        (3,)
    """
    checked = check_key("wald", key)
    shape, dtype, (mean,) = parameters("wald", shape, dtype, mean=mean)
    mean = broadcast_to(mean, shape)
    first, second = parts(checked)
    v, z = _normal(first, shape, dtype), unit_numbers(second, shape, dtype)
    y, square = v * v, mean * mean
    root = e.sqrt.bind(4.0 * mean * y + square * (y * y))
    x = mean + square * y / 2.0 - mean / 2.0 * root
    return e.select(z <= mean / (mean + x), x, square / x)


def triangular(
    key: Any, left: Any, mode: Any, right: Any, shape: Shape = None, dtype: Any = None
) -> Any:
    """Draw samples whose density rises from `left` to `mode`, and falls to `right`.

    Arguments and errors are those of `pareto`.

    Examples:
        >>> import diffeo as dx
        >>> x = dx.random.triangular(dx.random.key(0), -1.0, 0.0, 2.0, (9,))
        >>> bool(((x > -1) & (x < 2)).all())
        True
    """
    checked = check_key("triangular", key)
    values = {"left": left, "mode": mode, "right": right}
    shape, dtype, arrays = parameters("triangular", shape, dtype, **values)
    left, mode, right = (broadcast_to(x, shape) for x in arrays)
    u, width = unit_numbers(checked, shape, dtype), right - left
    rising = left + e.sqrt.bind(u * width * (mode - left))
    falling = right - e.sqrt.bind((1.0 - u) * width * (right - mode))
    return e.select(u < (mode - left) / width, rising, falling)


def weibull_min(
    key: ArrayLike, scale: ArrayLike, concentration: ArrayLike, shape: Shape = (), dtype: Any = None
) -> Any:
    """Draw samples with the distribution function 1 - exp(-(x / scale)**concentration).

    Arguments and errors are those of `pareto`, but that the parameters broadcast with `shape` to
    the shape of the result; each row of parameters then gets the same random numbers.

    Examples:
        >>> import diffeo as dx
        >>> dx.random.weibull_min(dx.random.key(0), 2.0, 3.0, (3,)).shape
        (3,)
    """
    checked, shape = check_key("weibull_min", key), static_shape(shape, "weibull_min")
    values = {"scale": scale, "concentration": concentration}
    whole = broadcast_shapes(shape, arr(scale).shape, arr(concentration).shape)
    _, dtype, (scale, concentration) = parameters("weibull_min", whole, dtype, **values)
    u = unit_numbers(checked, shape, dtype)
    base, power = (broadcast_to(x, whole) for x in (-e.log1p.bind(-u), 1.0 / concentration))
    return e.power.bind(base, power) * broadcast_to(scale, whole)


def maxwell(key: Any, shape: Shape = (), dtype: DTypeLike | None = None) -> Any:
    """Draw samples with a density proportional to x**2 exp(-x**2 / 2) on x > 0.

    They are the lengths of normal vectors of three numbers.

    Args:
        key: a key.
        shape: the shape of the result.
        dtype: a floating-point dtype, by default float64.

    Raises:
        TypeError: if `key` is not a key or the shape is not static.
        ValueError: for another dtype.

    Examples:
        >>> import diffeo as dx
        >>> dx.random.maxwell(dx.random.key(0), (3,)).shape
        (3,)
    """
    checked, shape = check_key("maxwell", key), static_shape(shape, "maxwell")
    x = _normal(checked, (*shape, 3), float_dtype("maxwell", dtype))
    return e.sqrt.bind(reduce_sum(x * x, (len(shape),)))


def double_sided_maxwell(
    key: ArrayLike, loc: Any, scale: ArrayLike, shape: Shape = (), dtype: Any = None
) -> Any:
    """Draw Maxwell samples with random signs, times `scale` and plus `loc`.

    Args:
        key: a key.
        loc, scale: numbers or arrays; derivatives go through them.
        shape: the first axes of the result, by default those of the parameters. The parameters'
            axes follow.
        dtype: a floating-point dtype, by default float64.

    Raises:
        TypeError, ValueError: as `maxwell` does.

    Examples:
        >>> import diffeo as dx
        >>> dx.random.double_sided_maxwell(dx.random.key(0), 0.0, 2.0, (3,)).shape
        (3,)
    """
    name = "double_sided_maxwell"
    checked, shape = check_key(name, key), static_shape(shape, name)
    own, dtype, (loc, scale) = parameters(name, None, dtype, loc=loc, scale=scale)
    whole = (*(shape or own), *own)
    of_size, of_sign = parts(checked)
    size, sign = maxwell(of_size, whole, dtype), rademacher(of_sign, whole, dtype)
    return sign * size * broadcast_to(scale, whole) + broadcast_to(loc, whole)


def lognormal(key: Any, sigma: Any = 1.0, shape: Shape = None, dtype: Any = None) -> Any:
    """Draw exponentials of normal samples times `sigma`.

    Args:
        key: a key.
        sigma: a number, or an array that broadcasts to `shape`; derivatives go through it.
        shape: the shape of the result, by default that of sigma.
        dtype: a floating-point or complex dtype, by default float64.

    Raises:
        TypeError: if `key` is not a key, the shape is not static, or sigma is complex and dtype is
            not.
        ValueError: for another dtype, or shapes that do not fit.

    Examples:
        >>> import diffeo as dx
        >>> dx.random.lognormal(dx.random.key(0), 0.5, (3,)).shape
        (3,)
    """
    checked, sigma = check_key("lognormal", key), arr(sigma)
    dtype = float_dtype("lognormal", dtype, allow_complex=True)
    if is_complex(sigma.dtype) and not is_complex(dtype):
        raise with_user_line(TypeError(f"lognormal: sigma must be real, got {sigma.aval}"))
    shape = sigma.shape if shape is None else static_shape(shape, "lognormal")
    check_parameters("lognormal", shape, sigma=sigma)
    return e.exp.bind(normal(checked, shape, dtype) * broadcast_to(sigma.astype(dtype), shape))


def orthogonal(
    key: Any, n: Any, shape: Shape = (), dtype: Any = None, m: Any = None
) -> Any:  # fmt: skip
    """Draw matrices with orthonormal columns, or rows, uniformly (by Haar's measure).

    They are the factors Q of normal matrices.

    Args:
        key: a key.
        n: the number of rows, static.
        shape: the axes before those of the matrices.
        dtype: a floating-point or complex dtype, by default float64.
        m: the number of columns, static, by default n.

    Raises:
        TypeError: if `key` is not a key, or a size is not static.
        ValueError: for another dtype.

    Examples:
        >>> import diffeo as dx
        >>> q = dx.random.orthogonal(dx.random.key(0), 3)
        >>> dx.numpy.allclose(q @ q.T, dx.numpy.eye(3))
        Array(True)
    """
    checked, shape = check_key("orthogonal", key), static_shape(shape, "orthogonal")
    dtype = float_dtype("orthogonal", dtype, allow_complex=True)
    n = static_int(n, "orthogonal", "the number of rows")
    m = n if m is None else static_int(m, "orthogonal", "the number of columns")
    z = normal(checked, (*shape, max(n, m), min(n, m)), dtype)
    q, r = qr(z)
    signs = e.sign.bind(r.diagonal(0, -2, -1))
    x = q * expand_dims(signs, (signs.ndim - 1,))
    return move_axis(x, x.ndim - 1, x.ndim - 2) if n < m else x


def multivariate_normal(
    key: Any,
    mean: Any,
    cov: Any,
    shape: Shape = None,
    dtype: Any = None,
    method: str = "cholesky",
) -> Any:
    """Draw vectors of the normal distribution with a mean and a covariance.

    They are mean + A z, where z is normal and A A^T is the covariance.

    Args:
        key: a key.
        mean: means along the last axis, n of them.
        cov: covariances, matrices (n, n) along the last two axes.
        shape: the shape of the result without its last axis, by default that to which mean and cov
            broadcast.
        dtype: a floating-point dtype, by default that of mean and cov.
        method: how A is computed: "cholesky", or of singular matrices "eigh" or "svd". Derivatives
            go through it.

    Raises:
        TypeError: if `key` is not a key or the shape is not static.
        ValueError: for another dtype or method, or shapes that do not fit.

    Examples:
        >>> import diffeo as dx
        >>> x = dx.random.multivariate_normal(dx.random.key(0), dx.numpy.zeros(2), dx.numpy.eye(2))
        >>> x.shape
        (2,)
    """
    name = "multivariate_normal"
    checked = check_key(name, key)
    if method not in ("svd", "eigh", "cholesky"):
        raise with_user_line(
            ValueError(f"{name}: method must be 'svd', 'eigh' or 'cholesky', got {method!r}")
        )
    mean, cov = arr(mean), arr(cov)
    if mean.ndim < 1 or cov.ndim < 2 or cov.shape[-2:] != (mean.shape[-1], mean.shape[-1]):
        raise with_user_line(
            ValueError(
                f"{name}: expects means (..., n) and covariances (..., n, n), got {mean.aval} and "
                f"{cov.aval}"
            )
        )
    one = align_inexact(mean.reshape(-1)[:1] * 0, cov.reshape(-1)[:1] * 0)[0].dtype
    mean, cov = mean.astype(one), cov.astype(one)
    dtype = one if dtype is None else float_dtype(name, dtype)
    if not is_float(dtype) or is_storage(dtype):
        raise with_user_line(ValueError(f"{name}: dtype must be floating-point, got {dtype}"))
    own = broadcast_shapes(mean.shape[:-1], cov.shape[:-2])
    shape = own if shape is None else static_shape(shape, name)
    check_parameters(name, shape, mean=mean[..., 0], cov=cov[..., 0, 0])
    if method == "svd":
        u, s, _ = svd(cov)
        factor = u * e.sqrt.bind(expand_dims(s, (s.ndim - 1,)))
    elif method == "eigh":
        w, v = eigh(cov)
        factor = v * e.sqrt.bind(expand_dims(w, (w.ndim - 1,)))
    else:
        factor = cholesky(cov)
    z = normal(checked, (*shape, mean.shape[-1]), dtype)
    moved = matmul(factor, expand_dims(z, (z.ndim,)))
    return mean + squeeze(moved, (moved.ndim - 1,))

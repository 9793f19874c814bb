"""Activation functions, one-hot vectors, standardization.

A function with cases chooses between smooth branches, each fed with an argument that is safe for
it, so that derivatives of every order are those of the branch that is taken.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from ..numpy.choosing import where as choose
from ..numpy.common import (
    arr,
    axes_of,
    axis_of,
    dtype_of,
    keep_axes,
    narrow,
    no_such,
    real_only,
    static_int,
)
from ..numpy.limiting import clip
from ..numpy.making.creation import asarray
from ..primitives.core import Value, describe, with_user_line
from ..primitives.formulas.lowered import in_float32
from ..primitives.formulas.slopes import widened
from ..primitives.words import elementwise as e
from ..primitives.words.operators import unary
from ..primitives.words.powers import square
from ..primitives.words.promotion import broadcast_to, to_inexact
from ..primitives.words.slicing import slice_in_dim
from ..primitives.words.structural import broadcast_in_dim, convert_element_type, iota, reduce_sum
from ..routines.special.special import erfc
from ..typing import ArrayLike, DTypeLike


def inexact(x: ArrayLike) -> Any:
    """Return a floating-point (or complex) array or tracer; integers become floats."""
    return arr(to_inexact(x))


def identity(x: ArrayLike) -> Any:
    """Return `x`.

    Examples:
        >>> identity(2.0)
        Array(2.)
    """
    return arr(x)


def relu(x: Any) -> Any:
    """Compute max(x, 0), with the derivative 0 at 0.

    Examples:
        >>> import diffeo as dx
        >>> dx.nn.relu(dx.numpy.array([-1.0, 0.0, 2.0]))
        Array([0., 0., 2.])
        >>> dx.grad(dx.nn.relu)(0.0)
        Array(0.)
    """
    x = real_only("relu", arr(x))
    return e.select(x <= 0, 0, x)


def relu6(x: Any) -> Any:
    """Compute min(max(x, 0), 6), with the derivative 0 at 0 and at 6."""
    x = real_only("relu6", inexact(x))
    return e.select(x <= 0, 0.0, e.select(x >= 6, 6.0, x))


def leaky_relu(x: Any, negative_slope: Any = 1e-2) -> Any:
    """Return x for x >= 0, else negative_slope * x."""
    x = real_only("leaky_relu", inexact(x))
    return choose(x >= 0, x, negative_slope * x)


def hard_tanh(x: Any) -> Any:
    """Move x into [-1, 1]; the derivative is 1 at both ends."""
    x = real_only("hard_tanh", arr(x))
    return e.select(x > 1, 1, e.select(x < -1, -1, x))


def hard_sigmoid(x: ArrayLike) -> Any:
    """Compute relu6(x + 3) / 6."""
    return relu6(inexact(x) + 3.0) / 6.0


def hard_silu(x: Any) -> Any:
    """Compute x * relu6(x + 3) / 6, which is 0 up to -3, and x from 3 on."""
    x = real_only("hard_silu", inexact(x))
    left, right = x <= -3, x >= 3
    inner = e.select(left | right, 0.0, x)
    return e.select(left, 0.0, e.select(right, x, inner * ((inner + 3.0) / 6.0)))


hard_swish = hard_silu


def elu(x: Any, alpha: Any = 1.0) -> Any:
    """Return x for x > 0, else alpha * (exp(x) - 1)."""
    x = real_only("elu", inexact(x))
    positive = x > 0
    return choose(positive, x, alpha * e.expm1.bind(e.select(positive, 0.0, x)))


def celu(x: Any, alpha: Any = 1.0) -> Any:
    """Return x for x > 0, else alpha * (exp(x / alpha) - 1) (Barron 2017).

    The derivative at 0 is 1.
    """
    x = real_only("celu", inexact(x))
    positive = x > 0
    return choose(positive, x, alpha * e.expm1.bind(e.select(positive, 0.0, x) / alpha))


def selu(x: ArrayLike) -> Any:
    """Compute 1.0507... * elu(x, 1.6732...), the self-normalizing unit (Klambauer et al. 2017)."""
    return 1.0507009873554804934193349852946 * elu(x, 1.6732632423543772848170429916717)


def softplus(x: Any) -> Any:
    """Compute log(1 + exp(x)), without overflow.

    Examples:
        >>> import diffeo as dx
        >>> dx.nn.softplus(1000.0)
        Array(1000.)
        >>> dx.grad(dx.grad(dx.nn.softplus))(0.0)
        Array(0.25)
    """
    x = real_only("softplus", inexact(x))
    # x + log(1 + exp(-x)) on the right; each branch is smooth, so every derivative is right at 0.
    positive = x > 0
    return e.select(positive, x, 0.0) + e.log1p.bind(e.exp.bind(e.select(positive, -x, x)))


def sparse_plus(x: Any) -> Any:
    """Compute (x + 1)^2 / 4 between -1 and 1; 0 up to -1, and x from 1 on.

    Examples:
        >>> import diffeo as dx
        >>> dx.nn.sparse_plus(dx.numpy.array([-2.0, 0.0, 3.0]))
        Array([0.  , 0.25, 3.  ])
    """
    x = real_only("sparse_plus", inexact(x))
    left, right = x <= -1, x >= 1
    inner = e.select(left | right, 0.0, x) + 1.0
    return e.select(left, 0.0, e.select(right, x, inner * inner / 4))


def sparse_sigmoid(x: ArrayLike) -> Any:
    """Compute (x + 1) / 2, moved into [0, 1]: the derivative of `sparse_plus`.

    Examples:
        >>> import diffeo as dx
        >>> dx.nn.sparse_sigmoid(dx.numpy.array([-2.0, 0.0, 3.0]))
        Array([0. , 0.5, 1. ])
    """
    return 0.5 * clip(inexact(x) + 1.0, 0.0, 2.0)


def log1mexp(x: Any) -> Any:
    """Compute log(1 - exp(-x)), precise for small and large x > 0; nan for x < 0 (Maechler 2012).

    Examples:
        >>> import diffeo as dx
        >>> dx.nn.log1mexp(dx.numpy.array([1e-20, 40.0]))
        Array([-4.60517019e+01, -4.24835426e-18])
    """
    x = real_only("log1mexp", inexact(x))
    small = x < math.log(2)
    near = e.log.bind(-e.expm1.bind(-e.select(small, x, 0.5)))
    return e.select(small, near, e.log1p.bind(-e.exp.bind(-e.select(small, 1.0, x))))


def squareplus(x: Any, b: Any = 4) -> Any:
    """Compute (x + sqrt(x^2 + b)) / 2 (Barron 2021).

    For x < 0 it is computed as b / 2 / (sqrt(x^2 + b) - x), which loses no digits.
    """
    x = inexact(x)
    if type(b) in (int, float) and b > 0 and x.dtype.kind != "c":
        root = e.hypot.bind(x, math.sqrt(b))
        left = x < 0
        below = 0.5 * b / (root - e.select(left, x, 0.0))
        return e.select(left, below, 0.5 * (e.select(left, 0.0, x) + root))
    return (x + e.sqrt.bind(inexact(x * x + b))) / 2


def _soft_sign(x: Any) -> Any:
    return x / (abs(x) + 1.0)


def _soft_sign_or_limit(x: Any) -> Any:
    """Return x / (1 + |x|), and 1 or -1 at the infinities, where the quotient is nan."""
    return e.select(abs(x) == math.inf, e.sign.bind(x), _soft_sign(x))


# This is a primitive of its own: far from 0, the derivative of the quotient would be a difference
# of nearly equal numbers.
_soft_sign_p = e.Elementwise(
    "soft_sign", widened(_soft_sign_or_limit),
    in_float32(lambda ctx, x: ctx.inline(_soft_sign_or_limit, x)),
    lambda x: square.bind(e.reciprocal(abs(x) + 1.0)), accepts="f",
)  # fmt: skip


def soft_sign(x: Any) -> Any:
    """Compute x / (1 + |x|)."""
    x = inexact(x)
    return _soft_sign(x) if x.dtype.kind == "c" else _soft_sign_p.bind(x)


_sigmoid = unary(e.logistic, True)


def sigmoid(x: ArrayLike) -> Any:
    """Compute 1 / (1 + exp(-x)).

    Examples:
        >>> sigmoid(0.0)
        Array(0.5)
    """
    return _sigmoid(x)


def log_sigmoid(x: ArrayLike) -> Any:
    """Compute log(sigmoid(x)), without overflow."""
    return -softplus(-inexact(x))


def tanh(x: ArrayLike, /) -> Any:
    """Compute the hyperbolic tangent."""
    return e.tanh.bind(inexact(x))


def silu(x: ArrayLike) -> Any:
    """Compute x * sigmoid(x) (also called swish)."""
    return _bent(lambda x: x * sigmoid(x), inexact(x), 800.0)


swish = silu


def mish(x: ArrayLike) -> Any:
    """Compute x * tanh(softplus(x)) (Misra 2019)."""
    return _bent(lambda x: x * tanh(softplus(x)), inexact(x), 800.0)


def gelu(x: ArrayLike, approximate: bool = True) -> Any:
    """Multiply x by the probability that a standard normal variable is below x.

    See Hendrycks and Gimpel 2016.

    Args:
        x: an array.
        approximate: use tanh(sqrt(2/pi) (x + 0.044715 x^3)) in place of erf(x / sqrt(2)),
            which is computed as erfc(-x / sqrt(2)) - 1; no digits are lost far below 0.

    Examples:
        >>> gelu(1.0), gelu(1.0, approximate=False)
        (Array(0.84119199), Array(0.84134475))
    """
    x = inexact(x)
    return _bent(_gelu_by_tanh, x, 30.0) if approximate else _bent(_gelu_by_erfc, x, 40.0)


def _bent(fun: Callable, x: Any, far: float) -> Any:
    """Compute fun(x) between -far and far, 0 below, and x above.

    Beyond -far and far, `fun` and its derivatives round to these values, or are nan: infinity times
    0, or a cube that overflows.
    """
    if x.dtype.kind == "c":
        return fun(x)
    left, right = x < -far, x > far
    inner = fun(e.select(left | right, 0.0, x))
    return e.select(left, 0.0, e.select(right, x, inner))


def _gelu_by_erfc(x: Value) -> Any:
    return 0.5 * x * erfc.bind(x * -math.sqrt(0.5))


def _gelu_by_tanh(x: Value) -> Any:
    """Return x (1 + tanh(u)) / 2, computed as x sigmoid(2 u).

    So no digits are lost where tanh(u) is near -1.
    """
    return x * e.logistic.bind(2 * math.sqrt(2 / math.pi) * (x + 0.044715 * x**3))


def glu(x: Any, axis: int = -1) -> Any:
    """Multiply the first half of `x` along `axis` by the sigmoid of the second half.

    Raises:
        ValueError: if the axis does not exist or its size is odd.
    """
    x = inexact(x)
    axis = axis_of(axis, x.ndim, "glu")
    size = x.shape[axis]
    if size % 2:
        raise with_user_line(ValueError(f"glu: axis {axis} must have an even size, got {x.aval}"))
    half = size // 2
    return slice_in_dim(x, 0, half, 1, axis) * sigmoid(slice_in_dim(x, half, size, 1, axis))


def one_hot(x: Any, num_classes: int, *, dtype: DTypeLike | None = None, axis: int = -1) -> Any:
    """Return for each integer the vector with 1 at its position, else 0.

    The vector of an integer outside of [0, num_classes) is all zeros.

    Args:
        x: an array of integers, or a list of them.
        num_classes: the length of the vectors.
        dtype: of the result, by default float64.
        axis: where the vectors stand in the result.

    Raises:
        TypeError: if `x` are no numbers or `num_classes` is not static.
        ValueError: if the axis does not exist.

    Examples:
        >>> import diffeo as dx
        >>> one_hot(dx.numpy.array([2, 0, 7]), 3)
        Array([[0., 0., 1.],
               [1., 0., 0.],
               [0., 0., 0.]])
    """
    x, size = asarray(x), static_int(num_classes, "one_hot", "num_classes")
    if size < 0:
        raise with_user_line(ValueError(f"one_hot: num_classes must not be negative, got {size}"))
    if x.dtype.kind == "b":
        raise with_user_line(TypeError(f"one_hot: expects integers, got {describe(x)}"))
    axis = axis_of(axis, x.ndim + 1, "one_hot")
    shape = (*x.shape[:axis], size, *x.shape[axis:])
    spread = broadcast_in_dim(x, shape, [d for d in range(x.ndim + 1) if d != axis])
    hit = e.eq.bind(spread, iota(x.dtype, shape, axis))
    return convert_element_type(hit, dtype_of(dtype))


def standardize(
    x: Any,
    axis: Any = -1,
    mean: Any = None,
    variance: Any = None,
    epsilon: Any = 1e-5,
    where: Any = None,
    *,
    algorithm: str = "fast",
) -> Any:
    """Compute (x - mean) / sqrt(variance + epsilon).

    The variance is computed in two passes, mean((x - mean)^2), which does not cancel (jax.nn's
    default, mean(x^2) - mean(x)^2, does).

    Args:
        x: an array.
        axis: the axis or axes of the mean and the variance; None for all.
        mean, variance: given values, by default those of `x`.
        epsilon: keeps the root away from zero.
        where: booleans that broadcast to `x`: which elements count.
        algorithm: 'fast' or 'stable', which are the same here: two passes are fast.

    Raises:
        ValueError: if an axis does not exist, or for another algorithm.

    Examples:
        >>> import diffeo as dx
        >>> standardize(dx.numpy.array([1.0, 3.0])).round(4)
        Array([-1.,  1.])
    """
    if algorithm not in ("fast", "stable"):
        raise no_such("standardize", "algorithm", algorithm, ("fast", "stable"))
    x = inexact(x)
    if narrow(x.dtype):  # where squares overflow soon
        mean, variance = (None if v is None else convert_element_type(arr(v), np.float32)
                          for v in (mean, variance))  # fmt: skip
        x32 = convert_element_type(x, np.float32)
        wide = standardize(x32, axis, mean, variance, epsilon, where)
        return convert_element_type(wide, x.dtype)
    axes = axes_of(axis, x.ndim, "standardize")
    if mean is None:
        mean = _mean(x, axes, where)
    if variance is None:
        variance = _mean((x - mean) ** 2, axes, where)
    return (x - mean) * e.rsqrt.bind(inexact(variance + epsilon))


def _mean(x: Any, axes: tuple[int, ...], mask: np.ndarray | None) -> Any:
    """Return the mean of the elements that count, over axes, which stay with size 1."""
    if mask is None:
        total, count = x, float(np.prod([x.shape[a] for a in axes]))
        return keep_axes(reduce_sum(total, axes), x.shape, axes) / count
    mask = broadcast_to(arr(mask), x.shape)
    total = reduce_sum(e.select(mask, x, 0.0), axes)
    count = reduce_sum(convert_element_type(mask, x.dtype), axes)
    return keep_axes(total / count, x.shape, axes)

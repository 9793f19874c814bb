"""Scaled dot product attention.

Letters of axes: B is the batch; T counts queries, S keys and values; N are the heads of queries, K
those of keys, and G = N / K heads of queries share one of keys; H are the features of a head.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ..numpy.choosing import where
from ..numpy.common import arr, no_such, static_int
from ..numpy.contracting.einsum import einsum
from ..operations.identity import stop_gradient
from ..primitives.core import Value, describe, with_user_line
from ..primitives.types import ShapedArray, default_dtype, float32, is_integer, promote_types
from ..primitives.words.promotion import broadcast_shapes
from ..primitives.words.structural import convert_element_type, iota, reshape, transpose
from ..typing import ArrayLike
from .normalized import logsumexp, softmax


def dot_product_attention(
    query: ArrayLike,
    key: ArrayLike,
    value: ArrayLike,
    bias: ArrayLike | None = None,
    mask: ArrayLike | None = None,
    *,
    scale: Any = None,
    is_causal: bool = False,
    query_seq_lengths: Any = None,
    key_value_seq_lengths: ArrayLike | None = None,
    local_window_size: Any = None,
    implementation: str | None = None,
    return_residual: bool = False,
) -> Any:
    """Compute softmax(query key^T scale + bias) value for each head (Vaswani et al. 2017).

    Products of narrow floats are added up in float32, as is the softmax. A row whose keys are all
    masked takes the mean of all values, as in JAX.

    Args:
        query: (B, T, N, H), or (T, N, H) without a batch.
        key: (B, S, K, H) or (S, K, H); N is a multiple of K.
        value: an array of the shape and dtype of `key`.
        bias: None, or what is added, with axes that broadcast to (B, N, T, S).
        mask: None, or booleans that broadcast to (B, N, T, S): which keys a query attends to.
        scale: a number; by default 1 / sqrt(H).
        is_causal: a query attends to keys of its own position and of those before.
        query_seq_lengths: None, or (B,) integers: how many queries of each row count; others give
            zeros.
        key_value_seq_lengths: None, or (B,) integers: how many keys of each row count.
        local_window_size: None, or (left, right): how far from its own position a query attends; a
            single integer stands for both.
        implementation: None or 'xla'.
        return_residual: return (result, the logarithms of the sums of exponentials, (B, T, N)),
            which are constants of differentiation.

    Returns:
        An array of the shape of `query`.

    Raises:
        ValueError: for shapes, dtypes or numbers of heads that do not fit.
        NotImplementedError: for implementation='cudnn'.

    Examples:
        >>> import diffeo as dx
        >>> x = dx.random.normal(dx.random.key(0), (3, 1, 2))
        >>> dx.nn.dot_product_attention(x, x, x, is_causal=True).shape
        (3, 1, 2)
    """
    if implementation == "cudnn":
        raise with_user_line(
            NotImplementedError(
                "dot_product_attention: implementation='cudnn' cannot be had: XLA compiles what is "
                "written here; leave it out"
            )
        )
    if implementation not in (None, "xla"):
        raise no_such("dot_product_attention", "implementation", implementation, (None, "xla"))
    shape = arr(query).shape
    q, k, v = (
        _with_batch(x, name) for x, name in ((query, "query"), (key, "key"), (value, "value"))
    )
    _check(q, k, v)
    (B, T, N, H), (S, K) = q.shape, k.shape[1:3]
    lengths = [
        _lengths("query_seq_lengths", query_seq_lengths, B),
        _lengths("key_value_seq_lengths", key_value_seq_lengths, B),
    ]
    full = (B, N, T, S)
    allowed = _mask(full, mask, is_causal, lengths, local_window_size)
    wide = promote_types(q.aval, ShapedArray((), float32))[0]
    logits = einsum(
        "BTKGH,BSKH->BKGTS", reshape(q, (B, T, K, N // K, H)), k, preferred_element_type=wide
    )
    logits = reshape(logits, full) * (1.0 / math.sqrt(H) if scale is None else scale)
    if bias is not None:
        logits = logits + _over_scores("bias", bias, full)
    logits = convert_element_type(logits, wide)
    if allowed is not None:
        # Not infinite: a row without any key is no 0 / 0.
        limit = min(float(np.finfo(t).max) for t in (wide, np.float32))
        logits = where(allowed, logits, -0.7 * limit)
    weights = reshape(convert_element_type(softmax(logits), k.dtype), (B, K, N // K, T, S))
    out = reshape(einsum("BKGTS,BSKH->BTKGH", weights, v), (B, T, N, H))
    if lengths[0] is not None:
        counts = iota(lengths[0].dtype, (B, T, 1, 1), 1) < reshape(lengths[0], (B, 1, 1, 1))
        out = where(counts, out, 0)
    out = reshape(out, shape)
    if not return_residual:
        return out
    sums = transpose(convert_element_type(logsumexp(logits, -1), k.dtype), (0, 2, 1))
    return out, stop_gradient(reshape(sums, shape[:-1]))


def _with_batch(x: Any, name: str) -> Any:
    """Return an operand with its four axes."""
    x = arr(x)
    if x.ndim not in (3, 4):
        raise with_user_line(
            ValueError(f"dot_product_attention: {name} needs 3 or 4 axes, got {describe(x)}")
        )
    return x if x.ndim == 4 else reshape(x, (1, *x.shape))


def _check(q: Value, k: Value, v: Value) -> None:
    """Raise a ValueError for operands that do not fit one another."""
    fits = q.shape[0] == k.shape[0] and q.shape[3] == k.shape[3] and k.shape == v.shape
    if not fits or not k.shape[2] or q.shape[2] % k.shape[2] or not q.dtype == k.dtype == v.dtype:
        raise with_user_line(
            ValueError(
                "dot_product_attention: expects query (B, T, N, H) and key and value (B, S, K, H) "
                f"of one dtype, with N a multiple of K, got {describe(q)}, {describe(k)} and "
                f"{describe(v)}"
            )
        )


def _over_scores(name: str, x: Any, shape: tuple[int, ...]) -> Any:
    """Return an array that broadcasts to (B, N, T, S); ValueError for another."""
    x = arr(x)
    try:
        fits = x.ndim <= 4 and broadcast_shapes(x.shape, shape) == shape
    except ValueError:
        fits = False
    if not fits:
        raise with_user_line(
            ValueError(
                f"dot_product_attention: {name} must broadcast to (B, N, T, S) = {shape}, got "
                f"{describe(x)}"
            )
        )
    return x


def _lengths(name: str, lengths: Any, B: int) -> Any:
    """Return the lengths of rows; ValueError unless there is an integer for each."""
    if lengths is None:
        return None
    lengths = arr(lengths)
    if lengths.shape != (B,) or not is_integer(lengths.dtype):
        raise with_user_line(
            ValueError(
                f"dot_product_attention: {name} must be {B} integers, got {describe(lengths)}"
            )
        )
    return lengths


def _mask(
    shape: tuple[int, ...], mask: Any, is_causal: bool, lengths: list[Any], window: int | None
) -> Any:
    """Return which keys each query attends to; None for all."""
    B, _, T, S = shape
    parts = []
    if mask is not None:
        mask = _over_scores("mask", mask, shape)
        if mask.dtype != np.bool_:
            raise with_user_line(
                ValueError(f"dot_product_attention: mask must be boolean, got {describe(mask)}")
            )
        parts.append(mask)
    number = default_dtype(int)
    t, s = (iota(number, (1, 1, T, S), axis) for axis in (2, 3))
    if is_causal:
        parts.append(s <= t)
    if window is not None:
        pair = window if isinstance(window, (tuple, list)) else (window, window)
        left, right = (static_int(n, "dot_product_attention", "a window's size") for n in pair)
        parts.append((t - s <= left) & (s - t <= right))
    for positions, count in zip((t, s), lengths):
        if count is not None:
            count = convert_element_type(reshape(count, (B, 1, 1, 1)), number)
            parts.append(positions < count)
    if not parts:
        return None
    allowed = parts[0]
    for part in parts[1:]:
        allowed = allowed & part
    return allowed

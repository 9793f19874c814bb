"""Products of arrays in few bits, each block of which has a scale.

The numbers are rounded to what the narrow dtypes can hold, and multiplied in the dtype of the
result, as JAX does on the CPU.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import ml_dtypes
import numpy as np

from ..api.custom import custom_vjp
from ..lax.products import _axes_of_both, dot_general
from ..numpy.choosing import where
from ..numpy.common import arr, dtype_of, no_such
from ..numpy.limiting import clip
from ..numpy.making.creation import asarray
from ..numpy.reducing.reductions import max as max_
from ..numpy.ufuncs import exp2, rint
from ..operations.rounding import ReducePrecision
from ..primitives.core import Value, describe, with_user_line
from ..primitives.words import elementwise as e
from ..primitives.words.structural import (
    bitcast_convert_type,
    convert_element_type,
    reshape,
    transpose,
)
from ..typing import ArrayLike


def _blocks(x: Value, scales: Value, dtype: np.dtype) -> Any:
    """Return `x` times the scales of its blocks along the last axis, in a dtype."""
    size = x.shape[-1] // scales.shape[-1]
    blocks = reshape(convert_element_type(x, dtype), (*scales.shape, size))
    scales = reshape(convert_element_type(scales, dtype), (*scales.shape, 1))
    return reshape(blocks * scales, x.shape)


def scaled_matmul(
    lhs: ArrayLike,
    rhs: ArrayLike,
    lhs_scales: ArrayLike,
    rhs_scales: ArrayLike,
    preferred_element_type: Any = np.float32,
) -> Any:
    """Multiply matrices whose rows are cut into blocks, each with a scale.

    Args:
        lhs: (B, M, K).
        rhs: (B, N, K).
        lhs_scales: (B, M, J): the scale of each of J blocks of a row; K is a multiple of J.
        rhs_scales: (B, N, J).
        preferred_element_type: the dtype of the result.

    Returns:
        (B, M, N).

    Raises:
        ValueError: for shapes that do not fit.

    Examples:
        >>> import diffeo as dx
        >>> ones = dx.numpy.ones((1, 1, 4))
        >>> scaled_matmul(ones, ones, dx.numpy.full((1, 1, 1), 3.0), dx.numpy.full((1, 1, 1), 0.5))
        Array([[[6.]]], dtype=float32)
    """
    xs = a, b, u, v = [arr(x) for x in (lhs, rhs, lhs_scales, rhs_scales)]
    fits = all([x.ndim == 3 for x in xs]) and a.shape[::2] == b.shape[::2]
    fits = fits and a.shape[:2] == u.shape[:2] and b.shape[:2] == v.shape[:2]
    if not fits or u.shape[2] != v.shape[2] or not u.shape[2] or a.shape[2] % u.shape[2]:
        raise with_user_line(
            ValueError(
                "scaled_matmul: expects (B, M, K), (B, N, K), (B, M, J) and (B, N, J) with K a "
                f"multiple of J, got {', '.join([describe(x) for x in xs])}"
            )
        )
    dtype = dtype_of(preferred_element_type)
    numbers = ((2,), (2,)), ((0,), (0,))
    return dot_general(_blocks(a, u, dtype), _blocks(b, v, dtype), numbers)


@dataclass(frozen=True, eq=False)
class BlockScaleConfig:
    """How an operand of `scaled_dot_general` is rounded.

    Attributes:
        mode: 'mxfp8' or 'nvfp4'.
        block_size: how many numbers share a scale.
        data_type: the dtype of the numbers.
        scale_type: the dtype of the scales.
        global_scale: None, or a scale of all numbers, (1,).
        infer_only: False.
    """

    mode: str
    block_size: int
    data_type: Any
    scale_type: Any
    global_scale: Any
    infer_only: bool


def get_scaled_dot_general_config(mode: str, global_scale: Any = None) -> BlockScaleConfig:
    """Return how an operand of `scaled_dot_general` is rounded.

    Args:
        mode: 'mxfp8' (float8_e4m3fn, blocks of 32, scales that are powers of 2) or 'nvfp4'
            (float4_e2m1fn, blocks of 16, scales in float8_e4m3fn).
        global_scale: for 'nvfp4', a scale of all numbers, (1,), by default 1.

    Raises:
        ValueError: for another mode, or a scale that the mode does not have.

    Examples:
        >>> get_scaled_dot_general_config("mxfp8").block_size
        32
    """
    number = lambda name: np.dtype(getattr(ml_dtypes, name))
    if mode == "nvfp4":
        scale = np.ones(1, np.float32) if global_scale is None else global_scale
        data, scales = number("float4_e2m1fn"), number("float8_e4m3fn")
        return BlockScaleConfig(mode, 16, data, scales, scale, False)
    if mode != "mxfp8":
        name = "get_scaled_dot_general_config"
        raise no_such(name, "mode", mode, ("nvfp4", "mxfp8"))
    if global_scale is not None:
        raise with_user_line(
            ValueError("get_scaled_dot_general_config: mode='mxfp8' has no global_scale")
        )
    data, scales = number("float8_e4m3fn"), number("float8_e8m0fnu")
    return BlockScaleConfig(mode, 32, data, scales, None, False)


def _power_above(x: Value) -> Any:
    """Return the least power of 2 that is not below positive float32 numbers."""
    bits = bitcast_convert_type(convert_element_type(x, np.float32), np.dtype(np.int32))
    exponent, rest = bits >> 23, bits & 0x7FFFFF
    above = (rest > 0) & (exponent != 0xFE) & ~((exponent == 0) & (rest <= 0x400000))
    exponent = exponent + convert_element_type(above, np.int32)
    return exp2(convert_element_type(exponent, np.float32) - 127.0)


def _in_four_bits(x: Value) -> Any:
    """Round numbers in [-6, 6] to float4_e2m1fn: two bits of exponent, one of mantissa."""
    return where(abs(x) < 1, rint(2 * x) / 2, ReducePrecision(8, 1).bind(x))


def _rounded(x: Value, config: BlockScaleConfig) -> Any:
    """Return a matrix (B, M, K) as a narrow dtype with scales would hold it."""
    B, M, K = x.shape
    size = config.block_size
    if K % size or not K:
        raise with_user_line(
            ValueError(
                f"scaled_dot_general: the contracted axes have {K} elements together; "
                f"mode={config.mode!r} needs a multiple of {size}"
            )
        )
    largest = float(ml_dtypes.finfo(config.data_type).max)
    blocks = convert_element_type(reshape(x, (B, M, K // size, size)), np.float32)
    if config.mode == "nvfp4":
        blocks = blocks / asarray(config.global_scale)
        limit = float(ml_dtypes.finfo(config.scale_type).max)
        scales = clip(max_(abs(blocks), -1, keepdims=True) / largest, 0.0, limit)
        scales = convert_element_type(convert_element_type(scales, config.scale_type), np.float32)
        # A block of numbers that are all too small has the scale 0, and is 0.
        safe = where(scales == 0, 1.0, scales)
        held = _in_four_bits(clip(blocks / safe, -largest, largest))
    else:
        scales = _power_above(max_(abs(blocks), -1, keepdims=True) / largest)
        held = clip(blocks / scales, -largest, largest)
        held = convert_element_type(convert_element_type(held, config.data_type), np.float32)
    return reshape(held * scales, (B, M, K))


def _as_matrices(x: Any, contract: Sequence[int], batch: Sequence[int]) -> Any:
    """Return an operand as (B, M, K): batch axes, free axes, contracted axes, each as one."""
    free = [i for i in range(x.ndim) if i not in contract and i not in batch]
    sizes = [int(np.prod([x.shape[i] for i in axes])) for axes in (batch, free, contract)]
    return reshape(transpose(x, (*batch, *free, *contract)), tuple(sizes))


def _product(a: Value, b: Value, configs: Any, dtype: np.dtype) -> Any:
    """Multiply matrices (B, M, K) and (B, N, K), both rounded."""
    numbers = ((2,), (2,)), ((0,), (0,))
    out = dot_general(_rounded(a, configs[0]), _rounded(b, configs[1]), numbers)
    scales = [asarray(c.global_scale) for c in configs if c.mode == "nvfp4"]
    for scale in scales:
        out = out * scale
    return convert_element_type(out, dtype)


def _dot(a: Value, b: Value, configs: Any, dtype: np.dtype) -> Any:
    """Return `_product` with gradients that are products of rounded matrices, too."""
    turned = lambda x: transpose(x, (0, 2, 1))

    @custom_vjp
    def product(a: Value, b: Value) -> Any:
        return _product(a, b, configs, dtype)

    def forward(a: Any, b: Any) -> Any:
        return product(a, b), (a, b)

    def backward(residuals: Any, g: Any) -> Any:
        a, b = residuals
        if configs[2].mode != "nvfp4":
            of_a = _product(g, turned(b), (configs[2], configs[1]), dtype)
            of_b = _product(turned(g), turned(a), (configs[2], configs[0]), dtype)
            return convert_element_type(of_a, a.dtype), convert_element_type(of_b, b.dtype)
        numbers = lambda x, y: (((x,), (y,)), ((0,), (0,)))
        g = convert_element_type(g, np.float32)
        a32, b32 = (convert_element_type(v, np.float32) for v in (a, b))
        cotangents = dot_general(g, b32, numbers(2, 1)), dot_general(g, a32, numbers(1, 1))
        out = []
        for ct, x, config in zip(cotangents, (a, b), configs):
            # What was cut off has no derivative.
            limits = [float(ml_dtypes.finfo(t).max) for t in (config.data_type, config.scale_type)]
            inside = abs(x) <= asarray(config.global_scale) * (limits[0] * limits[1])
            out.append(convert_element_type(e.select(inside, ct, 0.0), x.dtype))
        return tuple(out)

    product.defvjp(forward, backward)
    return product(a, b)


def scaled_dot_general(
    lhs: Any,
    rhs: Any,
    dimension_numbers: Any,
    preferred_element_type: Any = np.float32,
    configs: Sequence[BlockScaleConfig] | None = None,
    implementation: str | None = None,
) -> Any:
    """Compute `dot_general` of operands that are rounded to few bits, each block with a scale.

    Gradients go through the rounding, and are products of rounded arrays themselves.

    Args:
        lhs: an array of floats.
        rhs: another one, of the same dtype.
        dimension_numbers: ((contracted of lhs, of rhs), (batch axes of lhs, of rhs)).
        preferred_element_type: the dtype of the result.
        configs: how lhs, rhs and cotangents are rounded: three of
            `get_scaled_dot_general_config`; None for no rounding.
        implementation: None.

    Raises:
        ValueError: if the contracted axes are no whole number of blocks, or for an implementation.

    Examples:
        >>> import diffeo as dx
        >>> x = dx.numpy.ones((2, 32), "float32")
        >>> configs = [get_scaled_dot_general_config("mxfp8")] * 3
        >>> scaled_dot_general(x, x, (((1,), (1,)), ((), ())), configs=configs)
        Array([[32., 32.],
               [32., 32.]], dtype=float32)
    """
    name = "scaled_dot_general"
    if implementation is not None:
        raise no_such(name, "implementation", implementation, (None,))
    if configs is None:
        preferred = preferred_element_type
        return dot_general(lhs, rhs, dimension_numbers, preferred_element_type=preferred)
    if len(configs) != 3 or len({c.mode for c in configs}) != 1:
        raise with_user_line(
            ValueError(f"{name}: configs must be three of one mode, got {describe(configs)}")
        )
    lhs, rhs = arr(lhs), arr(rhs)
    (contract, contract_y), (batch, batch_y) = _axes_of_both(name, dimension_numbers)
    dtype = dtype_of(preferred_element_type)
    a, b = _as_matrices(lhs, contract, batch), _as_matrices(rhs, contract_y, batch_y)
    out = _dot(a, b, tuple(configs), dtype)
    free = [n for i, n in enumerate(lhs.shape) if i not in contract + batch]
    free += [n for i, n in enumerate(rhs.shape) if i not in contract_y + batch_y]
    return reshape(out, (*[lhs.shape[i] for i in batch], *free))

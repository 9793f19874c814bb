"""Convolutions, with jax.lax's names.

`dimension_numbers` says which axis is which: three strings, such as ("NHWC", "HWIO", "NHWC"), in
which N is the batch, C the features, I and O the kernel's input and output features, and any other
letters the spatial axes; or `ConvDimensionNumbers`; None is ("NCHW", "OIHW", "NCHW"). Strides,
paddings and dilations are in the order of the kernel's spatial letters. `precision` and
`preferred_element_type` are those of `dot_general`.

All functions end in `conv_general_dilated`, and this in the primitive `ConvGeneralDilated`
(`routines/windows/conv.py`).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from ..numpy.common import arr, no_sharding, no_such, sequence_of, static_int, static_ints
from ..numpy.contracting.precision import precision_of, preferred_of
from ..primitives.array import Array
from ..primitives.core import describe, with_user_line
from ..primitives.words import slicing, structural
from ..routines.windows.conv import ConvDimensionNumbers, ConvGeneralDilated, dilated
from .products import dot_general
from .strict import apply

__all__ = [
    "ConvDimensionNumbers",
    "ConvGeneralDilatedDimensionNumbers",
    "conv",
    "conv_dimension_numbers",
    "conv_general_dilated",
    "conv_general_dilated_local",
    "conv_general_dilated_patches",
    "conv_general_permutations",
    "conv_transpose",
    "conv_with_general_padding",
    "padtype_to_pads",
]

#: What `dimension_numbers` may be, for type checkers.
ConvGeneralDilatedDimensionNumbers = ConvDimensionNumbers | tuple[str, str, str] | None


def _wrong(name: str, what: str) -> Exception:
    """Return the TypeError that something is wrong with `name`."""
    return with_user_line(TypeError(f"{name}: {what}"))


def conv_general_permutations(dimension_numbers: Sequence[str]) -> tuple[tuple[int, ...], ...]:
    """Return three strings of letters as axes.

    The axes are in the order (batch, feature, spatial ...), (output feature, input feature, spatial
    ...), (batch, feature, spatial ...). For ("NHC", "HIO", "NHC") they are (0, 2, 1), (2, 1, 0) and
    (0, 2, 1).

    Raises:
        TypeError: for letters that are missing, repeated, or not in all of them.
    """
    name, specs, permutations = "dimension_numbers", tuple(dimension_numbers), []
    for spec, pair in zip(specs, ("NC", "OI", "NC")):
        if len(set(spec)) != len(spec) or not set(pair) <= set(spec):
            raise _wrong(
                name,
                f"{spec!r} must hold {pair[0]} and {pair[1]} and other letters, "
                f"each once, in {specs}",
            )
        order = [c for c in specs[1] if c not in "OI"]
        if set(spec) - set(pair) != set(order):
            raise _wrong(name, f"the letters of spatial axes must be the same in all of {specs}")
        permutations.append(tuple([spec.index(c) for c in (*pair, *order)]))
    return tuple(permutations)


def conv_dimension_numbers(
    lhs_shape: Sequence[int], rhs_shape: Sequence[int], dimension_numbers: Any
) -> ConvDimensionNumbers:
    """Return the axes that `dimension_numbers` stands for: None, strings, or what this returns.

    Raises:
        TypeError: if they do not fit shapes with these numbers of axes.

    Examples:
        >>> conv_dimension_numbers((8, 9, 9, 3), (5, 5, 3, 2), ("NHWC", "HWIO", "NHWC"))
        ConvDimensionNumbers(lhs_spec=(0, 3, 1, 2), rhs_spec=(3, 2, 0, 1), out_spec=(0, 3, 1, 2))
    """
    if isinstance(dimension_numbers, ConvDimensionNumbers):
        return ConvDimensionNumbers(*[tuple(map(int, spec)) for spec in dimension_numbers])
    lhs_shape = static_ints(lhs_shape, "conv_dimension_numbers", "lhs_shape", 0)
    rhs_shape = static_ints(rhs_shape, "conv_dimension_numbers", "rhs_shape", 0)
    n = len(lhs_shape)
    if n != len(rhs_shape):
        raise _wrong(
            "dimension_numbers",
            f"shapes {tuple(lhs_shape)} and {tuple(rhs_shape)} must have equal numbers of axes",
        )
    if dimension_numbers is None:
        return ConvDimensionNumbers(*[tuple(range(n))] * 3)
    strings = isinstance(dimension_numbers, (tuple, list)) and len(dimension_numbers) == 3
    if not strings or not all([isinstance(s, str) and len(s) == n for s in dimension_numbers]):
        raise _wrong(
            "dimension_numbers",
            f"expects three strings of {n} letters for shapes "
            f"{tuple(lhs_shape)} and {tuple(rhs_shape)}, got "
            f"{dimension_numbers!r}",
        )
    return ConvDimensionNumbers(*conv_general_permutations(dimension_numbers))


def padtype_to_pads(
    in_shape: Sequence[int],
    window_shape: Sequence[int],
    window_strides: Sequence[int],
    padding: str,
) -> list[tuple[int, int]]:
    """Return the padding of each spatial axis for a word.

    'VALID' is none. With 'SAME', the result has as many elements as there are strides; if an odd
    number of elements is added, the odd one goes to the end, with 'SAME_LOWER' to the front.

    Raises:
        ValueError: for another word.

    Examples:
        >>> padtype_to_pads((10, 10), (3, 4), (1, 2), "SAME")
        [(1, 1), (1, 1)]
    """
    word = padding.upper()
    if word not in ("VALID", "SAME", "SAME_LOWER"):
        raise no_such("convolution", "padding", padding, ("VALID", "SAME", "SAME_LOWER"))
    pads = []
    for n, k, s in zip(in_shape, window_shape, window_strides):
        missing = 0 if word == "VALID" else max((-(-n // s) - 1) * s + k - n, 0)
        low = missing // 2 if word == "SAME" else missing - missing // 2
        pads.append((low, missing - low))
    return pads


def _ints(name: str, what: str, numbers: Any, count: int) -> tuple[int, ...]:
    """Return `count` integers; ones for None; TypeError for another number of them."""
    if numbers is None:
        return (1,) * count
    if not isinstance(numbers, (tuple, list, np.ndarray)) or len(numbers) != count:
        raise _wrong(name, f"{what} must be {count} integers, got {describe(numbers)}")
    return static_ints(numbers, name, what)


def conv_general_dilated(
    lhs: Any,
    rhs: Any,
    window_strides: Sequence[int],
    padding: Any,
    lhs_dilation: Any = None,
    rhs_dilation: Any = None,
    dimension_numbers: Any = None,
    feature_group_count: int = 1,
    batch_group_count: int = 1,
    precision: Any = None,
    preferred_element_type: Any = None,
    out_sharding: Any = None,
) -> Any:
    """Sum products with a kernel `rhs` (which is not reversed) over windows of `lhs`.

    Args:
        lhs: (batch, features, spatial ...), or with other orders of axes.
        rhs: (output features, features / feature_group_count, spatial ...), of the same dtype.
        window_strides: the step from one window to the next, along each spatial axis.
        padding: 'VALID', 'SAME', 'SAME_LOWER', or pairs of integers: how many zeros there are at
            both ends; negative ones cut.
        lhs_dilation: elements of lhs are this far apart, with zeros between them.
        rhs_dilation: elements of the kernel meet elements of lhs that are this far apart.
        dimension_numbers: see the head of this module.
        feature_group_count: groups of features, each of which makes a group of output features.
        batch_group_count: groups of batch elements, each of which meets a group of output features.
        precision, preferred_element_type: as of `dot_general`.

    Returns:
        (batch / batch_group_count, output features, spatial ...).

    Raises:
        TypeError: if shapes, dtypes or parameters do not fit.
        ValueError: for an unknown padding or precision.

    Examples:
        >>> import diffeo as dx
        >>> x = dx.numpy.arange(5.0).reshape(1, 1, 5)
        >>> conv_general_dilated(x, dx.numpy.ones((1, 1, 3)), (1,), "SAME")
        Array([[[1., 3., 6., 9., 7.]]])
        >>> conv_general_dilated(x, dx.numpy.ones((1, 1, 2)), (2,), [(0, 1)], rhs_dilation=(2,))
        Array([[[2., 6.]]])
    """
    if out_sharding is not None:
        raise no_sharding("conv_general_dilated", out_sharding)
    name = "conv_general_dilated"
    lhs, rhs = arr(lhs), arr(rhs)
    numbers = conv_dimension_numbers(lhs.shape, rhs.shape, dimension_numbers)
    n = max(lhs.ndim - 2, 0)
    strides = _ints(name, "window_strides", window_strides, n)
    spread = _ints(name, "lhs_dilation", lhs_dilation, n)
    apart = _ints(name, "rhs_dilation", rhs_dilation, n)
    if isinstance(padding, str):
        if any([d != 1 for d in spread]):
            raise with_user_line(
                ValueError(
                    f"{name}: padding={padding!r} says nothing where lhs_dilation={spread}: "
                    "give pairs "
                    "of integers, or use conv_transpose"
                )
            )
        window = dilated([rhs.shape[a] for a in numbers.rhs_spec[2:]], apart)
        # Strides below 1 are wrong, which the primitive will say; here they must not divide by 0.
        positive = [max(s, 1) for s in strides]
        padding = padtype_to_pads(
            [lhs.shape[a] for a in numbers.lhs_spec[2:]], window, positive, padding
        )
    padding = sequence_of(padding, name, "padding, if it is no word,")
    pads: Any = tuple([_ints(name, "each pair of the padding", p, 2) for p in padding])
    return apply(
        ConvGeneralDilated(
            strides,
            pads,
            spread,
            apart,
            numbers,
            static_int(feature_group_count, name, "feature_group_count"),
            static_int(batch_group_count, name, "batch_group_count"),
            precision_of(name, precision),
            preferred_of(preferred_element_type),
        ),
        lhs,
        rhs,
    )


def conv(
    lhs: Any,
    rhs: Any,
    window_strides: Sequence[int],
    padding: Any,
    precision: Any = None,
    preferred_element_type: Any = None,
) -> Any:
    """Convolve operands with the batch and the features in front, without dilations and groups.

    `lhs` is (batch, features, spatial ...), `rhs` (output features, features, spatial ...).
    Arguments as `conv_general_dilated` has.
    """
    return conv_general_dilated(
        lhs,
        rhs,
        window_strides,
        padding,
        precision=precision,
        preferred_element_type=preferred_element_type,
    )


def conv_with_general_padding(
    lhs: Any,
    rhs: Any,
    window_strides: Sequence[int],
    padding: Any,
    lhs_dilation: Any,
    rhs_dilation: Any,
    precision: Any = None,
    preferred_element_type: Any = None,
) -> Any:
    """Convolve without layouts and groups. Arguments as `conv_general_dilated` has."""
    return conv_general_dilated(
        lhs,
        rhs,
        window_strides,
        padding,
        lhs_dilation,
        rhs_dilation,
        precision=precision,
        preferred_element_type=preferred_element_type,
    )


#: The layouts of `conv_transpose` for 0, 1, 2 and 3 spatial axes.
_LAYOUTS = [
    ("NC", "IO", "NC"),
    ("NHC", "HIO", "NHC"),
    ("NHWC", "HWIO", "NHWC"),
    ("NHWDC", "HWDIO", "NHWDC"),
]


def conv_transpose(
    lhs: Any,
    rhs: Any,
    strides: Sequence[int],
    padding: Any,
    rhs_dilation: Any = None,
    dimension_numbers: Any = None,
    transpose_kernel: bool = False,
    precision: Any = None,
    preferred_element_type: Any = None,
    use_consistent_padding: bool = False,
) -> Any:
    """Convolve with fractional strides.

    This is often called a transposed convolution, or a deconvolution.

    Args:
        lhs, rhs: as of `conv_general_dilated`.
        strides: how many times as many elements as `lhs` the result has along each spatial axis.
        padding: 'SAME' and 'VALID' are those of the convolution of which this is the transpose;
            pairs of integers too, if `use_consistent_padding`; else they pad the spread-out `lhs`.
        rhs_dilation: as of `conv_general_dilated`.
        dimension_numbers: None is ("NHWC", "HWIO", "NHWC") for two spatial axes, and so on for up
            to three.
        transpose_kernel: reverse the kernel and exchange its features: then this is the gradient
            of the convolution with the same kernel.
        precision, preferred_element_type: as of `dot_general`.

    Raises:
        TypeError, ValueError: as `conv_general_dilated`.

    Examples:
        >>> import diffeo as dx
        >>> x = dx.numpy.array([1.0, 2.0]).reshape(1, 2, 1)
        >>> conv_transpose(x, dx.numpy.ones((2, 1, 1)), (2,), "SAME").ravel()
        Array([1., 1., 2., 2.])
    """
    name = "conv_transpose"
    lhs, rhs = arr(lhs), arr(rhs)
    n = lhs.ndim - 2
    if dimension_numbers is None:
        if not 0 <= n < len(_LAYOUTS):
            raise _wrong(name, f"dimension_numbers must be given for {describe(lhs)}")
        dimension_numbers = _LAYOUTS[n]
    numbers = conv_dimension_numbers(lhs.shape, rhs.shape, dimension_numbers)
    strides = _ints(name, "strides", strides, n)
    apart = _ints(name, "rhs_dilation", rhs_dilation, n)
    if isinstance(padding, str) or use_consistent_padding:
        sizes = dilated([rhs.shape[a] for a in numbers.rhs_spec[2:]], apart)
        pads = [padding] * n if isinstance(padding, str) else padding
        padding = [_transposed_padding(k, s, p) for k, s, p in zip(sizes, strides, pads)]
    # The transpose of a convolution reads the kernel backward, and its outputs are the inputs.
    if transpose_kernel:
        rhs = slicing.rev(rhs, numbers.rhs_spec[2:])
        order = list(range(rhs.ndim))
        i, j = numbers.rhs_spec[:2]
        order[i], order[j] = j, i
        rhs = structural.transpose(rhs, order)
    return conv_general_dilated(
        lhs,
        rhs,
        (1,) * n,
        padding,
        strides,
        apart,
        numbers,
        precision=precision,
        preferred_element_type=preferred_element_type,
    )


def _transposed_padding(k: int, s: int, padding: Any) -> tuple[int, int]:
    """Return how to pad the spread-out operand, from the padding of the convolution.

    `k` is the size of the window, `s` the stride.
    """
    if padding == "SAME":
        low = k - 1 if s > k - 1 else -(-(k + s - 2) // 2)
        return low, k + s - 2 - low
    if padding == "VALID":
        return k - 1, s - 1 + max(k - s, 0)
    if isinstance(padding, str):
        raise no_such("conv_transpose", "padding", padding, ("SAME", "VALID"))
    low, high = padding
    return k - 1 - low, k - 1 - high


def conv_general_dilated_patches(
    lhs: Any,
    filter_shape: Sequence[int],
    window_strides: Sequence[int],
    padding: Any,
    lhs_dilation: Any = None,
    rhs_dilation: Any = None,
    dimension_numbers: Any = None,
    precision: Any = None,
    preferred_element_type: Any = None,
) -> Any:
    """Return the windows that `conv_general_dilated` sums over, as features of the result.

    Args:
        lhs, window_strides, padding, lhs_dilation, rhs_dilation, dimension_numbers, precision,
            preferred_element_type: as of `conv_general_dilated`.
        filter_shape: the kernel's spatial sizes.

    Returns:
        (batch, features * elements of a window, spatial ...), in the order of a row-major window of
        each feature.

    Raises:
        TypeError, ValueError: as `conv_general_dilated`.
    """
    lhs, sizes = arr(lhs), tuple(filter_shape)
    numbers = conv_dimension_numbers(lhs.shape, (1, 1, *sizes), dimension_numbers)
    features, count = lhs.shape[numbers.lhs_spec[1]], math.prod(sizes)
    # The kernels are unit vectors: output feature i of a group is element i of the window. Each
    # input feature is a group of its own.
    kernel = np.tile(np.eye(count), (features, 1)).reshape(-1, 1, *sizes)
    kernel = kernel.transpose(np.argsort(numbers.rhs_spec)).astype(lhs.dtype)
    return conv_general_dilated(
        lhs,
        Array(kernel),
        window_strides,
        padding,
        lhs_dilation,
        rhs_dilation,
        numbers,
        features,
        precision=precision,
        preferred_element_type=preferred_element_type,
    )


def conv_general_dilated_local(
    lhs: Any,
    rhs: Any,
    window_strides: Sequence[int],
    padding: Any,
    filter_shape: Sequence[int],
    lhs_dilation: Any = None,
    rhs_dilation: Any = None,
    dimension_numbers: Any = None,
    precision: Any = None,
) -> Any:
    """Convolve with another kernel at each position of the result.

    Args:
        lhs, window_strides, padding, lhs_dilation, rhs_dilation, dimension_numbers, precision: as
            of `conv_general_dilated`.
        rhs: (output features, features * elements of a window, the result's spatial sizes ...), the
            windows in the order of `conv_general_dilated_patches`.
        filter_shape: the spatial sizes of a window.

    Raises:
        TypeError, ValueError: as `conv_general_dilated`.
    """
    lhs, rhs, sizes = arr(lhs), arr(rhs), tuple(filter_shape)
    left, _ = precisions = precision_of("conv_general_dilated_local", precision)
    patches = conv_general_dilated_patches(
        lhs,
        sizes,
        window_strides,
        padding,
        lhs_dilation,
        rhs_dilation,
        dimension_numbers,
        (left, left),
    )
    _, kernel, out = conv_dimension_numbers(lhs.shape, (1, 1, *sizes), dimension_numbers)
    summed_axes, batch_axes = ((out[1],), (kernel[1],)), (tuple(out[2:]), tuple(kernel[2:]))
    product = dot_general(patches, rhs, (summed_axes, batch_axes), precisions)
    # The product is (spatial ..., batch, feature). Its axis i becomes the axis
    # of the result that the layout names for it.
    order = [0] * product.ndim
    for i, axis in enumerate((*out[2:], out[0], out[1])):
        order[axis] = i
    return structural.transpose(product, order)


# --------------------------------------------------------------------------------------------------
# Shapes only


def _placed(shape: Sequence[int], spec: Sequence[int]) -> tuple[int, ...]:
    """Return the sizes (batch, feature, spatial ...) in the order of a layout's axes."""
    return tuple([int(shape[i]) for i in np.argsort(spec)])

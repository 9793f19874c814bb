"""Images of other sizes: `resize`, and `scale_and_translate`.

Along each axis, an element of the result is a sum of elements of the image, weighted by a *kernel*:
a function of the distance between the two centres. `_weights` makes the matrix of one axis; einsum
multiplies the image by all of them.
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from .numpy.choosing import where
from .numpy.common import arr, axis_of, no_such, same_dtype, static_shape
from .numpy.contracting.einsum import einsum
from .numpy.making.creation import asarray, zeros
from .numpy.making.ranges import arange
from .numpy.places.at import At
from .numpy.places.indexing import getitem
from .numpy.reducing.reductions import sum as sum_
from .numpy.ufuncs import absolute, maximum, minimum, sinc
from .primitives.core import Value, describe, with_user_line
from .primitives.words.dot import Precision
from .primitives.words.promotion import to_inexact
from .primitives.words.structural import convert_element_type

__all__ = ["ResizeMethod", "resize", "scale_and_translate"]


class ResizeMethod(enum.Enum):
    """How elements between those of an image are computed.

    NEAREST takes the nearest element; LINEAR interpolates linearly; CUBIC by Keys' cubic kernel
    (1981), CUBIC_PYTORCH by PyTorch's where it is another (without antialiasing); LANCZOS3 and
    LANCZOS5 by a windowed sinc of radius 3 or 5; AREA takes the mean over the element's area.
    """

    NEAREST = 0
    LINEAR = 1
    LANCZOS3 = 2
    LANCZOS5 = 3
    CUBIC = 4
    CUBIC_PYTORCH = 5
    AREA = 6

    @staticmethod
    def from_string(s: str) -> ResizeMethod:
        """Return the method of a name; ValueError for an unknown one.

        Examples:
            >>> ResizeMethod.from_string("bicubic")
            <ResizeMethod.CUBIC: 4>
        """
        if s not in _NAMES:
            raise no_such("ResizeMethod.from_string", "a method", s, tuple(_NAMES))
        return _NAMES[s]


_NAMES = {
    "nearest": ResizeMethod.NEAREST,
    **dict.fromkeys(("linear", "bilinear", "trilinear", "triangle"), ResizeMethod.LINEAR),
    **dict.fromkeys(("cubic", "bicubic", "tricubic"), ResizeMethod.CUBIC),
    **dict.fromkeys(("cubic-pytorch", "bicubic-pytorch"), ResizeMethod.CUBIC_PYTORCH),
    "lanczos3": ResizeMethod.LANCZOS3,
    "lanczos5": ResizeMethod.LANCZOS5,
    "area": ResizeMethod.AREA,
}
#: Below this sum of weights, there is nothing to normalize.
_NOTHING = 1000 * float(np.finfo(np.float32).eps)


def _triangle(x: Value) -> Any:
    return maximum(0.0, 1.0 - x)


def _cubic(a: float) -> Callable:
    """Return the cubic kernel with the slope `a` at 1."""

    def kernel(x: Value) -> Any:
        near = ((a + 2.0) * x - (a + 3.0)) * x * x + 1.0
        far = ((a * x - 5.0 * a) * x + 8.0 * a) * x - 4.0 * a
        return where(x >= 2.0, 0.0, where(x >= 1.0, far, near))

    return kernel


def _lanczos(radius: float) -> Callable:
    return lambda x: where(x > radius, 0.0, sinc(x) * sinc(x / radius))


#: Method -> its kernel, a function of distances >= 0.
_KERNELS = {
    ResizeMethod.LINEAR: _triangle,
    ResizeMethod.LANCZOS3: _lanczos(3.0),
    ResizeMethod.LANCZOS5: _lanczos(5.0),
    ResizeMethod.CUBIC: _cubic(-0.5),
    ResizeMethod.CUBIC_PYTORCH: _cubic(-0.75),
}


def _weights(
    m: int, n: int, scale: Value, shift: Any, method: ResizeMethod, antialias: bool
) -> Any:
    """Return the weights of `m` elements of an image for `n` elements of the result: (m, n).

    Element j has its centre at j + 1/2; position x of the image goes to `scale * x + shift`.
    """
    inverse = 1.0 / scale
    line = lambda count, start=0: arange(start, start + count).astype(scale.dtype)
    start = line(n) * inverse - shift * inverse  # where elements of the result begin in the image
    centre = start + 0.5 * inverse - 0.5
    repeats_edges = method is ResizeMethod.CUBIC_PYTORCH
    if method is ResizeMethod.AREA:
        left = line(m)[:, None]
        overlap = minimum(start + inverse, left + 1.0) - maximum(start, left)
        weights = maximum(0.0, overlap)
    else:
        # Where the image is made smaller, a wider kernel takes the mean of more elements.
        width = maximum(inverse, 1.0) if antialias else 1.0
        edge = 2 if repeats_edges else 0
        places = line(m + 2 * edge, -edge)[:, None]
        weights = _KERNELS[method](absolute(centre - places) / width)
    if repeats_edges:  # elements beyond the ends are those at the ends
        rows = np.clip(np.arange(-2, m + 2), 0, m - 1)
        weights = At(zeros((m, n), weights.dtype))[rows].add(weights)
    total = sum_(weights, 0, keepdims=True)
    some = absolute(total) > _NOTHING
    weights = where(some, weights / where(some, total, 1.0), 0.0)
    if repeats_edges:
        return weights
    return where((centre >= -0.5) & (centre <= m - 0.5), weights, 0.0)


def _resampled(
    image: Any,
    shape: tuple[int, ...],
    axes: Sequence[int],
    scale: Any,
    shift: Any,
    method: ResizeMethod,
    antialias: bool,
    precision: Precision,
) -> Any:
    """Multiply an image by the matrix of weights of each of `axes`."""
    if not len(axes):
        return image
    if method is ResizeMethod.CUBIC_PYTORCH and antialias:
        method = ResizeMethod.CUBIC
    labels = list(range(image.ndim))
    operands: list[Any] = [image, list(labels)]
    for k, axis in enumerate(axes):
        weights = _weights(
            image.shape[axis], shape[axis], scale[k], shift[k], method, bool(antialias)
        )
        labels[axis] = image.ndim + k
        operands += [convert_element_type(weights, image.dtype), [axis, labels[axis]]]
    return einsum(*operands, labels, precision=precision)


def _checked(
    name: str, image: Any, shape: tuple[int, ...], method: Any
) -> tuple[Any, tuple[int, ...], ResizeMethod]:
    """Return the image, the shape of the result and the method, checked."""
    image, sizes = arr(image), static_shape(shape, name)
    if len(sizes) != image.ndim:
        raise with_user_line(
            ValueError(
                f"{name}: shape must have a size for each axis of {describe(image)}, got {sizes}"
            )
        )
    if isinstance(method, str):
        if method not in _NAMES:
            raise no_such(name, "method", method, tuple(_NAMES))
        method = _NAMES[method]
    if not isinstance(method, ResizeMethod):
        raise with_user_line(
            TypeError(f"{name}: method must be a name or a ResizeMethod, got {describe(method)}")
        )
    return image, sizes, method


def resize(
    image: Any,
    shape: Any,
    method: str | ResizeMethod,
    antialias: bool = True,
    precision: Any = Precision.HIGHEST,
) -> Any:
    """Return an image in another size; derivatives go to the image.

    Args:
        image: an array of any number of axes.
        shape: the sizes of all axes of the result; those that stay (a batch, colours) stay as they
            are.
        method: a `ResizeMethod` or its name: 'nearest', 'linear', 'cubic', 'cubic-pytorch',
            'lanczos3', 'lanczos5', 'area'.
        antialias: where the image becomes smaller, take means over as many elements as needed.
        precision: of the products, see `dx.lax.Precision`.

    Returns:
        An array of floats; with 'nearest', of the image's dtype.

    Raises:
        ValueError: for an unknown method, another number of axes, or an axis without elements.

    Examples:
        >>> import diffeo as dx
        >>> dx.image.resize(dx.numpy.array([0.0, 1.0, 2.0, 3.0]), (2,), "linear")
        Array([0.71428571, 2.28571429])
    """
    image, sizes, method = _checked("resize", image, shape, method)
    axes = [i for i, (m, n) in enumerate(zip(image.shape, sizes)) if m != n]
    if any([not image.shape[i] for i in axes]):
        raise with_user_line(
            ValueError(f"resize: {describe(image)} has no elements to make the shape {sizes} of")
        )
    if method is ResizeMethod.NEAREST:
        for axis in axes:
            m, n = image.shape[axis], sizes[axis]
            places = (2 * np.arange(n) + 1) * m // (2 * n)
            image = getitem(image, (slice(None),) * axis + (places,))
        return image
    scale = [asarray(float(sizes[i] / image.shape[i] if sizes[i] else 1)) for i in axes]
    scale = [v.astype(v.dtype) for v in scale]  # of no weak type
    shift = [0.0] * len(axes)
    image = arr(to_inexact(image))
    return _resampled(image, sizes, axes, scale, shift, method, antialias, precision)


def scale_and_translate(
    image: Any,
    shape: Any,
    spatial_dims: Sequence[int],
    scale: Any,
    translation: Any,
    method: str | ResizeMethod,
    antialias: bool = True,
    precision: Any = Precision.HIGHEST,
) -> Any:
    """Return an image scaled and moved: position x goes to `scale * x + translation`.

    Positions count from the border: the centre of the first element is at 1/2. Elements of the
    result whose centres come from beyond the image are 0. Derivatives go to the image, to the scale
    and to the translation.

    Args:
        image: an array of any number of axes.
        shape: the sizes of all axes of the result.
        spatial_dims: the axes that are scaled; the others keep their sizes.
        scale: a vector of the scales of these axes.
        translation: a vector of how far they are moved, in elements of the result.
        method: as of `resize`, but 'nearest'.
        antialias: as of `resize`.
        precision: of the products, see `dx.lax.Precision`.

    Raises:
        ValueError: for an unknown method, and sizes or vectors that do not fit.

    Examples:
        >>> import diffeo as dx
        >>> x = dx.numpy.array([1.0, 2.0, 3.0])
        >>> one = dx.numpy.ones(1)
        >>> dx.image.scale_and_translate(x, (3,), (0,), one, one, "linear")
        Array([0., 1., 2.])
    """
    name = "scale_and_translate"
    image, sizes, method = _checked(name, image, shape, method)
    if method is ResizeMethod.NEAREST:
        raise with_user_line(
            ValueError(f"{name}: the method 'nearest' has no scale; dx.image.resize has the method")
        )
    axes = [axis_of(d, image.ndim, name) for d in spatial_dims]
    scale, shift = (arr(to_inexact(v)) for v in same_dtype(asarray(scale), asarray(translation)))
    kept = all([m == n or i in axes for i, (m, n) in enumerate(zip(image.shape, sizes))])
    if len(set(axes)) != len(axes) or scale.shape != (len(axes),) or shift.shape != scale.shape:
        raise with_user_line(
            ValueError(
                f"{name}: {len(axes)} different axes need as many scales and translations, got "
                f"{tuple(axes)}, {describe(scale)} and {describe(shift)}"
            )
        )
    if not kept:
        raise with_user_line(
            ValueError(f"{name}: axes that are not in {tuple(axes)} keep their sizes, got {sizes}")
        )
    image = arr(to_inexact(image))
    return _resampled(image, sizes, axes, scale, shift, method, antialias, precision)

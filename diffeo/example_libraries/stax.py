"""Neural networks as pairs of functions, with JAX's names, parameters and initial values.

A layer is a pair `(init, apply)`. `init(rng, input_shape)` draws parameters with a key, and returns
`(output_shape, params)`; `apply(params, inputs, **kwargs)` computes the outputs, where the key
`rng` is a keyword that layers with chance need. Parameters are nested tuples and lists of arrays.

Examples:
    >>> import diffeo as dx
    >>> from diffeo.example_libraries import stax
    >>> init, apply = stax.serial(stax.Dense(4), stax.Tanh, stax.Dense(2), stax.LogSoftmax)
    >>> shape, params = init(dx.random.key(0), (-1, 3))
    >>> shape
    (-1, 2)
    >>> dx.numpy.exp(apply(params, dx.numpy.ones((5, 3)))).sum(1).round(6)
    Array([1., 1., 1., 1., 1.])
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Sequence
from typing import Any

from .. import lax, random
from .. import numpy as dnp
from ..nn import elu, gelu, leaky_relu, log_softmax, relu, selu, sigmoid, softmax, softplus
from ..nn.functions import standardize
from ..nn.initializers import glorot_normal, normal, ones, zeros
from ..primitives.core import with_user_line
from .pooling import AvgPool, Layer, MaxPool, SumPool

__all__ = [
    "AvgPool", "BatchNorm", "Conv", "Conv1DTranspose", "ConvTranspose", "Dense", "Dropout", "Elu",
    "Exp", "FanInConcat", "FanInSum", "FanOut", "Flatten", "Gelu", "GeneralConv",
    "GeneralConvTranspose", "Identity", "LeakyRelu", "LogSoftmax", "MaxPool", "Relu", "Selu",
    "Sigmoid", "Softmax", "Softplus", "SumPool", "Tanh", "elementwise", "glorot", "logsoftmax",
    "parallel", "randn", "serial", "shape_dependent",
]  # fmt: skip

#: Older names of initializers, and of a function.
glorot, randn, logsoftmax = glorot_normal, normal, log_softmax
#: What parameters are drawn with where nothing else is said.
_glorot_normal, _normal, _small = glorot_normal(), normal(), normal(1e-6)


def Dense(
    out_dim: int,
    W_init: Callable[..., Any] = _glorot_normal,
    b_init: Callable[..., Any] = _normal,
) -> Layer:
    """Make a layer `inputs @ W + b` with `out_dim` outputs.

    Args:
        out_dim: the size of the last axis of the outputs.
        W_init, b_init: initializers of `W`, of shape (inputs, out_dim), and `b`, of (out_dim,).

    Examples:
        >>> import diffeo as dx
        >>> from diffeo.example_libraries import stax
        >>> init, apply = stax.Dense(2)
        >>> shape, (w, b) = init(dx.random.key(0), (7, 3))
        >>> shape, w.shape, b.shape
        ((7, 2), (3, 2), (2,))
    """

    def init(rng: Any, input_shape: Any) -> Any:
        first, second = random.split(rng)
        W, b = W_init(first, (input_shape[-1], out_dim)), b_init(second, (out_dim,))
        return (*input_shape[:-1], out_dim), (W, b)

    def apply(params: Any, inputs: Any, **kwargs: Any) -> Any:
        W, b = params
        return dnp.dot(inputs, W) + b

    return init, apply


def GeneralConv(
    dimension_numbers: Sequence[str],
    out_chan: int,
    filter_shape: Sequence[int],
    strides: Sequence[int] | None = None,
    padding: Any = "VALID",
    W_init: Callable[..., Any] | None = None,
    b_init: Callable[..., Any] = _small,
) -> Layer:
    """Make a layer of convolution; `Conv` is this one with ("NHWC", "HWIO", "NHWC").

    Args:
        dimension_numbers: what the axes of inputs, kernel and outputs are.
        out_chan: the number of output channels.
        filter_shape: the sizes of the kernel along the spatial axes.
        strides: of the window; by default 1.
        padding: "VALID", "SAME", or a pair of numbers for each axis.
        W_init, b_init: initializers of the kernel (by default `glorot_normal`) and of the bias.

    Examples:
        >>> import diffeo as dx
        >>> from diffeo.example_libraries import stax
        >>> init, apply = stax.Conv(4, (3, 3), padding="SAME")
        >>> shape, params = init(dx.random.key(0), (2, 8, 8, 3))
        >>> shape, apply(params, dx.numpy.ones((2, 8, 8, 3))).shape
        ((2, 8, 8, 4), (2, 8, 8, 4))
    """
    one = (1,) * len(filter_shape)
    steps = strides or one

    def shape(input_shape: Any, kernel: Any) -> Any:
        return lax.conv_general_shape_tuple(input_shape, kernel, steps, padding, dimension_numbers)

    def convolve(inputs: Any, W: Any) -> Any:
        return lax.conv_general_dilated(
            inputs, W, steps, padding, one, one, dimension_numbers=dimension_numbers
        )

    return _convolution(dimension_numbers, out_chan, filter_shape, W_init, b_init, shape, convolve)


#: `GeneralConv` for images whose last axis is the channels.
Conv = functools.partial(GeneralConv, ("NHWC", "HWIO", "NHWC"))


def GeneralConvTranspose(
    dimension_numbers: Sequence[str],
    out_chan: int,
    filter_shape: Sequence[int],
    strides: Sequence[int] | None = None,
    padding: Any = "VALID",
    W_init: Callable[..., Any] | None = None,
    b_init: Callable[..., Any] = _small,
) -> Layer:
    """Make a layer of transposed convolution, whose arguments are those of `GeneralConv`.
    `ConvTranspose` is for images, `Conv1DTranspose` for sequences.

    Examples:
        >>> import diffeo as dx
        >>> from diffeo.example_libraries import stax
        >>> init, apply = stax.ConvTranspose(4, (3, 3), strides=(2, 2), padding="SAME")
        >>> init(dx.random.key(0), (2, 8, 8, 3))[0]
        (2, 16, 16, 4)
    """
    steps = strides or (1,) * len(filter_shape)

    def shape(input_shape: Any, kernel: Any) -> Any:
        return lax.conv_transpose_shape_tuple(
            input_shape, kernel, steps, padding, dimension_numbers
        )

    def convolve(inputs: Any, W: Any) -> Any:
        return lax.conv_transpose(inputs, W, steps, padding, dimension_numbers=dimension_numbers)

    return _convolution(dimension_numbers, out_chan, filter_shape, W_init, b_init, shape, convolve)


#: `GeneralConvTranspose` for sequences, and for images, whose last axis is the channels.
Conv1DTranspose = functools.partial(GeneralConvTranspose, ("NHC", "HIO", "NHC"))
ConvTranspose = functools.partial(GeneralConvTranspose, ("NHWC", "HWIO", "NHWC"))


def _convolution(
    dimension_numbers: Sequence[str],
    out_chan: int,
    filter_shape: Sequence[int],
    W_init: Callable[..., Any] | None,
    b_init: Callable[..., Any],
    output_shape: Callable[..., Any],
    convolve: Callable[..., Any],
) -> Layer:
    """Make a layer of what convolves inputs with a kernel, and says the shape of the result."""
    inputs_axes, kernel_axes, output_axes = dimension_numbers
    draw = W_init or glorot_normal(kernel_axes.index("I"), kernel_axes.index("O"))

    def init(rng: Any, input_shape: Any) -> Any:
        spatial = iter(filter_shape)
        sizes = {"O": out_chan, "I": input_shape[inputs_axes.index("C")]}
        kernel = [sizes[c] if c in sizes else next(spatial) for c in kernel_axes]
        first, second = random.split(rng)
        bias = [out_chan if c == "C" else 1 for c in output_axes]
        return output_shape(input_shape, kernel), (draw(first, kernel), b_init(second, bias))

    def apply(params: Any, inputs: Any, **kwargs: Any) -> Any:
        W, b = params
        return convolve(inputs, W) + b

    return init, apply


def BatchNorm(
    axis: int | Sequence[int] = (0, 1, 2),
    epsilon: Any = 1e-5,
    center: bool = True,
    scale: bool = True,
    beta_init: Callable[..., Any] = zeros,
    gamma_init: Callable[..., Any] = ones,
) -> Layer:
    """Make a layer that standardises over axes, with the mean and variance of the inputs at hand.

    Args:
        axis: the axes over which means are taken.
        epsilon: is added to the variance.
        center, scale: add a parameter `beta`, multiply with a parameter `gamma`; a parameter that
            is not used is an empty tuple.
        beta_init, gamma_init: their initializers.

    Examples:
        >>> import numpy as np
        >>> from diffeo.example_libraries import stax
        >>> init, apply = stax.BatchNorm(axis=0, center=False, scale=False)
        >>> apply(((), ()), np.array([[1.0], [3.0]])).ravel().round(3)
        Array([-1.,  1.])
    """
    axes = (axis,) if isinstance(axis, int) else tuple(axis)

    def init(rng: Any, input_shape: Any) -> Any:
        shape = tuple([n for i, n in enumerate(input_shape) if i not in axes])
        first, second = random.split(rng)
        beta = beta_init(first, shape) if center else ()
        return input_shape, (beta, gamma_init(second, shape) if scale else ())

    def apply(params: Any, x: Any, **kwargs: Any) -> Any:
        beta, gamma = params
        place = tuple([None if i in axes else slice(None) for i in range(dnp.ndim(x))])
        z = standardize(x, axes, epsilon=epsilon)
        z = gamma[place] * z if scale else z
        return z + beta[place] if center else z

    return init, apply


def elementwise(fun: Callable[..., Any], **fun_kwargs: Any) -> Layer:
    """Make a layer without parameters that applies a function, which keeps the shape.

    Examples:
        >>> import numpy as np
        >>> from diffeo.example_libraries import stax
        >>> init, apply = stax.elementwise(np.clip, a_min=0.0, a_max=1.0)
        >>> apply((), np.array([-1.0, 0.5, 2.0]))
        array([0. , 0.5, 1. ])
    """

    def init(rng: Any, input_shape: Any) -> Any:
        return input_shape, ()

    def apply(params: Any, inputs: Any, **kwargs: Any) -> Any:
        return fun(inputs, **fun_kwargs)

    return init, apply


#: Layers of the functions of these names.
Tanh, Relu, Exp, Softplus = (elementwise(f) for f in (dnp.tanh, relu, dnp.exp, softplus))
Sigmoid, Elu, LeakyRelu, Selu, Gelu = (
    elementwise(f) for f in (sigmoid, elu, leaky_relu, selu, gelu)
)
LogSoftmax, Softmax = (elementwise(f, axis=-1) for f in (log_softmax, softmax))
#: The layer that returns its inputs.
Identity = elementwise(lambda x: x)


def _flatten() -> Layer:
    def init(rng: Any, input_shape: Any) -> Any:
        return (input_shape[0], math.prod(input_shape[1:])), ()

    def apply(params: Any, inputs: Any, **kwargs: Any) -> Any:
        return dnp.reshape(inputs, (inputs.shape[0], -1))

    return init, apply


#: The layer that makes one axis of all but the first.
Flatten = _flatten()


def FanOut(num: int) -> Layer:
    """Make a layer that returns its inputs `num` times, in a list.

    Examples:
        >>> from diffeo.example_libraries import stax
        >>> stax.FanOut(3)[1]((), 1.0)
        [1.0, 1.0, 1.0]
    """

    def init(rng: Any, input_shape: Any) -> Any:
        return [input_shape] * num, ()

    def apply(params: Any, inputs: Any, **kwargs: Any) -> Any:
        return [inputs] * num

    return init, apply


def _fan_in_sum() -> Layer:
    def init(rng: Any, input_shape: Any) -> Any:
        return input_shape[0], ()

    def apply(params: Any, inputs: Any, **kwargs: Any) -> Any:
        return sum(inputs)

    return init, apply


#: The layer that adds up a list of inputs.
FanInSum = _fan_in_sum()


def FanInConcat(axis: int = -1) -> Layer:
    """Make a layer that joins a list of inputs along an axis.

    Examples:
        >>> import numpy as np
        >>> from diffeo.example_libraries import stax
        >>> init, apply = stax.FanInConcat()
        >>> init(None, [(4, 2), (4, 3)])[0], apply((), [np.ones((4, 2)), np.ones((4, 3))]).shape
        ((4, 5), (4, 5))
    """

    def init(rng: Any, input_shape: Any) -> Any:
        first, place = input_shape[0], axis % len(input_shape[0])
        size = sum([shape[place] for shape in input_shape])
        return (*first[:place], size, *first[place + 1 :]), ()

    def apply(params: Any, inputs: Any, **kwargs: Any) -> Any:
        return dnp.concatenate(inputs, axis)

    return init, apply


def Dropout(rate: Any, mode: str = "train") -> Layer:
    """Make a layer that keeps each number with probability `rate`, divided by `rate`.

    Args:
        rate: the probability that a number is kept, as in JAX.
        mode: "train"; with any other, the layer returns its inputs.

    Raises:
        ValueError: (when applied) without a key `rng`.

    Examples:
        >>> import diffeo as dx
        >>> from diffeo.example_libraries import stax
        >>> init, apply = stax.Dropout(0.5)
        >>> set(apply((), dx.numpy.ones(50), rng=dx.random.key(0)).tolist()) == {0.0, 2.0}
        True
    """

    def init(rng: Any, input_shape: Any) -> Any:
        return input_shape, ()

    def apply(params: Any, inputs: Any, **kwargs: Any) -> Any:
        rng = kwargs.get("rng")
        if rng is None:
            raise with_user_line(
                ValueError(
                    "Dropout: apply needs a key: apply(params, inputs, rng=key), with a key of "
                    "dx.random.key"
                )
            )
        if mode != "train":
            return inputs
        return dnp.where(random.bernoulli(rng, rate, inputs.shape), inputs / rate, 0)

    return init, apply


# --------------------------------------------------------------------------------------------------
# Combinators


def serial(*layers: Layer) -> Layer:
    """Make one layer of several that follow each other; its parameters are a list of theirs.

    Examples:
        >>> from diffeo.example_libraries import stax
        >>> init, apply = stax.serial(stax.FanOut(2), stax.FanInSum)
        >>> apply([(), ()], 3.0)
        6.0
    """
    inits, applies = zip(*layers)

    def init(rng: Any, input_shape: Any) -> Any:
        params = []
        for init_layer in inits:
            rng, key = random.split(rng)
            input_shape, drawn = init_layer(key, input_shape)
            params.append(drawn)
        return input_shape, params

    def apply(params: Any, inputs: Any, **kwargs: Any) -> Any:
        keys = _keys(kwargs.pop("rng", None), len(layers))
        for apply_layer, own, key in zip(applies, params, keys):
            inputs = apply_layer(own, inputs, rng=key, **kwargs)
        return inputs

    return init, apply


def parallel(*layers: Layer) -> Layer:
    """Make one layer of several, each of which gets one entry of a list of inputs.

    Examples:
        >>> from diffeo.example_libraries import stax
        >>> init, apply = stax.parallel(stax.Identity, stax.elementwise(lambda x: -x))
        >>> apply(((), ()), [1.0, 2.0])
        [1.0, -2.0]
    """
    inits, applies = zip(*layers)

    def init(rng: Any, input_shape: Any) -> Any:
        keys = random.split(rng, len(layers))
        made = [i(key, shape) for i, key, shape in zip(inits, keys, input_shape)]
        return tuple(zip(*made))

    def apply(params: Any, inputs: Any, **kwargs: Any) -> Any:
        keys = _keys(kwargs.pop("rng", None), len(layers))
        columns = zip(applies, params, inputs, keys)
        return [apply_layer(own, x, rng=key, **kwargs) for apply_layer, own, x, key in columns]

    return init, apply


def _keys(rng: Any, count: int) -> Any:
    return (None,) * count if rng is None else random.split(rng, count)


def shape_dependent(make_layer: Callable[[Any], Layer]) -> Layer:
    """Make a layer that is made when the shape of its inputs is known.

    Args:
        make_layer: a function of the shape of the inputs that returns a layer.

    Examples:
        >>> from diffeo.example_libraries import stax
        >>> init, apply = stax.shape_dependent(lambda shape: stax.Dense(shape[-1]))
        >>> import diffeo as dx
        >>> init(dx.random.key(0), (5, 3))[0]
        (5, 3)
    """

    def init(rng: Any, input_shape: Any) -> Any:
        return make_layer(input_shape)[0](rng, input_shape)

    def apply(params: Any, inputs: Any, **kwargs: Any) -> Any:
        return make_layer(inputs.shape)[1](params, inputs, **kwargs)

    return init, apply

"""Functions of neural networks: activations, softmax, one-hot vectors; `initializers` of weights.

Names and signatures are jax.nn's. Derivatives are right to every order, also where a function is
written with a case distinction.

Examples:
    >>> import diffeo as dx
    >>> x = dx.numpy.array([-1.0, 0.0, 2.0])
    >>> dx.nn.relu(x), dx.nn.softmax(x).round(3)
    (Array([0., 0., 2.]), Array([0.042, 0.114, 0.844]))
"""

from . import initializers
from .functions import (
    celu,
    elu,
    gelu,
    glu,
    hard_sigmoid,
    hard_silu,
    hard_swish,
    hard_tanh,
    identity,
    leaky_relu,
    log_sigmoid,
    mish,
    one_hot,
    relu,
    relu6,
    selu,
    sigmoid,
    silu,
    soft_sign,
    softplus,
    squareplus,
    standardize,
    swish,
    tanh,
)
from .normalized import log_softmax, logmeanexp, logsumexp, softmax

__all__ = [
    "initializers",
    "celu",
    "elu",
    "gelu",
    "glu",
    "hard_sigmoid",
    "hard_silu",
    "hard_swish",
    "hard_tanh",
    "identity",
    "leaky_relu",
    "log_sigmoid",
    "mish",
    "relu",
    "relu6",
    "selu",
    "sigmoid",
    "silu",
    "soft_sign",
    "softplus",
    "squareplus",
    "swish",
    "tanh",
    "log_softmax",
    "logmeanexp",
    "logsumexp",
    "softmax",
    "one_hot",
    "standardize",
]

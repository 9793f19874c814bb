"""Functions of neural networks: activations, softmax, one-hot vectors; `initializers` of weights.

Names and signatures are jax.nn's. Derivatives are right to every order, also where a function is
written with a case distinction.

Examples:
    >>> import diffeo as dx
    >>> x = dx.numpy.array([-1.0, 0.0, 2.0])
    >>> dx.nn.relu(x), dx.nn.softmax(x).round(3)
    (Array([0., 0., 2.]), Array([0.042, 0.114, 0.844]))
"""

from .._loading import Late as _Late

#: Where each name is defined; a module is loaded when the first of its names is asked for.
_late = _Late(
    __name__,
    """
.: initializers
.attention: dot_product_attention
.functions: celu elu gelu glu hard_sigmoid hard_silu hard_swish hard_tanh identity leaky_relu
    log1mexp log_sigmoid mish one_hot relu relu6 selu sigmoid silu soft_sign softplus sparse_plus
    sparse_sigmoid squareplus standardize swish tanh
.normalized: log_softmax logmeanexp logsumexp softmax
.quantized: get_scaled_dot_general_config scaled_dot_general scaled_matmul
""",
)
__getattr__, __dir__ = _late.load, _late.listed
__all__ = _late.names  # pyright: ignore[reportUnsupportedDunderAll]

"""Random numbers from explicit keys: the names, and the bits, of jax.random.

A *key* is an array of two words, uint32. A function with the same key returns the same numbers, so
a key is used once; `split` makes new ones. Numbers are threefry2x32's, those of jax.random with
`jax_threefry_partitionable` (jax's default) and 64-bit types.

`keys.py` has the keys and raw bits, `samplers.py` the distributions, `tails.py` the truncated
normal distribution, and `choosing.py` permutations and choices.

Examples:
    >>> import diffeo as dx
    >>> key = dx.random.key(0)
    >>> key, subkey = dx.random.split(key)
    >>> dx.random.uniform(subkey, (2,))
    Array([0.08062437, 0.92394884])
    >>> dx.vmap(dx.random.normal)(dx.random.split(key, 3)).shape
    (3,)
"""

from .choosing import categorical, choice, permutation
from .keys import (
    PRNGKey,
    bits,
    clone,
    fold_in,
    key,
    key_data,
    key_dtype,
    key_impl,
    split,
    wrap_key_data,
)
from .samplers import (
    bernoulli,
    cauchy,
    exponential,
    gumbel,
    laplace,
    logistic,
    normal,
    rademacher,
    randint,
    uniform,
)
from .tails import truncated_normal

__all__ = [
    "PRNGKey",
    "fold_in",
    "key",
    "key_data",
    "split",
    "wrap_key_data",
    "bits",
    "randint",
    "uniform",
    "bernoulli",
    "cauchy",
    "exponential",
    "gumbel",
    "laplace",
    "logistic",
    "normal",
    "rademacher",
    "truncated_normal",
    "categorical",
    "choice",
    "permutation",
]

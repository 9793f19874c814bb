"""Random numbers from explicit keys: the names, and the bits, of jax.random.

A *key* is an element of an array of the dtype `key<fry>`, or an array of its words. A function with
the same key returns the same numbers, so a key is used once; `split` makes new ones. Numbers are
those of jax.random with its default settings and 64-bit types; the generator is threefry2x32's, or
another that a key is made for.

`keys.py` has the keys and raw bits; `samplers.py`, `standard.py`, `transformed.py`, `gammas.py`,
`counting.py`, `tails.py` and `choosing.py` have the distributions, `stateful.py` a generator in
NumPy's style, and `reuse.py` finds keys that are used twice.

Examples:
    >>> import diffeo as dx
    >>> key = dx.random.key(0)
    >>> key, subkey = dx.random.split(key)
    >>> dx.random.uniform(subkey, (2,))
    Array([0.08062437, 0.92394884])
    >>> dx.vmap(dx.random.normal)(dx.random.split(key, 3)).shape
    (3,)
"""

from .._loading import Late as _Late

#: Where each name is defined; a module is loaded when the first of its names is asked for.
_late = _Late(
    __name__,
    """
.choosing: categorical choice permutation
.counting: binomial geometric multinomial poisson
.gammas: ball beta chisquare dirichlet f gamma generalized_normal loggamma t
.keys: PRNGKey bits clone fold_in key key_data key_dtype key_impl split wrap_key_data
.samplers: bernoulli normal randint uniform
.standard: cauchy exponential gumbel laplace logistic rademacher
.stateful: Generator default_rng
.tails: truncated_normal
.transformed: double_sided_maxwell lognormal maxwell multivariate_normal orthogonal pareto rayleigh
    triangular wald weibull_min
""",
)
__getattr__, __dir__ = _late.load, _late.listed

__all__ = _late.names  # pyright: ignore[reportUnsupportedDunderAll]

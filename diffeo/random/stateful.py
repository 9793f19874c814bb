"""A generator with a state, as NumPy's: `default_rng`.

It holds a key, which each draw splits: one half for the draw, the other one for the next. A state
and a transformed function do not go together: a traced draw would happen once, while the function
is traced, and its numbers would be the same in every call, or in every row; and a traced key would
be stored where it outlives its trace. So a generator draws only in the trace that it was made in;
`Generator._next` refuses any other, and says what to write. Derivatives that run the function at
once are no harm, and are let through.
"""

from __future__ import annotations

import secrets
import threading
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ..numpy.common import arr, static_shape
from ..primitives.core import Value, describe, state, with_user_line
from ..primitives.staging import TangentTrace
from ..primitives.support.errors import UnexpectedTracerError
from ..primitives.types import default_dtype
from ..primitives.words.promotion import broadcast_shapes
from ..primitives.words.slicing import index_in_dim
from ..primitives.words.structural import convert_element_type, reshape
from ..transforms.jvp import JVP
from ..transforms.taylor.taylor import Taylor
from . import choosing, counting, gammas, keys, samplers, standard, transformed

#: Traces that run a function at once, and see no other numbers than it does.
_HARMLESS = (JVP, TangentTrace, Taylor)


class Generator:
    """Random numbers by NumPy's names, from a key that moves on with each draw.

    Make one by `default_rng`. The methods have the names, arguments and meaning of NumPy's
    `Generator`, not its bits: those are `dx.random`'s. Results are arrays of diffeo, and
    derivatives go through parameters. `shuffle` returns the result, as arrays do not change.

    Inside of a function that is traced (`jit`, `vmap`, `scan` ...), use a generator that is made
    there, of a key that is an argument; one from outside is refused. `spawn_key` draws such keys.

    Examples:
        >>> import diffeo as dx
        >>> rng = dx.random.default_rng(0)
        >>> bool((rng.normal(size=3) != rng.normal(size=3)).all())
        True
        >>> @dx.jit
        ... def noisy(x, key):
        ...     rng = dx.random.default_rng(key)
        ...     return x + rng.normal(size=x.shape)
        >>> noisy(dx.numpy.zeros(3), rng.spawn_key()).shape
        (3,)
    """

    def __init__(self, key: Any):
        self._key, self._trace, self._lock = key, state.trace, threading.Lock()

    def __reduce__(self) -> Any:
        return Generator, (self._key,)

    def __repr__(self) -> str:
        return f"Generator({self._key.dtype})"

    def _next(self) -> Any:
        """Return a new key, and move on. Refuse to in a trace that the generator was not made in.

        Raises:
            UnexpectedTracerError: in another trace.
        """
        trace = state.trace
        while trace is not self._trace and isinstance(trace, _HARMLESS):
            trace = trace.parent
        if trace is not self._trace:
            raise with_user_line(
                UnexpectedTracerError(
                    "a random generator draws only where it was made: here, the function is traced "
                    "by another transformation (jit, vmap, scan ...), and the draw would repeat "
                    "its numbers.\n  Give the function a key, and make the generator inside: call "
                    "f(x, rng.spawn_key()), or with vmap and scan rng.spawn_key(n), of\n"
                    "    def f(x, key):\n        rng = dx.random.default_rng(key)"
                )
            )
        with self._lock:
            following = keys.split(self._key)
            self._key = index_in_dim(following, 0)
        return index_in_dim(following, 1)

    # -- Keys --

    def spawn_key(self, size: Any = None) -> Any:
        """Draw a typed key, or keys of a shape: for functions of `dx.random`, for other generators.

        Examples:
            >>> import diffeo as dx
            >>> dx.random.default_rng(0).spawn_key(4).shape
            (4,)
        """
        key = self._next()
        return key if size is None else keys.split(key, size)

    def spawn(self, n_children: int) -> list[Generator]:
        """Return new generators, independent of this one and of each other."""
        return [Generator(k) for k in self.spawn_key(n_children)]

    # -- Plain numbers --

    def random(self, size: Any = None, dtype: Any = None) -> Any:
        """Draw uniform numbers in [0, 1)."""
        return samplers.uniform(self._next(), _shape(size), dtype)

    def uniform(self, low: Any = 0.0, high: Any = 1.0, size: Any = None) -> Any:
        """Draw uniform numbers in [low, high)."""
        low, high, shape = _together("uniform", size, low, high)
        return low + (high - low) * samplers.uniform(self._next(), shape)

    def integers(
        self,
        low: Any,
        high: Any = None,
        size: Any = None,
        dtype: Any = None,
        endpoint: bool = False,
    ) -> Any:
        """Draw integers in [low, high), or in [0, low); with `endpoint`, the end is included."""
        if high is None:
            low, high = 0, low
        last = high + 1 if endpoint else high
        shape = broadcast_shapes(*[np.shape(x) for x in (low, high)])
        shape = shape if size is None else _shape(size)
        return samplers.randint(self._next(), shape, low, last, dtype)

    def bytes(self, length: int) -> bytes:
        """Return random bytes; not in a traced function."""
        return np.asarray(keys.bits(self._next(), (length,), np.uint8)).tobytes()

    # -- Choices --

    def choice(
        self,
        a: Any,
        size: Any = None,
        replace: bool = True,
        p: Any = None,
        axis: int = 0,
        shuffle: bool = True,
    ) -> Any:
        """Draw out of the integers below a number, or out of the slices of an array.

        Samples without replacement are in random order, whatever `shuffle` is.
        """
        return choosing.choice(self._next(), _listed(a), _shape(size), replace, p, axis)

    def permutation(self, x: Any, axis: int = 0) -> Any:
        """Return the integers below a number, or the slices of an array, in random order."""
        return choosing.permutation(self._next(), _listed(x), axis)

    def permuted(self, x: Any, *, axis: int | None = None) -> Any:
        """Return an array with each vector along the axis in a random order of its own; without
        `axis`, with all elements in random order.
        """
        x = arr(_listed(x))
        if axis is None:
            return reshape(choosing.permutation(self._next(), reshape(x, (x.size,))), x.shape)
        return choosing.permutation(self._next(), x, axis, independent=True)

    def shuffle(self, x: Any, axis: int = 0) -> Any:
        """Return the slices of an array in random order. NumPy's writes into the array instead, and
        an array of NumPy's is left alone here.
        """
        return choosing.permutation(self._next(), arr(_listed(x)), axis)

    # -- Normal numbers --

    def standard_normal(self, size: Any = None, dtype: Any = None) -> Any:
        """Draw normal numbers of mean 0 and variance 1."""
        return samplers.normal(self._next(), _shape(size), dtype)

    def normal(self, loc: Any = 0.0, scale: Any = 1.0, size: Any = None) -> Any:
        """Draw normal numbers of mean `loc` and standard deviation `scale`."""
        return self._moved("normal", samplers.normal, loc, scale, size)

    def lognormal(self, mean: Any = 0.0, sigma: Any = 1.0, size: Any = None) -> Any:
        """Draw exponentials of normal numbers."""
        return np.exp(self._moved("lognormal", samplers.normal, mean, sigma, size))

    def multivariate_normal(
        self, mean: Any, cov: Any, size: Any = None, *, method: str = "svd"
    ) -> Any:
        """Draw normal vectors with a mean and a covariance matrix."""
        shape = None if size is None else _shape(size)
        return transformed.multivariate_normal(
            self._next(), _listed(mean), _listed(cov), shape, None, method
        )

    # -- Numbers with a place and a scale --

    def _moved(self, name: str, sample: Callable, loc: Any, scale: Any, size: Any) -> Any:
        """Return `loc + scale * sample(...)` of the shape of all three."""
        loc, scale, shape = _together(name, size, loc, scale)
        return loc + scale * sample(self._next(), shape)

    def _scaled(self, name: str, sample: Any, scale: Any, size: Any) -> Any:
        scale, shape = _together(name, size, scale)
        return scale * sample(self._next(), shape)

    def exponential(self, scale: Any = 1.0, size: Any = None) -> Any:
        """Draw numbers with the density exp(-x / scale) / scale."""
        return self._scaled("exponential", standard.exponential, scale, size)

    def standard_exponential(self, size: Any = None, dtype: Any = None) -> Any:
        """Draw numbers with the density exp(-x)."""
        return standard.exponential(self._next(), _shape(size), dtype)

    def standard_cauchy(self, size: Any = None) -> Any:
        """Draw numbers with the density 1 / (pi (1 + x**2))."""
        return standard.cauchy(self._next(), _shape(size))

    def rayleigh(self, scale: Any = 1.0, size: Any = None) -> Any:
        """Draw lengths of normal vectors of two numbers, times `scale`."""
        scale, shape = _together("rayleigh", size, scale)
        return transformed.rayleigh(self._next(), scale, shape)

    def gumbel(self, loc: Any = 0.0, scale: Any = 1.0, size: Any = None) -> Any:
        """Draw numbers with the distribution function exp(-exp(-(x - loc) / scale))."""
        return self._moved("gumbel", standard.gumbel, loc, scale, size)

    def laplace(self, loc: Any = 0.0, scale: Any = 1.0, size: Any = None) -> Any:
        """Draw numbers with a density proportional to exp(-|x - loc| / scale)."""
        return self._moved("laplace", standard.laplace, loc, scale, size)

    def logistic(self, loc: Any = 0.0, scale: Any = 1.0, size: Any = None) -> Any:
        """Draw numbers with the distribution function 1 / (1 + exp(-(x - loc) / scale))."""
        return self._moved("logistic", standard.logistic, loc, scale, size)

    # -- Other distributions --

    def gamma(self, shape: Any, scale: Any = 1.0, size: Any = None) -> Any:
        """Draw gamma numbers of a concentration (`shape`, by NumPy's name), times `scale`."""
        a, scale, whole = _together("gamma", size, shape, scale)
        return scale * gammas.gamma(self._next(), a, whole)

    def standard_gamma(self, shape: Any, size: Any = None) -> Any:
        """Draw gamma numbers of a concentration."""
        return self.gamma(shape, 1.0, size)

    def beta(self, a: Any, b: Any, size: Any = None) -> Any:
        """Draw numbers in 0 ... 1 with a density proportional to x**(a - 1) (1 - x)**(b - 1)."""
        a, b, shape = _together("beta", size, a, b)
        return gammas.beta(self._next(), a, b, shape)

    def dirichlet(self, alpha: Any, size: Any = None) -> Any:
        """Draw vectors of positive numbers whose sum is 1."""
        return gammas.dirichlet(
            self._next(), _listed(alpha), None if size is None else _shape(size)
        )

    def chisquare(self, df: Any, size: Any = None) -> Any:
        """Draw chi-square numbers of `df` degrees of freedom."""
        df, shape = _together("chisquare", size, df)
        return gammas.chisquare(self._next(), df, shape)

    def f(self, dfnum: Any, dfden: Any, size: Any = None) -> Any:
        """Draw ratios of chi-square numbers, each divided by its degrees of freedom."""
        dfnum, dfden, shape = _together("f", size, dfnum, dfden)
        return gammas.f(self._next(), dfnum, dfden, shape)

    def standard_t(self, df: Any, size: Any = None) -> Any:
        """Draw numbers of Student's t distribution."""
        df, shape = _together("standard_t", size, df)
        return gammas.t(self._next(), df, shape)

    def pareto(self, a: Any, size: Any = None) -> Any:
        """Draw numbers with the density a / (1 + x)**(a + 1) on x > 0."""
        a, shape = _together("pareto", size, a)
        return transformed.pareto(self._next(), a, shape) - 1.0

    def weibull(self, a: Any, size: Any = None) -> Any:
        """Draw numbers with the distribution function 1 - exp(-x**a)."""
        a, shape = _together("weibull", size, a)
        return transformed.weibull_min(self._next(), 1.0, a, shape)

    def wald(self, mean: Any, scale: Any, size: Any = None) -> Any:
        """Draw inverse Gaussian numbers."""
        mean, scale, shape = _together("wald", size, mean, scale)
        return scale * transformed.wald(self._next(), mean / scale, shape)

    def triangular(self, left: Any, mode: Any, right: Any, size: Any = None) -> Any:
        """Draw numbers whose density rises from `left` to `mode`, and falls to `right`."""
        left, mode, right, shape = _together("triangular", size, left, mode, right)
        return transformed.triangular(self._next(), left, mode, right, shape)

    def poisson(self, lam: Any = 1.0, size: Any = None) -> Any:
        """Draw counts of mean `lam`."""
        lam, shape = _together("poisson", size, lam)
        return counting.poisson(self._next(), lam, shape)

    def binomial(self, n: Any, p: Any, size: Any = None) -> Any:
        """Draw the numbers of successes in `n` trials, of the probability `p` each."""
        n, p, shape = _together("binomial", size, n, p)
        counts = counting.binomial(self._next(), n, p, shape)
        return convert_element_type(counts, default_dtype(int))

    def geometric(self, p: Any, size: Any = None) -> Any:
        """Draw the number of trials up to the first success."""
        p, shape = _together("geometric", size, p)
        return counting.geometric(self._next(), p, shape)

    def multinomial(self, n: Any, pvals: Any, size: Any = None) -> Any:
        """Draw how many of `n` trials have each outcome, of the probabilities `pvals`."""
        p = arr(_listed(pvals))
        shape = None if size is None else (*_shape(size), p.shape[-1])
        counts = counting.multinomial(self._next(), _listed(n), p, shape=shape)
        return convert_element_type(counts, default_dtype(int))


def _shape(size: Any) -> tuple[int, ...]:
    """Return NumPy's `size` as a shape; None is that of a single number."""
    return () if size is None else static_shape(size, "size")


def _listed(x: Any) -> Any:
    """Return lists, which NumPy takes everywhere, as arrays; anything else as it is."""
    return np.asarray(x) if isinstance(x, (list, tuple)) else x


def _together(name: str, size: Any, *values: Any) -> list[Any]:
    """Return parameters as arrays of a floating-point dtype, and the shape of the sample."""
    arrays = [samplers.inexact(_listed(v)) for v in values]
    shape = broadcast_shapes(*[x.shape for x in arrays])
    if size is not None:
        shape = _shape(size)
        samplers.check_parameters(name, shape, **{f"parameter {i}": x for i, x in
                                                  enumerate(arrays)})  # fmt: skip
    return [*arrays, shape]


def default_rng(seed: Any = None, *, impl: Any = None) -> Generator:
    """Return a random generator with a state, with NumPy's methods.

    Args:
        seed: an integer, integers in a list (each is folded into a key), a key, a generator, which
            is returned as it is, or None: a seed that nobody knows.
        impl: the generator behind it, as for `key`.

    Raises:
        TypeError: for anything else.

    Examples:
        >>> import diffeo as dx
        >>> dx.random.default_rng(0).integers(10, size=3).shape
        (3,)
        >>> f = dx.jit(lambda x, rng=dx.random.default_rng(0): x + rng.normal())
        >>> f(1.0)
        Traceback (most recent call last):
        diffeo.primitives.support.errors.UnexpectedTracerError: a random generator draws only ...
    """
    if isinstance(seed, Generator):
        return seed
    if seed is None:
        seed = secrets.randbits(63)
    if isinstance(seed, Sequence) and not isinstance(seed, str) and len(seed):
        key = keys.key(seed[0], impl=impl)
        for number in seed[1:]:
            key = keys.fold_in(key, number)
        return Generator(key)
    if isinstance(seed, (Value, np.ndarray)) and (keys.is_typed(seed) or seed.ndim):
        if keys.is_typed(seed) and not seed.ndim:
            return Generator(seed)
        if keys.is_typed(seed):
            raise with_user_line(
                TypeError(f"default_rng: expected one key, got {describe(seed)}, which are many")
            )
        return Generator(keys.wrap_key_data(seed, impl=impl))
    if not isinstance(seed, (int, np.integer, Value)):
        raise with_user_line(
            TypeError(
                f"default_rng: the seed must be an integer, a list of integers, a key or None, got "
                f"{describe(seed)}"
            )
        )
    return Generator(keys.key(seed, impl=impl))

"""Rules for keys and random bits.

A key of jax's is its words here. What threefry keys do is done by diffeo's own generator, whose
bits are the same; of other generators (rbg) jax's own functions of words are translated.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from .... import lax
from ....api.vmap import vmap
from ....primitives.words.slicing import stack
from ....random import keys as our_keys
from ....routines.generators import GENERATORS
from ....routines.random_bits import random_bits, threefry2x32
from .reader import refuse, rule, settings
from .traced import Traced

#: What diffeo does with the words of threefry keys.
THREEFRY = GENERATORS["threefry2x32"]


def _generator(eqn: Any, aval: Any) -> Any:
    """Return jax's generator of keys of a type: its functions, of words."""
    generator = eqn.params.get("impl") or getattr(aval.dtype, "_impl", None)
    if generator is None:
        raise refuse(eqn, f"of keys {aval} has no generator that is known")
    return generator


def _ours(generator: Any) -> bool:
    """Return whether diffeo's generator makes the same bits."""
    return generator.name == "threefry2x32" and bool(settings.jax_threefry_partitionable)


def each_key(function: Callable, axes: int, *operands: Any) -> Any:
    """Apply a function of one key to arrays of keys, and of operands of the same leading axes."""
    for _ in range(axes):
        function = vmap(function)
    return function(*operands)


@rule("random_seed")
def _random_seed(eqn: Any, seeds: Any) -> Any:
    generator = _generator(eqn, eqn.outvars[0].aval)
    if generator.name == "threefry2x32":
        return each_key(our_keys.PRNGKey, seeds.ndim, seeds)
    words = Traced(lambda s: [generator.seed(s)], "seed")
    return each_key(lambda s: words(s)[0], seeds.ndim, seeds)


@rule("random_wrap", "random_unwrap", "random_clone")
def _words(eqn: Any, x: Any) -> Any:
    return x


@rule("random_split")
def _random_split(eqn: Any, words: Any) -> Any:
    shape = tuple(map(int, eqn.params["shape"]))
    generator = _generator(eqn, eqn.invars[0].aval)
    if _ours(generator):
        one = lambda key: stack(random_bits(key, shape), len(shape))
    else:
        split = Traced(lambda key: [generator.split(key, shape)], "split")
        one = lambda key: split(key)[0]
    return each_key(one, words.ndim - 1, words)


@rule("random_fold_in")
def _random_fold_in(eqn: Any, words: Any, data: Any) -> Any:
    generator = _generator(eqn, eqn.invars[0].aval)
    axes = max(words.ndim - 1, data.ndim)
    batch = eqn.outvars[0].aval.shape
    words = lax.broadcast_in_dim(words, (*batch, words.shape[-1]), _last(words.ndim, axes + 1))
    data = lax.broadcast_in_dim(data, batch, _last(data.ndim, axes))
    if generator.name == "threefry2x32":
        one = our_keys.fold_in  # of words, words
    else:
        fold = Traced(lambda key, n: [generator.fold_in(key, n)], "fold_in")
        one = lambda key, n: fold(key, n)[0]
    return each_key(one, axes, words, data)


def _last(count: int, ndim: int) -> tuple[int, ...]:
    """Return the last `count` of `ndim` axes."""
    return tuple(range(ndim - count, ndim))


@rule("random_bits")
def _random_bits(eqn: Any, words: Any) -> Any:
    p = eqn.params
    shape, width = tuple(map(int, p["shape"])), int(p["bit_width"])
    generator = _generator(eqn, eqn.invars[0].aval)
    if _ours(generator):
        one = lambda key: THREEFRY.bits(key, shape, np.dtype(f"uint{width}"))
    else:
        bits = Traced(lambda key: [generator.random_bits(key, width, shape)], "random_bits")
        one = lambda key: bits(key)[0]
    return each_key(one, words.ndim - 1, words)


@rule("threefry2x32")
def _threefry2x32(eqn: Any, *words: Any) -> list[Any]:
    shape = eqn.outvars[0].aval.shape
    spread = [lax.broadcast_in_dim(w, shape, _last(w.ndim, len(shape))) for w in words]
    return list(threefry2x32(*spread))


@rule("rng_bit_generator")
def _rng_bit_generator(eqn: Any, state: Any) -> list[Any]:
    p = eqn.params
    algorithm = lax.RandomAlgorithm(int(p["algorithm"]))
    shape = tuple(map(int, p["shape"]))
    out = lambda s: list(lax.rng_bit_generator(s, shape, p["dtype"], algorithm))
    if state.ndim == 1:
        return out(state)
    return each_key(out, state.ndim - 1, state)
